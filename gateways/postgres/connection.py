"""
One connection, held for the length of a block: what transactions run on.

Operations go in, one after the other, whichever tasks they come from; results come out.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from itertools import repeat
from types import TracebackType
from typing import Any

from typing_extensions import TypeVar

from gateways.postgres.connections import Connections
from gateways.postgres.errors import reraise
from gateways.postgres.events import Events, Measured
from gateways.postgres.execution import failed, may_write, perform, readable
from gateways.postgres.reading import fetch_on
from gateways.postgres.session import Session
from gateways.postgres.streams import Lease, PostgresBatches, ended, growing
from gateways.postgres.transactions import undo
from mapper.errors import QueryError, TransactionClosed
from mapper.gateway import Batches, Connection, Decode
from mapper.operations import Operation, Result, Transaction

__all__ = ["Hold", "PostgresConnection"]

T = TypeVar("T")
S = TypeVar("S")


class Hold:
    """The block in which a connection is held."""

    __slots__ = ("_connection", "_events", "_pool")

    def __init__(self, pool: Connections, events: Events) -> None:
        self._pool = pool
        self._events = events
        self._connection: PostgresConnection | None = None

    async def __aenter__(self) -> Connection:
        session = self._pool.take() or await self._pool.acquire()
        self._connection = PostgresConnection(session, self._events)
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        assert connection is not None, "the block was left without being entered"
        session = connection.session
        try:
            await connection.release(error)
        finally:
            await self._pool.settle(session)


class PostgresConnection(Connection):
    """
    A held connection; see `mapper.gateway.Connection`. What several tasks do on it is done in the order of their
    asking.
    """

    def __init__(self, session: Session, events: Events) -> None:
        self._session: Session | None = session
        self._events = events
        self._turn = asyncio.Lock()
        self._streams = _OpenStreams()

    @property
    def driver(self) -> Any:
        """
        The asyncpg connection. It is reset at the end of the block.

        Raises:
            TransactionClosed: The block has ended.
        """
        session = self.session
        session.altered = session.exposed = True
        return session.driver

    @property
    def session(self) -> Session:
        """
        The connection of the pool.

        Raises:
            TransactionClosed: The block has ended.
        """
        if self._session is None:
            raise TransactionClosed(
                "the connection was used after its block", hint="use it within `async with gateway.connection()`"
            )
        return self._session

    async def release(self, error: BaseException | None) -> None:
        """
        End the use of the connection.

        What another task has running on it is waited for, unless the block was cancelled; what waits for its turn is
        refused.
        """
        session, self._session = self.session, None
        if not self._turn.locked():
            return
        if error is None or isinstance(error, Exception):
            try:
                async with self._turn:
                    return
            except BaseException:
                session.give_up(awaited=True, was_writing=True)
                raise
        session.give_up(awaited=True, was_writing=True)

    async def execute(self, operation: Operation) -> Result:
        """Run one operation; see `mapper.gateway.Connection.execute`."""
        cancelled = await self._take_turn(operation)
        try:
            result = await self._execute(self.session, operation)
        finally:
            self._turn.release()
        if cancelled is not None:
            raise cancelled
        return result

    async def _execute(self, session: Session, operation: Operation) -> Result:
        measured = Measured(self._events) if self._events else None
        try:
            await self._streams.leave_to(operation)
            result = await perform(session, operation)
        except BaseException as error:
            reraise(failed(session, error, operation, measured), error)
        if measured is not None:
            measured.end(operation, result.count)
        return result

    async def _take_turn(self, operation: Operation) -> asyncio.CancelledError | None:
        """
        Wait for the operations before; the end of a transaction is done even if it is cancelled meanwhile, and the
        cancellation is returned.
        """
        certain = isinstance(operation, Transaction) and operation.kind in ("rollback", "rollback_to")
        cancelled: asyncio.CancelledError | None = None
        while True:
            try:
                await self._turn.acquire()
            except asyncio.CancelledError as error:
                if not certain:
                    raise
                cancelled = cancelled or error
            else:
                return cancelled

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        """Run a read and return all of its rows as objects."""
        async with self._turn:
            session = self.session
            await self._streams.end_abandoned()
            return await fetch_on(session, operation, decode, self._events)

    async def stream(self, operation: Operation, chunk: int = 500) -> AsyncGenerator[Sequence[tuple[Any, ...]]]:
        """Run a read and give its raw rows in batches of at most `chunk`. Closing the iterator closes the cursor."""
        batches = await self._stream(operation, _as_they_are, repeat(chunk))
        try:
            while (batch := await batches.next()) is not None:
                yield batch
        finally:
            await batches.aclose()

    async def stream_batches(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        """Run a read and return its rows as objects, in batches; the first is already there."""
        return await self._stream(operation, decode, growing())

    async def _stream(self, operation: Operation, decode: Decode[T], sizes: Any) -> Batches[T]:
        async with self._turn:
            lease = await self._leased(self.session, operation)
            measured = Measured(self._events) if self._events else None
            batches: _Shared[T] = _Shared(self, lease, operation, decode, sizes, self._events, measured)
            await PostgresBatches.begin(batches)
            return batches

    async def _leased(self, session: Session, operation: Operation) -> Lease:
        readable(operation)
        await self._streams.end_abandoned()
        return self._streams.lease(session, operation)


class _Shared(PostgresBatches[T]):
    """A stream of a held connection: its batches are read in turn with whatever else runs there."""

    __slots__ = ("_connection",)

    def __init__(self, connection: PostgresConnection, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._connection = connection

    async def next(self) -> Sequence[T] | None:
        if self._batch is not None or self._lease is None:
            return await super().next()
        async with self._connection._turn:
            _ = self._connection.session
            return await super().next()

    async def fetch(self, operation: Operation, decode: Decode[S]) -> list[S]:
        async with self._connection._turn:
            _ = self._connection.session
            return await super().fetch(operation, decode)

    async def aclose(self) -> None:
        if self._lease is not None:
            async with self._connection._turn:
                if self._connection._session is None:
                    self._lease = None
                await super().aclose()


class _OpenStreams:
    """
    The streams of a held connection that share a transaction, as none was open: the first begins it, the last ends it.
    """

    __slots__ = ("_abandoned", "_count")

    def __init__(self) -> None:
        self._count = 0
        self._abandoned: list[Callable[[], Awaitable[None]]] = []

    def lease(self, session: Session, operation: Operation) -> Lease:
        """Lease the connection to a stream."""
        if session.in_transaction() and not self._count:
            return Lease(session, _nothing, _nothing, _do_nothing)
        self._count += 1
        begin = _nothing if self._count > 1 else partial(session.driver.execute, "BEGIN")
        end = partial(self._end, session, operation)
        return Lease(session, begin, end, partial(self._abandoned.append, partial(end, None)))

    async def _end(self, session: Session, operation: Operation, error: BaseException | None) -> None:
        self._count -= 1
        if self._count:
            return
        if error is None:
            await ended(session, operation)
        else:
            await undo(session)

    async def end_abandoned(self) -> None:
        """End the streams that were left without being closed."""
        while self._abandoned:
            await self._abandoned.pop()()

    async def leave_to(self, operation: Operation) -> None:
        """
        Let an operation run beside the open streams.

        Raises:
            QueryError: It writes, or begins a transaction: it would share the fate of the streams' own.
        """
        await self.end_abandoned()
        if self._count and (isinstance(operation, Transaction) or may_write(operation)):
            raise QueryError(
                f"the connection has an open stream, beside which {type(operation).__name__} cannot be committed",
                hint="begin a transaction before the stream, or end the stream first",
            )


async def _nothing(*_: object) -> None:
    """The transaction is not the stream's, and the connection stays with its block."""


def _do_nothing() -> None:
    pass


def _as_they_are(rows: Sequence[Any], names: Sequence[str]) -> list[tuple[Any, ...]]:
    del names
    return list(rows)
