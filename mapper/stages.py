"""
Stages of a commit: rows that go to the store together, as one statement or one a chunk.

Rows go in, with refs among their values; statements come out once the keys that the refs stand for are known, and the
store's answers go in again.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias
from uuid import UUID

from attrs import define

from mapper import types
from mapper.assembly import counter
from mapper.capabilities import Capabilities
from mapper.columns import NOT_GIVEN, ColumnInfo
from mapper.deferred import Ref
from mapper.errors import MissingRow
from mapper.expressions import Expr, Parameter
from mapper.layouts import Values
from mapper.operations import Result
from mapper.relation import RelationInfo, info
from mapper.statements import Delete, DeleteRows, Statement, UpdateRows
from mapper.statements import Update as UpdateStatement
from mapper.types import Codecs
from mapper.writes import Assigned, Deletion, RowUpdate, Update, reads_of

__all__ = [
    "CHUNK",
    "IGNORED",
    "UNKNOWN",
    "DeleteStage",
    "DeletionStage",
    "Keys",
    "Resolve",
    "Stage",
    "Tally",
    "UpdateStage",
    "UpdatingStage",
    "by_itself",
    "chunk_size",
    "example",
    "resolved",
    "shape_key",
]

CHUNK: Final = 5000
"""
Rows of one operation, at most: what is encoded at once stays small, and what an operation costs beside its rows goes
unnoticed.
"""

UNKNOWN: Final[Any] = object()
IGNORED: Final[Any] = object()

Resolve: TypeAlias = Callable[[Ref[Any]], Any]
"""Gives the key that a ref stands for."""


class Keys:
    """The keys of the rows of a changeset, by position, as far as they are known."""

    __slots__ = ("values",)

    def __init__(self, size: int) -> None:
        self.values: list[Any] = [UNKNOWN] * size

    def resolve(self, ref: Ref[Any]) -> Any:
        """
        Return the key that a ref stands for.

        Raises:
            MissingRow: Its row was ignored because of a conflict, and has none.
        """
        key = self.values[ref.position]
        if key is IGNORED:
            raise MissingRow(
                f"{ref!r} has no key: its row was ignored because of a conflict",
                relation=ref.relation,
                hint="update the stored row on a conflict, then its key comes back: on_conflict(…, update=[…])",
            )
        return key


@define
class Tally:
    """Numbers of rows."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    ignored: int = 0


class Stage(ABC):
    """
    What goes to the store together.

    Attributes:
        described: The relation that is written.
        deferred: Whether it names keys that are not known before the commit has begun.
        reads: Further relations that it reads.
    """

    described: RelationInfo
    deferred: bool
    reads: frozenset[Any] = frozenset()

    @abstractmethod
    def statements(self, resolve: Resolve, size: int) -> Iterator[tuple[Statement, Any]]:
        """Give the statements, of at most `size` rows each, and with each what `take` needs to know of it."""

    def check(self, capabilities: Capabilities) -> None:
        """
        Refuse what the store cannot do.

        Raises:
            Unsupported: It lacks a capability.
        """
        del capabilities

    @property
    @abstractmethod
    def width(self) -> int:
        """Parameters of a row."""

    @abstractmethod
    def count(self, size: int) -> int:
        """Return the number of statements."""

    @abstractmethod
    def take(self, sent: Any, result: Result, keys: Keys, tally: Tally, codecs: Codecs) -> None:
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
    return _EXAMPLES[type(info(ref.relation).primary_key[0].type)]


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


class UpdateStage(Stage):
    """Updates of single rows by key, all of one shape."""

    def __init__(self, shape: RowUpdate, rows: Sequence[tuple[Values, Values]], refs: bool) -> None:
        self.described = shape.described
        self.deferred = refs
        mapping = shape.described.mapping
        tells_version = mapping is not None and mapping.version_of is not None
        self._version = shape.described.version if tells_version else None
        assigned = [column for column, _ in shape.assignments]
        own = by_itself(shape.described, assigned, version=not tells_version)
        take = counter()
        every = [*shape.assignments, *own]
        self._assignments = tuple([(column, expression.numbered(take)) for column, expression in every])
        self._key = shape_key(every, ())
        self.reads = reads_of([expression for _, expression in every])
        self._further = tuple([value for _, expression in own for value in expression.parameters])
        self._rows = list(rows)

    @property
    def width(self) -> int:
        values, key = self._rows[0]
        return len(values) + len(self._further) + len(key)

    def count(self, size: int) -> int:
        return -(-len(self._rows) // size)

    def statements(self, resolve: Resolve, size: int) -> Iterator[tuple[Statement, Any]]:
        further = self._further
        for start in range(0, len(self._rows), size):
            rows = [values + further + key for values, key in self._rows[start : start + size]]
            if self.deferred:
                rows = [resolved(row, resolve) for row in rows]
            yield UpdateRows(self.described.relation, self._assignments, rows, self._key, self._version), len(rows)

    def take(self, sent: Any, result: Result, keys: Keys, tally: Tally, codecs: Codecs) -> None:
        del result, keys, codecs
        tally.updated += sent


class DeleteStage(Stage):
    """Deletes of single rows by key."""

    deferred = False

    def __init__(self, described: RelationInfo, rows: Sequence[Values]) -> None:
        self.described = described
        self._rows = rows
        mapping = described.mapping
        tells_version = mapping is not None and mapping.version_of is not None
        self._version = described.version if tells_version else None

    @property
    def width(self) -> int:
        return len(self._rows[0])

    def count(self, size: int) -> int:
        return -(-len(self._rows) // size)

    def statements(self, resolve: Resolve, size: int) -> Iterator[tuple[Statement, Any]]:
        del resolve
        for start in range(0, len(self._rows), size):
            rows = self._rows[start : start + size]
            yield DeleteRows(self.described.relation, rows, self._version), len(rows)

    def take(self, sent: Any, result: Result, keys: Keys, tally: Tally, codecs: Codecs) -> None:
        del result, keys, codecs
        tally.deleted += sent


class UpdatingStage(Stage):
    """One update by conditions."""

    def __init__(self, write: Update) -> None:
        self.described = write.described
        self.deferred = any(True for _ in write.named())
        own = by_itself(write.described, [column for column, _ in write.assignments])
        assigned, conditions = [*write.assignments, *own], tuple(write.conditions)
        expressions = [*[expression for _, expression in assigned], *conditions]
        take = counter()
        self._assignments = tuple([(column, expression.numbered(take)) for column, expression in assigned])
        self._where = tuple([each.numbered(take) for each in conditions])
        self._values = tuple([value for each in expressions for value in each.parameters])
        self._key = shape_key(assigned, conditions)
        self.reads = reads_of(expressions)

    @property
    def width(self) -> int:
        return len(self._values)

    def count(self, size: int) -> int:
        del size
        return 1

    def statements(self, resolve: Resolve, size: int) -> Iterator[tuple[Statement, Any]]:
        del size
        values = resolved(self._values, resolve) if self.deferred else self._values
        relation, reads = self.described.relation, self.reads
        yield UpdateStatement(relation, self._assignments, self._where, self._key, values, reads=reads), None

    def take(self, sent: Any, result: Result, keys: Keys, tally: Tally, codecs: Codecs) -> None:
        del sent, keys, codecs
        tally.updated += result.count


class DeletionStage(Stage):
    """One delete by conditions."""

    def __init__(self, write: Deletion) -> None:
        self.described = write.described
        self.deferred = any(True for _ in write.named())
        take = counter()
        self._where = tuple([each.numbered(take) for each in write.conditions])
        self._values = tuple([value for each in write.conditions for value in each.parameters])
        self._key = shape_key((), write.conditions)
        self.reads = reads_of(write.conditions)

    @property
    def width(self) -> int:
        return len(self._values)

    def count(self, size: int) -> int:
        del size
        return 1

    def statements(self, resolve: Resolve, size: int) -> Iterator[tuple[Statement, Any]]:
        del size
        values = resolved(self._values, resolve) if self.deferred else self._values
        yield Delete(self.described.relation, self._where, self._key, values, reads=self.reads), None

    def take(self, sent: Any, result: Result, keys: Keys, tally: Tally, codecs: Codecs) -> None:
        del sent, keys, codecs
        tally.deleted += result.count
