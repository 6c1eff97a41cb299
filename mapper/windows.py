"""
Aggregates and windows: functions over the rows of a group, or over the rows around one.

Functions, partitions, orders and frames go in, expressions come out; `mapper.functions` has the functions.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Generic, Never, overload

from attrs import frozen
from typing_extensions import TypeVar

from mapper import types
from mapper.errors import QueryError
from mapper.expressions import Expr, Order, Take
from mapper.frames import Frame
from mapper.wording import Style, Words

if TYPE_CHECKING:
    from mapper.relation import CommonTable, Relation

__all__ = ["Aggregate", "Window", "WindowDefinition", "in_order", "window"]

R = TypeVar("R", bound="Relation[Any, Any, Any] | CommonTable")
R2 = TypeVar("R2", bound="Relation[Any, Any, Any] | CommonTable")
S = TypeVar("S")
T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True, default=Any)


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
    def over(self, window: "WindowDefinition[S]", /) -> "Window[T_co, R_co | S]": ...
    @overload
    def over(
        self,
        /,
        *,
        partition_by: Sequence[Expr[Any, R]],
        order_by: Sequence[Expr[Any, R2] | Order[R2]],
        frame: Frame | None = None,
    ) -> "Window[T_co, R_co | R | R2]": ...
    @overload
    def over(
        self, /, *, partition_by: Sequence[Expr[Any, R]], frame: Frame | None = None
    ) -> "Window[T_co, R_co | R]": ...
    @overload
    def over(
        self, /, *, order_by: Sequence[Expr[Any, R] | Order[R]], frame: Frame | None = None
    ) -> "Window[T_co, R_co | R]": ...
    @overload
    def over(self, /, *, frame: Frame | None = None) -> "Window[T_co, R_co]": ...
    @overload  # mypy takes a list of a column and an order, or of columns of two relations, for one of objects
    def over(
        self,
        /,
        *,
        partition_by: Sequence[Expr[Any, Any]] = (),
        order_by: Sequence[Expr[Any, Any] | Order[Any]] = (),
        frame: Frame | None = None,
    ) -> "Window[T_co, Any]": ...
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
            frame: Which of them, counted from the current row: `rows_between(-2, 0)`, `range_between`, `groups_between`.

        Raises:
            QueryError: A window is both given and described, or the frame does not fit its order.
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
        if frame is not None:
            _require_order(orders, frame)
        return cls(tuple(partition_by), orders, frame)


_MEASURED: Final[dict[type[Any], type[Any] | tuple[type[Any], ...]]] = {
    int: int,
    float: (int, float),
    Decimal: (int, Decimal),
    date: timedelta,
    datetime: timedelta,
    time: timedelta,
    timedelta: timedelta,
}
"""What the distances between values of a class are."""


def _require_order(order_by: tuple[Order[Any], ...], frame: Frame) -> None:
    """Refuse a frame that cannot be counted in an order."""
    if frame.unit == "groups" and not order_by:
        raise QueryError("a frame of groups over a window without an order", hint="give the order: order_by=[…]")
    distances = frame.distances
    if not distances:
        return
    if len(order_by) != 1:
        raise QueryError(
            f"a frame by distance over a window ordered by {len(order_by)} terms",
            hint="order by the one value that distances are counted in, or count rows: rows_between(…)",
        )
    ordered = order_by[0].expression
    known = _MEASURED.get(ordered.type.python)
    for each in distances:
        if known is None or not isinstance(each, known):
            raise QueryError(
                f"a frame by a distance of {each!r} over {ordered!r}, which is of {ordered.type.python.__name__}",
                hint="distances are numbers of the order's own type, or timedeltas for dates and times",
            )


@overload
def window(
    *,
    partition_by: Sequence[Expr[Any, R]],
    order_by: Sequence[Expr[Any, R2] | Order[R2]],
    frame: Frame | None = None,
) -> WindowDefinition[R | R2]: ...
@overload
def window(*, partition_by: Sequence[Expr[Any, R]], frame: Frame | None = None) -> WindowDefinition[R]: ...
@overload
def window(*, order_by: Sequence[Expr[Any, R] | Order[R]], frame: Frame | None = None) -> WindowDefinition[R]: ...
@overload
def window(*, frame: Frame | None = None) -> WindowDefinition[Never]: ...
@overload  # as for Aggregate.over
def window(
    *,
    partition_by: Sequence[Expr[Any, Any]] = (),
    order_by: Sequence[Expr[Any, Any] | Order[Any]] = (),
    frame: Frame | None = None,
) -> WindowDefinition[Any]: ...
def window(
    *,
    partition_by: Sequence[Expr[Any, Any]] = (),
    order_by: Sequence[Expr[Any, Any] | Order[Any]] = (),
    frame: Frame | None = None,
) -> WindowDefinition[Any]:
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
        self.key = f"{function.key} over({partition};{order};{frame.key if frame else ''})"
        self.parameters = tuple([value for each in self.children for value in each.parameters])

    @property
    def children(self) -> tuple[Expr[Any, Any], ...]:
        return (self.function, *self.partition_by, *[each.expression for each in self.order_by])

    def worded(self, style: Style) -> Words:
        partition = ", ".join([str(each.worded(style)) for each in self.partition_by])
        order = ", ".join([in_order(each, style) for each in self.order_by])
        said = [f"PARTITION BY {partition}" if partition else "", f"ORDER BY {order}" if order else ""]
        frame = "" if self.frame is None else str(self.frame)
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
