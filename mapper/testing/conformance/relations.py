"""
The relations that the conformance cases use, and how a case is declared.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID, uuid4

import attrs
from attrs import field, frozen

from mapper.columns import Check, Column, Unique, column
from mapper.expressions import Attribute
from mapper.gateway import Gateway
from mapper.relation import Relation
from mapper.repository import Repository
from mapper.types import Numeric, Timestamp, Varchar
from mapper.wrappers import Keyed, Timestamped, Versioned

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)


@frozen
class Declared:
    """A case before it is given a gateway."""

    title: str
    features: tuple[str, ...]
    body: Callable[[Gateway], Awaitable[None]]


@frozen
class Suite:
    """Cases of one area."""

    name: str
    cases: list[Declared] = field(factory=list)

    def case(
        self, title: str, *features: str
    ) -> Callable[[Callable[[Gateway], Awaitable[None]]], Callable[[Gateway], Awaitable[None]]]:
        """Add a case."""

        def add(body: Callable[[Gateway], Awaitable[None]]) -> Callable[[Gateway], Awaitable[None]]:
            self.cases.append(Declared(title, features, body))
            return body

        return add


class Mood(Enum):
    """An enumeration kept by value."""

    GLAD = "glad"
    SAD = "sad"


@frozen
class User:
    """A plain model."""

    name: str
    email: str | None = None


@frozen
class Post:
    """A model without its key, owner and counters."""

    title: str
    body: str | None = None


@frozen
class Comment:
    """A model that another one owns."""

    text: str


@frozen
class Tag:
    """A model whose key is natural."""

    name: str
    note: str = ""


@frozen
class Link:
    """A model of two references."""

    weight: int = 1


@frozen
class Point:
    """A value object."""

    x: int
    y: int


@frozen
class Place:
    """A model with embedded value objects."""

    name: str
    at: Point
    before: Point | None = None


@attrs.define
class Account:
    """A model that changes: versions and times are kept beside it."""

    owner: str
    balance: Decimal = Decimal("0.00")


@frozen
class Everything:
    """One field of each type."""

    whole: int
    yes: bool
    real: float
    text: str
    raw: bytes
    exact: Decimal
    price: Decimal
    moment: datetime
    clock: datetime
    day: date
    hour: time
    span: timedelta
    uuid: UUID
    mood: Mood
    numbers: list[int]
    document: dict[str, Any]
    part: Point


@frozen
class Maybe:
    """Each type, or None."""

    whole: int | None = None
    yes: bool | None = None
    real: float | None = None
    text: str | None = None
    raw: bytes | None = None
    exact: Decimal | None = None
    moment: datetime | None = None
    day: date | None = None
    uuid: UUID | None = None
    mood: Mood | None = None
    numbers: list[int] | None = None
    document: dict[str, Any] | None = None


class Users(Relation[User], name="conformance_users"):
    """People, with a unique address."""

    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(type=Varchar(40))
    email: Column[str | None] = column(unique=True)


def _user_id() -> Attribute[int, Users]:
    return Users.id


class Posts(Relation[Post], name="conformance_posts"):
    """Texts of users, with a reference, a check, defaults and a unique column."""

    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str | None] = column(name="content")
    author_id: Column[int | None] = column(references=_user_id, on_delete="cascade", index=True)
    visits: Column[int] = column(default=0, check=lambda: Posts.visits >= 0)
    public: Column[bool] = column(default=False)
    slug: Column[str | None] = column(unique=True)


class Comments(Relation[Comment], name="conformance_comments"):
    """What is said of posts, and of other comments."""

    id: Column[int] = column(primary_key=True)
    text: Column[str]
    post_id: Column[int] = column(references=lambda: Posts.id, on_delete="cascade")
    parent_id: Column[int | None] = column(references=lambda: Comments.id, on_delete="set null")


class Tags(Relation[Tag, str], name="conformance_tags"):
    """Words, by a natural key."""

    name: Column[str] = column(primary_key=True)
    note: Column[str]


class Links(Relation[Link, tuple[int, str]], name="conformance_links"):
    """Which post has which tag: a composite key of two references."""

    post_id: Column[int] = column(primary_key=True, references=lambda: Posts.id)
    tag: Column[str] = column(primary_key=True, references=lambda: Tags.name)
    weight: Column[int]


class Places(Relation[Place, UUID], name="conformance_places"):
    """Models with embedded objects, by a key that the client makes."""

    id: Column[UUID] = column(primary_key=True, default=uuid4)
    name: Column[str]
    at_x: Column[int]
    at_y: Column[int]
    before_x: Column[int | None]
    before_y: Column[int | None]


class Accounts(
    Relation[Account, int, Versioned[Timestamped[Keyed[Account, int]]]],
    name="conformance_accounts",
    indexes=[Unique("owner", "currency")],
    checks=[Check(lambda: Accounts.balance >= Decimal("0.00"), "conformance_solvent")],
):
    """Rows that are written again and again: versions, times, a composite unique constraint and a named check."""

    id: Column[int] = column(primary_key=True)
    owner: Column[str]
    balance: Column[Decimal] = column(type=Numeric(12, 2))
    currency: Column[str] = column(default="EUR")
    created_at: Column[datetime] = column(default=lambda: datetime.now(UTC))
    updated_at: Column[datetime] = column(default=lambda: datetime.now(UTC), on_update=lambda: datetime.now(UTC))
    version: Column[int] = column(version=True)


class Kinds(Relation[Everything], name="conformance_kinds"):
    """A column of each type."""

    id: Column[int] = column(primary_key=True)
    whole: Column[int]
    yes: Column[bool]
    real: Column[float]
    text: Column[str]
    raw: Column[bytes]
    exact: Column[Decimal]
    price: Column[Decimal] = column(type=Numeric(12, 2))
    moment: Column[datetime]
    clock: Column[datetime] = column(type=Timestamp())
    day: Column[date]
    hour: Column[time]
    span: Column[timedelta]
    uuid: Column[UUID]
    mood: Column[Mood]
    numbers: Column[list[int]]
    document: Column[dict[str, Any]]
    part: Column[Point]


class Maybes(Relation[Maybe], name="conformance_maybes"):
    """A nullable column of each type."""

    id: Column[int] = column(primary_key=True)
    whole: Column[int | None]
    yes: Column[bool | None]
    real: Column[float | None]
    text: Column[str | None]
    raw: Column[bytes | None]
    exact: Column[Decimal | None]
    moment: Column[datetime | None]
    day: Column[date | None]
    uuid: Column[UUID | None]
    mood: Column[Mood | None]
    numbers: Column[list[int] | None]
    document: Column[dict[str, Any] | None]


class Blog(Repository[Users | Posts | Comments | Tags | Links]):
    """The relations that refer to each other."""


class World(Repository[Places | Accounts | Kinds | Maybes]):
    """The relations of many types."""


@asynccontextmanager
async def blog(gateway: Gateway) -> AsyncGenerator[Blog]:
    """Give a blog without rows, and drop it at the end."""
    repository = Blog(gateway)
    await repository.reset_schema()
    await repository.push_schema()
    try:
        yield repository
    finally:
        await repository.reset_schema()


@asynccontextmanager
async def world(gateway: Gateway) -> AsyncGenerator[World]:
    """Give the other relations without rows, and drop them at the end."""
    repository = World(gateway)
    await repository.reset_schema()
    await repository.push_schema()
    try:
        yield repository
    finally:
        await repository.reset_schema()


async def refused(error: type[BaseException] | tuple[type[BaseException], ...], call: Awaitable[Any]) -> Any:
    """
    Await a call that must fail.

    Returns:
        The error.

    Raises:
        AssertionError: The call succeeded.
    """
    try:
        value = await call
    except error as caught:
        return caught
    raise AssertionError(f"expected {error}, and the call returned {value!r}")


def rejected(error: type[E], build: Callable[[], object]) -> E:
    """
    Build something that must be refused.

    Returns:
        The error.

    Raises:
        AssertionError: It was built.
    """
    try:
        value = build()
    except error as caught:
        return caught
    raise AssertionError(f"expected {error}, and the call returned {value!r}")


async def write_posts(repository: Blog, count: int = 10) -> list[int]:
    """
    Write posts `post 0` … with visits 0, 10, 20 …, every second one public, and every third one without a body.

    Returns:
        Their keys, in order.
    """
    changes = Blog.change()
    posts = changes.inserts(Posts)
    refs = [
        posts.push(
            Post(f"post {number}", None if number % 3 == 0 else f"body {number}"),
            Posts.visits.to(number * 10),
            Posts.public.to(number % 2 == 0),
        )
        for number in range(count)
    ]
    result = await changes.commit(repository)
    return [result[ref] for ref in refs]
