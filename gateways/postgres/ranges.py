"""
Ranges: `Range(1, 5)`, everything between two bounds, and `Multirange`, a set of such; and the types that keep them.

Bounds go in, a value comes out in the one form that PostgreSQL gives it, so that equal ranges are equal values.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, Final, Generic, Literal, TypeAlias

import attrs
from attrs import frozen
from typing_extensions import TypeVar

from gateways.postgres.beyond import Beyond
from gateways.postgres.spans import Span, canonical, merged, overlap
from gateways.postgres.types import Naming, PostgresType, as_it_is
from mapper.types import (
    Codecs,
    Date,
    Decoder,
    Encoder,
    Integer,
    Misfit,
    Numeric,
    StorageType,
    Timestamp,
    TimestampTz,
    UnknownType,
)
from mapper.types.naming import type_text

__all__ = [
    "Bounds",
    "DateMultirange",
    "DateRange",
    "Int4Multirange",
    "Int4Range",
    "Int8Multirange",
    "Int8Range",
    "Multirange",
    "MultirangeType",
    "NumMultirange",
    "NumRange",
    "Range",
    "RangeType",
    "TsMultirange",
    "TsRange",
    "TstzMultirange",
    "TstzRange",
]

T = TypeVar("T")

Bounds: TypeAlias = Literal["[)", "[]", "(]", "()", "empty"]
"""Which bounds belong to a range, `[` and `]`, and which do not."""


@frozen(repr=False)
class Range(Generic[T]):
    """
    All values from `lower` to `upper`: `Range(1, 5)`, `Range(start, None)`, `Range(a, b, "[]")`, `Range.empty()`.

    Ranges of integers and of dates include the lower bound and not the upper one, however they are written:
    `Range(1, 4, "[]")` is `Range(1, 5)`. A bound that is not there belongs to no range, and a range without any value is
    the empty one.

    Attributes:
        lower, upper: The bounds; None is without an end.
        bounds: Which of them belong to it, or `"empty"`.

    Raises:
        ValueError: The lower bound is above the upper one, or `bounds` is unknown.
    """

    lower: T | None = None
    upper: T | None = None
    bounds: Bounds = "[)"

    def __attrs_post_init__(self) -> None:
        lower, upper, bounds = canonical(self.lower, self.upper, self.bounds)
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)
        object.__setattr__(self, "bounds", bounds)

    @classmethod
    def empty(cls) -> "Range[T]":
        """Return the range that has no value."""
        return cls(None, None, "empty")

    @classmethod
    def __storage_type__(cls, *items: Any) -> StorageType[Any]:
        """Return how a column that is annotated as `Range[…]` is stored."""
        return _storage_type(cls, _RANGES, items)

    @property
    def is_empty(self) -> bool:
        """Whether it has no value."""
        return self.bounds == "empty"

    @property
    def includes_lower(self) -> bool:
        """Whether the lower bound belongs to it."""
        return self.bounds[0] == "["

    @property
    def includes_upper(self) -> bool:
        """Whether the upper bound belongs to it."""
        return self.bounds[-1] == "]"

    def __contains__(self, value: object) -> bool:
        return overlap(_span(self), (value, value, "[]"))

    def overlaps(self, other: "Range[T]") -> bool:
        """Whether some value is in both."""
        return overlap(_span(self), _span(other))

    def __repr__(self) -> str:
        if self.is_empty:
            return "Range.empty()"
        return f"Range({self.lower!r}, {self.upper!r}{'' if self.bounds == '[)' else f', {self.bounds!r}'})"


@frozen(init=False, repr=False)
class Multirange(Generic[T]):
    """
    A set of ranges: `Multirange(Range(1, 3), Range(7, 9))`.

    Attributes:
        ranges: In ascending order; those that overlap or meet are one, and none is empty.
    """

    ranges: tuple[Range[T], ...]

    def __init__(self, *ranges: Range[T]) -> None:
        together = tuple([Range(*each) for each in merged(map(_span, ranges))])  # type: ignore[arg-type]  # a span has the bounds of a range
        self.__attrs_init__(together)  # pyright: ignore[reportAttributeAccessIssue]  # attrs makes it

    @classmethod
    def __storage_type__(cls, *items: Any) -> StorageType[Any]:
        """Return how a column that is annotated as `Multirange[…]` is stored."""
        return _storage_type(cls, _MULTIRANGES, items)

    def __iter__(self) -> Iterator[Range[T]]:
        return iter(self.ranges)

    def __len__(self) -> int:
        return len(self.ranges)

    def __contains__(self, value: object) -> bool:
        return any(value in each for each in self.ranges)

    def __repr__(self) -> str:
        return f"Multirange({', '.join(map(repr, self.ranges))})"


def _span(range_: Range[Any]) -> Span:
    return range_.lower, range_.upper, range_.bounds


# How they are stored


@attrs.frozen
class RangeType(PostgresType[Range[Any]]):
    """
    The base of the range types.

    Attributes:
        name: What PostgreSQL calls it.
        item: The storage type of its bounds.
        limits: The smallest and the largest bound, where those of the item are wider.
    """

    name: ClassVar[str]
    item: ClassVar[StorageType[Any]]
    limits: ClassVar[tuple[int, int] | None] = None

    @property
    def python(self) -> type[Range[Any]]:
        return Range

    def completed(self, members: tuple[Any, ...]) -> StorageType[Any] | None:
        return self if members in ((Range,), (Range[self.item.python],)) else None  # type: ignore[name-defined]  # at run time it is a class

    @property
    def many(self) -> "MultirangeType":
        """The type of sets of such ranges."""
        return _SETS[self.name]

    def check(self, value: object) -> Range[Any]:
        if not isinstance(value, Range):
            raise Misfit(value, f"a Range of {self.item.python.__name__}")
        lower, upper = [self._bound(each) for each in (value.lower, value.upper)]
        same = lower is value.lower and upper is value.upper
        return value if same else Range(lower, upper, value.bounds)

    def parameter_type(self, named: Naming) -> str:
        del named
        return self.name

    def encoder(self, codecs: Codecs) -> Encoder:
        del codecs
        check = self.check
        return lambda value: _sent(check(value))

    def decoder(self, codecs: Codecs) -> Decoder:
        return partial(_decoded, codecs.decoder(self.item) or as_it_is)

    def portable(self, value: Any) -> list[Any]:
        bounds = [None if each is None else self.item.portable(each) for each in (value.lower, value.upper)]
        return [*bounds, value.bounds]

    def restored(self, value: Any) -> Range[Any]:
        lower, upper, bounds = value
        first, last = [None if each is None else self.item.restored(each) for each in (lower, upper)]
        return self.check(Range(first, last, bounds))

    def _bound(self, value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, self.item.python):
            raise Misfit(value, f"a bound of type {self.item.python.__name__}", hint=_exact_kind(self.item))
        checked = self.item.check(value)
        if self.limits is not None and not self.limits[0] <= checked <= self.limits[1]:
            raise Misfit(value, f"a bound from {self.limits[0]} to {self.limits[1]}")
        return checked

    def _key(self) -> str:
        return f"pg:{self.name}"


def _exact_kind(item: StorageType[Any]) -> str | None:
    return (
        "write Range(Decimal(1), Decimal(5)): a range of integers has other bounds"
        if isinstance(item, Numeric)
        else None
    )


@attrs.frozen
class Int4Range(RangeType):
    """`int4range`: integers of 32 bits."""

    name: ClassVar[str] = "int4range"
    item: ClassVar[StorageType[Any]] = Integer()
    limits: ClassVar[tuple[int, int] | None] = (-(2**31), 2**31 - 1)


@attrs.frozen
class Int8Range(RangeType):
    """`int8range`: integers of 64 bits; what `Range[int]` means."""

    name: ClassVar[str] = "int8range"
    item: ClassVar[StorageType[Any]] = Integer()


@attrs.frozen
class NumRange(RangeType):
    """`numrange`: decimals; what `Range[Decimal]` means."""

    name: ClassVar[str] = "numrange"
    item: ClassVar[StorageType[Any]] = Numeric()


@attrs.frozen
class TsRange(RangeType):
    """`tsrange`: naive datetimes."""

    name: ClassVar[str] = "tsrange"
    item: ClassVar[StorageType[Any]] = Timestamp()


@attrs.frozen
class TstzRange(RangeType):
    """`tstzrange`: aware datetimes; what `Range[datetime]` means."""

    name: ClassVar[str] = "tstzrange"
    item: ClassVar[StorageType[Any]] = TimestampTz()


@attrs.frozen
class DateRange(RangeType):
    """`daterange`: dates; what `Range[date]` means."""

    name: ClassVar[str] = "daterange"
    item: ClassVar[StorageType[Any]] = Date()


@attrs.frozen
class MultirangeType(PostgresType[Multirange[Any]]):
    """
    The base of the multirange types, of PostgreSQL 14 and later.

    Attributes:
        name: What PostgreSQL calls it.
        of: The type of its ranges.
    """

    name: ClassVar[str]
    of: ClassVar[RangeType]

    @property
    def python(self) -> type[Multirange[Any]]:
        return Multirange

    def completed(self, members: tuple[Any, ...]) -> StorageType[Any] | None:
        return self if members in ((Multirange,), (Multirange[self.of.item.python],)) else None  # type: ignore[name-defined]  # as above

    def check(self, value: object) -> Multirange[Any]:
        if not isinstance(value, Multirange):
            raise Misfit(value, f"a Multirange of {self.of.item.python.__name__}")
        return Multirange(*[self.of.check(each) for each in value])

    def parameter_type(self, named: Naming) -> str:
        del named
        return self.name

    def encoder(self, codecs: Codecs) -> Encoder:
        del codecs
        check = self.check
        # A tuple: an array of them would take a list for one more of its dimensions.
        return lambda value: tuple([_sent(each) for each in check(value)])

    def decoder(self, codecs: Codecs) -> Decoder:
        decode = self.of.decoder(codecs)
        return lambda values: Multirange(*[decode(each) for each in values])

    def portable(self, value: Any) -> list[Any]:
        return [self.of.portable(each) for each in value]

    def restored(self, value: Any) -> Multirange[Any]:
        return Multirange(*[self.of.restored(each) for each in value])

    def _key(self) -> str:
        return f"pg:{self.name}"


@attrs.frozen
class Int4Multirange(MultirangeType):
    """`int4multirange`."""

    name: ClassVar[str] = "int4multirange"
    of: ClassVar[RangeType] = Int4Range()


@attrs.frozen
class Int8Multirange(MultirangeType):
    """`int8multirange`; what `Multirange[int]` means."""

    name: ClassVar[str] = "int8multirange"
    of: ClassVar[RangeType] = Int8Range()


@attrs.frozen
class NumMultirange(MultirangeType):
    """`nummultirange`; what `Multirange[Decimal]` means."""

    name: ClassVar[str] = "nummultirange"
    of: ClassVar[RangeType] = NumRange()


@attrs.frozen
class TsMultirange(MultirangeType):
    """`tsmultirange`."""

    name: ClassVar[str] = "tsmultirange"
    of: ClassVar[RangeType] = TsRange()


@attrs.frozen
class TstzMultirange(MultirangeType):
    """`tstzmultirange`; what `Multirange[datetime]` means."""

    name: ClassVar[str] = "tstzmultirange"
    of: ClassVar[RangeType] = TstzRange()


@attrs.frozen
class DateMultirange(MultirangeType):
    """`datemultirange`; what `Multirange[date]` means."""

    name: ClassVar[str] = "datemultirange"
    of: ClassVar[RangeType] = DateRange()


_RANGES: Final[dict[Any, StorageType[Any]]] = {
    int: Int8Range(),
    Decimal: NumRange(),
    dt.date: DateRange(),
    dt.datetime: TstzRange(),
}
_MULTIRANGES: Final[dict[Any, StorageType[Any]]] = {
    int: Int8Multirange(),
    Decimal: NumMultirange(),
    dt.date: DateMultirange(),
    dt.datetime: TstzMultirange(),
}

_SETS: Final[dict[str, MultirangeType]] = {
    each.of.name: each
    for each in (
        Int4Multirange(),
        Int8Multirange(),
        NumMultirange(),
        TsMultirange(),
        TstzMultirange(),
        DateMultirange(),
    )
}

_AFTER_THE_LAST: Final = Beyond("date", "10000-01-01")


def _storage_type(cls: type[Any], known: dict[Any, StorageType[Any]], items: Sequence[Any]) -> StorageType[Any]:
    found = known.get(items[0]) if len(items) == 1 else None
    if found is None:
        written = f"{cls.__name__}[{', '.join(map(type_text, items))}]" if items else cls.__name__
        raise UnknownType(
            f"no storage type is known for {written}; supported are int, Decimal, date and datetime",
            hint=f"annotate the column as {cls.__name__}[int]",
        )
    return found


def _sent(range_: Range[Any]) -> Any:
    """Return the driver's range of ours."""
    from asyncpg import Range as DriverRange

    if range_.is_empty:
        return DriverRange(empty=True)
    return DriverRange(range_.lower, range_.upper, lower_inc=range_.includes_lower, upper_inc=range_.includes_upper)


def _decoded(decode: Decoder, found: Any) -> Range[Any]:
    """Make a range of the driver's. One that ends with the last date of Python ends in the store before the next."""
    if found.isempty:
        return Range.empty()
    lower, upper, includes_upper = found.lower, found.upper, found.upper_inc
    if upper == _AFTER_THE_LAST and not includes_upper:
        upper, includes_upper = dt.date.max, True
    bounds: Any = f"{'[' if found.lower_inc else '('}{']' if includes_upper else ')'}"
    return Range(None if lower is None else decode(lower), None if upper is None else decode(upper), bounds)
