"""
What a write changes: the tags that it bumps, found from its statement or operation.

Statements and operations go in; a collection of tags comes out, which is never too small: what is not known counts as
more.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from attrs import define, field

from mapper.cache.keys import Names, canonical_key, table_of
from mapper.expressions import Attribute, Call, Expr, Slot
from mapper.operations import Call as CallOperation
from mapper.operations import Operation, QuerySql, RawSql, Transaction
from mapper.relation import RelationInfo, info
from mapper.statements import Delete, DeleteRows, InsertRows, Update, UpdateRows

__all__ = ["Changes", "dependencies_of"]

MOST_ROWS: Final = 100
"""Rows of one relation whose tags are bumped one by one; more of them count as rows that are not known."""

OWN_TABLES: Final = frozenset({"mapper_commits", "mapper_cache_outbox"})
"""Tables of the framework's own, whose reads are never cached."""

HARMLESS: Final = frozenset({"notify"})
"""Calls that name a relation and leave its rows alone."""

ACTIONS: Final = frozenset({"cascade", "set null", "set default"})


@define(eq=False)
class _Table:
    """
    What happened to one relation.

    Attributes:
        rows: Keys of rows that were changed, in canonical form.
        unknown: Rows were changed whose keys are not known.
        inserted: Rows were inserted whose keys are not known.
        removed, rekeyed: Rows went, or values changed that others may refer to.
    """

    rows: set[tuple[Any, ...]] = field(factory=set)
    unknown: bool = False
    inserted: bool = False
    removed: bool = False
    rekeyed: bool = False

    def merge(self, other: "_Table") -> None:
        """Add what happened elsewhere."""
        self.rows |= other.rows
        self.unknown = self.unknown or other.unknown
        self.inserted = self.inserted or other.inserted
        self.removed = self.removed or other.removed
        self.rekeyed = self.rekeyed or other.rekeyed

    def all(self) -> None:
        """Count everything as changed."""
        self.unknown = self.removed = self.rekeyed = True


class Changes:
    """
    What a unit of work has changed so far.

    Attributes:
        everything: Nobody knows what was changed.
    """

    __slots__ = ("_tables", "everything")

    def __init__(self) -> None:
        self._tables: dict[str, _Table] = {}
        self.everything = False

    def __bool__(self) -> bool:
        return self.everything or bool(self._tables)

    def merge(self, other: "Changes") -> None:
        """Add what another unit of work changed: that of a savepoint, say."""
        self.everything = self.everything or other.everything
        for name, table in other._tables.items():
            self._tables.setdefault(name, _Table()).merge(table)

    def relation(self, relation: Any) -> None:
        """Add a relation of which anything may have been changed."""
        self._table(info(relation)).all()

    def row(self, relation: Any, key: object) -> None:
        """Add a row by its key; a key in no known form counts as unknown."""
        described = info(relation)
        self._rows(self._table(described), described, [key if isinstance(key, tuple) else (key,)])

    def statement(self, statement: object) -> None:
        """Add what a statement writes; one of an unknown kind counts as everything."""
        if table_of_statement(statement) in OWN_TABLES:
            return
        add = _STATEMENTS.get(type(statement))
        if add is not None:
            add(self, statement)
        elif getattr(statement, "relation", None) is not None:
            self.relation(statement.relation)  # type: ignore[attr-defined]  # was looked at
        else:
            self.everything = True

    def operation(self, operation: Operation) -> None:
        """Add what an operation writes that was not compiled from a statement of ours."""
        match operation:
            case Transaction():
                return
            case RawSql(reads=reads, writes=writes):
                if not writes and (not reads or does_write(operation.sql)):
                    self.everything = True
            case QuerySql(columns=columns, writes=writes):
                if not columns and not writes and _may_write_though(operation.reads, operation.sql):
                    self.everything = True
            case CallOperation(name=name, reads=reads, writes=writes):
                if name in HARMLESS:
                    return
                if not reads and not writes and name not in QUIET_CALLS:
                    self.everything = True
            case _:
                writes = operation.writes
        for each in writes:
            if info(each).name not in OWN_TABLES:
                self.relation(each)

    def tags(self, names: Names) -> list[str]:
        """Return the tags to be bumped, each once, in one order."""
        found = [names.epoch] if self.everything else []
        for name, table in sorted(self._tables.items()):
            found.append(names.relation(name))
            if table.unknown or len(table.rows) > MOST_ROWS:
                found.append(names.unknown(name))
            else:
                found += sorted(map(names.rows(name), table.rows))
            if table.inserted and not table.unknown:
                found.append(names.absence(name))
            if table.removed:
                found.append(names.removal(name))
            if table.rekeyed:
                found.append(names.rekeyed(name))
        return found

    def relations(self) -> tuple[str, ...]:
        """Return the names of the tables, in order, for events."""
        return tuple(sorted(self._tables))

    # -- statements ----------------------------------------------------------------------------------------------------

    def _table(self, described: RelationInfo) -> _Table:
        return self._tables.setdefault(table_of(info(described.original)), _Table())

    def _rows(self, table: _Table, described: RelationInfo, keys: Iterable[Sequence[Any]]) -> bool:
        """Add rows by their keys, and return whether that was possible; else all count as changed."""
        for count, each in enumerate(keys):
            key = canonical_key(described, each) if count < MOST_ROWS else None
            if key is None or len(table.rows) > MOST_ROWS:
                table.unknown = True
                return False
            table.rows.add(key)
        return True

    def _insert(self, statement: InsertRows) -> None:
        described = info(statement.relation)
        table, conflict = self._table(described), statement.conflict
        keys = _inserted_keys(statement, described)
        if conflict is None:
            if keys is None or len(statement.rows) > MOST_ROWS:
                table.inserted = True
            else:
                self._rows(table, described, keys)
            return
        assigned = {column.attribute for column, _ in conflict.assignments}
        by_key = frozenset([each.attribute for each in conflict.columns]) == described.key_columns
        table.rekeyed = table.rekeyed or bool(assigned & _referable(described))
        if keys is None or not by_key or assigned & described.key_columns:
            table.unknown = True
        else:
            self._rows(table, described, keys)

    def _update(self, statement: Update) -> None:
        described = info(statement.relation)
        table = self._table(described)
        assigned = {column.attribute for column, _ in statement.assignments}
        table.rekeyed = table.rekeyed or bool(assigned & _referable(described))
        keys = None if assigned & described.key_columns else _required_keys(statement, described)
        if keys is None:
            table.unknown = True
        else:
            self._rows(table, described, keys)

    def _update_rows(self, statement: UpdateRows) -> None:
        described = info(statement.relation)
        table = self._table(described)
        assigned = {column.attribute for column, _ in statement.assignments}
        table.rekeyed = table.rekeyed or bool(assigned & _referable(described))
        if assigned & described.key_columns:
            table.unknown = True
            return
        behind = statement.version is not None
        width = len(described.primary_key)
        end = -1 if behind else None
        self._rows(table, described, [row[-width - behind : end] for row in statement.rows])

    def _delete(self, statement: Delete) -> None:
        described = info(statement.relation)
        table = self._table(described)
        table.removed = True
        keys = _required_keys(statement, described)
        if keys is None:
            table.unknown = True
        else:
            self._rows(table, described, keys)

    def _delete_rows(self, statement: DeleteRows) -> None:
        described = info(statement.relation)
        table = self._table(described)
        table.removed = True
        width = len(described.primary_key)
        self._rows(table, described, [row[:width] for row in statement.rows])


_STATEMENTS: Final[dict[type[Any], Callable[[Changes, Any], None]]] = {
    InsertRows: Changes._insert,
    Update: Changes._update,
    UpdateRows: Changes._update_rows,
    Delete: Changes._delete,
    DeleteRows: Changes._delete_rows,
}

QUIET_CALLS: Final = frozenset({"advisory lock", "copy_to"})
"""Calls that change no rows."""

READING: Final = frozenset({"select", "values", "table", "show"})

_BEGINNING: Final = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*([A-Za-z]+)", re.DOTALL)


WRITING: Final = frozenset({"insert", "update", "delete", "merge", "replace", "truncate", "copy", "call", "do"})
"""What text begins with that writes, whatever is declared of its reads."""


def may_write(text: str) -> bool:
    """Whether a raw read may write: anything may that is not plainly one SELECT."""
    return _first_word(text) not in READING


def does_write(text: str) -> bool:
    """Whether a raw statement plainly writes."""
    return _first_word(text) in WRITING


def _may_write_though(reads: frozenset[Any], text: str) -> bool:
    """Whether a raw read may write though the relations that it reads are declared, where they are."""
    return does_write(text) if reads else may_write(text)


def _first_word(text: str) -> str:
    """Return the first word of a statement in lower case, behind comments and parentheses."""
    found = _BEGINNING.match(text)
    return found[1].lower() if found else ""


def table_of_statement(statement: object) -> str | None:
    """Return the name of the table that a statement writes to; None where it names none."""
    relation = getattr(statement, "relation", None)
    return None if relation is None else info(relation).name


def _inserted_keys(statement: InsertRows, described: RelationInfo) -> Iterator[tuple[Any, ...]] | None:
    """Give the keys of the rows that an insert gives; None where the store makes them, or there are none."""
    at = {each.attribute: index for index, each in enumerate(statement.columns)}
    places = [at.get(each.attribute) for each in described.primary_key]
    known = [each for each in places if each is not None]
    if not known or len(known) < len(places):
        return None
    return (tuple([row[each] for each in known]) for row in statement.rows)


def _referable(described: RelationInfo) -> frozenset[str]:
    """Return the columns that another relation can refer to: those of the key and of whatever is unique."""
    names = {name for each in described.uniques for name in each.columns}
    for index in described.indexes:
        if index.unique:
            names.update([each for each in index.terms if isinstance(each, str)])
    if any(described.column(each).options.generated is not None for each in names):
        return frozenset([each.attribute for each in described.columns])
    return described.key_columns | frozenset(names)


def _required_keys(statement: Update | Delete, described: RelationInfo) -> list[tuple[Any, ...]] | None:
    """Return the keys that a condition requires; None where it requires none."""
    required: dict[str, Any] = {}
    parameters = statement.parameters
    for condition in [each for part in statement.where for each in _conjuncts(part)]:
        match condition:
            case Call(name="eq", operands=(Attribute() as item, Slot(many=False) as value)) if (
                info(item.relation).token == described.token
            ):
                required[item.column.attribute] = parameters[value.index]
            case Call(name="in_list", operands=(Attribute() as item, Slot(many=True) as values)) if (
                info(item.relation).token == described.token
                and len(described.primary_key) == 1
                and item.column.attribute in described.key_columns
            ):
                return [(each,) for each in parameters[values.index]]
            case _:
                pass
    names = [each.attribute for each in described.primary_key]
    return [tuple([required[each] for each in names])] if names and required.keys() >= set(names) else None


def _conjuncts(condition: Expr[Any, Any]) -> Iterator[Expr[Any, Any]]:
    if isinstance(condition, Call) and condition.name == "and":
        for each in condition.operands:
            yield from _conjuncts(each)
    else:
        yield condition


def dependencies_of(relations: Sequence[RelationInfo]) -> tuple[list[str], list[str]]:
    """
    Return the tables whose deletes, and those whose changes of keys, change rows of these relations by foreign-key
    actions, at any distance.
    """
    removed: set[str] = set()
    rekeyed: set[str] = set()
    waiting, seen = list(relations), {each.original for each in relations}
    while waiting:
        described = waiting.pop()
        for column in described.columns:
            target = column.referenced()
            if target is None:
                continue
            options = column.options
            if options.on_delete in ACTIONS:
                removed.add(table_of(info(target.relation)))
            if options.on_update_key in ACTIONS:
                rekeyed.add(table_of(info(target.relation)))
            acts = options.on_delete in ACTIONS or options.on_update_key in ACTIONS
            if acts and target.relation not in seen:
                seen.add(target.relation)
                waiting.append(info(target.relation))
    return sorted(removed), sorted(rekeyed)
