"""The memory driver: its bounds, its clock, and a plain model that it must agree with whatever is done to it."""

import asyncio
import time
import timeit
import tracemalloc
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cache_drivers.memory import OVERHEAD, MemoryDriver, MemoryUsage
from mapper.errors import CacheConfigError, CacheDriverError, CacheValueTooLarge
from tests.cache.drivers.clock import Clock

HOUR = 3_600_000
T = TypeVar("T")


def done(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a method that never suspends, without any event loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it suspended")


@pytest.fixture
def clock() -> Clock:
    return Clock()


# Bounds


async def test_entry_used_longest_ago_is_evicted_first(clock: Clock):
    driver = MemoryDriver(max_entries=3, clock=clock)
    await driver.set_many([(key, b"1", HOUR) for key in "abc"])
    await driver.get("a")
    await driver.get_many(["b"])
    await driver.set("d", b"1", ttl_ms=HOUR)
    assert await driver.get_many(["a", "b", "c", "d"]) == [b"1", b"1", None, b"1"]
    assert driver.usage().evicted == 1


async def test_entry_that_was_added_again_counts_as_used(clock: Clock):
    driver = MemoryDriver(max_entries=2, clock=clock)
    await driver.set_many([("a", b"1", HOUR), ("b", b"1", HOUR)])
    assert await driver.add("a", b"2", ttl_ms=HOUR) == b"1"
    await driver.set("c", b"1", ttl_ms=HOUR)
    assert await driver.get_many(["a", "b", "c"]) == [b"1", None, b"1"]


async def test_entry_that_replaces_another_evicts_nothing(clock: Clock):
    driver = MemoryDriver(max_entries=2, clock=clock)
    await driver.set_many([("a", b"1", HOUR), ("b", b"1", HOUR), ("b", b"2", HOUR)])
    assert await driver.get_many(["a", "b"]) == [b"1", b"2"]
    assert driver.usage().evicted == 0


async def test_bytes_of_keys_values_and_overhead_are_bounded(clock: Clock):
    size = 3 + 1000 + OVERHEAD
    driver = MemoryDriver(max_bytes=4 * size, clock=clock)
    for number in range(100, 110):
        await driver.set(str(number), bytes(1000), ttl_ms=HOUR)
    assert driver.usage() == MemoryUsage(entries=4, bytes=4 * size, evicted=6, in_flux=0)


async def test_large_value_evicts_as_many_as_it_needs(clock: Clock):
    driver = MemoryDriver(max_bytes=10 * (OVERHEAD + 1001), clock=clock)
    await driver.set_many([(str(number), bytes(1000), HOUR) for number in range(10)])
    await driver.set("x", bytes(6000), ttl_ms=HOUR)
    found = await driver.get_many([*map(str, range(10)), "x"])
    assert [value is not None for value in found] == [False] * 5 + [True] * 6


async def test_value_larger_than_all_room_is_refused_and_nothing_is_evicted(clock: Clock):
    driver = MemoryDriver(max_bytes=5000, clock=clock)
    await driver.set_many([("a", b"old", HOUR), ("b", b"1", HOUR)])
    assert await driver.set("a", bytes(5000), ttl_ms=HOUR) is False
    assert await driver.get_many(["a", "b"]) == [None, b"1"]
    with pytest.raises(CacheValueTooLarge, match="value of 5000 bytes is too large, expected at most"):
        await driver.add("a", bytes(5000), ttl_ms=HOUR)
    assert await driver.add("b", bytes(5000), ttl_ms=HOUR) == b"1"


@pytest.mark.parametrize("bounds", [{"max_entries": 0}, {"max_entries": -1}, {"max_bytes": 0}, {"max_bytes": OVERHEAD}])
def test_bound_without_room_is_refused(bounds: dict[str, int]):
    (name,) = bounds
    with pytest.raises(CacheConfigError, match=name):
        MemoryDriver(bounds.get("max_entries", 10), bounds.get("max_bytes", 10_000))


async def test_what_expired_gives_way_without_being_asked_for(clock: Clock):
    driver = MemoryDriver(clock=clock)
    await driver.set_many([(f"old{number}", b"1", 10) for number in range(1000)])
    await clock.advance(10)
    for number in range(1000):
        await driver.set(f"new{number}", b"1", ttl_ms=HOUR)
    assert driver.usage().entries == 1000
    assert driver.usage().evicted == 0


async def test_overhead_is_at_least_what_python_needs():
    driver = MemoryDriver(max_entries=20_000)
    tracemalloc.start()
    try:
        for number in range(20_000):
            await driver.set(f"key:{number:040}", b"%0100d" % number, ttl_ms=HOUR)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert driver.usage().entries == 20_000
    assert used <= driver.usage().bytes


# Tags in flux


async def test_tag_in_flux_is_not_evicted(clock: Clock):
    driver = MemoryDriver(max_entries=10, clock=clock)
    await driver.tags_begin(["a:1:t:x"], b"writer", flux_ms=HOUR)
    for number in range(100):
        await driver.set(str(number), b"1", ttl_ms=HOUR)
    assert await driver.get("a:1:t:x") == b"f1"
    await driver.tags_end(["a:1:t:x"], b"writer", stamp_ttl_ms=HOUR)
    assert (await driver.get("a:1:t:x") or b"")[:1] == b"s"


async def test_tag_at_rest_that_is_evicted_is_absent(clock: Clock):
    driver = MemoryDriver(max_entries=2, clock=clock)
    await driver.tags_end(["t"], b"writer", stamp_ttl_ms=HOUR)
    await driver.set_many([("a", b"1", HOUR), ("b", b"1", HOUR)])
    assert await driver.get("t") is None


async def test_more_tags_in_flux_than_the_bound_are_refused_before_any_has_changed(clock: Clock):
    driver = MemoryDriver(max_entries=3, clock=clock)
    await driver.tags_begin(["a", "b"], b"1", flux_ms=HOUR)
    await driver.set("c", b"s old", ttl_ms=HOUR)
    with pytest.raises(CacheDriverError, match=r"2 tokens .* 2 more are wanted, expected at most 3") as caught:
        await driver.tags_begin(["c", "d"], b"1", flux_ms=HOUR)
    assert "max_entries" in (caught.value.hint or "")
    assert await driver.get_many(["a", "b", "c", "d"]) == [b"f1", b"f1", b"s old", None]
    await driver.tags_begin(["a", "b", "c"], b"1", flux_ms=HOUR)
    await driver.tags_end(["a", "b", "c"], b"1", stamp_ttl_ms=HOUR)
    await driver.tags_begin(["d", "e", "f"], b"1", flux_ms=HOUR)


async def test_many_writers_of_one_tag_are_bounded(clock: Clock):
    driver = MemoryDriver(max_entries=3, clock=clock)
    for token in (b"1", b"2", b"3"):
        await driver.tags_begin(["a"], token, flux_ms=HOUR)
    with pytest.raises(CacheDriverError):
        await driver.tags_begin(["a"], b"4", flux_ms=HOUR)


async def test_dead_writers_make_room_for_others(clock: Clock):
    driver = MemoryDriver(max_entries=3, clock=clock)
    await driver.tags_begin(["a"], b"alive", flux_ms=HOUR)
    await driver.tags_begin(["b", "c"], b"dead", flux_ms=10)
    await clock.advance(10)
    await driver.tags_begin(["b", "d"], b"dead", flux_ms=10)
    assert await driver.get_many(["a", "b", "c", "d"]) == [b"f1", b"f1", None, b"f1"]


async def test_tags_of_dead_writers_do_not_pile_up(clock: Clock):
    driver = MemoryDriver(clock=clock)
    for number in range(1000):
        await driver.tags_begin([f"{number}"], b"dead", flux_ms=5)
        await clock.advance(1)
    assert driver.usage().in_flux <= 5


# Time, loops and speed


async def test_time_to_live_is_exact_at_any_reading_of_the_clock():
    for start in (0, 1, 333, 1_000_003, 10**9 + 7, 10**12 + 1):
        for ttl in (1, 2, 3, 7, 100, 333, 12_345, HOUR):
            clock = Clock(start)
            driver = MemoryDriver(clock=clock)
            await driver.set("k", b"1", ttl_ms=ttl)
            await clock.advance(ttl - 1)
            assert await driver.get("k") == b"1"
            await clock.advance(1)
            assert await driver.get("k") is None


def test_driver_serves_one_event_loop_after_the_other():
    driver = MemoryDriver()
    assert asyncio.run(driver.set("k", b"1", ttl_ms=HOUR)) is True
    asyncio.run(driver.tags_begin(["t"], b"1", flux_ms=HOUR))
    assert asyncio.run(driver.get_many(["k", "t"])) == [b"1", b"f1"]


async def test_identity_is_of_one_driver():
    first, second = MemoryDriver(), MemoryDriver()
    assert await first.identity() == await first.identity() != await second.identity()


async def test_closed_driver_keeps_what_it_has():
    driver = MemoryDriver()
    await driver.set("k", b"1", ttl_ms=HOUR)
    await driver.aclose()
    assert await driver.get("k") == b"1"


async def test_value_that_the_caller_changes_afterwards_stays():
    driver, value = MemoryDriver(), bytearray(b"one")
    await driver.set("k", value, ttl_ms=HOUR)  # type: ignore[arg-type,unused-ignore]  # what the types forbid
    value[:] = b"two"
    assert await driver.get("k") == b"one"


@pytest.mark.parametrize("ms", [0, -1])
async def test_time_to_live_below_a_millisecond_is_refused_by_name(ms: int):
    with pytest.raises(CacheConfigError, match=f"time to live is {ms} ms, expected at least 1"):
        await MemoryDriver().set("k", b"1", ttl_ms=ms)


def test_three_keys_are_read_in_two_microseconds():
    driver = MemoryDriver(clock=time.monotonic)
    keys = [f"shop:1:{kind}:posts:find:{'0' * 40}" for kind in "egr"]
    done(driver.set_many([(key, bytes(200), HOUR) for key in keys]))
    best = min(timeit.repeat(lambda: done(driver.get_many(keys)), number=2000, repeat=15)) / 2000
    assert best < 2e-6


# A plain model

KEYS = ("a", "b", "ab", "abc", "t:1", "t:2", "t:3")
keys = st.sampled_from(KEYS)
times = st.sampled_from((1, 2, 5, 10, 50))
tokens = st.sampled_from((b"x", b"y", b"z"))
values = st.binary(max_size=30) | st.integers(500, 900).map(bytes)


class Against(RuleBasedStateMachine):
    """
    Do the same to the driver and to dictionaries that are looked through.

    With bounds that evict the driver may have less than the dictionaries, never anything else.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.kept: dict[str, tuple[bytes, int]] = {}
        self.flux: dict[str, dict[bytes, int]] = {}
        self.stamps: set[bytes] = set()

    @initialize(small=st.booleans())
    def make(self, small: bool) -> None:
        self.small = small
        bounds = {"max_entries": 3, "max_bytes": 3000} if small else {"max_entries": 100, "max_bytes": 100_000}
        self.bounds = bounds
        self.driver = MemoryDriver(**bounds, clock=self.clock)

    def expected(self, key: str) -> bytes | None:
        alive = [token for token, deadline in self.flux.get(key, {}).items() if deadline > self.clock.ms]
        if alive:
            return b"f%d" % len(alive)
        value, deadline = self.kept.get(key, (b"", 0))
        return value if deadline > self.clock.ms else None

    def check(self, key: str, found: bytes | None) -> None:
        expected = self.expected(key)
        if found is None and self.small and not self._alive(key):
            self.kept.pop(key, None)
        else:
            assert found == expected

    def keep(self, key: str, value: bytes, ttl: int) -> None:
        self.flux.pop(key, None)
        self.kept[key] = value, self.clock.ms + ttl

    @rule(ms=st.integers(0, 20))
    def pass_time(self, ms: int) -> None:
        self.clock.ms += ms

    @rule(key=keys)
    def get(self, key: str) -> None:
        self.check(key, done(self.driver.get(key)))

    @rule(many=st.lists(keys, max_size=6))
    def get_many(self, many: list[str]) -> None:
        for key, found in zip(many, done(self.driver.get_many(many)), strict=True):
            self.check(key, found)

    @rule(key=keys, value=values, ttl=times)
    def set(self, key: str, value: bytes, ttl: int) -> None:
        assert done(self.driver.set(key, value, ttl_ms=ttl)) is True
        self.keep(key, value, ttl)
        assert done(self.driver.get(key)) == value

    @rule(items=st.lists(st.tuples(keys, values, times), max_size=5))
    def set_many(self, items: list[tuple[str, bytes, int]]) -> None:
        assert done(self.driver.set_many(items)) == len(items)
        for key, value, ttl in items:
            self.keep(key, value, ttl)

    @rule(key=keys, value=values, ttl=times)
    def add(self, key: str, value: bytes, ttl: int) -> None:
        found = done(self.driver.add(key, value, ttl_ms=ttl))
        self.check(key, found)
        if found is None:
            self.keep(key, value, ttl)

    @rule(many=st.lists(keys, max_size=4))
    def delete_many(self, many: list[str]) -> None:
        there = [key for key in set(many) if self.expected(key) is not None]
        count = done(self.driver.delete_many(many))
        assert count <= len(there) if self.small else count == len(there)
        for key in many:
            self.flux.pop(key, None)
            self.kept.pop(key, None)

    @rule(prefix=st.sampled_from(("a", "ab", "t:", "", "x")))
    def clear(self, prefix: str) -> None:
        there = [key for key in KEYS if key.startswith(prefix) and self.expected(key) is not None]
        count = done(self.driver.clear(prefix))
        assert count <= len(there) if self.small else count == len(there)
        for key in KEYS:
            if key.startswith(prefix):
                self.flux.pop(key, None)
                self.kept.pop(key, None)

    @rule(tags=st.lists(keys, max_size=3), token=tokens, ms=times)
    def begin(self, tags: list[str], token: bytes, ms: int) -> None:
        counted = sum(d > self.clock.ms for writers in self.flux.values() for d in writers.values())
        fresh = [tag for tag in set(tags) if self.flux.get(tag, {}).get(token, 0) <= self.clock.ms]
        try:
            done(self.driver.tags_begin(tags, token, flux_ms=ms))
        except CacheDriverError:
            assert counted + len(fresh) > self.bounds["max_entries"]
            return
        assert counted + len(fresh) <= self.bounds["max_entries"]
        for tag in tags:
            self.kept.pop(tag, None)
            self.flux.setdefault(tag, {})[token] = self.clock.ms + ms

    @rule(tags=st.lists(keys, max_size=3), token=tokens, ttl=times)
    def end(self, tags: list[str], token: bytes, ttl: int) -> None:
        done(self.driver.tags_end(tags, token, stamp_ttl_ms=ttl))
        for tag in dict.fromkeys(tags):
            self.flux.get(tag, {}).pop(token, None)
            if self._alive(tag):
                continue
            found = done(self.driver.get(tag))
            if found is None:
                assert self.small
                self.kept.pop(tag, None)
                continue
            assert found[:1] == b"s"
            assert found not in self.stamps, "a stamp came again"
            self.stamps.add(found)
            self.keep(tag, found, ttl)

    def _alive(self, tag: str) -> bool:
        return any(deadline > self.clock.ms for deadline in self.flux.get(tag, {}).values())

    @invariant()
    def keeps_its_bounds_and_its_books(self) -> None:
        if not hasattr(self, "driver"):
            return
        driver = self.driver
        usage = driver.usage()
        assert usage.entries <= self.bounds["max_entries"]
        assert usage.bytes <= self.bounds["max_bytes"]
        assert usage.bytes == sum(len(key) + len(entry.value) + OVERHEAD for key, entry in driver._entries.items())
        assert [driver._entries[key].place for key in driver._order] == list(range(usage.entries))
        assert driver._tokens == sum(map(len, driver._flux.values())) <= self.bounds["max_entries"]
        assert not driver._flux.keys() & driver._entries.keys()


TestAgainst = Against.TestCase
TestAgainst.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
