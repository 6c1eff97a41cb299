"""
Functions of the store, as typed expressions: `fn.count()`, `fn.lower(Posts.title)`.

Expressions and values go in, an expression comes out. A function means the same on every gateway, or is refused.
"""

from collections.abc import Callable, Sequence
from datetime import date as date_
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, Never, overload

from attrs import frozen
from typing_extensions import TypeVar

from mapper import types
from mapper.choices import of_one_type
from mapper.document_functions import append, contains_all, json_length, json_type, overlaps, remove
from mapper.errors import QueryError
from mapper.expressions import FLOAT, INTEGER, NUMERIC, TEXT, Call, Expr, Order, Take, operand
from mapper.grouping import cube, grouping, grouping_sets, rollup
from mapper.moment_functions import date_trunc
from mapper.number_functions import exp, greatest, least, ln, log10, power, sign, sqrt
from mapper.operands import moment as moment_
from mapper.operands import numeric, textual
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
from mapper.wording import Style, Words

__all__ = [
    "Aggregate",
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
    "nullif",
    "overlaps",
    "position",
    "power",
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


def in_order(term: Order[Any], style: Style) -> str:
    """Return a term of an order in words, as in SQL; where NULLs are is said only of what can be NULL."""
    expression = term.expression
    nulls = f" NULLS {'LAST' if term.nulls_are_last else 'FIRST'}" if expression.nullable else ""
    return f"{expression.worded(style)}{' DESC' if term.descending else ''}{nulls}"


class Aggregate(Expr[T_co, R_co]):
    """
    A function over the rows of a group, or of a window after `.over(...)`.

    Attributes:
        name: Its name in `mapper.functions`.
        operands: Its arguments; none for `count()`.
        distinct: Equal values count once.
        filter: Only rows that fulfil it count.
        order_by: The order in which it takes the rows, where that matters to it.
    """

    __slots__ = ("distinct", "filter", "name", "operands", "order_by", "window_only")

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
        order_by: tuple[Order[Any], ...] = (),
    ) -> None:
        self.name = name
        self.operands = operands
        self.type = type_
        self.nullable = nullable
        self.distinct = distinct
        self.filter = filter
        self.window_only = window_only
        self.order_by = order_by
        arguments = ",".join([each.key for each in operands])
        order = f" order {','.join([each.key for each in order_by])}" if order_by else ""
        condition = "" if filter is None else f" filter {filter.key}"
        self.key = f"{name}({'distinct ' if distinct else ''}{arguments}{order}{condition})"
        self.parameters = tuple([value for each in self.children for value in each.parameters])

    @property
    def children(self) -> tuple[Expr[Any, Any], ...]:
        ordered = (*self.operands, *[each.expression for each in self.order_by]) if self.order_by else self.operands
        return ordered if self.filter is None else (*ordered, self.filter)

    def worded(self, style: Style) -> Words:
        everything = style.everything if self.name == "count" else ""
        operands = ", ".join([str(each.worded(style)) for each in self.operands]) or everything
        order = "" if not self.order_by else f" ORDER BY {', '.join([in_order(each, style) for each in self.order_by])}"
        where = "" if self.filter is None else f" FILTER (WHERE {self.filter.worded(style)})"
        return Words(f"{style.prefix}{self.name}({'DISTINCT ' if self.distinct else ''}{operands}{order}){where}")

    def numbered(self, take: Take) -> "Aggregate[T_co, R_co]":
        return self.mapped(lambda each: each.numbered(take))

    def mapped(self, change: Callable[[Expr[Any, Any]], Expr[Any, Any]]) -> "Aggregate[T_co, R_co]":
        operands = tuple([change(each) for each in self.operands])
        order_by = tuple([each.mapped(change) for each in self.order_by])
        return Aggregate(
            self.name,
            operands,
            self.type,
            nullable=self.nullable,
            distinct=self.distinct,
            filter=change(self.filter) if self.filter is not None else None,
            window_only=self.window_only,
            order_by=order_by,
        )

    @overload
    def over(self, window: "WindowDefinition[R2]", /) -> "Window[T_co, R_co | R2]": ...
    @overload
    def over(
        self,
        /,
        *,
        partition_by: Sequence[Expr[Any, R2]] = (),
        order_by: Sequence[Expr[Any, R3] | Order[R3]] = (),
        frame: Frame | None = None,
    ) -> "Window[T_co, R_co | R2 | R3]": ...
    def over(
        self,
        window: "WindowDefinition[Any] | None" = None,
        /,
        *,
        partition_by: Sequence[Expr[Any, Any]] = (),
        order_by: Sequence[Expr[Any, Any] | Order[Any]] = (),
        frame: Frame | None = None,
    ) -> "Window[Any, Any]":
        """
        Compute it for each row over the rows of the same partition, in an order, within a frame of rows around it.

        Args:
            window: All of this at once, for several functions over one window: `fn.window(…)`.
            partition_by: What is equal in the rows that it looks at.
            order_by: Their order.
            frame: Which of them, counted from the current row; `rows_between(-2, 0)`.
        """
        if window is not None and (partition_by or order_by or frame):
            raise QueryError("over a window that is given, and described too", hint="describe it in fn.window(…)")
        given = WindowDefinition.of(partition_by, order_by, frame) if window is None else window
        return Window(self, given.partition_by, given.order_by, given.frame)


@frozen(eq=False)
class WindowDefinition(Generic[R_co]):
    """A window that several functions are computed over; `window` makes it."""

    partition_by: tuple[Expr[Any, Any], ...]
    order_by: tuple[Order[Any], ...]
    frame: Frame | None

    @classmethod
    def of(
        cls,
        partition_by: Sequence[Expr[Any, Any]],
        order_by: Sequence[Expr[Any, Any] | Order[Any]],
        frame: Frame | None,
    ) -> "WindowDefinition[Any]":
        """Return the window; terms of the order that say no direction are ascending."""
        orders = tuple([each if isinstance(each, Order) else each.asc() for each in order_by])
        return cls(tuple(partition_by), orders, frame)


def window(
    *,
    partition_by: Sequence[Expr[Any, R2]] = (),
    order_by: Sequence[Expr[Any, R3] | Order[R3]] = (),
    frame: Frame | None = None,
) -> WindowDefinition[R2 | R3]:
    """Name a window, for several functions: `by_author = fn.window(…)`, then `fn.rank().over(by_author)`."""
    return WindowDefinition.of(partition_by, order_by, frame)


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

    def worded(self, style: Style) -> Words:
        partition = ", ".join([str(each.worded(style)) for each in self.partition_by])
        order = ", ".join([in_order(each, style) for each in self.order_by])
        said = [f"PARTITION BY {partition}" if partition else "", f"ORDER BY {order}" if order else ""]
        frame = "" if self.frame is None else f"ROWS {self.frame.start} TO {self.frame.end}"
        inside = " ".join([each for each in (*said, frame) if each])
        return Words(f"{self.function.worded(style)} OVER ({inside})")

    def numbered(self, take: Take) -> "Window[T_co, R_co]":
        return self.mapped(lambda each: each.numbered(take))

    def mapped(self, change: Callable[[Expr[Any, Any]], Expr[Any, Any]]) -> "Window[T_co, R_co]":
        function = change(self.function)
        if not isinstance(function, Aggregate):
            raise QueryError(f"{function!r} is over a window, and is no function of one", hint="name one: fn.count()")
        return Window(
            function,
            tuple([change(each) for each in self.partition_by]),
            tuple([each.mapped(change) for each in self.order_by]),
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
        "sum", (numeric("sum", item),), _without_scale(item.type), nullable=True, distinct=distinct, filter=filter
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
    return Aggregate("avg", (numeric("avg", item),), type_, nullable=True, distinct=distinct, filter=filter)


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


def string_agg(
    item: Expr[str, R] | Expr[str | None, R],
    separator: str,
    *,
    order_by: Sequence[Expr[Any, R2] | Order[R2]] = (),
    distinct: bool = False,
    filter: Expr[bool, Any] | None = None,
) -> Aggregate[str | None, R | R2]:
    """
    Return the texts of a group behind each other, with a separator between them; NULLs are left out, and of none it is
    NULL.

    Args:
        item: The texts.
        separator: What stands between two of them.
        order_by: Their order; without one they come in any.
        distinct: Equal texts come once; their order can then be that of the texts only.
        filter: Rows that do not fulfil it are left out.

    Raises:
        QueryError: Distinct texts are ordered by something else.
    """
    orders = tuple([each if isinstance(each, Order) else each.asc() for each in order_by])
    if distinct and any(each.expression.key != item.key for each in orders):
        raise QueryError(
            f"string_agg of distinct {item!r} is ordered by something else",
            hint="order by the text itself, or select distinct rows in a subquery",
        )
    operands = (textual("string_agg", item), literal(separator))
    return Aggregate("string_agg", operands, TEXT, nullable=True, distinct=distinct, filter=filter, order_by=orders)


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
    return Call("round", (numeric("round", number), literal(digits)), _without_scale(number.type), nullable=None)


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


def _without_scale(type_: types.StorageType[Any]) -> types.StorageType[Any]:
    """A sum may need more digits than what is summed."""
    return NUMERIC if isinstance(type_, types.Numeric) else type_
