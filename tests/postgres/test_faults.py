"""
Faults while many tasks work: backends that are ended, servers that crash, connections refused, dropped or silent.

Every call ends in a result or in an error of ours, in bounded time, and the next one after the fault works at its first
try. `MAPPER_TEST_HYPOTHESIS=long` does more of each.
"""

import asyncio
import gc
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from gateways.postgres import PostgresGateway
from mapper.errors import CannotConnect, MapperError
from mapper.selecting import select
from tests.postgres.backends import NAME, settled
from tests.postgres.behind import LIMITS, gateway, prepared, proxy
from tests.postgres.relations import Book, Notes, written
from tests.postgres.torture import SEEDS, WORK, Strange, Work, is_whole
from tests.servers import Postgres, Proxy

__all__ = ["gateway", "proxy"]

pytestmark = pytest.mark.feature("T27", "T29")

ROUNDS = 10 if os.environ.get("MAPPER_TEST_HYPOTHESIS") == "long" else 1
BOUND = 8.0
"""Seconds within which every call ends: one that waits for a connection, opens one, and waits for an answer or two."""


class Storm:
    """Tasks that do work of every kind until they are told to stop."""

    def __init__(self, gateway: PostgresGateway, seed: int, kinds: tuple[Work, ...] = WORK) -> None:
        self.ended: Counter[str] = Counter()
        self.longest = 0.0
        self._gateway = gateway
        self._kinds = kinds
        self._stopped = False
        self._chances = [random.Random(seed * 100 + each) for each in range(8)]

    async def during(self, fault: Callable[[], Awaitable[object]]) -> None:
        """Work while something goes wrong, and a moment longer."""
        tasks = [asyncio.ensure_future(self._work(chance)) for chance in self._chances]
        try:
            await fault()
        finally:
            self._stopped = True
            await asyncio.gather(*tasks)

    async def _work(self, chance: random.Random) -> None:
        while not self._stopped:
            began = time.monotonic()
            try:
                await chance.choice(self._kinds)(self._gateway, chance)
                self.ended["well"] += 1
            except MapperError as error:
                self.ended[type(error).__name__] += 1
                if isinstance(error, CannotConnect):
                    await asyncio.sleep(0.005)
            self.longest = max(self.longest, time.monotonic() - began)

    async def judge(self, url: str) -> None:
        """Everything is as it should be, and the next calls work at their first try."""
        assert self.ended["well"]
        assert self.longest < BOUND
        assert is_whole(self._gateway.statistics()), self._gateway.statistics()
        counts = await asyncio.gather(
            *[select(Notes.id).where(Notes.text.starts_with("seed")).count(Book(self._gateway)) for _ in range(8)]
        )
        assert counts == [SEEDS] * 8
        assert (await written("afterwards").commit(Book(self._gateway))).inserted == 1
        texts = await select(Notes.text).all(Book(self._gateway))
        pairs = Counter(each.rpartition(":")[0] for each in texts if each.startswith("pair:"))
        assert {*pairs.values()} <= {2}
        assert not [each for each in texts if each.startswith("never")]
        await settled(url, self._gateway.statistics().size)


async def test_backends_ended_at_random(gateway: PostgresGateway, postgres_url: str):
    chance, strange = random.Random(1), Strange()
    asyncio.get_running_loop().set_exception_handler(strange)
    administrator = await asyncpg.connect(postgres_url)

    async def end_some() -> None:
        for _ in range(100 * ROUNDS):
            await administrator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND random() < 0.4",
                NAME,
            )
            await asyncio.sleep(chance.random() * 0.03)

    storm = Storm(gateway, 1)
    await storm.during(end_some)
    await administrator.close()
    await storm.judge(postgres_url)
    assert storm.ended["ConnectionLost"]
    gc.collect()  # what was left is told of when it is collected
    assert strange.told == []


async def test_server_that_crashes_and_comes_back(own_postgres: Postgres):
    await prepared(own_postgres.url)

    async def crash() -> None:
        for _ in range(2 * ROUNDS):
            await asyncio.sleep(0.2)
            own_postgres.kill()
            await asyncio.sleep(0.1)
            own_postgres.begin()
            while not own_postgres.is_ready():  # noqa: ASYNC110  # the tasks go on meanwhile
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)

    async with PostgresGateway(own_postgres.url, application_name=NAME, **LIMITS) as gateway:  # type: ignore[arg-type]
        storm = Storm(gateway, 2)
        await storm.during(crash)
        await storm.judge(own_postgres.url)
        assert storm.ended["CannotConnect"]


async def test_connections_refused_and_taken_again(gateway: PostgresGateway, proxy: Proxy, postgres_url: str):
    chance = random.Random(3)

    async def refuse() -> None:
        for _ in range(10 * ROUNDS):
            proxy.refuse()
            await proxy.drop()
            await asyncio.sleep(chance.random() * 0.05)
            await proxy.accept()
            await asyncio.sleep(chance.random() * 0.1)

    storm = Storm(gateway, 3)
    await storm.during(refuse)
    await storm.judge(postgres_url)
    assert storm.ended["CannotConnect"]


@pytest.mark.parametrize("resets", [False, True], ids=["end of file", "reset"])
async def test_connections_dropped_at_any_byte(gateway: PostgresGateway, proxy: Proxy, postgres_url: str, resets: bool):
    chance, proxy.resets = random.Random(4), resets

    async def drop() -> None:
        for _ in range(60 * ROUNDS):
            proxy.drop_after(chance.randrange(1, 3000), chance.choice(("server", "client")))
            await asyncio.sleep(chance.random() * 0.03)
        proxy.forget()

    storm = Storm(gateway, 4)
    await storm.during(drop)
    await storm.judge(postgres_url)
    assert storm.ended["ConnectionLost"]


async def test_bytes_held_back_at_any_place(gateway: PostgresGateway, proxy: Proxy, postgres_url: str):
    chance = random.Random(5)

    async def stall() -> None:
        for _ in range(3 * ROUNDS):
            proxy.stall_after(chance.randrange(1, 5000), chance.choice(("server", "client")))
            await asyncio.sleep(0.7)
            proxy.forget()
            proxy.resume()
            await asyncio.sleep(0.1)
        proxy.forget()
        proxy.resume()

    storm = Storm(gateway, 5)
    await storm.during(stall)
    await storm.judge(postgres_url)
    assert storm.ended["StatementTimeout"]
