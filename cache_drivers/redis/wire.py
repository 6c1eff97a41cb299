"""
One connection to a server: packed commands go out, their replies come back, in order.

A connection serves one caller at a time. Whatever goes wrong on it, an answer that is late, a caller that is cancelled,
bytes that nobody asked for, ends it: an answer cannot reach the caller of another command.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from cache_drivers.redis.library import reader
from mapper.errors import CacheProtocolError, CacheTimeout, CacheUnavailable

__all__ = ["Argument", "Lost", "Refusal", "Reply", "Wire", "packed", "packed_keys"]

Argument: TypeAlias = str | bytes | int
Reply: TypeAlias = Any
"""Bytes, an integer, None, a list of replies, or a `Refusal`."""

INCOMPLETE: Final = object()

EARLY_SECONDS: Final = 0.001
"""By how much an event loop's timer may come too early."""


class Refusal(Exception):
    """An error that a server answered, as a value. Its text may quote keys and values: it goes into no message."""

    @property
    def code(self) -> str:
        """What its first word says, such as `OOM`; empty where that is no code."""
        first = str(self.args[0]).partition(" ")[0] if self.args else ""
        return first if first.isascii() and first.isalnum() and first.isupper() else ""

    @property
    def text(self) -> str:
        """What comes behind the code."""
        return str(self.args[0]).partition(" ")[2] if self.args else ""


class Lost(CacheUnavailable):
    """The connection ended before all replies were there; the commands may have run."""


def packed(*arguments: Argument) -> bytes:
    """Return a command as it goes over the wire."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if type(argument) is bytes else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def packed_keys(command: str, keys: Sequence[str]) -> bytes:
    """Return a command whose arguments are keys, which are known to be ASCII."""
    parts = [f"${len(each)}\r\n{each}\r\n" for each in keys]
    return f"*{len(keys) + 1}\r\n${len(command)}\r\n{command}\r\n{''.join(parts)}".encode()


class Wire(asyncio.Protocol):
    """
    A connection that is there.

    Args:
        writer: The connection's; its transport is taken over from whatever reads from it now.
        pushed: Called with what the server sends unasked, and with None at the end; without it that is an error.
        timeout: Seconds that replies may take.

    Attributes:
        closed: Whether it has ended, or is about to.
    """

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        *,
        timeout: float,
        pushed: Callable[[Sequence[Any] | None], None] | None = None,
    ) -> None:
        self.closed = False
        self.timeout = timeout
        self._gone = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._pushed = pushed
        self._reader = reader(Refusal, INCOMPLETE)
        self._replies: list[Reply] = []
        self._waiting: asyncio.Future[list[Reply]] | None = None
        self._wanted = 0
        # One timer for all exchanges, as one that is made and cancelled for each would cost more than all else.
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._seconds: float | None = None
        # Kept: a stream that is collected closes the transport below it.
        self._writer = writer
        self._transport = writer.transport
        self._transport.set_protocol(self)
        if self._transport.is_closing():
            self.connection_lost(None)

    async def exchange(self, commands: bytes, count: int = 1, seconds: float | None = None) -> list[Reply]:
        """
        Send commands and return their replies, in their order, errors of the server among them.

        Args:
            seconds: How long the caller waits; without it, or where that is shorter, the `timeout` counts.

        Raises:
            Lost: The connection ended.
            CacheTimeout: The replies are not there in time.
            TimeoutError: They are not there in the caller's time.
            CacheProtocolError: They are none.
        """
        if self.closed:
            raise Lost("the connection to the redis server has ended")
        waiting: asyncio.Future[list[Reply]] = self._loop.create_future()
        self._waiting = waiting
        self._wanted = count
        self._seconds = seconds if seconds is not None and seconds < self.timeout else None
        deadline = self._deadline = self._loop.time() + (self.timeout if self._seconds is None else self._seconds)
        try:
            if self._timer is None or self._timer.when() > deadline:
                self._wake_at(deadline)
            self._transport.write(commands)
            return await waiting
        except BaseException:
            self.abort()
            raise
        finally:
            self._waiting = None

    def abort(self) -> None:
        """Close it at once, whatever is under way."""
        self.closed = True
        self._sleep()
        self._transport.abort()

    async def aclose(self) -> None:
        """Close it and return when it is gone; after its `timeout` at the latest."""
        self.closed = True
        self._sleep()
        self._transport.close()
        try:
            async with asyncio.timeout(self.timeout):
                await self._gone.wait()
        except TimeoutError:
            self._transport.abort()

    # Called by the transport

    def data_received(self, data: bytes) -> None:
        """Collect replies; the caller goes on when the last of them is there."""
        waiting = self._waiting
        if waiting is None and self._pushed is None:
            self._fail(CacheProtocolError("the redis server answered what it was not asked"))
            return
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not INCOMPLETE:
                self._take(reply)
        except Exception as error:  # whatever the parser raises, the bytes are no replies
            self._fail(CacheProtocolError("the redis server answered what is not of its protocol"), error)
            return
        if len(self._replies) < self._wanted or not self._replies:
            return
        replies, self._replies = self._replies, []
        if waiting is None or len(replies) > self._wanted or (self._reader.has_data() and self._pushed is None):
            self._fail(CacheProtocolError("the redis server answered more than it was asked"))
        elif not waiting.done():
            self._wanted = 0
            waiting.set_result(replies)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._fail(Lost("the redis server closed the connection"), exc)
        self._gone.set()
        pushed, self._pushed = self._pushed, None
        if pushed is not None:
            pushed(None)

    def _take(self, reply: Reply) -> None:
        if self._pushed is not None and isinstance(reply, list) and reply and reply[0] == b"invalidate":
            self._pushed(reply)
        else:
            self._replies.append(reply)

    def _wake_at(self, deadline: float) -> None:
        self._sleep()
        self._timer = self._loop.call_at(deadline, self._expire)

    def _sleep(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        """End an exchange whose time is over. The timer may be that of one before, and is set again for a later one."""
        self._timer = None
        if self._waiting is None:
            return
        if self._deadline > self._loop.time() + EARLY_SECONDS:
            self._wake_at(self._deadline)
        elif self._seconds is not None:
            self._fail(TimeoutError())
        else:
            self._fail(CacheTimeout(f"the redis server did not answer within {self.timeout:g} s"))

    def _fail(self, error: Exception, cause: BaseException | None = None) -> None:
        error.__cause__ = cause
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
        self.abort()
