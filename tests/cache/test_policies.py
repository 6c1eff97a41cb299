"""Which policy a read has: its relations' own, the cache's, or the one that its query asks for."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateways.memory import MemoryGateway
from mapper import select
from mapper.cache import CachePolicy
from mapper.gateway import Gateway
from tests.cache.shop import Members, Shop, Teams, Users, Watched

pytestmark = pytest.mark.feature("C1", "M1")


@pytest.fixture
async def store() -> AsyncIterator[Gateway]:
    async with MemoryGateway() as gateway:
        await Shop(gateway).push_schema()
        yield gateway


async def kinds(store: Gateway, query: Any, *, view: dict[str, Any] | None = None, **settings: Any) -> list[str]:
    """Return the kinds of the events of a second read."""
    watched = Watched(**settings)
    shop: Any = Shop(watched.cache.wrap(store))
    reading = shop if view is None else shop.cached(**view)
    await query.all(reading)
    return await watched.kinds(query.all(reading))


async def test_without_a_default_nothing_is_kept_but_what_asks_for_it(store: Gateway):
    assert await kinds(store, select(Users), policy=None) == ["bypass"]
    assert await kinds(store, select(Users).cached(ttl=5), policy=None) == ["hit"]
    assert await kinds(store, select(Users).cached(swr=5), policy=None) == ["bypass"]
    assert await kinds(store, select(Users), policy=None, view={"ttl": 5}) == ["hit"]
    assert await kinds(store, select(Users), policy=None, view={}) == ["bypass"]
    assert await kinds(store, select(Users), policy=None, policies={Users: CachePolicy(ttl=9)}) == ["hit"]


@pytest.mark.parametrize("default", [None, CachePolicy()], ids=["no default", "a default"])
async def test_relation_whose_own_policy_is_none_is_kept_for_nobody(store: Gateway, default: CachePolicy | None):
    settings: dict[str, Any] = {"policy": default, "policies": {Users: None}}
    assert await kinds(store, select(Users).cached(ttl=5), **settings) == ["bypass"]
    assert await kinds(store, select(Users), view={"ttl": 5}, **settings) == ["bypass"]
    joined = select(Members.id).join(Users, on=Members.user_id == Users.id).cached(ttl=5)
    assert await kinds(store, joined, **settings) == ["bypass"]
    assert await kinds(store, select(Teams).cached(ttl=5), **settings) == ["hit"]


async def test_view_and_repository_of_one_gateway_keep_what_each_asks_for(store: Gateway):
    watched = Watched(policy=None)
    shop = Shop(watched.cache.wrap(store))
    view = shop.cached(ttl=5)
    query = select(Users)
    for _ in range(2):
        await query.all(view)
        assert await watched.kinds(query.all(view)) == ["hit"]
        assert await watched.kinds(query.all(shop)) == ["bypass"]


async def test_wishes_of_a_query_are_no_part_of_what_is_kept(store: Gateway):
    watched = Watched()
    shop = Shop(watched.cache.wrap(store))
    for query in (select(Users), select(Users).where(Users.id == 1), select(Users).where(Users.id.in_([1]))):
        assert await watched.kinds(query.cached(mode="refresh").all(shop)) == ["miss", "fill"]
        for other in (query, query.cached(ttl=5), query.cached(mode="only").cached(swr=3)):
            assert await watched.kinds(other.all(shop)) == ["hit"]
