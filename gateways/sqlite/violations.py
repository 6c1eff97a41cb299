"""
Which foreign key was violated: SQLite only says that one was.

The violation goes in, on the connection that met it and before anything is rolled back; the same error comes out, with
the relation and the columns as far as a few look-ups tell. None of them reads a whole table.
"""

import sqlite3
import time
from collections.abc import Iterator
from typing import Any, Final

from gateways.sqlite.errors import attributes, relation_named
from mapper.columns import ColumnInfo
from mapper.errors import ForeignKeyViolation
from mapper.operations import DeleteSql, Insert, Operation, Transaction, UpdateSql, Upsert
from mapper.relation import RelationInfo, info

__all__ = ["explained", "quoted", "table_of"]

_CHECK_SECONDS: Final = 0.05  # of a foreign key check over all tables, after which the violation stays unexplained
_CHECK_STEPS: Final = 1000  # virtual-machine steps between two looks at the clock

_Found = tuple[Any, tuple[str, ...], str]
"""The relation or None, the columns, and the message."""


def explained(violation: ForeignKeyViolation, raw: sqlite3.Connection) -> ForeignKeyViolation:
    """Give the violation with what could be found out about it."""
    try:
        found = _find(violation.operation, raw)
    except sqlite3.Error:
        found = None
    if found is None:
        return violation
    relation, columns, message = found
    return ForeignKeyViolation(
        f"a foreign key refused a row: {message}",
        relation=relation,
        columns=columns,
        operation=violation.operation,
        hint="write the row referred to first, and delete it last",
    )


def _find(operation: Operation | None, raw: sqlite3.Connection) -> _Found | None:
    match operation:
        case Insert() | Upsert():
            return _missing_parent(operation, raw)
        case UpdateSql(relation=relation) if _references(info(relation)):
            return _updated(operation, raw)
        case UpdateSql(relation=relation) | DeleteSql(relation=relation):
            return _referring(operation, info(relation), raw)
        case Transaction():
            return _checked(raw)
        case _:
            return None


def _missing_parent(operation: Insert | Upsert, raw: sqlite3.Connection) -> _Found | None:
    described = info(operation.relation)
    for position, column in enumerate(operation.columns):
        target = column.referenced()
        if target is None:
            continue
        parent, name = info(target.relation), target.column.name
        probe = f"SELECT 1 FROM {table_of(parent)} WHERE {quoted(name)} = ?"
        values = {row[position] for row in operation.rows} - {None}
        if any(raw.execute(probe, (value,)).fetchone() is None for value in values):
            return _of_child(described, column, parent)
    return described.original, (), f"a row of {described.original.__name__} refers to one that does not exist"


def _updated(operation: UpdateSql, raw: sqlite3.Connection) -> _Found | None:
    """
    An update that assigns one reference violates that one; which of several it is, its values would tell only at their
    places in the text.
    """
    described = info(operation.relation)
    assignments = operation.sql.partition(" SET ")[2].partition(" WHERE ")[0]
    assigned = [each for each in _references(described) if f"{quoted(each.name)} = " in assignments]
    if not assigned:
        return _referring(operation, described, raw)
    if len(assigned) > 1:
        return described.original, (), f"a row of {described.original.__name__} refers to one that does not exist"
    target = assigned[0].referenced()
    return None if target is None else _of_child(described, assigned[0], info(target.relation))


def _of_child(described: RelationInfo, column: ColumnInfo, parent: RelationInfo) -> _Found:
    name = f"{described.original.__name__}.{column.attribute}"
    return (
        described.original,
        (column.attribute,),
        f"{name} refers to a row of {parent.original.__name__} that does not exist",
    )


def _references(described: RelationInfo) -> list[ColumnInfo]:
    return [each for each in described.columns if each.options.references is not None]


def _referring(operation: Operation, parent: RelationInfo, raw: sqlite3.Connection) -> _Found | None:
    """Find the columns that refer to this table; where there is one alone, its rows are what stands in the way."""
    found = sorted(set(_referring_columns(parent.name, raw)))
    if not found:
        return None
    message = f"{' or '.join('.'.join(each) for each in found)} still refers to a row of {parent.original.__name__}"
    tables = {table for table, _ in found}
    described = relation_named(found[0][0], operation) if len(tables) == 1 else None
    columns = [found[0][1]] if len(found) == 1 else []
    if described is None:
        return None, tuple(columns), message
    return described.original, attributes(described, columns), message


def _referring_columns(table: str, raw: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    sql = (
        'SELECT child.name, reference."from"'
        " FROM sqlite_master AS child, pragma_foreign_key_list(child.name) AS reference"
        " WHERE child.type = 'table' AND reference.\"table\" = ? COLLATE NOCASE"
    )
    yield from raw.execute(sql, (table,)).fetchall()


def _checked(raw: sqlite3.Connection) -> _Found | None:
    """Ask SQLite for the rows whose deferred references fail, for as long as a commit may take to fail."""
    until = time.monotonic() + _CHECK_SECONDS
    raw.set_progress_handler(lambda: time.monotonic() > until, _CHECK_STEPS)
    try:
        row = raw.execute("PRAGMA foreign_key_check").fetchone()
        if row is None:
            return None
        child, _, parent, number = row
        keys = raw.execute(f"PRAGMA foreign_key_list({quoted(child)})").fetchall()
    finally:
        raw.set_progress_handler(None, 0)
    columns = tuple(key[3] for key in keys if key[0] == number)
    return None, columns, f"{child}.{', '.join(columns)} refers to a row of {parent} that does not exist"


def quoted(name: str) -> str:
    """Give an identifier as SQL takes it, whatever its characters."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def table_of(described: RelationInfo) -> str:
    """Give a relation's table as SQL takes it."""
    return ".".join(quoted(each) for each in (described.schema, described.name) if each is not None)
