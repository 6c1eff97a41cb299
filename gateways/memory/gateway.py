"""
The memory gateway: the reference for what queries and changesets mean.

Statements go in and operations come out of `compile`; operations go in and results come out of the rest. Everything
happens in the caller's task, on asyncio and trio alike; only who must wait for another's transaction waits.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from time import perf_counter
from typing import Any, ClassVar, Final

from anyio.lowlevel import checkpoint
from attrs import evolve
from typing_extensions import TypeVar

from gateways.memory.batches import MemoryBatches
from gateways.memory.codecs import MEMORY_CODECS
from gateways.memory.connection import Hold, executed
from gateways.memory.explaining import plan_of
from gateways.memory.fetching import fetched
from gateways.memory.session import Session
from gateways.memory.sharing import Shared
from mapper.capabilities import Capabilities
from mapper.errors import QueryError, StatementError
from mapper.explaining import Plan
from mapper.gateway import (
    Batches,
    Connection,
    Decode,
    Executor,
    Gateway,
    Listener,
    PoolStatistics,
    Program,
    StoredColumn,
)
from mapper.operations import Operation, Result, Transaction
from mapper.programs import driven
from mapper.relation import info
from mapper.statements import AddColumn, CreateSchema, DropSchema, Statement
from mapper.types import Codecs, StorageType

__all__ = ["MEMORY_CAPABILITIES", "MemoryGateway"]

T = TypeVar("T")

MEMORY_CAPABILITIES: Final = Capabilities(
    gateway="memory",
    transactions=True,
    savepoints=True,
    isolation_levels=frozenset({"read uncommitted", "read committed", "repeatable read", "serializable"}),
    read_only=True,
    relational=True,
    returning=True,
    upsert=True,
    upsert_target=True,
    upsert_where=True,
    streaming=True,
    generated_keys=frozenset({"int"}),
    native_json=True,
    native_array=True,
    native_uuid=True,
    native_decimal=True,
    native_timestamptz=True,
    ilike=True,
    windows=True,
    ctes=True,
    recursive_ctes=True,
    lateral=True,
    right_join=True,
    full_join_conditions=True,
    correlated_order=True,
    correlated_grouping=True,
    foreign_keys=True,
    checks=True,
    schemas=True,
    ddl=True,
    ddl_transactions=True,
)

PATIENCE: Final = 64
"""Operations after which a caller lets others have a turn, even where it need not wait."""


class MemoryGateway(Gateway):
    """
    A store in the memory of this process. It lives as long as the gateway: `aclose` closes connections, and keeps the
    rows.

    One transaction writes at a time; others that are to write wait in line. Readers never wait: they read what was
    committed when they began, and a stream or a read-only transaction goes on reading that. Every isolation level is
    given as serializable.

    Args:
        max_connections: How many `connection()` blocks, transactions and unfinished streams there may be at once.
            Single operations need none.
        pool_timeout: Seconds to wait for one of them, or for the turn to write.

    Raises:
        QueryError: An argument is not a positive number.
    """

    name: ClassVar[str] = "memory"
    capabilities: Capabilities = MEMORY_CAPABILITIES
    codecs: Codecs = MEMORY_CODECS

    def __init__(self, *, max_connections: int = 100, pool_timeout: float = 30.0) -> None:
        for name, value in (("max_connections", max_connections), ("pool_timeout", pool_timeout)):
            if not value > 0:
                raise QueryError(f"{name} is {value!r}, expected a positive number")
        self._shared = Shared(self.codecs, limit=max_connections, timeout=pool_timeout)
        self._session = Session(self._shared.store, self._shared.compiler)
        self._operations = 0

    def __repr__(self) -> str:
        return f"<MemoryGateway of {len(self._shared.store.tables)} tables>"

    def compile(self, statement: Statement) -> Operation:
        """Compile a statement; see `Gateway.compile`."""
        return self._shared.compiler.compile(statement)

    def compile_schema(self, change: CreateSchema | DropSchema | AddColumn) -> Sequence[Operation]:
        """
        Compile a change of the schema; see `Gateway.compile_schema`.

        Raises:
            Unsupported: A check, default or generated column is in SQL that is not understood.
        """
        return self._shared.compiler.compile_schema(change)

    async def explain(self, operation: Operation, *, analyze: bool = False, executor: Executor | None = None) -> Plan:
        """
        Return how an operation is run, without costs, of which nothing is known; with `analyze`, how many rows it gives
        and how long that takes.
        """
        plan = plan_of(operation, self.codecs)
        if not analyze:
            return plan
        began = perf_counter()
        rows = await (executor or self).fetch(operation, _as_they_are)
        return evolve(plan, actual_rows=float(len(rows)), loops=1.0, seconds=perf_counter() - began)

    async def inspect(self, relation: Any) -> Sequence[StoredColumn] | None:
        """Return the columns of a relation's table, in their order; None where there is no such table."""
        await self._enter()
        described = info(relation)
        table = self._shared.store.tables.get((described.schema, described.name))
        if table is None:
            return None
        return [
            StoredColumn(
                name=each.name,
                type=self.declared_type(each.type),
                nullable=each.nullable,
                primary_key=each.primary_key,
                has_default=each.autoincrement or each.options.server_default is not None,
            )
            for each in table.layout.columns
        ]

    def declared_type(self, type_: StorageType[Any]) -> str:
        """Return the name of a storage type: values are kept as they are."""
        return repr(type_)

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        """Run a read and return all of its rows as objects. It needs no connection and waits for nobody."""
        await self._enter()
        return fetched(self._shared, self._session, operation, decode)

    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        """
        Run a read and return its rows in batches, all of the state of the store when it began.

        Raises:
            PoolTimeout: Too many streams and blocks are open.
        """
        await self._enter()
        shared = self._shared
        clock = shared.listeners.clock()
        await shared.take_place()
        if clock is not None:
            clock.queued()
        batches = MemoryBatches(shared, operation, decode, self._stream_ended, clock)
        shared.open.add(batches)
        batches.begin(self._session)
        return batches

    async def execute(self, operation: Operation) -> Result:
        """
        Run one operation, in a transaction of its own.

        Raises:
            StatementError: It is transaction control, which needs a connection.
            LockTimeout: Another transaction went on writing for too long.
        """
        await self._enter()
        if isinstance(operation, Transaction):
            raise StatementError(
                f"{operation.kind} without a connection",
                operation=operation,
                hint="hold one: async with gateway.connection()",
            )
        shared, session = self._shared, self._session
        clock = shared.listeners.clock()
        if not session.wants_turn(operation):
            return executed(shared, session, operation, clock)
        await shared.take_turn(operation, clock)
        try:
            return executed(shared, session, operation, clock)
        finally:
            shared.writer.give()

    async def run(self, program: Program[T]) -> T:
        """Run a program; see `Executor.run`. Once it has begun to write it is run to its end at once."""
        await self._enter()
        run = _ProgramRun(self._shared)
        try:
            return await run.drive(program)
        finally:
            run.end()

    def connection(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Connection]:
        """Hold a connection for the length of a block; what is open at its end is rolled back."""
        return Hold(self._shared, read_only=read_only)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have a listener called with one event per operation; call what is returned to end it."""
        return self._shared.listeners.add(listener)

    def statistics(self) -> PoolStatistics:
        """
        Count connections: blocks and streams that are open. None is idle, since nothing is kept of one; those who wait
        to write count as waiting.
        """
        return self._shared.statistics()

    async def aclose(self) -> None:
        """
        Roll back transactions, end streams and close connections. The rows stay, and the gateway can be used again.
        """
        self._shared.leave()

    async def _enter(self) -> None:
        """Belong to the running loop, and let others have their turn now and then."""
        self._shared.enter()
        self._operations += 1
        if not self._operations % PATIENCE:
            await checkpoint()

    def _stream_ended(self, batches: MemoryBatches[T]) -> None:
        self._shared.open.discard(batches)
        self._shared.give_place()


def _as_they_are(rows: Sequence[Any], names: Sequence[str]) -> list[Any]:
    del names
    return list(rows)


class _ProgramRun:
    """A program that is run without giving control away, except to wait for the turn to write."""

    __slots__ = ("_session", "_shared", "_turn")

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._session = Session(shared.store, shared.compiler)
        self._session.alone = True
        self._turn = False

    async def drive(self, program: Program[T]) -> T:
        return await driven(program, self._execute)

    async def _execute(self, operation: Operation) -> Result:
        shared, session = self._shared, self._session
        clock = shared.listeners.clock()
        if session.wants_turn(operation):
            await shared.take_turn(operation, clock)
            self._turn = True
        try:
            return executed(shared, session, operation, clock)
        finally:
            if not session.writing:
                self._give_turn()

    def end(self) -> None:
        """Roll back what the program left open."""
        self._session.close()
        self._give_turn()

    def _give_turn(self) -> None:
        if self._turn:
            self._turn = False
            self._shared.writer.give()
