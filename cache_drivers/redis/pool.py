"""
The connections to one server: a few, opened as they are needed, each lent to one caller at a time.

Packed commands go in; their replies come out.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from cache_drivers.redis.connecting import ASK_STATE, Connecting, ServerState
from cache_drivers.redis.replies import accepted
from cache_drivers.redis.wire import Lost, Refusal, Reply, Wire
from mapper.errors import CacheDriverError, CacheTimeout, CacheUnavailable

__all__ = ["Pool"]

CERTAIN_SECONDS: Final = 1.0
"""How long a server is taken for what it said it is."""


class _Lent:
    """A connection of a pool, with what its server said of itself and when it is to be asked again."""

    __slots__ = ("again", "fresh", "state", "wire")

    def __init__(self, wire: Wire, state: ServerState, again: float) -> None:
        self.wire = wire
        self.state = state
        self.again = again
        self.fresh = True


class Pool:
    """
    Connections to one server.

    One at a time is opened, whoever waits for it; when it cannot be, all who wait are told so. A server is asked
    once a second, along with a command, whether it still is the primary that it was: a connection to one that has been
    made a replica ends.

    Args:
        connecting: Makes them.
        limit: How many there may be.
        opened: Called for each that was opened.
    """

    def __init__(self, connecting: Connecting, limit: int, opened: Callable[[], None]) -> None:
        self.connecting = connecting
        self._timeout = connecting.command_timeout
        self._loop = asyncio.get_running_loop()
        self._opened = opened
        self._idle: list[_Lent] = []
        self._free = asyncio.Semaphore(limit)
        self._opening: asyncio.Task[None] | None = None
        self._mode: str | None = None
        self._closed = False

    async def run(self, commands: bytes, count: int = 1) -> list[Reply]:
        """
        Send commands at once and return their replies, errors of the server among them.

        A connection that has ended since its last use is no reason to fail: a new one is tried, once. Every command of
        the driver may run twice.
        """
        await self._admitted()
        lent: _Lent | None = None
        try:
            lent = await self._lend()
            try:
                return await self._exchanged(lent, commands, count)
            except Lost:
                if lent.fresh or self._closed:
                    raise
            # The others are most likely gone with it.
            self.drop()
            lent = await self._lend()
            return await self._exchanged(lent, commands, count)
        finally:
            self._free.release()
            if lent is not None and not lent.wire.closed:
                self._back(lent)

    async def run_within(self, commands: bytes, count: int, seconds: float) -> list[Reply] | None:
        """
        As `run`, on a connection that is idle.

        Returns:
            None where there is none, or where it turns out to have ended since its last use: use `run`.

        Raises:
            TimeoutError: The replies are not there after so many seconds.
        """
        idle = self._idle
        while idle and idle[-1].wire.closed:
            idle.pop()
        if not idle or self._free.locked():
            return None
        await self._free.acquire()  # which is not locked, and so does not wait
        lent = idle.pop()
        try:
            return await self._exchanged(lent, commands, count, seconds)
        except Lost:
            if lent.fresh or self._closed:
                raise
            # The others are most likely gone with it.
            self.drop()
            return None
        finally:
            self._free.release()
            if not lent.wire.closed:
                self._back(lent)

    async def state(self) -> ServerState:
        """
        Return what the server says of itself now.

        Raises:
            CacheUnavailable: It does not tell the user.
        """
        return ServerState.of([accepted(reply, "INFO") for reply in await self.run(ASK_STATE, 2)])

    async def mode(self) -> str:
        """Return the server's mode: as it was said on the first connection, which is opened if there was none."""
        while self._mode is None:
            await self._one_more()
        return self._mode

    def drop(self) -> None:
        """Close the connections that nobody uses."""
        idle, self._idle = self._idle, []
        for lent in idle:
            lent.wire.abort()

    async def aclose(self) -> None:
        """Close all connections: those in use when their callers are done."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        idle, self._idle = self._idle, []
        await asyncio.gather(*(lent.wire.aclose() for lent in idle))

    async def _admitted(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(self._timeout):
                await self._free.acquire()
        except TimeoutError:
            raise CacheTimeout(f"no connection to the redis server was free within {self._timeout:g} s") from None

    async def _lend(self) -> _Lent:
        while True:
            while self._idle:
                lent = self._idle.pop()
                if not lent.wire.closed:
                    return lent
            await self._one_more()

    async def _one_more(self) -> None:
        """Wait until a connection has been opened, by whoever is first."""
        if self._closed:
            raise CacheUnavailable("the redis driver was closed meanwhile")
        opening = self._opening
        if opening is None:
            self._opening = opening = asyncio.create_task(self._open())
            opening.add_done_callback(self._has_opened)
        await asyncio.wait([opening])
        if opening.cancelled():
            raise CacheUnavailable("the redis driver was closed meanwhile")
        if (error := opening.exception()) is not None:
            # One of each caller's own: an error that several raise would show the traces of all.
            again = type(error)(error.message, hint=error.hint) if isinstance(error, CacheDriverError) else error
            raise again from error.__cause__

    def _has_opened(self, opening: "asyncio.Task[None]") -> None:
        self._opening = None
        if not opening.cancelled():
            opening.exception()

    async def _open(self) -> None:
        wire, state = await self.connecting.open()
        self._opened()
        self._mode = state.mode
        self._idle.append(_Lent(wire, state, self._loop.time() + CERTAIN_SECONDS))

    def _back(self, lent: _Lent) -> None:
        lent.fresh = False
        if self._closed:
            lent.wire.abort()
        else:
            self._idle.append(lent)

    async def _exchanged(self, lent: _Lent, commands: bytes, count: int, seconds: float | None = None) -> list[Reply]:
        if (now := self._loop.time()) < lent.again:
            replies = await lent.wire.exchange(commands, count, seconds)
        else:
            replies = await lent.wire.exchange(ASK_STATE + commands, count + 2, seconds)
            self._require_same(lent, replies[:2])
            del replies[:2]
            lent.again = now + CERTAIN_SECONDS
        last = replies[-1]
        if type(last) is Refusal and last.code == "READONLY":
            lent.wire.abort()
            self.drop()
        return replies

    def _require_same(self, lent: _Lent, replies: list[Reply]) -> None:
        """
        Raises:
            Lost: The server is another than it was on this connection, or has been made a replica.
        """
        with contextlib.suppress(CacheDriverError):
            if ServerState.of(replies) == lent.state:
                return
        lent.wire.abort()
        lent.fresh = False
        raise Lost("the redis server is not the primary that it was")
