"""Updates that take their values from other rows: written out, or of a subquery."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.memory import MemoryGateway
from gateways.sqlite import SQLiteGateway
from mapper import functions as fn
from mapper.columns import Column, column
from mapper.errors import NotJoined, QueryError
from mapper.operations import UpdateSql
from mapper.relation import CommonTable, Relation
from mapper.repository import Repository
from mapper.selecting import select
from mapper.sources import subquery, values
from mapper.wrappers import Keyed
from tests.changesets.forum import (
    Book,
    Books,
    Forum,
    Label,
    Labels,
    Member,
    Members,
    Message,
    Messages,
    Shelf,
    Shelves,
    Thread,
    ThreadMessages,
    Threads,
)


class New(CommonTable):
    name: Column[str]
    color: Column[str]


class Moves(CommonTable):
    room: Column[str]
    number: Column[int]
    to: Column[int]


class Bosses(CommonTable):
    id: Column[int]
    boss_id: Column[int | None]


class Counted(CommonTable):
    thread_id: Column[int]
    messages: Column[int]


COLORS = [Label("a", "red"), Label("b", "green"), Label("c", "blue")]


async def colors(forum: Forum) -> dict[str, str]:
    return dict(await select(Labels.name, Labels.color).all(forum))


@pytest.mark.feature("T24")
@pytest.mark.parametrize("count", [0, 1, 2_000])
async def test_rows_are_updated_from_rows_written_out(forum: Forum, count: int):
    changes = Forum.change()
    changes.inserts(Labels).extend([Label(f"l{index}", "old") for index in range(count + 2)])
    await changes.commit(forum)
    changes = Forum.change()
    rows = [(f"l{index}", f"new{index}") for index in range(count)] + [("nowhere", "x")]
    changes.updates(Labels).from_(values(New, rows), on=New.name == Labels.name).set(Labels.color.to(New.color))
    result = await changes.commit(forum)
    assert result.updated == count
    expected = {f"l{index}": f"new{index}" for index in range(count)} | {f"l{count}": "old", f"l{count + 1}": "old"}
    assert await colors(forum) == expected


async def test_conditions_expressions_and_what_comes_back_go_with_it(forum: Forum):
    changes = Forum.change()
    changes.inserts(Labels).extend(COLORS)
    await changes.commit(forum)
    changes = Forum.change()
    rows = [("a", "1"), ("b", "2"), ("c", "3")]
    update = changes.updates(Labels).from_(values(New, rows), on=New.name == Labels.name)
    slot = (
        update.where(Labels.color != "green", New.color > "1")
        .set(Labels.color.to(fn.upper(Labels.color) + New.color))
        .returning(Labels.name, Labels.color)
    )
    result = await changes.commit(forum)
    assert (result[slot], result.updated) == ([("c", "BLUE3")], 1)
    assert await colors(forum) == {"a": "red", "b": "green", "c": "BLUE3"}


async def test_composite_keys_and_assigned_keys_are_told(forum: Forum):
    changes = Forum.change()
    changes.inserts(Shelves).extend([Shelf("a", 1), Shelf("a", 2), Shelf("b", 1)])
    await changes.commit(forum)
    changes = Forum.change()
    moves = values(Moves, [("a", 1, 10), ("b", 1, 20)])
    update = changes.updates(Shelves).from_(moves, on=(Moves.room == Shelves.room) & (Moves.number == Shelves.number))
    slot = update.set(Shelves.number.to(Moves.to)).returning(Shelves.room, Shelves.number)
    result = await changes.commit(forum)
    assert sorted(result[slot]) == [("a", 10), ("b", 20)]
    found = await select(Shelves.room, Shelves.number).all(forum)
    assert sorted(found) == [("a", 2), ("a", 10), ("b", 20)]


async def test_null_is_a_value_and_goes_with_no_row(forum: Forum):
    changes = Forum.change()
    refs = changes.inserts(Members).extend([Member("a"), Member("b")])
    result = await changes.commit(forum)
    first, second = [result[each] for each in refs]
    changes = Forum.change()
    changes.update(Members, first, Members.boss_id.to(second))
    await changes.commit(forum)
    changes = Forum.change()
    source = values(Bosses, [(first, None), (second, first)])
    changes.updates(Members).from_(source, on=Bosses.id == Members.id).set(Members.boss_id.to(Bosses.boss_id))
    await changes.commit(forum)
    assert await select(Members.boss_id).order_by(Members.id).all(forum) == [None, first]


@pytest.mark.feature("T12", "T24")
async def test_versions_are_raised(forum: Forum):
    changes = Forum.change()
    changes.inserts(Threads).push(Thread("t")).with_(ThreadMessages, [Message("a"), Message("b")])
    await changes.commit(forum)
    ids = await select(Messages.id).order_by(Messages.id).all(forum)
    changes = Forum.change()
    source = values(New, [("a", "z")])
    changes.updates(Messages).from_(source, on=New.name == Messages.text).set(Messages.text.to(New.color))
    await changes.commit(forum)
    assert await select(Messages.id, Messages.text, Messages.version).order_by(Messages.id).all(forum) == [
        (ids[0], "z", 2),
        (ids[1], "b", 1),
    ]


@pytest.mark.feature("T24")
async def test_rows_are_updated_from_a_subquery(forum: Forum):
    changes = Forum.change()
    threads = changes.inserts(Threads)
    threads.push(Thread("a")).with_(ThreadMessages, [Message("1"), Message("2")])
    threads.push(Thread("b"))
    await changes.commit(forum)
    counts = select(Messages.thread_id, fn.count()).from_(Messages).group_by(Messages.thread_id)
    changes = Forum.change()
    update = changes.updates(Threads).from_(subquery(Counted, counts), on=Counted.thread_id == Threads.id)
    update.where(Counted.messages > 1).set(Threads.title.to("busy"))
    result = await changes.commit(forum)
    assert (result.updated, sorted(await select(Threads.title).all(forum))) == (1, ["b", "busy"])


async def test_refs_stand_in_conditions_and_assignments(forum: Forum):
    changes = Forum.change()
    boss = changes.inserts(Members).push(Member("boss"))
    changes.inserts(Members).extend([Member("a"), Member("b")])
    source = values(New, [("a", "x"), ("boss", "y")])
    update = changes.updates(Members).from_(source, on=New.name == Members.name)
    update.where(Members.id != boss).set(Members.boss_id.to(boss), Members.name.to(New.color))
    result = await changes.commit(forum)
    found = await select(Members.name, Members.boss_id).order_by(Members.name).all(forum)
    assert found == [("b", None), ("boss", None), ("x", result[boss])]


async def test_update_behind_inserts_and_before_deletes_keeps_its_place(forum: Forum):
    changes = Forum.change()
    changes.inserts(Books).extend([Book("old"), Book("gone")])
    source = values(New, [("old", "new")])
    changes.updates(Books).from_(source, on=New.name == Books.title).set(Books.title.to(New.color))
    changes.deletes(Books).where(Books.title.in_(["old", "gone"]))
    await changes.commit(forum)
    assert await select(Books.title).all(forum) == ["new"]


async def test_it_takes_effect_once_and_is_described_and_merged(forum: Forum):
    def made(color: str) -> Any:
        changes = Forum.change()
        source = values(New, [("a", color)])
        changes.updates(Labels).from_(source, on=New.name == Labels.name).set(Labels.color.to(New.color))
        return changes

    changes = Forum.change()
    changes.inserts(Labels).extend(COLORS)
    changes.merge(made("1"))
    await changes.commit(forum, once="x")
    assert (await colors(forum))["a"] == "1"
    assert made("1") == made("1")
    assert made("1") != made("2")
    assert "from 1 row of New" in made("1").describe()
    with pytest.raises(QueryError, match="no JSON"):
        made("1").to_json()


async def test_it_is_one_operation_where_the_store_has_it(forum: Forum):
    seen: list[Any] = []
    forum._executor.gateway.subscribe(lambda event: seen.append(event.operation))
    changes = Forum.change()
    source = values(New, [("a", "b")])
    changes.updates(Labels).from_(source, on=New.name == Labels.name).set(Labels.color.to(New.color))
    await changes.commit(forum)
    if forum._executor.gateway.capabilities.update_from:
        assert [type(each) for each in seen] == [UpdateSql]


def test_two_rows_for_one_are_refused():
    update = Forum.change().updates(Labels)
    with pytest.raises(QueryError, match="two rows of New have the same name"):
        update.from_(values(New, [("a", "1"), ("b", "2"), ("a", "3")]), on=New.name == Labels.name)


def test_what_is_wrong_is_refused_before_anything_is_sent():
    changes = Forum.change()
    source = values(New, [("a", "1")])
    with pytest.raises(QueryError, match="takes values from rows"):
        changes.updates(Labels).from_(Threads, on=Labels.name == "a")  # type: ignore[arg-type]  # what is tested
    with pytest.raises(QueryError, match="too late"):
        changes.updates(Labels).set(Labels.color.to("x")).from_(source, on=New.name == Labels.name)
    with pytest.raises(NotJoined):
        changes.updates(Labels).set(Labels.color.to(New.color))
    with pytest.raises(NotJoined):
        changes.updates(Labels).from_(source, on=New.name == Threads.title)  # type: ignore[arg-type]  # what is tested
    with pytest.raises(QueryError, match="lateral"):
        query = select(Labels.name, Labels.color)
        changes.updates(Labels).from_(subquery(New, query, lateral=True), on=New.name == Labels.name)


@settings(max_examples=25, deadline=None)
@given(
    stored=st.dictionaries(st.text("abcd", min_size=1, max_size=2), st.text("xyz\u0308'\"", max_size=3), max_size=6),
    new=st.dictionaries(st.text("abcd", min_size=1, max_size=2), st.text("xyz\u0308'\"", max_size=3), max_size=6),
)
async def test_stores_agree_on_what_is_updated(stored: dict[str, str], new: dict[str, str]):
    for gateway in (MemoryGateway(), SQLiteGateway(":memory:")):
        async with gateway:
            forum = Forum(gateway)
            await forum.push_schema()
            changes = Forum.change()
            changes.inserts(Labels).extend([Label(*each) for each in stored.items()])
            source = values(New, list(new.items()))
            update = changes.updates(Labels).from_(source, on=New.name == Labels.name)
            slot = update.set(Labels.color.to(New.color)).returning(Labels.name)
            result = await changes.commit(forum)
            assert set(result[slot]) == stored.keys() & new.keys()
            assert await colors(forum) == {name: new.get(name, color) for name, color in stored.items()}


class Kind(Enum):
    ONE = "one"
    TWO = "two"


@attrs.frozen
class Everything:
    number: int
    real: float
    flag: bool
    text: str
    data: bytes
    amount: Decimal
    moment: datetime
    day: date
    clock: time
    span: timedelta
    token: UUID
    kind: Kind
    document: dict[str, Any]
    nothing: int | None


class Everythings(Relation[Everything]):
    id: Column[int] = column(primary_key=True)
    number: Column[int]
    real: Column[float]
    flag: Column[bool]
    text: Column[str]
    data: Column[bytes]
    amount: Column[Decimal]
    moment: Column[datetime]
    day: Column[date]
    clock: Column[time]
    span: Column[timedelta]
    token: Column[UUID]
    kind: Column[Kind]
    document: Column[dict[str, Any]]
    nothing: Column[int | None]


class NewEverything(CommonTable):
    id: Column[int]
    number: Column[int]
    real: Column[float]
    flag: Column[bool]
    text: Column[str]
    data: Column[bytes]
    amount: Column[Decimal]
    moment: Column[datetime]
    day: Column[date]
    clock: Column[time]
    span: Column[timedelta]
    token: Column[UUID]
    kind: Column[Kind]
    document: Column[dict[str, Any]]
    nothing: Column[int | None]


class Everywhere(Repository[Everythings]): ...


BEFORE = Everything(
    0,
    0.0,
    False,
    "",
    b"",
    Decimal(0),
    datetime(2000, 1, 1, tzinfo=UTC),
    date(2000, 1, 1),
    time(0),
    timedelta(0),
    UUID(int=0),
    Kind.ONE,
    {},
    3,
)
AFTER = Everything(
    2**62 + 1,
    0.1,
    True,
    "é'\"\\\n%",
    b"\x00\xff'",
    Decimal("12345678901234567890.123456789"),
    datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=UTC),
    date(2026, 12, 31),
    time(23, 59, 59, 999999),
    timedelta(days=-1, microseconds=1),
    UUID("12345678-1234-5678-1234-567812345678"),
    Kind.TWO,
    {"a": [1, None, "é"]},
    None,
)


async def test_values_of_every_type_are_stored_as_an_insert_stores_them(forum: Forum):
    where = Everywhere(forum._executor.gateway)
    await where.push_schema()
    changes = Everywhere.change()
    first, _ = changes.inserts(Everythings).extend([BEFORE, AFTER])
    result = await changes.commit(where)
    changes = Everywhere.change()
    source = values(NewEverything, [(result[first], *attrs.astuple(AFTER))])
    update = changes.updates(Everythings).from_(source, on=NewEverything.id == Everythings.id)
    names = [each.name for each in attrs.fields(Everything)]
    slot = update.set(*[getattr(Everythings, each).to(getattr(NewEverything, each)) for each in names]).returning(
        Everythings
    )
    updated = await changes.commit(where)
    assert updated[slot] == [Keyed(result[first], AFTER)]
    assert await select(Everything).from_(Everythings).all(where) == [AFTER, AFTER]
    for name in names[:-2]:
        same = select(Everythings.id).where(getattr(Everythings, name) == getattr(AFTER, name))
        assert await same.count(where) == 2, name
    distinct = select(*[getattr(Everythings, each) for each in names[:-2]]).distinct()
    assert await distinct.count(where) == 1
    again = Everywhere.change()
    made = again.inserts(Everythings)
    back = made.returning(Everythings)
    made.extend([AFTER] * 3)
    given = await again.commit(where, once="types")
    repeated = await again.commit(where, once="types")
    assert [each.model for each in given[back]] == [AFTER] * 3
    assert repeated[back] == given[back]
