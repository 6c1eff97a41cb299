"""What is gained where the point reads of many tasks go as one operation, and what is lost where they cannot."""

import asyncio
from collections.abc import Iterator

import attrs
import pytest

from gateways.postgres import PostgresGateway
from mapper import Column, Relation, Repository, column, select
from tests.performance.measuring import ratio
from tests.servers.fixtures import Databases, databases

__all__ = ["databases"]

TASKS = 50
KEYS = range(1, 401)

TOGETHER = 0.8
"""What reads of many tasks take at most of the same without merging."""

ALONE = 2.0
"""What reads of one task take at most, which waits for others at each."""


@attrs.frozen
class Entry:
    id: int
    title: str
    author: int


class Entries(Relation[Entry]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    author: Column[int]


class Log(Repository[Entries]): ...


@pytest.fixture(scope="module")
def filled(databases: Databases) -> Iterator[str]:
    async def made() -> str:
        url = await databases.create()
        async with PostgresGateway(url) as gateway:
            await Log(gateway).push_schema()
            await Log(gateway).load(Entries, [Entry(key, f"title {key}", key % 7) for key in KEYS])
        return url

    url = asyncio.run(made())
    yield url
    asyncio.run(databases.drop(url))


async def read(log: Log, tasks: int) -> None:
    async def work(number: int) -> None:
        for key in KEYS[number::tasks]:
            found = await select(Entry).from_(Entries).find(key).execute(log)
            assert found is not None
            assert found.id == key

    await asyncio.gather(*[work(number) for number in range(tasks)])


@pytest.mark.parametrize(("tasks", "bound"), [(TASKS, TOGETHER), (1, ALONE)])
async def test_merged_reads_take_of_others(filled: str, tasks: int, bound: float):
    async with (
        PostgresGateway(filled, max_connections=4) as plain,
        PostgresGateway(filled, max_connections=4, merge_point_reads=True) as merging,
    ):
        found = await ratio(
            lambda: read(Log(merging), tasks), lambda: read(Log(plain), tasks), bound=bound, rounds=9, servers=()
        )
        assert found <= bound
