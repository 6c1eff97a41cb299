"""
Full joins that a store can do by sorting or hashing only: those on something equal on both sides.

The condition and the relations of both sides go in; whether there is such a part of it comes out.
"""

from collections.abc import Collection
from typing import Any

from mapper.assembly import walk
from mapper.expressions import Attribute, Call, Expr, Subquery
from mapper.relation import info

__all__ = ["is_on_equality"]

Node = Expr[Any, Any]


def is_on_equality(condition: Node, earlier: Collection[str], last: str) -> bool:
    """Return whether a condition that must hold compares what is of the relation joined with what is of the earlier ones."""
    if isinstance(condition, Call) and condition.name == "and":
        return any(is_on_equality(each, earlier, last) for each in condition.operands)
    if not isinstance(condition, Call) or condition.name != "eq":
        return False
    left, right = [_relations(each) for each in condition.operands]
    sides = (left, right) if left == {last} else (right, left)
    return sides[0] == {last} and bool(sides[1]) and sides[1] <= set(earlier)


def _relations(node: Node) -> set[str]:
    """Return the tokens of the relations whose columns an expression has; of a subquery nothing is known."""
    nodes = list(walk(node))
    if any(isinstance(each, Subquery) for each in nodes):
        return set()
    return {info(each.relation).token for each in nodes if isinstance(each, Attribute)}
