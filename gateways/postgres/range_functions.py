"""
Operators and functions of ranges, multiranges and networks, which only PostgreSQL has.

Expressions and values go in, expressions come out. A GiST index can answer what is asked here of a column.
"""

import datetime as dt
from decimal import Decimal
from typing import Any, Final, TypeAlias, overload

from typing_extensions import TypeVar

from gateways.postgres.addresses import Cidr, Inet, address_type
from gateways.postgres.ranges import Multirange, MultirangeType, Range, RangeType
from gateways.sql import Operators, function, operator
from gateways.sql.dialect import stored
from mapper.errors import QueryError
from mapper.expressions import BOOLEAN, Call, Expr, Parameter
from mapper.types import StorageType

__all__ = [
    "RANGES",
    "network_contains",
    "network_overlaps",
    "range_adjacent",
    "range_after",
    "range_before",
    "range_contains",
    "range_difference",
    "range_intersection",
    "range_is_empty",
    "range_lower",
    "range_overlaps",
    "range_union",
    "range_upper",
]

T = TypeVar("T")
R = TypeVar("R")
R2 = TypeVar("R2")
B = TypeVar("B", int, Decimal, dt.datetime, dt.date)
S = TypeVar("S", bound="Range[Any] | Multirange[Any]")

Spans: TypeAlias = Expr[Range[T], R] | Expr[Range[T] | None, R] | Expr[Multirange[T], R] | Expr[Multirange[T] | None, R]

RANGES: Final[Operators] = {
    "postgres.range_contains": operator("{0} @> {1}"),
    "postgres.range_overlaps": operator("{0} && {1}"),
    "postgres.range_before": operator("{0} << {1}"),
    "postgres.range_after": operator("{0} >> {1}"),
    "postgres.range_adjacent": operator("{0} -|- {1}"),
    "postgres.range_lower": function("lower({0})"),
    "postgres.range_upper": function("upper({0})"),
    "postgres.range_is_empty": function("isempty({0})"),
    "postgres.range_intersection": operator("{0} * {1}"),
    "postgres.range_union": operator("{0} + {1}"),
    "postgres.range_difference": operator("{0} - {1}"),
    "postgres.network_contains": operator("{0} >>= {1}"),
    "postgres.network_overlaps": operator("{0} && {1}"),
}
"""The operators and functions of ranges and networks."""


# -- asking -------------------------------------------------------------------------------------------------------------


def range_contains(
    range_: Spans[T, R], other: T | Range[T] | Multirange[T] | Expr[T, R2] | Expr[Range[T], R2]
) -> Expr[bool, R | R2]:
    """Whether a value, or every value of another range, is in the range (`@>`)."""
    return _comparison("range_contains", range_, other)


def range_overlaps(
    range_: Spans[T, R], other: Range[T] | Multirange[T] | Expr[Range[T], R2] | Expr[Multirange[T], R2]
) -> Expr[bool, R | R2]:
    """Whether two ranges have a value in common (`&&`)."""
    return _comparison("range_overlaps", range_, other)


def range_before(
    range_: Spans[T, R], other: Range[T] | Multirange[T] | Expr[Range[T], R2] | Expr[Multirange[T], R2]
) -> Expr[bool, R | R2]:
    """Whether every value of the range is below every one of the other (`<<`)."""
    return _comparison("range_before", range_, other)


def range_after(
    range_: Spans[T, R], other: Range[T] | Multirange[T] | Expr[Range[T], R2] | Expr[Multirange[T], R2]
) -> Expr[bool, R | R2]:
    """Whether every value of the range is above every one of the other (`>>`)."""
    return _comparison("range_after", range_, other)


def range_adjacent(
    range_: Spans[T, R], other: Range[T] | Multirange[T] | Expr[Range[T], R2] | Expr[Multirange[T], R2]
) -> Expr[bool, R | R2]:
    """Whether two ranges meet, with no value between them and none in both (`-|-`)."""
    return _comparison("range_adjacent", range_, other)


def range_is_empty(range_: Spans[Any, R]) -> Expr[bool, R]:
    """Whether no value is in the range."""
    return Call("postgres.range_is_empty", (_range("range_is_empty", range_),), BOOLEAN, nullable=None)


# -- making -------------------------------------------------------------------------------------------------------------


def range_lower(range_: Spans[B, R]) -> Expr[B | None, R]:
    """Return the lower bound; NULL where there is none."""
    return Call("postgres.range_lower", (_range("range_lower", range_),), _bound(range_), nullable=True)


def range_upper(range_: Spans[B, R]) -> Expr[B | None, R]:
    """
    Return the upper bound; NULL where there is none. That of integers and dates does not belong to the range.
    """
    return Call("postgres.range_upper", (_range("range_upper", range_),), _bound(range_), nullable=True)


@overload
def range_intersection(range_: Expr[S, R], other: S | Expr[S, R2]) -> Expr[S, R | R2]: ...
@overload
def range_intersection(range_: Expr[S | None, R], other: S | Expr[S | None, R2]) -> Expr[S | None, R | R2]: ...
def range_intersection(range_: Expr[Any, Any], other: Any) -> Expr[Any, Any]:
    """Return the values that are in both (`*`)."""
    return _combination("range_intersection", range_, other)


@overload
def range_union(range_: Expr[S, R], other: S | Expr[S, R2]) -> Expr[S, R | R2]: ...
@overload
def range_union(range_: Expr[S | None, R], other: S | Expr[S | None, R2]) -> Expr[S | None, R | R2]: ...
def range_union(range_: Expr[Any, Any], other: Any) -> Expr[Any, Any]:
    """Return the values that are in either (`+`). Of ranges that do not meet it is an error of the server's."""
    return _combination("range_union", range_, other)


@overload
def range_difference(range_: Expr[S, R], other: S | Expr[S, R2]) -> Expr[S, R | R2]: ...
@overload
def range_difference(range_: Expr[S | None, R], other: S | Expr[S | None, R2]) -> Expr[S | None, R | R2]: ...
def range_difference(range_: Expr[Any, Any], other: Any) -> Expr[Any, Any]:
    """Return the values that are in the first alone (`-`). Of a range that falls in two it is an error of the server's."""
    return _combination("range_difference", range_, other)


# -- networks -----------------------------------------------------------------------------------------------------------


def network_contains(network: Expr[Any, R], other: Any) -> Expr[bool, R]:
    """Whether an address or a network is the network, or in it (`>>=`)."""
    return _network("network_contains", network, other)


def network_overlaps(network: Expr[Any, R], other: Any) -> Expr[bool, R]:
    """Whether one of two networks is the other, or in it (`&&`)."""
    return _network("network_overlaps", network, other)


def _network(name: str, network: Any, other: Any) -> Expr[bool, Any]:
    if not isinstance(network, Expr) or not isinstance(stored(network.type), Inet | Cidr):
        raise _misfit(name, network, "a column or an expression of a network")
    return Call(f"postgres.{name}", (network, _with_type(other, address_type(other))), BOOLEAN, nullable=None)


def _comparison(name: str, range_: Any, other: Any) -> Expr[bool, Any]:
    left = _range(name, range_)
    return Call(f"postgres.{name}", (left, _with_type(other, _type_of(other, left))), BOOLEAN, nullable=None)


def _combination(name: str, range_: Any, other: Any) -> Expr[Any, Any]:
    left = _range(name, range_)
    return Call(f"postgres.{name}", (left, _with_type(other, left.type)), left.type, nullable=None)


def _range(name: str, value: Any) -> Expr[Any, Any]:
    if not isinstance(value, Expr) or not isinstance(value.type, RangeType | MultirangeType):
        raise _misfit(name, value, "a column or an expression of a range")
    return value


def _type_of(value: Any, range_: Expr[Any, Any]) -> StorageType[Any]:
    """Return the storage type of what a range is compared with: a range, several, or a bound."""
    single = _single(range_)
    if isinstance(value, Multirange):
        return single.many
    return single if isinstance(value, Range) else single.item


def _bound(range_: Expr[Any, Any]) -> StorageType[Any]:
    return _single(range_).item


def _single(range_: Expr[Any, Any]) -> RangeType:
    """Return the type of a range, or of the ranges of a set."""
    type_: Any = range_.type
    single: RangeType = type_.of if isinstance(type_, MultirangeType) else type_
    return single


def _with_type(value: Any, type_: StorageType[Any]) -> Expr[Any, Any]:
    return value if isinstance(value, Expr) else Parameter(value, type_)


def _misfit(name: str, value: Any, expected: str) -> QueryError:
    found = f"{value!r}, which is {value.type.python.__name__}" if isinstance(value, Expr) else repr(value)
    return QueryError(f"{name} takes {expected}, not {found}")
