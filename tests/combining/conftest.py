"""The schema of `tests.combining.schema`, filled, on each gateway."""

from collections.abc import AsyncIterator

import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper.gateway import Gateway
from tests.combining.schema import School, fill
from tests.servers.fixtures import Databases, databases

__all__ = ["databases", "gateway", "school"]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
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
        async with PostgresGateway(url, max_connections=4) as postgres:
            yield postgres
        await own.drop(url)


@pytest.fixture
async def school(gateway: Gateway) -> School:
    """The schema, with its rows."""
    repository = School(gateway)
    await repository.push_schema()
    await fill(repository)
    return repository
