"""Models whose annotations are strings: forward references, names for checkers alone, fields named like types."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import TYPE_CHECKING, Generic

import attrs
from typing_extensions import TypeVar

if TYPE_CHECKING:
    from decimal import Decimal

T = TypeVar("T")


@attrs.frozen
class Person:
    name: str
    home: Address | None = None
    born: date | None = None


@attrs.frozen
class Address:
    street: str
    city: str


@attrs.frozen
class Priced:
    name: str
    price: Decimal


@dataclasses.dataclass
class Dated:
    date: date | None = None
    other: date | None = None  # type: ignore[valid-type]  # at run time the class is not yet there to hide the type


@attrs.frozen
class Boxed(Generic[T]):
    value: T
    many: list[T]


@attrs.frozen
class Numbers(Boxed[int]):
    name: str


class Written:
    def __init__(self, name: str, home: Address) -> None:
        self.name = name
        self.home = home


class Outer:
    @attrs.frozen
    class Inner:
        kind: Kind

        class Kind:
            def __init__(self, code: int) -> None:
                self.code = code
