"""
The store of one process: the memory gateway, whose snapshots and commits wait for their turns.

Each waits before it happens and before it is answered; the answer to a commit may be lost.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from mapper.delegating import DelegatingGateway
from mapper.errors import CommitUnknown
from mapper.gateway import Batches, Connection, Decode, Program
from mapper.operations import Operation, Result, Transaction

if TYPE_CHECKING:
    from tests.cache.interleaving.worlds import ShopWorld

__all__ = ["Held", "Store"]

T = TypeVar("T")


class Store(DelegatingGateway):
    """The gateway of one process: the memory gateway, whose snapshots and commits wait for their turns."""

    def __init__(self, world: "ShopWorld", owner: str) -> None:
        super().__init__(world.inner)
        self.world = world
        self.owner = owner

    @property
    def identity(self) -> tuple[str, ...]:
        return ("memory", "the only one")

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        return await self.reading(lambda: self.inner.fetch(operation, decode))

    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        return PacedBatches(self, await self.reading(lambda: self.inner.stream(operation, decode)))

    async def execute(self, operation: Operation) -> Result:
        return await self.committing(lambda: self.inner.execute(operation))

    async def run(self, program: Program[T]) -> T:
        async with self.connection() as connection:
            return await connection.run(program)

    def connection(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Connection]:
        return self._held(read_only)

    @asynccontextmanager
    async def _held(self, read_only: bool) -> AsyncGenerator[Connection]:
        async with self.inner.connection(read_only=read_only) as connection:
            held = Held(self, connection)
            self.world.open[self.owner].append(held)
            try:
                yield held
            finally:
                self.world.open[self.owner].remove(held)
                self.world.touch("store", "write")

    async def reading(self, read: Callable[[], Awaitable[T]]) -> T:
        """Read: the snapshot is taken in one turn, and answered in another."""
        world = self.world
        await world.point(self.owner, "snapshot")
        world.touch("store", "read")
        world.learn(len(world.commits))
        world.seen[world.label()] = len(world.commits)
        value = await read()
        world.learn(repr(value) if isinstance(value, list) else None)
        await world.point(self.owner, "answer")
        return value

    async def committing(self, commit: Callable[[], Awaitable[T]]) -> T:
        """Commit: it takes effect in one turn, and is answered in another."""
        world = self.world
        await world.point(self.owner, "COMMIT")
        value = await commit()
        if world.turns is not None:
            world.committed()
        answers = ("", "!lost") if world.turns is not None and world.left["unknown"] else ("",)
        if await world.point(self.owner, "answer", answers):
            world._spend("unknown")
            raise CommitUnknown("the connection was lost before the answer")
        return value


class PacedBatches(Batches[T]):
    """A stream whose batches wait for their turns."""

    def __init__(self, store: Store, batches: Batches[T]) -> None:
        self._store = store
        self._batches = batches

    @property
    def holds(self) -> bool:
        return self._batches.holds

    async def next(self) -> Sequence[T] | None:
        await self._store.world.point(self._store.owner, "batch")
        return await self._batches.next()

    async def fetch(self, operation: Operation, decode: Decode[Any]) -> list[Any]:
        return await self._batches.fetch(operation, decode)

    async def aclose(self) -> None:
        await self._batches.aclose()

    def abandon(self) -> None:
        self._batches.abandon()


class Held(Connection):
    """A held connection, whose commits wait for their turns."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self._store = store
        self._inner = connection
        self._within = False

    @property
    def driver(self) -> Any:
        return self._inner.driver

    async def execute(self, operation: Operation) -> Result:
        store = self._store
        kind = operation.kind if isinstance(operation, Transaction) else ""
        if kind == "commit" or not (kind or self._within):
            result = await store.committing(lambda: self._inner.execute(operation))
        else:
            # Who writes first has the turn to write until the end.
            store.world.touch("store", "write")
            result = await self._inner.execute(operation)
            store.world.learn((kind, len(store.world.commits)))
            if store.owner in store.world.dead:
                self.break_off()
                await store.world.never()
        if kind in {"start", "commit", "rollback"}:
            self._within = kind == "start"
        return result

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        return await self._store.reading(lambda: self._inner.fetch(operation, decode))

    async def stream(self, operation: Operation, chunk: int = 500) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
        async for batch in self._inner.stream(operation, chunk):
            yield batch

    async def stream_batches(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        return await self._store.reading(lambda: self._inner.stream_batches(operation, decode))

    def break_off(self) -> None:
        """Roll back, as a store does whose client is gone."""
        self._inner.end()  # type: ignore[attr-defined]  # the memory gateway's
