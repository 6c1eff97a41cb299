"""
Turns: who may use what only one can use at a time, first come first served.

Taking a turn that is free costs no checkpoint; a cancelled waiter loses its place and nobody else's.
"""

from collections import deque

import anyio

__all__ = ["Turns"]


class Turns:
    """
    A queue of turns. Whoever has taken one gives it back exactly once.

    `if not turns.take_now(): await turns.wait()`, and `turns.give()` in a `finally`.
    """

    __slots__ = ("_taken", "_waiting")

    def __init__(self) -> None:
        self._taken = False
        self._waiting: deque[anyio.Event] = deque()

    def take_now(self) -> bool:
        """Take the turn if it is free."""
        if self._taken:
            return False
        self._taken = True
        return True

    async def wait(self) -> None:
        """Take the turn once those before have given theirs back."""
        if self.take_now():
            return
        event = anyio.Event()
        self._waiting.append(event)
        try:
            await event.wait()
        except BaseException:
            if event.is_set():
                self.give()
            else:
                self._waiting.remove(event)
            raise

    def give(self) -> None:
        """Give the turn back: the first who waits has it."""
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._taken = False
