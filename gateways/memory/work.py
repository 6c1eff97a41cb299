"""
Changes of rows under all constraints.

Rows go in; tables are changed, or an error says which constraint refuses. NOT NULL, checks and keys hold for each set
of rows that changes together; references hold at the end of the operation (but `restrict`, at once), after their
actions.
"""

from collections import deque
from collections.abc import Sequence

from attrs import frozen

from gateways.memory import violations
from gateways.memory.computing import Run
from gateways.memory.layouts import Reference
from gateways.memory.store import Store
from gateways.memory.tables import Index, Log, Row, Table, Unique
from mapper.errors import StatementError, StoreFull

__all__ = ["Work"]

LARGEST = 2**63 - 1


@frozen(eq=False)
class _Follower:
    """Rows that refer to one whose key changes."""

    table: Table
    reference: Reference
    numbers: tuple[int, ...]
    value: object


class Work:
    """
    The changes of one operation.

    Args:
        store: Where.
        log: Takes note of every change.
        run: The run of the operation, for defaults.
    """

    __slots__ = ("_abandoned", "_log", "_owing", "_run", "_store")

    def __init__(self, store: Store, log: Log, run: Run) -> None:
        self._store = store
        self._log = log
        self._run = run
        self._owing: list[tuple[Table, int, Reference]] = []
        self._abandoned: list[tuple[Table, Reference, object]] = []

    # -- rows ----------------------------------------------------------------------------------------------------------

    def insert(self, table: Table, row: Row) -> int:
        """Insert a complete row and return its number."""
        row = self.computed(table, row)
        self.verify(table, row)
        for constraint, unique in zip(table.layout.uniques, table.uniques, strict=True):
            key = unique.key(row)
            if key is not None and key in unique.entries:
                raise violations.taken(table, constraint, row)
        number = table.add(row, self._log)
        counter = table.layout.counter
        if counter is not None:
            table.count_to(row[counter], self._log)
        self._owe(table, number, None, row)
        return number

    def next_key(self, table: Table) -> int:
        """
        Return the next key of a table that makes them up.

        Raises:
            StoreFull: There are no further ones.
        """
        if table.counter >= LARGEST:
            raise StoreFull(f"{table.layout.relation.__name__} has used the largest key, {LARGEST}")
        return max(table.counter, 0) + 1

    def update(self, table: Table, changes: Sequence[tuple[int, Row]]) -> None:
        """Change rows, all at the same time: a key may move from one of them to another."""
        found = [
            (number, old, self.computed(table, new))
            for number, new in changes
            if (old := table.row(number)) is not None
        ]
        for _, _, new in found:
            self.verify(table, new)
        self._require_unique(table, found)
        followers = self._followers(table, found)
        for number, old, new in found:
            table.put(number, new, self._log)
            if table.layout.counter is not None:
                table.count_to(new[table.layout.counter], self._log)
            self._owe(table, number, old, new)
        for each in followers:
            self._follow(each)

    def delete(self, table: Table, numbers: Sequence[int]) -> None:
        """Remove rows, and do to what refers to them what the references say."""
        waiting: deque[tuple[Table, Sequence[int]]] = deque([(table, numbers)])
        while waiting:
            current, wanted = waiting.popleft()
            for number in wanted:
                old = current.row(number)
                if old is not None:
                    current_followers = self._dependents(current, number, old, "on_delete")
                    current.put(number, None, self._log)
                    waiting.extend([rows for each in current_followers if (rows := self._leave(each)) is not None])

    def finish(self) -> None:
        """
        Check what references owe at the end of an operation.

        Raises:
            ForeignKeyViolation: A row refers to one that is not there.
        """
        known: set[tuple[Reference, object]] = set()
        for table, number, reference in self._owing:
            row = table.row(number)
            value = None if row is None else row[reference.position]
            if row is None or value is None or (reference, value) in known:
                continue
            if not self._exists(reference, value):
                raise violations.not_referred(table, reference, row)
            known.add((reference, value))
        for table, reference, value in self._abandoned:
            if _rows_with(table, reference, value) and not self._exists(reference, value):
                raise violations.still_referred(table, reference)

    def verify(self, table: Table, row: Row) -> None:
        """
        Check what a row alone must fulfil.

        Raises:
            NotNullViolation, CheckViolation: It does not.
        """
        for position in table.layout.required:
            if row[position] is None:
                raise violations.is_null(table, position)
        for check in table.layout.checks:
            if check.condition.value(row, self._run) is False:
                raise violations.check_failed(table, check)

    def computed(self, table: Table, row: Row) -> Row:
        """Return a row with its generated columns."""
        for position, closed in table.layout.computed:
            row = (*row[:position], closed.value(row, self._run), *row[position + 1 :])
        return row

    # -- keys ----------------------------------------------------------------------------------------------------------

    def _require_unique(self, table: Table, changes: Sequence[tuple[int, Row, Row]]) -> None:
        after = {number: new for number, _, new in changes}
        for constraint, unique in zip(table.layout.uniques, table.uniques, strict=True):
            seen: set[object] = set()
            for number, _, new in changes:
                key = unique.key(new)
                if key is None:
                    continue
                if key in seen:
                    raise violations.taken(table, constraint, new)
                seen.add(key)
                holder = unique.entries.get(key, number)
                if holder != number and (holder not in after or unique.key(after[holder]) == key):
                    raise violations.taken(table, constraint, new)

    # -- references ----------------------------------------------------------------------------------------------------

    def _owe(self, table: Table, number: int, old: Row | None, new: Row) -> None:
        """Take note of the references of a row that must hold at the end."""
        for reference in table.layout.references:
            value = new[reference.position]
            if value is not None and (old is None or old[reference.position] != value):
                self._owing.append((table, number, reference))

    def _followers(self, table: Table, changes: Sequence[tuple[int, Row, Row]]) -> list[_Follower]:
        """Return the rows that refer to those which change their key, as they are before the change."""
        followers: list[_Follower] = []
        for reference_table, reference in self._store.referring(table):
            position = table.layout.positions[reference.column]
            for number, old, new in changes:
                if old[position] is not None and old[position] != new[position]:
                    found = self._follower(
                        reference_table, reference, reference.on_update, number, table, old[position]
                    )
                    if found is not None:
                        followers.append(_Follower(reference_table, reference, found, new[position]))
        return followers

    def _dependents(self, table: Table, number: int, old: Row, event: str) -> list[_Follower]:
        """Return the rows that refer to one which goes."""
        followers: list[_Follower] = []
        for reference_table, reference in self._store.referring(table):
            value = old[table.layout.positions[reference.column]]
            if value is not None:
                found = self._follower(reference_table, reference, getattr(reference, event), number, table, value)
                if found is not None:
                    followers.append(_Follower(reference_table, reference, found, None))
        return followers

    def _follower(
        self, table: Table, reference: Reference, action: str, number: int, referred: Table, value: object
    ) -> tuple[int, ...] | None:
        """Return the numbers of rows on which an action is to be taken; None where there are none."""
        numbers = _rows_with(table, reference, value)
        if action == "restrict" and any([each != number or table is not referred for each in numbers]):
            raise violations.still_referred(table, reference)
        if numbers and action in {"no action", "restrict"}:
            self._abandoned.append((table, reference, value))
            return None
        return numbers or None

    def _follow(self, follower: _Follower) -> None:
        """Do to rows what their reference says when the key changes that they refer to."""
        action = follower.reference.on_update
        self._set(follower, follower.value if action == "cascade" else self._replacement(follower.reference, action))

    def _leave(self, follower: _Follower) -> tuple[Table, Sequence[int]] | None:
        """Do to rows what their reference says when the row goes that they refer to; return those that go too."""
        action = follower.reference.on_delete
        if action == "cascade":
            return follower.table, follower.numbers
        self._set(follower, self._replacement(follower.reference, action))
        return None

    def _replacement(self, reference: Reference, action: str) -> object:
        """Return what a reference becomes by `set null` and `set default`."""
        return reference.default(self._run) if action == "set default" and reference.default is not None else None

    def _set(self, follower: _Follower, value: object) -> None:
        table, position = follower.table, follower.reference.position
        changes = []
        for number in follower.numbers:
            row = table.row(number)
            if row is not None:
                changes.append((number, (*row[:position], value, *row[position + 1 :])))
        self.update(table, changes)
        # The default may be the very row that goes, so that a value which stays the same must be looked at again.
        self._owing.extend([(table, number, follower.reference) for number, _ in changes])

    def _exists(self, reference: Reference, value: object) -> bool:
        """Return whether there is a row for a reference to refer to."""
        return bool(self._referred(reference).find((value,)))

    def _referred(self, reference: Reference) -> Unique:
        target = self._store.tables.get(reference.target)
        if target is None:
            raise StatementError(
                f"the table {reference.target[1]!r} that {reference.attribute!r} refers to is not in the store",
                hint="create it too: await repository.push_schema()",
            )
        position = target.layout.positions.get(reference.column)
        index = None if position is None else target.index((position,))
        if not isinstance(index, Unique):
            raise StatementError(
                f"{reference.attribute!r} refers to {reference.target[1]}.{reference.column}, which is not unique",
                hint="refer to a primary key, or to a column with unique=True",
            )
        return index


def _rows_with(table: Table, reference: Reference, value: object) -> tuple[int, ...]:
    """Return the numbers of the rows that refer to a value."""
    index = table.index((reference.position,))
    assert isinstance(index, Index | Unique)
    return tuple(index.find((value,)))
