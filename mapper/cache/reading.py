"""
Reads through a cache: served while it is true, else read once for all who ask, and kept.

A request goes in, which says under what key, on what tags and how to read; a value comes out. It is the same for rows
of a gateway and for values of any other source.
"""

import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic

import anyio
from attrs import frozen
from typing_extensions import TypeVar

from mapper.cache.background import Background
from mapper.cache.entries import SERVED, Entries, Known, Sealed
from mapper.cache.envelope import Envelope
from mapper.cache.events import Events
from mapper.cache.flights import Flight, Flights, Member
from mapper.cache.keeper import Keeper
from mapper.cache.requests import Request, missed

__all__ = ["Missing", "Offer", "Reader"]

K = TypeVar("K")
V = TypeVar("V")


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


@frozen
class Missing(Generic[V]):
    """
    One of several values that are to be read.

    Attributes:
        stamps: Those of its tags, from before.
        stale: What is served where reading fails; None where nothing may be.
    """

    request: Request[V]
    stamps: tuple[bytes, ...]
    stale: Envelope | None = None

    @property
    def member(self) -> Member[V]:
        """What a flight is told."""
        return self.request, self.stamps


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
        self.entries = Entries(keeper, events, now=now)
        self.flights = Flights(self.entries, background, clock=clock, now=now)

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
        keys: tuple[str, ...] = ()
        known: Known | None = None
        if mode != "refresh":
            keys, known = (request.key,), self.entries.known.get(request.key)
        before = None if known is None else known.looked
        looked = await self._keeper.look_up(keys, request.tags, request.times.lookup, before)
        if looked is None or looked.stamps is None:
            return await self._past(request, "unreachable" if looked is None else looked.reason)
        stale: Envelope | None = None
        reason = "refresh"
        if keys:
            if known is not None and looked is before:
                reason, stale, value = self.entries.found_again(request, known)
            else:
                reason, stale, value = self.entries.found(request, looked.values[0], looked.stamps)
                if stale is not None and reason in SERVED:
                    self.entries.saw(request, looked, value)
            if stale is not None and reason in SERVED:
                self.served(request, stale, looked.stamps, soft=reason == "soft")
                return value  # type: ignore[no-any-return]  # it is the request's own
            if reason == "corrupt":
                self._background.start(self._keeper.forget(request.key))
        if mode == "only":
            raise missed(request, reason)
        self._events.tell("miss", reason, relations=request.relations)
        if mode == "read" and request.times.lease:
            led = await self._led(request, began)
            if led is not None:
                return led[0]
        return await self._joined(Missing(request, looked.stamps, stale), began)

    async def _past(self, request: Request[V], reason: str) -> V:
        """Read past the cache, and keep nothing."""
        if request.mode == "only":
            raise missed(request, reason)
        self._events.tell("miss", reason, relations=request.relations)
        return await request.load()

    # -- behind a hit --------------------------------------------------------------------------------------------------

    def served(self, request: Request[Any], envelope: Envelope, stamps: tuple[bytes, ...], *, soft: bool) -> None:
        """Tell of a hit, and read it anew behind it where it is due."""
        self.entries.hit(request, envelope)
        if not (soft or self._verify or request.times.policy.early is not None):
            return
        due = self._due(request, envelope, stamps, soft=soft)
        if due == "verify":
            self._background.start(self._verified(request, envelope, stamps))
        elif due:
            self.refresh([(request, stamps)], lambda: _alone(request))

    def due(self, request: Request[Any], envelope: Envelope, stamps: tuple[bytes, ...], *, soft: bool) -> str:
        """Tell of a hit, and return what is due behind it: `refresh`, `verify`, or nothing."""
        self.entries.hit(request, envelope)
        return self._due(request, envelope, stamps, soft=soft)

    def _due(self, request: Request[Any], envelope: Envelope, stamps: tuple[bytes, ...], *, soft: bool) -> str:
        if request.mode != "read":
            return ""
        if soft or (request.times.policy.early is not None and self.entries.is_early(request, envelope)):
            if self.flights.is_open(request, stamps):
                return ""
            self._events.tell("refresh", "stale" if soft else "early", relations=request.relations)
            return "refresh"
        return "verify" if self._verify and random.random() < self._verify else ""

    def refresh(self, members: Sequence[Member[V]], load: Callable[[], Awaitable[Sequence[V]]]) -> None:
        """Read values anew, together, for which nobody waits."""
        self.flights.start(members, load, behind=True)

    async def _verified(self, request: Request[Any], envelope: Envelope, stamps: tuple[bytes, ...]) -> None:
        """Compare what was served with the store."""
        await self.compare(request, envelope, stamps, await request.load())

    async def compare(self, request: Request[V], envelope: Envelope, stamps: tuple[bytes, ...], value: V) -> None:
        """Tell whether what was served differs from what was read since, though nothing has been changed."""
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
            looked = await self._keeper.look_up((request.key,), request.tags, max(0.001, end - self.clock()))
            if looked is None or looked.stamps is None:
                return None
            reason, envelope, value = self.entries.found(request, looked.values[0], looked.stamps)
            if reason == "corrupt":
                return None
            if envelope is not None and not reason:
                self._events.tell("join", "lease", relations=request.relations)
                return (value,)
        return None

    async def _joined(self, missing: Missing[V], began: float) -> V:
        """Read for all who ask for the same on the same stamps, or wait for who does."""
        request = missing.request
        flight = self.flights.joined(request, missing.stamps)
        if flight is not None:
            self._events.tell("join", relations=request.relations)
            return await self._taken(flight, missing)
        started = self.flights.start([missing.member], lambda: _alone(request))
        if started is None:
            self._events.tell("bypass", "busy", relations=request.relations)
            return await request.load()
        value = await self._taken(started[0], missing)
        await self._settled(started[0], request, began)
        return value

    async def together(
        self, wanted: Mapping[K, Missing[V]], load: Callable[[Sequence[K]], Awaitable[Sequence[V]]]
    ) -> dict[K, V]:
        """
        Return several values that are missing: those that others read already as they arrive, the others read at once.

        Args:
            wanted: By any name.
            load: Reads the values with some of these names, in their order.

        Raises:
            Exception: What reading raised, unless each that failed has something stale to be served.
        """
        began = self.clock()
        flights: dict[K, Flight[V]] = {}
        for name, each in wanted.items():
            flight = self.flights.joined(each.request, each.stamps)
            if flight is not None:
                self._events.tell("join", relations=each.request.relations)
                flights[name] = flight
        own = [name for name in wanted if name not in flights]
        found: dict[K, V] = {}
        started: list[Flight[V]] | None = []
        if own:
            started = self.flights.start([wanted[name].member for name in own], lambda: load(own))
            if started is None:
                self._events.tell("bypass", "busy", relations=wanted[own[0]].request.relations)
                found.update(zip(own, await load(own), strict=True))
            else:
                flights.update(zip(own, started, strict=True))
        for name, flight in flights.items():
            found[name] = await self._taken(flight, wanted[name])
        if started:
            await self._settled(started[0], wanted[own[0]].request, began)
        return found

    async def _taken(self, flight: Flight[V], missing: Missing[V]) -> V:
        """Return the value of a flight, or what is served where that failed."""
        try:
            return await flight.value_for(missing.request)
        except Exception as error:
            served = self.entries.instead(missing.request, missing.stale, error)
            if served is None:
                raise
            return served[0]

    async def _settled(self, flight: Flight[Any], request: Request[Any], began: float) -> None:
        """Wait until what was read is kept, but not longer than a look-up may take since the read began."""
        if not flight.kept.is_set():
            with anyio.move_on_after(max(0.0, began + request.times.lookup - self.clock())):
                await flight.kept.wait()

    # -- streams -------------------------------------------------------------------------------------------------------

    async def offer(self, request: Request[V]) -> Offer[V]:
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
        looked = await self._keeper.look_up(keys, request.tags, request.times.lookup)
        reason = "unreachable" if looked is None else looked.reason
        if looked is not None and looked.stamps is not None:
            reason = "refresh"
            if keys:
                reason, envelope, value = self.entries.found(request, looked.values[0], looked.stamps)
                if envelope is not None and reason in SERVED:
                    self.served(request, envelope, looked.stamps, soft=reason == "soft")
                    return Offer(value, None)
        if mode == "only":
            raise missed(request, reason)
        self._events.tell("miss", reason, relations=request.relations)
        return Offer(None, None if looked is None else looked.stamps)

    async def keep(self, request: Request[V], value: V, stamps: tuple[bytes, ...], *, made: float, cost: float) -> None:
        """Keep what was read, and wait for that no longer than a look-up may take; then it goes on by itself."""
        sealed = self.entries.sealed(request, value, stamps, made=made, cost=cost)
        if sealed is None:
            return
        done = anyio.Event()
        if self._background.start(self._stored(sealed, done), awaited=True):
            with anyio.move_on_after(request.times.lookup):
                await done.wait()

    async def _stored(self, sealed: Sealed, done: anyio.Event) -> None:
        try:
            await self.entries.keep([sealed])
        finally:
            done.set()


async def _alone(request: Request[V]) -> Sequence[V]:
    return (await request.load(),)
