"""Nested blocks: savepoints, what they confine, who may use what meanwhile; on a gateway that logs."""

from typing import Any

import anyio
import pytest

from mapper.errors import (
    QueryError,
    RolledBack,
    StatementError,
    TransactionClosed,
    UniqueViolation,
    Unsupported,
)
from tests.changesets.blog import Blog
from tests.fake_gateway import FakeGateway, Gate
from tests.transactions.support import push, read

pytestmark = pytest.mark.feature("T26")


async def test_nested_block_is_a_savepoint(fake: FakeGateway):
    async with Blog(fake).transaction() as tx:
        async with tx.transaction() as inner:
            assert isinstance(inner, Blog)
            async with inner.transaction() as innermost:
                await read(innermost)
        await read(tx)
    savepoints = ["savepoint", "savepoint", "select", "release", "release"]
    assert fake.log == ["+", "start", *savepoints, "select", "commit", "-"]


async def test_nested_block_keeps_its_failure_to_itself(fake: FakeGateway):
    fake.fail("insert Posts 1", UniqueViolation("taken"))
    async with Blog(fake).transaction() as tx:
        with pytest.raises(UniqueViolation):
            async with tx.transaction() as inner:
                await push().commit(inner)
        await read(tx)
    failed = ["savepoint", "insert Posts 1", "rollback_to", "release"]
    assert fake.log == ["+", "start", *failed, "select", "commit", "-"]


async def test_nested_block_left_as_if_all_were_well_is_told(fake: FakeGateway):
    fake.fail("insert Posts 1", UniqueViolation("taken"))
    async with Blog(fake).transaction() as tx:
        with pytest.raises(RolledBack):
            async with tx.transaction() as inner:
                with pytest.raises(UniqueViolation):
                    await push().commit(inner)
        await read(tx)
    assert fake.log[-3:] == ["select", "commit", "-"]


@pytest.mark.parametrize("word", ["savepoint", "release", "rollback_to"])
async def test_savepoint_that_fails_dooms_the_outer_block(fake: FakeGateway, word: str):
    fake.fail(word, StatementError("no"))
    with pytest.raises(RolledBack, match="StatementError: no"):
        async with Blog(fake).transaction() as tx:
            with pytest.raises((StatementError, ZeroDivisionError)):
                async with tx.transaction():
                    if word == "rollback_to":
                        raise ZeroDivisionError
            with pytest.raises(RolledBack):
                await read(tx)
    assert fake.log[-2:] == ["rollback", "-"]


async def test_outer_used_while_a_nested_block_is_open_is_refused(fake: FakeGateway):
    async with Blog(fake).transaction() as tx:
        async with tx.transaction():
            for use in (read(tx), push().commit(tx)):
                with pytest.raises(TransactionClosed, match="nested block of it is open") as caught:
                    await use
                assert "as inner" in str(caught.value.hint)
        await read(tx)
    assert fake.log[-3:] == ["select", "commit", "-"]


async def test_second_nested_block_of_the_same_task_is_refused_instead_of_waiting_for_itself(fake: FakeGateway):
    async with Blog(fake).transaction() as tx, tx.transaction():
        with pytest.raises(TransactionClosed, match="nested block of it is open"):
            async with tx.transaction():
                pass


async def test_nested_blocks_of_several_tasks_queue(fake: FakeGateway):
    async def nested(tx: Blog, name: str) -> None:
        async with tx.transaction() as inner:
            await read(inner, f"{name} 1")
            await anyio.lowlevel.checkpoint()
            await read(inner, f"{name} 2")

    async with Blog(fake).transaction() as tx, anyio.create_task_group() as group:
        for name in ("a", "b", "c"):
            group.start_soon(nested, tx, name)
    blocks = [["savepoint", f"{name} 1", f"{name} 2", "release"] for name in ("a", "b", "c")]
    assert fake.log[2:-2] == [word for block in blocks for word in block]


async def test_nested_block_that_is_cancelled_while_it_waits_stops_nobody(fake: FakeGateway):
    async with Blog(fake).transaction() as tx, anyio.create_task_group() as group:
        gate = fake.gates["held"] = Gate()

        async def nested() -> None:
            async with tx.transaction() as inner:
                await read(inner, "held")

        group.start_soon(nested)
        await gate.reached.wait()
        with anyio.move_on_after(0.01):
            async with tx.transaction():
                pytest.fail("the block was entered")
        group.start_soon(nested)
        await anyio.wait_all_tasks_blocked()
        gate.opened.set()
    assert fake.log.count("savepoint") == fake.log.count("release") == 2


async def test_nested_block_takes_no_options_of_its_own(fake: FakeGateway):
    async with Blog(fake).transaction() as tx:
        every: list[Any] = [{"isolation": "serializable"}, {"read_only": True}]
        for options in every:
            with pytest.raises(QueryError, match="nested block has the isolation"):
                async with tx.transaction(**options):
                    pass
        await read(tx)


async def test_nested_block_needs_savepoints():
    fake = FakeGateway(savepoints=False)
    async with Blog(fake).transaction() as tx:
        with pytest.raises(Unsupported):
            async with tx.transaction():
                pass
