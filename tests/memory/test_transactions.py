"""Transactions: what they see, who waits, and what is left when they fail."""

import asyncio
import threading
from collections.abc import Generator
from typing import Any

import pytest

from gateways.memory import MemoryGateway
from mapper.errors import (
    LockTimeout,
    PoolTimeout,
    QueryError,
    ReadOnly,
    StatementError,
    TransactionClosed,
    UniqueViolation,
    WrongLoop,
)
from mapper.gateway import OperationEvent, PoolStatistics
from mapper.operations import Operation, Result, Transaction
from mapper.selecting import select
from mapper.statements import CreateSchema, DropSchema
from tests.memory.shop import (
    Comments,
    Everything,
    Memberships,
    Posts,
    Users,
    compiled,
    create,
    delete,
    insert,
    insertion,
    keys,
    made_gateway,
    rows,
    run,
    update,
)

NAMES = select(Users.name).order_by(Users.id)
START = Transaction("start")
COMMIT = Transaction("commit")
ROLLBACK = Transaction("rollback")


def plain(found: Any, names: Any) -> list[Any]:
    del names
    return [each[0] for each in found]


async def names(executor: Any) -> list[str]:
    return await executor.fetch(compiled(NAMES), plain)


def user(name: str) -> Operation:
    return compiled(insertion(Users, {"name": name}))


# -- what is seen
# ----------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T26")
async def test_transaction_is_seen_by_others_when_it_commits(gateway: MemoryGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.execute(user("a"))
        assert await names(connection) == ["a"]
        assert await names(gateway) == []
        await connection.execute(COMMIT)
    assert await names(gateway) == ["a"]


@pytest.mark.feature("T26")
async def test_rollback_takes_everything_back(gateway: MemoryGateway):
    await insert(gateway, Users, {"name": "a"}, {"name": "b"}, {"name": "c"})
    async with gateway.connection() as connection:
        await connection.execute(START)
        await run(connection, update(Users, Users.name.to(Users.name + "!"), where=[Users.id > 1]))
        await run(connection, delete(Users, Users.id == 1))
        await connection.execute(user("d"))
        assert await names(connection) == ["b!", "c!", "d"]
        await connection.execute(ROLLBACK)
    assert await names(gateway) == ["a", "b", "c"]
    assert await rows(gateway, select(Users.id).where(Users.name == "b")) == [2]
    assert await keys(gateway, Users, {"name": "e"}) == [4]


async def test_rows_that_come_back_are_where_they_were(gateway: MemoryGateway):
    await insert(gateway, Users, *[{"name": str(each)} for each in range(1200)])
    before = await rows(gateway, select(Users.name))
    async with gateway.connection() as connection:
        await connection.execute(START)
        await run(connection, delete(Users, Users.id <= 600))
        await run(connection, delete(Users, Users.id == 1000))
        await connection.execute(ROLLBACK)
    assert await rows(gateway, select(Users.name)) == before


@pytest.mark.feature("T26")
async def test_failed_operation_undoes_itself_alone(gateway: MemoryGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.execute(user("a"))
        with pytest.raises(UniqueViolation):
            await connection.execute(compiled(insertion(Users, {"name": "b"}, {"name": "a"})))
        assert await names(connection) == ["a"]
        await connection.execute(COMMIT)
    assert await names(gateway) == ["a"]


@pytest.mark.feature("T26")
async def test_savepoints_nest(gateway: MemoryGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.execute(user("a"))
        await connection.execute(Transaction("savepoint", name="one"))
        await connection.execute(user("b"))
        await connection.execute(Transaction("savepoint", name="two"))
        await connection.execute(user("c"))
        await connection.execute(Transaction("rollback_to", name="two"))
        assert await names(connection) == ["a", "b"]
        await connection.execute(user("d"))
        await connection.execute(Transaction("rollback_to", name="two"))
        await connection.execute(Transaction("release", name="two"))
        await connection.execute(Transaction("rollback_to", name="one"))
        assert await names(connection) == ["a"]
        with pytest.raises(StatementError, match="no savepoint 'two'"):
            await connection.execute(Transaction("release", name="two"))
        await connection.execute(Transaction("release", name="one"))
        await connection.execute(COMMIT)
    assert await names(gateway) == ["a"]
    assert await keys(gateway, Users, {"name": "e"}) == [2]


@pytest.mark.feature("T26")
async def test_read_only_transaction_keeps_its_snapshot_and_writes_nothing(gateway: MemoryGateway):
    await insert(gateway, Users, {"name": "a"})
    async with gateway.connection() as connection:
        await connection.execute(Transaction("start", read_only=True))
        await insert(gateway, Users, {"name": "b"})
        await run(gateway, update(Users, Users.name.to("changed"), where=[Users.id == 1]))
        assert await names(connection) == ["a"]
        assert await connection.fetch(compiled(select(Users.name).where(Users.id == 1)), plain) == ["a"]
        assert await connection.fetch(compiled(select(Users.id).where(Users.name == "changed")), plain) == []
        assert await connection.fetch(compiled(select(Users.id).where(Users.name == "a")), plain) == [1]
        with pytest.raises(ReadOnly):
            await connection.execute(user("c"))
        await connection.execute(COMMIT)
        assert await names(connection) == ["changed", "b"]


async def test_block_that_promises_to_write_nothing_is_held_to_it(gateway: MemoryGateway):
    async with gateway.connection(read_only=True) as connection:
        with pytest.raises(ReadOnly):
            await connection.execute(user("c"))
        await connection.execute(START)
        with pytest.raises(ReadOnly):
            await connection.execute(user("c"))


async def test_snapshot_survives_changes_of_every_kind(gateway: MemoryGateway):
    await insert(gateway, Users, *[{"name": str(each), "email": f"{each}@x"} for each in range(1500)])
    expected = [str(each) for each in range(1500)]
    async with gateway.connection() as reader:
        await reader.execute(Transaction("start", read_only=True))
        await run(gateway, delete(Users, Users.id > 900))
        await run(gateway, update(Users, Users.name.to(Users.name + "!"), where=[Users.id < 100]))
        await insert(gateway, Users, {"name": "new"})
        await run(gateway, delete(Users))
        assert await names(reader) == expected
        assert await reader.fetch(compiled(select(Users.name).where(Users.email == "7@x")), plain) == ["7"]
        await run(gateway, insertion(Users, {"name": "again", "email": "7@x"}))
        assert await reader.fetch(compiled(select(Users.name).where(Users.email == "7@x")), plain) == ["7"]
        assert await reader.fetch(compiled(select(Users.name).where(Users.name.in_(["7", "again"]))), plain) == ["7"]
    assert await names(gateway) == ["again"]


async def test_snapshot_keeps_tables_that_are_dropped_later(gateway: MemoryGateway):
    await insert(gateway, Memberships, {"user_id": 1, "team": "a", "role": "x"})
    async with gateway.connection() as reader:
        await reader.execute(Transaction("start", read_only=True))
        await gateway.execute(gateway.compile_schema(DropSchema((Memberships,)))[0])
        assert await reader.fetch(compiled(select(Memberships.role)), plain) == ["x"]
    with pytest.raises(StatementError):
        await rows(gateway, select(Memberships.role))


async def test_tables_made_in_a_transaction_go_with_it():
    gateway = MemoryGateway()
    async with gateway.connection() as connection:
        await connection.execute(START)
        for operation in gateway.compile_schema(CreateSchema((Users,))):
            await connection.execute(operation)
        await connection.execute(user("a"))
        assert await names(connection) == ["a"]
        with pytest.raises(StatementError, match="push_schema"):
            await names(gateway)
        await connection.execute(ROLLBACK)
    with pytest.raises(StatementError, match="push_schema"):
        await names(gateway)


@pytest.mark.parametrize("isolation", [None, "read uncommitted", "read committed", "repeatable read", "serializable"])
async def test_every_isolation_level_is_given(gateway: MemoryGateway, isolation: str | None):
    assert isolation is None or isolation in gateway.capabilities.isolation_levels
    async with gateway.connection() as connection:
        await connection.execute(Transaction("start", isolation=isolation))
        await connection.execute(COMMIT)


@pytest.mark.parametrize("kind", ["commit", "rollback", "savepoint", "release", "rollback_to"])
async def test_control_outside_of_a_transaction_is_refused(gateway: MemoryGateway, kind: Any):
    async with gateway.connection() as connection:
        with pytest.raises(StatementError, match="outside of a transaction"):
            await connection.execute(Transaction(kind, name="x"))
    with pytest.raises(StatementError, match="without a connection"):
        await gateway.execute(START)


async def test_transaction_within_a_transaction_is_refused(gateway: MemoryGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        with pytest.raises(StatementError, match="open already"):
            await connection.execute(START)


# -- who waits
# -------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T26")
async def test_writers_take_turns_in_the_order_of_their_asking(gateway: MemoryGateway):
    order: list[int] = []

    async def write(number: int) -> None:
        async with gateway.connection() as connection:
            await connection.execute(START)
            order.append(number)
            await asyncio.sleep(0)
            await connection.execute(user(str(number)))
            await connection.execute(COMMIT)

    await asyncio.gather(*[write(each) for each in range(5)])
    assert order == [0, 1, 2, 3, 4]
    assert await names(gateway) == ["0", "1", "2", "3", "4"]


async def test_single_write_waits_for_the_transaction_of_another_task(gateway: MemoryGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.execute(user("a"))
        waiting = asyncio.create_task(insert(gateway, Users, {"name": "b"}))
        await asyncio.sleep(0)
        assert gateway.statistics() == PoolStatistics(limit=100, size=1, idle=0, in_use=1, waiting=1)
        assert not waiting.done()
        await connection.execute(COMMIT)
        await waiting
    assert await names(gateway) == ["a", "b"]


async def test_writer_that_is_cancelled_while_it_waits_leaves_the_line(gateway: MemoryGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        waiting = [asyncio.create_task(insert(gateway, Users, {"name": each})) for each in "abc"]
        await asyncio.sleep(0)
        waiting[1].cancel()
        await asyncio.sleep(0)
        await connection.execute(COMMIT)
    await asyncio.gather(waiting[0], waiting[2])
    assert waiting[1].cancelled()
    assert await names(gateway) == ["a", "c"]


async def test_turn_that_was_granted_to_a_cancelled_writer_goes_on(gateway: MemoryGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        waiting = [asyncio.create_task(insert(gateway, Users, {"name": each})) for each in "ab"]
        await asyncio.sleep(0)
        await connection.execute(COMMIT)
        waiting[0].cancel()
    await waiting[1]
    assert await names(gateway) in (["b"], ["a", "b"])
    await insert(gateway, Users, {"name": "z"})


@pytest.mark.feature("T26")
async def test_cancelled_task_leaves_no_transaction_open(gateway: MemoryGateway):
    begun = asyncio.Event()

    async def work() -> None:
        async with gateway.connection() as connection:
            await connection.execute(START)
            await connection.execute(user("a"))
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await names(gateway) == []
    await insert(gateway, Users, {"name": "b"})
    assert gateway.statistics().in_use == 0


async def test_turn_that_does_not_come_is_an_error():
    gateway = await made_gateway(pool_timeout=0.01)
    held = asyncio.Event()

    async def hold() -> None:
        async with gateway.connection() as connection:
            await connection.execute(START)
            held.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await held.wait()
    with pytest.raises(LockTimeout) as failed:
        await insert(gateway, Users, {"name": "a"})
    assert failed.value.retryable
    task.cancel()


async def test_task_that_would_wait_for_itself_is_told_at_once(gateway: MemoryGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        with pytest.raises(LockTimeout, match="of this task") as failed:
            await insert(gateway, Users, {"name": "a"})
        assert failed.value.hint is not None
        assert "tx" in failed.value.hint
        async with gateway.connection() as other:
            with pytest.raises(LockTimeout):
                await other.execute(START)


async def test_connections_are_limited():
    gateway = await made_gateway(max_connections=1, pool_timeout=0.01)
    async with gateway.connection():
        with pytest.raises(PoolTimeout, match="this task has all of them"):
            async with gateway.connection():
                pass
        task = asyncio.create_task(take(gateway))
        with pytest.raises(PoolTimeout, match="none within"):
            await task
        assert await names(gateway) == []
    await take(gateway)
    assert gateway.statistics() == PoolStatistics(limit=1, size=0, idle=0, in_use=0, waiting=0)


async def take(gateway: MemoryGateway) -> None:
    async with gateway.connection():
        pass


def test_nonsensical_limits_are_refused():
    with pytest.raises(QueryError):
        MemoryGateway(max_connections=0)
    with pytest.raises(QueryError):
        MemoryGateway(pool_timeout=-1.0)


async def test_tasks_share_a_connection(gateway: MemoryGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        await asyncio.gather(*[connection.execute(user(each)) for each in "abc"])
        await connection.execute(COMMIT)
    assert await names(gateway) == ["a", "b", "c"]


# -- programs
# --------------------------------------------------------------------------------------------------------------


def commit_of(*operations: Operation) -> Generator[Operation, Result, int]:
    """A program as commits are: it rolls back what fails."""
    yield START
    count = 0
    try:
        for operation in operations:
            result = yield operation
            count += result.count
    except BaseException:
        yield ROLLBACK
        raise
    yield COMMIT
    return count


@pytest.mark.parametrize("held", [False, True])
async def test_program_runs_as_one(gateway: MemoryGateway, held: bool):
    if held:
        async with gateway.connection() as connection:
            assert await connection.run(commit_of(user("a"), user("b"))) == 2
    else:
        assert await gateway.run(commit_of(user("a"), user("b"))) == 2
    assert await names(gateway) == ["a", "b"]


@pytest.mark.parametrize("held", [False, True])
async def test_program_is_told_of_its_error_and_cleans_up(gateway: MemoryGateway, held: bool):
    with pytest.raises(UniqueViolation):
        if held:
            async with gateway.connection() as connection:
                await connection.run(commit_of(user("a"), user("a")))
        else:
            await gateway.run(commit_of(user("a"), user("a")))
    assert await names(gateway) == []
    assert gateway.statistics().in_use == 0


@pytest.mark.parametrize("held", [False, True])
async def test_program_that_does_not_end_its_transaction_is_rolled_back(gateway: MemoryGateway, held: bool):
    def forgetful() -> Generator[Operation, Result, str]:
        yield START
        yield user("a")
        return "done"

    if held:
        async with gateway.connection() as connection:
            assert await connection.run(forgetful()) == "done"
            assert await names(connection) == []
    else:
        assert await gateway.run(forgetful()) == "done"
    assert await names(gateway) == []
    await insert(gateway, Users, {"name": "b"})


async def test_program_in_an_open_transaction_leaves_it_open(gateway: MemoryGateway):
    def writing() -> Generator[Operation, Result, None]:
        yield user("a")

    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.run(writing())
        assert await names(connection) == ["a"]
        await connection.execute(ROLLBACK)
    assert await names(gateway) == []


async def test_program_waits_for_its_turn(gateway: MemoryGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        waiting = asyncio.create_task(gateway.run(commit_of(user("b"))))
        await asyncio.sleep(0)
        await connection.execute(user("a"))
        await connection.execute(COMMIT)
    assert await waiting == 1
    assert await names(gateway) == ["a", "b"]


async def test_program_that_is_cancelled_while_it_waits_leaves_nothing(gateway: MemoryGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        waiting = asyncio.create_task(gateway.run(commit_of(user("b"))))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await connection.execute(COMMIT)
    assert await names(gateway) == []
    await insert(gateway, Users, {"name": "c"})


# -- streams
# ---------------------------------------------------------------------------------------------------------------


async def many(gateway: MemoryGateway, size: int = 1700) -> None:
    await insert(gateway, Posts, *[{"title": str(each), "visits": each} for each in range(size)])


async def drained(batches: Any) -> list[Any]:
    found: list[Any] = []
    while (batch := await batches.next()) is not None:
        assert 0 < len(batch) <= 500
        found.extend(batch)
    return found


TITLES = compiled(select(Posts.title))


@pytest.mark.feature("B1")
async def test_stream_gives_all_rows_in_batches(gateway: MemoryGateway):
    await many(gateway)
    batches = await gateway.stream(TITLES, plain)
    assert gateway.statistics().in_use == 1
    assert await drained(batches) == [str(each) for each in range(1700)]
    assert gateway.statistics().in_use == 0
    assert await batches.next() is None


@pytest.mark.parametrize("size", [0, 1, 500])
async def test_result_that_fits_the_first_batch_holds_nothing(gateway: MemoryGateway, size: int):
    await many(gateway, size)
    batches = await gateway.stream(TITLES, plain)
    assert gateway.statistics().in_use == 0
    assert len(await drained(batches)) == size


@pytest.mark.feature("B1")
async def test_stream_keeps_its_snapshot_while_writers_go_on(gateway: MemoryGateway):
    await many(gateway)
    batches = await gateway.stream(TITLES, plain)
    first = await batches.next()
    assert first is not None
    await run(gateway, delete(Posts, Posts.visits > 1000))
    await run(gateway, update(Posts, Posts.title.to("changed")))
    await insert(gateway, Posts, {"title": "new"})
    assert [*first, *await drained(batches)] == [str(each) for each in range(1700)]
    assert gateway._shared.store._watchers == []


async def test_streams_of_joins_and_subqueries_keep_their_snapshot_too(gateway: MemoryGateway):
    await many(gateway, 700)
    await insert(gateway, Comments, *[{"post_id": each, "text": str(each)} for each in range(1, 701)])
    query = compiled(
        select(Comments.text).join(Posts, on=Posts.id == Comments.post_id).where(Posts.id.in_(select(Posts.id)))
    )
    batches = await gateway.stream(query, plain)
    first = await batches.next()
    assert first is not None
    await run(gateway, delete(Comments))
    await run(gateway, delete(Posts))
    assert [*first, *await drained(batches)] == [str(each) for each in range(1, 701)]


async def test_stream_begun_beside_a_transaction_sees_what_was_committed(gateway: MemoryGateway):
    await many(gateway, 600)
    async with gateway.connection() as connection:
        await connection.execute(START)
        await run(connection, delete(Posts, Posts.visits < 300))
        outside, inside = await gateway.stream(TITLES, plain), await connection.stream_batches(TITLES, plain)
        await run(connection, delete(Posts))
        await connection.execute(COMMIT)
        assert len(await drained(outside)) == 600
        assert len(await drained(inside)) == 300
    assert gateway._shared.store._watchers == []


async def test_stream_that_is_closed_early_gives_its_place_back(gateway: MemoryGateway):
    await many(gateway)
    batches = await gateway.stream(TITLES, plain)
    await batches.aclose()
    await batches.aclose()
    assert await batches.next() is None
    assert gateway.statistics().in_use == 0


async def test_iteration_that_is_left_gives_its_place_back(gateway: MemoryGateway):
    await many(gateway)
    async for _ in select(Posts.title).execute(Everything(gateway)):
        assert gateway.statistics().in_use == 1
        break
    assert gateway.statistics().in_use == 0


async def test_stream_abandoned_in_another_thread_is_closed_with_the_next_operation(gateway: MemoryGateway):
    await many(gateway)
    batches = await gateway.stream(TITLES, plain)
    thread = threading.Thread(target=batches.abandon)
    thread.start()
    thread.join()
    assert gateway.statistics().in_use == 1
    await names(gateway)
    assert gateway.statistics().in_use == 0


async def test_stream_whose_rows_cannot_be_made_ends(gateway: MemoryGateway):
    await many(gateway)

    def failing(found: Any, names: Any) -> list[Any]:
        if "600" in [each[0] for each in found]:
            raise ValueError("no")
        return list(found)

    batches = await gateway.stream(TITLES, failing)
    await batches.next()
    with pytest.raises(ValueError, match="no"):
        await batches.next()
    assert gateway.statistics().in_use == 0
    with pytest.raises(ValueError, match="always"):
        await gateway.stream(TITLES, lambda found, names: (_ for _ in ()).throw(ValueError("always")))
    assert gateway.statistics().in_use == 0


async def test_stream_read_by_two_tasks_is_refused(gateway: MemoryGateway):
    await many(gateway)
    batches = await gateway.stream(TITLES, plain)
    await batches.next()
    outcomes = await asyncio.gather(batches.next(), batches.next(), return_exceptions=True)
    assert [type(each) for each in outcomes].count(QueryError) == 1
    await batches.aclose()


async def test_streams_wait_for_a_place():
    gateway = await made_gateway(max_connections=1)
    await many(gateway)
    first = await gateway.stream(TITLES, plain)
    waiting = asyncio.create_task(gateway.stream(TITLES, plain))
    await asyncio.sleep(0)
    assert gateway.statistics().waiting == 1
    await first.aclose()
    await (await waiting).aclose()
    assert gateway.statistics() == PoolStatistics(limit=1, size=0, idle=0, in_use=0, waiting=0)


async def test_raw_rows_are_streamed_in_chunks_of_any_size(gateway: MemoryGateway):
    await many(gateway, 10)
    async with gateway.connection() as connection:
        sizes = [len(each) async for each in connection.stream(TITLES, 4)]
    assert sizes == [4, 4, 2]


async def test_stream_of_a_connection_ends_with_its_block(gateway: MemoryGateway):
    await many(gateway)
    async with gateway.connection() as connection:
        batches = await connection.stream_batches(TITLES, plain)
    assert gateway._shared.store._watchers == []
    await batches.aclose()


# -- loops, closing, events
# ------------------------------------------------------------------------------------------------


async def test_connection_is_refused_after_its_block(gateway: MemoryGateway):
    async with gateway.connection() as connection:
        assert connection.driver is gateway._shared.store
    with pytest.raises(TransactionClosed):
        await connection.execute(START)
    with pytest.raises(TransactionClosed):
        connection.driver  # noqa: B018 (reading it is what is refused)


async def test_closing_rolls_back_and_keeps_what_was_committed(gateway: MemoryGateway):
    await insert(gateway, Users, {"name": "a"})
    await many(gateway)
    batches = await gateway.stream(TITLES, plain)
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.execute(user("b"))
        await gateway.aclose()
        with pytest.raises(TransactionClosed):
            await connection.execute(COMMIT)
    await batches.aclose()
    assert await names(gateway) == ["a"]
    assert gateway.statistics().in_use == 0
    await gateway.aclose()


def test_second_loop_after_the_first_takes_over():
    gateway = MemoryGateway()

    async def leave_open() -> None:
        await create(gateway, Users)
        connection = await gateway.connection().__aenter__()
        await connection.execute(START)
        await connection.execute(user("lost"))

    async def go_on() -> list[str]:
        await insert(gateway, Users, {"name": "a"})
        return await names(gateway)

    asyncio.run(leave_open())
    assert asyncio.run(go_on()) == ["a"]
    found: list[list[str]] = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(names(gateway))))
    thread.start()
    thread.join()
    assert found == [["a"]]
    assert gateway.statistics().in_use == 0


async def test_second_loop_at_the_same_time_is_refused(gateway: MemoryGateway):
    await names(gateway)
    errors: list[BaseException] = []

    def other() -> None:
        try:
            asyncio.run(names(gateway))
        except WrongLoop as error:
            errors.append(error)

    await asyncio.to_thread(other)
    assert len(errors) == 1
    await gateway.aclose()
    await asyncio.to_thread(other)
    assert len(errors) == 1


@pytest.mark.feature("T30")
async def test_listener_is_told_of_each_operation(gateway: MemoryGateway):
    events: list[OperationEvent] = []
    stop = gateway.subscribe(events.append)
    await insert(gateway, Users, {"name": "a"}, {"name": "b"})
    await names(gateway)
    async with gateway.connection() as connection:
        await connection.execute(START)
        with pytest.raises(UniqueViolation):
            await connection.execute(user("a"))
        await connection.execute(ROLLBACK)
    await gateway.run(commit_of(user("c")))
    stop()
    stop()
    await names(gateway)
    told = [(type(each.operation).__name__, each.rows, type(each.error).__name__) for each in events]
    assert told == [
        ("Insert", 2, "NoneType"),
        ("Scan", 2, "NoneType"),
        ("Transaction", 0, "NoneType"),
        ("Insert", 0, "UniqueViolation"),
        ("Transaction", 0, "NoneType"),
        ("Transaction", 0, "NoneType"),
        ("Insert", 1, "NoneType"),
        ("Transaction", 0, "NoneType"),
    ]
    assert all(each.queue_seconds >= 0 and each.query_seconds >= 0 and each.decode_seconds >= 0 for each in events)


@pytest.mark.feature("T30")
async def test_listener_is_told_of_a_stream_when_it_ends(gateway: MemoryGateway):
    await many(gateway)
    events: list[OperationEvent] = []
    gateway.subscribe(events.append)
    batches = await gateway.stream(TITLES, plain)
    assert events == []
    await batches.next()
    await batches.next()
    await batches.aclose()
    assert [each.rows for each in events] == [1000]
    assert await drained(await gateway.stream(TITLES, plain)) != []
    assert [each.rows for each in events] == [1000, 1700]


async def test_operation_that_waits_in_vain_is_told_too(gateway: MemoryGateway):
    events: list[OperationEvent] = []
    async with gateway.connection() as connection:
        await connection.execute(START)
        gateway.subscribe(events.append)
        with pytest.raises(LockTimeout):
            await insert(gateway, Users, {"name": "a"})
        async with gateway.connection() as other:
            with pytest.raises(LockTimeout):
                await other.execute(user("a"))
        with pytest.raises(LockTimeout):
            await gateway.run(commit_of(user("a")))
    assert [type(each.error) for each in events] == [LockTimeout, LockTimeout, LockTimeout]


async def test_listener_that_fails_harms_nobody(gateway: MemoryGateway, caplog: pytest.LogCaptureFixture):
    events: list[OperationEvent] = []

    def failing(event: OperationEvent) -> None:
        raise ValueError("listener")

    gateway.subscribe(failing)
    gateway.subscribe(events.append)
    await insert(gateway, Users, {"name": "a"})
    assert len(events) == 1
    assert "failed on the event" in caplog.text


async def test_busy_caller_lets_others_have_their_turn(gateway: MemoryGateway):
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(tick())
    for _ in range(640):
        await names(gateway)
    task.cancel()
    assert ticks >= 10
