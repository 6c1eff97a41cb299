"""
The stage of new rows: what is inserted together, and the keys that come back.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from mapper.assembly import counter
from mapper.blaming import blame
from mapper.capabilities import Capabilities
from mapper.columns import ColumnInfo
from mapper.committed import IGNORED, Committed
from mapper.deferred import Ref
from mapper.errors import ConstraintViolation, Unsupported
from mapper.gateway import Gateway
from mapper.layouts import DecodeKey, RowShape, Values
from mapper.operations import Outcome, Result
from mapper.relation import RelationInfo
from mapper.returned import Returned
from mapper.stages import Resolve, Sending, Stage, by_itself, resolved, shape_key
from mapper.statements import Conflict, InsertRows, Statement
from mapper.types import Codecs, Decoder
from mapper.writes import ConflictRule

__all__ = ["InsertStage", "conflict_of", "key_of", "require_generated"]


class InsertStage(Stage):
    """New rows of one relation, with the same columns and the same rule for conflicts."""

    __slots__ = ("_conflict", "_keyed", "_named", "_positions", "_returning", "_rows", "_rule", "_shape", "_slot")

    def __init__(
        self,
        shape: RowShape,
        rule: ConflictRule | None,
        rows: Sequence[Values],
        positions: Sequence[int],
        refs: bool,
        slot: Returned[Any] | None = None,
    ) -> None:
        self.relations = shape.relations
        self.width = len(shape.columns)
        self.deferred = refs
        self._shape = shape
        self._rule = rule
        # What is pushed while these are on their way belongs to the next commit.
        self._rows = rows[:]
        self._positions = positions[:]
        self._named = _columns_with_refs(rows) if refs else ()
        self._returning = shape.returning
        self._conflict: Conflict | None = None
        if rule is not None:
            self.deferred = refs or bool(rule.refs)
            self.relations = shape.relations | rule.reads()
            self._returning = shape.described.primary_key
            self._conflict = conflict_of(rule)
        self._slot = slot
        # How many of the columns that come back are the key's.
        self._keyed = len(self._returning)
        if slot is not None:
            self._returning = tuple(dict.fromkeys((*self._returning, *slot.columns)))

    def check(self, capabilities: Capabilities) -> None:
        kind = self._shape.generated_kind
        if kind is not None and kind not in capabilities.generated_keys:
            require_generated(self._shape, capabilities)
        if self._slot is not None:
            capabilities.require("returning", what="returning")
        if self._rule is not None:
            capabilities.require("upsert", what="on_conflict")
            if self._rule.columns:
                capabilities.require("upsert_target", what="on_conflict with columns")
            if self._rule.where is not None:
                capabilities.require("upsert_where", what="on_conflict with where")

    def count(self) -> int:
        return -(-len(self._rows) // self.size)

    def operations(self, gateway: Gateway, resolve: Resolve) -> Sequence[Sending]:
        if self.deferred or len(self._rows) > self.size:
            return super().operations(gateway, resolve)
        shape, rows = self._shape, self._rows
        statement = InsertRows(shape.described.relation, shape.columns, rows, self._returning, self._conflict)
        return ((gateway.compile(statement), (rows, self._positions)),)

    def statements(self, resolve: Resolve) -> Sequence[tuple[Statement, Any]]:
        shape = self._shape
        conflict = None if self._conflict is None else _resolved_conflict(self._conflict, resolve)
        found: list[tuple[Statement, Any]] = []
        for start in range(0, len(self._rows), self.size):
            chunk = slice(start, start + self.size)
            rows = self._rows[chunk]
            if self._named:
                rows = [_resolved(row, self._named, resolve) for row in rows]
            statement = InsertRows(shape.described.relation, shape.columns, rows, self._returning, conflict)
            found.append((statement, (rows, self._positions[chunk])))
        return found

    def blame(self, sent: Any, error: ConstraintViolation, done: Committed) -> None:
        rows, positions = sent
        done._suspects = blame(error, self._shape, rows, positions, done)

    def take(self, sent: Any, result: Result, done: Committed, codecs: Codecs) -> None:
        rows, positions = sent
        if self._rule is None:
            done.inserted += len(rows)
            written: Sequence[Any] = result.rows
        else:
            written = self._take_outcomes(positions, result, done)
        keys = done._keys
        if self._keyed:
            decode = _key_decoder(self._shape, codecs)
            width = None if self._slot is None or len(self._returning) == self._keyed else self._keyed
            for position, row in zip(positions, written, strict=True):
                if row is not None:
                    keys[position] = row[0] if decode is None else decode(row if width is None else row[:width])
        elif self._shape.key_indexes:
            for position, key in zip(positions, _keys_of(rows, self._shape.key_indexes), strict=True):
                if keys[position] is not IGNORED:
                    keys[position] = key
        if self._slot is not None:
            done._give_back(self._slot, self._returning, written, codecs, positions)

    def _take_outcomes(self, positions: Sequence[int], result: Result, done: Committed) -> list[Any]:
        """Note what became of each row, and return what came back; None for a row that was ignored."""
        done.inserted += result.inserted
        done.updated += result.updated
        done.ignored += result.ignored
        written: list[Any] = list(result.rows) if self._returning else [()] * len(positions)
        for index, (position, outcome) in enumerate(zip(positions, _outcomes(result, written), strict=True)):
            if outcome != "inserted":
                done._outcomes[position] = outcome
            if outcome == "ignored":
                done._keys[position] = IGNORED
                written[index] = None
        return written


def _outcomes(result: Result, rows: Sequence[Any]) -> Sequence[Outcome]:
    """Return what became of each row, as a store says that, or as far as what came back tells."""
    if result.outcomes or not rows:
        return result.outcomes
    other: Outcome = "inserted" if result.inserted else "updated"
    return ["ignored" if row and row[0] is None else other for row in rows]


def key_of(shape: RowShape, row: Values, result: Result, codecs: Codecs) -> Any:
    """Return the key of the only row that was inserted, without a rule for conflicts, into a relation that has keys."""
    if not shape.returning:
        return _keys_of((row,), shape.key_indexes)[0]
    ready = shape.ready
    decode = ready[1] if ready is not None and ready[0] is codecs else _key_decoder(shape, codecs)
    back = result.rows[0]
    return back[0] if decode is None else decode(back)


def require_generated(shape: RowShape, capabilities: Capabilities) -> None:
    """
    Refuse rows without a key where the store does not make keys of that type.

    Raises:
        Unsupported: It does not.
    """
    key, kind = shape.generated, shape.generated_kind
    if key is not None and kind is not None and kind not in capabilities.generated_keys:
        raise _not_generated(shape.described, key, kind, capabilities)


def _not_generated(described: RelationInfo, key: ColumnInfo, kind: str, capabilities: Capabilities) -> Unsupported:
    where = f"{described.relation.__name__}.{key.attribute}"
    known = ", ".join(sorted(capabilities.generated_keys)) or "none"
    return Unsupported(
        "generated_keys",
        capabilities.gateway,
        f"{where} is given no value, and the {capabilities.gateway} gateway generates no keys of type {kind}, only: {known}",
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


def _key_decoder(shape: RowShape, codecs: Codecs) -> DecodeKey | None:
    """Return what makes a key of a row that comes back; None where it is the one value as it is."""
    if shape.ready is not None and shape.ready[0] is codecs:
        return shape.ready[1]
    decoders = [codecs.decoder(each.type) for each in shape.described.primary_key]
    only = decoders[0]
    decode: DecodeKey | None = None
    if len(decoders) > 1:
        decode = partial(_decoded_key, decoders)
    elif only is not None:
        decode = partial(_decoded_value, only)
    object.__setattr__(shape, "ready", (codecs, decode))
    return decode


def _decoded_value(decode: Decoder, row: tuple[Any, ...]) -> Any:
    return decode(row[0])


def _decoded_key(decoders: Sequence[Decoder | None], row: tuple[Any, ...]) -> Values:
    return tuple([each if decode is None else decode(each) for each, decode in zip(row, decoders, strict=True)])


def conflict_of(rule: ConflictRule) -> Conflict:
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
