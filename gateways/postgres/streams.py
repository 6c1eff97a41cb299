"""
Streams: results that are read batch by batch, in constant memory.

A session and a read go in; batches of objects come out, read through a cursor in a transaction. What ends the stream
(exhaustion, closing, an error, a cancellation, the loss of the last reference) ends that transaction and gives the
connection back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from itertools import chain, repeat
from time import perf_counter
from typing import Any, Final, Generic

from typing_extensions import TypeVar

from gateways.postgres.connections import Connections
from gateways.postgres.cursors import opened
from gateways.postgres.errors import reraise
from gateways.postgres.events import Events, Measured
from gateways.postgres.execution import failure, may_write, readable
from gateways.postgres.raw import alters
from gateways.postgres.reading import fetch_on, rows_for
from gateways.postgres.session import Session
from gateways.postgres.transactions import commit
from mapper.errors import QueryError
from mapper.gateway import Decode
from mapper.operations import Operation, QuerySql

__all__ = ["Lease", "PostgresBatches", "ended", "growing", "lease_from"]

T = TypeVar("T")
S = TypeVar("S")

FIRST: Final = 50
"""Few rows, so that the first is there early."""

NEXT: Final = (250, 500)
FULL: Final = 1000
"""Rows of a batch, at which a round trip vanishes beside the work."""


def growing() -> Iterator[int]:
    """Give the sizes of batches. The first asks for one row more, which tells that there is more."""
    return chain((FIRST + 1, *NEXT), repeat(FULL))


class Lease:
    """
    How a stream has its connection.

    Attributes:
        session: The connection.
        begin: Begins a transaction, without which there is no cursor, unless one is open.
        end: Ends that transaction and gives the connection back; with an error where the stream failed.
        abandon: Gives the connection back without waiting.
    """

    __slots__ = ("abandon", "begin", "end", "session")

    def __init__(
        self,
        session: Session,
        begin: Callable[[], Awaitable[object]],
        end: Callable[[BaseException | None], Awaitable[None]],
        abandon: Callable[[], None],
    ) -> None:
        self.session = session
        self.begin = begin
        self.end = end
        self.abandon = abandon


def lease_from(pool: Connections, session: Session, operation: Operation) -> Lease:
    """Lease a connection of the pool to a stream, with a transaction of its own."""

    async def end(error: BaseException | None) -> None:
        try:
            if error is None:
                await ended(session, operation)
        finally:
            await pool.settle(session)

    return Lease(session, partial(session.driver.execute, "BEGIN"), end, partial(pool.give_later, session))


async def ended(session: Session, operation: Operation) -> None:
    """
    Commit a stream's own transaction.

    Where it has only read, its rows are as good when the connection is lost before that.
    """
    try:
        if may_write(operation):
            await commit(session)
        else:
            await session.driver.execute("COMMIT")
    except BaseException as error:
        if isinstance(error, Exception) and not may_write(operation):
            session.terminate()
            return
        reraise(failure(session, error, operation), error)


class PostgresBatches(Generic[T]):
    """A result in batches; see `mapper.gateway.Batches`."""

    __slots__ = (
        "__weakref__", "_batch", "_cursor", "_decode", "_events", "_idle", "_idle_since", "_lease", "_loop", "_measured", "_named",
        "_operation", "_rows", "_running", "_sizes",
    )  # fmt: skip

    def __init__(
        self,
        lease: Lease,
        operation: Operation,
        decode: Decode[T],
        sizes: Iterator[int],
        events: Events,
        measured: Measured | None,
    ) -> None:
        self._lease: Lease | None = lease
        self._loop = asyncio.get_running_loop()
        self._operation = operation
        self._decode = decode
        self._sizes = sizes
        self._events = events
        self._measured = measured
        self._named = not (isinstance(operation, QuerySql) and operation.columns)
        self._cursor: Any = None
        self._batch: list[T] | None = None
        self._running = False
        self._rows = 0
        self._idle = self._idle_since = 0.0

    async def begin(self) -> None:
        """Run the statement and read the first batch, which the first `next` hands out."""
        self._batch = await self._step()

    async def next(self) -> Sequence[T] | None:
        """Return the next batch, or None after the last."""
        batch, self._batch = self._batch, None
        if batch is None and self._lease is not None:
            if self._measured is not None:
                self._idle += perf_counter() - self._idle_since
            batch = await self._step()
        return batch or None

    @property
    def holds(self) -> bool:
        """Whether it holds a connection still; see `mapper.gateway.Batches`."""
        return self._lease is not None

    async def fetch(self, operation: Operation, decode: Decode[S]) -> list[S]:
        """Run another read between two batches; see `mapper.gateway.Batches`."""
        self._require_one_reader()
        lease = self._lease
        if lease is None:
            raise QueryError("the stream holds no connection any more", hint="read on the gateway")
        self._running = True
        try:
            return await fetch_on(lease.session, operation, decode, self._events)
        finally:
            self._running = False

    def _require_one_reader(self) -> None:
        if self._running:
            raise QueryError("two tasks read one stream at once", hint="read it in one task, and hand the objects on")

    async def _step(self) -> list[T]:
        self._require_one_reader()
        lease, size = self._lease, next(self._sizes)
        assert lease is not None
        self._running = True
        try:
            records = await self._read(lease, size)
            batch = self._decoded(records)
            if len(records) < size:
                await self._end(None)
        except BaseException as error:
            reraise(await self._failed(lease, error), error)
        finally:
            self._running = False
        self._idle_since = perf_counter() if self._measured is not None else 0.0
        return batch

    async def _read(self, lease: Lease, size: int) -> Sequence[Any]:
        driver = lease.session.driver
        if self._cursor is None:
            sql, parameters = readable(self._operation)
            lease.session.altered = lease.session.altered or alters(self._operation)
            await lease.begin()
            self._cursor, first = await opened(driver, sql, parameters, size)
            return first
        records: Sequence[Any] = await self._cursor.fetch(size)
        return records

    def _decoded(self, records: Sequence[Any]) -> list[T]:
        self._rows += len(records)
        names = tuple(records[0].keys()) if self._named and records else ()
        rows = rows_for(self._decode, records)
        if self._measured is None:
            return self._decode(rows, names)
        began = perf_counter()
        try:
            return self._decode(rows, names)
        finally:
            self._measured.decoding += perf_counter() - began

    async def _end(self, error: BaseException | None) -> None:
        lease, self._lease, self._cursor = self._lease, None, None
        if lease is None:
            return
        try:
            await lease.end(error)
        finally:
            self._note(error)

    async def _failed(self, lease: Lease, error: BaseException) -> BaseException:
        raised = failure(lease.session, error, self._operation)
        await self._end(raised)
        return raised

    def _note(self, error: BaseException | None) -> None:
        if self._measured is not None:
            self._measured.end(self._operation, self._rows, idle=self._idle, error=error)

    async def aclose(self) -> None:
        """Give the connection back. Closing twice, or after the end, is a no-op."""
        self._batch = None
        await self._end(None)

    def abandon(self) -> None:
        """
        Give the connection back without waiting: a stream that was left in the middle is ended behind the caller's
        back.
        """
        lease, self._lease = self._lease, None
        if lease is None:
            return
        if self._loop.is_closed():
            lease.session.abandon()
        elif _running_loop() is self._loop:
            lease.abandon()
        else:
            self._loop.call_soon_threadsafe(lease.abandon)

    def __del__(self) -> None:
        if getattr(self, "_lease", None) is not None:
            self.abandon()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop of this thread, or None outside of one: the garbage collector runs anywhere."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
