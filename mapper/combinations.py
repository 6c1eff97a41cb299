"""
Combinations: the method of a query by which its rows grow, with the type that each gives.

A relationship, and perhaps a query of the related rows, go in; a query whose rows have one item more comes out.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, overload

from typing_extensions import TypeVar, TypeVarTuple

from mapper.relationships import ToMany, ToOne

if TYPE_CHECKING:
    from mapper.query import Query

__all__ = ["Combinations"]

T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S")
M = TypeVar("M")
R = TypeVar("R", default=Any)
R2 = TypeVar("R2")
R3 = TypeVar("R3")
Ts = TypeVarTuple("Ts")


class Combinations(Generic[T_co, R]):
    """How a query's rows grow."""

    __slots__ = ()

    @overload
    def combine(
        self: "Combinations[tuple[*Ts], R]", relationship: ToMany[R, M, Any, R2], /
    ) -> "Query[tuple[*Ts, list[M]], R | R2]": ...
    @overload
    def combine(
        self: "Combinations[tuple[*Ts], R]", relationship: ToOne[R, M, Any, R2], /
    ) -> "Query[tuple[*Ts, M | None], R | R2]": ...
    @overload
    def combine(
        self: "Combinations[tuple[*Ts], R]", relationship: ToMany[R, Any, Any, R2], query: "Query[S, R3]", /
    ) -> "Query[tuple[*Ts, list[S]], R | R2 | R3]": ...
    @overload
    def combine(
        self: "Combinations[tuple[*Ts], R]", relationship: ToOne[R, Any, Any, R2], query: "Query[S, R3]", /
    ) -> "Query[tuple[*Ts, S | None], R | R2 | R3]": ...
    @overload
    def combine(self, relationship: ToMany[R, M, Any, R2], /) -> "Query[tuple[T_co, list[M]], R | R2]": ...
    @overload
    def combine(self, relationship: ToOne[R, M, Any, R2], /) -> "Query[tuple[T_co, M | None], R | R2]": ...
    @overload
    def combine(
        self, relationship: ToMany[R, Any, Any, R2], query: "Query[S, R3]", /
    ) -> "Query[tuple[T_co, list[S]], R | R2 | R3]": ...
    @overload
    def combine(
        self, relationship: ToOne[R, Any, Any, R2], query: "Query[S, R3]", /
    ) -> "Query[tuple[T_co, S | None], R | R2 | R3]": ...
    def combine(self, relationship: Any, query: Any = None, /) -> Any:
        """
        Let each row grow by the rows that a relationship leads to: a list of them, or one or None.

        However many rows there are, it takes one further operation for each combination, and one for each combination
        of a combination; a stream takes them for each of its batches. Outside of a transaction they see what is
        committed when they run; in a `repeatable read` one all see one state.

        Args:
            relationship: It starts from a relation that the query reads.
            query: Which related rows, as what; without it all of them, as models. Its limit and offset hold for each
                owner, and it may combine in turn. Without an order it takes the relationship's, or that of the keys.

        Raises:
            QueryError: The query of the related rows reads from another relation, or is a set operation.
            NotJoined: When it runs: the query does not read the relation that the relationship starts from.
        """
        return self._combined_with(relationship, query)

    @abstractmethod
    def _combined_with(self, relationship: Any, query: Any) -> "Query[Any, Any]":
        """Return the query with one more combination."""
