"""
Relationships: zero-state classes that join two relations.

A class body with the names of columns goes in; a `RelationshipInfo` comes out, which says how to walk from a row of one
relation to its rows of the other, or a `DeclarationError` that lists all that is wrong. Queries walk it in joins,
conditions and `combine`, changesets in nested writes.
"""

from typing import Any, ClassVar, Generic, Never, Protocol

from typing_extensions import TypeVar

from mapper.errors import DeclarationError
from mapper.relation import Stored
from mapper.ways import Hop, RelationshipInfo, declared

__all__ = [
    "BelongsTo",
    "HasMany",
    "HasOne",
    "Hop",
    "Leading",
    "ManyToMany",
    "Related",
    "Relationship",
    "RelationshipInfo",
    "Through",
    "ToMany",
    "ToOne",
    "Way",
    "is_relationship",
    "walked",
]

Of = TypeVar("Of")
To = TypeVar("To")
By = TypeVar("By", default=Never)
Between = TypeVar("Between")
Of_co = TypeVar("Of_co", covariant=True)
M_co = TypeVar("M_co", covariant=True)
W_co = TypeVar("W_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)


class Way(Generic[Of_co, To, Between]):
    """
    For type checkers: where a relationship leads from, where to, and what lies between; the latter two are invariant,
    so that nothing is widened to fit.
    """


class Related(Protocol[Of_co, To, Between]):
    """For type checkers: a relationship's class that leads from `Of` to `To`."""

    def _way(self) -> Way[Of_co, To, Between]: ...


class Leading(Protocol[Of_co, M_co, R_co]):
    """For type checkers: a relationship's class that leads from `Of` to a relation with the model `M`."""

    def of(self) -> type[Of_co]: ...
    def to(self) -> Stored[M_co, Any, R_co]: ...


class ToMany(Protocol[Of_co, M_co, W_co, R_co]):
    """For type checkers: a relationship's class that gives any number of rows for each row of `Of`."""

    def of(self) -> type[Of_co]: ...
    def many(self) -> Stored[M_co, W_co, R_co]: ...


class ToOne(Protocol[Of_co, M_co, W_co, R_co]):
    """For type checkers: a relationship's class that gives one row at most for each row of `Of`."""

    def of(self) -> type[Of_co]: ...
    def one(self) -> Stored[M_co, W_co, R_co]: ...


def is_relationship(value: object) -> bool:
    """Whether a value is the class of a relationship."""
    return isinstance(value, type) and isinstance(vars(value).get("__relationship__"), RelationshipInfo)


def walked(relationship: Any) -> RelationshipInfo:
    """
    Return what a relationship's class declares.

    Raises:
        DeclarationError: It is not a relationship's class.
    """
    if is_relationship(relationship):
        declares: RelationshipInfo = relationship.__relationship__
        return declares
    raise DeclarationError(
        f"{relationship!r} is not a relationship",
        hint="a relationship is a class: class PostComments(HasMany[Posts, Comments]): key = Comments.post_id",
    )


class Relationship(Generic[Of, To, By]):
    """
    The base of relationships, which derive from `HasMany`, `HasOne`, `BelongsTo`, `ManyToMany` or `Through`.

    Class attributes:
        key: The column that holds the other relation's key, or a tuple of columns: of the relation that it leads to
            (`HasMany`, `HasOne`), or of the one that it starts from (`BelongsTo`).
        on: The columns that `key` refers to; the primary key without it.
        where: A condition on the rows that it leads to, or a tuple of them.
        order: Their order: an order, a column, or a tuple of these.
        through, keys: Of `ManyToMany`: the relation between, and its columns that refer to either side.
        path: Of `Through`: relationships, each of which starts where the one before ends.

    A class derived from another relationship has what that one declares, and may declare some of it anew.

    Raises:
        DeclarationError: When the class is made; it lists everything that is wrong.
    """

    __relationship__: ClassVar[RelationshipInfo | None] = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if cls.__module__ != __name__:
            cls.__relationship__ = declared(cls, _kind(cls))

    def __new__(cls, *_: object, **__: object) -> "Relationship[Of, To, By]":
        raise TypeError(
            f"{cls.__name__} is a relationship, which has no instances\nHINT: give the class itself: {cls.__name__}"
        )

    @classmethod
    def of(cls) -> type[Of]:
        """Return the relation that it starts from. For type checkers, it projects its type."""
        source: type[Of] = walked(cls).source
        return source

    @classmethod
    def to(cls) -> type[To]:
        """Return the relation that it leads to. For type checkers, it projects its type."""
        target: type[To] = walked(cls).target
        return target

    @classmethod
    def _way(cls) -> Way[Of, To, By]:
        """For type checkers: project where it leads from, where to, and what lies between."""
        return Way()


class HasMany(Relationship[Of, To, Never]):
    """Rows of `To` that hold the key of a row of `Of`: `class PostComments(HasMany[Posts, Comments])`."""

    key: ClassVar[Any] = None
    on: ClassVar[Any] = None
    where: ClassVar[Any] = ()
    order: ClassVar[Any] = ()

    @classmethod
    def many(cls) -> type[To]:
        """Return the relation that it leads to: for type checkers, many rows of it."""
        return cls.to()


class HasOne(Relationship[Of, To, Never]):
    """
    The row of `To` that holds the key of a row of `Of`; of several, the first in `order`, and of equal ones or without
    an order the one with the smallest key.
    """

    key: ClassVar[Any] = None
    on: ClassVar[Any] = None
    where: ClassVar[Any] = ()
    order: ClassVar[Any] = ()

    @classmethod
    def one(cls) -> type[To]:
        """Return the relation that it leads to: for type checkers, one row of it."""
        return cls.to()


class BelongsTo(Relationship[Of, To, Never]):
    """The row of `To` whose key a row of `Of` holds: `class CommentAuthor(BelongsTo[Comments, Users])`."""

    key: ClassVar[Any] = None
    on: ClassVar[Any] = None
    where: ClassVar[Any] = ()

    @classmethod
    def one(cls) -> type[To]:
        """Return the relation that it leads to: for type checkers, one row of it."""
        return cls.to()


class ManyToMany(Relationship[Of, To, By], Generic[Of, To, By]):
    """
    Rows of `To` that a third relation ties to a row of `Of`:
    `through = PostTagLinks; keys = (PostTagLinks.post_id, PostTagLinks.tag_id)`.

    `order` may name columns of the third relation too. Named as well, `ManyToMany[Posts, Tags, PostTagLinks]`, its
    columns type-check wherever the relationship is joined.
    """

    through: ClassVar[Any] = None
    keys: ClassVar[Any] = ()
    on: ClassVar[Any] = None
    where: ClassVar[Any] = ()
    order: ClassVar[Any] = ()

    @classmethod
    def many(cls) -> type[To]:
        """Return the relation that it leads to: for type checkers, many rows of it."""
        return cls.to()


class Through(Relationship[Of, To, By], Generic[Of, To, By]):
    """
    Rows of `To` that a path of relationships leads to, each once: `path = (PostComments, CommentAuthor)`.

    The conditions of the path's relationships hold, their orders do not. Named as well,
    `Through[Posts, Users, Comments]`, columns of relations between type-check wherever the relationship is joined.
    """

    path: ClassVar[Any] = ()
    where: ClassVar[Any] = ()
    order: ClassVar[Any] = ()

    @classmethod
    def many(cls) -> type[To]:
        """Return the relation that it leads to: for type checkers, many rows of it."""
        return cls.to()


def _kind(cls: type) -> type:
    """Return the base that says which kind of relationship a class is."""
    found = [each for each in cls.__mro__[1:] if each in _KINDS]
    if len(found) == 1:
        return found[0]
    raise DeclarationError(
        f"{cls.__name__} is a relationship of {' and '.join([each.__name__ for each in found]) or 'no kind'}",
        hint="derive it from one of HasMany, HasOne, BelongsTo, ManyToMany and Through",
    )


_KINDS: tuple[type, ...] = (HasMany, HasOne, BelongsTo, ManyToMany, Through)
