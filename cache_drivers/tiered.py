"""
The driver of two tiers: a near one in this process before a far one that is shared.

What is in the near tier is a copy that may be out of date. The protocol of the cache makes that harmless: an entry is
served only while the stamps of its tags are current, and those are asked of the far tier.
"""

import os
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, Literal, TypeAlias, get_args

from anyio.lowlevel import current_token
from attrs import evolve

from mapper.cache.driver import (
    STAMP,
    Broadcasting,
    CacheDriver,
    DriverInfo,
    TwoPhaseDriver,
    is_entry,
    is_tag,
)
from mapper.errors import CacheConfigError

__all__ = ["TieredDriver", "TieredMode"]

TieredMode: TypeAlias = Literal["validated", "broadcast"]
"""
`validated` asks the far tier for tags at every read; `broadcast` keeps tags near as well, and goes by what the far tier
tells of changes.
"""

MOST_TOLD: Final = 20_000
"""How many changed keys are remembered one by one; before that, everything near counts as changed."""

MOST_TAGS: Final = 20_000
"""Of how many tags it is remembered when they were last seen to change."""

MARK_BYTES: Final = 8
MOMENT_BYTES: Final = 8
FRAME_BYTES: Final = MARK_BYTES + MOMENT_BYTES


class TieredDriver:
    """
    Two drivers as one: `l1`, near and private to this process, and `l2`, far and usually shared.

    Whatever is set, added or removed goes to `l2`, which decides. A copy stays in `l1`, of entries only where the mode
    is "validated". A read takes entries from `l1` and asks `l2` for the rest: tags, leases and what `l1` lacks, in one
    round trip. Where the tags have changed since the copy was made, `l2` is asked for the entry too, in a second one,
    since somebody else may have renewed it.

    With "broadcast" a read of which all is near asks nobody. It rests on `l2` telling of every change: **a commit in
    another process is seen here only when its message has arrived**, and not at the moment at which that commit
    returned. What this process commits is seen at once. While `l2` is not telling, reads are validated.
    """

    __slots__ = (
        "__weakref__",
        "_copy_ttl_ms",
        "_floor",
        "_info",
        "_l1",
        "_l2",
        "_mark",
        "_mode",
        "_moment",
        "_prefixes",
        "_starting",
        "_stop",
        "_tags",
        "_told",
        "_token",
        "_two_phases",
    )

    def __init__(
        self,
        l1: CacheDriver,
        l2: CacheDriver,
        mode: TieredMode = "validated",
        *,
        prefixes: Sequence[str] = ("",),
        copy_ttl: float = 10.0,
    ) -> None:
        """
        Put one driver before another.

        Args:
            l1: The near driver, of which nobody else may use the same keys; `MemoryDriver()`.
            l2: The far driver; with the mode "broadcast" one that tells of changes.
            mode: What is served from the near driver.
            prefixes: With the mode "broadcast", what the keys begin with whose changes are to be told; the namespace of
                the cache and a colon, to be spared those of others.
            copy_ttl: How many seconds a copy of what was read from `l2` stays in `l1`. What is left of its own time to
                live cannot be known then, so it may be there for so much longer; `info.overdue_ms` says it.

        Raises:
            CacheConfigError: The drivers do not go together so.
        """
        if mode not in get_args(TieredMode):
            raise CacheConfigError(f"mode is {mode!r}, expected one of {', '.join(get_args(TieredMode))}")
        if l1.info.scope != "process":
            raise CacheConfigError(
                f"l1 is {l1.info.name!r} of the scope {l1.info.scope!r}, expected one of this process alone",
                hint="put MemoryDriver() first",
            )
        if mode == "broadcast" and not (isinstance(l2, Broadcasting) and "broadcast" in l2.info.features):
            raise CacheConfigError(
                f"l2 is {l2.info.name!r}, which does not tell of changes", hint='use mode="validated"'
            )
        if not copy_ttl > 0:
            raise CacheConfigError(f"copy_ttl is {copy_ttl!r}, expected seconds above 0")
        self._l1 = l1
        self._l2 = l2
        self._mode: TieredMode = mode
        self._prefixes = tuple(prefixes)
        self._copy_ttl_ms = max(1, round(copy_ttl * 1000))
        self._info = _info(l1.info, l2.info, self._copy_ttl_ms)
        self._two_phases = l2 if isinstance(l2, TwoPhaseDriver) and "tags" in l2.info.features else None
        # A copy begins with this, which no other driver has written.
        self._mark = os.urandom(MARK_BYTES)
        # Moments are numbers that grow. A copy has that at which its reading began, and holds if it is later than the
        # last change of its key, and later than the floor.
        self._moment = 0
        self._floor = 0
        self._told: OrderedDict[str, int] = OrderedDict()
        # What each tag was when it was last seen, and the moment at which it was first seen so; 0 if never otherwise.
        self._tags: OrderedDict[str, tuple[bytes, int]] = OrderedDict()
        self._stop: Callable[[], Awaitable[None]] | None = None
        self._starting = False
        self._token: object = None

    @property
    def info(self) -> DriverInfo:
        """Facts about the driver: those of the far tier, within the limits of both."""
        return self._info

    async def get(self, key: str) -> bytes | None:
        """Return what is kept under a key; None where there is nothing."""
        return (await self.get_many([key]))[0]

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return what is kept under keys, in their order; the near tier's copies of entries may be out of date."""
        if not keys:
            return []
        tags_near = await self._told_of_changes()
        moment = self._next_moment()
        copies = await self._copies(
            [key for key in dict.fromkeys(keys) if is_entry(key) or (tags_near and is_tag(key))]
        )
        found: dict[str, bytes | None] = {key: value for key, (_, value) in copies.items()}
        fetched = await self._fetch([key for key in dict.fromkeys(keys) if key not in found])
        found |= fetched
        changed = self._changed(found, moment)
        outdated = await self._fetch([key for key, (made, _) in copies.items() if made < changed and is_entry(key)])
        found |= outdated
        await self._copy(fetched | outdated, moment, tags_near)
        return [found[key] for key in keys]

    async def set(self, key: str, value: bytes, *, ttl_ms: int) -> bool:
        """Keep a value in both tiers; False where the far one refuses it."""
        async with self._changing([key]) as alone:
            kept = await self._l2.set(key, value, ttl_ms=ttl_ms)
        if kept and alone():
            await self._copy_set([(key, value, ttl_ms)])
        return kept

    async def set_many(self, items: Sequence[tuple[str, bytes, int]]) -> int:
        """Keep values in both tiers; return how many the far one has kept."""
        if not items:
            return 0
        async with self._changing([key for key, _, _ in items]) as alone:
            kept = await self._l2.set_many(items)
        if kept == len(items) and alone():
            await self._copy_set(items)
        return kept

    async def add(self, key: str, value: bytes, *, ttl_ms: int) -> bytes | None:
        """Keep a value where the far tier has none, and return None; else return what is there."""
        async with self._changing([key]):
            return await self._l2.add(key, value, ttl_ms=ttl_ms)

    async def delete(self, key: str) -> bool:
        """Remove a key from both tiers; whether the far one had it."""
        async with self._changing([key]):
            was_there = await self._l2.delete(key)
        await self._l1.delete(key)
        return was_there

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Remove keys from both tiers; return how many the far one had."""
        if not keys:
            return 0
        async with self._changing(keys):
            count = await self._l2.delete_many(keys)
        await self._l1.delete_many(keys)
        return count

    async def clear(self, prefix: str) -> int:
        """
        Remove every key that begins with a prefix from both tiers; return how many the far one had.

        Every copy of this process is given up. Those of other processes stay until they expire.
        """
        self._forget(None)
        try:
            return await self._l2.clear(prefix)
        finally:
            self._forget(None)
            await self._l1.clear(prefix)

    async def tags_begin(self, tags: Sequence[str], token: bytes, *, flux_ms: int) -> None:
        """Put a writer's token into each tag of the far tier."""
        async with self._changing(tags):
            await self._counting().tags_begin(tags, token, flux_ms=flux_ms)

    async def tags_end(self, tags: Sequence[str], token: bytes, *, stamp_ttl_ms: int) -> None:
        """Take a writer's token out of each tag of the far tier."""
        async with self._changing(tags):
            await self._counting().tags_end(tags, token, stamp_ttl_ms=stamp_ttl_ms)

    @property
    def connections_made(self) -> int:
        """How many connections the second tier has opened, where it counts them: its server may be another since."""
        made: int = getattr(self._l2, "connections_made", 0)
        return made

    async def identity(self) -> str:
        """Return what names the far tier's present state."""
        return await self._l2.identity()

    async def ping(self) -> None:
        """Return if the far tier answers."""
        await self._l2.ping()

    async def aclose(self) -> None:
        """Close both tiers. Copies are given up; the driver is usable again at its next use."""
        self._forget(None)
        stop, self._stop = self._stop, None
        try:
            if stop is not None:
                await stop()
        finally:
            try:
                await self._l1.aclose()
            finally:
                await self._l2.aclose()

    def _counting(self) -> TwoPhaseDriver:
        if self._two_phases is None:
            raise CacheConfigError(f"l2 is {self._l2.info.name!r}, which keeps no count of writers")
        return self._two_phases

    # Copies

    async def _copies(self, keys: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        """Return the copies that hold, each with the moment at which it was made."""
        copies: dict[str, tuple[int, bytes]] = {}
        for key, frame in zip(keys, await self._l1.get_many(keys), strict=True):
            if frame is not None and frame[:MARK_BYTES] == self._mark:
                made = int.from_bytes(frame[MARK_BYTES:FRAME_BYTES], "big")
                if self._holds(key, made):
                    copies[key] = made, frame[FRAME_BYTES:]
        return copies

    async def _fetch(self, keys: Sequence[str]) -> dict[str, bytes | None]:
        return dict(zip(keys, await self._l2.get_many(keys), strict=True)) if keys else {}

    def _changed(self, found: Mapping[str, bytes | None], moment: int) -> int:
        """
        Return the latest moment at which one of the tags was seen to change; 0 if one is in flux or absent, because
        then no entry can be served, however new.
        """
        latest = 0
        for tag, value in found.items():
            if not is_tag(tag):
                continue
            if value is None or value[:1] != STAMP:
                return 0
            before, changed = self._tags.get(tag, (value, 0))
            if before != value:
                changed = moment
            self._tags[tag] = value, changed
            self._tags.move_to_end(tag)
            latest = max(latest, changed)
        while len(self._tags) > MOST_TAGS:
            self._tags.popitem(last=False)
        return latest

    async def _copy(self, fetched: Mapping[str, bytes | None], moment: int, tags_near: bool) -> None:
        """Copy what was read from the far tier since a moment, if it has not changed since."""
        frames = [
            (key, self._frame(moment, value), self._copy_ttl_ms)
            for key, value in fetched.items()
            if value is not None
            and self._holds(key, moment)
            and (is_entry(key) or (tags_near and is_tag(key) and value[:1] == STAMP))
        ]
        if frames:
            await self._l1.set_many(frames)

    async def _copy_set(self, items: Sequence[tuple[str, bytes, int]]) -> None:
        """Copy entries that were just set."""
        moment = self._next_moment()
        frames = [(key, self._frame(moment, value), ttl_ms) for key, value, ttl_ms in items if is_entry(key)]
        if frames:
            await self._l1.set_many(frames)

    def _frame(self, moment: int, value: bytes) -> bytes:
        return self._mark + moment.to_bytes(MOMENT_BYTES, "big") + value

    # Moments

    def _next_moment(self) -> int:
        self._moment += 1
        return self._moment

    def _holds(self, key: str, moment: int) -> bool:
        return moment > self._told.get(key, 0) and moment > self._floor

    def _forget(self, keys: Iterable[str] | None) -> None:
        """Have no copy of the keys hold that was read until now, or is being read; of no key at all for None."""
        moment = self._next_moment()
        if keys is None:
            self._told.clear()
            self._floor = moment
            return
        for key in keys:
            self._told[key] = moment
            self._told.move_to_end(key)
        while len(self._told) > MOST_TOLD:
            self._floor = max(self._floor, self._told.popitem(last=False)[1])

    @asynccontextmanager
    async def _changing(self, keys: Sequence[str]) -> AsyncGenerator[Callable[[], bool]]:
        """
        Have no copy of the keys hold that is older than the end of what is done within, however it ends.

        Yields a function that says, afterwards, whether nobody else has changed any of the keys meanwhile: otherwise
        it is unknown whose value is there.
        """
        self._forget(keys)
        began, floor, alone = self._moment, self._floor, False
        try:
            yield lambda: alone
            alone = self._floor == floor and all(self._told.get(key) == began for key in keys)
        finally:
            self._forget(keys)

    # Broadcast

    async def _told_of_changes(self) -> bool:
        """Whether tags may be served from the near tier at this moment; has changes told if they are not yet."""
        if self._mode == "validated" or not isinstance(self._l2, Broadcasting):
            return False
        token = current_token()
        if token != self._token:
            # What told in an event loop that has ended tells nothing any more.
            self._forget(None)
            self._token, self._stop, self._starting = token, None, False
        if self._stop is None and not self._starting:
            self._starting = True
            try:
                self._forget(None)
                self._stop = await self._l2.follow(self._prefixes, self._forget)
            finally:
                self._starting = False
        return self._stop is not None and self._l2.following


def _info(near: DriverInfo, far: DriverInfo, copy_ttl_ms: int) -> DriverInfo:
    return evolve(
        far,
        name="tiered",
        max_key_bytes=min(near.max_key_bytes, far.max_key_bytes),
        min_ttl_ms=max(near.min_ttl_ms, far.min_ttl_ms),
        overdue_ms=far.overdue_ms + copy_ttl_ms,
        features=far.features - {"broadcast"},
    )
