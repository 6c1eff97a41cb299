"""Servers of Redis for the tests of its driver."""

from collections.abc import AsyncIterator, Iterator

import pytest

from cache_drivers.redis import RedisDriver
from tests.cache.drivers.redis.control import COMMAND_TIMEOUT, CONNECT_TIMEOUT
from tests.servers import NoServer, Proxy, Redis, RedisCluster


@pytest.fixture(scope="session")
def lasting_redis() -> Iterator[Redis]:
    """The server behind `server`."""
    try:
        server = Redis.launch()
    except NoServer as missing:
        pytest.skip(str(missing))
    yield server
    server.stop()


@pytest.fixture
def server(lasting_redis: Redis) -> Redis:
    """A server that tests may stop and fill: it runs, has room, and keeps nothing."""
    if lasting_redis.process is None:
        lasting_redis.start()
    with lasting_redis.client() as client:
        client.config_set("maxmemory", 0)
        client.flushall()
    return lasting_redis


@pytest.fixture(scope="session")
def cluster() -> Iterator[RedisCluster]:
    """A cluster of three servers."""
    try:
        made = RedisCluster()
    except NoServer as missing:
        pytest.skip(str(missing))
    yield made
    made.stop()


@pytest.fixture
async def proxy(server: Redis) -> AsyncIterator[Proxy]:
    """A proxy in front of the server."""
    async with Proxy(server.port) as made:
        yield made


@pytest.fixture
async def driver(proxy: Proxy) -> AsyncIterator[RedisDriver]:
    """A driver behind the proxy, with short times."""
    made = RedisDriver(
        f"redis://127.0.0.1:{proxy.port}", connect_timeout=CONNECT_TIMEOUT, command_timeout=COMMAND_TIMEOUT
    )
    yield made
    await made.aclose()
