"""
Several processes share a Redis and a store, and everything goes wrong: keys are evicted, the server is emptied, killed
and restarted, processes are killed and paused. No read that begins after a commit returned shows less than it.

The same run with a cache aside shows that it would have been seen.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter as Tally
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
from redis import Redis as Client
from redis.exceptions import RedisError

import gateways
from tests.cache.stress.counters import NUMBER, Book, Counter, Counters, Floors
from tests.servers import NoServer, Redis

LONG: Final = os.environ.get("MAPPER_TEST_HYPOTHESIS") == "long"
SECONDS: Final = 60.0 if LONG else 5.0
PROCESSES: Final = 4
FLUX: Final = 1.0

pytestmark = [pytest.mark.feature("N1"), pytest.mark.timeout(SECONDS + 90)]


@pytest.fixture(scope="module")
def own_redis() -> Iterator[Redis]:
    """A server that may be killed, and keeps nothing over that."""
    try:
        server = Redis.launch()
    except NoServer as missing:
        pytest.skip(str(missing))
    yield server
    server.stop()


class Workers:
    """The processes of a run."""

    def __init__(self, directory: Path, store: str, redis: str, kind: str) -> None:
        self._directory = directory
        self._given = {"store": store, "redis": redis, "kind": kind, "flux": FLUX, "floors": str(directory / "floors")}
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._begun = 0
        self._until = time.time() + SECONDS
        self.failed: list[int] = []

    def begin(self) -> None:
        """Start one more."""
        self._begun += 1
        left = self._until - time.time()
        given: dict[str, Any] = {
            **self._given,
            "seed": self._begun,
            "seconds": left,
            "report": str(self._directory / f"report{self._begun}.json"),
        }
        command = [sys.executable, "-m", "tests.cache.stress.worker", json.dumps(given)]
        self._running[self._begun] = subprocess.Popen(command)

    def kill_one(self, chance: random.Random) -> None:
        """Kill one, whatever it does, and start another."""
        number = chance.choice(sorted(self._running))
        process = self._running.pop(number)
        process.kill()
        process.wait()
        self.begin()

    def pause_one(self, chance: random.Random) -> None:
        """Stop one for a while, shorter or longer than a mark of it counts."""
        process = self._running[chance.choice(sorted(self._running))]
        process.send_signal(signal.SIGSTOP)
        time.sleep(chance.choice((0.05, 0.3, FLUX * 1.3)))
        process.send_signal(signal.SIGCONT)

    def finish(self) -> "Tally[str]":
        """Wait for all, and return what they have seen together."""
        for process in self._running.values():
            process.wait(timeout=30)
            self.failed += [process.returncode] if process.returncode else []
        return self.seen()

    def stop(self) -> "Tally[str]":
        """End all at once, and return what they have seen together."""
        for process in self._running.values():
            process.kill()
            process.wait()
        return self.seen()

    def seen(self) -> "Tally[str]":
        """Return what all have seen together so far."""
        seen: Tally[str] = Tally()
        for report in self._directory.glob("report*.json"):
            seen.update(json.loads(report.read_text()))
        return seen


async def prepared(store: str) -> None:
    """Make the table, with all counters at 0."""
    async with gateways.open(store) as gateway:
        book = Book(gateway)
        await book.push_schema()
        changes = Book.change()
        for number in range(NUMBER):
            changes.inserts(Counters).push(Counter(0), Counters.id.to(number + 1))
        await changes.commit(book)


def disturb(chance: random.Random, workers: Workers, redis: Redis) -> None:
    """Do one bad thing."""
    kind = chance.choices(("evict", "flush", "restart", "kill", "pause"), (10, 2, 1, 3, 2))[0]
    if kind == "restart":
        redis.kill()
        time.sleep(chance.random() * 0.2)
        redis.start()
    elif kind == "kill":
        workers.kill_one(chance)
    elif kind == "pause":
        workers.pause_one(chance)
    else:
        try:
            with redis.client() as client:
                client.flushdb() if kind == "flush" else _evict(client)
        except RedisError:
            return  # it is being restarted


def _evict(client: Client) -> None:
    for _ in range(3):
        key = client.randomkey()
        if key is not None:
            client.delete(key)


async def seen_by(directory: Path, store: str, redis: Redis, kind: str, *, until_stale: bool = False) -> "Tally[str]":
    """Run processes on a store, disturb them, and return what they have seen; maybe as soon as a read is stale."""
    await prepared(store)
    Floors(directory / "floors").close()
    chance = random.Random(kind + store[:6])
    workers = Workers(directory, store, redis.url, kind)
    for _ in range(PROCESSES):
        workers.begin()
    until = time.time() + SECONDS - 0.5
    while time.time() < until:
        await anyio.sleep(chance.random() * 0.25)
        disturb(chance, workers, redis)
        if until_stale and workers.seen()["stale"]:
            return workers.stop()
    seen = workers.finish()
    assert workers.failed == []
    return seen


@pytest.fixture(params=["postgres", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/stress.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


async def test_no_read_is_stale_whatever_happens(tmp_path: Path, store: str, own_redis: Redis):
    seen = await seen_by(tmp_path, store, own_redis, "protocol")
    print(dict(seen))
    assert seen["stale"] == 0
    assert seen["hits"] > seen["reads"] / 20
    assert seen["writes"] > 20
    assert seen["reads"] > (50_000 if LONG else 300)


async def test_cache_aside_in_the_same_run_is_stale(tmp_path: Path, postgres_url: str, own_redis: Redis):
    seen = await seen_by(tmp_path, postgres_url, own_redis, "aside", until_stale=True)
    print(dict(seen))
    assert seen["stale"] > 0
