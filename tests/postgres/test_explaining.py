"""EXPLAIN of a real server as a tree; what is measured is undone."""

from collections.abc import AsyncIterator

import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway, explain
from gateways.postgres.plans import plan_of
from mapper import Plan, fn, raw, select
from mapper.errors import NotStored, StatementError, Unsupported
from mapper.operations import Insert, Operation, RawSql, Transaction, UpdateSql
from mapper.testing import RecordingGateway
from tests.postgres.relations import Book, Note, Notes, written


@pytest.fixture
async def gateway(postgres_url: str) -> AsyncIterator[PostgresGateway]:
    async with PostgresGateway(postgres_url, max_connections=1) as gateway:
        await Book(gateway).push_schema()
        await written(*[f"n{each}" for each in range(500)]).commit(Book(gateway))
        await gateway.execute(RawSql("ANALYZE notes"))
        yield gateway


@pytest.fixture
def book(gateway: PostgresGateway) -> Book:
    return Book(gateway)


async def test_read_by_key_is_an_index_scan(book: Book):
    plan = await select(Notes).find(7).explain(book)
    assert (plan.node, plan.relation, plan.index, plan.rows) == ("Index Scan", "notes", "notes_pkey", 1)
    assert plan.cost is not None
    assert plan.actual_rows is None
    assert plan.detail("Index Cond") is not None


async def test_measured_plan_has_rows_times_and_totals(book: Book):
    plan = await select(Notes.id).where(Notes.id > 10).order_by(Notes.text).explain(book, analyze=True)
    assert plan.node == "Sort"
    (scan,) = plan.children
    assert (scan.node, scan.actual_rows, scan.loops) == ("Seq Scan", 490, 1)
    assert scan.detail("Rows Removed by Filter") == "10"
    assert plan.seconds is not None
    assert plan.execution_seconds is not None
    assert plan.execution_seconds >= plan.seconds


async def test_rows_of_a_step_that_runs_often_are_those_of_all_runs(book: Book):
    query = raw(int, "SELECT n FROM generate_series(1, 4) n, LATERAL (SELECT id FROM notes WHERE id > n LIMIT ?) x", 3)
    plan = await query.explain(book, analyze=True)
    (limit,) = [each for each in plan.walk() if each.node == "Limit"]
    assert (limit.loops, limit.actual_rows) == (4, 4 * 3)


async def test_blocks_are_told_when_they_are_asked_for(book: Book):
    query = select(fn.count()).from_(Notes)
    assert (await explain(query, book, analyze=True, buffers=True)).detail("Shared Hit Blocks") is not None
    assert (await explain(query, book, analyze=True)).detail("Shared Hit Blocks") is None


async def test_verbose_plan_names_columns_and_schemas(book: Book):
    plan = await explain(select(Notes.text), book, verbose=True)
    assert (plan.relation, plan.detail("Output")) == ("public.notes", "text")


async def test_settings_that_matter_are_told(book: Book):
    async with book.transaction() as tx:
        await tx._executor.execute(RawSql("SET LOCAL enable_seqscan = off"))
        plan = await explain(select(Notes.text), tx, settings=True)
    assert plan.detail("Settings") == "enable_seqscan off"


async def test_plan_is_drawn(book: Book):
    lines = str(await select(Notes.id).order_by(fn.length(Notes.text)).limit(3).explain(book)).splitlines()
    assert [line.split("  (")[0] for line in lines if "Sort Key" not in line] == [
        "Limit",
        "└─ Sort",
        "   └─ Seq Scan on notes",
    ]


async def test_parameters_are_bound(book: Book):
    plan = await select(Notes).where(Notes.text.in_(["n1", "'); DROP TABLE notes; --"]), Notes.id > 0).explain(book)
    assert any("DROP TABLE" in text for each in plan.walk() for _, text in each.details)
    assert await select(Notes).count(book) == 500


@pytest.mark.parametrize("within", [False, True], ids=["alone", "in a transaction"])
async def test_measured_write_is_undone(book: Book, within: bool):
    statement = RawSql("DELETE FROM notes WHERE id > ?::bigint", (0,), writes=frozenset({Notes}))
    if within:
        async with book.transaction() as tx:
            plan = await explain(statement, tx, analyze=True)
            assert await select(Notes).count(tx) == 500
            await written("more").commit(tx)
    else:
        plan = await explain(statement, book, analyze=True)
    assert plan.children[0].actual_rows == 500
    assert await select(Notes).count(book) == 500 + within


async def test_query_that_writes_is_undone_when_it_is_measured(book: Book):
    query = raw(int, "WITH gone AS (DELETE FROM notes RETURNING id) SELECT id FROM gone")
    plan = await query.explain(book, analyze=True)
    assert plan.actual_rows == 500
    assert await select(Notes).count(book) == 500


async def operations_of(gateway: PostgresGateway) -> list[Operation]:
    """Return what changesets of each kind send."""
    recording = RecordingGateway(gateway)
    book = Book(recording)
    rows = await select(Notes).order_by(Notes.id).limit(2).all(book)
    recording.clear()
    changes = Book.change()
    changes.inserts(Notes).push(Note("one"))
    changes.inserts(Notes).on_conflict(Notes.text, update=[Notes.text]).push(Note("n3"))
    changes.updates(Notes).where(Notes.id == 5).set(Notes.text.to("five"))
    for row in rows:
        changes.update(Notes, row, Notes.text.to(f"{row.model.text}!"))
    changes.deletes(Notes).where(Notes.text == "n9")
    await changes.commit(book)
    return [each for each in recording.operations if not isinstance(each, Transaction)]


async def test_operations_of_a_changeset_are_explained(gateway: PostgresGateway):
    plans = {type(each).__name__: await explain(each, gateway) for each in await operations_of(gateway)}
    assert set(plans) == {"Insert", "Upsert", "UpdateSql", "DeleteSql"}
    assert {each.node for each in plans.values()} == {"ModifyTable"}
    assert {each.detail("Operation") for each in plans.values()} == {"Insert", "Update", "Delete"}


async def test_measured_insert_is_undone(gateway: PostgresGateway):
    insert = next(each for each in await operations_of(gateway) if isinstance(each, Insert))
    before = await select(Notes).count(Book(gateway))
    fresh = Insert(Notes, insert.columns, [("fresh",)], insert.returning, insert.sql, writes=insert.writes)
    assert (await explain(fresh, gateway, analyze=True)).detail("Operation") == "Insert"
    assert await select(Notes).count(Book(gateway)) == before


async def test_update_of_many_rows_is_explained_by_its_first(gateway: PostgresGateway):
    (update,) = [each for each in await operations_of(gateway) if isinstance(each, UpdateSql) and each.many]
    assert (await explain(update, gateway)).detail("Operation") == "Update"


async def test_error_of_a_measured_statement_is_told_and_nothing_stays_open(gateway: PostgresGateway, book: Book):
    with pytest.raises(StatementError, match="division by zero"):
        await explain(RawSql("SELECT 1 / ?::int", (0,)), book, analyze=True)
    assert gateway.statistics().in_use == 0
    assert await select(Notes).count(book) == 500


async def test_operation_without_a_plan_is_refused(gateway: PostgresGateway):
    with pytest.raises(Unsupported, match="no plan"):
        await explain(Transaction("start"), gateway)


async def test_other_gateway_is_refused():
    with pytest.raises(Unsupported, match="memory"):
        await explain(select(Notes), MemoryGateway())


async def test_relation_that_is_not_stored_is_refused(gateway: PostgresGateway):
    with pytest.raises(NotStored):
        await explain(RawSql("SELECT 1", reads=frozenset({Note})), Book(gateway))


def test_answer_is_read_as_text_or_as_values():
    told = [{"Plan": {"Node Type": "Result", "Total Cost": 0.01, "Plan Rows": 1}, "Planning Time": 2.0}]
    expected = Plan(node="Result", cost=0.01, rows=1, planning_seconds=0.002)
    assert plan_of(told) == expected
    assert (
        plan_of('[{"Plan": {"Node Type": "Result", "Total Cost": 0.01, "Plan Rows": 1}, "Planning Time": 2.0}]')
        == expected
    )
