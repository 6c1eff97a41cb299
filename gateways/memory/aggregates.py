"""
Aggregates: one value of many rows.

An `Aggregate` and a scope go in; a function of a list of rows comes out. NULLs do not count; of no values, all but
counts are NULL.
"""

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

from gateways.memory.arithmetic import checked, finite
from gateways.memory.casts import plain
from gateways.memory.computing import Compute, Values
from gateways.memory.expressions import compile_expression, freezer
from gateways.memory.ordering import compile_terms, ordered
from gateways.memory.scope import Scope
from gateways.sql.grouping import require_own
from mapper.capabilities import unsupported_function
from mapper.errors import QueryError
from mapper.functions import Aggregate
from mapper.types import Integer, Numeric, StorageType, decimals

__all__ = ["Summary", "compile_aggregate", "gather", "reducer"]

Summary: TypeAlias = Callable[[Sequence[Any], Values], Any]
"""A function of the rows of a group."""

Reduce: TypeAlias = Callable[[list[Any]], Any]
"""A function of the values of a group that are not NULL."""


def compile_aggregate(aggregate: Aggregate[Any, Any], scope: Scope) -> Summary:
    """
    Compile an aggregate.

    Raises:
        QueryError: It is for windows only, or belongs to the enclosing query.
    """
    if aggregate.window_only:
        raise QueryError(
            f"{aggregate.name} is for windows", hint=f"give it one: fn.{aggregate.name}(…).over(order_by=[…])"
        )
    require_own(aggregate)
    if aggregate.name == "string_agg":
        return _joined_texts(aggregate, scope)
    reduce, collect = reducer(aggregate), gather(aggregate, scope)
    return lambda rows, values: reduce(collect(rows, values))


def _joined_texts(aggregate: Aggregate[Any, Any], scope: Scope) -> Summary:
    collect, separator = gather(aggregate, scope), compile_expression(aggregate.operands[1], scope)
    terms = compile_terms(aggregate.order_by, scope)

    def joined(rows: Sequence[Any], values: Values) -> str | None:
        texts: list[str] = collect(ordered(rows, terms, values) if terms else rows, values)
        return str(separator((), values)).join(texts) if texts else None

    return joined


def gather(aggregate: Aggregate[Any, Any], scope: Scope) -> Callable[[Sequence[Any], Values], list[Any]]:
    """
    Return what collects an aggregate's values: filtered, not NULL, equal ones once where it is distinct. `count()`
    collects rows.
    """
    keep = compile_expression(aggregate.filter, scope) if aggregate.filter is not None else None
    if not aggregate.operands:
        return _filtered(keep)
    item, freeze = compile_expression(aggregate.operands[0], scope), freezer(aggregate.operands[0])
    collect = _collected(item, keep)
    if not aggregate.distinct:
        return collect
    return lambda rows, values: _distinct(collect(rows, values), freeze)


def reducer(aggregate: Aggregate[Any, Any]) -> Reduce:
    """Return what makes the aggregate's value of the values that it collects."""
    kept = plain(aggregate.type)
    if aggregate.name == "sum":
        return _some(_sums(kept))
    if aggregate.name == "avg":
        return _some(_decimal_average if isinstance(kept, Numeric) else _average)
    known = _REDUCERS.get(aggregate.name)
    if known is None:
        raise unsupported_function(aggregate.name, "memory", hint="aggregate the rows in Python")
    return known


def _filtered(keep: Compute | None) -> Callable[[Sequence[Any], Values], list[Any]]:
    if keep is None:
        return lambda rows, values: list(rows)
    return lambda rows, values: [row for row in rows if keep(row, values) is True]


def _collected(item: Compute, keep: Compute | None) -> Callable[[Sequence[Any], Values], list[Any]]:
    if keep is None:
        return lambda rows, values: [x for row in rows if (x := item(row, values)) is not None]
    return lambda rows, values: [
        x for row in rows if keep(row, values) is True and (x := item(row, values)) is not None
    ]


def _distinct(items: list[Any], freeze: Callable[[Any], Any] | None) -> list[Any]:
    if freeze is None:
        return list(dict.fromkeys(items))
    return list({freeze(each): each for each in items}.values())


def _some(reduce: Reduce) -> Reduce:
    """The value of no values is NULL."""
    return lambda items: reduce(items) if items else None


def _sums(kept: StorageType[Any]) -> Reduce:
    if isinstance(kept, Integer):
        return lambda items: checked(sum(items))
    return decimals.total if isinstance(kept, Numeric) else _sum_of_floats


def _sum_of_floats(items: list[float]) -> float:
    """Return the sum, rounded once."""
    try:
        return finite(math.fsum(items), *items)
    except (OverflowError, ValueError):
        return finite(sum(items), *items)


def _average(items: list[Any]) -> float:
    total = sum(items) if all([isinstance(each, int) for each in items]) else _sum_of_floats(items)
    return float(total / len(items))


def _decimal_average(items: list[Decimal]) -> Decimal:
    return decimals.divide(decimals.total(items), Decimal(len(items)))


_REDUCERS: Final[dict[str, Reduce]] = {
    "count": len,
    "min": _some(min),
    "max": _some(max),
}
