"""Fail-over: a driver reads from primaries alone, and its identity tells when another has taken over."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import pytest
import redis.asyncio
from redis.asyncio.sentinel import Sentinel

from cache_drivers.redis import RedisDriver, pool
from mapper.errors import CacheUnavailable
from tests.servers import Proxy, Redis


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Redis, Redis]]:
    """Two servers."""
    made = Redis.launch(), Redis.launch()
    yield made
    for each in made:
        each.stop()


@pytest.fixture
def pair(both: tuple[Redis, Redis]) -> tuple[Redis, Redis]:
    """A primary and its replica."""
    primary, replica = both
    for each in both:
        if each.process is None:
            each.start()
    for each in both:
        promote(each)
        with each.client() as client:
            client.flushall()
    demote(replica, primary)
    return primary, replica


def promote(replica: Redis) -> None:
    with replica.client() as client:
        client.execute_command("REPLICAOF", "NO", "ONE")


def demote(primary: Redis, to: Redis) -> None:
    with primary.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", str(to.port))


@asynccontextmanager
async def made(url: str) -> AsyncGenerator[RedisDriver]:
    driver = RedisDriver(url, connect_timeout=0.3, command_timeout=0.3)
    yield driver
    await driver.aclose()


@pytest.mark.feature("V1")
async def test_identity_is_another_after_a_failover(pair: tuple[Redis, Redis]):
    primary, replica = pair
    replica.follow(primary)
    async with Proxy(primary.port) as proxy, made(f"redis://127.0.0.1:{proxy.port}") as driver:
        await driver.set("key", b"old", ttl_ms=60_000)
        before, connections = await driver.identity(), driver.connections_made
        assert await driver.identity() == before
        primary.kill()
        promote(replica)
        proxy._target = ("127.0.0.1", replica.port)
        await driver.get("key")
        assert driver.connections_made > connections
        assert await driver.identity() != before


async def test_replica_is_refused(pair: tuple[Redis, Redis]):
    async with made(pair[1].url) as driver:
        with pytest.raises(CacheUnavailable, match="is a replica, expected a primary"):
            await driver.get("key")
        promote(pair[1])
        assert await driver.get("key") is None


async def test_replica_that_is_promoted_has_another_identity_than_its_primary(pair: tuple[Redis, Redis]):
    async with made(pair[0].url) as first, made(pair[1].url) as second:
        before = await first.identity()
        promote(pair[1])
        assert await second.identity() != before


async def test_primary_that_is_made_a_replica_is_read_no_more_after_a_second(
    pair: tuple[Redis, Redis], monkeypatch: pytest.MonkeyPatch
):
    primary, replica = pair
    monkeypatch.setattr(pool, "CERTAIN_SECONDS", 0.05)
    async with made(primary.url) as driver:
        await driver.set("tag", b"s-old", ttl_ms=60_000)
        promote(replica)
        demote(primary, replica)
        await asyncio.sleep(0.06)
        with pytest.raises(CacheUnavailable):
            await driver.get("tag")


async def test_write_to_a_primary_that_was_made_a_replica_ends_all_its_connections(pair: tuple[Redis, Redis]):
    primary, replica = pair
    async with made(primary.url) as driver:
        await asyncio.gather(*(driver.get("tag") for _ in range(5)))
        promote(replica)
        demote(primary, replica)
        with pytest.raises(CacheUnavailable, match="READONLY"):
            await driver.set("tag", b"1", ttl_ms=60_000)
        with pytest.raises(CacheUnavailable, match="is a replica"):
            await driver.get("tag")


async def test_history_that_changes_under_a_connection_ends_it(
    pair: tuple[Redis, Redis], monkeypatch: pytest.MonkeyPatch
):
    primary, replica = pair
    monkeypatch.setattr(pool, "CERTAIN_SECONDS", 0.05)
    async with made(primary.url) as driver:
        before, connections = await driver.identity(), driver.connections_made
        promote(replica)
        demote(primary, replica)
        promote(primary)
        await asyncio.sleep(0.06)
        await driver.get("tag")
        assert driver.connections_made == connections + 1
        assert await driver.identity() != before


class Watching(Sentinel):
    """A Sentinel that says which server is the primary, as it is told."""

    primary: Redis

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        assert service_name == "shop"
        return "127.0.0.1", self.primary.port


async def test_client_of_a_sentinel_is_followed_to_the_new_primary(pair: tuple[Redis, Redis]):
    sentinel = Watching([])
    sentinel.primary, replica = pair
    client = sentinel.master_for("shop", redis_class=redis.asyncio.Redis)
    driver = RedisDriver(client, connect_timeout=1, command_timeout=0.5)
    assert await driver.set("key", b"1", ttl_ms=60_000)
    before = await driver.identity()
    promote(replica)
    demote(sentinel.primary, replica)
    with pytest.raises(CacheUnavailable):
        await driver.set("key", b"2", ttl_ms=60_000)
    with pytest.raises(CacheUnavailable, match="is a replica"):
        await driver.get("key")
    sentinel.primary = replica
    assert await driver.set("key", b"2", ttl_ms=60_000)
    with replica.client() as direct:
        assert direct.get("key") == b"2"
    assert await driver.identity() != before
    await driver.aclose()
    await client.aclose()


async def test_sentinel_itself_is_refused():
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mode = b"redis_mode:sentinel\r\nrun_id:1\r\n"
        while said := await reader.read(65536):
            # What redis-py sets at first, then the two questions for facts.
            for command in (b"SETINFO", b"INFO"):
                for _ in range(said.count(b"\r\n" + command + b"\r\n")):
                    writer.write(b"$%d\r\n%b\r\n" % (len(mode), mode) if command == b"INFO" else b"+OK\r\n")
        writer.close()

    async with (
        await asyncio.start_server(take, "127.0.0.1", 0) as listening,
        made(f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}") as driver,
    ):
        with pytest.raises(CacheUnavailable, match="is a Sentinel"):
            await driver.get("key")
