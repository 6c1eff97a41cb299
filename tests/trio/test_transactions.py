"""Transactions, changesets and loads on trio: the same code, cancelled the trio way."""

import random

import anyio
import pytest

from gateways.memory import MemoryGateway
from mapper.errors import RolledBack, TransactionTimeout
from mapper.selecting import select
from tests.changesets.blog import Blog, Comment, Comments, Post, Posts
from tests.fake_gateway import FakeGateway, Gate
from tests.transactions.support import push, read

pytestmark = pytest.mark.feature("B17", "T26")


async def open_blog() -> Blog:
    blog = Blog(MemoryGateway())
    await blog.push_schema()
    return blog


async def test_changeset_transaction_and_load_work():
    blog = await open_blog()
    changes = Blog.change()
    post = changes.inserts(Posts).push(Post("a"))
    changes.inserts(Comments).push(Comment("x"), Comments.post_id.to(post))
    called: list[str] = []
    async with blog.transaction() as tx:
        await changes.commit(tx)
        tx.after_commit(lambda: called.append("after"))
        async with tx.transaction() as inner:
            await inner.load(Posts, [Post("b"), Post("c")])
    assert await select(Posts.title).order_by(Posts.id).all(blog) == ["a", "b", "c"]
    assert called == ["after"]


async def test_timeout_rolls_back():
    fake = FakeGateway()
    with pytest.raises(TransactionTimeout):
        async with Blog(fake).transaction(timeout=0.02) as tx:
            await read(tx)
            await anyio.sleep(5)
    assert fake.log == ["+", "start", "select", "rollback", "-"]


async def test_cancelled_operation_dooms_the_transaction():
    fake = FakeGateway()
    fake.gates["select"] = Gate()
    with pytest.raises(RolledBack):
        async with Blog(fake).transaction() as tx:
            with anyio.move_on_after(0.01):
                await read(tx)
    assert fake.log == ["+", "start", "select", "rollback", "-"]


async def test_commit_that_has_begun_is_finished():
    fake = FakeGateway()
    gate = fake.gates["commit"] = Gate()
    async with anyio.create_task_group() as group:

        async def work() -> None:
            async with Blog(fake).transaction():
                pass

        group.start_soon(work)
        await gate.reached.wait()
        group.cancel_scope.cancel()
        gate.opened.set()
    assert fake.log == ["+", "start", "commit", "-"]


async def test_cancellation_at_any_await_leaves_all_or_nothing():
    blog = await open_blog()
    choose = random.Random(11)
    changes = Blog.change()
    post = changes.inserts(Posts).push(Post("a"))
    changes.inserts(Comments).push(Comment("x"), Comments.post_id.to(post))
    for _ in range(200):
        with anyio.move_on_after(choose.random() * 0.0005):
            async with blog.transaction() as tx:
                await changes.commit(tx)
                async with tx.transaction() as inner:
                    await push().commit(inner)
    posts, comments = await select(Posts).all(blog), await select(Comments).all(blog)
    assert len(posts) == 2 * len(comments)
    assert blog._executor.gateway.statistics().in_use == 0
