"""
Trying again what failed for a reason that passes: which errors, and after how long.
"""

import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio

from mapper.errors import CommitUnknown, ConnectionLost, MapperError, QueryError, RolledBack

__all__ = ["checked_retries", "retried"]

T = TypeVar("T")

FIRST_PAUSE: Final = 0.005  # seconds
LONGEST_PAUSE: Final = 1.0  # seconds


async def retried(
    attempt: Callable[[], Awaitable[T]], retries: int, *, once: bool = False, also: tuple[type[MapperError], ...] = ()
) -> T:
    """
    Make an attempt, and further ones after errors that another can help.

    Those are the errors that are `retryable` and those of the classes `also`, but for a lost connection: whoever lost
    it decides. With `once` the
    attempt takes effect once however often it is made, so that lost connections and unknown outcomes count too. Between attempts it
    waits, each time about twice as long, and by chance more or less, so that those who collided do not meet again.
    """
    pause = FIRST_PAUSE
    for _ in range(retries):
        try:
            return await attempt()
        except MapperError as error:
            if not (_passes(error, also) or (once and isinstance(error, ConnectionLost | CommitUnknown))):
                raise
        await anyio.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(2 * pause, LONGEST_PAUSE)
    return await attempt()


def _passes(error: BaseException | None, also: tuple[type[MapperError], ...] = ()) -> bool:
    """Whether the reason of an error may be gone at the next attempt; that of further classes always may."""
    if isinstance(error, RolledBack):
        return _passes(error.__cause__, also)
    if isinstance(error, also):
        return True
    return isinstance(error, MapperError) and error.retryable and not isinstance(error, ConnectionLost)


def checked_retries(retries: object) -> int:
    """
    Return a number of retries.

    Raises:
        QueryError: It is none.
    """
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise QueryError(f"retries is {retries!r}, expected a number", hint="0 tries once, 3 tries at most four times")
    return retries
