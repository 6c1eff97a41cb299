"""
What a storage type is, and the two errors of values and annotations.

In goes a Python value, out comes the value as every gateway takes it, or a `Misfit` that says why it cannot be kept
exactly.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic

import attrs
import msgspec
from typing_extensions import TypeVar

from mapper.types.naming import shown

__all__ = ["Misfit", "StorageType", "UnknownType"]

T = TypeVar("T")


class Misfit(ValueError):
    """
    A value that a storage type cannot keep exactly.

    `str()` of it shows the value; whoever reports on a sensitive column takes `expected` alone.

    Attributes:
        message: What was found, with its type, what was expected, and why it fails where that does not go without
            saying.
        expected: What was expected; never contains the value.
        hint: The next step, or None; never contains the value.
    """

    def __init__(self, value: object, expected: str, *, hint: str | None = None, detail: str = "") -> None:
        self.message = f"found {shown(value)}, expected {expected}{detail and f': {detail}'}"
        self.expected = expected
        self.hint = hint
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\nHINT: {self.hint}" if self.hint else self.message

    def within(self, place: str) -> "Misfit":
        """The same misfit, said to be in a part of a larger value: `within("item 3")`."""
        outer = Misfit(None, self.expected, hint=self.hint)
        outer.message = f"{place}: {self.message}"
        return outer


class UnknownType(TypeError):
    """
    An annotation that no storage type keeps, or a storage type that does not fit its annotation.

    Attributes:
        message: What was found and what is supported.
        hint: The next step, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = message
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        return f"{self.message}\nHINT: {self.hint}" if self.hint else self.message


@attrs.frozen
class StorageType(ABC, Generic[T]):
    """
    How values of one column are kept: which Python values it takes and which it refuses.

    Storage types are values: hashable, equal when their parts are. How a store keeps them is the business of the
    gateway's `Codecs`.

    Attributes:
        key: Short text, equal exactly for equal types within a process; part of structural keys.
        as_it_is: Source of a condition on `{0}` that holds for values, the commonest ones, which `check` returns as
            they are: generated functions have it in the place of a call. None where there is none.
    """

    as_it_is: ClassVar[str | None] = None

    key: str = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "key", self._key())

    @property
    @abstractmethod
    def python(self) -> type[Any]:
        """The class of the values that a user sees; `object` where they have no common one."""

    @property
    def plain(self) -> "StorageType[Any]":
        """
        The type that expressions see, by which operators are chosen: itself, or what it is a narrower kind of, where
        only the column is to know that.
        """
        return self

    @property
    def unlimited(self) -> "StorageType[Any]":
        """
        The same type without limits of length, precision and scale: of values that are compared with a column's, and not
        stored in it.
        """
        return self

    def completed(self, members: tuple[Any, ...]) -> "StorageType[Any] | None":
        """
        Complete the type by what its column is annotated with.

        Args:
            members: The members of the annotation apart from None; mostly one.

        Returns:
            The type; None where the annotation's values are not those of the type.
        """
        return self if members == (self.python,) else None

    def portable(self, value: Any) -> Any:
        """Return a value of the type, not None, in a form that MessagePack holds: for the cursors of pages."""
        return value

    def restored(self, value: Any) -> Any:
        """
        Return the value that such a form stands for.

        Raises:
            ValueError, TypeError: It stands for none of this type.
        """
        return self.check(msgspec.convert(value, self.python, strict=False))

    @abstractmethod
    def check(self, value: object) -> T:
        """
        The value as it will be read back: subclasses become the exact class, instants become UTC, decimals get their
        scale.

        Raises:
            Misfit: The value cannot be kept exactly. None is refused too: NULL is the column's business.
        """

    @abstractmethod
    def _key(self) -> str:
        """The text of `key`; called once."""
