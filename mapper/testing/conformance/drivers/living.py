"""
Living: what a driver says of itself, and that it stays usable when it is closed, cancelled or asked by many at once.
"""

from typing import get_args

import anyio.lowlevel
from anyio import CancelScope, create_task_group, sleep

from mapper.cache.driver import CacheDriver, DriverScope
from mapper.testing.conformance.drivers.cases import HOUR, Suite, two_phases
from mapper.testing.conformance.drivers.control import Bench

SUITE = Suite("living")


@SUITE.case("it has what the port asks for", "V1")
async def _(bench: Bench) -> None:
    assert isinstance(bench.driver, CacheDriver)
    two_phases(bench)


@SUITE.case("its facts are known before it is used, and stay", "V1")
async def _(bench: Bench) -> None:
    info = bench.make().info
    assert info == bench.driver.info
    assert info.name
    assert info.scope in get_args(DriverScope)
    assert info.max_key_bytes >= 200, "keys of the cache may have 200 bytes"
    assert info.min_ttl_ms >= 1
    assert info.max_ttl_ms is None or info.max_ttl_ms >= 24 * HOUR
    assert info.max_value_bytes is None or info.max_value_bytes >= 1 << 20


@SUITE.case("its identity stays while it keeps what it has", "V1")
async def _(bench: Bench) -> None:
    identity = await bench.driver.identity()
    assert identity
    assert isinstance(identity, str)
    await bench.driver.set(bench.key(), b"1", ttl_ms=HOUR)
    await bench.driver.clear(bench.key())
    assert await bench.driver.identity() == identity


@SUITE.case("drivers over one store have one identity, and others have others", "V1")
async def _(bench: Bench) -> None:
    other = bench.make()
    assert (await other.identity() == await bench.driver.identity()) is bench.shared


@SUITE.case("it answers a ping", "V1")
async def _(bench: Bench) -> None:
    await bench.driver.ping()


@SUITE.case("it can be closed before it is used, and twice", "V1")
async def _(bench: Bench) -> None:
    for _ in range(2):
        await bench.driver.aclose()


@SUITE.case("it can be used after it was closed", "V1")
async def _(bench: Bench) -> None:
    for number in range(3):
        assert await bench.driver.set(bench.key(str(number)), b"1", ttl_ms=HOUR) is True
        assert await bench.driver.get(bench.key(str(number))) == b"1"
        await bench.driver.aclose()
    await bench.driver.ping()


@SUITE.case("many tasks at once have each their own answers", "V1")
async def _(bench: Bench) -> None:
    await bench.driver.set_many([(bench.key(str(number)), _value(number), HOUR) for number in range(100)])
    wrong: list[int] = []

    async def read(number: int) -> None:
        for step in range(5):
            a, b = number, (number + step) % 100
            found = await bench.driver.get_many([bench.key(str(a)), bench.key(str(b))])
            if found != [_value(a), _value(b)] or await bench.driver.get(bench.key(str(a))) != _value(a):
                wrong.append(number)

    async with create_task_group() as group:
        for number in range(100):
            group.start_soon(read, number)
    assert wrong == []


def _value(number: int) -> bytes:
    return b"%d," % number * (1 + number * 7)


@SUITE.case("tasks that do different things at once do not disturb each other", "V1")
async def _(bench: Bench) -> None:
    async def work(number: int) -> None:
        driver, key, value = bench.driver, bench.key(f"{number}:"), _value(number)
        assert await driver.add(key, value, ttl_ms=HOUR) is None
        assert await driver.get(key) == value
        assert await driver.set_many([(f"{key}a", b"a", HOUR), (f"{key}b", b"b", HOUR)]) == 2
        assert await driver.get_many([f"{key}b", key, f"{key}a", f"{key}c"]) == [b"b", value, b"a", None]
        assert await driver.clear(f"{key}a") == 1
        assert await driver.delete_many([key, f"{key}a", f"{key}b"]) == 2

    async with create_task_group() as group:
        for number in range(40):
            group.start_soon(work, number)


async def _cancelled_after(steps: int, work) -> None:  # type: ignore[no-untyped-def]  # any function without arguments
    """Begin some work, and cancel it after so many turns of the loop."""
    async with create_task_group() as group:
        scope = CancelScope()

        async def begin() -> None:
            with scope:
                await work()

        group.start_soon(begin)
        for _ in range(steps):
            await anyio.lowlevel.checkpoint()
        if steps > 10:
            await sleep(0.0002 * (steps - 10))
        scope.cancel()


@SUITE.case("a read that is cancelled leaves its answer to nobody else", "V1")
async def _(bench: Bench) -> None:
    keys = [bench.key(str(number)) for number in range(30)]
    await bench.driver.set_many([(key, key.encode() * 50, HOUR) for key in keys])
    for number, key in enumerate(keys):
        await _cancelled_after(number, lambda: bench.driver.get_many(keys))
        assert await bench.driver.get(key) == key.encode() * 50
        assert await bench.driver.get(bench.key("absent")) is None


@SUITE.case("a value whose setting is cancelled is the old one or the new one", "V1")
async def _(bench: Bench) -> None:
    old, new = b"old" * 50_000, b"new" * 50_000
    for steps in range(20):
        key = bench.key(str(steps))
        await bench.driver.set(key, old, ttl_ms=HOUR)
        await _cancelled_after(steps, lambda key=key: bench.driver.set(key, new, ttl_ms=HOUR))
        assert await bench.driver.get(key) in (old, new)
        assert await bench.driver.set(key, b"last", ttl_ms=HOUR) is True
        assert await bench.driver.get(key) == b"last"


@SUITE.case("tasks beside one that is cancelled get their answers", "V1")
async def _(bench: Bench) -> None:
    keys = [bench.key(str(number)) for number in range(20)]
    await bench.driver.set_many([(key, key.encode(), HOUR) for key in keys])
    wrong: list[str] = []

    async def read(key: str) -> None:
        for _ in range(10):
            if await bench.driver.get(key) != key.encode():
                wrong.append(key)
            await anyio.lowlevel.checkpoint()

    async with create_task_group() as group:
        for key in keys:
            group.start_soon(read, key)
        for steps in range(20):
            await _cancelled_after(steps, lambda: bench.driver.get_many(keys))
    assert wrong == []


@SUITE.case("a writer that is cancelled can begin and end again", "V1")
async def _(bench: Bench) -> None:
    driver = two_phases(bench)
    if driver is None:
        return
    for steps in range(20):
        tag = bench.tag(str(steps))
        await _cancelled_after(steps, lambda tag=tag: driver.tags_begin([tag], b"writer", flux_ms=HOUR))
        await driver.tags_end([tag], b"writer", stamp_ttl_ms=HOUR)
        found = await driver.get(tag)
        assert found is not None
        assert found[:1] in (b"s", b"f"), "the cancelled command may still have come later"
