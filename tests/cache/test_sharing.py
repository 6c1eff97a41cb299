"""Readers who wait for one read, where its result is not kept: they share it if nobody can change it."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import anyio
import pytest

from cache_drivers.memory import MemoryDriver
from cache_drivers.null import NullDriver
from gateways.memory import MemoryGateway
from mapper import select
from mapper.cache import Cache, CachePolicy, ReadThrough
from mapper.gateway import Gateway
from tests.cache.shop import Counted, Shop, User, Users, Watched

pytestmark = pytest.mark.feature("C4", "V2")

READERS = 10


@pytest.fixture
async def store() -> AsyncIterator[Gateway]:
    async with MemoryGateway() as gateway:
        shop = Shop(gateway)
        await shop.push_schema()
        changes = Shop.change()
        changes.inserts(Users).extend([User(f"user {number}") for number in range(5)])
        await changes.commit(shop)
        yield gateway


async def test_result_that_is_too_large_is_read_once_for_all_who_wait(store: Gateway):
    watched, counted = Watched(policy=CachePolicy(max_rows=2)), Counted(store)
    shop = Shop(watched.cache.wrap(store))
    found: list[list[Any]] = []

    async def read() -> None:
        found.append(await select(Users.id, Users.name).order_by(Users.id).all(shop))

    async with anyio.create_task_group() as group:
        for _ in range(READERS):
            group.start_soon(read)
    assert counted.taken() == 1
    assert found == [[(number + 1, f"user {number}") for number in range(5)]] * READERS
    found[0].clear()
    assert all(len(each) == 5 for each in found[1:]), "each has a list of its own"
    assert watched.cache.stats().reasons["discarded", "large"] == 1


class Values:
    """A source of one value, how often it was asked, and how often at once."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.asked = 0
        self.most = 0
        self._now = 0

    async def __call__(self, key: int) -> Any:
        self.asked += 1
        self._now += 1
        self.most = max(self.most, self._now)
        await anyio.sleep(0.001)
        self._now -= 1
        return self.value() if callable(self.value) else self.value


async def read_by_many(values: Values, **policy: Any) -> list[Any]:
    cache = Cache(MemoryDriver(), namespace="test", policy=CachePolicy(**policy))
    source: ReadThrough[int, Any] = ReadThrough(cache, prefix="value", fetch=values, type=Any)
    found: list[Any] = []

    async def read() -> None:
        found.append(await source.get(1))

    async with anyio.create_task_group() as group:
        for _ in range(READERS):
            group.start_soon(read)
    return found


@pytest.mark.parametrize("value", ["x" * 2000, b"x" * 2000, Decimal("1" * 2000)], ids=["text", "bytes", "decimal"])
async def test_value_of_a_source_that_is_too_large_is_shared_where_nobody_can_change_it(value: Any):
    values = Values(value)
    assert await read_by_many(values, max_bytes=1000) == [value] * READERS
    assert values.asked == 1


async def test_value_that_can_be_changed_is_read_by_each_a_few_at_a_time():
    values = Values(lambda: ["x" * 2000])
    found = await read_by_many(values, max_bytes=1000)
    assert len({id(each) for each in found}) == READERS
    assert values.asked == READERS
    assert 1 < values.most <= 4


async def test_absence_that_is_not_kept_is_shared():
    values = Values(None)
    assert await read_by_many(values, negative_ttl=0) == [None] * READERS
    assert values.asked == 1


async def test_what_a_driver_refuses_is_discarded_and_no_fill(store: Gateway):
    watched = Watched(NullDriver())
    shop = Shop(watched.cache.wrap(store))
    await select(Users).find(1).execute(shop)
    await select(Users).where(Users.id.in_([1, 2])).all(shop)
    stats = watched.cache.stats()
    assert "fill" not in stats.counts
    assert stats.reasons["discarded", "refused"] == 3
