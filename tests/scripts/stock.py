"""The relations that scripts write to, and the plain model of what is in them: dictionaries."""

from copy import deepcopy
from typing import Any, Self

import attrs

from mapper import Column, Keyed, Relation, Repository, Versioned, column, select
from mapper.errors import CheckViolation, ForeignKeyViolation, MapperError, UniqueViolation

__all__ = ["Product", "Products", "Shelf", "Shelves", "State", "Stock", "Tag", "Tags", "found"]


@attrs.frozen
class Shelf:
    name: str


@attrs.frozen
class Product:
    label: str
    count: int


@attrs.frozen
class Tag:
    slug: str
    label: str


class Shelves(Relation[Shelf]):
    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(unique=True)


class Products(Relation[Product, int, Versioned[Keyed[Product, int]]]):
    """Versioned, with a reference, a unique column and a check."""

    id: Column[int] = column(primary_key=True)
    shelf_id: Column[int] = column(references=lambda: Shelves.id)
    label: Column[str] = column(unique=True)
    count: Column[int] = column(check="count >= 0")
    version: Column[int] = column(version=True)


class Tags(Relation[Tag, str]):
    """A natural key, and a second thing to conflict with."""

    slug: Column[str] = column(primary_key=True)
    label: Column[str] = column(unique=True)
    uses: Column[int] = column(default=0)


class Stock(Repository[Shelves | Products | Tags]): ...


@attrs.define
class State:
    """
    What is in the store.

    Attributes:
        shelves: Names by key.
        products: Shelf, label, count and version by key.
        tags: Label and uses by slug.
        once: By id, what was committed under it and what that gave.
    """

    shelves: dict[int, str] = attrs.field(factory=dict)
    products: dict[int, tuple[int, str, int, int]] = attrs.field(factory=dict)
    tags: dict[str, tuple[str, int]] = attrs.field(factory=dict)
    once: dict[str, tuple[Any, Any]] = attrs.field(factory=dict)

    def copied(self) -> Self:
        """Return it as it is now: what a savepoint keeps."""
        return deepcopy(self)

    def become(self, other: Self) -> None:
        """Be what another one is."""
        self.shelves, self.products, self.tags, self.once = other.shelves, other.products, other.tags, other.once

    @property
    def rows(self) -> tuple[Any, ...]:
        """What reads give."""
        return (
            sorted(self.shelves.items()),
            sorted((key, *row) for key, row in self.products.items()),
            sorted((slug, *row) for slug, row in self.tags.items()),
        )

    def refusal_of_product(self, key: int | None, shelf: int, label: str, count: int) -> type[MapperError] | None:
        """Return the violation that storing a product would be; of a new one without a key."""
        if count < 0:
            return CheckViolation
        if any(row[1] == label for other, row in self.products.items() if other != key):
            return UniqueViolation
        return None if shelf in self.shelves else ForeignKeyViolation


async def found(stock: Stock) -> tuple[Any, ...]:
    """Read everything, as `State.rows` has it."""
    return (
        await select(Shelves.id, Shelves.name).order_by(Shelves.id).all(stock),
        await select(Products.id, Products.shelf_id, Products.label, Products.count, Products.version)
        .order_by(Products.id)
        .all(stock),
        await select(Tags.slug, Tags.label, Tags.uses).order_by(Tags.slug).all(stock),
    )
