"""Look-ups of drivers that keep the time themselves, and hits that need not be decoded again."""

from collections.abc import Sequence
from typing import Any

import pytest

from cache_drivers.memory import MemoryDriver
from mapper.cache import Cache, CacheEvent, CachePolicy, ReadThrough
from mapper.errors import CacheUnavailable
from tests.cache.faults import Clock, FaultyDriver


class PromptDriver(FaultyDriver):
    """
    A driver that answers at once where it is ready.

    Attributes:
        ready: Whether it is.
        seconds: How long it was told to take at the most, each time.
        error: What it raises.
        reconnects: Whether a connection is opened while it answers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ready = True
        self.seconds: list[float] = []
        self.error: BaseException | None = None
        self.reconnects = False

    async def get_many_within(self, keys: Sequence[str], seconds: float) -> Sequence[bytes | None] | None:
        self.seconds.append(seconds)
        self.calls.append("get_many_within")
        if self.error is not None:
            raise self.error
        if self.reconnects:
            self.connections_made += 1
        return await self.inner.get_many(keys) if self.ready else None

    async def identity(self) -> str:
        self.calls.append("identity")
        return await super().identity()


class Counted:
    """A source that counts how often it is asked, behind a cache."""

    def __init__(self, driver: Any, policy: CachePolicy | None = None, **settings: Any) -> None:
        self.asked = 0
        self.events: list[CacheEvent] = []
        self.cache = Cache(driver, namespace="counted", policy=policy or CachePolicy(ttl=60), **settings)
        self.cache.subscribe(self.events.append)
        self.values = ReadThrough(self.cache, prefix="value", fetch=self.fetch)

    async def fetch(self, key: int) -> str:
        self.asked += 1
        return f"{key} {self.asked}"

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(each.kind, each.reason) for each in self.events]


@pytest.fixture
def driver() -> PromptDriver:
    return PromptDriver()


async def kept(driver: PromptDriver) -> Counted:
    """A source whose value 1 is kept, and nothing has been told of since."""
    counted = Counted(driver)
    assert await counted.values.get(1) == "1 1"
    await counted.cache.drain()
    driver.calls.clear()
    counted.events.clear()
    return counted


async def test_hit_of_a_prompt_driver_is_one_call_with_the_time_of_the_policy(driver: PromptDriver):
    counted = await kept(driver)
    assert await counted.values.get(1) == "1 1"
    assert (driver.calls, counted.told) == (["get_many_within"], [("hit", "")])
    assert driver.seconds[-1] == 0.05 == CachePolicy().lookup_timeout


async def test_driver_that_is_not_ready_is_asked_the_other_way(driver: PromptDriver):
    counted = await kept(driver)
    driver.ready = False
    assert await counted.values.get(1) == "1 1"
    assert (driver.calls, counted.told) == (["get_many_within", "get_many"], [("hit", "")])


async def test_driver_that_opens_a_connection_meanwhile_is_asked_who_it_is(driver: PromptDriver):
    counted = await kept(driver)
    driver.reconnects = True
    assert await counted.values.get(1) == "1 1"
    assert driver.calls == ["get_many_within", "identity", "get_many"]


async def test_driver_known_before_its_last_connection_is_not_asked_promptly(driver: PromptDriver):
    counted = await kept(driver)
    driver.connections_made += 1
    assert await counted.values.get(1) == "1 1"
    assert driver.calls == ["identity", "get_many"]


async def test_tag_that_nobody_knows_is_made(driver: PromptDriver):
    counted = await kept(driver)
    await counted.values.get(2)
    await counted.cache.drain()
    assert driver.calls[:2] == ["get_many_within", "add"]
    assert counted.told[0] == ("miss", "absent")
    assert await counted.values.get(2) == "2 2"


@pytest.mark.parametrize(
    ("error", "name"), [(TimeoutError(), "CacheTimeout"), (CacheUnavailable("cut off"), "CacheUnavailable")]
)
async def test_error_of_a_prompt_driver_is_a_read_past_the_cache(driver: PromptDriver, error: Exception, name: str):
    counted = await kept(driver)
    driver.error = error
    assert await counted.values.get(1) == "1 2"
    assert counted.told == [("error", name), ("miss", "unreachable")]
    assert driver.calls == ["get_many_within"]


async def test_prompt_driver_that_fails_again_and_again_is_left_alone(driver: PromptDriver):
    counted = await kept(driver)
    driver.error = TimeoutError()
    for _ in range(8):
        await counted.values.get(1)
    assert driver.calls == ["get_many_within"] * 5
    assert counted.cache.stats().breaker == "open"


async def test_prompt_driver_that_is_never_ready_does_not_hide_failures(driver: PromptDriver):
    counted = await kept(driver)
    driver.ready = False
    driver.cut("get_many")
    for _ in range(8):
        await counted.values.get(1)
    assert counted.cache.stats().breaker == "open"


# -- values that are remembered ----------------------------------------------------------------------------------------


async def test_hits_of_values_that_can_be_changed_are_objects_of_their_own():
    async def listed(key: int) -> list[int]:
        return [key]

    cache = Cache(MemoryDriver(), namespace="rows")
    values = ReadThrough(cache, prefix="rows", fetch=listed)
    for _ in range(4):
        found = await values.get(1)
        assert found is not None
        assert found == [1]
        found.append(2)
        await cache.drain()


async def test_remembered_value_ends_when_its_tag_changes_and_when_it_is_old():
    clock = Clock()
    counted = Counted(MemoryDriver(clock=clock), CachePolicy(ttl=60, jitter=0.0), now=clock)
    for expected in ("1 1", "1 2"):
        for _ in range(4):
            assert await counted.values.get(1) == expected
            await counted.cache.drain()
        await counted.values.invalidate(1)
    clock.at += 1
    for _ in range(3):
        assert await counted.values.get(1) == "1 3"
    clock.at += 61
    assert await counted.values.get(1) == "1 4"


async def test_absent_value_that_is_remembered_is_none_again():
    async def nothing(key: int) -> str | None:
        del key
        asked.append(1)
        return None

    asked: list[int] = []
    values = ReadThrough(Cache(MemoryDriver(), namespace="none"), prefix="none", fetch=nothing)
    for _ in range(4):
        assert await values.get(1) is None
    assert len(asked) == 1
