"""Drivers by their URLs."""

import pytest

import cache_drivers
from cache_drivers.memory import MemoryDriver
from cache_drivers.null import NullDriver
from cache_drivers.redis import RedisDriver
from mapper.errors import CacheConfigError


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("memory://", MemoryDriver),
        (" memory:// ", MemoryDriver),
        ("null://", NullDriver),
        ("redis://localhost:6379/0", RedisDriver),
        ("rediss://user:secret@cache.example", RedisDriver),
        ("unix:///run/redis.sock", RedisDriver),
    ],
)
def test_open_makes_the_driver_of_the_scheme(url: str, kind: type):
    assert type(cache_drivers.open(url)) is kind


@pytest.mark.parametrize("url", ["", "memory", "localhost:6379", "s3cret@host", "memcache://localhost"])
def test_open_of_an_unknown_scheme_names_the_known(url: str):
    with pytest.raises(CacheConfigError, match="no cache driver has the scheme") as caught:
        cache_drivers.open(url)
    assert "redis" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["memory://localhost", "null://x", "memory://?max_entries=3"])
def test_open_of_an_address_that_a_driver_has_not_is_refused(url: str):
    with pytest.raises(CacheConfigError, match="has no address"):
        cache_drivers.open(url)
