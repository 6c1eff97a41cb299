"""
Calling back on an event loop from a thread.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

__all__ = ["call_soon"]


def call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *arguments: Any) -> None:
    """Call back on a loop, from any thread; never where it has ended, since nobody waits then."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback, *arguments)
