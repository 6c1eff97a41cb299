"""
Errors of constraints, with what they are about.

Tables, rows and constraints go in, errors come out. Values of sensitive columns are not shown.
"""

from typing import Any

from gateways.memory.layouts import Checking, Reference, Uniqueness
from gateways.memory.tables import Row, Table
from mapper.errors import CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation

__all__ = ["check_failed", "is_null", "not_referred", "still_referred", "taken"]


def is_null(table: Table, position: int) -> NotNullViolation:
    """Return the error of NULL in a column that takes none."""
    column = table.layout.columns[position]
    return NotNullViolation(
        f"{_name(table)}.{column.attribute} is NULL, expected a value",
        relation=table.layout.relation,
        columns=(column.attribute,),
        hint="give it a value, or a default",
    )


def taken(table: Table, constraint: Uniqueness, row: Row) -> UniqueViolation:
    """Return the error of a key that another row has."""
    what = f"the same in {constraint.name!r}" if constraint.terms else _shown(table, constraint.positions, row)
    return UniqueViolation(
        f"{_name(table)} has a row with {what} already",
        relation=table.layout.relation,
        columns=constraint.columns,
        constraint=constraint.name,
        hint="use another value, or on_conflict(…)",
    )


def check_failed(table: Table, check: Checking) -> CheckViolation:
    """Return the error of a row that fails a check."""
    return CheckViolation(
        f"a row of {_name(table)} fails the check {check.name!r}",
        relation=table.layout.relation,
        columns=check.columns,
        constraint=check.name,
    )


def not_referred(table: Table, reference: Reference, row: Row) -> ForeignKeyViolation:
    """Return the error of a row that refers to one that does not exist."""
    return ForeignKeyViolation(
        f"{_name(table)} refers to a row of {reference.target[1]!r} that does not exist: "
        f"{_shown(table, (reference.position,), row)}",
        relation=table.layout.relation,
        columns=(reference.attribute,),
        constraint=reference.name,
        hint=f"insert the row of {reference.target[1]!r} first",
    )


def still_referred(table: Table, reference: Reference) -> ForeignKeyViolation:
    """Return the error of a row that is to go, or to change its key, and to which a row of `table` refers."""
    return ForeignKeyViolation(
        f"{_name(table)}.{reference.attribute} still refers to a row of {reference.target[1]!r} that would be gone",
        relation=table.layout.relation,
        columns=(reference.attribute,),
        constraint=reference.name,
        hint=f"delete the rows of {_name(table)} first, or declare on_delete",
    )


def _name(table: Table) -> str:
    name: str = table.layout.relation.__name__
    return name


def _shown(table: Table, positions: tuple[int, ...], row: Row) -> str:
    parts = []
    for each in positions:
        column = table.layout.columns[each]
        value: Any = "…" if column.options.sensitive else repr(row[each])
        parts.append(f"{column.attribute} = {value}")
    return ", ".join(parts)
