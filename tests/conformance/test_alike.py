"""Random queries and changesets mean the same on SQLite as on the memory gateway, which is the reference."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.memory import MemoryGateway
from gateways.sqlite import SQLiteGateway
from mapper import Changeset, Column, MapperError, Relation, Repository, column, excluded, fn, select
from mapper.expressions import Expr, Order
from mapper.query import Query


@attrs.frozen
class Item:
    name: str
    size: int
    note: str | None = None
    weight: float | None = None


class Items(Relation[Item]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    size: Column[int] = column(check=lambda: Items.size > -50)
    note: Column[str | None]
    weight: Column[float | None]
    slug: Column[str | None] = column(unique=True)


class Shop(Repository[Items]): ...


TEXTS = st.sampled_from(["", "a", "A", "ab", "b%", "_", "é", "z"])
SIZES = st.integers(-3, 3)
ITEMS = st.builds(Item, TEXTS, SIZES, st.none() | TEXTS, st.none() | st.sampled_from([-1.5, 0.0, 0.25, 2.0]))
Condition: TypeAlias = Expr[bool, Items]


def leaves() -> st.SearchStrategy[Condition]:
    return st.one_of(
        st.builds(lambda n: Items.size == n, SIZES),
        st.builds(lambda n: Items.size < n, SIZES),
        st.builds(lambda n: Items.size * 2 - 1 >= n, SIZES),
        st.builds(lambda n: Items.size % 2 == n, SIZES),
        st.builds(lambda low, high: Items.size.between(low, high), SIZES, SIZES),
        st.builds(lambda ns: Items.size.in_(ns), st.lists(SIZES)),
        st.builds(lambda text: Items.note == text, st.none() | TEXTS),
        st.builds(lambda text: Items.note != text, st.none() | TEXTS),
        st.builds(lambda text: Items.note.is_distinct_from(text), st.none() | TEXTS),
        st.builds(lambda texts: Items.note.in_(texts), st.lists(st.none() | TEXTS)),
        st.builds(lambda texts: Items.note.not_in(texts), st.lists(st.none() | TEXTS)),
        st.builds(lambda text: Items.note.like(text + "%"), TEXTS),
        st.builds(lambda text: Items.name.starts_with(text), TEXTS),
        st.builds(lambda text: Items.name.contains(text), TEXTS),
        st.builds(lambda text: fn.lower(Items.name) == text, TEXTS),
        st.builds(lambda text: fn.coalesce(Items.note, text) > Items.name, TEXTS),
        st.builds(lambda weight: Items.weight > weight, st.sampled_from([-2.0, 0.0, 1.0])),
    )


CONDITIONS = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a: ~a, inner),
    ),
    max_leaves=6,
)
ORDERS: st.SearchStrategy[list[Order[Items]]] = st.lists(
    st.sampled_from(
        [
            Items.size.asc(),
            Items.size.desc(),
            Items.note.asc(),
            Items.note.desc(),
            Items.note.asc().nulls_first(),
            Items.weight.desc().nulls_last(),
            fn.length(Items.name).asc(),
        ]
    ),
    max_size=2,
)


async def opened(gateway: Any, items: Sequence[Item]) -> Shop:
    shop = Shop(gateway)
    await shop.push_schema()
    changes = Shop.change()
    changes.inserts(Items).extend(items)
    await changes.commit(shop)
    return shop


async def content(shop: Shop) -> list[Any]:
    """Return all rows without the keys that the store made: which numbers it leaves out is its own affair."""
    rows = select(Items.id, Items.name, Items.size, Items.note, Items.weight, Items.slug)
    return sorted([(min(key, 0), *rest) for key, *rest in await rows.all(shop)], key=repr)


@pytest.mark.feature("B17", "T17", "T18")
@given(st.lists(ITEMS, max_size=8), CONDITIONS, ORDERS, st.integers(0, 5), st.integers(0, 3))
async def test_random_reads_give_the_same(
    items: list[Item], condition: Condition, orders: list[Order[Items]], limit: int, offset: int
):
    async with MemoryGateway() as first, SQLiteGateway(":memory:") as second:
        shops = [await opened(first, items), await opened(second, items)]
        ordered: Query[Item, Items] = select(Item).from_(Items).where(condition).order_by(*orders, Items.id)
        totals = select(
            fn.count(), fn.sum(Items.size), fn.min(Items.note), fn.max(Items.weight), fn.avg(Items.size)
        ).where(condition)
        groups = select(Items.note, fn.count(), fn.sum(Items.size)).where(condition).group_by(Items.note)
        answers = [
            [
                await ordered.all(shop),
                await ordered.offset(offset).limit(limit).all(shop),
                [each async for each in ordered.execute(shop)],
                [page async for page in select(Items.id).where(condition).order_by(*orders).pages(shop, size=2)],
                await ordered.count(shop),
                await ordered.exists(shop),
                await totals.one(shop),
                await groups.having(fn.count() > 1).order_by(Items.note).all(shop),
                sorted(await select(Items.size).where(condition).distinct().all(shop)),
            ]
            for shop in shops
        ]
        assert answers[0] == answers[1]


Write: TypeAlias = tuple[str, Any, Any]
KEYS = st.integers(-6, -1)
WRITES: st.SearchStrategy[Write] = st.one_of(
    st.tuples(st.just("insert"), ITEMS, st.none() | KEYS),
    st.tuples(st.just("slug"), ITEMS, TEXTS),
    st.tuples(st.just("upsert"), ITEMS, TEXTS),
    st.tuples(st.just("ignore"), ITEMS, TEXTS),
    st.tuples(st.just("update"), CONDITIONS, SIZES),
    st.tuples(st.just("grow"), CONDITIONS, st.integers(-40, 40)),
    st.tuples(st.just("delete"), CONDITIONS, st.none()),
)


def add(changes: Changeset[Items], write: Write) -> None:
    kind, what, value = write
    match kind:
        case "insert":
            changes.inserts(Items).push(what, *([] if value is None else [Items.id.to(value)]))
        case "slug":
            changes.inserts(Items).push(what, Items.slug.to(value))
        case "upsert":
            updates = [Items.size.to(Items.size + excluded(Items.size)), Items.note.to(excluded(Items.note))]
            rows = changes.inserts(Items).on_conflict(Items.slug, set_=updates, where=Items.size < 2)
            rows.push(what, Items.slug.to(value))
        case "ignore":
            changes.inserts(Items).on_conflict(Items.slug).push(what, Items.slug.to(value))
        case "update":
            changes.updates(Items).where(what).set(Items.size.to(value), Items.note.to(Items.name))
        case "grow":
            changes.updates(Items).where(what).set(Items.size.to(Items.size + value))
        case _:
            changes.deletes(Items).where(what)


async def committed(shop: Shop, writes: Sequence[Write]) -> tuple[Any, ...]:
    changes = Shop.change()
    for write in writes:
        add(changes, write)
    try:
        result = await changes.commit(shop)
    except MapperError as error:
        return (type(error),)
    return (result.inserted, result.updated, result.deleted, result.ignored)


@pytest.mark.feature("B13", "B14", "B17", "T22", "T24", "T25")
@given(st.lists(ITEMS, max_size=4), st.lists(st.lists(WRITES, max_size=4), max_size=3))
async def test_random_changesets_leave_the_same(items: list[Item], commits: list[list[Write]]):
    async with MemoryGateway() as first, SQLiteGateway(":memory:") as second:
        memory, sqlite = await opened(first, items), await opened(second, items)
        for writes in commits:
            assert await committed(memory, writes) == await committed(sqlite, writes)
            assert await content(memory) == await content(sqlite)
