"""
A connection as its own thread sees it: statements, transactions, and the state that they leave.

Statements go in; rows and counts come out, or errors of our tree. A `Session` belongs to the thread of its connection:
nothing here may be called from another, but for what ends a visit early.
"""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, assert_never

from attrs import define, field

from gateways.sqlite.errors import DRIVER_ERRORS, is_busy, translate
from gateways.sqlite.functions import Failures
from gateways.sqlite.violations import explained, quoted
from mapper.errors import CommitUnknown, ConnectionLost, ForeignKeyViolation, RolledBack
from mapper.operations import Operation, QuerySql, Result, Transaction

if TYPE_CHECKING:
    from gateways.sqlite.visits import Visit

__all__ = ["Session"]

_PATIENCE: Final = 0.1  # seconds of one wait for a lock; between two waits a cancelled visit gives up
_PAUSE: Final = 0.002  # seconds between two waits, for locks on which SQLite does not wait by itself

_TICK: Final = 100  # virtual-machine steps between two looks at the budget of a glimpse
_LARGEST: Final = 2**15  # bytes that a row may have in a glimpse: one step reads a value of any length

_WITHIN: Final = '"mapper operation"'  # the savepoint around one operation of several statements


@define(eq=False, repr=False)
class Session:
    """
    The state of one connection.

    Attributes:
        raw: The sqlite3 connection.
        reader: Its file is open to be read alone.
        guard: Held while the current visit changes, and while it is interrupted.
        visit: What is running, or None.
        operation: What errors are reported for.
        spent: Nobody else must use the connection: its state is unknown, or was changed.
        closing: The gateway is being closed, and waits no longer for what runs.
        streams: Cursors that are open beyond their visit.
    """

    raw: sqlite3.Connection
    _failures: Failures
    _busy_seconds: float
    reader: bool
    guard: threading.Lock = field(factory=threading.Lock, init=False)
    visit: "Visit[Any] | None" = field(default=None, init=False)
    operation: Operation | None = field(default=None, init=False)
    spent: bool = field(default=False, init=False)
    closing: bool = field(default=False, init=False)
    streams: set[sqlite3.Cursor] = field(factory=set, init=False)
    _cursor: sqlite3.Cursor = field(init=False)
    _waits: float = field(init=False)
    _query_only: bool = field(default=False, init=False)
    _begun: bool = field(default=False, init=False)
    _begun_by: "Visit[Any] | None" = field(default=None, init=False)
    _read_only_begun: bool = field(default=False, init=False)
    _savepoints: int = field(default=0, init=False)
    _failure: BaseException | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._cursor = self.raw.cursor()
        self._waits = self._busy_seconds

    # Statements

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> Result:
        """Run a statement and return its rows, or how many it wrote."""
        cursor = self.open(sql, parameters)
        if cursor.description is None:
            return Result(count=max(cursor.rowcount, 0))
        rows = self.take(cursor, None)
        return Result(rows, len(rows))

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return all of its rows."""
        try:
            return self._run(sql, parameters).fetchall()
        except DRIVER_ERRORS as error:
            raise self._translated(error) from error

    def open(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run a statement and return the cursor, whose rows are to be read before the next statement."""
        try:
            return self._run(sql, parameters)
        except DRIVER_ERRORS as error:
            raise self._translated(error) from error

    def take(self, cursor: sqlite3.Cursor, count: int | None) -> list[tuple[Any, ...]]:
        """Read at most so many rows of a cursor; None is all."""
        try:
            return cursor.fetchall() if count is None else cursor.fetchmany(count)
        except DRIVER_ERRORS as error:
            raise self._translated(error) from error

    def change(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement and return how many rows it wrote."""
        try:
            return max(self._run(sql, parameters).rowcount, 0)
        except DRIVER_ERRORS as error:
            raise self._translated(error) from error

    def change_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run a statement once for each row of parameters and return how many rows they wrote in all."""
        try:
            return max(self._cursor.executemany(sql, rows).rowcount, 0)
        except DRIVER_ERRORS as error:
            raise self._translated(error) from error

    def detach(self) -> sqlite3.Cursor:
        """Keep the cursor that was opened last beyond the visit; statements after it have another."""
        cursor, self._cursor = self._cursor, self.raw.cursor()
        self.streams.add(cursor)
        return cursor

    def glimpse(
        self, sql: str, parameters: Sequence[Any], count: int, spent: Callable[[], bool]
    ) -> list[tuple[Any, ...]] | None:
        """
        Run a read without waiting for anything, and return its first rows, at most so many; the cursor stays open. None
        where it is refused, or took too long.

        Args:
            spent: Is asked every hundred steps of SQLite's machine whether to give up.
        """
        raw = self.raw
        try:
            self._wait(0)
            raw.set_progress_handler(spent, _TICK)
            limit = raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST)
            try:
                return self._cursor.execute(sql, parameters).fetchmany(count)
            finally:
                raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limit)
                raw.set_progress_handler(None, 0)
        except DRIVER_ERRORS:
            self._failures.take()
            self.renew()
            return None

    def renew(self) -> None:
        """Drop what is left to be read of the statement that was run last."""
        self._cursor.close()
        self._cursor = self.raw.cursor()

    def close(self, cursor: sqlite3.Cursor) -> None:
        """Close a cursor that was kept. Closing twice is a no-op."""
        self.streams.discard(cursor)
        cursor.close()

    def close_streams(self) -> None:
        """Close every cursor that was kept."""
        while self.streams:
            self.streams.pop().close()

    def finish(self) -> None:
        """
        Leave nothing behind, before the connection is closed.

        An interrupt that came too late is remembered until the next statement, and would keep SQLite from clearing its
        log away. An open cursor would keep the connection.
        """
        with contextlib.suppress(sqlite3.Error):
            self.close_streams()
            self._cursor.execute("SELECT 1").fetchall()
            self._cursor.close()

    def _run(self, sql: str, parameters: Sequence[Any]) -> sqlite3.Cursor:
        try:
            return self._cursor.execute(sql, parameters)
        except sqlite3.OperationalError as error:
            if self._waits >= self._busy_seconds or not is_busy(error):
                raise
            return self._run_when_free(sql, parameters, error)

    def _run_when_free(self, sql: str, parameters: Sequence[Any], busy: sqlite3.OperationalError) -> sqlite3.Cursor:
        """
        Wait for a lock in slices, since SQLite's own wait cannot be interrupted.

        A statement that was refused as busy has done nothing, and may be given again.
        """
        until = time.monotonic() + self._busy_seconds - _PATIENCE
        while time.monotonic() < until:
            self.checkpoint()
            time.sleep(_PAUSE)
            try:
                return self._cursor.execute(sql, parameters)
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
                busy = error
        raise busy

    def _translated(self, error: BaseException) -> BaseException:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            ended = self._ended_early()
            if ended is not None:
                return ended
        translated = translate(error, self.operation, own=self._failures.take())
        if isinstance(translated, ForeignKeyViolation):
            translated = explained(translated, self.raw)
        self.spent = self.spent or isinstance(translated, ConnectionLost)
        if self._begun and self._failure is None:
            self._failure = translated
        return translated

    # Visits

    def adapt(self, visit: "Visit[Any]") -> None:
        """Make the connection what the visit asks for. Costs nothing where it is that already."""
        self._wait(self._busy_seconds if visit.patient else min(self._busy_seconds, _PATIENCE))
        read_only = visit.read_only or self._read_only_begun
        if self._query_only != read_only:
            self._cursor.execute(f"PRAGMA query_only = {int(read_only)}")
            self._query_only = read_only

    def be_patient(self) -> None:
        """Wait for locks as long as the gateway was told to, for statements that the user gives to the driver."""
        self._wait(self._busy_seconds)

    def _wait(self, seconds: float) -> None:
        """Have SQLite itself wait for locks for so long."""
        if self._waits != seconds:
            self._cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
            self._waits = seconds

    def reads_only(self) -> bool:
        """Tell whether the open transaction was begun to read."""
        return self._read_only_begun

    def checkpoint(self) -> None:
        """
        Give up here if the visit is not to go on.

        Raises:
            CancelledError: It is cancelled.
            ConnectionLost: The gateway is being closed.
        """
        ended = self._ended_early()
        if ended is not None:
            raise ended

    def _ended_early(self) -> BaseException | None:
        visit = self.visit
        if visit is None or visit.certain:
            return None
        if visit.cancelled:
            return asyncio.CancelledError()
        return (
            ConnectionLost("the gateway was closed while this ran", operation=self.operation) if self.closing else None
        )

    def hurry(self) -> None:
        """End what runs, since the gateway is being closed; any thread may ask for it."""
        with self.guard:
            self.closing = True
            if self.visit is not None and self.visit.exposed:
                self.raw.interrupt()

    def enter(self, operation: Operation) -> None:
        """
        Begin an operation: decide whether it may be interrupted.

        SQLite rolls the whole transaction back when a write is interrupted, so that one below a savepoint never is; nor
        is anything while a stream is open beside it, which the interrupt would end too.

        Raises:
            CancelledError: The visit is cancelled.
            RolledBack: The transaction is gone.
        """
        self.operation = operation
        self.checkpoint()
        self._require_transaction()
        visit = self.visit
        if visit is None or visit.certain:
            return
        reads = isinstance(operation, QuerySql) and not operation.writes
        exposed = (reads or not self._savepoints or self._begun_by is visit) and not self.streams
        if exposed != visit.exposed:
            self._expose(exposed)

    def enter_again(self, operation: Operation) -> None:
        """Go on with the read of a cursor that was kept."""
        self.operation = operation
        self.checkpoint()
        self._require_transaction()
        self._expose(len(self.streams) <= 1)

    def _expose(self, exposed: bool) -> None:
        with self.guard:
            if self.visit is not None:
                self.visit.exposed = exposed and not self.visit.certain

    def unfinished(self) -> bool:
        """Tell whether a transaction is open, or was rolled back by the store and nobody has been told yet."""
        return self._begun or self.raw.in_transaction

    def _require_transaction(self) -> None:
        """
        Refuse to go on where SQLite has rolled a transaction back by itself: what follows would be committed alone.
        """
        if self._begun and not self.raw.in_transaction:
            raise RolledBack("the store has rolled this transaction back after an error") from self._failure

    # Transactions

    def control(self, operation: Transaction) -> None:
        """
        Begin or end a transaction or a savepoint.

        Raises:
            CancelledError: The visit is cancelled; what rolls back is done all the same.
            RolledBack: The transaction is gone; a rollback does not mind.
        """
        self.operation = operation
        match operation.kind:
            case "start":
                self.checkpoint()
                self._start(operation.read_only)
            case "commit":
                self._require_transaction()
                self.commit()
            case "rollback":
                self.rollback()
            case "savepoint":
                self.enter(operation)
                self._mark("SAVEPOINT", operation.name, 1)
            case "release":
                self._require_transaction()
                self._mark("RELEASE", operation.name, -1)
            case "rollback_to":
                self._require_transaction()
                self._mark("ROLLBACK TO", operation.name, 0)
            case _:
                assert_never(operation.kind)

    def _mark(self, verb: str, name: str | None, depth: int) -> None:
        self._expose(False)
        self.change(f"{verb} {quoted(name or '')}")
        self._savepoints += depth

    def _start(self, read_only: bool) -> None:
        if read_only and not self._query_only:
            self.change("PRAGMA query_only = 1")
            self._query_only = True
        # Whoever means to write takes the lock now: SQLite refuses a reader who wants to write after another has.
        self.change("BEGIN" if read_only or self.reader else "BEGIN IMMEDIATE")
        self._begun, self._begun_by, self._read_only_begun = True, self.visit, read_only
        self._savepoints, self._failure = 0, None

    def commit(self) -> None:
        """
        End the transaction. Once it has begun, it is not interrupted.

        Raises:
            CancelledError: The visit was cancelled before; nothing is done.
            CommitUnknown: Writing failed half-way, so that nobody knows.
            StoreError: All of it is rolled back, and the connection is spent.
        """
        with self.guard:
            self.checkpoint()
            if self.visit is not None:
                self.visit.exposed = False
        try:
            self.change("COMMIT")
        except ConnectionLost as error:
            self._abort()
            raise CommitUnknown(error.message, operation=error.operation, hint=error.hint) from error.__cause__
        except BaseException:
            self._abort()
            raise
        self._ended()

    def _abort(self) -> None:
        self.spent = True
        self.rollback()

    def rollback(self) -> None:
        """
        Undo the transaction; a no-op where there is none. What fails breaks the connection, whose end undoes it too.
        """
        self._expose(False)
        try:
            if self.raw.in_transaction:
                self._cursor.execute("ROLLBACK")
        except sqlite3.Error:
            self.spent = True
        self._ended()

    def _ended(self) -> None:
        self._begun = self._read_only_begun = False
        self._begun_by = self._failure = None
        self._savepoints = 0
        if self.visit is not None and not self.spent:
            self.adapt(self.visit)

    @contextlib.contextmanager
    def atomic(self) -> Generator[None]:
        """Do several statements or none: in a transaction of their own, or within a savepoint of the open one."""
        if self.raw.in_transaction:
            with self._savepoint():
                yield
            return
        self.change("BEGIN IMMEDIATE")
        try:
            yield
            self.commit()
        except BaseException:
            self.rollback()
            raise

    @contextlib.contextmanager
    def _savepoint(self) -> Generator[None]:
        self.change(f"SAVEPOINT {_WITHIN}")
        try:
            yield
        except BaseException:
            self._expose(False)
            if self.raw.in_transaction:
                self.change(f"ROLLBACK TO {_WITHIN}")
                self.change(f"RELEASE {_WITHIN}")
            raise
        self.change(f"RELEASE {_WITHIN}")
