"""
A connection of the pool: the driver's connection, and what has been done to it.

It keeps what decides about its future: its age, whose it is, and whether anything but operations of ours has run on it.
"""

import asyncio
import select
from typing import TYPE_CHECKING, Any, Final

from mapper.errors import ConnectionLost

if TYPE_CHECKING:
    from gateways.postgres.pool import PoolState

__all__ = ["RESET", "Session", "abandon"]

RESET: Final = "SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DISCARD TEMP; DISCARD SEQUENCES"
"""What makes a connection as it was when it was opened. `DISCARD ALL` would take the prepared statements with it."""

LOOKS: Final = 10
"""How many turns the loop gets to read what has arrived."""


class Session:
    """
    One connection; see `gateways.postgres.pool.Pooled`.

    Attributes:
        driver: The asyncpg connection; after it was given up something that refuses everything.
        home: The pool that counts it.
        altered: It must be reset before anybody else has it.
        committing: COMMIT was sent on it and not answered.
        exposed: Somebody was handed the driver's connection.
        is_awaited, was_writing: It was given up; see `give_up`.
        refused: It refused a write because it is read-only.
        terminated: It was closed by us, and not lost.
        settling: It was given back, and is not clean or not closed yet.
    """

    __slots__ = (
        "__weakref__", "_given_up", "_poll", "altered", "born", "committing", "driver", "exposed", "generation", "home", "is_awaited", "refused",
        "settling", "since", "terminated", "was_writing",
    )  # fmt: skip

    def __init__(self, driver: Any, born: float, home: "PoolState[Session]", generation: int) -> None:
        self.driver = driver
        self.born = self.since = born
        self.home = home
        self.generation = generation
        self.altered = self.exposed = self.refused = False
        self.committing = self.is_awaited = self.settling = self.terminated = self.was_writing = False
        self._given_up: Any = None
        self._poll = _watching(driver)

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
        return self._poll is None or not self._poll(0)

    async def look(self) -> bool:
        """Have the loop read what has arrived, and return whether the connection is open still."""
        for _ in range(LOOKS):
            if not self.is_open() or self.is_quiet():
                break
            await asyncio.sleep(0)
        return self.is_open()

    def in_transaction(self) -> bool:
        """Whether a transaction is open on it, as far as the server has told."""
        try:
            return bool(self.driver.is_in_transaction())
        except AttributeError:  # the driver has closed it, and forgotten what was open
            return False

    def terminate(self) -> None:
        """Close it at once, whatever runs on it; the server rolls back. Doing so twice is a no-op."""
        self._given_up, given_up = None, self._given_up
        for each in (self.driver, given_up):
            if each is not None and not each.is_closed():
                self.terminated = True
                each.terminate()

    def give_up(self, *, awaited: bool, was_writing: bool = False) -> None:
        """
        Let nothing be done on it any more: something was cancelled on it, and nobody knows where the protocol stands.

        What runs at the server is asked to end when it is closed; see `close`.

        Args:
            awaited: Whoever gives it back waits for that end.
            was_writing: Something was being written, or a transaction was open: the wait may be longer.
        """
        if self._given_up is None and self.is_open():
            self.terminated, self.is_awaited, self.was_writing = True, awaited, was_writing
            self._given_up, self.driver = self.driver, _GIVEN_UP

    def is_given_up(self) -> bool:
        """Whether it is to be closed with patience, as the server has to be told that nobody waits any more."""
        return self._given_up is not None

    def is_lost(self) -> bool:
        """Whether the server or the network has closed it."""
        return not self.terminated and self.driver.is_closed()

    async def close(self, seconds: float) -> None:
        """Have the server end what runs on it, say goodbye, and close it; after so many seconds in any case."""
        driver = self.driver if self._given_up is None else self._given_up
        self.terminated = True
        try:
            async with asyncio.timeout(seconds):
                await driver.close(timeout=seconds)
        finally:
            self.terminate()

    async def tidy(self) -> None:
        """Roll back what is open on it, and undo what was done to it."""
        if self.is_open() and self.in_transaction():
            await self.driver.execute("ROLLBACK")
        if self.is_open() and self.exposed:
            await self.driver.reset()  # forgets listeners, which are the driver's own
            self.exposed = False
        if self.is_open() and self.altered:
            await self.driver.execute(RESET)
            self.altered = False

    def abandon(self) -> None:
        """Close the socket of a connection whose event loop has ended, which can do nothing for it any more."""
        self.terminated = True
        driver = self.driver if self._given_up is None else self._given_up
        if driver is not _GIVEN_UP:
            abandon(driver)


def abandon(driver: Any) -> None:
    """Close the socket of a driver's connection whose event loop has ended."""
    transport: Any = getattr(driver, "_transport", None)
    socket = getattr(transport, "_sock", None)
    try:
        driver.terminate()
    except RuntimeError:  # the loop is closed
        pass
    if socket is not None:
        socket.close()
        transport._sock = None


class _GivenUp:
    """Stands in the place of a driver's connection that was given up, and refuses what is asked of it."""

    __slots__ = ()

    def is_closed(self) -> bool:
        return True

    def is_in_transaction(self) -> bool:
        return False

    def terminate(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        raise ConnectionLost(
            "the connection was given up, because an operation on it was cancelled or not answered in time",
            hint="let the error leave the block that holds the connection, and begin another",
        )


_GIVEN_UP: Final = _GivenUp()


def _watching(driver: Any) -> Any:
    """Return what polls the socket of a connection; None where that is out of reach."""
    transport = getattr(driver, "_transport", None)
    socket = None if transport is None else transport.get_extra_info("socket")
    if socket is None or socket.fileno() < 0 or not hasattr(select, "poll"):
        return None
    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    return poll.poll
