"""
Expiring: a value is there for its time to live, and then absent for every method.
"""

from typing import Final

from anyio import current_time
from attrs import define

from mapper.errors import CacheConfigError
from mapper.testing.conformance.drivers.cases import HOUR, Suite, refused, two_phases
from mapper.testing.conformance.drivers.control import Bench

SUITE = Suite("expiring")

DAY: Final = 24 * HOUR
SHORT: Final = 150
"""Milliseconds that are waited for where there is no clock to be advanced."""


@define
class _Term:
    """A time to live that began when this was made."""

    bench: Bench
    ttl_ms: int
    began: float

    @classmethod
    def of(cls, bench: Bench, ttl_ms: int = SHORT) -> "_Term":
        return cls(bench, bench.ttl(ttl_ms), current_time())

    async def nearly_over(self) -> None:
        """Let all of it pass but a millisecond; half of it where time really passes."""
        await self.bench.pass_time(self.ttl_ms - 1 if self.bench.advance is not None else self.ttl_ms // 2)

    async def over(self) -> None:
        """Let the rest of it pass, after `nearly_over`."""
        if self.bench.advance is not None:
            await self.bench.pass_time(1 + self.bench.driver.info.overdue_ms)
        else:
            await self.bench.outlive(self.ttl_ms)

    @property
    def surely_lasts(self) -> bool:
        """Whether the value cannot have expired: false if the machine stood still for longer than it lives."""
        return self.bench.advance is not None or current_time() - self.began < self.ttl_ms / 1000


@SUITE.case("a value is there until its time is over, and not a millisecond longer", "V1")
async def _(bench: Bench) -> None:
    term = _Term.of(bench)
    await bench.driver.set(bench.key(), b"1", ttl_ms=term.ttl_ms)
    await term.nearly_over()
    found = await bench.driver.get(bench.key())
    assert found == b"1" or not term.surely_lasts
    await term.over()
    assert await bench.driver.get(bench.key()) is None


@SUITE.case("an expired key is absent among many", "V1")
async def _(bench: Bench) -> None:
    term = _Term.of(bench)
    keys = [bench.key(name) for name in "abc"]
    await bench.driver.set_many([(keys[0], b"1", HOUR), (keys[1], b"2", term.ttl_ms), (keys[2], b"3", HOUR)])
    await term.nearly_over()
    found = await bench.driver.get_many(keys)
    assert found == [b"1", b"2", b"3"] or not term.surely_lasts
    await term.over()
    assert await bench.driver.get_many(keys) == [b"1", None, b"3"]


@SUITE.case("an expired key was not there when it is removed", "V1")
async def _(bench: Bench) -> None:
    ttl = bench.ttl(SHORT)
    await bench.driver.set_many([(bench.key(name), b"1", ttl) for name in "abc"])
    await bench.outlive(ttl)
    assert await bench.driver.delete(bench.key("a")) is False
    assert await bench.driver.delete_many([bench.key("b"), bench.key("c")]) == 0


@SUITE.case("an expired key is not counted when a prefix is cleared", "V1")
async def _(bench: Bench) -> None:
    ttl = bench.ttl(SHORT)
    await bench.driver.set_many([(bench.key("a"), b"1", ttl), (bench.key("b"), b"1", HOUR)])
    await bench.outlive(ttl)
    assert await bench.driver.clear(bench.key("")) == 1


@SUITE.case("a value can be added where one has expired, and not before", "V1")
async def _(bench: Bench) -> None:
    term = _Term.of(bench)
    await bench.driver.add(bench.key(), b"1", ttl_ms=term.ttl_ms)
    await term.nearly_over()
    found = await bench.driver.add(bench.key(), b"2", ttl_ms=HOUR)
    lasted = term.surely_lasts
    assert found == b"1" or not lasted
    await term.over()
    assert await bench.driver.add(bench.key(), b"3", ttl_ms=HOUR) is None or not lasted


@SUITE.case("add does not prolong what is there", "V1")
async def _(bench: Bench) -> None:
    ttl = bench.ttl(SHORT)
    await bench.driver.set(bench.key(), b"1", ttl_ms=ttl)
    await bench.driver.add(bench.key(), b"2", ttl_ms=HOUR)
    await bench.outlive(ttl)
    assert await bench.driver.get(bench.key()) is None


@SUITE.case("reading does not prolong what is there", "V1")
async def _(bench: Bench) -> None:
    ttl = bench.ttl(SHORT)
    await bench.driver.set(bench.key(), b"1", ttl_ms=ttl)
    await bench.pass_time(ttl // 2)
    await bench.driver.get_many([bench.key(), bench.key()])
    await bench.driver.get(bench.key())
    await bench.outlive(ttl - ttl // 2)
    assert await bench.driver.get(bench.key()) is None


@SUITE.case("a value that is set again has the new time to live, longer or shorter", "V1")
async def _(bench: Bench) -> None:
    longer, shorter, ttl = bench.key("longer"), bench.key("shorter"), bench.ttl(SHORT)
    await bench.driver.set_many([(longer, b"1", ttl), (shorter, b"1", HOUR)])
    await bench.driver.set_many([(longer, b"2", HOUR), (shorter, b"2", ttl)])
    await bench.outlive(ttl)
    assert await bench.driver.get_many([longer, shorter]) == [b"2", None]


@SUITE.case("values that are set at once have each their own time to live", "V1")
async def _(bench: Bench) -> None:
    ttl, keys = bench.ttl(SHORT), [bench.key(str(number)) for number in range(6)]
    await bench.driver.set_many([(key, b"1", HOUR if n % 2 else ttl) for n, key in enumerate(keys)])
    await bench.outlive(ttl)
    assert await bench.driver.get_many(keys) == [None, b"1"] * 3


@SUITE.case("a removed key that is set again does not expire with its predecessor", "V1")
async def _(bench: Bench) -> None:
    ttl = bench.ttl(SHORT)
    await bench.driver.set(bench.key(), b"1", ttl_ms=ttl)
    await bench.driver.delete(bench.key())
    await bench.driver.set(bench.key(), b"2", ttl_ms=HOUR)
    await bench.outlive(ttl)
    assert await bench.driver.get(bench.key()) == b"2"


@SUITE.case("a time to live of a millisecond is neither none nor for ever", "V1")
async def _(bench: Bench) -> None:
    assert await bench.driver.set(bench.key(), b"1", ttl_ms=1) is True
    assert await bench.driver.add(bench.key("added"), b"1", ttl_ms=1) is None
    await bench.outlive(bench.ttl(1))
    assert await bench.driver.get_many([bench.key(), bench.key("added")]) == [None, None]


@SUITE.case("a time to live below a second is kept for that time", "V1")
async def _(bench: Bench) -> None:
    for ttl in (999, 501, 500, 499):
        term = _Term.of(bench, ttl)
        await bench.driver.set(bench.key(str(ttl)), b"1", ttl_ms=ttl)
        found = await bench.driver.get(bench.key(str(ttl)))
        assert found == b"1" or not term.surely_lasts


@SUITE.case("a time to live is rounded up, never down", "V1")
async def _(bench: Bench) -> None:
    unit = bench.driver.info.min_ttl_ms
    term = _Term.of(bench, unit + 1)
    await bench.driver.set(bench.key(), b"1", ttl_ms=unit + 1)
    if bench.advance is not None:
        await bench.pass_time(unit)
    found = await bench.driver.get(bench.key())
    assert found == b"1" or not term.surely_lasts


LONG = {
    "30 days": 30 * DAY,
    "a millisecond over 30 days": 30 * DAY + 1,
    "more milliseconds than 31 bits count": 2**31,
    "more milliseconds than 32 bits count": 2**32 + 1,
    "10 years": 3652 * DAY,
    "more seconds than 31 bits count": 2**31 * 1000,
    "more seconds than 32 bits count": 2**32 * 1000 + 1,
    "more milliseconds than 53 bits count": 2**53 + 1,
}


def _long(title: str, ttl: int) -> None:
    @SUITE.case(f"a time to live of {title} is kept, or cut to what the driver can", "V1")
    async def _(bench: Bench) -> None:
        await bench.driver.set(bench.key(), b"1", ttl_ms=ttl)
        await bench.driver.set_many([(bench.key("many"), b"1", ttl)])
        assert await bench.driver.add(bench.key("added"), b"1", ttl_ms=ttl) is None
        keys = [bench.key(), bench.key("many"), bench.key("added")]
        if bench.advance is not None:
            await bench.pass_time(min(ttl, bench.driver.info.max_ttl_ms or ttl, 2 * 3652 * DAY) - 1)
        assert await bench.driver.get_many(keys) == [b"1"] * 3


for _title, _ttl in LONG.items():
    _long(_title, _ttl)


@SUITE.case("a time to live of less than a millisecond is refused, and what is there stays", "V1")
async def _(bench: Bench) -> None:
    await bench.driver.set(bench.key(), b"1", ttl_ms=HOUR)
    for ttl in (0, -1, -HOUR):
        await refused(CacheConfigError, bench.driver.set(bench.key(), b"2", ttl_ms=ttl))
        await refused(CacheConfigError, bench.driver.add(bench.key("new"), b"2", ttl_ms=ttl))
        await refused(
            CacheConfigError, bench.driver.set_many([(bench.key("new"), b"2", HOUR), (bench.key(), b"2", ttl)])
        )
    assert await bench.driver.get_many([bench.key(), bench.key("new")]) == [b"1", None]


@SUITE.case("a time to live of less than a millisecond is refused for tags", "V1")
async def _(bench: Bench) -> None:
    driver = two_phases(bench)
    if driver is not None:
        await refused(CacheConfigError, driver.tags_begin([bench.tag()], b"token", flux_ms=0))
        await refused(CacheConfigError, driver.tags_end([bench.tag()], b"token", stamp_ttl_ms=0))
        assert await driver.get(bench.tag()) is None
