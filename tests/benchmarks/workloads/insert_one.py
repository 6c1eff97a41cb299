"""W4: insert one row, with its key back."""

from typing import Any, Final

from tests.benchmarks.subject import Blog, Entries, Entry, entry_values
from tests.benchmarks.workload import Bench, Workload

__all__ = ["NUMBERS", "WORKLOAD"]

NUMBERS: Final = range(60)

NAMES: Final = "INSERT INTO entries (title, body, author, visits, score, slug) VALUES"
POSTGRES: Final = f"{NAMES} ($1, $2, $3, $4, $5, $6) RETURNING id"
SQLITE: Final = f"{NAMES} (?, ?, ?, ?, ?, ?)"


async def ours(bench: Bench) -> list[Any]:
    keys = []
    for number in NUMBERS:
        changes = Blog.change()
        ref = changes.inserts(Entries).push(Entry(*entry_values(number)))
        keys.append((await changes.commit(bench.blog))[ref])
    return keys


async def postgres(bench: Bench) -> list[Any]:
    return [await bench.raw.fetchval(POSTGRES, *entry_values(number)) for number in NUMBERS]


async def sqlite(bench: Bench) -> list[Any]:
    keys = []
    for number in NUMBERS:
        async with bench.raw.execute(SQLITE, entry_values(number)) as cursor:
            keys.append(cursor.lastrowid)
        await bench.raw.commit()
    return keys


def check(bench: Bench, found: Any) -> None:
    del bench
    assert len(set(found)) == len(NUMBERS)
    assert all([type(each) is int for each in found])


WORKLOAD: Final = Workload(
    name="W4",
    title="insert one, key back",
    key="insert_one",
    goals={"postgres": 1.15, "sqlite": 1.05},
    ours=ours,
    raw={"postgres": postgres, "sqlite": sqlite},
    check=check,
)
