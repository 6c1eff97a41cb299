"""After every write of every kind, every read through the cache gives what the store gives."""

from random import Random
from typing import Any

import anyio.lowlevel
import pytest

from cache_drivers.memory import MemoryDriver
from mapper import fn, select
from mapper.errors import StoreError
from mapper.gateway import Gateway
from tests.cache.reads import reads_on
from tests.cache.shop import Shop, User, Users, Watched
from tests.cache.writes import writes_on

MODES: list[dict[str, Any]] = [{}, {"invalidation": "after_commit"}, {"invalidation": "outbox"}]
RUNS = [
    pytest.param(store, settings, seed, id=f"{store}-{settings.get('invalidation', 'two_phase')}-{seed}")
    for number, settings in enumerate(MODES)
    for store, seeds in (("memory", range(3)), ("sqlite", [number]), ("postgres", [number]))
    for seed in seeds
]
"""Stores with every mode: the one that costs least with several runs of each, the others with one that is another."""


@pytest.mark.feature("C3", "V8", "N1")
@pytest.mark.parametrize(("gateway", "settings", "seed"), RUNS, indirect=["gateway"])
async def test_reads_after_writes_of_all_kinds_equal_the_store(gateway: Gateway, settings: dict[str, Any], seed: int):
    watched = Watched(**settings)
    chance = Random(seed)
    plain, shop = Shop(gateway), Shop(watched.cache.wrap(gateway))
    await shop.push_schema()
    reads, writes = reads_on(gateway), writes_on(gateway)
    done: dict[str, int] = {}
    for step in range(40):
        write = chance.choice(writes)
        try:
            await write(shop, chance)
        except (StoreError, ZeroDivisionError):
            pass
        else:
            done[write.__name__] = done.get(write.__name__, 0) + 1
        for name, read in reads.items():
            expected = await read(plain)
            assert await read(shop) == expected, f"{name} after {write.__name__}, step {step}"
            assert await read(shop) == expected, f"{name} again after {write.__name__}, step {step}"
    await watched.cache.drain()
    counts = watched.cache.stats().counts
    assert counts["hit"] > counts["miss"]
    assert len(done) > 8
    assert "error" not in counts
    assert "inconsistent" not in counts


@pytest.mark.feature("N1")
@pytest.mark.parametrize("room", [7, 10_000], ids=["evicting", "roomy"])
@pytest.mark.parametrize("settings", MODES, ids=["two_phase", "after_commit", "outbox"])
async def test_readers_beside_a_writer_see_every_commit_that_has_returned(
    gateway: Gateway, settings: dict[str, Any], room: int
):
    watched = Watched(MemoryDriver(max_entries=room), **settings)
    shop = Shop(watched.cache.wrap(gateway))
    await shop.push_schema()
    changes = Shop.change()
    changes.inserts(Users).extend([User("Ada"), User("Bob")])
    await changes.commit(shop)
    by_key, total = select(Users.score).where(Users.id == 1), select(fn.max(Users.score)).from_(Users)
    committed, over = 0, False

    async def read(query: Any) -> None:
        while not over:
            least = committed
            assert await query.one(shop) >= least
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        for query in (by_key, total, by_key, total):
            group.start_soon(read, query)
        for number in range(1, 60):
            changes = Shop.change()
            changes.update(Users, 1, Users.score.to(number))
            await changes.commit(shop)
            committed = number
            await anyio.lowlevel.checkpoint()
        over = True
    await watched.cache.drain()
