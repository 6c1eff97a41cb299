"""
Loading: a stream of models into a relation, chunk by chunk, without a changeset.

An iterable goes in, sync or async, of any length; the number of rows comes out. One chunk is in memory at a time.
"""

import inspect
from collections.abc import AsyncIterable, Callable, Generator, Iterable, Sequence
from typing import Final, TypeAlias

from anyio.lowlevel import checkpoint
from attrs import define, field

from mapper.commit import one_by_one, within_transaction
from mapper.deferred import Ref
from mapper.errors import ConstraintViolation, MapperError, QueryError, StatementError, ValueNotStorable
from mapper.gateway import Executor
from mapper.insertion import require_generated
from mapper.isolation import transaction_options
from mapper.layouts import RowReader, RowShape, Values, reader_of
from mapper.operations import Operation, Result, Transaction
from mapper.relation import RelationInfo
from mapper.stages import chunk_size
from mapper.statements import InsertRows

__all__ = ["Progress", "load"]

Progress: TypeAlias = Callable[[int], object]
"""Is told how many rows of the source have been stored; it may be async."""

BREATH: Final = 500
"""Rows of a source that does not wait after which other tasks get their turn."""

TRIAL: Final = "load_trial"
"""The savepoint of a search for the row that was refused."""

_OF_A_ROW: Final = (ConstraintViolation, StatementError, ValueNotStorable)
"""What a store refuses because of one row."""


async def load(
    executor: Executor,
    described: RelationInfo,
    source: object,
    *,
    chunk: int,
    start: int,
    on_progress: Progress | None,
) -> int:
    """
    Store what a source gives; see `Repository.load`.

    Args:
        executor: Where to.
        described: The relation.
        source: An iterable, sync or async, of models, wrappers, or tuples of one and assignments.
        chunk: Rows that are stored at once.
        start: Rows of the source that are passed over.
        on_progress: Told after each chunk.
    """
    _require_number("chunk", chunk, 1)
    _require_number("start", start, 0)
    loading = _Loading(executor, described, reader_of(described), chunk, on_progress, start, start)
    if isinstance(source, AsyncIterable):
        async for item in source:
            if loading.add(item):
                await loading.store()
    elif isinstance(source, Iterable):
        for number, item in enumerate(source, 1):
            if loading.add(item):
                await loading.store()
            elif number % BREATH == 0:
                await checkpoint()
    else:
        raise QueryError(f"load takes an iterable, not {source!r}", hint="give a list, a generator or an async one")
    if loading.ahead:
        raise QueryError(
            f"start is {start}, and the source has only {start - loading.ahead} rows",
            hint="give the source from its beginning: those before start are passed over",
        )
    await loading.store()
    return loading.stored


def _require_number(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise QueryError(f"{name} is {value!r}, expected a number of rows from {least}")


@define(eq=False)
class _Rows:
    """
    Rows that are stored together: their shapes, and their values.

    In two lists: a pair for each row would be one object more for the garbage collector, which looks through everything
    else too where many objects stay.
    """

    shapes: list[RowShape] = field(factory=list)
    values: list[Values] = field(factory=list)

    def __len__(self) -> int:
        return len(self.values)

    def part(self, start: int, end: int) -> "_Rows":
        """Return the rows from one number on, up to another."""
        return _Rows(self.shapes[start:end], self.values[start:end])

    def by_shape(self) -> dict[RowShape, list[Values]]:
        """Return the values of each shape, in their order."""
        found: dict[RowShape, list[Values]] = {}
        for shape, values in zip(self.shapes, self.values, strict=True):
            found.setdefault(shape, []).append(values)
        return found


@define(eq=False)
class _Loading:
    """
    A load in progress.

    Attributes:
        stored: How many rows of the source are stored, or were to be passed over: those before the chunk.
        ahead: How many are to be passed over still.
        rows: The chunk that is being collected.
    """

    executor: Executor
    described: RelationInfo
    reader: RowReader
    chunk: int
    on_progress: Progress | None
    stored: int
    ahead: int
    rows: _Rows = field(factory=_Rows)

    def add(self, item: object) -> bool:
        """
        Take a row, and tell whether the chunk is full.

        Raises:
            QueryError: It does not fit the relation; the message has its number in the source, from 0.
        """
        if self.ahead:
            self.ahead -= 1
            return False
        model, assignments = (item[0], item[1:]) if type(item) is tuple and item else (item, ())
        try:
            shape, values = self.reader.read(model, assignments)
            if assignments and any(isinstance(each, Ref) for each in values):
                raise QueryError("a ref stands for no value in a load", hint="give the key itself")
        except MapperError as error:
            raise self._at_row(error, len(self.rows)) from error.__cause__
        self.rows.shapes.append(shape)
        self.rows.values.append(values)
        return len(self.rows) >= self.chunk

    async def store(self) -> None:
        """Store the chunk: all of it, or nothing."""
        if not self.rows:
            return
        rows, self.rows = self.rows, _Rows()
        operations = self._operations(rows)
        try:
            await self._run(operations)
        except MapperError as error:
            found = self._told(await self._found(rows, error), len(rows))
            if found is error:
                raise
            raise found from found.__cause__
        self.stored += len(rows)
        if self.on_progress is not None:
            told = self.on_progress(self.stored)
            if inspect.isawaitable(told):
                await told

    def _told(self, error: MapperError, count: int) -> MapperError:
        """Return the error of a chunk with what is stored and what is not."""
        error.rows_done = self.stored
        error.add_note(
            f"of the source, rows {self.stored} to {self.stored + count - 1} are not stored; the {self.stored} before are"
        )
        return error

    async def _run(self, operations: Sequence[Operation]) -> None:
        executor = self.executor
        if len(operations) == 1:
            await executor.execute(operations[0])
        elif executor.gateway is not executor:
            await executor.run(one_by_one(operations))
        else:
            options = transaction_options(executor.gateway.capabilities)
            await executor.run(within_transaction(one_by_one(operations), options))

    def _operations(self, rows: _Rows) -> list[Operation]:
        """Compile the chunk, all of it before any of it is sent; one operation for each shape of its rows, or few."""
        try:
            return [each for shape, values in rows.by_shape().items() for each in self._compiled(shape, values)]
        except MapperError as error:
            self._find_bad_row(rows)
            raise error

    def _compiled(self, shape: RowShape, rows: Sequence[Values]) -> list[Operation]:
        gateway = self.executor.gateway
        require_generated(shape, gateway.capabilities)
        completed = shape.complete(rows)
        size = chunk_size(gateway.capabilities, len(shape.columns), self.chunk)
        relation, columns = self.described.relation, shape.columns
        return [
            gateway.compile(InsertRows(relation, columns, completed[start : start + size]))
            for start in range(0, len(completed), size)
        ]

    def _find_bad_row(self, rows: _Rows) -> None:
        """Compile the rows one by one, so that the error can tell which it is."""
        for number, (shape, values) in enumerate(zip(rows.shapes, rows.values, strict=True)):
            try:
                self._compiled(shape, [values])
            except MapperError as error:
                raise self._at_row(error, number) from error.__cause__

    def _at_row(self, error: MapperError, number: int) -> MapperError:
        """Return the error of a row of the chunk, with its number in the source, also in front of the message."""
        error.row, error.rows_done = self.stored + number, self.stored
        error.args = (f"row {error.row} of the source: {error.message}", *error.args[1:])
        return error

    # -- the row that was refused --------------------------------------------------------------------------------------

    async def _found(self, rows: _Rows, error: MapperError) -> MapperError:
        """
        Return the error of the first row that the store refuses; where that is not to be found, the error of the chunk.

        On a transaction nothing can be tried any more: the chunk has undone it.
        """
        gateway = self.executor.gateway
        if not isinstance(error, _OF_A_ROW):
            return error
        if len(rows) == 1:
            return self._at_row(error, 0)
        if gateway is not self.executor or not gateway.capabilities.savepoints:
            return error
        try:
            found = await self.executor.run(self._search(rows))
        except MapperError as second:
            error.add_note(f"which row it is could not be found out: {second!r}")
            return error
        return error if found is None else self._at_row(found[1], found[0])

    def _search(self, rows: _Rows) -> Generator[Operation, Result, tuple[int, MapperError] | None]:
        """
        Return a program that finds the first row that is refused, in a transaction that is rolled back.

        Half of what may be it is inserted, and stays or is undone: about twice the rows of the chunk in all.
        """
        yield Transaction("start")
        try:
            low, high = 0, len(rows)
            while high - low > 1:
                middle = (low + high) // 2
                if (yield from self._tried(rows.part(low, middle))) is None:
                    low = middle
                else:
                    high = middle
            error = yield from self._tried(rows.part(low, high))
        except Exception:
            yield Transaction("rollback")
            raise
        yield Transaction("rollback")
        return None if error is None else (low, error)

    def _tried(self, rows: _Rows) -> Generator[Operation, Result, MapperError | None]:
        """Insert rows, and return what refuses them; they are undone then."""
        yield Transaction("savepoint", name=TRIAL)
        try:
            yield from one_by_one(self._operations(rows))
        except _OF_A_ROW as error:
            yield Transaction("rollback_to", name=TRIAL)
            yield Transaction("release", name=TRIAL)
            return error
        yield Transaction("release", name=TRIAL)
        return None
