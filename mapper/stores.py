"""
`Stores[A | B]`: what a query or changeset asks of a repository, for type checkers and at run time.
"""

from typing import Any, ClassVar, Generic

from typing_extensions import TypeVar

from mapper.errors import NotStored, QueryError
from mapper.gateway import Executor, Gateway

__all__ = ["Stores", "executor_of"]

R_contra = TypeVar("R_contra", contravariant=True)


class Stores(Generic[R_contra]):
    """
    Anything that stores at least the relations `R`: a repository, or a transaction of one.

    It is contravariant: a `Stores[Posts | Comments]` is a `Stores[Posts]`, so a function asks for what it needs and no
    more.
    """

    __slots__ = ("_executor",)

    _executor: Executor
    _relations: ClassVar[frozenset[Any]] = frozenset()

    def _stores(self, relation: R_contra, /) -> None:
        """For type checkers only: makes the class contravariant in what it stores."""

    @classmethod
    def _require(cls, relations: frozenset[Any]) -> None:
        """
        Refuse relations that are not stored here.

        Raises:
            NotStored: One of them is not.
        """
        if not relations <= cls._relations:
            missing = min(relations - cls._relations, key=lambda each: each.__name__)
            known = ", ".join(sorted(each.__name__ for each in cls._relations)) or "none"
            raise NotStored(
                f"relation {missing.__name__} is not stored by {cls.__name__}, which stores: {known}",
                relation=missing,
                hint=f"declare it: class {cls.__name__}(Repository[… | {missing.__name__}])",
            )


def executor_of(source: Stores[Any] | Gateway) -> Executor:
    """
    Return what runs the operations of a repository, of a transaction, or of a gateway.

    Raises:
        QueryError: It is none of these.
    """
    if isinstance(source, Gateway):
        return source
    if isinstance(source, Stores):
        return source._executor
    raise QueryError(f"{source!r} is no repository, transaction or gateway", hint="give one of these")
