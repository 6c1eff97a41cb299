"""
Where bytes that are copied into a table come from: bytes, paths, files and iterables, all as one async iterator.

Whatever gives bytes goes in; pieces of it come out.
"""

import asyncio
import inspect
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Iterable
from typing import Any, Final, Protocol, Self, TypeAlias, cast

from gateways.postgres.copies import Left
from mapper.errors import QueryError

__all__ = ["Bytes", "Pieces", "ReadableFile"]

CHUNK: Final = 2**18
"""Bytes that are read from a file, or sent, at once."""

BREATH: Final = 16
"""Chunks of a source that does not wait after which other tasks get their turn."""


class ReadableFile(Protocol):
    """A file that is read as bytes, or something like one; `read` may be async."""

    def read(self, size: int, /) -> bytes | Awaitable[bytes]: ...


Bytes: TypeAlias = (
    bytes | bytearray | memoryview | str | os.PathLike[str] | ReadableFile | AsyncIterable[bytes] | Iterable[bytes]
)
"""Where bytes come from: themselves, the path of a file, a file, or an iterable of pieces that end anywhere."""


class Pieces:
    """
    The bytes of a source, in pieces.

    Attributes:
        error: What the source raised, which ends the copy; it is no error of the store.
    """

    def __init__(self, data: Any) -> None:
        self.error: Exception | None = None
        own = _own_pieces(data)
        if own is None and not isinstance(data, AsyncIterable):
            raise QueryError(
                f"{data!r} gives no bytes to be copied", hint="give bytes, a path, a file, or an iterable of bytes"
            )
        self._own = own
        self._given: AsyncIterator[Any] = own if own is not None else aiter(cast("AsyncIterable[Any]", data))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> memoryview:
        try:
            return _checked(await anext(self._given))
        except StopAsyncIteration:
            raise
        except Exception as error:
            self.error = error
            raise Left from error

    async def aclose(self) -> None:
        """Close what was opened here."""
        if self._own is not None:
            await self._own.aclose()


def _checked(piece: Any) -> memoryview:
    if not isinstance(piece, bytes | bytearray | memoryview):
        raise QueryError(
            f"the data to be copied has a {type(piece).__name__}, expected bytes",
            hint='open the file in binary mode, "rb", or encode the text',
        )
    return memoryview(piece)


def _own_pieces(data: Any) -> "AsyncGenerator[Any] | None":
    """Give the bytes of anything but an async iterable; None of that, and of what gives none."""
    if isinstance(data, bytes | bytearray | memoryview):
        return _of_bytes(memoryview(data).cast("B"))
    if isinstance(data, str | os.PathLike):
        return _of_path(data)
    if hasattr(data, "read"):
        return _of_file(data)
    if isinstance(data, Iterable) and not isinstance(data, AsyncIterable):
        return _of_iterable(data)
    return None


async def _of_bytes(data: memoryview) -> AsyncGenerator[memoryview]:
    for start in range(0, len(data), CHUNK):
        yield data[start : start + CHUNK]
        await asyncio.sleep(0)


async def _of_path(path: Any) -> AsyncGenerator[bytes]:
    file = await asyncio.to_thread(open, path, "rb")
    try:
        async for each in _of_file(file):
            yield each
    finally:
        file.close()


async def _of_file(file: Any) -> AsyncGenerator[bytes]:
    reads_async = inspect.iscoroutinefunction(file.read)
    while piece := await (file.read(CHUNK) if reads_async else asyncio.to_thread(file.read, CHUNK)):
        yield piece


async def _of_iterable(data: Iterable[Any]) -> AsyncGenerator[Any]:
    for number, each in enumerate(data, 1):
        yield each
        if number % BREATH == 0:
            await asyncio.sleep(0)
