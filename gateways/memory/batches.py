"""
Streams: results that are read batch by batch, of one state of the store, in constant memory.

A read goes in; batches of objects come out, made when they are asked for. What a stream holds, a snapshot and perhaps a
place among the gateway's connections, goes back at the end of it, whichever way it comes.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, Generic

import anyio
from anyio.lowlevel import checkpoint
from typing_extensions import TypeVar

from gateways.memory.events import Clock
from gateways.memory.fetching import fetched
from gateways.memory.session import Session, translated
from gateways.memory.sharing import Shared
from mapper.errors import QueryError
from mapper.gateway import Decode
from mapper.operations import Operation

__all__ = ["CHUNK", "MemoryBatches"]

T = TypeVar("T")
S = TypeVar("S")

CHUNK: Final = 500
"""Rows of a batch."""


class MemoryBatches(Generic[T]):
    """
    A result in batches; see `mapper.gateway.Batches`.

    Args:
        shared: Of its gateway.
        operation: The read.
        decode: Makes objects of rows.
        release: Called once, at the end.
        clock: The operation's, which has counted its waiting; None where nobody listens.
        chunk: Rows of a batch.

    Attributes:
        open: It holds what it reads.
    """

    def __init__(
        self,
        shared: Shared,
        operation: Operation,
        decode: Decode[T],
        release: Callable[["MemoryBatches[T]"], object],
        clock: Clock | None,
        chunk: int = CHUNK,
    ) -> None:
        self._shared = shared
        self._operation = operation
        self._decode = decode
        self._release = release
        self._clock = clock
        self._chunk = chunk
        self._session: Session | None = None
        self._rows: Iterator[tuple[Any, ...]] = iter(())
        self._close: Callable[[], object] | None = None
        self._ahead: list[tuple[Any, ...]] = []
        self._batch: Sequence[T] | None = None
        self._running = False
        self.open = True
        self.loop: object = shared.loop()
        self.task = anyio.get_current_task().id

    def begin(self, session: Session) -> None:
        """Take a snapshot and read the first batch, which the first `next` hands out."""
        self._session = session
        try:
            with translated(self._operation):
                self._rows, self._close = session.opened(self._operation)
        except BaseException as error:
            self.end(error)
            raise
        self._batch = self._read()

    async def next(self) -> Sequence[T] | None:
        """Return the next batch, or None after the last. A batch is never empty."""
        batch, self._batch = self._batch, None
        if batch is None and self.open:
            if self._running:
                raise QueryError(
                    "two tasks read one stream at once", hint="read it in one task, and hand the objects on"
                )
            self._running = True
            try:
                await checkpoint()
            finally:
                self._running = False
            batch = self._read() if self.open else None
        return batch or None

    @property
    def holds(self) -> bool:
        """Whether it holds what it reads still; see `mapper.gateway.Batches`."""
        return self.open

    async def fetch(self, operation: Operation, decode: Decode[S]) -> list[S]:
        """Run another read between two batches, which sees what is committed by now."""
        session = self._session
        if session is None or not self.open:
            raise QueryError("the stream holds no snapshot any more", hint="read on the gateway")
        await checkpoint()
        return fetched(self._shared, session, operation, decode)

    async def aclose(self) -> None:
        """Give back what is held. Closing twice, or after the end, is a no-op."""
        self._batch = None
        self.end()

    def abandon(self) -> None:
        """Give back what is held, for an iteration that was left without closing it; from any thread."""
        if self.open:
            self._shared.soon(self.end)

    def end(self, error: BaseException | None = None) -> None:
        """Give back what is held; after the first time a no-op."""
        if not self.open:
            return
        self.open = False
        self._rows, self._ahead = iter(()), []
        if self._close is not None:
            self._close()
        self._release(self)
        if self._clock is not None:
            self._shared.listeners.tell(self._clock.event(self._operation, error))

    def _read(self) -> Sequence[T]:
        """
        Read a batch. One row more than asked for tells whether there is another; the end is noticed with the last rows.
        """
        clock = self._clock
        if clock is not None:
            clock.idled()
        try:
            with translated(self._operation):
                rows = [*self._ahead, *islice(self._rows, self._chunk + 1 - len(self._ahead))]
            self._ahead = rows[self._chunk :]
            del rows[self._chunk :]
            if clock is not None:
                clock.queried()
            batch = self._decode(rows, ()) if rows else []
            if clock is not None:
                clock.decoded()
                clock.rows += len(rows)
        except BaseException as error:
            self.end(error)
            raise
        if not self._ahead:
            self.end()
        return batch
