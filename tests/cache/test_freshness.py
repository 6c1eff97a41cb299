"""How long results are served, what is done around the end of that time, and who reads when many ask."""

import asyncio
from datetime import timedelta
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from attrs import frozen

from cache_drivers.memory import MemoryDriver
from mapper.cache import Cache, CacheEvent, CachePolicy, ReadThrough
from mapper.errors import CacheConfigError, StoreError
from tests.cache.faults import Clock, FaultyDriver

pytestmark = pytest.mark.feature("C4", "V2")


class Source:
    """A function that counts how often it is called, and can fail or wait."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.gate: anyio.Event | None = None
        self.value: str | None = "value"

    async def __call__(self, key: int) -> str | None:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return None if self.value is None else f"{self.value} {key}"


class Timed:
    """A source behind a cache whose clocks stand still."""

    def __init__(self, *, driver: Any = None, **policy: Any) -> None:
        self.clock = Clock()
        self.source = Source()
        self.events: list[CacheEvent] = []
        self.driver = MemoryDriver(clock=self.clock) if driver is None else driver
        policy.setdefault("jitter", 0)
        self.cache = Cache(
            self.driver, namespace="timed", policy=CachePolicy(**policy), clock=self.clock, now=self.clock
        )
        self.cache.subscribe(self.events.append)
        self.values: ReadThrough[int, str] = ReadThrough(self.cache, prefix="value", fetch=self.source)

    async def get(self, key: int = 1) -> str | None:
        return await self.values.get(key)

    def taken(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = [(each.kind, each.reason) for each in self.events]
        self.events.clear()
        return found


@pytest.mark.parametrize("ttl", [0.5, 10, timedelta(days=25)])
async def test_value_is_served_for_its_time_and_read_anew_behind_it(ttl: Any):
    timed = Timed(ttl=ttl)
    length = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
    await timed.get()
    timed.clock.at += length - 0.01
    await timed.get()
    assert timed.source.calls == 1
    timed.clock.at += 0.02
    await timed.get()
    assert timed.source.calls == 2


async def test_jitter_only_shortens():
    lengths = []
    for _ in range(40):
        timed = Timed(ttl=100, jitter=0.5)
        await timed.get()
        length = 0
        while timed.source.calls == 1 and length <= 101:
            timed.clock.at += 1
            length += 1
            await timed.get()
        lengths.append(length)
    assert max(lengths) <= 101
    assert min(lengths) >= 50
    assert len(set(lengths)) > 5


async def test_absence_has_a_time_of_its_own():
    timed = Timed(ttl=100, negative_ttl=1)
    timed.source.value = None
    assert await timed.get() is None
    timed.clock.at += 0.5
    assert await timed.get() is None
    assert timed.source.calls == 1
    timed.clock.at += 1
    timed.source.value = "there"
    assert await timed.get() == "there 1"


async def test_stale_value_is_served_while_it_is_read_anew_but_not_once_it_is_untrue():
    timed = Timed(ttl=10, swr=10)
    await timed.get()
    timed.source.value = "new"
    timed.clock.at += 15
    timed.taken()
    assert await timed.get() == "value 1"
    assert timed.taken() == [("hit", ""), ("refresh", "stale")]
    await timed.cache.drain()
    assert await timed.get() == "new 1"
    assert timed.source.calls == 2
    timed.clock.at += 15
    await timed.values.invalidate(1)
    timed.source.value = "newest"
    assert await timed.get() == "newest 1"
    timed.clock.at += 21
    timed.source.value = "last"
    assert await timed.get() == "last 1"


@pytest.mark.feature("V5")
async def test_work_behind_an_answer_is_handed_to_the_host_and_nothing_else():
    handed: list[Any] = []
    timed = Timed(ttl=10, swr=10)
    timed.cache = Cache(
        timed.driver, namespace="timed", policy=CachePolicy(ttl=10, swr=10, jitter=0), on_background=handed.append,
        clock=timed.clock, now=timed.clock,
    )  # fmt: skip
    timed.values = ReadThrough(timed.cache, prefix="value", fetch=timed.source)
    with anyio.fail_after(5):
        await timed.get()
        timed.clock.at += 15
        assert await timed.get() == "value 1"
        assert len(handed) == 1
        assert timed.source.calls == 1
        timed.clock.at += 10
        assert await timed.get() == "value 1"
        assert timed.source.calls == 2
        await handed[0]
        await timed.cache.drain()
    assert timed.source.calls == 3


async def test_early_refresh_comes_before_the_end_the_likelier_the_nearer(monkeypatch: pytest.MonkeyPatch):
    timed = Timed(ttl=100, early=1.0)

    async def slow(key: int) -> str:
        timed.clock.at += 1
        return "slow"

    timed.values = ReadThrough(timed.cache, prefix="slow", fetch=slow)
    monkeypatch.setattr("random.random", lambda: 1 - 2.718281828**-1)
    await timed.get()
    timed.clock.at += 90
    timed.taken()
    await timed.get()
    assert timed.taken() == [("hit", "")]
    timed.clock.at += 8.5
    await timed.get()
    assert timed.taken() == [("hit", ""), ("refresh", "early")]


@pytest.mark.feature("C8")
async def test_stale_value_is_served_where_the_store_fails_and_for_no_other_error():
    timed = Timed(ttl=10, stale_if_error=20)
    await timed.get()
    timed.clock.at += 15
    timed.source.error = StoreError("away")
    timed.taken()
    assert await timed.get() == "value 1"
    assert timed.taken()[-1] == ("hit", "error")
    timed.source.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await timed.get()
    timed.source.error = StoreError("away")
    await timed.values.invalidate(1)
    with pytest.raises(StoreError):
        await timed.get()


async def test_hundred_readers_are_one_read():
    timed = Timed()
    timed.source.gate = anyio.Event()
    found: list[str | None] = []

    async def read() -> None:
        found.append(await timed.get())

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        assert timed.cache.stats().in_flight == 1
        timed.source.gate.set()
    assert found == ["value 1"] * 100
    assert timed.source.calls == 1


async def test_cancelling_the_reader_who_came_first_cancels_nobody_else():
    timed = Timed()
    timed.source.gate = anyio.Event()
    tasks = [asyncio.create_task(timed.get()) for _ in range(3)]
    await anyio.wait_all_tasks_blocked()
    tasks[0].cancel()
    await anyio.wait_all_tasks_blocked()
    timed.source.gate.set()
    assert await asyncio.gather(*tasks[1:]) == ["value 1"] * 2
    assert tasks[0].cancelled()
    assert timed.source.calls == 1


async def test_cancelling_all_readers_keeps_what_was_read_for_later():
    timed = Timed()
    timed.source.gate = anyio.Event()
    tasks = [asyncio.create_task(timed.get()) for _ in range(3)]
    await anyio.wait_all_tasks_blocked()
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    timed.source.gate.set()
    await timed.cache.drain()
    assert await timed.get() == "value 1"
    assert timed.source.calls == 1


async def test_error_reaches_all_who_wait_and_is_not_kept():
    timed = Timed()
    timed.source.gate, timed.source.error = anyio.Event(), KeyError("nope")
    tasks = [asyncio.create_task(timed.get()) for _ in range(3)]
    await anyio.wait_all_tasks_blocked()
    timed.source.gate.set()
    assert [type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)] == [KeyError] * 3
    timed.source.error = None
    assert await timed.get() == "value 1"


async def test_reader_who_comes_behind_a_change_does_not_join_one_from_before_it():
    timed = Timed()
    timed.source.gate = gate = anyio.Event()
    before = asyncio.create_task(timed.get())
    await anyio.wait_all_tasks_blocked()
    await timed.values.invalidate(1)
    timed.source.gate, timed.source.value = None, "new"
    assert await timed.get() == "new 1"
    gate.set()
    await before
    assert await timed.get() == "new 1"


async def test_lease_lets_one_process_read_and_another_wait_for_it():
    driver = FaultyDriver()
    one, other = Timed(driver=driver, lease=5, lookup_timeout=2), Timed(driver=driver, lease=5, lookup_timeout=2)
    one.source.gate = anyio.Event()
    first = asyncio.create_task(one.get())
    await anyio.wait_all_tasks_blocked()
    second = asyncio.create_task(other.get())
    while driver.calls.count("add") < 4:
        await anyio.lowlevel.checkpoint()
    one.source.gate.set()
    assert await first == await second == "value 1"
    assert (one.source.calls, other.source.calls) == (1, 0)
    assert ("join", "lease") in other.taken()


def test_cache_is_used_by_one_event_loop_after_another():
    timed = Timed(ttl=1000)
    driver = timed.driver

    async def begun_and_left() -> None:
        task = asyncio.create_task(timed.get(2))
        await asyncio.sleep(0)
        del task

    assert asyncio.run(timed.get()) == "value 1"
    timed.source.gate = anyio.Event()
    asyncio.run(begun_and_left())
    timed.source.gate = None

    async def again() -> str | None:
        with anyio.fail_after(5):
            assert await timed.get(2) == "value 2"
            await timed.cache.drain()
            return await timed.get()

    assert asyncio.run(again()) == "value 1"
    assert timed.cache.stats().in_flight == 0
    assert timed.cache.stats().background == 0
    assert driver is timed.driver


@frozen
class Found:
    rows: list[int]


async def test_sample_of_hits_finds_what_was_changed_past_the_cache():
    truth = [1]

    async def fetch(key: int) -> Found:
        return Found(list(truth))

    cache = Cache(MemoryDriver(), namespace="sampled", verify_sample=1.0)
    values = ReadThrough(cache, prefix="found", fetch=fetch)
    await values.get(1)
    await values.get(1)
    await cache.drain()
    assert cache.stats().counts["verified"] == 1
    truth.append(2)
    await values.get(1)
    await cache.drain()
    assert cache.stats().counts["inconsistent"] == 1


@pytest.mark.parametrize(
    "settings",
    [{"ttl": 0}, {"ttl": -1}, {"ttl": "60"}, {"ttl": float("inf")}, {"ttl": True}, {"jitter": 1}, {"jitter": -0.1},
     {"early": 0}, {"max_rows": 0}, {"max_bytes": 1.5}, {"swr": -1}, {"compress_over": -1}],
    ids=str,
)  # fmt: skip
def test_policy_that_makes_no_sense_is_refused(settings: dict[str, Any]):
    with pytest.raises(CacheConfigError):
        CachePolicy(**settings)
