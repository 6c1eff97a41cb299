"""One repository class in several schemas, on the connections of one pool."""

import asyncio
from collections.abc import AsyncIterator
from enum import Enum
from io import BytesIO
from typing import Any

import attrs
import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway, copy_from, copy_to
from gateways.sqlite import SQLiteGateway
from mapper.columns import Column, Index, column
from mapper.errors import ForeignKeyViolation, QueryError, UniqueViolation, Unsupported
from mapper.operations import QuerySql
from mapper.relation import CommonTable, Relation
from mapper.relationships import HasMany
from mapper.repository import Repository
from mapper.selecting import exists, select
from mapper.sources import subquery, values
from mapper.terms import outer
from mapper.types import Enumeration
from tests.servers.fixtures import Databases

ODD = 'Ténant "7"; DROP SCHEMA x'


@attrs.frozen
class Note:
    text: str


@attrs.frozen
class Tag:
    name: str


class Notes(Relation[Note]):
    id: Column[int] = column(primary_key=True)
    text: Column[str] = column(unique=True)


class Tags(Relation[Tag], indexes=[Index("name")]):
    id: Column[int] = column(primary_key=True)
    note_id: Column[int] = column(references=lambda: Notes.id, on_delete="cascade")
    name: Column[str]


class Plans(Relation[Tag], schema="shared", name="plans"):
    """Declares its schema, which stays."""

    id: Column[int] = column(primary_key=True)
    name: Column[str]


class NoteTags(HasMany[Notes, Tags]):
    key = Tags.note_id


class Notebook(Repository[Notes | Tags | Plans]): ...


@pytest.fixture
async def book(databases: Databases) -> AsyncIterator[Notebook]:
    """On a pool of two connections, with the tables in two schemas."""
    url = await databases.create()
    async with PostgresGateway(url, max_connections=2) as gateway:
        book = Notebook(gateway)
        for schema in ("a", ODD):
            await book.in_schema(schema).push_schema()
        yield book
    await databases.drop(url)


async def wrote(book: Notebook, *texts: str) -> None:
    changes = Notebook.change()
    notes = changes.inserts(Notes)
    for each in texts:
        notes.push(Note(each)).with_(NoteTags, [Tag(f"{each}1"), Tag(f"{each}2")])
    await changes.commit(book)


async def texts(book: Notebook) -> list[str]:
    return await select(Notes.text).order_by(Notes.text).all(book)


async def test_schemas_share_connections_and_nothing_else(book: Notebook):
    first, second = book.in_schema("a"), book.in_schema(ODD)

    async def work(each: Notebook, name: str) -> None:
        for number in range(10):
            await wrote(each, f"{name}{number}")
            assert set(await select(Notes.text).all(each)) == {f"{name}{index}" for index in range(number + 1)}

    await asyncio.gather(work(first, "x"), work(second, "y"))
    assert (await texts(first), await texts(second)) == (
        [f"x{index}" for index in range(10)],
        [f"y{index}" for index in range(10)],
    )
    assert book._executor.gateway.statistics().size <= 2


@pytest.mark.parametrize("count", [1, 5, 300])
async def test_rows_of_every_size_of_bulk_go_to_their_schema(book: Notebook, count: int):
    second = book.in_schema(ODD)
    await wrote(second, *[f"n{index}" for index in range(count)])
    assert await texts(book.in_schema("a")) == []
    assert await select(Tags).count(second) == 2 * count
    changes = Notebook.change()
    changes.inserts(Notes).on_conflict(Notes.text, update=[Notes.text]).extend(
        [Note(f"n{i}") for i in range(count + 1)]
    )
    slot = changes.inserts(Notes).returning(Notes)
    told = changes.inserts(Notes)
    told_slot = told.returning(Notes.id, Notes.text)
    told.extend([Note(f"m{index}") for index in range(count)])
    result = await changes.commit(second)
    assert (result.inserted, result.updated, result[slot]) == (1 + count, count, [])
    assert [text for _, text in result[told_slot]] == [f"m{index}" for index in range(count)]


async def test_updates_deletes_joins_subqueries_and_streams_stay_in_their_schema(book: Notebook):
    second = book.in_schema(ODD)
    await wrote(second, "a", "b")
    await wrote(book.in_schema("a"), "other")
    tags = select(Tags.id).where(Tags.note_id == outer(Notes.id))
    assert await select(Notes.text).where(exists(tags)).order_by(Notes.text).all(second) == ["a", "b"]
    joined = select(Notes.text, Tags.name).join(NoteTags).order_by(Tags.name)
    assert [name for _, name in await joined.all(second)] == ["a1", "a2", "b1", "b2"]
    combined = [each async for each in select(Notes).combine(NoteTags).order_by(Notes.id).execute(second)]
    assert [len(tags) for _, tags in combined] == [2, 2]
    kept = combined[0][0]
    changes = Notebook.change()
    changes.update(Notes, kept, Notes.text.to("c"))
    changes.updates(Tags).where(Tags.name == "b1").set(Tags.name.to("b3"))
    changes.deletes(Notes).where(Notes.text == "b")
    await changes.commit(second)
    assert await texts(second) == ["c"]
    assert await texts(book.in_schema("a")) == ["other"]


async def test_transactions_sandboxes_once_and_loads_stay_in_their_schema(book: Notebook):
    second = book.in_schema(ODD)
    async with second.transaction() as tx:
        await wrote(tx, "a")
        async with tx.transaction() as inner:
            await wrote(inner, "b")
        assert await texts(tx) == ["a", "b"]
    async with second.sandbox() as boxed:
        await wrote(boxed, "c")
        assert await texts(boxed) == ["a", "b", "c"]
        assert await texts(boxed.in_schema("a")) == []
    changes = Notebook.change()
    ref = changes.inserts(Notes).push(Note("once"))
    keys = [(await changes.commit(each, once="1"))[ref] for each in (second, second)]
    assert keys[0] == keys[1]
    first = book.in_schema("a")
    await changes.commit(first, once="1")
    assert await first.load(Notes, [Note(f"l{index}") for index in range(500)]) == 500
    assert (len(await texts(first)), await texts(second)) == (501, ["a", "b", "once"])


class Renamed(CommonTable):
    old: Column[str]
    new: Column[str]


async def test_updates_from_other_rows_stay_in_their_schema(book: Notebook):
    first, second = book.in_schema("a"), book.in_schema(ODD)
    for each in (first, second):
        await wrote(each, "x", "y")
    changes = Notebook.change()
    update = changes.updates(Notes).from_(values(Renamed, [("x", "z")]), on=Renamed.old == Notes.text)
    slot = update.set(Notes.text.to(Renamed.new)).returning(Notes.text)
    named = select(Tags.name, Notes.text).join(Notes, on=Notes.id == Tags.note_id).where(Notes.text == "y")
    tags = changes.updates(Tags).from_(subquery(Renamed, named), on=Renamed.old == Tags.name)
    tags.set(Tags.name.to(Renamed.new + Tags.name))
    result = await changes.commit(second)
    assert (result[slot], result.updated) == (["z"], 3)
    assert (await texts(first), await texts(second)) == (["x", "y"], ["y", "z"])
    assert sorted(await select(Tags.name).all(second)) == ["x1", "x2", "yy1", "yy2"]


class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


@attrs.frozen
class Day:
    mood: Mood


class Days(Relation[Day]):
    id: Column[int] = column(primary_key=True)
    mood: Column[Mood] = column(type=Enumeration(native=True))


class Diary(Repository[Days]): ...


async def test_types_of_their_own_are_shared_and_stay_while_one_schema_has_them(book: Notebook):
    first, second = [Diary(book._executor.gateway).in_schema(each) for each in ("a", "b")]
    for each in (first, second):
        await each.push_schema()
        changes = Diary.change()
        changes.inserts(Days).extend([Day(Mood.GOOD), Day(Mood.BAD)] * 150)
        await changes.commit(each)
        await each.verify_schema()
    await first.reset_schema()
    assert await select(Days).where(Days.mood == Mood.GOOD).count(second) == 150


async def test_copies_stay_in_their_schema(book: Notebook):
    second = book.in_schema(ODD)
    assert await copy_from(second, Notes, BytesIO(b"1,x\n2,y\n"), format="csv") == 2
    assert b"".join([each async for each in copy_to(second, Notes, format="csv")]) == b"1,x\n2,y\n"
    assert b"".join([each async for each in copy_to(second, select(Notes.text), format="csv")]) == b"x\ny\n"
    assert await texts(book.in_schema("a")) == []


async def test_relation_that_declares_a_schema_stays_in_it(book: Notebook):
    changes = Notebook.change()
    changes.inserts(Plans).push(Tag("gold"))
    await changes.commit(book.in_schema("a"))
    assert await select(Plans.name).all(book.in_schema(ODD)) == ["gold"]


async def test_violations_name_the_relation(book: Notebook):
    second = book.in_schema(ODD)
    await wrote(second, "a")
    with pytest.raises(UniqueViolation) as refused:
        await wrote(second, "b", "a")
    assert (refused.value.relation, refused.value.columns) == (Notes, ("text",))
    changes = Notebook.change()
    changes.inserts(Tags).push(Tag("x"), Tags.note_id.to(99))
    with pytest.raises(ForeignKeyViolation) as orphan:
        await changes.commit(second)
    assert (orphan.value.relation, orphan.value.columns) == (Tags, ("note_id",))


async def test_schema_is_made_verified_and_reset_in_its_schema(book: Notebook):
    third = book.in_schema("third")
    await asyncio.gather(*[third.push_schema() for _ in range(3)])
    await third.verify_schema()
    await wrote(third, "x")
    await wrote(book.in_schema("a"), "y")
    changes = Notebook.change()
    changes.deletes(Notes).everywhere()
    await changes.commit(third)
    assert await select(Tags).count(third) == 0
    await third.reset_schema()
    assert await texts(book.in_schema("a")) == ["y"]
    await third.push_schema()
    assert await texts(third) == []


def test_operations_are_qualified_whatever_ran_before():
    gateway = PostgresGateway("postgresql://nowhere/x")
    one, two = gateway.in_schema("one"), gateway.in_schema("two")
    query = select(Notes.text).where(Notes.id == 1)
    found = [each.compile(query) for each in (one, two, gateway, gateway.in_schema("one"))]
    assert all(isinstance(each, QuerySql) for each in found)
    texts = [each.sql for each in found if isinstance(each, QuerySql)]
    assert ['"one"."notes"' in texts[0], '"two"."notes"' in texts[1], '."notes"' in texts[2]] == [True, True, False]
    assert texts[0] == texts[3]
    assert (gateway.scope, one.scope, two.scope, one.in_schema("two").scope) == (None, "one", "two", "two")


def test_compilers_of_many_schemas_are_bounded():
    gateway = PostgresGateway("postgresql://nowhere/x")
    for number in range(400):
        gateway.in_schema(f"s{number}").compile(select(Notes.text))
    assert len(gateway._schemas._kept) <= 128


@pytest.mark.parametrize("schema", ["", "a\x00b", "é" * 32, 3, None])
def test_what_is_no_name_of_a_schema_is_refused(schema: Any):
    with pytest.raises(QueryError, match="expected a name"):
        Notebook(PostgresGateway("postgresql://nowhere/x")).in_schema(schema)


@pytest.mark.parametrize("gateway", [MemoryGateway(), SQLiteGateway(":memory:")])
def test_store_without_such_schemas_refuses_before_anything_is_sent(gateway: Any):
    with pytest.raises(Unsupported, match="cannot choose a schema"):
        Notebook(gateway).in_schema("a")


async def test_transaction_stays_in_its_schema(book: Notebook):
    async with book.in_schema("a").transaction() as tx:
        with pytest.raises(QueryError, match="stays in the schema"):
            tx.in_schema("b")


async def test_closing_what_is_for_one_schema_closes_no_connections(book: Notebook):
    async with book._executor.gateway.in_schema("a") as gateway:
        await select(Notes.text).all(Notebook(gateway))
    assert book._executor.gateway.statistics().size > 0
