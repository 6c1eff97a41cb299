"""
A connection of the pool: the driver's connection, and what has been done to it.

It keeps what decides about its future: its age, and whether something other than operations of ours has run on it.
"""

import select
from typing import Any, Final

__all__ = ["RESET", "Session"]

RESET: Final = "SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DISCARD TEMP; DISCARD SEQUENCES"
"""What makes a connection as it was when it was opened. `DISCARD ALL` would take the prepared statements with it."""


class Session:
    """
    One connection; see `gateways.postgres.pool.Pooled`.

    Attributes:
        driver: The asyncpg connection.
        altered: It must be reset before anybody else has it.
        terminated: It was closed by us, and not lost.
    """

    __slots__ = ("altered", "born", "driver", "generation", "since", "terminated")

    def __init__(self, driver: Any, born: float, generation: int) -> None:
        self.driver = driver
        self.born = self.since = born
        self.generation = generation
        self.altered = False
        self.terminated = False

    def is_open(self) -> bool:
        """Whether it is not known to be closed."""
        return not self.driver.is_closed()

    def was_idle(self) -> bool:
        """Whether it has been used before, and nobody may have looked at it since."""
        return self.since > self.born

    def is_quiet(self) -> bool:
        """
        Whether the server has sent nothing since: an end of file that the loop has not seen yet can be read already.

        True where that cannot be told.
        """
        transport = getattr(self.driver, "_transport", None)
        socket = None if transport is None else transport.get_extra_info("socket")
        if socket is None or socket.fileno() < 0:
            return socket is None
        poll = select.poll()
        poll.register(socket.fileno(), select.POLLIN)
        return not poll.poll(0)

    def in_transaction(self) -> bool:
        """Whether a transaction is open on it."""
        return bool(self.driver.is_in_transaction())

    def terminate(self) -> None:
        """Close it at once, whatever runs on it; the server rolls back. Doing so twice is a no-op."""
        if not self.driver.is_closed():
            self.terminated = True
            self.driver.terminate()

    def is_lost(self) -> bool:
        """Whether the server or the network has closed it."""
        return not self.terminated and self.driver.is_closed()

    async def tidy(self) -> None:
        """Roll back what is open on it, and undo what was done to it."""
        if self.is_open() and self.in_transaction():
            await self.driver.execute("ROLLBACK")
        if self.is_open() and self.altered:
            await self.driver.execute(RESET)
            self.altered = False

    def abandon(self) -> None:
        """Close the socket of a connection whose event loop has ended, which can do nothing for it any more."""
        transport: Any = getattr(self.driver, "_transport", None)
        socket = getattr(transport, "_sock", None)
        try:
            self.terminate()
        except RuntimeError:  # the loop is closed
            pass
        if socket is not None:
            socket.close()
            transport._sock = None
