"""
Reads through a cache: served while it is true, else read once for all who ask, and kept.

A request goes in, which says under what key, on what tags and how to read; a value comes out. It is the same for rows
of a gateway and for values of any other source.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic

import anyio
from attrs import define, frozen
from typing_extensions import TypeVar

from mapper.cache.background import Background
from mapper.cache.envelope import Envelope, block_of, opened, sealed
from mapper.cache.events import CacheEvent, Events
from mapper.cache.keeper import Found, Keeper
from mapper.cache.rows import Unkept
from mapper.caching import CacheMode, CachePolicy, seconds
from mapper.errors import CacheMiss, StoreError

__all__ = ["OUTAGES", "Offer", "Reader", "Request", "Times", "missed"]

V = TypeVar("V")

SMALL: Final = 4096
MOST_KNOWN: Final = 2000
"""Envelopes of at most so many bytes, and so many of them, are remembered once they are opened."""

OUTAGES: Final = (StoreError, OSError, TimeoutError)

MOST_FLIGHTS: Final = 1000
"""Reads at once that others may join. Beyond, each reads for itself and keeps nothing."""


@frozen
class Times:
    """A policy's durations, once they are numbers: seconds, but for what ends with `_ms`."""

    ttl_ms: int
    negative_ms: int
    swr_ms: int
    stale_ms: int
    lookup: float
    lease: float
    policy: CachePolicy

    @classmethod
    def of(cls, policy: CachePolicy) -> "Times":
        """Return those of a policy."""
        ttl = math.ceil(seconds(policy.ttl) * 1000)
        negative = ttl if policy.negative_ttl is None else math.ceil(seconds(policy.negative_ttl) * 1000)
        return cls(
            ttl,
            negative,
            math.ceil(seconds(policy.swr) * 1000),
            math.ceil(seconds(policy.stale_if_error) * 1000),
            seconds(policy.lookup_timeout),
            seconds(policy.lease),
            policy,
        )


@frozen
class Offer(Generic[V]):
    """
    What there is for a stream.

    Attributes:
        value: What is kept; None where nothing can be served.
        stamps: What a copy of the stream is to be kept with; None where none is to be kept.
    """

    value: V | None
    stamps: tuple[bytes, ...] | None


class Request(Generic[V]):
    """
    One read.

    Attributes:
        key, digest: Where its result is kept.
        tags: What it depends on; the last one matters only where rows are absent, if `absence` is given.
        absence: None where results depend on every tag; else whether even a result with rows depends on the last one.
        times, mode: How it is served and kept.
        relations: Names for events.
    """

    __slots__ = ("absence", "digest", "key", "mode", "relations", "tags", "times")

    def __init__(
        self,
        key: str,
        digest: bytes,
        tags: Sequence[str],
        times: Times,
        mode: CacheMode,
        relations: tuple[str, ...],
        absence: bool | None = None,
    ) -> None:
        self.key = key
        self.digest = digest
        self.tags = tags
        self.times = times
        self.mode = mode
        self.relations = relations
        self.absence = absence

    @property
    def outages(self) -> tuple[type[Exception], ...]:
        """Errors of reading that mean that the source is away."""
        return OUTAGES

    async def load(self) -> V:
        """Read the value from where it comes from."""
        raise NotImplementedError

    def pack(self, value: V) -> tuple[bytes, bytes, int]:
        """
        Return a value as a payload, names, and a number of rows.

        Raises:
            Unkept: It cannot be kept exactly, or is too large.
        """
        raise NotImplementedError

    def unpack(self, envelope: Envelope) -> V:
        """
        Return the value of an envelope.

        Raises:
            ValueError: The payload is damaged.
        """
        raise NotImplementedError

    def alike(self, kept: V, value: V) -> bool:
        """Whether two values that are not equal are the same nevertheless."""
        del kept, value
        return False


@define(eq=False)
class _Flight(Generic[V]):
    """
    A read that others may join.

    Attributes:
        done: Set once there is a value or an error.
        kept: Set once it is kept, or known not to be.
        values: The value, for the first who takes it; others make theirs of the envelope, so that nobody has an object
            in common.
        envelope: What is kept; None where nothing is.
        error: What reading raised.
    """

    done: anyio.Event
    kept: anyio.Event
    values: list[V]
    behind: bool = False
    envelope: Envelope | None = None
    error: BaseException | None = None


@frozen
class _Known:
    """Bytes that were opened, the stamps that they were found to have, and what they are."""

    data: bytes
    stamps: tuple[bytes, ...]
    envelope: Envelope


class Reader:
    """
    Reads through a keeper.

    Args:
        clock: Gives seconds that never go back; of costs.
        now: Gives seconds since 1970; of ages, which other processes see.
        verify: Gives what a share of the hits is compared with, in the background; 0 compares none.
    """

    def __init__(
        self,
        keeper: Keeper,
        events: Events,
        background: Background,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        verify: float = 0.0,
    ) -> None:
        self._keeper = keeper
        self._events = events
        self._background = background
        self.clock = clock
        self.now = now
        self._verify = verify
        self._flights: dict[tuple[str, tuple[bytes, ...]], _Flight[Any]] = {}
        # A driver of this process gives the same object again, which need not be opened a second time.
        self._known: dict[str, _Known] = {}
        self._remembers = keeper.driver.info.scope == "process"

    @property
    def in_flight(self) -> int:
        """Reads that others may join."""
        return len(self._flights)

    async def read(self, request: Request[V]) -> V:
        """
        Return the value of a request.

        Raises:
            CacheMiss: It asks for what is kept alone, and nothing is that can be served.
        """
        mode = request.mode
        if mode == "off":
            self._events.tell("bypass", "off", relations=request.relations)
            return await request.load()
        began = self.clock()
        keys = () if mode == "refresh" else (request.key,)
        found = await self._keeper.look_up(keys, request.tags, request.times.lookup)
        if found is None or found.stamps is None:
            return await self._past(request, "unreachable" if found is None else found.reason)
        envelope: Envelope | None = None
        reason = "refresh"
        if keys:
            envelope, reason = self._judged(request, found)
            if envelope is not None and reason in {"", "soft"}:
                try:
                    value = request.unpack(envelope)
                except ValueError:
                    envelope, reason = None, "corrupt"
                else:
                    self.served(request, envelope, found.stamps, soft=reason == "soft")
                    return value
            if reason == "corrupt":
                self._background.start(self._keeper.forget(request.key))
        if mode == "only":
            raise missed(request, reason)
        self._events.tell("miss", reason, relations=request.relations)
        if mode == "read" and request.times.lease:
            led = await self._led(request, began)
            if led is not None:
                return led[0]
        return await self._joined(request, found.stamps, envelope, began)

    async def _past(self, request: Request[V], reason: str) -> V:
        """Read past the cache, and keep nothing."""
        if request.mode == "only":
            raise missed(request, reason)
        self._events.tell("miss", reason, relations=request.relations)
        return await request.load()

    # -- judging -------------------------------------------------------------------------------------------------------

    def judged(
        self, request: Request[Any], data: bytes | None, stamps: tuple[bytes, ...]
    ) -> tuple[Envelope | None, str]:
        """
        Return what was kept, if what it depends on is as it was, and a word.

        The word is empty where it is fresh, `soft` where it may be served while it is read anew, `expired` where it may
        be served only if reading fails; of nothing it is why.
        """
        if data is None:
            return None, "absent"
        known = self._known.get(request.key)
        if known is not None and known.data is data and known.stamps == stamps:
            envelope = known.envelope
        else:
            found = opened(data, request.digest)
            if isinstance(found, str):
                return None, found
            if found.stamps != _block(stamps, request, found.of_absence):
                return None, "stamp"
            envelope = found
            if self._remembers and len(data) <= SMALL:
                self._remember(request.key, _Known(data, stamps, envelope))
        age = self.now() * 1000 - envelope.made_ms
        if age < envelope.fresh_ms:
            return envelope, ""
        return envelope, "soft" if age < envelope.fresh_ms + request.times.swr_ms else "expired"

    def _remember(self, key: str, known: "_Known") -> None:
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[key] = known

    def _judged(self, request: Request[Any], found: Found) -> tuple[Envelope | None, str]:
        assert found.stamps is not None
        return self.judged(request, found.values[0], found.stamps)

    def served(self, request: Request[Any], envelope: Envelope, stamps: tuple[bytes, ...], *, soft: bool) -> None:
        """Tell of a hit, and read it anew behind it where it is due."""
        if self._events.count("hit"):
            self._events.call(
                CacheEvent(
                    "hit",
                    request.relations,
                    seconds=max(0.0, self.now() - envelope.made_ms / 1000),
                    rows=envelope.rows,
                    bytes=len(envelope.payload),
                )
            )
        if request.mode != "read":
            return
        if soft or (request.times.policy.early is not None and self._is_early(request, envelope)):
            if (request.key, stamps) not in self._flights:
                self._events.tell("refresh", "stale" if soft else "early", relations=request.relations)
                self._start(request, stamps, behind=True)
        elif self._verify and random.random() < self._verify:
            self._background.start(self._verified(request, envelope, stamps))

    def _is_early(self, request: Request[Any], envelope: Envelope) -> bool:
        """Whether it is read anew before its end, by chance; see `CachePolicy.early`."""
        beta = request.times.policy.early
        assert beta is not None
        ahead = envelope.cost_us / 1000 * beta * -math.log(1.0 - random.random())
        return self.now() * 1000 + ahead >= envelope.made_ms + envelope.fresh_ms

    async def _verified(self, request: Request[Any], envelope: Envelope, stamps: tuple[bytes, ...]) -> None:
        """Compare what was served with the store, and tell where it differs though nothing has been changed."""
        value = await request.load()
        if not await self._keeper.still(request.tags, stamps, request.times.lookup):
            return
        kept = request.unpack(envelope)
        same = kept == value or request.alike(kept, value)
        self._events.tell("verified" if same else "inconsistent", relations=request.relations)

    # -- reading -------------------------------------------------------------------------------------------------------

    async def _led(self, request: Request[V], began: float) -> tuple[V] | None:
        """
        Wait for another process that reads the same, if there is one and it is quick.

        Returns:
            The value that it kept, in a tuple; None where this process is to read.
        """
        lease = request.times.lease
        if await self._keeper.lease(self._keeper.names.lease(request.key), lease):
            return None
        end = began + min(lease, request.times.lookup)
        pause = 0.002
        while self.clock() + pause < end:
            await anyio.sleep(pause)
            pause *= 2
            found = await self._keeper.look_up((request.key,), request.tags, max(0.001, end - self.clock()))
            if found is None or found.stamps is None:
                return None
            envelope, reason = self._judged(request, found)
            if envelope is not None and not reason:
                try:
                    value = request.unpack(envelope)
                except ValueError:
                    return None
                self._events.tell("join", "lease", relations=request.relations)
                return (value,)
        return None

    async def _joined(self, request: Request[V], stamps: tuple[bytes, ...], stale: Envelope | None, began: float) -> V:
        """Read for all who ask for the same on the same stamps, or wait for who does."""
        flight: _Flight[V] | None = self._flights.get((request.key, stamps))
        if flight is not None and (flight.behind or request.mode == "refresh"):
            flight = None  # nobody knows when it runs, or it began before this one was asked for
        first = flight is None
        if flight is None:
            flight = self._start(request, stamps)
            if flight is None:
                self._events.tell("bypass", "busy", relations=request.relations)
                return await request.load()
        else:
            self._events.tell("join", relations=request.relations)
        await flight.done.wait()
        if flight.error is not None and not isinstance(flight.error, Exception):
            return await request.load()  # it was cancelled by the end of an event loop, and this one was not
        if flight.error is not None:
            served = self.instead(request, stale, flight.error)
            if served is not None:
                return served[0]
            raise flight.error
        if first and not flight.kept.is_set():
            with anyio.move_on_after(max(0.0, began + request.times.lookup - self.clock())):
                await flight.kept.wait()
        if flight.values:
            return flight.values.pop()
        if flight.envelope is not None:
            return request.unpack(flight.envelope)
        return await request.load()

    def instead(self, request: Request[V], stale: Envelope | None, error: BaseException) -> tuple[V] | None:
        """Return what is served because reading failed, in a tuple."""
        if stale is None or not isinstance(error, request.outages) or not request.times.stale_ms:
            return None
        age = self.now() * 1000 - stale.made_ms
        if age >= stale.fresh_ms + request.times.stale_ms:
            return None
        self._events.tell("hit", "error", relations=request.relations, seconds=age / 1000, rows=stale.rows)
        return (request.unpack(stale),)

    def _start(self, request: Request[V], stamps: tuple[bytes, ...], *, behind: bool = False) -> "_Flight[V] | None":
        """Begin to read in a task of the cache's own, or behind an answer in one of the host's; None where too many do."""
        if len(self._flights) >= MOST_FLIGHTS:
            return None
        flight: _Flight[V] = _Flight(anyio.Event(), anyio.Event(), [], behind and self._background.is_handed_on)
        self._flights[request.key, stamps] = flight

        def dropped() -> None:
            self._landed(flight, request, stamps)

        if self._background.start(self._fly(flight, request, stamps), awaited=not behind, dropped=dropped):
            return flight
        self._landed(flight, request, stamps)
        return None

    def _landed(self, flight: "_Flight[Any]", request: Request[Any], stamps: tuple[bytes, ...]) -> None:
        """Have nobody join a flight any more."""
        if self._flights.get((request.key, stamps)) is flight:
            del self._flights[request.key, stamps]

    async def _fly(self, flight: "_Flight[V]", request: Request[V], stamps: tuple[bytes, ...]) -> None:
        data: bytes | None = None
        ttl = 0
        try:
            began = self.clock()
            made = self.now()
            value = await request.load()
            flight.values.append(value)
            kept = self.sealed(request, value, stamps, made=made, cost=self.clock() - began)
            if kept is not None:
                flight.envelope, data, ttl = kept
        except BaseException as error:
            flight.error = error
            if not isinstance(error, Exception):
                raise
        finally:
            self._landed(flight, request, stamps)
            flight.done.set()
            if data is None:
                flight.kept.set()
        if data is not None:
            try:
                await self._keeper.keep([(request.key, data, ttl)])
            finally:
                flight.kept.set()

    def sealed(
        self, request: Request[V], value: V, stamps: tuple[bytes, ...], *, made: float, cost: float
    ) -> tuple[Envelope, bytes, int] | None:
        """Return a value as it is kept, its bytes and its time to live; None where it is not to be kept."""
        policy = request.times.policy
        try:
            payload, names, rows = request.pack(value)
            if rows > policy.max_rows or len(payload) > policy.max_bytes:
                raise Unkept("too large")
        except Unkept as refused:
            reason = "large" if str(refused) == "too large" else "type"
            self._events.tell("discarded", reason, relations=request.relations)
            return None
        of_absence = request.absence is not None and (request.absence or rows == 0)
        fresh = request.times.ttl_ms if rows else request.times.negative_ms
        if fresh <= 0:
            self._events.tell("discarded", "negative", relations=request.relations)
            return None
        fresh = max(1, int(fresh * (1 - policy.jitter * random.random())))
        envelope = Envelope(
            _block(stamps, request, of_absence),
            int(made * 1000),
            fresh,
            int(cost * 1e6),
            rows,
            payload,
            names,
            of_absence,
        )
        data = sealed(envelope, request.digest, compress_over=policy.compress_over)
        if self._events.count("fill"):
            self._events.call(CacheEvent("fill", request.relations, seconds=cost, rows=rows, bytes=len(data)))
        return envelope, data, fresh + max(request.times.swr_ms, request.times.stale_ms)

    # -- streams -------------------------------------------------------------------------------------------------------

    async def offer(self, request: Request[V]) -> "Offer[V]":
        """
        Look up what a stream would read.

        Raises:
            CacheMiss: As of `read`.
        """
        mode = request.mode
        if mode == "off":
            self._events.tell("bypass", "off", relations=request.relations)
            return Offer(None, None)
        keys = () if mode == "refresh" else (request.key,)
        found = await self._keeper.look_up(keys, request.tags, request.times.lookup)
        reason = "unreachable" if found is None else found.reason
        if found is not None and found.stamps is not None:
            reason = "refresh"
            if keys:
                envelope, reason = self._judged(request, found)
                if envelope is not None and reason in {"", "soft"}:
                    try:
                        value = request.unpack(envelope)
                    except ValueError:
                        reason = "corrupt"
                    else:
                        self.served(request, envelope, found.stamps, soft=reason == "soft")
                        return Offer(value, None)
        if mode == "only":
            raise missed(request, reason)
        self._events.tell("miss", reason, relations=request.relations)
        return Offer(None, None if found is None else found.stamps)

    async def keep(self, request: Request[V], value: V, stamps: tuple[bytes, ...], *, made: float, cost: float) -> None:
        """Keep what was read, and wait for that no longer than a look-up may take."""
        kept = self.sealed(request, value, stamps, made=made, cost=cost)
        if kept is None:
            return
        _, data, ttl = kept
        await self.keep_items([(request.key, data, ttl)], request.times.lookup)

    async def keep_items(self, items: Sequence[tuple[str, bytes, int]], timeout: float) -> None:
        """Keep what is sealed, and wait for that so long at the most; then it goes on by itself."""
        done = anyio.Event()

        async def store() -> None:
            try:
                await self._keeper.keep(items)
            finally:
                done.set()

        if self._background.start(store(), awaited=True):
            with anyio.move_on_after(timeout):
                await done.wait()

    def discard(self, request: Request[Any], reason: str) -> None:
        """Tell that what was read is not kept."""
        self._events.tell("discarded", reason, relations=request.relations)


def _block(stamps: tuple[bytes, ...], request: Request[Any], of_absence: bool) -> bytes:
    """Return the stamps that a result depends on."""
    return block_of(*(stamps if request.absence is None or of_absence else stamps[:-1]))


def missed(request: Request[Any], reason: str) -> CacheMiss:
    """Return the error of a read that is served what is kept alone, where nothing is."""
    names = ", ".join(request.relations)
    return CacheMiss(
        f"nothing is kept of this read of {names} that can be served ({reason})",
        hint='mode="only" reads nothing: use mode="read" to read what is missing',
    )
