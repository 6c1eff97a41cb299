"""
The PostgreSQL gateway.

Statements go in and operations come out of `compile`; operations go in and results come out of the rest, on connections
of a pool.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from time import monotonic
from typing import Any, ClassVar, Final

from typing_extensions import TypeVar

from gateways.postgres.codecs import POSTGRES_CODECS
from gateways.postgres.columns import declared_type
from gateways.postgres.connection import Hold, decoded
from gateways.postgres.connections import Connections
from gateways.postgres.dialect import POSTGRES
from gateways.postgres.driver import connect
from gateways.postgres.events import Events, Measured
from gateways.postgres.execution import execute, failure, readable, writes
from gateways.postgres.inspection import columns_query, stored_columns
from gateways.postgres.raw import nature, run_alone
from gateways.postgres.session import Session
from gateways.postgres.settings import Settings
from gateways.postgres.shelter import Sheltered
from gateways.postgres.streams import Lease, PostgresBatches, growing
from gateways.sql import SqlCompiler
from mapper.capabilities import Capabilities
from mapper.errors import ConnectionLost
from mapper.gateway import (
    Batches,
    Connection,
    Decode,
    Gateway,
    Listener,
    PoolStatistics,
    Program,
    StoredColumn,
)
from mapper.operations import Operation, QuerySql, RawSql, Result, SqlOperation
from mapper.relation import info
from mapper.statements import AddColumn, CreateSchema, DropSchema, Statement
from mapper.types import Codecs, StorageType

__all__ = ["PostgresGateway"]

T = TypeVar("T")

STALE_SECONDS: Final = 1.0
"""
A read that loses within this time a connection that was idle before is made again: the server had gone, and nobody
could know.
"""


class PostgresGateway(Gateway):
    """
    A PostgreSQL database, through asyncpg, on asyncio.

    Args:
        url: `postgresql://user:password@host:port/database`, several hosts with commas; the keywords below and the TLS
            options of libpq (`sslmode`, `sslrootcert` …) may stand in it as parameters, and then count instead of the
            keywords.
        max_connections: Connections at most; opened when they are needed.
        pool_timeout: Seconds to wait for a free connection before `PoolTimeout`.
        connect_timeout: Seconds to wait for the server to take a connection before `CannotConnect`.
        statement_timeout: Seconds that the server works on a statement at most, before `StatementTimeout`.
        command_timeout: Seconds to wait for the server's answer at most; the connection is closed then.
        max_lifetime: Seconds after which a connection is replaced.
        max_idle: Seconds after which a connection that nobody uses is closed.
        application_name: What the server calls the connections.
        search_path: Where the server looks for tables without a namespace.

    Raises:
        CannotConnect: The URL or an argument is wrong; or later, when the server cannot be reached.
    """

    name: ClassVar[str] = "postgres"

    def __init__(
        self,
        url: str,
        *,
        max_connections: int = 10,
        pool_timeout: float = 30.0,
        connect_timeout: float = 10.0,
        statement_timeout: float | None = None,
        command_timeout: float | None = None,
        max_lifetime: float = 3600.0,
        max_idle: float = 600.0,
        application_name: str | None = None,
        search_path: str | None = None,
    ) -> None:
        keywords = {
            "max_connections": max_connections,
            "pool_timeout": pool_timeout,
            "connect_timeout": connect_timeout,
            "statement_timeout": statement_timeout,
            "command_timeout": command_timeout,
            "max_lifetime": max_lifetime,
            "max_idle": max_idle,
            "application_name": application_name,
            "search_path": search_path,
        }
        self.capabilities: Capabilities = POSTGRES.capabilities
        self.codecs: Codecs = POSTGRES_CODECS
        self._settings = Settings.read(url, keywords)
        self._pool = Connections(
            partial(connect, self._settings), self._settings.limits, timeout=self._settings.pool_timeout
        )
        self._compiler = SqlCompiler(POSTGRES, POSTGRES_CODECS)
        self._events = Events()

    def __repr__(self) -> str:
        return f"PostgresGateway({self._settings.shown!r})"

    # Compiling

    def compile(self, statement: Statement) -> SqlOperation:
        """Compile a statement; see `mapper.gateway.Gateway.compile`."""
        return self._compiler.compile(statement)

    def compile_schema(self, change: CreateSchema | DropSchema | AddColumn) -> Sequence[Operation]:
        """Compile a change of the schema to the operations that make it, in order. No I/O."""
        return self._compiler.compile_schema(change)

    def declared_type(self, type_: StorageType[Any]) -> str:
        """Return what PostgreSQL calls the type of a column that it makes for a storage type."""
        return _INSPECTED.get(name := declared_type(type_), name)

    async def inspect(self, relation: Any) -> Sequence[StoredColumn] | None:
        """Return the columns of a relation's table, in its order; None where there is none."""
        return stored_columns((await self.execute(columns_query(info(relation)))).rows)

    # Running

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        """Run a read on any connection and return all of its rows as objects."""
        if self._events or not isinstance(operation, QuerySql) or not operation.columns:
            return await self._fetch(operation, decode)
        session = self._pool.take() or await self._pool.acquire()
        began = monotonic()
        try:
            records = await session.driver.fetch(operation.sql, *operation.parameters)
        except BaseException as error:
            stale = session.was_idle() and monotonic() - began < STALE_SECONDS and not operation.writes
            raised = await self._failed(session, error, operation)
            if stale and isinstance(raised, ConnectionLost):
                return await self._fetch(operation, decode)
            raise raised from error
        self._pool.give(session)
        return decode(list(map(tuple, records)), ())

    async def _fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        sql, parameters = readable(operation)
        measured = Measured(self._events) if self._events else None
        session = await self._begun(measured)
        try:
            session.altered = isinstance(operation, RawSql) and nature(operation.text).alters
            records = await session.driver.fetch(sql, *parameters)
        except BaseException as error:
            raise await self._failed(session, error, operation, measured) from error
        await self._pool.settle(session)
        return decoded(records, operation, decode, measured)

    async def execute(self, operation: Operation) -> Result:
        """Run one operation on any connection, in a transaction of its own."""
        measured = Measured(self._events) if self._events else None
        session = await self._begun(measured)
        try:
            if isinstance(operation, RawSql):
                result = await run_alone(session, operation)
            elif writes(operation):
                result = await Sheltered(execute(session, operation), partial(self._pool.hasten, session))
            else:
                result = await execute(session, operation)
        except BaseException as error:
            raise await self._failed(session, error, operation, measured) from error
        if session.altered:
            await self._pool.settle(session)
        else:
            self._pool.give(session)
        if measured is not None:
            measured.end(operation, result.count)
        return result

    async def run(self, program: Program[T]) -> T:
        """Run a program on one connection; see `mapper.gateway.Executor.run`."""
        session = self._pool.take() or await self._pool.acquire()
        try:
            value = await self._drive(session, program)
        except BaseException as error:
            program.close()
            if not isinstance(error, Exception):
                session.terminate()
            await self._pool.settle(session)
            raise
        await self._pool.settle(session)
        return value

    async def _drive(self, session: Session, program: Program[T]) -> T:
        result: Result | None = None
        error: BaseException | None = None
        while True:
            try:
                operation = program.throw(error) if error is not None else program.send(result)  # type: ignore[arg-type]  # the first send is None
            except StopIteration as stop:
                value: T = stop.value
                return value
            result, error = None, None
            try:
                result = await self._step(session, operation)
            except Exception as caught:
                error = caught

    async def _step(self, session: Session, operation: Operation) -> Result:
        measured = Measured(self._events) if self._events else None
        alone = not session.in_transaction()
        try:
            result = await execute(session, operation)
        except BaseException as error:
            raised = failure(session, error, operation, alone=alone)
            if measured is not None:
                measured.end(operation, error=raised)
            if raised is error:
                raise
            raise raised from error
        if measured is not None:
            measured.end(operation, result.count)
        return result

    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        """Run a read on any connection and return its rows in batches; the connection goes back at their end."""
        readable(operation)
        measured = Measured(self._events) if self._events else None
        session = await self._begun(measured)
        lease = Lease(session, partial(self._ended, session), partial(self._pool.give_later, session), own=True)
        batches = PostgresBatches(lease, operation, decode, growing(), measured)
        await batches.begin()
        return batches

    async def _ended(self, session: Session, error: BaseException | None) -> None:
        del error
        await self._pool.settle(session)

    # Connections

    async def _begun(self, measured: Measured | None) -> Session:
        session = self._pool.take() or await self._pool.acquire()
        if measured is not None:
            measured.begin()
        return session

    async def _failed(
        self, session: Session, error: BaseException, operation: Operation, measured: Measured | None = None
    ) -> BaseException:
        """Give the error to be raised, and the connection back, or up where it cannot be used again."""
        raised = failure(session, error, operation, alone=True)
        await self._pool.settle(session)
        if measured is not None:
            measured.end(operation, error=raised)
        return raised

    def connection(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Connection]:
        """Hold one connection for the length of a block."""
        del read_only
        return Hold(self._pool, self._events)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """
        Have a listener called with one event per operation, on the loop.

        Returns:
            What ends it; calling that twice is a no-op.
        """
        return self._events.subscribe(listener)

    def statistics(self) -> PoolStatistics:
        """Count connections."""
        return self._pool.statistics()

    async def aclose(self) -> None:
        """
        Close the idle connections; those in use are closed when they come back. The gateway connects again at its next
        use.
        """
        await self._pool.aclose()


_INSPECTED = {
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "time": "time without time zone",
}
"""What the server's own catalogue calls a type that has a shorter name."""
