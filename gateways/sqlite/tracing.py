"""
Operation events of one visit: noted in the connection's thread, handed to listeners on the loop.

Operations and times go in; `OperationEvent`s come out, in the order in which the operations ran. Without listeners
nothing of this exists.
"""

import asyncio
import time
from collections.abc import Sequence

from mapper.gateway import Listener, OperationEvent
from mapper.operations import Operation

__all__ = ["Listeners", "Trace"]


class Trace:
    """The operations of one visit. Made when the caller asks, so that the first event knows how long it waited."""

    __slots__ = ("_asked", "events")

    def __init__(self) -> None:
        self._asked = time.perf_counter()
        self.events: list[OperationEvent] = []

    def add(
        self,
        operation: Operation,
        began: float,
        *,
        rows: int = 0,
        decode_seconds: float = 0.0,
        idle_seconds: float = 0.0,
        error: BaseException | None = None,
    ) -> None:
        """
        Note an operation that has just ended.

        Args:
            began: When it did, by `time.perf_counter()`.
            idle_seconds: Time since then in which nobody worked on it: a stream waits for whoever reads it.
        """
        now = time.perf_counter()
        query_seconds = max(now - began - decode_seconds - idle_seconds, 0.0)
        queue_seconds = max(began - self._asked, 0.0)
        self.events.append(OperationEvent(operation, queue_seconds, query_seconds, decode_seconds, rows, error))
        self._asked = now


class Listeners:
    """Who is told of the operations of a gateway."""

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, listener: Listener) -> None:
        """Tell a listener of every operation that begins from now on."""
        self._listeners = (*self._listeners, listener)

    def remove(self, listener: Listener) -> None:
        """Tell it no more. Removing it twice is a no-op."""
        position = next((index for index, each in enumerate(self._listeners) if each is listener), None)
        if position is not None:
            self._listeners = (*self._listeners[:position], *self._listeners[position + 1 :])

    def trace(self) -> Trace | None:
        """Return where operations are to be noted; None where nobody listens."""
        return Trace() if self._listeners else None

    def tell(self, events: Sequence[OperationEvent]) -> None:
        """
        Hand over events, in order.

        What a listener raises goes to the loop's exception handler: the operation has happened, and the others are to
        be told too.
        """
        for event in events:
            for listener in self._listeners:
                try:
                    listener(event)
                except Exception as error:
                    context = {"message": f"listener {listener!r} failed on an operation event", "exception": error}
                    asyncio.get_running_loop().call_exception_handler(context)
