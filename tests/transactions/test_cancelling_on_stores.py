"""Cancellation at each await of a transaction in turn, on every store; and groups of tasks in a transaction."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from mapper.errors import RolledBack, TransactionClosed, UniqueViolation
from mapper.gateway import Gateway
from mapper.selecting import select
from tests.changesets.blog import Blog, Comment, Comments, Post, Posts, Tag, Tags
from tests.postgres.torture import Cut
from tests.transactions.stores import databases, store
from tests.transactions.support import push

__all__ = ["databases", "store"]

pytestmark = pytest.mark.feature("T26")

AWAITS = 60
"""More than any piece of work here has."""

Work = Callable[[Blog], Awaitable[object]]


@pytest.fixture
async def blog(store: Gateway) -> Blog:
    blog = Blog(store)
    await blog.push_schema()
    return blog


async def titles(blog: Blog) -> list[str]:
    return await select(Posts.title).order_by(Posts.id).all(blog)


async def in_a_block(blog: Blog) -> None:
    async with blog.transaction() as tx:
        await push("a").commit(tx)
        async with tx.transaction() as inner:
            await push("b").commit(inner)
        assert len(await titles(tx)) % 2 == 0


async def undone_in_part(blog: Blog) -> None:
    async with blog.transaction(isolation="serializable") as tx:
        await push("a").commit(tx)
        with pytest.raises(ZeroDivisionError):
            async with tx.transaction() as inner:
                await push("never").commit(inner)
                raise ZeroDivisionError
        await push("b").commit(tx)


async def undone(blog: Blog) -> None:
    with pytest.raises(ZeroDivisionError):
        async with blog.transaction() as tx:
            await push("never").commit(tx)
            raise ZeroDivisionError


async def by_run(blog: Blog) -> None:
    async def work(tx: Blog) -> None:
        await push("a").commit(tx)
        await push("b").commit(tx)

    await blog.run(work, isolation="serializable")


async def in_one_changeset(blog: Blog) -> None:
    changes = push("a")
    changes.updates(Posts).where(Posts.title == "nothing").set(Posts.body.to("x"))
    changes.inserts(Posts).push(Post("b"))
    changes.inserts(Comments).push(Comment("c"), Comments.post_id.to(changes.inserts(Posts).push(Post("a"))))
    changes.inserts(Posts).push(Post("b"))
    await changes.commit(blog, isolation="serializable")


async def streaming(blog: Blog) -> None:
    async with blog.transaction() as tx:
        await push("a").commit(tx)
        async for title in select(Posts.title).order_by(Posts.id).execute(tx):
            if title == "a":
                await push("b").commit(tx)
                break


@pytest.mark.parametrize("how", [in_a_block, undone_in_part, undone, by_run, in_one_changeset, streaming])
async def test_cancelled_at_each_await_in_turn_leaves_all_or_nothing(blog: Blog, store: Gateway, how: Work):
    ended: Counter[bool] = Counter()
    for at in range(1, AWAITS):
        before = len(await titles(blog))
        cut = Cut(how(blog), at)  # type: ignore[arg-type]  # a coroutine
        task = asyncio.ensure_future(_awaited(cut))
        await asyncio.wait([task])
        assert task.cancelled() is cut.done, task
        assert store.statistics().in_use == 0
        after = await titles(blog)
        assert len(after) - before in ((0, 2, 4) if cut.done else (0,) if how is undone else (2, 4))
        assert "never" not in after
        ended[task.cancelled()] += 1
        if not cut.done and at > 3:
            break
    assert ended[False], f"{AWAITS} awaits were not enough"


async def _awaited(cut: Cut) -> None:
    await cut


async def test_errors_of_a_task_group_in_a_transaction_come_out_together_and_undo_it(blog: Blog, store: Gateway):
    await _tagged(blog)
    called: list[str] = []

    async def slow(tx: Blog) -> None:
        await push("slow").commit(tx)
        await asyncio.sleep(30)

    async def failing(tx: Blog) -> None:
        await push("failing").commit(tx)
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        async with blog.transaction() as tx:
            tx.after_rollback(lambda: called.append("undone"))
            async with asyncio.TaskGroup() as group:
                group.create_task(slow(tx))
                group.create_task(failing(tx))
                group.create_task(_again(tx))
    assert caught.group_contains(ZeroDivisionError) or caught.group_contains(UniqueViolation)
    assert await titles(blog) == []
    assert called == ["undone"]
    assert store.statistics().in_use == 0


async def test_task_group_whose_errors_are_caught_in_the_block_leaves_it_doomed_where_the_store_refused(blog: Blog):
    await _tagged(blog)
    with pytest.raises(RolledBack) as caught:
        async with blog.transaction() as tx:
            with pytest.raises(ExceptionGroup):
                async with asyncio.TaskGroup() as group:
                    group.create_task(_again(tx))
    assert isinstance(caught.value.__cause__, UniqueViolation)


async def test_task_group_in_a_nested_block_undoes_that_alone(blog: Blog):
    await _tagged(blog)
    async with blog.transaction() as tx:
        await push("kept").commit(tx)
        with pytest.raises(ExceptionGroup):
            async with tx.transaction() as inner, asyncio.TaskGroup() as group:
                group.create_task(push("undone").commit(inner))
                group.create_task(_again(inner))
        await push("too").commit(tx)
    assert await titles(blog) == ["kept", "too"]


async def _tagged(blog: Blog) -> None:
    changes = Blog.change()
    changes.inserts(Tags).push(Tag("a", "A"))
    await changes.commit(blog)


async def _again(tx: Blog) -> None:
    await _tagged(tx)


async def test_statements_of_many_tasks_are_done_in_the_order_of_their_coming(blog: Blog):
    async with blog.transaction() as tx:
        await asyncio.gather(*[push(f"t{number}").commit(tx) for number in range(30)])
        seen = await titles(tx)
    assert seen == [f"t{number}" for number in range(30)]


async def test_task_that_outlives_its_transaction_is_refused(blog: Blog):
    ended = asyncio.Event()

    async def late(tx: Blog) -> None:
        await ended.wait()
        await push("late").commit(tx)

    async with blog.transaction() as tx:
        task = asyncio.ensure_future(late(tx))
        await push("in time").commit(tx)
    ended.set()
    with pytest.raises(TransactionClosed):
        await task
    for used in (lambda: titles(tx), lambda: tx.load(Posts, [Post("x")]), lambda: tx.transaction().__aenter__()):
        with pytest.raises(TransactionClosed):
            await used()
    assert await titles(blog) == ["in time"]
