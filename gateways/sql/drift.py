"""
Drift: what a store keeps over a table, compared with what its relation declares.

The indexes and references of a stored table go in; what is missing or otherwise comes out, with the statements that
mend it. Names do not matter where what an index is over can be told: what counts is what the store does.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import frozen

from gateways.sql.tables import Table
from mapper.columns import ColumnInfo, Index
from mapper.gateway import Drift
from mapper.relation import info

__all__ = ["StoredIndex", "StoredReference", "drift_of"]


@frozen
class StoredIndex:
    """
    An index of a table.

    Attributes:
        name: Its name.
        unique: Whether no two rows have the same values.
        plain: Whether it is of the store's usual kind and has all rows.
        columns: What it is over, in order; None is an expression.
    """

    name: str
    unique: bool
    plain: bool
    columns: tuple[str | None, ...]


@frozen
class StoredReference:
    """
    A reference of a table to another.

    Attributes:
        name: Its name; None where it has none.
        table: The table that it refers to.
        columns: Its columns.
        targets: The columns that these refer to; None is the other table's key.
        on_delete, on_update: What happens when the row referred to goes or changes its key.
    """

    name: str | None
    table: str
    columns: tuple[str, ...]
    targets: tuple[str | None, ...]
    on_delete: str
    on_update: str


def drift_of(table: Table, indexes: Sequence[StoredIndex], references: Sequence[StoredReference]) -> list[Drift]:
    """Return what is not as a relation declares it: its unique constraints, its indexes, then its references."""
    key = tuple([each.name for each in table.relation.primary_key])
    known = [*indexes, *([StoredIndex("", True, True, key)] if key else [])]
    return [*_uniques(table, known), *_indexes(table, known), *_references(table, references)]


def _uniques(table: Table, known: Sequence[StoredIndex]) -> Iterator[Drift]:
    for unique, statement in table.unique_indexes():
        columns = [table.relation.column(each).name for each in unique.columns]
        if not any(_is_unique(each, columns) for each in known):
            yield Drift(f"no unique constraint over {_listed(columns)}", f"add it: {statement}")


def _indexes(table: Table, known: Sequence[StoredIndex]) -> Iterator[Drift]:
    for index, made in table.declared_indexes():
        if not any(_serves(each, index, made.name, table) for each in known):
            kind = "unique index" if index.unique else "index"
            over = _listed([table.relation.column(each).name for each in index.columns])
            yield Drift(f"no {kind} {f'over {over}' if index.columns else repr(made.name)}", f"add it: {made.text}")


def _serves(stored: StoredIndex, index: Index, name: str, table: Table) -> bool:
    """Whether a stored index does what a declared one does; one over expressions or of a kind goes by its name."""
    if not index.columns or index.where is not None or index.method is not None or type(index) is not Index:
        return stored.name == name and stored.unique is index.unique
    columns = [table.relation.column(each).name for each in index.columns]
    if index.unique:
        return _is_unique(stored, columns)
    return stored.plain and list(stored.columns[: len(columns)]) == columns


def _is_unique(stored: StoredIndex, columns: Sequence[str]) -> bool:
    return stored.unique and stored.plain and sorted(map(str, stored.columns)) == sorted(columns)


def _references(table: Table, stored: Sequence[StoredReference]) -> Iterator[Drift]:
    for column in table.relation.columns:
        target = column.referenced()
        if target is not None:
            yield from _reference(table, column, target, stored)


def _reference(table: Table, column: ColumnInfo, target: Any, stored: Sequence[StoredReference]) -> Iterator[Drift]:
    other, name = info(target.relation), target.column.name
    found = [
        each for each in stored if each.table.casefold() == other.name.casefold() and _leads(each, column.name, name)
    ]
    if not found:
        yield Drift(
            f"column {column.name!r} refers to nothing in the store, expected {other.name}.{name}",
            table.mended_reference(column, None),
        )
        return
    for event, declared, actions in (
        ("delete", column.options.on_delete, [each.on_delete for each in found]),
        ("update", column.options.on_update_key, [each.on_update for each in found]),
    ):
        if declared not in actions:
            yield Drift(
                f"column {column.name!r} refers to {other.name} with {actions[0]!r} on {event}, expected {declared!r}",
                table.mended_reference(column, found[0].name),
            )


def _leads(reference: StoredReference, column: str, target: str) -> bool:
    pairs = zip(reference.columns, reference.targets, strict=True)
    return any(each == column and (to is None or to == target) for each, to in pairs)


def _listed(names: Sequence[str]) -> str:
    return ", ".join([repr(each) for each in names])
