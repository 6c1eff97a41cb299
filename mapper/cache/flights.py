"""
Single flight: what several readers ask for at once is read once, in a task of the cache's own.

Requests go in with the stamps of their tags; whoever asks for the same on the same stamps joins. On other stamps it is
another flight, since a read that began before a commit must not serve one that began behind it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, TypeAlias

import anyio
from attrs import define
from typing_extensions import TypeVar

from mapper.cache.background import Background
from mapper.cache.entries import Entries, Sealed
from mapper.cache.requests import Request

__all__ = ["Flight", "Flights", "Member"]

V = TypeVar("V")

Member: TypeAlias = tuple[Request[V], tuple[bytes, ...]]
"""What is read, and the stamps that its tags had before."""

MOST: Final = 10_000
"""Values at once for which others may wait. Beyond, each reads for itself and keeps nothing."""

AT_ONCE: Final = 4
"""Readers of one flight that read at once for themselves, where its value is not kept and cannot be shared."""


@define(eq=False)
class Flight(Generic[V]):
    """
    The reading of one value, which others may join.

    Attributes:
        done: Set once there is a value or an error.
        kept: Set once it is kept, or known not to be.
        unseen: Whether nobody knows when it runs: it was handed to a host, behind an answer.
        joined: Readers that wait beside the one who began.
        values: The value, for the first who takes it; others make theirs of what is kept, so that nobody has an object
            in common.
        sealed: What is kept; None where nothing is.
        copies: Gives the others a value where nothing is kept; None where each is to read.
        turns: Lets few of them read at once.
        error: What reading raised.
    """

    done: anyio.Event
    kept: anyio.Event
    unseen: bool
    values: list[V]
    joined: int = 0
    sealed: Sealed | None = None
    copies: Callable[[], V] | None = None
    turns: anyio.Semaphore | None = None
    error: BaseException | None = None

    async def value_for(self, request: Request[V]) -> V:
        """
        Wait for the value, and return one for this reader alone.

        Raises:
            Exception: What reading raised.
        """
        await self.done.wait()
        if self.error is not None:
            if isinstance(self.error, Exception):
                raise self.error
            return await request.load()  # it was cancelled by the end of an event loop, and this one was not
        if self.values:
            return self.values.pop()
        if self.sealed is not None:
            return request.unpack(self.sealed.envelope)
        if self.copies is not None:
            return self.copies()
        if self.turns is None:
            return await request.load()
        async with self.turns:
            return await request.load()


class Flights:
    """
    The flights of a cache.

    Args:
        entries: Where what was read is kept.
        clock: Gives seconds that never go back; of costs.
        now: Gives seconds since 1970.
    """

    def __init__(
        self, entries: Entries, background: Background, *, clock: Callable[[], float], now: Callable[[], float]
    ) -> None:
        self._entries = entries
        self._background = background
        self._clock = clock
        self._now = now
        self._open: dict[tuple[str, tuple[bytes, ...]], Flight[Any]] = {}

    def __len__(self) -> int:
        """Return how many values are being read."""
        return len(self._open)

    def is_open(self, request: Request[Any], stamps: tuple[bytes, ...]) -> bool:
        """Whether the same is being read."""
        return (request.key, stamps) in self._open

    def joined(self, request: Request[V], stamps: tuple[bytes, ...]) -> Flight[V] | None:
        """Join whoever reads the same; None where nobody does for whom a reader of now may wait."""
        flight: Flight[V] | None = self._open.get((request.key, stamps))
        if flight is None or flight.unseen or request.mode == "refresh":
            return None  # nobody knows when it runs, or it began before this one was asked for
        flight.joined += 1
        return flight

    def start(
        self,
        members: Sequence[Member[V]],
        load: Callable[[], Awaitable[Sequence[V]]],
        *,
        behind: bool = False,
    ) -> list[Flight[V]] | None:
        """
        Begin to read values together, each of which others may join.

        Args:
            load: Reads them, in their order.
            behind: Nobody waits for it, so that a host may do it behind an answer.

        Returns:
            A flight for each, in their order; None where too much is being read, and nothing is begun.
        """
        if len(self._open) + len(members) > MOST:
            return None
        done, kept, unseen = anyio.Event(), anyio.Event(), behind and self._background.is_handed_on
        flights: list[Flight[V]] = [Flight(done, kept, unseen, []) for _ in members]
        for (request, stamps), flight in zip(members, flights, strict=True):
            self._open[request.key, stamps] = flight

        def dropped() -> None:
            self._landed(members, flights)

        if self._background.start(self._fly(members, flights, load), awaited=not behind, dropped=dropped):
            return flights
        self._landed(members, flights)
        return None

    def _landed(self, members: Sequence[Member[V]], flights: Sequence[Flight[V]]) -> None:
        """Have nobody join flights any more."""
        for (request, stamps), flight in zip(members, flights, strict=True):
            if self._open.get((request.key, stamps)) is flight:
                del self._open[request.key, stamps]

    async def _fly(
        self, members: Sequence[Member[V]], flights: Sequence[Flight[V]], load: Callable[[], Awaitable[Sequence[V]]]
    ) -> None:
        done, kept = flights[0].done, flights[0].kept
        try:
            began, made = self._clock(), self._now()
            values = await load()
            cost = self._clock() - began
            for member, flight, value in zip(members, flights, values, strict=True):
                self._arrived(member, flight, value, made, cost)
        except BaseException as error:
            for flight in flights:
                flight.error, flight.sealed = error, None
            if not isinstance(error, Exception):
                raise
        finally:
            self._landed(members, flights)
            done.set()
            items = [each.sealed for each in flights if each.sealed is not None]
            if not items:
                kept.set()
        if items:
            try:
                await self._entries.keep(items)
            finally:
                kept.set()

    def _arrived(self, member: Member[V], flight: Flight[V], value: V, made: float, cost: float) -> None:
        """Put a value where those who wait for it find it."""
        request, stamps = member
        flight.values.append(value)
        flight.sealed = self._entries.sealed(request, value, stamps, made=made, cost=cost)
        if flight.sealed is None and flight.joined:
            flight.copies = request.copies(value)
            flight.turns = anyio.Semaphore(AT_ONCE)
