"""
The driver that keeps everything in this process: a table of bytes, bounded by entries and by bytes.

Keys and bytes go in and come out again until they expire, or until others that were used later need their room.
"""

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from uuid import uuid4

from attrs import frozen

from mapper.cache.driver import FLUX, STAMP, DriverInfo, key_refused, require_good, ttl_kept
from mapper.errors import CacheConfigError, CacheDriverError, CacheValueTooLarge

__all__ = ["OVERHEAD", "MemoryDriver", "MemoryUsage"]

OVERHEAD: Final = 320
"""What an entry counts for beside its key and its value, in bytes: what the interpreter needs to keep it."""

STAMP_BYTES: Final = 12
MAX_KEY_BYTES: Final = 250
CENTURY_MS: Final = 100 * 365 * 24 * 3600 * 1000

SWEPT: Final = 4
"""How many entries each one that is added looks at, in turn, to remove those that have expired."""

ROUNDING: Final = 5e-7
"""Taken off each deadline, so that sums of floating seconds do not make a time to live longer than it is."""


@frozen(kw_only=True)
class MemoryUsage:
    """
    What a driver keeps at a moment.

    Attributes:
        entries: How many keys, of which some may have expired; without tags in flux.
        bytes: What they count for.
        evicted: How many had to give way to others before they expired, since the driver was made.
        in_flux: How many tags are in flux, or were when their writers died.
    """

    entries: int
    bytes: int
    evicted: int
    in_flux: int


class _Entry:
    """A value, the second at which it is absent, and where its key stands in the order of sweeping."""

    __slots__ = ("value", "deadline", "place")

    def __init__(self, value: bytes, deadline: float, place: int) -> None:
        self.value = value
        self.deadline = deadline
        self.place = place


class MemoryDriver:
    """
    A driver for one process: no server, no thread, no timer, no lock.

    No method ever suspends, so each is atomic for the tasks of an event loop. Threads must not share a driver; event
    loops that run one after the other may.

    What was used longest ago is evicted first. Tags in flux are not evicted while one of their tokens counts, since
    only they tell of a writer that died after its commit; they have a bound of their own.
    """

    __slots__ = (
        "__weakref__",
        "_bytes",
        "_clock",
        "_entries",
        "_evicted",
        "_flux",
        "_identity",
        "_info",
        "_max_bytes",
        "_max_entries",
        "_max_value_bytes",
        "_order",
        "_sweeping",
        "_tokens",
    )

    def __init__(
        self,
        max_entries: int = 10_000,
        max_bytes: int = 64 * 1024 * 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Make a driver that is empty.

        Args:
            max_entries: How many keys are kept; and again, how many tokens of tags in flux.
            max_bytes: What keys, values and `OVERHEAD` for each entry may add up to.
            clock: Seconds that never go back.

        Raises:
            CacheConfigError: A bound leaves room for nothing.
        """
        if max_entries < 1:
            raise CacheConfigError(f"max_entries is {max_entries!r}, expected at least 1")
        if max_bytes < OVERHEAD + 1024:
            raise CacheConfigError(f"max_bytes is {max_bytes!r}, expected at least {OVERHEAD + 1024}")
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._max_value_bytes = max_bytes - OVERHEAD - MAX_KEY_BYTES
        self._info = DriverInfo(
            name="memory",
            scope="process",
            max_key_bytes=MAX_KEY_BYTES,
            max_value_bytes=self._max_value_bytes,
            max_ttl_ms=CENTURY_MS,
            features=frozenset({"tags"}),
        )
        self._identity = uuid4().hex
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0
        self._evicted = 0
        # The keys without order, so that one can be removed and the next ones be swept at a constant cost.
        self._order: list[str] = []
        self._sweeping = 0
        # Tags in flux, the one begun longest ago first: their tokens, and the second at which each is dead.
        self._flux: OrderedDict[str, dict[bytes, float]] = OrderedDict()
        self._tokens = 0

    @property
    def info(self) -> DriverInfo:
        """Facts about the driver."""
        return self._info

    def usage(self) -> MemoryUsage:
        """Return what is kept at this moment."""
        return MemoryUsage(
            entries=len(self._entries), bytes=self._bytes, evicted=self._evicted, in_flux=len(self._flux)
        )

    async def get(self, key: str) -> bytes | None:
        """Return what is kept under a key; None where there is nothing."""
        return self._find(key, self._clock())

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return what is kept under keys, in their order."""
        now = self._clock()
        entries = self._entries
        used = entries.move_to_end
        found: list[bytes | None] = []
        for key in keys:
            entry = entries.get(key)
            if entry is not None and entry.deadline > now:
                used(key)
                found.append(entry.value)
            else:
                found.append(self._find(key, now))
        return found

    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        """Keep a value; False where it is larger than all there is room for, and then the key is absent."""
        ttl_ms = self._checked(key, ttl_ms)
        return self._put(key, value, ttl_ms, self._clock())

    async def set_many(self, items: Sequence[tuple[str, bytes, int]]) -> int:
        """Keep values, each with its time to live in milliseconds; return how many were kept."""
        kept = [(key, value, self._checked(key, ttl_ms)) for key, value, ttl_ms in items]
        now = self._clock()
        return sum([self._put(key, value, ttl_ms, now) for key, value, ttl_ms in kept])

    async def add(self, key: str, value: bytes, *, ttl_ms: int) -> bytes | None:
        """
        Keep a value where there is none, and return None; else return what is there.

        Raises:
            CacheValueTooLarge: It is larger than all there is room for, and nothing is there.
        """
        ttl_ms = self._checked(key, ttl_ms)
        now = self._clock()
        found = self._find(key, now)
        if found is None and not self._put(key, value, ttl_ms, now):
            raise CacheValueTooLarge(
                f"value of {len(value)} bytes is too large, expected at most {self._max_value_bytes}"
            )
        return found

    async def delete(self, key: str) -> bool:
        """Remove a key; whether it was there."""
        return self._remove(key, self._clock())

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Remove keys; return how many were there."""
        now = self._clock()
        return sum([self._remove(key, now) for key in keys])

    async def clear(self, prefix: str) -> int:
        """Remove every key that begins with a prefix, tags in flux too; return how many were there."""
        now = self._clock()
        keys = [key for kept in (self._entries, self._flux) for key in kept if key.startswith(prefix)]
        return sum([self._remove(key, now) for key in keys])

    async def tags_begin(self, tags: Sequence[str], token: bytes, *, flux_ms: int) -> None:
        """
        Put a writer's token into each tag: the old stamp is gone.

        Raises:
            CacheDriverError: There are as many tokens as `max_entries` that count. Nothing has changed then.
        """
        require_good(tags, self._info)
        seconds = ttl_kept(flux_ms, self._info) / 1000 - ROUNDING if tags else 0.0
        tags = list(dict.fromkeys(tags))
        now = self._clock()
        self._forget_dead(now, SWEPT + len(tags))
        if self._tokens + len(tags) > self._max_entries:
            self._make_room_in_flux(tags, token, now)
        for tag in tags:
            self._drop(tag)
            tokens = self._flux.setdefault(tag, {})
            self._tokens += token not in tokens
            tokens[token] = now + seconds
            self._flux.move_to_end(tag)

    async def tags_end(self, tags: Sequence[str], token: bytes, *, stamp_ttl_ms: int) -> None:
        """Take a writer's token out of each tag; where none that counts is left, give the tag a fresh stamp."""
        if not tags:
            return
        require_good(tags, self._info)
        ttl_ms = ttl_kept(stamp_ttl_ms, self._info)
        now = self._clock()
        for tag in dict.fromkeys(tags):
            tokens = self._flux.get(tag)
            if tokens is not None and tokens.pop(token, None) is not None:
                self._tokens -= 1
            if not self._in_flux(tag, now):
                self._put(tag, STAMP + os.urandom(STAMP_BYTES), ttl_ms, now)

    async def identity(self) -> str:
        """Return what names this driver among all others of all processes."""
        return self._identity

    async def ping(self) -> None:
        """Return: there is no server that could be away."""

    async def aclose(self) -> None:
        """Return: there are no connections. What is kept stays, for whoever else uses the driver."""

    def _checked(self, key: str, ttl_ms: int) -> int:
        refused = key_refused(key, self._info)
        if refused is not None:
            raise refused
        return ttl_kept(ttl_ms, self._info)

    def _find(self, key: str, now: float) -> bytes | None:
        entry = self._entries.get(key)
        if entry is None:
            return FLUX + b"%d" % len(self._flux[key]) if self._in_flux(key, now) else None
        if entry.deadline <= now:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.value

    def _put(self, key: str, value: bytes, ttl_ms: int, now: float) -> bool:
        """Keep a value instead of whatever is there, tokens of writers too; False where there is no room for it."""
        self._drop(key)
        self._forget_flux(key)
        if len(value) > self._max_value_bytes:
            return False
        size = len(key) + len(value) + OVERHEAD
        self._sweep(now)
        while len(self._entries) >= self._max_entries or self._bytes + size > self._max_bytes:
            self._drop(next(iter(self._entries)))
            self._evicted += 1
        self._entries[key] = _Entry(bytes(value), now + ttl_ms / 1000 - ROUNDING, len(self._order))
        self._order.append(key)
        self._bytes += size
        return True

    def _remove(self, key: str, now: float) -> bool:
        """Remove a key, in flux or not; whether it was there."""
        was_there = self._find(key, now) is not None
        self._drop(key)
        self._forget_flux(key)
        return was_there

    def _drop(self, key: str) -> None:
        """Remove an entry, if it is there; the last key takes its place in the order of sweeping."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._bytes -= len(key) + len(entry.value) + OVERHEAD
        last = self._order.pop()
        if last != key:
            self._order[entry.place] = last
            self._entries[last].place = entry.place

    def _sweep(self, now: float) -> None:
        """Look at the next few entries, and remove those that have expired."""
        for _ in range(min(SWEPT, len(self._order))):
            self._sweeping = (self._sweeping - 1) % len(self._order)
            key = self._order[self._sweeping]
            if self._entries[key].deadline <= now:
                self._drop(key)
            if not self._order:
                return

    def _in_flux(self, tag: str, now: float) -> bool:
        """Whether a token of the tag counts; those that do not are removed, and the tag with the last of them."""
        tokens = self._flux.get(tag)
        if tokens is None:
            return False
        for token in [token for token, deadline in tokens.items() if deadline <= now]:
            del tokens[token]
            self._tokens -= 1
        if not tokens:
            del self._flux[tag]
        return bool(tokens)

    def _forget_flux(self, tag: str) -> None:
        self._tokens -= len(self._flux.pop(tag, ()))

    def _forget_dead(self, now: float, most: int) -> None:
        """Remove the tags begun longest ago that are no longer in flux, at the most so many."""
        for tag in list(_first(self._flux, most)):
            if self._in_flux(tag, now):
                return

    def _make_room_in_flux(self, tags: Sequence[str], token: bytes, now: float) -> None:
        for tag in list(self._flux):
            self._in_flux(tag, now)
        wanted = sum([token not in self._flux.get(tag, ()) for tag in tags])
        if self._tokens + wanted > self._max_entries:
            raise CacheDriverError(
                f"{self._tokens} tokens of tags in flux are kept and {wanted} more are wanted, "
                f"expected at most {self._max_entries}",
                hint="give MemoryDriver more max_entries, or commit fewer changes at once",
            )


def _first(keys: OrderedDict[str, dict[bytes, float]], most: int) -> Iterator[str]:
    return (key for key, _ in zip(keys, range(most), strict=False))
