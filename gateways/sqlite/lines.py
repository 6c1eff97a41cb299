"""
Lines: callers that wait for a connection or for the write lock, first come first served.

Callers go in; whose turn it is comes out.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    from gateways.sqlite.worker import Worker

__all__ = ["Line", "Waiter"]


@define(eq=False)
class Waiter:
    """
    A caller in line.

    Attributes:
        number: Of its turn.
        own: A connection that it has, so that it waits for the write lock alone.
        counted: It is one caller, and not many that are counted elsewhere.
    """

    future: "asyncio.Future[Worker]"
    number: int
    write: bool
    own: "Worker | None"
    counted: bool


class Line:
    """Callers that wait for the same, first come first served."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: deque[Waiter] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def add(self, waiter: Waiter) -> None:
        """Let a caller wait."""
        self._waiters.append(waiter)

    def first(self) -> Waiter | None:
        """Return who is next. Those who have given up are forgotten here, when their turn comes."""
        waiters = self._waiters
        while waiters and waiters[0].future.done():
            waiters.popleft()
        return waiters[0] if waiters else None

    def waiting(self) -> list[Waiter]:
        """Return who waits."""
        return [each for each in self._waiters if not each.future.done()]
