"""Two tiers: what is asked of which, and that no copy outlives a change that is known."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from random import Random
from typing import Any, cast

import pytest
from anyio import create_task_group
from anyio.lowlevel import checkpoint
from attrs import evolve

from cache_drivers.memory import MemoryDriver
from cache_drivers.null import NullDriver
from cache_drivers.tiered import MOST_TOLD, TieredDriver, TieredMode
from mapper.cache.driver import STAMP, CacheDriver, TwoPhaseDriver
from mapper.errors import CacheConfigError, CacheUnavailable
from tests.cache.drivers.clock import Clock
from tests.cache.drivers.shared import Server

HOUR = 3_600_000
ENTRY, OTHER, TAG, TAG2, LEASE = "shop:1:e:a", "shop:1:e:b", "shop:1:t:a", "shop:1:t:b", "shop:1:l:a"


@pytest.fixture
def server() -> Server:
    return Server(Clock())


@pytest.fixture
def driver(server: Server) -> TieredDriver:
    return TieredDriver(MemoryDriver(clock=server._clock), server)


@pytest.fixture
def told(server: Server) -> TieredDriver:
    return TieredDriver(MemoryDriver(clock=server._clock), server, mode="broadcast", prefixes=["shop:"])


def turns(seed: int) -> Callable[[], int]:
    """Return what says for how many turns of the loop each call is on its way: now few, now many."""
    random = Random(seed)
    return lambda: random.randrange(6)


async def renewed(driver: CacheDriver, tag: str = TAG) -> bytes:
    """Give a tag a fresh stamp, as a writer does, and return the tag."""
    assert isinstance(driver, TwoPhaseDriver)
    await driver.tags_begin([tag], b"writer", flux_ms=HOUR)
    await driver.tags_end([tag], b"writer", stamp_ttl_ms=HOUR)
    found = await driver.get(tag)
    assert found is not None
    return found


# Validated


async def test_entry_comes_from_near_and_its_tags_from_afar_in_one_round_trip(driver: TieredDriver, server: Server):
    stamp = await renewed(driver)
    await driver.set(ENTRY, b"1", ttl_ms=HOUR)
    await server.delete(ENTRY)
    server.calls.clear()
    assert await driver.get_many([ENTRY, TAG]) == [b"1", stamp]
    assert server.calls == ["get_many"]


async def test_entry_that_is_near_alone_asks_nobody(driver: TieredDriver, server: Server):
    await driver.set(ENTRY, b"1", ttl_ms=HOUR)
    server.calls.clear()
    assert await driver.get(ENTRY) == b"1"
    assert server.calls == []


async def test_entry_that_is_far_is_fetched_with_the_tags_and_then_near(driver: TieredDriver, server: Server):
    await server.set_many([(ENTRY, b"1", HOUR), (TAG, b"s1", HOUR)])
    server.calls.clear()
    assert await driver.get_many([ENTRY, TAG, ENTRY]) == [b"1", b"s1", b"1"]
    assert server.calls == ["get_many"]
    await server.delete(ENTRY)
    assert await driver.get_many([ENTRY, TAG]) == [b"1", b"s1"]


async def test_tags_and_leases_are_never_near(driver: TieredDriver, server: Server):
    for key in (TAG, LEASE, "another"):
        await driver.set(key, b"s1", ttl_ms=HOUR)
        await driver.get(key)
        await server.set(key, b"s2", ttl_ms=HOUR)
        assert await driver.get_many([key]) == [b"s2"]


async def test_near_tier_that_loses_everything_costs_a_round_trip(server: Server):
    driver = TieredDriver(NullDriver(), server)
    await driver.set_many([(ENTRY, b"1", HOUR), (TAG, b"s1", HOUR)])
    assert await driver.get_many([ENTRY, TAG]) == [b"1", b"s1"]
    assert await driver.delete(ENTRY) is True


async def test_entry_that_others_renewed_is_fetched_once_its_tags_have_changed(driver: TieredDriver, server: Server):
    await server.set(TAG, b"s1", ttl_ms=HOUR)
    await driver.get_many([ENTRY, TAG])
    await driver.set(ENTRY, b"old", ttl_ms=HOUR)
    await server.set_many([(TAG, b"s2", HOUR), (ENTRY, b"new", HOUR)])
    server.calls.clear()
    assert await driver.get_many([ENTRY, TAG]) == [b"new", b"s2"]
    assert server.calls == ["get_many", "get_many"]
    server.calls.clear()
    assert await driver.get_many([ENTRY, TAG]) == [b"new", b"s2"]
    assert server.calls == ["get_many"]


async def test_entry_is_not_fetched_again_while_its_tags_are_in_flux(driver: TieredDriver, server: Server):
    await server.set_many([(TAG, b"s1", HOUR), (ENTRY, b"1", HOUR)])
    await driver.get_many([ENTRY, TAG])
    await server.tags_begin([TAG], b"writer", flux_ms=HOUR)
    server.calls.clear()
    assert await driver.get_many([ENTRY, TAG]) == [b"1", b"f1"]
    assert server.calls == ["get_many"]


async def test_entries_with_other_tags_are_not_fetched_for_a_tag_seen_for_the_first_time(
    driver: TieredDriver, server: Server
):
    await server.set_many([(TAG, b"s1", HOUR), (ENTRY, b"1", HOUR), (TAG2, b"s2", HOUR), (OTHER, b"2", HOUR)])
    await driver.get_many([ENTRY, TAG])
    await driver.get_many([OTHER, TAG2])
    server.calls.clear()
    assert await driver.get_many([ENTRY, OTHER, TAG, TAG2]) == [b"1", b"2", b"s1", b"s2"]
    assert server.calls == ["get_many"]


async def test_copy_of_what_others_set_lives_for_a_while_only(server: Server):
    driver = TieredDriver(MemoryDriver(clock=server._clock), server, copy_ttl=2)
    await server.set(ENTRY, b"1", ttl_ms=HOUR)
    assert await driver.get(ENTRY) == b"1"
    await server.set(ENTRY, b"2", ttl_ms=HOUR)
    await server._clock.advance(1999)  # type: ignore[attr-defined]  # the clock of the tests
    assert await driver.get(ENTRY) == b"1"
    await server._clock.advance(1)  # type: ignore[attr-defined]  # the clock of the tests
    assert await driver.get(ENTRY) == b"2"
    assert driver.info.overdue_ms == 2000


async def test_refused_value_is_not_near(server: Server):
    driver = TieredDriver(MemoryDriver(), MemoryDriver(max_bytes=3000))
    await driver.set(ENTRY, b"1", ttl_ms=HOUR)
    assert await driver.set(ENTRY, bytes(3000), ttl_ms=HOUR) is False
    assert await driver.get(ENTRY) is None
    assert await driver.set_many([(OTHER, b"1", HOUR), (ENTRY, bytes(3000), HOUR)]) == 1
    assert await driver.get_many([OTHER, ENTRY]) == [b"1", None]


async def test_value_too_large_for_near_is_served_from_afar(server: Server):
    driver = TieredDriver(MemoryDriver(max_bytes=3000), server)
    await driver.set(ENTRY, bytes(10_000), ttl_ms=HOUR)
    assert await driver.get(ENTRY) == bytes(10_000)


async def test_copies_of_another_driver_are_not_taken_for_own(server: Server):
    near = MemoryDriver()
    first, second = TieredDriver(near, server), TieredDriver(near, server)
    await first.set(ENTRY, b"1", ttl_ms=HOUR)
    await near.set(OTHER, b"garbage", ttl_ms=HOUR)
    await server.set(ENTRY, b"2", ttl_ms=HOUR)
    assert await second.get_many([ENTRY, OTHER]) == [b"2", None]


@pytest.mark.parametrize("method", ["set", "delete", "clear"])
async def test_change_that_failed_leaves_no_copy(
    method: str, driver: TieredDriver, server: Server, monkeypatch: pytest.MonkeyPatch
):
    async def fail(*_: object, **__: object) -> None:
        raise CacheUnavailable("away")

    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "set": lambda: driver.set(ENTRY, b"2", ttl_ms=HOUR),
        "delete": lambda: driver.delete(ENTRY),
        "clear": lambda: driver.clear("shop:"),
    }
    await driver.set(ENTRY, b"1", ttl_ms=HOUR)
    with monkeypatch.context() as patch:
        patch.setattr(Server, method, fail)
        with pytest.raises(CacheUnavailable):
            await calls[method]()
    await server.set(ENTRY, b"3", ttl_ms=HOUR)
    assert await driver.get(ENTRY) == b"3", "it is unknown whether the change was made"


async def test_far_tier_without_tags_makes_one_without(server: Server):
    class Plain(MemoryDriver):
        @property
        def info(self):
            return evolve(super().info, features=frozenset())

    driver = TieredDriver(MemoryDriver(), Plain())
    assert driver.info.features == frozenset()
    with pytest.raises(CacheConfigError, match="keeps no count of writers"):
        await driver.tags_begin([TAG], b"writer", flux_ms=HOUR)
    with pytest.raises(CacheConfigError, match="keeps no count of writers"):
        await driver.tags_end([TAG], b"writer", stamp_ttl_ms=HOUR)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda near, far: TieredDriver(near, far, cast("TieredMode", "other")),
            "mode is 'other', expected one of validated, broadcast",
        ),
        (lambda near, far: TieredDriver(far, near), "l1 is 'server' of the scope 'shared'"),
        (
            lambda near, far: TieredDriver(near, near, mode="broadcast"),
            "l2 is 'memory', which does not tell of changes",
        ),
        (lambda near, far: TieredDriver(near, far, copy_ttl=0), "copy_ttl is 0, expected seconds above 0"),
        (lambda near, far: TieredDriver(near, far, copy_ttl=float("nan")), "copy_ttl is nan"),
    ],
)
def test_drivers_that_do_not_go_together_are_refused(
    make: Callable[[Any, Any], TieredDriver], message: str, server: Server
):
    with pytest.raises(CacheConfigError, match=message):
        make(MemoryDriver(), server)


async def test_read_that_began_before_a_write_leaves_no_copy_of_the_old_value(driver: TieredDriver, server: Server):
    server.turns = turns(4)
    for number in range(200):
        async with create_task_group() as group:
            group.start_soon(driver.get, ENTRY)
            await driver.set(ENTRY, b"%d" % number, ttl_ms=HOUR)
        assert await driver.get(ENTRY) == b"%d" % number
        driver._forget([ENTRY])


async def test_read_that_began_during_a_write_leaves_no_copy_of_the_old_value(driver: TieredDriver, server: Server):
    server.turns = turns(5)
    for number in range(200):
        async with create_task_group() as group:
            group.start_soon(driver.set_many, [(ENTRY, b"%d" % number, HOUR)])
            await checkpoint()
            group.start_soon(driver.get, ENTRY)
        assert await driver.get(ENTRY) == b"%d" % number
        await driver.delete(ENTRY)


async def test_near_and_far_agree_on_which_of_two_writes_was_the_last(driver: TieredDriver, server: Server):
    server.turns = turns(7)
    for _ in range(200):
        async with create_task_group() as group:
            group.start_soon(_set, driver, b"1", ENTRY)
            group.start_soon(_set, driver, b"2", ENTRY)
        assert await driver.get(ENTRY) == await server.get(ENTRY)


async def test_near_and_far_agree_after_many_tasks_wrote_at_once(driver: TieredDriver, server: Server):
    random = Random(7)
    server.turns = turns(6)

    async def work(number: int) -> None:
        for step in range(20):
            for _ in range(random.randrange(4)):
                await checkpoint()
            key = random.choice([ENTRY, OTHER])
            match random.randrange(4):
                case 0:
                    await driver.delete(key)
                case 1:
                    await driver.set_many([(key, b"%d.%d" % (number, step), HOUR)])
                case 2:
                    await driver.set(key, b"%d.%d" % (number, step), ttl_ms=HOUR)
                case _:
                    await driver.get_many([ENTRY, OTHER])

    for _ in range(30):
        async with create_task_group() as group:
            for number in range(4):
                group.start_soon(work, number)
        assert await driver.get_many([ENTRY, OTHER]) == await server.get_many([ENTRY, OTHER])


async def test_what_is_remembered_of_changes_is_bounded(driver: TieredDriver, server: Server):
    await driver.set(ENTRY, b"1", ttl_ms=HOUR)
    await server.set(ENTRY, b"2", ttl_ms=HOUR)
    assert await driver.get(ENTRY) == b"1"
    await driver.delete_many([f"shop:1:e:{number}" for number in range(MOST_TOLD + 1)])
    assert len(driver._told) <= MOST_TOLD
    assert await driver.get(ENTRY) == b"2", "a copy must not outlive the memory of changes"


# Broadcast


async def test_tags_and_entries_that_are_near_ask_nobody(told: TieredDriver, server: Server):
    await server.set_many([(ENTRY, b"1", HOUR), (TAG, b"s1", HOUR)])
    assert await told.get_many([ENTRY, TAG]) == [b"1", b"s1"]
    server.calls.clear()
    assert await told.get_many([ENTRY, TAG]) == [b"1", b"s1"]
    assert server.calls == []


async def test_change_by_others_is_seen_once_it_is_told(told: TieredDriver, server: Server):
    await server.set_many([(ENTRY, b"1", HOUR), (TAG, b"s1", HOUR)])
    await told.get_many([ENTRY, TAG])
    server.held = True
    await server.set(TAG, b"s2", ttl_ms=HOUR)
    assert await told.get(TAG) == b"s1", "the message has not arrived"
    server.deliver()
    assert await told.get(TAG) == b"s2"


async def test_change_by_this_process_is_seen_at_once(told: TieredDriver, server: Server):
    await server.set(TAG, b"s1", ttl_ms=HOUR)
    await told.get(TAG)
    server.held = True
    await told.tags_begin([TAG], b"writer", flux_ms=HOUR)
    assert await told.get(TAG) == b"f1"
    await told.tags_end([TAG], b"writer", stamp_ttl_ms=HOUR)
    found = await told.get(TAG)
    assert found is not None
    assert found[:1] == STAMP
    assert found != b"s1"
    await told.set(TAG, b"s3", ttl_ms=HOUR)
    assert await told.get(TAG) == b"s3"


async def test_tag_in_flux_is_never_near(told: TieredDriver, server: Server):
    await server.tags_begin([TAG], b"writer", flux_ms=10)
    for _ in range(2):
        server.calls.clear()
        assert await told.get(TAG) == b"f1"
        assert server.calls == ["get_many"]


async def test_read_during_which_a_change_is_told_leaves_no_copy(told: TieredDriver, server: Server):
    await server.set(TAG, b"s0", ttl_ms=HOUR)
    server.turns = turns(2)
    for number in range(1, 200):
        told._forget([TAG])
        async with create_task_group() as group:
            group.start_soon(told.get, TAG)
            await server.set(TAG, b"s%d" % number, ttl_ms=HOUR)
        assert await told.get(TAG) == b"s%d" % number


async def test_lost_connection_makes_every_read_ask(told: TieredDriver, server: Server):
    await server.set_many([(ENTRY, b"1", HOUR), (TAG, b"s1", HOUR)])
    await told.get_many([ENTRY, TAG])
    server.disconnect()
    await server.set(TAG, b"s2", ttl_ms=HOUR)
    for _ in range(2):
        server.calls.clear()
        assert await told.get(TAG) == b"s2"
        assert server.calls == ["get_many"]
    server.reconnect()
    assert await told.get(TAG) == b"s2"
    server.calls.clear()
    assert await told.get(TAG) == b"s2"
    assert server.calls == []


async def test_read_that_began_before_the_connection_was_lost_leaves_no_copy(told: TieredDriver, server: Server):
    await server.set(TAG, b"s0", ttl_ms=HOUR)
    await told.get(TAG)
    server.turns = turns(8)
    for number in range(1, 200):
        told._forget([TAG])
        async with create_task_group() as group:
            group.start_soon(told.get, TAG)
            for _ in range(number % 4):
                await checkpoint()
            server.disconnect()
            await server.set(TAG, b"s%d" % number, ttl_ms=HOUR)
            server.reconnect()
        assert await told.get(TAG) == b"s%d" % number


async def test_changes_are_followed_once_whoever_begins(told: TieredDriver, server: Server):
    async with create_task_group() as group:
        for _ in range(10):
            group.start_soon(told.get, TAG)
    assert len(server.followers) == 1
    assert server.followers[0][0] == ("shop:",)


async def test_following_that_fails_is_tried_again(told: TieredDriver, server: Server, monkeypatch: pytest.MonkeyPatch):
    async def fail(*_: object) -> None:
        raise CacheUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(Server, "follow", fail)
        with pytest.raises(CacheUnavailable):
            await told.get(TAG)
    assert await told.get(TAG) is None
    assert server.following


async def test_closing_ends_the_following_and_the_next_use_begins_it_again(told: TieredDriver, server: Server):
    await told.get(TAG)
    await told.aclose()
    assert server.followers == []
    await server.set(TAG, b"s1", ttl_ms=HOUR)
    assert await told.get(TAG) == b"s1"
    assert len(server.followers) == 1


def test_another_event_loop_follows_anew_and_trusts_no_copy(told: TieredDriver, server: Server):
    async def read() -> bytes | None:
        return await told.get(TAG)

    asyncio.run(_set(server, b"s1"))
    assert asyncio.run(read()) == b"s1"
    server.followers.clear()
    asyncio.run(_set(server, b"s2"))
    assert asyncio.run(read()) == b"s2"
    assert len(server.followers) == 1


async def _set(driver: CacheDriver, value: bytes, key: str = TAG) -> None:
    await driver.set(key, value, ttl_ms=HOUR)


@pytest.mark.parametrize("mode", ["validated", "broadcast"])
async def test_no_copy_serves_what_a_commit_of_this_process_made_untrue(mode: str, server: Server):
    """Play the protocol over two tiers, with several readers and writers that read and write a number."""
    driver = TieredDriver(MemoryDriver(max_entries=2), server, mode=mode)  # type: ignore[arg-type]  # one of the two
    server.turns = turns(9)
    stored = acknowledged = 0
    stale: list[tuple[int, int]] = []
    added = count()

    async def write(number: int) -> None:
        nonlocal stored, acknowledged
        token = b"%d" % number
        await driver.tags_begin([TAG], token, flux_ms=HOUR)
        await checkpoint()
        stored += 1
        mine = stored
        await checkpoint()
        await driver.tags_end([TAG], token, stamp_ttl_ms=HOUR)
        acknowledged = max(acknowledged, mine)

    async def read() -> None:
        known = acknowledged
        entry, tag = await driver.get_many([ENTRY, TAG])
        if tag is None:
            fresh = STAMP + b"added %d" % next(added)
            tag = await driver.add(TAG, fresh, ttl_ms=HOUR) or fresh
        if tag[:1] == STAMP and entry is not None and entry.split(b"|", 1)[1] == tag:
            value = int(entry.split(b"|", 1)[0])
        else:
            await checkpoint()
            value = stored
            await checkpoint()
            if tag[:1] == STAMP:
                await driver.set(ENTRY, b"%d|%s" % (value, tag), ttl_ms=HOUR)
        if value < known:
            stale.append((value, known))

    random = Random(3)
    for turn in range(400):
        async with create_task_group() as group:
            for number in range(random.randrange(3)):
                group.start_soon(write, turn * 10 + number)
            for _ in range(random.randrange(5)):
                group.start_soon(read)
                for _ in range(random.randrange(4)):
                    await checkpoint()
        if random.random() < 0.2:
            await server.delete(random.choice([ENTRY, TAG]))
    assert stale == []
