"""
When two expressions are the same one: their shapes are equal, and their parameters turn out to be.

Numbered expressions go in; their shapes and the numbers of their parameters come out. A plan is made for a shape, so
whether the values agree is asked each time that it is given some.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from mapper.assembly import walk
from mapper.errors import QueryError
from mapper.expressions import Call, Expr, Slot, Subquery

__all__ = ["Pairs", "flat", "has_subquery", "is_open", "not_selected", "require_equal", "shape", "slots"]

Pairs = list[tuple[int, int]]
"""Numbers of parameters that must have equal values."""


def shape(expression: Expr[Any, Any]) -> str:
    """Return an expression's key without the numbers of its parameters: equal for the same text with other values."""
    return _NUMBERS.sub("$", expression.key).replace("?", "")


def slots(expression: Expr[Any, Any]) -> list[int]:
    """Return the numbers of an expression's parameters, in order. Those of subqueries are not among them."""
    return [each.index for each in walk(expression) if isinstance(each, Slot)]


def has_subquery(expression: Expr[Any, Any]) -> bool:
    """Return whether a subquery is anywhere in an expression."""
    return any(isinstance(each, Subquery) for each in walk(expression))


def is_open(expression: Expr[Any, Any]) -> bool:
    """Return whether equal shapes do not tell that two expressions are the same."""
    return isinstance(expression, Slot) or has_subquery(expression)


def flat(name: str, operands: Sequence[Expr[Any, Any]]) -> list[Expr[Any, Any]]:
    """Return the operands of AND or OR, those that are the same operator replaced by their own."""
    found: list[Expr[Any, Any]] = []
    waiting = list(reversed(operands))
    while waiting:
        node = waiting.pop()
        if isinstance(node, Call) and node.name == name:
            waiting.extend(reversed(node.operands))
        else:
            found.append(node)
    return found


def not_selected(expression: Expr[Any, Any]) -> QueryError:
    """Return the error of an order by what the rows do not have."""
    return QueryError(
        f"the rows are ordered by {expression!r}, which is not selected",
        hint="after distinct and set operations, order by a selected column",
    )


def require_equal(parameters: Sequence[Any], pairs: Iterable[tuple[int, int]]) -> None:
    """
    Refuse a statement in which one expression has other values in one place than in another.

    Raises:
        QueryError: Two parameters differ.
    """
    for first, second in pairs:
        if parameters[first] != parameters[second]:
            raise QueryError(
                f"one expression is used with {parameters[first]!r} and with {parameters[second]!r}, "
                "and rows are grouped or ordered by it",
                hint="use the same values in group_by, order_by and select",
            )


_NUMBERS: Final = re.compile(r"\$\d+")
