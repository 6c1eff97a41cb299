"""
One connection, held for the length of a block: what transactions run on.

Operations go in, one after the other, whichever tasks they come from; results come out.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from itertools import repeat
from types import TracebackType
from typing import Any

from typing_extensions import TypeVar

from gateways.postgres.connections import Connections
from gateways.postgres.events import Events, Measured
from gateways.postgres.execution import execute, failure, readable
from gateways.postgres.session import Session
from gateways.postgres.streams import Lease, PostgresBatches, growing
from mapper.errors import TransactionClosed
from mapper.gateway import Batches, Connection, Decode
from mapper.operations import Operation, QuerySql, Result, Transaction

__all__ = ["Hold", "PostgresConnection"]

T = TypeVar("T")


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
        assert self._connection is not None
        await self._pool.settle(self._connection.release())


class PostgresConnection(Connection):
    """
    A held connection; see `mapper.gateway.Connection`. What several tasks do on it is done in the order of their
    asking.
    """

    def __init__(self, session: Session, events: Events) -> None:
        self._session: Session | None = session
        self._events = events
        self._turn = asyncio.Lock()

    @property
    def driver(self) -> Any:
        """
        The asyncpg connection. It is reset at the end of the block.

        Raises:
            TransactionClosed: The block has ended.
        """
        session = self._held()
        session.altered = True
        return session.driver

    def _held(self) -> Session:
        if self._session is None:
            raise TransactionClosed(
                "the connection was used after its block", hint="use it within `async with gateway.connection()`"
            )
        return self._session

    def release(self) -> Session:
        """Give the connection up."""
        session, self._session = self._held(), None
        return session

    async def execute(self, operation: Operation) -> Result:
        """Run one operation; see `mapper.gateway.Connection.execute`."""
        cancelled = await self._take_turn(operation)
        try:
            result = await self._execute(self._held(), operation)
        finally:
            self._turn.release()
        if cancelled is not None:
            raise cancelled
        return result

    async def _execute(self, session: Session, operation: Operation) -> Result:
        measured = Measured(self._events) if self._events else None
        try:
            result = await execute(session, operation)
        except BaseException as error:
            raised = failure(session, error, operation, alone=not session.is_open() or not session.in_transaction())
            if measured is not None:
                measured.end(operation, error=raised)
            if raised is error:
                raise
            raise raised from error
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
            session = self._held()
            measured = Measured(self._events) if self._events else None
            try:
                sql, parameters = readable(operation)
                records = await session.driver.fetch(sql, *parameters)
                return decoded(records, operation, decode, measured)
            except BaseException as error:
                raised = failure(session, error, operation, alone=False)
                if measured is not None:
                    measured.end(operation, error=raised)
                if raised is error:
                    raise
                raise raised from error

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
            session = self._held()
            measured = Measured(self._events) if self._events else None
            lease = Lease(session, _keep, _do_nothing, own=not session.in_transaction())
            batches: _Shared[T] = _Shared(self._turn, lease, operation, decode, sizes, measured)
            await PostgresBatches.begin(batches)
            return batches


class _Shared(PostgresBatches[T]):
    """A stream of a held connection: its batches are read in turn with whatever else runs there."""

    __slots__ = ("_turn",)

    def __init__(self, turn: asyncio.Lock, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._turn = turn

    async def next(self) -> Sequence[T] | None:
        if self._batch is not None or self._lease is None:
            return await super().next()
        async with self._turn:
            return await super().next()

    async def aclose(self) -> None:
        if self._lease is not None:
            async with self._turn:
                await super().aclose()


def decoded(records: Sequence[Any], operation: Operation, decode: Decode[T], measured: Measured | None) -> list[T]:
    """Make objects of all of the driver's rows, and tell of the operation."""
    names = () if (isinstance(operation, QuerySql) and operation.columns) or not records else tuple(records[0].keys())
    rows = list(map(tuple, records))
    if measured is None:
        return decode(rows, names)
    return measured.decoded(operation, rows, names, decode)


async def _keep(error: BaseException | None) -> None:
    """The connection stays with its block."""
    del error


def _do_nothing() -> None:
    pass


def _as_they_are(rows: Sequence[Any], names: Sequence[str]) -> list[tuple[Any, ...]]:
    del names
    return list(rows)
