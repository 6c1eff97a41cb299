"""Loading: what `load` takes, sync and async, and what it refuses."""

from collections.abc import AsyncIterable, Iterable
from typing import reveal_type

import attrs

from mapper import Assignment, Column, Keyed, Relation, Repository, column


@attrs.frozen
class Post:
    title: str


@attrs.frozen
class Comment:
    text: str


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    visits: Column[int] = column(default=0)


class Comments(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    text: Column[str]


class Drafts(Relation[Post], name="drafts"):
    id: Column[int] = column(primary_key=True)
    title: Column[str]


class BlogRepository(Repository[Posts | Comments]): ...


async def loads(
    blog: BlogRepository,
    stream: AsyncIterable[Post],
    kept: list[Keyed[Post, int]],
    pairs: Iterable[tuple[Post, Assignment[Posts]]],
) -> None:
    reveal_type(await blog.load(Posts, stream))  # revealed: int
    await blog.load(Posts, kept)
    await blog.load(Posts, pairs, chunk=100, on_progress=print)
    await blog.load(Posts, (Post(str(number)) for number in range(3)))
    await blog.load(Posts, [Post("a"), (Post("b"), Posts.visits.to(1)), (Keyed(1, Post("c")), Posts.visits.to(1))])


async def refused(blog: BlogRepository, stream: AsyncIterable[Comment]) -> None:
    await blog.load(Posts, [Comment("x")])  # error: a model of another class
    await blog.load(Posts, stream)  # error: a model of another class
    await blog.load(Posts, [(Post("x"), Comments.text.to("x"))])  # error: a column of another relation
    await blog.load(Drafts, [Post("x")])  # error: a relation that the repository does not store
    await blog.load(Posts, Post("x"))  # error: nothing to iterate
