"""
Steps of a query that only some databases have: the first row of each kind, and joins that see the row before.

A query goes in; a query, or a source for its joins, comes out.
"""

from typing import Any

from typing_extensions import TypeVar

from mapper.clauses import expression
from mapper.errors import QueryError
from mapper.expressions import Expr
from mapper.query import Query
from mapper.relation import CommonTable
from mapper.sources import Derived, subquery

__all__ = ["distinct_on", "lateral"]

T = TypeVar("T")
R = TypeVar("R")


def distinct_on(query: Query[T, R], *terms: Expr[Any, R]) -> Query[T, R]:
    """
    Keep the first row, in the query's order, of those that are equal in all terms.

    `distinct_on(select(Posts).order_by(Posts.author_id, Posts.id.desc()), Posts.author_id)` gives each author's latest
    post. The order begins with the terms; without one, which row is kept is left to the store.

    Raises:
        QueryError: There is no term; or, when the query is compiled, its order begins otherwise.
        Unsupported: When it is compiled for a gateway other than PostgreSQL's.
    """
    if not isinstance(query, Query):
        raise QueryError(f"distinct_on takes a query first, not {query!r}", hint="distinct_on(query, Posts.author_id)")
    if not terms:
        raise QueryError("distinct_on names nothing that tells rows apart", hint="for equal rows once use .distinct()")
    return query._with_values("distinct_on", [expression(each, "distinct_on") for each in terms])


def lateral(table: type[CommonTable], query: Query[Any, R]) -> Derived[R]:
    """
    Return the rows of a query for each row of the sources before it, whose columns it names as `outer(Users.id)`:
    `subquery(table, query, lateral=True)`.

    `select(Users.name, Latest.title).join(lateral(Latest, latest), on=…)`; `cross_join` where there is no condition.

    Raises:
        QueryError: The query has other columns than the table.
        Unsupported: When it is compiled for a gateway without lateral joins.
    """
    return subquery(table, query, lateral=True)
