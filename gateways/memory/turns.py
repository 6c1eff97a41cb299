"""
Turns: places that callers take, and wait for in line when there is none.

A number of places goes in; callers get one in the order of their asking. A free place costs nothing: nobody waits,
nothing is scheduled.
"""

from collections import deque

import anyio
from anyio.lowlevel import current_token

from gateways.memory.loops import has_ended

__all__ = ["Turns"]


class _Waiter:
    """A caller in line."""

    __slots__ = ("called", "granted", "loop")

    def __init__(self) -> None:
        self.called = anyio.Event()
        self.granted = False
        self.loop: object = current_token()


class Turns:
    """
    Some places.

    Attributes:
        free: How many are free. There is no free one while somebody waits.
    """

    __slots__ = ("_line", "free")

    def __init__(self, places: int) -> None:
        self.free = places
        self._line: deque[_Waiter] = deque()

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return len(self._line)

    def take_now(self) -> bool:
        """Take a place, if one is free."""
        if self.free:
            self.free -= 1
            return True
        return False

    async def take(self, seconds: float | None) -> bool:
        """
        Wait for a place, `seconds` at most, and return whether it was got. Cancelled, a place that was granted goes to
        the next.
        """
        waiter = _Waiter()
        self._line.append(waiter)
        try:
            with anyio.move_on_after(seconds):
                await waiter.called.wait()
        except BaseException:
            self._give_up(waiter)
            raise
        if not waiter.granted:
            self._line.remove(waiter)
        return waiter.granted

    def give(self) -> None:
        """Give a place back: to the first in line, if anybody waits."""
        while self._line:
            waiter = self._line.popleft()
            if not has_ended(waiter.loop):
                waiter.granted = True
                waiter.called.set()
                return
        self.free += 1

    def _give_up(self, waiter: _Waiter) -> None:
        if waiter.granted:
            self.give()
        else:
            self._line.remove(waiter)
