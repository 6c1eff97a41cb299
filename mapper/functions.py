"""
Functions of the store, as typed expressions: `fn.count()`, `fn.lower(Posts.title)`.

Expressions and values go in, an expression comes out. A function means the same on every gateway, or is refused.
"""

from collections.abc import Sequence
from datetime import date as date_
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Never, overload

from attrs import frozen
from typing_extensions import TypeVar

from mapper import types
from mapper.errors import QueryError
from mapper.expressions import FLOAT, INTEGER, NUMERIC, TEXT, Call, Expr, Order, Take, operand
from mapper.terms import literal

__all__ = [
    "Aggregate",
    "Frame",
    "Window",
    "abs",
    "avg",
    "case",
    "ceil",
    "coalesce",
    "count",
    "date",
    "day",
    "dense_rank",
    "first_value",
    "floor",
    "hour",
    "lag",
    "last_value",
    "lead",
    "length",
    "lower",
    "max",
    "min",
    "minute",
    "month",
    "now",
    "nullif",
    "rank",
    "replace",
    "round",
    "row_number",
    "rows_between",
    "second",
    "substring",
    "sum",
    "trim",
    "upper",
    "year",
]

T = TypeVar("T")
R = TypeVar("R")
R2 = TypeVar("R2")
R3 = TypeVar("R3")
T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True, default=Any)
N = TypeVar("N", int, float, Decimal)


@frozen
class Frame:
    """Rows around the current one, in the window's order; None is unbounded, negative before, positive after."""

    start: int | None
    end: int | None


def rows_between(start: int | None, end: int | None) -> Frame:
    """
    Return a frame: `rows_between(-2, 0)` is the current row and the two before it; None is unbounded.

    Raises:
        QueryError: The frame ends before it starts.
    """
    if start is not None and end is not None and start > end:
        raise QueryError(f"a frame from {start} to {end} ends before it starts", hint="give the smaller number first")
    return Frame(start, end)


class Aggregate(Expr[T_co, R_co]):
    """
    A function over the rows of a group, or of a window after `.over(...)`.

    Attributes:
        name: Its name in `mapper.functions`.
        operands: Its arguments; none for `count()`.
        distinct: Equal values count once.
        filter: Only rows that fulfil it count.
    """

    __slots__ = ("distinct", "filter", "name", "operands", "window_only")

    def __init__(
        self,
        name: str,
        operands: tuple[Expr[Any, Any], ...],
        type_: types.StorageType[Any],
        *,
        nullable: bool,
        distinct: bool = False,
        filter: Expr[bool, Any] | None = None,
        window_only: bool = False,
    ) -> None:
        self.name = name
        self.operands = operands
        self.type = type_
        self.nullable = nullable
        self.distinct = distinct
        self.filter = filter
        self.window_only = window_only
        arguments = ",".join([each.key for each in operands])
        condition = "" if filter is None else f" filter {filter.key}"
        self.key = f"{name}({'distinct ' if distinct else ''}{arguments}{condition})"
        self.parameters = tuple([value for each in self.children for value in each.parameters])

    @property
    def children(self) -> tuple[Expr[Any, Any], ...]:
        return self.operands if self.filter is None else (*self.operands, self.filter)

    def numbered(self, take: Take) -> "Aggregate[T_co, R_co]":
        operands = tuple([each.numbered(take) for each in self.operands])
        return Aggregate(
            self.name,
            operands,
            self.type,
            nullable=self.nullable,
            distinct=self.distinct,
            filter=self.filter.numbered(take) if self.filter is not None else None,
            window_only=self.window_only,
        )

    def over(
        self,
        *,
        partition_by: Sequence[Expr[Any, R2]] = (),
        order_by: Sequence[Expr[Any, R3] | Order[R3]] = (),
        frame: Frame | None = None,
    ) -> "Window[T_co, R_co | R2 | R3]":
        """
        Compute it for each row over the rows of the same partition, in an order, within a frame of rows around it.
        """
        orders = tuple([each if isinstance(each, Order) else each.asc() for each in order_by])
        return Window(self, tuple(partition_by), orders, frame)


class Window(Expr[T_co, R_co]):
    """An aggregate or ranking function over a window of rows."""

    __slots__ = ("frame", "function", "order_by", "partition_by")

    def __init__(
        self,
        function: Aggregate[T_co, Any],
        partition_by: tuple[Expr[Any, Any], ...],
        order_by: tuple[Order[Any], ...],
        frame: Frame | None,
    ) -> None:
        self.function = function
        self.partition_by = partition_by
        self.order_by = order_by
        self.frame = frame
        self.type = function.type
        self.nullable = function.nullable
        partition = ",".join([each.key for each in partition_by])
        order = ",".join([each.key for each in order_by])
        self.key = f"{function.key} over({partition};{order};{(frame.start, frame.end) if frame else ''})"
        self.parameters = tuple([value for each in self.children for value in each.parameters])

    @property
    def children(self) -> tuple[Expr[Any, Any], ...]:
        return (self.function, *self.partition_by, *[each.expression for each in self.order_by])

    def numbered(self, take: Take) -> "Window[T_co, R_co]":
        return Window(
            self.function.numbered(take),
            tuple([each.numbered(take) for each in self.partition_by]),
            tuple([each.numbered(take) for each in self.order_by]),
            self.frame,
        )


@overload
def count(*, filter: None = None) -> Aggregate[int, Never]: ...
@overload
def count(*, filter: Expr[bool, R]) -> Aggregate[int, R]: ...
@overload
def count(
    item: Expr[Any, R], *, distinct: bool = False, filter: Expr[bool, Any] | None = None
) -> Aggregate[int, R]: ...
def count(
    item: Expr[Any, Any] | None = None,
    *,
    distinct: bool = False,
    filter: Expr[bool, Any] | None = None,
) -> Aggregate[int, Any]:
    """Count rows, or the values of `item` that are not NULL."""
    if item is None and distinct:
        raise QueryError(
            "count(distinct=True) has nothing to tell apart",
            hint="name the expression: fn.count(Posts.title, distinct=True)",
        )
    return Aggregate(
        "count", () if item is None else (item,), INTEGER, nullable=False, distinct=distinct, filter=filter
    )


def sum(
    item: Expr[N, R] | Expr[N | None, R],
    *,
    distinct: bool = False,
    filter: Expr[bool, Any] | None = None,
) -> Aggregate[N | None, R]:
    """
    Add up the values that are not NULL; NULL where there is none. Of integers it is an integer, of decimals exact.
    """
    return Aggregate(
        "sum", (_numeric("sum", item),), _without_scale(item.type), nullable=True, distinct=distinct, filter=filter
    )


@overload
def avg(  # type: ignore[overload-overlap]  # as for arithmetic
    item: Expr[Decimal, R] | Expr[Decimal | None, R], *, distinct: bool = False, filter: Expr[bool, Any] | None = None
) -> Aggregate[Decimal | None, R]: ...
@overload
def avg(
    item: Expr[float, R] | Expr[float | None, R], *, distinct: bool = False, filter: Expr[bool, Any] | None = None
) -> Aggregate[float | None, R]: ...
def avg(item: Expr[Any, Any], *, distinct: bool = False, filter: Expr[bool, Any] | None = None) -> Aggregate[Any, Any]:
    """Average the values that are not NULL; NULL where there is none. Of decimals it is a decimal, else a float."""
    type_ = NUMERIC if item.type.python is Decimal else FLOAT
    return Aggregate("avg", (_numeric("avg", item),), type_, nullable=True, distinct=distinct, filter=filter)


def min(
    item: Expr[T, R],
    *,
    filter: Expr[bool, Any] | None = None,
) -> Aggregate[T | None, R]:
    """Return the smallest value that is not NULL; NULL where there is none."""
    return Aggregate("min", (item,), item.type, nullable=True, filter=filter)


def max(
    item: Expr[T, R],
    *,
    filter: Expr[bool, Any] | None = None,
) -> Aggregate[T | None, R]:
    """Return the largest value that is not NULL; NULL where there is none."""
    return Aggregate("max", (item,), item.type, nullable=True, filter=filter)


def row_number() -> Aggregate[int, Never]:
    """Number the rows of a window from 1; used with `.over(...)`."""
    return Aggregate("row_number", (), INTEGER, nullable=False, window_only=True)


def rank() -> Aggregate[int, Never]:
    """Rank the rows of a window: equal ones share a rank, and the next is as far on as they are many."""
    return Aggregate("rank", (), INTEGER, nullable=False, window_only=True)


def dense_rank() -> Aggregate[int, Never]:
    """Rank the rows of a window without gaps."""
    return Aggregate("dense_rank", (), INTEGER, nullable=False, window_only=True)


def lag(item: Expr[T, R], offset: int = 1) -> Aggregate[T | None, R]:
    """Return the value of the row `offset` rows before, in the window's order; NULL where there is none."""
    return Aggregate("lag", (item, literal(offset)), item.type, nullable=True, window_only=True)


def lead(item: Expr[T, R], offset: int = 1) -> Aggregate[T | None, R]:
    """Return the value of the row `offset` rows after, in the window's order; NULL where there is none."""
    return Aggregate("lead", (item, literal(offset)), item.type, nullable=True, window_only=True)


def first_value(item: Expr[T, R]) -> Aggregate[T | None, R]:
    """Return the value of the frame's first row."""
    return Aggregate("first_value", (item,), item.type, nullable=True, window_only=True)


def last_value(item: Expr[T, R]) -> Aggregate[T | None, R]:
    """Return the value of the frame's last row."""
    return Aggregate("last_value", (item,), item.type, nullable=True, window_only=True)


@overload
def lower(text: Expr[str, R]) -> Expr[str, R]: ...
@overload
def lower(text: Expr[str | None, R]) -> Expr[str | None, R]: ...
def lower(text: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return the text in lower case, by the Unicode rules of the store."""
    return Call("lower", (_textual("lower", text),), TEXT, nullable=None)


@overload
def upper(text: Expr[str, R]) -> Expr[str, R]: ...
@overload
def upper(text: Expr[str | None, R]) -> Expr[str | None, R]: ...
def upper(text: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return the text in upper case, by the Unicode rules of the store."""
    return Call("upper", (_textual("upper", text),), TEXT, nullable=None)


@overload
def trim(text: Expr[str, R]) -> Expr[str, R]: ...
@overload
def trim(text: Expr[str | None, R]) -> Expr[str | None, R]: ...
def trim(text: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return the text without spaces at its ends."""
    return Call("trim", (_textual("trim", text),), TEXT, nullable=None)


@overload
def length(value: Expr[str, R] | Expr[bytes, R]) -> Expr[int, R]: ...
@overload
def length(value: Expr[str | None, R] | Expr[bytes | None, R]) -> Expr[int | None, R]: ...
def length(value: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return the number of characters of a text, or of bytes of a byte string."""
    if not issubclass(value.type.python, str | bytes):
        raise QueryError(
            f"length needs text or bytes, and {value!r} is {value.type.python.__name__}", hint="cast it: .cast(str)"
        )
    return Call("length", (value,), INTEGER, nullable=None)


def replace(text: Expr[str, R], old: str | Expr[str, R2], new: str | Expr[str, R3]) -> Expr[str, R | R2 | R3]:
    """Return the text with each `old` replaced by `new`."""
    return Call("replace", (_textual("replace", text), operand(old, text), operand(new, text)), TEXT, nullable=None)


def substring(
    text: Expr[str, R], start: int | Expr[int, R2], size: int | Expr[int, R3] | None = None
) -> Expr[str, R | R2 | R3]:
    """
    Return `size` characters of the text from position `start`, which counts from 1; all that follow without `size`.
    """
    bounds = [each if isinstance(each, Expr) else literal(each) for each in (start, size) if each is not None]
    return Call("substring", (_textual("substring", text), *bounds), TEXT, nullable=None)


@overload
def abs(number: Expr[N, R]) -> Expr[N, R]: ...
@overload
def abs(number: Expr[N | None, R]) -> Expr[N | None, R]: ...
def abs(number: Expr[Any, Any]) -> Expr[Any, Any]:
    """Return the number without its sign."""
    return Call("abs", (_numeric("abs", number),), number.type, nullable=None)


def round(number: Expr[N, R], digits: int = 0) -> Expr[N, R]:
    """Round to `digits` places after the point, halves away from zero."""
    return Call("round", (_numeric("round", number), literal(digits)), _without_scale(number.type), nullable=None)


def floor(number: Expr[Any, R]) -> Expr[int, R]:
    """Return the largest integer that is not greater."""
    return Call("floor", (_numeric("floor", number),), INTEGER, nullable=None)


def ceil(number: Expr[Any, R]) -> Expr[int, R]:
    """Return the smallest integer that is not less."""
    return Call("ceil", (_numeric("ceil", number),), INTEGER, nullable=None)


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
    operands = tuple([operand(each, options[0]) for each in options])
    return Call("coalesce", operands, options[0].type, nullable=all(each.nullable for each in operands))


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
    values = [operand(value, like) for _, value in branches]
    parts: list[Expr[Any, Any]] = [
        each for (condition, _), value in zip(branches, values, strict=True) for each in (condition, value)
    ]
    nullable = else_ is None or any(each.nullable for each in values)
    if else_ is not None:
        parts.append(operand(else_, like))
        nullable = nullable or parts[-1].nullable
    return Call("case", tuple(parts), like.type, nullable=nullable)


def now() -> Expr[datetime, Never]:
    """Return the store's current time, aware, in UTC."""
    return Call("now", (), types.TimestampTz(), nullable=False)


def date(moment: Expr[datetime, R]) -> Expr[date_, R]:
    """Return the day of a moment; of an aware one, in UTC."""
    return Call("date", (_moment("date", moment),), types.Date(), nullable=None)


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


_NUMERIC: Final = (types.Integer, types.Float, types.Numeric)
_MOMENTS: Final = (types.Timestamp, types.TimestampTz, types.Date)


def _numeric(name: str, item: Expr[Any, Any]) -> Expr[Any, Any]:
    if not isinstance(item.type, _NUMERIC):
        raise QueryError(
            f"{name} needs a number, and {item!r} is {item.type.python.__name__}", hint="cast it: .cast(int)"
        )
    return item


def _textual(name: str, item: Expr[Any, Any]) -> Expr[Any, Any]:
    if not issubclass(item.type.python, str):
        raise QueryError(f"{name} needs text, and {item!r} is {item.type.python.__name__}", hint="cast it: .cast(str)")
    return item


def _moment(name: str, item: Expr[Any, Any]) -> Expr[Any, Any]:
    if not isinstance(item.type, _MOMENTS):
        raise QueryError(
            f"{name} needs a date or a datetime, and {item!r} is {item.type.python.__name__}", hint="name a date column"
        )
    return item


def _part(name: str, moment: Expr[Any, Any]) -> Expr[int, Any]:
    return Call(name, (_moment(name, moment),), INTEGER, nullable=None)


def _without_scale(type_: types.StorageType[Any]) -> types.StorageType[Any]:
    """A sum may need more digits than what is summed."""
    return NUMERIC if isinstance(type_, types.Numeric) else type_
