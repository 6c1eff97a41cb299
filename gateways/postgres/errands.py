"""
Errands: what a pool does behind everybody's back, such as opening a connection to its end or closing one with patience.

Coroutines go in; whoever closes the pool waits until they are done.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from typing_extensions import TypeVar

__all__ = ["Errands", "outlast"]

T = TypeVar("T")

CHAIN: Final = 3
"""How many errands follow from one another: a connection is made clean, and then closed."""


class Errands:
    """The errands of one event loop."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Begin work whose result somebody asks for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def send(self, work: Coroutine[Any, Any, None], then: Callable[[], None]) -> "asyncio.Task[None]":
        """
        Begin work whose errors are of no interest. What is to be done then is done even if the work never begins, as
        at the end of an event loop.
        """
        task = self.begin(work)
        task.add_done_callback(partial(_ended, then))
        return task

    async def done(self) -> None:
        """Wait until all are done, and what follows from them."""
        for _ in range(CHAIN):
            if self._tasks:
                await asyncio.wait(set(self._tasks))


async def outlast(task: "asyncio.Task[None]") -> None:
    """Wait for a task, however often the caller is cancelled: it is so already, and raises that behind it."""
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            pass


def _ended(then: Callable[[], None], task: "asyncio.Task[None]") -> None:
    if not task.cancelled():
        task.exception()
    then()
