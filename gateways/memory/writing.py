"""
Running writes: inserts, upserts, updates, deletes.

An operation and what was compiled of it go in; tables are changed and a `Result` comes out. An error leaves changes
behind in the log, from which whoever called takes them back.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from attrs import frozen

from gateways.memory.computing import Compilation, Compute, Run, Values
from gateways.memory.snapshots import table_of
from gateways.memory.store import Store
from gateways.memory.tables import Log, Row, Table, Unique
from gateways.memory.work import Work
from mapper.columns import ColumnInfo
from mapper.errors import MissingRow, QueryError, StaleRow, StatementError
from mapper.operations import DeleteByKey, Insert, Outcome, Result, UpdateByKey, Upsert
from mapper.relation import info

__all__ = ["Change", "ConflictPlan", "Writer"]

Assign: TypeAlias = Callable[[Any, Values], Any]


@frozen(eq=False)
class Change:
    """
    What was compiled of an update or a delete, or of the update of an upsert.

    Attributes:
        compilation: Makes the values that the rest is called with.
        assignments: Names of columns in the store, and what computes their values.
        filter: Rows that it does not accept are skipped; None accepts all.
        condition: Rows that it does not accept are stale.
        candidates: Gives rows that the filter may accept, with their keys' positions; None is all of them.
    """

    compilation: Compilation
    assignments: tuple[tuple[str, Assign], ...]
    filter: Compute | None = None
    condition: Compute | None = None
    lookup: tuple[tuple[int, ...], Callable[[Values], Sequence[tuple[Any, ...]]]] | None = None


@frozen(eq=False)
class ConflictPlan:
    """
    The names of the columns that an upsert looks for a conflict in (() is any key), and what it does then; None is
    nothing.
    """

    columns: tuple[str, ...]
    change: Change | None


class Writer:
    """
    Runs one write.

    Args:
        store: Where.
        log: Takes note of every change.
        run: The run of the operation.
    """

    def __init__(self, store: Store, log: Log, run: Run) -> None:
        self._store = store
        self._log = log
        self._run = run
        self._work = Work(store, log, run)

    def insert(self, operation: Insert) -> Result:
        """Insert all rows."""
        table = table_of(self._store.tables, operation.relation)
        complete = self._completion(table, operation.columns)
        work = self._work
        numbers = [work.insert(table, complete(given)) for given in operation.rows]
        work.finish()
        rows = _returned(table, numbers, operation.returning)
        return Result(rows, count=len(numbers))

    def upsert(self, operation: Upsert, plan: ConflictPlan) -> Result:
        """Insert or update the rows, one after the other."""
        table = table_of(self._store.tables, operation.relation)
        complete = self._completion(table, operation.columns, reserve=False)
        targets = _targets(table, plan.columns)
        outcomes: list[Outcome] = []
        rows: list[tuple[Any, ...]] = []
        for given in operation.rows:
            outcome, number = self._upsert(operation, table, complete(given), targets, plan.change)
            outcomes.append(outcome)
            rows.extend(_returned(table, [number], operation.returning))
        self._work.finish()
        inserted, updated, ignored = [outcomes.count(each) for each in ("inserted", "updated", "ignored")]
        return Result(rows, inserted + updated, inserted, updated, ignored, outcomes)

    def update(self, operation: UpdateByKey, change: Change) -> Result:
        """Update rows: those of the keys one after the other, or all that the filter accepts at the same time."""
        table = table_of(self._store.tables, operation.relation)
        if operation.keys is None:
            numbers = self._update_found(table, operation, change)
        else:
            numbers = []
            for key, values in self._keyed(operation.keys, operation.rows, operation.parameters, change):
                number = self._number(table, operation.relation, key, values, change)
                if number is not None:
                    self._work.update(
                        table, [(number, self._changed(table, operation.relation, number, change, values))]
                    )
                    numbers.append(number)
        self._work.finish()
        return Result(_returned(table, numbers, operation.returning), count=len(numbers))

    def delete(self, operation: DeleteByKey, change: Change) -> Result:
        """Delete rows, as `update` updates them."""
        table = table_of(self._store.tables, operation.relation)
        if operation.keys is None:
            values = change.compilation.values(operation.parameters, self._run)
            numbers = [number for number, _ in self._found(table, operation.relation, values, change)]
            rows = _returned(table, numbers, operation.returning)
            self._work.delete(table, numbers)
            self._work.finish()
            return Result(rows, count=len(numbers))
        return self._delete_named(table, operation, operation.keys, change)

    def _delete_named(
        self, table: Table, operation: DeleteByKey, keys: Sequence[tuple[Any, ...]], change: Change
    ) -> Result:
        """Delete the rows of keys: all of them are found first, since one may go with another that it refers to."""
        named = list(self._keyed(keys, operation.rows, operation.parameters, change))
        found = [self._number(table, operation.relation, key, values, change) for key, values in named]
        rows = _returned(table, [each for each in found if each is not None], operation.returning)
        gone: set[int] = set()
        for (key, values), number in zip(named, found, strict=True):
            if number in gone:
                self._number(table, operation.relation, key, values, change)
            elif number is not None:
                self._work.delete(table, [number])
                gone.add(number)
        self._work.finish()
        return Result(rows, count=len(gone))

    # -- inserting -----------------------------------------------------------------------------------------------------

    def _completion(
        self, table: Table, columns: Sequence[ColumnInfo], *, reserve: bool = True
    ) -> Callable[[Sequence[Any]], Row]:
        """Return what makes a whole row of the values given. With `reserve`, a missing key is made up."""
        layout = table.layout
        positions = [_position(table, each) for each in columns]
        fills = [(position, fill) for position, fill in layout.fills.items() if position not in positions]
        counted = layout.counter if reserve and layout.counter is not None and layout.counter not in positions else None
        width, run, work = len(layout.columns), self._run, self._work
        for position, _ in layout.computed:
            if position in positions:
                raise QueryError(
                    f"{layout.columns[position].attribute!r} is generated and cannot be written", hint="leave it out"
                )

        def complete(given: Sequence[Any]) -> Row:
            row: list[Any] = [None] * width
            for position, value in zip(positions, given, strict=True):
                row[position] = value
            for position, fill in fills:
                row[position] = fill(run)
            if counted is not None:
                row[counted] = work.next_key(table)
            return tuple(row)

        return complete

    def _upsert(
        self, operation: Upsert, table: Table, row: Row, targets: Sequence[Unique], change: Change | None
    ) -> tuple[Outcome, int | None]:
        counter = table.layout.counter
        made_up = counter is not None and row[counter] is None
        if made_up:
            assert counter is not None
            proposed = (*row[:counter], self._work.next_key(table), *row[counter + 1 :])
        else:
            proposed = row
        self._work.verify(table, self._work.computed(table, proposed))
        number = next(
            (
                found
                for each in targets
                if (key := each.key(row)) is not None and (found := each.entries.get(key)) is not None
            ),
            None,
        )
        if number is None:
            return "inserted", self._work.insert(table, proposed)
        if change is None:
            return "ignored", None
        stored = table.row(number)
        assert stored is not None
        values = change.compilation.values(operation.parameters, self._run.again())
        pair = (_seen(table, operation.relation, stored), _seen(table, operation.relation, row))
        if change.filter is not None and change.filter(pair, values) is not True:
            return "ignored", None
        self._work.update(table, [(number, _assigned(table, stored, pair, change, values))])
        return "updated", number

    # -- finding -------------------------------------------------------------------------------------------------------

    def _keyed(
        self,
        keys: Sequence[tuple[Any, ...]],
        rows: Sequence[tuple[Any, ...]] | None,
        parameters: Sequence[Any],
        change: Change,
    ) -> Iterator[tuple[tuple[Any, ...], Values]]:
        """Give each key with the values that the expressions are called with for it."""
        if rows is None:
            values = change.compilation.values(parameters, self._run)
            for key in keys:
                yield key, values
        else:
            for key, row in zip(keys, rows, strict=True):
                yield key, change.compilation.values(row, self._run.again())

    def _number(self, table: Table, relation: Any, key: tuple[Any, ...], values: Values, change: Change) -> int | None:
        """
        Return the number of the row of a key; None where it is to be skipped.

        Raises:
            MissingRow: It must be there, and is not.
            StaleRow: It is not what it must be.
        """
        number = _numbered(table, relation, key)
        row = None if number is None else table.row(number)
        if row is None:
            if change.condition is not None:
                shown, row_key = _key(relation, key, change)
                raise MissingRow(
                    f"{_name(relation)} has no row with the key {shown}",
                    relation=info(relation).original,
                    row_key=row_key,
                    hint="it was deleted since it was read",
                )
            return None
        seen = _seen(table, relation, row)
        if change.filter is not None and change.filter(seen, values) is not True:
            return None
        if change.condition is not None and change.condition(seen, values) is not True:
            shown, row_key = _key(relation, key, change)
            raise StaleRow(
                f"the row of {_name(relation)} with the key {shown} has changed since it was read",
                relation=info(relation).original,
                row_key=row_key,
                hint="read it again and repeat the change",
            )
        return number

    def _found(self, table: Table, relation: Any, values: Values, change: Change) -> list[tuple[int, Row]]:
        """Return the rows that a filter accepts, with their numbers, oldest first."""
        adapt = table.adapter(info(relation).original)
        rows = self._candidates(table, values, change) if adapt is None else table.numbered()
        keep = change.filter
        if keep is None:
            return list(rows)
        return [(number, row) for number, row in rows if keep(row if adapt is None else adapt.row(row), values) is True]

    def _candidates(self, table: Table, values: Values, change: Change) -> Iterable[tuple[int, Row]]:
        if change.lookup is None:
            return table.numbered()
        positions, keys = change.lookup
        index = table.index(positions)
        if index is None or index.positions != positions:
            return table.numbered()
        numbers = sorted({number for key in keys(values) for number in index.find(key)})
        return [(number, row) for number in numbers if (row := table.row(number)) is not None]

    # -- changing ------------------------------------------------------------------------------------------------------

    def _update_found(self, table: Table, operation: UpdateByKey, change: Change) -> list[int]:
        values = change.compilation.values(operation.parameters, self._run)
        found = self._found(table, operation.relation, values, change)
        changes = [
            (number, _assigned(table, row, _seen(table, operation.relation, row), change, values))
            for number, row in found
        ]
        self._work.update(table, changes)
        return [number for number, _ in found]

    def _changed(self, table: Table, relation: Any, number: int, change: Change, values: Values) -> Row:
        row = table.row(number)
        assert row is not None
        return _assigned(table, row, _seen(table, relation, row), change, values)


def _assigned(table: Table, row: Row, seen: Any, change: Change, values: Values) -> Row:
    """Return a row with new values, all of which are computed from what was seen of the old."""
    changed = list(row)
    for name, compute in change.assignments:
        position = table.layout.positions.get(name)
        if position is None:
            raise StatementError(
                f"table {table.layout.key[1]!r} has no column {name!r}", hint="it was created for another relation"
            )
        changed[position] = compute(seen, values)
    return tuple(changed)


def _seen(table: Table, relation: Any, row: Row) -> Row:
    """Return a row as a relation class sees it."""
    adapt = table.adapter(info(relation).original)
    return row if adapt is None else adapt.row(row)


def _position(table: Table, column: ColumnInfo) -> int:
    position = table.layout.positions.get(column.name)
    if position is None:
        raise StatementError(
            f"table {table.layout.key[1]!r} has no column {column.name!r}", hint="it was created for another relation"
        )
    return position


def _targets(table: Table, columns: tuple[str, ...]) -> list[Unique]:
    """Return the indexes in which a conflict is looked for."""
    if not columns:
        return list(table.uniques)
    wanted = {table.layout.positions.get(each) for each in columns}
    found = [each for each in table.uniques if set(each.positions) == wanted]
    if not found:
        raise StatementError(
            f"{table.layout.relation.__name__} has no key or unique constraint over {', '.join(columns)}",
            hint="declare one: column(unique=True), or indexes=[Unique(…)]",
        )
    return found


def _returned(table: Table, numbers: Sequence[int | None], columns: Sequence[ColumnInfo]) -> list[Row]:
    """Return columns of rows, a row of None where there is none."""
    if not columns:
        return []
    positions = [_position(table, each) for each in columns]
    rows = [None if number is None else table.row(number) for number in numbers]
    return [tuple([None if row is None else row[each] for each in positions]) for row in rows]


def _name(relation: Any) -> str:
    name: str = info(relation).original.__name__
    return name


def _numbered(table: Table, relation: Any, key: tuple[Any, ...]) -> int | None:
    """Return the number of the row with a primary key, or None."""
    constraint = table.layout.primary_key
    positions = tuple([_position(table, each) for each in info(relation).primary_key])
    if constraint is None or set(constraint.positions) != set(positions):
        raise StatementError(
            f"the table of {_name(relation)} has another primary key", hint="it was created for another relation"
        )
    if constraint.positions != positions:
        key = tuple([key[positions.index(each)] for each in constraint.positions])
    return table.uniques[0].entries.get(key)


def _key(relation: Any, key: tuple[Any, ...], change: Change) -> tuple[str, object]:
    """Return a key as messages show it, and as its user knows it: a value, or a tuple of several."""
    columns, codecs = info(relation).primary_key, change.compilation.codecs
    decoders = [codecs.decoder(each.type) for each in columns]
    known = tuple([value if decode is None else decode(value) for decode, value in zip(decoders, key, strict=True)])
    row_key = known[0] if len(known) == 1 else known
    return "…" if any([each.options.sensitive for each in columns]) else repr(row_key), row_key
