"""
One connection, held for the length of a block: what transactions run on.

Operations go in, one after the other; results come out. It waits only where another one writes.
"""

from collections.abc import AsyncGenerator, Sequence
from types import TracebackType
from typing import Any

import anyio
from typing_extensions import TypeVar

from gateways.memory.batches import CHUNK, MemoryBatches
from gateways.memory.events import Clock
from gateways.memory.fetching import fetched
from gateways.memory.session import Session
from gateways.memory.sharing import Shared
from gateways.memory.store import Store
from mapper.errors import TransactionClosed
from mapper.gateway import Batches, Connection, Decode, Program
from mapper.operations import Operation, Result

__all__ = ["Hold", "MemoryConnection", "executed"]

T = TypeVar("T")


class MemoryConnection(Connection):
    """
    A held connection; see `mapper.gateway.Connection`. Several tasks may use it: what they do is done in the order of
    their asking.

    Attributes:
        loop, task: Who holds it.
    """

    def __init__(self, shared: Shared, *, read_only: bool) -> None:
        self._shared = shared
        self._session = Session(shared.store, shared.compiler, read_only=read_only)
        self._streams: set[MemoryBatches[Any]] = set()
        self._ended = False
        self.loop: object = shared.loop()
        self.task = anyio.get_current_task().id

    @property
    def driver(self) -> Store:
        """The tables themselves. Whoever changes them goes round constraints and transactions."""
        self._require_open()
        return self._shared.store

    async def execute(self, operation: Operation) -> Result:
        """Run one operation; see `mapper.gateway.Connection.execute`."""
        self._require_open()
        shared, session = self._shared, self._session
        clock = shared.listeners.clock()
        if session.wants_turn(operation):
            await self._take_turn(operation, clock)
        try:
            return executed(shared, session, operation, clock)
        finally:
            self._give_turn()

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        """Run a read and return all of its rows as objects."""
        self._require_open()
        return fetched(self._shared, self._session, operation, decode)

    async def stream(self, operation: Operation, chunk: int = CHUNK) -> AsyncGenerator[Sequence[tuple[Any, ...]]]:
        """Run a read and give its raw rows in batches of at most `chunk`. Closing the iterator closes the cursor."""
        batches = self._stream(operation, _as_they_are, chunk)
        try:
            while (batch := await batches.next()) is not None:
                yield batch
        finally:
            await batches.aclose()

    async def stream_batches(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        """Run a read and return its rows as objects, in batches; the first is already there."""
        return self._stream(operation, decode, CHUNK)

    async def run(self, program: Program[T]) -> T:
        """Run a program; what it leaves open of its own is rolled back."""
        within = self._session.in_transaction
        try:
            return await super().run(program)
        finally:
            if not within:
                self._undo()

    def end(self) -> None:
        """Close what is open on it and give it back; after the first time a no-op."""
        if self._ended:
            return
        self._ended = True
        for each in tuple(self._streams):
            each.end()
        self._undo()
        self._shared.open.discard(self)
        self._shared.give_place()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _require_open(self) -> None:
        self._shared.enter()
        if self._ended:
            raise TransactionClosed(
                "the connection was used after its end", hint="use it within `async with gateway.connection()`"
            )

    async def _take_turn(self, operation: Operation, clock: Clock | None) -> None:
        """Have the turn to write: for the length of a transaction that begins, or of one operation."""
        shared = self._shared
        await shared.take_turn(operation, clock)
        if self._ended:
            shared.writer.give()
            self._require_open()
        shared.holder = self

    def _give_turn(self) -> None:
        if self._shared.holder is self and not self._session.writing:
            self._shared.holder = None
            self._shared.writer.give()

    def _undo(self) -> None:
        self._session.close()
        self._give_turn()

    def _stream(self, operation: Operation, decode: Decode[T], chunk: int) -> MemoryBatches[T]:
        self._require_open()
        shared = self._shared
        batches = MemoryBatches(shared, operation, decode, self._streams.discard, shared.listeners.clock(), chunk)
        self._streams.add(batches)
        batches.begin(self._session)
        return batches


class Hold:
    """The block in which a connection is held."""

    __slots__ = ("_connection", "_read_only", "_shared")

    def __init__(self, shared: Shared, *, read_only: bool) -> None:
        self._shared = shared
        self._read_only = read_only
        self._connection: MemoryConnection | None = None

    async def __aenter__(self) -> Connection:
        shared = self._shared
        shared.enter()
        await shared.take_place()
        self._connection = connection = MemoryConnection(shared, read_only=self._read_only)
        shared.open.add(connection)
        return connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.end()


def executed(shared: Shared, session: Session, operation: Operation, clock: Clock | None) -> Result:
    """Run an operation and tell who listens."""
    if clock is None:
        return session.execute(operation)
    clock.queued()
    try:
        result = session.execute(operation)
        clock.rows = result.count
    except BaseException as error:
        _tell(shared, operation, clock, error)
        raise
    _tell(shared, operation, clock, None)
    return result


def _tell(shared: Shared, operation: Operation, clock: Clock | None, error: BaseException | None) -> None:
    if clock is not None:
        clock.queried()
        shared.listeners.tell(clock.event(operation, error))


def _as_they_are(rows: Sequence[Any], names: Sequence[str]) -> list[tuple[Any, ...]]:
    del names
    return list(rows)
