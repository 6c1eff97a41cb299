"""
Three-valued logic and comparison.

Compiled operands go in, compiled conditions come out: their value is True, False or None, which is SQL's unknown
(ISO/IEC 9075-2, "boolean value expression"; the connectives are Kleene's).
"""

from collections.abc import Callable, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final

from gateways.memory.computing import Compute

__all__ = ["COMPARISONS", "all_of", "any_of", "between", "compare", "compare_rows", "negation", "same", "strict"]

COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {"eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge}


def strict(function: Callable[..., Any], operands: Sequence[Compute]) -> Compute:
    """Return a function of operands whose value is NULL where one of them is."""
    match operands:
        case [only]:

            def one(row: Any, values: Any) -> Any:
                x = only(row, values)
                return None if x is None else function(x)

            return one
        case [left, right]:

            def two(row: Any, values: Any) -> Any:
                x = left(row, values)
                if x is None:
                    return None
                y = right(row, values)
                return None if y is None else function(x, y)

            return two
        case _:

            def many(row: Any, values: Any) -> Any:
                arguments = [each(row, values) for each in operands]
                return None if None in arguments else function(*arguments)

            return many


def compare(name: str, left: Compute, right: Compute) -> Compute:
    """Return a comparison, by its operator's name."""
    return strict(COMPARISONS[name], (left, right))


def same(left: Compute, right: Compute) -> Compute:
    """Return `IS NOT DISTINCT FROM`: equality in which NULL is a value."""

    def equal(row: Any, values: Any) -> bool:
        x, y = left(row, values), right(row, values)
        return y is None if x is None else y is not None and bool(x == y)

    return equal


def negation(operand: Compute) -> Compute:
    """Return `NOT`."""

    def opposite(row: Any, values: Any) -> bool | None:
        x = operand(row, values)
        return None if x is None else not x

    return opposite


def all_of(operands: Sequence[Compute]) -> Compute:
    """Return `AND` of any number of conditions; of none, true."""
    if len(operands) == 1:
        return operands[0]

    def every(row: Any, values: Any) -> bool | None:
        result: bool | None = True
        for each in operands:
            x = each(row, values)
            if x is False:
                return False
            if x is None:
                result = None
        return result

    return every


def any_of(operands: Sequence[Compute]) -> Compute:
    """Return `OR` of any number of conditions; of none, false."""
    if len(operands) == 1:
        return operands[0]

    def some(row: Any, values: Any) -> bool | None:
        result: bool | None = False
        for each in operands:
            x = each(row, values)
            if x is True:
                return True
            if x is None:
                result = None
        return result

    return some


def between(value: Compute, low: Compute, high: Compute) -> Compute:
    """Return `low <= value AND value <= high`, in which `value` is computed once."""

    def inside(row: Any, values: Any) -> bool | None:
        x = value(row, values)
        if x is None:
            return None
        least, most = low(row, values), high(row, values)
        above = None if least is None else least <= x
        if above is False:
            return False
        below = None if most is None else x <= most
        if below is False:
            return False
        return None if above is None or below is None else True

    return inside


def compare_rows(name: str, left: Sequence[Compute], right: Sequence[Compute]) -> Compute:
    """Return the comparison of two row values, part by part; the order is that of the first parts that differ."""
    pairs = list(zip(left, right, strict=True))
    if name == "eq":
        return all_of([compare("eq", x, y) for x, y in pairs])
    if name == "ne":
        return any_of([compare("ne", x, y) for x, y in pairs])
    decide, tie = COMPARISONS[name[0] + "t"], name.endswith("e")

    def ordered(row: Any, values: Any) -> bool | None:
        for first, second in pairs:
            x, y = first(row, values), second(row, values)
            if x is None or y is None:
                return None
            if x != y:
                return bool(decide(x, y))
        return tie

    return ordered
