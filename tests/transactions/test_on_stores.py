"""Transactions on real stores: what is there, for whom, and what is left after a failure or a cancellation."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import pytest

from gateways.sqlite import SQLiteGateway
from mapper.errors import ReadOnly, RolledBack, TransactionClosed, UniqueViolation
from mapper.gateway import Gateway
from mapper.selecting import select
from tests.changesets.blog import Blog, Comment, Comments, Post, Posts, Tag, Tags
from tests.transactions.support import push

pytestmark = pytest.mark.feature("T26")


async def titles(blog: Blog) -> list[str]:
    return await select(Posts.title).order_by(Posts.id).all(blog)


async def test_commit_is_seen_by_others_and_not_before(blog: Blog):
    async with blog.transaction() as tx:
        await push("a").commit(tx)
        assert (await titles(tx), await titles(blog)) == (["a"], [])
    assert await titles(blog) == ["a"]


async def test_exception_leaves_nothing(blog: Blog, gateway: Gateway):
    with pytest.raises(ZeroDivisionError):
        async with blog.transaction() as tx:
            await push("a").commit(tx)
            raise ZeroDivisionError
    assert await titles(blog) == []
    assert gateway.statistics().in_use == 0


@pytest.mark.parametrize("isolation", ["read uncommitted", "read committed", "repeatable read", "serializable"])
async def test_every_level_is_given(blog: Blog, isolation: str):
    async with blog.transaction(isolation=isolation) as tx:  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # one of them
        await push("a").commit(tx)
    await push("b").commit(blog, isolation="serializable")
    assert await titles(blog) == ["a", "b"]


async def test_read_only_transaction_refuses_to_write(blog: Blog):
    await push("a").commit(blog)
    with pytest.raises(ReadOnly):
        async with blog.transaction(read_only=True) as tx:
            assert await titles(tx) == ["a"]
            await push("b").commit(tx)
    await push("c").commit(blog)
    assert await titles(blog) == ["a", "c"]


async def test_savepoint_undoes_its_own_part(blog: Blog):
    async with blog.transaction() as tx:
        await push("kept").commit(tx)
        with pytest.raises(ZeroDivisionError):
            async with tx.transaction() as inner:
                await push("undone").commit(inner)
                assert await titles(inner) == ["kept", "undone"]
                raise ZeroDivisionError
        async with tx.transaction() as inner:
            await push("too").commit(inner)
    assert await titles(blog) == ["kept", "too"]


async def test_failure_of_the_store_is_confined_in_a_nested_block(blog: Blog):
    changes = Blog.change()
    changes.inserts(Tags).push(Tag("a", "A"))
    await changes.commit(blog)
    async with blog.transaction() as tx:
        await push("before").commit(tx)
        with pytest.raises(UniqueViolation):
            async with tx.transaction() as inner:
                await push("undone").commit(inner)
                await changes.commit(inner)
        await push("after").commit(tx)
    assert await titles(blog) == ["before", "after"]


async def test_failure_of_the_store_dooms_the_transaction(blog: Blog):
    changes = Blog.change()
    changes.inserts(Posts).push(Post("undone"))
    changes.inserts(Tags).extend([Tag("a", "A"), Tag("b", "A")])
    with pytest.raises(RolledBack) as caught:
        async with blog.transaction() as tx:
            await push("undone too").commit(tx)
            with pytest.raises(UniqueViolation):
                await changes.commit(tx)
            with pytest.raises(RolledBack):
                await titles(tx)
    assert isinstance(caught.value.__cause__, UniqueViolation)
    assert (await titles(blog), await select(Tags).all(blog)) == ([], [])


async def test_rows_are_streamed_in_a_transaction_while_it_writes(blog: Blog):
    await blog.load(Posts, [Post(f"t{number}") for number in range(2500)])
    async with blog.transaction() as tx:
        seen = 0
        async for keyed in select(Posts).order_by(Posts.id).execute(tx):
            if seen % 1000 == 0:
                changes = Blog.change()
                changes.inserts(Comments).push(Comment(keyed.model.title), Comments.post_id.to(keyed.key))
                await changes.commit(tx)
            seen += 1
        assert seen == 2500
    assert await select(Comments.text).order_by(Comments.id).all(blog) == ["t0", "t1000", "t2000"]


async def test_stream_ends_with_its_transaction(blog: Blog):
    await blog.load(Posts, [Post(f"t{number}") for number in range(3000)])
    async with blog.transaction() as tx:
        rows = select(Posts).execute(tx)
        await anext(rows)
    with pytest.raises(TransactionClosed):
        while True:
            await anext(rows)


async def test_tasks_share_a_transaction(blog: Blog):
    async with blog.transaction() as tx, anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(push(f"t{number}").commit, tx)
            group.start_soon(titles, tx)
    assert len(await titles(blog)) == 20


async def test_transactions_of_many_tasks_lose_no_update(blog: Blog):
    changes = Blog.change()
    key = changes.inserts(Posts).push(Post("counter"))
    found = (await changes.commit(blog))[key]

    async def count(tx: Blog) -> None:
        visits = await select(Posts.visits).where(Posts.id == found).one(tx)
        changes = Blog.change()
        changes.updates(Posts).where(Posts.id == found).set(Posts.visits.to(visits + 1))
        await changes.commit(tx)

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(partial(blog.run, count, retries=50, isolation="serializable"))
    assert await select(Posts.visits).one(blog) == 10


async def by_scope(work: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await work()


async def by_task(work: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> None:
    task = asyncio.ensure_future(work())
    await asyncio.sleep(seconds)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("cancelled", [by_scope, by_task])
async def test_cancellation_at_any_await_leaves_all_or_nothing_and_no_connection(
    gateway: Gateway, blog: Blog, cancelled: Any
):
    choose = random.Random(7)
    changes = Blog.change()
    post = changes.inserts(Posts).push(Post("a"))
    changes.inserts(Comments).push(Comment("x"), Comments.post_id.to(post))

    async def work() -> None:
        if choose.random() < 0.5:
            await changes.commit(blog)
            return
        async with blog.transaction() as tx:
            await changes.commit(tx)
            async with tx.transaction() as inner:
                await titles(inner)

    for _ in range(100):
        await cancelled(work, choose.random() * 0.003)
    posts, comments = await titles(blog), await select(Comments).all(blog)
    assert len(posts) == len(comments)
    assert gateway.statistics().in_use == 0
    await work()
    assert len(await titles(blog)) == len(posts) + 1


async def test_gateway_of_one_connection_is_enough():
    async with SQLiteGateway(":memory:", max_connections=1) as gateway:
        blog = Blog(gateway)
        await blog.push_schema()
        for _ in range(3):
            async with blog.transaction() as tx:
                await push().commit(tx)
            with pytest.raises(ZeroDivisionError):
                async with blog.transaction() as tx:
                    raise ZeroDivisionError
        assert len(await titles(blog)) == 3
