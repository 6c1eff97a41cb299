"""W6: update one row by its key."""

from typing import Any, Final

from tests.benchmarks.subject import Blog, Posts
from tests.benchmarks.workload import Bench, Workload

__all__ = ["KEYS", "WORKLOAD"]

KEYS: Final = range(1, 61)


async def ours(bench: Bench) -> int:
    count = 0
    for key in KEYS:
        changes = Blog.change()
        changes.update(Posts, key, Posts.visits.to(key - 1))
        count += (await changes.commit(bench.blog)).updated
    return count


async def postgres(bench: Bench) -> int:
    statuses = [await bench.raw.execute("UPDATE posts SET visits = $1 WHERE id = $2", key - 1, key) for key in KEYS]
    return statuses.count("UPDATE 1")


async def sqlite(bench: Bench) -> int:
    count = 0
    for key in KEYS:
        cursor = await bench.raw.execute("UPDATE posts SET visits = ? WHERE id = ?", (key - 1, key))
        await bench.raw.commit()
        count += cursor.rowcount
        await cursor.close()
    return count


def check(bench: Bench, found: Any) -> None:
    del bench
    assert found == len(KEYS)


WORKLOAD: Final = Workload(
    name="W6",
    title="update one by key",
    key="update_one",
    goals={"postgres": 1.15, "sqlite": 1.10},
    ours=ours,
    raw={"postgres": postgres, "sqlite": sqlite},
    check=check,
)
