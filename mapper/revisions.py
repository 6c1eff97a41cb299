"""
Revisions: the methods of a query that take something said before back, or read more than was said.

A query goes in; a query of the same rows, otherwise ordered, cut or filtered, or of more of their columns, comes out.
"""

from abc import abstractmethod
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, Self, TypeAlias

from typing_extensions import TypeVar

from mapper.errors import QueryError
from mapper.expressions import Attribute
from mapper.items import AnyModelItem, Item, ModelItem
from mapper.relation import info

if TYPE_CHECKING:
    from mapper.query import Query

__all__ = ["Part", "Revisions"]

T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R", default=Any)

Part: TypeAlias = Literal["where", "group_by", "having", "order_by", "limit", "offset", "distinct", "lock"]
"""A part of a query, by the name of the method that says it."""

KINDS: Final[dict[str, frozenset[str]]] = {
    "where": frozenset({"where"}),
    "group_by": frozenset({"group_by"}),
    "having": frozenset({"having"}),
    "order_by": frozenset({"order_by"}),
    "limit": frozenset({"limit"}),
    "offset": frozenset({"offset"}),
    "distinct": frozenset({"distinct", "distinct_on"}),
    "lock": frozenset({"lock"}),
}


class Revisions(Generic[T_co, R]):
    """What a query takes back, and what it reads more."""

    __slots__ = ()

    def without(self, *parts: Part) -> Self:
        """
        Return the query without some of its parts, whoever said them: `query.without("order_by", "limit")`.

        After a set operation only what was said of the whole is taken back; its sides stay as they are.

        Raises:
            QueryError: One of them is no part of a query.
        """
        for each in parts:
            if each not in KINDS:
                raise QueryError(f"{each!r} is no part of a query; parts are: {', '.join(KINDS)}")
        return self._without(frozenset().union(*[KINDS[each] for each in parts]))  # type: ignore[return-value]  # the same class

    def undefer(self, *columns: Attribute[Any, R]) -> Self:
        """
        Read deferred columns with the models and wrappers that are selected: `query.undefer(Posts.body)`.

        Raises:
            QueryError: A column is not deferred, or of no model that is selected.
        """
        revised: Any = self
        for each in columns:
            revised = revised._with_items(_showing(each, revised._projection.items))
        found: Self = revised
        return found

    @abstractmethod
    def _without(self, kinds: AbstractSet[str]) -> "Query[Any, R]":
        """Return the query without the clauses of these kinds."""

    @abstractmethod
    def _with_items(self, change: Callable[[Item], Item]) -> "Query[Any, R]":
        """Return the query with each item of its select changed."""


def _showing(column: Any, items: tuple[Item, ...]) -> Callable[[Item], Item]:
    if not isinstance(column, Attribute) or not column.column.options.deferred:
        raise QueryError(f"{column!r} is no deferred column", hint="others are read without being asked for")
    if not any(isinstance(each, ModelItem) and each.reads(column) for each in items):
        raise QueryError(
            f"{column!r} is of no model that the query selects",
            hint=f"select {info(column.relation).original.__name__}, or the column itself beside the others",
        )

    def change(item: Item) -> Item:
        if isinstance(item, ModelItem | AnyModelItem):
            return item.showing(column)
        return item

    return change
