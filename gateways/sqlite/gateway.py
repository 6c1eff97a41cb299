"""
The SQLite gateway.

Statements go in and operations come out of `compile`; operations go in and results come out of the rest, each in one
visit to the thread of a connection.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, ClassVar, Final

from attrs import evolve
from typing_extensions import TypeVar

from gateways.sql import SqlCompiler
from gateways.sqlite.codecs import SQLITE_CODECS
from gateways.sqlite.columns import declared_type
from gateways.sqlite.connection import Hold
from gateways.sqlite.dialect import SQLITE
from gateways.sqlite.execution import asks_for_settings, begins_write, dismiss, execute_alone, run_program
from gateways.sqlite.explaining import asking, plan_of
from gateways.sqlite.glimpses import Glimpses
from gateways.sqlite.inline import SPELL, InlineReads
from gateways.sqlite.inspection import (
    columns_of,
    index_query,
    indexes_of,
    inspection,
    keeps,
    reference_query,
    references_of,
)
from gateways.sqlite.lanes import Lane
from gateways.sqlite.location import Location
from gateways.sqlite.pool import Pool
from gateways.sqlite.raw import readable
from gateways.sqlite.reading import Reading, fetch
from gateways.sqlite.session import Session
from gateways.sqlite.streams import SQLiteBatches, growing
from gateways.sqlite.tracing import Listeners, Trace
from gateways.sqlite.visits import Visit
from mapper.capabilities import Capabilities
from mapper.errors import QueryError, Unsupported
from mapper.explaining import Plan
from mapper.gateway import (
    Batches,
    Connection,
    Decode,
    Drift,
    Executor,
    Gateway,
    Listener,
    PoolStatistics,
    Program,
    StoredColumn,
)
from mapper.operations import Operation, QuerySql, Result, SqlOperation
from mapper.statements import AddColumn, CreateSchema, DropSchema, Statement
from mapper.types import Codecs, StorageType

__all__ = ["SQLiteGateway"]

T = TypeVar("T")

_LONGEST: Final = 2_000_000  # seconds; SQLite counts milliseconds in 32 bits


class SQLiteGateway(Gateway):
    """
    A SQLite database file, or one in memory, on asyncio.

    Readers work beside each other and beside one writer; writers of this gateway take turns in the order of their
    asking. Foreign keys are enforced, the journal is a write-ahead log, and commits outlast a crash of the process (one
    of the machine may undo the last of them, and damages nothing).

    Args:
        path: A file, whose directory must exist; the file is made if it does not. Every character of it is taken as it
            is. `:memory:` is a private database for all connections of this gateway, which lasts until `aclose`.
        max_connections: Connections at most, each with a thread; opened when they are needed.
        busy_timeout: Seconds to wait for locks of other processes before `LockTimeout`.
        read_only: The file is opened to read alone, and every write raises `ReadOnly`.
        inline_reads: Reads that have proven to be short, such as those by key, are done on the loop's own thread, on a
            connection that is not counted; and so are the first rows of streams that have proven to begin early, on
            their own connection.
        pool_timeout: Seconds to wait for a connection, or for the turn to write, before `PoolTimeout`.

    Raises:
        QueryError: An argument is out of its range.
    """

    name: ClassVar[str] = "sqlite"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_connections: int = 5,
        busy_timeout: float = 5.0,
        read_only: bool = False,
        inline_reads: bool = True,
        pool_timeout: float = 30.0,
    ) -> None:
        _require(max_connections >= 1, f"max_connections is {max_connections!r}, expected at least 1")
        _require(0 <= busy_timeout <= _LONGEST, f"busy_timeout is {busy_timeout!r}, expected seconds from 0")
        _require(pool_timeout > 0, f"pool_timeout is {pool_timeout!r}, expected seconds above 0")
        self.capabilities: Capabilities = SQLITE.capabilities
        self.codecs: Codecs = SQLITE_CODECS
        self._location = Location(path, read_only=read_only, busy_seconds=busy_timeout)
        self._pool = Pool(self._location, limit=max_connections, timeout=pool_timeout)
        self._reading, self._writing = Lane(self._pool, write=False), Lane(self._pool, write=True)
        self._compiler = SqlCompiler(SQLITE, SQLITE_CODECS)
        self._listeners = Listeners()
        self._inline = InlineReads(self._location) if inline_reads else None
        self._glimpses = Glimpses() if inline_reads else None
        self._epoch = 0

    def __repr__(self) -> str:
        return f"SQLiteGateway({self._location.shown!r})"

    @property
    def identity(self) -> tuple[str, ...]:
        """The file, by its real path; of `:memory:`, a name of its own."""
        return super().identity if self._location.memory else (self.name, os.path.realpath(self._location.shown))

    # Compiling

    def compile(self, statement: Statement) -> SqlOperation:
        """Compile a statement; see `mapper.gateway.Gateway.compile`."""
        return self._compiler.compile(statement)

    def compile_schema(self, change: CreateSchema | DropSchema | AddColumn) -> Sequence[Operation]:
        """Compile a change of the schema to the operations that make it, in order. No I/O."""
        return self._compiler.compile_schema(change)

    def declared_type(self, type_: StorageType[Any]) -> str:
        """Return the column type that CREATE TABLE gives values of a storage type."""
        return declared_type(type_)

    def keeps(self, stored: StoredColumn, type_: StorageType[Any]) -> bool:
        """Return whether a column of the database keeps values of a storage type; it goes by affinity."""
        return keeps(stored, type_)

    # Running

    async def explain(self, operation: Operation, *, analyze: bool = False, executor: Executor | None = None) -> Plan:
        """
        Ask how an operation is run; see `mapper.gateway.Gateway.explain`.

        Raises:
            Unsupported: With `analyze`, which SQLite has not; or the operation has no plan.
        """
        if analyze:
            raise Unsupported(
                "analyze",
                self.name,
                "SQLite tells how it runs a statement, and measures nothing",
                hint="leave out analyze",
            )
        return plan_of((await (executor or self).execute(asking(operation))).rows)

    async def inspect(self, relation: Any) -> Sequence[StoredColumn] | None:
        """Return the columns of a relation's table, in their order; None where there is no such table."""
        found = await self.execute(inspection(relation))
        return columns_of(found.rows) or None

    async def drift(self, relation: Any) -> Sequence[Drift]:
        """Return what is over a relation's table otherwise than declared; see `mapper.gateway.Gateway.drift`."""
        indexes = indexes_of((await self.execute(index_query(relation))).rows)
        references = references_of((await self.execute(reference_query(relation))).rows)
        return self._compiler.drift(relation, indexes, references)

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        """Run a read on any connection and return all of its rows as objects, decoded in the connection's thread."""
        trace = self._listeners.trace()
        inline = self._inline
        if inline is None or not isinstance(operation, QuerySql) or operation.writes or not operation.columns:
            return await self._visit(operation, partial(fetch, readable(operation), decode, trace), trace)
        loop = self._pool.bind()
        if self._epoch != self._pool.epoch:
            self._epoch = self._pool.epoch
            inline.begin()
        objects: list[T] | None = None
        if self._pool.may_read_beside():
            if inline.spell < SPELL:
                objects = inline.read(operation, decode, trace, loop)
            else:
                objects = await inline.read_in_turn(operation, decode, trace, loop)
        if objects is None:
            return await self._visit(operation, partial(inline.fetch, operation, decode, trace), trace)
        if trace is not None:
            self._listeners.tell(trace.events)
        return objects

    async def execute(self, operation: Operation) -> Result:
        """Run one operation on any connection, in a transaction of its own."""
        trace = self._listeners.trace()
        return await self._visit(operation, partial(execute_alone, operation, trace), trace)

    async def run(self, program: Program[T]) -> T:
        """Run a program on one connection, all of it in one visit to its thread; see `mapper.gateway.Executor.run`."""
        try:
            operation = program.send(None)  # type: ignore[arg-type]  # the first send starts it
        except StopIteration as stop:
            value: T = stop.value
            return value
        trace = self._listeners.trace()
        try:
            return await self._visit(operation, partial(run_program, program, operation, trace), trace)
        except BaseException as error:
            dismiss(program, error)
            raise

    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        """Run a read on any connection and return its rows in batches; the connection goes back at their end."""
        trace = self._listeners.trace()
        reading = Reading(readable(operation), decode, trace)
        write = self._writes(operation)
        self._pool.bind()
        worker = self._pool.take(write) or await self._pool.wait(write)
        batches = SQLiteBatches(
            self._pool,
            worker,
            reading,
            growing(),
            trace=trace,
            listeners=self._listeners,
            release=partial(self._pool.give, worker),
            glimpses=self._glimpses if isinstance(operation, QuerySql) and operation.columns and not write else None,
        )
        await batches.begin()
        return batches

    async def _visit(self, operation: Operation, work: Callable[[Session], T], trace: Trace | None) -> T:
        lane = self._writing if self._writes(operation) else self._reading
        loop = self._pool.bind()
        visit = Visit(work, loop, loop.time(), patient=asks_for_settings(operation))
        try:
            lane.add(visit)
            return await visit.outcome()
        except BaseException as error:
            if trace is not None and not trace.events:
                trace.add(operation, time.perf_counter(), error=error)
            raise
        finally:
            if trace is not None:
                self._listeners.tell(trace.events)

    def _writes(self, operation: Operation) -> bool:
        return begins_write(operation) and not self._pool.read_only

    # Connections

    def connection(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Connection]:
        """Hold one connection for the length of a block. With `read_only`, writes on it raise `ReadOnly`."""
        return Hold(self._pool, self._listeners, read_only=read_only)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """
        Have a listener called with one event per operation, on the loop, once the visit that ran it is over.

        Returns:
            What ends it; calling that twice is a no-op.
        """
        self._listeners.add(listener)
        return partial(self._listeners.remove, listener)

    def statistics(self) -> PoolStatistics:
        """Count connections, and callers that have none yet."""
        counts = self._pool.statistics()
        return evolve(counts, waiting=counts.waiting + self._reading.waiting() + self._writing.waiting())

    async def aclose(self) -> None:
        """
        Close every connection; those in use, behind what runs on them.

        What takes longer than two seconds is ended with `ConnectionLost`, unless it is a commit.

        The gateway connects again at its next use; `:memory:` is empty then.
        """
        if self._inline is None:
            await self._pool.aclose()
            return
        # It is closed before the others: the last one to be closed clears the log away, which this one cannot.
        self._inline.close()
        try:
            await self._pool.aclose()
        finally:
            self._inline.reopen()


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise QueryError(message)
