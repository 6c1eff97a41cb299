"""
Sources of a query beside relations: the rows of a subquery, and rows written out.

A common table, which names the columns, and a query or rows go in; what `from_` and the joins take comes out. The
columns are then those of the common table: `query.join(subquery(Totals, totals), on=Totals.author_id == Users.id)`.
"""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Never

from typing_extensions import TypeVar

from mapper.columns import ColumnInfo
from mapper.deferred import Deferred
from mapper.errors import QueryError, ValueNotStorable
from mapper.expressions import Expr, ListParameter, Subselect, Take
from mapper.operations import OutputColumn
from mapper.relation import CommonTable, RelationInfo, info
from mapper.relation import Source as Projected
from mapper.statements import FromSelect, FromValues, Source
from mapper.types import List, Misfit

if TYPE_CHECKING:
    from mapper.query import Query

__all__ = ["Derived", "require_columns", "sourced", "subquery", "values"]

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True, default=Any)


class Derived(Generic[R_co]):
    """
    A source that is no relation.

    Attributes:
        key: Its identity in structural keys.
        parameters: Its values, in order.
    """

    __slots__ = ("__relation__", "key", "parameters")

    key: str
    parameters: tuple[Any, ...]
    __relation__: RelationInfo

    @property
    def rows_given(self) -> Sequence[tuple[Any, ...]] | None:
        """The rows that are written out; None where a query gives them."""
        return None

    @abstractmethod
    def assembled(self, take: Take) -> Source:
        """Return it as a part of a statement, whose parameters `take` numbers."""

    def _source(self) -> Projected[Never, Never, R_co]:
        """For type checkers: it can be read, and asks for what the subquery reads."""
        return Projected()

    def __repr__(self) -> str:
        return f"<{self.key}>"


class _Subquery(Derived[R_co]):
    """The rows of a query."""

    __slots__ = ("lateral", "query")

    def __init__(self, described: RelationInfo, query: Any, lateral: bool) -> None:
        self.__relation__ = described
        self.query = query
        self.lateral = lateral
        self.key = f"{'lateral' if lateral else 'subquery'} {described.token} ({query.key})"
        self.parameters = query.parameters

    def assembled(self, take: Take) -> Source:
        described = self.__relation__
        name = described.alias or described.name
        return FromSelect(self.query.assembled(take), name, self.lateral, described.relation)


class _Values(Derived[R_co]):
    """Rows written out."""

    __slots__ = ("rows",)

    def __init__(self, described: RelationInfo, rows: Any) -> None:
        self.__relation__ = described
        types = ",".join([each.type.key for each in described.columns])
        self.rows: Expr[Any, Any] = ListParameter(rows, described.columns[0].type)
        self.key = f"values {described.token} ({types})"
        self.parameters = self.rows.parameters

    @property
    def rows_given(self) -> Sequence[tuple[Any, ...]] | None:
        """The rows; None where they are given later."""
        (rows,) = self.parameters
        return None if isinstance(rows, Deferred) else list(rows)

    def assembled(self, take: Take) -> Source:
        return FromValues(self.rows.numbered(take), self.__relation__.relation)


def subquery(table: type[CommonTable], query: "Query[Any, R]", *, lateral: bool = False) -> Derived[R]:
    """
    Return the rows of a query as a source: `join(subquery(Totals, query), on=…)`.

    Args:
        table: The class that names the columns, in the order in which the query selects them.
        query: It may have everything, a limit too.
        lateral: It may use columns of the sources before it, as `outer(Posts.id)`. Refused by gateways whose store has
            no lateral joins.

    Raises:
        QueryError: The query has other columns than the table.
    """
    described = _described("subquery", table)
    if not isinstance(query, Subselect):
        raise QueryError(f"subquery takes a query, not {query!r}", hint="subquery(Totals, select(…))")
    require_columns(described, query.output_columns())
    return _Subquery(described, query, lateral)


def values(table: type[CommonTable], rows: Iterable[Any]) -> Derived[Never]:
    """
    Return rows written out as a source: `join(values(Wanted, [(1, "a"), (2, "b")]), on=Wanted.id == Posts.id)`.

    They travel as one parameter, so that the statement is the same whatever their number; there may be none.

    Args:
        table: The class that names the columns, and says what their values are.
        rows: Tuples of values in the order of the columns; plain values where there is one column.

    Raises:
        QueryError: A row has not as many values as there are columns, or a column is a list.
        ValueNotStorable: A value is not one of its column.
    """
    described = _described("values", table)
    for each in described.columns:
        if isinstance(each.type, List):
            raise QueryError(
                f"{described.original.__name__}.{each.attribute} is a list, which values does not take",
                hint="give its items as rows",
            )
    if isinstance(rows, Deferred):
        return _Values(described, rows)
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        raise QueryError(f"values takes rows, not {rows!r}", hint="give a list of tuples")
    return _Values(described, [_row(described, each) for each in rows])


def sourced(relation: Any) -> tuple[Any, str, tuple[Any, ...]]:
    """Return a source as a clause keeps it: the class of a relation or a `Derived`, with its key and its values."""
    if isinstance(relation, Derived):
        return relation, relation.key, relation.parameters
    described = info(relation)
    return described.relation, described.token, ()


def require_columns(described: RelationInfo, columns: Sequence[OutputColumn]) -> None:
    """
    Refuse a definition whose columns are not those of a common table.

    Raises:
        QueryError: They are not as many, or one is of another type.
    """
    name, declared = described.original.__name__, described.columns
    if len(columns) != len(declared):
        raise QueryError(
            f"{name} has {len(declared)} columns, and its definition gives {len(columns)}",
            hint="select a value for each of its columns, in their order",
        )
    for wanted, given in zip(declared, columns, strict=True):
        if wanted.type.python is not given.type.python:
            raise QueryError(
                f"{name}.{wanted.attribute} is {_kind(wanted)}, and its definition gives {given.type.python.__name__}",
                hint="annotate the column accordingly, or cast what is selected: .cast(…)",
            )


def _described(what: str, table: Any) -> RelationInfo:
    described = info(table)
    if not described.common:
        raise QueryError(
            f"{what} takes a common table, and {described.original.__name__} is a relation",
            hint="name the columns: class Totals(CommonTable): author_id: Column[int]; …",
        )
    return described


def _row(described: RelationInfo, row: Any) -> tuple[Any, ...]:
    width = len(described.columns)
    if width == 1 and not isinstance(row, tuple):
        row = (row,)
    if not isinstance(row, tuple) or len(row) != width:
        names = ", ".join([each.attribute for each in described.columns])
        raise QueryError(
            f"{row!r} is no row of {described.original.__name__}, which has the columns {names}",
            hint="give tuples of as many values, in order",
        )
    for column, value in zip(described.columns, row, strict=True):
        _require_value(described, column, value)
    return row


def _require_value(described: RelationInfo, column: ColumnInfo, value: Any) -> None:
    where = f"{described.original.__name__}.{column.attribute}"
    if value is None:
        if column.nullable:
            return
        hint: str | None = f"annotate it: {column.attribute}: Column[{_kind(column)} | None]"
        raise ValueNotStorable(f"{where} is never NULL, and is None in a row", column=column.attribute, hint=hint)
    try:
        column.type.check(value)
    except Misfit as misfit:
        raise ValueNotStorable(
            f"{where} cannot be given: {misfit.message}", column=column.attribute, value=value, hint=misfit.hint
        ) from misfit


def _kind(column: ColumnInfo) -> str:
    return column.type.python.__name__
