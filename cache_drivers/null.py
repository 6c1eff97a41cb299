"""
The driver that keeps nothing: every read is a miss.

For turning a cache off without taking it out, and for measuring what it saves.
"""

from collections.abc import Sequence
from uuid import uuid4

from mapper.cache.driver import DriverInfo, key_refused, ttl_kept

__all__ = ["NullDriver"]

_INFO = DriverInfo(name="null", scope="process", features=frozenset({"tags"}))


class NullDriver:
    """
    A driver that keeps nothing.

    What is wrong with a key or a time to live is refused as by any other driver, so that it is found here too.
    """

    __slots__ = ("_identity",)

    def __init__(self) -> None:
        self._identity = uuid4().hex

    @property
    def info(self) -> DriverInfo:
        """Facts about the driver."""
        return _INFO

    async def get(self, key: str) -> bytes | None:
        """Return None."""
        del key
        return None

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return None for each key."""
        return [None] * len(keys)

    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        """Keep nothing, and return False: refused."""
        del value
        _check(key, ttl_ms)
        return False

    async def set_many(self, items: Sequence[tuple[str, bytes, int]]) -> int:
        """Keep nothing, and return 0."""
        for key, _, ttl_ms in items:
            _check(key, ttl_ms)
        return 0

    async def add(self, key: str, value: bytes, *, ttl_ms: int) -> bytes | None:
        """Return None, as if the value had been kept and were gone by now."""
        del value
        _check(key, ttl_ms)
        return None

    async def delete(self, key: str) -> bool:
        """Return False: it was not there."""
        del key
        return False

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Return 0."""
        del keys
        return 0

    async def clear(self, prefix: str) -> int:
        """Return 0."""
        del prefix
        return 0

    async def tags_begin(self, tags: Sequence[str], token: bytes, *, flux_ms: int) -> None:
        """Do nothing: where nothing is kept, nothing can be out of date."""
        del token
        for tag in tags:
            _check(tag, flux_ms)

    async def tags_end(self, tags: Sequence[str], token: bytes, *, stamp_ttl_ms: int) -> None:
        """Do nothing."""
        del token
        for tag in tags:
            _check(tag, stamp_ttl_ms)

    async def identity(self) -> str:
        """Return what names this driver."""
        return self._identity

    async def ping(self) -> None:
        """Return."""

    async def aclose(self) -> None:
        """Return."""


def _check(key: str, ttl_ms: int) -> None:
    refused = key_refused(key, _INFO)
    if refused is not None:
        raise refused
    ttl_kept(ttl_ms, _INFO)
