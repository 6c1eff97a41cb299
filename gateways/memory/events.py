"""
Events: what ran, how long it took, and who is told.

Operations and times go in; `OperationEvent`s go to listeners. Without a listener no time is taken.
"""

import logging
from collections.abc import Callable
from time import perf_counter

from mapper.gateway import Listener, OperationEvent
from mapper.operations import Operation

__all__ = ["Clock", "Listeners"]

_logger = logging.getLogger(__name__)


class Clock:
    """
    The time that one operation takes.

    Attributes:
        rows: Rows that were read or written so far.
    """

    __slots__ = ("_decode", "_query", "_queue", "_since", "rows")

    def __init__(self) -> None:
        self._since = perf_counter()
        self._queue = self._query = self._decode = 0.0
        self.rows = 0

    def queued(self) -> None:
        """Count the time since the last call as waiting."""
        self._queue += self._passed()

    def queried(self) -> None:
        """Count the time since the last call as the store's work."""
        self._query += self._passed()

    def decoded(self) -> None:
        """Count the time since the last call as making objects."""
        self._decode += self._passed()

    def idled(self) -> None:
        """Count the time since the last call as nobody's: a stream waited for its reader."""
        self._passed()

    def event(self, operation: Operation, error: BaseException | None = None) -> OperationEvent:
        """Return the event of an operation that has ended."""
        return OperationEvent(operation, self._queue, self._query, self._decode, self.rows, error)

    def _passed(self) -> float:
        before, self._since = self._since, perf_counter()
        return self._since - before


class Listeners:
    """Who is told of the operations of a gateway."""

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tell a listener of every operation that begins from now on; call what is returned to end it."""
        entry = [listener]
        known = self._listeners = (*self._listeners, listener)
        del known

        def stop() -> None:
            if entry:
                position = next(place for place, each in enumerate(self._listeners) if each is entry[0])
                entry.clear()
                self._listeners = (*self._listeners[:position], *self._listeners[position + 1 :])

        return stop

    def clock(self) -> Clock | None:
        """Return a clock where anybody listens, else None."""
        return Clock() if self._listeners else None

    def tell(self, event: OperationEvent) -> None:
        """
        Hand an event to every listener. What one raises is logged: the operation has happened, and the others are to be
        told too.
        """
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                _logger.exception("listener %r failed on the event of an operation", listener)
