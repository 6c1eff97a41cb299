"""
Reads on the loop's own thread: those that take less time than waking another thread would.

A query that has proven itself in a connection's thread goes in; objects come out at once, or None where the query is to
go to a thread after all. What keeps the loop from standing still:

* only queries whose plan searches by keys and indexes, and neither scans nor sorts nor calls functions in Python;
* a connection of its own, which cannot write and does not wait for locks;
* a limit to the length of rows, by which SQLite refuses a large value before it reads it;
* a budget of virtual-machine steps and of time, after which SQLite gives up; a query that exceeds it again and again
  is read in threads for a while;
* rounds: all reads between two turns of the loop share some time. Whoever comes after it is spent stands in line, and
  the next round begins with those who stand there longest.
"""

import asyncio
import os
import re
import sqlite3
import threading
import time
import weakref
from collections import deque
from typing import Any, Final, Generic

from attrs import define, field
from typing_extensions import TypeVar

from gateways.sqlite.errors import DRIVER_ERRORS
from gateways.sqlite.functions import IN_PYTHON
from gateways.sqlite.location import Location
from gateways.sqlite.reading import fetch
from gateways.sqlite.session import Session
from gateways.sqlite.tracing import Trace
from mapper.errors import MapperError
from mapper.gateway import Decode
from mapper.operations import QuerySql

__all__ = ["SPELL", "InlineReads"]

T = TypeVar("T")

SPELL: Final = 100e-6
"""Seconds of reads in one round of the loop, after which whoever wants to read stands in line."""

_TICK: Final = 100  # virtual-machine steps between two looks at the budget
_TICKS: Final = 10  # looks that a read may take: about 70 rows, or 50 µs
_PATIENCE: Final = 400e-6  # seconds that a read may take at a look: pages that are not in memory take many of them
_LONG: Final = 500e-6  # seconds that a read may take with its decoding
_LARGEST: Final = 2**15  # bytes that a row may have: one step reads a value of any length
_SIGHTS: Final = 2  # times that a query is seen before its plan is worth a look
_STRIKES: Final = 3  # budgets exceeded, with none kept in between, after which a query is read in threads
_QUERIES: Final = 1024  # queries that are remembered

_READY: Final = 1_000_000
"""The standing of a query that is read inline, less one for each strike. From 0 on: times that it was seen."""

_LATER: Final = -1_000
"""The standing of a query that is not to be read inline: it is looked at again after so many reads in threads."""

_SEARCH: Final = re.compile(
    r"SEARCH .+ USING (?:INTEGER PRIMARY KEY|PRIMARY KEY|(?:COVERING )?INDEX .+) \(.+\)(?: LEFT-JOIN)?", re.DOTALL
)


class _Budget:
    """
    Counts for SQLite how long a read has been running. Not a part of what owns the connection: that would be a cycle.
    """

    __slots__ = ("began", "exceeded", "ticks")

    def __init__(self) -> None:
        self.ticks = 0
        self.began = 0.0
        self.exceeded = False

    def spent(self) -> bool:
        """Have SQLite give up, once the budget is exceeded."""
        self.ticks += 1
        self.exceeded = self.ticks > _TICKS or time.perf_counter() - self.began > _PATIENCE
        return self.exceeded


@define(eq=False)
class _Asked(Generic[T]):
    """A read that stands in line; `answer` wakes whoever waits for `objects`, or for the error."""

    operation: QuerySql
    decode: Decode[T]
    trace: Trace | None
    answer: "asyncio.Future[None]"
    objects: list[T] | None = field(default=None, init=False)
    error: BaseException | None = field(default=None, init=False)


class InlineReads:
    """
    Which queries are short, and the connection on which they are run.

    Attributes:
        spell: Seconds that reads have taken in this round of the loop. From `SPELL` on, reads are to be done in turn.
    """

    def __init__(self, location: Location) -> None:
        self._location = location
        self._lock = threading.Lock()
        self._standing: dict[str, int] = {}
        self._budget = _Budget()
        self._cursor: sqlite3.Cursor | None = None
        self._closing: weakref.finalize[Any, Any] | None = None
        self._process = os.getpid()
        self._inherited: list[sqlite3.Cursor] = []
        self.spell = 0.0
        self._line: deque[_Asked[Any]] = deque()
        self._closed = False

    # On the loop

    def begin(self) -> None:
        """
        Begin on a new loop, or in a forked process.

        The latter goes without the connection, and leaves it open: closing it would take the parent's locks away.
        """
        self.spell = 0.0
        self._line.clear()  # whoever stood there has gone with the last loop
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
        sql, cursor, budget = operation.sql, self._cursor, self._budget
        standing = self._standing.get(sql, 0)
        if standing <= _READY - _STRIKES or cursor is None:
            return None
        began = budget.began = time.perf_counter()
        budget.ticks, budget.exceeded = 0, False
        objects: list[T] | None = None
        try:
            rows = cursor.execute(sql, operation.parameters).fetchall()
        except DRIVER_ERRORS as error:
            exceeded = budget.exceeded or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_TOOBIG
        else:
            objects = decode(rows, ())
            exceeded = False
            if trace is not None:
                trace.add(operation, began, rows=len(rows))
        seconds = time.perf_counter() - began
        if not self.spell:
            loop.call_soon(self._begin_round, loop)
        self.spell += seconds
        if exceeded or seconds > _LONG:
            self._standing[sql] = standing - 1 if standing > _READY - _STRIKES + 1 else _LATER
        elif standing != _READY and objects is not None:
            self._standing[sql] = standing + 1
        return objects

    async def read_in_turn(
        self, operation: QuerySql, decode: Decode[T], trace: Trace | None, loop: asyncio.AbstractEventLoop
    ) -> list[T] | None:
        """Read as `read` does, in a round to come: this one has taken its time already."""
        if self._standing.get(operation.sql, 0) <= _READY - _STRIKES:
            return None
        if not self._line:
            await asyncio.sleep(0)  # a task that reads alone goes on in the next round, with less ado
            if self.spell < SPELL:
                return self.read(operation, decode, trace, loop)
        asked = _Asked(operation, decode, trace, loop.create_future())
        self._line.append(asked)
        await asked.answer
        error, asked.error = asked.error, None
        if error is None:
            return asked.objects
        try:
            raise error
        finally:
            del error  # it refers to this frame

    def _begin_round(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read for those who stand in line, until the round has taken its time. What is left is for the next one."""
        self.spell = 0.0
        while self._line and self.spell < SPELL:
            asked = self._line.popleft()
            if asked.answer.done():
                continue  # it was cancelled
            try:
                asked.objects = self.read(asked.operation, asked.decode, asked.trace, loop)
            except BaseException as error:  # raised where it was asked for
                asked.error = error
            asked.answer.set_result(None)

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
        sql = operation.sql
        standing = self._standing.get(sql, 0)
        if standing in (_SIGHTS, -1) and not self._closed:
            short = _is_short(operation, session) and self._open()
            # Who comes back has one more chance, and no more.
            self._standing[sql] = _LATER if not short else _READY if standing > 0 else _READY - _STRIKES + 1
        elif standing <= _SIGHTS:
            self._remember(sql, standing + 1)
        return objects

    def _remember(self, sql: str, standing: int) -> None:
        if sql not in self._standing and len(self._standing) >= _QUERIES:
            for oldest in tuple(self._standing)[: _QUERIES // 4]:
                self._standing.pop(oldest, None)
        self._standing[sql] = standing

    def _open(self) -> bool:
        with self._lock:
            if self._closed:
                return False
            if self._cursor is None:
                try:
                    connection = self._location.connect_inline()
                    connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()  # the schema is read here
                except sqlite3.Error:
                    return False
                connection.set_progress_handler(self._budget.spent, _TICK)
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST)
                self._closing = weakref.finalize(self, connection.close)
                self._process = os.getpid()
                self._cursor = connection.cursor()
        return True


def _is_short(operation: QuerySql, session: Session) -> bool:
    if IN_PYTHON.search(operation.sql):
        return False
    try:
        steps = session.query(f"EXPLAIN QUERY PLAN {operation.sql}", operation.parameters)
    except MapperError:
        return False
    return bool(steps) and all(_SEARCH.fullmatch(step[3]) for step in steps)
