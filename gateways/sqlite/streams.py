"""
Streams: results that are read batch by batch, in constant memory.

A read on a held connection goes in; batches of objects come out, decoded in the connection's thread. The connection
goes back at the end of them, whichever way it comes: exhaustion, closing, an error, a cancellation, or the loss of the
last reference.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final, Generic

from typing_extensions import TypeVar

from gateways.sqlite.glimpses import Glimpses
from gateways.sqlite.pool import Pool
from gateways.sqlite.raw import readable
from gateways.sqlite.reading import Reading, fetch
from gateways.sqlite.session import Session
from gateways.sqlite.tracing import Listeners, Trace
from mapper.errors import QueryError
from mapper.gateway import Decode
from mapper.operations import Operation

if TYPE_CHECKING:
    from gateways.sqlite.worker import Worker

__all__ = ["SQLiteBatches", "growing"]

T = TypeVar("T")
S = TypeVar("S")

_FIRST: Final = 50  # few rows: the first is there early, and a short result takes one visit
_FULL: Final = (
    500  # rows at which the cost of a visit vanishes; from 700 new objects on, the garbage collector steps in
)


def growing() -> Iterator[int]:
    """Give the sizes of batches of objects."""
    return chain((_FIRST, 250), repeat(_FULL))


class SQLiteBatches(Generic[T]):
    """A result in batches; see `mapper.gateway.Batches`."""

    __slots__ = (
        "__weakref__",
        "_batch",
        "_ended",
        "_glimpses",
        "_listeners",
        "_pool",
        "_reading",
        "_release",
        "_running",
        "_sizes",
        "_trace",
        "_worker",
    )

    def __init__(
        self,
        pool: Pool,
        worker: "Worker",
        reading: Reading[T],
        sizes: Iterator[int],
        *,
        trace: Trace | None,
        listeners: Listeners,
        release: Callable[[], object],
        glimpses: Glimpses | None = None,
    ) -> None:
        self._pool = pool
        self._worker = worker
        self._reading = reading
        self._trace = trace
        self._listeners = listeners
        self._release = release
        self._sizes = sizes
        self._batch: list[T] | None = None
        self._running = False
        self._ended = False
        self._glimpses = glimpses

    async def begin(self) -> None:
        """Run the statement and read the first batch, which the first `next` hands out."""
        if not await self._glimpsed():
            self._batch = await self._read()

    async def _glimpsed(self) -> bool:
        """Read the first batch on the loop's own thread, if that is possible."""
        glimpses = self._glimpses
        if glimpses is None:
            return False
        try:
            self._batch = glimpses.read(self._reading, self._worker, _FIRST, asyncio.get_running_loop())
            if self._batch is None:
                return False
            next(self._sizes)
            if self._reading.exhausted:
                self._end()
            if glimpses.pause_due():
                await asyncio.sleep(0)
        except BaseException as error:
            self._end(error)
            raise
        return True

    async def next(self) -> Sequence[T] | None:
        """Return the next batch, or None after the last."""
        batch, self._batch = self._batch, None
        if batch is None and not self._ended:
            batch = await self._read()
        return batch or None

    @property
    def holds(self) -> bool:
        """Whether it holds a connection still; see `mapper.gateway.Batches`."""
        return not self._ended

    async def fetch(self, operation: Operation, decode: Decode[S]) -> list[S]:
        """Run another read between two batches; see `mapper.gateway.Batches`."""
        self._require_one_reader()
        if self._ended:
            raise QueryError("the stream holds no connection any more", hint="read on the gateway")
        self._running = True
        self._worker.holder = asyncio.current_task()
        trace = self._listeners.trace()
        try:
            return await self._worker.visit(partial(fetch, readable(operation), decode, trace))
        finally:
            self._running = False
            if trace is not None:
                self._listeners.tell(trace.events)

    def _require_one_reader(self) -> None:
        if self._running:
            raise QueryError("two tasks read one stream at once", hint="read it in one task, and hand the objects on")

    async def _read(self) -> list[T]:
        self._require_one_reader()
        self._running = True
        self._worker.holder = asyncio.current_task()
        try:
            batch = await self._worker.visit(self._step(next(self._sizes)))
        except BaseException as error:
            self._end(error)
            raise
        finally:
            self._running = False
        if self._reading.exhausted:
            self._end()
        return batch

    def _step(self, count: int) -> Callable[[Session], list[T]]:
        glimpses = self._glimpses
        if glimpses is None or self._reading.begun:
            return partial(self._reading.step, count)
        return glimpses.learning(self._reading, count)

    async def aclose(self) -> None:
        """Give the connection back. Closing twice, or after the end, is a no-op."""
        self._end()

    def abandon(self) -> None:
        """
        Give the connection back, from any thread. The cursor is closed in its thread, before anything else that is sent
        there.
        """
        if self._pool.on_loop():
            self._end()
        else:
            self._pool.soon(self._end)

    def _end(self, error: BaseException | None = None) -> None:
        if self._ended:
            return
        self._ended = True
        self._batch = None if error is not None else self._batch
        if not self._reading.exhausted:
            self._close()
        if self._trace is not None:
            self._reading.ended(error)
            self._listeners.tell(self._trace.events)
        self._release()

    def _close(self) -> None:
        """Close the cursor: at once where that is possible, else in its thread, before what else is sent there."""
        glimpses = self._glimpses
        if glimpses is None or not self._pool.on_loop() or not glimpses.close(self._reading, self._worker):
            self._worker.leave(self._reading.close)

    def __del__(self) -> None:
        if not getattr(self, "_ended", True):
            self.abandon()
