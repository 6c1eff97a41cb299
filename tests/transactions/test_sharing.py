"""One transaction and several tasks: turns, queues, streams; on a gateway that logs."""

import asyncio

import anyio
import pytest

from mapper.errors import (
    QueryError,
    RolledBack,
    StatementError,
    TransactionClosed,
)
from tests.changesets.blog import Blog, Post, Posts, Tag, Tags
from tests.fake_gateway import FakeGateway, Gate
from tests.transactions.support import push, read, stream

pytestmark = pytest.mark.feature("T26")


async def test_use_after_the_end_is_refused(fake: FakeGateway):
    async with Blog(fake).transaction() as tx:
        pass
    for use in (read(tx), push().commit(tx), stream(tx), tx.run(read), tx.load(Posts, [Post("x")])):
        with pytest.raises(TransactionClosed, match="used after its end"):
            await use
    with pytest.raises(TransactionClosed):
        async with tx.transaction():
            pass
    with pytest.raises(TransactionClosed):
        tx.after_commit(print)
    assert fake.log == ["+", "start", "commit", "-"]


async def test_what_other_tasks_have_queued_is_done_before_the_commit(fake: FakeGateway):
    gate = fake.gates["first"] = Gate()
    async with anyio.create_task_group() as group, Blog(fake).transaction() as tx:
        group.start_soon(read, tx, "first")
        group.start_soon(read, tx, "second")
        await gate.reached.wait()
        await anyio.wait_all_tasks_blocked()
        asyncio.get_running_loop().call_soon(gate.opened.set)
    assert fake.log == ["+", "start", "first", "second", "commit", "-"]


async def test_what_other_tasks_have_queued_is_refused_after_an_exception(fake: FakeGateway):
    gate = fake.gates["first"] = Gate()
    refused: list[BaseException] = []

    async def later(tx: Blog) -> None:
        try:
            await read(tx, "second")
        except TransactionClosed as error:
            refused.append(error)

    async with anyio.create_task_group() as group:
        with pytest.raises(ZeroDivisionError):
            async with Blog(fake).transaction() as tx:
                group.start_soon(read, tx, "first")
                await gate.reached.wait()
                group.start_soon(later, tx)
                await anyio.wait_all_tasks_blocked()
                gate.opened.set()
                raise ZeroDivisionError
    assert len(refused) == 1
    assert fake.log == ["+", "start", "first", "rollback", "-"]


async def test_tasks_take_turns_in_the_order_of_their_coming(fake: FakeGateway):
    async with Blog(fake).transaction() as tx, anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(read, tx, f"read {number}")
    assert fake.log[2:7] == [f"read {number}" for number in range(5)]


async def test_waiting_task_that_is_cancelled_stops_nobody(fake: FakeGateway):
    gate = fake.gates["first"] = Gate()
    async with Blog(fake).transaction() as tx, anyio.create_task_group() as group:
        group.start_soon(read, tx, "first")
        await gate.reached.wait()
        with anyio.move_on_after(0.01):
            await read(tx, "never")
        group.start_soon(read, tx, "last")
        gate.opened.set()
    assert fake.log == ["+", "start", "first", "last", "commit", "-"]


async def test_changeset_is_one_unit_among_tasks(fake: FakeGateway):
    gate = fake.gates["insert Posts 1"] = Gate()
    changes = push()
    changes.inserts(Tags).push(Tag("x", "X"))
    async with Blog(fake).transaction() as tx, anyio.create_task_group() as group:
        group.start_soon(changes.commit, tx)
        await gate.reached.wait()
        group.start_soon(read, tx)
        await anyio.wait_all_tasks_blocked()
        gate.opened.set()
    assert fake.log == ["+", "start", "insert Posts 1", "insert Tags 1", "select", "commit", "-"]


async def test_changeset_on_a_transaction_has_its_isolation_and_retries(fake: FakeGateway):
    async with Blog(fake).transaction() as tx:
        with pytest.raises(QueryError, match="cannot be retried by itself"):
            await push().commit(tx, retries=1)
        with pytest.raises(QueryError, match="has the isolation of that transaction"):
            await push().commit(tx, isolation="serializable")


async def test_two_streams_and_other_work_go_together(fake: FakeGateway):
    async with Blog(fake).transaction() as tx:
        one, other = await stream(tx, "one"), await stream(tx, "other")
        assert await one.next() == [(1,)]
        assert await other.next() == [(1,)]
        await read(tx)
        assert await one.next() == [(2,)]
        assert await one.next() is None
        await other.aclose()
    assert fake.log[2:-2] == ["one", "other", "next one", "next other", "select", "next one", "close other"]


async def test_open_stream_is_closed_at_the_end(fake: FakeGateway):
    async with Blog(fake).transaction() as tx:
        batches = await stream(tx)
        await batches.next()
    with pytest.raises(TransactionClosed):
        await batches.next()
    await batches.aclose()
    assert fake.log == ["+", "start", "select", "next select", "close select", "commit", "-"]


async def test_stream_of_a_doomed_transaction_gives_no_more(fake: FakeGateway):
    fake.fail("other", StatementError("no"))
    with pytest.raises(StatementError):
        async with Blog(fake).transaction() as tx:
            batches = await stream(tx)
            try:
                await read(tx, "other")
            finally:
                with pytest.raises(RolledBack):
                    await batches.next()
    assert fake.log[-3:] == ["close select", "rollback", "-"]


async def test_stream_that_cannot_be_closed_does_not_keep_the_connection(fake: FakeGateway):
    fake.fail("close select", StatementError("no"))
    with pytest.raises(StatementError):
        async with Blog(fake).transaction() as tx:
            await (await stream(tx)).next()
    assert fake.log == ["+", "start", "select", "next select", "close select", "rollback", "-"]


async def test_abandoned_stream_is_left_to_the_gateway(fake: FakeGateway):
    async with Blog(fake).transaction() as tx:
        (await stream(tx)).abandon()
    assert fake.log == ["+", "start", "select", "abandon select", "commit", "-"]
