"""
Streams and the cache: a result that is kept, in batches; and one that is kept while it is handed out.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic

from typing_extensions import TypeVar

from mapper.cache.committing import Commits, Invalidating
from mapper.cache.reading import Reader
from mapper.cache.row_requests import RowsRequest
from mapper.cache.writes import Changes
from mapper.errors import QueryError
from mapper.gateway import Batches, Decode
from mapper.operations import Operation

__all__ = ["ChangingBatches", "KeptBatches", "TeedBatches"]

T = TypeVar("T")

SIZE: Final = 500


class KeptBatches(Generic[T]):
    """A result that is kept whole, as if it came from the store. It holds no connection."""

    __slots__ = ("_at", "_decode", "_names", "_rows")

    def __init__(self, rows: Sequence[tuple[Any, ...]], names: Sequence[str], decode: Decode[T]) -> None:
        self._rows = rows
        self._names = names
        self._decode = decode
        self._at = 0

    @property
    def holds(self) -> bool:
        """Whether it holds a connection: never."""
        return False

    async def next(self) -> Sequence[T] | None:
        batch = self._rows[self._at : self._at + SIZE]
        self._at += len(batch)
        return self._decode(batch, self._names) if batch else None

    async def fetch(self, operation: Operation, decode: Decode[Any]) -> list[Any]:
        raise QueryError(f"{operation!r} was to run on the connection of a stream that has none")

    async def aclose(self) -> None:
        self._rows = ()

    def abandon(self) -> None:
        self._rows = ()


class TeedBatches(Generic[T]):
    """
    A stream of the store, whose rows are copied on the way as long as they are few, and kept if its end comes by
    itself.
    """

    __slots__ = ("_batches", "_began", "_copied", "_made", "_names", "_reader", "_request", "_stamps")

    def __init__(self, request: RowsRequest, stamps: tuple[bytes, ...], reader: Reader) -> None:
        self._request = request
        self._stamps = stamps
        self._reader = reader
        self._copied: list[tuple[Any, ...]] | None = []
        self._names: Sequence[str] = ()
        self._batches: Batches[T] | None = None
        self._made = reader.now()
        self._began = time.perf_counter()

    @classmethod
    async def opened(
        cls, request: RowsRequest, stamps: tuple[bytes, ...], reader: Reader, decode: Decode[T]
    ) -> "TeedBatches[T]":
        """Begin to read."""
        teed = cls(request, stamps, reader)
        most = request.times.policy.max_rows

        def copy(rows: Sequence[Any], names: Sequence[str]) -> list[T]:
            copied = teed._copied
            if copied is not None:
                copied += [each if type(each) is tuple else tuple(each) for each in rows]
                teed._names = names
                if len(copied) > most:
                    teed._copied = None
                    reader.entries.discard(request, "large")
            return decode(rows, names)

        teed._batches = await request.gateway.stream(request.operation, copy)
        return teed

    @property
    def holds(self) -> bool:
        """Whether it holds a connection still."""
        assert self._batches is not None
        return self._batches.holds

    async def next(self) -> Sequence[T] | None:
        assert self._batches is not None
        batch = await self._batches.next()
        if batch is None and self._copied is not None:
            rows, self._copied = self._copied, None
            cost = time.perf_counter() - self._began
            await self._reader.keep(self._request, (rows, tuple(self._names)), self._stamps, made=self._made, cost=cost)
        return batch

    async def fetch(self, operation: Operation, decode: Decode[Any]) -> list[Any]:
        assert self._batches is not None
        return await self._batches.fetch(operation, decode)

    async def aclose(self) -> None:
        self._leave()
        if self._batches is not None:
            await self._batches.aclose()

    def abandon(self) -> None:
        self._leave()
        if self._batches is not None:
            self._batches.abandon()

    def _leave(self) -> None:
        if self._copied is not None:
            self._copied = None
            self._reader.entries.discard(self._request, "unfinished")


class ChangingBatches(Generic[T]):
    """
    A stream of something that writes too: INSERT … RETURNING as text, say. What it changes is marked before, and changed
    once the store has done all of it.
    """

    __slots__ = ("_batches", "_invalidating")

    def __init__(self, batches: Batches[T], invalidating: Invalidating) -> None:
        self._batches = batches
        self._invalidating: Invalidating | None = invalidating

    @classmethod
    async def opened(
        cls, commits: Commits, changes: Changes, open_: Callable[[], Awaitable[Batches[T]]]
    ) -> "ChangingBatches[T]":
        """Begin to read."""
        invalidating = Invalidating(commits, changes)
        await invalidating.__aenter__()
        try:
            batches = await open_()
        except BaseException as error:
            await invalidating.__aexit__(type(error), error, error.__traceback__)
            raise
        opened = cls(batches, invalidating)
        if not batches.holds:
            await opened._over()
        return opened

    @property
    def holds(self) -> bool:
        """Whether it holds a connection still."""
        return self._batches.holds

    async def next(self) -> Sequence[T] | None:
        try:
            batch = await self._batches.next()
        except BaseException as error:
            await self._over(error)
            raise
        if not self._batches.holds:
            await self._over()
        return batch

    async def fetch(self, operation: Operation, decode: Decode[Any]) -> list[Any]:
        return await self._batches.fetch(operation, decode)

    async def aclose(self) -> None:
        try:
            await self._batches.aclose()
        finally:
            await self._over()

    def abandon(self) -> None:
        self._batches.abandon()
        invalidating, self._invalidating = self._invalidating, None
        if invalidating is not None:
            invalidating.abandon()

    async def _over(self, error: BaseException | None = None) -> None:
        invalidating, self._invalidating = self._invalidating, None
        if invalidating is not None:
            await invalidating.__aexit__(None if error is None else type(error), error, None)
