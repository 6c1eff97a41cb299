"""Relations for the tests of changesets and transactions, one for each thing that a write can meet."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import attrs

from mapper.columns import Column, Unique, column
from mapper.relation import Relation
from mapper.repository import Repository
from mapper.wrappers import Keyed, Timestamped, Versioned


@attrs.frozen
class Post:
    title: str
    body: str | None = None


@attrs.frozen
class User:
    name: str


@attrs.frozen
class Comment:
    text: str


@attrs.frozen
class Tag:
    slug: str
    label: str


@attrs.frozen
class Node:
    name: str


@attrs.define
class Note:
    text: str
    pinned: bool = False


@attrs.frozen
class Link:
    weight: int


@attrs.frozen
class Setting:
    name: str
    value: str


@attrs.frozen
class Token:
    label: str


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    @contextmanager
    def at(self, year: int) -> Generator[datetime]:
        """Stand in another year for a block."""
        before, self.time = self.time, datetime(year, 1, 1, tzinfo=UTC)
        try:
            yield self.time
        finally:
            self.time = before


clock = Clock()


class Users(Relation[User]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str | None]
    author_id: Column[int | None] = column(references=lambda: Users.id)
    visits: Column[int] = column(default=0)


class Comments(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    post_id: Column[int] = column(references=lambda: Posts.id)
    text: Column[str]


class Tags(Relation[Tag, str]):
    """A natural key, and a unique column."""

    slug: Column[str] = column(primary_key=True)
    label: Column[str] = column(unique=True)
    uses: Column[int] = column(default=0)


class Links(Relation[Link, tuple[int, str]]):
    """A composite key of references."""

    post_id: Column[int] = column(primary_key=True, references=lambda: Posts.id)
    tag: Column[str] = column(primary_key=True, references=lambda: Tags.slug)
    weight: Column[int]


class Nodes(Relation[Node]):
    """Refers to itself."""

    id: Column[int] = column(primary_key=True)
    name: Column[str]
    parent_id: Column[int | None] = column(references=lambda: Nodes.id)


class Notes(Relation[Note, int, Versioned[Timestamped[Keyed[Note, int]]]]):
    """Versioned, with times, of a mutable model."""

    id: Column[int] = column(primary_key=True)
    text: Column[str] = column(unique=True)
    pinned: Column[bool]
    created_at: Column[datetime] = column(default=clock)
    updated_at: Column[datetime] = column(default=clock, on_update=clock)
    version: Column[int] = column(version=True)


class Settings(Relation[Setting, str]):
    """Its key is a field of the model."""

    name: Column[str] = column(primary_key=True)
    value: Column[str]


class Tokens(Relation[Token, UUID]):
    """A key that Python makes up."""

    id: Column[UUID] = column(primary_key=True, default=uuid4)
    label: Column[str]


class Bare(Relation[Token, UUID]):
    """A key that nobody makes up, unless the store does."""

    id: Column[UUID] = column(primary_key=True)
    label: Column[str]


class Marks(Relation[Token]):
    """No key at all."""

    label: Column[str]
    size: Column[int] = column(default=1)


class Elsewhere(Relation[Post], indexes=[Unique("title")]):
    """Stored by no repository here."""

    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str | None]


class Blog(Repository[Users | Posts | Comments | Tags | Links | Nodes | Notes | Settings | Tokens | Bare | Marks]): ...
