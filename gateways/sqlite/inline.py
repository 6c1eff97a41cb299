"""
Reads on the loop's own thread: those that take less time than waking another thread would.

A query that has proven itself in a connection's thread goes in; objects come out at once, or None where the query is to
go to a thread after all. What keeps the loop from standing still:

* only queries whose plan searches by keys and indexes, and neither scans nor sorts nor calls functions in Python;
* a connection of its own, which cannot write and does not wait for locks;
* a budget of virtual-machine steps, after which SQLite gives up, and of time; a query that exceeds it again and again
  is not tried any more;
* a turn for the other tasks after every few reads, since a read that waits for nothing lets nobody in.
"""

import asyncio
import os
import re
import sqlite3
import threading
import time
import weakref
from typing import Any, Final

from typing_extensions import TypeVar

from gateways.sqlite.errors import DRIVER_ERRORS
from gateways.sqlite.location import Location
from gateways.sqlite.reading import fetch
from gateways.sqlite.session import Session
from gateways.sqlite.tracing import Trace
from mapper.errors import MapperError
from mapper.gateway import Decode
from mapper.operations import QuerySql

__all__ = ["InlineReads"]

T = TypeVar("T")

_TICK: Final = 100  # virtual-machine steps between two looks at the budget
_TICKS: Final = 10  # looks that a read may take: about 70 rows, or 50 µs
_LONG: Final = 500e-6  # seconds that a read may take with its decoding
_SPELL: Final = 50e-6  # seconds of reads in one round of the loop, after which each read ends its task's turn
_SIGHTS: Final = 2  # times that a query is seen before its plan is worth a look
_STRIKES: Final = 3  # budgets exceeded, with none kept in between, after which a query is not tried again
_QUERIES: Final = 1024  # queries that are remembered

_READY: Final = 1000
"""The standing of a query that is read inline, less one for each strike. From 0 on: times that it was seen."""

_NEVER: Final = -1

_SEARCH: Final = re.compile(
    r"SEARCH .+ USING (?:INTEGER PRIMARY KEY|PRIMARY KEY|(?:COVERING )?INDEX .+) \(.+\)(?: LEFT-JOIN)?", re.DOTALL
)
_PYTHON: Final = re.compile(r"\b(?:decimal_\w+|interval_\w+|\w+_exact|\w+_of)\s*\(", re.IGNORECASE)


class _Budget:
    """
    Counts for SQLite how long a read has been running. Not a part of what owns the connection: that would be a cycle.
    """

    __slots__ = ("ticks",)

    def __init__(self) -> None:
        self.ticks = 0

    def spent(self) -> bool:
        """Have SQLite give up, once the budget is exceeded."""
        self.ticks += 1
        return self.ticks > _TICKS


class InlineReads:
    """Which queries are short, and the connection on which they are run."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._lock = threading.Lock()
        self._standing: dict[str, int] = {}
        self._budget = _Budget()
        self._cursor: sqlite3.Cursor | None = None
        self._closing: weakref.finalize[Any, Any] | None = None
        self._process = os.getpid()
        self._inherited: list[sqlite3.Cursor] = []
        self._spell = 0.0
        self._closed = False

    # On the loop

    def begin(self) -> None:
        """
        Begin on a new loop, or in a forked process.

        The latter goes without the connection, and leaves it open: closing it would take the parent's locks away.
        """
        self._spell = 0.0
        if self._closing is not None and self._cursor is not None and self._process != os.getpid():
            self._closing.detach()
            self._closing = None
            self._inherited.append(self._cursor)
            self.close()
            self.reopen()

    def read(
        self, operation: QuerySql, decode: Decode[T], trace: Trace | None, loop: asyncio.AbstractEventLoop
    ) -> list[T] | None:
        """Read and decode at once; None where a thread is to do it, and to report whatever is wrong."""
        sql, cursor = operation.sql, self._cursor
        standing = self._standing.get(sql, 0)
        if standing <= _READY - _STRIKES or cursor is None:
            return None
        began = time.perf_counter()
        self._budget.ticks = 0
        try:
            rows = cursor.execute(sql, operation.parameters).fetchall()
        except DRIVER_ERRORS:
            if self._budget.ticks > _TICKS:
                self._standing[sql] = standing - 1
            return None
        objects = decode(rows, ())
        seconds = time.perf_counter() - began
        if not self._spell:
            loop.call_soon(self._begin_round)
        self._spell += seconds
        if seconds > _LONG:
            self._standing[sql] = standing - 1
        elif standing != _READY:
            self._standing[sql] = standing + 1
        if trace is not None:
            trace.add(operation, began, rows=len(rows))
        return objects

    def pause_due(self) -> bool:
        """Tell whether the other tasks are to have a turn now: all reads of one round of the loop count together."""
        return self._spell >= _SPELL

    def _begin_round(self) -> None:
        self._spell = 0.0

    def close(self) -> None:
        """Close the connection, and open no other before `reopen`."""
        with self._lock:
            self._closed = True
            closing, self._closing, self._cursor = self._closing, None, None
            self._standing.clear()
        if closing is not None:
            closing()

    def reopen(self) -> None:
        """Learn again."""
        self._standing.clear()
        self._closed = False

    # In a connection's thread

    def fetch(self, operation: QuerySql, decode: Decode[T], trace: Trace | None, session: Session) -> list[T]:
        """Run a read in a thread, and learn whether the next one like it can be done inline."""
        objects = fetch(operation, decode, trace, session)
        standing = self._standing.get(operation.sql, 0)
        if 0 <= standing < _SIGHTS:
            if len(self._standing) >= _QUERIES:
                self._standing.clear()
            self._standing[operation.sql] = standing + 1
        elif standing == _SIGHTS and not self._closed:
            short = _is_short(operation, session) and self._open()
            self._standing[operation.sql] = _READY if short else _NEVER
        return objects

    def _open(self) -> bool:
        with self._lock:
            if self._closed:
                return False
            if self._cursor is None:
                try:
                    connection = self._location.connect_inline()
                except sqlite3.Error:
                    return False
                connection.set_progress_handler(self._budget.spent, _TICK)
                self._closing = weakref.finalize(self, connection.close)
                self._process = os.getpid()
                self._cursor = connection.cursor()
        return True


def _is_short(operation: QuerySql, session: Session) -> bool:
    if _PYTHON.search(operation.sql):
        return False
    try:
        steps = session.query(f"EXPLAIN QUERY PLAN {operation.sql}", operation.parameters)
    except MapperError:
        return False
    return bool(steps) and all(_SEARCH.fullmatch(step[3]) for step in steps)
