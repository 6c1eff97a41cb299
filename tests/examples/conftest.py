"""Servers for the examples."""

from collections.abc import Iterator

import pytest

from tests.servers import NoServer, Redis
from tests.servers.fixtures import databases, postgres_url

__all__ = ["databases", "lasting_redis", "postgres_url", "redis"]


@pytest.fixture(scope="session")
def lasting_redis() -> Iterator[Redis]:
    """The server behind `redis`."""
    try:
        server = Redis.launch()
    except NoServer as missing:
        pytest.skip(str(missing))
    yield server
    server.stop()


@pytest.fixture
def redis(lasting_redis: Redis) -> Redis:
    """A server that tests may kill: it runs, and keeps nothing."""
    if lasting_redis.process is None:
        lasting_redis.start()
    with lasting_redis.client() as client:
        client.flushall()
    return lasting_redis
