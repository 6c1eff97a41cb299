"""Work that is done again where a row has changed since it was read."""

import pytest

from mapper.errors import MissingRow, QueryError, StaleRow
from mapper.selecting import select
from mapper.wrappers import Keyed, Versioned
from tests.changesets.forum import Forum, Message, Messages, Thread, ThreadMessages, Threads

Row = Versioned[Keyed[Message, int]]


async def message(forum: Forum) -> Row:
    changes = Forum.change()
    changes.inserts(Threads).push(Thread("a")).with_(ThreadMessages, [Message("0")])
    await changes.commit(forum)
    return await select(Messages).one(forum)


def stale(row: Row) -> Row:
    """The row as somebody had read it before its last write."""
    return Versioned(row.model, row.version - 1)


@pytest.mark.feature("T12")
@pytest.mark.parametrize("times", [0, 1, 3])
async def test_stale_work_is_done_again(forum: Forum, times: int):
    await message(forum)
    calls = 0

    async def work(tx: Forum) -> int:
        nonlocal calls
        calls += 1
        row = await select(Messages).one(tx)
        changes = Forum.change()
        changes.update(Messages, stale(row) if calls <= times else row, Messages.text.to(f"{calls}"))
        return (await changes.commit(tx)).updated

    assert await forum.retry_stale(work) == 1
    assert calls == times + 1
    assert await select(Messages.text, Messages.version).all(forum) == [(str(calls), 2)]


async def test_work_that_stays_stale_fails_in_the_end(forum: Forum):
    row = await message(forum)
    calls = 0

    async def work(tx: Forum) -> None:
        nonlocal calls
        calls += 1
        changes = Forum.change()
        changes.update(Messages, stale(row), Messages.text.to("x"))
        await changes.commit(tx)

    with pytest.raises(StaleRow):
        await forum.retry_stale(work, retries=2)
    assert calls == 3


async def test_row_that_is_gone_is_not_tried_again(forum: Forum):
    calls = 0

    async def work(tx: Forum) -> None:
        nonlocal calls
        calls += 1
        changes = Forum.change()
        changes.delete(Messages, 5)
        await changes.commit(tx)

    with pytest.raises(MissingRow):
        await forum.retry_stale(work)
    assert calls == 1


async def test_stale_work_is_done_once_on_a_transaction(forum: Forum):
    row = await message(forum)
    calls = 0

    async def work(tx: Forum) -> None:
        nonlocal calls
        calls += 1
        changes = Forum.change()
        changes.update(Messages, stale(row), Messages.text.to("x"))
        await changes.commit(tx)

    async with forum.transaction() as tx:
        with pytest.raises(StaleRow):
            await tx.retry_stale(work)
        assert await select(Messages.text).all(tx) == ["0"]
    assert calls == 1


async def test_number_of_retries_is_checked(forum: Forum):
    async def work(tx: Forum) -> None: ...

    with pytest.raises(QueryError, match="retries"):
        await forum.retry_stale(work, retries=-1)
