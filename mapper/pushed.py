"""
Refs that know their changeset, so that rows can be pushed below them: `posts.push(post).with_(PostComments, comments)`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeAlias
from weakref import ReferenceType as WeakReference

from typing_extensions import TypeVar

from mapper.deferred import Ref
from mapper.errors import QueryError
from mapper.expressions import Assignment
from mapper.relation import StoredIn

if TYPE_CHECKING:
    from mapper.changeset import Changeset

__all__ = ["Leads", "NewRow", "Owner", "Pushed", "pushed"]

K_co = TypeVar("K_co", covariant=True)
R = TypeVar("R", default=Any)
Of_co = TypeVar("Of_co", covariant=True)
Scope_contra = TypeVar("Scope_contra", contravariant=True)
OwnerKeyT = TypeVar("OwnerKeyT")
OwnerWrapperT = TypeVar("OwnerWrapperT")
ModelT = TypeVar("ModelT")
KeyT = TypeVar("KeyT")
WrapperT = TypeVar("WrapperT")
RelationT = TypeVar("RelationT")

NewRow: TypeAlias = ModelT | WrapperT | tuple[ModelT | WrapperT, *tuple[Assignment[RelationT], ...]]
"""What a row is made of: a model, a wrapper, or a tuple of one of them and assignments."""


class Leads(Protocol[Scope_contra, OwnerKeyT, OwnerWrapperT, ModelT, KeyT, WrapperT, RelationT]):
    """For type checkers: a relationship's class, of which `Scope` stores both ends."""

    def of(self) -> StoredIn[Scope_contra, Any, OwnerKeyT, OwnerWrapperT, Any]: ...
    def to(self) -> StoredIn[Scope_contra, ModelT, KeyT, WrapperT, RelationT]: ...


class _LeadsFrom(Protocol[Of_co, ModelT, WrapperT, RelationT]):
    """For type checkers: a relationship's class that leads from `Of`."""

    def of(self) -> type[Of_co]: ...
    def to(self) -> StoredIn[Any, ModelT, Any, WrapperT, RelationT]: ...


class Owner(WeakReference["Changeset[Any]"]):
    """What tells the refs of one changeset from those of another: a reference that does not keep the changeset."""

    __slots__ = ()

    def changes(self, ref: Ref[Any]) -> "Changeset[Any]":
        """
        Return the changeset of a ref.

        Raises:
            QueryError: There is none any more.
        """
        found = self()
        if found is None:
            raise QueryError(f"the changeset of {ref!r} is gone", hint="keep the changeset until it is committed")
        return found


class Pushed(Ref[K_co], Generic[K_co, R]):
    """The ref of a row that was pushed to the relation `R`."""

    __slots__ = ()

    def with_(
        self,
        relationship: _LeadsFrom[R, ModelT, WrapperT, RelationT],
        rows: Iterable[NewRow[ModelT, WrapperT, RelationT]],
        /,
    ) -> Self:
        """
        Push rows below this one: `posts.push(post).with_(PostComments, [Comment("first"), Comment("second")])`.

        Args:
            relationship: A `HasMany` or `HasOne`, whose key the rows are given, or a `ManyToMany`, for which a row that
                ties the two is pushed for each.
            rows: Models, wrappers, or tuples of one and assignments.

        Returns:
            This ref again. For refs of the rows below, and for rows below those: `changes.children(relationship, ref)`.

        Raises:
            QueryError: The relationship does not lead from this row's relation or is of another kind, or a row is wrong.
        """
        owner = self.owner
        assert isinstance(owner, Owner)
        changes: Any = owner.changes(self)
        changes.children(relationship, self).extend(rows)
        return self


def pushed(relation: Any, positions: Iterable[int], owner: Owner) -> list[Pushed[Any, Any]]:
    """Return the refs of rows at these positions, at half the time that making each by its class takes."""
    refs: list[Pushed[Any, Any]] = []
    keep, new = refs.append, object.__new__
    for position in positions:
        ref = new(Pushed)
        ref.relation = relation
        ref.position = position
        ref.owner = owner
        keep(ref)
    return refs
