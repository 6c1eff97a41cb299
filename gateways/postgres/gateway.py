"""
The PostgreSQL gateway.

Statements go in and operations come out of `compile`; operations go in and results come out of the rest, on connections
of a pool.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from ssl import SSLContext
from time import monotonic
from typing import Any, ClassVar, Final

from typing_extensions import TypeVar

from gateways.postgres.calls import accepted
from gateways.postgres.codecs import POSTGRES_CODECS
from gateways.postgres.connection import Hold
from gateways.postgres.connections import Connections
from gateways.postgres.dialect import POSTGRES
from gateways.postgres.errors import reraise
from gateways.postgres.events import Events, Measured
from gateways.postgres.execution import IN_TIME, WRITERS, execute, failed, may_write, perform, readable, writes
from gateways.postgres.hearing import Hearing
from gateways.postgres.hosts import Hosts
from gateways.postgres.inserting import given_back
from gateways.postgres.inspection import columns_query, keeps, stored_columns, stored_type
from gateways.postgres.merging import Merging, MergingCompiler
from gateways.postgres.plans import analysing, asking, plan_of
from gateways.postgres.raw import nature, run_alone
from gateways.postgres.reading import decoded, rows_for
from gateways.postgres.scoping import SchemaCompilers, Scoped, drift, locked
from gateways.postgres.session import Session
from gateways.postgres.settings import STATEMENTS, Password, Settings
from gateways.postgres.shelter import Sheltered
from gateways.postgres.streams import PostgresBatches, growing, lease_from
from gateways.postgres.updating import ONE, refusal
from gateways.sql import SqlCompiler
from mapper.capabilities import Capabilities
from mapper.delegating import ScopedGateway
from mapper.errors import ConnectionLost
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
from mapper.operations import Call, Insert, Operation, QuerySql, RawSql, Result, SqlOperation, UpdateSql
from mapper.programs import driven
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
        url: `postgresql://user:password@host:port/database`, several hosts with commas; the keywords below and further
            options of libpq (`host`, `options`, `sslcrl` …) may stand in it as parameters, and then count instead of
            the keywords.
        max_connections: Connections at most; opened when they are needed.
        pool_timeout: Seconds to wait for a free connection before `PoolTimeout`.
        connect_timeout: Seconds to wait for a host to take a connection, before the next one or `CannotConnect`.
        statement_timeout: Seconds that the server works on a statement at most, before `StatementTimeout`.
        command_timeout: Seconds to wait for the server's answer at most; the connection is closed then.
        max_lifetime: Seconds after which a connection is replaced.
        max_idle: Seconds after which a connection that nobody uses is closed.
        application_name: What the server calls the connections.
        search_path: Where the server looks for tables without a namespace.
        password: Instead of one in the URL; or a function, async or not, that gives one for each new connection.
        sslmode: `disable allow prefer require verify-ca verify-full`; `prefer` unless it is given.
        sslrootcert: A file with who signed the server's certificate, or `system` for whom the system trusts.
        sslcert, sslkey: Files with a certificate and a key of the client's own.
        ssl: A context, instead of all that.
        target_session_attrs: Which of the hosts: `any read-write read-only primary standby prefer-standby`.
        statement_cache_size: Prepared statements that a connection keeps; 0 behind a pooler that shares connections.
        merge_point_reads: Reads by key that many tasks ask for at once go as one operation; see `merging`.

    Attributes:
        hearing: The one connection for all listeners, which is opened for the first and is none of the pool's.

    Raises:
        QueryError: The URL or an argument is wrong.
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
        password: Password | None = None,
        sslmode: str | None = None,
        sslrootcert: str | None = None,
        sslcert: str | None = None,
        sslkey: str | None = None,
        ssl: SSLContext | None = None,
        target_session_attrs: str | None = None,
        statement_cache_size: int = STATEMENTS,
        merge_point_reads: bool = False,
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
            "password": password,
            "sslmode": sslmode,
            "sslrootcert": sslrootcert,
            "sslcert": sslcert,
            "sslkey": sslkey,
            "ssl": ssl,
            "target_session_attrs": target_session_attrs,
            "statement_cache_size": statement_cache_size,
            "merge_point_reads": merge_point_reads,
        }
        self.capabilities: Capabilities = POSTGRES.capabilities
        self.codecs: Codecs = POSTGRES_CODECS
        self._settings = settings = Settings.read(url, keywords)
        hosts = Hosts(settings)
        self._pool = Connections(hosts.connect, settings.limits, timeout=settings.pool_timeout, writes=settings.writes)
        self.hearing = Hearing(hosts.connect)
        self._events = Events()
        self._merging = merging = Merging(self._fetch, self._events) if settings.merge_point_reads else None
        parts = POSTGRES, POSTGRES_CODECS
        self._compiler = SqlCompiler(*parts) if merging is None else MergingCompiler(*parts, merging)
        self._schemas = SchemaCompilers(self._compiler)

    def __repr__(self) -> str:
        return f"PostgresGateway({self._settings.shown!r})"

    @property
    def identity(self) -> tuple[str, ...]:
        """The hosts, the database, the role, and where tables without a namespace are looked for."""
        return (self.name, *self._settings.identity)

    # Compiling

    def compile(self, statement: Statement) -> SqlOperation:
        """Compile a statement; see `mapper.gateway.Gateway.compile`."""
        return self._compiler.compile(statement)

    def accept(self, call: Call) -> Call:
        """Return a call that may stand in a changeset; see `mapper.gateway.Gateway.accept`."""
        return accepted(call)

    def compile_schema(self, change: CreateSchema | DropSchema | AddColumn) -> Sequence[Operation]:
        """
        Compile a change of the schema to the operations that make it, in order. No I/O.

        The first is a lock until the end of the transaction: of two programs that make one schema at once, PostgreSQL
        would fail one, in spite of IF NOT EXISTS.
        """
        return locked(self._compiler.compile_schema(change))

    def in_schema(self, schema: str) -> Gateway:
        """Return this gateway for relations in a schema; see `mapper.gateway.Gateway.in_schema`."""
        return ScopedGateway(self, schema, Scoped(self, schema, self._schemas.of(schema)))

    def declared_type(self, type_: StorageType[Any]) -> str:
        """Return what PostgreSQL calls the type of a column that it makes for a storage type."""
        return stored_type(type_)

    def keeps(self, stored: StoredColumn, type_: StorageType[Any]) -> bool:
        """Return whether a column of the database keeps the values of a storage type exactly; a wider one does."""
        return keeps(stored.type, type_)

    async def inspect(self, relation: Any) -> Sequence[StoredColumn] | None:
        """Return the columns of a relation's table, in its order; None where there is none."""
        described = info(relation)
        return stored_columns(described, (await self.execute(columns_query(described))).rows)

    async def drift(self, relation: Any) -> Sequence[Drift]:
        """Return what is over a relation's table otherwise than declared; see `mapper.gateway.Gateway.drift`."""
        return await drift(self, self._compiler, relation)

    async def explain(
        self, operation: Operation, *, analyze: bool = False, executor: Executor | None = None, **options: bool
    ) -> Plan:
        """
        Ask the server how it runs an operation; see `mapper.gateway.Gateway.explain`.

        Args:
            options: Of EXPLAIN: `buffers`, `verbose`, `settings`.
        """
        executor = executor or self
        question = asking(operation, {"analyze": analyze, "buffers": False, **options})
        if not analyze:
            return plan_of((await executor.execute(question)).rows[0][0])
        return plan_of(await executor.run(analysing(question, within=executor.gateway is not executor)))

    # Running

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        """Run a read on any connection and return all of its rows as objects."""
        if self._merging is not None:
            found = await self._merging.fetch(operation, decode)
            if found is not None:
                return found
        if self._events.listeners or not isinstance(operation, QuerySql) or not operation.columns:
            return await self._fetch(operation, decode, Measured(self._events) if self._events else None)
        session = self._pool.take() or await self._pool.acquire()
        began = monotonic()
        try:
            records = await session.driver.fetch(operation.sql, *operation.parameters)
        except BaseException as error:
            await self._require_stale(session, error, operation, began)
            return await self._fetch(operation, decode, None)
        self._pool.give(session)
        return decode(rows_for(decode, records), ())

    async def _fetch(self, operation: Operation, decode: Decode[T], measured: Measured | None) -> list[T]:
        sql, parameters = readable(operation)
        session = await self._begun(measured)
        began = monotonic()
        try:
            session.altered = isinstance(operation, RawSql) and nature(operation.text).alters
            records = await session.driver.fetch(sql, *parameters)
        except BaseException as error:
            await self._require_stale(session, error, operation, began, measured)
            return await self._fetch(operation, decode, measured)
        await self._pool.settle(session)
        return decoded(records, operation, decode, measured)

    async def execute(self, operation: Operation) -> Result:
        """Run one operation on any connection, in a transaction of its own."""
        measured = Measured(self._events) if self._events.listeners else None
        session = self._pool.take() or await self._pool.acquire()
        if measured is not None:
            measured.begin()
        try:
            kind: type[Any] = type(operation)
            # What one row takes stands here: each coroutine less between the caller and the driver is felt.
            if isinstance(operation, Insert) and operation.returning and operation.sql and len(operation.rows) == 1:
                records = await Sheltered(session.driver.fetch(operation.sql, *operation.rows[0]), IN_TIME)
                result = given_back(records)
            elif isinstance(operation, UpdateSql) and operation.many and len(operation.parameters) == 1:
                status = await Sheltered(session.driver.execute(operation.sql, *operation.parameters[0]), IN_TIME)
                if not status.endswith(" 1"):
                    raise await Sheltered(refusal(session, operation, operation.parameters[0]), IN_TIME)
                result = ONE
            elif (write := WRITERS.get(kind)) is not None:
                result = await Sheltered(write(session, operation), IN_TIME)
            elif isinstance(operation, RawSql):
                work = run_alone(session, operation)
                result = await (Sheltered(work, IN_TIME) if may_write(operation) else work)
            elif writes(operation):
                result = await Sheltered(execute(session, operation), IN_TIME)
            else:
                result = await execute(session, operation)
        except BaseException as error:
            reraise(await self._failed(session, error, operation, measured), error)
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
            value = await driven(program, partial(self._step, session), Exception)
        except BaseException as error:
            program.close()
            if not isinstance(error, Exception):
                session.give_up(awaited=True)
            await self._pool.settle(session)
            raise
        await self._pool.settle(session)
        return value

    async def _step(self, session: Session, operation: Operation) -> Result:
        measured = Measured(self._events) if self._events else None
        try:
            result = await perform(session, operation)
        except BaseException as error:
            reraise(failed(session, error, operation, measured), error)
        if measured is not None:
            measured.end(operation, result.count)
        return result

    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        """Run a read on any connection and return its rows in batches; the connection goes back at their end."""
        readable(operation)
        measured = Measured(self._events) if self._events else None
        session = await self._begun(measured)
        began = monotonic()
        lease = lease_from(self._pool, session, operation)
        batches = PostgresBatches(lease, operation, decode, growing(), self._events, measured)
        try:
            await batches.begin()
        except ConnectionLost:
            if not _may_be_stale(session, began, operation):
                raise
        else:
            return batches
        return await self.stream(operation, decode)

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
        raised = failed(session, error, operation, measured)
        await self._pool.settle(session)
        return raised

    async def _require_stale(
        self,
        session: Session,
        error: BaseException,
        operation: Operation,
        began: float,
        measured: Measured | None = None,
    ) -> None:
        """Give the connection back or up, and raise what is to be raised unless the read can be made again."""
        stale = _may_be_stale(session, began, operation)
        raised = await self._failed(session, error, operation, measured)
        try:
            if not (stale and isinstance(raised, ConnectionLost)):
                reraise(raised, error)
        finally:
            del raised, error

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
        Close the idle connections; those in use are closed when they come back. Listeners come to their end. The gateway
        connects again at its next use.
        """
        await self.hearing.aclose()
        await self._pool.aclose()


def _may_be_stale(session: Session, began: float, operation: Operation) -> bool:
    """Whether a read was lost because its connection had been lost before, so that it can be made again."""
    is_read = isinstance(operation, QuerySql) and not operation.writes
    return is_read and session.was_idle() and monotonic() - began < STALE_SECONDS
