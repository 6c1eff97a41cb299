"""
A connection with its thread, as the event loop sees it.

Work goes in and is done in the thread of an aiosqlite connection, in line with what else is sent there. aiosqlite is
imported here, so this module is imported at the first connection and not before.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import aiosqlite
from typing_extensions import TypeVar

from gateways.sqlite.calling import call_soon
from gateways.sqlite.location import Location
from gateways.sqlite.session import Session
from gateways.sqlite.visits import Visit
from mapper.errors import ConnectionLost

__all__ = ["Worker"]

T = TypeVar("T")

_JOIN: Final = 1.0  # seconds that a thread may take to end


class Worker:
    """
    One connection.

    Attributes:
        driver: The aiosqlite connection.
        session: What its thread works with.
        holder: The task that holds the connection beyond one call, if any.
        ended: It is closed, or about to be.
    """

    __slots__ = ("__weakref__", "_done", "_left", "_thread", "driver", "ended", "holder", "session")

    def __init__(self, driver: aiosqlite.Connection, session: Session, thread: threading.Thread) -> None:
        self.driver = driver
        self.session = session
        self.holder: asyncio.Task[Any] | None = None
        self.ended = False
        self._thread = thread
        self._left = self._done = 0

    @classmethod
    async def open(cls, location: Location) -> "Worker":
        """
        Start a thread and open a connection in it.

        Raises:
            CannotConnect, StoreCorrupt, LockTimeout: As `Location.connect`.
        """
        opening = _Opening(location)
        driver = aiosqlite.connect(":memory:", factory=opening, check_same_thread=False)
        # A thread must not keep a process alive that forgot to close its gateway. aiosqlite has no option for it.
        driver._thread.daemon = True
        # Awaited by hand: a task for it could be cancelled by itself when the loop ends, and would lose the connection.
        steps = driver.__await__()
        cancelled = await _outlast(next(steps))
        with contextlib.suppress(StopIteration):
            next(steps)
        if opening.session is not None and cancelled is None:
            return cls(driver, opening.session, opening.thread)
        await _outlast(driver.stop())
        raise cancelled or opening.error or AssertionError

    async def visit(
        self, work: Callable[[Session], T], *, certain: bool = False, read_only: bool = False, patient: bool = False
    ) -> T:
        """
        Do work in the thread; see `Visit.outcome`.

        Raises:
            ConnectionLost: The connection has been closed.
        """
        if self.ended:
            raise ConnectionLost(
                "the connection was closed while it was in use",
                hint="its gateway was closed, or the event loop has ended",
            )
        loop = asyncio.get_running_loop()
        visit = Visit(work, loop, certain=certain, read_only=read_only, patient=patient)
        self.post(lambda: self._do(visit))
        return await visit.outcome()

    def _do(self, visit: Visit[Any]) -> None:
        visit.run(self.session)
        call_soon(visit.loop, visit.tell)

    def post(self, work: Callable[[], object]) -> None:
        """
        Queue work that does not raise, from any thread, with a running loop or without.

        aiosqlite's own methods make a future of the running loop, which their thread reports to even when that loop has
        ended meanwhile, and dies of it. Its queue takes None in the future's place.
        """
        self.driver._tx.put_nowait((None, _Errand(work)))

    def leave(self, work: Callable[[Session], object]) -> None:
        """Queue work that does not raise and that nobody waits for. To be called on the loop."""
        self._left += 1
        self.post(partial(self._do_left, work))

    def _do_left(self, work: Callable[[Session], object]) -> None:
        try:
            work(self.session)
        finally:
            self._done += 1

    def at_rest(self) -> bool:
        """
        Tell whoever holds the connection, and waits for no visit, whether its thread does nothing with the session:
        then the loop's thread may use it.
        """
        return self._left == self._done and not self.ended

    async def end(self) -> None:
        """Close the connection behind what is queued, and wait until its thread has ended."""
        cancelled = await _outlast(self.stop())
        self.join()
        if cancelled is not None:
            raise cancelled

    def stop(self) -> "asyncio.Future[Any] | None":
        """
        Close the connection behind what is queued; the future tells when. None where that has been done before.
        """
        if self.ended:
            return None
        self.ended = True
        self.post(self.session.finish)
        return self.driver.stop()

    def end_soon(self) -> None:
        """Close the connection behind what is queued, without a loop and without waiting. Twice is a no-op."""
        if not self.ended:
            self.ended = True
            self.post(self.session.finish)
            # In its thread there is no loop, so that aiosqlite makes no future which nobody would await.
            self.post(self.driver.stop)

    def alive(self) -> bool:
        """Tell whether the thread has not ended."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for the moment that a thread takes to end, once its connection is closed."""
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN)


class _Errand:
    """Work that is forgotten once it is done: a thread keeps what it did last, and that must not keep a gateway."""

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[], object]) -> None:
        self._work: Callable[[], object] | None = work

    def __call__(self) -> None:
        work, self._work = self._work, None
        if work is not None:
            work()


class _Opening:
    """
    Opens a connection in aiosqlite's thread, in place of `sqlite3.connect`.

    An error is kept, and a stand-in opened instead: aiosqlite's own way of failing leaves a future that nobody awaits.
    """

    def __init__(self, location: Location) -> None:
        self._location: Location | None = location
        self.thread = threading.current_thread()
        self.session: Session | None = None
        self.error: BaseException | None = None

    def __call__(self, *_: object, **__: object) -> sqlite3.Connection:
        self.thread = threading.current_thread()
        # The driver keeps this object, which must not keep the file behind `:memory:`.
        location, self._location = self._location, None
        assert location is not None
        try:
            raw, failures = location.connect()
        except BaseException as error:
            self.error = error
            return sqlite3.Connection(":memory:", check_same_thread=False)
        self.session = Session(raw, failures, location.busy_seconds, location.read_only)
        return raw


async def _outlast(future: "asyncio.Future[Any] | None") -> asyncio.CancelledError | None:
    """Wait for a future, and return the cancellation that came meanwhile instead of obeying it."""
    cancelled: asyncio.CancelledError | None = None
    while future is not None and not future.done():
        try:
            await asyncio.wait((future,))
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
    return cancelled
