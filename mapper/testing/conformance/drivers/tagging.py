"""
Tagging: a tag that writers are about to change is in flux until the last of them has ended, and never has its old
stamp again.

They are about drivers that keep count of writers; one that does not, says so, and refuses.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio.lowlevel
from anyio import create_task_group

from mapper.cache.driver import FLUX, STAMP, TwoPhaseDriver
from mapper.errors import CacheConfigError, CacheKeyInvalid
from mapper.testing.conformance.drivers.cases import HOUR, INVALID_KEYS, Suite, refused, two_phases
from mapper.testing.conformance.drivers.control import Bench

SUITE = Suite("tagging")

SHORT = 150
Body: TypeAlias = Callable[[Bench, TwoPhaseDriver], Awaitable[None]]


def case(title: str) -> Callable[[Body], None]:
    """Add a case for a driver that has two phases."""

    def add(body: Body) -> None:
        @SUITE.case(title, "V1")
        async def _(bench: Bench) -> None:
            driver = two_phases(bench)
            if driver is not None:
                await body(bench, driver)
            elif isinstance(bench.driver, TwoPhaseDriver):
                await refused(CacheConfigError, bench.driver.tags_begin([bench.tag()], b"writer", flux_ms=HOUR))
                await refused(CacheConfigError, bench.driver.tags_end([bench.tag()], b"writer", stamp_ttl_ms=HOUR))

    return add


async def _begin(driver: TwoPhaseDriver, tag: str, token: bytes = b"writer", flux_ms: int = HOUR) -> None:
    await driver.tags_begin([tag], token, flux_ms=flux_ms)


async def _end(driver: TwoPhaseDriver, tag: str, token: bytes = b"writer", stamp_ttl_ms: int = HOUR) -> None:
    await driver.tags_end([tag], token, stamp_ttl_ms=stamp_ttl_ms)


async def _in_flux(driver: TwoPhaseDriver, tag: str) -> bool:
    found = await driver.get(tag)
    assert found is None or found[:1] in (FLUX, STAMP)
    return found is not None and found[:1] == FLUX


async def _stamp(driver: TwoPhaseDriver, tag: str) -> bytes:
    found = await driver.get(tag)
    assert found is not None, "the tag is absent"
    assert found[:1] == STAMP, "the tag is in flux"
    assert len(found) >= 9, f"a stamp of {len(found) - 1} bytes will come again"
    return found


@case("a tag that is begun is in flux, and its stamp is gone")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    await driver.set(bench.tag(), STAMP + b"an old stamp", ttl_ms=HOUR)
    await _begin(driver, bench.tag())
    found = await driver.get(bench.tag())
    assert found is not None
    assert found[:1] == FLUX
    assert b"an old stamp" not in found


@case("a tag that was absent is in flux once it is begun")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    await _begin(driver, bench.tag())
    assert await _in_flux(driver, bench.tag())
    assert not await _in_flux(driver, bench.tag("other"))


@case("a tag that is ended has a fresh stamp")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    old = STAMP + b"an old stamp"
    await driver.set(bench.tag(), old, ttl_ms=HOUR)
    await _begin(driver, bench.tag())
    await _end(driver, bench.tag())
    assert await _stamp(driver, bench.tag()) != old


@case("stamps never come again")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    other = bench.make()
    assert isinstance(other, TwoPhaseDriver)
    stamps: set[bytes] = set()
    for number in range(100):
        for each in (driver, other):
            await _end(each, bench.tag(str(number % 3)))
            stamps.add(await _stamp(each, bench.tag(str(number % 3))))
    assert len(stamps) == 200


@case("tags that are ended at once have stamps of their own")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    tags = [bench.tag(str(number)) for number in range(50)]
    await driver.tags_begin(tags, b"writer", flux_ms=HOUR)
    assert {found[:1] for found in await driver.get_many(tags) if found} == {FLUX}
    await driver.tags_end(tags, b"writer", stamp_ttl_ms=HOUR)
    assert len({await _stamp(driver, tag) for tag in tags}) == 50


@case("a tag stays in flux until the last of its writers has ended")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    writers = [b"a", b"b", b"c"]
    for token in writers:
        await _begin(driver, bench.tag(), token)
    for token in (b"b", b"a"):
        await _end(driver, bench.tag(), token)
        assert await _in_flux(driver, bench.tag())
    await _end(driver, bench.tag(), b"c")
    await _stamp(driver, bench.tag())


@case("a writer that ends twice ends nobody else")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    await _begin(driver, bench.tag(), b"a")
    await _begin(driver, bench.tag(), b"b")
    await _end(driver, bench.tag(), b"a")
    await _end(driver, bench.tag(), b"a")
    assert await _in_flux(driver, bench.tag())


@case("a token that is unknown ends nobody")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    await _begin(driver, bench.tag(), b"a")
    await _end(driver, bench.tag(), b"unknown")
    assert await _in_flux(driver, bench.tag())
    await _end(driver, bench.tag(), b"a")
    await _stamp(driver, bench.tag())


@case("tokens may be any bytes, and are compared whole")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    tokens = [
        b"a",
        b"ab",
        b"b",
        b"\x00",
        b"\x00\x00",
        bytes(range(256))[:100],
        b":",
        b",",
        b"a:b",
        b"\r\n",
        b"f",
        b"%1",
    ]
    for token in tokens:
        await _begin(driver, bench.tag(), token)
    for token in tokens:
        assert await _in_flux(driver, bench.tag())
        await _end(driver, bench.tag(), token)
    await _stamp(driver, bench.tag())


@case("an end without a begin gives a fresh stamp")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    await _end(driver, bench.tag())
    first = await _stamp(driver, bench.tag())
    await _end(driver, bench.tag(), b"other")
    assert await _stamp(driver, bench.tag()) != first


@case("a tag that was lost in flux has a fresh stamp once it is ended")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    await _begin(driver, bench.tag())
    assert await driver.delete(bench.tag()) is True
    assert await driver.get(bench.tag()) is None
    readers = STAMP + b"a reader's stamp"
    assert await driver.add(bench.tag(), readers, ttl_ms=HOUR) is None
    await _end(driver, bench.tag())
    assert await _stamp(driver, bench.tag()) != readers


@case("a tag whose only writer died is absent, and its old stamp is gone")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    flux = bench.ttl(SHORT)
    await driver.set(bench.tag(), STAMP + b"an old stamp", ttl_ms=HOUR)
    await _begin(driver, bench.tag(), flux_ms=flux)
    await bench.outlive(flux)
    assert await driver.get(bench.tag()) is None
    assert await driver.add(bench.tag(), STAMP + b"a new one", ttl_ms=HOUR) is None
    assert await driver.get(bench.tag()) == STAMP + b"a new one"


@case("a writer counts to the millisecond")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    flux = bench.ttl(SHORT)
    await _begin(driver, bench.tag(), flux_ms=flux)
    if bench.advance is not None:
        await bench.pass_time(flux - 1)
        assert await _in_flux(driver, bench.tag())
        await bench.pass_time(1)
    else:
        await bench.outlive(flux)
    assert await driver.get(bench.tag()) is None


@case("a writer that died does not keep the tag in flux when another one ends")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    flux = bench.ttl(SHORT)
    await _begin(driver, bench.tag(), b"dead", flux_ms=flux)
    await _begin(driver, bench.tag(), b"alive")
    await bench.outlive(flux)
    assert await _in_flux(driver, bench.tag())
    await _end(driver, bench.tag(), b"alive")
    await _stamp(driver, bench.tag())


@case("a writer that ends leaves one that lasts less in flux, until it dies")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    flux = bench.ttl(SHORT * 4)
    await _begin(driver, bench.tag(), b"long")
    await _begin(driver, bench.tag(), b"short", flux_ms=flux)
    await _end(driver, bench.tag(), b"long")
    if bench.advance is not None:
        assert await _in_flux(driver, bench.tag())
    await bench.outlive(flux)
    assert await driver.get(bench.tag()) is None


@case("a writer with less time does not shorten that of another one")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    flux = bench.ttl(SHORT)
    await _begin(driver, bench.tag(), b"long")
    await _begin(driver, bench.tag(), b"short", flux_ms=flux)
    await bench.outlive(flux)
    assert await _in_flux(driver, bench.tag())


@case("a writer that begins again has its new time")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    flux = bench.ttl(SHORT)
    await _begin(driver, bench.tag(), flux_ms=flux)
    await _begin(driver, bench.tag(), flux_ms=HOUR)
    await bench.outlive(flux)
    assert await _in_flux(driver, bench.tag())
    await _end(driver, bench.tag())
    await _stamp(driver, bench.tag())


@case("a writer that ends after it was taken for dead gives a fresh stamp")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    flux = bench.ttl(SHORT)
    await _begin(driver, bench.tag(), flux_ms=flux)
    await bench.outlive(flux)
    readers = STAMP + b"a reader's stamp"
    await driver.add(bench.tag(), readers, ttl_ms=HOUR)
    await _end(driver, bench.tag())
    assert await _stamp(driver, bench.tag()) != readers


@case("a stamp expires like any value")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    ttl = bench.ttl(SHORT)
    await _begin(driver, bench.tag())
    await _end(driver, bench.tag(), stamp_ttl_ms=ttl)
    await bench.outlive(ttl)
    assert await driver.get(bench.tag()) is None


@case("nothing is added to a tag in flux")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    await _begin(driver, bench.tag())
    found = await driver.add(bench.tag(), STAMP + b"a reader's stamp", ttl_ms=HOUR)
    assert found is not None
    assert found[:1] == FLUX
    assert await _in_flux(driver, bench.tag())


@case("a tag that comes twice in a call counts once")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    tag = bench.tag()
    await driver.tags_begin([tag, tag], b"writer", flux_ms=HOUR)
    await driver.tags_end([tag, tag], b"writer", stamp_ttl_ms=HOUR)
    await _stamp(driver, tag)


@case("a tag that is begun twice is ended once")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    for _ in range(2):
        await _begin(driver, bench.tag())
    await _end(driver, bench.tag())
    await _stamp(driver, bench.tag())


@case("of no tags nothing is asked")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    await driver.tags_begin([], b"writer", flux_ms=HOUR)
    await driver.tags_end([], b"writer", stamp_ttl_ms=HOUR)


@case("a tag in flux is read beside entries and other tags")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    await driver.set_many([(bench.key(), b"entry", HOUR), (bench.tag("rest"), STAMP + b"123456789", HOUR)])
    await _begin(driver, bench.tag("flux"))
    found = await driver.get_many([bench.key(), bench.tag("flux"), bench.tag("rest"), bench.tag("absent")])
    assert [value and value[:1] for value in found] == [b"e", FLUX, STAMP, None]


@case("tags of keys that cannot be kept are refused, and none of the others is in flux")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    for key in (*INVALID_KEYS, "t" * (driver.info.max_key_bytes + 1)):
        await refused(CacheKeyInvalid, driver.tags_begin([bench.tag(), key], b"writer", flux_ms=HOUR))
        await refused(CacheKeyInvalid, driver.tags_end([bench.tag(), key], b"writer", stamp_ttl_ms=HOUR))
    assert await driver.get(bench.tag()) is None


@case("writers of another driver are seen, where it keeps the same keys")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    other = bench.make()
    assert isinstance(other, TwoPhaseDriver)
    await _begin(other, bench.tag(), b"other")
    assert await _in_flux(driver, bench.tag()) is bench.shared
    await _begin(driver, bench.tag(), b"own")
    await _end(other, bench.tag(), b"other")
    assert await _in_flux(driver, bench.tag())


@case("many writers at once leave a tag at rest, which none of them saw at rest")
async def _(bench: Bench, driver: TwoPhaseDriver) -> None:
    tags = [bench.tag(name) for name in "abc"]
    at_rest: list[bytes | None] = []

    async def write(number: int) -> None:
        token = b"writer %d" % number
        await driver.tags_begin(tags, token, flux_ms=HOUR)
        for _ in range(number % 4):
            await anyio.lowlevel.checkpoint()
        at_rest.extend(found for found in await driver.get_many(tags) if found is None or found[:1] != FLUX)
        await driver.tags_end(tags, token, stamp_ttl_ms=HOUR)

    async with create_task_group() as group:
        for number in range(40):
            group.start_soon(write, number)
    assert at_rest == []
    assert len({await _stamp(driver, tag) for tag in tags}) == 3
