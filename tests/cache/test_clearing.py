"""Clearing a namespace: one tag, nothing looked through, and siblings left alone, whatever characters they have."""

from collections.abc import AsyncIterator

import pytest
from attrs import frozen
from redis import Redis as Client

from cache_drivers.redis import RedisDriver
from gateways.memory import MemoryGateway
from mapper import Cache, CachePolicy, Column, Relation, Repository, column, select
from tests.servers import NoServer, RedisCluster

pytestmark = pytest.mark.feature("V3", "V8")


PATIENT = CachePolicy(lookup_timeout=5, store_timeout=5)
"""Opening connections to a cluster takes a while."""


@frozen
class Note:
    text: str


class Notes(Relation[Note], name="clearing_notes"):
    id: Column[int] = column(primary_key=True)
    text: Column[str]


class Book(Repository[Notes]): ...


@pytest.fixture
async def gateway() -> AsyncIterator[MemoryGateway]:
    async with MemoryGateway() as gateway:
        yield gateway


def scans(client: Client) -> int:
    """Return how often the server was asked to look through its keys."""
    said = client.info("commandstats")
    return sum(said.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("scan", "keys"))


async def hits_of(cache: Cache, book: Book) -> int:
    before = cache.stats().hits
    await select(Notes.text).all(book)
    return cache.stats().hits - before


async def test_clearing_looks_through_no_keys_and_leaves_siblings(redis_url: str, gateway: MemoryGateway):
    driver = RedisDriver(redis_url)
    caches = [Cache(driver, namespace=name, policy=PATIENT) for name in ("shop", "shop.2", "shopping")]
    books = [Book(each.wrap(gateway)) for each in caches]
    await books[0].push_schema()
    with Client.from_url(redis_url) as client:
        for cache, book in zip(caches, books, strict=True):
            assert [await hits_of(cache, book) for _ in range(2)] == [0, 1]
        before = scans(client)
        await caches[0].clear()
        await caches[0].drain()
        assert scans(client) == before
        assert [await hits_of(cache, book) for cache, book in zip(caches, books, strict=True)] == [0, 1, 1]
        await caches[0].clear(reclaim=True)
        await caches[0].drain()
        assert scans(client) > before
        assert not list(client.scan_iter("shop:1:e:*"))
        assert len(list(client.scan_iter("shop.2:1:e:*"))) == len(list(client.scan_iter("shopping:1:e:*"))) == 1
    await driver.aclose()


async def test_clearing_works_on_a_cluster(gateway: MemoryGateway):
    try:
        servers = RedisCluster()
    except NoServer as missing:
        pytest.skip(str(missing))
    try:
        driver = RedisDriver(servers.url)
        cache = Cache(driver, namespace="shop", policy=PATIENT)
        book = Book(cache.wrap(gateway))
        await book.push_schema()
        assert [await hits_of(cache, book) for _ in range(2)] == [0, 1]
        await cache.clear(reclaim=True)
        await cache.drain()
        assert await hits_of(cache, book) == 0
        await driver.aclose()
    finally:
        servers.stop()
