"""Plans as values and as drawings, and what gateways without a server tell."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateways.memory import MemoryGateway
from gateways.sqlite import SQLiteGateway
from gateways.sqlite.explaining import plan_of
from mapper import Plan, fn, select
from mapper.errors import NotStored, Unsupported
from mapper.gateway import Gateway
from mapper.operations import RawSql
from mapper.testing import RecordingGateway
from tests.fake_gateway import FakeGateway
from tests.postgres.relations import Book, Notes, written
from tests.sqlite.relations import Users

TREE = Plan(
    node="Limit",
    rows=5,
    cost=10.5,
    planning_seconds=0.001,
    execution_seconds=0.25,
    children=(
        Plan(
            node="Nested Loop",
            details=(("Join Type", "Inner"),),
            children=(
                Plan(node="Seq Scan", relation="posts", details=(("Filter", "(a > 1)"), ("Rows Removed", "7"))),
                Plan(
                    node="Index Scan",
                    relation="users",
                    index="users_pkey",
                    rows=1,
                    actual_rows=1200,
                    loops=3,
                    seconds=0.5,
                ),
            ),
        ),
        Plan(node="Result", loops=0, actual_rows=0, seconds=0.0),
    ),
)

DRAWN = """\
Limit  (cost 10.50, 5 rows expected)
├─ Nested Loop
│  │  Join Type: Inner
│  ├─ Seq Scan on posts
│  │     Filter: (a > 1)
│  │     Rows Removed: 7
│  └─ Index Scan on users using users_pkey  (1 row expected; 1,200 rows, 3 runs, 500.000 ms)
└─ Result  (never run)
planned in 1.000 ms
executed in 250.000 ms"""


def test_plan_is_drawn_as_a_tree():
    assert str(TREE) == DRAWN


def test_plan_is_walked_from_the_top():
    assert [each.node for each in TREE.walk()] == ["Limit", "Nested Loop", "Seq Scan", "Index Scan", "Result"]


def test_detail_is_found_by_its_name():
    scan = TREE.children[0].children[0]
    assert (scan.detail("Filter"), scan.detail("Sort Key")) == ("(a > 1)", None)


@pytest.fixture(params=["memory", "sqlite"])
async def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with MemoryGateway() if request.param == "memory" else SQLiteGateway(tmp_path / "book.db") as made:
        await Book(made).push_schema()
        await written("a", "b", "c").commit(Book(made))
        yield made


async def test_query_by_an_index_names_it(gateway: Gateway):
    plan = await select(Notes).where(Notes.text == "a").explain(Book(gateway))
    (read,) = [each for each in plan.walk() if each.relation == "notes"]
    assert read.index is not None


async def test_query_without_an_index_names_none(gateway: Gateway):
    plan = await select(Notes).where(fn.length(Notes.text) > 3).explain(Book(gateway))
    (read,) = [each for each in plan.walk() if each.relation == "notes"]
    assert (read.node.upper(), read.index) == ("SCAN", None)


async def test_find_is_explained_as_a_query_is(gateway: Gateway):
    plan = await select(Notes).find(1).explain(Book(gateway))
    assert "KEY" in (plan.index or "").upper()


async def test_explaining_runs_nothing_but_the_question(gateway: Gateway):
    recording = RecordingGateway(gateway)
    await select(Notes.text).order_by(Notes.text).explain(Book(recording))
    assert all(getattr(each, "sql", "").startswith("EXPLAIN") for each in recording.operations)


async def test_query_is_explained_in_a_transaction(gateway: Gateway):
    async with Book(gateway).transaction() as tx:
        assert (await select(Notes).explain(tx)).relation == "notes"


async def test_relation_that_is_not_stored_is_refused(gateway: Gateway):
    with pytest.raises(NotStored):
        await select(Users.id).explain(Book(gateway))  # type: ignore[arg-type]  # wrong on purpose


async def test_gateway_that_cannot_tell_refuses():
    with pytest.raises(Unsupported, match="explain"):
        await select(Notes).explain(Book(FakeGateway()))


async def test_sqlite_measures_nothing(tmp_path: Path):
    async with SQLiteGateway(tmp_path / "book.db") as gateway:
        with pytest.raises(Unsupported, match="measures nothing"):
            await select(Notes).explain(Book(gateway), analyze=True)


async def test_sqlite_explains_statements_of_ones_own(tmp_path: Path):
    async with SQLiteGateway(tmp_path / "book.db") as gateway:
        await Book(gateway).push_schema()
        await written("a").commit(Book(gateway))
        plan = await gateway.explain(RawSql("DELETE FROM notes WHERE id = ?", (1,)))
        assert (plan.node, plan.relation, plan.index) == ("SEARCH", "notes", "INTEGER PRIMARY KEY")
        assert await select(Notes).count(Book(gateway)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SCAN posts", Plan(node="SCAN", relation="posts")),
        ("SCAN my table", Plan(node="SCAN", relation="my table")),
        ("SCAN CONSTANT ROW", Plan(node="SCAN CONSTANT ROW")),
        ("USE TEMP B-TREE FOR ORDER BY", Plan(node="USE TEMP B-TREE FOR ORDER BY")),
        (
            "SEARCH p USING INDEX ix_posts_author (author_id=? AND id>?)",
            Plan(
                node="SEARCH", relation="p", index="ix_posts_author", details=(("Condition", "author_id=? AND id>?"),)
            ),
        ),
        (
            "SEARCH u USING AUTOMATIC COVERING INDEX (id=?) LEFT-JOIN",
            Plan(
                node="SEARCH",
                relation="u",
                index="made for this statement",
                details=(
                    ("Condition", "id=?"),
                    ("Covering", "the index has all columns that are read"),
                    ("More", "LEFT-JOIN"),
                ),
            ),
        ),
        (
            "SCAN posts USING COVERING INDEX ix",
            Plan(
                node="SCAN",
                relation="posts",
                index="ix",
                details=(("Covering", "the index has all columns that are read"),),
            ),
        ),
    ],
)
def test_steps_of_sqlite_are_taken_apart(text: str, expected: Plan):
    assert plan_of([(2, 0, 0, text)]) == expected


async def test_memory_measures_rows_and_time():
    gateway = MemoryGateway()
    await Book(gateway).push_schema()
    await written("a", "b", "c").commit(Book(gateway))
    plan = await select(Notes).where(Notes.text != "a").explain(Book(gateway), analyze=True)
    assert (plan.actual_rows, plan.loops) == (2, 1)
    assert plan.seconds is not None


async def test_memory_draws_joins_groups_and_orders():
    other = Notes.named("other")
    query = (
        select(Notes.text, fn.count(other.id))
        .join(other, on=other.id >= Notes.id)
        .where(Notes.id > 1)
        .group_by(Notes.text)
        .having(fn.count(other.id) > 1)
        .order_by(Notes.text.desc())
        .limit(2)
    )
    nodes = [each.node for each in (await query.explain(Book(MemoryGateway()))).walk()]
    assert nodes == ["Limit", "Sort", "Filter groups", "Group", "Filter", "Join", "Rows", "Rows"]
