"""What the blog is about, and how it is stored."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from mapper import BelongsTo, Column, HasMany, Keyed, Relation, Repository, Versioned, column

__all__ = [
    "Author",
    "AuthorPosts",
    "Authors",
    "Blog",
    "Comment",
    "Comments",
    "Post",
    "PostAuthor",
    "PostComments",
    "Posts",
]

# -- Models: plain classes. Dataclasses, because FastAPI makes JSON of them -------------------------------------------


@dataclass(frozen=True, slots=True)
class Author:
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Post:
    slug: str
    title: str
    body: str
    published: date


@dataclass(frozen=True, slots=True)
class Comment:
    name: str
    text: str


# -- Relations --------------------------------------------------------------------------------------------------------


class Authors(Relation[Author]):
    id: Column[int] = column(primary_key=True)
    slug: Column[str] = column(unique=True)
    name: Column[str]


class Posts(Relation[Post, int, Versioned[Keyed[Post, int]]]):
    id: Column[int] = column(primary_key=True)
    slug: Column[str] = column(unique=True)
    title: Column[str]
    body: Column[str]
    published: Column[date] = column(index=True)
    author_id: Column[int] = column(references=lambda: Authors.id, index=True)
    version: Column[int] = column(version=True)


class Comments(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    text: Column[str]
    written_at: Column[datetime] = column(default=lambda: datetime.now(UTC))
    post_id: Column[int] = column(references=lambda: Posts.id, on_delete="cascade", index=True)


# -- Relationships ----------------------------------------------------------------------------------------------------


class PostAuthor(BelongsTo[Posts, Authors]):
    key = Posts.author_id


class AuthorPosts(HasMany[Authors, Posts]):
    key = Posts.author_id
    order = (Posts.published.desc(), Posts.id.desc())


class PostComments(HasMany[Posts, Comments]):
    key = Comments.post_id
    order = Comments.id


class Blog(Repository[Authors | Posts | Comments]): ...
