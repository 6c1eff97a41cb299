"""What the tests of the memory gateway are given."""

from collections.abc import AsyncIterator

import pytest

from gateways.memory import MemoryGateway
from tests.memory.shop import made_gateway


@pytest.fixture
async def gateway() -> AsyncIterator[MemoryGateway]:
    """A gateway with the tables of all relations, empty."""
    gateway = await made_gateway()
    yield gateway
    await gateway.aclose()
