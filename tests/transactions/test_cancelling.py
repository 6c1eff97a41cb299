"""Cancellation and timeouts at every await of a block; on a gateway that logs."""

import asyncio
from functools import partial

import anyio
import pytest

from mapper.errors import CommitUnknown, TransactionTimeout
from tests.changesets.blog import Blog
from tests.fake_gateway import FakeGateway, Gate
from tests.transactions.support import read

pytestmark = pytest.mark.feature("T26")


async def test_cancelled_block_is_rolled_back_and_cancelled(fake: FakeGateway):
    fake.gates["select"] = Gate()
    with anyio.move_on_after(0.01) as scope:
        async with Blog(fake).transaction() as tx:
            await read(tx)
    assert scope.cancelled_caught
    assert fake.log == ["+", "start", "select", "rollback", "-"]


async def test_rollback_is_not_cancelled_again(fake: FakeGateway):
    gate = fake.gates["rollback"] = Gate()
    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            group.start_soon(partial(release_later, gate))
            async with Blog(fake).transaction():
                scope.cancel()
                await anyio.sleep(1)
    assert fake.log == ["+", "start", "rollback", "-"]


async def release_later(gate: Gate) -> None:
    await gate.reached.wait()
    await anyio.sleep(0.01)
    gate.opened.set()


async def test_task_that_is_cancelled_at_its_end_before_commit_is_rolled_back(fake: FakeGateway):
    with anyio.CancelScope() as scope:
        async with Blog(fake).transaction():
            scope.cancel()
    assert scope.cancelled_caught
    assert fake.log == ["+", "start", "rollback", "-"]


async def test_task_that_is_cancelled_at_commit_finishes_it_and_ends_as_cancelled(fake: FakeGateway):
    gate = fake.gates["commit"] = Gate()
    called: list[str] = []

    async def work() -> None:
        async with Blog(fake).transaction() as tx:
            tx.after_commit(lambda: called.append("after"))

    task = asyncio.ensure_future(work())
    await gate.reached.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.001)
    assert not task.done()
    gate.opened.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fake.log == ["+", "start", "commit", "-"]
    assert called == ["after"]


async def test_task_that_is_cancelled_while_it_rolls_back_ends_as_cancelled(fake: FakeGateway):
    gate = fake.gates["rollback"] = Gate()

    async def work() -> None:
        async with Blog(fake).transaction():
            raise ZeroDivisionError

    task = asyncio.ensure_future(work())
    await gate.reached.wait()
    task.cancel()
    await asyncio.sleep(0.001)
    gate.opened.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fake.log == ["+", "start", "rollback", "-"]


async def test_task_that_is_cancelled_at_the_start_gives_the_connection_back(fake: FakeGateway):
    gate = fake.gates["start"] = Gate()

    async def work() -> None:
        async with Blog(fake).transaction():
            pytest.fail("the block was entered")

    task = asyncio.ensure_future(work())
    await gate.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fake.log == ["+", "start", "- CancelledError"]


async def test_timeout_covers_the_whole_block(fake: FakeGateway):
    with pytest.raises(TransactionTimeout, match=r"longer than its timeout of 0\.02 s"):
        async with Blog(fake).transaction(timeout=0.02) as tx:
            await read(tx)
            await anyio.sleep(5)
    assert fake.log == ["+", "start", "select", "rollback", "-"]


async def test_timeout_covers_the_start(fake: FakeGateway):
    fake.gates["start"] = Gate()
    with pytest.raises(TransactionTimeout):
        async with Blog(fake).transaction(timeout=0.02):
            pytest.fail("the block was entered")
    assert fake.log == ["+", "start", "- CancelledError"]


async def test_timeout_that_passed_without_a_wait_is_seen_at_the_end(fake: FakeGateway):
    import time

    with pytest.raises(TransactionTimeout):
        async with Blog(fake).transaction(timeout=0.01):
            time.sleep(0.02)  # noqa: ASYNC251 (the loop is to stand still)
    assert fake.log == ["+", "start", "rollback", "-"]


async def test_timeout_does_not_reach_a_commit_that_has_begun(fake: FakeGateway):
    gate = fake.gates["commit"] = Gate()
    async with anyio.create_task_group() as group:
        group.start_soon(release_after, gate, 0.05)
        async with Blog(fake).transaction(timeout=0.02):
            pass
    assert fake.log == ["+", "start", "commit", "-"]


async def release_after(gate: Gate, seconds: float) -> None:
    await gate.reached.wait()
    await anyio.sleep(seconds)
    gate.opened.set()


async def test_error_within_the_time_stays_itself(fake: FakeGateway):
    with pytest.raises(ZeroDivisionError):
        async with Blog(fake).transaction(timeout=5):
            raise ZeroDivisionError


async def test_cancellation_from_outside_is_no_timeout(fake: FakeGateway):
    with anyio.move_on_after(0.01) as scope:
        async with Blog(fake).transaction(timeout=5):
            await anyio.sleep(1)
    assert scope.cancelled_caught


async def test_timeout_of_a_nested_block_leaves_the_outer_one(fake: FakeGateway):
    async with Blog(fake).transaction() as tx:
        with pytest.raises(TransactionTimeout):
            async with tx.transaction(timeout=0.01):
                await anyio.sleep(1)
        await read(tx)
    assert fake.log == ["+", "start", "savepoint", "rollback_to", "release", "select", "commit", "-"]


@pytest.mark.parametrize("how", ["task", "timeout"])
async def test_commit_that_does_not_end_is_told_of_the_cancellation_after_a_while(
    fake: FakeGateway, how: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mapper.transaction.PATIENCE", 0.02)
    fake.gates["commit"] = Gate()

    async def work() -> None:
        async with Blog(fake).transaction(timeout=0.02 if how == "timeout" else None):
            pass

    task = asyncio.ensure_future(work())
    await fake.gates["commit"].reached.wait()
    if how == "task":
        task.cancel()
    async with asyncio.timeout(2):
        await asyncio.wait([task])
    if how == "task":
        assert task.cancelled()
    else:
        assert isinstance(task.exception(), CommitUnknown)
    assert fake.log == ["+", "start", "commit", "- CancelledError"]
