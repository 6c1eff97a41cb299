"""
Work that is run to its end although whoever waits for it is cancelled: commits, and writes that commit by themselves.

A coroutine goes in, its result comes out. It does what `asyncio.shield` around a task does, at a third of the cost: the
coroutine stays in the task that waits, which a future of its own stands between and the driver's future.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic

from typing_extensions import TypeVar

__all__ = ["Sheltered"]

T = TypeVar("T")


class Sheltered(Generic[T]):
    """
    Awaiting it runs the work to its end. A cancellation meanwhile is raised behind it, and the work's own result or
    error is dropped then.

    Args:
        work: What is to be run.
        hasten: Called at the first cancellation, so that the work can be made to end sooner.

    Attributes:
        done: The work is over.
    """

    __slots__ = ("_hasten", "_work", "done")

    def __init__(self, work: Coroutine[Any, Any, T], hasten: "Callable[[Sheltered[T]], object] | None" = None) -> None:
        self._work = work
        self._hasten = hasten
        self.done = False

    def __await__(self) -> Generator[Any, None, T]:
        cancelled: asyncio.CancelledError | None = None
        try:
            while True:
                waits = self._work.send(None)
                while waits is not None and not waits.done():
                    try:
                        yield from _behind(waits)
                    except asyncio.CancelledError as error:
                        if cancelled is None and self._hasten is not None:
                            self._hasten(self)
                        cancelled = cancelled or error
                if waits is None:
                    yield
        except StopIteration as stop:
            if cancelled is not None:
                raise cancelled from None
            result: T = stop.value
            return result
        except Exception:
            if cancelled is not None:
                raise cancelled from None
            raise
        finally:
            self.done = True
            self._work.close()


def _behind(waits: Any) -> "asyncio.Future[None]":
    """Return a future that is done when another is, and may be cancelled instead of it."""
    # What a coroutine yields to its task is marked as being waited for (asyncio.isfuture); now somebody else waits.
    waits._asyncio_future_blocking = False
    proxy: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake(_: object) -> None:
        if not proxy.done():
            proxy.set_result(None)

    waits.add_done_callback(wake)
    return proxy
