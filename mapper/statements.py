"""
Statements: what a gateway compiles.

Queries and changesets are assembled into these frozen values; every expression in them is numbered (`Slot`s stand for
parameters), so what a compiler makes of a statement depends on its `key` alone, and its values travel in `parameters`.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from attrs import define, field, frozen

from mapper.caching import CacheHints
from mapper.columns import ColumnInfo
from mapper.expressions import Expr, Order
from mapper.operations import OutputColumn, RawSql

__all__ = [
    "AddColumn",
    "Conflict",
    "CreateSchema",
    "Cte",
    "Delete",
    "DeleteRows",
    "DropSchema",
    "FromRaw",
    "FromRelation",
    "FromSelect",
    "FromValues",
    "InsertRows",
    "Join",
    "JoinKind",
    "Readable",
    "Select",
    "Source",
    "Statement",
    "Update",
    "UpdateRows",
]


def _as_tuple(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(values)


JoinKind: TypeAlias = Literal["inner", "left", "right", "full", "cross"]


@frozen(eq=False)
class FromRelation:
    """Rows of a relation, or of an alias of it. The relation class carries its own name and alias."""

    relation: Any


@frozen(eq=False)
class FromSelect:
    """
    Rows of a subquery, under an alias; its columns are named `c0`, `c1` … in order.

    Attributes:
        lateral: Whether it sees the sources before it, as a subquery in a condition does.
        relation: The common table whose columns its own stand for, by position; None where nothing names them.
    """

    select: "Select"
    alias: str
    lateral: bool = False
    relation: Any = None


@frozen(eq=False)
class FromValues:
    """
    Rows that travel with the statement, as one parameter: a slot of any number of tuples, of a value for each column
    of the common table `relation`.
    """

    rows: Expr[Any, Any]
    relation: Any


@frozen(eq=False)
class FromRaw:
    """
    Rows of a statement of the user's own: text with `?` for each operand and `??` for a question mark. It is the whole
    statement.
    """

    text: str
    operands: tuple[Expr[Any, Any], ...]


Source: TypeAlias = FromRelation | FromSelect | FromValues | FromRaw


@frozen(eq=False)
class Join:
    """A further source, and the condition that ties it (None for a cross join)."""

    kind: JoinKind
    source: Source
    on: Expr[bool, Any] | None


@frozen(eq=False)
class Cte:
    """A common table expression: the relation class that stands for it, and the rows that it has, by position."""

    relation: Any
    select: "Select"
    recursive: bool = False


@frozen(eq=False)
class Select:
    """
    A read.

    Attributes:
        items: The output columns, in order; `columns` describes them.
        source: None for a select of expressions alone.
        compound: Set operations applied in order to this select's rows: pairs of operator (`union`, `union_all`,
            `intersect`, `intersect_all`, `except`, `except_all`) and right operand. `order_by`, `limit` and `offset`
            apply to the whole.
        limit, offset: Slots or literals; None where not given.
        lock: `update` or `share`, with `nowait` or `skip_locked` behind a space; None without a lock.
        lock_of: Relations whose rows are locked; () is all that are read.
        reads: Relation classes (never aliases) that are read anywhere in it, subqueries included.
        single: Whether it is known to give one row at most, whatever its form says.
        cached: What it asks of a cache; None where it asks nothing.
    """

    items: tuple[Expr[Any, Any], ...]
    columns: tuple[OutputColumn, ...]
    source: Source | None = None
    joins: tuple[Join, ...] = ()
    where: tuple[Expr[bool, Any], ...] = ()
    group_by: tuple[Expr[Any, Any], ...] = ()
    having: tuple[Expr[bool, Any], ...] = ()
    order_by: tuple[Order[Any], ...] = ()
    limit: Expr[int, Any] | None = None
    offset: Expr[int, Any] | None = None
    distinct: bool = False
    distinct_on: tuple[Expr[Any, Any], ...] = ()
    compound: "tuple[tuple[str, Select], ...]" = ()
    ctes: tuple[Cte, ...] = ()
    lock: str | None = None
    lock_of: tuple[Any, ...] = ()
    reads: frozenset[Any] = frozenset()
    single: bool = False
    cached: CacheHints | None = None


class Readable(Protocol):
    """A query as gateways see it: a key, values, and the select that it is assembled to when the key is new."""

    @property
    def key(self) -> str: ...
    @property
    def parameters(self) -> tuple[Any, ...]: ...
    def assemble(self) -> Select: ...


@frozen(eq=False)
class Conflict:
    """
    What an insert does with a row that is there already.

    Attributes:
        columns: The columns of the key or unique constraint; () is any.
        assignments: Pairs of column and expression over the stored row, `Excluded` columns and slots; () leaves the
            stored row as it is.
        where: The stored row is updated only where this holds; else the incoming row is ignored.
        key, parameters: As of an expression.
    """

    columns: tuple[ColumnInfo, ...]
    assignments: tuple[tuple[ColumnInfo, Expr[Any, Any]], ...] = ()
    where: Expr[bool, Any] | None = None
    key: str = ""
    parameters: tuple[Any, ...] = ()


# Not frozen, as one is made for every write: the `__init__` of a frozen class takes three times as long.
@define(eq=False)
class InsertRows:
    """
    New rows of one relation, all with the same columns.

    Attributes:
        columns: Columns given, in the order of the values.
        rows: Python values, not yet encoded; None is NULL.
        returning: Columns wanted back, one row for each row given and in that order.
        conflict: None where a conflict is an error.
    """

    relation: Any
    columns: tuple[ColumnInfo, ...]
    rows: Sequence[tuple[Any, ...]]
    returning: tuple[ColumnInfo, ...] = ()
    conflict: Conflict | None = None


@frozen(eq=False)
class Update:
    """
    One update of all rows that fulfil a condition.

    `assignments`, `where` and `source` are numbered; `parameters` are the values; `key` is the shape of all of them. An
    empty `where` is every row. The columns of a `source` may stand in the others.
    """

    relation: Any
    assignments: tuple[tuple[ColumnInfo, Expr[Any, Any]], ...]
    where: tuple[Expr[bool, Any], ...]
    key: str
    parameters: tuple[Any, ...]
    returning: tuple[ColumnInfo, ...] = ()
    reads: frozenset[Any] = frozenset()
    source: Source | None = None


@define(eq=False)
class UpdateRows:
    """
    Updates of single rows by key, all with the same shape.

    Attributes:
        assignments: Pairs of column and numbered expression; slot `i` is value `i` of a row of `rows`.
        rows: For each row: the expressions' values, then the key's values, then the version's value where `version` is
            given.
        version: The version column that the row must still have; the same statement raises it by one.

    A row that is not there fails it with `MissingRow`, one whose version differs with `StaleRow`; then nothing is
    changed.
    """

    relation: Any
    assignments: tuple[tuple[ColumnInfo, Expr[Any, Any]], ...]
    rows: Sequence[tuple[Any, ...]]
    key: str
    version: ColumnInfo | None = None


@frozen(eq=False)
class Delete:
    """One delete of all rows that fulfil a condition; fields as in `Update`."""

    relation: Any
    where: tuple[Expr[bool, Any], ...]
    key: str
    parameters: tuple[Any, ...]
    returning: tuple[ColumnInfo, ...] = ()
    reads: frozenset[Any] = frozenset()


@frozen(eq=False)
class DeleteRows:
    """
    Deletes of single rows by key; `rows` has the key's values, then the version's where `version` is given. Errors as
    in `UpdateRows`.
    """

    relation: Any
    rows: Sequence[tuple[Any, ...]]
    version: ColumnInfo | None = None


@frozen(eq=False)
class CreateSchema:
    """Create what is missing of these relations, in an order that their references allow."""

    relations: tuple[Any, ...] = field(converter=_as_tuple)


@frozen(eq=False)
class DropSchema:
    """Drop these relations and nothing else; ones that are not there are no error."""

    relations: tuple[Any, ...] = field(converter=_as_tuple)


@frozen(eq=False)
class AddColumn:
    """Add a column to a relation that exists."""

    relation: Any
    column: ColumnInfo


Statement: TypeAlias = Readable | InsertRows | Update | UpdateRows | Delete | DeleteRows | RawSql
"""What a gateway compiles. A raw statement is an operation already: it is compiled to itself, or refused."""
