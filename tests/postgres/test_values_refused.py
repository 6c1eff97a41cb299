"""What cannot be kept is refused before anything is sent, and what cannot be read is an error that names the column."""

import asyncio
import datetime as dt
import enum
from collections.abc import AsyncIterator
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address
from typing import Any

import pytest

from gateways.postgres import (
    Array,
    Beyond,
    Cidr,
    Domain,
    Inet,
    Infinity,
    Int4Range,
    Multirange,
    OrInfinity,
    PostgresGateway,
    Range,
)
from mapper import types
from mapper.errors import DeclarationError, MapperError, ValueNotReadable, ValueNotStorable
from mapper.operations import RawSql
from mapper.relation import info
from mapper.selecting import raw, select
from mapper.statements import InsertRows
from tests.postgres.kinds import KINDS, Holder, Kind, Mood, relation_of, repository_of

UNSTORABLE: dict[str, list[Any]] = {
    "str": ["nul\x00", "\ud800", 1],
    "varchar": ["x" * 11],
    "char": ["x"],
    "decimal": [Decimal("sNaN"), Decimal("1e200000"), 1.5],
    "numeric": [Decimal("NaN"), Decimal("Infinity"), Decimal("0.001"), Decimal(10**10)],
    "timestamp": [dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.date(2024, 1, 1), Infinity.FUTURE],
    "timestamptz": [dt.datetime(2024, 1, 1), Infinity.PAST],
    "date": [dt.datetime(2024, 1, 1), "2024-01-01", Infinity.FUTURE, Beyond("date", "10000-01-01")],
    "time": [dt.time(1, tzinfo=dt.UTC)],
    "list": [[1, None], [2**63], "12", [[1]]],
    "list of text": [["nul\x00"]],
    "document": [{"nul": "\x00"}, {"nan": float("nan")}, {1: 2}],
    "json": [{"nul": "\x00"}],
    "enum": ["sad", None.__class__],
    "address": ["10.0.0.1", IPv4Interface("10.0.0.1/8"), IPv6Address("fe80::1%eth0"), IPv4Network("10.0.0.0/8")],
    "interface": [IPv4Address("10.0.0.1")],
    "network": ["10.0.0.0/8", IPv4Address("10.0.0.1")],
    "int8range": [Range(1, 2**63), Range(Decimal(1), Decimal(2)), Range(False, True), (1, 5)],
    "int4range": [Range(-(2**31) - 1, 0), Range(0, 2**31)],
    "numrange": [Range(1, 5), Range(Decimal(1), Decimal("Infinity"))],
    "tsrange": [Range(dt.datetime(2024, 1, 1, tzinfo=dt.UTC)), Range(dt.date(2024, 1, 1))],
    "tstzrange": [Range(dt.datetime(2024, 1, 1)), Range(None, dt.date(2024, 1, 1))],
    "daterange": [Range(dt.datetime(2024, 1, 1))],
    "multirange": [Range(1, 2), [Range(1, 2)], Multirange(Range(0, 2**63))],
    "domain": ["x" * 41, "nul\x00@"],
    "grid": [[[]], [[1], [2, 3]], [1, 2], [[1], None], [[[1]]], "x", [["x"]]],
    "date or infinity": [dt.datetime(2024, 1, 1), float("inf")],
}


SIZED = {"varchar", "char", "numeric", "domain"}
"""Kinds of a size: a value beyond it is compared as any other, and equals none."""


@pytest.mark.feature("T2", "T3", "T29")
@pytest.mark.parametrize("name", UNSTORABLE)
def test_value_that_cannot_be_kept_is_refused_before_anything_is_sent(name: str):
    relation = relation_of(KINDS[name])
    gateway = PostgresGateway("postgresql://nowhere")
    column = info(relation).column("value")
    for value in UNSTORABLE[name]:
        with pytest.raises(ValueNotStorable) as caught:
            gateway.compile(InsertRows(relation, (column,), [(value,)]))
        assert "value" in caught.value.message


@pytest.mark.feature("T2", "T29")
@pytest.mark.parametrize("name", sorted(UNSTORABLE.keys() - SIZED))
def test_value_that_equals_none_of_its_kind_is_refused_in_comparisons(name: str):
    relation = relation_of(KINDS[name])
    gateway = PostgresGateway("postgresql://nowhere")
    query = select(relation.value)
    for value in UNSTORABLE[name]:
        for refused in (relation.value == value, relation.value.in_([value])):
            with pytest.raises(ValueNotStorable) as caught:
                gateway.compile(query.where(refused))
            assert "value" in caught.value.message


def test_array_of_another_shape_says_what_was_expected():
    with pytest.raises(types.Misfit, match="2 dimensions of lists, each as long as those beside it and none empty"):
        KINDS["grid"].storage.check([[1], [2, 3]])


@pytest.fixture
async def gateway(postgres_url: str) -> AsyncIterator[PostgresGateway]:
    async with PostgresGateway(postgres_url, max_connections=1) as gateway:
        yield gateway


UNREADABLE: list[tuple[str, str, str]] = [
    ("date", "'infinity'", "the years 1 to 9999"),
    ("date", "'-infinity'", "the years 1 to 9999"),
    ("date", "'4713-01-01 BC'", "<date 4713-01-01 BC>"),
    ("date", "'10000-01-01'", "<date 10000-01-01>"),
    ("date", "'5874897-12-31'", "<date 5874897-12-31>"),
    ("timestamp", "'infinity'", "Infinity.FUTURE"),
    ("timestamp", "'0044-03-15 12:00:00.5 BC'", "<timestamp 0044-03-15 12:00:00.500000 BC>"),
    ("timestamptz", "'-infinity'", "Infinity.PAST"),
    ("timestamptz", "'294276-12-31 23:59:59.999999+00'", "<timestamptz 294276-12-31 23:59:59.999999>"),
    ("time", "'24:00'", "<time 24:00:00>"),
    ("interval", "'1 month'", "<interval 1 mons"),
    ("interval", "'2147483647 days'", "<interval"),
    ("list of dates", "'{2024-01-01,infinity}'", "the years 1 to 9999"),
    ("daterange", "'[2024-01-01,infinity)'", "the years 1 to 9999"),
    ("daterange", "'[10000-01-01,)'", "the years 1 to 9999"),
    ("tstzrange", "'[2024-01-01,infinity]'", "the years 1 to 9999"),
    ("grid", "'{1,2}'", "2 dimensions"),
    ("grid", "'{{{1}}}'", "2 dimensions"),
    ("list", "'{{1,2},{3,4}}'", "a list of one dimension"),
    ("list of ranges", """'{{"[1,2)"}}'""", "list"),
    ("address", "'10.0.0.1/8'", "IPv4Address or IPv6Address"),
]


@pytest.mark.parametrize(("name", "value", "message"), UNREADABLE)
async def test_value_that_python_cannot_hold_is_an_error_with_its_column(
    name: str, value: str, message: str, gateway: PostgresGateway
):
    relation = relation_of(KINDS[name])
    kept = repository_of(relation)
    repository = kept(gateway)
    await repository.push_schema()
    await gateway.execute(RawSql(f"INSERT INTO held (place, value) VALUES (1, {value})"))
    for query in (select(relation.value), select(relation)):
        with pytest.raises(ValueNotReadable) as caught:
            await query.all(repository)
        assert isinstance(caught.value, MapperError)
        assert caught.value.column == "value"
        assert message in caught.value.message
        with pytest.raises(ValueNotReadable):
            async for _ in query.execute(repository):
                pass
    assert await select(relation.place).all(repository) == [1]
    assert gateway.statistics().in_use == 0


async def test_statement_of_ones_own_gives_what_python_cannot_hold_as_it_is(gateway: PostgresGateway):
    text = "SELECT 'infinity'::date, '-infinity'::timestamptz, '4713-01-01 BC'::date, '24:00'::time, interval '1 month'"
    ((late, early, *others),) = (await gateway.execute(RawSql(text))).rows
    assert (late, early) == (Infinity.FUTURE, Infinity.PAST)
    assert all(isinstance(each, Beyond) for each in others)
    ((text,),) = (await gateway.execute(RawSql("SELECT ?::timestamptz::text", (Infinity.FUTURE,)))).rows
    assert text == "infinity"


async def test_naive_moment_is_never_taken_for_an_instant(gateway: PostgresGateway):
    with pytest.raises(ValueNotStorable, match="offset-naive"):
        await gateway.execute(RawSql("SELECT ?::timestamptz", (dt.datetime(2024, 1, 1),)))


async def test_nan_equals_itself_in_the_store(gateway: PostgresGateway):
    relation = relation_of(KINDS["decimal"])
    kept = repository_of(relation)
    repository = kept(gateway)
    await repository.push_schema()
    changes = kept.change()
    changes.inserts(relation).push(Holder(Decimal("NaN")))
    await changes.commit(repository)
    assert str(await select(relation.value).where(relation.value == Decimal("NaN")).one(repository)) == "NaN"
    assert str(await select(relation.value).where(relation.value.in_([Decimal("NaN")])).one(repository)) == "NaN"


async def test_infinities_sort_around_every_moment(gateway: PostgresGateway):
    kind = KINDS["moment or infinity"]
    relation = relation_of(kind)
    kept = repository_of(relation)
    repository = kept(gateway)
    await repository.push_schema()
    values: list[Any] = [
        Infinity.FUTURE,
        dt.datetime.max.replace(tzinfo=dt.UTC),
        Infinity.PAST,
        dt.datetime(1, 1, 1, tzinfo=dt.UTC),
    ]
    changes = kept.change()
    for place, each in enumerate(values):
        changes.inserts(relation).push(Holder(each), relation.place.to(place))
    await changes.commit(repository)
    assert await select(relation.value).order_by(relation.value).all(repository) == sorted(values)
    assert await select(relation.value).where(relation.value > values[1]).all(repository) == [Infinity.FUTURE]


def test_infinity_compares_with_moments_of_every_kind():
    for moment in (dt.date.max, dt.datetime.max, dt.datetime.max.replace(tzinfo=dt.UTC)):
        assert Infinity.PAST < moment < Infinity.FUTURE
        assert Infinity.PAST <= moment <= Infinity.FUTURE
        assert not moment >= Infinity.FUTURE
        assert max(moment, Infinity.FUTURE, Infinity.PAST) is Infinity.FUTURE
    assert not Infinity.PAST < Infinity.PAST
    assert Infinity.PAST >= Infinity.PAST
    with pytest.raises(TypeError):
        assert Infinity.PAST < 1


class Number(enum.Enum):
    ONE = 1


@pytest.mark.parametrize(
    ("annotation", "type_", "message"),
    [
        (int, Inet(), r"Inet\(\) keeps IPv4Address or IPv6Address or"),
        (IPv4Address, Cidr(), r"Cidr\(\) keeps IPv4Network or IPv6Network"),
        (str, Int4Range(), "keeps values of Range"),
        (Range[Decimal], Int4Range(), "keeps values of Range"),
        (list[int], Array(dimensions=2), "keeps values of list"),
        (int, Array(), "keeps values of list"),
        (dt.datetime, OrInfinity(types.Date()), r"keeps date or Infinity"),
        (int, Domain("email", types.Text()), "keeps values of str"),
        (Number, types.Enumeration(native=True), "the values of Number are no text"),
    ],
)
def test_annotation_that_is_not_of_the_type_is_refused(annotation: Any, type_: Any, message: str):
    with pytest.raises(DeclarationError, match=message):
        relation_of(Kind(annotation, (), None, type_))  # type: ignore[arg-type]  # no values are made


@pytest.mark.parametrize("annotation", [Range[str], Range, Multirange[float]])
def test_range_of_what_has_no_ranges_is_refused(annotation: Any):
    with pytest.raises(DeclarationError, match="supported are int, Decimal, date and datetime"):
        relation_of(Kind(annotation, (), None))  # type: ignore[arg-type]  # no values are made


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OrInfinity(types.Integer()), "expected dates or moments"),
        (lambda: Array(dimensions=0), "expected 1 to 6"),
        (lambda: Array(types.List(types.Integer())), "cannot be the item of an Array"),
        (lambda: Domain("", types.Text()), "a name has at least one character"),
        (lambda: types.Enumeration(Mood, name="x"), "names a type that it does not use"),
    ],
)
def test_type_that_makes_no_sense_is_refused_when_it_is_made(make: Any, message: str):
    with pytest.raises(DeclarationError, match=message):
        make()


async def test_codecs_are_set_without_a_statement(gateway: PostgresGateway):
    names = ["bigint", "timestamptz", "jsonb", "uuid", "numeric", "inet", "int8range", "tstzrange", "int8multirange"]
    columns = ", ".join([f"NULL::{each}, NULL::{each}[]" for each in names])
    async with gateway.connection() as connection:
        sent: list[str] = []
        connection.driver.add_query_logger(lambda record: sent.append(record.query))
        await connection.execute(RawSql(f"SELECT {columns}"))
        await asyncio.sleep(0)
        assert sent == [f"SELECT {columns}"]


async def test_raw_query_gives_ranges_and_addresses_typed(gateway: PostgresGateway):
    repository = repository_of(relation_of(KINDS["int"]))(gateway)
    found = await raw(Range[int], "SELECT '[1,4]'::int8range").all(repository)
    assert found == [Range(1, 5)]
    both = raw(tuple[Range[int], str], "SELECT '[1,4]'::int8range, 'a'")
    assert await both.all(repository) == [(Range(1, 5), "a")]
