"""
The stage of new rows: what is inserted together, and the keys that come back.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mapper.assembly import counter
from mapper.capabilities import Capabilities
from mapper.columns import ColumnInfo
from mapper.deferred import Ref
from mapper.errors import Unsupported
from mapper.layouts import RowShape, Values
from mapper.operations import Result
from mapper.relation import RelationInfo
from mapper.stages import IGNORED, Keys, Resolve, Stage, Tally, by_itself, resolved, shape_key
from mapper.statements import Conflict, InsertRows, Statement
from mapper.types import Codecs
from mapper.writes import ConflictRule

__all__ = ["InsertStage", "require_generated"]


class InsertStage(Stage):
    """New rows of one relation, with the same columns and the same rule for conflicts."""

    def __init__(
        self, shape: RowShape, rule: ConflictRule | None, rows: Sequence[Values], positions: Sequence[int], refs: bool
    ) -> None:
        self.described = shape.described
        self.deferred = refs or bool(rule is not None and rule.refs)
        self._shape = shape
        self._rule = rule
        self._rows = rows if not self.deferred else list(rows)
        self._positions = positions if not self.deferred else list(positions)
        self._named = _columns_with_refs(rows) if refs else ()
        self._returning = shape.returning if rule is None else shape.described.primary_key
        self._conflict = None if rule is None else _conflict(rule)
        self.reads = frozenset() if rule is None else rule.reads()

    def check(self, capabilities: Capabilities) -> None:
        require_generated(self._shape, capabilities)
        if self._rule is not None:
            capabilities.require("upsert", what="on_conflict")
            if self._rule.columns:
                capabilities.require("upsert_target", what="on_conflict with columns")
            if self._rule.where is not None:
                capabilities.require("upsert_where", what="on_conflict with where")

    @property
    def width(self) -> int:
        return len(self._shape.columns)

    def count(self, size: int) -> int:
        return -(-len(self._rows) // size)

    def statements(self, resolve: Resolve, size: int) -> Iterator[tuple[Statement, Any]]:
        conflict = self._conflict
        if conflict is not None:
            conflict = _resolved_conflict(conflict, resolve)
        for start in range(0, len(self._rows), size):
            rows = self._rows[start : start + size]
            if self._named:
                rows = [_resolved(row, self._named, resolve) for row in rows]
            statement = InsertRows(self.described.relation, self._shape.columns, rows, self._returning, conflict)
            yield statement, (rows, self._positions[start : start + size])

    def take(self, sent: Any, result: Result, keys: Keys, tally: Tally, codecs: Codecs) -> None:
        rows, positions = sent
        if self._rule is None:
            tally.inserted += len(rows)
        else:
            tally.inserted += result.inserted
            tally.updated += result.updated
            tally.ignored += result.ignored
        if self._returning:
            found = _decoded(result.rows, self._returning, codecs)
        elif self._shape.key_indexes:
            found = _keys_of(rows, self._shape.key_indexes)
        else:
            return
        for position, key in zip(positions, found, strict=True):
            keys.values[position] = key


def require_generated(shape: RowShape, capabilities: Capabilities) -> None:
    """
    Refuse rows without a key where the store does not make keys of that type.

    Raises:
        Unsupported: It does not.
    """
    if shape.generated is not None and _kind(shape.generated) not in capabilities.generated_keys:
        raise _not_generated(shape.described, shape.generated, capabilities)


def _kind(column: ColumnInfo) -> str:
    return column.type.python.__name__.lower()


def _not_generated(described: RelationInfo, key: ColumnInfo, capabilities: Capabilities) -> Unsupported:
    where = f"{described.relation.__name__}.{key.attribute}"
    known = ", ".join(sorted(capabilities.generated_keys)) or "none"
    return Unsupported(
        "generated_keys",
        capabilities.gateway,
        f"{where} is given no value, and the {capabilities.gateway} gateway generates no keys of type {_kind(key)}, only: {known}",
        hint=f"give the key: push(model, {where}.to(…)); or have it made: column(primary_key=True, default=…)",
    )


def _columns_with_refs(rows: Sequence[Values]) -> tuple[int, ...]:
    return tuple(sorted({index for row in rows for index, each in enumerate(row) if isinstance(each, Ref)}))


def _resolved(row: Values, columns: Sequence[int], resolve: Resolve) -> Values:
    values = list(row)
    for index in columns:
        if isinstance(values[index], Ref):
            values[index] = resolve(values[index])
    return tuple(values)


def _resolved_conflict(conflict: Conflict, resolve: Resolve) -> Conflict:
    if not any([isinstance(each, Ref) for each in conflict.parameters]):
        return conflict
    parameters = resolved(conflict.parameters, resolve)
    return Conflict(conflict.columns, conflict.assignments, conflict.where, conflict.key, parameters)


def _keys_of(rows: Sequence[Values], indexes: Sequence[int]) -> list[Any]:
    if len(indexes) == 1:
        only = indexes[0]
        return [row[only] for row in rows]
    return [tuple([row[index] for index in indexes]) for row in rows]


def _decoded(rows: Sequence[tuple[Any, ...]], columns: Sequence[ColumnInfo], codecs: Codecs) -> list[Any]:
    """Return the keys that came back; a row of None is that of a row that was ignored."""
    decoders = [codecs.decoder(each.type) for each in columns]
    if len(decoders) == 1:
        decode = decoders[0]
        if decode is None:
            return [IGNORED if row[0] is None else row[0] for row in rows]
        return [IGNORED if row[0] is None else decode(row[0]) for row in rows]
    return [IGNORED if row[0] is None else _decoded_key(row, decoders) for row in rows]


def _decoded_key(row: tuple[Any, ...], decoders: Sequence[Callable[[Any], Any] | None]) -> Values:
    return tuple([each if decode is None else decode(each) for each, decode in zip(row, decoders, strict=True)])


def _conflict(rule: ConflictRule) -> Conflict:
    """Return the rule as gateways take it: an update raises the version and sets the `on_update` columns, too."""
    assigned = list(rule.assignments)
    if assigned:
        assigned += by_itself(rule.described, [column for column, _ in assigned])
    take = counter()
    assignments = tuple([(column, expression.numbered(take)) for column, expression in assigned])
    where = None if rule.where is None else rule.where.numbered(take)
    values = [value for _, expression in assigned for value in expression.parameters]
    values += () if rule.where is None else rule.where.parameters
    return Conflict(
        rule.columns,
        assignments,
        where,
        shape_key(assigned, () if rule.where is None else (rule.where,)),
        tuple(values),
    )
