"""Being told of changes by Redis: of all that match, by whomever, and of every time when some may have been missed."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from cache_drivers.redis import RedisDriver, following
from mapper.cache.driver import Broadcasting
from tests.cache.drivers.redis.control import until
from tests.servers import Proxy, Redis, RedisCluster

HOUR = 3_600_000


class Heard(list):
    """What was told, with whether the driver was following then."""

    def __init__(self, driver: RedisDriver) -> None:
        super().__init__()
        self.driver = driver
        self.following: list[bool] = []

    def __call__(self, keys: Sequence[str] | None) -> None:
        self.following.append(self.driver.following)
        if keys is None:
            self.append(None)
        else:
            self.extend(keys)


def tasks_of_drivers() -> list[str]:
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith(("Following", "Pool", "Cluster", "RedisDriver"))]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PING_SECONDS", 0.1)


@pytest.fixture
async def writer(server: Redis) -> AsyncIterator[RedisDriver]:
    """Another driver, which is not behind the proxy."""
    made = RedisDriver(server.url)
    yield made
    await made.aclose()


def test_driver_is_one_that_broadcasts():
    driver = RedisDriver("redis://127.0.0.1")
    assert isinstance(driver, Broadcasting)
    assert "broadcast" in driver.info.features
    assert driver.following is False


async def test_changes_by_anyone_are_told(driver: RedisDriver, writer: RedisDriver):
    heard = Heard(driver)
    stop = await driver.follow(["a:", "b:"], heard)
    assert driver.following
    assert heard == [None]
    await driver.set("a:own", b"1", ttl_ms=HOUR)
    await writer.set("b:other", b"1", ttl_ms=HOUR)
    await writer.set("c:elsewhere", b"1", ttl_ms=HOUR)
    await writer.tags_begin(["a:tag"], b"writer", flux_ms=HOUR)
    await writer.delete("a:own")
    await until(lambda: heard.count("a:own") == 2)
    assert set(heard) == {None, "a:own", "b:other", "a:tag"}
    await stop()
    assert not driver.following


async def test_keys_that_expire_are_told(driver: RedisDriver):
    heard = Heard(driver)
    stop = await driver.follow(["a:"], heard)
    await driver.set("a:key", b"1", ttl_ms=20)
    await until(lambda: heard.count("a:key") == 2)
    await stop()


async def test_server_that_is_flushed_is_told_as_everything(driver: RedisDriver, server: Redis):
    heard = Heard(driver)
    stop = await driver.follow(["a:"], heard)
    with server.client() as client:
        client.flushall()
    await until(lambda: heard == [None, None])
    assert driver.following
    await stop()


async def test_prefixes_that_overlap_and_an_empty_one_are_followed(driver: RedisDriver, writer: RedisDriver):
    heard, all_heard = Heard(driver), Heard(driver)
    stop = await driver.follow(["a:b", "a:", "a:b:c", "b:"], heard)
    stop_all = await driver.follow(["", "a:"], all_heard)
    assert driver.following
    for key in ("a:b:c", "z"):
        await writer.set(key, b"1", ttl_ms=HOUR)
    await until(lambda: "z" in all_heard and "a:b:c" in heard)
    assert heard == [None, "a:b:c"]
    await stop()
    await stop_all()


async def test_nothing_is_told_where_nothing_is_followed(driver: RedisDriver, writer: RedisDriver):
    heard = Heard(driver)
    stop = await driver.follow([], heard)
    await writer.set("a", b"1", ttl_ms=HOUR)
    await asyncio.sleep(0.03)
    assert heard == [None]
    await stop()


async def test_connection_that_is_lost_is_told_and_made_again(proxy: Proxy, driver: RedisDriver, writer: RedisDriver):
    heard = Heard(driver)
    stop = await driver.follow(["a:"], heard)
    await proxy.drop()
    assert heard == [None, None]
    assert heard.following == [False, False]
    assert not driver.following
    await until(lambda: driver.following)
    assert heard == [None, None, None]
    assert heard.following == [False, False, False]
    await writer.set("a:key", b"1", ttl_ms=HOUR)
    await until(lambda: "a:key" in heard)
    await stop()


async def test_server_that_is_restarted_is_followed_again(server: Redis):
    driver = RedisDriver(server.url)
    heard = Heard(driver)
    stop = await driver.follow(["a:"], heard)
    server.kill()
    await until(lambda: not driver.following)
    await asyncio.sleep(0.1)
    assert heard == [None, None]
    server.start()
    await until(lambda: driver.following)
    await driver.set("a:key", b"1", ttl_ms=HOUR)
    await until(lambda: "a:key" in heard)
    await stop()
    await driver.aclose()


async def test_server_that_falls_silent_is_found_out(proxy: Proxy, driver: RedisDriver):
    heard = Heard(driver)
    stop = await driver.follow(["a:"], heard)
    proxy.stall("client")
    began = asyncio.get_running_loop().time()
    await until(lambda: not driver.following)
    assert asyncio.get_running_loop().time() - began < 0.1 + 0.2 + 0.5
    assert heard == [None, None]
    proxy.resume()
    await until(lambda: driver.following)
    await stop()


async def test_server_that_is_away_at_first_is_followed_once_it_is_there(proxy: Proxy, driver: RedisDriver):
    proxy.hangs_up = True
    heard = Heard(driver)
    stop = await driver.follow(["a:"], heard)
    assert not driver.following
    assert heard == []
    proxy.hangs_up = False
    await until(lambda: driver.following)
    assert heard == [None]
    await stop()


async def test_one_that_has_stopped_is_told_nothing_and_does_not_hold_up_others(
    proxy: Proxy, driver: RedisDriver, writer: RedisDriver
):
    first, second = Heard(driver), Heard(driver)
    stop = await driver.follow(["a:"], first)
    stop_second = await driver.follow(["a:"], second)
    await stop()
    await stop()
    assert driver.following
    await writer.set("a:key", b"1", ttl_ms=HOUR)
    await until(lambda: "a:key" in second)
    assert first == [None]
    await proxy.drop()
    assert first == [None]
    await stop_second()
    assert not driver.following


async def test_driver_that_is_closed_tells_no_more_and_leaves_no_task(driver: RedisDriver):
    heard = Heard(driver)
    stop = await driver.follow(["a:"], heard)
    await driver.aclose()
    assert not driver.following
    assert tasks_of_drivers() == []
    assert await driver.get("a:key") is None
    await stop()
    assert heard == [None]


async def test_call_to_follow_that_is_cancelled_leaves_no_task(proxy: Proxy, driver: RedisDriver):
    proxy.stall()
    call = asyncio.create_task(driver.follow(["a:"], Heard(driver)))
    await asyncio.sleep(0.02)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await driver.aclose()
    assert tasks_of_drivers() == []


async def test_large_bursts_are_told_completely(driver: RedisDriver, writer: RedisDriver):
    heard = Heard(driver)
    stop = await driver.follow(["a:"], heard)
    await writer.set_many([(f"a:{number}", b"1", HOUR) for number in range(5000)])
    await until(lambda: len(heard) == 5001)
    assert set(heard) == {None, *(f"a:{number}" for number in range(5000))}
    await stop()


async def test_all_servers_of_a_cluster_are_followed(cluster: RedisCluster):
    driver = RedisDriver(cluster.url)
    heard = Heard(driver)
    stop = await driver.follow(["a:"], heard)
    assert driver.following
    await driver.set_many([(f"a:{number}", b"1", HOUR) for number in range(30)])
    await until(lambda: len(heard) == 31)
    with cluster.servers[1].client() as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal")
    await until(lambda: heard.count(None) >= 3)
    await until(lambda: driver.following)
    await stop()
    await driver.aclose()
