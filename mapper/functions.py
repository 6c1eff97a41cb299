"""
Functions of the store, as typed expressions: `fn.count()`, `fn.lower(Posts.title)`.

Expressions and values go in, an expression comes out. A function means the same on every gateway, or is refused.
"""

from datetime import date as date_
from datetime import datetime
from decimal import Decimal
from typing import Any, Never, overload

from typing_extensions import TypeVar

from mapper import types
from mapper.aggregate_functions import (
    avg,
    count,
    cume_dist,
    dense_rank,
    first_value,
    lag,
    last_value,
    lead,
    max,
    min,
    nth_value,
    ntile,
    percent_rank,
    rank,
    row_number,
    string_agg,
    sum,
)
from mapper.choices import of_one_type
from mapper.document_functions import append, contains_all, json_length, json_type, overlaps, remove
from mapper.errors import QueryError
from mapper.expressions import INTEGER, TEXT, Call, Expr, operand
from mapper.frames import Distance, Frame, groups_between, range_between, rows_between
from mapper.grouping import cube, grouping, grouping_sets, rollup
from mapper.moment_functions import date_trunc
from mapper.number_functions import exp, greatest, least, ln, log10, power, sign, sqrt
from mapper.operands import moment as moment_
from mapper.operands import numeric, textual, without_scale
from mapper.terms import literal
from mapper.text_functions import (
    concat,
    concat_ws,
    left,
    lpad,
    ltrim,
    position,
    repeat,
    reverse,
    right,
    rpad,
    rtrim,
)
from mapper.windows import Aggregate, Window, WindowDefinition, window

__all__ = [
    "Aggregate",
    "Distance",
    "Frame",
    "Window",
    "WindowDefinition",
    "abs",
    "append",
    "avg",
    "case",
    "ceil",
    "coalesce",
    "concat",
    "concat_ws",
    "contains_all",
    "count",
    "cube",
    "cume_dist",
    "date",
    "date_trunc",
    "day",
    "dense_rank",
    "exp",
    "first_value",
    "floor",
    "greatest",
    "grouping",
    "grouping_sets",
    "groups_between",
    "hour",
    "json_length",
    "json_type",
    "lag",
    "last_value",
    "lead",
    "least",
    "left",
    "length",
    "ln",
    "log10",
    "lower",
    "lpad",
    "ltrim",
    "max",
    "min",
    "minute",
    "month",
    "now",
    "nth_value",
    "ntile",
    "nullif",
    "overlaps",
    "percent_rank",
    "position",
    "power",
    "range_between",
    "rank",
    "remove",
    "repeat",
    "replace",
    "reverse",
    "right",
    "rollup",
    "round",
    "row_number",
    "rows_between",
    "rpad",
    "rtrim",
    "second",
    "sign",
    "sqrt",
    "string_agg",
    "substring",
    "sum",
    "trim",
    "upper",
    "window",
    "year",
]

T = TypeVar("T")
R = TypeVar("R")
R2 = TypeVar("R2")
R3 = TypeVar("R3")
T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True, default=Any)
N = TypeVar("N", int, float, Decimal)


@overload
def lower(text: Expr[str, R]) -> Expr[str, R]: ...
@overload
def lower(text: Expr[str | None, R]) -> Expr[str | None, R]: ...
def lower(text: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return the text in lower case, letter by letter; on PostgreSQL by the locale of the database."""
    return Call("lower", (textual("lower", text),), TEXT, nullable=None)


@overload
def upper(text: Expr[str, R]) -> Expr[str, R]: ...
@overload
def upper(text: Expr[str | None, R]) -> Expr[str | None, R]: ...
def upper(text: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return the text in upper case, letter by letter; on PostgreSQL by the locale of the database."""
    return Call("upper", (textual("upper", text),), TEXT, nullable=None)


@overload
def trim(text: Expr[str, R]) -> Expr[str, R]: ...
@overload
def trim(text: Expr[str | None, R]) -> Expr[str | None, R]: ...
def trim(text: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return the text without spaces at its ends."""
    return Call("trim", (textual("trim", text),), TEXT, nullable=None)


@overload
def length(value: Expr[str, R] | Expr[bytes, R] | Expr[list[Any], R]) -> Expr[int, R]: ...
@overload
def length(value: Expr[str | None, R] | Expr[bytes | None, R] | Expr[list[Any] | None, R]) -> Expr[int | None, R]: ...
def length(value: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return the number of characters of a text, of bytes of a byte string, or of items of a list."""
    if not (issubclass(value.type.python, str | bytes) or isinstance(value.type, types.List)):
        raise QueryError(
            f"length needs text, bytes or a list, and {value!r} is {value.type.python.__name__}",
            hint="of an array in a document, fn.json_length; of anything else, cast it: .cast(str)",
        )
    return Call("length", (value,), INTEGER, nullable=None)


def replace(text: Expr[str, R], old: str | Expr[str, R2], new: str | Expr[str, R3]) -> Expr[str, R | R2 | R3]:
    """Return the text with each `old` replaced by `new`."""
    return Call("replace", (textual("replace", text), operand(old, text), operand(new, text)), TEXT, nullable=None)


def substring(
    text: Expr[str, R], start: int | Expr[int, R2], size: int | Expr[int, R3] | None = None
) -> Expr[str, R | R2 | R3]:
    """
    Return `size` characters of the text from position `start`, which counts from 1; all that follow without `size`.
    """
    bounds = [each if isinstance(each, Expr) else literal(each) for each in (start, size) if each is not None]
    return Call("substring", (textual("substring", text), *bounds), TEXT, nullable=None)


@overload
def abs(number: Expr[N, R]) -> Expr[N, R]: ...
@overload
def abs(number: Expr[N | None, R]) -> Expr[N | None, R]: ...
def abs(number: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return the number without its sign."""
    return Call("abs", (numeric("abs", number),), number.type, nullable=None)


def round(number: Expr[N, R], digits: int = 0) -> Expr[N, R]:
    """Round to `digits` places after the point, halves away from zero."""
    return Call("round", (numeric("round", number), literal(digits)), without_scale(number.type), nullable=None)


def floor(number: Expr[Any, R]) -> Expr[int, R]:
    """Return the largest integer that is not greater."""
    return Call("floor", (numeric("floor", number),), INTEGER, nullable=None)


def ceil(number: Expr[Any, R]) -> Expr[int, R]:
    """Return the smallest integer that is not less."""
    return Call("ceil", (numeric("ceil", number),), INTEGER, nullable=None)


@overload
def coalesce(first: Expr[T | None, R], last: Expr[T, R2], /) -> Expr[T, R | R2]: ...
@overload
def coalesce(first: Expr[T | None, R], last: T, /) -> Expr[T, R]: ...
@overload
def coalesce(first: Expr[T | None, R], second: Expr[T | None, R2], last: Expr[T, R3], /) -> Expr[T, R | R2 | R3]: ...
@overload
def coalesce(first: Expr[T | None, R], second: Expr[T | None, R2], last: T, /) -> Expr[T, R | R2]: ...
@overload
def coalesce(*options: Expr[T | None, R]) -> Expr[T | None, R]: ...
def coalesce(*options: Any) -> Expr[Any, Any]:
    """Return the first of the options that is not NULL."""
    if not options or not isinstance(options[0], Expr):
        raise QueryError(
            f"coalesce of {options!r} does not begin with an expression",
            hint="name a column first: fn.coalesce(Posts.body, '')",
        )
    operands, type_ = of_one_type("coalesce", [operand(each, options[0]) for each in options])
    return Call("coalesce", tuple(operands), type_, nullable=all(each.nullable for each in operands))


def nullif(value: Expr[T, R], unwanted: T | Expr[T, Any]) -> Expr[T | None, R]:
    """Return the value, or NULL where it equals `unwanted`."""
    return Call("nullif", (value, operand(unwanted, value)), value.type, nullable=True)


@overload
def case(*branches: tuple[Expr[bool, R], T | Expr[T, Any]], else_: T | Expr[T, Any]) -> Expr[T, R]: ...
@overload
def case(*branches: tuple[Expr[bool, R], T | Expr[T, Any]]) -> Expr[T | None, R]: ...
def case(*branches: tuple[Expr[bool, Any], Any], else_: Any = None) -> Expr[Any, Any]:
    """Return the value of the first branch whose condition holds, else `else_`."""
    if not branches:
        raise QueryError("case has no branches", hint="give pairs: fn.case((Posts.public, 'public'), else_='private')")
    known = [each for each in (*[value for _, value in branches], else_) if isinstance(each, Expr)]
    like = known[0] if known else literal(branches[0][1])
    given = [*[value for _, value in branches], *([] if else_ is None else [else_])]
    values, type_ = of_one_type("case", [operand(value, like) for value in given])
    parts: list[Expr[Any, Any]] = [
        each for (condition, _), value in zip(branches, values, strict=False) for each in (condition, value)
    ]
    nullable = else_ is None or any(each.nullable for each in values)
    return Call("case", (*parts, *values[len(branches) :]), type_, nullable=nullable)


def now() -> Expr[datetime, Never]:
    """Return the store's current time, aware, in UTC."""
    return Call("now", (), types.TimestampTz(), nullable=False)


def date(moment: Expr[datetime, R]) -> Expr[date_, R]:
    """Return the day of a moment; of an aware one, in UTC."""
    return Call("date", (moment_("date", moment),), types.Date(), nullable=None)


def year(moment: Expr[datetime, R] | Expr[date_, R]) -> Expr[int, R]:
    """Return the year; of an aware moment, in UTC. The same goes for the functions below."""
    return _part("year", moment)


def month(moment: Expr[datetime, R] | Expr[date_, R]) -> Expr[int, R]:
    """Return the month, 1 to 12."""
    return _part("month", moment)


def day(moment: Expr[datetime, R] | Expr[date_, R]) -> Expr[int, R]:
    """Return the day of the month, 1 to 31."""
    return _part("day", moment)


def hour(moment: Expr[datetime, R]) -> Expr[int, R]:
    """Return the hour, 0 to 23."""
    return _part("hour", moment)


def minute(moment: Expr[datetime, R]) -> Expr[int, R]:
    """Return the minute, 0 to 59."""
    return _part("minute", moment)


def second(moment: Expr[datetime, R]) -> Expr[int, R]:
    """Return the second, 0 to 59, without its fraction."""
    return _part("second", moment)


def _part(name: str, moment: Expr[Any, Any]) -> Expr[int, Any]:
    return Call(name, (moment_(name, moment),), INTEGER, nullable=None)
