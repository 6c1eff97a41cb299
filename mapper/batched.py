"""
Queries as slots of a batch, and what type each slot has.
"""

from typing import TYPE_CHECKING, Any, Generic, Protocol

from typing_extensions import TypeVar

if TYPE_CHECKING:
    from mapper.query import Query

__all__ = ["Batchable", "Batched"]

T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True, default=Any)


class Batched(Generic[T_co, R_co]):
    """
    A query as a slot of a batch.

    Attributes:
        query: The query.
        single: Whether the slot has its one row, or None, instead of a list.
    """

    __slots__ = ("query", "single")

    def __init__(self, query: "Query[Any, Any]", *, single: bool) -> None:
        self.query = query
        self.single = single


class Batchable(Protocol[T_co, R_co]):
    """For type checkers: satisfied by a query, whose slot has a list, and by one of a key, whose slot has a row."""

    def _batched(self) -> Batched[T_co, R_co]: ...
