"""The cache on trio: one read for all who ask, work behind answers, and writes that are told of when they are cancelled."""

import anyio
import anyio.lowlevel
import pytest

from cache_drivers.memory import MemoryDriver
from gateways.memory import MemoryGateway
from mapper import select
from mapper.cache import Cache, CachePolicy, ReadThrough
from tests.cache.shop import Shop, User, Users

pytestmark = pytest.mark.feature("B17", "N1")


async def test_reads_are_kept_and_end_with_writes():
    cache = Cache(MemoryDriver(), namespace="trio")
    shop = Shop(cache.wrap(MemoryGateway()))
    await shop.push_schema()
    names = select(Users.name).order_by(Users.id)
    for name in ("Ada", "Bob"):
        changes = Shop.change()
        changes.inserts(Users).push(User(name))
        await changes.commit(shop)
        assert await names.all(shop) == await names.all(shop)
    async with shop.transaction() as tx:
        changes = Shop.change()
        changes.delete(Users, 1)
        await changes.commit(tx)
    assert await names.all(shop) == ["Bob"]
    assert cache.stats().hits == 2
    await cache.drain()


async def test_many_readers_are_one_read_and_stale_ones_are_refreshed_behind():
    calls = 0

    async def fetch(key: int) -> int:
        nonlocal calls
        calls += 1
        await anyio.lowlevel.checkpoint()
        return calls

    cache = Cache(MemoryDriver(), namespace="trio", policy=CachePolicy(ttl=0.02, swr=60, jitter=0))
    numbers = ReadThrough(cache, prefix="n", fetch=fetch)
    found = []

    async def read() -> None:
        found.append(await numbers.get(1))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(read)
        group.start_soon(read)
    assert found == [1] * 21
    await anyio.sleep(0.03)
    assert await numbers.get(1) == 1
    await cache.drain()
    assert calls == 2
    assert cache.stats().background == 0


async def test_reader_that_is_cancelled_cancels_nobody_else():
    gate, found = anyio.Event(), []

    async def fetch(key: int) -> str:
        await gate.wait()
        return "value"

    values = ReadThrough(Cache(MemoryDriver(), namespace="trio"), prefix="v", fetch=fetch)

    async def read(scope: anyio.CancelScope) -> None:
        with scope:
            found.append(await values.get(1))

    first, second = anyio.CancelScope(), anyio.CancelScope()
    async with anyio.create_task_group() as group:
        group.start_soon(read, first)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(read, second)
        await anyio.wait_all_tasks_blocked()
        first.cancel()
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert found == ["value"]
