"""The outbox: what a process leaves behind that dies behind its COMMIT is done by another one that relays."""

import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import repeat
from pathlib import Path
from typing import Any

import anyio
import pytest

import gateways
from cache_drivers.memory import MemoryDriver
from cache_drivers.redis import RedisDriver
from gateways.memory import MemoryGateway
from gateways.sqlite import SQLiteGateway
from mapper import select
from mapper.cache import Cache, CachedGateway
from mapper.errors import CacheConfigError, StoreError
from mapper.gateway import Gateway
from mapper.operations import RawSql
from tests.cache.dying import DIED
from tests.cache.shop import Shop, User, Users

pytestmark = pytest.mark.feature("N1")

SCORE = select(Users.score).where(Users.id == 1)
OVERDUE = {
    "sqlite": "UPDATE mapper_cache_outbox SET written_at = 0",
    "postgres": "UPDATE mapper_cache_outbox SET written_at = now() - interval '1 hour'",
}


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop.db"
    url: str = await request.getfixturevalue("databases").create()
    return url


async def eventually(ask: Callable[[], Awaitable[Any]], expected: object) -> None:
    """Ask until the answer is what is expected."""
    with anyio.fail_after(10):
        for pause in repeat(0.01):
            if await ask() == expected:
                return
            await anyio.sleep(pause)


class Living:
    """The process that goes on: its cache shares Redis with the one that dies."""

    def __init__(self, store: str, redis: str) -> None:
        self.urls = (store, redis)
        self.gateway = gateways.open(store)
        self.cache = Cache(RedisDriver(redis), namespace="dying", invalidation="outbox")
        self.cached: CachedGateway = self.cache.wrap(self.gateway)
        self.shop = Shop(self.cached)
        self.overdue = OVERDUE[store.split(":")[0].removesuffix("ql")]

    async def filled(self) -> None:
        await self.shop.push_schema()
        changes = Shop.change()
        changes.inserts(Users).push(User("Ada", 1))
        await changes.commit(self.shop)
        await self.cache.clear()
        await self.cache.drain()

    async def die(self, way: str) -> None:
        """Have another process write and die."""
        command = [sys.executable, "-m", "tests.cache.dying", *self.urls, way]
        finished = await anyio.run_process(command, check=False, stderr=subprocess.PIPE)
        assert finished.returncode == DIED, finished.stderr.decode()

    async def notes(self) -> int:
        rows = (await self.gateway.execute(RawSql("SELECT count(*) FROM mapper_cache_outbox"))).rows
        return int(rows[0][0])


@pytest.fixture
async def living(store: str, redis_url: str) -> AsyncIterator[Living]:
    made = Living(store, redis_url)
    async with made.cached, made.cache:
        await made.filled()
        yield made


@pytest.mark.parametrize("way", ["commit", "transaction", "connection", "fetch"])
async def test_relay_does_what_a_process_left_behind_that_died(living: Living, way: str):
    assert await SCORE.one(living.shop) == 1
    await living.die(way)
    assert await SCORE.one(Shop(living.gateway)) == 7
    assert await SCORE.one(living.shop) == 1, "nobody has told the cache yet"
    assert await living.notes() == 1
    assert await living.cached.relay() == 0, "its process may still be about to"
    await living.gateway.execute(RawSql(living.overdue))
    assert await living.cached.relay() == 1
    assert await SCORE.one(living.shop) == 7
    assert await living.notes() == 0
    assert await living.cached.relay() == 0


async def test_relaying_does_it_again_and_again_while_the_block_lasts(living: Living):
    assert await SCORE.one(living.shop) == 1
    async with living.cache.relaying(living.cached, every=0.02):
        await living.die("commit")
        await living.gateway.execute(RawSql(living.overdue))
        await eventually(lambda: SCORE.one(living.shop), 7)
        await eventually(living.notes, 0)


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[tuple[Cache, Gateway, CachedGateway]]:
    cache = Cache(MemoryDriver(), namespace="n", invalidation="outbox")
    async with SQLiteGateway(tmp_path / "small.db") as gateway:
        cached = cache.wrap(gateway)
        await Shop(cached).push_schema()
        yield cache, gateway, cached


@pytest.mark.parametrize("way", ["gateway", "connection"])
async def test_single_statement_and_its_note_are_committed_together_or_not_at_all(small: Any, way: str):
    cache, gateway, cached = small

    async def run(sql: str) -> None:
        if way == "gateway":
            await cached.execute(RawSql(sql))
        else:
            async with cached.connection() as connection:
                await connection.execute(RawSql(sql))

    await gateway.execute(RawSql("CREATE TRIGGER noting AFTER INSERT ON mapper_cache_outbox BEGIN "
                                 "INSERT INTO cache_teams (code, motto) VALUES (NEW.id, NEW.tags); END"))  # fmt: skip
    await run("INSERT INTO cache_users (name, score) VALUES ('Ada', 1)")
    await cache.drain()
    assert len((await gateway.execute(RawSql("SELECT code FROM cache_teams"))).rows) == 1
    assert not (await gateway.execute(RawSql("SELECT id FROM mapper_cache_outbox"))).rows, "it is done"
    with pytest.raises(StoreError):
        await run("INSERT INTO cache_users (name, score) VALUES ('Ada', 1)")
    assert len((await gateway.execute(RawSql("SELECT code FROM cache_teams"))).rows) == 1
    await gateway.execute(RawSql("DROP TABLE mapper_cache_outbox"))
    with pytest.raises(StoreError):
        await run("INSERT INTO cache_users (name, score) VALUES ('Bob', 1)")
    assert len((await gateway.execute(RawSql("SELECT name FROM cache_users"))).rows) == 1


async def test_connection_goes_on_after_a_statement_that_failed_and_reads_what_it_wrote(small: Any):
    _, _, cached = small
    async with cached.connection() as connection:
        with pytest.raises(StoreError):
            await connection.fetch(RawSql("INSERT INTO nowhere VALUES (1) RETURNING 1"), lambda rows, names: list(rows))
        sql = "INSERT INTO cache_users (name, score) VALUES ('Ada', 1) RETURNING name"
        assert await connection.fetch(RawSql(sql), lambda rows, names: list(rows)) == [("Ada",)]
    assert await select(Users.name).all(Shop(cached)) == ["Ada"]


async def test_relaying_goes_on_behind_a_failure_and_hands_on_what_the_block_raises(small: Any):
    cache, gateway, cached = small

    async def failed() -> bool:
        return cache.stats().counts.get("error", 0) > 0

    async def notes() -> int:
        return len((await gateway.execute(RawSql("SELECT id FROM mapper_cache_outbox"))).rows)

    await gateway.execute(RawSql("ALTER TABLE mapper_cache_outbox RENAME TO gone"))
    with pytest.raises(ZeroDivisionError):
        async with cache.relaying(cached, every=0.01):
            await eventually(failed, True)
            await gateway.execute(RawSql("ALTER TABLE gone RENAME TO mapper_cache_outbox"))
            await gateway.execute(RawSql("INSERT INTO mapper_cache_outbox VALUES ('1', '[]', 0)"))
            await eventually(notes, 0)
            raise ZeroDivisionError


async def test_relaying_without_an_outbox_or_for_another_cache_is_refused(small: Any):
    cache, _, cached = small
    refused: list[tuple[Cache, Any, int, str]] = [
        (Cache(MemoryDriver(), namespace="n"), cached, 1, "no outbox"),
        (Cache(MemoryDriver(), namespace="n", invalidation="outbox"), cached, 1, "not wrapped by this cache"),
        (cache, MemoryGateway(), 1, "not wrapped by this cache"),
        (cache, cached, 0, "every is 0"),
    ]
    for other, gateway, every, match in refused:
        with pytest.raises(CacheConfigError, match=match):
            async with other.relaying(gateway, every=every):
                pass
