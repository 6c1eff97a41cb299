"""
Lanes: visits that need no particular connection, and the threads that do them one after the other.

Visits go in, and are done by whichever connection is free. While there is one after another to be done, a thread goes
on
without the loop: waking a thread costs several times what a short read does, and threads that take turns at every row
are slower than one of them alone.
"""

import asyncio
import contextlib
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from gateways.sqlite.calling import call_soon
from gateways.sqlite.pool import Pool
from gateways.sqlite.visits import Visit
from mapper.errors import PoolTimeout, StoreError

if TYPE_CHECKING:
    from gateways.sqlite.worker import Worker

__all__ = ["Lane"]

_PATIENCE: Final = 0.002  # seconds that a read waits behind others before one more thread is given to the lane
_WRITE_WATCH: Final = 0.1  # seconds between two looks at a lane of writes
_TOGETHER: Final = 16  # visits that are reported to the loop at once …
_REPORT: Final = 0.001  # … unless one of them was done this many seconds ago
_SLACK: Final = 0.001  # seconds by which a timer may be early
_STINT: Final = 64  # visits after which a thread gives its connection to whoever else waits for one …
_SHIFT: Final = 0.01  # … or seconds: 64 long reads would keep a writer waiting for as long as they take


class Lane:
    """Visits in the order of asking: all of them with the write lock, or none."""

    def __init__(self, pool: Pool, *, write: bool) -> None:
        self._pool = pool
        self._write = write
        self._epoch = 0
        self._interval = _WRITE_WATCH if write else _PATIENCE
        self._visits: deque[Visit[Any]] = deque()
        self._busy = 0
        self._asking: asyncio.Future[Worker] | None = None
        self._watch: asyncio.TimerHandle | None = None

    def waiting(self) -> int:
        """Count the visits that have not begun."""
        return sum(not each.cancelled for each in tuple(self._visits))

    def add(self, visit: Visit[Any]) -> None:
        """
        Have a visit done when its turn comes.

        Raises:
            PoolTimeout: The calling task itself holds what it needs.
        """
        if self._epoch != self._pool.epoch:
            self._begin()
        if self._busy:
            self._visits.append(visit)
            self._watch_over(visit.loop)
        elif self._asking is None and (worker := self._pool.take(self._write)) is not None:
            self._visits.append(visit)
            self._start(worker, visit.loop)
        else:
            self._pool.refuse_deadlock(self._write)
            self._visits.append(visit)
            self._ask()

    def _begin(self) -> None:
        """Begin on a new loop. Whoever waited on the last one is gone."""
        self._epoch = self._pool.epoch
        self._visits.clear()
        self._busy = 0
        self._asking = self._watch = None

    def _start(self, worker: "Worker", loop: asyncio.AbstractEventLoop) -> None:
        self._busy += 1
        if len(self._visits) > 1:
            self._watch_over(loop)
        worker.post(partial(self._work, worker, loop))

    def _work(self, worker: "Worker", loop: asyncio.AbstractEventLoop) -> None:
        """Do visits, in the connection's thread, until none is left."""
        session, done, began = worker.session, list[Visit[Any]](), time.perf_counter()
        reported = began
        for _ in range(_STINT):
            try:
                visit = self._visits.popleft()
            except IndexError:
                break
            visit.run(session)
            done.append(visit)
            if session.unfinished():
                session.rollback()
            now = time.perf_counter()
            if session.spent or now - began > _SHIFT:
                break
            # The last ones are reported when the connection is back: their callers find it free.
            if self._visits and (len(done) >= _TOGETHER or now - reported > _REPORT):
                call_soon(loop, _tell, done)
                done, reported = [], now
        call_soon(loop, self._stop, worker, done, loop)

    def _stop(self, worker: "Worker", done: list[Visit[Any]], loop: asyncio.AbstractEventLoop) -> None:
        """Take a connection back from its thread, and send it on if visits came while the thread was leaving."""
        self._busy -= 1
        self._pool.give(worker)
        _tell(done)
        if not self._busy and self._asking is None and self._first() is not None:
            again = self._pool.take(self._write)
            if again is None:
                self._ask()
            else:
                self._start(again, loop)

    # Waiting for a connection

    def _ask(self) -> None:
        """Stand in line for a connection, once for all visits."""
        if self._asking is None:
            self._asking = self._pool.ask(self._write, counted=False)
            self._asking.add_done_callback(self._answered)

    def _answered(self, asking: "asyncio.Future[Worker]") -> None:
        if self._asking is asking:
            self._asking = None
        error = asking.exception()
        if error is None and self._first() is None:
            self._pool.give(asking.result())
        elif error is None:
            self._start(asking.result(), asking.get_loop())
        elif isinstance(error, PoolTimeout):
            self._expire()
        elif not self._busy:
            self._fail(error)
        if not self._busy and self._first() is not None:
            self._ask()

    def _fail(self, error: BaseException) -> None:
        while self._visits:
            self._visits.popleft().fail(_copied(error))

    # Looking after those who wait

    def _watch_over(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._watch is None:
            self._watch = loop.call_later(self._interval, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the lane one more thread if the first visit has waited for long: those before it are not short."""
        self._watch = None
        self._expire()
        first = self._first()
        if first is None:
            return
        if not self._write and self._asking is None and loop.time() - first.asked >= _PATIENCE:
            worker = self._pool.take(False)
            if worker is not None:
                self._start(worker, loop)
            elif self._pool.can_open():
                self._ask()
        self._watch_over(loop)

    def _first(self) -> Visit[Any] | None:
        """Return the first visit that is still wanted. The others are forgotten, unless a thread was faster."""
        for visit in tuple(self._visits):
            if not visit.cancelled:
                return visit
            with contextlib.suppress(ValueError):
                self._visits.remove(visit)
        return None

    def _expire(self) -> None:
        """Refuse those who have waited for as long as is allowed."""
        for visit in tuple(self._visits):
            if visit.loop.time() - visit.asked < self._pool.timeout - _SLACK:
                return
            visit.cancelled = True
            if visit.session is None:
                visit.fail(self._pool.timed_out(self._write))


def _tell(done: list[Visit[Any]]) -> None:
    for visit in done:
        visit.tell()


def _copied(error: BaseException) -> BaseException:
    """Give the same error for one more caller: a traceback belongs to one."""
    if not isinstance(error, StoreError):
        return error
    copied = type(error)(error.message, operation=error.operation, hint=error.hint)
    copied.__cause__ = error.__cause__
    return copied
