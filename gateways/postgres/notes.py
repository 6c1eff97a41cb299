"""
Notifications, and the box of one listener that they wait in.

What the server sends goes in, as it comes; notes and gaps come out, in order, when the listener asks. A box that is full
takes no more: what comes then is counted, and told as a gap in its place.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import ClassVar, Final, Literal, TypeAlias

from attrs import evolve, frozen

from mapper.errors import QueryError

__all__ = ["LONGEST_CHANNEL", "Box", "Missed", "Note", "Reason", "checked_channel"]

Reason: TypeAlias = Literal["reconnected", "overflow"]

LONGEST_CHANNEL: Final = 63
"""Bytes of a channel's name, as of any name of the server: NAMEDATALEN - 1."""


@frozen
class Note:
    """
    A notification.

    Attributes:
        channel: The channel that it was sent to.
        payload: What was sent; "" where nothing was.
        process: The server process of whoever sent it, as `pg_backend_pid()` gives it there.
    """

    channel: str
    payload: str
    process: int


@frozen
class Missed:
    """
    A place in the stream where notifications may be missing: look at the data itself.

    Attributes:
        channel: The channel.
        reason: `reconnected`: the connection was lost, and nobody listened until now. `overflow`: more came than the
            listener took, and its buffer was full.
        count: How many are missing, of an overflow; None where nobody knows.
        payload, process: None: this is no notification.
    """

    channel: str
    reason: Reason
    count: int | None = None

    payload: ClassVar[None] = None
    process: ClassVar[None] = None


def checked_channel(name: object) -> str:
    """
    Return the name of a channel as it is.

    Raises:
        QueryError: It is none: not text, empty, longer than the server keeps, or with characters that it has not.
    """
    if not isinstance(name, str):
        raise QueryError(f"the channel is {name!r}, expected a name", hint='give text: "jobs"')
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise QueryError(f"the channel {name!r} is no text that can be encoded", hint="leave out surrogates") from None
    if not name or "\0" in name:
        raise QueryError(f"the channel is {name!r}, expected a name without NUL characters", hint='such as "jobs"')
    if size > LONGEST_CHANNEL:
        raise QueryError(
            f"the channel {name!r} has {size} bytes, and a name has {LONGEST_CHANNEL} at most",
            hint="shorten it: the server would cut it off, and two channels could become one",
        )
    return name


class Box:
    """
    What one listener has yet to take.

    Args:
        channels: What it listens to.
        limit: How many notes it keeps.

    Attributes:
        heard: Done once the server sends to it; it has the error where that could not be.
    """

    __slots__ = ("_end", "_error", "_items", "_limit", "_waiter", "channels", "heard")

    def __init__(self, channels: Sequence[str], limit: int) -> None:
        self.channels = tuple(dict.fromkeys(channels))
        self.heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._limit = limit
        self._items: deque[Note | Missed] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._end = False

    def put(self, note: Note) -> None:
        """Keep a note, or count it as missing where the box is full."""
        if self._end:
            return
        if len(self._items) >= self._limit:
            self._add_gap(Missed(note.channel, "overflow", 1))
        else:
            self._items.append(note)
            self._wake()

    def miss(self) -> None:
        """Tell that notes of every channel may be missing, because nobody listened for a while."""
        for channel in () if self._end else self.channels:
            self._add_gap(Missed(channel, "reconnected"))

    def _add_gap(self, gap: Missed) -> None:
        """
        Add a gap, or make it one with that of its channel, where no note came between: so there are no more gaps than
        notes and channels.
        """
        for place in range(len(self._items) - 1, -1, -1):
            other = self._items[place]
            if isinstance(other, Note):
                break
            if other.channel == gap.channel:
                self._items[place] = _joined(other, gap)
                return
        self._items.append(gap)
        self._wake()

    def finish(self, error: BaseException | None = None) -> None:
        """Take no more. What is in it can still be taken; then comes the error, or the end."""
        if self._end:
            return
        self._end, self._error = True, error
        if not self.heard.done():
            self.heard.set_exception(error) if error is not None else self.heard.set_result(None)
            self.heard.exception()  # nobody may be there to ask
        self._wake()

    def clear(self) -> None:
        """Take no more, and forget what is in it."""
        self.finish()
        self._items.clear()
        self._error = None

    async def take(self) -> Note | Missed | None:
        """
        Return the next item, waiting for it; None at the end. A cancelled wait loses none.

        Raises:
            QueryError: Somebody else waits for it already.
        """
        if self._waiter is not None:
            raise QueryError("two tasks take notes from one listener at once", hint="call listen() for each of them")
        while not self._items:
            if self._end:
                error, self._error = self._error, None
                if error is not None:
                    raise error
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._items.popleft()

    def take_more(self, most: int | None = None) -> list[Note | Missed]:
        """Return what is there, without waiting: all of it, or at most so many."""
        count = len(self._items) if most is None else min(most, len(self._items))
        return [self._items.popleft() for _ in range(count)]

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _joined(first: Missed, second: Missed) -> Missed:
    """Return one gap for two; of different reasons, that of which nobody knows how many are missing."""
    if first.count is None or second.count is None:
        return first if first.count is None else second
    return evolve(first, count=first.count + second.count)
