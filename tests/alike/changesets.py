"""
Random changesets and random transactions around them, as data that can be run on any store.

A `Write` knows how to add itself to a changeset; a `Step` is a changeset to commit, or a block of further steps that
ends well or is rolled back.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mapper import Changeset, Keyed, MapperError, StoreError, Versioned, excluded, fn
from tests.alike.shop import Item, Items, Label, Labels, Owner, Owners, Shop, rows_of_items

__all__ = ["BLOCKS", "COMMITS", "Block", "Commit", "run"]

NAMES: Final = st.sampled_from(["", "a", "b", "é", "😀"])
LONG_NAMES: Final = st.sampled_from(["c", "d", "é", "a", "1234567"])
OWNERS: Final = st.sampled_from([None, "a", "b", "c"])
SIZES: Final = st.sampled_from([0, 1, -1, 2, 3, 40, -49, 2**62, -50])
SMALL: Final = st.integers(-3, 3)
PRICES: Final = st.none() | st.sampled_from([Decimal(each) for each in ("0", "0.5", "0.01", "9999.99", "-1.10")])
KEYS: Final = st.integers(-4, -1)
ITEMS: Final = st.builds(Item, NAMES, SIZES, st.none() | NAMES, PRICES)

Rows: TypeAlias = Sequence[Versioned[Keyed[Item, int]]]


@attrs.frozen
class Write:
    """One write: what it does, and what it is given."""

    kind: str
    given: tuple[Any, ...]

    def add(self, changes: Changeset[Any], rows: Rows) -> None:
        """Add it to a changeset; `rows` are the items as they were read before."""
        ADD[self.kind](changes, rows, *self.given)


def _push(
    changes: Changeset[Any], rows: Rows, item: Item, key: int | None, slug: str | None, owner: str | None
) -> None:
    values = [Items.slug.to(slug), Items.owner.to(owner)]
    changes.inserts(Items).push(item, *values, *([] if key is None else [Items.id.to(key)]))


def _push_family(changes: Changeset[Any], rows: Rows, items: list[Item], label: str) -> None:
    """Push items that each refer to the one before, and a label of the last."""
    inserts, parent = changes.inserts(Items), None
    for each in items:
        parent = inserts.push(each, *([] if parent is None else [Items.parent_id.to(parent)]))
    if parent is not None:
        changes.inserts(Labels).push(Label(), Labels.item_id.to(parent), Labels.text.to(label))


def _push_owner(changes: Changeset[Any], rows: Rows, name: str) -> None:
    changes.inserts(Owners).push(Owner(name))


def _push_label(changes: Changeset[Any], rows: Rows, item: int, text: str, weight: int) -> None:
    changes.inserts(Labels).push(Label(weight), Labels.item_id.to(item), Labels.text.to(text))


TARGETS: Final = [(), (Items.slug,), (Items.id,), (Items.name, Items.owner)]


def _upsert(
    changes: Changeset[Any],
    rows: Rows,
    target: int,
    rule: int,
    limit: int,
    items: list[tuple[Item, int | None, str | None]],
) -> None:
    columns = TARGETS[target]
    rules: list[dict[str, Any]] = [
        {},
        {"update": [Items.size, Items.note]},
        {"set_": [Items.size.to(Items.size + excluded(Items.size)), Items.note.to(Items.name)]},
        {"set_": [Items.price.to(excluded(Items.price))], "where": Items.size < limit},
        {"update": [Items.note], "where": excluded(Items.size) > Items.size},
    ]
    inserts = changes.inserts(Items).on_conflict(*columns, **(rules[rule] if columns else {}))
    for item, key, slug in items:
        inserts.push(item, Items.slug.to(slug), *([] if key is None else [Items.id.to(key)]))


def _condition(number: int, value: Any) -> Any:
    return [
        Items.size == value,
        Items.size < value,
        Items.note == None,
        Items.name.starts_with("é"),
        Items.slug.in_(["a", None]),
        fn.coalesce(Items.price, Decimal(0)) > value,
        Items.id < 0,
    ][number]


def _set(number: int, value: Any) -> Sequence[Any]:
    choices: list[Sequence[Any]] = [
        [Items.size.to(Items.size + value), Items.note.to(Items.name)],
        [Items.size.to(Items.size * value)],
        [Items.price.to(Items.price * Decimal("0.5"))],
        [Items.price.to(Items.price + value * 10)],
        [Items.note.to(Items.name), Items.name.to(fn.coalesce(Items.note, ""))],
        [Items.name.to(Items.name + "abc")],
        [Items.slug.to("a")],
        [Items.owner.to("a" if value > 0 else None)],
        [Items.parent_id.to(-1 if value else None)],
        [Items.size.to(fn.case((Items.size > 0, 0), else_=Items.size - 40))],
    ]
    return choices[number]


def _update(changes: Changeset[Any], rows: Rows, condition: int, limit: int, assignment: int, value: int) -> None:
    changes.updates(Items).where(_condition(condition, limit)).set(*_set(assignment, value))


def _delete(changes: Changeset[Any], rows: Rows, condition: int, limit: int) -> None:
    changes.deletes(Items).where(_condition(condition, limit))


def _delete_owner(changes: Changeset[Any], rows: Rows, name: str) -> None:
    changes.deletes(Owners).where(Owners.name == name)


def _delete_labels(changes: Changeset[Any], rows: Rows, weight: int) -> None:
    changes.deletes(Labels).where(Labels.weight >= weight)


def _update_row(changes: Changeset[Any], rows: Rows, place: int, assignment: int, value: int) -> None:
    if rows:
        changes.update(Items, rows[place % len(rows)], *_set(assignment, value))


def _update_model(changes: Changeset[Any], rows: Rows, place: int, item: Item) -> None:
    if rows:
        changes.update(Items, rows[place % len(rows)], item)


def _delete_row(changes: Changeset[Any], rows: Rows, place: int) -> None:
    if rows:
        changes.delete(Items, rows[place % len(rows)])


ADD: Final[dict[str, Any]] = {
    "push": _push,
    "push family": _push_family,
    "push owner": _push_owner,
    "push label": _push_label,
    "upsert": _upsert,
    "update": _update,
    "delete": _delete,
    "delete owner": _delete_owner,
    "delete labels": _delete_labels,
    "update row": _update_row,
    "update model": _update_model,
    "delete row": _delete_row,
}

CONDITIONS: Final = st.integers(0, 6)
ASSIGNMENTS: Final = st.integers(0, 9)
SLUGS: Final = st.none() | NAMES


def _writes(kind: str, *given: SearchStrategy[Any]) -> SearchStrategy[Write]:
    return st.builds(Write, st.just(kind), st.tuples(*given))


WRITES: Final = st.one_of(
    _writes("push", ITEMS, st.none() | KEYS, SLUGS, OWNERS),
    _writes("push family", st.lists(ITEMS, min_size=1, max_size=3), NAMES),
    _writes("push owner", LONG_NAMES),
    _writes("push label", KEYS, NAMES, SMALL),
    _writes(
        "upsert",
        st.integers(0, 3),
        st.integers(0, 4),
        SMALL,
        st.lists(st.tuples(ITEMS, st.none() | KEYS, SLUGS), min_size=1, max_size=3),
    ),
    _writes("update", CONDITIONS, SMALL, ASSIGNMENTS, SMALL),
    _writes("delete", CONDITIONS, SMALL),
    _writes("delete owner", NAMES),
    _writes("delete labels", SMALL),
    _writes("update row", st.integers(0, 5), ASSIGNMENTS, SMALL),
    _writes("update model", st.integers(0, 5), ITEMS),
    _writes("delete row", st.integers(0, 5)),
)


@attrs.frozen
class Commit:
    """A changeset of these writes; with `stale` single rows are named as they were at the very beginning."""

    writes: list[Write]
    stale: bool

    def may_fail_for_several_reasons(self) -> bool:
        """Whether several of its rows may be refused, of which each store meets another one first."""
        return len(self.writes) > 1 or self.writes[0].kind in {"push family", "upsert", "update"}


@attrs.frozen
class Block:
    """A transaction, or a savepoint in one, around further steps; it ends well, or is rolled back by an exception."""

    steps: list[Any]
    fails: bool


COMMITS: Final = st.builds(Commit, st.lists(WRITES, min_size=1, max_size=4), st.booleans())
BLOCKS: Final[SearchStrategy[Block]] = st.deferred(
    lambda: st.builds(Block, st.lists(COMMITS | BLOCKS, max_size=3), st.booleans())
)


class _Stop(Exception):
    """Rolls a block back."""


async def run(shop: Shop, steps: Sequence[Commit | Block]) -> list[Any]:
    """
    Run steps on a store, each by itself.

    Returns:
        For each step what became of it: numbers of rows, the class of an error, or the list of a block's own steps.
    """
    first = await rows_of_items(shop)
    return [await _outcome(shop, each, first) for each in steps]


async def _outcome(shop: Shop, step: Commit | Block, first: Rows) -> Any:
    try:
        return await (_committed(shop, step, first) if isinstance(step, Commit) else _ran(shop, step, first))
    except _Stop:
        return "rolled back"
    except StoreError as error:
        several = isinstance(step, Commit) and step.may_fail_for_several_reasons()
        return _Refused(StoreError if several else type(error), str(error))
    except MapperError as error:
        return _Refused(type(error), str(error))


@attrs.frozen
class _Refused:
    kind: type[MapperError]
    message: str = attrs.field(eq=False)


async def _committed(shop: Shop, step: Commit, first: Rows) -> tuple[int, ...]:
    rows = first if step.stale else await rows_of_items(shop)
    changes = Shop.change()
    for each in step.writes:
        each.add(changes, rows)
    result = await changes.commit(shop)
    return (result.inserted, result.updated, result.deleted, result.ignored)


async def _ran(shop: Shop, block: Block, first: Rows) -> list[Any]:
    outcomes: list[Any] = []
    async with shop.transaction() as tx:
        for each in block.steps:
            outcomes.append(await _outcome(tx, each, first))
        if block.fails:
            raise _Stop
    return outcomes
