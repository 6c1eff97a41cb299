"""
Commits and the cache: what is about to become visible is marked, made visible, and changed in the cache, before anybody
is told.

Programs and single operations go in, and run on the gateway within; nothing else of them is changed. From the moment of
the mark on, the rest happens even if whoever asked for it is cancelled.
"""

from collections.abc import Generator
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Generic

from typing_extensions import TypeVar

from mapper.cache.keeper import Keeper, Marked
from mapper.cache.operations import bare
from mapper.cache.outbox import Outbox
from mapper.cache.tracking import Tracker
from mapper.cache.writes import Changes
from mapper.errors import CacheInvalidationError, CommitUnknown, MapperError
from mapper.gateway import Connection, Gateway, Program
from mapper.operations import Operation, Result, Transaction
from mapper.shielding import finish

__all__ = ["Commits", "Invalidating"]

T = TypeVar("T")

PATIENCE: Final = 2.0
"""Seconds that a commit may take after its task was cancelled, before the gateway is told of that."""


class Commits:
    """
    Runs what writes.

    Args:
        keeper: Changes tags.
        marks: Whether they are marked before a commit, so that it must be known when that is.
        outbox: Writes them down beside what is committed; None where nobody does.
    """

    def __init__(self, keeper: Keeper, *, marks: bool, outbox: Outbox | None = None) -> None:
        self.keeper = keeper
        self.outbox = outbox
        self._marks = marks

    def tags_of(self, changes: Changes) -> list[str]:
        """Return the tags of changes."""
        return changes.tags(self.keeper.names)

    async def run(self, gateway: Gateway, program: Program[T]) -> T:
        """Run a program on any connection; see `Executor.run`."""
        if self._marks or self.outbox is not None:
            async with gateway.connection() as connection:
                return await self.drive(gateway, connection, program, Tracker())
        shown = Changes()
        try:
            value = await gateway.run(_watched(program, Tracker(), shown))
        except BaseException as error:
            if shown:
                await finish(self._ended(Marked(self.tags_of(shown)), error))
            raise
        if shown:
            cancelled = await finish(self._ended(Marked(self.tags_of(shown)), None))
            if cancelled is not None:
                raise cancelled
        return value

    async def _ended(self, marked: Marked, error: BaseException | None) -> None:
        """
        Change what was marked, once its work has ended; and again later where nobody knows when it will take effect.

        Work that failed may have committed a part of itself before.
        """
        if error is None:
            await self.keeper.end(marked)
            return
        try:
            with suppress(CacheInvalidationError):  # it is tried again; what is raised is why the work failed
                await self.keeper.end(marked)
        finally:
            if _is_unknown(error):
                self.keeper.end_again(marked)

    async def drive(self, gateway: Gateway, connection: Connection, program: Program[T], tracker: Tracker) -> T:
        """Run a program on a connection, pausing before whatever makes changes visible."""
        steps = _Steps(program, tracker)
        within = tracker.within
        try:
            while not await connection.run(steps.to_the_next()):
                if steps.changes is None:
                    await steps.run_alone(connection)
                    continue
                cancelled = await finish(self._shown(gateway, connection, steps, steps.changes), patience=PATIENCE)
                if cancelled is not None:
                    raise cancelled
            value: T = steps.value
            return value
        finally:
            program.close()
            if tracker.within and not within:
                await finish(_undone(connection, tracker))

    async def _shown(self, gateway: Gateway, connection: Connection, steps: "_Steps[Any]", changes: Changes) -> None:
        """Mark, make visible, change. What marking or making visible raises, the program is told of."""
        tags = self.tags_of(changes)
        note = None
        marked = Marked(tags)
        try:
            await self.keeper.mark(marked)
            if self.outbox is not None and steps.is_commit:
                note = await self.outbox.write(gateway, connection, tags)
            await self.keeper.renew(marked)
        except Exception as error:
            steps.refuse(error)
            if marked.at is not None:
                await self.keeper.end(marked, happened=False)
            return
        try:
            await steps.run_alone(connection)
        except BaseException as error:
            await self._ended(marked, error)
            raise
        await self._ended(marked, steps.error)
        if note is not None and self.outbox is not None and not self.keeper.pending:
            self.outbox.forget(gateway, note)


class Invalidating:
    """The block of one piece of work that changes something by itself: what it changed is marked before, and changed after."""

    __slots__ = ("_commits", "_marked", "_tags")

    def __init__(self, commits: Commits, changes: Changes) -> None:
        self._commits = commits
        self._tags = commits.tags_of(changes)
        self._marked: Marked | None = None

    async def __aenter__(self) -> None:
        self._marked = await self._commits.keeper.begin(self._tags)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._marked is not None
        cancelled = await finish(self._commits._ended(self._marked, error))
        if cancelled is not None and error is None:
            raise cancelled

    def abandon(self) -> None:
        """Leave the block without waiting, where nobody knows when what it did takes effect."""
        assert self._marked is not None
        self._commits.keeper.end_again(self._marked)


class _Steps(Generic[T]):
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


def _is_unknown(error: BaseException) -> bool:
    """Whether a write that ended so may take effect only later: its connection was lost, or its task cancelled."""
    return isinstance(error, CommitUnknown) or not isinstance(error, Exception)


async def _undone(connection: Connection, tracker: Tracker) -> None:
    """Roll back what a program left open. Where that fails, the connection goes with whoever holds it."""
    tracker.note(Transaction("rollback"))
    with suppress(MapperError):
        await connection.execute(Transaction("rollback"))


def _watched(program: Program[T], tracker: Tracker, shown: Changes) -> Generator[Operation, Result, T]:
    """Return a program that does the same, and collects what has become visible."""
    result: Result | None = None
    error: BaseException | None = None
    try:
        while True:
            try:
                operation = program.throw(error) if error is not None else program.send(result)  # type: ignore[arg-type]  # the first send is None
            except StopIteration as stop:
                value: T = stop.value
                return value
            result, error = None, None
            changes = tracker.visible(operation)
            if changes is not None:
                shown.merge(changes)
            tracker.note(operation)
            try:
                result = yield bare(operation)
            except Exception as caught:
                error = caught
    finally:
        program.close()
