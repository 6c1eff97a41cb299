"""Rows of a list of keys: each is fresh, soft, stale or missing by itself, and what is missing is read once for all."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import pytest

from cache_drivers.memory import MemoryDriver
from gateways.memory import MemoryGateway
from mapper import select
from mapper.cache import CachePolicy
from mapper.delegating import DelegatingGateway
from mapper.errors import CacheMiss, ConnectionLost
from mapper.gateway import Decode, Gateway
from mapper.operations import Operation
from tests.cache.faults import Clock
from tests.cache.shop import Counted, Shop, User, Users, Watched

pytestmark = pytest.mark.feature("C1", "C4", "V2")


class Gated(DelegatingGateway):
    """A gateway whose reads wait, or fail, when they are told to."""

    def __init__(self, inner: Gateway) -> None:
        super().__init__(inner)
        self.gate: anyio.Event | None = None
        self.error: Exception | None = None

    @property
    def freshest(self) -> Gateway:
        return self

    async def fetch(self, operation: Operation, decode: Decode[Any]) -> list[Any]:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return await self.inner.fetch(operation, decode)


class Listed:
    """Five users behind a cache whose clock stands still."""

    def __init__(self, gateway: Gateway, *, verify: float = 0.0, spawn: Any = None, **policy: Any) -> None:
        self.clock = Clock()
        self.gated = Gated(gateway)
        self.counted = Counted(gateway)
        self.plain = Shop(gateway)
        self.watched = Watched(
            MemoryDriver(clock=self.clock),
            policy=CachePolicy(ttl=10, jitter=0, **policy),
            clock=self.clock,
            now=self.clock,
            verify_sample=verify,
            on_background=spawn,
        )
        self.cache = self.watched.cache
        self.shop = Shop(self.cache.wrap(self.gated))

    async def filled(self) -> "Listed":
        changes = Shop.change()
        changes.inserts(Users).extend([User(f"user {number}", number) for number in range(1, 6)])
        await changes.commit(self.plain)
        return self

    async def scores(self, *keys: int, mode: Any = "read") -> list[int]:
        query = select(Users).where(Users.id.in_(list(keys))).cached(mode=mode)
        return [each.model.score for each in await query.all(self.shop)]

    async def changed(self, key: int, score: int) -> None:
        """Change a row past the cache."""
        changes = Shop.change()
        changes.update(Users, key, Users.score.to(score))
        await changes.commit(self.plain)


@pytest.fixture
async def store() -> AsyncIterator[Gateway]:
    async with MemoryGateway() as gateway:
        await Shop(gateway).push_schema()
        yield gateway


async def test_soft_rows_are_served_and_read_anew_together_behind(store: Gateway):
    listed = await Listed(store, swr=60).filled()
    assert await listed.scores(1, 2, 3) == [1, 2, 3]
    listed.clock.at += 5
    assert await listed.scores(4) == [4]
    await listed.changed(2, 20)
    listed.clock.at += 7
    listed.counted.taken()
    listed.watched.taken()
    assert await listed.scores(1, 2, 3, 4) == [1, 2, 3, 4]
    told = listed.watched.taken()
    assert told.count(("refresh", "stale")) == 3
    assert [kind for kind, _ in told].count("hit") == 4
    await listed.cache.drain()
    assert listed.counted.taken() == 1, "they are read at once"
    assert await listed.scores(1, 2, 3, 4) == [1, 20, 3, 4]
    assert listed.counted.taken() == 0


async def test_soft_row_is_read_anew_by_one_of_many_readers(store: Gateway):
    listed = await Listed(store, swr=60).filled()
    await listed.scores(1, 2)
    listed.clock.at += 11
    listed.counted.taken()
    listed.gated.gate = anyio.Event()
    for _ in range(5):
        assert await listed.scores(1, 2) == [1, 2]
    listed.gated.gate.set()
    await listed.cache.drain()
    assert listed.counted.taken() == 1


async def test_row_that_was_changed_through_the_cache_is_not_served_softly(store: Gateway):
    listed = await Listed(store, swr=60, stale_if_error=60).filled()
    await listed.scores(1, 2)
    changes = Shop.change()
    changes.update(Users, 2, Users.score.to(20))
    await changes.commit(listed.shop)
    listed.clock.at += 11
    assert await listed.scores(1, 2) == [1, 20]
    await listed.cache.drain()
    listed.clock.at += 11
    listed.gated.error = ConnectionLost("away")
    assert await listed.scores(1, 2) == [1, 20]


async def test_expired_rows_are_served_where_the_store_fails_and_all_are_there(store: Gateway):
    listed = await Listed(store, stale_if_error=60).filled()
    await listed.scores(1, 2)
    listed.clock.at += 11
    listed.gated.error = ConnectionLost("away")
    listed.watched.taken()
    assert await listed.scores(1, 2) == [1, 2]
    assert listed.watched.taken().count(("hit", "error")) == 2
    with pytest.raises(ConnectionLost):
        await listed.scores(1, 2, 3)
    listed.gated.error = ValueError("a bug")
    with pytest.raises(ValueError, match="a bug"):
        await listed.scores(1, 2)
    listed.clock.at += 60
    listed.gated.error = ConnectionLost("away")
    with pytest.raises(ConnectionLost):
        await listed.scores(1, 2)


async def test_rows_are_read_anew_early_by_chance(store: Gateway):
    listed = await Listed(store, early=1e12).filled()

    async def slow(operation: Operation, decode: Decode[Any]) -> list[Any]:
        listed.clock.at += 0.001
        return await store.fetch(operation, decode)

    listed.gated.fetch = slow  # type: ignore[method-assign]  # of this one alone
    await listed.scores(1, 2)
    listed.counted.taken()
    listed.watched.taken()
    assert await listed.scores(1, 2) == [1, 2]
    assert listed.watched.taken().count(("refresh", "early")) == 2
    await listed.cache.drain()
    assert listed.counted.taken() == 1


async def test_rows_that_are_sampled_are_compared_with_the_store_at_once(store: Gateway):
    listed = await Listed(store, verify=1.0).filled()
    await listed.scores(1, 2, 3)
    await listed.changed(2, 20)
    listed.counted.taken()
    listed.watched.taken()
    assert await listed.scores(1, 2, 3) == [1, 2, 3]
    await listed.cache.drain()
    told = [kind for kind, _ in listed.watched.taken()]
    assert (told.count("verified"), told.count("inconsistent")) == (2, 1)
    assert listed.counted.taken() == 1


async def test_readers_of_overlapping_lists_read_each_missing_row_once(store: Gateway):
    listed = await Listed(store).filled()
    listed.gated.gate = anyio.Event()
    found: dict[int, list[int]] = {}
    lists = [(1, 2), (2, 3), (1, 2, 3, 4), (4,)]

    async def read(number: int, keys: Sequence[int]) -> None:
        found[number] = await listed.scores(*keys)

    listed.counted.taken()
    async with anyio.create_task_group() as group:
        for number, keys in enumerate(lists):
            group.start_soon(read, number, keys)
            await anyio.wait_all_tasks_blocked()
        assert listed.cache.stats().in_flight == 4
        listed.gated.gate.set()
    assert [found[number] for number in range(4)] == [list(keys) for keys in lists]
    assert listed.counted.taken() == 3, "(1, 2), then 3, then 4, and nothing for the last"
    assert listed.cache.stats().in_flight == 0
    counts = listed.cache.stats().counts
    assert (counts["join"], counts["fill"]) == (5, 4)


async def test_reader_that_is_cancelled_leaves_the_rows_to_those_who_joined(store: Gateway):
    listed = await Listed(store).filled()
    listed.gated.gate = anyio.Event()
    found: list[list[int]] = []

    async def read() -> None:
        found.append(await listed.scores(1, 2))

    async with anyio.create_task_group() as group:
        async with anyio.create_task_group() as first:
            first.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            first.cancel_scope.cancel()
        listed.gated.gate.set()
    assert found == [[1, 2]]


async def test_error_of_a_flight_is_raised_to_all_who_joined(store: Gateway):
    listed = await Listed(store).filled()
    listed.gated.gate, listed.gated.error = anyio.Event(), ConnectionLost("away")
    errors: list[Exception] = []

    async def read() -> None:
        try:
            await listed.scores(1, 2)
        except ConnectionLost as error:
            errors.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        listed.gated.gate.set()
    assert len(errors) == 3
    assert listed.cache.stats().in_flight == 0
    listed.gated.error = None
    assert await listed.scores(1, 2) == [1, 2]


async def test_refresh_of_a_list_joins_nobody(store: Gateway):
    listed = await Listed(store).filled()
    await listed.scores(1, 2)
    await listed.changed(2, 20)
    assert await listed.scores(1, 2, mode="refresh") == [1, 20]
    assert await listed.scores(1, 2, mode="only") == [1, 20]
    with pytest.raises(CacheMiss):
        await listed.scores(1, 5, mode="only")
