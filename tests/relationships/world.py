"""
A newspaper and a firm, for relationships of every kind: relations, relationships and the rows that every store is given.

The rows have what goes wrong elsewhere: owners without rows, keys that are NULL, rows that no owner has, equal values,
text beyond ASCII, keys of two columns, trees and pairs with several ways between them.
"""

from typing import Any

import attrs

from mapper import (
    BelongsTo,
    Changeset,
    Column,
    HasMany,
    HasOne,
    ManyToMany,
    Relation,
    Repository,
    Through,
    any_,
    column,
)


@attrs.frozen
class User:
    name: str


@attrs.frozen
class Post:
    title: str


@attrs.frozen
class Comment:
    text: str
    visible: bool | None
    votes: int


@attrs.frozen
class Tag:
    name: str
    retired: bool


@attrs.frozen
class PostTag:
    position: int


@attrs.frozen
class Seal:
    number: str


@attrs.frozen
class Employee:
    name: str
    salary: int


@attrs.frozen
class Room:
    purpose: str


@attrs.frozen
class Booking:
    hour: int


class Users(Relation[User]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    author_id: Column[int] = column(references=lambda: Users.id)
    editor_id: Column[int | None] = column(references=lambda: Users.id)


class Comments(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    post_id: Column[int | None] = column(references=lambda: Posts.id)
    author_id: Column[int | None] = column(references=lambda: Users.id)
    text: Column[str]
    visible: Column[bool | None]
    votes: Column[int]


class Tags(Relation[Tag]):
    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(unique=True)
    retired: Column[bool]


class PostTagLinks(Relation[PostTag, tuple[int, int]]):
    post_id: Column[int] = column(primary_key=True, references=lambda: Posts.id)
    tag_id: Column[int] = column(primary_key=True, references=lambda: Tags.id)
    position: Column[int]


class Seals(Relation[Seal]):
    id: Column[int] = column(primary_key=True)
    post_id: Column[int] = column(unique=True, references=lambda: Posts.id)
    tag_name: Column[str | None]
    number: Column[str]


class Employees(Relation[Employee]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    salary: Column[int]
    manager_id: Column[int | None] = column(references=lambda: Employees.id)


class Rooms(Relation[Room, tuple[str, int]]):
    house: Column[str] = column(primary_key=True)
    number: Column[int] = column(primary_key=True)
    purpose: Column[str]


class Bookings(Relation[Booking]):
    id: Column[int] = column(primary_key=True)
    house: Column[str | None]
    room: Column[int | None]
    hour: Column[int]


class PostAuthor(BelongsTo[Posts, Users]):
    key = Posts.author_id


class PostEditor(BelongsTo[Posts, Users]):
    key = Posts.editor_id


class UserPosts(HasMany[Users, Posts]):
    key = Posts.author_id


class PostComments(HasMany[Posts, Comments]):
    key = Comments.post_id


class VisibleComments(PostComments):
    where = Comments.visible == True
    order = Comments.id.desc()


class CommentPost(BelongsTo[Comments, Posts]):
    key = Comments.post_id


class CommentAuthor(BelongsTo[Comments, Users]):
    key = Comments.author_id


class BestComment(HasOne[Posts, Comments]):
    key = Comments.post_id
    where = Comments.votes >= 0
    order = Comments.votes.desc()


class PostSeal(HasOne[Posts, Seals]):
    key = Seals.post_id


class SealTag(BelongsTo[Seals, Tags]):
    key = Seals.tag_name
    on = Tags.name


class PostTags(ManyToMany[Posts, Tags, PostTagLinks]):
    through = PostTagLinks
    keys = (PostTagLinks.post_id, PostTagLinks.tag_id)
    order = PostTagLinks.position


class TagPosts(ManyToMany[Tags, Posts]):
    through = PostTagLinks
    keys = (PostTagLinks.tag_id, PostTagLinks.post_id)


class LiveTags(PostTags):
    where = (Tags.retired == False, Tags.name != "")


class PostCommenters(Through[Posts, Users, Comments]):
    path = (PostComments, CommentAuthor)


class UserTags(Through[Users, Tags]):
    path = (UserPosts, PostTags)


class UserCommenters(Through[Users, Users]):
    path = (UserPosts, PostCommenters)


class RelatedPosts(Through[Posts, Posts]):
    path = (LiveTags, TagPosts)


class BestCommenter(Through[Posts, Users]):
    path = (BestComment, CommentAuthor)


class DiscussedPosts(UserPosts):
    where = any_(PostComments, Comments.votes > 0)


class Manager(BelongsTo[Employees, Employees]):
    key = Employees.manager_id


class Reports(HasMany[Employees, Employees]):
    key = Employees.manager_id


class BestPaidReport(HasOne[Employees, Employees]):
    key = Employees.manager_id
    order = Employees.salary.desc()


class GrandReports(Through[Employees, Employees]):
    path = (Reports, Reports)


class RoomBookings(HasMany[Rooms, Bookings]):
    key = (Bookings.house, Bookings.room)


class BookingRoom(BelongsTo[Bookings, Rooms]):
    key = (Bookings.house, Bookings.room)


class World(
    Repository[Users | Posts | Comments | Tags | PostTagLinks | Seals | Employees | Rooms | Bookings],
): ...


USERS = [(1, "ann"), (2, "Björn"), (3, "化"), (4, "nobody")]
POSTS = [(1, "silence", 1, 2), (2, "Élan", 1, None), (3, "empty", 2, 3), (4, "empty", 3, None)]
COMMENTS = [
    (1, 1, 1, "first", True, 3),
    (2, 1, 2, "second", False, 5),
    (3, 1, 2, "third", True, 5),
    (4, 2, 3, "fourth", None, -1),
    (5, 2, None, "anonymous", True, 1),
    (6, None, 3, "astray", True, 9),
    (7, 3, None, "nobody's", None, -2),
]
TAGS = [(1, "news", False), (2, "old", True), (3, "art", False), (4, "unused", False)]
LINKS = [(1, 1, 2), (1, 3, 1), (2, 1, 1), (2, 2, 2), (3, 2, 1)]
SEALS = [(1, 1, "news", "s-1"), (2, 2, None, "s-2"), (3, 4, "no such", "s-4")]
EMPLOYEES = [
    (1, "root", 100, None),
    (2, "left", 50, 1),
    (3, "right", 60, 1),
    (4, "leaf", 30, 2),
    (5, "twin", 30, 2),
    (6, "other root", 10, None),
    (7, "deep", 20, 4),
]
ROOMS = [("A", 1, "talk"), ("A", 2, "tea"), ("B", 1, "store")]
BOOKINGS = [(1, "A", 1, 9), (2, "A", 1, 10), (3, "B", 1, 9), (4, "A", None, 9), (5, None, 2, 9), (6, None, None, 9)]


def rows_of(changes: Changeset[Any]) -> None:
    """Push every row, those that others refer to first."""
    users, posts, comments = changes.inserts(Users), changes.inserts(Posts), changes.inserts(Comments)
    for user, name in USERS:
        users.push(User(name), Users.id.to(user))
    for post, title, author, editor in POSTS:
        posts.push(Post(title), Posts.id.to(post), Posts.author_id.to(author), Posts.editor_id.to(editor))
    for comment, post_id, author_id, text, visible, votes in COMMENTS:
        keys = (Comments.id.to(comment), Comments.post_id.to(post_id), Comments.author_id.to(author_id))
        comments.push(Comment(text, visible, votes), *keys)
    tags, links, seals = changes.inserts(Tags), changes.inserts(PostTagLinks), changes.inserts(Seals)
    for tag, name, retired in TAGS:
        tags.push(Tag(name, retired), Tags.id.to(tag))
    for post, tag, position in LINKS:
        links.push(PostTag(position), PostTagLinks.post_id.to(post), PostTagLinks.tag_id.to(tag))
    for seal, post, named, number in SEALS:
        seals.push(Seal(number), Seals.id.to(seal), Seals.post_id.to(post), Seals.tag_name.to(named))
    employees, rooms, bookings = changes.inserts(Employees), changes.inserts(Rooms), changes.inserts(Bookings)
    for employee, name, salary, manager in EMPLOYEES:
        employees.push(Employee(name, salary), Employees.id.to(employee), Employees.manager_id.to(manager))
    for house, number_, purpose in ROOMS:
        rooms.push(Room(purpose), Rooms.house.to(house), Rooms.number.to(number_))
    for booking, booked, room, hour in BOOKINGS:
        bookings.push(Booking(hour), Bookings.id.to(booking), Bookings.house.to(booked), Bookings.room.to(room))
