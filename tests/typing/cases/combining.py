"""The rows that `combine` grows, and what it refuses."""

from typing import reveal_type

import attrs

from mapper import Column, Relation, Repository, column, fn, select
from mapper.relationships import BelongsTo, HasMany, HasOne, ManyToMany, Through


@attrs.frozen
class User:
    name: str


@attrs.frozen
class Post:
    title: str


@attrs.frozen
class Comment:
    text: str


@attrs.frozen
class Tag:
    name: str


@attrs.frozen
class Tagging: ...


class Users(Relation[User]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]


class Comments(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    post_id: Column[int]
    author_id: Column[int | None]
    text: Column[str]


class Tags(Relation[Tag]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]


class PostTagLinks(Relation[Tagging, tuple[int, int]]):
    post_id: Column[int] = column(primary_key=True)
    tag_id: Column[int] = column(primary_key=True)


class PostComments(HasMany[Posts, Comments]):
    key = Comments.post_id


class LatestComment(HasOne[Posts, Comments]):
    key = Comments.post_id
    order = Comments.id.desc()


class CommentAuthor(BelongsTo[Comments, Users]):
    key = Comments.author_id


class PostTags(ManyToMany[Posts, Tags]):
    through = PostTagLinks
    keys = (PostTagLinks.post_id, PostTagLinks.tag_id)


class PostAuthors(Through[Posts, Users]):
    path = (PostComments, CommentAuthor)


class BlogRepository(Repository[Users | Posts | Comments | Tags | PostTagLinks]): ...


class CommentsRepository(Repository[Comments]): ...


@attrs.frozen
class Page:
    post: Post
    comments: list[Comment]
    latest: Comment | None


def combined() -> None:
    posts = select(Post).from_(Posts)
    nested = select(Comment).from_(Comments).where(Comments.text == "x").limit(3).combine(CommentAuthor)
    reveal_type(posts.combine(PostComments))  # revealed: Query[tuple[Post, list[Comment]], Posts | Comments]
    reveal_type(posts.combine(PostTags))  # revealed: Query[tuple[Post, list[Tag]], Posts | Tags]
    reveal_type(posts.combine(PostAuthors))  # revealed: Query[tuple[Post, list[User]], Posts | Users]
    reveal_type(posts.combine(LatestComment))  # revealed: Query[tuple[Post, Comment | None], Posts | Comments]
    reveal_type(posts.combine(PostComments).combine(LatestComment).into(Page))  # revealed: Query[Page, Posts | Comments]
    reveal_type(posts.combine(PostComments, nested))  # revealed: Query[tuple[Post, list[tuple[Comment, User | None]]], Posts | Comments | Users]
    reveal_type(posts.combine(PostComments, select(Comments.text)))  # revealed: Query[tuple[Post, list[str]], Posts | Comments]
    reveal_type(posts.combine(PostComments, select(fn.count()).from_(Comments)))  # revealed: Query[tuple[Post, list[int]], Posts | Comments]
    reveal_type(select(Posts).combine(PostTags))  # revealed: Query[tuple[Keyed[Post, int], list[Tag]], Posts | Tags]
    reveal_type(select(Posts.id, Posts.title).combine(PostTags))  # revealed: Query[tuple[int, str, list[Tag]], Posts | Tags]


async def run(blog: BlogRepository, comments: CommentsRepository) -> None:
    query = select(Post).from_(Posts).combine(PostComments)
    reveal_type(await query.all(blog))  # revealed: list[tuple[Post, list[Comment]]]
    reveal_type(await query.find(3).execute(blog))  # revealed: tuple[Post, list[Comment]] | None
    await query.all(comments)  # error: a repository that does not store the posts


def refused() -> None:
    posts = select(Post).from_(Posts)
    posts.combine(CommentAuthor)  # error: a relationship of another relation
    posts.combine(PostComments).into(Tag)  # error: a constructor that does not fit the row
    posts.combine(PostComments, Comment)  # error: a model is no query
