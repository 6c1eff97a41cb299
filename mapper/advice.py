"""
Errors about what a query reads, with the step that mends them.

A column and the sources that are read go in; an error comes out that names the join to add, or the alias that was meant.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from mapper.errors import NotJoined
from mapper.expressions import Attribute
from mapper.relation import RelationInfo, described_name, info

__all__ = ["not_joined"]


def not_joined(
    attribute: Attribute[Any, Any], sources: Sequence[RelationInfo], *, enclosing: Iterable[RelationInfo] = ()
) -> NotJoined:
    """
    Return the error of a column whose relation is not read where the column stands.

    Args:
        attribute: The column.
        sources: The relations that are read there, in order.
        enclosing: Those of the query around it.
    """
    relation = info(attribute.relation)
    name = f"{described_name(relation)}.{attribute.column.attribute}"
    read = ", ".join([described_name(each) for each in sources]) or "no relation"
    return NotJoined(
        f"column {name} is not among the sources: the query reads from {read}",
        relation=relation.original,
        hint=_hint(name, attribute, relation, sources, enclosing),
    )


def _hint(
    name: str,
    attribute: Attribute[Any, Any],
    relation: RelationInfo,
    sources: Sequence[RelationInfo],
    enclosing: Iterable[RelationInfo],
) -> str:
    if any(each.token == relation.token for each in enclosing):
        return f"it is a column of the enclosing query: write outer({name})"
    if not sources:
        return f"say what is read: .from_({described_name(relation)})"
    join = f"join it: .join({described_name(relation)}, on={_condition(relation, sources)})"
    meant = [described_name(each) for each in sources if each.original is relation.original]
    return f"{join}; or did you mean {meant[0]}.{attribute.column.attribute}?" if meant else join


def _condition(relation: RelationInfo, sources: Sequence[RelationInfo]) -> str:
    """Return the condition that declared references suggest; dots where there is none."""
    for source in sources:
        for one, other in ((relation, source), (source, relation)):
            for column in one.columns:
                target = column.referenced()
                if target is not None and info(target.relation).original is other.original:
                    left = f"{described_name(one)}.{column.attribute}"
                    return f"{left} == {described_name(other)}.{target.column.attribute}"
    return "…"
