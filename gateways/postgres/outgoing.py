"""
Bytes that are copied out of a query: as an async iterator, or into a file.

What runs operations and a read go in; bytes come out, a piece at a time, and no faster than they are taken.
"""

import asyncio
import inspect
import os
from collections.abc import Mapping
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, Final, Protocol, Self

import anyio

from gateways.postgres.copies import COPY_TO, CopyOut, Left
from mapper.errors import QueryError
from mapper.gateway import Executor
from mapper.operations import Call, QuerySql

__all__ = ["CopiedBytes", "WritableFile"]

DROP_SECONDS: Final = 0.1
"""How long pieces that nobody wants any more are dropped, before the server is asked to send no more."""

END_SECONDS: Final = 0.5
"""How long a copy that is left may take to end, before it is cancelled."""


class WritableFile(Protocol):
    """A file that bytes are written to, or something like one; `write` may be async."""

    def write(self, data: bytes, /) -> object: ...


class CopiedBytes:
    """
    Bytes that are copied out; see `copy_to`. They are taken once: as an async iterator of pieces, or all `into` a file.

    Leaving the iteration early gives the connection back when the iterator is dropped; within `async with` it is given
    back at the end of the block, whatever happens.
    """

    __slots__ = ("_begun", "_executor", "_options", "_pieces", "_read", "_rows", "_work")

    def __init__(self, executor: Executor, read: QuerySql, options: Mapping[str, Any]) -> None:
        self._executor = executor
        self._read = read
        self._options = options
        self._begun = False
        self._pieces: Any = None
        self._work: asyncio.Task[int] | None = None
        self._rows = 0

    async def into(self, target: str | os.PathLike[str] | WritableFile) -> int:
        """
        Write all of it to a file.

        Args:
            target: A path, whose file is made or overwritten; or a file that is open in binary mode, sync or async, which
                stays open. A sync file is written in a thread.

        Returns:
            The number of rows; a header is none.
        """
        self._require_unused()
        if not isinstance(target, str | os.PathLike):
            return await self._written(target)
        file = await asyncio.to_thread(open, target, "wb")
        try:
            return await self._written(file)
        finally:
            await asyncio.to_thread(file.close)

    async def _written(self, file: Any) -> int:
        writes_async = inspect.iscoroutinefunction(file.write)
        async with self:
            async for piece in self:
                await (file.write(piece) if writes_async else asyncio.to_thread(file.write, piece))
        return self._rows

    def _require_unused(self) -> None:
        if self._begun:
            raise QueryError("what is copied out is taken a second time", hint="call copy_to() again")

    def __aiter__(self) -> Self:
        self._require_unused()
        self._begin()
        return self

    def _begin(self) -> None:
        self._begun = True
        send, self._pieces = anyio.create_memory_object_stream[bytes](0)
        work = _copying(self._executor, self._read, self._options, send)
        self._work = asyncio.get_running_loop().create_task(work)
        self._work.add_done_callback(partial(_over, send))

    async def __anext__(self) -> bytes:
        if not self._begun:
            self._begin()
        try:
            if self._pieces is not None:
                piece: bytes = await self._pieces.receive()
                return piece
        except anyio.EndOfStream:
            await self._ended()
        raise StopAsyncIteration

    async def _ended(self) -> None:
        """Take the outcome, once: an error is raised where the last piece would have come."""
        work = self._closed()
        if work is not None:
            self._rows = await work

    def _closed(self) -> "asyncio.Task[int] | None":
        """Take no more pieces, and return what copies, if it is not known how that has ended."""
        self._begun = True
        pieces, self._pieces = self._pieces, None
        work, self._work = self._work, None
        if pieces is not None:
            pieces.close()
        return work

    async def aclose(self) -> None:
        """Copy no more, and give the connection back. Closing twice, or after the end, is a no-op."""
        work = self._closed()
        if work is None:
            return
        try:
            await asyncio.wait({work}, timeout=END_SECONDS)
        finally:
            work.cancel()
        await asyncio.wait({work})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        work = getattr(self, "_work", None)
        if work is None:
            return
        loop = work.get_loop()
        if loop.is_closed():
            self._pieces.close()
        else:
            loop.call_soon_threadsafe(_abandon, work, self._pieces)


def _abandon(work: "asyncio.Task[int]", pieces: Any) -> None:
    """End a copy that was left without closing it."""
    pieces.close()
    work.get_loop().call_later(END_SECONDS, work.cancel)


async def _copying(executor: Executor, read: QuerySql, options: Mapping[str, Any], send: Any) -> int:
    """Copy, hand over the pieces, and return the number of rows."""
    async with send:
        copied = CopyOut(read.sql, read.parameters, _Handing(send).take, options)
        return (await executor.execute(Call(COPY_TO, (copied,), reads=read.reads))).count


def _over(send: Any, work: "asyncio.Task[int]") -> None:
    """Close the stream of a copy that was cancelled before it began; nobody may be there to take its error."""
    send.close()
    if not work.cancelled():
        work.exception()


class _Handing:
    """Hands pieces over, each when the one before has been taken; once nobody takes them any more, they are dropped."""

    __slots__ = ("_send", "_until")

    def __init__(self, send: Any) -> None:
        self._send = send
        self._until: float | None = None

    async def take(self, piece: bytes) -> None:
        """
        Hand over a piece.

        Raises:
            Left: Nobody has wanted any for a while, and more still come. A copy that is about to end is let end.
        """
        if self._until is None:
            try:
                await self._send.send(bytes(piece))
            except anyio.BrokenResourceError:
                self._until = monotonic() + DROP_SECONDS
        elif monotonic() > self._until:
            raise Left
