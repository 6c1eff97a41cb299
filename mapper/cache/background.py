"""
Work of the cache's own, behind the reads and writes that caused it.

Coroutines go in and run as tasks that nobody else can cancel; `drain` waits for them.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

import anyio

__all__ = ["Background", "Spawn"]

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], object]
"""A host's way to run work behind an answer: it is given a coroutine and must run it to its end."""

MOST: Final = 1000

_log: Final = logging.getLogger("mapper.cache")


class Background:
    """
    Tasks of the running event loop.

    Args:
        spawn: A host's own way to run them; without, they are tasks of asyncio, or system tasks of trio.
    """

    __slots__ = ("_changed", "_spawn", "_tasks", "running")

    def __init__(self, spawn: Spawn | None = None) -> None:
        self._spawn = spawn
        self._tasks: set[object] = set()
        self._changed: anyio.Event | None = None
        self.running = 0

    @property
    def is_handed_on(self) -> bool:
        """Whether a host runs what nobody waits for, and nobody knows when."""
        return self._spawn is not None

    def start(
        self, work: Coroutine[Any, Any, None], *, awaited: bool = False, dropped: Callable[[], None] | None = None
    ) -> bool:
        """
        Begin work; False, and it is not begun, where too much is going on.

        Args:
            awaited: Somebody waits for it, and so it is not for the host, which may do it once all answers are given.
            dropped: Called where it is never begun, because its event loop ended first.
        """
        if self.running >= MOST:
            work.close()
            return False
        self.running += 1
        watched = self._watched(work)
        if self._spawn is not None and not awaited:
            self._spawn(watched)
        elif _on_asyncio():
            task = asyncio.get_running_loop().create_task(watched)
            self._tasks.add(task)

            def over(task: "asyncio.Task[None]") -> None:
                self._tasks.discard(task)
                if inspect.getcoroutinestate(work) == inspect.CORO_CREATED:  # it was cancelled before its first step
                    work.close()
                    self._over()
                    if dropped is not None:
                        dropped()

            task.add_done_callback(over)
        else:
            _spawn_on_trio(watched)
        return True

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            _log.exception("work of the cache failed in the background")
        finally:
            self._over()

    def _over(self) -> None:
        self.running -= 1
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set()

    async def drain(self) -> None:
        """Wait until nothing runs, of what was begun meanwhile too."""
        while self.running:
            if self._changed is None:
                self._changed = anyio.Event()
            await self._changed.wait()


def _on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _spawn_on_trio(work: Coroutine[Any, Any, None]) -> None:
    import trio  # who runs on it has it; nobody else needs it

    async def run() -> None:
        await work

    trio.lowlevel.spawn_system_task(run)
