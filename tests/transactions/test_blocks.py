"""The block of a transaction: what is sent at its ends; on a gateway that logs."""

import math
from typing import Any

import anyio
import pytest

from mapper.errors import (
    CommitUnknown,
    ConnectionLost,
    QueryError,
    RolledBack,
    SerializationFailure,
    StatementError,
    UniqueViolation,
    Unsupported,
)
from tests.changesets.blog import Blog, Posts, Tag, Tags
from tests.fake_gateway import FakeGateway, Gate, query
from tests.transactions.support import push, read

pytestmark = pytest.mark.feature("T26")


async def test_block_commits_at_its_end(fake: FakeGateway):
    async with Blog(fake).transaction() as tx:
        assert isinstance(tx, Blog)
        assert repr(tx) == "<Blog on fake in a transaction>"
        await read(tx)
    assert fake.log == ["+", "start", "select", "commit", "-"]


async def test_exception_rolls_back(fake: FakeGateway):
    with pytest.raises(ZeroDivisionError):
        async with Blog(fake).transaction() as tx:
            await read(tx)
            raise ZeroDivisionError
    assert fake.log == ["+", "start", "select", "rollback", "-"]


async def test_options_are_those_of_the_start(fake: FakeGateway):
    started: list[Any] = []
    perform = fake.perform

    async def noted(operation: Any) -> Any:
        started.append(operation)
        return await perform(operation)

    fake.perform = noted  # type: ignore[method-assign]  # to see the operations
    async with Blog(fake).transaction(isolation="serializable", read_only=True):
        pass
    assert (started[0].isolation, started[0].read_only, fake.log[0]) == ("serializable", True, "+r")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"isolation": "strict"}, QueryError),
        ({"isolation": "repeatable read"}, Unsupported),
        ({"timeout": 0}, QueryError),
        ({"timeout": -1}, QueryError),
        ({"timeout": math.inf}, QueryError),
        ({"timeout": math.nan}, QueryError),
        ({"timeout": True}, QueryError),
    ],
)
async def test_wrong_options_are_refused_before_anything_is_sent(fake: FakeGateway, options: Any, error: Any):
    with pytest.raises(error):
        async with Blog(fake).transaction(**options):
            pass
    assert fake.log == []


@pytest.mark.parametrize(
    ("lacking", "options"), [("transactions", {}), ("read_only", {"read_only": True})], ids=["none", "read only"]
)
async def test_store_that_cannot_is_told(lacking: str, options: Any):
    fake = FakeGateway(**{lacking: False})
    with pytest.raises(Unsupported):
        async with Blog(fake).transaction(**options):
            pass
    assert fake.log == []


async def test_block_is_entered_once(fake: FakeGateway):
    block = Blog(fake).transaction()
    async with block:
        pass
    with pytest.raises(QueryError, match="entered twice"):
        async with block:
            pass


async def test_attributes_of_a_repository_go_along(fake: FakeGateway):
    class Named(Blog):
        def __init__(self, gateway: FakeGateway, name: str) -> None:
            super().__init__(gateway)
            self.name = name

    async with Named(fake, "main").transaction() as tx:
        assert (type(tx), tx.name) == (Named, "main")


async def test_start_that_fails_gives_the_connection_back(fake: FakeGateway):
    fake.fail("start", StatementError("no"))
    with pytest.raises(StatementError):
        async with Blog(fake).transaction():
            pytest.fail("the block was entered")
    assert fake.log == ["+", "start", "- StatementError"]


@pytest.mark.parametrize("error", [SerializationFailure("conflict"), CommitUnknown("?"), ConnectionLost("gone")])
async def test_commit_that_fails_discards_the_connection(fake: FakeGateway, error: Exception):
    fake.fail("commit", error)
    with pytest.raises(type(error)):
        async with Blog(fake).transaction() as tx:
            await read(tx)
    assert fake.log == ["+", "start", "select", "commit", f"- {type(error).__name__}"]


async def test_rollback_that_fails_discards_the_connection_and_hides_nothing(fake: FakeGateway):
    fake.fail("rollback", ConnectionLost("gone"))
    with pytest.raises(ZeroDivisionError):
        async with Blog(fake).transaction():
            raise ZeroDivisionError
    assert fake.log == ["+", "start", "rollback", "- ConnectionLost"]


async def test_failed_operation_dooms_the_transaction(fake: FakeGateway):
    first = UniqueViolation("taken")
    fake.fail("insert Posts 1", first)
    with pytest.raises(RolledBack) as caught:
        async with Blog(fake).transaction() as tx:
            with pytest.raises(UniqueViolation):
                await push().commit(tx)
            with pytest.raises(RolledBack, match="UniqueViolation: taken") as later:
                await read(tx)
            assert later.value.__cause__ is first
            with pytest.raises(RolledBack):
                await push().commit(tx)
            with pytest.raises(RolledBack):
                tx.after_commit(print)
    assert caught.value.__cause__ is first
    assert fake.log == ["+", "start", "insert Posts 1", "rollback", "-"]


async def test_what_is_refused_before_it_is_sent_dooms_nothing(fake: FakeGateway):
    async with Blog(fake).transaction() as tx:
        changes = Blog.change()
        changes.deletes(Posts)
        with pytest.raises(QueryError):
            await changes.commit(tx)
        await push().commit(tx)
    assert fake.log == ["+", "start", "insert Posts 1", "commit", "-"]


async def test_error_of_a_model_dooms_nothing(fake: FakeGateway):
    def broken(rows: object, names: object) -> list[Any]:
        raise ValueError("no")

    async with Blog(fake).transaction() as tx:
        with pytest.raises(ValueError, match="no"):
            await tx._executor.fetch(query(), broken)
        await read(tx)
    assert fake.log[-2:] == ["commit", "-"]


async def test_cancelled_operation_dooms_the_transaction(fake: FakeGateway):
    fake.gates["select"] = Gate()
    with pytest.raises(RolledBack):
        async with Blog(fake).transaction() as tx:
            with anyio.move_on_after(0.01):
                await read(tx)
    assert fake.log == ["+", "start", "select", "rollback", "-"]


async def test_changeset_that_is_cancelled_half_way_is_not_committed(fake: FakeGateway):
    fake.gates["insert Tags 1"] = Gate()
    changes = push()
    changes.inserts(Tags).push(Tag("x", "X"))
    with pytest.raises(RolledBack):
        async with Blog(fake).transaction() as tx:
            with anyio.move_on_after(0.01):
                await changes.commit(tx)
    assert fake.log == ["+", "start", "insert Posts 1", "insert Tags 1", "rollback", "-"]
