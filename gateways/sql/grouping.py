"""
What a group of rows has one value of: what the rows are grouped by, aggregates, and columns that depend on a key.

A select and its scope go in; a check of expressions comes out, which refuses what some stores refuse when the statement
runs, and others answer with the value of any row of the group.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from gateways.sql.shapes import Pairs, flat, is_open, shape, slots
from mapper.assembly import walk
from mapper.errors import QueryError
from mapper.expressions import Attribute, Call, Expr
from mapper.functions import Aggregate, Window
from mapper.grouping import Grouping, leaves
from mapper.relation import RelationInfo, info
from mapper.statements import FromRelation, Select
from mapper.terms import Fragment, Outer

__all__ = [
    "Groups",
    "aggregates",
    "dependent",
    "gives_one_row",
    "is_grouped",
    "not_grouped",
    "require_computed",
    "require_own",
]

Node = Expr[Any, Any]


def require_own(aggregate: Aggregate[Any, Any]) -> None:
    """
    Refuse an aggregate over columns of the enclosing query alone: databases take it for one of that query.

    Raises:
        QueryError: It has columns of the enclosing query and none of its own.
    """
    nodes = [each for child in aggregate.children for each in walk(child)]
    if any(isinstance(each, Outer) for each in nodes) and not any(isinstance(each, Attribute) for each in nodes):
        raise QueryError(
            f"{aggregate!r} is over columns of the enclosing query alone, to which it would belong",
            hint="aggregate a column of the subquery, or compute with the value itself",
        )


def require_computed(nodes: Sequence[Node], later: Any) -> None:
    """
    Refuse what is computed only later than the place where expressions stand.

    Args:
        nodes: The expressions.
        later: The class, or the union of classes, of what must not be in them: `Window`, `Aggregate | Window`.

    Raises:
        QueryError: One of them has it.
    """
    found = next((each for node in nodes for each in walk(node) if isinstance(each, later)), None)
    if found is not None:
        raise QueryError(
            f"{found.key} stands where there are no groups of rows", hint="use it in select, having or order_by"
        )


def is_grouped(select: Select) -> bool:
    """Return whether a select gives groups of rows instead of rows."""
    found = [*select.items, *select.having, *[each.expression for each in select.order_by]]
    return bool(select.group_by or select.having) or any(aggregates(each) for each in found)


class Groups:
    """
    The groups of a select.

    Args:
        by: What the rows are grouped by.
        sources: The relations that the select reads from.
        pairs: Is added to: parameters that must be equal, because an expression was taken for one of `by`.
    """

    __slots__ = ("_dependent", "_keys", "_pairs", "_tokens")

    def __init__(self, by: Sequence[Node], sources: Sequence[RelationInfo], pairs: Pairs) -> None:
        terms = [*[each for each in by if not isinstance(each, Grouping)], *leaves(by)]
        self._keys = {shape(each): each for each in reversed(terms) if not is_open(each)}
        self._tokens = {each.token for each in sources}
        self._dependent = dependent(by, sources)
        self._pairs = pairs

    def require(self, node: Node) -> None:
        """
        Check an expression over groups.

        Raises:
            QueryError: A column of it has many values in a group.
        """
        if isinstance(node, Aggregate):
            return
        key = None if is_open(node) else self._keys.get(shape(node))
        if key is not None:
            self._pairs.extend(zip(slots(key), slots(node), strict=True))
        elif isinstance(node, Attribute):
            self._require_column(node)
        else:
            for each in _over_groups(node):
                self.require(each)

    def _require_column(self, column: Attribute[Any, Any]) -> None:
        token = info(column.relation).token
        if token in self._tokens and token not in self._dependent:
            raise not_grouped(column)


def gives_one_row(select: Select) -> bool:
    """Return whether a select gives one row at most, as can be told of its form: it groups all, or finds by a key."""
    if select.single:
        return True
    if select.compound:
        return False
    if is_grouped(select):
        return not select.group_by
    if select.joins or not isinstance(select.source, FromRelation):
        return False
    relation = info(select.source.relation)
    fixed = {each for condition in flat("and", select.where) for each in _fixed(condition, relation.token)}
    keys = [relation.key_columns, *[frozenset(each.columns) for each in relation.uniques]]
    return any(key and key <= fixed for key in keys)


def _fixed(condition: Node, token: str) -> Iterator[str]:
    """Give the column that a condition compares with what is of no column of its relation."""
    if not isinstance(condition, Call) or condition.name != "eq":
        return
    for one, other in (condition.operands, condition.operands[::-1]):
        nodes = list(walk(other))
        own = any(isinstance(each, Attribute) and info(each.relation).token == token for each in nodes)
        if isinstance(one, Attribute) and info(one.relation).token == token and not own:
            yield one.column.attribute


def dependent(by: Sequence[Node], sources: Sequence[RelationInfo]) -> frozenset[str]:
    """Return the relations whose primary key the rows are grouped by: their other columns have one value in a group."""
    grouped: dict[str, set[str]] = {}
    for each in by:
        if isinstance(each, Attribute):
            grouped.setdefault(info(each.relation).token, set()).add(each.column.attribute)
    return frozenset(
        [each.token for each in sources if each.primary_key and each.key_columns <= grouped.get(each.token, set())]
    )


def not_grouped(column: Attribute[Any, Any]) -> QueryError:
    """Return the error of a column that has many values in a group."""
    return QueryError(
        f"column {column!r} is not one of what the rows are grouped by, so that a group has many values of it",
        hint="group by it as well, or aggregate it: fn.max(…)",
    )


def _over_groups(node: Node) -> Sequence[Node]:
    """Return the parts of an expression that are computed of groups. What text of the user's own does, nobody knows."""
    if isinstance(node, Fragment):
        return ()
    if isinstance(node, Call) and node.name in _JUNCTIONS:
        return flat(node.name, node.operands)
    if isinstance(node, Window):
        return (*node.function.children, *node.partition_by, *[each.expression for each in node.order_by])
    return node.children


_JUNCTIONS: Final = frozenset({"and", "or"})
"""Operators over any number of operands, of which databases recognise only the whole and each single one."""


def aggregates(node: Node) -> bool:
    """Return whether an expression has an aggregate over the rows of groups, which the function of a window is not."""
    if isinstance(node, Aggregate):
        return True
    return any(aggregates(each) for each in _over_groups(node))
