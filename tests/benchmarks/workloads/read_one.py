"""W1: one post by its key, by one task and by sixteen beside each other."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from mapper import select
from tests.benchmarks.subject import Post, Posts, post_values, values_of
from tests.benchmarks.workload import Bench, Workload

__all__ = ["ALONE", "BY_TASKS", "CONNECTIONS", "KEYS"]

KEYS: Final = range(1, 161)
TASKS: Final = 16

CONNECTIONS: Final = 8
"""How many connections the tasks share, where the driver has one for each."""

POSTGRES: Final = "SELECT id, title, body, author, visits, score, slug FROM posts WHERE id = $1"
SQLITE: Final = "SELECT id, title, body, author, visits, score, slug FROM posts WHERE id = ?"


async def ours(bench: Bench, keys: Sequence[int] = KEYS) -> list[Any]:
    return [await select(Post).from_(Posts).find(key).execute(bench.blog) for key in keys]


async def postgres(bench: Bench) -> list[Any]:
    return [await bench.raw.fetchrow(POSTGRES, key) for key in KEYS]


async def sqlite(bench: Bench, keys: Sequence[int] = KEYS) -> list[Any]:
    found = []
    for key in keys:
        async with bench.raw.execute(SQLITE, (key,)) as cursor:
            found.append(await cursor.fetchone())
    return found


def parts() -> list[Sequence[int]]:
    """The keys of each task."""
    return [KEYS[number::TASKS] for number in range(TASKS)]


async def ours_by_tasks(bench: Bench) -> list[Any]:
    return _joined(await asyncio.gather(*[ours(bench, keys) for keys in parts()]))


async def postgres_by_tasks(bench: Bench) -> list[Any]:
    free: asyncio.Queue[Any] = asyncio.Queue()
    for each in bench.many:
        free.put_nowait(each)
    return _joined(await asyncio.gather(*[_pooled(free, keys) for keys in parts()]))


async def _pooled(free: "asyncio.Queue[Any]", keys: Sequence[int]) -> list[Any]:
    found = []
    for key in keys:
        connection = await free.get()
        try:
            found.append(await connection.fetchrow(POSTGRES, key))
        finally:
            free.put_nowait(connection)
    return found


async def sqlite_by_tasks(bench: Bench) -> list[Any]:
    return _joined(await asyncio.gather(*[sqlite(bench, keys) for keys in parts()]))


def _joined(found: Sequence[list[Any]]) -> list[Any]:
    return [each for part in found for each in part]


def check(bench: Bench, found: Any) -> None:
    del bench
    assert sorted([values_of(each) for each in found]) == [post_values(key) for key in KEYS]


ALONE: Final = Workload(
    name="W1",
    title="read one by key, alone",
    key="read_one",
    goals={"postgres": 1.20, "sqlite": 0.15},
    ours=ours,
    raw={"postgres": postgres, "sqlite": sqlite},
    check=check,
)

BY_TASKS: Final = Workload(
    name="W1-tasks",
    title="read one by key, 16 tasks",
    key="read_one_by_tasks",
    goals={"postgres": 1.25, "sqlite": 0.45},
    ours=ours_by_tasks,
    raw={"postgres": postgres_by_tasks, "sqlite": sqlite_by_tasks},
    check=check,
)
