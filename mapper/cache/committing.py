"""
Commits and the cache: what is about to become visible is marked, made visible, and changed in the cache, before anybody
is told.

Programs and single operations go in, and run on the gateway within; nothing else of them is changed. From the moment of
the mark on, the rest happens even if whoever asked for it is cancelled.
"""

from contextlib import suppress
from types import TracebackType
from typing import Any, Final

from typing_extensions import TypeVar

from mapper.cache.keeper import Keeper, Marked
from mapper.cache.outbox import Outbox
from mapper.cache.stepping import Steps, each_in_a_transaction, watched
from mapper.cache.tracking import Tracker
from mapper.cache.writes import Changes
from mapper.errors import CacheInvalidationError, CommitUnknown, MapperError
from mapper.gateway import Connection, Gateway, Program
from mapper.operations import Transaction
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
            value = await gateway.run(watched(program, Tracker(), shown))
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
        """
        Run a program on a connection, pausing before whatever makes changes visible.

        With an outbox, what would become visible by itself gets a transaction of its own, in which the note is written.
        """
        if self.outbox is not None:
            program = each_in_a_transaction(program, tracker)
        steps = Steps(program, tracker)
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

    async def _shown(self, gateway: Gateway, connection: Connection, steps: Steps[Any], changes: Changes) -> None:
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


def _is_unknown(error: BaseException) -> bool:
    """Whether a write that ended so may take effect only later: its connection was lost, or its task cancelled."""
    return isinstance(error, CommitUnknown) or not isinstance(error, Exception)


async def _undone(connection: Connection, tracker: Tracker) -> None:
    """Roll back what a program left open. Where that fails, the connection goes with whoever holds it."""
    tracker.note(Transaction("rollback"))
    with suppress(MapperError):
        await connection.execute(Transaction("rollback"))
