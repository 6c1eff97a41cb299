"""W7: update 1000 rows by their keys, in one transaction."""

from typing import Any, Final

from tests.benchmarks.subject import Blog, Posts
from tests.benchmarks.workload import Bench, Workload

__all__ = ["KEYS", "WORKLOAD"]

KEYS: Final = range(1, 1001)

POSTGRES: Final = (
    "UPDATE posts SET visits = new.visits FROM unnest($1::bigint[], $2::bigint[]) AS new (visits, id)"
    " WHERE posts.id = new.id"
)


async def ours(bench: Bench) -> int:
    changes = Blog.change()
    for key in KEYS:
        changes.update(Posts, key, Posts.visits.to(key - 1))
    return (await changes.commit(bench.blog)).updated


async def postgres(bench: Bench) -> int:
    status = await bench.raw.execute(POSTGRES, [key - 1 for key in KEYS], list(KEYS))
    return int(status.split()[1])


async def sqlite(bench: Bench) -> int:
    rows = [(key - 1, key) for key in KEYS]
    cursor = await bench.raw.executemany("UPDATE posts SET visits = ? WHERE id = ?", rows)
    await bench.raw.commit()
    count: int = cursor.rowcount
    await cursor.close()
    return count


def check(bench: Bench, found: Any) -> None:
    del bench
    assert found == len(KEYS)


WORKLOAD: Final = Workload(
    name="W7",
    title="update 1000 rows in one transaction",
    key="update_many",
    goals={"postgres": 1.15, "sqlite": 1.20},
    ours=ours,
    raw={"postgres": postgres, "sqlite": sqlite},
    check=check,
)
