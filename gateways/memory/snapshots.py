"""
Snapshots: states of the store that were, read beside writers that go on.

Tables hold the present. A snapshot is told of each row before it changes, and keeps the first such state; what it has
kept, over what has not changed, is the past. It costs nothing until something changes, and then as much as changes.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from attrs import frozen

from gateways.memory.layouts import Adapter
from gateways.memory.tables import PAGE, Index, Row, Table, Tables
from mapper.errors import StatementError
from mapper.relation import info

__all__ = ["Past", "Present", "Snapshot"]


class Changes:
    """Rows of one table as they were; None where there was none."""

    __slots__ = ("_indexes", "pages", "rows")

    def __init__(self) -> None:
        self.rows: dict[int, Row | None] = {}
        self.pages: dict[int, list[int]] = {}
        self._indexes: dict[tuple[int, ...], Index] = {}

    def keep(self, number: int, old: Row | None) -> None:
        """Keep a row, unless an older state of it is kept already."""
        if number not in self.rows:
            self.rows[number] = old
            self.pages.setdefault(number // PAGE, []).append(number)
            for index in self._indexes.values():
                index.move(number, None, old)

    def index(self, positions: tuple[int, ...]) -> Index:
        """Return an index of the rows."""
        index = self._indexes.get(positions)
        if index is None:
            index = self._indexes[positions] = Index(positions)
            for number, row in self.rows.items():
                index.move(number, None, row)
        return index


class Snapshot:
    """
    One state of the store.

    Attributes:
        tables: The tables that there were.
        readers: How many use it.
    """

    __slots__ = ("changes", "readers", "tables")

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.readers = 0
        self.changes: dict[Table, Changes] = {}

    def changed(self, table: Table, number: int, old: Row | None) -> None:
        """Keep a row that is about to change."""
        changes = self.changes.get(table)
        if changes is None:
            changes = self.changes[table] = Changes()
        changes.keep(number, old)


def table_of(tables: Tables, relation: Any) -> Table:
    """
    Return the table of a relation.

    Raises:
        StatementError: There is none.
    """
    described = info(relation)
    table = tables.get((described.schema, described.name))
    if table is None:
        raise StatementError(
            f"relation {described.original.__name__} has no table {described.name!r} in the store",
            hint="create it first: await repository.push_schema()",
        )
    return table


def adapter(table: Table, relation: Any) -> Adapter | None:
    """Return how a relation, or an alias of one, sees a table's rows."""
    return table.adapter(info(relation).original)


@frozen(eq=False)
class Present:
    """The store as it is, with what its writer has changed so far. Nothing may change while rows are taken."""

    tables: Tables

    def rows(self, relation: Any) -> Iterable[Row]:
        """See `View.rows`."""
        table = table_of(self.tables, relation)
        adapt = adapter(table, relation)
        return table.rows() if adapt is None else map(adapt.row, table.rows())

    def get(self, relation: Any, key: tuple[Any, ...]) -> Row | None:
        """See `View.get`."""
        table = table_of(self.tables, relation)
        adapt = adapter(table, relation)
        found = table.get(key) if adapt is None else _first(self.find(relation, _key_positions(relation), (key,)))
        return found

    def find(self, relation: Any, positions: tuple[int, ...], keys: Sequence[tuple[Any, ...]]) -> list[Row] | None:
        """See `View.find`."""
        table = table_of(self.tables, relation)
        return _looked_up(table, adapter(table, relation), positions, keys, None)


@frozen(eq=False)
class Past:
    """The store as it was."""

    snapshot: Snapshot

    def rows(self, relation: Any) -> Iterable[Row]:
        """See `View.rows`. Rows may change while these are taken."""
        table = table_of(self.snapshot.tables, relation)
        adapt = adapter(table, relation)
        found = _pages(table, self.snapshot)
        return found if adapt is None else map(adapt.row, found)

    def get(self, relation: Any, key: tuple[Any, ...]) -> Row | None:
        """See `View.get`."""
        return _first(self.find(relation, _key_positions(relation), (key,)))

    def find(self, relation: Any, positions: tuple[int, ...], keys: Sequence[tuple[Any, ...]]) -> list[Row] | None:
        """See `View.find`."""
        table = table_of(self.snapshot.tables, relation)
        return _looked_up(table, adapter(table, relation), positions, keys, self.snapshot.changes.get(table))


def _key_positions(relation: Any) -> tuple[int, ...]:
    return tuple([each.position for each in info(relation).primary_key])


def _first(rows: Sequence[Row] | None) -> Row | None:
    return rows[0] if rows else None


def _pages(table: Table, snapshot: Snapshot) -> Iterator[Row]:
    """Give the rows of a snapshot, oldest first, a copy of one page at a time."""
    changes = snapshot.changes.get(table)
    for number in sorted({*table.pages, *(changes.pages if changes is not None else ())}):
        page = table.pages.get(number)
        rows = [] if page is None else list(page.rows)
        changes = snapshot.changes.get(table)
        if changes is not None and number in changes.pages:
            rows.extend([None] * (PAGE - len(rows)))
            for each in changes.pages[number]:
                rows[each % PAGE] = changes.rows[each]
        for row in rows:
            if row is not None:
                yield row


def _looked_up(
    table: Table,
    adapt: Adapter | None,
    positions: tuple[int, ...],
    keys: Sequence[tuple[Any, ...]],
    changes: Changes | None,
) -> list[Row] | None:
    own = positions if adapt is None else tuple([adapt.positions[each] for each in positions])
    index = table.index(own)
    if index is None:
        return None
    if index.positions != own:
        order = [own.index(each) for each in index.positions]
        keys = [tuple([key[each] for each in order]) for key in keys]
    found: dict[int, Row | None] = {}
    for key in keys:
        for number in index.find(key):
            if changes is None or number not in changes.rows:
                found[number] = table.row(number)
        if changes is not None:
            for number in changes.index(index.positions).find(key):
                found[number] = changes.rows[number]
    rows = (
        [row for _, row in sorted(found.items()) if row is not None]
        if len(found) > 1
        else [row for row in found.values() if row is not None]
    )
    return rows if adapt is None else [adapt.row(row) for row in rows]
