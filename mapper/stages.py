"""
Stages of a commit: rows that go to the store together, as one statement or one a chunk.

Rows go in, with refs among their values; statements come out once the keys that the refs stand for are known, and the
store's answers go in again.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias
from uuid import UUID

from attrs import frozen

from mapper import types
from mapper.assembly import counter
from mapper.capabilities import Capabilities
from mapper.columns import NOT_GIVEN, ColumnInfo
from mapper.committed import Committed
from mapper.deferred import KeyPart, Ref
from mapper.errors import ConstraintViolation
from mapper.expressions import Expr, Parameter
from mapper.gateway import Gateway, Program
from mapper.layouts import Values
from mapper.operations import Operation, Result
from mapper.relation import RelationInfo, info
from mapper.returned import Returned
from mapper.statements import Delete, DeleteRows, Statement, UpdateRows
from mapper.statements import Update as UpdateStatement
from mapper.types import Codecs
from mapper.writes import Assigned, Deletion, RowUpdate, Update, reads_of

__all__ = [
    "CHUNK",
    "DeleteStage",
    "DeletionStage",
    "Resolve",
    "Sending",
    "Stage",
    "UpdateForm",
    "UpdateStage",
    "UpdatingStage",
    "by_itself",
    "chunk_size",
    "example",
    "form_of",
    "further_of",
    "resolved",
    "shape_key",
]

CHUNK: Final = 10_000
"""
Rows of one operation, at most: what is encoded at once stays small, and what an operation costs beside its rows goes
unnoticed.
"""

Resolve: TypeAlias = Callable[[Ref[Any]], Any]
"""Gives the key that a ref stands for."""

Sending: TypeAlias = tuple[Operation, Any]
"""An operation, and what `Stage.take` needs to know of it."""


class Stage(ABC):
    """
    What goes to the store together.

    Attributes:
        relations: Every relation that it touches.
        deferred: Whether it names keys that are not known before the commit has begun.
        width: Parameters of a row.
        size: Rows of one operation, at most, on the gateway that it is prepared for.
        compiled: What it was compiled to there; None where it is `deferred`.
    """

    __slots__ = ("compiled", "deferred", "relations", "size", "width")

    relations: frozenset[Any]
    deferred: bool
    width: int
    size: int
    compiled: Sequence[Sending] | None

    def __init__(self, relations: frozenset[Any], width: int, deferred: bool) -> None:
        self.relations = relations
        self.width = width
        self.deferred = deferred

    @property
    def looks(self) -> bool:
        """Whether what it sends depends on the store; it then has a `program` of its own."""
        return False

    @abstractmethod
    def statements(self, resolve: Resolve) -> Sequence[tuple[Statement, Any]]:
        """Return the statements, of at most `size` rows each, and with each what `take` needs to know of it."""

    def operations(self, gateway: Gateway, resolve: Resolve) -> Sequence[Sending]:
        """Return the statements compiled; otherwise as `statements`."""
        return [(gateway.compile(statement), sent) for statement, sent in self.statements(resolve)]

    def check(self, capabilities: Capabilities) -> None:
        """
        Refuse what the store cannot do.

        Raises:
            Unsupported: It lacks a capability.
        """
        del capabilities

    def program(self, gateway: Gateway, done: Committed) -> Program[None]:
        """Return what is sent where the stage `looks`."""
        raise NotImplementedError

    @abstractmethod
    def count(self) -> int:
        """Return the number of statements."""

    def blame(self, sent: Any, error: ConstraintViolation, done: Committed) -> None:
        """Tell an error which row it is about, where that is known; else leave suspects with what was done."""
        del sent, error, done

    @abstractmethod
    def take(self, sent: Any, result: Result, done: Committed, codecs: Codecs) -> None:
        """Take the answer to a statement."""


def chunk_size(capabilities: Capabilities, width: int, most: int = CHUNK) -> int:
    """Return how many rows of so many parameters go into one operation."""
    if capabilities.maximum_parameters is None or capabilities.bulk_arrays or not width:
        return most
    return max(1, min(most, capabilities.maximum_parameters // width))


def example(ref: Ref[Any]) -> Any:
    """
    Return a value such as the key will be, to see before the commit begins whether everything else can be stored.

    Raises:
        LookupError: None is known for keys of its type.
    """
    part = ref.part if isinstance(ref, KeyPart) else 0
    return _EXAMPLES[type(info(ref.relation).primary_key[part].type)]


_EXAMPLES: Final[dict[Any, Any]] = {types.Integer: 1, types.Text: "", types.Varchar: "", types.Uuid: UUID(int=0)}


def resolved(values: Values, resolve: Resolve) -> Values:
    """Return values with the keys that its refs stand for."""
    return tuple([resolve(each) if isinstance(each, Ref) else each for each in values])


def by_itself(described: RelationInfo, assigned: Sequence[ColumnInfo], *, version: bool = True) -> list[Assigned]:
    """Return what every update writes beside what it was told to: the next version, and the `on_update` columns."""
    found: list[Assigned] = []
    if described.version is not None and version:
        found.append((described.version, described.attributes[described.version.attribute] + 1))
    for column in described.columns:
        value = column.options.on_update
        if value is not NOT_GIVEN and column not in assigned:
            found.append((column, Parameter(value() if callable(value) else value, column.type)))
    return found


def shape_key(assigned: Sequence[Assigned], conditions: Sequence[Expr[bool, Any]]) -> str:
    """Return what statements share that differ in their values alone."""
    sets = ",".join([f"{column.attribute}={expression.key}" for column, expression in assigned])
    return f"set {sets} where {','.join([each.key for each in conditions])}"


@frozen(eq=False)
class UpdateForm:
    """
    What updates of single rows of one shape have in common; it is made once for each shape.

    Attributes:
        assignments, key: As of `UpdateRows`.
        version: The column by which an update is optimistic; None where rows do not tell theirs.
        further: Values behind those of a row that are always the same; None where some are made at each commit.
        relations: Every relation that is touched.
    """

    assignments: tuple[Assigned, ...]
    key: str
    version: ColumnInfo | None
    further: Values | None
    relations: frozenset[Any]


def form_of(shape: RowUpdate) -> UpdateForm:
    """Return the form of a shape, made where it is asked for first."""
    if shape.form is not None:
        return shape.form
    described, own, take = shape.described, _own(shape), counter()
    every = [*shape.assignments, *own]
    made = any([callable(column.options.on_update) for column, _ in own])
    form = UpdateForm(
        assignments=tuple([(column, expression.numbered(take)) for column, expression in every]),
        key=shape_key(every, ()),
        version=described.version if shape.told else None,
        further=None if made else _values_of(own),
        relations=shape.reads | {described.relation},
    )
    object.__setattr__(shape, "form", form)
    return form


def _own(shape: RowUpdate) -> list[Assigned]:
    return by_itself(shape.described, [column for column, _ in shape.assignments], version=not shape.told)


def _values_of(own: Sequence[Assigned]) -> Values:
    return tuple([value for _, expression in own for value in expression.parameters])


def further_of(shape: RowUpdate) -> Values:
    """Return the values that a commit makes, which stand behind those of a row; see `UpdateForm.further`."""
    return _values_of(_own(shape))


class UpdateStage(Stage):
    """Updates of single rows by key, all of one shape."""

    __slots__ = ("_form", "_rows", "_shape")

    def __init__(self, shape: RowUpdate, rows: Sequence[Values], refs: bool) -> None:
        form = form_of(shape)
        further = form.further if form.further is not None else further_of(shape)
        behind = shape.width
        self._rows = [row[:behind] + further + row[behind:] for row in rows] if further else list(rows)
        super().__init__(form.relations, len(self._rows[0]), refs)
        self._shape = shape
        self._form = form

    def count(self) -> int:
        return -(-len(self._rows) // self.size)

    def statements(self, resolve: Resolve) -> Sequence[tuple[Statement, Any]]:
        form, relation = self._form, self._shape.described.relation
        found: list[tuple[Statement, Any]] = []
        for start in range(0, len(self._rows), self.size):
            rows = self._rows[start : start + self.size]
            if self.deferred:
                rows = [resolved(row, resolve) for row in rows]
            found.append((UpdateRows(relation, form.assignments, rows, form.key, form.version), len(rows)))
        return found

    def take(self, sent: Any, result: Result, done: Committed, codecs: Codecs) -> None:
        del result, codecs
        done.updated += sent


class DeleteStage(Stage):
    """Deletes of single rows by key."""

    __slots__ = ("_described", "_rows", "_version")

    def __init__(self, described: RelationInfo, rows: Sequence[Values], told: bool, refs: bool) -> None:
        super().__init__(frozenset((described.relation,)), len(rows[0]), refs)
        self._described = described
        self._rows = rows
        self._version = described.version if told else None

    def count(self) -> int:
        return -(-len(self._rows) // self.size)

    def statements(self, resolve: Resolve) -> Sequence[tuple[Statement, Any]]:
        rows = [resolved(row, resolve) for row in self._rows] if self.deferred else self._rows
        chunks = [rows[start : start + self.size] for start in range(0, len(rows), self.size)]
        return [(DeleteRows(self._described.relation, each, self._version), len(each)) for each in chunks]

    def take(self, sent: Any, result: Result, done: Committed, codecs: Codecs) -> None:
        del result, codecs
        done.deleted += sent


class UpdatingStage(Stage):
    """One update by conditions."""

    __slots__ = (
        "_assignments",
        "_described",
        "_key",
        "_reads",
        "_slot",
        "_source",
        "_values",
        "_where",
        "_write",
    )

    def __init__(self, write: Update) -> None:
        own = by_itself(write.described, [column for column, _ in write.assignments])
        assigned, conditions = [*write.assignments, *own], write.where
        expressions = [*[expression for _, expression in assigned], *conditions]
        take = counter()
        self._write = write
        self._described = write.described
        self._slot = write.returned
        self._assignments = tuple([(column, expression.numbered(take)) for column, expression in assigned])
        self._where = tuple([each.numbered(take) for each in conditions])
        values = tuple([value for each in expressions for value in each.parameters])
        self._source = None if write.source is None else write.source.assembled(take)
        self._values = values if write.source is None else (*values, *write.source.parameters)
        self._key = shape_key(assigned, conditions) + ("" if write.source is None else f" from {write.source.key}")
        self._reads = write.reads()
        deferred = any(True for _ in write.named())
        super().__init__(self._reads | {write.described.relation}, len(self._values), deferred)

    def check(self, capabilities: Capabilities) -> None:
        if self._slot is not None:
            capabilities.require("returning", what="returning")

    def count(self) -> int:
        return 1

    def statements(self, resolve: Resolve) -> Sequence[tuple[Statement, Any]]:
        values = resolved(self._values, resolve) if self.deferred else self._values
        relation, back = self._described.relation, _columns(self._slot)
        shape = (relation, self._assignments, self._where, self._key)
        return [(UpdateStatement(*shape, values, back, self._reads, self._source), None)]

    def take(self, sent: Any, result: Result, done: Committed, codecs: Codecs) -> None:
        del sent
        done.updated += result.count
        if self._slot is not None:
            done._give_back(self._slot, _columns(self._slot), result.rows, codecs)


class DeletionStage(Stage):
    """One delete by conditions."""

    __slots__ = ("_described", "_key", "_reads", "_slot", "_values", "_where")

    def __init__(self, write: Deletion) -> None:
        take = counter()
        self._described = write.described
        self._slot = write.returned
        self._where = tuple([each.numbered(take) for each in write.conditions])
        self._values = tuple([value for each in write.conditions for value in each.parameters])
        self._key = shape_key((), write.conditions)
        self._reads = reads_of(write.conditions)
        deferred = any(True for _ in write.named())
        super().__init__(self._reads | {write.described.relation}, len(self._values), deferred)

    def check(self, capabilities: Capabilities) -> None:
        if self._slot is not None:
            capabilities.require("returning", what="returning")

    def count(self) -> int:
        return 1

    def statements(self, resolve: Resolve) -> Sequence[tuple[Statement, Any]]:
        values = resolved(self._values, resolve) if self.deferred else self._values
        relation, back = self._described.relation, _columns(self._slot)
        return [(Delete(relation, self._where, self._key, values, back, self._reads), None)]

    def take(self, sent: Any, result: Result, done: Committed, codecs: Codecs) -> None:
        del sent
        done.deleted += result.count
        if self._slot is not None:
            done._give_back(self._slot, _columns(self._slot), result.rows, codecs)


def _columns(slot: Returned[Any] | None) -> tuple[ColumnInfo, ...]:
    """Return what comes back, each column once."""
    return () if slot is None else tuple(dict.fromkeys(slot.columns))
