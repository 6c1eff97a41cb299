"""
`copy_from` and `copy_to`: tables and results as bytes, in the formats of PostgreSQL's COPY, in constant memory.

A repository, a transaction or a gateway goes in, with a relation or a query; bytes go in from a file or an iterable, or
come out to one.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from typing_extensions import TypeVar

from gateways.postgres.bulk import names_of, table_of
from gateways.postgres.copies import COPY_FROM, CopyIn
from gateways.postgres.outgoing import CopiedBytes
from gateways.postgres.pieces import Bytes, Pieces
from gateways.postgres.sources import Source, postgres_executor
from mapper.columns import ColumnInfo
from mapper.errors import QueryError
from mapper.expressions import Attribute
from mapper.gateway import Gateway
from mapper.operations import Call, QuerySql
from mapper.query import One, Query
from mapper.relation import RelationInfo, Stored, info
from mapper.stores import Stores

__all__ = ["Format", "copy_from", "copy_to"]

R = TypeVar("R")
R2 = TypeVar("R2")

Format: TypeAlias = Literal["text", "csv", "binary"]
"""PostgreSQL's own text, comma-separated values, or its binary form."""

# -- into a relation ---------------------------------------------------------------------------------------------------


async def copy_from(
    source: Stores[R2] | Gateway,
    relation: Stored[Any, Any, R2],
    data: Bytes,
    *,
    columns: Sequence[Attribute[Any, R2]] | None = None,
    format: Format = "text",
    header: bool = False,
    delimiter: str | None = None,
    null: str | None = None,
    quote: str | None = None,
    escape: str | None = None,
    encoding: str | None = None,
) -> int:
    """
    Copy bytes into a relation: `await copy_from(repository, Posts, "posts.csv", format="csv", header=True)`.

    All rows are stored, or none; on a transaction they are a part of it. Nothing is mapped or checked on the way: defaults
    of the client are not applied, and what the server cannot read it refuses, once the source is at its end. For models
    there is `repository.load`, which goes the same way.

    Args:
        source: A repository, a transaction of one, or a gateway.
        relation: Where to.
        data: Bytes; or the path of a file; or a file that is open in binary mode, sync or async; or an iterable of bytes,
            sync or async, in pieces of any size. A sync file is read in a thread.
        columns: What the data has, in its order; all columns in the order of their declaration without it, but those
            that the server computes.
        format: "text", "csv" or "binary" of the server's documentation of COPY, whose options the others are.
        header: The first line has names of columns, and is left out.
        delimiter, null, quote, escape, encoding: As of COPY; the server's defaults without them.

    Returns:
        The number of rows.

    Raises:
        Unsupported: The gateway is none of PostgreSQL. Before I/O, as are the next two.
        NotStored: The repository does not store the relation.
        QueryError: The columns are of another relation, or the data is nothing that gives bytes.
        StoreError: What the server answered: `UniqueViolation`, `StatementError` for data that it cannot read …; nothing
            is stored.
        CommitUnknown: The connection was lost at the end, and nobody knows.
    """
    executor = postgres_executor(source, "copy_from")
    described = _stored(source, relation)
    chosen = _columns(described, columns)
    options = _options(format, header, delimiter, null, quote, escape, encoding)
    names = [each.name for each in chosen]
    pieces = Pieces(data)
    copied = CopyIn(described.name, described.schema or executor.gateway.scope, names, pieces, options)
    try:
        result = await executor.execute(Call(COPY_FROM, (copied,), writes=frozenset({described.original})))
    finally:
        await pieces.aclose()
    if pieces.error is not None:
        raise pieces.error
    return result.count


def _stored(source: Source, relation: Any) -> RelationInfo:
    described = info(relation)
    if described.alias is not None or described.common:
        raise QueryError(f"{relation.__name__} is no table of its own", hint="name the relation itself")
    if isinstance(source, Stores):
        source._require(frozenset({described.relation}))
    return described


def _columns(described: RelationInfo, given: Sequence[Attribute[Any, Any]] | None) -> list[ColumnInfo]:
    if given is None:
        return [each for each in described.columns if each.options.generated is None]
    for each in given:
        if not isinstance(each, Attribute) or info(each.relation).original is not described.original:
            name = described.relation.__name__
            raise QueryError(
                f"{each!r} is no column of {name}", hint=f"name columns of it: {name}.{described.columns[0].attribute}"
            )
    if not given:
        raise QueryError("no columns are copied", hint="leave columns out to copy all of them")
    return [each.column for each in given]


def _options(
    format: str,
    header: bool,
    delimiter: str | None,
    null: str | None,
    quote: str | None,
    escape: str | None,
    encoding: str | None,
) -> dict[str, Any]:
    if format not in ("text", "csv", "binary"):
        raise QueryError(f"the format is {format!r}, expected 'text', 'csv' or 'binary'")
    options = {"delimiter": delimiter, "null": null, "quote": quote, "escape": escape, "encoding": encoding}
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    return {"format": format, **given, **({"header": True} if header else {})}


# -- out of a query ----------------------------------------------------------------------------------------------------


def copy_to(
    source: Stores[R] | Gateway,
    query: Query[Any, R] | One[Any, R] | Stored[Any, Any, R],
    *,
    columns: Sequence[Attribute[Any, R]] | None = None,
    format: Format = "text",
    header: bool = False,
    delimiter: str | None = None,
    null: str | None = None,
    quote: str | None = None,
    escape: str | None = None,
    encoding: str | None = None,
) -> CopiedBytes:
    """
    Copy what a query gives out as bytes: `async for data in copy_to(repository, query, format="csv")`, or
    `await copy_to(repository, query, format="csv").into("posts.csv")`.

    The columns are what the query selects; what it makes of rows afterwards (`into`, `map`) has no part in it. Nothing is
    held in memory but a piece at a time, and the server is read no faster than the pieces are taken.

    Args:
        source: A repository, a transaction of one, or a gateway.
        query: A query; or a relation, which is all of its rows, in no order.
        columns: Of a relation: which, and in what order.
        format, header, delimiter, null, quote, escape, encoding: As of `copy_from`; with `header` the first line has
            the names of the columns.

    Raises:
        Unsupported, NotStored, QueryError: As of `copy_from`. Here, before I/O.
        StoreError: From the iteration: what the server answered.
    """
    executor = postgres_executor(source, "copy_to")
    read = _read(source, executor.gateway, query, columns)
    if isinstance(source, Stores):
        source._require(read.reads)
    return CopiedBytes(executor, read, _options(format, header, delimiter, null, quote, escape, encoding))


def _read(source: Source, gateway: Gateway, query: Any, columns: Sequence[Attribute[Any, Any]] | None) -> QuerySql:
    if isinstance(query, Query | One):
        if (query._query if isinstance(query, One) else query)._combines():
            raise QueryError(
                "a query that combines is read by several operations, and a copy is one", hint="leave out combine(…)"
            )
        if columns is not None:
            raise QueryError(
                "the columns of a query are those that it selects", hint="select them: select(Posts.id, …)"
            )
        operation = gateway.compile(query)
        assert isinstance(operation, QuerySql)
        return operation
    described = _stored(source, query)
    chosen = described.columns if columns is None else _columns(described, columns)
    sql = f"SELECT {names_of(list(chosen))} FROM {table_of(described, gateway.scope)}"
    return QuerySql(sql, (), reads=frozenset({described.original}))
