"""Ranges: what they are in Python is what they are in the store."""

import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from gateways import postgres as pg
from gateways.memory import MemoryGateway
from gateways.postgres import Multirange, PostgresGateway, Range
from gateways.sqlite import SQLiteGateway
from mapper.columns import Column, column
from mapper.errors import QueryError, Unsupported
from mapper.operations import RawSql
from mapper.relation import Relation
from mapper.repository import Repository
from mapper.selecting import select
from tests.postgres.kinds import ranges

A, B = dt.date(2024, 1, 1), dt.date(2024, 1, 31)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Range(1, 4, "[]"), Range(1, 5)),
        (Range(0, 5, "()"), Range(1, 5)),
        (Range(0, 4, "(]"), Range(1, 5)),
        (Range(A, B, "[]"), Range(A, dt.date(2024, 2, 1))),
        (Range(1, 2, "()"), Range.empty()),
        (Range(3, 3), Range.empty()),
        (Range(3, 3, "[]"), Range(3, 4)),
        (Range(None, 3, "[]"), Range(None, 4, "()")),
        (Range(3, None, "[]"), Range(3, None, "[)")),
        (Range(Decimal(1), Decimal(1), "[]"), Range(Decimal("1.0"), Decimal(1), "[]")),
        (Range(Decimal(1), Decimal(1), "(]"), Range.empty()),
        (Range(1, 2, "empty"), Range.empty()),
    ],
)
def test_equal_ranges_are_equal_values(given: Range[Any], expected: Range[Any]):
    assert given == expected
    assert hash(given) == hash(expected)


def test_range_that_is_not_discrete_keeps_its_bounds():
    assert Range(Decimal(1), Decimal(2), "(]") != Range(Decimal(1), Decimal(2))
    moment = dt.datetime(2024, 1, 1)
    assert Range(moment, None, "()").bounds == "()"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Range(2, 1), "the range from 2 to 1 ends before it begins"),
        (lambda: Range(1, 2, "[["), "the bounds of a range are"),  # type: ignore[arg-type]  # on purpose
        (lambda: Range(dt.date.max, None, "(]"), "after the last date that Python has"),
    ],
)
def test_range_that_is_none_is_refused(make: Any, message: str):
    with pytest.raises(ValueError, match=message):
        make()


def test_range_is_written_as_it_is_made():
    for each in (Range(1, 5), Range(None, Decimal(2), "(]"), Range[int].empty(), Multirange(Range(1, 2))):
        assert eval(repr(each)) == each


def test_multirange_is_the_set_of_its_values():
    assert Multirange(Range(5, 9), Range(1, 3), Range(3, 5), Range.empty()) == Multirange(Range(1, 9))
    assert list(Multirange(Range(7, None), Range(1, 3))) == [Range(1, 3), Range(7, None)]
    assert len(Multirange(Range(Decimal(1), Decimal(2), "()"), Range(Decimal(2), Decimal(3), "(]"))) == 2
    assert 8 in Multirange(Range(7, None), Range(1, 3))
    assert 4 not in Multirange(Range(7, None), Range(1, 3))
    assert Multirange() == Multirange(Range.empty())


small = st.integers(-4, 4)


@given(ranges(small), ranges(small))
def test_overlap_is_that_of_the_values(left: Range[int], right: Range[int]):
    values = range(-9, 10)
    assert left.overlaps(right) == any(each in left and each in right for each in values)
    together = Multirange(left, right)
    assert [each in together for each in values] == [each in left or each in right for each in values]
    assert all(earlier.upper is not None for earlier in together.ranges[:-1])


@frozen
class Booking:
    """A model with a range."""

    during: Range[dt.date]
    amounts: Range[Decimal] | None = None
    free: Multirange[int] = field(factory=lambda: Multirange[int]())


class Bookings(Relation[Booking]):
    id: Column[int] = column(primary_key=True)
    during: Column[Range[dt.date]]
    amounts: Column[Range[Decimal] | None]
    free: Column[Multirange[int]]


class Book(Repository[Bookings]): ...


@pytest.fixture
async def book(postgres_url: str) -> AsyncIterator[Book]:
    async with PostgresGateway(postgres_url) as gateway:
        book = Book(gateway)
        await book.push_schema()
        yield book


@pytest.mark.feature("B11")
async def test_operators_answer_as_the_values_do(book: Book):
    january, february = Range(A, B, "[]"), Range(dt.date(2024, 2, 1), dt.date(2024, 3, 1))
    stored = [january, february, Range(dt.date(2024, 1, 15), None), Range[dt.date].empty()]
    changes = Book.change()
    changes.inserts(Bookings).extend([Booking(each) for each in stored])
    await changes.commit(book)
    during = Bookings.during

    async def found(condition: Any) -> list[Range[dt.date]]:
        return await select(during).where(condition).order_by(Bookings.id).all(book)

    assert await found(pg.range_contains(during, A)) == [each for each in stored if A in each]
    assert await found(pg.range_contains(during, Range(A, B))) == [january]
    assert await found(pg.range_overlaps(during, february)) == [each for each in stored if each.overlaps(february)]
    assert await found(pg.range_before(during, february)) == [january]
    assert await found(pg.range_after(during, january)) == [february]
    assert await found(pg.range_adjacent(during, january)) == [february]
    assert await found(pg.range_is_empty(during)) == [Range.empty()]
    assert await found(pg.range_overlaps(during, Multirange(february))) == [february, stored[2]]
    bounds = select(pg.range_lower(during), pg.range_upper(during)).order_by(Bookings.id)
    assert await bounds.all(book) == [(each.lower, each.upper) for each in stored]
    both = select(pg.range_intersection(during, Range(A, dt.date(2024, 1, 20)))).order_by(Bookings.id)
    assert await both.first(book) == Range(A, dt.date(2024, 1, 20))
    rest = select(pg.range_difference(during, Range(A, dt.date(2024, 1, 20)))).where(Bookings.id == 1)
    assert await rest.one(book) == Range(dt.date(2024, 1, 20), dt.date(2024, 2, 1))
    union = select(pg.range_union(during, february)).where(Bookings.id == 1)
    assert await union.one(book) == Range(A, dt.date(2024, 3, 1))


async def test_sets_of_ranges_are_asked_and_combined(book: Book):
    changes = Book.change()
    changes.inserts(Bookings).push(Booking(Range(A, B), free=Multirange(Range(1, 3), Range(7, 9))))
    await changes.commit(book)
    free = Bookings.free
    assert await select(pg.range_contains(free, 8), pg.range_contains(free, 5)).one(book) == (True, False)
    assert await select(pg.range_contains(free, Range(1, 3))).one(book) is True
    assert await select(pg.range_overlaps(free, Range(8, 20))).one(book) is True
    assert await select(pg.range_union(free, Multirange(Range(3, 7)))).one(book) == Multirange(Range(1, 9))
    assert await select(pg.range_upper(free)).one(book) == 9


async def test_networks_are_asked(postgres_url: str):
    from ipaddress import IPv4Address, IPv4Network

    @frozen
    class Host:
        address: IPv4Address
        network: IPv4Network

    class Hosts(Relation[Host]):
        id: Column[int] = column(primary_key=True)
        address: Column[IPv4Address] = column(type=pg.Inet())
        network: Column[IPv4Network] = column(type=pg.Cidr())

    class Net(Repository[Hosts]): ...

    async with PostgresGateway(postgres_url) as gateway:
        net = Net(gateway)
        await net.push_schema()
        changes = Net.change()
        changes.inserts(Hosts).push(Host(IPv4Address("10.1.2.3"), IPv4Network("10.0.0.0/8")))
        await changes.commit(net)
        asked = select(
            pg.network_contains(Hosts.network, Hosts.address),
            pg.network_contains(Hosts.network, IPv4Address("11.0.0.1")),
            pg.network_contains(Hosts.network, IPv4Network("10.1.0.0/16")),
            pg.network_overlaps(Hosts.network, IPv4Network("0.0.0.0/0")),
        )
        assert await asked.one(net) == (True, False, True, True)


@pytest.mark.feature("B11")
@pytest.mark.parametrize("gateway", [MemoryGateway(), SQLiteGateway(":memory:")], ids=["memory", "sqlite"])
def test_operator_of_ranges_is_refused_elsewhere(gateway: Any):
    with pytest.raises(Unsupported):
        gateway.compile(select(Bookings.id).where(pg.range_contains(Bookings.during, A)))


def test_operator_of_ranges_over_something_else_is_refused():
    with pytest.raises(QueryError, match="range_contains takes a column or an expression of a range, not"):
        pg.range_contains(Bookings.id, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # on purpose
    with pytest.raises(QueryError, match="network_contains takes a column or an expression of a network"):
        pg.network_contains(Bookings.id, 1)


async def test_index_answers_what_is_asked_of_ranges(postgres_url: str):
    class Indexed(Relation[Booking], name="bookings", indexes=[pg.PostgresIndex("during", method="gist")]):
        id: Column[int] = column(primary_key=True)
        during: Column[Range[dt.date]]
        amounts: Column[Range[Decimal] | None]
        free: Column[Multirange[int]]

    class Kept(Repository[Indexed]): ...

    async with PostgresGateway(postgres_url) as gateway:
        kept = Kept(gateway)
        await kept.push_schema()
        await kept.load(
            Indexed, [Booking(Range(A + dt.timedelta(each), B + dt.timedelta(each))) for each in range(500)]
        )
        await gateway.execute(RawSql("ANALYZE bookings"))
        operation: Any = gateway.compile(select(Indexed.id).where(pg.range_contains(Indexed.during, dt.date.max)))
        plan = (await gateway.execute(RawSql(f"EXPLAIN {operation.sql.replace('$1', '?')}", operation.parameters))).rows
        assert any("ix_bookings_during" in str(line) for line in plan)
