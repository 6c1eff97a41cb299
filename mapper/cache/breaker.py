"""
A breaker: leaves a driver alone that fails, and tries it again after a while.

Outcomes go in; whether to try comes out. It has no I/O and no timers of its own: it is asked.
"""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

__all__ = ["Breaker", "BreakerState"]

BreakerState: TypeAlias = Literal["closed", "open", "probing"]

FAILURES: Final = 5
FIRST: Final = 0.5
LONGEST: Final = 30.0


class Breaker:
    """
    Closed, it lets everything through; after several failures in a row it opens and lets nothing through; after a pause
    one attempt is let through, whose outcome closes it, or opens it for twice as long.

    Args:
        clock: Gives seconds.
        failures: In a row, that open it.
        first, longest: Seconds that it stays open: at first, and at the most.

    Attributes:
        calm: Whether it is closed and the last attempt was a success: then it allows everything, and need not be told
            of another success.
    """

    __slots__ = ("_clock", "_failed", "_failures", "_first", "_longest", "_pause", "_until", "calm", "state")

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        failures: int = FAILURES,
        first: float = FIRST,
        longest: float = LONGEST,
    ) -> None:
        self._clock = clock
        self._failures = failures
        self._first = first
        self._longest = longest
        self._failed = 0
        self._pause = first
        self._until = 0.0
        self.state: BreakerState = "closed"
        self.calm = True

    def allows(self) -> bool:
        """Whether to try. Whoever is let through says `succeeded` or `failed` afterwards."""
        if self.state == "closed":
            return True
        if self.state == "probing" or self._clock() < self._until:
            return False
        self.state = "probing"
        return True

    def succeeded(self) -> bool:
        """Take a success, and return whether that closed it."""
        self._failed = 0
        self.calm = True
        if self.state == "closed":
            return False
        self.state, self._pause = "closed", self._first
        return True

    def failed(self) -> bool:
        """Take a failure, and return whether that opened it."""
        self._failed += 1
        self.calm = False
        if self.state == "closed" and self._failed < self._failures:
            return False
        opened = self.state != "open"
        if self.state == "probing":
            self._pause = min(self._pause * 2, self._longest)
        self.state, self._until = "open", self._clock() + self._pause
        return opened

    def unknown(self) -> None:
        """Take back an attempt whose outcome nobody saw: its task was cancelled."""
        if self.state == "probing":
            self.state, self._until = "open", self._clock()

    def wait(self) -> float:
        """Return in how many seconds it lets an attempt through."""
        return 0.0 if self.state == "closed" else max(0.0, self._until - self._clock())
