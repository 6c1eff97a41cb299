"""W8: fifty owners, with twenty children each."""

from typing import Any, Final

from mapper import select
from tests.benchmarks.subject import BY_AUTHOR, COMMENTED, COMMENTS, Comment, Post, PostComments, Posts, post_values
from tests.benchmarks.workload import Bench, Workload

__all__ = ["AUTHORS", "WORKLOAD"]

AUTHORS: Final = range(COMMENTED)

OWNERS: Final = "SELECT id, title, body, author, visits, score, slug FROM posts WHERE author = {} ORDER BY id"
POSTGRES: Final = "SELECT post_id, text FROM comments WHERE post_id = ANY($1) ORDER BY id"
SQLITE: Final = f"SELECT post_id, text FROM comments WHERE post_id IN ({', '.join('?' * BY_AUTHOR)}) ORDER BY id"


async def ours(bench: Bench) -> list[Any]:
    found: list[Any] = []
    for author in AUTHORS:
        query = select(Post).from_(Posts).where(Posts.author == author).order_by(Posts.id).combine(PostComments)
        found += await query.all(bench.blog)
    return found


async def postgres(bench: Bench) -> list[Any]:
    found: list[Any] = []
    for author in AUTHORS:
        owners = await bench.raw.fetch(OWNERS.format("$1"), author)
        below: dict[int, list[Any]] = {owner["id"]: [] for owner in owners}
        for row in await bench.raw.fetch(POSTGRES, list(below)):
            below[row["post_id"]].append(row)
        found += [(owner, below[owner["id"]]) for owner in owners]
    return found


async def postgres_mapped(bench: Bench) -> list[Any]:
    found: list[Any] = []
    for author in AUTHORS:
        owners = [Post(*row) for row in await bench.raw.fetch(OWNERS.format("$1"), author)]
        below: dict[int, list[Comment]] = {owner.id: [] for owner in owners}
        for row in await bench.raw.fetch(POSTGRES, list(below)):
            below[row[0]].append(Comment(*row))
        found += [(owner, below[owner.id]) for owner in owners]
    return found


async def sqlite(bench: Bench) -> list[Any]:
    found: list[Any] = []
    for author in AUTHORS:
        owners = await bench.raw.execute_fetchall(OWNERS.format("?"), (author,))
        below: dict[int, list[Any]] = {owner[0]: [] for owner in owners}
        for row in await bench.raw.execute_fetchall(SQLITE, list(below)):
            below[row[0]].append(row)
        found += [(owner, below[owner[0]]) for owner in owners]
    return found


async def sqlite_mapped(bench: Bench) -> list[Any]:
    found: list[Any] = []
    for author in AUTHORS:
        owners = [Post(*row) for row in await bench.raw.execute_fetchall(OWNERS.format("?"), (author,))]
        below: dict[int, list[Comment]] = {owner.id: [] for owner in owners}
        for row in await bench.raw.execute_fetchall(SQLITE, list(below)):
            below[row[0]].append(Comment(*row))
        found += [(owner, below[owner.id]) for owner in owners]
    return found


def check(bench: Bench, found: Any) -> None:
    del bench
    assert len(found) == len(AUTHORS) * BY_AUTHOR
    for key, (owner, children) in enumerate(found, 1):
        slug, texts = post_values(key)[-1], [f"comment {number} of {key}" for number in range(COMMENTS)]
        assert (owner.slug if hasattr(owner, "slug") else owner[-1]) == slug
        assert sorted([each.text if hasattr(each, "text") else each[-1] for each in children]) == sorted(texts)


WORKLOAD: Final = Workload(
    name="W8",
    title="50 owners with 20 children each",
    key="read_related",
    goals={"postgres": 1.40, "sqlite": 1.35},
    ours=ours,
    raw={"postgres": postgres, "sqlite": sqlite},
    mapped={"postgres": postgres_mapped, "sqlite": sqlite_mapped},
    mapped_goals={"postgres": 1.15},
    check=check,
)
