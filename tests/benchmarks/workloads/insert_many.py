"""W5: insert 10,000 objects, with the keys back to their objects. By hand, SQLite tells no keys."""

from typing import Any, Final

from tests.benchmarks.subject import Blog, Entries, Entry, entry_values
from tests.benchmarks.workload import Bench, Workload

__all__ = ["SIZE", "WORKLOAD"]

SIZE: Final = 10_000

NAMES: Final = "INSERT INTO entries (title, body, author, visits, score, slug)"
TYPES: Final = "$1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::float8[], $6::text[]"
POSTGRES: Final = f"{NAMES} SELECT * FROM unnest({TYPES}) RETURNING id"
SQLITE: Final = f"{NAMES} VALUES (?, ?, ?, ?, ?, ?)"


async def ours(bench: Bench) -> list[Any]:
    changes = Blog.change()
    refs = changes.inserts(Entries).extend([Entry(*entry_values(number)) for number in range(SIZE)])
    result = await changes.commit(bench.blog)
    return [result[each] for each in refs]


async def postgres(bench: Bench) -> list[Any]:
    entries = [Entry(*entry_values(number)) for number in range(SIZE)]
    rows = [(each.title, each.body, each.author, each.visits, each.score, each.slug) for each in entries]
    return [row[0] for row in await bench.raw.fetch(POSTGRES, *zip(*rows, strict=True))]


async def sqlite(bench: Bench) -> list[Any]:
    entries = [Entry(*entry_values(number)) for number in range(SIZE)]
    rows = [(each.title, each.body, each.author, each.visits, each.score, each.slug) for each in entries]
    cursor = await bench.raw.executemany(SQLITE, rows)
    await bench.raw.commit()
    return [None] * cursor.rowcount


def check(bench: Bench, found: Any) -> None:
    assert len(found) == SIZE
    known = set(found)
    assert len(known) == SIZE or known == {None}


WORKLOAD: Final = Workload(
    name="W5",
    title="insert 10,000, keys back to their objects",
    key="insert_many",
    goals={"postgres": 0.75, "sqlite": 1.8},
    ours=ours,
    raw={"postgres": postgres, "sqlite": sqlite},
    check=check,
)
