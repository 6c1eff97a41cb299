"""A store of each kind, for tests that are about all of them."""

from collections.abc import AsyncIterator

import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper.gateway import Gateway
from tests.servers.fixtures import Databases, databases

__all__ = ["databases", "store"]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    """An empty store of each kind."""
    if request.param == "memory":
        async with MemoryGateway() as memory:
            yield memory
    elif request.param == "sqlite":
        async with SQLiteGateway(":memory:") as sqlite:
            yield sqlite
    else:
        own: Databases = request.getfixturevalue("databases")
        url = await own.create()
        async with PostgresGateway(url, max_connections=6) as postgres:
            yield postgres
        await own.drop(url)
