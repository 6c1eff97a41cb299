"""
What a cache tells of itself: an event for each thing that it does, and their counts.

No event has a key, a parameter or a value in it.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

from attrs import field, frozen

__all__ = ["CacheEvent", "CacheListener", "CacheStatistics", "Events", "logged"]

EventKind: TypeAlias = Literal[
    "hit",
    "miss",
    "fill",
    "discarded",
    "bypass",
    "join",
    "refresh",
    "invalidate",
    "pending",
    "lost",
    "epoch",
    "error",
    "breaker",
    "verified",
    "inconsistent",
]
"""
`hit` served; `miss` read from the store; `fill` kept; `discarded` read and not kept; `bypass` the cache was left aside;
`join` waited for a reader of the same; `refresh` is read anew behind a hit; `invalidate` tags were changed; `pending`
an invalidation waits for the driver; `lost` so many wait that everything is invalidated instead; `epoch` everything was
invalidated; `error` the driver failed; `breaker` it is left alone, or tried again; `verified` a hit was compared with
the store, and `inconsistent` it differed.
"""

FAILED: Final = frozenset({"error", "breaker", "pending", "lost", "inconsistent"})
"""Events that somebody should look at."""

_log: Final = logging.getLogger("mapper.cache")


@frozen
class CacheEvent:
    """
    One thing that a cache did.

    Attributes:
        kind: Which.
        relations: Names of the relations that were read or written, in order; () where it is about none.
        reason: Why, of a miss: absent, expired, stamp, flux, pending (an invalidation waits), identity (the driver's server
            may be another than before), corrupt, version, refresh or unreachable; of others in a word.
        seconds: How old a hit is; how long a fill took to read.
        rows, bytes: Of a hit or fill.
        tags: How many tags were changed.
        error: What failed, where the driver could not be reached or took too long; of other errors there is the reason,
            which is the name of their class.
    """

    kind: EventKind
    relations: tuple[str, ...] = ()
    reason: str = ""
    seconds: float = 0.0
    rows: int = 0
    bytes: int = 0
    tags: int = 0
    error: BaseException | None = field(default=None, eq=False)


CacheListener: TypeAlias = Callable[[CacheEvent], object]


def logged(logger: logging.Logger, level: int = logging.DEBUG, failures: int = logging.WARNING) -> CacheListener:
    """
    Return a listener that writes events to a logger: `cache.subscribe(logged(logging.getLogger("shop.cache")))`.

    Args:
        level: Of what is usual.
        failures: Of what has failed: errors, breakers that open, invalidations that wait or are lost, inconsistencies.
    """

    def listener(event: CacheEvent) -> None:
        chosen = failures if event.kind in FAILED and event.reason != "closed" else level
        if logger.isEnabledFor(chosen):
            parts = [event.kind, event.reason, ", ".join(event.relations)]
            details = {"rows": event.rows, "bytes": event.bytes, "tags": event.tags}
            parts += [f"{name}={value}" for name, value in details.items() if value]
            parts += [f"{event.seconds * 1000:.1f} ms"] if event.seconds else []
            logger.log(chosen, "%s", " ".join([each for each in parts if each]), exc_info=event.error)

    return listener


@frozen
class CacheStatistics:
    """
    Counts since the cache was made, and what is going on.

    Attributes:
        counts: Events, by kind.
        reasons: Events that have a reason, by kind and reason: `("miss", "absent")`.
        in_flight: Reads that others may join.
        pending: Tags whose invalidation waits for the driver.
        background: Tasks of the cache's own that run.
        breaker: `closed` (the driver is used), `open` (it is left alone) or `probing`.
    """

    counts: Mapping[str, int]
    reasons: Mapping[tuple[str, str], int]
    in_flight: int
    pending: int
    background: int
    breaker: str

    @property
    def hits(self) -> int:
        """Reads that were served."""
        return self.counts.get("hit", 0)

    @property
    def misses(self) -> int:
        """Reads that were not."""
        return self.counts.get("miss", 0)

    @property
    def hit_ratio(self) -> float:
        """Hits by hits and misses; 0 before the first read."""
        reads = self.hits + self.misses
        return self.hits / reads if reads else 0.0


class Events:
    """
    Counts events and tells listeners. What a listener raises is logged, and fails nobody's read.

    Attributes:
        counts, reasons: See `CacheStatistics`.
        listeners: Who is told; for looking at.
    """

    __slots__ = ("counts", "listeners", "reasons")

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.listeners: list[CacheListener] = []

    def subscribe(self, listener: CacheListener) -> Callable[[], None]:
        """Have a listener called with each event; call what is returned to end it."""
        listeners = self.listeners
        listeners.append(listener)

        def stop() -> None:
            if listener in listeners:
                listeners.remove(listener)

        return stop

    def count(self, kind: EventKind, reason: str = "") -> bool:
        """Count an event, and return whether somebody wants to be told of it."""
        self.counts[kind] += 1
        if reason:
            self.reasons[kind, reason] += 1
        return bool(self.listeners)

    def tell(self, kind: EventKind, reason: str = "", **details: Any) -> None:
        """Count an event and tell everybody."""
        if self.count(kind, reason):
            self.call(CacheEvent(kind, reason=reason, **details))

    def call(self, event: CacheEvent) -> None:
        """Tell everybody of an event that is counted."""
        for each in tuple(self.listeners):
            try:
                each(event)
            except Exception:
                _log.exception("a listener of the cache failed")
