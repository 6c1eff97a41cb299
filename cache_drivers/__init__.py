"""
Drivers of the cache: bytes in, bytes out. One module or package for each, and `open`, which makes one from a URL.

A driver knows no policy, no key format and no model: those are in `mapper.cache`. A driver's module is imported when it is
asked for.
"""

from typing import TYPE_CHECKING, Final

from mapper.errors import CacheConfigError

if TYPE_CHECKING:
    from mapper.cache import CacheDriver

__all__ = ["open"]

_REDIS: Final = ("redis", "rediss", "unix")


def open(url: str) -> "CacheDriver":
    """
    Make the driver that a URL names. Nothing is connected yet.

    `memory://` keeps everything in this process; `redis://user:password@host:6379/0` is Redis or Valkey, `rediss://` the
    same over TLS, `unix:///run/redis.sock` the same by a socket; `null://` keeps nothing. Drivers with settings, and those
    made of others, are made by their classes.

    Raises:
        CacheConfigError: The scheme is unknown, the URL wrong, or the library that the driver needs is not installed.
    """
    scheme, separator, rest = url.strip().partition("://")
    if separator and scheme in _REDIS:
        from cache_drivers.redis import RedisDriver

        return RedisDriver(url.strip())
    if separator and scheme in {"memory", "null"}:
        if rest.strip("/"):
            raise CacheConfigError(f"the {scheme} driver has no address", hint=f"write '{scheme}://'")
        if scheme == "null":
            from cache_drivers.null import NullDriver

            return NullDriver()
        from cache_drivers.memory import MemoryDriver

        return MemoryDriver()
    # A URL whose scheme is missing begins with anything, a password included.
    named = f" {scheme!r}" if separator and scheme.isalnum() else ""
    raise CacheConfigError(
        f"no cache driver has the scheme{named} of this URL",
        hint="known are: memory, null, redis, rediss, unix; a URL is like 'memory://' or 'redis://localhost:6379/0'",
    )
