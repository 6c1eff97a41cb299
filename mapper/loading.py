"""
Loading: a stream of models into a relation, chunk by chunk, without a changeset.

An iterable goes in, sync or async, of any length; the number of rows comes out. One chunk is in memory at a time.
"""

import inspect
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from typing import Final, TypeAlias

from anyio.lowlevel import checkpoint
from attrs import define, field

from mapper.commit import one_by_one, within_transaction
from mapper.deferred import Ref
from mapper.errors import MapperError, QueryError
from mapper.gateway import Executor
from mapper.insertion import require_generated
from mapper.isolation import transaction_options
from mapper.layouts import RowReader, RowShape, Values, reader_of
from mapper.operations import Operation
from mapper.relation import RelationInfo
from mapper.stages import chunk_size
from mapper.statements import InsertRows

__all__ = ["Progress", "load"]

Progress: TypeAlias = Callable[[int], object]
"""Is told how many rows have been stored; it may be async."""

BREATH: Final = 500
"""Rows of a source that does not wait after which other tasks get their turn."""


async def load(
    executor: Executor, described: RelationInfo, source: object, *, chunk: int, on_progress: Progress | None
) -> int:
    """
    Store what a source gives; see `Repository.load`.

    Args:
        executor: Where to.
        described: The relation.
        source: An iterable, sync or async, of models, wrappers, or tuples of one and assignments.
        chunk: Rows that are stored at once.
        on_progress: Told after each chunk.
    """
    if not isinstance(chunk, int) or isinstance(chunk, bool) or chunk < 1:
        raise QueryError(f"chunk is {chunk!r}, expected a number of rows from 1")
    loading = _Loading(executor, described, reader_of(described), chunk, on_progress)
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
    await loading.store()
    return loading.stored


@define(eq=False)
class _Loading:
    """
    A load in progress.

    Attributes:
        rows: Shapes and values of the chunk that is being collected.
        stored: How many rows are stored: those before the chunk.
    """

    executor: Executor
    described: RelationInfo
    reader: RowReader
    chunk: int
    on_progress: Progress | None
    rows: list[tuple[RowShape, Values]] = field(factory=list)
    stored: int = 0

    def add(self, item: object) -> bool:
        """
        Take a row, and tell whether the chunk is full.

        Raises:
            QueryError: It does not fit the relation; the message has its number in the source, from 0.
        """
        model, assignments = (item[0], item[1:]) if type(item) is tuple and item else (item, ())
        try:
            shape, values = self.reader.read(model, assignments)
            if assignments and any(isinstance(each, Ref) for each in values):
                raise QueryError("a ref stands for no value in a load", hint="give the key itself")
        except MapperError as error:
            raise _at_row(error, self.stored + len(self.rows)) from error.__cause__
        self.rows.append((shape, values))
        return len(self.rows) >= self.chunk

    async def store(self) -> None:
        """Store the chunk: all of it, or nothing."""
        if not self.rows:
            return
        rows, self.rows = self.rows, []
        operations = self._operations(rows)
        try:
            await self._run(operations)
        except MapperError as error:
            last = self.stored + len(rows) - 1
            error.add_note(f"of the source, rows {self.stored} to {last} are not stored; the {self.stored} before are")
            raise
        self.stored += len(rows)
        if self.on_progress is not None:
            told = self.on_progress(self.stored)
            if inspect.isawaitable(told):
                await told

    async def _run(self, operations: Sequence[Operation]) -> None:
        executor = self.executor
        if len(operations) == 1:
            await executor.execute(operations[0])
        elif executor.gateway is not executor:
            await executor.run(one_by_one(operations))
        else:
            options = transaction_options(executor.gateway.capabilities)
            await executor.run(within_transaction(one_by_one(operations), options))

    def _operations(self, rows: Sequence[tuple[RowShape, Values]]) -> list[Operation]:
        """Compile the chunk, all of it before any of it is sent; one operation for each shape of its rows, or few."""
        by_shape: dict[RowShape, list[Values]] = {}
        for shape, values in rows:
            by_shape.setdefault(shape, []).append(values)
        try:
            return [each for shape, values in by_shape.items() for each in self._compiled(shape, values)]
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

    def _find_bad_row(self, rows: Sequence[tuple[RowShape, Values]]) -> None:
        """Compile the rows one by one, so that the error can tell which it is."""
        for number, (shape, values) in enumerate(rows):
            try:
                self._compiled(shape, [values])
            except MapperError as error:
                raise _at_row(error, self.stored + number) from error.__cause__


def _at_row(error: MapperError, number: int) -> MapperError:
    """Return the error with the number of the row in front of its message."""
    error.args = (f"row {number} of the source: {error.message}", *error.args[1:])
    return error
