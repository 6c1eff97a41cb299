"""
Advisory locks: what several processes agree to do one at a time, whatever it is.

A repository, a transaction or a gateway, and a key go in; a lock comes out, for the length of a block or until the
transaction ends.
"""

import asyncio
from collections.abc import Generator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Final

from gateways.postgres.errors import translate
from gateways.postgres.locks import lock_call, number_of, taking
from gateways.postgres.sources import Source, is_transaction, postgres_executor
from mapper.errors import ConnectionLost, QueryError, StoreError
from mapper.gateway import Connection, Executor

__all__ = ["AdvisoryLock", "advisory_lock", "try_advisory_lock"]

RELEASE_SECONDS: Final = 5.0
"""How long the server may take to release a lock, before the connection is closed, which releases it too."""


def advisory_lock(
    source: Source, key: int | str, *, shared: bool = False, timeout: float | None = None
) -> "AdvisoryLock":
    """
    Take a lock, waiting for it: `async with advisory_lock(repository, "nightly report"): …`.

    In a block it is held by a connection of its own, which the pool counts as in use, and released at the end. Where that
    connection is lost meanwhile, so is the lock: the block is cancelled and `ConnectionLost` raised. What is done in the
    block goes over other connections of the pool, which must have one.

    Given a transaction it is held until the transaction ends, on its own connection; then
    `await advisory_lock(tx, key)` does without a block, whose end releases nothing.

    The locks of one key exclude each other, also within one task. The same key means the same lock in every database
    client: a number is itself; of text it is the first 8 bytes of its BLAKE2b digest, as a signed big-endian number.

    Args:
        source: A repository, a transaction of one, or a gateway.
        key: A number of 64 bits, or text.
        shared: Others that are shared may have it at the same time.
        timeout: Seconds to wait at most. The gateway's `statement_timeout` and `command_timeout` end the wait too.

    Raises:
        Unsupported: The gateway is none of PostgreSQL. Here, before I/O, as is the next.
        QueryError: The key is neither a number of 64 bits nor text, or the timeout is not above 0.
        LockTimeout: Somebody else has had the lock for all of the timeout.
    """
    if timeout is not None and (isinstance(timeout, bool) or not timeout > 0):
        raise QueryError(
            f"timeout is {timeout!r}, expected seconds above 0", hint="use try_advisory_lock, which never waits"
        )
    return AdvisoryLock(postgres_executor(source, "advisory_lock"), number_of(key), True, shared, timeout)


def try_advisory_lock(source: Source, key: int | str, *, shared: bool = False) -> "AdvisoryLock":
    """
    Take a lock if it is free: `async with try_advisory_lock(repository, key) as taken: if taken: …`.

    Everything else is as of `advisory_lock`; `await try_advisory_lock(tx, key)` tells too whether it is taken.
    """
    return AdvisoryLock(postgres_executor(source, "advisory_lock"), number_of(key), False, shared, None)


class AdvisoryLock:
    """A lock that is yet to be taken; see `advisory_lock`. A block of it tells whether it was."""

    __slots__ = ("_connection", "_executor", "_hold", "_key", "_scope", "_shared", "_timeout", "_used", "_wait")

    def __init__(self, executor: Executor, key: int, wait: bool, shared: bool, timeout: float | None) -> None:
        self._executor = executor
        self._key = key
        self._wait = wait
        self._shared = shared
        self._timeout = timeout
        self._used = False
        self._hold: AbstractAsyncContextManager[Connection] | None = None
        self._connection: Any = None
        self._scope: asyncio.Timeout | None = None

    def __await__(self) -> Generator[Any, None, bool]:
        if not is_transaction(self._executor):
            raise QueryError(
                "an advisory lock of a gateway is awaited, and nothing would release it",
                hint="use a block: async with advisory_lock(…), or give it a transaction",
            )
        return self._of_transaction().__await__()

    async def __aenter__(self) -> bool:
        if self._used:
            raise QueryError("the block of an advisory lock is entered twice", hint="call advisory_lock() again")
        self._used = True
        if is_transaction(self._executor):
            return await self._of_transaction()
        return await self._of_session()

    async def _of_transaction(self) -> bool:
        call = lock_call(self._key, wait=self._wait, shared=self._shared, milliseconds=self._milliseconds)
        result = await self._executor.execute(call)
        return bool(result.rows[0][0])

    @property
    def _milliseconds(self) -> int | None:
        return None if self._timeout is None else max(round(self._timeout * 1000), 1)

    # -- of a session --------------------------------------------------------------------------------------------------

    async def _of_session(self) -> bool:
        hold = self._executor.gateway.connection()
        connection = await hold.__aenter__()
        try:
            driver = connection.driver
            taken = await self._take(driver)
            if taken:
                self._watch(driver)
                assert self._scope is not None
                await self._scope.__aenter__()
        except BaseException as error:
            await hold.__aexit__(type(error), error, error.__traceback__)
            raise
        if taken:
            self._hold = hold
        else:
            await hold.__aexit__(None, None, None)
        return taken

    async def _take(self, driver: Any) -> bool:
        """Take the lock. What the session keeps of that is undone when the connection goes back."""
        try:
            if self._milliseconds is not None:
                await driver.execute(f"SET lock_timeout = {self._milliseconds}")
            taken = await driver.fetchval(taking(session=True, wait=self._wait, shared=self._shared), self._key)
        except Exception as error:
            raised = translate(error, None, lost=driver.is_closed())
            if raised is error:
                raise
            raise raised from error
        return self._wait or bool(taken)

    def _watch(self, driver: Any) -> None:
        """Cancel the block as soon as the connection is lost."""
        self._connection, self._scope = driver, asyncio.timeout(None)
        driver.add_termination_listener(self._lost)

    def _lost(self, driver: Any) -> None:
        scope = self._scope
        if driver is self._connection and scope is not None:
            scope.reschedule(asyncio.get_running_loop().time())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        hold, self._hold = self._hold, None
        if hold is None:
            return
        driver, self._connection = self._connection, None
        scope, self._scope = self._scope, None
        assert scope is not None
        driver.remove_termination_listener(self._lost)
        lost = driver.is_closed()
        try:
            await scope.__aexit__(kind, error, trace)
        except TimeoutError:
            error = None
        finally:
            await self._release(driver, hold)
        if lost and (error is None or isinstance(error, StoreError)):
            raise ConnectionLost(
                "the connection that held the advisory lock was lost, and the lock with it",
                hint="somebody else may have had it meanwhile: do the work again",
            ) from error

    async def _release(self, driver: Any, hold: AbstractAsyncContextManager[Connection]) -> None:
        """Release the lock; where that cannot be done, closing the connection does it."""
        try:
            if not driver.is_closed():
                async with asyncio.timeout(RELEASE_SECONDS):
                    await driver.execute(f"SELECT pg_advisory_unlock{'_shared' if self._shared else ''}($1)", self._key)
        except Exception:  # the server releases it, once the connection is closed
            driver.terminate()
        except BaseException:
            driver.terminate()
            raise
        finally:
            await hold.__aexit__(None, None, None)
