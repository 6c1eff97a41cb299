"""
Updates of rows where they differ from the store: the rows are looked up first, in the transaction of the commit.
"""

from collections.abc import Generator, Sequence
from typing import Any

from mapper.assembly import Clause
from mapper.committed import Committed
from mapper.conditions import tuple_
from mapper.expressions import Attribute, Parameter
from mapper.gateway import Gateway
from mapper.layouts import Values
from mapper.operations import Operation, Result
from mapper.projection import ExprItem, Projection, decoder
from mapper.rowupdates import same
from mapper.stages import UpdateStage, resolved
from mapper.statements import UpdateRows
from mapper.walking import Walk
from mapper.writes import RowUpdate

__all__ = ["DifferingStage"]


class DifferingStage(UpdateStage):
    """Updates of single rows by key, of which those are sent that would change something, or whose row is not there."""

    __slots__ = ("_given",)

    def __init__(self, shape: RowUpdate, rows: Sequence[Values]) -> None:
        super().__init__(shape, rows, True)
        self._given = rows

    @property
    def looks(self) -> bool:
        return True

    def count(self) -> int:
        return 2 * super().count()

    def program(self, gateway: Gateway, done: Committed) -> Generator[Operation, Result, None]:
        """Look up the rows, chunk by chunk, and update those that differ."""
        form, relation = self._form, self._shape.described.relation
        for start in range(0, len(self._rows), self.size):
            chunk = slice(start, start + self.size)
            given = [resolved(row, done._resolve) for row in self._given[chunk]]
            rows = [resolved(row, done._resolve) for row in self._rows[chunk]]
            stored = yield from self._stored(gateway, given)
            stay = [row for row, each in zip(rows, given, strict=True) if self._differs(each, stored)]
            if stay:
                yield gateway.compile(UpdateRows(relation, form.assignments, stay, form.key, form.version))
                done.updated += len(stay)

    def _stored(self, gateway: Gateway, rows: Sequence[Values]) -> Generator[Operation, Result, dict[Values, Values]]:
        """Return by key the values that rows have in the columns that are assigned, and the version behind them."""
        described, shape = self._shape.described, self._shape
        keys = [described.attributes[each.attribute] for each in described.primary_key]
        columns = [*keys, *[described.attributes[column.attribute] for column, _ in shape.assignments]]
        if shape.told and described.version is not None:
            columns.append(described.attributes[described.version.attribute])
        clauses = (Clause("from", payload=described.relation), Clause("where", (self._among(keys, rows),)))
        answer = yield gateway.compile(Walk(tuple(columns), clauses))
        read = decoder(Projection(tuple([ExprItem(each) for each in columns])), (), gateway.codecs)
        return {row[: len(keys)]: row[len(keys) :] for row in read(answer.rows, ())}

    def _among(self, keys: Sequence[Attribute[Any, Any]], rows: Sequence[Values]) -> Any:
        found = [self._key(row) for row in rows]
        return keys[0].in_([key[0] for key in found]) if len(keys) == 1 else tuple_(*keys).in_(found)

    def _key(self, row: Values) -> Values:
        width = self._shape.width
        return row[width : width + len(self._shape.described.primary_key)]

    def _differs(self, row: Values, stored: dict[Values, Values]) -> bool:
        shape = self._shape
        known = stored.get(self._key(row))
        if known is None or not all([isinstance(each, Parameter) for _, each in shape.assignments]):
            return True
        told = (row[-1],) if shape.told else ()
        return not all(map(same, known, (*row[: shape.width], *told)))
