"""
The connections of one gateway and who may use them: a pool with one lock for writing.

Callers ask for a connection, to read or to write; they get one at once, or in their turn, or `PoolTimeout`. All of it
happens on the loop's thread, without awaiting where a connection is free.
"""

import asyncio
import itertools
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from gateways.sqlite.calling import call_soon
from gateways.sqlite.lines import Line, Waiter
from gateways.sqlite.location import Location
from mapper.errors import PoolTimeout, WrongLoop
from mapper.gateway import PoolStatistics

if TYPE_CHECKING:
    from gateways.sqlite.worker import Worker

__all__ = ["Pool"]

_GRACE: Final = 2.0  # seconds that what runs may go on when the gateway is closed
_HURRY: Final = 0.05  # seconds between two interrupts after that: one between two statements is lost


class Pool:
    """
    Up to `limit` connections, opened when they are needed.

    Every connection can write, one at a time: the write lock is taken in this process, in the order of asking, so that
    SQLite never finds two writers of one gateway at once. A caller gets lock and connection together and waits for both
    while holding neither, so that readers go on.

    Attributes:
        timeout: Seconds that a caller waits at most.
        read_only: Nothing can be written, so that nobody need take the lock.
        epoch: Counts the loops that it has belonged to.
    """

    def __init__(self, location: Location, *, limit: int, timeout: float) -> None:
        self._location = location
        self._limit = limit
        self.timeout = timeout
        self.read_only = location.read_only
        self.epoch = 0
        self._turns = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = os.getpid()
        self._thread = 0
        self._inherited: list[Worker] = []
        self._leaving: list[Worker] = []
        self._readers, self._writers, self._lockers = Line(), Line(), Line()
        self._dispatching = self._again = False
        self._begin()

    def _begin(self) -> None:
        """Have no connections yet."""
        self._workers: list[Worker] = []
        self._idle: deque[Worker] = deque()
        self._writer: Worker | None = None
        self._last_writer: Worker | None = None
        self._opening: set[asyncio.Task[None]] = set()
        self._proven = False
        self._finalizer = weakref.finalize(self, _end_all, self._workers)

    def statistics(self) -> PoolStatistics:
        """Count connections, and callers in line."""
        size, idle = len(self._workers), len(self._idle)
        lines = (self._readers, self._writers, self._lockers)
        waiting = sum(each.counted for line in lines for each in line.waiting())
        return PoolStatistics(self._limit, size, idle, size - idle, waiting)

    # Loops

    def bind(self) -> asyncio.AbstractEventLoop:
        """
        Belong to the running loop, and return it; to be called before everything else.

        Raises:
            WrongLoop: Another loop is using the gateway, or none of asyncio's is running.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise WrongLoop(
                "no asyncio event loop is running here",
                hint="the sqlite gateway needs asyncio; on trio, use the memory gateway",
            ) from None
        if loop is not self._loop or self._process != os.getpid():
            self._rebind(loop)
        return loop

    def _rebind(self, loop: asyncio.AbstractEventLoop) -> None:
        forked = self._process != os.getpid()
        if self._loop is not None and self._loop.is_running() and not forked:
            raise WrongLoop(
                "the gateway is in use by the event loop of another thread",
                hint="give each thread that runs a loop a gateway of its own",
            )
        workers = self._forget()
        if forked:
            # Their threads are the parent's. Closing them here would take the parent's locks away.
            self._inherited.extend(workers)
        for worker in () if forked else workers:
            worker.end_soon()
        self._readers, self._writers, self._lockers = Line(), Line(), Line()
        self._loop, self._process, self._thread = loop, os.getpid(), threading.get_ident()
        self.epoch += 1

    def _forget(self) -> "list[Worker]":
        """Have no connections any more, and return those that there were."""
        workers = self._workers
        self._finalizer.detach()
        self._begin()
        return workers

    def on_loop(self) -> bool:
        """Tell whether this is the thread of the loop: finalizers may run in any."""
        return self._thread == threading.get_ident()

    def soon(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call back on the loop, from any thread; never, where the loop has ended."""
        if self._loop is not None:
            call_soon(self._loop, callback, *arguments)

    # Taking

    def take(self, write: bool) -> "Worker | None":
        """Take a connection, and the write lock with `write`, if that is possible at once."""
        # Whoever could be served has been, so that nobody who waits is overtaken here.
        if not self._idle:
            return None
        if not write:
            return self._idle.pop()
        return self._take_for_writing() if self._writer is None else None

    def _take_for_writing(self) -> "Worker":
        worker = self._last_writer
        if worker is not None and worker in self._idle:
            # It has the pages of the last commit in its cache.
            self._idle.remove(worker)
        else:
            worker = self._idle.pop()
        self._writer = self._last_writer = worker
        return worker

    def lock(self, worker: "Worker") -> bool:
        """
        Take the write lock for a connection that is held, if that is possible at once. Taking it twice is a no-op.
        """
        if self._writer is None:
            self._writer = self._last_writer = worker
        return self._writer is worker

    def may_read_beside(self) -> bool:
        """Tell whether reads may go past the connections; not with a single one, for which everybody waits in line."""
        return self._limit > 1 or bool(self._idle)

    def can_open(self) -> bool:
        """Tell whether there may be more connections than there are."""
        return len(self._workers) + len(self._opening) < self._limit

    def ask(self, write: bool, own: "Worker | None" = None, *, counted: bool = True) -> "asyncio.Future[Worker]":
        """
        Stand in line for a connection, and for the write lock with `write`; with `own`, for the lock alone.

        Raises, from the future:
            PoolTimeout: None became free in time.
            CannotConnect, StoreCorrupt, LockTimeout: A new one could not be opened.
        """
        loop = asyncio.get_running_loop()
        waiter = Waiter(loop.create_future(), next(self._turns), write, own, counted)
        (self._lockers if own is not None else self._writers if write else self._readers).add(waiter)
        timer = loop.call_later(self.timeout, self._expire, waiter)
        waiter.future.add_done_callback(lambda _: timer.cancel())
        self._dispatch()
        return waiter.future

    async def wait(self, write: bool, own: "Worker | None" = None) -> "Worker":
        """
        Wait in line; see `ask`.

        Raises:
            PoolTimeout: Also where the waiting task itself holds all that it could be given.
        """
        self.refuse_deadlock(write, own)
        future = self.ask(write, own)
        try:
            return await future
        except asyncio.CancelledError:
            # It may have been granted before its caller could know.
            if future.done() and not future.cancelled() and future.exception() is None:
                if own is None:
                    self.give(future.result())
                else:
                    self.unlock(own)
            raise

    def _expire(self, waiter: Waiter) -> None:
        if not waiter.future.done():
            waiter.future.set_exception(self.timed_out(waiter.write))

    def refuse_deadlock(self, write: bool, own: "Worker | None" = None) -> None:
        """
        Refuse to wait where the task that would wait holds all that it could be given.

        Raises:
            PoolTimeout: It does.
        """
        task = asyncio.current_task()
        held = [each for each in self._workers if each.holder is task and each is not own]
        if held and (len(held) == self._limit or (write and self._writer in held)):
            raise self.timed_out(write, "the task that waits for it holds it")

    def timed_out(self, write: bool, why: str = "") -> PoolTimeout:
        """Give the error of a caller that waited in vain."""
        counts = self.statistics()
        what = "write lock" if write and self._writer is not None else "connection"
        return PoolTimeout(
            f"found no free {what}: {why or f'none within {self.timeout:g} s'} ({counts.in_use} of at most "
            f"{counts.limit} connections are in use)",
            hint="close a stream, or read it to its end, before the next query; within a transaction use its `tx`; or "
            "raise max_connections",
        )

    # Giving back

    def give(self, worker: "Worker") -> None:
        """Give a connection back, and the write lock with it. One that is spent or closed is not used again."""
        worker.holder = None
        if self._writer is worker:
            self._writer = None
        if worker.ended or worker.session.spent:
            self._discard(worker)
        else:
            self._idle.append(worker)
        self._dispatch()

    def unlock(self, worker: "Worker") -> None:
        """Give the write lock back and keep the connection; a no-op without the lock."""
        if self._writer is worker:
            self._writer = None
            self._dispatch()

    def _discard(self, worker: "Worker") -> None:
        worker.end_soon()
        self._leaving = [each for each in (*self._leaving, worker) if each.alive()]
        if worker in self._workers:
            self._workers.remove(worker)
        if worker is self._last_writer:
            self._last_writer = None

    # Granting

    def _dispatch(self) -> None:
        """Grant whatever can be granted, in the order of asking, and open connections for who is left."""
        if not (self._readers or self._writers or self._lockers):
            return
        if self._dispatching:
            # A finalizer gives a connection back in the midst of it.
            self._again = True
            return
        self._dispatching = self._again = True
        try:
            while self._again:
                self._again = False
                while (waiter := self._servable()) is not None:
                    self._grant(waiter)
                self._open_more()
        finally:
            self._dispatching = False

    def _servable(self) -> Waiter | None:
        """Return who asked first of those who can be served now."""
        reader = self._readers.first() if self._idle else None
        writer = self._writers.first() if self._idle and self._writer is None else None
        locker = self._lockers.first() if self._writer is None else None
        return min(
            (each for each in (reader, writer, locker) if each is not None), key=lambda each: each.number, default=None
        )

    def _grant(self, waiter: Waiter) -> None:
        if waiter.own is not None:
            self._writer = self._last_writer = worker = waiter.own
        elif waiter.write:
            worker = self._take_for_writing()
        else:
            worker = self._idle.pop()
        waiter.future.set_result(worker)

    def _open_more(self) -> None:
        """Open as many connections as can be used now; the first one alone, since it may have to make the file."""
        room = self._limit - len(self._workers) if self._proven else 1
        wanted = len(self._readers.waiting()) + (self._writer is None and self._writers.first() is not None)
        for _ in range(min(wanted, room) - len(self._opening)):
            task = asyncio.get_running_loop().create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self) -> None:
        """Open one connection for whoever is first in line, or tell that one of the failure."""
        from gateways.sqlite.worker import Worker

        opening = self._opening
        try:
            self._location.prepare()
            worker = await Worker.open(self._location)
        except Exception as error:
            self._opened(opening)
            self._fail_next(error)
            return
        if opening is not self._opening:
            # The gateway was closed meanwhile.
            await worker.end()
            return
        self._opened(opening)
        self._proven = True
        self._workers.append(worker)
        self._idle.append(worker)
        self._dispatch()

    def _opened(self, opening: "set[asyncio.Task[None]]") -> None:
        task = asyncio.current_task()
        if task is not None:
            opening.discard(task)

    def _fail_next(self, error: Exception) -> None:
        waiting = [each for each in (self._readers.first(), self._writers.first()) if each is not None]
        if waiting:
            min(waiting, key=lambda each: each.number).future.set_exception(error)
        self._dispatch()

    # Ending

    async def aclose(self) -> None:
        """
        Close every connection, those in use behind what runs on them, which gets a while to end by itself.

        Callers in line get new ones.
        """
        if self._loop is None:
            return
        self.bind()
        opening, workers = tuple(self._opening), self._forget()
        try:
            # The last one alone: whoever is the only one left clears the log away, and two at once both are not.
            await _ended(workers[1:], opening)
            while any(each.alive() for each in self._leaving):  # noqa: ASYNC110 (the end of a thread has no event)
                await asyncio.sleep(_HURRY / 10)
            await _ended(workers[:1])
        finally:
            for worker in workers:
                worker.end_soon()
            self._location.forget()
            self._dispatch()


async def _ended(workers: "Sequence[Worker]", others: "Sequence[asyncio.Future[Any]]" = ()) -> None:
    """Close connections and wait for it: for a while for what runs on them, then they are told to hurry."""
    ends = [stopped for each in workers if (stopped := each.stop()) is not None]
    pending, patience = {*ends, *others}, _GRACE
    while pending:
        _, pending = await asyncio.wait(pending, timeout=patience)
        patience = _HURRY
        if pending:
            for worker in workers:
                worker.session.hurry()
    for worker in workers:
        worker.join()


def _end_all(workers: "list[Worker]") -> None:
    """End the connections of a pool that nobody refers to any more, or of a process that ends."""
    for worker in workers:
        worker.end_soon()
    if not threading.main_thread().is_alive():
        # The threads are daemons and die with the process: give them the time to close their files.
        for worker in workers:
            worker.join()
