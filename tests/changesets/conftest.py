"""What the tests of changesets are given: a repository on each gateway, with empty tables."""

from collections.abc import AsyncIterator

import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper.gateway import Gateway
from tests.changesets.blog import Blog
from tests.changesets.forum import Forum
from tests.fake_gateway import FakeGateway
from tests.servers.fixtures import Databases, databases

__all__ = ["blog", "databases", "fake", "forum", "gateway"]


@pytest.fixture(params=[MemoryGateway, lambda: SQLiteGateway(":memory:")], ids=["memory", "sqlite"])
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    """A gateway with the tables of `Blog`, empty."""
    async with request.param() as made:
        await Blog(made).push_schema()
        yield made


@pytest.fixture
def blog(gateway: Gateway) -> Blog:
    """A repository on that gateway."""
    return Blog(gateway)


@pytest.fixture
def fake() -> FakeGateway:
    """A gateway that logs."""
    return FakeGateway()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def forum(request: pytest.FixtureRequest) -> AsyncIterator[Forum]:
    """The repository of `tests.changesets.forum` on each gateway, with empty tables."""
    if request.param == "postgres":
        servers: Databases = request.getfixturevalue("databases")
        url = await servers.create()
        async with PostgresGateway(url, max_connections=3) as postgres:
            yield await _with_tables(postgres)
        await servers.drop(url)
        return
    async with MemoryGateway() if request.param == "memory" else SQLiteGateway(":memory:") as made:
        yield await _with_tables(made)


async def _with_tables(gateway: Gateway) -> Forum:
    forum = Forum(gateway)
    await forum.push_schema()
    return forum
