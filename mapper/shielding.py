"""
Work that runs to its end, whoever is cancelled meanwhile: the end of a transaction.
"""

import asyncio
import math
from collections.abc import Coroutine
from typing import Any

import anyio

__all__ = ["finish"]


async def finish(work: Coroutine[Any, Any, object], *, patience: float | None = None) -> BaseException | None:
    """
    Do work to its end, even if the caller is cancelled.

    Args:
        patience: Seconds from the caller's cancellation, or from its deadline, after which the work is told of it: a
            store that has gone silent would hold whoever waits for ever. What a store does then is its own business.
            Without, and on trio, the work is never told.

    Returns:
        The cancellation that came meanwhile and is now to be obeyed, or None. On trio it need not be obeyed by hand: it
        comes again at the next checkpoint.

    Raises:
        BaseException: What the work raised.
        TimeoutError: It was told, and ended by that, at the caller's deadline.
    """
    cancelled: BaseException | None = None
    deadline = math.inf if patience is None else anyio.current_effective_deadline() - anyio.current_time()
    with anyio.CancelScope(shield=True):
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            await work
        else:
            cancelled = await _outlast(loop.create_task(work), patience, deadline)
    return cancelled


async def _outlast(task: "asyncio.Task[object]", patience: float | None, deadline: float) -> BaseException | None:
    """
    Wait for a task. A scope of anyio does not keep `Task.cancel()` away, which reaches whatever future is awaited.

    Args:
        deadline: In how many seconds a scope will cancel the caller, which does not reach it here.
    """
    cancelled: BaseException | None = None
    told = False
    limit = None if patience is None or math.isinf(deadline) else max(deadline, 0.0) + patience
    while not task.done():
        try:
            await asyncio.wait((task,), timeout=limit)
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
            limit = patience
        else:
            told = task.cancel() or told
            limit = None
    if told and task.cancelled():
        raise cancelled or TimeoutError("the work was told to end, because the caller's time was over")
    task.result()
    return cancelled
