"""Cancellation at any await: nothing is lost, nothing is left open, and what was begun to be committed is committed."""

import asyncio
import random
import sqlite3
import time

import pytest

from gateways.sqlite import SQLiteGateway
from mapper.errors import RolledBack
from mapper.operations import QuerySql, RawSql, Transaction
from tests.sqlite.conftest import (
    COMMIT,
    ROLLBACK,
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
)

pytestmark = pytest.mark.feature("T26")

SLOW_WRITE = RawSql(f"INSERT INTO items (name) {SLOW.sql.replace('SELECT x FROM n', 'SELECT x FROM n')}", (10**12,))


async def cancelled_after(seconds: float, work: "asyncio.Task[object]") -> float:
    """Cancel a task that has run for a moment, and return how long it took to end."""
    await asyncio.sleep(seconds)
    began = time.perf_counter()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    return time.perf_counter() - began


@pytest.mark.parametrize("operation", [SLOW, SLOW_WRITE], ids=["read", "write"])
async def test_running_statement_is_interrupted(gateway: SQLiteGateway, operation: QuerySql | RawSql):
    assert await cancelled_after(0.05, asyncio.create_task(gateway.execute(operation))) < 1
    assert (await count(gateway), at_rest(gateway)) == (0, True)


async def test_running_program_is_interrupted_and_rolled_back(gateway: SQLiteGateway):
    work = asyncio.create_task(gateway.run(program(insert("x"), SLOW_WRITE)))
    assert await cancelled_after(0.05, work) < 1
    assert (await count(gateway), at_rest(gateway)) == (0, True)


async def test_first_batch_of_a_stream_is_interrupted(gateway: SQLiteGateway):
    never = QuerySql(SLOW.sql.replace("SELECT x FROM n", "SELECT x FROM n WHERE x < 0"), SLOW.parameters)
    assert await cancelled_after(0.05, asyncio.create_task(gateway.stream(never, plain))) < 1
    assert at_rest(gateway)


async def test_later_batch_of_a_stream_is_interrupted(gateway: SQLiteGateway):
    stream = await gateway.stream(
        QuerySql(SLOW.sql.replace("SELECT x FROM n", "SELECT x FROM n WHERE x < 100"), SLOW.parameters), plain
    )
    assert await cancelled_after(0.05, asyncio.create_task(drained(stream))) < 1
    assert at_rest(gateway)
    assert await stream.next() is None


async def test_operation_in_a_transaction_is_interrupted_and_dooms_it(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.execute(insert("x"))
        await cancelled_after(0.05, asyncio.create_task(connection.execute(SLOW_WRITE)))
        with pytest.raises(RolledBack):
            await connection.execute(insert("y"))
        with pytest.raises(RolledBack):
            await connection.execute(COMMIT)
        await connection.execute(ROLLBACK)
        await connection.execute(insert("z"))
    assert (await count(gateway), at_rest(gateway)) == (1, True)


async def test_read_in_a_transaction_is_interrupted_and_dooms_nothing(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.execute(insert("x"))
        await cancelled_after(0.05, asyncio.create_task(connection.fetch(SLOW, plain)))
        await connection.execute(insert("y"))
        await connection.execute(COMMIT)
    assert await count(gateway) == 2


async def test_write_below_a_savepoint_is_not_interrupted_since_all_would_be_lost(gateway: SQLiteGateway):
    long = RawSql(f"INSERT INTO items (name) {numbers(1).sql}", (300_000,))
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.execute(insert("x"))
        await connection.execute(Transaction("savepoint", name="s"))
        await cancelled_after(0.005, asyncio.create_task(connection.execute(long)))
        await connection.execute(Transaction("rollback_to", name="s"))
        await connection.execute(COMMIT)
    assert await count(gateway) == 1


async def test_stream_outlives_the_cancelled_operation_beside_it(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        stream = await connection.stream_batches(numbers(1000), plain)
        beside = asyncio.create_task(connection.fetch(numbers(300_000), plain))
        await cancelled_after(0.005, beside)
        assert len(await drained(stream)) == 1000


async def test_task_that_waits_for_its_turn_leaves_the_line(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        waiting = [asyncio.create_task(gateway.execute(insert(str(each)))) for each in range(5)]
        begun = asyncio.create_task(gateway.run(program(insert("p"))))
        await asyncio.sleep(0.01)
        for task in [*waiting[::2], begun]:
            assert await cancelled_after(0, task) < 0.5
        assert gateway.statistics().waiting == 2
        await connection.execute(COMMIT)
    await asyncio.gather(waiting[1], waiting[3])
    assert (await count(gateway), at_rest(gateway)) == (2, True)


async def test_wait_for_the_lock_of_another_process_ends_early(gateway: SQLiteGateway, path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert await cancelled_after(0.05, asyncio.create_task(gateway.execute(insert("x")))) < 0.5
    assert await cancelled_after(0.05, asyncio.create_task(gateway.run(program(insert("x"))))) < 0.5
    other.execute("COMMIT")
    other.close()
    assert (await count(gateway), at_rest(gateway)) == (0, True)


async def test_commit_that_was_sent_is_done(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.execute(insert("x"))
        commit = asyncio.create_task(connection.execute(COMMIT))
        await asyncio.sleep(0)
        await cancelled_after(0, commit)
    assert await count(gateway) == 1


async def test_rollback_waits_for_the_operation_before_it_and_is_done(gateway: SQLiteGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.execute(insert("x"))
        read = asyncio.create_task(connection.fetch(numbers(300_000), plain))
        await asyncio.sleep(0)
        rollback = asyncio.create_task(connection.execute(ROLLBACK))
        await cancelled_after(0.001, rollback)
        assert len(await read) == 300_000
        assert await connection.fetch(QuerySql("SELECT count(*) FROM items", ()), plain) == [0]


async def test_cancelled_start_leaves_no_transaction(gateway: SQLiteGateway):
    for delay in range(20):
        async with gateway.connection() as connection:
            start = asyncio.create_task(connection.execute(START))
            await asyncio.sleep(delay / 100_000)
            start.cancel()
            (outcome,) = await asyncio.gather(start, return_exceptions=True)
            if isinstance(outcome, asyncio.CancelledError):
                await connection.execute(START)
    assert at_rest(gateway)


async def test_program_is_told_of_the_cancellation_and_may_clean_up(gateway: SQLiteGateway):
    told: list[BaseException] = []

    def work():
        yield START
        yield insert("x")
        try:
            yield SLOW
        except BaseException as error:
            told.append(error)
            yield ROLLBACK
            raise

    await cancelled_after(0.05, asyncio.create_task(gateway.run(work())))
    assert [type(each) for each in told] == [asyncio.CancelledError]
    assert (await count(gateway), at_rest(gateway)) == (0, True)


async def test_program_that_was_never_run_is_told(gateway: SQLiteGateway):
    told: list[BaseException] = []

    def work():
        try:
            yield START
        except BaseException as error:
            told.append(error)
            yield ROLLBACK
            raise

    async with gateway.connection() as connection:
        await connection.execute(START)
        await cancelled_after(0.01, asyncio.create_task(gateway.run(work())))
    assert [type(each) for each in told] == [asyncio.CancelledError]


async def test_two_hundred_cancellations_at_random_points(make: Make):
    gateway = make(max_connections=3)
    await gateway.execute(RawSql("CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL)"))
    chance = random.Random(1)

    async def hold(number: int) -> None:
        async with gateway.connection() as connection:
            await connection.execute(START)
            await connection.execute(insert(f"{number} a"))
            await drained(await connection.stream_batches(numbers(700), plain))
            await connection.execute(insert(f"{number} b"))
            await connection.execute(COMMIT)

    async def read_stream() -> None:
        await drained(await gateway.stream(numbers(3000), plain))

    def work(number: int):
        kinds = (
            lambda: gateway.run(program(insert(f"{number} a"), insert(f"{number} b"))),
            lambda: gateway.fetch(numbers(2000), plain),
            lambda: hold(number),
            read_stream,
        )
        return kinds[number % 4]()

    async def one(number: int) -> None:
        task = asyncio.create_task(work(number))
        await asyncio.sleep(chance.random() * 0.01)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass

    for begin in range(0, 200, 10):
        await asyncio.gather(*[one(number) for number in range(begin, begin + 10)])
    assert await comes_to_rest(gateway)
    names = [name.split()[0] for name in await gateway.fetch(QuerySql("SELECT name FROM items", ()), plain)]
    assert {names.count(each) for each in set(names)} <= {2}
    await gateway.execute(insert("x"))
    outside = sqlite3.connect(gateway._location._path, isolation_level=None, timeout=0)
    outside.execute("BEGIN IMMEDIATE")
    outside.close()
