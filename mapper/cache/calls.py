"""
Calls to a driver: none lasts longer than it may, none is made while the driver is left alone, none fails a read.

Work goes in; what it returned comes out, or nothing where it failed, which is told as an event.
"""

from collections.abc import Coroutine
from typing import Any

import anyio
from typing_extensions import TypeVar

from mapper.cache.breaker import Breaker
from mapper.cache.events import Events
from mapper.errors import CacheDriverError, CacheTimeout, CacheUnavailable

__all__ = ["Calls", "as_driver_error"]

T = TypeVar("T")


class Calls:
    """
    Calls to one driver.

    Args:
        breaker: Decides when the driver is left alone. `asked` does not ask it: whoever calls has.
        at_once: Whether the driver is of this process and keeps nobody waiting, so that no call needs a time limit.
    """

    __slots__ = ("_at_once", "_events", "breaker")

    def __init__(self, events: Events, breaker: Breaker, *, at_once: bool) -> None:
        self._events = events
        self._at_once = at_once
        self.breaker = breaker

    async def asked(self, work: Coroutine[Any, Any, T], timeout: float, *, left: float | None = None) -> T | None:
        """
        Return what work returns; None where it fails, or takes longer than so many seconds.

        Args:
            left: How many of them are left.
        """
        error, value = await self._tried(work, timeout, timeout if left is None else left)
        return value if error is None else None

    async def changed(self, work: Coroutine[Any, Any, object], timeout: float) -> CacheDriverError | None:
        """Do work, and return what went wrong; None where nothing did."""
        error, _ = await self._tried(work, timeout, timeout)
        return error

    async def _tried(
        self, work: Coroutine[Any, Any, T], timeout: float, left: float
    ) -> tuple[CacheDriverError | None, T | None]:
        try:
            if self._at_once:
                value = await work
            else:
                with anyio.fail_after(left):
                    value = await work
        except Exception as caught:
            error = as_driver_error(caught, timeout)
            self.failed(error)
            return error, None
        except BaseException:
            self.breaker.unknown()
            raise
        if not self.breaker.calm:
            self.succeeded()
        return None, value

    def succeeded(self) -> None:
        """Take notice of a call that went well."""
        if self.breaker.succeeded():
            self._events.tell("breaker", "closed")

    def failed(self, error: CacheDriverError) -> None:
        """Take notice of a call that failed."""
        # What other errors say may have a key or a value in it.
        told = error if isinstance(error, CacheUnavailable | CacheTimeout) else None
        self._events.tell("error", type(error).__name__, error=told)
        if self.breaker.failed():
            self._events.tell("breaker", "open")


def as_driver_error(error: Exception, timeout: float) -> CacheDriverError:
    """Return an error as one of drivers, whatever a driver of the user's own raises."""
    if isinstance(error, CacheDriverError):
        return error
    if isinstance(error, TimeoutError):
        return CacheTimeout(f"the cache did not answer within {timeout:g} s")
    wrapped = CacheUnavailable(f"the driver raised {type(error).__qualname__}")
    wrapped.__cause__ = error
    return wrapped
