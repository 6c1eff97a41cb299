"""
First batches of streams on the loop's own thread: those that take less time than waking another thread would.

A stream has a connection of its own, so that its first rows can be read on the loop's thread as well as on the
connection's, which goes on with the next batch. A read that has proven itself goes in; its first objects come out at
once, or None where the connection's thread is to read them after all. What keeps the loop from standing still:

* only queries whose plan does without sorting and other work ahead of the first row, and without functions in Python;
* nothing is waited for: the connection is one that its thread is doing nothing with, and locks are not waited for;
* a limit to the length of rows, and a budget of virtual-machine steps and of time, after which SQLite gives up; a query
  that exceeds it again and again is read by threads for a while;
* rounds: all such reads between two turns of the loop share some time, and whoever comes after it goes to a thread.
"""

import asyncio
import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import TypeVar

from gateways.sqlite.functions import IN_PYTHON
from gateways.sqlite.reading import Reading
from gateways.sqlite.session import Session
from mapper.errors import MapperError

if TYPE_CHECKING:
    from gateways.sqlite.worker import Worker

__all__ = ["Glimpses"]

T = TypeVar("T")

_SPELL: Final = 100e-6  # seconds of reads in one round of the loop, after which others go to threads
_TICKS: Final = 20  # looks at the budget that a read may take: about 50 rows of twenty columns, or 100 µs
_PATIENCE: Final = 300e-6  # seconds that a read may take at a look: pages that are not in memory take many of them
_LONG: Final = 500e-6  # seconds that a read may take with its decoding
_QUERIES: Final = 1024  # queries that are remembered

_UNKNOWN: Final = -2
"""The standing of a query not seen yet. It counts up with each read in a thread; at 0 its plan is looked at."""

_LATER: Final = -100
"""The standing of a query whose first rows take long."""

_CHANCES: Final = 3
"""The standing of a query that is read on the loop, less one for each budget exceeded with none kept in between."""

_AT_ONCE: Final = re.compile(r"(?:SCAN|SEARCH) (?!.*\b(?:AUTOMATIC|SUBQUERY|VIRTUAL TABLE)\b).+", re.DOTALL)
"""A step of a plan that gives its first rows without reading all of them."""


class Glimpses:
    """Which queries give their first rows early, and how long they may take on the loop."""

    def __init__(self) -> None:
        self._standing: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._spell = 0.0
        self._ticks = 0
        self._began = 0.0

    # On the loop

    def read(
        self, reading: Reading[T], worker: "Worker", count: int, loop: asyncio.AbstractEventLoop
    ) -> list[T] | None:
        """Read and decode at once; None where the thread is to do it, and to report whatever is wrong."""
        if loop is not self._loop:
            self._loop, self._spell = loop, 0.0
        standing = self._standing.get(reading.sql, _UNKNOWN)
        if standing <= 0 or self._spell >= _SPELL or not worker.at_rest():
            return None
        self._ticks, self._began = 0, time.perf_counter()
        batch: list[T] | None = None
        try:
            batch = reading.glimpse(count, worker.session, self._spent)
        finally:
            self._took(reading.sql, standing, time.perf_counter() - self._began, given_up=batch is None)
            if not self._spell:
                loop.call_soon(self._begin_round)
            self._spell += time.perf_counter() - self._began
        return batch

    def pause_due(self) -> bool:
        """Tell whether the task is to let the others have a turn."""
        return self._spell >= _SPELL

    def close(self, reading: Reading[Any], worker: "Worker") -> bool:
        """Close the cursor of a query that is read on the loop, and return True; False where the thread is to do it."""
        if self._standing.get(reading.sql, _UNKNOWN) <= 0 or not worker.at_rest():
            return False
        reading.close(worker.session)
        return True

    def _begin_round(self) -> None:
        self._spell = 0.0

    def _spent(self) -> bool:
        """Have SQLite give up, once the budget is exceeded."""
        self._ticks += 1
        return self._ticks > _TICKS or time.perf_counter() - self._began > _PATIENCE

    def _took(self, sql: str, standing: int, seconds: float, *, given_up: bool) -> None:
        if given_up or seconds > _LONG:
            self._standing[sql] = standing - 1 or _LATER
        elif standing != _CHANCES:
            self._standing[sql] = _CHANCES

    # In a connection's thread

    def step(self, reading: Reading[T], count: int, session: Session) -> list[T]:
        """Read the first batch in a thread, and learn whether the next one like it can be read on the loop."""
        batch = reading.step(count, session)
        sql = reading.sql
        standing = self._standing.get(sql, _UNKNOWN)
        if standing == 0:
            self._standing[sql] = _CHANCES if _is_early(reading, session) else _LATER
        elif standing < 0:
            if sql not in self._standing and len(self._standing) >= _QUERIES:
                for oldest in tuple(self._standing)[: _QUERIES // 4]:
                    self._standing.pop(oldest, None)
            self._standing[sql] = standing + 1
        return batch

    def learning(self, reading: Reading[T], count: int) -> "partial[list[T]]":
        """Return `step` as work for a session."""
        return partial(self.step, reading, count)


def _is_early(reading: Reading[Any], session: Session) -> bool:
    if IN_PYTHON.search(reading.sql):
        return False
    try:
        steps = session.query(f"EXPLAIN QUERY PLAN {reading.sql}", reading.parameters)
    except MapperError:
        return False
    return bool(steps) and all(_AT_ONCE.fullmatch(step[3]) for step in steps)
