"""The driver that keeps nothing."""

import pytest

from cache_drivers.null import NullDriver
from mapper.cache.driver import TwoPhaseDriver
from mapper.errors import CacheConfigError, CacheKeyInvalid

HOUR = 3_600_000


async def test_nothing_is_kept():
    driver = NullDriver()
    assert await driver.set("a", b"1", ttl_ms=HOUR) is False
    assert await driver.set_many([("a", b"1", HOUR), ("b", b"1", HOUR)]) == 0
    assert [await driver.add("a", b"1", ttl_ms=HOUR) for _ in range(2)] == [None, None]
    assert await driver.get("a") is None
    assert await driver.get_many(["a", "b", "a"]) == [None, None, None]
    assert await driver.get_many([]) == []


async def test_nothing_is_removed():
    driver = NullDriver()
    assert await driver.delete("a") is False
    assert await driver.delete_many(["a", "b"]) == 0
    assert await driver.clear("a") == 0


async def test_writers_come_and_go_without_a_trace():
    driver = NullDriver()
    assert isinstance(driver, TwoPhaseDriver)
    await driver.tags_begin(["t"], b"1", flux_ms=HOUR)
    assert await driver.get("t") is None
    await driver.tags_end(["t"], b"1", stamp_ttl_ms=HOUR)
    assert await driver.get("t") is None


async def test_what_other_drivers_refuse_is_refused():
    driver = NullDriver()
    with pytest.raises(CacheKeyInvalid, match="key 'no key'"):
        await driver.set("no key", b"1", ttl_ms=HOUR)
    with pytest.raises(CacheKeyInvalid):
        await driver.set_many([("a" * 251, b"1", HOUR)])
    with pytest.raises(CacheKeyInvalid):
        await driver.tags_begin(["é"], b"1", flux_ms=HOUR)
    with pytest.raises(CacheConfigError):
        await driver.add("a", b"1", ttl_ms=0)


async def test_it_lives_like_any_other():
    driver = NullDriver()
    assert driver.info.scope == "process"
    assert await driver.identity() == await driver.identity() != await NullDriver().identity()
    await driver.ping()
    await driver.aclose()
    await driver.ping()
