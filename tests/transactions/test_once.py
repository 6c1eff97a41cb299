"""A commit with an id takes effect once, whoever sends it again, and however many at the same time."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import attrs
import pytest

from gateways.sqlite import SQLiteGateway
from mapper import (
    Changeset,
    Column,
    CommitUnknown,
    ConnectionLost,
    OnceConflict,
    QueryError,
    Ref,
    Relation,
    Repository,
    StatementError,
    UniqueViolation,
    column,
    excluded,
    fn,
    select,
)
from mapper.gateway import Gateway
from mapper.testing import FaultyGateway
from tests.transactions.stores import databases, store

__all__ = ["databases", "store"]


@attrs.frozen
class Order:
    text: str


@attrs.frozen
class Item:
    name: str


class Orders(Relation[Order, UUID]):
    id: Column[UUID] = column(primary_key=True, default=uuid4)
    text: Column[str]


class Items(Relation[Item, tuple[UUID, int]]):
    order_id: Column[UUID] = column(primary_key=True, references=lambda: Orders.id)
    number: Column[int] = column(primary_key=True)
    name: Column[str]
    sku: Column[str | None] = column(unique=True)


class Shop(Repository[Orders | Items]): ...


@pytest.fixture
async def shop(store: Gateway) -> Shop:
    shop = Shop(store)
    await shop.push_schema()
    return shop


def order(
    text: str = "one",
) -> tuple[Changeset[Orders | Items], Ref[UUID], Ref[tuple[UUID, int]], Ref[tuple[UUID, int]]]:
    """Build the same piece of work anew: an order, an item, and an item that another one makes superfluous."""
    changes = Shop.change()
    made = changes.inserts(Orders).push(Order(text))
    items = changes.inserts(Items).on_conflict(Items.sku)
    first = items.push(Item("a"), Items.order_id.to(made), Items.number.to(1), Items.sku.to("s"))
    second = items.push(Item("b"), Items.order_id.to(made), Items.number.to(2), Items.sku.to("s"))
    changes.updates(Orders).where(Orders.text == "never").set(Orders.text.to("changed"))
    return changes, made, first, second


@pytest.mark.feature("N2")
async def test_once_again_returns_the_first_result_and_writes_nothing(shop: Shop):
    changes, made, first, second = order()
    result = await changes.commit(shop, once="order-4711")
    again, same, its_first, its_second = order()
    repeated = await again.commit(shop, once="order-4711")
    assert repeated[same] == result[made]
    assert repeated[its_first] == result[first] == (result[made], 1)
    assert repeated.get(its_second) is None
    assert result.get(second) is None
    assert (repeated.inserted, repeated.ignored) == (result.inserted, result.ignored) == (2, 1)
    assert await select(Orders).count(shop) == 1


@pytest.mark.feature("N2")
async def test_once_with_other_content_is_refused(shop: Shop):
    await order()[0].commit(shop, once="x")
    with pytest.raises(OnceConflict, match="'x' was used by a commit with another content"):
        await order("two")[0].commit(shop, once="x")
    assert await select(Orders).count(shop) == 1
    await order("two")[0].commit(shop, once="y")


@pytest.mark.feature("N2")
async def test_once_that_failed_does_not_use_up_the_id(shop: Shop):
    changes, made, *_ = order()
    changes.inserts(Orders).push(Order("same key"), Orders.id.to(made))
    with pytest.raises(UniqueViolation):
        await changes.commit(shop, once="x")
    assert await select(Orders).count(shop) == 0
    await order()[0].commit(shop, once="x")
    assert await select(Orders).count(shop) == 1


@pytest.mark.feature("N2")
async def test_once_at_the_same_time_takes_effect_once(shop: Shop):
    results = await asyncio.gather(*[order()[0].commit(shop, once="x", retries=5) for _ in range(12)])
    assert {each.inserted for each in results} == {2}
    assert await select(Orders).count(shop) == 1


@pytest.mark.feature("N2")
async def test_once_in_a_transaction_is_undone_with_it(shop: Shop):
    with pytest.raises(ZeroDivisionError):
        async with shop.transaction() as tx:
            await order()[0].commit(tx, once="x")
            await order()[0].commit(tx, once="x")
            assert await select(Orders).count(tx) == 1
            raise ZeroDivisionError
    assert await select(Orders).count(shop) == 0
    await order()[0].commit(shop, once="x")
    assert await select(Orders).count(shop) == 1


@pytest.mark.feature("N2")
async def test_once_expires_after_its_time(shop: Shop):
    await order()[0].commit(shop, once="x", once_ttl=timedelta(milliseconds=20))
    await asyncio.sleep(0.05)
    await order("two")[0].commit(shop, once="x", once_ttl=30)
    assert await select(fn.count()).from_(Orders).one(shop) == 2
    await order("two")[0].commit(shop, once="x")
    assert await select(fn.count()).from_(Orders).one(shop) == 2


@pytest.mark.feature("N2")
@pytest.mark.parametrize("error", [ConnectionLost, CommitUnknown])
async def test_once_is_tried_again_after_an_unknown_outcome(shop: Shop, store: Gateway, error: type[ConnectionLost]):
    faulty = FaultyGateway(store, at=3, error=lambda operation: error("gone", operation=operation))
    changes, made, *_ = order()
    result = await changes.commit(Shop(faulty), once="x", retries=2)
    assert await select(Orders.id).one(shop) == result[made]
    assert faulty.count > 3


async def test_once_of_an_empty_changeset_does_nothing(shop: Shop):
    assert (await Shop.change().commit(shop, once="x")).inserted == 0
    await order()[0].commit(shop, once="x")


async def test_once_compares_conditions_and_conflict_rules(shop: Shop):
    def changed(limit: int, text: str) -> Changeset[Orders | Items]:
        changes = Shop.change()
        changes.inserts(Items).on_conflict(Items.sku, set_=[Items.name.to(excluded(Items.name))])
        changes.updates(Orders).where(fn.length(Orders.text) > limit).set(Orders.text.to(text))
        return changes

    await changed(3, "a").commit(shop, once="x")
    await changed(3, "a").commit(shop, once="x")
    for other in (changed(4, "a"), changed(3, "b"), Shop.change()):
        other.deletes(Items).where(Items.number == 1)
        with pytest.raises(OnceConflict):
            await other.commit(shop, once="x")


@pytest.mark.parametrize("wrong", ["", "x" * 201, "a\x00b", 5])
async def test_once_with_a_wrong_id_is_refused(shop: Shop, wrong: object):
    with pytest.raises(QueryError, match="once is"):
        await order()[0].commit(shop, once=wrong)  # type: ignore[arg-type]  # what the checker refuses


@pytest.mark.parametrize("wrong", [0, -1, timedelta(0), "long", True])
async def test_once_with_a_wrong_time_is_refused(shop: Shop, wrong: object):
    with pytest.raises(QueryError, match="once_ttl is"):
        await order()[0].commit(shop, once="x", once_ttl=wrong)  # type: ignore[arg-type]  # what the checker refuses


async def test_once_without_its_table_says_what_makes_it():
    async with SQLiteGateway(":memory:") as gateway:
        with pytest.raises(StatementError) as raised:
            await order()[0].commit(Shop(gateway), once="x")
    assert "push_schema" in "".join(raised.value.__notes__)
