"""
Transactions as blocks: `async with repository.transaction() as tx`.

A repository goes in; another of its class comes out that runs on one connection. Leaving the block commits, an
exception rolls back; nothing else carries the transaction.
"""

import inspect
import math
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from copy import copy
from types import TracebackType
from typing import Any, Final, Generic

import anyio
from anyio.lowlevel import checkpoint_if_cancelled
from typing_extensions import TypeVar

from mapper.errors import AfterCommitError, CommitUnknown, QueryError, TransactionTimeout
from mapper.gateway import Connection, Gateway, TransactionOptions
from mapper.isolation import transaction_options
from mapper.operations import Transaction
from mapper.scope import Callback, TransactionScope
from mapper.shielding import finish
from mapper.stores import Stores

__all__ = ["TransactionBlock"]

S = TypeVar("S", bound=Stores[Any])

PATIENCE: Final = 2.0
"""Seconds that a commit may take after its task was cancelled, before the gateway is told of that."""


class TransactionBlock(Generic[S]):
    """
    The block of a transaction, or of a savepoint within one; see `Repository.transaction`.

    It is entered once. Its end waits for what other tasks have running or queued on it.
    """

    __slots__ = ("_deadline", "_hold", "_isolation", "_outer", "_read_only", "_repository", "_scope", "_timeout")

    def __init__(
        self, repository: S, *, isolation: str | None = None, read_only: bool = False, timeout: float | None = None
    ) -> None:
        self._repository = repository
        self._isolation = isolation
        self._read_only = read_only
        self._timeout = timeout
        self._scope: TransactionScope | None = None
        self._outer: TransactionScope | None = None
        self._hold: AbstractAsyncContextManager[Connection] | None = None
        self._deadline: anyio.CancelScope | None = None

    async def __aenter__(self) -> S:
        if self._scope is not None:
            raise QueryError("the block of a transaction is entered twice", hint="call transaction() again")
        options = self._options()
        if self._timeout is not None:
            self._deadline = anyio.CancelScope(deadline=anyio.current_time() + self._timeout)
            self._deadline.__enter__()
        try:
            self._scope = await self._begin(options)
        except BaseException as error:
            self._leave_deadline(error)
            raise
        return _bound(self._repository, self._scope)

    def _options(self) -> TransactionOptions | None:
        """
        Return what the transaction is begun with; None for a nested one.

        Raises:
            QueryError: An argument is wrong.
            Unsupported: The gateway cannot give what is asked for.
        """
        timeout, executor = self._timeout, self._repository._executor
        if timeout is not None and (isinstance(timeout, bool) or not timeout > 0 or math.isinf(timeout)):
            raise QueryError(f"timeout is {timeout!r}, expected seconds above 0", hint="leave it out for no limit")
        if not isinstance(executor, TransactionScope):
            return transaction_options(
                executor.gateway.capabilities, isolation=self._isolation, read_only=self._read_only
            )
        if self._isolation is not None or self._read_only:
            raise QueryError(
                "a nested block has the isolation of its transaction and cannot have another",
                hint="give isolation and read_only to the outermost transaction()",
            )
        executor.gateway.capabilities.require("savepoints", what="a nested transaction")
        return None

    async def _begin(self, options: TransactionOptions | None) -> TransactionScope:
        executor = self._repository._executor
        if options is not None:
            return await self._start(executor.gateway, options)
        assert isinstance(executor, TransactionScope)
        scope = await executor.begin_nested()
        self._outer = executor
        return scope

    async def _start(self, gateway: Gateway, options: TransactionOptions) -> TransactionScope:
        hold = gateway.connection(read_only=options.read_only)
        connection = await hold.__aenter__()
        try:
            operation = Transaction("start", isolation=options.isolation, read_only=options.read_only)
            await connection.execute(operation)
        except BaseException as error:
            await finish(_left(hold, error))
            raise
        self._hold = hold
        return TransactionScope(gateway, connection)

    # -- the end -------------------------------------------------------------------------------------------------------

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        scope = self._scope
        assert scope is not None, "the block was left without being entered"
        failure = error
        cancelled: BaseException | None = None
        if failure is None:
            try:
                await self._require_all_well(scope)
                cancelled = await self._commit(scope)
            except BaseException as caught:
                failure = caught
        if failure is not None:
            try:
                await self._end_badly(scope, error, failure)
            finally:
                # They know this frame: with a variable of it they would keep alive what stands above it.
                del failure, error, cancelled
            return
        self._leave_deadline(None)
        if self._outer is None:
            await _call(scope.callbacks)
        if cancelled is not None:
            raise cancelled

    async def _end_badly(self, scope: TransactionScope, error: BaseException | None, failure: BaseException) -> None:
        """Roll back, and raise what is to be raised: the failure, unless the block's own error is it."""
        cancelled = await self._undo(scope)
        try:
            if scope.undoings and not isinstance(failure, CommitUnknown):
                await finish(_call_undoings(scope.undoings, failure))
            self._leave_deadline(failure)
            if cancelled is not None and isinstance(failure, Exception):
                raise cancelled
            if failure is not error:
                raise failure
        finally:
            scope.failure = None
            del error, failure, cancelled

    async def _require_all_well(self, scope: TransactionScope) -> None:
        """Refuse to commit what has failed, was cancelled, or took too long."""
        await checkpoint_if_cancelled()
        if self._deadline is not None and anyio.current_time() >= self._deadline.deadline:
            raise self._timed_out()
        if scope.failure is not None:
            raise scope.rolled_back()

    async def _commit(self, scope: TransactionScope) -> BaseException | None:
        """
        Commit, and return the cancellation that came meanwhile.

        Before COMMIT is sent a cancellation rolls back; from then on it waits.
        """
        await scope.close(queued=True)
        if scope.failure is not None:
            raise scope.rolled_back()
        if self._outer is not None:
            return await self._release(self._outer, scope)
        hold, self._hold = self._hold, None
        assert hold is not None
        try:
            return await finish(_committed(hold, scope), patience=PATIENCE)
        except TimeoutError as error:
            raise CommitUnknown(
                "the transaction's time was over before the store answered COMMIT, and it may have committed",
                hint="commit with once=… so that it can be repeated",
            ) from error

    async def _release(self, outer: TransactionScope, scope: TransactionScope) -> BaseException | None:
        """Make a nested block a part of the one around it, and return the cancellation that came meanwhile."""
        try:
            return await finish(outer.release(scope), patience=PATIENCE)
        except TimeoutError as error:
            raise TransactionTimeout(
                "the transaction's time was over before the store had released a savepoint, and it is rolled back",
                hint="do less in one transaction, or give it more time: transaction(timeout=…)",
            ) from error

    async def _undo(self, scope: TransactionScope) -> BaseException | None:
        """Roll back what is not over yet, and return the cancellation that came meanwhile."""
        if self._outer is not None:
            return None if scope.nested_over else await finish(self._outer.undo(scope))
        hold, self._hold = self._hold, None
        return None if hold is None else await finish(_rolled_back(hold, scope))

    def _leave_deadline(self, error: BaseException | None) -> None:
        """
        End the timeout.

        Raises:
            TransactionTimeout: It is what cancelled the block.
        """
        deadline, self._deadline = self._deadline, None
        if deadline is None:
            return
        swallowed = deadline.__exit__(type(error) if error is not None else None, error, None)
        if swallowed and error is not None:
            raise self._timed_out() from None

    def _timed_out(self) -> TransactionTimeout:
        return TransactionTimeout(
            f"the transaction took longer than its timeout of {self._timeout:g} s, and was rolled back",
            hint="do less in one transaction, or give it more time: transaction(timeout=…)",
        )


def _bound(repository: S, scope: TransactionScope) -> S:
    """Return a repository of the same class, with the same attributes, that runs on a transaction."""
    bound = copy(repository)
    bound._executor = scope
    return bound


async def _left(hold: AbstractAsyncContextManager[Connection], error: BaseException) -> None:
    await hold.__aexit__(type(error), error, error.__traceback__)


async def _committed(hold: AbstractAsyncContextManager[Connection], scope: TransactionScope) -> None:
    try:
        await scope.connection.execute(Transaction("commit"))
    except BaseException as error:
        await _left(hold, error)
        raise
    else:
        await hold.__aexit__(None, None, None)
    finally:
        scope.leave()


async def _rolled_back(hold: AbstractAsyncContextManager[Connection], scope: TransactionScope) -> None:
    """Roll back. Where that fails the connection goes, and the transaction with it: the first error is what is told."""
    try:
        await scope.close(queued=False)
        await scope.connection.execute(Transaction("rollback"))
    except Exception as error:
        await _left(hold, error)
    else:
        await hold.__aexit__(None, None, None)
    finally:
        scope.leave()


async def _call_undoings(callbacks: Sequence[Callback], failure: BaseException) -> None:
    """Call what waited for a rollback, in order, and all of it. What it raises is noted on what made it necessary."""
    for callback in callbacks:
        try:
            result = callback()
            if inspect.isawaitable(result):
                await result
        except Exception as error:
            failure.add_note(f"a callback after the rollback failed: {error!r}")


async def _call(callbacks: Sequence[Callback]) -> None:
    """
    Call what waited for the commit, in order, and all of it.

    Raises:
        AfterCommitError: With what they raised.
    """
    errors: list[Exception] = []
    for callback in callbacks:
        try:
            result = callback()
            if inspect.isawaitable(result):
                await result
        except Exception as error:
            errors.append(error)
    if errors:
        raise AfterCommitError(f"{len(errors)} callbacks failed after the commit, which stands", errors)
