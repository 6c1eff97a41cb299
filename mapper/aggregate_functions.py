"""
Functions over many rows: of a group, as `count` and `sum`, or of a window, as `rank` and `lag`.

Expressions go in, an aggregate comes out: the value of the group, or with `.over(...)` of a window.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Never, overload

from typing_extensions import TypeVar

from mapper.errors import QueryError
from mapper.expressions import FLOAT, INTEGER, NUMERIC, TEXT, Expr, Order
from mapper.operands import numeric, textual, without_scale
from mapper.terms import literal
from mapper.windows import Aggregate

if TYPE_CHECKING:
    from mapper.relation import CommonTable, Relation

__all__ = [
    "avg",
    "count",
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "max",
    "min",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
    "string_agg",
    "sum",
]

T = TypeVar("T")
R = TypeVar("R")
R2 = TypeVar("R2", bound="Relation[Any, Any, Any] | CommonTable")
N = TypeVar("N", int, float, Decimal)


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
        "sum", (numeric("sum", item),), without_scale(item.type), nullable=True, distinct=distinct, filter=filter
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


@overload
def string_agg(
    item: Expr[str, R] | Expr[str | None, R],
    separator: str,
    *,
    distinct: bool = False,
    filter: Expr[bool, Any] | None = None,
) -> Aggregate[str | None, R]: ...
@overload
def string_agg(
    item: Expr[str, R] | Expr[str | None, R],
    separator: str,
    *,
    order_by: Sequence[Expr[Any, R2] | Order[R2]],
    distinct: bool = False,
    filter: Expr[bool, Any] | None = None,
) -> Aggregate[str | None, R | R2]: ...
@overload  # as for Aggregate.over
def string_agg(
    item: Expr[str, Any] | Expr[str | None, Any],
    separator: str,
    *,
    order_by: Sequence[Expr[Any, Any] | Order[Any]] = (),
    distinct: bool = False,
    filter: Expr[bool, Any] | None = None,
) -> Aggregate[str | None, Any]: ...
def string_agg(
    item: Expr[Any, Any],
    separator: str,
    *,
    order_by: Sequence[Expr[Any, Any] | Order[Any]] = (),
    distinct: bool = False,
    filter: Expr[bool, Any] | None = None,
) -> Aggregate[str | None, Any]:
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


def percent_rank() -> Aggregate[float, Never]:
    """Return how far on a row's rank is, from 0 for the first to 1; 0 where the row is alone."""
    return Aggregate("percent_rank", (), FLOAT, nullable=False, window_only=True)


def cume_dist() -> Aggregate[float, Never]:
    """Return the part of the rows that are before a row in the window's order or equal to it; 1 for the last."""
    return Aggregate("cume_dist", (), FLOAT, nullable=False, window_only=True)


def ntile(buckets: int) -> Aggregate[int, Never]:
    """
    Divide the rows of a window into so many buckets, in order, and return the number of the row's, from 1. Where they do
    not divide evenly, the first buckets have one row more.

    Raises:
        QueryError: It is not a number of buckets.
    """
    return Aggregate("ntile", (_counted("ntile", buckets),), INTEGER, nullable=False, window_only=True)


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


def nth_value(item: Expr[T, R], n: int) -> Aggregate[T | None, R]:
    """
    Return the value of the frame's row number `n`, from 1; NULL where it has fewer.

    Raises:
        QueryError: `n` is not such a number.
    """
    return Aggregate("nth_value", (item, _counted("nth_value", n)), item.type, nullable=True, window_only=True)


def _counted(function: str, number: int) -> Expr[int, Never]:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 2**31:
        raise QueryError(f"{function} of {number!r}", hint="give an integer that is at least 1 and below 2**31")
    return literal(number)
