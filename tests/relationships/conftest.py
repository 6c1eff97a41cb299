"""The world on every gateway, the same rows on each, for all tests of a module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper.gateway import Gateway
from tests.relationships.world import World, rows_of
from tests.servers.fixtures import Databases, databases

__all__ = ["databases", "world"]

GATEWAYS = ["memory", "sqlite", "postgres"]


async def filled(gateway: Gateway) -> World:
    """A world with all of its rows."""
    world = World(gateway)
    await world.push_schema()
    changes = World.change()
    rows_of(changes)
    await changes.commit(world)
    return world


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=GATEWAYS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """The world, which no test may change but in a transaction that it rolls back."""
    if request.param != "postgres":
        async with MemoryGateway() if request.param == "memory" else SQLiteGateway(":memory:") as gateway:
            yield await filled(gateway)
        return
    servers: Databases = request.getfixturevalue("databases")
    url = await servers.create()
    async with PostgresGateway(url) as gateway:
        yield await filled(gateway)
    await servers.drop(url)
