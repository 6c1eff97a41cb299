"""
Storage types with their values, for the tests of every gateway's codecs.

`KINDS` has pairs of a type and a strategy of values that it takes; reading one back gives an equal value of the same
class.
"""

import dataclasses
import datetime as dt
import enum
from decimal import Decimal
from typing import Any, Literal

import attrs
import msgspec
from hypothesis import strategies as st
from typing_extensions import TypedDict

from mapper import types


class Color(enum.Enum):
    """By text."""

    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    """By number, and an int itself."""

    LOW = 1
    HIGH = 2


class Right(enum.Flag):
    """Members that are combined."""

    READ = 1
    WRITE = 2


class Price(enum.Enum):
    """By decimal."""

    CHEAP = Decimal("1.50")
    DEAR = Decimal("1000")


@attrs.frozen
class Circle:
    """A member of a union, told by its name; with a private field and one that `__init__` computes."""

    radius: float
    label: str = ""
    _hidden: int = 0
    computed: int = attrs.field(init=False, default=3)


@dataclasses.dataclass
class Drawing:
    """A member that contains others and itself."""

    price: Decimal
    made: dt.datetime | None = None
    tags: set[str] = dataclasses.field(default_factory=set)
    parts: list["Circle | Drawing"] = dataclasses.field(default_factory=list)


class Named(TypedDict):
    """A typed dict."""

    name: str


class Note(msgspec.Struct, tag="note"):
    """A struct with a tag of its own."""

    text: str


@attrs.frozen
class Card:
    """Told from `Cash` by its own field."""

    kind: Literal["card"]
    number: str


@attrs.frozen
class Cash:
    """Told from `Card` by its own field."""

    kind: Literal["cash"]
    amount: Decimal


@attrs.frozen
class Point:
    """A class of the user's for which there is a codec."""

    x: int
    y: int


def write_point(point: Point) -> str:
    """What the codec stores."""
    return f"{point.x};{point.y}"


def read_point(text: str) -> Point:
    """What the codec reads."""
    x, y = text.split(";")
    return Point(int(x), int(y))


POINT = types.Codec(types.Text(), Point, write_point, read_point)

text = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
integers = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False)
decimals = st.decimals(allow_nan=False, allow_infinity=False).filter(lambda number: abs(number.adjusted()) < 5000)
naive = st.datetimes()
offsets = st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)).map(dt.timezone)
aware = st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29), timezones=offsets)
zoned = st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29), timezones=st.timezones())
recent = st.datetimes(dt.datetime(1980, 1, 1), dt.datetime(2100, 1, 1), timezones=st.timezones())
intervals = st.timedeltas(dt.timedelta(microseconds=-(2**63)), dt.timedelta(microseconds=2**63 - 1))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    max_leaves=8,
)
circles = st.builds(Circle, st.floats(allow_nan=False, allow_infinity=False), text, hidden=st.integers())
shapes = st.recursive(
    circles,
    lambda inner: st.builds(Drawing, decimals, st.none() | naive | recent, st.sets(text), st.lists(inner)),
    max_leaves=4,
)


def scaled(scale: int, digits: int) -> st.SearchStrategy[Decimal]:
    """Decimals of a `Numeric(digits, scale)`."""
    return st.integers(1 - 10**digits, 10**digits - 1).map(lambda units: Decimal(f"{units}E-{scale}"))


KINDS: dict[str, tuple[types.StorageType[Any], st.SearchStrategy[Any]]] = {
    "integer": (types.Integer(), integers),
    "boolean": (types.Boolean(), st.booleans()),
    "float": (types.Float(), floats),
    "text": (types.Text(), text),
    "varchar": (types.Varchar(10), st.text("aé\U0001f600 '\\\"%", max_size=10)),
    "char": (types.Char(2), st.text("aé\U0001f600 ", min_size=2, max_size=2)),
    "bytes": (types.Bytes(), st.binary()),
    "numeric": (types.Numeric(), decimals),
    "numeric(12, 2)": (types.Numeric(12, 2), scaled(2, 12)),
    "numeric(30, 0)": (types.Numeric(30), scaled(0, 30)),
    "timestamp": (types.Timestamp(), naive),
    "timestamptz": (types.TimestampTz(), aware),
    "date": (types.Date(), st.dates()),
    "time": (types.Time(), st.times()),
    "interval": (types.Interval(), intervals),
    "uuid": (types.Uuid(), st.uuids()),
    "enum by value": (types.Enumeration(Color), st.sampled_from(Color)),
    "enum by name": (types.Enumeration(Level, by="name"), st.sampled_from(Level)),
    "enum of int": (types.Enumeration(Level), st.sampled_from(Level)),
    "enum of decimal": (types.Enumeration(Price), st.sampled_from(Price)),
    "flags": (types.Enumeration(Right), st.integers(0, 3).map(Right)),
    "list of int": (types.List(types.Integer()), st.lists(integers)),
    "list of int or None": (types.List(types.Integer(), nullable=True), st.lists(st.none() | integers)),
    "list of bool": (types.List(types.Boolean()), st.lists(st.booleans())),
    "list of float": (types.List(types.Float()), st.lists(st.floats(allow_nan=False, allow_infinity=False))),
    "list of text": (types.List(types.Text()), st.lists(text)),
    "list of bytes": (types.List(types.Bytes()), st.lists(st.binary())),
    "list of decimal": (types.List(types.Numeric()), st.lists(decimals)),
    "list of timestamptz": (types.List(types.TimestampTz()), st.lists(aware)),
    "list of uuid": (types.List(types.Uuid()), st.lists(st.uuids())),
    "list of enum": (types.List(types.Enumeration(Color)), st.lists(st.sampled_from(Color))),
    "list of codec": (types.List(POINT), st.lists(st.builds(Point, st.integers(), st.integers()))),
    "json": (types.Json(), json_values.filter(lambda value: value is not None)),
    "json of a class": (types.Json(Circle), circles),
    "json of a union": (types.Json(Circle | Drawing | Note), shapes | st.builds(Note, text)),
    "json by a field": (
        types.Json(Card | Cash),
        st.builds(Card, st.just("card"), text) | st.builds(Cash, st.just("cash"), decimals),
    ),
    "json of a dict": (types.Json(dict[str, list[Circle]]), st.dictionaries(text, st.lists(circles))),
    "codec": (POINT, st.builds(Point, st.integers(), st.integers())),
}
"""By name: a storage type, and what it takes."""
