"""
Set operations: the methods of a query that put its rows together with those of another.

Another query of as many columns goes in; a query of the rows of both comes out.
"""

from abc import abstractmethod
from copy import copy
from operator import is_
from typing import TYPE_CHECKING, Any, Generic

from attrs import evolve
from typing_extensions import TypeVar

from mapper.errors import QueryError
from mapper.expressions import Expr
from mapper.items import ExprItem
from mapper.projection import Projection
from mapper.types import wider

if TYPE_CHECKING:
    from mapper.query import Query

__all__ = ["SetOperations", "united"]

T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R", default=Any)
R2 = TypeVar("R2")


class SetOperations(Generic[T_co, R]):
    """The set operations of a query."""

    __slots__ = ()

    def union(self, other: "Query[T_co, R2]") -> "Query[T_co, R | R2]":
        """Give the rows of both, equal ones once. What follows (`order_by`, `limit`) applies to the whole."""
        return self._compounded("union", other)

    def union_all(self, other: "Query[T_co, R2]") -> "Query[T_co, R | R2]":
        """Give the rows of both, equal ones as often as they come."""
        return self._compounded("union_all", other)

    def intersect(self, other: "Query[T_co, R2]") -> "Query[T_co, R | R2]":
        """Give the rows that both have, equal ones once."""
        return self._compounded("intersect", other)

    def intersect_all(self, other: "Query[T_co, R2]") -> "Query[T_co, R | R2]":
        """Give the rows that both have, equal ones as often as they come in both."""
        return self._compounded("intersect_all", other)

    def except_(self, other: "Query[T_co, R2]") -> "Query[T_co, R | R2]":
        """Give the rows that `other` does not have, equal ones once."""
        return self._compounded("except", other)

    def except_all(self, other: "Query[T_co, R2]") -> "Query[T_co, R | R2]":
        """Give the rows without those of `other`, each of which takes one equal row away."""
        return self._compounded("except_all", other)

    @abstractmethod
    def _compounded(self, operator: str, other: Any) -> "Query[Any, Any]":
        """Return the query with one more operand; `operator` is one of those of `mapper.statements.Select`."""


def united(left: Projection, right: Projection, operator: str) -> Projection:
    """
    Return what the rows of both sides become: the items of the left side, which may be NULL where the right one's may.

    Raises:
        QueryError: A column has values of one kind on the left and of another kind on the right.
    """
    ours, theirs = left.outputs()[0], right.outputs()[0]
    outputs = [_either(one, other, operator) for one, other in zip(ours, theirs, strict=True)]
    if not all(isinstance(each, ExprItem) for each in left.items) or all(map(is_, outputs, ours)):
        return left
    return evolve(left, items=tuple([ExprItem(each) for each in outputs]))


def _either(left: Expr[Any, Any], right: Expr[Any, Any], operator: str) -> Expr[Any, Any]:
    type_ = wider(left.type, right.type)
    if type_ is None:
        raise QueryError(
            f"{operator} of {left!r}, which is {left.type.python.__name__}, and {right!r}, which is {right.type.python.__name__}",
            hint="cast one of them: .cast(str)",
        )
    if left.nullable >= right.nullable and type_.key == left.type.key:
        return left
    twin = copy(left)
    twin.nullable, twin.type = left.nullable or right.nullable, type_
    twin.key = f"{left.key}:{type_.key}"
    return twin
