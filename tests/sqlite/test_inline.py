"""Reads on the loop's thread: which queries, within which bounds, and what they must not do to others."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from gateways.sqlite import SQLiteGateway
from mapper.errors import PoolTimeout, ValueNotStorable
from mapper.gateway import OperationEvent
from mapper.operations import OutputColumn, QuerySql, RawSql
from mapper.types import Integer
from tests.sqlite.conftest import Make, count, insert, numbers, plain

pytestmark = pytest.mark.feature("N8")

COLUMNS = (OutputColumn("x", Integer(), False),)


def declared(sql: str, *parameters: Any) -> QuerySql:
    """A read as a compiler makes it."""
    return QuerySql(sql, parameters, COLUMNS)


BY_KEY = "SELECT name FROM items WHERE id = ?"


async def threads_of(gateway: SQLiteGateway, operation: QuerySql, times: int = 10) -> list[bool]:
    """For each of several runs, whether it was on the loop's thread."""
    seen: list[bool] = []

    def decode(rows: Any, names: Any) -> list[Any]:
        seen.append(threading.current_thread() is threading.main_thread())
        return plain(rows, names)

    for _ in range(times):
        await gateway.fetch(operation, decode)
    return seen


@pytest.fixture
async def filled(gateway: SQLiteGateway) -> SQLiteGateway:
    await gateway.execute(RawSql("CREATE INDEX by_size ON items (size)"))
    await gateway.execute(insert(*[f"item {each}" for each in range(2000)]))
    await gateway.execute(RawSql("UPDATE items SET size = id % 100"))
    return gateway


@pytest.mark.parametrize(
    "sql",
    [
        BY_KEY,
        "SELECT id FROM items WHERE size = ? ORDER BY id LIMIT 20",
        "SELECT a.name, b.name FROM items AS a LEFT JOIN items AS b ON b.id = a.size WHERE a.id = ?",
        "SELECT count(*) FROM items WHERE size = ?",
    ],
)
async def test_search_that_has_proven_itself_runs_on_the_loop(filled: SQLiteGateway, sql: str):
    assert await threads_of(filled, declared(sql, 5)) == [False] * 3 + [True] * 7


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM items WHERE name = ?",
        "SELECT (SELECT count(*) FROM items) FROM items WHERE id = ?",
        "SELECT id FROM items WHERE size = ? ORDER BY name",
        "SELECT integer_exact(size) FROM items WHERE id = ?",
        "SELECT ?",
    ],
)
async def test_read_that_scans_sorts_or_calls_python_never_runs_on_the_loop(filled: SQLiteGateway, sql: str):
    assert not any(await threads_of(filled, declared(sql, 5)))


async def test_read_of_undeclared_columns_and_of_a_gateway_that_is_told_so_stays_in_threads(
    filled: SQLiteGateway, make: Make
):
    assert not any(await threads_of(filled, QuerySql(BY_KEY, (5,))))
    assert not any(await threads_of(make(inline_reads=False), declared(BY_KEY, 5)))


async def test_search_that_finds_much_is_ended_and_given_up(filled: SQLiteGateway):
    sql = "SELECT name FROM items WHERE id > ?"
    assert await threads_of(filled, declared(sql, 1990)) == [False] * 3 + [True] * 7
    assert not any(await threads_of(filled, declared(sql, 0)))
    assert not any(await threads_of(filled, declared(sql, 1990)))
    assert len(await filled.fetch(declared(sql, 0), plain)) == 2000


async def test_one_long_read_is_forgiven(filled: SQLiteGateway):
    sql = "SELECT name FROM items WHERE id > ?"
    await threads_of(filled, declared(sql, 1990))
    assert not any(await threads_of(filled, declared(sql, 0), 1))
    assert all(await threads_of(filled, declared(sql, 1990)))


async def test_read_sees_what_was_committed_before_it(filled: SQLiteGateway):
    await threads_of(filled, declared(BY_KEY, 1))
    for each in range(20):
        await filled.execute(RawSql("UPDATE items SET name = ? WHERE id = 1", (str(each),)))
        assert await filled.fetch(declared(BY_KEY, 1), plain) == [str(each)]
    await filled.execute(RawSql("ALTER TABLE items ADD COLUMN more TEXT"))
    assert await filled.fetch(declared(BY_KEY, 2), plain) == ["item 1"]


async def test_others_have_their_turns(filled: SQLiteGateway):
    await threads_of(filled, declared(BY_KEY, 1))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(other())
    for _ in range(1000):
        await filled.fetch(declared(BY_KEY, 1), plain)
    task.cancel()
    assert turns >= 20


async def test_what_fails_is_reported_as_ever(filled: SQLiteGateway):
    await threads_of(filled, declared(BY_KEY, 1))
    with pytest.raises(ValueNotStorable):
        await filled.fetch(declared(BY_KEY, 2**64), plain)
    assert all(await threads_of(filled, declared(BY_KEY, 1)))


async def test_error_of_decoding_is_raised_as_it_is(filled: SQLiteGateway):
    await threads_of(filled, declared(BY_KEY, 1))

    def decode(rows: Any, names: Any) -> list[Any]:
        raise LookupError("no such thing")

    with pytest.raises(LookupError):
        await filled.fetch(declared(BY_KEY, 1), decode)
    await filled.execute(RawSql("DROP TABLE items"))


async def test_events_are_told(filled: SQLiteGateway):
    events: list[OperationEvent] = []
    filled.subscribe(events.append)
    await threads_of(filled, declared(BY_KEY, 1))
    assert [(each.operation, each.rows) for each in events] == [(declared(BY_KEY, 1), 1)] * 10


async def test_single_connection_that_is_held_is_waited_for(small: SQLiteGateway):
    await small.execute(insert("x"))
    assert (await threads_of(small, declared(BY_KEY, 1)))[-1]
    stream = await small.stream(numbers(1000), plain)
    with pytest.raises(PoolTimeout):
        await small.fetch(declared(BY_KEY, 1), plain)
    await stream.aclose()


async def test_closing_leaves_nothing_behind_and_the_gateway_goes_on(filled: SQLiteGateway, path: Path):
    await threads_of(filled, declared(BY_KEY, 1))
    await filled.aclose()
    assert os.listdir(path.parent) == [path.name]
    assert await threads_of(filled, declared(BY_KEY, 1)) == [False] * 3 + [True] * 7
    assert await count(filled) == 2000


def test_second_loop_reads_on_the_same_connection(path: Path):
    gateway = SQLiteGateway(path)

    async def main() -> list[bool]:
        await gateway.execute(RawSql("CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, name TEXT)"))
        return await threads_of(gateway, declared(BY_KEY, 1))

    asyncio.run(main())
    assert all(asyncio.run(main()))
    asyncio.run(gateway.aclose())
