"""
Programs, taken apart where they make changes visible.

A program goes in; one that does the same comes out, which collects what it has changed, or pauses before that is seen.
"""

from collections.abc import Generator
from typing import Any, Generic

from typing_extensions import TypeVar

from mapper.cache.operations import bare
from mapper.cache.tracking import Tracker, changes_of
from mapper.cache.writes import Changes
from mapper.commit import within_transaction
from mapper.gateway import Connection, TransactionOptions
from mapper.operations import Operation, Result, Transaction
from mapper.programs import Program, alone, through

__all__ = ["Steps", "each_in_a_transaction", "watched"]

T = TypeVar("T")


def watched(program: Program[T], tracker: Tracker, shown: Changes) -> Program[T]:
    """Return a program that does the same, and collects what has become visible."""

    def run(operation: Operation) -> Program[Result]:
        changes = tracker.visible(operation)
        if changes is not None:
            shown.merge(changes)
        tracker.note(operation)
        return (yield bare(operation))

    return through(program, run)


def each_in_a_transaction(program: Program[T], tracker: Tracker) -> Program[T]:
    """Return a program that does the same, in which each operation that commits by itself has a transaction of its own."""

    def run(operation: Operation) -> Program[Result]:
        step = alone(operation)
        if tracker.within or isinstance(operation, Transaction) or not changes_of(operation):
            return step
        return within_transaction(step, TransactionOptions())

    return through(program, run)


class Steps(Generic[T]):
    """
    A program in pieces: as far as what begins a transaction, or makes changes visible, then that alone, and so on.

    A connection rolls back what a piece leaves open of its own, and so a transaction is begun and ended by itself.

    Attributes:
        changes: What the operation that is due makes visible; None where it begins a transaction.
        value: What the program returned, once it has.
        is_commit: Whether what is due is the end of a transaction.
    """

    __slots__ = ("_due", "_error", "_program", "_result", "_tracker", "changes", "is_commit", "value")

    def __init__(self, program: Program[T], tracker: Tracker) -> None:
        self._program = program
        self._tracker = tracker
        self._due: Operation | None = None
        self._result: Result | None = None
        self._error: BaseException | None = None
        self.changes: Changes | None = None
        self.is_commit = False
        self.value: Any = None

    def to_the_next(self) -> Generator[Operation, Result, bool]:
        """Run as far as what is to be run alone, and return whether that was the end."""
        while True:
            error, result, self._error, self._result = self._error, self._result, None, None
            try:
                operation = self._program.throw(error) if error is not None else self._program.send(result)  # type: ignore[arg-type]  # the first send is None
            except StopIteration as stop:
                self.value = stop.value
                return True
            kind = operation.kind if isinstance(operation, Transaction) else ""
            self.changes = self._tracker.visible(operation)
            if self.changes is not None or kind in {"start", "commit", "rollback"}:
                self._due, self.is_commit = operation, kind == "commit"
                return False
            self._tracker.note(operation)
            try:
                self._result = yield bare(operation)
            except Exception as error:
                self._error = error

    async def run_alone(self, connection: Connection) -> None:
        """Run what is due."""
        operation, self._due = self._due, None
        assert operation is not None, "nothing is due"
        try:
            self._result = await connection.execute(bare(operation))
        except Exception as error:
            self._error = error
            self._tracker.failed(operation)
        else:
            self._tracker.note(operation)

    @property
    def error(self) -> BaseException | None:
        """What the operation that ran alone raised, before the program is told of it."""
        return self._error

    def refuse(self, error: BaseException) -> None:
        """Have the program told that what it asked for was not done."""
        self._due, self._error = None, error
