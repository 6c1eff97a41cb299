"""
Work that is run to its end although whoever waits for it is cancelled: commits, and writes that commit by themselves.

A coroutine goes in, its result comes out. It does what `asyncio.shield` around a task does, without the task and without
a turn of the loop: the coroutine stays in the task that waits, and between that and the driver's future stands an object
whose cancellation goes no further.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic

from typing_extensions import TypeVar

__all__ = ["Sheltered", "given_up_after", "was_outlasted"]

T = TypeVar("T")


class Sheltered(Generic[T]):
    """
    Awaiting it runs the work to its end. A cancellation meanwhile is raised behind it, and the work's own result or
    error is dropped then.

    To the task that waits it is a future: done when that is which the work waits for, and never cancelled.

    Args:
        work: What is to be run.
        hasten: Called at the first cancellation, so that the work can be made to end sooner.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_cancelled",
        "_hasten",
        "_over",
        "_waits",
        "_work",
        "add_done_callback",
        "done",
        "get_loop",
    )

    def __init__(self, work: Coroutine[Any, Any, T], hasten: "Callable[[Sheltered[T]], object] | None" = None) -> None:
        self._work = work
        self._hasten = hasten
        self._over = False
        self._waits: Any = None
        self._cancelled: asyncio.CancelledError | None = None
        # Marks it as a future that nobody waits for yet (asyncio.isfuture).
        self._asyncio_future_blocking: bool | None = None

    def __await__(self) -> Generator[Any, None, T]:
        result: T | None = None
        broken_off = False
        send = self._work.send
        try:
            while True:
                self._waits = waits = send(None)  # a future; None for the next turn of the loop
                if waits is not None:
                    # What a coroutine yields to its task is marked as being waited for (asyncio.isfuture); now this is.
                    waits._asyncio_future_blocking = False
                    self._asyncio_future_blocking = True
                    self.add_done_callback = waits.add_done_callback
                    self.done = waits.done
                    self.get_loop = waits.get_loop
                try:
                    yield None if waits is None else self
                except BaseException as error:
                    self._take(error, waits)
        except StopIteration as stop:
            result = stop.value
        except Exception:
            waits = None
            self._forget()
            if self._cancelled is None:
                raise
        except asyncio.CancelledError:
            waits = None
            self._forget()
            if self._cancelled is None:
                raise
            broken_off = True
        finally:
            self._over = True
            self._work.close()
        cancelled, self._cancelled = self._cancelled, None
        if cancelled is not None:
            # A class of its own would not do: `asyncio.timeout` takes no subclass for a cancellation.
            cancelled.outlasted = not broken_off  # type: ignore[attr-defined]
            try:
                raise cancelled
            finally:
                del cancelled  # which knows this frame
        return result  # type: ignore[return-value]  # None only where T is

    def _forget(self) -> None:
        """Let go of the future that failed: it has the error, which knows the frames, which know the future."""
        self._waits = self.add_done_callback = self.done = self.get_loop = None

    def _take(self, error: BaseException, waits: Any) -> None:
        """Take what was raised in the place of waiting."""
        if isinstance(error, asyncio.CancelledError) and waits is None:
            self.cancel(*error.args)
        elif waits is None or not waits.done():
            raise error
        # What a future raises comes here too: the work asks the future for it by itself.

    def cancel(self, msg: object = None) -> bool:
        """
        Raise a cancellation behind the work; of several, the first. True tells the task that it need not raise it by
        itself.
        """
        if self._cancelled is None:
            self._cancelled = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
            if self._hasten is not None:
                self._hasten(self)
        return True

    def give_up(self) -> None:
        """Cancel the work itself, where it is not over."""
        if self._over:
            return
        if self._waits is None or self._waits.done():
            asyncio.get_running_loop().call_soon(self.give_up)
        else:
            self._waits.cancel()

    def give_up_after(self, seconds: float) -> None:
        """Cancel the work itself in a while. This may be called from outside of the loop, as it comes to its end."""
        loop = asyncio.get_running_loop() if self._waits is None else self._waits.get_loop()
        loop.call_later(seconds, self.give_up)


def was_outlasted(error: BaseException) -> bool:
    """Whether an error is a cancellation behind which sheltered work has come to its own end, well or badly."""
    return getattr(error, "outlasted", False)


def given_up_after(seconds: float) -> Callable[[Sheltered[Any]], object]:
    """Return what lets work go on for so long after a cancellation, and no longer."""
    return lambda work: work.give_up_after(seconds)
