"""
One connection, held for the length of a block: what transactions run on.

Operations go in, one after the other; results come out. It takes the gateway's write lock when it begins to write, and
gives it back with the transaction.
"""

import asyncio
import itertools
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import TypeVar

from gateways.sqlite.execution import asks_for_settings, begins_write, dismiss, execute, run_program
from gateways.sqlite.pool import Pool
from gateways.sqlite.raw import readable
from gateways.sqlite.reading import Reading, fetch
from gateways.sqlite.session import Session
from gateways.sqlite.streams import SQLiteBatches, growing
from gateways.sqlite.tracing import Listeners
from mapper.errors import ConnectionLost, TransactionClosed
from mapper.gateway import Batches, Connection, Decode, Program
from mapper.operations import Operation, Result, Transaction

if TYPE_CHECKING:
    from gateways.sqlite.worker import Worker

__all__ = ["Hold"]

T = TypeVar("T")

_ENDING: Final = frozenset({"commit", "rollback", "release", "rollback_to"})


class Hold:
    """The block in which a connection is held."""

    __slots__ = ("_connection",)

    def __init__(self, pool: Pool, listeners: Listeners, *, read_only: bool) -> None:
        self._connection = SQLiteConnection(pool, listeners, read_only=read_only)

    async def __aenter__(self) -> Connection:
        await self._connection.acquire()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.release()


class SQLiteConnection(Connection):
    """
    A held connection; see `mapper.gateway.Connection`. Several tasks may use it: what they do is done in the order of
    their asking.
    """

    def __init__(self, pool: Pool, listeners: Listeners, *, read_only: bool) -> None:
        self._pool = pool
        self._listeners = listeners
        self._read_only = read_only
        self._worker: Worker | None = None
        self._turn = asyncio.Lock()
        self._streams = 0
        self._driver_used = False
        self._released = False

    @property
    def driver(self) -> Any:
        """
        The aiosqlite connection. The connection is closed at the end of the block, since nobody knows what was done to
        it.

        Raises:
            TransactionClosed: The block has ended.
        """
        worker = self._held()
        if not self._driver_used:
            self._driver_used = True
            worker.post(worker.session.be_patient)
        return worker.driver

    def _held(self) -> "Worker":
        if self._released:
            raise TransactionClosed(
                "the connection was used after its block", hint="use it within `async with gateway.connection()`"
            )
        if self._worker is None:
            raise ConnectionLost("the connection was given back while it waited to write, and no other was got")
        return self._worker

    async def acquire(self) -> None:
        """Take a connection; no lock yet."""
        self._pool.bind()
        self._keep(self._pool.take(False) or await self._pool.wait(False))

    def _keep(self, worker: "Worker") -> None:
        worker.holder = asyncio.current_task()
        self._worker = worker

    async def release(self) -> None:
        """Give the connection back, with nothing open on it."""
        self._released = True
        worker, self._worker = self._worker, None
        if worker is None:
            return
        try:
            if self._driver_used or self._streams or _unfinished(worker):
                await worker.visit(_tidy, certain=True)
        finally:
            worker.session.spent = worker.session.spent or self._driver_used
            self._pool.give(worker)

    # Operations

    async def execute(self, operation: Operation) -> Result:
        """Run one operation; see `mapper.gateway.Connection.execute`."""
        kind = operation.kind if isinstance(operation, Transaction) else None
        trace = self._listeners.trace()
        work = partial(execute, operation, trace)
        try:
            return await self._visit(operation, work, certain=kind in _ENDING, begins=kind == "start")
        finally:
            if trace is not None:
                self._listeners.tell(trace.events)

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        """Run a read and return all of its rows as objects."""
        trace = self._listeners.trace()
        try:
            return await self._visit(operation, partial(fetch, readable(operation), decode, trace))
        finally:
            if trace is not None:
                self._listeners.tell(trace.events)

    async def run(self, program: Program[T]) -> T:
        """Run a program in one visit to the connection's thread; see `mapper.gateway.Executor.run`."""
        try:
            operation = program.send(None)  # type: ignore[arg-type]  # starts it
        except StopIteration as stop:
            value: T = stop.value
            return value
        trace = self._listeners.trace()
        try:
            return await self._visit(operation, partial(run_program, program, operation, trace))
        except BaseException as error:
            dismiss(program, error)
            raise
        finally:
            if trace is not None:
                self._listeners.tell(trace.events)

    async def stream(self, operation: Operation, chunk: int = 500) -> AsyncGenerator[Sequence[tuple[Any, ...]]]:
        """Run a read and give its raw rows in batches of at most `chunk`. Closing the iterator closes the cursor."""
        batches = await self._stream(operation, _as_they_are, itertools.repeat(chunk))
        try:
            while (batch := await batches.next()) is not None:
                yield batch
        finally:
            await batches.aclose()

    async def stream_batches(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        """Run a read and return its rows as objects, in batches; the first is already there."""
        return await self._stream(operation, decode, growing())

    async def _stream(self, operation: Operation, decode: Decode[T], sizes: Iterator[int]) -> SQLiteBatches[T]:
        async with self._turn:
            worker = await self._ready(operation)
            self._streams += 1
            trace = self._listeners.trace()
            reading = Reading(readable(operation), decode, trace)
            batches = SQLiteBatches(
                self._pool, worker, reading, sizes, trace=trace, listeners=self._listeners, release=self._stream_ended
            )
            try:
                await batches.begin()
            finally:
                self._unlock(worker)
            return batches

    def _stream_ended(self) -> None:
        self._streams -= 1

    async def _visit(
        self, operation: Operation, work: Callable[[Session], T], *, certain: bool = False, begins: bool = False
    ) -> T:
        cancelled = await self._take_turn(certain)
        try:
            worker = await self._ready(operation)
            try:
                value = await worker.visit(
                    work, certain=certain, read_only=self._read_only, patient=asks_for_settings(operation)
                )
            except asyncio.CancelledError:
                if begins and _in_transaction(worker):
                    await worker.visit(Session.rollback, certain=True)
                raise
            finally:
                self._unlock(worker)
        finally:
            self._turn.release()
        if cancelled is not None:
            raise cancelled
        return value

    async def _take_turn(self, certain: bool) -> asyncio.CancelledError | None:
        """
        Wait for the operations before; certain work is done even if it is cancelled meanwhile, and the cancellation is
        returned.
        """
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

    # The write lock

    async def _ready(self, operation: Operation) -> "Worker":
        """Have a connection, and the write lock if the operation needs it."""
        write = begins_write(operation) and not self._read_only and not self._pool.read_only
        worker = self._worker
        if worker is None and not self._released:
            return await self._acquire_again(write)
        worker = self._held()
        if not write or worker.session.reads_only() or self._pool.lock(worker):
            return worker
        if self._streams or self._driver_used or _in_transaction(worker):
            return await self._pool.wait(True, own=worker)
        # Readers can have the connection while this one waits for its turn to write.
        self._worker = None
        self._pool.give(worker)
        return await self._acquire_again(True)

    async def _acquire_again(self, write: bool) -> "Worker":
        worker = self._pool.take(write) or await self._pool.wait(write)
        if self._released:
            self._pool.give(worker)
            return self._held()
        self._keep(worker)
        return worker

    def _unlock(self, worker: "Worker") -> None:
        if not _in_transaction(worker):
            self._pool.unlock(worker)


def _in_transaction(worker: "Worker") -> bool:
    """Tell whether a connection that is at rest has a transaction open."""
    try:
        return worker.session.raw.in_transaction
    except sqlite3.ProgrammingError:  # it has been closed
        return False


def _unfinished(worker: "Worker") -> bool:
    return _in_transaction(worker) or (not worker.ended and worker.session.unfinished())


def _tidy(session: Session) -> None:
    session.close_streams()
    session.rollback()


def _as_they_are(rows: Sequence[Any], names: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(rows)
