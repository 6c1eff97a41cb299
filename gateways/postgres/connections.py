"""
The pool's deeds: opening, waiting, closing, on one event loop at a time.

What `gateways.postgres.pool` decides is done here. Taking an idle connection and giving it back are plain calls,
without a lock and without I/O.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from threading import get_ident
from time import monotonic
from typing import Any, Final
from weakref import WeakSet

from gateways.postgres.errands import Errands, outlast
from gateways.postgres.pool import Limits, PoolState
from gateways.postgres.session import Session
from mapper.errors import PoolTimeout, Unsupported, WrongLoop
from mapper.gateway import PoolStatistics

__all__ = ["Connections"]

QUIET_SECONDS: Final = 0.005
"""After so long without use a connection's socket is looked at before it is handed out."""

PROOF_SECONDS: Final = 5.0
"""How long a connection may take to prove itself, and one that is reset for that."""

RETIRE_SECONDS: Final = 2.0
"""How long the server may take to end a write that was cancelled, before the connection is closed without it."""

HURRIED_SECONDS: Final = 0.5
"""How long it may take for a read."""

LATER_SECONDS: Final = 0.01
"""How long a connection that was given back as it was waits for somebody who needs one, and makes it clean."""

EARLY_SECONDS: Final = 0.001
"""By how much an event loop's timer may come too early."""

SPREAD: Final = 0.05
"""By which part of its lifetime a connection may be closed sooner, so that those opened together part."""


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise Unsupported(
            "trio",
            "postgres",
            "the postgres gateway runs on asyncio, whose event loop is not running here",
            hint="run it by asyncio.run(…), or by anyio.run(…) with the backend asyncio",
        ) from None


class _Asking:
    """Somebody who waits for a connection, as a future; `until` is a moment of the event loop's clock."""

    __slots__ = ("future", "until")

    def __init__(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        self.future: asyncio.Future[Session | None] = loop.create_future()
        self.until = until

    def offer(self, connection: Session | None) -> bool:
        if self.future.done():
            return False
        self.future.set_result(connection)
        return True

    def refuse(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Connections:
    """
    The connections of a gateway.

    Args:
        connect: Opens a connection to the server.
        timeout: Seconds to wait for one.
        writes: A connection that refuses writes is of no use: the server has become a standby.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[Any]], limits: Limits, *, timeout: float, writes: bool = False
    ) -> None:
        self._connect = connect
        self._timeout = timeout
        self._writes = writes
        self._state: PoolState[Session] = PoolState(limits)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._errands = Errands()
        self._unclean: set[Session] = set()
        self._opened: WeakSet[Session] = WeakSet()
        self._timer: asyncio.TimerHandle | None = None
        self._alarm: asyncio.TimerHandle | None = None

    # Taking

    def take(self) -> Session | None:
        """
        Return an idle connection, or None where one has to be waited for.

        Raises:
            WrongLoop: Another event loop uses the gateway.
            Unsupported: The event loop is none of asyncio's.
        """
        # Asking asyncio for the running loop asks the kernel for the process, which takes longer.
        loop = self._loop
        if loop is None or get_ident() != self._thread or not loop.is_running():
            self._bind()
        now, idle = monotonic(), self._state.idle
        if idle and now - idle[-1].since < QUIET_SECONDS and not idle[-1].driver.is_closed():
            return idle.pop()  # as `PoolState.take` would find, in the commonest case
        while (session := self._state.take(now)) is not None:
            if now - session.since < QUIET_SECONDS or session.is_quiet():
                return session
            self.lose(session)
        return None

    def acquire(self) -> Awaitable[Session]:
        """
        Return a connection where `take` has none: a new one, or one that somebody gives back.

        Raises:
            PoolTimeout: None became free in time.
            CannotConnect: None could be opened.
        """
        return self._found() if self._unclean or self._state.has_room() else self._given()

    async def _given(self) -> Session:
        """Wait for a connection; where that has been closed meanwhile, find another."""
        return await self._wait() or await self._found()

    async def _found(self) -> Session:
        session: Session | None = None
        while session is None:
            if self._unclean:
                session = await self._cleaned(self._unclean.pop())
                continue
            unproved = self._state.take_unproved()
            if unproved is not None:
                session = await self._proved(unproved)
            elif self._state.reserve():
                return await self._open()
            else:
                session = await self._wait()
        return session

    async def _cleaned(self, session: Session) -> Session | None:
        """Make a connection clean that was given back as it was."""
        session.home.settled(session)
        try:
            async with asyncio.timeout(PROOF_SECONDS):
                await session.tidy()
        except Exception:  # the server undoes it, once the connection is closed
            self.lose(session)
            return None
        except BaseException:
            self.lose(session)
            raise
        if session.is_open():
            return session
        self.lose(session)
        return None

    async def _proved(self, session: Session) -> Session | None:
        """Ask a connection that nobody has used for long. Where it does not answer, the others will not either."""
        try:
            async with asyncio.timeout(PROOF_SECONDS):
                await session.driver.execute("SELECT 1")
        except Exception:  # whatever it is, the connection is of no use
            self.lose(session)
            self._renew(session)
            return None
        except BaseException:
            self.lose(session)
            raise
        return session

    async def _open(self) -> Session:
        """
        Open a connection in the room that is taken for it.

        It is opened to its end even if the caller is cancelled, and idle then: the work is not lost, and the driver is
        not interrupted in the middle of a handshake.
        """
        state = self._state
        opening = self._errands.begin(self._connected(state, state.generation))
        try:
            await asyncio.wait((opening,))
        except BaseException:
            state.settling += 1
            opening.add_done_callback(partial(self._adopt, state))
            raise
        try:
            return opening.result()
        except BaseException:
            state.forget()
            raise

    async def _connected(self, state: PoolState[Session], generation: int) -> Session:
        driver = await self._connect()
        born = monotonic() - random.random() * SPREAD * state.limits.lifetime
        session = Session(driver, born, state, generation)
        self._opened.add(session)
        return session

    def _adopt(self, state: PoolState[Session], opening: "asyncio.Task[Session]") -> None:
        """Take a connection that nobody waits for any more."""
        state.settling -= 1
        if opening.cancelled() or opening.exception() is not None:
            state.forget()
        else:
            self.give(opening.result())

    async def _wait(self) -> Session | None:
        """Wait for a connection; None where it has been closed meanwhile."""
        loop = self._loop or _running_loop()
        asking = _Asking(loop, loop.time() + self._timeout)
        if not self._state.wait(asking):
            raise self._refusal("at once", "so many callers wait already")
        if self._alarm is None:
            self._alarm = loop.call_at(asking.until, self._refuse, loop)
        try:
            session = await asking.future
        except asyncio.CancelledError:
            self._state.leave(asking)
            self._hand_on(asking)
            raise
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

    def _refuse(self, loop: asyncio.AbstractEventLoop) -> None:
        """
        Refuse those who have waited too long.

        One alarm is set for all who wait, as they come to their ends in the order in which they came: a timer for each
        would cost more than anything else that waiting does. It is set again for who is the next then.
        """
        limit = self._state.limits.size
        for asking in self._state.overdue(loop.time() + EARLY_SECONDS):
            asking.refuse(self._refusal(f"within {self._timeout:g} seconds", f"{limit} of {limit} are in use"))
        until = self._state.next_overdue()
        self._alarm = None if until is None else loop.call_at(until, self._refuse, loop)

    def _refusal(self, when: str, why: str) -> PoolTimeout:
        return PoolTimeout(
            f"no connection became free {when}: {why}",
            hint="a stream holds its connection until it ends; raise max_connections, or read with all() inside of a stream",
        )

    # Giving back

    def give(self, session: Session) -> None:
        """
        Take a connection back on which nothing is open; one that was altered is reset first, behind the caller's back.
        """
        state, now = session.home, monotonic()
        if session.altered and session.is_open():
            self.give_later(session)
            return
        is_spent = session.generation != state.generation or now - session.born >= state.limits.lifetime
        if not (is_spent or state.waiters or session.driver.is_closed()):
            session.since = now  # as `PoolState.give` does, in the commonest case
            state.idle.append(session)
        elif not state.give(session, now):
            self._discard(session)
            return
        if self._timer is None:
            self._watch()

    def _discard(self, session: Session) -> None:
        """Close a connection that is of no use any more, and whose room is free."""
        if session.is_lost():
            self._renew(session)
        else:
            self._close(session)

    def give_later(self, session: Session) -> None:
        """
        Take a connection back on which anything may have been left, behind the caller's back.

        Who needs one next makes it clean. A task of its own does that only where nobody comes for a moment: at the end
        of an event loop it would be left over.
        """
        session.home.settle(session)
        self._unclean.add(session)
        if session.home.has_waiters() or session.is_given_up():
            self._settle_now(session)
        else:
            asyncio.get_running_loop().call_later(LATER_SECONDS, self._settle_now, session)

    def _settle_now(self, session: Session) -> None:
        if session in self._unclean:
            self._unclean.discard(session)
            begun: list[bool] = []
            _ = self._errands.send(self._settle(session, begun), partial(self._settled, session, begun))

    async def _settle(self, session: Session, begun: list[bool]) -> None:
        begun.append(True)
        await self.settle(session)

    def _settled(self, session: Session, begun: list[bool]) -> None:
        """Close a connection whose errand has ended before it began."""
        if not begun:
            session.home.settled(session)
            self.lose(session)

    async def settle(self, session: Session) -> None:
        """Take a connection back on which anything may have been left; where that cannot be undone, it is closed."""
        if session.is_given_up():
            retired = self._retire(session)
            if session.is_awaited:
                await outlast(retired)
            return
        is_clean = False
        try:
            if session.altered or (session.is_open() and session.in_transaction()):
                async with asyncio.timeout(PROOF_SECONDS):
                    await session.tidy()
            is_clean = not (session.refused and self._writes)
        except Exception:  # the server undoes it, once the connection is closed
            pass
        finally:
            session.home.settled(session)
            if is_clean:
                self.give(session)
            else:
                self.lose(session)

    def _retire(self, session: Session) -> "asyncio.Task[None]":
        """Close a connection that was given up; its room is free when the server has ended what runs on it."""
        session.home.settle(session)
        seconds = RETIRE_SECONDS if session.was_writing else HURRIED_SECONDS
        return self._errands.send(session.close(seconds), partial(self._retired, session))

    def _retired(self, session: Session) -> None:
        session.terminate()
        session.home.settled(session)
        session.home.forget()

    def lose(self, session: Session) -> None:
        """Close a connection at once. Where it had been lost before, or its server writes no more, so are the idle ones."""
        is_sign = session.is_lost() or (session.refused and self._writes)
        session.terminate()
        session.home.forget()
        if is_sign:
            self._renew(session)

    def _renew(self, lost: Session) -> None:
        """Close the idle connections too, after one was lost; not where that was of an event loop before."""
        if lost.home is self._state:
            for each in self._state.renew():
                each.terminate()

    # Closing

    def _close(self, session: Session) -> None:
        if session.is_open():
            _ = self._errands.send(session.close(PROOF_SECONDS), session.terminate)

    def _watch(self) -> None:
        """Look again when the first idle connection will be too old, or unused for too long."""
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
        for each in tuple(self._unclean):
            self._settle_now(each)
        self._stop_watching()
        await self._errands.done()

    def statistics(self) -> PoolStatistics:
        """Count connections; see `PoolState.statistics`."""
        return self._state.statistics()

    # Loops

    def _bind(self) -> None:
        """
        Belong to the running event loop.

        What is left of one that has ended is abandoned.

        Raises:
            WrongLoop: The other loop is still running.
        """
        loop = _running_loop()
        if self._loop is loop:
            self._thread = get_ident()
            return
        if self._loop is not None and self._loop.is_running():
            raise WrongLoop(
                "the gateway is in use by another event loop, which is still running",
                hint="make a gateway for each event loop",
            )
        is_over = self._loop is not None and self._loop.is_closed()
        for each in (*self._state.renew(), *self._unclean, *(self._opened if is_over else ())):
            each.abandon()
        self._state = PoolState(self._state.limits)
        self._errands = Errands()
        self._unclean = set()
        self._opened = WeakSet()
        self._timer = self._alarm = None
        self._loop, self._thread = loop, get_ident()

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._alarm is not None and not self._state.has_waiters():
            self._alarm.cancel()
            self._alarm = None
