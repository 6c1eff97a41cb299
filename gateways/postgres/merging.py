"""
Point reads of many tasks as one operation: those that are asked for in the same turn of the event loop, of one form.

A read goes in; the objects of its caller come out, as if it had been read alone, or None where it is to be. Nothing of
this is done unless the gateway was asked for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, NoReturn, Protocol, TypeAlias
from uuid import UUID

from attrs import evolve, field, frozen
from typing_extensions import TypeVar

from gateways.postgres.errands import Errands, outlast
from gateways.postgres.events import Events, Measured
from gateways.sql import SqlCompiler
from gateways.sql.dialect import Dialect
from gateways.sql.plans import LIMIT
from mapper.errors import CannotConnect, ConnectionLost, PoolTimeout, StatementTimeout, StoreError
from mapper.gateway import Decode
from mapper.keyed import point_read
from mapper.operations import Operation, OutputColumn, QuerySql, SqlOperation
from mapper.statements import Readable, Select, Statement
from mapper.types import Codecs

__all__ = ["Merging", "MergingCompiler"]

T = TypeVar("T")

Rows: TypeAlias = list[tuple[Any, ...]]

Outcome: TypeAlias = Rows | StoreError | None
"""What a caller gets: rows, an error that all have, or None where it is to read for itself."""

MOST: Final = 500
"""Reads that go as one at most."""

FORMS: Final = 2048
"""Texts that are known at most."""

KEYS: Final = (int, str, UUID)
"""Types of keys, as they are sent, that Python finds equal only where the server does."""

SHARED: Final = (CannotConnect, ConnectionLost, PoolTimeout, StatementTimeout)
"""Errors that have taken time, and would take it again."""

IMMUTABLE: Final = frozenset({bool, bytes, date, datetime, Decimal, float, int, str, time, timedelta, type(None), UUID})
"""Types of values, beside the driver's own UUID, that several callers may be given at once."""


@frozen(eq=False)
class Point:
    """
    How reads with one text go as one.

    Attributes:
        sql: The text of the read of a list of keys.
        key_output: Which column of its result has the key.
        width: How many columns of its result are those of one read.
    """

    sql: str
    columns: tuple[OutputColumn, ...]
    key_output: int
    width: int


@frozen(eq=False)
class _OfKeys:
    """The statement that reads a list of keys."""

    key: str
    select: Select
    parameters: tuple[Any, ...] = field(default=([],))

    def assemble(self) -> Select:
        return self.select


class _Moments(Measured):
    """The times of a read for several callers, each of whom tells of its own."""

    __slots__ = ("has_begun",)

    def __init__(self) -> None:
        super().__init__(Events())
        self.has_begun = False

    def begin(self) -> None:
        super().begin()
        self.has_begun = True


class _Batch:
    """Reads of one text that are asked for in one turn."""

    __slots__ = ("asked", "loop", "moments", "reading", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.asked: list[tuple[Any, asyncio.Future[Outcome]]] = []
        self.waiting = 0
        self.moments = _Moments()
        self.reading: asyncio.Task[None] | None = None

    def join(self, key: Any) -> "asyncio.Future[Outcome]":
        future: asyncio.Future[Outcome] = self.loop.create_future()
        self.asked.append((key, future))
        self.waiting += 1
        return future

    async def leave(self) -> None:
        """Let one caller go, who was cancelled; the last one ends the read, and waits for that."""
        self.waiting -= 1
        if not self.waiting and self.reading is not None:
            self.reading.cancel()
            await outlast(self.reading)

    def answer(self, outcome: Outcome) -> None:
        """Give all who wait still the same."""
        for _, future in self.asked:
            if not future.done():
                future.set_result(outcome)

    def drop(self, reading: "asyncio.Task[None]") -> None:
        """Let nobody wait for what will not come, as of a read that was cancelled from elsewhere."""
        del reading
        for _, future in self.asked:
            future.cancel()


class _Read(Protocol):
    """Runs a read on any connection, and tells its times."""

    def __call__(self, operation: Operation, decode: Decode[T], measured: Measured | None, /) -> Awaitable[list[T]]: ...


class Merging:
    """
    Merges the point reads of a gateway.

    Args:
        read: How the gateway reads.
        events: Who is told of each caller's operation.
    """

    __slots__ = ("_errands", "_events", "_open", "_points", "_read")

    def __init__(self, read: _Read, events: Events) -> None:
        self._read = read
        self._events = events
        self._points: dict[str, Point | None] = {}
        self._open: dict[str, _Batch] = {}
        self._errands = Errands()

    def learn(self, statement: Readable, operation: QuerySql, compile_: Callable[[Readable], SqlOperation]) -> None:
        """Find out whether reads with a text may be merged, the first time that it is compiled."""
        if operation.sql in self._points:
            return
        if len(self._points) >= FORMS:
            self._points.clear()
        found = point_read(statement.assemble()) if len(operation.parameters) == 1 else None
        point = None
        if found is not None:
            many = compile_(_OfKeys(f"keys of {statement.key}", found.many))
            assert isinstance(many, QuerySql), "a read is compiled to one"
            point = Point(many.sql, many.columns, found.key_output, found.width)
        self._points[operation.sql] = point

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T] | None:
        """
        Run a read together with others; None where it is to be run alone.

        Raises:
            StoreError: What befell the connection, for each caller.
        """
        if not isinstance(operation, QuerySql):
            return None
        point = self._points.get(operation.sql)
        if point is None or not _is_certain(operation.parameters[0]):
            return None
        batch = self._batch(operation.sql, point)
        if batch is None:
            return None
        measured = Measured(self._events) if self._events else None
        try:
            outcome = await batch.join(operation.parameters[0])
        except BaseException as error:
            await batch.leave()
            self._tell(operation, batch, measured, error)
            raise
        batch.waiting -= 1
        if isinstance(outcome, StoreError):
            self._fail(operation, batch, measured, outcome)
        if outcome is None:
            return None
        if measured is None:
            return decode(outcome, ())
        measured.begin_as(batch.moments)
        return measured.decoded(operation, outcome, (), decode)

    def _fail(self, operation: Operation, batch: _Batch, measured: Measured | None, error: StoreError) -> NoReturn:
        """Raise an error of all callers as one of this caller's own: each has another way."""
        own = type(error)(error.message, operation=operation, hint=error.hint, retryable=error.retryable)
        if error.operation is None:
            own.operation = None
        self._tell(operation, batch, measured, own)
        raise own from error.__cause__

    def _tell(self, operation: Operation, batch: _Batch, measured: Measured | None, error: BaseException) -> None:
        if measured is not None and batch.moments.has_begun:
            measured.begin_as(batch.moments)
            measured.end(operation, error=error)

    # -- batches -------------------------------------------------------------------------------------------------------

    def _batch(self, sql: str, point: Point) -> _Batch | None:
        """Return the batch of this turn; None where no event loop of asyncio runs."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None
        batch = self._open.get(sql)
        # A batch of an event loop that has ended is left where it is.
        if batch is None or batch.loop is not loop or len(batch.asked) >= MOST:
            batch = self._open[sql] = _Batch(loop)
            loop.call_soon(self._close, sql, point, batch)
        return batch

    def _close(self, sql: str, point: Point, batch: _Batch) -> None:
        """Begin to read at the end of the turn; who is alone reads without a task between."""
        if self._open.get(sql) is batch:
            del self._open[sql]
        keys = [key for key, future in batch.asked if not future.done()]
        if len(keys) == 1:
            batch.answer(None)
        elif keys:
            batch.reading = self._errands.begin(self._run(sql, point, batch, list(dict.fromkeys(keys))))
            batch.reading.add_done_callback(batch.drop)

    async def _run(self, sql: str, point: Point, batch: _Batch, keys: list[Any]) -> None:
        try:
            rows = await self._read(QuerySql(point.sql, (keys,), point.columns), _unchanged, batch.moments)
            if not _distributed(rows, point, batch):
                self._points[sql] = None
                batch.answer(None)
        except SHARED as error:
            batch.answer(error)
        except Exception:  # whatever it is, who reads alone will see whether it is his
            batch.answer(None)


def _unchanged(rows: Sequence[Any], names: Sequence[str]) -> Rows:
    del names
    return list(rows)


def _distributed(rows: Rows, point: Point, batch: _Batch) -> bool:
    """
    Give each caller the rows with its key. False where a row has none of the keys, or a key of another type: the server
    finds keys equal that Python does not. Of a text without a row that is not known: its caller reads for itself.
    """
    found: dict[Any, Rows] = {key: [] for key, _ in batch.asked}
    at, width = point.key_output, point.width
    for row in rows:
        own = found.get(row[at]) if isinstance(row[at], KEYS) else None
        if own is None:
            return False
        own.append(row if len(row) == width else row[:width])
    given: set[Any] = set()
    for key, future in batch.asked:
        if not future.done():
            own = found[key]
            is_sure = bool(own) or not isinstance(key, str)
            future.set_result(own if is_sure and (key not in given or _is_shareable(own)) else None)
            given.add(key)
    return True


def _is_certain(key: object) -> bool:
    """
    Whether a key is of a type that is merged. A text with blanks at its end is not: a column of a fixed length gives
    them back and leaves them out of comparisons.
    """
    return isinstance(key, KEYS) and not (isinstance(key, str) and key.endswith(" "))


def _is_shareable(rows: Rows) -> bool:
    """Whether two callers may have the same values, neither of whom could change what the other has."""
    return all([type(value) in IMMUTABLE or isinstance(value, UUID) for row in rows for value in row])


class MergingCompiler(SqlCompiler):
    """A compiler that shows every read to who merges them."""

    __slots__ = ("_merging",)

    def __init__(self, dialect: Dialect, codecs: Codecs, merging: Merging, *, limit: int = LIMIT) -> None:
        super().__init__(dialect, codecs, limit=limit)
        self._merging = merging

    def within(self, schema: str, *, limit: int) -> SqlCompiler:
        dialect = evolve(self.dialect, default_schema=schema)
        return MergingCompiler(dialect, self._codecs, self._merging, limit=limit)

    def compile(self, statement: Statement) -> SqlOperation:
        operation = super().compile(statement)
        if isinstance(operation, QuerySql):
            self._merging.learn(statement, operation, super().compile)  # type: ignore[arg-type]  # a read is compiled from a query
        return operation
