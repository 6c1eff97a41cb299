"""
Work that runs to its end, whoever is cancelled meanwhile: the end of a transaction.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import anyio

__all__ = ["finish"]


async def finish(work: Coroutine[Any, Any, object]) -> BaseException | None:
    """
    Do work to its end, even if the caller is cancelled.

    Returns:
        The cancellation that came meanwhile and is now to be obeyed, or None. On trio it need not be obeyed by hand: it
        comes again at the next checkpoint.

    Raises:
        BaseException: What the work raised.
    """
    cancelled: BaseException | None = None
    with anyio.CancelScope(shield=True):
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            await work
        else:
            cancelled = await _outlast(loop.create_task(work))
    return cancelled


async def _outlast(task: "asyncio.Task[object]") -> BaseException | None:
    """
    Wait for a task. A scope of anyio does not keep `Task.cancel()` away, which reaches whatever future is awaited.
    """
    cancelled: BaseException | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
    task.result()
    return cancelled
