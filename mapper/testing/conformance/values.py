"""
Values: every type comes back as it went in, at its boundaries too, and what cannot be kept exactly is refused before
I/O.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

from mapper.errors import ValueNotStorable
from mapper.expressions import Attribute
from mapper.gateway import Gateway
from mapper.selecting import select
from mapper.testing.conformance.relations import (
    Everything,
    Kinds,
    Maybe,
    Maybes,
    Mood,
    Place,
    Places,
    Point,
    Suite,
    World,
    refused,
    world,
)

SUITE = Suite("values")

EAST = timezone(timedelta(hours=5, minutes=30))

EVERYTHING = Everything(
    whole=7,
    yes=True,
    real=0.1,
    text="häßlich 東京 🚀 'quoted' \"twice\" ; --",
    raw=bytes(range(256)),
    exact=Decimal("0.10000000000000000000000000001"),
    price=Decimal("12.30"),
    moment=datetime(2024, 2, 29, 12, 30, 45, 123456, tzinfo=UTC),
    clock=datetime(2024, 2, 29, 12, 30, 45, 1),
    day=date(2024, 2, 29),
    hour=time(23, 59, 59, 999999),
    span=timedelta(days=-3, microseconds=7),
    uuid=UUID("123e4567-e89b-42d3-a456-426614174000"),
    mood=Mood.SAD,
    numbers=[3, 1, 2],
    document={"b": [1, None, {"a": "ü"}], "a": 1.5},
    part=Point(1, -1),
)

BOUNDARIES: Sequence[tuple[Attribute[Any, Maybes], Sequence[Any]]] = (
    (Maybes.whole, [0, -1, 2**63 - 1, -(2**63)]),
    (Maybes.yes, [True, False]),
    (Maybes.real, [0.0, 1e308, 5e-324, 0.1 + 0.2]),
    (Maybes.text, ["", " ", "a" * 10_000, "\n\t", "%_\\", "İı", "\U0010ffff"]),
    (Maybes.raw, [b"", b"\x00", b"\xff" * 1000]),
    (Maybes.exact, [Decimal("0"), Decimal("1.10"), Decimal("-99999999999999999999.99"), Decimal("1E-10")]),
    (Maybes.moment, [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]),
    (Maybes.day, [date(1, 1, 1), date(9999, 12, 31)]),
    (Maybes.uuid, [UUID(int=0), UUID(int=2**128 - 1)]),
    (Maybes.mood, [Mood.GLAD, Mood.SAD]),
    (Maybes.numbers, [[], [0], [2**63 - 1, -(2**63)]]),
    (Maybes.document, [{}, {"a": None}, {"deep": [[[]]]}]),
)

UNSTORABLE: Sequence[tuple[Attribute[Any, Maybes], Sequence[Any]]] = (
    (Maybes.whole, [2**63, -(2**63) - 1, "7", 7.5, True]),
    (Maybes.yes, [1, "true"]),
    (Maybes.real, ["1.5"]),
    (Maybes.text, ["nul\x00byte", 7, b"bytes", "\ud800"]),
    (Maybes.raw, ["text"]),
    (Maybes.exact, [1.5, "1.5"]),
    (Maybes.moment, [datetime(2024, 1, 1), "2024-01-01", date(2024, 1, 1)]),
    (Maybes.day, [datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01"]),
    (Maybes.uuid, ["123e4567-e89b-42d3-a456-426614174000", 7]),
    (Maybes.mood, ["glad", 1]),
    (Maybes.numbers, [[1, "2"], [2**63], "12"]),
)


@SUITE.case("every type comes back as it went in", "T2", "T8", "T9", "T10")
async def _(gateway: Gateway) -> None:
    async with world(gateway) as repository:
        changes = World.change()
        ref = changes.inserts(Kinds).push(EVERYTHING)
        result = await changes.commit(repository)
        found = await select(Everything).from_(Kinds).find(result[ref]).execute(repository)
        assert found is not None
        assert found == EVERYTHING
        assert str(found.exact) == str(EVERYTHING.exact)
        assert str(found.price) == "12.30"
        assert type(found.yes) is bool
        assert found.moment.utcoffset() == timedelta(0)
        assert found.clock.tzinfo is None


@SUITE.case("boundary values come back as they went in", "T2")
async def _(gateway: Gateway) -> None:
    async with world(gateway) as repository:
        for attribute, boundary in BOUNDARIES:
            changes = World.change()
            rows = changes.inserts(Maybes)
            refs = [rows.push(Maybe(), attribute.to(value)) for value in boundary]
            result = await changes.commit(repository)
            for ref, value in zip(refs, boundary, strict=True):
                found = await select(attribute).find(result[ref]).execute(repository)
                assert found == value, (attribute, value, found)
                assert str(found) == str(value), (attribute, value, found)


@SUITE.case("boundary values are found by comparison and in lists", "T2", "T17")
async def _(gateway: Gateway) -> None:
    async with world(gateway) as repository:
        for attribute, boundary in BOUNDARIES:
            if attribute.column.attribute in {"numbers", "document"}:
                continue
            changes = World.change()
            rows = changes.inserts(Maybes)
            refs = [rows.push(Maybe(), attribute.to(value)) for value in boundary]
            result = await changes.commit(repository)
            keys = {result[ref] for ref in refs}
            for value in boundary:
                assert await select(Maybes.id).where(attribute == value).exists(repository), (attribute, value)
            listed = select(Maybes.id).where(attribute.in_(list(boundary)))
            assert keys <= set(await listed.all(repository)), attribute
            ordered = await select(attribute).where(Maybes.id.in_(keys)).order_by(attribute).all(repository)
            if attribute.column.attribute not in {"mood", "text"}:
                assert ordered == sorted(boundary), attribute


@SUITE.case("None is NULL for every type", "T2")
async def _(gateway: Gateway) -> None:
    async with world(gateway) as repository:
        changes = World.change()
        ref = changes.inserts(Maybes).push(Maybe())
        result = await changes.commit(repository)
        assert await select(Maybe).from_(Maybes).find(result[ref]).execute(repository) == Maybe()
        for attribute, _boundary in BOUNDARIES:
            assert await select(Maybes.id).where(attribute.is_null()).count(repository) == 1


@SUITE.case("a value that cannot be kept exactly is refused and nothing is written", "T2", "T29")
async def _(gateway: Gateway) -> None:
    async with world(gateway) as repository:
        for attribute, unstorable in UNSTORABLE:
            for value in unstorable:
                await _is_refused(repository, attribute, value)
        assert await select(Maybes.id).count(repository) == 0


async def _is_refused(repository: World, attribute: Attribute[Any, Maybes], value: Any) -> None:
    changes = World.change()

    async def write() -> None:
        rows = changes.inserts(Maybes)
        rows.push(Maybe(whole=1))
        rows.push(Maybe(), attribute.to(value))
        await changes.commit(repository)

    error = await refused(ValueNotStorable, write())
    assert attribute.column.attribute in str(error), str(error)
    if value is not None and not isinstance(value, list):
        await refused(ValueNotStorable, select(Maybes.id).where(attribute == value).all(repository))


@SUITE.case("instants of any zone are stored as UTC and compare as instants", "T2")
async def _(gateway: Gateway) -> None:
    async with world(gateway) as repository:
        moment = datetime(2024, 6, 1, 0, 30, tzinfo=EAST)
        changes = World.change()
        changes.inserts(Maybes).push(Maybe(moment=moment))
        await changes.commit(repository)
        found = await select(Maybes.moment).where(Maybes.moment == moment.astimezone(UTC)).one(repository)
        assert found == moment
        assert found is not None
        assert found.utcoffset() == timedelta(0)


@SUITE.case("an embedded object is written to and read from its columns", "T7")
async def _(gateway: Gateway) -> None:
    async with world(gateway) as repository:
        changes = World.change()
        rows = changes.inserts(Places)
        here = rows.push(Place("here", Point(1, 2), Point(3, 4)))
        there = rows.push(Place("there", Point(5, 6)))
        result = await changes.commit(repository)
        find = select(Place).from_(Places)
        assert await find.find(result[here]).execute(repository) == Place("here", Point(1, 2), Point(3, 4))
        assert await find.find(result[there]).execute(repository) == Place("there", Point(5, 6), None)
        assert await find.where(Places.at_x > 1).all(repository) == [Place("there", Point(5, 6), None)]


@SUITE.case("a part of an embedded object is updated alone", "T7")
async def _(gateway: Gateway) -> None:
    async with world(gateway) as repository:
        changes = World.change()
        ref = changes.inserts(Places).push(Place("here", Point(1, 2)))
        key = (await changes.commit(repository))[ref]
        changes = World.change()
        changes.updates(Places).where(Places.id == key).set(Places.at_y.to(9))
        await changes.commit(repository)
        assert await select(Place).from_(Places).find(key).execute(repository) == Place("here", Point(1, 9))


@SUITE.case("what is read can be changed without changing the store", "T2")
async def _(gateway: Gateway) -> None:
    async with world(gateway) as repository:
        given = [1, 2]
        changes = World.change()
        ref = changes.inserts(Maybes).push(Maybe(numbers=given))
        key = (await changes.commit(repository))[ref]
        given.append(3)
        found = await select(Maybes.numbers).find(key).execute(repository)
        assert found is not None
        assert found == [1, 2]
        found.append(4)
        assert await select(Maybes.numbers).find(key).execute(repository) == [1, 2]
