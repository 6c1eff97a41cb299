"""
What work on one connection has changed and not committed yet.

Operations go in, in the order in which they run; at each that makes changes visible, what it makes visible comes out.
"""

from typing import Any

from mapper.cache.operations import CachedRead, Creation, TrackedWrite, UncachedRead, bare
from mapper.cache.writes import Changes
from mapper.operations import Operation, Transaction

__all__ = ["Tracker", "changes_of"]


def changes_of(operation: Any) -> Changes:
    """Return what an operation changes; nothing, of one that only reads."""
    changes = Changes()
    kind = type(operation)
    if kind is TrackedWrite:
        changes.statement(operation.statement)
    elif kind is UncachedRead:
        changes.operation(bare(operation))
    elif kind is not CachedRead and kind is not Creation:
        changes.operation(operation)
    return changes


class Tracker:
    """
    The transaction of one connection, as far as a cache must know it.

    Attributes:
        within: Whether a transaction is open.
    """

    __slots__ = ("_levels", "_uncertain", "within")

    def __init__(self) -> None:
        self.within = False
        # A commit failed, and nobody knows whether the transaction is still open.
        self._uncertain = False
        # The transaction's own changes, and those since each savepoint, by its name.
        self._levels: list[tuple[str | None, Changes]] = []

    def visible(self, operation: Operation) -> Changes | None:
        """Return what an operation makes visible if it is run now; None where that is nothing."""
        if isinstance(operation, Transaction):
            if operation.kind != "commit":
                return None
            changes = Changes()
            for _, each in self._levels:
                changes.merge(each)
        elif self.within and not self._uncertain:
            return None
        else:
            changes = changes_of(operation)
        return changes or None

    def note(self, operation: Operation) -> None:
        """Take notice of an operation that runs, or has run."""
        if isinstance(operation, Transaction):
            self._note(operation)
        elif self.within:
            self._levels[-1][1].merge(changes_of(operation))

    def failed(self, operation: Operation) -> None:
        """
        Take notice of an operation that failed. Behind a commit that did, writes count as visible at once, and as a
        part of the next commit too.
        """
        if isinstance(operation, Transaction) and operation.kind == "commit":
            self._uncertain = True

    def _note(self, operation: Transaction) -> None:
        levels = self._levels
        if operation.kind in {"start", "commit", "rollback"}:
            self.within, self._uncertain = operation.kind == "start", False
            levels[:] = [(None, Changes())] if self.within else []
        elif operation.kind == "savepoint":
            if not levels:
                levels.append((None, Changes()))
            levels.append((operation.name, Changes()))
        else:
            at = self._place(operation.name)
            if at is None:
                return
            undone, levels[at:] = levels[at:], []
            if operation.kind == "release":
                for _, each in undone:
                    levels[-1][1].merge(each)
            else:
                levels.append((operation.name, Changes()))

    def _place(self, name: str | None) -> int | None:
        """Return where a savepoint is: the latest of its name."""
        for at in range(len(self._levels) - 1, 0, -1):
            if self._levels[at][0] == name:
                return at
        return None
