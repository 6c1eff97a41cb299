"""
`listen`: notifications as an async iterator that never ends by itself.

A repository or gateway and names of channels go in; notes come out as they are sent, and gaps where some may be missing.
"""

from types import TracebackType
from typing import Self

from gateways.postgres.hearing import Hearing
from gateways.postgres.notes import Box, Missed, Note, checked_channel
from gateways.postgres.sources import Source, gateway_of
from mapper.errors import QueryError

__all__ = ["Notes", "listen"]


def listen(source: Source, *channels: str, buffer: int = 1000) -> "Notes":
    """
    Listen to channels: `async with listen(repository, "jobs") as notes: async for note in notes: …`, or simply
    `async for note in listen(repository, "jobs")`.

    From the beginning of the block on, or from the first note asked for without one, every notification that is committed
    comes, in the order of the commits. What was committed before does not: look at the data once the block has begun.

    All listeners of a gateway share one connection, which is opened for the first of them, beside the connections of the
    pool, and closed behind the last; the pool's numbers do not count it. Where it is lost, another is opened, for as long
    as that takes, with growing pauses; a `Missed` in the stream then says that notifications may be missing. So it does
    where more notifications came than were taken and the buffer is full.

    The stream ends when it is left, closed, or the gateway is closed.

    Args:
        source: A repository, a transaction of one (which it does not depend on), or a gateway.
        channels: Their names, exactly: `NOTIFY Jobs` of SQL, without quotes, is sent to "jobs".
        buffer: How many notifications wait for being taken, at most. They do not hold up those who send.

    Raises:
        Unsupported: The gateway is none of PostgreSQL. Here, before I/O, as is the next.
        QueryError: A channel's name is empty, or longer than 63 bytes; no channel is given; the buffer holds none.
        CannotConnect: From the stream: there is no connection in the beginning; or later, for a reason that does not
            pass by itself, such as a password.
        StoreError: From the stream: the server refuses, as a standby does.
    """
    names = [checked_channel(each) for each in channels]
    if not names:
        raise QueryError("listen is given no channel", hint='name one: listen(repository, "jobs")')
    if not isinstance(buffer, int) or isinstance(buffer, bool) or buffer < 1:
        raise QueryError(f"buffer is {buffer!r}, expected a number of notifications from 1")
    return Notes(gateway_of(source, "listen").hearing, names, buffer)


class Notes:
    """
    The notifications of some channels; see `listen`. They are taken once, by one task at a time; a cancelled wait loses
    none.
    """

    __slots__ = ("_box", "_buffer", "_channels", "_closed", "_hearing")

    def __init__(self, hearing: Hearing, channels: list[str], buffer: int) -> None:
        self._hearing = hearing
        self._channels = channels
        self._buffer = buffer
        self._box: Box | None = None
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Note | Missed:
        if self._closed:
            raise StopAsyncIteration
        box = self._box or await self._begun()
        item = await box.take()
        if item is None:
            raise StopAsyncIteration
        return item

    async def _begun(self) -> Box:
        box = self._box = Box(self._channels, self._buffer)
        try:
            await self._hearing.enter(box)
        except BaseException:
            self._box = None
            raise
        return box

    async def some(self, most: int | None = None) -> list[Note | Missed]:
        """Wait for the next, and return it with those behind it that are there already; [] at the end."""
        first = await anext(self, None)
        if first is None or self._box is None:
            return [] if first is None else [first]
        return [first, *self._box.take_more(None if most is None else most - 1)]

    def abandon(self) -> None:
        """Listen no more, without waiting for the connection to be closed."""
        self._closed = True
        box, self._box = self._box, None
        if box is not None:
            self._hearing.leave_from_anywhere(box)

    async def aclose(self) -> None:
        """
        Listen no more, and forget what has not been taken. The last listener waits until the connection is closed.
        Closing twice is a no-op.
        """
        self._closed = True
        box, self._box = self._box, None
        if box is not None:
            self._hearing.leave(box)
            await self._hearing.quiet()

    async def __aenter__(self) -> Self:
        if self._closed or self._box is not None:
            raise QueryError("the block of a listener is entered twice", hint="call listen() again")
        await self._begun()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if getattr(self, "_box", None) is not None:
            self.abandon()

    def __repr__(self) -> str:
        return f"<Notes of {', '.join(self._channels)}>"
