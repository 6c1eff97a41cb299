"""Copying is near what the driver does by itself: nothing is mapped on the way."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from typing import Any, Final

import asyncpg
import attrs
import pytest

from gateways.postgres import PostgresGateway, copy_from, copy_to
from mapper import Column, Relation, Repository, column
from tests.performance.measuring import ratio
from tests.servers.fixtures import Databases, databases

__all__ = ["databases"]

ROWS: Final = 20_000

BOUND: Final = 1.6
"""What a copy takes at most of one by asyncpg; it was 0.9 to 1.2."""


@attrs.frozen
class Line:
    text: str


class Lines(Relation[Line]):
    id: Column[int] = column(primary_key=True)
    text: Column[str]


class Pad(Repository[Lines]): ...


DATA: Final = b"".join([b"%d\tnumber %d %s\n" % (number, number, b"x" * 50) for number in range(ROWS)])


@pytest.fixture(scope="module")
def url(databases: Databases) -> Iterator[str]:
    async def made() -> str:
        found = await databases.create()
        async with PostgresGateway(found) as gateway:
            await Pad(gateway).push_schema()
        return found

    url = asyncio.run(made())
    yield url
    asyncio.run(databases.drop(url))


@pytest.fixture
async def pad(url: str) -> AsyncIterator[Pad]:
    async with PostgresGateway(url) as gateway:
        yield Pad(gateway)


@pytest.fixture
async def raw(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def emptied(raw: Any) -> None:
    await raw.execute("TRUNCATE lines")


@pytest.mark.feature("N7")
async def test_copy_in_is_near_that_of_the_driver(pad: Pad, raw: Any):
    async def ours() -> None:
        await emptied(raw)
        assert await copy_from(pad, Lines, DATA) == ROWS

    async def theirs() -> None:
        await emptied(raw)
        assert await raw.copy_to_table("lines", source=BytesIO(DATA)) == f"COPY {ROWS}"

    assert await ratio(ours, theirs, bound=BOUND, rounds=7, servers=()) <= BOUND


@pytest.mark.feature("N7")
async def test_copy_out_is_near_that_of_the_driver(pad: Pad, raw: Any):
    await emptied(raw)
    await copy_from(pad, Lines, DATA)

    async def ours() -> None:
        size = 0
        async for piece in copy_to(pad, Lines):
            size += len(piece)
        assert size == len(DATA)

    async def theirs() -> None:
        size = 0

        async def take(piece: bytes) -> None:
            nonlocal size
            size += len(piece)

        await raw.copy_from_table("lines", output=take)
        assert size == len(DATA)

    assert await ratio(ours, theirs, bound=BOUND, rounds=7, servers=()) <= BOUND
