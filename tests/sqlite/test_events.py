"""Events: one per operation, in order, on the loop, with times and rows; nothing without a listener."""

import asyncio
import threading

import pytest

from gateways.sqlite import SQLiteGateway
from mapper.errors import PoolTimeout, StatementError
from mapper.gateway import OperationEvent
from mapper.operations import Operation, RawSql
from tests.sqlite.conftest import COMMIT, ROLLBACK, START, drained, insert, numbers, plain, program, query

pytestmark = pytest.mark.feature("T30")


@pytest.fixture
def events(gateway: SQLiteGateway) -> list[OperationEvent]:
    found: list[OperationEvent] = []
    gateway.subscribe(found.append)
    return found


def told(events: list[OperationEvent]) -> list[tuple[Operation, int]]:
    return [(each.operation, each.rows) for each in events]


async def test_every_kind_of_call_gives_an_event(gateway: SQLiteGateway, events: list[OperationEvent]):
    write, read, raw = insert("a", "b"), query("SELECT name FROM items"), RawSql("DELETE FROM items")
    await gateway.execute(write)
    await gateway.fetch(read, plain)
    await gateway.execute(raw)
    async with gateway.connection() as connection:
        await connection.execute(START)
        await connection.fetch(read, plain)
        await connection.execute(COMMIT)
    assert told(events) == [(write, 2), (read, 2), (raw, 2), (START, 0), (read, 0), (COMMIT, 0)]
    assert all(each.error is None for each in events)


async def test_program_gives_the_events_of_its_operations_in_order(
    gateway: SQLiteGateway, events: list[OperationEvent]
):
    first, second = insert("a"), insert("b", "c")
    await gateway.run(program(first, second))
    assert told(events) == [(START, 0), (first, 1), (second, 2), (COMMIT, 0)]


async def test_failed_operation_is_told_with_its_error(gateway: SQLiteGateway, events: list[OperationEvent]):
    wrong = RawSql("SELECT nothing FROM nowhere")
    with pytest.raises(StatementError):
        await gateway.execute(wrong)
    with pytest.raises(StatementError):
        await gateway.fetch(wrong, plain)
    with pytest.raises(StatementError):
        await gateway.stream(wrong, plain)
    with pytest.raises(StatementError):
        await gateway.run(program(wrong))
    failed = [(each.operation, type(each.error)) for each in events]
    assert failed[:3] == [(wrong, StatementError)] * 3
    assert failed[3:] == [(START, type(None)), (wrong, StatementError), (ROLLBACK, type(None))]


async def test_stream_is_one_event_at_its_end_with_the_rows_taken(gateway: SQLiteGateway, events: list[OperationEvent]):
    await drained(await gateway.stream(numbers(1000), plain))
    left = await gateway.stream(numbers(1000), plain)
    assert len(events) == 1
    await left.aclose()
    assert [each.rows for each in events] == [1000, 50]


async def test_times_are_told_apart(gateway: SQLiteGateway, events: list[OperationEvent]):
    def slowly(rows, names):
        threading.Event().wait(0.05)
        return list(rows)

    async with gateway.connection() as connection:
        await connection.execute(START)
        waiting = asyncio.create_task(gateway.execute(insert("x")))
        await asyncio.sleep(0.05)
        await connection.execute(COMMIT)
    await waiting
    await gateway.fetch(numbers(3), slowly)
    stream = await gateway.stream(numbers(200), plain)
    await asyncio.sleep(0.05)
    await drained(stream)
    (write,) = [each for each in events if each.operation == insert("x")]
    fetch, streamed = events[-2:]
    assert write.queue_seconds >= 0.04 > write.query_seconds
    assert fetch.decode_seconds >= 0.05 > fetch.query_seconds
    assert streamed.query_seconds + streamed.decode_seconds < 0.04


async def test_operation_that_found_no_connection_is_told(small: SQLiteGateway):
    events: list[OperationEvent] = []
    stream = await small.stream(numbers(1000), plain)
    small.subscribe(events.append)
    with pytest.raises(PoolTimeout):
        await small.fetch(numbers(1), plain)
    assert [(each.operation, type(each.error)) for each in events] == [(numbers(1), PoolTimeout)]
    await stream.aclose()


async def test_listener_is_called_on_the_loop_and_no_more_after_its_end(gateway: SQLiteGateway):
    threads: list[threading.Thread] = []
    stop = gateway.subscribe(lambda event: threads.append(threading.current_thread()))
    await gateway.execute(insert("x"))
    stop()
    stop()
    await gateway.execute(insert("x"))
    assert threads == [threading.current_thread()]


async def test_listener_that_fails_hurts_nobody(gateway: SQLiteGateway, events: list[OperationEvent]):
    def fail(event: OperationEvent) -> None:
        raise RuntimeError("no ears")

    loop = asyncio.get_running_loop()
    contexts: list[dict] = []
    loop.set_exception_handler(lambda loop, context: contexts.append(context))
    gateway.subscribe(fail)
    others: list[OperationEvent] = []
    gateway.subscribe(others.append)
    await gateway.execute(insert("x"))
    loop.set_exception_handler(None)
    assert [str(each["exception"]) for each in contexts] == ["no ears"]
    assert others == events
