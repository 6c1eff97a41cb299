"""The library on every gateway, the same rows on each, for all tests of a module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper.gateway import Gateway
from tests.language.library import Library, fill
from tests.servers.fixtures import Databases, databases

__all__ = ["databases", "library", "scratch"]


async def filled(gateway: Gateway) -> Library:
    """A library with all of its rows."""
    library = Library(gateway)
    await library.push_schema()
    changes = Library.change()
    fill(changes)
    await changes.commit(library)
    return library


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["memory", "sqlite", "postgres"])
async def library(request: pytest.FixtureRequest) -> AsyncIterator[Library]:
    """The library, which no test changes but in a transaction that it rolls back."""
    if request.param != "postgres":
        async with MemoryGateway() if request.param == "memory" else SQLiteGateway(":memory:") as gateway:
            yield await filled(gateway)
        return
    servers: Databases = request.getfixturevalue("databases")
    url = await servers.create()
    async with PostgresGateway(url) as gateway:
        yield await filled(gateway)
    await servers.drop(url)


class _Undo(Exception):
    """Ends a transaction that is to leave nothing."""


@pytest_asyncio.fixture(loop_scope="module")
async def scratch(library: Library) -> AsyncIterator[Library]:
    """A transaction of the library, rolled back behind the test."""
    try:
        async with library.transaction() as tx:
            yield tx
            raise _Undo
    except _Undo:
        pass
