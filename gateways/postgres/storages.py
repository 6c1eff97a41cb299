"""
How PostgreSQL keeps a relation, where that is no plain table: `Unlogged()` and `MaterializedView(...)`.

They stand in `storage=` of a relation's class, and their statements come out. Another gateway refuses them before
anything is sent.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from gateways.postgres.binding import placed
from gateways.postgres.columns import collation, named, parameter_type
from gateways.postgres.indexes import Setting, settings_text
from gateways.postgres.literals import literal
from gateways.sql.declarations import TableText, ViewText
from gateways.sql.dialect import Dialect
from gateways.sql.pieces import Bind, Sql, written
from gateways.sql.plans import refused
from gateways.sql.scopes import Around
from gateways.sql.select import Selects
from mapper.columns import Storage
from mapper.errors import DeclarationError, QueryError
from mapper.relation import RelationInfo
from mapper.statements import FromRaw, Readable, Select
from mapper.types import Codecs

__all__ = ["MaterializedView", "PostgresTable", "Unlogged", "table_text", "view_text"]


def _pairs(options: Mapping[str, Setting] | None) -> tuple[tuple[str, Setting], ...]:
    return tuple((options or {}).items())


@frozen
class PostgresTable(Storage):
    """
    A table with storage parameters: `storage=PostgresTable({"fillfactor": 70})`.

    Attributes:
        options: By name, as of CREATE TABLE.
    """

    options: tuple[tuple[str, Setting], ...] = field(default=None, converter=_pairs)


@frozen
class Unlogged(PostgresTable):
    """
    A table that is not in the write-ahead log: faster to write, empty after a crash of the server, and not on its
    replicas.
    """


@frozen(init=False)
class MaterializedView(Storage):
    """
    A relation that has the rows which a query had when it was last refreshed:
    `storage=MaterializedView(lambda: select(Posts.author_id, fn.count()).group_by(Posts.author_id))`.

    The query's columns become the relation's, by position. Nothing is written to it: `gateways.postgres.refresh` runs the
    query again. Its primary key and unique columns become unique indexes.

    Attributes:
        query: A function that gives the query, so that its relations may come later.
        filled: Whether it has rows from the beginning, or only once it has been refreshed.
        options: Storage parameters, by name.
    """

    filled: bool = True
    options: tuple[tuple[str, Setting], ...] = ()

    def __init__(
        self, query: Callable[[], Readable], *, filled: bool = True, options: Mapping[str, Setting] | None = None
    ) -> None:
        if not callable(query):
            raise DeclarationError(
                f"MaterializedView is given {query!r}, expected a function",
                hint="write MaterializedView(lambda: select(…))",
            )
        self.__attrs_init__(filled, _pairs(options))  # pyright: ignore[reportAttributeAccessIssue]  # attrs makes it
        object.__setattr__(self, "query", query)


def table_text(storage: Storage) -> TableText | None:
    """Return the parts of a table; None where it is kept as another gateway does."""
    if not isinstance(storage, PostgresTable):
        return None
    kind = "UNLOGGED TABLE" if isinstance(storage, Unlogged) else "TABLE"
    return TableText(kind, settings_text(storage.options))


def view_text(relation: RelationInfo, dialect: Dialect, codecs: Codecs) -> ViewText | None:
    """
    Return the statements of a materialized view; None where the rows are those of another gateway's kind.

    Raises:
        QueryError: The query's columns are not those of the relation.
    """
    storage = relation.storage
    if not isinstance(storage, MaterializedView) or storage.query is None:
        return None
    query: Readable = storage.query()
    select = query.assemble()
    _require_columns(relation, select)
    selects = Selects(dialect)
    rows = _inlined(selects.render(select, Around(), False), query.parameters, dialect, codecs)
    names = ", ".join([named(each.name) for each in relation.columns])
    outputs = ", ".join([_output(index, each) for index, each in enumerate(relation.columns)])
    head = f"CREATE MATERIALIZED VIEW IF NOT EXISTS {dialect.table_of(relation)} ({names})"
    source = f"({rows}) AS {named('made')} ({', '.join([named(f'c{each}') for each in range(len(relation.columns))])})"
    filled = "" if storage.filled else "NO "
    create = f"{head}{settings_text(storage.options)} AS SELECT {outputs} FROM {source} WITH {filled}DATA"
    return ViewText("MATERIALIZED VIEW", create, frozenset(selects.reads))


def _require_columns(relation: RelationInfo, select: Select) -> None:
    """Refuse a query of other columns; only the server knows those of a statement of the user's own."""
    if isinstance(select.source, FromRaw) and not select.items:
        return
    given, wanted = len(select.columns), len(relation.columns)
    if given != wanted:
        raise QueryError(
            f"{relation.relation.__name__} has {wanted} columns and its query gives {given}",
            hint="select as many, in the order of the declaration",
        )
    for output, column in zip(select.columns, relation.columns, strict=True):
        found, expected = parameter_type(output.type), parameter_type(column.type)
        if found != expected:
            raise QueryError(
                f"{relation.relation.__name__}.{column.attribute} is {expected} and its query gives {found}",
                hint="declare the column as what the query gives, or cast that: .cast(…)",
            )


def _output(index: int, column: Any) -> str:
    order = collation(column.type)
    return f"{named('made', f'c{index}')}{'' if order is None else f' COLLATE {order}'}"


def _inlined(piece: Sql, parameters: Sequence[Any], dialect: Dialect, codecs: Codecs) -> str:
    """Return a query with its values in its text: a definition has no parameters."""

    def value_of(number: int, bind: Bind) -> str:
        del number
        value = parameters[bind.index]
        try:
            encoded = None if value is None else dialect.encoder(codecs, bind)(value)
        except ValueError as error:
            raise refused(error, value, bind.beside) from error
        return placed(literal(encoded), bind)

    return written(piece, value_of).text
