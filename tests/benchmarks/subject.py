"""
What the benchmarks read and write: posts, comments below some of them, and entries that are only written.

Numbers go in; the rows of those numbers come out, always the same ones.
"""

from collections.abc import Iterator
from typing import Any, Final

import attrs

from mapper import Column, HasMany, Relation, Repository, column

__all__ = [
    "BY_AUTHOR", "COLUMNS", "COMMENTED", "COMMENTS", "Blog", "Comment", "Comments", "Entries", "Entry", "Post", "PostComments",
    "Posts", "comments", "entry_values", "post_values", "posts", "values_of",
]  # fmt: skip

COLUMNS: Final = ("title", "body", "author", "visits", "score", "slug")

BY_AUTHOR: Final = 50
"""How many posts an author has."""

COMMENTS: Final = 20
"""How many comments a post has, of those that have any."""

COMMENTED: Final = 4
"""The posts of so many authors have comments: those of the authors 0 and above."""


@attrs.frozen
class Post:
    """A row of seven columns."""

    id: int
    title: str
    body: str
    author: int
    visits: int
    score: float
    slug: str


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str]
    author: Column[int] = column(index=True)
    visits: Column[int]
    score: Column[float]
    slug: Column[str]


@attrs.frozen
class Comment:
    post_id: int
    text: str


class Comments(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    post_id: Column[int] = column(index=True)
    text: Column[str]


class PostComments(HasMany[Posts, Comments]):
    key = Comments.post_id


@attrs.frozen
class Entry:
    """What a row says, beside its key."""

    title: str
    body: str
    author: int
    visits: int
    score: float
    slug: str


class Entries(Relation[Entry]):
    """Rows of seven columns that are written, and without an index beside the key."""

    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str]
    author: Column[int]
    visits: Column[int]
    score: Column[float]
    slug: Column[str]


class Blog(Repository[Posts | Comments | Entries]): ...


def entry_values(number: int) -> tuple[str, str, int, int, float, str]:
    """Return what the row of a number says, beside its key."""
    return f"title {number}", "body " * 4, number // BY_AUTHOR, number, number / 7, f"slug-{number}"


def post_values(key: int) -> tuple[Any, ...]:
    """Return the seven values of a post; the keys begin with 1."""
    return (key, *entry_values(key - 1))


def posts(count: int) -> Iterator[Post]:
    """Give so many posts, `BY_AUTHOR` of each author, from author 0."""
    return (Post(*post_values(key)) for key in range(1, count + 1))


def comments() -> Iterator[Comment]:
    """Give the comments, post by post."""
    for post in range(1, COMMENTED * BY_AUTHOR + 1):
        for number in range(COMMENTS):
            yield Comment(post, f"comment {number} of {post}")


def values_of(row: Any) -> tuple[Any, ...]:
    """Return the seven values of what a library gives for a post: a row, a mapping, or an object with attributes."""
    if isinstance(row, dict):
        return tuple([row[each] for each in ("id", *COLUMNS)])
    if hasattr(row, "slug"):
        return tuple([getattr(row, each) for each in ("id", *COLUMNS)])
    return tuple(row)
