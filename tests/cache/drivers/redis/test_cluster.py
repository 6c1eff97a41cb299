"""A cluster of Redis: each key on its server, answers in order, and slots that move under the driver."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio
from redis.crc import key_slot as expected_slot

from cache_drivers.redis import RedisDriver, following
from cache_drivers.redis.cluster import key_slot
from mapper.errors import CacheTimeout, CacheUnavailable
from tests.cache.drivers.redis.control import COMMAND_TIMEOUT, ClusterControl, controlled, until
from tests.servers import Redis, RedisCluster

HOUR = 3_600_000


@pytest.fixture
async def driver(cluster: RedisCluster) -> AsyncIterator[RedisDriver]:
    made = RedisDriver(cluster.url)
    yield made
    await made.aclose()


def owner(cluster: RedisCluster, slot: int) -> int:
    """Return the number of the server that has a slot."""
    with cluster.servers[0].client() as client:
        said: Any = client.execute_command("CLUSTER", "SLOTS")
        for first, last, (_, port, *_), *_ in said:
            if first <= slot <= last:
                return [server.port for server in cluster.servers].index(port)
    raise AssertionError("nobody has the slot")


def name_of(server: Redis) -> str:
    with server.client() as client:
        return bytes(client.execute_command("CLUSTER", "MYID") or b"").decode()


class Moving:
    """A slot on its way from one server to another."""

    def __init__(self, cluster: RedisCluster, slot: int) -> None:
        self.cluster = cluster
        self.slot = slot
        self.source = cluster.servers[owner(cluster, slot)]
        self.target = cluster.servers[(owner(cluster, slot) + 1) % 3]

    def begin(self) -> None:
        with self.target.client() as client:
            client.execute_command("CLUSTER", "SETSLOT", self.slot, "IMPORTING", name_of(self.source))
        with self.source.client() as client:
            client.execute_command("CLUSTER", "SETSLOT", self.slot, "MIGRATING", name_of(self.target))

    def move(self, *keys: str) -> None:
        with self.source.client() as client:
            client.execute_command("MIGRATE", "127.0.0.1", self.target.port, "", 0, 5000, "KEYS", *keys)

    def end(self) -> None:
        for server in (self.target, self.source, *self.cluster.servers):
            with server.client() as client:
                client.execute_command("CLUSTER", "SETSLOT", self.slot, "NODE", name_of(self.target))


@pytest.mark.parametrize("key", ["", "a", "ns:1:e:x", "{a}b", "x{a}b", "{}a", "{a", "a{b}{c}", "a{{b}}", "}{a}"])
def test_slot_of_a_key_is_the_clusters(key: str):
    assert key_slot(key) == expected_slot(key.encode())


async def test_many_keys_go_to_their_servers_and_come_back_in_order(driver: RedisDriver, cluster: RedisCluster):
    keys = [f"key{number}" for number in range(300)]
    assert await driver.set_many([(key, key.encode(), HOUR) for key in keys]) == 300
    asked = [*keys[::-1], "absent", *keys[:5]]
    assert await driver.get_many(asked) == [None if key == "absent" else key.encode() for key in asked]
    for server in cluster.servers:
        with server.client() as client:
            assert client.dbsize() > 50
    assert await driver.delete_many([*keys, "absent"]) == 300


async def test_keys_of_one_slot_are_read_at_one_moment(driver: RedisDriver, cluster: RedisCluster):
    other = RedisDriver(cluster.url)
    first, second = "{tag}a", "{tag}b"
    await driver.set_many([(first, b"0", HOUR), (second, b"0", HOUR)])

    async def write() -> None:
        for number in range(1, 100):
            await other.set(first, b"%d" % number, ttl_ms=HOUR)
            await other.set(second, b"%d" % number, ttl_ms=HOUR)

    writing = asyncio.create_task(write())
    while not writing.done():
        a, b = [int(value or b"-1") for value in await driver.get_many([first, second])]
        assert a >= b
    await writing
    await other.aclose()


async def test_each_server_is_asked_once_and_all_at_once(cluster: RedisCluster):
    async with controlled(ClusterControl, cluster.servers) as control:
        driver = control.driver()
        keys = [f"key{number}" for number in range(30)]
        await driver.get_many(keys)
        await control.delay(0.05)
        began = asyncio.get_running_loop().time()
        await driver.get_many(keys)
        assert asyncio.get_running_loop().time() - began < 0.12
        await control.restore()
        await driver.aclose()


async def test_cluster_of_which_a_server_does_not_answer_serves_what_is_on_the_others(cluster: RedisCluster):
    keys = [next(f"key{n}" for n in range(1000) if owner(cluster, key_slot(f"key{n}")) == each) for each in range(3)]
    async with controlled(ClusterControl, cluster.servers) as control:
        control.command_timeout = COMMAND_TIMEOUT
        driver = control.driver()
        await driver.set_many([(key, key.encode(), HOUR) for key in keys])
        control.proxies[1].stall()
        for _ in range(2):
            began = asyncio.get_running_loop().time()
            with pytest.raises(CacheTimeout):
                await driver.get_many(keys)
            assert asyncio.get_running_loop().time() - began < 3 * COMMAND_TIMEOUT + 1
            assert await driver.get_many([keys[0], keys[2]]) == [keys[0].encode(), keys[2].encode()]
        with pytest.raises(CacheTimeout):
            await driver.identity()
        control.proxies[1].resume()
        assert await driver.get_many(keys) == [key.encode() for key in keys]
        await driver.aclose()


async def test_client_of_a_cluster_gives_its_settings(cluster: RedisCluster):
    async with redis.asyncio.RedisCluster.from_url(cluster.url) as client:
        driver = RedisDriver(client)
        assert await driver.set("key", b"1", ttl_ms=HOUR)
        assert await driver.get("key") == b"1"
        await driver.aclose()
        assert await client.ping()


@pytest.mark.usefixtures("cluster")
async def test_slot_that_has_moved_is_found(driver: RedisDriver, cluster: RedisCluster):
    moving = Moving(cluster, key_slot("moved"))
    await driver.set("moved", b"1", ttl_ms=HOUR)
    identity = await driver.identity()
    assert await driver.identity() == identity
    moving.begin()
    moving.move("moved")
    moving.end()
    assert await driver.get_many(["other", "moved", "{moved}2"]) == [None, b"1", None]
    assert await driver.set("moved", b"2", ttl_ms=HOUR)
    assert await driver.get("moved") == b"2"


async def test_keys_of_a_slot_on_its_way_are_found_where_they_are(driver: RedisDriver, cluster: RedisCluster):
    keys = ["{on its way}:here".replace(" ", "-"), "{on-its-way}:there"]
    moving = Moving(cluster, key_slot(keys[0]))
    await driver.set_many([(key, key.encode(), HOUR) for key in keys])
    moving.begin()
    moving.move(keys[1])
    assert await driver.get(keys[0]) == keys[0].encode()
    assert await driver.get(keys[1]) == keys[1].encode()
    assert await driver.get("{on-its-way}:absent") is None
    await driver.tags_begin([keys[1]], b"writer", flux_ms=HOUR)
    await driver.tags_end([keys[1]], b"writer", stamp_ttl_ms=HOUR)
    assert (await driver.get(keys[1]) or b"")[:1] == b"s"
    with pytest.raises(CacheUnavailable):
        await driver.get_many(keys)
    moving.move(keys[0])
    moving.end()
    assert (await driver.get_many(keys))[0] == keys[0].encode()


async def test_slot_that_moves_is_told_to_those_who_follow(
    driver: RedisDriver, cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(following, "PING_SECONDS", 0.05)
    heard: list[object] = []
    stop = await driver.follow([""], heard.append)
    moving = Moving(cluster, key_slot("told"))
    moving.begin()
    moving.end()
    await until(lambda: heard.count(None) >= 3 and driver.following)
    heard.clear()
    await driver.set("told", b"1", ttl_ms=HOUR)
    await until(lambda: ["told"] in heard)
    await stop()


@pytest.mark.feature("V1")
async def test_replica_that_takes_over_is_found_and_changes_the_identity(driver: RedisDriver, cluster: RedisCluster):
    primary = cluster.servers[2]
    key = next(f"key{n}" for n in range(1000) if owner(cluster, key_slot(f"key{n}")) == 2)
    await driver.set(key, b"1", ttl_ms=HOUR)
    identities = [await driver.identity()]
    replica = cluster.replica(primary)
    for number, server in enumerate((replica, primary)):
        with server.client() as client:
            client.execute_command("CLUSTER", "FAILOVER", "TAKEOVER")
            value = b"value %d" % number
            async with asyncio.timeout(10):
                while client.info("replication")["role"] != "master" or client.get(key) != value:
                    with contextlib.suppress(CacheUnavailable):
                        await driver.set(key, value, ttl_ms=HOUR)
        assert await driver.get(key) == value
        identities.append(await driver.identity())
    assert len(set(identities)) == 3
    cluster.without(replica)
