"""What reads and writes cost: which rows they look at, and how much memory they take."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from gateways.memory import MemoryGateway
from gateways.memory.tables import Table
from mapper import functions as fn
from mapper.operations import Transaction
from mapper.selecting import exists, select
from mapper.terms import outer
from tests.memory.shop import Comments, Memberships, Posts, Users, compiled, delete, insert, rows, run, update


@pytest.fixture
async def full(gateway: MemoryGateway) -> MemoryGateway:
    await insert(gateway, Users, *[{"name": str(each)} for each in range(300)])
    await insert(gateway, Posts, *[{"title": str(each), "author_id": each % 300 + 1} for each in range(3000)])
    await insert(gateway, Comments, *[{"post_id": each % 3000 + 1, "text": str(each)} for each in range(3000)])
    await insert(gateway, Memberships, *[{"user_id": each, "team": "t", "role": str(each)} for each in range(300)])
    return gateway


@pytest.fixture
def unread(full: MemoryGateway, monkeypatch: pytest.MonkeyPatch) -> MemoryGateway:
    """A gateway that fails where a whole table is read."""
    for relation in (Posts.author_id, Comments.post_id):
        table = full._shared.store.tables[None, relation.relation.__relation__.name]
        table.index((relation.column.position,))

    def refuse(table: Table) -> Iterator[Any]:
        raise AssertionError(f"all rows of {table.layout.relation.__name__} are read")

    monkeypatch.setattr(Table, "rows", refuse)
    monkeypatch.setattr(Table, "numbered", refuse)
    return full


@pytest.mark.parametrize(
    ("query", "size"),
    [
        (select(Posts.title).where(Posts.id == 7), 1),
        (select(Posts.title).where(Posts.id == 7, Posts.visits == 0), 1),
        (select(Posts.title).where(Posts.id.in_([1, 2, 2, 9999])), 2),
        (select(Users.id).where(Users.name == "7"), 1),
        (select(Posts.title).where(Posts.author_id == 7), 10),
        (select(Posts.title).where(Posts.author_id.in_([7, 8])).order_by(Posts.title), 20),
        (select(Memberships.user_id).where(Memberships.role == "7", Memberships.team == "t"), 1),
        (
            select(Posts.title, Comments.text)
            .join(Comments, on=Comments.post_id == Posts.id)
            .where(Posts.author_id == 7),
            10,
        ),
        (
            select(Posts.title).where(
                Posts.id == 7, exists(select(Comments.id).where(Comments.post_id == outer(Posts.id)))
            ),
            1,
        ),
    ],
)
async def test_read_through_an_index_looks_at_no_other_rows(unread: MemoryGateway, query: Any, size: int):
    assert len(await rows(unread, query)) == size


async def test_write_through_an_index_looks_at_no_other_rows(unread: MemoryGateway):
    assert (
        await run(unread, update(Posts, Posts.title.to("x"), where=[Posts.author_id == 7, Posts.visits == 0]))
    ).count == 10
    assert (await run(unread, delete(Comments, Comments.post_id.in_([1, 2])))).count == 2
    assert (await run(unread, delete(Posts, Posts.id == 1))).count == 1
    await insert(unread, Posts, {"title": "y", "author_id": 3})


async def test_stream_takes_no_memory_for_the_rows_to_come(gateway: MemoryGateway):
    await insert(gateway, Posts, *[{"title": str(each)} for each in range(50_000)])
    query = compiled(select(Posts.title, fn.length(Posts.title)).where(Posts.visits == 0))
    await take_all(gateway, query)
    tracemalloc.start()
    try:
        count = await take_all(gateway, query)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 50_000
    assert peak < 500_000


async def take_all(gateway: MemoryGateway, query: Any) -> int:
    batches = await gateway.stream(query, lambda found, names: list(found))
    count = 0
    while (batch := await batches.next()) is not None:
        count += len(batch)
    return count


async def test_snapshot_keeps_what_changes_and_no_more(gateway: MemoryGateway):
    await insert(gateway, Posts, *[{"title": str(each)} for each in range(5000)])
    async with gateway.connection() as reader:
        await reader.execute(Transaction("start", read_only=True))
        for _ in range(3):
            await run(gateway, update(Posts, Posts.title.to("x"), where=[Posts.id == 7]))
        (snapshot,) = gateway._shared.store._watchers
        assert [len(each.rows) for each in snapshot.changes.values()] == [1]  # type: ignore[attr-defined]  # the only watchers there are


async def test_pages_that_are_emptied_are_given_back(gateway: MemoryGateway):
    table = gateway._shared.store.tables[None, "posts"]
    for _ in range(5):
        await insert(gateway, Posts, *[{"title": "x"} for _ in range(1000)])
        await run(gateway, delete(Posts))
    assert table.pages == {}


async def test_plans_of_many_shapes_and_values_are_bounded(gateway: MemoryGateway):
    for each in range(3000):
        query = select(Posts.title).where(*[Posts.visits == each] * (each % 7 + 1)).limit(1)
        await rows(gateway, query)
    compiler = gateway._shared.compiler
    assert len(compiler._plans) < 2100
    assert len(compiler._by_parts) < 2100
