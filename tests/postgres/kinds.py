"""
Every kind of value that PostgreSQL keeps, with values at its edges and a strategy for any others.

`KINDS` goes by name; a relation of one column of each kind comes out of `relation_of`.
"""

import datetime as dt
import enum
import math
from collections.abc import Sequence
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from types import new_class
from typing import Any
from uuid import UUID

from attrs import frozen
from hypothesis import strategies as st

from gateways.postgres import (
    Array,
    Cidr,
    DateRange,
    Domain,
    Inet,
    Infinity,
    Int4Range,
    JsonText,
    Multirange,
    OrInfinity,
    Range,
    TsRange,
)
from mapper import types
from mapper.columns import Column, column
from mapper.relation import Relation
from mapper.repository import Repository
from tests.types import values as portable

UTC = dt.UTC


class Mood(enum.Enum):
    """Members whose order is none of text."""

    SAD = "sad"
    FINE = 'it\'s "fine"'
    GLAD = "glad 🙂"


class Size(enum.Enum):
    """Members that are no text, kept by name."""

    SMALL = 1
    LARGE = 2


@frozen
class Kind:
    """
    A kind of value.

    Attributes:
        annotation: Of its column.
        edges: Values at its edges.
        strategy: Any value.
        type: What the column is narrowed to.
        compared: Whether PostgreSQL compares such values.
    """

    annotation: Any
    edges: Sequence[Any]
    strategy: st.SearchStrategy[Any]
    type: types.StorageType[Any] | None = None
    compared: bool = True

    @property
    def storage(self) -> types.StorageType[Any]:
        """Its storage type, completed."""
        found = types.infer(self.annotation) if self.type is None else types.narrow(self.annotation, self.type)
        return found[0]


@frozen
class Holder:
    """A model of one value, which may be absent."""

    value: Any


def relation_of(kind: Kind) -> Any:
    """Return a relation with a column of a kind."""

    def hydrate(cls: Any, row: Any) -> Holder:
        return Holder(row[cls.value])

    def dehydrate(cls: Any, model: Holder) -> Any:
        return [cls.value.to(model.value)]

    def body(namespace: dict[str, Any]) -> None:
        annotation: Any = Column
        namespace["__annotations__"] = {
            "id": Column[int],
            "place": Column[int],
            "value": annotation[kind.annotation | None],
        }
        namespace["id"] = column(primary_key=True)
        namespace["place"] = column(unique=True, default=0)
        namespace["value"] = column(type=kind.type)
        namespace["hydrate"], namespace["dehydrate"] = classmethod(hydrate), classmethod(dehydrate)

    return new_class("Held", (Relation[Holder],), {"name": "held"}, body)


def repository_of(relation: Any) -> Any:
    """Return the class of a repository that stores one relation."""
    repository: Any = Repository
    return new_class("Kept", (repository[relation],))


def ranges(bounds: st.SearchStrategy[Any]) -> st.SearchStrategy[Range[Any]]:
    """Ranges with any bounds, or without."""

    def made(low: Any, high: Any, bounds: Any) -> Range[Any]:
        if low is not None and high is not None and low > high:
            low, high = high, low
        return Range(low, high, bounds)

    either = st.none() | bounds
    return st.builds(made, either, either, st.sampled_from(["[)", "[]", "(]", "()", "empty"]))


def multiranges(bounds: st.SearchStrategy[Any]) -> st.SearchStrategy[Multirange[Any]]:
    """Sets of any ranges."""
    return st.lists(ranges(bounds), max_size=5).map(lambda given: Multirange(*given))


def grids(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[list[Any]]]:
    """Arrays of two dimensions, or of none."""
    shapes = st.tuples(st.integers(1, 3), st.integers(1, 3))
    full = shapes.flatmap(
        lambda shape: st.lists(
            st.lists(items, min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
        )
    )
    return st.just([]) | full


def of(name: str, annotation: Any, edges: Sequence[Any], type_: types.StorageType[Any] | None = None) -> Kind:
    """Return a kind that every gateway has."""
    return Kind(annotation, edges, portable.KINDS[name][1], type_)


DAYS = st.dates(max_value=dt.date(9999, 12, 30))
NEAR = st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29), timezones=st.just(UTC))
SMALL = st.integers(-(2**31), 2**31 - 2)
BIG = st.integers(-(2**63), 2**63 - 2)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)
EMAIL = Domain("e mail", types.Varchar(40), check="VALUE LIKE '%@%'")
SCORE = Domain("score", types.Numeric(5, 2), check="VALUE >= 0")
NUMBERS = [0, -1, 2**63 - 1, -(2**63)]
LAST, FIRST = dt.datetime.max, dt.datetime.min

KINDS: dict[str, Kind] = {
    "int": of("integer", int, NUMBERS),
    "bool": of("boolean", bool, [True, False]),
    "float": of("float", float, [0.0, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, 0.1 + 0.2]),
    "str": of("text", str, ["", " ", "é🙂\t\n", "'\"\\%_{},", "NULL", "a" * 10_000]),
    "varchar": of("varchar", str, ["", "a" * 10, "🙂" * 10], types.Varchar(10)),
    "char": of("char", str, ["  ", "a "], types.Char(2)),
    "bytes": of("bytes", bytes, [b"", b"\x00", bytes(range(256)), b"\\x00"]),
    "decimal": Kind(
        Decimal,
        [*map(Decimal, ("0", "1.10", "-0.000", "1e-16383", "9" * 131_072, "Infinity", "-Infinity"))],
        portable.KINDS["numeric"][1],
    ),
    "numeric": of("numeric(12, 2)", Decimal, [Decimal("0.00"), Decimal("-9999999999.99")], types.Numeric(12, 2)),
    "timestamp": of("timestamp", dt.datetime, [FIRST, LAST, dt.datetime(2024, 2, 29, 1, 2, 3, 4)], types.Timestamp()),
    "timestamptz": of("timestamptz", dt.datetime, [FIRST.replace(tzinfo=UTC), LAST.replace(tzinfo=UTC)]),
    "date": of("date", dt.date, [dt.date.min, dt.date.max, dt.date(2000, 1, 1)]),
    "time": of("time", dt.time, [dt.time.min, dt.time.max]),
    "interval": of(
        "interval",
        dt.timedelta,
        [dt.timedelta(0), dt.timedelta(days=-3, microseconds=7), dt.timedelta(days=106_751_991), -dt.timedelta(1)],
    ),
    "uuid": of("uuid", UUID, [UUID(int=0), UUID(int=2**128 - 1)]),
    "list": of("list of int", list[int], [[], [0], NUMBERS]),
    "list with None": of("list of int or None", list[int | None], [[], [None], [1, None]]),
    "list of text": of("list of text", list[str], [[], [""], ["NULL", "a,b", '"', "\\", "{}", "é"]]),
    "list of varchar": Kind(
        list[str], [[], ["a" * 5]], st.lists(st.text("aé", max_size=5)), types.List(types.Varchar(5))
    ),
    "list of dates": Kind(list[dt.date], [[], [dt.date.min, dt.date.max]], st.lists(st.dates())),
    "document": Kind(
        dict,
        [{}, {"a": None}, {"e": "1e5", "deep": [[[]]]}, {"int": 10**23, "float": 1e23}],
        st.dictionaries(portable.text, portable.json_values),
    ),
    "json": Kind(
        dict,
        [{}, {"b": 1, "a": [1e23, "é"]}],
        st.dictionaries(portable.text, portable.json_values),
        JsonText(),
        compared=False,
    ),
    "enum": Kind(Mood, list(Mood), st.sampled_from(Mood), types.Enumeration(native=True)),
    "enum by name": Kind(
        Size,
        list(Size),
        st.sampled_from(Size),
        types.Enumeration(by="name", native=True, name="t shirt", schema="things"),
    ),
    "list of enum": Kind(
        list[Mood],
        [[], list(Mood)],
        st.lists(st.sampled_from(Mood)),
        types.List(types.Enumeration(native=True)),
    ),
    "address": Kind(
        IPv4Address | IPv6Address,
        [*map(IPv4Address, ("0.0.0.0", "255.255.255.255")), *map(IPv6Address, ("::", "fe80::1"))],
        st.ip_addresses(),
        Inet(),
    ),
    "interface": Kind(
        IPv4Interface | IPv6Interface,
        [IPv4Interface("10.0.0.1/8"), IPv4Interface("10.0.0.1/32"), IPv6Interface("::1/0")],
        st.builds(lambda address, prefix: IPv4Interface((address, prefix)), st.ip_addresses(v=4), st.integers(0, 32)),
        Inet(),
    ),
    "network": Kind(
        IPv4Network | IPv6Network,
        [IPv4Network("0.0.0.0/0"), IPv4Network("10.0.0.1/32"), IPv6Network("::/0")],
        st.builds(
            lambda address, prefix: IPv4Network((address, prefix), strict=False),
            st.ip_addresses(v=4),
            st.integers(0, 32),
        ),
        Cidr(),
    ),
    "int8range": Kind(Range[int], [Range(), Range.empty(), Range(1, 4, "[]"), Range(-(2**63), 2**63 - 1)], ranges(BIG)),
    "int4range": Kind(Range[int], [Range(), Range.empty(), Range(-(2**31), 2**31 - 1)], ranges(SMALL), Int4Range()),
    "numrange": Kind(
        Range[Decimal],
        [Range(Decimal("1.10"), Decimal(2), bounds) for bounds in ("[]", "()", "[)", "(]")],
        ranges(DECIMALS),
    ),
    "tsrange": Kind(
        Range[dt.datetime], [Range(FIRST, LAST, "[]"), Range(None, LAST)], ranges(st.datetimes()), TsRange()
    ),
    "tstzrange": Kind(
        Range[dt.datetime], [Range(FIRST.replace(tzinfo=UTC), LAST.replace(tzinfo=UTC), "[]")], ranges(NEAR)
    ),
    "daterange": Kind(
        Range[dt.date],
        [Range(dt.date.min, dt.date.max), Range(dt.date.min, dt.date.max, "[]"), Range(dt.date.max, None, "[]")],
        ranges(DAYS),
        DateRange(),
    ),
    "list of ranges": Kind(
        list[Range[int]], [[], [Range(), Range.empty(), Range(1, 2)]], st.lists(ranges(BIG), max_size=4)
    ),
    "multirange": Kind(
        Multirange[int], [Multirange(), Multirange(Range()), Multirange(Range(1, 3), Range(7, None))], multiranges(BIG)
    ),
    "multirange of moments": Kind(Multirange[dt.datetime], [Multirange()], multiranges(NEAR)),
    "domain": Kind(str, ["@", "é@" + "x" * 38], st.text("aé@", max_size=39).map(lambda text: f"{text}@"), EMAIL),
    "domain of numbers": Kind(Decimal, [Decimal("0.00"), Decimal("999.99")], portable.scaled(2, 5).map(abs), SCORE),
    "list of domain": Kind(list[str], [[], ["a@b"]], st.lists(st.just("x@")), types.List(EMAIL)),
    "grid": Kind(list[list[int]], [[], [[1]], [[1, 2], [3, 4]]], grids(portable.integers), Array()),
    "grid with None": Kind(list[list[str | None]], [[], [[None, "NULL"]]], grids(st.none() | portable.text), Array()),
    "cube": Kind(
        list[list[list[dt.date]]],
        [[], [[[dt.date.max], [dt.date.min]]]],
        grids(st.dates()).map(lambda grid: [grid] if grid else []),
        Array(),
    ),
    "date or infinity": Kind(
        dt.date | Infinity,
        [Infinity.PAST, Infinity.FUTURE, dt.date.max],
        st.sampled_from(Infinity) | st.dates(),
        OrInfinity(types.Date()),
    ),
    "moment or infinity": Kind(
        dt.datetime | Infinity,
        [Infinity.PAST, Infinity.FUTURE, LAST.replace(tzinfo=UTC)],
        st.sampled_from(Infinity) | NEAR,
        OrInfinity(types.TimestampTz()),
    ),
}
"""By name."""
