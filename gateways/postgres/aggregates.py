"""
Aggregates that only PostgreSQL has: lists, texts and documents of a group's values, and values by their order.

Expressions go in, an `Aggregate` comes out, which may be selected, filtered by and given a window as those of
`mapper.fn`. Every other gateway refuses it before I/O.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, overload

from typing_extensions import TypeVar

from gateways.postgres import arguments
from gateways.postgres.documents import document_annotation
from gateways.sql import AggregateText
from gateways.sql.dialect import OperatorKey, stored
from mapper.deferred import Deferred
from mapper.errors import QueryError
from mapper.expressions import BOOLEAN, FLOAT, INTERVAL, TEXT, Expr, Order
from mapper.functions import Aggregate
from mapper.types import Interval, Json, List

__all__ = [
    "AGGREGATES",
    "array_agg",
    "bool_and",
    "bool_or",
    "jsonb_agg",
    "jsonb_object_agg",
    "mode",
    "percentile_cont",
    "percentile_disc",
    "string_agg",
]

T = TypeVar("T")
R = TypeVar("R")
R2 = TypeVar("R2")

Ordering = Sequence[Expr[Any, Any] | Order[Any]]

AGGREGATES: Final[dict[OperatorKey, AggregateText]] = {
    "postgres.array_agg": AggregateText("array_agg"),
    "postgres.string_agg": AggregateText("string_agg"),
    "postgres.jsonb_agg": AggregateText("jsonb_agg"),
    "postgres.jsonb_object_agg": AggregateText("jsonb_object_agg"),
    "postgres.bool_and": AggregateText("bool_and"),
    "postgres.bool_or": AggregateText("bool_or"),
    "postgres.percentile_cont": AggregateText("percentile_cont", within_group=True),
    "postgres.percentile_disc": AggregateText("percentile_disc", within_group=True),
    "postgres.mode": AggregateText("mode", within_group=True),
}


def array_agg(
    item: Expr[T, R], *, distinct: bool = False, filter: Expr[bool, Any] | None = None, order_by: Ordering = ()
) -> Aggregate[list[T] | None, R]:
    """
    Return the list of a group's values; None of no rows.

    Args:
        item: A single value. It may be NULL where its type says so; a column of a left-joined relation must be
            `optional(...)`, or filtered.
        distinct: Equal values come once, in their own order.
        filter: Only rows that fulfil it count.
        order_by: The order of the list; with `distinct`, of the item alone.

    Raises:
        QueryError: The item is a list or a document, or a distinct list has another order than that of its items.
    """
    if isinstance(stored(item.type), List | Json):
        raise QueryError(
            f"array_agg takes single values, not {item!r}, which is {item.type.python.__name__}",
            hint="make one document of them: jsonb_agg(…)",
        )
    type_ = List(item.type, nullable=item.nullable)
    return Aggregate("postgres.array_agg", (item,), type_, nullable=True, **_options(item, distinct, filter, order_by))


def string_agg(
    text: Expr[str, R] | Expr[str | None, R],
    separator: str = ",",
    *,
    distinct: bool = False,
    filter: Expr[bool, Any] | None = None,
    order_by: Ordering = (),
) -> Aggregate[str | None, R]:
    """Return a group's texts that are not NULL as one, with the separator between them; None of no texts."""
    operands = (arguments.text("string_agg", text), arguments.text("string_agg", separator))
    return Aggregate("postgres.string_agg", operands, TEXT, nullable=True, **_options(text, distinct, filter, order_by))


def jsonb_agg(
    item: Expr[T, R], *, distinct: bool = False, filter: Expr[bool, Any] | None = None, order_by: Ordering = ()
) -> Aggregate[list[T] | None, R]:
    """
    Return a document that lists a group's values, NULL as null; None of no rows.

    Documents come back as what their columns are declared to hold, single values as what they are.

    Raises:
        QueryError: JSON has no form of such values that could be read back.
    """
    annotation = document_annotation("jsonb_agg", item)
    return Aggregate(
        "postgres.jsonb_agg",
        (item,),
        Json(list[annotation]),  # type: ignore[valid-type]  # a type that is known at run time
        nullable=True,
        **_options(item, distinct, filter, order_by),
    )


def jsonb_object_agg(
    key: Expr[str, R], value: Expr[T, R2], *, filter: Expr[bool, Any] | None = None, order_by: Ordering = ()
) -> Aggregate[dict[str, T] | None, R | R2]:
    """
    Return a document that has a group's values by their keys; None of no rows. Of equal keys the last one counts.

    Raises:
        QueryError: As `jsonb_agg`.
    """
    annotation = document_annotation("jsonb_object_agg", value)
    return Aggregate(
        "postgres.jsonb_object_agg",
        (arguments.text("jsonb_object_agg", key), value),
        Json(dict[str, annotation]),  # type: ignore[valid-type]  # as above
        nullable=True,
        **_options(key, False, filter, order_by),
    )


def bool_and(
    condition: Expr[bool, R] | Expr[bool | None, R], *, filter: Expr[bool, Any] | None = None
) -> Aggregate[bool | None, R]:
    """Whether the condition holds for every row of a group for which it is not NULL; None where there is none."""
    return Aggregate(
        "postgres.bool_and", (arguments.boolean("bool_and", condition),), BOOLEAN, nullable=True, filter=filter
    )


def bool_or(
    condition: Expr[bool, R] | Expr[bool | None, R], *, filter: Expr[bool, Any] | None = None
) -> Aggregate[bool | None, R]:
    """Whether the condition holds for any row of a group; None where it is NULL for all."""
    return Aggregate(
        "postgres.bool_or", (arguments.boolean("bool_or", condition),), BOOLEAN, nullable=True, filter=filter
    )


@overload
def percentile_cont(  # type: ignore[overload-overlap]  # an expression that is always NULL would be both
    fraction: float, item: Expr[timedelta, R] | Expr[timedelta | None, R], *, filter: Expr[bool, Any] | None = None
) -> Aggregate[timedelta | None, R]: ...
@overload
def percentile_cont(
    fraction: float,
    item: Expr[float, R] | Expr[float | None, R] | Expr[Decimal, R] | Expr[Decimal | None, R],
    *,
    filter: Expr[bool, Any] | None = None,
) -> Aggregate[float | None, R]: ...
def percentile_cont(
    fraction: float, item: Expr[Any, Any], *, filter: Expr[bool, Any] | None = None
) -> Aggregate[Any, Any]:
    """
    Return the value below which a fraction of a group's values lie, interpolated between two of them: a float, or a
    timedelta of timedeltas. `percentile_cont(0.5, x)` is the median.

    Raises:
        QueryError: The fraction is not between 0 and 1.
    """
    is_interval = isinstance(stored(item.type), Interval)
    known = item if is_interval else arguments.number("percentile_cont", item)
    return _of_fraction("percentile_cont", fraction, known, INTERVAL if is_interval else FLOAT, filter)


def percentile_disc(
    fraction: float, item: Expr[T, R], *, filter: Expr[bool, Any] | None = None
) -> Aggregate[T | None, R]:
    """
    Return the first of a group's values, in their order, up to which a fraction of them lies.

    Raises:
        QueryError: The fraction is not between 0 and 1.
    """
    return _of_fraction("percentile_disc", fraction, item, item.type, filter)


def mode(item: Expr[T, R], *, filter: Expr[bool, Any] | None = None) -> Aggregate[T | None, R]:
    """Return the most frequent of a group's values; of several, one of them."""
    return Aggregate("postgres.mode", (), item.type, nullable=True, filter=filter, order_by=(item.asc(),))


def _of_fraction(
    name: str, fraction: Any, item: Expr[Any, Any], type_: Any, filter: Expr[bool, Any] | None
) -> Aggregate[Any, Any]:
    is_fraction = isinstance(fraction, int | float) and not isinstance(fraction, bool) and 0 <= fraction <= 1
    if not is_fraction and not isinstance(fraction, Deferred):
        raise QueryError(f"{name} of the fraction {fraction!r}, expected one from 0 to 1")
    operands = (arguments.number(name, fraction),)
    return Aggregate(f"postgres.{name}", operands, type_, nullable=True, filter=filter, order_by=(item.asc(),))


def _options(
    item: Expr[Any, Any], distinct: bool, filter: Expr[bool, Any] | None, order_by: Ordering
) -> dict[str, Any]:
    terms = tuple([each if isinstance(each, Order) else each.asc() for each in order_by])
    if distinct:
        for each in terms:
            if each.expression.key != item.key or each.parameters != item.parameters:
                raise QueryError(
                    f"distinct values of {item!r} are ordered by {each.expression!r}, of which each has many",
                    hint="order them by themselves, or leave order_by away",
                )
    return {"distinct": distinct, "filter": filter, "order_by": terms}
