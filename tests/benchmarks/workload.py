"""
What a workload is, and what it is run on.

A `Bench` is one database with its rows, a gateway, and a connection of the driver that is held; the functions of a
workload take one, do their work once, and return what they found, which is checked before anything is timed.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Final, Literal, TypeAlias

import attrs

from mapper.gateway import Gateway
from tests.benchmarks.subject import Blog

__all__ = ["DATABASES", "Bench", "Database", "Run", "Unit", "Workload"]

Database: TypeAlias = Literal["postgres", "sqlite"]

DATABASES: Final[tuple[Database, ...]] = ("postgres", "sqlite")

Unit: TypeAlias = Literal["ratio", "µs", "MiB"]
"""What is shown: a ratio to the code by hand; or the microseconds or MiB that a function returns."""


@attrs.frozen
class Bench:
    """
    A database that is ready.

    Attributes:
        url: Where it is: a file's path, or a URL.
        raw: A connection of the driver: of aiosqlite, or of asyncpg.
        many: Several of them, which tasks beside each other share; for SQLite the one.
        size: How many posts there are.
        stack: Closes at the end what workloads have opened for themselves, which is in `opened`.
    """

    database: Database
    url: str
    gateway: Gateway
    blog: Blog
    raw: Any
    many: tuple[Any, ...]
    size: int
    stack: AsyncExitStack
    opened: dict[object, Any] = attrs.field(factory=dict)

    async def own(self, make: "Callable[[Bench], AbstractAsyncContextManager[Any]]") -> Any:
        """Return what a workload needs beside, which is made the first time."""
        if make not in self.opened:
            self.opened[make] = await self.stack.enter_async_context(make(self))
        return self.opened[make]


Run: TypeAlias = Callable[[Bench], Awaitable[Any]]


@attrs.frozen(kw_only=True)
class Workload:
    """
    Something to be done, in several ways.

    Attributes:
        name: What it is called on the command line, such as `W1`; `title` tells what is done.
        key: The name of the method that does it, of a peer.
        databases: Those that it is run on.
        goals: For each database, what ours is to take at most.
        unit: What is measured.
        turns: How often a way does its work in one turn.
        weight: Rounds are divided by it: for workloads whose turns are long.
        ours: Our way.
        raw: The way by hand, for each database.
        mapped: By hand too, with an object made of each row; `mapped_goals` is what ours is to take of it.
        check: Raises `AssertionError` where what was found is not what is expected.
    """

    name: str
    title: str
    key: str
    databases: tuple[Database, ...] = DATABASES
    goals: Mapping[Database, float]
    unit: Unit = "ratio"
    turns: int = 1
    weight: int = 1
    ours: Run
    raw: Mapping[Database, Run] = attrs.field(factory=dict)
    mapped: Mapping[Database, Run] = attrs.field(factory=dict)
    mapped_goals: Mapping[Database, float] = attrs.field(factory=dict)
    check: Callable[[Bench, Any], None]
