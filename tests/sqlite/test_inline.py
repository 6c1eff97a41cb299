"""Reads on the loop's thread: which queries, within which bounds, and what they must not do to others."""

import asyncio
import os
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateways.sqlite import SQLiteGateway
from gateways.sqlite.inline import SPELL
from mapper.errors import PoolTimeout, ValueNotStorable
from mapper.gateway import OperationEvent
from mapper.operations import OutputColumn, QuerySql, RawSql
from mapper.types import Integer
from tests.sqlite.conftest import Make, count, insert, numbers, plain

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


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine any read may take long. How long it may take has tests of its own."""
    monkeypatch.setattr("gateways.sqlite.inline._PATIENCE", 60.0)
    monkeypatch.setattr("gateways.sqlite.inline._LONG", 60.0)


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


async def test_large_value_is_read_in_a_thread_and_short_ones_beside_it_on_the_loop(filled: SQLiteGateway):
    await filled.execute(RawSql("UPDATE items SET name = replace(hex(zeroblob(500000)), '0', 'x') WHERE id = 7"))
    await threads_of(filled, declared(BY_KEY, 1))
    assert await threads_of(filled, declared(BY_KEY, 7), 1) == [False]
    assert await filled.fetch(declared(BY_KEY, 7), plain) == ["x" * 1_000_000]
    assert all(await threads_of(filled, declared(BY_KEY, 1)))


async def test_query_that_finds_large_values_again_and_again_is_given_up(filled: SQLiteGateway):
    await threads_of(filled, declared(BY_KEY, 1))
    await filled.execute(RawSql("UPDATE items SET name = replace(hex(zeroblob(50000)), '0', 'x')"))
    assert not any(await threads_of(filled, declared(BY_KEY, 7), 3))
    await filled.execute(RawSql("UPDATE items SET name = 'short'"))
    assert not any(await threads_of(filled, declared(BY_KEY, 1)))


async def test_search_that_takes_long_is_ended_and_given_up(filled: SQLiteGateway, monkeypatch: pytest.MonkeyPatch):
    sql = "SELECT id FROM items WHERE size = ? ORDER BY id LIMIT 20"
    await threads_of(filled, declared(sql, 5))
    monkeypatch.setattr("gateways.sqlite.inline._PATIENCE", 0.0)
    assert not any(await threads_of(filled, declared(sql, 5), 3))
    monkeypatch.setattr("gateways.sqlite.inline._PATIENCE", 60.0)
    assert not any(await threads_of(filled, declared(sql, 5)))


async def test_read_whose_decoding_takes_long_is_given_up(filled: SQLiteGateway, monkeypatch: pytest.MonkeyPatch):
    await threads_of(filled, declared(BY_KEY, 1))
    monkeypatch.setattr("gateways.sqlite.inline._LONG", 0.0)
    assert await threads_of(filled, declared(BY_KEY, 1), 6) == [True] * 3 + [False] * 3


async def test_query_that_was_given_up_is_looked_at_again(filled: SQLiteGateway, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateways.sqlite.inline._LATER", -5)
    sql = "SELECT name FROM items WHERE id > ?"
    await threads_of(filled, declared(sql, 1990))
    await threads_of(filled, declared(sql, 0), 3)
    assert await threads_of(filled, declared(sql, 1990), 7) == [False] * 4 + [True] * 3


async def test_query_that_was_looked_at_again_has_one_chance(filled: SQLiteGateway, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateways.sqlite.inline._LATER", -5)
    sql = "SELECT name FROM items WHERE id > ?"
    await threads_of(filled, declared(sql, 1990))
    await threads_of(filled, declared(sql, 0), 3 + 4)
    await threads_of(filled, declared(sql, 0), 1)
    assert await threads_of(filled, declared(sql, 1990), 5) == [False] * 4 + [True]


async def test_query_runs_on_the_loop_once_there_is_an_index_for_it(
    filled: SQLiteGateway, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gateways.sqlite.inline._LATER", -5)
    sql = "SELECT id FROM items WHERE name = ?"
    assert not any(await threads_of(filled, declared(sql, "item 5")))
    await filled.execute(RawSql("CREATE INDEX by_name ON items (name)"))
    assert (await threads_of(filled, declared(sql, "item 5")))[-1]


async def test_what_is_remembered_of_queries_is_bounded(filled: SQLiteGateway, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateways.sqlite.inline._QUERIES", 8)
    for number in range(30):
        await filled.fetch(declared(f"SELECT name FROM items WHERE id = ? -- {number}", 1), plain)
    assert filled._inline is not None
    assert len(filled._inline._standing) <= 8
    assert await threads_of(filled, declared(BY_KEY, 1)) == [False] * 3 + [True] * 7


def busy(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


async def test_reads_of_many_tasks_share_a_round_of_the_loop(filled: SQLiteGateway):
    await threads_of(filled, declared(BY_KEY, 1))
    rounds = 0
    seen: Counter[int] = Counter()
    keys: list[int] = []

    async def count_rounds() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    def decode(key: int, rows: Any, names: Any) -> list[Any]:
        if threading.current_thread() is threading.main_thread():
            seen[rounds] += 1
            keys.append(key)
            busy(SPELL)
        return plain(rows, names)

    counting = asyncio.create_task(count_rounds())
    found = await asyncio.gather(*[filled.fetch(declared(BY_KEY, key), partial(decode, key)) for key in range(1, 41)])
    counting.cancel()
    assert found == [[f"item {key - 1}"] for key in range(1, 41)]
    assert keys == sorted(keys)
    assert len(keys) > 20
    assert max(seen.values()) <= 2  # the end of one round, and the beginning of the next one


async def test_read_that_is_cancelled_in_line_is_not_done(filled: SQLiteGateway):
    await threads_of(filled, declared(BY_KEY, 1))
    done: list[int] = []

    def decode(key: int, rows: Any, names: Any) -> list[Any]:
        done.append(key)
        busy(SPELL)
        return plain(rows, names)

    tasks = [asyncio.create_task(filled.fetch(declared(BY_KEY, key), partial(decode, key))) for key in range(1, 6)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[3], asyncio.CancelledError)
    assert done == [1, 2, 3, 5]
    assert found[4] == ["item 4"]


async def test_error_of_decoding_in_line_is_raised_where_it_was_asked_for(filled: SQLiteGateway):
    await threads_of(filled, declared(BY_KEY, 1))

    def decode(key: int, rows: Any, names: Any) -> list[Any]:
        busy(SPELL)
        if key == 3:
            raise LookupError("no such thing")
        return plain(rows, names)

    found = await asyncio.gather(
        *[filled.fetch(declared(BY_KEY, key), partial(decode, key)) for key in range(1, 6)], return_exceptions=True
    )
    assert isinstance(found[2], LookupError)
    assert [found[each] for each in (0, 1, 3, 4)] == [[f"item {each}"] for each in (0, 1, 3, 4)]


async def test_closing_while_reads_stand_in_line_has_them_done_by_threads(filled: SQLiteGateway):
    await threads_of(filled, declared(BY_KEY, 1))

    def decode(rows: Any, names: Any) -> list[Any]:
        busy(SPELL)
        return plain(rows, names)

    tasks = [asyncio.create_task(filled.fetch(declared(BY_KEY, key), decode)) for key in range(1, 6)]
    await asyncio.sleep(0)
    await filled.aclose()
    assert await asyncio.gather(*tasks) == [[f"item {key - 1}"] for key in range(1, 6)]


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
