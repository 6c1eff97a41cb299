"""What runs after a commit, and work that is done again; on a gateway that logs."""

from functools import partial
from typing import Any

import anyio
import pytest

from mapper.errors import (
    AfterCommitError,
    CommitUnknown,
    ConnectionLost,
    QueryError,
    SerializationFailure,
    UniqueViolation,
)
from tests.changesets.blog import Blog
from tests.fake_gateway import FakeGateway
from tests.transactions.support import read

pytestmark = pytest.mark.feature("T26")


async def test_callbacks_run_in_order_after_the_commit(fake: FakeGateway):
    async def later() -> None:
        await anyio.lowlevel.checkpoint()
        fake.log.append("async")

    async with Blog(fake).transaction() as tx:
        tx.after_commit(lambda: fake.log.append("sync"))
        tx.after_commit(later)
        tx.after_commit(partial(fake.log.append, "last"))
    assert fake.log == ["+", "start", "commit", "-", "sync", "async", "last"]


async def test_callbacks_of_what_is_rolled_back_are_not_called(fake: FakeGateway):
    called: list[str] = []
    async with Blog(fake).transaction() as tx:
        with pytest.raises(ZeroDivisionError):
            async with tx.transaction() as inner:
                inner.after_commit(lambda: called.append("undone"))
                raise ZeroDivisionError
        async with tx.transaction() as inner:
            inner.after_commit(lambda: called.append("kept"))
        assert called == []
    assert called == ["kept"]
    with pytest.raises(ZeroDivisionError):
        async with Blog(fake).transaction() as tx:
            tx.after_commit(lambda: called.append("undone"))
            raise ZeroDivisionError
    assert called == ["kept"]


async def test_callbacks_of_a_commit_that_failed_are_not_called(fake: FakeGateway):
    fake.fail("commit", SerializationFailure("conflict"))
    with pytest.raises(SerializationFailure):
        async with Blog(fake).transaction() as tx:
            tx.after_commit(lambda: pytest.fail("called"))


async def test_what_callbacks_raise_comes_out_as_a_group(fake: FakeGateway):
    called: list[str] = []

    async def fails() -> None:
        raise ValueError("second")

    with pytest.raises(AfterCommitError) as caught:
        async with Blog(fake).transaction() as tx:
            tx.after_commit(lambda: 1 / 0)
            tx.after_commit(fails)
            tx.after_commit(lambda: called.append("third"))
    assert [type(each) for each in caught.value.exceptions] == [ZeroDivisionError, ValueError]
    assert (called, fake.log[-2:]) == (["third"], ["commit", "-"])


async def test_callback_that_cannot_be_called_is_refused(fake: FakeGateway):
    wrong: Any = 3
    async with Blog(fake).transaction() as tx:
        with pytest.raises(QueryError, match="takes a function"):
            tx.after_commit(wrong)


def test_repository_without_a_transaction_has_no_commit_to_wait_for(fake: FakeGateway):
    with pytest.raises(QueryError, match="no transaction"):
        Blog(fake).after_commit(print)


@pytest.mark.feature("N3")
async def test_work_is_done_again_in_a_new_transaction(fake: FakeGateway):
    fake.fail("commit", SerializationFailure("1"), SerializationFailure("2"))

    async def work(tx: Blog) -> int:
        await read(tx)
        return 7

    assert await Blog(fake).run(work) == 7
    assert fake.log == ["+", "start", "select", "commit", "- SerializationFailure"] * 2 + [
        "+",
        "start",
        "select",
        "commit",
        "-",
    ]


async def test_work_that_swallows_the_error_is_done_again_too(fake: FakeGateway):
    fake.fail("select", SerializationFailure("conflict"))

    async def work(tx: Blog) -> None:
        try:
            await read(tx)
        except SerializationFailure:
            pass

    await Blog(fake).run(work, isolation="serializable")
    assert fake.log.count("start") == 2


@pytest.mark.parametrize("error", [CommitUnknown("?"), UniqueViolation("taken"), ConnectionLost("gone")])
async def test_work_is_not_done_again_where_that_cannot_help(fake: FakeGateway, error: Exception):
    fake.fail("commit", error)
    with pytest.raises(type(error)):
        await Blog(fake).run(read)
    assert fake.log.count("start") == 1


async def test_error_of_the_work_itself_is_raised(fake: FakeGateway):
    async def work(tx: Blog) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Blog(fake).run(work)
    assert fake.log == ["+", "start", "rollback", "-"]


async def test_callback_that_fails_does_not_repeat_the_work(fake: FakeGateway):
    async def work(tx: Blog) -> None:
        tx.after_commit(lambda: 1 / 0)

    with pytest.raises(AfterCommitError):
        await Blog(fake).run(work)
    assert fake.log.count("start") == 1


async def test_work_on_a_transaction_is_done_once_in_a_nested_block(fake: FakeGateway):
    fake.fail("select", SerializationFailure("conflict"))
    async with Blog(fake).transaction() as tx:
        with pytest.raises(SerializationFailure):
            await tx.run(read)
    assert fake.log == ["+", "start", "savepoint", "select", "rollback_to", "release", "commit", "-"]


@pytest.mark.parametrize("retries", [-1, 1.5, True])
async def test_wrong_number_of_retries_is_refused(fake: FakeGateway, retries: Any):
    with pytest.raises(QueryError, match="retries is"):
        await Blog(fake).run(read, retries=retries)
    assert fake.log == []
