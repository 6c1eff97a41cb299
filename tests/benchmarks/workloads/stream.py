"""W3: all posts as a stream of objects; its first row; and how memory grows."""

import tracemalloc
from typing import Any, Final

from mapper import select
from tests.benchmarks.subject import Post, Posts
from tests.benchmarks.workload import Bench, Workload

__all__ = ["ALL", "FIRST", "GROWTH"]

SQL: Final = "SELECT id, title, body, author, visits, score, slug FROM posts"
PREFETCHED: Final = 1000
FIRSTS: Final = 20


async def ours(bench: Bench) -> int:
    total = 0
    async for post in select(Post).from_(Posts).execute(bench.blog):
        total += post.visits
    return total


async def postgres(bench: Bench) -> int:
    total = 0
    async with bench.raw.transaction():
        async for row in bench.raw.cursor(SQL, prefetch=PREFETCHED):
            total += row["visits"]
    return total


async def postgres_mapped(bench: Bench) -> int:
    total = 0
    async with bench.raw.transaction():
        async for row in bench.raw.cursor(SQL, prefetch=PREFETCHED):
            total += Post(*row).visits
    return total


async def sqlite(bench: Bench) -> int:
    total = 0
    async with bench.raw.execute(SQL) as cursor:
        async for row in cursor:
            total += row[4]
    return total


async def sqlite_mapped(bench: Bench) -> int:
    total = 0
    async with bench.raw.execute(SQL) as cursor:
        async for row in cursor:
            total += Post(*row).visits
    return total


def check(bench: Bench, found: Any) -> None:
    assert found == sum(range(bench.size))


async def first_of_ours(bench: Bench) -> list[Any]:
    found = []
    for _ in range(FIRSTS):
        async with select(Post).from_(Posts).execute(bench.blog) as rows:
            async for post in rows:
                found.append(post.visits)
                break
    return found


async def first_of_postgres(bench: Bench) -> list[Any]:
    found = []
    for _ in range(FIRSTS):
        async with bench.raw.transaction():
            async for row in bench.raw.cursor(SQL, prefetch=PREFETCHED):
                found.append(row["visits"])
                break
    return found


async def first_of_sqlite(bench: Bench) -> list[Any]:
    found = []
    for _ in range(FIRSTS):
        async with bench.raw.execute(SQL) as cursor:
            async for row in cursor:
                found.append(row[4])
                break
    return found


def check_first(bench: Bench, found: Any) -> None:
    assert len(found) == FIRSTS
    assert all([0 <= each < bench.size for each in found])


async def growth(bench: Bench) -> float:
    """Return the MiB by which a stream grows beyond what was there at its begin."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        total = await ours(bench)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    check(bench, total)
    return peak / 2**20


def check_growth(bench: Bench, found: Any) -> None:
    del bench
    assert found > 0


ALL: Final = Workload(
    name="W3",
    title="stream all as objects",
    key="stream",
    goals={"postgres": 1.35, "sqlite": 1.35},
    weight=3,
    ours=ours,
    raw={"postgres": postgres, "sqlite": sqlite},
    mapped={"postgres": postgres_mapped, "sqlite": sqlite_mapped},
    mapped_goals={"postgres": 1.10},
    check=check,
)

FIRST: Final = Workload(
    name="W3-first",
    title="first row of a stream",
    key="first",
    goals={"postgres": 0.6, "sqlite": 0.4},
    ours=first_of_ours,
    raw={"postgres": first_of_postgres, "sqlite": first_of_sqlite},
    check=check_first,
)

GROWTH: Final = Workload(
    name="W3-memory",
    title="peak growth of a stream",
    key="growth",
    goals={"postgres": 4, "sqlite": 4},
    unit="MiB",
    ours=growth,
    check=check_growth,
)
