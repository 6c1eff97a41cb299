"""Connections: who gets one, who writes, who waits, and what is told of it."""

import asyncio
import gc

import pytest

from gateways.sqlite import SQLiteGateway
from mapper.errors import ConnectionLost, MapperError, PoolTimeout, TransactionClosed
from mapper.operations import RawSql
from tests.sqlite.conftest import (
    COMMIT,
    SLOW,
    START,
    Make,
    at_rest,
    comes_to_rest,
    count,
    drained,
    insert,
    numbers,
    plain,
    program,
    query,
)


async def test_connects_at_first_use_and_not_before(make: Make, path):
    gateway = make()
    assert (path.exists(), gateway.statistics().size) == (False, 0)
    await gateway.fetch(query("SELECT 1"), plain)
    assert (path.exists(), gateway.statistics().size) == (True, 1)


async def test_one_task_after_another_needs_one_connection(gateway: SQLiteGateway):
    for each in range(20):
        await gateway.execute(insert(str(each)))
        assert await count(gateway) == each + 1
    assert gateway.statistics().size == 1


async def test_fifty_tasks_of_all_kinds_at_once(gateway: SQLiteGateway):
    async def work(number: int) -> None:
        await gateway.execute(insert(f"a{number}"))
        await gateway.run(program(insert(f"b{number}"), insert(f"c{number}")))
        assert await count(gateway, f"a{number}") == 1
        assert len(await drained(await gateway.stream(numbers(200), plain))) == 200
        async with gateway.connection() as connection:
            await connection.execute(START)
            await connection.execute(insert(f"d{number}"))
            await connection.execute(COMMIT)

    await asyncio.gather(*[work(number) for number in range(50)])
    assert await count(gateway) == 200
    assert await comes_to_rest(gateway)
    assert gateway.statistics().size <= 5


async def test_writers_take_turns_in_the_order_of_asking(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        writers = [asyncio.create_task(gateway.execute(insert(str(each)))) for each in range(20)]
        await asyncio.sleep(0)
        assert gateway.statistics().waiting == 20
        await connection.execute(COMMIT)
        await asyncio.gather(*writers)
    names = await gateway.fetch(query("SELECT name FROM items ORDER BY id"), plain)
    assert names == [str(each) for each in range(20)]


async def test_transactions_that_wait_to_write_leave_connections_to_readers(gateway: SQLiteGateway):
    async def write() -> None:
        async with gateway.connection() as connection:
            await connection.execute(START)
            await connection.execute(insert("x"))
            await connection.execute(COMMIT)

    async with gateway.connection() as first:
        await first.execute(START)
        writers = [asyncio.create_task(write()) for _ in range(10)]
        await asyncio.sleep(0.05)
        assert await count(gateway) == 0
        assert gateway.statistics().in_use == 1
        await first.execute(COMMIT)
    await asyncio.gather(*writers)
    assert await count(gateway) == 10


async def test_reader_beside_a_writer_sees_what_was_committed(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.execute(insert("new"))
        assert await count(gateway) == 0
        await connection.execute(COMMIT)
        assert await count(gateway) == 1


async def test_every_connection_can_be_held_at_once(make: Make):
    gateway = make(max_connections=2, pool_timeout=0.1)
    async with gateway.connection(), gateway.connection():
        assert gateway.statistics().in_use == 2
        with pytest.raises(PoolTimeout):
            await gateway.fetch(query("SELECT 1"), plain)
    assert at_rest(gateway)


async def test_a_held_connection_that_does_not_write_is_in_nobodys_way(gateway: SQLiteGateway):
    async with gateway.connection():
        await asyncio.wait_for(gateway.execute(insert("x")), 1)


async def test_pool_timeout_tells_how_many_are_in_use(small: SQLiteGateway):
    entered, leave = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with small.connection():
            entered.set()
            await leave.wait()

    holder = asyncio.create_task(hold())
    await entered.wait()
    with pytest.raises(PoolTimeout, match=r"1 of at most 1 connections are in use[^H]*HINT: close a stream") as caught:
        await count(small)
    assert caught.value.retryable
    leave.set()
    await holder
    assert await count(small) == 0
    assert at_rest(small)


async def test_task_that_waits_for_its_own_stream_is_refused_at_once(make: Make):
    gateway = make(max_connections=1)
    stream = await gateway.stream(numbers(1000), plain)
    with pytest.raises(PoolTimeout, match="the task that waits for it holds it"):
        await gateway.fetch(query("SELECT 1"), plain)
    await stream.aclose()
    assert await gateway.fetch(query("SELECT 1"), plain) == [1]


async def test_query_within_a_short_stream_works_with_one_connection(small: SQLiteGateway):
    stream = await small.stream(numbers(50), plain)
    assert await count(small) == 0
    assert len(await drained(stream)) == 50


async def test_write_beside_the_own_transaction_is_refused_at_once(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        with pytest.raises(PoolTimeout, match="no free write lock"):
            await gateway.execute(insert("x"))


async def test_long_read_does_not_hold_up_short_ones(gateway: SQLiteGateway):
    long = asyncio.create_task(gateway.fetch(SLOW, plain))
    short = [asyncio.create_task(count(gateway)) for _ in range(30)]
    assert await asyncio.wait_for(asyncio.gather(*short), 5) == [0] * 30
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long
    assert await comes_to_rest(gateway)


async def test_reads_queued_behind_the_last_connection_time_out(small: SQLiteGateway):
    long = asyncio.create_task(small.fetch(SLOW, plain))
    await asyncio.sleep(0)
    with pytest.raises(PoolTimeout):
        await count(small)
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long
    assert await count(small) == 0


async def test_connection_is_refused_after_its_block(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        pass
    for use in (connection.execute(START), connection.fetch(SLOW, plain), connection.stream_batches(SLOW, plain)):
        with pytest.raises(TransactionClosed):
            await use
    with pytest.raises(TransactionClosed):
        _ = connection.driver


async def test_block_left_with_a_transaction_open_rolls_back(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.execute(insert("x"))
    assert (await count(gateway), at_rest(gateway)) == (0, True)


async def test_driver_is_the_aiosqlite_connection_and_is_not_used_by_others(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        async with connection.driver.execute("PRAGMA busy_timeout") as cursor:
            assert await cursor.fetchone() == (5000,)
        await connection.driver.execute("CREATE TEMP TABLE mine (x)")
        await connection.driver.execute("PRAGMA foreign_keys = OFF")
        await connection.driver.execute("BEGIN IMMEDIATE")
    assert (await gateway.execute(RawSql("PRAGMA foreign_keys"))).rows == [(1,)]
    await gateway.execute(insert("x"))
    assert at_rest(gateway)


@pytest.mark.parametrize(
    "change", ["PRAGMA foreign_keys = OFF", "CREATE TEMP TABLE mine (x)", "ATTACH ':memory:' AS a"]
)
async def test_statement_that_changes_its_connection_changes_no_other(gateway: SQLiteGateway, change: str):
    await gateway.execute(RawSql(change))
    assert (await gateway.execute(RawSql("PRAGMA foreign_keys"))).rows == [(1,)]
    assert len((await gateway.execute(RawSql("PRAGMA database_list"))).rows) == 1
    assert (await gateway.execute(RawSql("SELECT count(*) FROM sqlite_temp_master"))).rows == [(0,)]


async def test_settings_are_those_of_the_gateway(make: Make):
    gateway = make(busy_timeout=2)
    settings = [
        (await gateway.execute(RawSql(f"PRAGMA {name}"))).rows[0][0]
        for name in ("busy_timeout", "journal_mode", "foreign_keys", "synchronous")
    ]
    assert settings == [2000, "wal", 1, 1]


async def test_statement_that_leaves_a_transaction_open_is_undone(gateway: SQLiteGateway):
    with pytest.raises(MapperError, match="leaves a transaction open"):
        await gateway.execute(RawSql("BEGIN IMMEDIATE"))
    await gateway.execute(insert("x"))


async def test_closing_ends_what_is_in_use_and_the_gateway_goes_on(gateway: SQLiteGateway):
    stream = await gateway.stream(numbers(10_000), plain)
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.execute(insert("x"))
        await gateway.aclose()
        assert gateway.statistics().size == 0
        with pytest.raises(ConnectionLost):
            await connection.execute(COMMIT)
    await stream.next()
    with pytest.raises(ConnectionLost):
        await stream.next()
    assert await count(gateway) == 0
    assert at_rest(gateway)


async def test_tasks_in_line_outlive_closing(small: SQLiteGateway):
    stream = await small.stream(numbers(10_000), plain)
    waiting = asyncio.create_task(count(small))
    await asyncio.sleep(0)
    await small.aclose()
    assert await waiting == 0
    await stream.aclose()


async def test_lost_stream_gives_its_connection_back(small: SQLiteGateway):
    stream = await small.stream(numbers(10_000), plain)
    assert small.statistics().in_use == 1
    del stream
    gc.collect()
    assert at_rest(small)
    assert await count(small) == 0


async def test_closing_ends_what_takes_long(gateway: SQLiteGateway, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateways.sqlite.pool._GRACE", 0.05)
    long = asyncio.create_task(gateway.fetch(SLOW, plain))
    writing = asyncio.create_task(gateway.run(program(insert("x"), SLOW)))
    await asyncio.sleep(0.05)
    await asyncio.wait_for(gateway.aclose(), 2)
    results = await asyncio.gather(long, writing, return_exceptions=True)
    assert [type(each) for each in results] == [ConnectionLost, ConnectionLost]
    assert await count(gateway) == 0


async def test_writer_does_not_wait_for_all_long_reads_that_were_asked_for_before(make: Make):
    gateway = make(max_connections=1)
    await gateway.execute(RawSql("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT)"))
    read: list[int] = []

    async def reading() -> None:
        read.append(len(await gateway.fetch(numbers(50_000), plain)))

    tasks = [asyncio.create_task(reading()) for _ in range(40)]
    await asyncio.sleep(0)
    await gateway.execute(insert("x"))
    assert len(read) < 20
    await asyncio.gather(*tasks)
    assert read == [50_000] * 40
