"""W1: one post by its key, by one task, by sixteen beside each other, and by many whose reads are merged."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from gateways.postgres import PostgresGateway
from mapper import select
from tests.benchmarks.subject import Blog, Post, Posts, post_values, values_of
from tests.benchmarks.workload import Bench, Workload

__all__ = ["ALONE", "BY_TASKS", "CONNECTIONS", "KEYS", "MERGED"]

KEYS: Final = range(1, 161)
TASKS: Final = 16

MANY_KEYS: Final = range(1, 801)
MANY: Final = (50, 100, 200)
"""How many tasks there are where their reads are merged."""

CONNECTIONS: Final = 8
"""How many connections the tasks share, where the driver has one for each."""

POSTGRES: Final = "SELECT id, title, body, author, visits, score, slug FROM posts WHERE id = $1"
SQLITE: Final = "SELECT id, title, body, author, visits, score, slug FROM posts WHERE id = ?"


async def ours(bench: Bench, keys: Sequence[int] = KEYS) -> list[Any]:
    return await read(bench.blog, keys)


async def read(blog: Blog, keys: Sequence[int]) -> list[Any]:
    return [await select(Post).from_(Posts).find(key).execute(blog) for key in keys]


async def postgres(bench: Bench) -> list[Any]:
    return [await bench.raw.fetchrow(POSTGRES, key) for key in KEYS]


async def sqlite(bench: Bench, keys: Sequence[int] = KEYS) -> list[Any]:
    found = []
    for key in keys:
        async with bench.raw.execute(SQLITE, (key,)) as cursor:
            found.append(await cursor.fetchone())
    return found


def parts(keys: Sequence[int] = KEYS, tasks: int = TASKS) -> list[Sequence[int]]:
    """The keys of each task."""
    return [keys[number::tasks] for number in range(tasks)]


async def ours_by_tasks(bench: Bench) -> list[Any]:
    return _joined(await asyncio.gather(*[ours(bench, keys) for keys in parts()]))


async def postgres_by_tasks(bench: Bench) -> list[Any]:
    return await postgres_by(bench, parts())


async def postgres_by(bench: Bench, parts: Sequence[Sequence[int]]) -> list[Any]:
    free: asyncio.Queue[Any] = asyncio.Queue()
    for each in bench.many:
        free.put_nowait(each)
    return _joined(await asyncio.gather(*[_pooled(free, keys) for keys in parts]))


@asynccontextmanager
async def merging(bench: Bench) -> AsyncGenerator[Blog]:
    """The same repository, with a gateway that merges."""
    async with PostgresGateway(bench.url, max_connections=CONNECTIONS, merge_point_reads=True) as gateway:
        yield Blog(gateway)


async def merged_by(tasks: int, bench: Bench) -> list[Any]:
    blog = await bench.own(merging)
    return _joined(await asyncio.gather(*[read(blog, keys) for keys in parts(MANY_KEYS, tasks)]))


async def unmerged_by(tasks: int, bench: Bench) -> list[Any]:
    return await postgres_by(bench, parts(MANY_KEYS, tasks))


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


def check_many(bench: Bench, found: Any) -> None:
    del bench
    assert sorted([values_of(each) for each in found]) == [post_values(key) for key in MANY_KEYS]


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

MERGED: Final = tuple([
    Workload(
        name=f"W1-merged-{tasks}",
        title=f"read one by key, {tasks} tasks, merged",
        key="read_one_merged",
        databases=("postgres",),
        goals={"postgres": 0.84},
        ours=partial(merged_by, tasks),
        raw={"postgres": partial(unmerged_by, tasks)},
        check=check_many,
    )
    for tasks in MANY
])  # fmt: skip
