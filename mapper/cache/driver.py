"""
The port of cache drivers: bytes in, bytes out.

A driver knows nothing of rows, queries or policies. It keeps values under keys for a while, and the tags of the
protocol, which are values too. Everything else is in `mapper.cache`.
"""

from collections.abc import Sequence
from typing import Final, Literal, Protocol, TypeAlias, runtime_checkable

from attrs import field, frozen

__all__ = ["FLUX", "STAMP", "CacheDriver", "DriverInfo", "DriverScope", "TwoPhaseDriver"]

DriverScope: TypeAlias = Literal["process", "host", "shared"]
"""Who sees what a driver keeps: this process, every process of this machine, or whoever connects to its server."""

STAMP: Final = b"s"
"""The first byte of a tag that is at rest; its stamp follows."""

FLUX: Final = b"f"
"""The first byte of a tag that writers are about to change; what the driver keeps of their tokens follows."""


@frozen(kw_only=True)
class DriverInfo:
    """
    Facts about a driver.

    Attributes:
        name: What it is called in events.
        scope: Who sees what it keeps.
        max_key_bytes, max_value_bytes: What is longer is refused; None is no limit.
        max_ttl_ms: A longer time to live is cut to it; None is no limit.
        min_ttl_ms: What a time to live is rounded up to a multiple of.
        features: `"tags"` where `tags_begin` and `tags_end` are there, `"broadcast"` where it tells of changes by
            others.
    """

    name: str
    scope: DriverScope
    max_key_bytes: int = 250
    max_value_bytes: int | None = None
    max_ttl_ms: int | None = None
    min_ttl_ms: int = 1
    features: frozenset[str] = field(default=frozenset())


@runtime_checkable
class CacheDriver(Protocol):
    """
    What a cache needs of a store for bytes.

    A time to live is an integer of milliseconds, at least 1; there is no "forever". What has expired is absent for
    every method. A key is printable ASCII of at most `info.max_key_bytes` bytes.

    Only subclasses of `CacheDriverError` escape, and cancellation, after which the connection that was in use is
    discarded. Any number of tasks of one event loop may call it at once.
    """

    @property
    def info(self) -> DriverInfo:
        """Facts about the driver; known without I/O."""
        ...

    async def get(self, key: str) -> bytes | None:
        """Return what is kept under a key; None where there is nothing."""
        ...

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """
        Return what is kept under keys, in their order; a key may come twice. One round trip; none for no keys.

        What it gives was there at one moment: no `set` of another caller is seen for one key and missed for an earlier
        one.
        """
        ...

    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        """Keep a value, whatever was there; False where it is refused, being too large for what room there is."""
        ...

    async def set_many(self, items: Sequence[tuple[str, bytes, int]]) -> int:
        """Keep values, each with its time to live in milliseconds; return how many were kept. One round trip."""
        ...

    async def add(self, key: str, value: bytes, *, ttl_ms: int) -> bytes | None:
        """
        Keep a value where there is none. Of several callers at once one keeps its value.

        Returns:
            None where it was kept, else what is there.
        """
        ...

    async def delete(self, key: str) -> bool:
        """Remove a key; whether it was there."""
        ...

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Remove keys; return how many were there. One round trip."""
        ...

    async def clear(self, prefix: str) -> int:
        """
        Remove every key that begins with a prefix, in which no character is special; return how many were there.

        It reclaims memory and invalidates nothing: keys that are set meanwhile may stay.
        """
        ...

    async def identity(self) -> str:
        """
        Return what names the server's present state: another after a fail-over, a restart or whatever else may have
        brought back old values.
        """
        ...

    async def ping(self) -> None:
        """Return if the server answers; else raise `CacheUnavailable` or `CacheTimeout`."""
        ...

    async def aclose(self) -> None:
        """Close connections. The driver connects again at its next use."""
        ...


@runtime_checkable
class TwoPhaseDriver(CacheDriver, Protocol):
    """
    A driver that keeps count of the writers that are about to change what a tag stands for.

    Both methods are atomic for each tag.
    """

    async def tags_begin(self, tags: Sequence[str], token: bytes, *, flux_ms: int) -> None:
        """
        Put a writer's token into each tag, whose value begins with `FLUX` from then on: the old stamp is gone.

        Args:
            tags: Keys of tags.
            token: The writer's own; tokens of several writers are kept side by side.
            flux_ms: How long the token counts at the most; then its writer is taken for dead.
        """
        ...

    async def tags_end(self, tags: Sequence[str], token: bytes, *, stamp_ttl_ms: int) -> None:
        """
        Take a writer's token out of each tag; where none is left, give the tag a fresh random stamp behind `STAMP`.

        A tag that has been lost meanwhile is given a fresh stamp too. A token that is not there is no error.
        """
        ...
