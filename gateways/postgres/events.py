"""
Operation events, handed to listeners.

An operation and its times go in; an `OperationEvent` comes out to each listener. Without listeners nothing of this is
done.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any

from typing_extensions import TypeVar

from mapper.gateway import Decode, Listener, OperationEvent
from mapper.operations import Operation

__all__ = ["Events", "Measured"]

T = TypeVar("T")


class Events:
    """
    Who is told of the operations of a gateway. It is false where nobody is.

    Attributes:
        listeners: In the order of their coming.
    """

    __slots__ = ("listeners",)

    def __init__(self) -> None:
        self.listeners: tuple[Listener, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.listeners)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell a listener of every operation from now on; call what is returned to end it. Ending twice is a no-op."""
        token = [listener]
        self.listeners = (*self.listeners, listener)
        return partial(self._end, token)

    def _end(self, token: list[Listener]) -> None:
        if token:
            listener = token.pop()
            position = next(index for index, each in enumerate(self.listeners) if each is listener)
            self.listeners = (*self.listeners[:position], *self.listeners[position + 1 :])

    def tell(self, event: OperationEvent) -> None:
        """
        Hand over an event. What a listener raises goes to the loop's exception handler: the operation has happened.
        """
        for listener in self.listeners:
            try:
                listener(event)
            except Exception as error:
                context = {"message": f"listener {listener!r} failed on an operation event", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)


class Measured:
    """
    Times of one operation: made when it is asked for, begun when its connection is there.
    """

    __slots__ = ("_asked", "_began", "_events", "decoding")

    def __init__(self, events: Events) -> None:
        self._events = events
        self._asked = self._began = perf_counter()
        self.decoding = 0.0

    def begin(self) -> None:
        """The connection is there."""
        self._began = perf_counter()

    def begin_as(self, other: "Measured") -> None:
        """The connection was there when that of another was, or when this was asked for, where that was later."""
        self._began = max(other._began, self._asked)

    def end(
        self, operation: Operation, rows: int = 0, *, idle: float = 0.0, error: BaseException | None = None
    ) -> None:
        """Tell of it. `idle` are seconds in which nobody worked on it."""
        took = max(perf_counter() - self._began - self.decoding - idle, 0.0)
        self._events.tell(OperationEvent(operation, self._began - self._asked, took, self.decoding, rows, error))
        self._asked, self.decoding = perf_counter(), 0.0

    def decoded(self, operation: Operation, rows: Sequence[Any], names: Sequence[str], decode: Decode[T]) -> list[T]:
        """Make objects of all rows, and tell of the operation."""
        began = perf_counter()
        try:
            return decode(rows, names)
        finally:
            self.decoding = perf_counter() - began
            self.end(operation, len(rows))
