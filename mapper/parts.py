"""
Parts of documents and items of lists, as methods of an expression, with the types that follow.

An expression and keys, or a path as a function, go in; an expression comes out. `mapper.expressions` makes it.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, overload

from typing_extensions import TypeVar

from mapper.errors import QueryError
from mapper.paths import Steps, recorded

if TYPE_CHECKING:
    from mapper.expressions import Expr

__all__ = ["Parted"]

T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True, default=Any)
P = TypeVar("P")
R = TypeVar("R")
S = TypeVar("S")


class Parted(Generic[T_co, R_co]):
    """What an expression has of which the value is a list or a document."""

    __slots__ = ()

    @overload
    def __getitem__(self: "Parted[list[S] | None, R]", key: int) -> "Expr[S | None, R]": ...
    @overload
    def __getitem__(self: "Parted[dict[str, S] | None, R]", key: str) -> "Expr[S | None, R]": ...
    @overload
    def __getitem__(self, key: str | int) -> "Expr[Any, R_co]": ...
    def __getitem__(self, key: Any) -> "Expr[Any, Any]":
        """
        Take an item of a list, or a part of a document: `Posts.tags[0]`, `Posts.meta["authors"][-1]["name"].as_(str)`.

        Positions count from 0, negative ones from the end. What is not there is NULL; JSON's null is there, and
        `fn.json_type` tells. A part whose type no annotation says is compared once it has one: `.as_(str)`.
        """
        if isinstance(key, bool) or not isinstance(key, str | int):
            raise QueryError(f"{self!r} has no part {key!r}", hint="name a key as text, or a position")
        return self._part((key,))

    __iter__: None = None
    __contains__: None = None

    def at(self: "Parted[S | None, R]", path: "Callable[[S], P]") -> "Expr[P | None, R]":
        """
        Take a part of a document by the fields of its class, typed: `Users.settings.at(lambda s: s.theme.color)`.

        The function is called once, with a stand-in that takes note of fields, keys and positions.
        """
        return self._part(recorded(path))

    def as_(self, type_: type[S]) -> "Expr[S | None, R_co]":
        """
        Take a part of a document as a value of a type: text as `str`, `date`, `datetime`, `UUID`, `Decimal` or an
        `Enum`, a number as `int`, `float` or `Decimal`, true and false as `bool`, objects and arrays as `dict`, `list`
        or a class. NULL where the part is something else, JSON's null, or not there.
        """
        return self._part_as(type_)

    @abstractmethod
    def _part(self, steps: Steps) -> "Expr[Any, Any]":
        """Return the item, or the part of a document, at these steps."""

    @abstractmethod
    def _part_as(self, type_: Any) -> "Expr[Any, Any]":
        """Return the part of a document as a value of a type."""
