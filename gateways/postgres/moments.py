"""
Functions of dates and times that only PostgreSQL has, and rows of numbers and moments.

Moments go in, moments, numbers and texts come out. An aware moment is taken apart in UTC, whatever the session's zone.
"""

import datetime as dt
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, get_args, overload

from typing_extensions import TypeVar

from gateways.postgres import arguments
from gateways.sql import Operators, Template, function
from gateways.sql.dialect import OperatorKey, stored
from gateways.sql.templates import enclosing
from mapper import types
from mapper.errors import QueryError
from mapper.expressions import INTEGER, INTERVAL, NUMERIC, TEXT, Call, Expr, Parameter, operand
from mapper.terms import SetReturning

__all__ = ["MOMENTS", "Part", "Unit", "at_time_zone", "date_trunc", "extract", "generate_series", "to_char"]

R = TypeVar("R")
R2 = TypeVar("R2")
M = TypeVar("M", dt.datetime, dt.date, dt.datetime | None, dt.date | None)

Unit: TypeAlias = Literal[
    "microseconds",
    "milliseconds",
    "second",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "quarter",
    "year",
    "decade",
    "century",
    "millennium",
]
"""To what a moment is cut down."""

WholePart: TypeAlias = Literal[
    "century",
    "day",
    "decade",
    "dow",
    "doy",
    "hour",
    "isodow",
    "isoyear",
    "microseconds",
    "millennium",
    "minute",
    "month",
    "quarter",
    "week",
    "year",
]
"""Parts of a moment that are whole numbers."""

FractionalPart: TypeAlias = Literal["epoch", "julian", "milliseconds", "second"]
"""Parts of a moment with digits after the point."""

Part: TypeAlias = WholePart | FractionalPart

_UNITS: Final[tuple[str, ...]] = get_args(Unit)
_WHOLE: Final[tuple[str, ...]] = get_args(WholePart)
_FRACTIONAL: Final[tuple[str, ...]] = get_args(FractionalPart)
_CLOCK: Final = frozenset({"epoch", "hour", "microseconds", "milliseconds", "minute", "second"})

_UTC: Final = "({0} AT TIME ZONE 'UTC')"


def _truncations(unit: str) -> dict[OperatorKey, Template]:
    name = f"postgres.date_trunc:{unit}"
    return {
        (name, types.TimestampTz): function(f"date_trunc('{unit}', {{0}}, 'UTC')"),
        (name, types.Timestamp): function(f"date_trunc('{unit}', {{0}})"),
        (name, types.Date): function(f"CAST(date_trunc('{unit}', CAST({{0}} AS timestamp)) AS date)"),
    }


def _parts(part: str) -> dict[OperatorKey, Template]:
    name, kind = f"postgres.extract:{part}", "bigint" if part in _WHOLE else "numeric"
    return {
        name: function(f"CAST(extract({part} FROM {{0}}) AS {kind})"),
        (name, types.TimestampTz): enclosing(f"CAST(extract({part} FROM {_UTC}) AS {kind})"),
        (name, types.Date): function(f"CAST(extract({part} FROM CAST({{0}} AS timestamp)) AS {kind})"),
    }


MOMENTS: Final[Operators] = {
    **{key: template for unit in _UNITS for key, template in _truncations(unit).items()},
    **{key: template for part in (*_WHOLE, *_FRACTIONAL) for key, template in _parts(part).items()},
    "postgres.to_char": function("to_char({0}, {1})"),
    ("postgres.to_char", types.TimestampTz): enclosing(f"to_char({_UTC}, {{1}})"),
    ("postgres.to_char", types.Date): function("to_char(CAST({0} AS timestamp), {1})"),
    "postgres.at_time_zone": enclosing("({0} AT TIME ZONE {1})"),
    ("postgres.generate_series", 2): function("generate_series({0}, {1})"),
    ("postgres.generate_series", 3): function("generate_series({0}, {1}, {2})"),
    ("postgres.generate_series", types.TimestampTz): enclosing(
        "(generate_series({0} AT TIME ZONE 'UTC', {1} AT TIME ZONE 'UTC', {2}) AT TIME ZONE 'UTC')"
    ),
    ("postgres.generate_series", types.Date): function(
        "CAST(generate_series(CAST({0} AS timestamp), CAST({1} AS timestamp), {2}) AS date)"
    ),
}
"""The functions of dates and times."""


def date_trunc(unit: Unit, moment: Expr[M, R]) -> Expr[M, R]:
    """
    Return the beginning of the hour, month … in which a moment lies; of an aware one, in UTC.

    Raises:
        QueryError: The unit is unknown, or the expression is no date and no datetime.
    """
    _require("date_trunc", unit, _UNITS)
    return Call(f"postgres.date_trunc:{unit}", (_moment("date_trunc", moment),), moment.type, nullable=None)


@overload
def extract(part: WholePart, moment: Expr[dt.date, R] | Expr[dt.time, R] | Expr[dt.timedelta, R]) -> Expr[int, R]: ...
@overload
def extract(
    part: WholePart, moment: Expr[dt.date | None, R] | Expr[dt.time | None, R] | Expr[dt.timedelta | None, R]
) -> Expr[int | None, R]: ...
@overload
def extract(
    part: FractionalPart, moment: Expr[dt.date, R] | Expr[dt.time, R] | Expr[dt.timedelta, R]
) -> Expr[Decimal, R]: ...
@overload
def extract(
    part: FractionalPart, moment: Expr[dt.date | None, R] | Expr[dt.time | None, R] | Expr[dt.timedelta | None, R]
) -> Expr[Decimal | None, R]: ...
def extract(part: Part, moment: Expr[Any, Any]) -> Expr[Any, Any]:
    """
    Return a part of a moment, a time or a span: `extract("dow", x)` is 0 on Sundays, `extract("epoch", x)` the seconds
    since 1970, exactly. Of an aware moment it is the part in UTC.

    Raises:
        QueryError: The part is unknown, or one that a time or a span does not have.
    """
    _require("extract", part, (*_WHOLE, *_FRACTIONAL))
    kind = stored(moment.type)
    if isinstance(kind, types.Time | types.Interval):
        _require(f"extract of {moment!r}", part, (*_CLOCK, *(("day",) if isinstance(kind, types.Interval) else ())))
    else:
        _moment("extract", moment)
    return Call(f"postgres.extract:{part}", (moment,), INTEGER if part in _WHOLE else NUMERIC, nullable=None)


@overload
def to_char(
    value: Expr[dt.date, R] | Expr[dt.timedelta, R] | Expr[float, R] | Expr[Decimal, R], format: str
) -> Expr[str, R]: ...
@overload
def to_char(
    value: Expr[dt.date | None, R] | Expr[dt.timedelta | None, R] | Expr[float | None, R] | Expr[Decimal | None, R],
    format: str,
) -> Expr[str | None, R]: ...
def to_char(value: Expr[Any, Any], format: str) -> Expr[Any, Any]:
    """
    Return a moment, a span or a number as text: `to_char(x, "YYYY-MM")`, `to_char(n, "FM999G990")`. An aware moment is
    shown in UTC.

    Raises:
        QueryError: The expression is none of these, or the format is empty.
    """
    if not format:
        raise QueryError("to_char has an empty format, of which the store makes NULL", hint="say what to show: 'YYYY'")
    if not isinstance(stored(value.type), _SHOWN):
        raise QueryError(f"to_char takes a moment, a span or a number, not {value!r}")
    return Call("postgres.to_char", (value, arguments.text("to_char", format)), TEXT, nullable=None)


@overload
def at_time_zone(moment: Expr[dt.datetime, R], zone: str | Expr[str, R2]) -> Expr[dt.datetime, R | R2]: ...
@overload
def at_time_zone(
    moment: Expr[dt.datetime | None, R], zone: str | Expr[str, R2]
) -> Expr[dt.datetime | None, R | R2]: ...
def at_time_zone(moment: Expr[Any, Any], zone: Any) -> Expr[Any, Any]:
    """
    Return what the clocks of a zone show at an aware moment, as a naive one; and of a naive one the aware moment at
    which they show it.

    Raises:
        QueryError: The expression is no datetime.
    """
    kind = stored(moment.type)
    if not isinstance(kind, types.Timestamp | types.TimestampTz):
        raise QueryError(f"at_time_zone takes a datetime, not {moment!r}")
    target = types.TimestampTz() if isinstance(kind, types.Timestamp) else types.Timestamp()
    operands = (moment, arguments.text("at_time_zone", zone))
    return Call("postgres.at_time_zone", operands, target, nullable=None)


@overload
def generate_series(
    start: int | Expr[int, R], stop: int | Expr[int, R2], step: int | Expr[int, Any] = 1
) -> SetReturning[int, R | R2]: ...
@overload
def generate_series(
    start: dt.datetime | Expr[dt.datetime, R],
    stop: dt.datetime | Expr[dt.datetime, R2],
    step: dt.timedelta | Expr[dt.timedelta, Any],
) -> SetReturning[dt.datetime, R | R2]: ...
@overload
def generate_series(
    start: dt.date | Expr[dt.date, R],
    stop: dt.date | Expr[dt.date, R2],
    step: dt.timedelta | Expr[dt.timedelta, Any] = ...,
) -> SetReturning[dt.date, R | R2]: ...
def generate_series(start: Any, stop: Any, step: Any = None) -> SetReturning[Any, Any]:
    """
    Make a row of each number or moment from `start` to `stop`, both included, `step` apart: 1, or a day.

    It is selected, and refused elsewhere; as a table it is the definition of a common one:
    `query.with_(Days, select(generate_series(first, last)))`.

    Raises:
        QueryError: The bounds are neither whole numbers nor dates nor datetimes, or datetimes have no step.
    """
    known = next((each for each in (start, stop) if isinstance(each, Expr)), None)
    like = known if known is not None else Parameter(start, types.infer(type(start))[0])
    first, last = operand(start, like), operand(stop, like)
    kind = stored(first.type)
    if isinstance(kind, types.Integer):
        steps: Expr[Any, Any] = arguments.integer("generate_series", 1 if step is None else step)
    elif isinstance(kind, types.Date | types.Timestamp | types.TimestampTz):
        if step is None and not isinstance(kind, types.Date):
            raise QueryError("generate_series of datetimes has no step", hint="give a timedelta")
        steps = operand(dt.timedelta(days=1) if step is None else step, Parameter(None, INTERVAL))
    else:
        raise QueryError(f"generate_series takes whole numbers, dates or datetimes, not {start!r}")
    return SetReturning("postgres.generate_series", (first, last, steps), first.type, nullable=False)


_SHOWN: Final = (
    types.Date,
    types.Float,
    types.Integer,
    types.Interval,
    types.Numeric,
    types.Timestamp,
    types.TimestampTz,
)


def _moment(name: str, moment: Expr[Any, Any]) -> Expr[Any, Any]:
    if not isinstance(stored(moment.type), types.Date | types.Timestamp | types.TimestampTz):
        raise QueryError(f"{name} takes a date or a datetime, not {moment!r}", hint="name a column of one")
    return moment


def _require(name: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise QueryError(f"{name} has no {given!r}", hint=f"it has: {', '.join(sorted(known))}")
