"""
Common tables: rows that are made once a run and read as often as wanted.

A definition goes in; its rows come out, made as they are asked for, so that a recursive one may be infinite where the
query that reads it is limited.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from attrs import frozen

from gateways.memory.compounds import distinct
from gateways.memory.computing import Row, Values
from mapper.expressions import Expr, Subquery
from mapper.relation import info
from mapper.statements import FromRelation, FromSelect, Select

__all__ = ["Definition", "Recursive", "refers", "with_commons"]

Produce: TypeAlias = Callable[[Values], Iterable[Row]]


@frozen(eq=False)
class Definition:
    """A common table's relation class, and what produces its rows."""

    relation: Any
    produce: Produce


@frozen(eq=False)
class Recursive:
    """
    The rows of a recursive common table: those of `base`, then those that the steps make of the rows of the round
    before, until a round makes none.

    Attributes:
        steps: Pairs of what produces rows and whether only new ones count (`union`, against `union_all`).
    """

    relation: Any
    base: Produce
    steps: Sequence[tuple[Produce, bool]]

    def produce(self, values: Values) -> Iterator[Row]:
        """Give the rows, round by round."""
        seen: set[Any] | None = set() if any(only_new for _, only_new in self.steps) else None
        working = list(self.base(values) if seen is None else distinct(self.base(values), seen))
        while working:
            yield from working
            inner = (*values[:-1], values[-1].knowing({self.relation: working}))
            rounds = [
                distinct(step(inner), seen) if only_new and seen is not None else step(inner)
                for step, only_new in self.steps
            ]
            working = [row for each in rounds for row in each]


class _Shared:
    """Rows that are made when they are first asked for, and kept."""

    __slots__ = ("_made", "_rest")

    def __init__(self, rows: Iterable[Row]) -> None:
        self._made: list[Row] = []
        self._rest = iter(rows)

    def __iter__(self) -> Iterator[Row]:
        index = 0
        while True:
            if index == len(self._made):
                try:
                    self._made.append(next(self._rest))
                except StopIteration:
                    return
            yield self._made[index]
            index += 1


def with_commons(definitions: Sequence[Definition], produce: Produce) -> Produce:
    """Return what produces a select's rows where these common tables are known. Each may read those before it."""
    if not definitions:
        return produce

    def rows(values: Values) -> Iterable[Row]:
        for each in definitions:
            shared = _Shared(each.produce(values))
            values = (*values[:-1], values[-1].knowing({each.relation: shared}))
        return produce(values)

    return rows


def refers(select: Select, relation: Any) -> bool:
    """Return whether a select reads a common table, anywhere in it."""
    sources = [select.source, *[each.source for each in select.joins]]
    for source in sources:
        if isinstance(source, FromRelation) and info(source.relation).original is relation:
            return True
        if isinstance(source, FromSelect) and refers(source.select, relation):
            return True
    if any([refers(right, relation) for _, right in select.compound]):
        return True
    parts = [*select.items, *select.where, *select.having, *[each.on for each in select.joins if each.on is not None]]
    return any([_refers(each, relation) for each in parts])


def _refers(expression: Expr[Any, Any], relation: Any) -> bool:
    if isinstance(expression, Subquery):
        return refers(expression.query, relation)
    return any([_refers(each, relation) for each in expression.children])
