"""
One process of the stress run: tasks that read and write counters through a cache, until they are told to stop or killed.

`python -m tests.cache.stress.worker '<json>'`. What it has seen is written to a file of its own after each round, so
that a killed one leaves it.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter as Tally
from pathlib import Path
from typing import Any, Final

import gateways
from cache_drivers.redis import RedisDriver
from mapper import Cache, CachePolicy, fn, select
from mapper.errors import CacheDriverError, MapperError
from mapper.gateway import Gateway
from tests.cache.stress.counters import NUMBER, Book, Counters, Floors

TASKS: Final = 6
TTL: Final = 30.0


class Protocol:
    """The cache as it is."""

    def __init__(self, gateway: Gateway, driver: RedisDriver, flux: float) -> None:
        self._cache = Cache(
            driver,
            namespace="stress",
            policy=CachePolicy(ttl=TTL, lookup_timeout=0.25, store_timeout=0.5),
            on_invalidation_failure="refuse",
            flux_seconds=flux,
        )
        self.book = Book(self._cache.wrap(gateway))

    async def read(self, counter: int) -> int | None:
        return await select(Counters.value).from_(Counters).find(counter + 1).execute(self.book)

    async def sum(self) -> int:
        return (await select(fn.sum(Counters.value)).all(self.book))[0] or 0

    async def all(self) -> list[tuple[int, int]]:
        return await select(Counters.id, Counters.value).order_by(Counters.id).all(self.book)

    async def raised(self, counter: int, *, alone: bool) -> int:
        """Raise a counter by one, and return what it is then."""
        changes = Book.change()
        changes.updates(Counters).where(Counters.id == counter + 1).set(Counters.value.to(Counters.value + 1))
        if alone:
            await changes.commit(self.book)
            return 0  # nobody knows what it was then
        async with self.book.transaction() as tx:
            await changes.commit(tx)
            value = await select(Counters.value).from_(Counters).find(counter + 1).execute(tx)
        assert value is not None
        return value

    def seen(self) -> dict[str, int]:
        stats = self._cache.stats()
        return {"hits": stats.hits, "misses": stats.misses}


class Aside(Protocol):
    """A cache aside, as it is done by hand: read, else read the store and keep; write, then delete."""

    def __init__(self, gateway: Gateway, driver: RedisDriver, flux: float) -> None:
        del flux
        self._driver = driver
        self._hits = 0
        self.book = Book(gateway)

    async def read(self, counter: int) -> int | None:
        key = f"aside:{counter}"
        try:
            kept = await self._driver.get(key)
        except CacheDriverError:
            kept = None
        if kept is not None:
            self._hits += 1
            return int(kept)
        value = await super().read(counter)
        try:
            await self._driver.set(key, str(value).encode(), ttl_ms=int(TTL * 1000))
        except CacheDriverError:
            pass  # as everybody does it
        return value

    async def raised(self, counter: int, *, alone: bool) -> int:
        value = await super().raised(counter, alone=alone)
        try:
            await self._driver.delete(f"aside:{counter}")
        except CacheDriverError:
            pass  # as everybody does it
        return value

    def seen(self) -> dict[str, int]:
        return {"hits": self._hits}


async def work(worker: Protocol, floors: Floors, chance: random.Random, seen: "Tally[str]", *, aside: bool) -> None:
    """Read or write once."""
    counter = chance.randrange(NUMBER)
    kind = chance.random()
    before = floors.read()
    if kind < 0.06:
        value = await worker.raised(counter, alone=kind < 0.02)
        if value:
            floors.raise_to(counter, value)
        seen["writes"] += 1
    elif kind < 0.9 or aside:
        value_ = await worker.read(counter)
        seen["reads"] += 1
        seen["stale"] += value_ is None or value_ < before[counter]
    elif kind < 0.95:
        seen["reads"] += 1
        seen["stale"] += await worker.sum() < sum(before)
    else:
        rows = await worker.all()
        seen["reads"] += 1
        seen["stale"] += len(rows) != NUMBER or any(value < before[id_ - 1] for id_, value in rows)


async def run(given: dict[str, Any]) -> None:
    """Work until the time is over."""
    chance, floors, seen = random.Random(given["seed"]), Floors(Path(given["floors"])), Tally[str]()
    aside = given["kind"] == "aside"
    report = Path(given["report"])
    gateway = gateways.open(given["store"])
    driver = RedisDriver(given["redis"], command_timeout=0.5, connect_timeout=0.5)
    worker = (Aside if aside else Protocol)(gateway, driver, given["flux"])
    until = time.time() + given["seconds"]

    async def task() -> None:
        while time.time() < until:
            try:
                await work(worker, floors, chance, seen, aside=aside)
            except MapperError as error:
                seen[f"error {type(error).__name__}"] += 1

    async def reporting() -> None:
        while time.time() < until:
            await asyncio.sleep(0.1)
            _write(report, {**seen, **worker.seen()})

    await asyncio.gather(reporting(), *[task() for _ in range(TASKS)])
    _write(report, {**seen, **worker.seen()})
    await gateway.aclose()
    await driver.aclose()
    floors.close()


def _write(report: Path, seen: dict[str, int]) -> None:
    aside = report.with_suffix(".new")
    aside.write_text(json.dumps(seen))
    aside.replace(report)


if __name__ == "__main__":
    asyncio.run(run(json.loads(sys.argv[1])))
