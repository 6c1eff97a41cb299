"""
Groups of rows.

The scope of a select's sources and what it groups by go in; a scope whose rows are groups comes out. A group's row is a
tuple of its first row, the values grouped by, and the values of aggregates.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from gateways.memory.aggregates import Summary, compile_aggregate
from gateways.memory.computing import Path, Row, Values
from gateways.memory.expressions import compile_expression, freezer, row_of
from gateways.memory.scope import Scope, identity
from gateways.sql.grouping import dependent, not_grouped
from gateways.sql.shapes import is_open, shape, slots
from mapper.expressions import Attribute, Expr
from mapper.functions import Aggregate
from mapper.relation import info

__all__ = ["Groups"]


class Groups(Scope):
    """
    The groups of a select.

    Aggregates are compiled as they are met, so that the rows of groups are made after everything that refers to them is
    compiled.
    """

    __slots__ = ("_by", "_dependent", "_freezers", "_inner", "_key", "_places", "_shapes", "_summaries")

    def __init__(self, inner: Scope, by: Sequence[Expr[Any, Any]]) -> None:
        super().__init__(inner.compilation, inner.sources, parent=inner.parent, commons=inner.commons)
        self._inner = inner
        self._by = by
        self._shapes = {shape(each): index for index, each in reversed(list(enumerate(by))) if not is_open(each)}
        known = [info(each.relation) for each in inner.sources if each.relation is not None]
        self._dependent = dependent(by, known)
        self._places: dict[object, int] = {}
        self._summaries: list[Summary] = []
        parts = [compile_expression(each, inner) for each in by]
        self._key = row_of(parts)
        self._freezers = [freezer(each) for each in by]

    def place(self, expression: Expr[Any, Any]) -> Path | None:
        """As in any scope; an aggregate is a column, and so is what the rows are grouped by."""
        if isinstance(expression, Aggregate):
            return (2, self._aggregate(expression))
        if not is_open(expression):
            index = self._shapes.get(shape(expression))
            if index is not None:
                self.compilation.require_equal(slots(self._by[index]), slots(expression))
                return (1, index)
        path = self._inner.place(expression)
        if path is None:
            return None
        if isinstance(expression, Attribute) and info(expression.relation).token not in self._dependent:
            raise not_grouped(expression)
        return (0, *path)

    def column(self, attribute: Attribute[Any, Any]) -> Path | None:
        """As `place`."""
        return self.place(attribute)

    def rows(self, rows: Iterable[Row], values: Values) -> list[Row]:
        """Group rows. Without anything to group by there is one group, even of no rows."""
        summaries = self._summaries
        if not self._by:
            everything = list(rows)
            first = everything[0] if everything else None
            return [(first, (), tuple([each(everything, values) for each in summaries]))]
        groups: dict[Any, tuple[tuple[Any, ...], list[Row]]] = {}
        compute, freeze = self._key, self._freezers if any(self._freezers) else None
        for row in rows:
            key = compute(row, values)
            group = (
                key
                if freeze is None
                else tuple([each(part) if each else part for each, part in zip(freeze, key, strict=True)])
            )
            found = groups.get(group)
            if found is None:
                groups[group] = (key, [row])
            else:
                found[1].append(row)
        return [
            (members[0], key, tuple([each(members, values) for each in summaries])) for key, members in groups.values()
        ]

    def _aggregate(self, aggregate: Aggregate[Any, Any]) -> int:
        key = identity(aggregate)
        index = self._places.get(key)
        if index is None:
            index = self._places[key] = len(self._summaries)
            self._summaries.append(compile_aggregate(aggregate, self._inner))
        return index
