"""
What reaches a store: immutable operations, made by `Gateway.compile` without I/O.

An operation can be printed, compared, logged, replayed, cached and asserted on. `reads` and `writes` are the relations
that it touches.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import field, fields, frozen, has

from mapper.columns import ColumnInfo
from mapper.wording import laid_out

if TYPE_CHECKING:
    from mapper.expressions import Expr
    from mapper.statements import Conflict, Select
    from mapper.types import StorageType

__all__ = [
    "Call",
    "DeleteByKey",
    "DeleteSql",
    "Evaluate",
    "FindPkByIndex",
    "GetByKey",
    "Insert",
    "Operation",
    "Outcome",
    "OutputColumn",
    "QueryPk",
    "QuerySql",
    "RawSql",
    "Result",
    "Scan",
    "SqlOperation",
    "Transaction",
    "UpdateByKey",
    "UpdateSql",
    "Upsert",
]

Relations: TypeAlias = frozenset[Any]
"""Relation classes, never aliases."""

NONE: Relations = frozenset()


def _as_tuple(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(values)


def _shape(value: Any) -> Any:
    """
    Return what parts of operations are compared by: of expressions, whose `==` is an expression, their keys, and of parts
    of a select, which have no `==`, their own parts.

    Values are not in them; they are in the operation's parameters.
    """
    if isinstance(value, tuple | list):
        return tuple([_shape(each) for each in value])
    if has(type(value)) and "__eq__" not in vars(type(value)) and not isinstance(value, ColumnInfo):
        return (type(value), *[_shape(getattr(value, each.name)) for each in fields(type(value))])
    key = getattr(value, "key", None)
    return key if isinstance(key, str) and not isinstance(value, type) else value


@frozen
class OutputColumn:
    """One column of a result: its name, its storage type and whether NULL can come."""

    name: str
    type: "StorageType[Any]"
    nullable: bool


Outcome: TypeAlias = Literal["inserted", "updated", "ignored"]
"""What became of a row that was pushed."""


@frozen
class Result:
    """
    What a store answered to one operation.

    Attributes:
        rows: Raw rows in the store's own values, before decoding: tuples in the order of the operation's columns.
        count: Rows that were written, or the length of `rows` of a read.
        inserted, updated, ignored: How an `Upsert` was resolved; zero elsewhere.
        outcomes: Of an `Upsert`, what became of each row, in the order given; () elsewhere.
    """

    rows: Sequence[tuple[Any, ...]] = ()
    count: int = 0
    inserted: int = 0
    updated: int = 0
    ignored: int = 0
    outcomes: Sequence[Outcome] = ()


@frozen
class QuerySql:
    """
    A read in SQL. `parameters` are encoded, in the order of the placeholders.

    `str()` of it is the SQL with a clause a line, without the parameters.
    """

    sql: str
    parameters: tuple[Any, ...]
    columns: tuple[OutputColumn, ...] = ()
    reads: Relations = NONE
    writes: Relations = NONE

    def __str__(self) -> str:
        return laid_out(self.sql)


@frozen
class RawSql:
    """SQL of the user's own. Placeholders are `?` on every SQL gateway; `??` is a literal question mark."""

    text: str
    parameters: Sequence[Any] = field(default=(), converter=_as_tuple)
    reads: Relations = NONE
    writes: Relations = NONE

    @property
    def sql(self) -> str:
        """The text, under the name that every SQL operation has."""
        return self.text


@frozen
class Insert:
    """
    New rows of one relation. All of them are inserted, or none.

    Attributes:
        columns: Columns that the rows give, in the order of their values; columns left out take the store's default.
        rows: Encoded values.
        returning: Columns that come back, one row of them for each row given **and in the order given**.
        sql: The text that inserts one row, on a SQL gateway.
        schema: Where the relation is, if it declares no schema itself and one was chosen.
    """

    relation: Any
    columns: tuple[ColumnInfo, ...]
    rows: Sequence[tuple[Any, ...]]
    returning: tuple[ColumnInfo, ...] = ()
    sql: str | None = None
    reads: Relations = NONE
    writes: Relations = NONE
    schema: str | None = None

    @property
    def parameters(self) -> Sequence[tuple[Any, ...]]:
        """The rows, under the name that every SQL operation has."""
        return self.rows


@frozen
class Upsert:
    """
    Rows that are inserted, or update (or leave) the row that they conflict with. Rows take effect in the order given.

    With `returning`, a row of them comes back for each row given, in the order given; an ignored one gives a row of
    None only. `schema` is as of `Insert`.
    """

    relation: Any
    columns: tuple[ColumnInfo, ...]
    rows: Sequence[tuple[Any, ...]]
    conflict: "Conflict" = field(eq=_shape)
    returning: tuple[ColumnInfo, ...] = ()
    sql: str | None = None
    parameters: tuple[Any, ...] = ()
    reads: Relations = NONE
    writes: Relations = NONE
    schema: str | None = None


@frozen
class UpdateSql:
    """
    An update in SQL.

    Attributes:
        parameters: One tuple of encoded values; with `many`, a sequence of such tuples, each of which must change
            exactly one row.
        returning: Columns that come back.
        key_at: With `many`, where the primary key's values are in each tuple.
        probe: With `many`, the text that gives a row where there is one with that key: it tells a stale row from a
            missing one.
    """

    sql: str
    parameters: Sequence[Any]
    relation: Any
    many: bool = False
    returning: tuple[OutputColumn, ...] = ()
    reads: Relations = NONE
    writes: Relations = NONE
    key_at: slice | None = None
    probe: str | None = None


@frozen
class DeleteSql:
    """A delete in SQL; fields as in `UpdateSql`."""

    sql: str
    parameters: Sequence[Any]
    relation: Any
    many: bool = False
    returning: tuple[OutputColumn, ...] = ()
    reads: Relations = NONE
    writes: Relations = NONE
    key_at: slice | None = None
    probe: str | None = None


@frozen
class GetByKey:
    """
    Rows by primary key, in no particular order; keys that are not there are left out. A key is a tuple of encoded
    values.
    """

    relation: Any
    keys: Sequence[tuple[Any, ...]]
    columns: tuple[ColumnInfo, ...]
    reads: Relations = NONE
    writes: Relations = NONE


@frozen
class QueryPk:
    """Rows of one partition in key order, for stores whose keys are a partition and a range."""

    relation: Any
    partition: tuple[Any, ...]
    columns: tuple[ColumnInfo, ...]
    range: tuple[str, Any] | None = None
    filter: "Expr[bool, Any] | None" = field(default=None, eq=_shape)
    descending: bool = False
    limit: int | None = None
    cursor: object = None
    reads: Relations = NONE
    writes: Relations = NONE


@frozen
class FindPkByIndex:
    """Primary keys of the rows that an index gives for some values."""

    relation: Any
    index: str
    values: tuple[Any, ...]
    reads: Relations = NONE
    writes: Relations = NONE


@frozen
class Scan:
    """
    Rows of one relation, filtered, ordered and cut by the store.

    `filter` and `order` refer to `parameters` by position; `limit` and `offset` are numbers of rows.
    """

    relation: Any
    columns: tuple[ColumnInfo, ...]
    filter: "Expr[bool, Any] | None" = field(default=None, eq=_shape)
    parameters: tuple[Any, ...] = ()
    order: tuple[Any, ...] = field(default=(), eq=_shape)
    limit: int | None = None
    offset: int = 0
    cursor: object = None
    reads: Relations = NONE
    writes: Relations = NONE


@frozen
class Evaluate:
    """A whole `Select` as a value, for a store that is relational without being spoken to in SQL."""

    select: "Select" = field(eq=_shape)
    parameters: tuple[Any, ...]
    columns: tuple[OutputColumn, ...] = ()
    reads: Relations = NONE
    writes: Relations = NONE


@frozen
class UpdateByKey:
    """
    Assignments to rows.

    Attributes:
        keys: Rows to be updated, or None for every row that `filter` accepts.
        assignments: Pairs of column and expression; with `rows`, the expressions' parameters come from there, one tuple
            a key.
        filter: A row that it does not accept is skipped.
        condition: A row that it does not accept fails the operation (`StaleRow`; `MissingRow` where there is no row).
    """

    relation: Any
    keys: Sequence[tuple[Any, ...]] | None
    assignments: tuple[tuple[ColumnInfo, "Expr[Any, Any]"], ...] = field(eq=_shape)
    parameters: tuple[Any, ...] = ()
    rows: Sequence[tuple[Any, ...]] | None = None
    filter: "Expr[bool, Any] | None" = field(default=None, eq=_shape)
    condition: "Expr[bool, Any] | None" = field(default=None, eq=_shape)
    returning: tuple[ColumnInfo, ...] = ()
    reads: Relations = NONE
    writes: Relations = NONE


@frozen
class DeleteByKey:
    """Rows to be deleted; fields as in `UpdateByKey`."""

    relation: Any
    keys: Sequence[tuple[Any, ...]] | None
    parameters: tuple[Any, ...] = ()
    rows: Sequence[tuple[Any, ...]] | None = None
    filter: "Expr[bool, Any] | None" = field(default=None, eq=_shape)
    condition: "Expr[bool, Any] | None" = field(default=None, eq=_shape)
    returning: tuple[ColumnInfo, ...] = ()
    reads: Relations = NONE
    writes: Relations = NONE


TransactionKind: TypeAlias = Literal["start", "commit", "rollback", "savepoint", "release", "rollback_to"]


@frozen
class Transaction:
    """
    Transaction control.

    Attributes:
        kind: What is done. `savepoint`, `release` and `rollback_to` name their savepoint.
        isolation: A level, or None for the store's default; of `start` only.
        read_only: Of `start` only.
        name: The savepoint's name.
    """

    kind: TransactionKind
    isolation: str | None = None
    read_only: bool = False
    name: str | None = None
    reads: Relations = NONE
    writes: Relations = NONE


@frozen
class Call:
    """
    Work that only the gateway's own package understands (schema creation in memory, bulk load, backup …), by name.

    Attributes:
        joins: Two such calls in a row are one with the arguments of both.
    """

    name: str
    arguments: tuple[Any, ...] = ()
    reads: Relations = NONE
    writes: Relations = NONE
    joins: bool = False


SqlOperation: TypeAlias = QuerySql | RawSql | Insert | Upsert | UpdateSql | DeleteSql
"""What SQL gateways compile statements to: each has `sql` and `parameters`."""

Operation: TypeAlias = (
    QuerySql
    | RawSql
    | Insert
    | Upsert
    | UpdateSql
    | DeleteSql
    | GetByKey
    | QueryPk
    | FindPkByIndex
    | Scan
    | Evaluate
    | UpdateByKey
    | DeleteByKey
    | Transaction
    | Call
)
"""Everything that a connection executes."""
