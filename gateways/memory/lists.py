"""
Membership in lists that travel as one parameter.

What is needed for look-ups is made of the list once a run; None is NULL throughout.
"""

from collections.abc import Sequence
from typing import Any

from gateways.memory.computing import Compute

__all__ = [
    "RowSet",
    "in_list",
    "in_row_list",
    "in_rows",
    "in_values",
    "lookup",
    "not_in_list",
    "not_in_row_list",
    "not_in_rows",
    "row_lookup",
]

SHORT = 4
"""Lists of up to so many items are searched; longer ones get a hash table."""


def lookup(items: Any) -> Any:
    """
    Return the items that are not None, ready for `in`, and whether there was a None and whether there was anything.
    """
    listed = items or ()
    known = [each for each in listed if each is not None]
    return _searchable(known), len(known) < len(listed), bool(listed)


def _searchable(known: list[Any]) -> Any:
    if len(known) <= SHORT:
        return tuple(known)
    try:
        return frozenset(known)
    except TypeError:  # documents and lists have no hash
        return tuple(known)


def in_list(item: Compute, position: int) -> Compute:
    """Return `IN`: of an empty list it is false, of a NULL item unknown."""

    def contained(row: Any, values: Any) -> bool | None:
        known, _, anything = values[position]
        x = item(row, values)
        if x is None:
            return None if anything else False
        return x in known

    return contained


def in_values(item: Compute, position: int) -> Compute:
    """Return `IN` where NULL is a value if the list has it: a NULL item is then contained."""

    def contained(row: Any, values: Any) -> bool | None:
        known, has_null, anything = values[position]
        x = item(row, values)
        if x is None:
            return True if has_null else None if anything else False
        return x in known

    return contained


def not_in_list(item: Compute, position: int) -> Compute:
    """Return `NOT IN` in which NULL is a value like any other."""

    def missing(row: Any, values: Any) -> bool:
        known, has_null, _ = values[position]
        x = item(row, values)
        return not has_null if x is None else x not in known

    return missing


class RowSet:
    """Rows, ready for `in`."""

    __slots__ = ("known", "rows", "unknown")

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self.rows = rows
        self.known = _searchable([each for each in rows if None not in each])
        self.unknown = [each for each in rows if None in each]


def row_lookup(columns: Sequence[Any]) -> RowSet:
    """Return rows that are given column by column, ready for `in`."""
    return RowSet(list(zip(*[each or () for each in columns], strict=True)))


def in_rows(item: tuple[Any, ...], rows: RowSet) -> bool | None:
    """
    Return whether a row is one of some.

    Of one column, NULL is a value like any other: it hides nothing, and is in rows that have it. Of several, a NULL
    leaves it unknown.
    """
    if len(item) == 1:
        if item[0] is not None:
            return item in rows.known
        return True if rows.unknown else None if rows.rows else False
    if None not in item:
        if item in rows.known:
            return True
        return None if any(_may_equal(item, each) for each in rows.unknown) else False
    return None if any(_may_equal(item, each) for each in rows.rows) else False


def not_in_rows(item: tuple[Any, ...], rows: RowSet) -> bool:
    """Return whether it is not true that a row is one of some."""
    return in_rows(item, rows) is not True


def in_row_list(parts: Sequence[Compute], position: int) -> Compute:
    """Return `(a, b) IN` of a list of rows."""
    return lambda row, values: in_rows(tuple([each(row, values) for each in parts]), values[position])


def not_in_row_list(parts: Sequence[Compute], position: int) -> Compute:
    """Return `(a, b) NOT IN` of a list of rows, in which NULL is a value."""
    return lambda row, values: not_in_rows(tuple([each(row, values) for each in parts]), values[position])


def _may_equal(x: tuple[Any, ...], y: tuple[Any, ...]) -> bool:
    return all(a is None or b is None or a == b for a, b in zip(x, y, strict=True))
