"""
Reads, in the thread of a connection: rows are decoded where they are read.

A session and a read go in; objects come out, all at once or batch by batch.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic

from attrs import define, field
from typing_extensions import TypeVar

from gateways.sqlite.raw import Readable, nature, statement
from gateways.sqlite.session import Session
from gateways.sqlite.tracing import Trace
from mapper.gateway import Decode
from mapper.operations import QuerySql, RawSql

__all__ = ["Reading", "fetch"]

T = TypeVar("T")

_CHUNK: Final = 500  # rows decoded at once: between two chunks the thread lets others in


def fetch(operation: Readable, decode: Decode[T], trace: Trace | None, session: Session) -> list[T]:
    """Run a read and return all of its objects."""
    reading = Reading(operation, decode, trace)
    try:
        reading.open(session)
        objects = reading.batch(session, _CHUNK)
        while not reading.exhausted:
            session.checkpoint()
            objects += reading.batch(session, _CHUNK)
    except BaseException as error:
        session.renew()
        reading.ended(error)
        raise
    reading.ended()
    return objects


@define(eq=False)
class Reading(Generic[T]):
    """
    A result that is being read.

    Attributes:
        exhausted: No row is left.
    """

    _operation: Readable
    _decode: Decode[T]
    _trace: Trace | None
    exhausted: bool = field(default=False, init=False)
    _names: Sequence[str] = field(default=(), init=False)
    _cursor: sqlite3.Cursor | None = field(default=None, init=False)
    _kept: bool = field(default=False, init=False)
    _carry: list[tuple[Any, ...]] = field(factory=list, init=False)
    _rows: int = field(default=0, init=False)
    _noted: bool = field(default=False, init=False)
    _began: float = field(default=0.0, init=False)
    _decode_seconds: float = field(default=0.0, init=False)
    _idle_seconds: float = field(default=0.0, init=False)
    _idle_since: float = field(default=0.0, init=False)

    @property
    def sql(self) -> str:
        """The statement's text."""
        return statement(self._operation)[0]

    @property
    def parameters(self) -> Sequence[Any]:
        """What is bound in it."""
        return statement(self._operation)[1]

    @property
    def begun(self) -> bool:
        """Whether the statement has been run."""
        return self._cursor is not None

    def step(self, count: int, session: Session) -> list[T]:
        """
        Return at most so many objects, and keep the cursor for the next visit where there is more.

        After an error, and at the end, the cursor is closed.
        """
        try:
            if self._cursor is None:
                self.open(session)
            else:
                self._resume(session)
            batch = self.batch(session, count)
        except BaseException as error:
            self.close(session)
            self.ended(error)
            raise
        if self.exhausted:
            self.close(session)
            self.ended()
        elif not self._kept:
            self._cursor, self._kept = session.detach(), True
        if self._trace is not None:
            self._idle_since = time.perf_counter()
        return batch

    def glimpse(self, count: int, session: Session, spent: Callable[[], bool]) -> list[T] | None:
        """
        Return at most so many objects, as `step` does, on any thread that has the session to itself; None where that
        would take a while, and nothing was done.
        """
        began = time.perf_counter() if self._trace is not None else 0.0
        rows = session.glimpse(*statement(self._operation), count + 1, spent)
        if rows is None:
            return None
        self._began = began
        try:
            batch = self._made(rows, count)
        except BaseException as error:
            self.close(session)
            self.ended(error)
            raise
        if self.exhausted:
            self.ended()
            return batch
        self._cursor, self._kept = session.detach(), True
        if self._trace is not None:
            self._idle_since = time.perf_counter()
        return batch

    def _resume(self, session: Session) -> None:
        session.enter_again(self._operation)
        if self._trace is not None:
            self._idle_seconds += time.perf_counter() - self._idle_since

    def open(self, session: Session) -> None:
        """Run the statement. No other may be run on the session before the last batch or `Session.detach`."""
        operation = self._operation
        if self._trace is not None:
            self._began = time.perf_counter()
        session.enter(operation)
        self._cursor = session.open(*statement(operation))
        if isinstance(operation, RawSql):
            session.spent = session.spent or nature(operation.text).alters
        if not _declares_columns(operation):
            self._names = tuple([each[0] for each in self._cursor.description or ()])

    def batch(self, session: Session, count: int) -> list[T]:
        """Return at most so many objects; it is exhausted when there is none beyond them."""
        assert self._cursor is not None
        # One row more than asked for tells whether there is more, and is handed out first the next time.
        return self._made(self._carry + session.take(self._cursor, count + 1 - len(self._carry)), count)

    def _made(self, rows: list[tuple[Any, ...]], count: int) -> list[T]:
        self.exhausted = len(rows) <= count
        self._carry = [] if self.exhausted else [rows.pop()]
        self._rows += len(rows)
        if self._trace is None:
            return self._decode(rows, self._names)
        began = time.perf_counter()
        try:
            return self._decode(rows, self._names)
        finally:
            self._decode_seconds += time.perf_counter() - began

    def close(self, session: Session) -> None:
        """Close the cursor. Closing twice is a no-op."""
        if self._kept and self._cursor is not None:
            session.close(self._cursor)
        elif not self.exhausted:
            session.renew()

    def ended(self, error: BaseException | None = None) -> None:
        """Note that it has ended; only the first time counts. One that was never begun is not noted."""
        if self._noted or self._trace is None or not self._began:
            return
        self._noted = True
        self._trace.add(
            self._operation,
            self._began,
            rows=self._rows,
            decode_seconds=self._decode_seconds,
            idle_seconds=self._idle_seconds,
            error=error,
        )


def _declares_columns(operation: Readable) -> bool:
    match operation:
        case QuerySql(columns=columns):
            return bool(columns)
        case RawSql():
            return False
        case _:
            return bool(operation.returning)
