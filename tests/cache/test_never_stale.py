"""After every write of every kind, every read through the cache gives what the store gives."""

from random import Random
from typing import Any

import pytest

from mapper.errors import StoreError
from mapper.gateway import Gateway
from tests.cache.reads import reads_on
from tests.cache.shop import Shop, Watched
from tests.cache.writes import writes_on

MODES: list[dict[str, Any]] = [{}, {"invalidation": "after_commit"}, {"invalidation": "outbox"}]


@pytest.mark.feature("C3", "V8", "N1")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("settings", MODES, ids=["two_phase", "after_commit", "outbox"])
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
