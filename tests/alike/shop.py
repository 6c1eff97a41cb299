"""
The relations that random changesets write: with keys, versions, checks, unique columns, limits and references.

Keys that a store makes count from 1, and which it leaves out is its own affair; keys that are given are negative.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import attrs

from mapper import Check, Column, Keyed, Numeric, Relation, Repository, Unique, Varchar, Versioned, column, select


@attrs.frozen
class Owner:
    name: str


@attrs.frozen
class Item:
    name: str
    size: int
    note: str | None = None
    price: Decimal | None = None


@attrs.frozen
class Label:
    weight: int = 1


class Owners(Relation[Owner, str], name="alike_owners"):
    name: Column[str] = column(primary_key=True, type=Varchar(6))


class Items(
    Relation[Item, int, Versioned[Keyed[Item, int]]],
    name="alike_items",
    indexes=[Unique("name", "owner", name="alike_name_of_owner")],
    checks=[Check(lambda: Items.size > -50, "alike_size")],
):
    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(type=Varchar(6))
    size: Column[int]
    note: Column[str | None]
    price: Column[Decimal | None] = column(type=Numeric(6, 2))
    slug: Column[str | None] = column(unique=True)
    owner: Column[str | None] = column(type=Varchar(6), references=lambda: Owners.name, on_delete="set null")
    parent_id: Column[int | None] = column(references=lambda: Items.id, on_delete="cascade")
    version: Column[int] = column(version=True)


class Labels(Relation[Label, tuple[int, str]], name="alike_labels"):
    item_id: Column[int] = column(primary_key=True, references=lambda: Items.id, on_delete="restrict")
    text: Column[str] = column(primary_key=True)
    weight: Column[int]


class Shop(Repository[Owners | Items | Labels]): ...


async def rows_of_items(shop: Shop) -> list[Versioned[Keyed[Item, int]]]:
    """Return the items as they can be updated one by one, those with given keys first, then in the order of their making."""
    return await select(Items).order_by(Items.id).all(shop)


async def content(shop: Shop) -> list[list[tuple[Any, ...]]]:
    """Return all rows of all relations, with keys that the store made replaced by their places among such."""
    items = (
        await select(
            Items.id,
            Items.name,
            Items.size,
            Items.note,
            Items.price,
            Items.slug,
            Items.owner,
            Items.parent_id,
            Items.version,
        )
        .order_by(Items.id)
        .all(shop)
    )
    made = [row[0] for row in items if row[0] > 0]
    places: dict[Any, Any] = {key: place for place, key in enumerate(made, 1)}
    labels = await select(Labels.item_id, Labels.text, Labels.weight).all(shop)
    owners = await select(Owners.name).order_by(Owners.name).all(shop)
    return [
        [(each,) for each in owners],
        [(places.get(row[0], row[0]), *row[1:7], places.get(row[7], row[7]), row[8]) for row in items],
        sorted([(places.get(item, item), *rest) for item, *rest in labels]),
    ]


async def begun(shops: Sequence[Shop]) -> None:
    """Replace all rows of shops by two owners and a few items."""
    for shop in shops:
        changes = Shop.change()
        changes.deletes(Labels).everywhere()
        changes.deletes(Items).everywhere()
        changes.deletes(Owners).everywhere()
        changes.inserts(Owners).extend([Owner("a"), Owner("b")])
        items = changes.inserts(Items)
        items.push(Item("a", 1), Items.id.to(-1), Items.owner.to("a"), Items.slug.to("a"))
        items.push(Item("b", -3, "é", Decimal("2.50")), Items.id.to(-2), Items.parent_id.to(-1))
        items.push(Item("c", 7, None, Decimal("0.01")))
        changes.inserts(Labels).push(Label(2), Labels.item_id.to(-2), Labels.text.to("b"))
        await changes.commit(shop)
