"""What the tests of changesets are given: a repository on each gateway, with empty tables."""

from collections.abc import AsyncIterator

import pytest

from gateways.memory import MemoryGateway
from gateways.sqlite import SQLiteGateway
from mapper.gateway import Gateway
from tests.changesets.blog import Blog
from tests.fake_gateway import FakeGateway


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
