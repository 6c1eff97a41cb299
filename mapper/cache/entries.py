"""
Results as they are kept: whether one may be served still, and how one is kept.

Bytes of the driver and the stamps of now go in, and a value or the reason why there is none comes out; the other way
round, what was read goes in with the stamps that its tags had before, and is kept with these.
"""

import math
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from attrs import define, frozen
from typing_extensions import TypeVar

from mapper.cache.envelope import Envelope, block_of, opened, sealed
from mapper.cache.events import CacheEvent, Events
from mapper.cache.keeper import Found, Keeper
from mapper.cache.requests import Request
from mapper.cache.rows import Unkept

__all__ = ["SERVED", "Entries", "Known", "Sealed"]

V = TypeVar("V")

SERVED: Final = frozenset({"", "soft"})
"""What `Entries.judged` says of what may be served."""

SMALL: Final = 4096
MOST_KNOWN: Final = 2000
"""Envelopes of at most so many bytes, and so many of them, are remembered once they are opened."""

TINY: Final = 1024
"""Of payloads of at most so many bytes the values are remembered, too."""


@frozen
class Sealed:
    """
    A result that is ready to be kept.

    Attributes:
        key, data, ttl_ms: What the driver is given.
        envelope: What the data was made of.
        relations, cost: For the event: names, and the seconds that reading took.
    """

    key: str
    data: bytes
    ttl_ms: int
    envelope: Envelope
    relations: tuple[str, ...]
    cost: float


@define(eq=False)
class Known:
    """
    Bytes that were opened, the stamps that they were found to have, and what they are.

    Attributes:
        looked: The look-up that gave them both, where one request alone was looked up.
        again: Gives the value once more; None where it is to be decoded each time.
    """

    data: bytes
    stamps: tuple[bytes, ...]
    envelope: Envelope
    looked: Found | None = None
    again: Callable[[], Any] | None = None


class Entries:
    """
    The entries of a cache.

    Args:
        keeper: Speaks to the driver.
        now: Gives seconds since 1970; of ages, which other processes see.

    Attributes:
        known: What was opened lately, by its key.
    """

    def __init__(self, keeper: Keeper, events: Events, *, now: Callable[[], float]) -> None:
        self._keeper = keeper
        self._events = events
        self._now = now
        # A driver of this process gives the same object again, which need not be opened a second time.
        self.known: dict[str, Known] = {}
        self._remembers = keeper.driver.info.scope == "process"

    # -- serving -------------------------------------------------------------------------------------------------------

    def found(
        self, request: Request[Any], data: bytes | None, stamps: tuple[bytes, ...]
    ) -> tuple[str, Envelope | None, Any]:
        """
        Return what `judged` says, the envelope that it says it of, and the value; None where it may not be served.

        What is damaged counts as not there, and its word is `corrupt`.
        """
        envelope, word = self.judged(request, data, stamps)
        if envelope is None or word not in SERVED:
            return word, envelope, None
        try:
            return word, envelope, request.unpack(envelope)
        except ValueError:
            return "corrupt", None, None

    def found_again(self, request: Request[Any], known: Known) -> tuple[str, Envelope | None, Any]:
        """As `found`, where the driver has given the same again."""
        envelope = known.envelope
        if known.again is None or self._now() * 1000 - envelope.made_ms >= envelope.fresh_ms:
            return self.found(request, known.data, known.stamps)
        return "", envelope, known.again()

    def saw(self, request: Request[V], looked: Found, value: V) -> None:
        """Take notice of what a look-up of one request came to, which may be served."""
        known = self.known.get(request.key)
        if known is not None and looked.answer and known.data is looked.values[0] and known.stamps == looked.stamps:
            known.looked = looked
            if len(known.envelope.payload) <= TINY:
                known.again = request.copies(value)

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
        known = self.known.get(request.key)
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
                self._remember(request.key, Known(data, stamps, envelope))
        age = self._now() * 1000 - envelope.made_ms
        if age < envelope.fresh_ms:
            return envelope, ""
        return envelope, "soft" if age < envelope.fresh_ms + request.times.swr_ms else "expired"

    def _remember(self, key: str, known: Known) -> None:
        if len(self.known) >= MOST_KNOWN:
            self.known.clear()
        self.known[key] = known

    def hit(self, request: Request[Any], envelope: Envelope) -> None:
        """Tell that an entry was served."""
        events = self._events
        events.counts["hit"] += 1
        if events.listeners:
            age = max(0.0, self._now() - envelope.made_ms / 1000)
            size = len(envelope.payload)
            events.call(CacheEvent("hit", request.relations, seconds=age, rows=envelope.rows, bytes=size))

    def is_early(self, request: Request[Any], envelope: Envelope) -> bool:
        """Whether it is read anew before its end, by chance; see `CachePolicy.early`."""
        beta = request.times.policy.early
        if beta is None:
            return False
        ahead = envelope.cost_us / 1000 * beta * -math.log(1.0 - random.random())
        return self._now() * 1000 + ahead >= envelope.made_ms + envelope.fresh_ms

    def instead(self, request: Request[V], stale: Envelope | None, error: BaseException) -> tuple[V] | None:
        """Return what is served because reading failed, in a tuple; None where the error is to be raised."""
        if stale is None or not isinstance(error, request.outages) or not request.times.stale_ms:
            return None
        age = self._now() * 1000 - stale.made_ms
        if age >= stale.fresh_ms + request.times.stale_ms:
            return None
        try:
            value = request.unpack(stale)
        except ValueError:
            return None
        self._events.tell("hit", "error", relations=request.relations, seconds=age / 1000, rows=stale.rows)
        return (value,)

    # -- keeping -------------------------------------------------------------------------------------------------------

    def sealed(
        self, request: Request[V], value: V, stamps: tuple[bytes, ...], *, made: float, cost: float
    ) -> Sealed | None:
        """
        Return a value as it is kept; None where it is not to be kept.

        Args:
            stamps: Those of its tags before it was read, behind the identity of the driver.
            made: When reading began, in seconds since 1970.
            cost: Seconds that it took.
        """
        policy = request.times.policy
        try:
            payload, names, rows = request.pack(value)
            if rows > policy.max_rows or len(payload) > policy.max_bytes:
                raise Unkept("too large")
        except Unkept as refused:
            self.discard(request, "large" if str(refused) == "too large" else "type")
            return None
        of_absence = request.absence is not None and (request.absence or rows == 0)
        fresh = request.times.ttl_ms if rows else request.times.negative_ms
        if fresh <= 0:
            self.discard(request, "negative")
            return None
        fresh = max(1, int(fresh * (1 - policy.jitter * random.random())))
        block = _block(stamps, request, of_absence)
        envelope = Envelope(block, int(made * 1000), fresh, int(cost * 1e6), rows, payload, names, of_absence)
        data = sealed(envelope, request.digest, compress_over=policy.compress_over)
        ttl = fresh + max(request.times.swr_ms, request.times.stale_ms)
        return Sealed(request.key, data, ttl, envelope, request.relations, cost)

    async def keep(self, items: Sequence[Sealed]) -> None:
        """Keep what is sealed, in one call, and tell what became of it."""
        kept = await self._keeper.keep([(each.key, each.data, each.ttl_ms) for each in items])
        for place, each in enumerate(items):
            # A driver says how many it kept, not which.
            if kept is None or place >= kept:
                reason = "unreachable" if kept is None else "refused"
                self._events.tell("discarded", reason, relations=each.relations)
            elif self._events.count("fill"):
                rows, size = each.envelope.rows, len(each.data)
                self._events.call(CacheEvent("fill", each.relations, seconds=each.cost, rows=rows, bytes=size))

    def discard(self, request: Request[Any], reason: str) -> None:
        """Tell that what was read is not kept."""
        self._events.tell("discarded", reason, relations=request.relations)


def _block(stamps: tuple[bytes, ...], request: Request[Any], of_absence: bool) -> bytes:
    """Return the stamps that a result depends on."""
    return block_of(*(stamps if request.absence is None or of_absence else stamps[:-1]))
