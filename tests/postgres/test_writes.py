"""Writes of one row and of many: keys come back to their rows, and what became of each is told."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import frozen

from gateways.postgres import PostgresGateway
from gateways.postgres.bulk import written_together
from mapper.columns import Column, column
from mapper.errors import MissingRow, StaleRow, StatementError
from mapper.gateway import OperationEvent
from mapper.operations import Insert, RawSql
from mapper.relation import Relation
from mapper.repository import Repository
from mapper.selecting import select
from mapper.terms import excluded, fragment
from mapper.wrappers import Keyed, Versioned


@frozen
class Item:
    """A model."""

    name: str
    count: int = 0


@frozen
class Shelf:
    """A model with a list, which no array of values can hold."""

    name: str
    sizes: list[int]


class Items(Relation[Item, int, Versioned[Keyed[Item, int]]]):
    """Items, with a version."""

    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(unique=True)
    count: Column[int]
    version: Column[int] = column(version=True)


class Shelves(Relation[Shelf], schema="store of 'x'"):
    """Shelves, in a namespace whose name has to be quoted."""

    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(name='the "name"')
    sizes: Column[list[int]]


@frozen
class Mark:
    """A model of a number that may be missing."""

    size: int | None


class Marks(Relation[Mark]):
    """Marks."""

    id: Column[int] = column(primary_key=True)
    size: Column[int | None]


class Store(Repository[Items | Shelves | Marks]): ...


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    async with PostgresGateway(postgres_url) as gateway:
        store = Store(gateway)
        await store.push_schema()
        await store.push_schema()
        yield store


@pytest.mark.parametrize("count", [1, 2, 30, 700])
async def test_inserts_of_any_number_give_each_row_its_key(store: Store, count: int):
    changes = Store.change()
    refs = changes.inserts(Items).extend([Item(f"i{each}", each) for each in range(count)])
    result = await changes.commit(store)
    found = dict(await select(Items.id, Items.count).all(store))
    assert [found[result[ref]] for ref in refs] == list(range(count))


@pytest.mark.parametrize("count", [2, 700])
async def test_rows_with_lists_are_inserted_together(store: Store, count: int):
    changes = Store.change()
    refs = changes.inserts(Shelves).extend([Shelf(f"s{each}", list(range(each % 4))) for each in range(count)])
    result = await changes.commit(store)
    found = dict(await select(Shelves.id, Shelves.sizes).all(store))
    assert [found[result[ref]] for ref in refs] == [list(range(each % 4)) for each in range(count)]


async def test_an_insert_of_any_number_is_one_operation(store: Store):
    events: list[OperationEvent] = []
    store._executor.gateway.subscribe(events.append)
    changes = Store.change()
    changes.inserts(Items).extend([Item(f"i{each}") for each in range(1000)])
    await changes.commit(store)
    assert [(type(each.operation), each.rows) for each in events] == [(Insert, 1000)]


async def test_an_upsert_tells_inserted_updated_and_ignored_apart(store: Store):
    first = Store.change()
    first.inserts(Items).extend([Item("a", 1), Item("b", 9)])
    await first.commit(store)
    changes = Store.change()
    items = changes.inserts(Items)
    items.on_conflict(Items.name, update=[Items.count], where=Items.count < 5)
    a, b, c = items.extend([Item("a", 2), Item("b", 3), Item("c", 4)])
    result = await changes.commit(store)
    assert (result.inserted, result.updated, result.ignored) == (1, 1, 1)
    assert result.get(b) is None
    rows = dict(await select(Items.id, Items.count).all(store))
    assert (rows[result[a]], rows[result[c]]) == (2, 4)


async def test_upserts_of_one_key_take_effect_in_order(store: Store):
    changes = Store.change()
    items = changes.inserts(Items)
    items.on_conflict(Items.name, set_=[Items.count.to(Items.count * 10 + excluded(Items.count))])
    refs = items.extend([Item("a", 1), Item("b", 5), Item("a", 2), Item("a", 3)])
    result = await changes.commit(store)
    assert (result.inserted, result.updated) == (2, 2)
    assert len({result[each] for each in refs}) == 2
    assert await select(Items.name, Items.count).order_by(Items.name).all(store) == [("a", 123), ("b", 5)]


async def test_an_upsert_without_columns_ignores_any_conflict(store: Store):
    changes = Store.change()
    items = changes.inserts(Items)
    items.on_conflict()
    first, second = items.extend([Item("a", 1), Item("a", 2)])
    result = await changes.commit(store)
    assert (result.inserted, result.ignored, result.get(second)) == (1, 1, None)
    assert await select(Items.count).find(result[first]).execute(store) == 1


async def test_updates_of_many_rows_raise_their_versions(store: Store):
    rows = await _written(store, 300)
    changes = Store.change()
    for each in rows:
        changes.update(Items, each, Items.count.to(Items.count + 1))
    result = await changes.commit(store)
    assert result.updated == 300
    found = await select(Items).order_by(Items.id).all(store)
    assert [(each.version, each.model.model.count) for each in found] == [(2, each + 1) for each in range(300)]


@pytest.mark.parametrize("gone", [False, True])
async def test_one_unexpected_row_undoes_the_updates_of_all(store: Store, gone: bool):
    rows = await _written(store, 20)
    changes = Store.change()
    if gone:
        changes.deletes(Items).where(Items.id == rows[7].model.key)
    else:
        changes.updates(Items).where(Items.id == rows[7].model.key).set(Items.count.to(70))
    await changes.commit(store)
    changes = Store.change()
    for each in rows:
        changes.update(Items, each, Items.count.to(-1))
    expected: type[MissingRow | StaleRow] = MissingRow if gone else StaleRow
    with pytest.raises(expected) as caught:
        await changes.commit(store)
    error: Any = caught.value
    assert error.row_key == rows[7].model.key
    assert await select(Items.id).where(Items.count == -1).count(store) == 0


@pytest.fixture
async def sent(store: Store) -> list[str]:
    """What is sent by the one connection that the gateway has."""
    gateway: Any = store._executor.gateway
    session, texts = await gateway._pool.acquire(), list[str]()
    session.driver.add_query_logger(lambda each: texts.append(each.query))
    gateway._pool.give(session)
    return texts


async def test_updates_and_deletes_of_many_rows_are_one_statement_each(store: Store, sent: list[str]):
    rows = await _written(store, 20)
    await asyncio.sleep(0)
    sent.clear()
    updates, deletes = Store.change(), Store.change()
    for each in rows:
        updates.update(Items, each.model.key, Items.count.to(7))
        deletes.delete(Items, each.model.key)
    assert (await updates.commit(store)).updated == 20
    assert await select(Items.id).where(Items.count == 7).count(store) == 20
    assert (await deletes.commit(store)).deleted == 20
    assert await select(Items.id).count(store) == 0
    await asyncio.sleep(0)
    assert [each.split()[0] for each in sent] == ["WITH", "SELECT", "WITH", "SELECT"]
    assert all([' AND "id" = ANY(' in each for each in sent[::2]])


async def test_updates_of_many_rows_of_a_table_with_a_rule_are_done(store: Store, sent: list[str]):
    rows = await _written(store, 5)
    gateway = store._executor.gateway
    await gateway.execute(RawSql("CREATE TABLE seen (id bigint)"))
    await gateway.execute(RawSql("CREATE RULE seeing AS ON UPDATE TO items DO ALSO INSERT INTO seen VALUES (new.id)"))
    await asyncio.sleep(0)
    sent.clear()
    changes = Store.change()
    for each in rows:
        changes.update(Items, each, Items.count.to(7))
    assert (await changes.commit(store)).updated == 5
    assert await select(Items.id).where(Items.count == 7).count(store) == 5
    await asyncio.sleep(0)
    assert "BEGIN" in sent


async def test_updates_that_divide_by_zero_say_so(store: Store):
    rows = await _written(store, 3)
    changes = Store.change()
    for each in rows:
        changes.update(Items, each, Items.count.to(fragment(int, "10 / ?", Items.count)))
    with pytest.raises(StatementError, match="division by zero"):
        await changes.commit(store)
    assert sorted(await select(Items.count).all(store)) == [0, 1, 2]


def test_name_that_looks_like_a_parameter_is_left_alone():
    bulk = written_together('UPDATE "t" SET "$1::x" = $1::text WHERE "odd = $7::int" = $2::bigint', 2, 2)
    assert bulk is not None
    assert 'SET "$1::x" = "mapper given"."mapper 1"' in bulk.sql
    assert 'WHERE "odd = $7::int" = "mapper given"."mapper 2" AND "odd = $7::int" = ANY($2::bigint[])' in bulk.sql
    assert '"odd = $7::int" = "mapper given"."mapper 2" AND "odd = $7::int" = ANY($2::text::bigint[])' in bulk.whole
    assert bulk.numbers == (1,)


@pytest.mark.parametrize("alone", [True, False], ids=["by themselves", "in a transaction"])
async def test_updates_of_many_rows_write_numbers_of_64_bits_as_they_are(store: Store, alone: bool):
    rows, extremes = await _written(store, 4), [-(2**63), 2**63 - 1, 0, -1]
    changes = Store.change()
    for each, number in zip(rows, extremes, strict=True):
        changes.update(Items, each, Items.count.to(number), Items.name.to(f"NULL, {{{number}}}"))
    if alone:
        await changes.commit(store)
    else:
        async with store.transaction() as within:
            await changes.commit(within)
    found = await select(Items.count, Items.name).order_by(Items.id).all(store)
    assert found == [(each, f"NULL, {{{each}}}") for each in extremes]


async def test_updates_of_many_rows_write_null_beside_numbers(store: Store):
    changes = Store.change()
    refs = changes.inserts(Marks).extend([Mark(each) for each in range(3)])
    result = await changes.commit(store)
    changes = Store.change()
    for ref, size in zip(refs, [None, 5, None], strict=True):
        changes.update(Marks, result[ref], Marks.size.to(size))
    assert (await changes.commit(store)).updated == 3
    assert await select(Marks.size).order_by(Marks.id).all(store) == [None, 5, None]


def test_composite_key_is_not_looked_for_one_column_at_a_time():
    bulk = written_together('DELETE FROM "t" WHERE "a" = $1::bigint AND "b" = $2::text', 2)
    assert bulk is not None
    assert "ANY" not in bulk.sql


async def test_deletes_of_many_rows_find_all_of_them(store: Store):
    rows = await _written(store, 50)
    changes = Store.change()
    for each in rows[10:]:
        changes.delete(Items, each)
    result = await changes.commit(store)
    assert result.deleted == 40
    assert await select(Items.id).count(store) == 10


async def _written(store: Store, count: int) -> list[Versioned[Keyed[Item, int]]]:
    changes = Store.change()
    changes.inserts(Items).extend([Item(f"i{each}", each) for each in range(count)])
    await changes.commit(store)
    return await select(Items).order_by(Items.id).all(store)
