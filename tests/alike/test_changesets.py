"""Random changesets, in transactions and out of them, do the same on memory, SQLite and PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper import MissingRow, select
from tests.alike.changesets import BLOCKS, COMMITS, Block, Commit, run
from tests.alike.shop import Item, Items, Labels, Shop, begun, content, rows_of_items
from tests.servers.fixtures import Databases

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(0)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shops(databases: Databases) -> AsyncIterator[dict[str, Shop]]:
    """A shop in each store."""
    url = await databases.create()
    async with AsyncExitStack() as stack:
        gateways = [MemoryGateway(), SQLiteGateway(":memory:"), PostgresGateway(url)]
        shops = {each.name: Shop(await stack.enter_async_context(each)) for each in gateways}
        for shop in shops.values():
            await shop.push_schema()
        yield shops
    await databases.drop(url)


async def assert_alike(shops: dict[str, Shop], steps: list[Commit | Block]) -> None:
    """Run steps on every store; what became of each step, and what is then in the stores, is the same."""
    await begun(list(shops.values()))
    outcomes = {name: (await run(shop, steps), await content(shop)) for name, shop in shops.items()}
    for name, outcome in outcomes.items():
        assert outcome == outcomes["memory"], name


@pytest.mark.feature("B13", "B14", "T12", "T22", "T24", "T25")
@given(st.lists(COMMITS, min_size=1, max_size=4))
async def test_random_changesets_do_the_same(shops: dict[str, Shop], steps: list[Commit | Block]):
    await assert_alike(shops, steps)


@pytest.mark.feature("T26")
@given(st.lists(COMMITS | BLOCKS, min_size=1, max_size=3))
async def test_random_transactions_do_the_same(shops: dict[str, Shop], steps: list[Commit | Block]):
    await assert_alike(shops, steps)


async def family(shops: dict[str, Shop]) -> dict[str, dict[int, Any]]:
    """Give every shop four items, each of which goes with the one before; return how they are named, by their keys."""
    await begun(list(shops.values()))
    named: dict[str, dict[int, Any]] = {}
    for name, shop in shops.items():
        changes = Shop.change()
        changes.deletes(Labels).everywhere()
        changes.deletes(Items).everywhere()
        items = changes.inserts(Items)
        parent: int | None = None
        for key in (-6, -7, -9, -8):
            items.push(Item("x", 1), Items.id.to(key), Items.parent_id.to(parent))
            parent = key
        await changes.commit(shop)
        named[name] = {each.model.key: each for each in await rows_of_items(shop)}
    return named


@pytest.mark.feature("T24")
@pytest.mark.parametrize("keys", [(-6, -7), (-7, -6), (-9, -6, -8)], ids=str)
async def test_rows_that_go_with_others_are_deleted_with_them(shops: dict[str, Shop], keys: tuple[int, ...]):
    named = await family(shops)
    for name, shop in shops.items():
        changes = Shop.change()
        for key in keys:
            changes.delete(Items, named[name][key])
        assert (await changes.commit(shop)).deleted == len(keys), name
        assert await select(Items).count(shop) == 0, name


@pytest.mark.feature("T24")
async def test_rows_that_fulfil_a_condition_are_counted_also_where_they_go_with_others(shops: dict[str, Shop]):
    await family(shops)
    for name, shop in shops.items():
        changes = Shop.change()
        changes.deletes(Items).where(Items.size == 1)
        assert (await changes.commit(shop)).deleted == 4, name


@pytest.mark.feature("T24")
async def test_row_deleted_twice_is_missing(shops: dict[str, Shop]):
    named = await family(shops)
    for name, shop in shops.items():
        changes = Shop.change()
        changes.delete(Items, named[name][-6])
        changes.delete(Items, named[name][-6])
        with pytest.raises(MissingRow):
            await changes.commit(shop)
        assert await select(Items).count(shop) == 4, name
