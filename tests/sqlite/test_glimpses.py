"""First batches on the loop's thread: which streams, within which bounds, and what comes behind them."""

import asyncio
import gc
import threading
from typing import Any

import pytest

from gateways.sqlite import SQLiteGateway
from mapper.errors import PoolTimeout, StatementError, ValueNotStorable
from mapper.gateway import OperationEvent
from mapper.operations import OutputColumn, QuerySql, RawSql
from mapper.types import Integer
from tests.sqlite.conftest import Make, at_rest, comes_to_rest, count, drained, insert, plain

pytestmark = pytest.mark.feature("N8")

COLUMNS = (OutputColumn("x", Integer(), False),)


def declared(sql: str, *parameters: Any) -> QuerySql:
    """A read as a compiler makes it."""
    return QuerySql(sql, parameters, COLUMNS)


ALL = declared("SELECT name FROM items")


async def firsts_of(gateway: SQLiteGateway, operation: QuerySql, times: int = 10) -> list[bool]:
    """For each of several streams, whether its first batch was made on the loop's thread."""
    seen: list[bool] = []

    def decode(rows: Any, names: Any) -> list[Any]:
        seen.append(threading.current_thread() is threading.main_thread())
        return plain(rows, names)

    for _ in range(times):
        stream = await gateway.stream(operation, decode)
        await stream.aclose()
    return seen


async def learn(gateway: SQLiteGateway, operation: QuerySql) -> None:
    """Have streams of a query prove themselves. On a busy machine some may take too long."""
    for _ in range(5):
        if all((await firsts_of(gateway, operation, 5))[3:]):
            return
    raise AssertionError("it is not read on the loop")


async def fill(gateway: SQLiteGateway) -> SQLiteGateway:
    await gateway.execute(insert(*[f"item {each}" for each in range(2000)]))
    await gateway.execute(RawSql("UPDATE items SET size = id % 100"))
    return gateway


@pytest.fixture
async def filled(gateway: SQLiteGateway) -> SQLiteGateway:
    return await fill(gateway)


@pytest.fixture
async def single(small: SQLiteGateway) -> SQLiteGateway:
    """The same, with one connection."""
    return await fill(small)


@pytest.mark.parametrize(
    "operation",
    [
        ALL,
        declared("SELECT id FROM items WHERE id > ?", 100),
        declared("SELECT name FROM items ORDER BY id DESC LIMIT 1000"),
        declared("SELECT a.name, b.name FROM items AS a LEFT JOIN items AS b ON b.id = a.size"),
        declared("SELECT name FROM items WHERE id = ?", 7),
        declared("SELECT name FROM items WHERE id = ?", -7),
    ],
)
async def test_first_batch_of_a_query_that_begins_early_is_read_on_the_loop(filled: SQLiteGateway, operation: QuerySql):
    expected = await drained(await filled.stream(operation, plain))
    assert not any(await firsts_of(filled, operation, 2))
    await learn(filled, operation)
    for _ in range(3):
        assert await drained(await filled.stream(operation, plain)) == expected
    assert at_rest(filled)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM items ORDER BY name",
        "SELECT DISTINCT name FROM items",
        "SELECT size, count(*) FROM items GROUP BY size",
        "SELECT integer_exact(size) FROM items",
        "SELECT name FROM items WHERE size IN (SELECT size FROM items WHERE name > 'x')",
        "SELECT x FROM (SELECT DISTINCT size AS x FROM items)",
    ],
)
async def test_first_batch_behind_other_work_is_never_read_on_the_loop(filled: SQLiteGateway, sql: str):
    assert not any(await firsts_of(filled, declared(sql)))


async def test_first_batch_that_is_not_to_be_read_on_the_loop_is_not(make: Make, filled: SQLiteGateway):
    assert not any(await firsts_of(make(inline_reads=False), ALL))
    seen: set[bool] = set()

    def decode(rows: Any, names: Any) -> list[Any]:
        seen.add(threading.current_thread() is threading.main_thread())
        return plain(rows, names)

    for _ in range(10):
        await drained(await filled.stream(RawSql("SELECT name FROM items WHERE id < 10"), decode))
    assert seen == {False}


async def test_scan_that_finds_late_is_ended_and_read_by_a_thread(filled: SQLiteGateway):
    sql = "SELECT name FROM items WHERE name > ?"
    await learn(filled, declared(sql, "a"))
    assert not any(await firsts_of(filled, declared(sql, "z"), 3))
    assert not any(await firsts_of(filled, declared(sql, "a"), 90))
    assert await drained(await filled.stream(declared(sql, "z"), plain)) == []
    assert any(await firsts_of(filled, declared(sql, "a"), 20))
    assert at_rest(filled)


async def test_large_values_are_read_by_a_thread(filled: SQLiteGateway):
    await filled.execute(RawSql("UPDATE items SET name = zeroblob(100000) WHERE id = 30"))
    assert not any(await firsts_of(filled, ALL))
    stream = await filled.stream(ALL, plain)
    assert len((await stream.next() or [])[29]) == 100_000
    await stream.aclose()


async def test_batches_are_as_those_of_a_thread(filled: SQLiteGateway):
    for _ in range(5):
        stream = await filled.stream(ALL, plain)
        batches = []
        while (batch := await stream.next()) is not None:
            batches.append(list(batch))
        assert [len(each) for each in batches] == [50, 250, 500, 500, 500, 200]
        assert [name for each in batches for name in each] == [f"item {each}" for each in range(2000)]


@pytest.mark.parametrize(("size", "in_use"), [(0, 0), (50, 0), (51, 1)])
async def test_result_of_one_batch_has_given_its_connection_back(filled: SQLiteGateway, size: int, in_use: int):
    read = declared("SELECT name FROM items WHERE id <= ?", size)
    for _ in range(5):
        stream = await filled.stream(read, plain)
        assert filled.statistics().in_use == in_use
        await stream.aclose()
        assert at_rest(filled)


async def test_stream_sees_one_state_of_the_store_to_its_end(filled: SQLiteGateway):
    await learn(filled, ALL)
    stream = await filled.stream(ALL, plain)
    await filled.execute(RawSql("DELETE FROM items"))
    assert len(await drained(stream)) == 2000
    assert await drained(await filled.stream(ALL, plain)) == []


async def test_left_stream_keeps_no_read_lock(single: SQLiteGateway):
    await learn(single, ALL)
    for leave in ("aclose", "abandon", "lost"):
        stream = await single.stream(ALL, plain)
        if leave == "aclose":
            await stream.aclose()
        elif leave == "abandon":
            stream.abandon()
        else:
            del stream
            gc.collect()
        assert at_rest(single)
        await single.execute(RawSql("UPDATE items SET size = 1 WHERE id = 1"))
    await single.execute(RawSql("DROP TABLE items"))


async def test_stream_abandoned_in_another_thread_gives_its_connection_back(single: SQLiteGateway):
    await learn(single, ALL)
    stream = await single.stream(ALL, plain)
    await asyncio.to_thread(stream.abandon)
    assert await comes_to_rest(single)
    assert await count(single) == 2000


async def test_held_connection_is_waited_for(single: SQLiteGateway):
    await learn(single, ALL)
    stream = await single.stream(ALL, plain)
    with pytest.raises(PoolTimeout):
        await single.stream(ALL, plain)
    await stream.aclose()


async def test_lock_of_another_gateway_is_waited_for_in_a_thread_and_not_on_the_loop(make: Make, filled: SQLiteGateway):
    other = make()
    await learn(filled, ALL)
    async with other.connection() as connection:
        await connection.driver.execute("PRAGMA locking_mode = EXCLUSIVE")
        assert await firsts_of(filled, ALL, 2) == [True, True]
    # What waits in a thread waits as long as ever, after the loop's way of waiting for nothing.
    async with other.connection() as connection:
        driver = connection.driver
        await driver.execute("BEGIN IMMEDIATE")
        write = asyncio.create_task(filled.execute(RawSql("UPDATE items SET size = 5")))
        await asyncio.sleep(0.15)
        assert not write.done()
        await driver.execute("ROLLBACK")
        await write


async def test_error_of_decoding_is_raised_as_it_is(single: SQLiteGateway):
    await learn(single, ALL)

    def decode(rows: Any, names: Any) -> list[Any]:
        raise LookupError("no such thing")

    for _ in range(3):
        with pytest.raises(LookupError, match="no such thing"):
            await single.stream(ALL, decode)
        assert at_rest(single)
    await single.execute(RawSql("DROP TABLE items"))


async def test_what_fails_is_reported_as_ever(single: SQLiteGateway):
    by_key = "SELECT name FROM items WHERE id > ?"
    await learn(single, declared(by_key, 1))
    with pytest.raises(ValueNotStorable):
        await single.stream(declared(by_key, 2**64), plain)
    await single.execute(RawSql("DROP TABLE items"))
    with pytest.raises(StatementError, match="no such table"):
        await single.stream(declared(by_key, 1), plain)
    assert at_rest(single)


async def test_events_are_told_once_for_each_stream(filled: SQLiteGateway):
    await learn(filled, ALL)
    events: list[OperationEvent] = []
    filled.subscribe(events.append)
    short = declared("SELECT name FROM items WHERE id < 20")
    for _ in range(5):
        await drained(await filled.stream(ALL, plain))
        await drained(await filled.stream(short, plain))
        stream = await filled.stream(ALL, plain)
        await stream.aclose()
    found = [(each.operation, each.rows, each.error) for each in events]
    assert found == [(ALL, 2000, None), (short, 19, None), (ALL, 50, None)] * 5
    assert all([each.query_seconds > 0 and each.decode_seconds > 0 for each in events])


async def test_many_tasks_share_the_rounds_of_the_loop_with_others(filled: SQLiteGateway):
    await learn(filled, ALL)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def read() -> None:
        for _ in range(20):
            stream = await filled.stream(ALL, plain)
            assert len(await stream.next() or []) == 50
            await stream.aclose()

    task = asyncio.create_task(other())
    await asyncio.gather(*[read() for _ in range(4)])
    task.cancel()
    assert turns >= 10
    assert at_rest(filled)


async def test_cancelled_first_batch_gives_its_connection_back(single: SQLiteGateway):
    await learn(single, ALL)
    for turns in range(4):
        task = asyncio.create_task(single.stream(ALL, plain))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            await task.result().aclose()
        assert await comes_to_rest(single)
    await single.execute(RawSql("DROP TABLE items"))
