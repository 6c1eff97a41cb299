"""
The writes of a script: each is put into a changeset, and foretold on the model.

What a write names is a number that is taken among what is there when the script comes to it, so that scripts shrink.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import attrs
from hypothesis import strategies as st

from mapper import Changeset, excluded
from mapper.errors import ForeignKeyViolation, MapperError, MissingRow, StaleRow, UniqueViolation
from tests.scripts.stock import Product, Products, Shelf, Shelves, State, Tag, Tags

__all__ = ["Counts", "Foretold", "Resolved", "Write", "built", "foretold", "resolved", "writes"]

NOWHERE: Final = 10**6
"""The key of no shelf."""


@attrs.frozen
class Write:
    """One write, as drawn: `which`, `where`, `name` and `number` mean what the kind makes of them."""

    kind: str
    which: int = 0
    where: int = 0
    name: str = ""
    number: int = 0


Resolved: TypeAlias = tuple[Any, ...]
"""A write with the keys that it names: the kind, and what it takes."""

NAMES: Final = st.sampled_from("abcdefghijkl")
PLACES: Final = st.integers(0, 5)

_FIRST: Final = (  # before what refers to shelves, whatever the order given
    st.builds(Write, st.just("new shelf"), name=NAMES),
    st.builds(Write, st.just("rename shelf"), which=PLACES, name=NAMES),
)
_BETWEEN: Final = (
    st.builds(Write, st.just("new product"), where=st.integers(-1, 6), name=NAMES, number=st.integers(-1, 3)),
    st.builds(Write, st.just("upsert product"), where=PLACES, name=NAMES, number=st.integers(0, 3)),
    st.builds(Write, st.just("set count"), which=PLACES, number=st.integers(-1, 3)),
    st.builds(Write, st.just("add to shelf"), where=PLACES, number=st.integers(-2, 2)),
    st.builds(Write, st.just("update as read"), which=PLACES, number=st.integers(0, 5)),
    st.builds(Write, st.just("delete product"), name=NAMES),
    st.builds(Write, st.just("delete as read"), which=PLACES),
    st.builds(Write, st.just("new tag"), name=NAMES, which=PLACES),
    st.builds(Write, st.just("upsert tag"), name=NAMES, which=PLACES),
    st.builds(Write, st.just("new tag unless there"), name=NAMES, which=PLACES),
    st.builds(Write, st.just("delete tag"), name=NAMES),
)
_LAST: Final = (st.builds(Write, st.just("delete shelf"), which=PLACES),)


def writes() -> st.SearchStrategy[tuple[Write, ...]]:
    """
    Return strategies of a changeset's writes. Either it makes shelves or it takes some away: with both, the order
    between relations and the one within a relation could contradict each other.
    """
    making, taking = st.one_of(*_FIRST, *_BETWEEN), st.one_of(*_BETWEEN, *_LAST)
    return st.one_of(st.lists(making, min_size=1, max_size=5), st.lists(taking, max_size=4)).map(tuple)


def resolved(drawn: Sequence[Write], state: State, seen: Sequence[Any]) -> list[Resolved]:
    """
    Say which rows the writes are about.

    Args:
        seen: Products as they were read at some time, which may have changed since.
    """
    made: list[Resolved] = []
    shelves, products = sorted(state.shelves), sorted(state.products)
    for each in drawn:
        new = sum(1 for other in made if other[0] == "new shelf")
        match each.kind:
            case "new shelf":
                made.append((each.kind, each.name))
            case "rename shelf" | "delete shelf":
                if shelves:
                    made.append((each.kind, shelves[each.which % len(shelves)], each.name))
            case "new product" | "upsert product":
                shelf = _shelf(each, shelves, new)
                if shelf is not None:
                    made.append((each.kind, shelf, each.name, each.number))
            case "set count":
                if products:
                    made.append((each.kind, products[each.which % len(products)], each.number))
            case "add to shelf":
                if shelves:
                    made.append((each.kind, shelves[each.where % len(shelves)], each.number))
            case "update as read" | "delete as read":
                if seen:
                    made.append((each.kind, seen[each.which % len(seen)], each.number))
            case "delete product" | "delete tag":
                made.append((each.kind, each.name))
            case _:
                made.append((each.kind, each.name, "uvwxyz"[each.which]))
    return made


def _shelf(write: Write, shelves: Sequence[int], new: int) -> Any:
    """Return the key of a shelf, the number of a new one as a string, or none where there is neither."""
    if write.kind == "new product" and write.where < 0:
        return NOWHERE
    if new and write.where % 2:
        return f"new {write.where % new}"
    return shelves[write.where % len(shelves)] if shelves else None


# -- as a changeset ----------------------------------------------------------------------------------------------------


def built(written: Sequence[Resolved], changes: "Changeset[Shelves | Products | Tags]") -> list[Any]:
    """Put writes into a changeset, and return the refs of what is new, in order; of upserts too."""
    refs: list[Any] = []
    shelves: list[Any] = []
    for kind, *parts in written:
        match kind, parts:
            case "new shelf", [name]:
                shelves.append(changes.inserts(Shelves).push(Shelf(name)))
                refs.append(shelves[-1])
            case "rename shelf", [key, name]:
                changes.updates(Shelves).where(Shelves.id == key).set(Shelves.name.to(name))
            case "delete shelf", [key, _]:
                changes.deletes(Shelves).where(Shelves.id == key)
            case "new product" | "upsert product", [shelf, label, count]:
                inserts = changes.inserts(Products)
                if kind == "upsert product":
                    inserts = inserts.on_conflict(Products.label, update=[Products.count])
                key = shelves[int(shelf.split()[1])] if isinstance(shelf, str) else shelf
                refs.append(inserts.push(Product(label, count), Products.shelf_id.to(key)))
            case "set count", [key, count]:
                changes.updates(Products).where(Products.id == key).set(Products.count.to(count))
            case "add to shelf", [shelf, more]:
                changes.updates(Products).where(Products.shelf_id == shelf).set(
                    Products.count.to(Products.count + more)
                )
            case "update as read", [row, count]:
                changes.update(Products, row, Products.count.to(count))
            case "delete as read", [row, _]:
                changes.delete(Products, row)
            case "delete product", [label]:
                changes.deletes(Products).where(Products.label == label)
            case "delete tag", [slug]:
                changes.deletes(Tags).where(Tags.slug == slug)
            case _, [slug, label]:
                refs.append(_tags(changes, kind).push(Tag(slug, label)))
            case _:
                raise AssertionError(f"no write: {kind} {parts}")
    return refs


def _tags(changes: Any, kind: str) -> Any:
    inserts = changes.inserts(Tags)
    if kind == "upsert tag":
        return inserts.on_conflict(Tags.slug, set_=[Tags.uses.to(Tags.uses + 1), Tags.label.to(excluded(Tags.label))])
    return inserts.on_conflict() if kind == "new tag unless there" else inserts


# -- on the model ------------------------------------------------------------------------------------------------------


@attrs.define
class Counts:
    """Numbers of rows."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    ignored: int = 0


@attrs.define
class Foretold:
    """
    What a commit must give.

    Attributes:
        state: Afterwards, where it succeeds. The keys of new rows are below zero, by the number of the new row.
        refusals: Why it cannot succeed; none where it must.
    """

    state: State
    counts: Counts = attrs.field(factory=Counts)
    refusals: set[type[MapperError]] = attrs.field(factory=set)

    def settle(self, keys: Sequence[Any]) -> None:
        """Give new rows the keys that the store gave them."""
        names = {-1 - number: key for number, key in enumerate(keys)}
        self.state.shelves = {names.get(key, key): name for key, name in self.state.shelves.items()}
        self.state.products = {
            names.get(key, key): (names.get(row[0], row[0]), *row[1:]) for key, row in self.state.products.items()
        }


def foretold(written: Sequence[Resolved], state: State) -> Foretold:
    """Apply writes to a copy of the model: shelves are made before products are stored, and taken away behind them."""
    told = Foretold(state.copied())
    news = [number for number, each in enumerate(_pushes(written)) if each[0] == "new shelf"]
    numbers = iter(range(len(written)))
    numbered = [(next(numbers) if each in _PUSHED else None, each, parts) for each, *parts in written]
    for group in (_SHELF_FIRST, None, ("delete shelf",)):
        for number, kind, parts in numbered:
            if (kind in group) if group is not None else kind not in (*_SHELF_FIRST, "delete shelf"):
                _apply(told, kind, parts, -1 - (number or 0), news)
    return told


_SHELF_FIRST: Final = ("new shelf", "rename shelf")
_PUSHED: Final = (
    "new shelf", "new product", "upsert product", "new tag", "upsert tag", "new tag unless there",
)  # fmt: skip


def _pushes(written: Sequence[Resolved]) -> list[Resolved]:
    return [each for each in written if each[0] in _PUSHED]


def _apply(told: Foretold, kind: str, parts: Sequence[Any], key: int, news: Sequence[int]) -> None:
    state, counts = told.state, told.counts
    match kind, parts:
        case "new shelf", [name]:
            if name in state.shelves.values():
                told.refusals.add(UniqueViolation)
            state.shelves[key] = name
            counts.inserted += 1
        case "rename shelf", [shelf, name]:
            if shelf in state.shelves:
                if any(each == name for other, each in state.shelves.items() if other != shelf):
                    told.refusals.add(UniqueViolation)
                state.shelves[shelf] = name
                counts.updated += 1
        case "delete shelf", [shelf, _]:
            if any(row[0] == shelf for row in state.products.values()):
                told.refusals.add(ForeignKeyViolation)
            counts.deleted += state.shelves.pop(shelf, None) is not None
        case "new product" | "upsert product", [shelf, label, count]:
            place = -1 - news[int(shelf.split()[1])] if isinstance(shelf, str) else shelf
            there = [each for each, row in state.products.items() if row[1] == label]
            if kind == "upsert product" and there:
                _update(told, there, lambda _: count)
                return
            told.refusals |= {each for each in [state.refusal_of_product(None, place, label, count)] if each}
            state.products[key] = (place, label, count, 1)
            counts.inserted += 1
        case "set count", [product, count]:
            _update(told, [product], lambda _: count)
        case "add to shelf", [shelf, more]:
            _update(told, [each for each, row in state.products.items() if row[0] == shelf], lambda old: old + more)
        case "update as read" | "delete as read", [row, count]:
            _as_read(told, kind, row, count)
        case "delete product", [label]:
            for each in [each for each, row in state.products.items() if row[1] == label]:
                del state.products[each]
                counts.deleted += 1
        case "delete tag", [slug]:
            counts.deleted += state.tags.pop(slug, None) is not None
        case _, [slug, label]:
            _tag(told, kind, slug, label)
        case _:
            raise AssertionError(f"no write: {kind} {parts}")


def _update(told: Foretold, keys: Sequence[int], count: Callable[[int], int]) -> None:
    for each in keys:
        if each in told.state.products:
            shelf, label, old, version = told.state.products[each]
            told.refusals |= {one for one in [told.state.refusal_of_product(each, shelf, label, count(old))] if one}
            told.state.products[each] = (shelf, label, count(old), version + 1)
            told.counts.updated += 1


def _as_read(told: Foretold, kind: str, row: Any, count: int) -> None:
    key, version = row.model.key, row.version
    if key not in told.state.products:
        told.refusals.add(MissingRow)
    elif told.state.products[key][3] != version:
        told.refusals.add(StaleRow)
    elif kind == "update as read":
        _update(told, [key], lambda _: count)
    else:
        del told.state.products[key]
        told.counts.deleted += 1


def _tag(told: Foretold, kind: str, slug: str, label: str) -> None:
    tags, counts = told.state.tags, told.counts
    taken = any(row[0] == label for other, row in tags.items() if other != slug)
    if kind == "new tag unless there" and (taken or slug in tags):
        counts.ignored += 1
    elif kind == "upsert tag" and slug in tags:
        if taken:
            told.refusals.add(UniqueViolation)
        tags[slug] = (label, tags[slug][1] + 1)
        counts.updated += 1
    else:
        if slug in tags or any(row[0] == label for row in tags.values()):
            told.refusals.add(UniqueViolation)
        tags[slug] = (label, 0)
        counts.inserted += 1
