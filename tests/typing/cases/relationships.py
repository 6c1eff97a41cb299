"""Relationships: joins along them, conditions and values over related rows, paths; and what is refused of them."""

from typing import reveal_type

import attrs

from mapper import (
    BelongsTo,
    Column,
    HasMany,
    HasOne,
    ManyToMany,
    Relation,
    Repository,
    Through,
    aggregate,
    all_,
    any_,
    column,
    fn,
    none_,
    optional,
    outer,
    select,
)


@attrs.frozen
class Post:
    title: str


@attrs.frozen
class Comment:
    text: str


@attrs.frozen
class User:
    name: str


@attrs.frozen
class Link:
    url: str


@attrs.frozen
class Tag:
    name: str


@attrs.frozen
class Tagging:
    position: int


class Users(Relation[User]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    boss_id: Column[int | None]


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    author_id: Column[int]


class Comments(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    post_id: Column[int]
    author_id: Column[int | None]
    text: Column[str]
    visible: Column[bool | None]


class Links(Relation[Link]):
    id: Column[int] = column(primary_key=True)
    post_id: Column[int]
    url: Column[str]


class Tags(Relation[Tag]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]


class PostTagLinks(Relation[Tagging, tuple[int, int]]):
    post_id: Column[int] = column(primary_key=True)
    tag_id: Column[int] = column(primary_key=True)
    position: Column[int]


class PostComments(HasMany[Posts, Comments]):
    key = Comments.post_id


class VisibleComments(PostComments):
    where = Comments.visible


class PostLink(HasOne[Posts, Links]):
    key = Links.post_id


class CommentPost(BelongsTo[Comments, Posts]):
    key = Comments.post_id


class CommentAuthor(BelongsTo[Comments, Users]):
    key = Comments.author_id


class Boss(BelongsTo[Users, Users]):
    key = Users.boss_id


class PostTags(ManyToMany[Posts, Tags]):
    through = PostTagLinks
    keys = (PostTagLinks.post_id, PostTagLinks.tag_id)


class PlacedTags(ManyToMany[Posts, Tags, PostTagLinks]):
    through = PostTagLinks
    keys = (PostTagLinks.post_id, PostTagLinks.tag_id)
    order = PostTagLinks.position


class PostCommenters(Through[Posts, Users, Comments]):
    path = (PostComments, CommentAuthor)


class BlogRepository(Repository[Posts | Comments | Users | Links | Tags | PostTagLinks]): ...


class Half(Repository[Posts | Tags]): ...


def declared() -> None:
    reveal_type(PostComments.of())  # revealed: type[Posts]
    reveal_type(PostComments.to())  # revealed: type[Comments]
    reveal_type(VisibleComments.many())  # revealed: type[Comments]
    reveal_type(PostLink.one())  # revealed: type[Links]


def joins() -> None:
    posts = select(Post).from_(Posts)
    bosses = Users.named("boss")
    reveal_type(posts.join(PostComments))  # revealed: Query[Post, Posts | Comments]
    reveal_type(posts.join(VisibleComments))  # revealed: Query[Post, Posts | Comments]
    reveal_type(posts.join(PostComments, to=Comments.named("c")))  # revealed: Query[Post, Posts | Comments]
    reveal_type(posts.join(PostComments).join(CommentAuthor))  # revealed: Query[Post, Posts | Comments | Users]
    reveal_type(posts.left_join(PostLink))  # revealed: Query[Post, Posts | Links]
    reveal_type(posts.right_join(PostLink))  # revealed: Query[Post, Posts | Links]
    reveal_type(posts.full_join(PostLink))  # revealed: Query[Post, Posts | Links]
    reveal_type(posts.join(PostTags))  # revealed: Query[Post, Posts | Tags]
    reveal_type(posts.join(PlacedTags).order_by(PostTagLinks.position))  # revealed: Query[Post, Posts | Tags | PostTagLinks]
    reveal_type(posts.join(PostCommenters).where(Comments.text == "x"))  # revealed: Query[Post, Posts | Users | Comments]
    reveal_type(select(Users.name, optional(bosses.name)).left_join(Boss, to=bosses))  # revealed: Query[tuple[str, str | None], Users]
    reveal_type(select(Posts.title, fn.count(Comments.id)).join(PostComments).group_by(Posts.title))  # revealed: Query[tuple[str, int], Posts | Comments]


def conditions() -> None:
    posts = select(Post).from_(Posts)
    others = Posts.named("other")
    reveal_type(any_(PostComments))  # revealed: Expr[bool, Posts]
    reveal_type(any_(PostComments, Comments.text == "x"))  # revealed: Expr[bool, Posts]
    reveal_type(any_(PostComments, Comments.text == "x", Comments.visible))  # revealed: Expr[bool, Posts]
    reveal_type(any_(PostComments, any_(CommentAuthor, Users.name == "x")))  # revealed: Expr[bool, Posts]
    reveal_type(any_(PostComments, Comments.author_id == outer(Posts.author_id)))  # revealed: Expr[bool, Posts]
    reveal_type(any_(PostComments, of=others))  # revealed: Expr[bool, Posts]
    reveal_type(any_(PlacedTags, Tags.name == "x", PostTagLinks.position > 1))  # revealed: Expr[bool, Posts]
    reveal_type(any_(Boss, Users.name == "x"))  # revealed: Expr[bool, Users]
    reveal_type(all_(PostComments, Comments.visible))  # revealed: Expr[bool, Posts]
    reveal_type(none_(PostComments) & (Posts.title == "x"))  # revealed: Expr[bool, Posts]
    reveal_type(posts.where(any_(PostComments, Comments.text == "x")))  # revealed: Query[Post, Posts]
    reveal_type(posts.where(none_(PostComments)))  # revealed: Query[Post, Posts]
    reveal_type(posts.order_by(any_(PostComments).desc()))  # revealed: Query[Post, Posts]
    BlogRepository.change().deletes(Posts).where(none_(PostComments))


def aggregates() -> None:
    reveal_type(aggregate(PostComments, fn.count()))  # revealed: Expr[int, Posts]
    reveal_type(aggregate(PostComments, fn.max(Comments.id)))  # revealed: Expr[int | None, Posts]
    reveal_type(aggregate(PostComments, fn.count(filter=Comments.text == "x")))  # revealed: Expr[int, Posts]
    reveal_type(select(Posts.title, aggregate(PostComments, fn.count())))  # revealed: Query[tuple[str, int], Posts]


def paths() -> None:
    posts = select(Post).from_(Posts)
    reveal_type(posts.via(PostComments))  # revealed: Query[Comment, Posts | Comments]
    reveal_type(posts.via(PostComments, CommentAuthor))  # revealed: Query[User, Posts | Comments | Users]
    reveal_type(posts.via(PostComments, CommentAuthor, Boss))  # revealed: Query[User, Posts | Comments | Users]
    reveal_type(posts.via(PostComments, CommentAuthor, Boss, Boss))  # revealed: Query[User, Posts | Comments | Users]
    reveal_type(posts.via(PostComments).where(Comments.text == "x"))  # revealed: Query[Comment, Posts | Comments]
    reveal_type(select(Users).from_(Posts).via(PostComments, CommentAuthor))  # revealed: Query[Keyed[User, int], Users | Posts | Comments]
    reveal_type(select(Users.name).from_(Posts).via(PostCommenters))  # revealed: Query[str, Users | Posts]
    reveal_type(select(Users.name).via(Boss))  # revealed: Query[str, Users]
    reveal_type(select(User).from_(Users).via(Boss, recursive=True))  # revealed: Query[User, Users]


async def refused(blog: BlogRepository, half: Half) -> None:
    posts = select(Post).from_(Posts)
    posts.join(CommentAuthor)  # error: a relationship of a relation that is not joined
    posts.join(PostComments, on=Comments.post_id == Posts.id)  # error: a condition beside a relationship
    posts.join(Comments)  # error: no condition
    posts.join(PostComments, to=Users)  # error: not where the relationship leads
    posts.join(PostComments, of=Users)  # error: not where the relationship starts
    posts.cross_join(PostComments)  # error: a relationship pairs rows by its keys
    posts.join(PostTags).order_by(PostTagLinks.position)  # error: a relation between that is not named
    posts.where(any_(CommentAuthor))  # error: a condition on rows that are not read
    any_(PostComments, Users.name == "x")  # error: a condition on other rows
    any_(PostComments, Posts.title == "x")  # error: a condition on the row itself without outer
    any_(PostComments, Comments.text)  # error: no condition
    any_(Comments)  # error: no relationship
    all_(PostComments)  # error: no condition
    aggregate(PostComments, fn.max(Users.id))  # error: an aggregate of other rows
    posts.via(CommentAuthor)  # error: a path from elsewhere
    posts.via(PostComments, Boss)  # error: a path that does not hang together
    BlogRepository.change().deletes(Users).where(none_(PostComments))  # error: a condition on rows of another relation
    await posts.join(PostComments).all(half)  # error: a relation that the repository does not store
    await posts.via(PostComments).all(half)  # error: a relation that the repository does not store
    await posts.join(PlacedTags).all(half)  # error: a relation between that the repository does not store
