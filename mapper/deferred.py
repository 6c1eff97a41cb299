"""
Values that are known later: they stand in queries and changesets where a value will be.
"""

from typing import Any, Generic, NoReturn

from typing_extensions import TypeVar

__all__ = ["Deferred", "KeyPart", "Placeholder", "Ref"]

T_co = TypeVar("T_co", covariant=True)


class Deferred:
    """A value that is known later: a placeholder of a prepared query, or the key of a row yet to be inserted."""

    __slots__ = ()

    def __bool__(self) -> NoReturn:
        raise TypeError(f"the value of {self!r} is not known yet, so it has no truth value")

    def __str__(self) -> NoReturn:
        raise TypeError(f"the value of {self!r} is not known yet, so it cannot be made a string")

    def __format__(self, specification: str) -> NoReturn:
        raise TypeError(f"the value of {self!r} is not known yet, so it cannot be formatted")


class Placeholder(Deferred):
    """The argument of a prepared query at position `index`."""

    __slots__ = ("index", "name")

    def __init__(self, index: int, name: str) -> None:
        self.index = index
        self.name = name

    def __repr__(self) -> str:
        return f"<placeholder {self.name}>"


class Ref(Deferred, Generic[T_co]):
    """
    The key of a row which a changeset has yet to insert; a value in later pushes, updates and conditions of the same
    changeset.

    After the commit, `result[ref]` is the key. Two refs of one row are equal.

    Attributes:
        relation: The relation that the row goes to.
        position: How many rows the changeset pushed before it.
        owner: What tells refs of one changeset from those of another.
    """

    __slots__ = ("owner", "position", "relation")

    def __init__(self, relation: Any, position: int, owner: object = None) -> None:
        self.relation = relation
        self.position = position
        self.owner = owner

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ref):
            return NotImplemented
        same = self.owner is other.owner and self.position == other.position
        return same and getattr(self, "part", None) == getattr(other, "part", None)

    def __hash__(self) -> int:
        return hash((id(self.owner), self.position))

    def __repr__(self) -> str:
        return f"<ref {self.position} of {self.relation.__name__}>"


class KeyPart(Ref[Any]):
    """One column's value of a key that has several; `part` is its place among them."""

    __slots__ = ("part",)

    def __init__(self, ref: Ref[Any], part: int) -> None:
        super().__init__(ref.relation, ref.position, ref.owner)
        self.part = part

    def __repr__(self) -> str:
        return f"{super().__repr__()}[{self.part}]"
