"""
`refresh`: the rows of a materialized view, made anew.

A repository, a transaction or a gateway and a relation go in; the view has the rows that its query has now.
"""

from typing import Any

from gateways.postgres.bulk import table_of
from gateways.postgres.sources import Source, postgres_executor
from gateways.postgres.storages import MaterializedView
from mapper.errors import QueryError
from mapper.operations import RawSql
from mapper.placeholders import escape_placeholders
from mapper.relation import info
from mapper.stores import Stores

__all__ = ["refresh"]


async def refresh(source: Source, relation: Any, *, concurrently: bool = False) -> None:
    """
    Run the query of a materialized view again, and keep its rows: `await refresh(blog, Totals)`.

    Args:
        source: A repository that stores the view, a transaction of one, or a gateway.
        relation: The view's relation.
        concurrently: Readers go on meanwhile with the rows there are. The view needs a primary key or a unique column,
            and must have been filled before.

    Raises:
        QueryError: The relation is no materialized view.
        NotStored: The repository does not store it.
        Unsupported: The gateway is none of PostgreSQL. As of the others, before I/O.
        StatementError: The view is not there, or cannot be refreshed concurrently.
    """
    described = info(info(relation).original)
    if not isinstance(described.storage, MaterializedView):
        raise QueryError(
            f"{described.relation.__name__} is no materialized view, and has nothing to refresh",
            hint="declare it: class Totals(Relation[Total], storage=MaterializedView(lambda: select(…)))",
        )
    if isinstance(source, Stores):
        source._require(frozenset({described.original}))
    executor = postgres_executor(source, "refresh")
    how = "CONCURRENTLY " if concurrently else ""
    text = f"REFRESH MATERIALIZED VIEW {how}{table_of(described, executor.gateway.scope)}"
    await executor.execute(RawSql(escape_placeholders(text), writes=frozenset({described.original})))
