"""
A held connection of a gateway with a cache in front: reads see the store itself, and what becomes visible changes tags.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from types import TracebackType
from typing import Any

from typing_extensions import TypeVar

from mapper.cache.batches import ChangingBatches
from mapper.cache.committing import Commits, Invalidating
from mapper.cache.operations import CachedRead, bare
from mapper.cache.tracking import Tracker, changes_of
from mapper.cache.writes import Changes
from mapper.errors import MapperError
from mapper.gateway import Batches, Connection, Decode, Gateway, Program
from mapper.operations import Operation, Result, Transaction
from mapper.programs import alone
from mapper.shielding import finish

__all__ = ["CachedConnection", "CachedHold"]

T = TypeVar("T")


class CachedHold(AbstractAsyncContextManager[Connection]):
    """The block in which a connection is held."""

    __slots__ = ("_commits", "_connection", "_gateway", "_hold")

    def __init__(self, gateway: Gateway, hold: AbstractAsyncContextManager[Connection], commits: Commits) -> None:
        self._gateway = gateway
        self._hold = hold
        self._commits = commits
        self._connection: CachedConnection | None = None

    async def __aenter__(self) -> Connection:
        connection = await self._hold.__aenter__()
        self._connection = CachedConnection(self._gateway, connection, self._commits)
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection = self._connection
        assert connection is not None, "the block was left without being entered"
        try:
            await self._hold.__aexit__(kind, error, trace)
        finally:
            cancelled = await finish(connection.over())
        if cancelled is not None and error is None:
            raise cancelled


class CachedConnection(Connection):
    """A held connection. What is done with the driver's own object is unknown, and counts as a change of everything."""

    def __init__(self, gateway: Gateway, connection: Connection, commits: Commits) -> None:
        self._gateway = gateway
        self._inner = connection
        self._commits = commits
        self._tracker = Tracker()
        self._driver_used = False

    @property
    def driver(self) -> Any:
        """The driver's own object. What it writes is known to the cache at the end of the block, not before."""
        self._driver_used = True
        return self._inner.driver

    async def execute(self, operation: Operation) -> Result:
        changes = self._tracker.visible(operation)
        if changes is None:
            self._tracker.note(operation)
            return await self._inner.execute(bare(operation))
        return await self._commits.drive(self._gateway, self._inner, alone(operation), self._tracker)

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        if self._commits.outbox is not None and not self._tracker.within and changes_of(operation):
            return await self._fetched_with_a_note(operation, decode)
        changes = self._seen(operation)
        if changes is None:
            return await self._inner.fetch(bare(operation), decode)
        async with Invalidating(self._commits, changes):
            return await self._inner.fetch(bare(operation), decode)

    async def _fetched_with_a_note(self, operation: Operation, decode: Decode[T]) -> list[T]:
        """Read what writes too, in a transaction of its own, so that the outbox has a note of it."""
        await self.execute(Transaction("start"))
        try:
            rows = await self.fetch(operation, decode)
        except BaseException:
            with suppress(MapperError):  # what is raised is why it was rolled back
                await finish(self.execute(Transaction("rollback")))
            raise
        await self.execute(Transaction("commit"))
        return rows

    async def stream(self, operation: Operation, chunk: int = 500) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
        changes = self._seen(operation)
        if changes is None:
            async for batch in self._inner.stream(bare(operation), chunk):
                yield batch
        else:
            async with Invalidating(self._commits, changes):
                async for batch in self._inner.stream(bare(operation), chunk):
                    yield batch

    async def stream_batches(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        changes = self._seen(operation)
        if changes is None:
            return await self._inner.stream_batches(bare(operation), decode)
        return await ChangingBatches.opened(
            self._commits, changes, lambda: self._inner.stream_batches(bare(operation), decode)
        )

    def _seen(self, operation: Operation) -> Changes | None:
        """Take notice of an operation, and return what it makes visible by itself; None where that is nothing."""
        changes = self._tracker.visible(operation)
        self._tracker.note(operation)
        if isinstance(operation, CachedRead):
            self._commits.keeper.events.tell("bypass", "connection", relations=operation.shape.relations)
        return changes

    async def run(self, program: Program[T]) -> T:
        return await self._commits.drive(self._gateway, self._inner, program, self._tracker)

    async def over(self) -> None:
        """Tell the cache of what nobody knows, once the connection has gone back."""
        if self._driver_used:
            everything = Changes()
            everything.everything = True
            async with Invalidating(self._commits, everything):
                pass
