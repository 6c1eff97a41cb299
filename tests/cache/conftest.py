"""The gateways that the cache's tests run on: memory, SQLite and PostgreSQL, each empty."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper.gateway import Gateway
from tests.cache.shop import Shop
from tests.servers.fixtures import databases, postgres_url, redis_url

__all__ = ["databases", "postgres_url", "redis_url"]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Gateway]:
    made: Gateway
    if request.param == "postgres":
        made = PostgresGateway(await request.getfixturevalue("databases").create())
    else:
        made = MemoryGateway() if request.param == "memory" else SQLiteGateway(tmp_path / "shop.db")
    async with made:
        await Shop(made).push_schema()
        yield made
