"""
Keeping: what is set is there, byte by byte and key by key, until it is replaced or removed.
"""

from anyio import create_task_group
from anyio.lowlevel import checkpoint

from mapper.errors import CacheDriverError, CacheKeyInvalid, CacheValueTooLarge
from mapper.testing.conformance.drivers.cases import HOUR, INVALID_KEYS, Suite, refused
from mapper.testing.conformance.drivers.control import Bench

SUITE = Suite("keeping")


@SUITE.case("a key that was never set is absent", "V1", "V9")
async def _(bench: Bench) -> None:
    assert await bench.driver.get(bench.key()) is None
    assert await bench.driver.get_many([bench.key(), bench.key("other")]) == [None, None]


@SUITE.case("what is set is there", "V1", "V9")
async def _(bench: Bench) -> None:
    assert await bench.driver.set(bench.key(), b"value", ttl_ms=HOUR) is True
    assert await bench.driver.get(bench.key()) == b"value"
    assert type(await bench.driver.get(bench.key())) is bytes


@SUITE.case("what is set replaces what was there", "V1")
async def _(bench: Bench) -> None:
    for value in (b"a longer value", b"short", b"", b"again"):
        assert await bench.driver.set(bench.key(), value, ttl_ms=HOUR) is True
        assert await bench.driver.get(bench.key()) == value


@SUITE.case("an empty value is there, unlike no value", "V1")
async def _(bench: Bench) -> None:
    driver = bench.driver
    assert await driver.set(bench.key(), b"", ttl_ms=HOUR) is True
    assert await driver.get(bench.key()) == b""
    assert await driver.get_many([bench.key("other"), bench.key()]) == [None, b""]
    assert await driver.add(bench.key(), b"late", ttl_ms=HOUR) == b""
    assert await driver.delete(bench.key()) is True


@SUITE.case("every byte is kept", "V1")
async def _(bench: Bench) -> None:
    every = bytes(range(256)) + bytes(reversed(range(256)))
    for value in (every, b" \t\r\n" + every + b"\r\n\t ", b"\x00", b" "):
        await bench.driver.set(bench.key(), value, ttl_ms=HOUR)
        assert await bench.driver.get(bench.key()) == value


@SUITE.case("a value of 1 MiB is kept", "V1")
async def _(bench: Bench) -> None:
    value = bytes(range(256)) * 4096
    assert await bench.driver.set(bench.key(), value, ttl_ms=HOUR) is True
    assert await bench.driver.get(bench.key()) == value
    assert await bench.driver.get_many([bench.key(), bench.key()]) == [value, value]


LOOKALIKES = (
    b"0",
    b"-5",
    b"1.0",
    b"nil",
    b"null",
    b"None",
    b"-ERR no\r\n",
    b"$-1\r\n",
    b"\r\nEND\r\n",
    b"s",
    b"f",
    b"\x00",
)


@SUITE.case("a value that looks like something else stays what it is", "V1")
async def _(bench: Bench) -> None:
    keys = [bench.key(str(number)) for number in range(len(LOOKALIKES))]
    for key, value in zip(keys, LOOKALIKES, strict=True):
        await bench.driver.set(key, value, ttl_ms=HOUR)
        assert await bench.driver.get(key) == value
    assert await bench.driver.get_many(keys) == list(LOOKALIKES)


@SUITE.case("a value too large is refused", "V1")
async def _(bench: Bench) -> None:
    most = bench.driver.info.max_value_bytes
    if most is None:
        assert await bench.driver.set(bench.key(), bytes(4 << 20), ttl_ms=HOUR) is True
        return
    value = bytes(most + 1)
    assert await bench.driver.set(bench.key(), value, ttl_ms=HOUR) is False
    assert await bench.driver.set_many([(bench.key(), value, HOUR), (bench.key("small"), b"1", HOUR)]) == 1
    await refused(CacheValueTooLarge, bench.driver.add(bench.key(), value, ttl_ms=HOUR))
    assert await bench.driver.get_many([bench.key(), bench.key("small")]) == [None, b"1"]


@SUITE.case("a key of the greatest length is kept", "V1")
async def _(bench: Bench) -> None:
    most = bench.driver.info.max_key_bytes
    keys = [bench.key().ljust(most - 1, "k") + last for last in "ab"]
    for key in keys:
        assert await bench.driver.set(key, key[-1].encode(), ttl_ms=HOUR) is True
    assert await bench.driver.get_many(keys) == [b"a", b"b"]
    assert [await bench.driver.delete(key) for key in keys] == [True, True]


@SUITE.case("a longer key is refused", "V1")
async def _(bench: Bench) -> None:
    key = bench.key().ljust(bench.driver.info.max_key_bytes + 1, "k")
    await _refused_by_all_that_keep(bench, key)


@SUITE.case("a key of other characters is refused", "V1")
async def _(bench: Bench) -> None:
    for key in INVALID_KEYS:
        await _refused_by_all_that_keep(bench, key)


async def _refused_by_all_that_keep(bench: Bench, key: str) -> None:
    await refused(CacheKeyInvalid, bench.driver.set(key, b"1", ttl_ms=HOUR))
    await refused(CacheKeyInvalid, bench.driver.add(key, b"1", ttl_ms=HOUR))
    await refused(CacheKeyInvalid, bench.driver.set_many([(bench.key(), b"1", HOUR), (key, b"1", HOUR)]))
    assert await bench.driver.get(bench.key()) is None, "set_many kept a part of what it refused"


@SUITE.case("a key that cannot be kept is absent or refused where it is read or removed", "V1")
async def _(bench: Bench) -> None:
    driver = bench.driver
    await driver.set(bench.key(), b"1", ttl_ms=HOUR)
    for key in (*INVALID_KEYS, "k" * (driver.info.max_key_bytes + 1)):
        assert await _or_refused(None, driver.get, key)
        assert await _or_refused([None, b"1"], driver.get_many, [key, bench.key()])
        assert await _or_refused(False, driver.delete, key)
        assert await _or_refused(0, driver.delete_many, [key])
    assert await driver.get(bench.key()) == b"1"


async def _or_refused(expected: object, method, argument) -> bool:  # type: ignore[no-untyped-def]  # any method
    try:
        return bool(await method(argument) == expected)
    except CacheKeyInvalid:
        return True


@SUITE.case("every printable character may be in a key", "V1")
async def _(bench: Bench) -> None:
    keys = [bench.key(f"a{chr(code)}b") for code in range(0x21, 0x7F)]
    assert await bench.driver.set_many([(key, key.encode(), HOUR) for key in keys]) == len(keys)
    assert await bench.driver.get_many(keys) == [key.encode() for key in keys]


@SUITE.case("keys that differ in little are different", "V1")
async def _(bench: Bench) -> None:
    keys = [bench.key(name) for name in ("a", "A", "aa", "a_", "a-", "a:", "a:b", "a:b:", "%61", "a%20", "b")]
    for key in keys:
        assert await bench.driver.add(key, key.encode(), ttl_ms=HOUR) is None
    assert await bench.driver.get_many(keys) == [key.encode() for key in keys]
    assert await bench.driver.delete(bench.key("a")) is True
    assert await bench.driver.get_many(keys) == [None, *[key.encode() for key in keys[1:]]]


@SUITE.case("many keys are answered in their order", "V1")
async def _(bench: Bench) -> None:
    keys = [bench.key(name) for name in "dacb"]
    await bench.driver.set_many([(key, key.encode(), HOUR) for key in sorted(keys)])
    assert await bench.driver.get_many(keys) == [key.encode() for key in keys]
    assert await bench.driver.get_many(keys[::-1]) == [key.encode() for key in keys[::-1]]


@SUITE.case("a key that is asked for twice is answered twice", "V1")
async def _(bench: Bench) -> None:
    a, b = bench.key("a"), bench.key("b")
    await bench.driver.set(a, b"1", ttl_ms=HOUR)
    assert await bench.driver.get_many([a, b, a, a, b]) == [b"1", None, b"1", b"1", None]


@SUITE.case("absent keys keep their places", "V1")
async def _(bench: Bench) -> None:
    keys = [bench.key(str(number)) for number in range(100)]
    await bench.driver.set_many([(key, key.encode(), HOUR) for key in keys[::3]])
    expected = [key.encode() if number % 3 == 0 else None for number, key in enumerate(keys)]
    assert await bench.driver.get_many(keys) == expected


@SUITE.case("a thousand keys are set, read and removed at once", "V1")
async def _(bench: Bench) -> None:
    keys = [bench.key(str(number)) for number in range(1000)]
    assert await bench.driver.set_many([(key, key.encode() * 10, HOUR) for key in keys]) == 1000
    assert await bench.driver.get_many(keys) == [key.encode() * 10 for key in keys]
    assert await bench.driver.delete_many(keys) == 1000
    assert await bench.driver.get_many(keys) == [None] * 1000


@SUITE.case("of no keys nothing is asked", "V1")
async def _(bench: Bench) -> None:
    assert await bench.driver.get_many([]) == []
    assert await bench.driver.set_many([]) == 0
    assert await bench.driver.delete_many([]) == 0


@SUITE.case("of a key that is set twice at once the last value stays", "V1")
async def _(bench: Bench) -> None:
    a, b = bench.key("a"), bench.key("b")
    await bench.driver.set_many([(a, b"1", HOUR), (b, b"2", HOUR), (a, b"3", HOUR)])
    assert await bench.driver.get_many([a, b]) == [b"3", b"2"]


@SUITE.case("a tuple of keys serves as well as a list", "V1")
async def _(bench: Bench) -> None:
    a, b = bench.key("a"), bench.key("b")
    assert await bench.driver.set_many(((a, b"1", HOUR), (b, b"2", HOUR))) == 2
    assert await bench.driver.get_many((a, b)) == [b"1", b"2"]
    assert await bench.driver.delete_many((a, b)) == 2


@SUITE.case("what is removed was there once", "V1")
async def _(bench: Bench) -> None:
    await bench.driver.set(bench.key(), b"1", ttl_ms=HOUR)
    assert [await bench.driver.delete(bench.key()) for _ in range(2)] == [True, False]
    assert await bench.driver.get(bench.key()) is None
    assert await bench.driver.set(bench.key(), b"2", ttl_ms=HOUR) is True
    assert await bench.driver.get(bench.key()) == b"2"


@SUITE.case("of keys that are removed those are counted that were there", "V1")
async def _(bench: Bench) -> None:
    a, b, c = (bench.key(name) for name in "abc")
    await bench.driver.set_many([(a, b"1", HOUR), (b, b"2", HOUR), (c, b"3", HOUR)])
    assert await bench.driver.delete_many([a, bench.key("never"), b, a]) == 2
    assert await bench.driver.get_many([a, b, c]) == [None, None, b"3"]


@SUITE.case("add keeps a value where there is none", "V1")
async def _(bench: Bench) -> None:
    assert await bench.driver.add(bench.key(), b"1", ttl_ms=HOUR) is None
    assert await bench.driver.get(bench.key()) == b"1"


@SUITE.case("add returns what is there and leaves it", "V1")
async def _(bench: Bench) -> None:
    await bench.driver.set(bench.key(), b"1", ttl_ms=HOUR)
    assert await bench.driver.add(bench.key(), b"2", ttl_ms=HOUR) == b"1"
    assert await bench.driver.add(bench.key(), b"1", ttl_ms=HOUR) == b"1", "the same value was there before"
    assert await bench.driver.get(bench.key()) == b"1"


@SUITE.case("add keeps a value where one was removed", "V1")
async def _(bench: Bench) -> None:
    await bench.driver.add(bench.key(), b"1", ttl_ms=HOUR)
    await bench.driver.delete(bench.key())
    assert await bench.driver.add(bench.key(), b"2", ttl_ms=HOUR) is None
    assert await bench.driver.get(bench.key()) == b"2"


@SUITE.case("of several that add at once one wins, and all know which", "V1")
async def _(bench: Bench) -> None:
    drivers = [bench.driver, bench.make()] if bench.shared else [bench.driver]
    for turn in range(5):
        answers: dict[bytes, bytes | None] = {}
        async with create_task_group() as group:
            for number in range(20):
                value = b"%d" % number
                group.start_soon(_add, answers, drivers[number % len(drivers)], bench.key(str(turn)), value)
        (winner,) = (value for value, found in answers.items() if found is None)
        assert {found for found in answers.values() if found is not None} == {winner}
        assert await bench.driver.get(bench.key(str(turn))) == winner


async def _add(answers, driver, key, value) -> None:  # type: ignore[no-untyped-def]  # of the case above
    answers[value] = await driver.add(key, value, ttl_ms=HOUR)


@SUITE.case("another driver sees the same keys, or has keys of its own, as its scope says", "V1")
async def _(bench: Bench) -> None:
    other = bench.make()
    await bench.driver.set(bench.key(), b"1", ttl_ms=HOUR)
    expected = b"1" if bench.shared else None
    assert await other.get(bench.key("other")) is None
    assert await other.get(bench.key()) == expected
    assert await other.delete(bench.key()) is bench.shared


@SUITE.case("of many keys each is read after the call began", "V1")
async def _(bench: Bench) -> None:
    writer = bench.make() if bench.shared else bench.driver
    a, b = bench.tag("a"), bench.tag("b")
    keys = [a, *(bench.tag(str(number)) for number in range(20)), b]
    await writer.set_many([(a, b"0", HOUR), (b, b"0", HOUR)])
    done = (0, 0)

    async def write() -> None:
        nonlocal done
        for number in range(1, 150):
            await writer.set(a, b"%d" % number, ttl_ms=HOUR)
            done = (number, done[1])
            await writer.set(b, b"%d" % number, ttl_ms=HOUR)
            done = (number, number)
            await checkpoint()

    late: list[tuple[tuple[int, int], tuple[int, int]]] = []
    async with create_task_group() as group:
        group.start_soon(write)
        for _ in range(150):
            least = done
            first, *_, second = [int(value or b"-1") for value in await bench.driver.get_many(keys)]
            if first < least[0] or second < least[1]:
                late.append(((first, second), least))
            await checkpoint()
    assert late == [], "the second pair of numbers had been set before the call that gave the first"


@SUITE.case("only errors of drivers are raised", "V1")
async def _(bench: Bench) -> None:
    error = await refused(CacheKeyInvalid, bench.driver.set("no key", b"1", ttl_ms=HOUR))
    assert isinstance(error, CacheDriverError)
    assert "no key" in str(error)
