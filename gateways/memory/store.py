"""
The store: tables, what refers to what, and snapshots.

Layouts and relations go in; tables come out. Nothing here waits or looks at a clock: who may write, and when, is
decided by the gateway.
"""

from gateways.memory.layouts import Layout, Reference
from gateways.memory.snapshots import Snapshot
from gateways.memory.tables import Log, Table, Tables, Watcher

__all__ = ["Store"]


class Store:
    """
    All tables of a gateway.

    Attributes:
        tables: By namespace and name. The dict is never changed, but replaced.
        committed: The state before the open write transaction, for those outside of it; None where there is no such
            transaction, and the present is what is committed.
    """

    __slots__ = ("_fresh", "_referring", "_watchers", "committed", "tables")

    def __init__(self) -> None:
        self.tables: Tables = {}
        self.committed: Snapshot | None = None
        self._watchers: list[Watcher] = []
        self._fresh: Snapshot | None = None
        self._referring: dict[tuple[str | None, str], list[tuple[Table, Reference]]] = {}

    # -- schema --------------------------------------------------------------------------------------------------------

    def table(self, layout: Layout) -> Table:
        """Return a new table, which is not among the others yet."""
        return Table(layout, self._watchers)

    def replace(self, tables: Tables, log: Log) -> None:
        """Have other tables than before."""
        log.append((self, None, self.tables))
        self._set(tables)

    def restore(self, place: None, old: Tables) -> None:
        """Take a change of the schema back."""
        del place
        self._set(old)

    def referring(self, table: Table) -> list[tuple[Table, Reference]]:
        """Return the references to a table, each with the table that it is in."""
        return self._referring.get(table.layout.key, [])

    def _set(self, tables: Tables) -> None:
        self.tables = tables
        self._fresh = None
        self._referring = {}
        for table in tables.values():
            for reference in table.layout.references:
                self._referring.setdefault(reference.target, []).append((table, reference))

    # -- snapshots -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return a snapshot of the present; `release` it."""
        fresh = self._fresh
        if fresh is None or fresh.changes:
            fresh = self._fresh = Snapshot(self.tables)
            self._watchers.append(fresh)
        fresh.readers += 1
        return fresh

    def share(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot that is in use already, for one more user; `release` it."""
        snapshot.readers += 1
        return snapshot

    def release(self, snapshot: Snapshot) -> None:
        """Let go of a snapshot. When nobody uses it any more it is forgotten."""
        snapshot.readers -= 1
        if snapshot.readers == 0:
            self._watchers.remove(snapshot)
            if self._fresh is snapshot:
                self._fresh = None


def take_back(log: Log, mark: int = 0) -> None:
    """Take back what was changed since the log was `mark` entries long."""
    while len(log) > mark:
        what, place, old = log.pop()
        what.restore(place, old)
