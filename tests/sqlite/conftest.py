"""Gateways on real files, and operations written by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import TypeVar

from gateways.sqlite import SQLiteGateway
from mapper.gateway import Batches, Program
from mapper.operations import Insert, Operation, QuerySql, RawSql, Result, Transaction

T = TypeVar("T")

SCHEMA = (
    "CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, size INTEGER NOT NULL DEFAULT 0)"
)
START, COMMIT, ROLLBACK = Transaction("start"), Transaction("commit"), Transaction("rollback")

Make = Callable[..., SQLiteGateway]


def plain(rows: Any, names: Any) -> list[Any]:
    """Decode nothing: a row of one column is its value."""
    return [row[0] if len(row) == 1 else row for row in rows]


def query(sql: str, *parameters: Any) -> QuerySql:
    """A read."""
    return QuerySql(sql, parameters)


def numbers(count: int) -> QuerySql:
    """A read of the numbers from 1 to `count`."""
    return query("WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < ?) SELECT x FROM n", count)


SLOW = numbers(10**12)
"""A read that takes as long as nobody ends it."""


def insert(*names: str) -> Insert:
    """New items, whose keys come back."""
    return Insert(
        None, (), [(name,) for name in names], (), "INSERT INTO items (name) VALUES (?)", writes=frozenset({"items"})
    )


def program(*operations: Operation) -> Program[list[Result]]:
    """A program of a transaction around some operations, rolled back where one fails."""
    results: list[Result] = []
    yield START
    try:
        for operation in operations:
            results.append((yield operation))
    except Exception:
        yield ROLLBACK
        raise
    yield COMMIT
    return results


async def count(gateway: SQLiteGateway, name: str | None = None) -> int:
    """How many items there are."""
    rows = await gateway.fetch(query("SELECT count(*) FROM items WHERE ? IS NULL OR name = ?", name, name), plain)
    return int(rows[0])


async def drained(batches: Batches[T]) -> list[T]:
    """All that is left of a stream."""
    found: list[T] = []
    while (batch := await batches.next()) is not None:
        found.extend(batch)
    return found


def at_rest(gateway: SQLiteGateway) -> bool:
    """Whether nobody uses or waits for a connection."""
    counts = gateway.statistics()
    return (counts.in_use, counts.waiting) == (0, 0) and counts.size == counts.idle <= counts.limit


async def comes_to_rest(gateway: SQLiteGateway) -> bool:
    """Whether nobody does so in a moment: a thread that was called to help may find that all is done."""
    for _ in range(200):
        if at_rest(gateway):
            return True
        await asyncio.sleep(0.005)
    return False


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "items.db"


@pytest.fixture
async def make(path: Path) -> AsyncIterator[Make]:
    """Make gateways on the file, which are closed after the test."""
    made: list[SQLiteGateway] = []

    def make(**options: Any) -> SQLiteGateway:
        made.append(SQLiteGateway(path, **options))
        return made[-1]

    yield make
    for gateway in made:
        await gateway.aclose()


@pytest.fixture
async def gateway(make: Make) -> SQLiteGateway:
    """A gateway on a file with an empty table `items`."""
    gateway = make()
    await gateway.execute(RawSql(SCHEMA))
    return gateway


@pytest.fixture
async def small(make: Make) -> SQLiteGateway:
    """The same, with one connection and little patience."""
    gateway = make(max_connections=1, pool_timeout=0.2)
    await gateway.execute(RawSql(SCHEMA))
    return gateway
