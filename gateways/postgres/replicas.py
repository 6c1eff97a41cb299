"""
Read replicas: reads go to a standby that has replayed what the caller wrote, else to the primary.

A gateway of the primary and gateways of its standbys go in; one gateway comes out. After each write it asks the primary
how far its log is, and a standby is read from only once it has replayed that far, so that a caller always sees its own
commits. What happens within transactions, and everything that writes, goes to the primary.
"""

import re
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final

from attrs import define, frozen
from typing_extensions import TypeVar

from gateways.postgres.gateway import PostgresGateway
from mapper.delegating import DelegatingGateway
from mapper.errors import CannotConnect, ConnectionLost, PoolTimeout, QueryError, ReadOnly
from mapper.gateway import Batches, Connection, Decode, Gateway, Listener, Program
from mapper.operations import Operation, QuerySql, RawSql, Result

__all__ = ["Position", "ReplicatedGateway"]

T = TypeVar("T")

WRITTEN: Final = RawSql("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint")
REPLAYED: Final = RawSql(
    "SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint END"
)
LOCKS: Final = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+)?(?:KEY\s+)?(?:UPDATE|SHARE)\b", re.IGNORECASE)

PAUSE: Final = 5.0
"""Seconds for which a standby that could not be reached is left alone."""


@frozen(order=True)
class Position:
    """A place in the primary's log, in bytes; what was committed before it is there once that much is replayed."""

    bytes: int


@define(eq=False)
class _Replica:
    """
    A standby, and how far it was seen to be.

    Attributes:
        replayed: Bytes of the primary's log.
        resting_until: On the monotonic clock; it could not be reached.
    """

    gateway: Gateway
    replayed: int = -1
    resting_until: float = 0.0


class ReplicatedGateway(DelegatingGateway):
    """
    A primary with standbys that it is read from.

    Args:
        primary: Takes every write, every transaction, and what locks rows.
        replicas: Standbys of it. A read takes the next of those that have replayed what this gateway wrote.
        clock: Gives seconds; for tests.

    A standby that does not answer is left alone for five seconds, and the read goes elsewhere. `aclose` closes all.
    """

    def __init__(
        self, primary: Gateway, replicas: Sequence[Gateway], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not replicas:
            raise QueryError("a replicated gateway without replicas", hint="use the primary's gateway itself")
        for each in (primary, *replicas):
            if not isinstance(each.innermost, PostgresGateway):
                raise QueryError(f"{each!r} is no gateway of PostgreSQL", hint="give PostgresGateways")
        super().__init__(primary)
        self._replicas = [_Replica(each) for each in replicas]
        self._clock = clock
        self._next = 0
        self._writes = 0
        self._known = 0
        self._written = 0

    @property
    def freshest(self) -> Gateway:
        """The primary: a standby may lag behind what others were told of."""
        return self.inner.freshest

    async def position(self) -> Position:
        """
        Return how far the log is behind everything that this gateway wrote: give it to whoever is to see that, in
        another process too.
        """
        await self._learn()
        return Position(self._written)

    def follow(self, position: Position) -> None:
        """Read from no standby that is not at least this far."""
        self._written = max(self._written, position.bytes)

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        return await self._read(operation, lambda gateway: gateway.fetch(operation, decode))

    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        return await self._read(operation, lambda gateway: gateway.stream(operation, decode))

    async def execute(self, operation: Operation) -> Result:
        if _only_reads(operation):
            return await self._read(operation, lambda gateway: gateway.execute(operation))
        return await self._wrote(self.inner.execute(operation))

    async def run(self, program: Program[T]) -> T:
        return await self._wrote(self.inner.run(program))

    def connection(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Connection]:
        """Hold a connection to the primary."""
        hold = self.inner.connection(read_only=read_only)
        return hold if read_only else _Writing(self, hold)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have a listener called with the operations of the primary and of every standby."""
        stops = [each.subscribe(listener) for each in (self.inner, *[each.gateway for each in self._replicas])]

        def stop() -> None:
            for each in stops:
                each()

        return stop

    async def aclose(self) -> None:
        for each in self._replicas:
            await each.gateway.aclose()
        await self.inner.aclose()

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _wrote(self, work: Awaitable[T]) -> T:
        """Do what may write; whatever comes of it, the log may be further then."""
        try:
            return await work
        finally:
            self._writes += 1

    async def _learn(self) -> None:
        """Ask the primary how far its log is, if something was written since."""
        writes = self._writes
        if writes != self._known:
            result = await self.inner.execute(WRITTEN)
            self._written = max(self._written, result.rows[0][0])
            self._known = max(self._known, writes)

    async def _read(self, operation: Operation, read: Callable[[Gateway], Awaitable[T]]) -> T:
        if _only_reads(operation):
            await self._learn()
            for _ in self._replicas:
                replica = await self._following()
                if replica is None:
                    break
                try:
                    return await read(replica.gateway)
                except (ConnectionLost, CannotConnect, PoolTimeout):
                    replica.resting_until = self._clock() + PAUSE
                    replica.replayed = -1
                except ReadOnly:
                    break  # it writes after all, through a function
            return await read(self.inner)
        return await self._wrote(read(self.inner))

    async def _following(self) -> _Replica | None:
        """Return the next standby that has replayed what was written, or None."""
        now = self._clock()
        for _ in self._replicas:
            replica = self._replicas[self._next % len(self._replicas)]
            self._next += 1
            if replica.resting_until <= now and await self._has_followed(replica):
                return replica
        return None

    async def _has_followed(self, replica: _Replica) -> bool:
        if replica.replayed >= self._written and replica.replayed >= 0:
            return True
        try:
            result = await replica.gateway.execute(REPLAYED)
        except (ConnectionLost, CannotConnect, PoolTimeout):
            replica.resting_until = self._clock() + PAUSE
            return False
        replayed = result.rows[0][0]
        replica.replayed = -1 if replayed is None else replayed
        return replica.replayed >= self._written


class _Writing(AbstractAsyncContextManager[Connection]):
    """A block of the primary, after which the log may be further."""

    def __init__(self, gateway: ReplicatedGateway, hold: AbstractAsyncContextManager[Connection]) -> None:
        self._gateway = gateway
        self._hold = hold

    async def __aenter__(self) -> Connection:
        return await self._hold.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        try:
            return await self._hold.__aexit__(kind, error, trace)
        finally:
            self._gateway._writes += 1


def _only_reads(operation: Operation) -> bool:
    """Whether an operation neither writes nor locks. Statements of the user's own are not known to."""
    return isinstance(operation, QuerySql) and not operation.writes and LOCKS.search(operation.sql) is None
