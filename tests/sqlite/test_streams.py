"""Streams: batches in constant memory, the first row early, the connection back."""

import asyncio
import threading
import time
import tracemalloc

import pytest

from gateways.sqlite import SQLiteGateway
from mapper.errors import QueryError, StatementError
from mapper.operations import RawSql
from tests.sqlite.conftest import COMMIT, START, at_rest, count, drained, insert, numbers, plain, query

pytestmark = pytest.mark.feature("N7")


@pytest.mark.parametrize("size", [0, 1, 49, 50, 51, 300, 301, 799, 800, 801, 5000])
async def test_stream_gives_every_row_in_order(gateway: SQLiteGateway, size: int):
    stream = await gateway.stream(query(f"SELECT * FROM ({numbers(1).sql}) WHERE ? > 0", size, size), plain)
    assert await drained(stream) == list(range(1, size + 1))
    assert await stream.next() is None
    assert at_rest(gateway)


@pytest.mark.parametrize(("size", "in_use"), [(0, 0), (50, 0), (51, 1)])
async def test_result_of_one_batch_has_given_its_connection_back(gateway: SQLiteGateway, size: int, in_use: int):
    stream = await gateway.stream(query(f"SELECT * FROM ({numbers(1).sql}) WHERE ? > 0", size, size), plain)
    assert gateway.statistics().in_use == in_use
    await stream.aclose()


async def test_batches_are_small_first_and_never_empty(gateway: SQLiteGateway):
    stream = await gateway.stream(numbers(1800), plain)
    sizes = []
    while (batch := await stream.next()) is not None:
        sizes.append(len(batch))
    assert sizes == [50, 250, 500, 500, 500]


async def test_raw_rows_come_in_the_batches_asked_for(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        batches = [batch async for batch in connection.stream(numbers(7), chunk=3)]
    assert batches == [[(1,), (2,), (3,)], [(4,), (5,), (6,)], [(7,)]]


async def test_names_of_columns_are_given_where_none_are_declared(gateway: SQLiteGateway):
    read = RawSql("SELECT 1 AS one, ? AS two", ("x",))
    assert await gateway.fetch(read, lambda rows, names: [*rows, names]) == [(1, "x"), ("one", "two")]


async def test_rows_are_decoded_in_the_threads_of_connections(gateway: SQLiteGateway):
    threads = set()

    def decode(rows, names):
        threads.add(threading.current_thread() is threading.main_thread())
        return list(rows)

    await gateway.fetch(numbers(10), decode)
    await drained(await gateway.stream(numbers(1000), decode))
    assert threads == {False}


async def test_hundred_thousand_rows_take_flat_memory(gateway: SQLiteGateway):
    wide = query(f"SELECT x, 'title ' || x, zeroblob(50) FROM ({numbers(1).sql})", 100_000)
    await drained(await gateway.stream(numbers(1000), plain))
    tracemalloc.start()
    try:
        stream = await gateway.stream(wide, plain)
        rows = 0
        while (batch := await stream.next()) is not None:
            rows += len(batch)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (rows, peak < 2 * 1024 * 1024) == (100_000, True), peak


async def test_first_row_comes_long_before_the_last(gateway: SQLiteGateway):
    began = time.perf_counter()
    stream = await gateway.stream(numbers(10**9), plain)
    assert (await stream.next() or [])[:3] == [1, 2, 3]
    assert time.perf_counter() - began < 1
    await stream.aclose()


async def test_loop_goes_on_while_many_rows_are_decoded(gateway: SQLiteGateway):
    turns = 0
    task = asyncio.create_task(gateway.fetch(numbers(300_000), lambda rows, names: [[row] for row in rows]))
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    assert len(task.result()) == 300_000
    assert turns > 100


@pytest.mark.parametrize("leave", ["aclose", "abandon"])
async def test_stream_left_early_gives_its_connection_back_at_once(small: SQLiteGateway, leave: str):
    stream = await small.stream(numbers(10_000), plain)
    await stream.next()
    if leave == "aclose":
        await stream.aclose()
    else:
        stream.abandon()
    assert at_rest(small)
    assert await count(small) == 0
    assert await stream.next() is None
    await stream.aclose()
    stream.abandon()


async def test_stream_abandoned_in_another_thread_gives_its_connection_back(small: SQLiteGateway):
    stream = await small.stream(numbers(10_000), plain)
    await asyncio.to_thread(stream.abandon)
    await asyncio.sleep(0)
    assert at_rest(small)


async def test_left_stream_keeps_no_read_lock(small: SQLiteGateway):
    await small.execute(insert(*[str(each) for each in range(1000)]))
    stream = await small.stream(query("SELECT name FROM items"), plain)
    stream.abandon()
    await small.execute(RawSql("DROP TABLE items"))


async def test_error_of_a_later_batch_gives_the_connection_back(small: SQLiteGateway):
    stream = await small.stream(
        query(f"SELECT integer_exact(CASE x WHEN 400 THEN 1e300 ELSE x END) FROM ({numbers(1).sql})", 900), plain
    )
    with pytest.raises(StatementError, match="64 bits"):
        await drained(stream)
    assert at_rest(small)


@pytest.mark.parametrize("size", [10, 10_000])
async def test_error_of_decoding_is_raised_as_it_is(small: SQLiteGateway, size: int):
    def decode(rows, names):
        raise LookupError("no such thing")

    for read in (small.fetch(numbers(size), decode), small.stream(numbers(size), decode)):
        with pytest.raises(LookupError, match="no such thing"):
            await read
    assert at_rest(small)
    await small.execute(RawSql("DROP TABLE items"))


async def test_two_tasks_cannot_read_one_stream_at_once(gateway: SQLiteGateway):
    stream = await gateway.stream(numbers(100_000), plain)
    await stream.next()
    results = await asyncio.gather(stream.next(), stream.next(), return_exceptions=True)
    assert [type(each) for each in results] == [list, QueryError]
    await stream.aclose()


async def test_stream_within_a_transaction_sees_its_writes_and_is_closed_with_its_block(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.execute(insert(*[str(each) for each in range(100)]))
        stream = await connection.stream_batches(query("SELECT name FROM items"), plain)
        assert len(await stream.next() or []) == 50
        await connection.execute(insert("between"))
        await connection.execute(COMMIT)
    assert at_rest(gateway)
    assert await count(gateway) == 101


async def test_closing_a_stream_of_a_held_connection_keeps_the_connection(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        stream = await connection.stream_batches(numbers(1000), plain)
        await stream.aclose()
        assert gateway.statistics().in_use == 1
        assert await connection.fetch(numbers(2), plain) == [1, 2]


async def test_many_streams_at_once_on_one_connection(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        streams = [await connection.stream_batches(numbers(700 + each), plain) for each in range(5)]
        assert [len(await drained(each)) for each in streams] == [700, 701, 702, 703, 704]
