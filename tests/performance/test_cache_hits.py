"""
What a hit of a cache costs: calls of functions, the processor's time beside reading by hand, and commands of Redis.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiosqlite
import attrs
import pytest
import redis.asyncio

from cache_drivers.memory import MemoryDriver
from cache_drivers.redis import RedisDriver
from gateways.sqlite import SQLiteGateway
from mapper import Cache, CachePolicy, Column, One, Relation, Repository, column, prepared, select
from mapper.testing import RecordingGateway
from tests.performance.measuring import calls, ratio
from tests.servers import NoServer, Redis

KEYS = range(1, 101)
POLICY = CachePolicy(ttl=3600)
COLUMNS = "id, title, author, score"

CALLS = {"memory": 25, "redis": 46}
"""How many functions a hit by key calls at most, where the query is prepared: a tenth above 23 and 42."""

IN_MEMORY = 0.15
"""What a hit in memory takes at most of a read by hand with aiosqlite."""

IN_REDIS = 1.5
"""What a hit in Redis takes at most of a bare MGET of as many keys with redis-py."""


@attrs.frozen
class Entry:
    id: int
    title: str
    author: int
    score: float


class Entries(Relation[Entry]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    author: Column[int]
    score: Column[float]


class Log(Repository[Entries]): ...


@prepared
def by_key(key: int) -> One[Entry, Entries]:
    return select(Entry).from_(Entries).find(key)


def entry(key: int) -> Entry:
    return Entry(key, f"title {key}", key % 7, key / 7)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RecordingGateway]:
    async with SQLiteGateway(tmp_path / "entries.db") as inner:
        await Log(inner).push_schema()
        await Log(inner).load(Entries, [entry(key) for key in KEYS])
        yield RecordingGateway(inner)


async def warmed(log: Log, store: RecordingGateway) -> Log:
    """Read all until the cache has them, which it keeps behind the answers."""
    for _ in range(50):
        before = len(store.operations)
        for key in KEYS:
            assert await by_key(key).execute(log) == entry(key)
        if len(store.operations) == before:
            return log
        await asyncio.sleep(0.01)
    pytest.fail("the cache keeps nothing")


@pytest.fixture
async def in_memory(store: RecordingGateway) -> Log:
    return await warmed(Log(Cache(MemoryDriver(), namespace="log", policy=POLICY).wrap(store)), store)


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    try:
        found = Redis.launch()
    except NoServer as missing:
        pytest.skip(str(missing))
    yield found
    found.stop()


@pytest.fixture
async def in_redis(store: RecordingGateway, server: Redis) -> AsyncIterator[Log]:
    driver = RedisDriver(server.url)
    yield await warmed(Log(Cache(driver, namespace="log", policy=POLICY).wrap(store)), store)
    await driver.aclose()


async def hits(log: Log) -> None:
    for key in KEYS:
        assert await by_key(key).execute(log) is not None


async def test_hit_asks_the_store_for_nothing(store: RecordingGateway, in_memory: Log):
    before = len(store.operations)
    await hits(in_memory)
    assert len(store.operations) == before


async def test_hit_in_memory_takes_a_part_of_a_read_by_hand(tmp_path: Path, in_memory: Log):
    async with aiosqlite.connect(tmp_path / "entries.db") as raw:

        async def theirs() -> None:
            for key in KEYS:
                async with raw.execute(f"SELECT {COLUMNS} FROM entries WHERE id = ?", (key,)) as cursor:
                    row = await cursor.fetchone()
                assert row is not None
                Entry(*row)

        assert await ratio(lambda: hits(in_memory), theirs, bound=IN_MEMORY, servers=()) <= IN_MEMORY


async def test_hit_in_redis_is_one_command(server: Redis, store: RecordingGateway, in_redis: Log):
    before = len(store.operations)
    with server.client() as client:
        client.config_resetstat()
        await hits(in_redis)
        counted: dict[str, Any] = client.info("commandstats")
    assert {name: each["calls"] for name, each in counted.items() if "config" not in name} == {
        "cmdstat_mget": len(KEYS)
    }
    assert len(store.operations) == before


async def test_hit_in_redis_is_near_a_bare_mget(server: Redis, in_redis: Log):
    names = [f"name {number}" for number in range(5)]
    async with redis.asyncio.from_url(server.url) as client:
        for each in names:
            await client.set(each, b"a value of some length")

        async def theirs() -> None:
            for _ in KEYS:
                assert len(await client.mget(names)) == len(names)

        processes = [server.process] if server.process is not None else None
        assert await ratio(lambda: hits(in_redis), theirs, bound=IN_REDIS, servers=processes) <= IN_REDIS


async def test_hit_in_memory_calls_few_functions(in_memory: Log):
    async def hit() -> None:
        await by_key(3).execute(in_memory)

    assert await calls(hit) <= CALLS["memory"]


async def test_hit_in_redis_calls_few_functions(in_redis: Log):
    async def hit() -> None:
        await by_key(3).execute(in_redis)

    assert await calls(hit) <= CALLS["redis"]
