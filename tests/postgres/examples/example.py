"""
What an example is: a query with an operator or a function that only PostgreSQL has, and the SQL that a hand would write
for it.
"""

from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from gateways.postgres import PostgresGateway
from mapper import Query, select
from mapper.operations import QuerySql
from tests.postgres.papers import Papers

__all__ = ["Example", "compiled", "of", "ordered", "the", "whole"]

GATEWAY: Final = PostgresGateway("postgresql://nobody@nowhere/nothing")
"""It compiles, and never connects."""


def compiled(query: Query[Any, Any]) -> QuerySql:
    """Return what PostgreSQL is sent for a query."""
    operation = GATEWAY.compile(query)
    assert isinstance(operation, QuerySql)
    return operation


@frozen
class Example:
    """
    An example.

    Attributes:
        name: The public name, with a dot before the method or what is special.
        make: Makes the query, anew each time.
        sql: What a hand would write: its rows are those of the query.
        extension: The extension that it needs.
    """

    name: str
    make: Callable[[], Query[Any, Any]]
    sql: str
    extension: str | None = None

    @property
    def public(self) -> str:
        """The name that is imported."""
        return self.name.partition(".")[0]


def of(*items: Any, relation: Any = Papers) -> Query[Any, Any]:
    """Return a query of papers, or of another relation, in the order of their keys."""
    query: Query[Any, Any] = select(*items)
    return query.from_(relation).order_by(relation.id)


def the(*items: Any) -> Query[Any, Any]:
    """Return a query of papers, in no order."""
    query: Query[Any, Any] = select(*items)
    return query.from_(Papers)


def ordered(expressions: str, *, where: str = "true", table: str = "papers") -> str:
    """Return the same by hand."""
    return f"SELECT {expressions} FROM {table} WHERE {where} ORDER BY id"


def whole(expressions: str) -> str:
    """Return the same by hand."""
    return f"SELECT {expressions} FROM papers"
