"""
The protocol between a cache and its driver: stamps are read before what they vouch for, and changed after a commit is
visible and before it is told.

Keys and tags go in; bytes, stamps and certainty come out. A tag holds a stamp that never comes back once it has gone. A
result is kept with the stamps that its tags had before it was read, and served only while they have these. So no commit
that was told before a read began can be missing from what it is served: the commit changed a stamp before it was told,
and the result's stamps, being the present ones, were read after that; what they vouch for was read later still.

Whatever may bring old stamps back is told by the driver's identity, which counts as a stamp.
"""

import os
import time
from collections.abc import Callable, Coroutine, Sequence
from hashlib import blake2b
from typing import Any, Final

import anyio
from attrs import define, field, frozen

from mapper.cache.background import Background
from mapper.cache.breaker import Breaker
from mapper.cache.calls import Calls, as_driver_error
from mapper.cache.driver import STAMP, CacheDriver, Prompt, TwoPhaseDriver
from mapper.cache.events import Events
from mapper.cache.keys import Names
from mapper.cache.pending import Pending
from mapper.caching import FailureMode, InvalidationMode
from mapper.errors import CacheDriverError, CacheInvalidationError, CacheUnavailable

__all__ = ["Found", "Keeper", "Marked"]

DAY_MS: Final = 24 * 3600 * 1000
STAMP_TTL_MS: Final = 30 * DAY_MS
"""How long a tag is kept that nobody changes. One that has gone is unknown, and costs a miss."""

FLUX_SECONDS: Final = 30.0
"""How long a writer may take from its mark to the end of its commit before it is taken for dead."""

MARGIN: Final = 10.0
"""Seconds of them that must be left when COMMIT is sent; else the mark is made anew."""

LOOKS: Final = 3
"""How often a look-up is made where connections are opened meanwhile, before the read goes past the cache."""

RETRIES: Final = (0.05, 0.1, 0.25, 0.5, 1.0)
"""Seconds between attempts to do what is pending; the last one again and again."""


@frozen
class Found:
    """
    What a look-up gave.

    Attributes:
        values: What is kept under the keys of entries, in their order.
        stamps: The tags' stamps, in their order, behind the identity of the driver; None where one of them is about to
            change, so that nothing may be served or kept.
        reason: Why there are no stamps, or that some of them are fresh: `flux`, `pending`, `identity`, `stamp`.
        answer: All that a driver of this process said, where it knew every tag.
    """

    values: Sequence[bytes | None]
    stamps: tuple[bytes, ...] | None
    reason: str = ""
    answer: Sequence[bytes | None] = ()


@define(eq=False)
class Marked:
    """
    A writer's marks, from right before its commit until right after.

    Attributes:
        tags: What it changes.
        token: Its own.
        at: When the marks were made, on the keeper's clock; None where none were.
    """

    tags: Sequence[str]
    token: bytes = field(factory=lambda: os.urandom(16))
    at: float | None = None


class Keeper:
    """
    Speaks to one driver.

    Args:
        driver: Where things are kept.
        names: Of the cache.
        invalidation: `two_phase` marks tags before a commit.
        on_failure: What an invalidation that cannot be done means.
        store_timeout: Seconds for which keeping and invalidating may wait.
        flux_seconds, margin: See the constants.
        clock: Gives seconds that never go back.
    """

    def __init__(
        self,
        driver: CacheDriver,
        names: Names,
        events: Events,
        background: Background,
        *,
        invalidation: InvalidationMode,
        on_failure: FailureMode,
        store_timeout: float,
        flux_seconds: float = FLUX_SECONDS,
        margin: float = MARGIN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.driver = driver
        self.names = names
        self.events = events
        self.background = background
        self.breaker = Breaker(clock)
        self.pending = Pending(names.epoch)
        self._marks_tags = invalidation == "two_phase"
        self._on_failure = on_failure
        self._store_timeout = store_timeout
        self._flux_seconds = flux_seconds
        self._margin = margin
        self._clock = clock
        self._local = driver.info.scope == "process"
        # What looks up within a time limit of its own; see `mapper.cache.driver.Prompt`.
        self._prompt = driver.get_many_within if isinstance(driver, Prompt) else None
        self._calls = Calls(events, self.breaker, at_once=self._local)
        self._identity: bytes | None = None
        self._connections = -1
        self._retrying = False
        limit = driver.info.max_ttl_ms
        self._stamp_ttl = STAMP_TTL_MS if limit is None else min(STAMP_TTL_MS, limit)

    # -- reading -------------------------------------------------------------------------------------------------------

    async def look_up(
        self, keys: Sequence[str], tags: Sequence[str], timeout: float, before: Found | None = None
    ) -> Found | None:
        """
        Read entries and their tags, in one round trip where every tag is known.

        Args:
            timeout: Seconds to wait at the most.
            before: What an earlier look-up of the same keys and tags gave, with stamps. It is returned, the same object,
                where a driver of this process says the same again.

        Returns:
            None where the driver cannot be asked: it failed, took too long, or is left alone.
        """
        if self.pending.waiting:
            self._retry_later()
            if self._waits(tags):
                return Found((), None, "pending")
        breaker = self.breaker
        if not (breaker.calm or breaker.allows()):
            return None
        identity = self._identity
        if not self._local or identity is None:
            if self._prompt is not None and identity is not None and self._connections == self._generation():
                return await self._look_up_promptly(self._prompt, keys, tags, timeout, identity)
            return await self._calls.asked(self._look_up(keys, tags), timeout)
        # A driver of this process opens no connections and keeps nobody waiting.
        try:
            values = await self.driver.get_many([*keys, *tags])
        except Exception as error:
            self._calls.failed(as_driver_error(error, timeout))
            return None
        if not breaker.calm:
            self._calls.succeeded()
        if before is not None and values == before.answer and before.stamps and before.stamps[0] == identity:
            return before
        count = len(keys)
        stamps = tuple(values[count:])
        if None in stamps:
            return await self._calls.asked(self._look_up(keys, tags), timeout)
        for each in stamps:
            if each[0] != 115:  # type: ignore[index]  # none is None; it is the letter of STAMP
                return Found((), None, "flux")
        return Found(values[:count], (identity, *stamps), "", values)  # type: ignore[arg-type]  # as above

    async def _look_up_promptly(
        self,
        ask: Callable[[Sequence[str], float], Coroutine[Any, Any, Sequence[bytes | None] | None]],
        keys: Sequence[str],
        tags: Sequence[str],
        timeout: float,
        identity: bytes,
    ) -> Found | None:
        """Look up as `_look_up`, with a driver that is known and keeps the time itself; else, or behind it, by that."""
        began, generation = self._clock(), self._connections
        try:
            values = await ask([*keys, *tags], timeout)
        except Exception as error:
            self._calls.failed(as_driver_error(error, timeout))
            return None
        except BaseException:
            self.breaker.unknown()
            raise
        count = len(keys)
        if values is None or generation != self._generation():
            further: Coroutine[Any, Any, Found] = self._look_up(keys, tags)
        elif None in values[count:]:
            further = self._judged(values[:count], tags, values[count:], identity, generation)
        else:
            if not self.breaker.calm:
                self._calls.succeeded()
            return await self._judged(values[:count], tags, values[count:], identity, generation)
        return await self._calls.asked(further, timeout, left=timeout - (self._clock() - began))

    async def _look_up(self, keys: Sequence[str], tags: Sequence[str]) -> Found:
        count = len(keys)
        values: Sequence[bytes | None] = ()
        for _ in range(LOOKS):
            identity, generation = self._identity, self._connections
            if identity is None or generation != self._generation():
                identity, generation = await self._learn()
            values = await self.driver.get_many([*keys, *tags])
            # Was another connection opened meanwhile, it may be to another server, and nobody knows which one answered.
            # That holds where another reader has asked that server who it is by now, too.
            if generation == self._generation():
                return await self._judged(values[:count], tags, values[count:], identity, generation)
        return Found(values[:count], None, "identity")

    async def _judged(
        self,
        values: Sequence[bytes | None],
        tags: Sequence[str],
        found: Sequence[bytes | None],
        identity: bytes,
        generation: int,
    ) -> Found:
        """Return what was read, with its stamps unless one is about to change; those that nobody knows are made."""
        if None not in found:
            for each in found:
                if each[:1] != STAMP:  # type: ignore[index]  # none is None
                    return Found((), None, "flux")
            return Found(values, (identity, *found))  # type: ignore[arg-type]  # as above
        return Found(values, await self._completed(tags, found, identity, generation), "stamp")

    async def _completed(
        self, tags: Sequence[str], found: Sequence[bytes | None], identity: bytes, generation: int
    ) -> tuple[bytes, ...] | None:
        """Give tags that nobody knows a fresh stamp, unless somebody else is quicker. No entry has a fresh one."""
        stamps = list(found)
        for index, each in enumerate(found):
            if each is None:
                fresh = _fresh()
                there = await self.driver.add(tags[index], fresh, ttl_ms=self._stamp_ttl)
                stamps[index] = fresh if there is None else there
        if generation != self._generation() or any(each is None or each[:1] != STAMP for each in stamps):
            return None
        return (identity, *stamps)  # type: ignore[arg-type]  # none is None

    async def still(self, tags: Sequence[str], stamps: tuple[bytes, ...], timeout: float) -> bool:
        """Return whether tags still have these stamps."""
        found = await self.look_up((), tags, timeout)
        return found is not None and found.stamps == stamps

    def _generation(self) -> int:
        return getattr(self.driver, "connections_made", 0)

    async def _learn(self) -> tuple[bytes, int]:
        """
        Ask the driver who it is. It may be another server than before, which has old stamps.

        Returns:
            Its identity, as a digest, and how many connections had been opened by then.
        """
        identity, before = "", -1
        while before != self._generation():  # the question itself may have opened a connection
            before = self._generation()
            identity = await self.driver.identity()
        self._identity, self._connections = blake2b(identity.encode(), digest_size=16).digest(), before
        return self._identity, before

    # -- keeping -------------------------------------------------------------------------------------------------------

    async def keep(self, items: Sequence[tuple[str, bytes, int]]) -> int | None:
        """
        Keep values, each with its time to live in milliseconds. What fails is an event, and no error.

        Returns:
            How many the driver kept; None where it could not be asked.
        """
        if not self.breaker.allows():
            return None
        return await self._calls.asked(self._keep(items), self._store_timeout)

    async def _keep(self, items: Sequence[tuple[str, bytes, int]]) -> int:
        if len(items) == 1:
            key, value, ttl = items[0]
            return int(await self.driver.set(key, value, ttl_ms=ttl))
        return await self.driver.set_many(items)

    async def forget(self, key: str) -> None:
        """Remove an entry that nobody can read. What fails is an event, and no error."""
        if self.breaker.allows():
            await self._calls.asked(self.driver.delete(key), self._store_timeout)

    async def lease(self, key: str, seconds: float) -> bool:
        """Return whether this process is the one to read a missing entry; also where nobody can tell."""
        if not self.breaker.allows():
            return True
        adding = self.driver.add(key, b"l", ttl_ms=max(1, int(seconds * 1000)))
        return await self._calls.asked(adding, self._store_timeout) is None

    # -- changing ------------------------------------------------------------------------------------------------------

    async def begin(self, tags: Sequence[str]) -> Marked:
        """
        Mark what is about to be changed, right before the commit.

        Raises:
            CacheDriverError: It cannot be done, and nothing may be committed without it (`refuse`).
        """
        marked = Marked(tags)
        await self.mark(marked)
        return marked

    async def mark(self, marked: Marked) -> None:
        """Mark what is about to be changed. Raises as `begin`."""
        if self._marks_tags and marked.tags:
            await self._mark(marked)

    async def renew(self, marked: Marked) -> None:
        """Mark again what was marked too long ago. Raises as `begin`."""
        if marked.at is not None and self._clock() - marked.at > self._flux_seconds - self._margin:
            await self._mark(marked)

    async def _mark(self, marked: Marked) -> None:
        at = self._clock()
        error = await self._changed(
            lambda driver: driver.tags_begin(marked.tags, marked.token, flux_ms=int(self._flux_seconds * 1000))
        )
        if error is None:
            marked.at = at
            return
        self._leave(marked)
        if self._on_failure == "refuse":
            raise error
        self._remember(marked.tags)

    async def end(self, marked: Marked, *, happened: bool = True) -> None:
        """
        Change the stamps of what was changed, right after the commit.

        Args:
            happened: Whether the commit took place or may have. If it did not, only the marks are taken away.

        Raises:
            CacheInvalidationError: It cannot be done now (`raise`). It will be tried again.
        """
        if not marked.tags or not (happened or marked.at is not None):
            return
        # What another commit leaves behind meanwhile is not done by this: the driver may have been told before.
        pending = self.pending
        waiting = pending.among(marked.tags) if pending.waiting else {}
        error = await self._changed(self._bump(marked.tags, marked.token))
        if error is None:
            if waiting:
                pending.done(waiting)
            if pending.marks:
                pending.taken(marked.token)
            self.events.tell("invalidate", tags=len(marked.tags))
            return
        self._leave(marked)
        self._remember(marked.tags)
        if self._on_failure == "raise" and happened:
            raise CacheInvalidationError(
                "the commit happened, and the cache could not be told of it",
                hint="it is tried again; until then this process reads past the cache, and others may not",
            ) from error

    def end_again(self, marked: Marked) -> None:
        """Have stamps changed soon, again maybe: nobody knows when what was written becomes visible."""
        if marked.tags:
            self._leave(marked)
            self._remember(marked.tags)

    def _bump(self, tags: Sequence[str], token: bytes) -> "Callable[[TwoPhaseDriver], Coroutine[Any, Any, object]]":
        if "tags" in self.driver.info.features:
            return lambda driver: driver.tags_end(tags, token, stamp_ttl_ms=self._stamp_ttl)
        return lambda driver: _all_set(driver, [(each, _fresh(), self._stamp_ttl) for each in tags])

    async def _changed(
        self, work: "Callable[[TwoPhaseDriver], Coroutine[Any, Any, object]]"
    ) -> CacheDriverError | None:
        """Do something to tags, and return what went wrong; None where nothing did."""
        if not (self.breaker.calm or self.breaker.allows()):
            return CacheUnavailable("the cache is left alone, since it failed several times")
        driver: Any = self.driver
        return await self._calls.changed(work(driver), self._store_timeout)

    # -- what waits for the driver -------------------------------------------------------------------------------------

    def _waits(self, tags: Sequence[str]) -> bool:
        return self.pending.covers(tags)

    def _leave(self, marked: Marked) -> None:
        """Have marks taken away later that may be there still: until then nobody is served what depends on them."""
        if self._marks_tags:
            self.pending.leave(marked.token, marked.tags)
            self._retry_later()

    def _remember(self, tags: Sequence[str]) -> None:
        """Have tags changed later; until then this process neither serves nor keeps what depends on them."""
        if not self.pending.add(tags):
            self.events.tell("lost")
        self.events.tell("pending", tags=len(tags))
        self._retry_later()

    def _retry_later(self) -> None:
        if not self._retrying:
            self._retrying = True
            self._retrying = self.background.start(self._retry(), awaited=True, dropped=self._retried)

    async def _retry(self) -> None:
        try:
            attempt = 0
            while not self.pending.is_idle:
                pause = RETRIES[min(attempt, len(RETRIES) - 1)]
                await anyio.sleep(max(pause, self.breaker.wait()))
                attempt += 1
                await self.flush()
        finally:
            self._retried()

    def _retried(self) -> None:
        self._retrying = False

    async def flush(self) -> bool:
        """Try to do what is pending, and return whether nothing is any more."""
        for token, tags in list(self.pending.marks.items()):
            if await self._changed(self._bump(tags, token)) is not None:
                return False
            self.pending.taken(token)
        waiting = self.pending.tags
        if waiting:
            error = await self._changed(self._bump(list(waiting), os.urandom(16)))
            if error is None:
                self.pending.done(waiting)
                self.events.tell("invalidate", "pending", tags=len(waiting))
        return not self.pending


async def _all_set(driver: CacheDriver, items: Sequence[tuple[str, bytes, int]]) -> None:
    kept = await driver.set_many(items)
    if kept != len(items):
        raise CacheUnavailable(f"the cache kept {kept} of {len(items)} stamps")


def _fresh() -> bytes:
    return STAMP + os.urandom(12)
