"""
The pool's deeds: opening, waiting, closing, on one event loop at a time.

What `gateways.postgres.pool` decides is done here. Taking an idle connection and giving it back are plain calls,
without a lock and without I/O.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from typing import Any, Final

from attrs import evolve

from gateways.postgres.pool import Limits, PoolState
from gateways.postgres.session import Session
from gateways.postgres.shelter import Sheltered
from mapper.errors import PoolTimeout, WrongLoop
from mapper.gateway import PoolStatistics

__all__ = ["Connections"]

QUIET_SECONDS: Final = 0.05
"""After so long without use a connection's socket is looked at before it is handed out."""

PROOF_SECONDS: Final = 5.0
"""
How long a connection that nobody has used for long may take to prove itself, and one that is reset or closed for that.
"""

PATIENCE_SECONDS: Final = 0.05
"""How long a write whose caller was cancelled may go on before the server is asked to give it up."""


class _Asking:
    """Somebody who waits for a connection, as a future."""

    __slots__ = ("future",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[Session | None] = loop.create_future()

    def offer(self, connection: Session | None) -> bool:
        if self.future.done():
            return False
        self.future.set_result(connection)
        return True


class Connections:
    """
    The connections of a gateway.

    Args:
        connect: Opens a connection to the server.
        timeout: Seconds to wait for one.
    """

    def __init__(self, connect: Callable[[], Awaitable[Any]], limits: Limits, *, timeout: float) -> None:
        self._connect = connect
        self._timeout = timeout
        self._state: PoolState[Session] = PoolState(limits)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._settling = 0

    # Taking

    def take(self) -> Session | None:
        """
        Return an idle connection, or None where one has to be waited for.

        Raises:
            WrongLoop: Another event loop uses the gateway.
        """
        if asyncio.get_running_loop() is not self._loop:
            self._bind()
        now = monotonic()
        while (session := self._state.take(now)) is not None:
            if now - session.since < QUIET_SECONDS or session.is_quiet():
                return session
            self.lose(session)
        return None

    async def acquire(self) -> Session:
        """
        Return a connection: an idle one, a new one, or one that somebody gives back.

        Raises:
            PoolTimeout: None became free in time.
            CannotConnect: None could be opened.
        """
        session = self.take()
        while session is None:
            unproved = self._state.take_unproved()
            if unproved is not None:
                session = await self._proved(unproved)
            elif self._state.reserve():
                return await self._open()
            else:
                session = await self._wait()
        return session

    async def _proved(self, session: Session) -> Session | None:
        try:
            async with asyncio.timeout(PROOF_SECONDS):
                await session.driver.execute("")
        except Exception:  # whatever it is, the connection is of no use
            self.lose(session)
            return None
        except BaseException:
            self.lose(session)
            raise
        return session

    async def _open(self) -> Session:
        try:
            driver = await self._connect()
        except BaseException:
            self._state.forget()
            raise
        return Session(driver, monotonic(), self._state.generation)

    async def _wait(self) -> Session | None:
        """Wait for a connection; None where it has been closed meanwhile."""
        loop = asyncio.get_running_loop()
        asking = _Asking(loop)
        self._state.wait(asking)
        timer = loop.call_later(self._timeout, self._refuse, asking)
        try:
            session = await asking.future
        except asyncio.CancelledError:
            self._state.leave(asking)
            self._hand_on(asking)
            raise
        finally:
            timer.cancel()
        if session is None:
            return await self._open()
        if session.is_open():
            return session
        self._state.forget()
        return None

    def _hand_on(self, asking: _Asking) -> None:
        """Pass on what was offered in the moment of the cancellation."""
        future = asking.future
        if not future.done() or future.cancelled() or future.exception() is not None:
            return
        session = future.result()
        if session is None:
            self._state.forget()
        else:
            self.give(session)

    def _refuse(self, asking: _Asking) -> None:
        if not asking.future.done():
            self._state.leave(asking)
            limit = self._state.limits.size
            asking.future.set_exception(
                PoolTimeout(
                    f"no connection became free within {self._timeout:g} seconds: {limit} of {limit} are in use",
                    hint="a stream holds its connection until it ends; raise max_connections, or read with all() inside of a stream",
                )
            )

    # Giving back

    def give(self, session: Session) -> None:
        """
        Take a connection back on which nothing is open; one that was altered is reset first, behind the caller's back.
        """
        if session.altered and session.is_open():
            self.give_later(session)
        elif session.is_lost():
            self.lose(session)
        elif not self._state.give(session, monotonic()):
            self._close(session)
        elif self._timer is None:
            self._watch()

    def give_later(self, session: Session) -> None:
        """Take a connection back on which anything may have been left, behind the caller's back."""
        self._settling += 1
        self._spawn(self._settle(session))

    async def _settle(self, session: Session) -> None:
        try:
            await self.settle(session)
        finally:
            self._settling -= 1

    async def settle(self, session: Session) -> None:
        """Take a connection back on which anything may have been left; where that cannot be undone, it is closed."""
        try:
            if session.altered or (session.is_open() and session.in_transaction()):
                async with asyncio.timeout(PROOF_SECONDS):
                    await session.tidy()
        except Exception:  # the server undoes it, once the connection is closed
            self.lose(session)
        except BaseException:
            self.lose(session)
            raise
        else:
            self.give(session)

    def lose(self, session: Session) -> None:
        """Close a connection at once. Where it had been lost before, so are the idle ones."""
        was_lost = session.is_lost()
        session.terminate()
        self._state.forget()
        if was_lost:
            for each in self._state.renew():
                each.terminate()

    def hasten(self, session: Session, work: Sheltered[Any]) -> None:
        """Have the server give up what runs on a connection, which is closed where it does not."""
        self._spawn(self._hasten(session, work))

    async def _hasten(self, session: Session, work: Sheltered[Any]) -> None:
        await _until(work, PATIENCE_SECONDS)
        if not work.done:
            try:
                async with asyncio.timeout(PROOF_SECONDS):
                    await self._give_up(session)
            finally:
                await _until(work, PROOF_SECONDS)
                if not work.done:
                    session.terminate()

    async def _give_up(self, session: Session) -> None:
        number = session.driver.get_server_pid()
        driver = await self._connect()
        try:
            await driver.execute(f"SELECT pg_cancel_backend({number})")
        finally:
            driver.terminate()

    # Closing

    def _close(self, session: Session) -> None:
        if session.is_open():
            self._spawn(_closed(session))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._closing.discard(task)
        if not task.cancelled():
            task.exception()

    def _watch(self) -> None:
        """Look again when the first idle connection will have been unused for too long."""
        expiry = self._state.next_expiry()
        if expiry is not None and self._loop is not None:
            self._timer = self._loop.call_later(max(expiry - monotonic(), 0.01), self._prune)

    def _prune(self) -> None:
        self._timer = None
        for each in self._state.expired(monotonic()):
            self._close(each)
        self._watch()

    async def aclose(self) -> None:
        """Close the idle connections; those in use are closed when they come back."""
        self._bind()
        for each in self._state.renew():
            self._close(each)
        self._stop_watching()
        if self._closing:
            await asyncio.wait(set(self._closing))

    def statistics(self) -> PoolStatistics:
        """Count connections. One that was given back and is not clean yet is idle: nobody has it."""
        counted = self._state.statistics()
        return evolve(counted, idle=counted.idle + self._settling, in_use=counted.in_use - self._settling)

    # Loops

    def _bind(self) -> None:
        """
        Belong to the running event loop.

        What is left of one that has ended is abandoned.

        Raises:
            WrongLoop: The other loop is still running.
        """
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        if self._loop is not None and self._loop.is_running():
            raise WrongLoop(
                "the gateway is in use by another event loop, which is still running",
                hint="make a gateway for each event loop",
            )
        for each in self._state.renew():
            each.abandon()
        generation = self._state.generation
        self._state = PoolState(self._state.limits)
        self._state.generation = generation
        self._closing = set()
        self._settling = 0
        self._timer = None
        self._loop = loop

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def _until(work: Sheltered[Any], seconds: float) -> None:
    """Wait until work is done, and no longer than so many seconds."""
    until = monotonic() + seconds
    while not work.done and monotonic() < until:  # noqa: ASYNC110  # an event for each write would cost each write
        await asyncio.sleep(0.01)


async def _closed(session: Session) -> None:
    try:
        await session.driver.close(timeout=PROOF_SECONDS)
    except BaseException:
        session.terminate()
        raise
