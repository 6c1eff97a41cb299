"""
Which event loop a gateway belongs to.

The running loop goes in; an error comes out where another one, in another thread, has the gateway. Nothing here depends
on asyncio or trio.
"""

import threading
from typing import Any

from anyio.lowlevel import EventLoopToken, current_token

from mapper.errors import WrongLoop

__all__ = ["Home", "has_ended"]


class Home:
    """
    The loop that uses a gateway.

    Whoever comes from the thread that was here last passes with one comparison.
    """

    __slots__ = ("_lock", "loop", "thread")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.thread: int | None = None
        self.loop: EventLoopToken | None = None

    def enter(self) -> bool:
        """
        Belong to the running loop, and return whether it is a new one.

        Raises:
            WrongLoop: A loop in another thread has the gateway, and runs.
        """
        token = current_token()
        with self._lock:
            if self.loop is not None and self.thread != threading.get_ident() and not has_ended(self.loop):
                raise WrongLoop(
                    "the gateway is in use by the event loop of another thread",
                    hint="give each thread that runs a loop a gateway of its own, or close it first: await gateway.aclose()",
                )
            new = self.loop is not None and self.loop != token
            self.loop, self.thread = token, threading.get_ident()
        return new

    def now(self) -> EventLoopToken:
        """Return the running loop, and belong to it from now on."""
        self.loop = current_token()
        return self.loop

    def leave(self) -> None:
        """Belong to nobody."""
        self.loop = self.thread = None


def has_ended(token: Any) -> bool:
    """Return whether a loop runs no more."""
    loop = token.native_token
    running = getattr(loop, "is_running", None)
    if running is not None:  # asyncio's
        return not running()
    try:
        loop.run_sync_soon(_nothing)  # trio's
    except Exception:  # trio raises an error of its own for a loop that has ended, and is not imported here
        return True
    return False


def _nothing() -> None:
    """Run on a loop to see whether it runs."""
