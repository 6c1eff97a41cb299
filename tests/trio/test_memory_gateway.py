"""The memory gateway on trio: the same code, waiting and cancelled the trio way."""

from typing import Any

import anyio
import pytest
import trio
import trio.testing

from gateways.memory import MemoryGateway
from mapper.errors import LockTimeout
from mapper.operations import Transaction
from mapper.repository import Repository
from mapper.selecting import select
from tests.memory.shop import (
    Everything,
    Post,
    Posts,
    User,
    Users,
    compiled,
    insert,
    insertion,
    keys,
    made_gateway,
    rows,
)

pytestmark = pytest.mark.feature("B17")

NAMES = select(Users.name).order_by(Users.id)
START, COMMIT = Transaction("start"), Transaction("commit")


@pytest.fixture
async def gateway() -> MemoryGateway:
    return await made_gateway()


async def write(connection: Any, name: str) -> None:
    await connection.execute(compiled(insertion(Users, {"name": name})))


async def test_rows_are_written_and_read(gateway: MemoryGateway):
    assert await keys(gateway, Users, {"name": "a"}, {"name": "b"}) == [1, 2]
    assert await rows(gateway, NAMES) == ["a", "b"]
    assert await select(Users).find(3).execute(Everything(gateway)) is None


async def test_stream_gives_control_away_between_batches(gateway: MemoryGateway):
    await insert(gateway, Posts, *[{"title": str(each)} for each in range(10_000)])
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tick)
        found = [title async for title in select(Posts.title).execute(Everything(gateway))]
        nursery.cancel_scope.cancel()
    assert len(found) == 10_000
    assert ticks >= 10


async def test_writers_take_turns(gateway: MemoryGateway):
    async def transaction(name: str) -> None:
        async with gateway.connection() as connection:
            await connection.execute(START)
            await write(connection, name)
            await trio.lowlevel.checkpoint()
            await connection.execute(COMMIT)

    async with trio.open_nursery() as nursery:
        for each in "abc":
            nursery.start_soon(transaction, each)
    assert sorted(await rows(gateway, NAMES)) == ["a", "b", "c"]


async def test_cancelled_transaction_leaves_nothing(gateway: MemoryGateway):
    with trio.move_on_after(0.01):
        async with gateway.connection() as connection:
            await connection.execute(START)
            await write(connection, "a")
            await trio.sleep_forever()
    assert await rows(gateway, NAMES) == []
    assert gateway.statistics().in_use == 0
    await insert(gateway, Users, {"name": "b"})


async def test_cancelled_writer_leaves_the_line(gateway: MemoryGateway):
    async with trio.open_nursery() as nursery, gateway.connection() as connection:
        await connection.execute(START)
        scope = trio.CancelScope()

        async def wait() -> None:
            with scope:
                await insert(gateway, Users, {"name": "never"})

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert gateway.statistics().waiting == 1
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert gateway.statistics().waiting == 0
        await connection.execute(COMMIT)
    assert await rows(gateway, NAMES) == []


async def test_task_that_would_wait_for_itself_is_told_at_once(gateway: MemoryGateway):
    async with gateway.connection() as connection:
        await connection.execute(START)
        with pytest.raises(LockTimeout):
            await insert(gateway, Users, {"name": "a"})


class Shop(Repository[Users | Posts]): ...


async def test_repository_code_runs_on_trio_too():
    shop = Shop(MemoryGateway())
    await shop.push_schema()
    changes = Shop.change()
    author = changes.inserts(Users).push(User("ada"))
    changes.inserts(Posts).push(Post("hello"), Posts.author_id.to(author), Posts.visits.to(0), Posts.public.to(True))
    result = await changes.commit(shop)
    assert result[author] == 1
    async with shop.transaction() as tx:
        more = Shop.change()
        more.inserts(Users).push(User("bob"))
        await more.commit(tx)
        assert await NAMES.all(tx) == ["ada", "bob"]
        assert await NAMES.all(shop) == ["ada"]
    with trio.move_on_after(0.01):
        async with shop.transaction() as tx:
            await Shop.change().commit(tx)
            await trio.sleep_forever()
    assert await NAMES.all(shop) == ["ada", "bob"]
    assert [title async for title in select(Posts.title).execute(shop)] == ["hello"]


def test_gateway_goes_from_one_loop_to_the_next():
    gateway = MemoryGateway()

    async def leave_open() -> None:
        from tests.memory.shop import create

        await create(gateway, Users)
        await insert(gateway, Users, {"name": "a"})
        connection = await gateway.connection().__aenter__()
        await connection.execute(START)
        await write(connection, "lost")

    async def go_on() -> list[str]:
        await insert(gateway, Users, {"name": "b"})
        return await rows(gateway, NAMES)

    trio.run(leave_open)
    assert trio.run(go_on) == ["a", "b"]
    assert anyio.run(rows, gateway, NAMES) == ["a", "b"]
