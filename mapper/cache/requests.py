"""
What is asked of a cache: one read, under what key, on what tags, and how it is served and kept.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic

from attrs import frozen
from typing_extensions import TypeVar

from mapper.cache.envelope import Envelope
from mapper.caching import CacheMode, CachePolicy, seconds
from mapper.errors import CacheMiss, StoreError

__all__ = ["OUTAGES", "Request", "Times", "missed"]

V = TypeVar("V")

OUTAGES: Final = (StoreError, OSError, TimeoutError)


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


class Request(ABC, Generic[V]):
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

    @abstractmethod
    async def load(self) -> V:
        """Read the value from where it comes from."""

    @abstractmethod
    def pack(self, value: V) -> tuple[bytes, bytes, int]:
        """
        Return a value as a payload, names, and a number of rows.

        Raises:
            Unkept: It cannot be kept exactly, or is too large.
        """

    @abstractmethod
    def unpack(self, envelope: Envelope) -> V:
        """
        Return the value of an envelope.

        Raises:
            ValueError: The payload is damaged.
        """

    def copies(self, value: V) -> Callable[[], V] | None:
        """
        Return what gives further readers a value that was read and is not kept, each one of its own.

        None where readers would have an object in common that one of them can change.
        """
        del value
        return None

    def alike(self, kept: V, value: V) -> bool:
        """Whether two values that are not equal are the same nevertheless."""
        del kept, value
        return False


def missed(request: Request[Any], reason: str) -> CacheMiss:
    """Return the error of a read that is served what is kept alone, where nothing is."""
    names = ", ".join(request.relations)
    return CacheMiss(
        f"nothing is kept of this read of {names} that can be served ({reason})",
        hint='mode="only" reads nothing: use mode="read" to read what is missing',
    )
