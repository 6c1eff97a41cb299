"""
Faults: a server that is away, slow, full, emptied or broken gives an error of drivers or the right answer, in time, and
the driver is usable as soon as the server is.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from anyio import create_task_group, current_time, fail_after, sleep

from mapper.cache.driver import STAMP
from mapper.errors import CacheDriverError, CacheTimeout, CacheUnavailable
from mapper.testing.conformance.drivers.cases import HOUR, Suite, refused, two_phases
from mapper.testing.conformance.drivers.control import Bench

SUITE = Suite("faults")


def _all_methods(bench: Bench) -> dict[str, Callable[[], Coroutine[Any, Any, object]]]:
    driver, key = bench.driver, bench.key("fault")
    methods: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
        "get": lambda: driver.get(key),
        "get_many": lambda: driver.get_many([key, bench.tag()]),
        "set": lambda: driver.set(key, b"1", ttl_ms=HOUR),
        "set_many": lambda: driver.set_many([(key, b"1", HOUR)]),
        "add": lambda: driver.add(key, b"1", ttl_ms=HOUR),
        "delete": lambda: driver.delete(key),
        "delete_many": lambda: driver.delete_many([key]),
        "clear": lambda: driver.clear(key),
        "ping": lambda: driver.ping(),
    }
    two = two_phases(bench)
    if two is not None:
        methods["tags_begin"] = lambda: two.tags_begin([bench.tag()], b"writer", flux_ms=HOUR)
        methods["tags_end"] = lambda: two.tags_end([bench.tag()], b"writer", stamp_ttl_ms=HOUR)
    return methods


@asynccontextmanager
async def _in_time(bench: Bench, answers: int = 1) -> AsyncGenerator[None]:
    """What is done within ends before the driver can have waited for so many answers, connecting included."""
    limit = answers * (2 * bench.server.command_timeout + 1)
    began = current_time()
    with fail_after(4 * limit):
        yield
    assert current_time() - began <= limit, f"took {current_time() - began:.2f} s, expected at most {limit:.2f} s"


async def _until_usable(bench: Bench) -> None:
    """Wait until the driver has found its server again: not long."""
    with fail_after(15):
        while True:
            try:
                return await bench.driver.ping()
            except CacheDriverError:
                await sleep(0.05)


async def _keeps(bench: Bench, name: str = "usable") -> None:
    """Hold that the driver works, and that its answers are those to its questions."""
    keys = [bench.key(f"{name}:{number}") for number in range(5)]
    assert await bench.driver.set_many([(key, key.encode(), HOUR) for key in keys]) == 5
    assert await bench.driver.get_many(keys) == [key.encode() for key in keys]
    assert await bench.driver.get(keys[3]) == keys[3].encode()
    assert await bench.driver.add(keys[1], b"late", ttl_ms=HOUR) == keys[1].encode()


@SUITE.case("a server that is stopped makes every method unavailable", "V1", faults=("stop",))
async def _(bench: Bench) -> None:
    await _keeps(bench)
    await bench.server.stop()
    for method in _all_methods(bench).values():
        async with _in_time(bench):
            await refused(CacheDriverError, method())
    assert isinstance(await refused(CacheDriverError, bench.driver.ping()), CacheUnavailable | CacheTimeout)


@SUITE.case("a driver that never met its server is unavailable until it does", "V1", faults=("stop",))
async def _(bench: Bench) -> None:
    await bench.server.stop()
    async with _in_time(bench):
        await refused(CacheDriverError, bench.driver.get(bench.key()))
    await bench.server.start()
    await _until_usable(bench)
    await _keeps(bench)


@SUITE.case("of no keys nothing is asked, though the server is stopped", "V1", faults=("stop",))
async def _(bench: Bench) -> None:
    await bench.server.stop()
    assert await bench.driver.get_many([]) == []
    assert await bench.driver.set_many([]) == 0
    assert await bench.driver.delete_many([]) == 0
    assert bench.driver.info.name
    two = two_phases(bench)
    if two is not None:
        await two.tags_begin([], b"writer", flux_ms=HOUR)
        await two.tags_end([], b"writer", stamp_ttl_ms=HOUR)


@SUITE.case("it can be closed though the server is stopped", "V1", faults=("stop",))
async def _(bench: Bench) -> None:
    await _keeps(bench)
    await bench.server.stop()
    async with _in_time(bench):
        await bench.driver.aclose()
    await bench.server.start()
    await _until_usable(bench)


@SUITE.case("a server that was restarted is found again", "V1", faults=("stop",))
async def _(bench: Bench) -> None:
    for turn in range(3):
        await _keeps(bench, f"turn-{turn}")
        await bench.server.stop()
        for _ in range(turn):
            async with _in_time(bench):
                await refused(CacheDriverError, bench.driver.get(bench.key()))
        await bench.server.start()
        await _until_usable(bench)
    await _keeps(bench, "last")


@SUITE.case("many tasks at once are told that the server is stopped", "V1", faults=("stop",))
async def _(bench: Bench) -> None:
    await _keeps(bench)
    outcomes: list[bool] = []

    async def ask(number: int) -> None:
        try:
            await bench.driver.get(bench.key(str(number)))
        except CacheDriverError:
            outcomes.append(True)
        else:
            outcomes.append(False)

    await bench.server.stop()
    async with _in_time(bench, 4), create_task_group() as group:
        for number in range(50):
            group.start_soon(ask, number)
    assert outcomes == [True] * 50
    await bench.server.start()
    await _until_usable(bench)
    await _keeps(bench)


@SUITE.case("the identity is another after a restart that lost the keys", "V1", faults=("stop",))
async def _(bench: Bench) -> None:
    before = await bench.driver.identity()
    await bench.driver.set(bench.key(), b"1", ttl_ms=HOUR)
    await bench.server.stop()
    await bench.server.start()
    await _until_usable(bench)
    if await bench.driver.get(bench.key()) is None:
        assert await bench.driver.identity() != before


@SUITE.case("keys that were flushed are absent", "V1", faults=("flush",))
async def _(bench: Bench) -> None:
    await bench.driver.set(bench.key(), b"1", ttl_ms=HOUR)
    await bench.server.flush()
    assert await bench.driver.get_many([bench.key(), bench.tag()]) == [None, None]
    assert await bench.driver.delete(bench.key()) is False
    assert await bench.driver.add(bench.key(), b"2", ttl_ms=HOUR) is None
    await _keeps(bench)


@SUITE.case("a tag that was flushed in flux has a fresh stamp once it is ended", "V1", faults=("flush",))
async def _(bench: Bench) -> None:
    two = two_phases(bench)
    if two is None:
        return
    await two.tags_begin([bench.tag()], b"writer", flux_ms=HOUR)
    await bench.server.flush()
    assert await two.get(bench.tag()) is None
    await two.add(bench.tag(), STAMP + b"a reader's stamp", ttl_ms=HOUR)
    await two.tags_end([bench.tag()], b"writer", stamp_ttl_ms=HOUR)
    found = await two.get(bench.tag())
    assert found is not None
    assert found[:1] == STAMP
    assert found != STAMP + b"a reader's stamp"


@SUITE.case("a server that is too slow times out", "V1", faults=("delay",))
async def _(bench: Bench) -> None:
    await _keeps(bench)
    for method in _all_methods(bench).values():
        await bench.server.delay(bench.server.command_timeout * 10 + 1)
        async with _in_time(bench):
            await refused(CacheTimeout, method())
    await bench.server.delay(0)
    await _until_usable(bench)
    await _keeps(bench)


@SUITE.case("an answer that came too late is taken for no other", "V1", faults=("delay",))
async def _(bench: Bench) -> None:
    await bench.driver.set_many([(bench.key(str(number)), b"%d" % number, HOUR) for number in range(20)])
    for number in range(0, 20, 2):
        await bench.server.delay(bench.server.command_timeout * 1.5)
        await refused(CacheTimeout, bench.driver.get(bench.key(str(number))))
        await bench.server.delay(0)
        await _until_usable(bench)
        assert await bench.driver.get(bench.key(str(number + 1))) == b"%d" % (number + 1)


@SUITE.case("a server that is slow, but not too slow, is waited for", "V1", faults=("delay",))
async def _(bench: Bench) -> None:
    await bench.server.delay(bench.server.command_timeout / 10)
    await _until_usable(bench)
    assert await bench.driver.set(bench.key(), b"1", ttl_ms=HOUR) is True
    assert await bench.driver.get(bench.key()) == b"1"


@SUITE.case("a read that is cancelled while it waits leaves its answer to nobody else", "V1", faults=("delay",))
async def _(bench: Bench) -> None:
    await bench.driver.set_many([(bench.key(str(number)), b"%d" % number, HOUR) for number in range(10)])
    await bench.server.delay(bench.server.command_timeout / 4)
    for number in range(0, 10, 2):
        async with create_task_group() as group:
            group.start_soon(_quietly, bench.driver.get, bench.key(str(number)))
            await sleep(bench.server.command_timeout / 8)
            group.cancel_scope.cancel()
        assert await bench.driver.get(bench.key(str(number + 1))) == b"%d" % (number + 1)


async def _quietly(method: Callable[[str], Awaitable[object]], key: str) -> None:
    try:
        await method(key)
    except CacheDriverError:
        pass


CUTS = {
    "before its first byte": 0,
    "after a byte": 1,
    "in its length": 3,
    "in its value": 700,
    "before its end": 65_540,
}


def _cut(where: str, after: int) -> None:
    @SUITE.case(f"an answer that is cut {where} is an error or made good, never a part", "V1", faults=("cut",))
    async def _(bench: Bench) -> None:
        value = bytes(range(256)) * 256
        await bench.driver.set_many([(bench.key("a"), value, HOUR), (bench.key("b"), b"b", HOUR)])
        for read in (
            lambda: bench.driver.get_many([bench.key("a"), bench.key("b")]),
            lambda: bench.driver.get(bench.key("a")),
        ):
            await bench.server.cut(after)
            try:
                async with _in_time(bench):
                    found = await read()
            except CacheDriverError:
                found = None
            assert found in (None, value, [value, b"b"])
            # Of several servers only some may have been asked by now.
            await bench.server.restore()
            await _until_usable(bench)
            assert await bench.driver.get_many([bench.key("b"), bench.key("a")]) == [b"b", value]
        await _keeps(bench)


for _where, _after in CUTS.items():
    _cut(_where, _after)


@SUITE.case("a set whose answer is cut is an error, or was made good", "V1", faults=("cut",))
async def _(bench: Bench) -> None:
    await _keeps(bench)
    await bench.server.cut(0)
    try:
        kept = await bench.driver.set(bench.key(), b"1", ttl_ms=HOUR)
    except CacheDriverError:
        kept = None
    await bench.server.restore()
    await _until_usable(bench)
    found = await bench.driver.get(bench.key())
    assert found == b"1" if kept else found in (None, b"1")
    await _keeps(bench)


@SUITE.case("what no driver has put at a key is absent or an error, and harms no other", "V1", faults=("corrupt",))
async def _(bench: Bench) -> None:
    await bench.driver.set(bench.key("good"), b"1", ttl_ms=HOUR)
    await bench.server.corrupt(bench.key("bad"))
    for read in (
        lambda: bench.driver.get(bench.key("bad")),
        lambda: bench.driver.get_many([bench.key("bad")]),
    ):
        try:
            assert await read() in (None, [None])
        except CacheDriverError:
            pass
    try:
        assert await bench.driver.get_many([bench.key("good"), bench.key("bad")]) == [b"1", None]
    except CacheDriverError:
        pass
    assert await bench.driver.get(bench.key("good")) == b"1"
    await _keeps(bench)


@SUITE.case("what no driver has put at a key can be replaced and removed", "V1", faults=("corrupt",))
async def _(bench: Bench) -> None:
    await bench.server.corrupt(bench.key("bad"))
    assert await bench.driver.set(bench.key("bad"), b"1", ttl_ms=HOUR) is True
    assert await bench.driver.get(bench.key("bad")) == b"1"
    await bench.server.corrupt(bench.key("worse"))
    assert await bench.driver.delete(bench.key("worse")) is True
    assert await bench.driver.get(bench.key("worse")) is None


@SUITE.case("what no driver has put at a tag is no stamp, and gives way to writers", "V1", faults=("corrupt",))
async def _(bench: Bench) -> None:
    two = two_phases(bench)
    if two is None:
        return
    await bench.server.corrupt(bench.tag())
    await two.tags_begin([bench.tag()], b"writer", flux_ms=HOUR)
    assert (await two.get(bench.tag()) or b"")[:1] == b"f"
    await two.tags_end([bench.tag()], b"writer", stamp_ttl_ms=HOUR)
    assert (await two.get(bench.tag()) or b"")[:1] == STAMP
    await bench.server.corrupt(bench.tag("ended"))
    await two.tags_end([bench.tag("ended")], b"writer", stamp_ttl_ms=HOUR)
    assert (await two.get(bench.tag("ended")) or b"")[:1] == STAMP


@SUITE.case("a server that has no room refuses values, and still answers", "V1", faults=("fill",))
async def _(bench: Bench) -> None:
    await bench.driver.set(bench.key("before"), b"1", ttl_ms=HOUR)
    await bench.server.fill()
    assert await _not_kept(bench.driver.set(bench.key("more"), bytes(10_000), ttl_ms=HOUR), False)
    assert await _not_kept(bench.driver.set_many([(bench.key("more"), bytes(10_000), HOUR)]), 0)
    await refused(CacheDriverError, bench.driver.add(bench.key("more"), bytes(10_000), ttl_ms=HOUR))
    assert await bench.driver.get_many([bench.key("before"), bench.key("more")]) == [b"1", None]
    assert await bench.driver.delete(bench.key("before")) is True
    await bench.server.restore()
    await _until_usable(bench)
    await _keeps(bench)


async def _not_kept(method: Coroutine[Any, Any, object], expected: object) -> bool:
    try:
        return await method == expected
    except CacheDriverError:
        return True


@SUITE.case("a server that has no room takes no writer's mark for set", "V1", faults=("fill",))
async def _(bench: Bench) -> None:
    two = two_phases(bench)
    if two is None:
        return
    await bench.server.fill()
    try:
        await two.tags_begin([bench.tag()], b"writer", flux_ms=HOUR)
    except CacheDriverError:
        pass
    else:
        assert (await two.get(bench.tag()) or b"")[:1] == b"f", "a mark that is not there was reported as set"
