"""
The port of cache drivers: bytes in, bytes out.

A driver knows nothing of rows, queries or policies. It keeps values under keys for a while, and the tags of the
protocol, which are values too. Everything else is in `mapper.cache`.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, Protocol, TypeAlias, runtime_checkable

from attrs import field, frozen

from mapper.errors import CacheConfigError, CacheKeyInvalid

__all__ = [
    "FLUX",
    "STAMP",
    "Broadcasting",
    "CacheDriver",
    "DriverInfo",
    "DriverScope",
    "Prompt",
    "Reconnecting",
    "TwoPhaseDriver",
    "is_entry",
    "is_tag",
    "key_refused",
    "require_good",
    "ttl_kept",
]

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
        overdue_ms: How long after its time a value may still be seen, where copies are kept whose time is unknown.
        features: `"tags"` where `tags_begin` and `tags_end` are there, `"broadcast"` where it tells of changes by
            others.
    """

    name: str
    scope: DriverScope
    max_key_bytes: int = 250
    max_value_bytes: int | None = None
    max_ttl_ms: int | None = None
    min_ttl_ms: int = 1
    overdue_ms: int = 0
    features: frozenset[str] = field(default=frozenset())


@runtime_checkable
class CacheDriver(Protocol):
    """
    What a cache needs of a store for bytes.

    A time to live is an integer of milliseconds, at least 1; there is no "forever", and less is refused with
    `CacheConfigError`. What has expired is absent for every method. A key is printable ASCII without blanks, of 1 to
    `info.max_key_bytes` bytes; any other is refused with `CacheKeyInvalid` by what would keep something under it, and
    absent, or refused too, for what reads or removes. Nothing that is refused reaches the server.

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

        Each value was there at a moment of its own, after the call began: what was set before is seen, for every key. A
        driver whose keys are on several servers need not read them at one moment, for no stamp that has gone comes back.
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

        Raises:
            CacheValueTooLarge: It is too large for what room there is, and nothing is there that could be returned.
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


@runtime_checkable
class Broadcasting(Protocol):
    """A driver that tells of what changes in its store, whoever changes it; `"broadcast"` is in its features."""

    @property
    def following(self) -> bool:
        """
        Whether changes are being told right now, for every prefix that is followed. While it is false, nothing that
        was read earlier may be served without asking the driver.
        """
        ...

    async def follow(
        self, prefixes: Sequence[str], told: Callable[[Sequence[str] | None], None]
    ) -> Callable[[], Awaitable[None]]:
        """
        Have changes told until the function that is returned is called.

        It fails for no server that is away: it connects again by itself, and `following` says whether it has.

        Args:
            prefixes: What the keys to be told of begin with; an empty one stands for all.
            told: Called in the event loop with keys that were set, removed, or have expired or been evicted, by this
                driver or by anyone. Called with None where changes may have been missed: forget everything. That is
                so when the connection is lost (`following` is false by then), and once more after it is there again,
                before `following` is true. It must neither block nor raise.
        """
        ...


@runtime_checkable
class Reconnecting(Protocol):
    """A driver with connections, which tells when it has a new one: the server behind it may be another."""

    @property
    def connections_made(self) -> int:
        """
        How many connections were opened since the driver was made; it never falls. What was read while it has grown
        may come from another server, or from one that has old values back: compare `identity`, then read again.
        """
        ...


@runtime_checkable
class Prompt(Protocol):
    """A driver that keeps a time limit itself, which spares each look-up a timer of its own."""

    async def get_many_within(self, keys: Sequence[str], seconds: float) -> Sequence[bytes | None] | None:
        """
        Return what `get_many` does, on a connection that is there and free.

        Returns:
            None where there is none, or where it turns out to have ended before: nobody was kept waiting, nothing is
            known, and `get_many` is to be called.

        Raises:
            TimeoutError: There is no answer after so many seconds.
        """
        ...


_KEY: Final = re.compile("[!-~]+")


def key_refused(key: str, info: DriverInfo) -> CacheKeyInvalid | None:
    """Return the error for a key under which a driver keeps nothing; None for a good one."""
    if len(key) <= info.max_key_bytes and _KEY.fullmatch(key):
        return None
    return CacheKeyInvalid(
        f"key {key[:80]!r} of {len(key)} characters cannot be kept, expected 1 to {info.max_key_bytes} characters of "
        f"printable ASCII without blanks"
    )


def require_good(keys: Sequence[str], info: DriverInfo) -> None:
    """
    Return if values can be kept under all of the keys.

    Raises:
        CacheKeyInvalid: One of them is none for this driver.
    """
    # All at once at first: each may have so many characters, whatever they are together.
    if (
        keys
        and min(lengths := [*map(len, keys)])
        and max(lengths) <= info.max_key_bytes
        and _KEY.fullmatch("".join(keys))
    ):
        return
    for each in keys:
        refused = key_refused(each, info)
        if refused is not None:
            raise refused


def ttl_kept(ttl_ms: int, info: DriverInfo) -> int:
    """
    Return what a driver makes of a time to live in milliseconds: rounded up to what it can count, cut to its longest.

    Raises:
        CacheConfigError: It is less than 1.
    """
    if ttl_ms < 1:
        raise CacheConfigError(f"time to live is {ttl_ms!r} ms, expected at least 1")
    rounded = -(-ttl_ms // info.min_ttl_ms) * info.min_ttl_ms
    return rounded if info.max_ttl_ms is None else min(rounded, info.max_ttl_ms)


def is_tag(key: str) -> bool:
    """
    Whether a key is that of a tag: `{namespace}:{version}:t:…`, where neither namespace nor version has a colon.

    For drivers that treat tags otherwise than entries; most need not know.
    """
    return _kind(key) == "t"


def is_entry(key: str) -> bool:
    """Whether a key is that of an entry, `{namespace}:{version}:e:…`: of what tags say whether it is still true."""
    return _kind(key) == "e"


def _kind(key: str) -> str | None:
    parts = key.split(":", 3)
    return parts[2] if len(parts) == 4 else None
