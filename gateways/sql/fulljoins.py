"""
What some stores ask of the conditions of joins: of a full join that it is on something equal on both sides, of an inner
one before a right one that it depends on a row.

A condition and the relations of the sources go in; what of it is so comes out.
"""

from collections.abc import Collection, Sequence
from typing import Any

from gateways.sql.shapes import flat
from mapper.assembly import walk
from mapper.expressions import Attribute, Call, Expr, Subquery
from mapper.relation import info

__all__ = ["is_on_equality", "split"]

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


def split(condition: Node, relations: Sequence[object]) -> tuple[list[Node], list[Node]]:
    """
    Return the parts of a condition that depend on no row of the sources, and the others; all of them must hold.

    Args:
        condition: The condition of a join.
        relations: The tokens of the sources' relations; None is a source whose columns cannot be told by one.
    """
    constants: list[Node] = []
    rest: list[Node] = []
    for each in flat("and", (condition,)):
        read = {info(node.relation).token for node in walk(each) if isinstance(node, Attribute)}
        (rest if read.intersection(relations) or (read and None in relations) else constants).append(each)
    return constants, rest
