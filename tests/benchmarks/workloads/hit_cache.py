"""
W10 and W11: a post by its key from a cache that has it, in the memory of this process and in Redis. No database is asked.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import msgspec
import redis.asyncio

from cache_drivers.memory import MemoryDriver
from cache_drivers.redis import RedisDriver
from mapper import Cache, CachePolicy, select
from mapper.cache.gateway import CachedGateway
from tests.benchmarks.subject import Blog, Post, Posts, post_values, values_of
from tests.benchmarks.workload import Bench, Workload
from tests.benchmarks.workloads.compile_query import microseconds
from tests.servers import Redis

__all__ = ["IN_MEMORY", "IN_REDIS", "WHOLE"]

RUNS: Final = 100
TIMES: Final = 100
KEYS: Final = range(1, 161)
POLICY: Final = CachePolicy(ttl=3600)

WARM: Final = 50
"""How often the posts are read at most until all of them are kept."""

STAMPS: Final = 4
"""What a read by key looks up beside its value: the stamps of what may have changed it."""


class Counting:
    """Counts the operations that come past the cache."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, event: object) -> None:
        del event
        self.count += 1


async def read(blog: Blog, key: int) -> Post | None:
    return await select(Post).from_(Posts).find(key).execute(blog)


async def counted(bench: Bench, blog: Blog) -> tuple[list[Any], int]:
    """Read the posts, and tell how often the database was asked."""
    counting = Counting()
    end = bench.gateway.subscribe(counting)
    found = [await read(blog, key) for key in KEYS]
    end()
    return found, counting.count


async def kept(bench: Bench, blog: Blog) -> None:
    """Read the posts until the cache has all of them, which it keeps behind the answers."""
    for _ in range(WARM):
        if not (await counted(bench, blog))[1]:
            return
        await asyncio.sleep(0.01)


async def hits(bench: Bench, blog: Blog) -> list[Any]:
    """
    Read posts that are kept.

    Raises:
        AssertionError: The database was asked.
    """
    found, asked = await counted(bench, blog)
    assert asked == 0, f"{asked} reads were no hits"
    return found


# -- in memory ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def in_memory(bench: Bench) -> AsyncGenerator[Blog]:
    """The repository with a cache that has the posts."""
    blog = Blog(Cache(MemoryDriver(), namespace="bench", policy=POLICY).wrap(bench.gateway))
    await kept(bench, blog)
    yield blog


async def least(work: Callable[[], Awaitable[object]]) -> float:
    """Return the microseconds that work takes: the best of many short runs, some of which nothing else disturbs."""
    best = float("inf")
    for _ in range(RUNS):
        begun = time.perf_counter()
        for _ in range(TIMES):
            await work()
        best = min(best, (time.perf_counter() - begun) / TIMES)
    return best * 1e6


async def over_hydration(bench: Bench) -> float:
    """Return what a hit takes that was compiled before, less what making the object of its row takes."""
    blog = await bench.own(in_memory)
    await hits(bench, blog)
    query = select(Post).from_(Posts).find(3)
    operation, decode = query._query._compiled(blog)
    gateway: CachedGateway = blog._executor
    row = [post_values(3)]
    assert decode(row, ()) == await gateway.fetch(operation, decode) == [Post(*row[0])]
    return await least(lambda: gateway.fetch(operation, decode)) - microseconds(lambda: decode(row, ()))


async def whole(bench: Bench) -> float:
    """Return what a hit takes in all: the query is built and compiled, and the object made."""
    blog = await bench.own(in_memory)
    await hits(bench, blog)
    return await least(lambda: read(blog, 3))


def check_time(bench: Bench, found: Any) -> None:
    del bench
    assert found > 0


IN_MEMORY: Final = Workload(
    name="W10",
    title="cache hit by key in memory, over hydration",
    key="hit_memory",
    goals={"postgres": 5, "sqlite": 5},
    unit="µs",
    ours=over_hydration,
    check=check_time,
)

WHOLE: Final = Workload(
    name="W10-whole",
    title="cache hit by key in memory, with query and object",
    key="hit_memory_whole",
    goals={},
    unit="µs",
    ours=whole,
    check=check_time,
)


# -- in Redis ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Remote:
    """A repository whose cache has the posts, and a client with as much to look up."""

    blog: Blog
    client: Any
    keys: tuple[str, ...]


@asynccontextmanager
async def in_redis(bench: Bench) -> AsyncGenerator[Remote]:
    url, server = Redis.url_given(), None
    if url is None:
        server = Redis.launch()
        url = server.url
    driver, client = RedisDriver(url), redis.asyncio.from_url(url)
    try:
        blog = Blog(Cache(driver, namespace=f"bench-{bench.database}", policy=POLICY).wrap(bench.gateway))
        await kept(bench, blog)
        for key in KEYS:
            await client.set(f"by hand:{key}", msgspec.msgpack.encode(post_values(key)))
        stamps = tuple([f"by hand:stamp {number}" for number in range(STAMPS)])
        for each in stamps:
            await client.set(each, b"123456789012")
        yield Remote(blog, client, stamps)
    finally:
        await client.aclose()
        await driver.aclose()
        if server is not None:
            server.stop()


async def ours(bench: Bench) -> list[Any]:
    remote: Remote = await bench.own(in_redis)
    return await hits(bench, remote.blog)


async def by_hand(bench: Bench) -> list[Any]:
    """An MGET of redis-py for a value and as many stamps, of which nobody looks at the latter."""
    remote: Remote = await bench.own(in_redis)
    found = []
    for key in KEYS:
        value, *_ = await remote.client.mget((f"by hand:{key}", *remote.keys))
        found.append(Post(*msgspec.msgpack.decode(value)))
    return found


def check(bench: Bench, found: Any) -> None:
    del bench
    assert [values_of(each) for each in found] == [post_values(key) for key in KEYS]


IN_REDIS: Final = Workload(
    name="W11",
    title="cache hit by key in Redis, one task",
    key="hit_redis",
    goals={"postgres": 1.3, "sqlite": 1.3},
    ours=ours,
    raw={"postgres": by_hand, "sqlite": by_hand},
    check=check,
)
