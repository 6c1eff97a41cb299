"""
A transaction as something that operations run on: one connection, one task at a time, until it ends or fails.

Operations go in from any number of tasks; they run in the order of their coming. What fails dooms it; a nested scope,
which is a savepoint, keeps its failures to itself.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeAlias

import anyio
from typing_extensions import TypeVar

from mapper.errors import QueryError, RolledBack, StoreError, TransactionClosed
from mapper.gateway import Batches, Connection, Decode, Gateway, Program
from mapper.operations import Operation, Result, Transaction
from mapper.turns import Turns

__all__ = ["Callback", "TransactionScope"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Callback: TypeAlias = Callable[[], object] | Callable[[], Awaitable[object]]


class TransactionScope:
    """
    An `Executor` on one connection; see there.

    Attributes:
        gateway: The gateway that it runs on.
        connection: The one connection.
        failure: The first error, which dooms it; None while all is well.
        callbacks: What is to run after the commit.
        undoings: What is to run after it was rolled back.
    """

    __slots__ = (
        "_child",
        "_ended",
        "_last",
        "_names",
        "_nesting",
        "_owner",
        "_savepoint",
        "_streams",
        "callbacks",
        "undoings",
        "connection",
        "failure",
        "gateway",
        "turns",
    )

    def __init__(self, gateway: Gateway, connection: Connection, parent: "TransactionScope | None" = None) -> None:
        self.gateway = gateway
        self.connection = connection
        self.failure: BaseException | None = None
        self.callbacks: list[Callback] = []
        self.undoings: list[Callback] = []
        self.turns: Turns = Turns() if parent is None else parent.turns
        self._names: list[int] = [0] if parent is None else parent._names
        self._savepoint = ""
        self._ended = False
        self._last = False
        self._child: TransactionScope | None = None
        self._nesting: Turns | None = None
        self._owner = 0
        self._streams: set[_ScopedBatches[Any]] = set()

    async def execute(self, operation: Operation) -> Result:
        """Run one operation; see `Executor.execute`."""
        await self._enter()
        try:
            return await self.connection.execute(operation)
        except BaseException as error:
            self.doom(error)
            raise
        finally:
            self.turns.give()

    async def run(self, program: Program[T]) -> T:
        """Run a program as one unit: no operation of another task comes between. Where it fails, nothing is kept."""
        try:
            await self._enter()
        except BaseException:
            program.close()
            raise
        try:
            return await self.connection.run(program)
        except BaseException as error:
            self.doom(error)
            raise
        finally:
            self.turns.give()

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        """Run a read; see `Executor.fetch`."""
        await self._enter()
        try:
            return await self.connection.fetch(operation, decode)
        except BaseException as error:
            self._doom_by_read(error)
            raise
        finally:
            self.turns.give()

    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        """Run a read in batches, between which others may use the transaction; see `Executor.stream`."""
        await self._enter()
        try:
            batches = await self.connection.stream_batches(operation, decode)
        except BaseException as error:
            self._doom_by_read(error)
            raise
        finally:
            self.turns.give()
        scoped = _ScopedBatches(self, batches)
        self._streams.add(scoped)
        return scoped

    def after_commit(self, callback: Callback) -> None:
        """
        Have a function called after the commit.

        Raises:
            TransactionClosed, RolledBack: There is none to come.
            QueryError: It cannot be called.
        """
        self.require_usable()
        if not callable(callback):
            raise QueryError(f"after_commit takes a function, not {callback!r}", hint="give it without calling it")
        self.callbacks.append(callback)

    def after_rollback(self, callback: Callback) -> None:
        """Have a function called once this has been rolled back. Errors as of `after_commit`."""
        self.require_usable()
        if not callable(callback):
            raise QueryError(f"after_rollback takes a function, not {callback!r}", hint="give it without calling it")
        self.undoings.append(callback)

    @property
    def nested_over(self) -> bool:
        """Whether it was nested, and what it did has been kept or undone."""
        return self._ended and not self._last

    def doom(self, error: BaseException) -> None:
        """Let nothing be done any more but rolling back. The first error stays."""
        if self.failure is None:
            self.failure = error

    def _doom_by_read(self, error: BaseException) -> None:
        """As `doom`; an error of the user's own model, say, is none of the store's and dooms nothing."""
        if isinstance(error, StoreError) or not isinstance(error, Exception):
            self.doom(error)

    def require_usable(self) -> None:
        """
        Refuse to be used where that cannot be right.

        Raises:
            TransactionClosed: It has ended, or a nested block is open.
            RolledBack: An operation has failed.
        """
        if self._ended:
            raise TransactionClosed(
                "the transaction was used after its end",
                hint="await everything within its block; give tasks that outlive it the repository",
            )
        if self.failure is not None:
            raise self.rolled_back()
        if self._child is not None:
            raise TransactionClosed(
                "the transaction was used while a nested block of it is open",
                hint="use what the inner `async with` gives: async with tx.transaction() as inner",
            )

    def rolled_back(self) -> RolledBack:
        """Return the error that names the first one, which is its cause."""
        error = RolledBack(
            f"the transaction is rolled back, because an operation failed: {_first_line(self.failure)}",
            hint="let the error leave the block; to go on after it, confine it in a block of its own: tx.transaction()",
        )
        error.__cause__ = self.failure
        return error

    async def _enter(self) -> None:
        """Take the turn, where it may be taken."""
        self.require_usable()
        if not self.turns.take_now():
            await self.turns.wait()
            try:
                self.require_usable()
            except BaseException:
                self.turns.give()
                raise

    # -- its end -------------------------------------------------------------------------------------------------------

    async def close(self, *, queued: bool) -> None:
        """
        Let nobody else use it, and close its streams. It keeps the turn until `leave`, for whoever ends it.

        Args:
            queued: What waits for its turn is still done.
        """
        self._ended = self._ended or not queued
        if not self._last:
            await self.turns.wait()
            self._last = True
        self._ended = True
        for each in tuple(self._streams):
            await each.end()

    def leave(self) -> None:
        """Give back the turn that `close` took: whoever still waits finds the scope ended."""
        self._ended = True
        if self._last:
            self._last = False
            self.turns.give()

    # -- nested --------------------------------------------------------------------------------------------------------

    async def begin_nested(self) -> "TransactionScope":
        """
        Begin a nested scope. Where another task has one open, wait for its end.

        Raises:
            TransactionClosed: This task has one open, and would wait for itself.
        """
        task = anyio.get_current_task().id
        if self._child is not None and self._owner == task:
            self.require_usable()
        nesting = self._nesting = self._nesting or Turns()
        await nesting.wait()
        try:
            await self._enter()
            try:
                return await self._set_savepoint(task)
            finally:
                self.turns.give()
        except BaseException:
            nesting.give()
            raise

    async def _set_savepoint(self, task: int) -> "TransactionScope":
        child = TransactionScope(self.gateway, self.connection, self)
        self._names[0] += 1
        child._savepoint = f"s{self._names[0]}"
        try:
            await self.connection.execute(Transaction("savepoint", name=child._savepoint))
        except BaseException as error:
            self.doom(error)
            raise
        self._child, self._owner = child, task
        return child

    async def release(self, child: "TransactionScope") -> None:
        """Make what a closed nested scope did a part of this one. Where that fails, this one is doomed."""
        try:
            await self.connection.execute(Transaction("release", name=child._savepoint))
            self.callbacks.extend(child.callbacks)
            self.undoings.extend(child.undoings)
        except BaseException as error:
            self.doom(error)
            raise
        finally:
            self._end_nested(child)

    async def undo(self, child: "TransactionScope") -> None:
        """Undo what a nested scope did. Where that fails, this one is doomed, and nothing is raised."""
        try:
            await child.close(queued=False)
            await self.connection.execute(Transaction("rollback_to", name=child._savepoint))
            await self.connection.execute(Transaction("release", name=child._savepoint))
        except Exception as error:
            self.doom(error)
        finally:
            self._end_nested(child)

    def _end_nested(self, child: "TransactionScope") -> None:
        self._child = None
        child.leave()
        if self._nesting is not None:
            self._nesting.give()


def _first_line(error: BaseException | None) -> str:
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class _ScopedBatches(Generic[T_co]):
    """Batches that are read within a transaction, by turns with everything else."""

    __slots__ = ("_batches", "_scope")

    def __init__(self, scope: TransactionScope, batches: Batches[T_co]) -> None:
        self._scope = scope
        self._batches = batches

    async def next(self) -> Sequence[T_co] | None:
        """Return the next batch; see `Batches.next`."""
        scope = self._scope
        await scope._enter()
        try:
            batch = await self._batches.next()
        except BaseException as error:
            scope._doom_by_read(error)
            raise
        finally:
            scope.turns.give()
        if batch is None:
            scope._streams.discard(self)
        return batch

    @property
    def holds(self) -> bool:
        """Whether it is read within the transaction still; see `Batches.holds`."""
        return self._batches.holds

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        """Run another read of the transaction; see `Batches.fetch`."""
        return await self._scope.fetch(operation, decode)

    async def aclose(self) -> None:
        """Close the cursor; a no-op once the transaction has ended, which closes it."""
        scope = self._scope
        if self not in scope._streams:
            return
        await scope.turns.wait()
        try:
            if self in scope._streams:
                await self.end()
        finally:
            scope.turns.give()

    async def end(self) -> None:
        """Close the cursor, on the turn of whoever calls."""
        self._scope._streams.discard(self)
        await self._batches.aclose()

    def abandon(self) -> None:
        """Close the cursor without waiting."""
        self._scope._streams.discard(self)
        self._batches.abandon()
