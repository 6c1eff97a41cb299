"""
Sessions: what one connection has open, and operations run on it.

Operations go in; rows and results come out, at once: nothing here waits. Whether a session may write is decided before,
by who calls it.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from gateways.memory.compiler import MemoryCompiler
from gateways.memory.computing import Run, View
from gateways.memory.schema import change_schema
from gateways.memory.snapshots import Past, Present, Snapshot
from gateways.memory.store import Store, take_back
from gateways.memory.tables import Log
from gateways.memory.writing import Writer
from mapper.errors import ReadOnly, StatementError, StoreError, Unsupported
from mapper.operations import (
    Call,
    DeleteByKey,
    Evaluate,
    GetByKey,
    Insert,
    Operation,
    Result,
    Scan,
    Transaction,
    UpdateByKey,
    Upsert,
)

__all__ = ["Session", "translated"]

READS: Final = (GetByKey, Scan, Evaluate)
WRITES: Final = (Insert, Upsert, UpdateByKey, DeleteByKey, Call)


class Session:
    """
    One connection's place in the store.

    Args:
        store: Where.
        compiler: Whose operations these are.
        read_only: Writes are refused.

    Attributes:
        writing: A transaction is open that may write; nobody else does meanwhile.
        alone: Nobody reads before it gives control away, so that its transactions need no state for those outside.
    """

    __slots__ = (
        "_compiler",
        "_log",
        "_outside",
        "_read_only",
        "_savepoints",
        "_snapshot",
        "_store",
        "alone",
        "writing",
    )

    def __init__(self, store: Store, compiler: MemoryCompiler, *, read_only: bool = False) -> None:
        self._store = store
        self._compiler = compiler
        self._read_only = read_only
        self._log: Log = []
        self._savepoints: list[tuple[str, int]] = []
        self._snapshot: Snapshot | None = None
        self._outside: Snapshot | None = None
        self.writing = False
        self.alone = False

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.writing or self._snapshot is not None

    def wants_turn(self, operation: Operation) -> bool:
        """Return whether an operation must wait until nobody else writes."""
        if self.in_transaction or self._read_only:
            return False
        if isinstance(operation, Transaction):
            return operation.kind == "start" and not operation.read_only
        return isinstance(operation, WRITES)

    def execute(self, operation: Operation) -> Result:
        """
        Run an operation. One that fails changes nothing.

        Raises:
            StoreError: What it failed of.
            Unsupported: It is no operation of the memory gateway.
        """
        if isinstance(operation, READS):
            with translated(operation):
                rows = list(self.rows(operation))
            return Result(rows, len(rows))
        if isinstance(operation, Transaction):
            with translated(operation):
                self._control(operation)
            return Result()
        if isinstance(operation, WRITES):
            return self._write(operation)
        raise Unsupported("sql", "memory", f"{type(operation).__name__} needs 'sql', which the memory gateway lacks")

    def rows(self, operation: Operation) -> Iterable[tuple[Any, ...]]:
        """Give the rows of a read. They are to be taken before anything is written."""
        return self._compiler.read(operation, self._view())

    def opened(self, operation: Operation) -> tuple[Iterator[tuple[Any, ...]], Callable[[], None]]:
        """Return the rows of a read, of a state that stays, and what is to be called when they are no longer wanted."""
        snapshot, store = self._seen(), self._store
        try:
            rows = iter(self._compiler.read(operation, Past(snapshot)))
        except BaseException:
            store.release(snapshot)
            raise
        return rows, lambda: store.release(snapshot)

    def _seen(self) -> Snapshot:
        """Return a snapshot of what the session sees; it is to be released."""
        seen = self._snapshot if self._snapshot is not None else None if self.writing else self._store.committed
        return self._store.snapshot() if seen is None else self._store.share(seen)

    def close(self) -> None:
        """Roll back what is open."""
        if self.in_transaction:
            self._rollback()

    # -- writing -------------------------------------------------------------------------------------------------------

    def _view(self) -> View:
        if self._snapshot is not None:
            return Past(self._snapshot)
        if self._store.committed is not None and not self.writing:
            return Past(self._store.committed)
        return Present(self._store.tables)

    def _write(self, operation: Operation) -> Result:
        if self._read_only or self._snapshot is not None:
            what = "the connection" if self._read_only else "the transaction"
            raise ReadOnly(f"{what} is read-only", operation=operation, hint="leave read_only=True away")
        log = self._log if self.writing else []
        mark = len(log)
        try:
            with translated(operation):
                return self._written(operation, log)
        except BaseException:
            take_back(log, mark)
            raise

    def _written(self, operation: Operation, log: Log) -> Result:
        if isinstance(operation, Call):
            return change_schema(self._store, operation, self._compiler.codecs, log)
        writer = Writer(self._store, log, Run(Present(self._store.tables)))
        match operation:
            case Insert():
                return writer.insert(operation)
            case Upsert():
                return writer.upsert(operation, self._compiler.conflict(operation))
            case UpdateByKey():
                return writer.update(operation, self._compiler.change(operation))
            case DeleteByKey():
                return writer.delete(operation, self._compiler.change(operation))
            case _:
                raise AssertionError(operation)

    # -- transactions --------------------------------------------------------------------------------------------------

    def _control(self, operation: Transaction) -> None:
        if operation.kind == "start":
            self._start(operation)
        elif not self.in_transaction:
            raise StatementError(f"{operation.kind} outside of a transaction", hint="start one first")
        elif operation.kind == "commit":
            self._end()
        elif operation.kind == "rollback":
            self._rollback()
        else:
            self._savepoint(operation.kind, operation.name or "")

    def _start(self, operation: Transaction) -> None:
        if self.in_transaction:
            raise StatementError("a transaction is open already", hint="nest by savepoints")
        if operation.read_only or self._read_only:
            self._snapshot = self._seen()
            return
        self.writing = True
        if not self.alone:
            self._outside = self._store.committed = self._store.snapshot()

    def _rollback(self) -> None:
        take_back(self._log)
        self._end()

    def _end(self) -> None:
        self._log = []
        self._savepoints = []
        self.writing = False
        if self._outside is not None:
            self._store.committed = None
        for each in (self._snapshot, self._outside):
            if each is not None:
                self._store.release(each)
        self._snapshot = self._outside = None

    def _savepoint(self, kind: str, name: str) -> None:
        if kind == "savepoint":
            self._savepoints.append((name, len(self._log)))
            return
        found = next(
            (place for place in reversed(range(len(self._savepoints))) if self._savepoints[place][0] == name), None
        )
        if found is None:
            raise StatementError(f"there is no savepoint {name!r}", hint="set it first")
        if kind == "rollback_to":
            take_back(self._log, self._savepoints[found][1])
            del self._savepoints[found + 1 :]
        else:
            del self._savepoints[found:]


@contextmanager
def translated(operation: Operation) -> Generator[None]:
    """Make errors of our tree of what computing raises, and tell which operation failed."""
    try:
        yield
    except StoreError as error:
        if error.operation is None:
            error.operation = operation
        raise
    except TypeError as error:
        raise StatementError(
            f"values that do not go together: {error}", operation=operation, hint="cast one of them to the other's type"
        ) from error
    except RecursionError as error:
        raise StatementError("the statement nests too deeply", operation=operation, hint="split it") from error
