"""A gateway behind a proxy that can be told to fail, as fixtures; a test module imports them."""

from collections.abc import AsyncIterator
from typing import Final

import pytest

from gateways.postgres import PostgresGateway
from mapper.operations import RawSql
from tests.postgres.backends import NAME
from tests.postgres.relations import Book, written
from tests.postgres.torture import SEEDS
from tests.servers import Proxy

__all__ = ["LIMITS", "gateway", "prepared", "proxy"]

LIMITS: Final = {"max_connections": 4, "pool_timeout": 3.0, "connect_timeout": 1.0, "command_timeout": 0.5}


async def prepared(url: str) -> None:
    """Make the tables, and the notes that are there from the beginning."""
    async with PostgresGateway(url) as gateway:
        await Book(gateway).push_schema()
        await written(*[f"seed{each}" for each in range(SEEDS)]).commit(Book(gateway))
        await gateway.execute(RawSql("CHECKPOINT"))


@pytest.fixture
async def proxy(postgres_url: str) -> AsyncIterator[Proxy]:
    """A proxy before a server that has been prepared."""
    await prepared(postgres_url)
    async with Proxy.before(postgres_url) as proxy:
        yield proxy


@pytest.fixture
async def gateway(proxy: Proxy, postgres_url: str) -> AsyncIterator[PostgresGateway]:
    """A gateway behind the proxy."""
    async with PostgresGateway(proxy.url_of(postgres_url), application_name=NAME, **LIMITS) as gateway:  # type: ignore[arg-type]  # of several types
        yield gateway
