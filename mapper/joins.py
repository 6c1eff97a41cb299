"""
Joins: the methods of a query that pair its rows with those of a further source.

A source and a condition go in; a query that reads from both comes out.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, cast, overload

from typing_extensions import TypeVar

from mapper.errors import QueryError
from mapper.expressions import Expr
from mapper.relation import Stored, info
from mapper.relationships import Related, is_relationship, walked
from mapper.walking import source_of, steps

if TYPE_CHECKING:
    from mapper.query import Query

__all__ = ["Joins"]

T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R", default=Any)
R2 = TypeVar("R2")
R3 = TypeVar("R3")


class Joins(Generic[T_co, R]):
    """The joins of a query."""

    __slots__ = ()

    @overload
    def join(self, relation: Stored[Any, Any, R2], on: Expr[bool, R | R2]) -> "Query[T_co, R | R2]": ...
    @overload
    def join(
        self,
        relation: Related[R, R2, R3],
        *,
        to: Stored[Any, Any, R2] | None = None,
        of: Stored[Any, Any, R] | None = None,
    ) -> "Query[T_co, R | R2 | R3]": ...
    def join(self, relation: Any, on: Any = None, *, to: Any = None, of: Any = None) -> Any:
        """
        Pair each row with the rows of `relation` for which `on` holds, or with those that a relationship leads to.

        Along a relationship, relations between are joined too, under their own names, or where the query reads them
        already under others.

        Args:
            relation: A relation, or a relationship that starts from one that the query reads.
            on: The condition, for a relation; a relationship has its own.
            to: For a relationship, the alias under which the relation that it leads to is read: for another row of one
                that the query reads already.
            of: For a relationship, the alias that it starts from, where the query reads several.

        Raises:
            NotJoined: The query does not read the relation that the relationship starts from.
            QueryError: It reads the one that it leads to already, or a condition is missing or too much.
        """
        return self._paired("inner", relation, on, to, of)

    @overload
    def left_join(self, relation: Stored[Any, Any, R2], on: Expr[bool, R | R2]) -> "Query[T_co, R | R2]": ...
    @overload
    def left_join(
        self,
        relation: Related[R, R2, R3],
        *,
        to: Stored[Any, Any, R2] | None = None,
        of: Stored[Any, Any, R] | None = None,
    ) -> "Query[T_co, R | R2 | R3]": ...
    def left_join(self, relation: Any, on: Any = None, *, to: Any = None, of: Any = None) -> Any:
        """
        As `join`, and keep rows without a match; what is selected of `relation` must then be `optional(...)`.

        The conditions of a relationship are part of what matches.
        """
        return self._paired("left", relation, on, to, of)

    @overload
    def right_join(self, relation: Stored[Any, Any, R2], on: Expr[bool, R | R2]) -> "Query[T_co, R | R2]": ...
    @overload
    def right_join(
        self,
        relation: Related[R, R2, R3],
        *,
        to: Stored[Any, Any, R2] | None = None,
        of: Stored[Any, Any, R] | None = None,
    ) -> "Query[T_co, R | R2 | R3]": ...
    def right_join(self, relation: Any, on: Any = None, *, to: Any = None, of: Any = None) -> Any:
        """As `join`, and keep rows of `relation` without a match; what is selected of the others must be `optional(...)`."""
        return self._paired("right", relation, on, to, of)

    @overload
    def full_join(self, relation: Stored[Any, Any, R2], on: Expr[bool, R | R2]) -> "Query[T_co, R | R2]": ...
    @overload
    def full_join(
        self,
        relation: Related[R, R2, R3],
        *,
        to: Stored[Any, Any, R2] | None = None,
        of: Stored[Any, Any, R] | None = None,
    ) -> "Query[T_co, R | R2 | R3]": ...
    def full_join(self, relation: Any, on: Any = None, *, to: Any = None, of: Any = None) -> Any:
        """
        As `join`, and keep rows of either side without a match; what is selected must be `optional(...)`.

        Raises:
            QueryError: As `join`, and for a relationship with relations between.
        """
        return self._paired("full", relation, on, to, of)

    def cross_join(self, relation: Stored[Any, Any, R2]) -> "Query[T_co, R | R2]":
        """Pair each row with every row of `relation`."""
        return self._joined("cross", relation, None)

    @abstractmethod
    def _joined(self, kind: str, relation: Any, on: Any) -> "Query[Any, Any]":
        """Return the query with one more source; `kind` is one of `mapper.statements.JoinKind`."""

    @abstractmethod
    def _relations_read(self) -> list[Any]:
        """Return the relations of FROM and of the joins, in order."""

    def _paired(self, kind: str, relation: Any, on: Any, to: Any, of: Any) -> "Query[Any, Any]":
        if is_relationship(relation):
            return self._along(kind, relation, on, to, of)
        if to is not None or of is not None:
            raise QueryError(
                f"to= and of= are about a relationship, and {_shown(relation)} is none",
                hint=f"join an alias itself: .join({_shown(relation)}.named('other'), on=…)",
            )
        if on is None:
            info(relation)
            raise QueryError(
                f"a join of {_shown(relation)} without a condition",
                hint=f"give one: on=… == {_shown(relation)}.…, or pair all rows: cross_join",
            )
        return self._joined(kind, relation, on)

    def _along(self, kind: str, relationship: Any, on: Any, to: Any, of: Any) -> "Query[Any, Any]":
        if on is not None:
            raise QueryError(
                f"{_shown(relationship)} is a relationship, which says itself what it joins on",
                hint="leave on= away, and say more in where(...)",
            )
        way = walked(relationship)
        sources = self._relations_read()
        source = source_of(way, sources, of)
        query: Joins[Any, Any] = self
        for step, at, condition in steps(way, kind, sources, source, to):
            query = query._joined(step, at, condition)
        return cast("Query[Any, Any]", query)


def _shown(value: Any) -> str:
    return getattr(value, "__name__", repr(value))
