"""
Relations of the cache's tests: keys of every kind, references whose actions reach two relations further, and what reads
and compares.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from attrs import frozen

from cache_drivers.memory import MemoryDriver
from mapper import Column, Keyed, Relation, Repository, Versioned, column
from mapper.cache import Cache, CacheEvent
from mapper.types import Varchar


@frozen
class User:
    name: str
    score: int = 0


@frozen
class Team:
    code: str
    motto: str = ""


@frozen
class Member:
    user_id: int
    team: str | None = None


@frozen
class Note:
    text: str
    member_id: int | None = None
    parent_id: int | None = None


@frozen
class Paper:
    id: UUID
    title: str


@frozen
class Place:
    aisle: int
    shelf: str
    weight: int = 0


@frozen
class Account:
    owner: str
    balance: Decimal = Decimal(0)


class Users(Relation[User], name="cache_users"):
    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(type=Varchar(40), unique=True)
    score: Column[int]


class Teams(Relation[Team, str], name="cache_teams"):
    code: Column[str] = column(primary_key=True)
    motto: Column[str]


class Members(Relation[Member], name="cache_members"):
    id: Column[int] = column(primary_key=True)
    user_id: Column[int] = column(references=lambda: Users.id, on_delete="cascade", on_update_key="cascade")
    team: Column[str | None] = column(references=lambda: Teams.code, on_delete="set null", on_update_key="cascade")


class Notes(Relation[Note], name="cache_notes"):
    id: Column[int] = column(primary_key=True)
    text: Column[str]
    member_id: Column[int | None] = column(references=lambda: Members.id, on_delete="cascade")
    parent_id: Column[int | None] = column(references=lambda: Notes.id, on_delete="set null")


class Papers(Relation[Paper, UUID], name="cache_papers"):
    id: Column[UUID] = column(primary_key=True)
    title: Column[str]


class Places(Relation[Place, tuple[int, str]], name="cache_places"):
    aisle: Column[int] = column(primary_key=True)
    shelf: Column[str] = column(primary_key=True)
    weight: Column[int]


class Accounts(Relation[Account, int, Versioned[Keyed[Account, int]]], name="cache_accounts"):
    id: Column[int] = column(primary_key=True)
    owner: Column[str]
    balance: Column[Decimal]
    version: Column[int] = column(version=True)


class Shop(Repository[Users | Teams | Members | Notes | Papers | Places | Accounts]): ...


Read = Callable[[Any], Awaitable[Any]]


class Watched:
    """A cache on a driver of its own, with the events that it told."""

    def __init__(self, driver: Any = None, **settings: Any) -> None:
        self.events: list[CacheEvent] = []
        settings.setdefault("namespace", "test")
        self.cache = Cache(MemoryDriver() if driver is None else driver, **settings)
        self.cache.subscribe(self.events.append)

    def taken(self) -> list[tuple[str, str]]:
        """Return the kinds and reasons of the events since the last call."""
        found: list[tuple[str, str]] = [(each.kind, each.reason) for each in self.events]
        self.events.clear()
        return found

    async def kinds(self, read: Awaitable[Any]) -> list[str]:
        """Return the kinds of the events of one read."""
        self.events.clear()
        await read
        return [kind for kind, _ in self.taken()]


class Counted:
    """How many operations a gateway ran."""

    def __init__(self, gateway: Any) -> None:
        self.operations: list[Any] = []
        gateway.subscribe(lambda event: self.operations.append(event.operation))

    def taken(self) -> int:
        found = len(self.operations)
        self.operations.clear()
        return found
