"""What some stores have and others have not: standbys that lag, schemas, COPY, processes that share a driver."""

from pathlib import Path
from typing import Any

import pytest

from cache_drivers.memory import MemoryDriver
from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway, copy_from
from gateways.sqlite import SQLiteGateway
from mapper import select
from mapper.cache import Cache
from mapper.delegating import DelegatingGateway
from mapper.gateway import Batches, Decode, Gateway
from mapper.operations import Operation, RawSql
from tests.cache.shop import Counted, Shop, User, Users, Watched

NAMES = select(Users.name).order_by(Users.id)


class Lagging(DelegatingGateway):
    """A gateway whose reads go to a standby that has seen nothing of what was written."""

    def __init__(self, primary: Gateway, standby: Gateway) -> None:
        super().__init__(primary)
        self.standby = standby

    @property
    def freshest(self) -> Gateway:
        return self.inner

    async def fetch(self, operation: Operation, decode: Decode[Any]) -> list[Any]:
        return await self.standby.fetch(operation, decode)

    async def stream(self, operation: Operation, decode: Decode[Any]) -> Batches[Any]:
        return await self.standby.stream(operation, decode)


async def _added(shop: Shop, *names: str) -> None:
    changes = Shop.change()
    changes.inserts(Users).extend([User(each) for each in names])
    await changes.commit(shop)


@pytest.mark.feature("N1")
async def test_what_is_kept_is_read_on_the_primary(tmp_path: Path):
    primary, standby = SQLiteGateway(tmp_path / "primary.db"), SQLiteGateway(tmp_path / "standby.db")
    async with primary, standby:
        for each in (primary, standby):
            await Shop(each).push_schema()
        shop = Shop(Watched().cache.wrap(Lagging(primary, standby)))
        assert await NAMES.all(shop) == []
        await _added(shop, "Ada", "Bob")
        assert await NAMES.all(shop) == ["Ada", "Bob"]
        assert [each async for each in NAMES.execute(shop)] == ["Ada", "Bob"]
        assert [each async for each in NAMES.limit(9).execute(shop)] == ["Ada", "Bob"]
        assert len(await select(Users).where(Users.id.in_([1, 2, 3])).all(shop)) == 2


async def test_tenants_in_schemas_have_results_of_their_own(postgres_url: str):
    async with PostgresGateway(postgres_url) as gateway:
        shop = Shop(Watched().cache.wrap(gateway))
        one, two = shop.in_schema("one"), shop.in_schema("two")
        for each in (one, two):
            await each.push_schema()
        assert await NAMES.all(one) == await NAMES.all(two) == []
        await _added(one, "Ada")
        await _added(two, "Bob")
        for _ in range(2):
            assert await NAMES.all(one) == ["Ada"]
            assert await NAMES.all(two) == ["Bob"]
            assert (await select(Users).find(1).execute(one)) != (await select(Users).find(1).execute(two))


async def test_copy_ends_what_was_kept_of_its_relation(postgres_url: str):
    async with PostgresGateway(postgres_url) as gateway:
        shop = Shop(Watched().cache.wrap(gateway))
        await shop.push_schema()
        assert await NAMES.all(shop) == []
        await copy_from(shop, Users, [b"1,Ada,3\n2,Bob,4\n"], format="csv")
        assert await NAMES.all(shop) == ["Ada", "Bob"]


async def test_stores_of_one_kind_are_kept_apart(tmp_path: Path):
    cache = Watched().cache
    shops = [
        Shop(cache.wrap(each))
        for each in (
            SQLiteGateway(tmp_path / "a.db"),
            SQLiteGateway(tmp_path / "b.db"),
            MemoryGateway(),
            MemoryGateway(),
        )
    ]
    for number, each in enumerate(shops):
        await each.push_schema()
        await _added(each, f"name {number}")
    for number, each in enumerate(shops):
        assert await NAMES.all(each) == await NAMES.all(each) == [f"name {number}"]
        await each._executor.gateway.aclose()


async def test_scopes_are_kept_apart(tmp_path: Path):
    driver = MemoryDriver()
    async with SQLiteGateway(tmp_path / "a.db") as gateway:
        one, two = (Shop(Cache(driver, namespace="n", scope=each).wrap(gateway)) for each in ("one", "two"))
        await one.push_schema()
        await NAMES.all(one)
        counted = Counted(gateway)
        await NAMES.all(two)
        assert counted.taken() == 1


async def test_two_caches_on_one_driver_see_the_commits_of_each_other(tmp_path: Path):
    driver = MemoryDriver()
    async with SQLiteGateway(tmp_path / "a.db") as here, SQLiteGateway(tmp_path / "a.db") as there:
        one, two = (Shop(Cache(driver, namespace="n").wrap(each)) for each in (here, there))
        await one.push_schema()
        for number in range(3):
            assert await NAMES.all(one) == await NAMES.all(two)
            await _added((one, two)[number % 2], f"name {number}")
        assert await NAMES.all(one) == await NAMES.all(two) == ["name 0", "name 1", "name 2"]


async def test_outbox_does_what_a_process_left_behind_that_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    driver = MemoryDriver()
    async with SQLiteGateway(tmp_path / "a.db") as gateway:
        cache = Cache(driver, namespace="n", invalidation="outbox")
        wrapped = cache.wrap(gateway)
        shop = Shop(wrapped)
        await shop.push_schema()
        assert await NAMES.all(shop) == []

        async def die(*arguments: Any, **keywords: Any) -> None:
            raise SystemError("the process died")

        with monkeypatch.context() as patched:
            patched.setattr(driver.__class__, "tags_end", die)
            await _added(shop, "Ada")
        other = Cache(driver, namespace="n", invalidation="outbox")
        later = other.wrap(gateway)
        assert await later.relay() == 0
        await gateway.execute(RawSql("update mapper_cache_outbox set written_at = 0"))
        assert await NAMES.all(Shop(later)) in ([], ["Ada"])
        assert await later.relay() == 1
        assert await NAMES.all(Shop(later)) == ["Ada"]
