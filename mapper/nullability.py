"""
Which expressions become NULL for want of a row: those over relations of which an outer join may have none.

An expression and the relations that may be missing go in; whether its value, which is never NULL by itself, may then
be NULL comes out.
"""

from collections.abc import Set as AbstractSet
from typing import Any, Final

from mapper.assembly import walk
from mapper.expressions import Attribute, Call, Expr, RowValue
from mapper.functions import Aggregate
from mapper.relation import info
from mapper.types import List

__all__ = ["becomes_null", "missing_item"]

NEVER: Final = frozenset(
    {
        "is_null",
        "is_not_null",
        "is_distinct",
        "is_not_distinct",
        "is_not_true",
        "not_in_list",
        "not_in_list_or_null",
        "not_in_query",
        "grouping",
    }
)
"""Operators whose value is not NULL, whatever their operands are."""


def becomes_null(expression: Expr[Any, Any], missing: AbstractSet[str]) -> bool:
    """
    Return whether an expression that is never NULL by itself can be so where there is no row of some relations.

    Aggregates, windows, subqueries and text of the user's own are what they say they are.

    Args:
        expression: Any expression.
        missing: The tokens of these relations.
    """
    if expression.nullable:
        return False
    match expression:
        case Attribute():
            return info(expression.relation).token in missing
        case Call():
            return _of_call(expression, missing)
        case RowValue():
            return any(becomes_null(each, missing) for each in expression.items)
        case _:
            return False


def missing_item(expression: Expr[Any, Any], missing: AbstractSet[str]) -> Expr[Any, Any] | None:
    """
    Return what an expression lists that would be NULL where there is no row, though the list's items are not; None
    where there is none. An aggregate that is filtered knows what it lists.
    """
    for each in walk(expression):
        if not isinstance(each, Aggregate) or each.filter is not None:
            continue
        if isinstance(each.type, List) and not each.type.nullable and becomes_null(each.operands[0], missing):
            return each.operands[0]
    return None


def _of_call(call: Call[Any, Any], missing: AbstractSet[str]) -> bool:
    if call.name in NEVER:
        return False
    operands = call.operands
    if call.name == "coalesce":
        return all(each.nullable or becomes_null(each, missing) for each in operands)
    if call.name == "case":
        operands = (*operands[1::2], *(operands[-1:] if len(operands) % 2 else ()))
    return any(becomes_null(each, missing) for each in operands)
