"""W2: fifty posts of an author in order, as objects."""

from typing import Any, Final

from mapper import select
from tests.benchmarks.subject import BY_AUTHOR, Post, Posts, post_values, values_of
from tests.benchmarks.workload import Bench, Workload

__all__ = ["AUTHORS", "WORKLOAD"]

AUTHORS: Final = range(10, 40)

SQL: Final = "SELECT id, title, body, author, visits, score, slug FROM posts WHERE author = {} ORDER BY id LIMIT {}"
POSTGRES: Final = SQL.format("$1", "$2")
SQLITE: Final = SQL.format("?", "?")


async def ours(bench: Bench) -> list[Any]:
    found = []
    for author in AUTHORS:
        query = select(Post).from_(Posts).where(Posts.author == author).order_by(Posts.id).limit(BY_AUTHOR)
        found.append(await query.all(bench.blog))
    return found


async def postgres(bench: Bench) -> list[Any]:
    return [await bench.raw.fetch(POSTGRES, author, BY_AUTHOR) for author in AUTHORS]


async def sqlite(bench: Bench) -> list[Any]:
    found = []
    for author in AUTHORS:
        async with bench.raw.execute(SQLITE, (author, BY_AUTHOR)) as cursor:
            found.append(await cursor.fetchall())
    return found


async def postgres_mapped(bench: Bench) -> list[Any]:
    return [[Post(*row) for row in rows] for rows in await postgres(bench)]


async def sqlite_mapped(bench: Bench) -> list[Any]:
    return [[Post(*row) for row in rows] for rows in await sqlite(bench)]


def check(bench: Bench, found: Any) -> None:
    del bench
    for author, rows in zip(AUTHORS, found, strict=True):
        keys = range(author * BY_AUTHOR + 1, (author + 1) * BY_AUTHOR + 1)
        assert [values_of(each) for each in rows] == [post_values(key) for key in keys]


WORKLOAD: Final = Workload(
    name="W2",
    title="50 rows filtered, ordered, as objects",
    key="read_list",
    goals={"postgres": 1.25, "sqlite": 0.70},
    ours=ours,
    raw={"postgres": postgres, "sqlite": sqlite},
    mapped={"postgres": postgres_mapped, "sqlite": sqlite_mapped},
    check=check,
)
