"""
What a changeset would do, as text for people: the operations in their order, with the rows of each.

The writes of a changeset go in; lines come out. Values of sensitive columns are hidden, and defaults, which are made at
the commit, are named alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from mapper.assembly import walk
from mapper.columns import ColumnInfo
from mapper.expressions import Attribute, Expr
from mapper.followups import FollowUp, content_of
from mapper.returned import Returned
from mapper.staging import Planned, planned
from mapper.writes import Assigned, ConflictRule, DeletedRows, Deletion, PushedRows, Update, UpdatedRows, Write

__all__ = ["description"]

ROWS: Final = 5
"""Rows of an operation that are shown."""

LONGEST: Final = 60
"""Characters of a value that are shown."""


def description(writes: Sequence[Write], numbers: Sequence[int], then: Sequence[FollowUp]) -> str:
    """Return a line for each operation in the order of the commit, and below it lines for its rows."""
    lines: list[str] = []
    steps = planned(writes, numbers) if writes else []
    for number, (write, rows) in enumerate(steps, 1):
        head, *below = _lines(write, rows)
        lines += [f"{number}. {head}", *[f"   {each}" for each in below]]
    for number, each in enumerate(then, len(steps) + 1):
        lines.append(f"{number}. run {content_of(each)[1]}")
    return "\n".join(lines) if lines else "nothing"


def _lines(write: Write, rows: Sequence[Planned]) -> Iterator[str]:
    name = write.described.relation.__name__
    match write:
        case PushedRows(shape=shape, conflict=rule, returned=slot):
            yield f"insert {_number(rows)} into {name}{_on_conflict(rule)}"
            yield from _shown([_named(shape.given, row) for row in rows], rows)
            added = [each.attribute for each in shape.columns if each not in shape.given]
            if added:
                yield f"defaults: {', '.join(added)}"
            yield from _returning(slot)
        case UpdatedRows(shape=shape):
            where = " where they differ" if shape.differing else ""
            yield f"update {_number(rows)} of {name} by key{where}"
            yield from _shown(
                [f"{_key(write, row[shape.width :])}: {_assigned(shape.assignments, row)}" for row in rows], rows
            )
        case DeletedRows():
            yield f"delete {_number(rows)} of {name} by key"
            yield from _shown([_key(write, row) for row in rows], rows)
        case Update():
            yield f"update {name}{_from(write)} {_where(write)}"
            values = [value for _, each in write.assignments for value in each.parameters]
            yield _assigned(write.assignments, values)
            yield from _returning(write.returned)
        case Deletion():
            yield f"delete from {name} {_where(write)}"
            yield from _returning(write.returned)


def _returning(slot: Returned[Any] | None) -> Iterator[str]:
    if slot is not None:
        yield f"returning {', '.join(slot.names or ()) or slot.described.relation.__name__}"


def _number(rows: Sequence[Planned]) -> str:
    return f"{len(rows)} row{'s' * (len(rows) != 1)}"


def _shown(lines: Sequence[str], rows: Sequence[Planned]) -> Iterator[str]:
    yield from lines[:ROWS]
    if len(rows) > ROWS:
        yield f"… {len(rows) - ROWS} more"


def _named(columns: Sequence[ColumnInfo], row: Sequence[Any]) -> str:
    return ", ".join(
        [f"{column.attribute}={_value(column, value)}" for column, value in zip(columns, row, strict=True)]
    )


def _value(column: ColumnInfo, value: object) -> str:
    return "…" if column.options.sensitive else _short(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _key(write: UpdatedRows | DeletedRows, values: Sequence[Any]) -> str:
    columns = list(write.described.primary_key)
    told = write.shape.told if isinstance(write, UpdatedRows) else write.told
    if told and write.described.version is not None:
        columns.append(write.described.version)
    return _named(columns, values)


def _assigned(assignments: Sequence[Assigned], values: Sequence[Any]) -> str:
    """Return assignments; `values` begins with theirs."""
    found: list[str] = []
    at = 0
    for column, expression in assignments:
        width = len(expression.parameters)
        own, at = values[at : at + width], at + width
        if not expression.children and width == 1:
            found.append(f"{column.attribute}={_value(column, own[0])}")
        else:
            found.append(f"{column.attribute}={_expression(expression, own, hidden=column.options.sensitive)}")
    return ", ".join(found) or "nothing"


def _expression(expression: Expr[Any, Any], values: Sequence[Any], *, hidden: bool = False) -> str:
    if not values:
        return repr(expression)
    hidden = hidden or any([isinstance(each, Attribute) and each.column.options.sensitive for each in walk(expression)])
    return f"{expression!r} with {', '.join(['…' if hidden else _short(each) for each in values])}"


def _where(write: Update | Deletion) -> str:
    conditions = write.where if isinstance(write, Update) else write.conditions
    if not conditions:
        return "everywhere" if write.everywhere else "nowhere: there is neither a condition nor everywhere()"
    return "where " + " and ".join([_expression(each, each.parameters) for each in conditions])


def _from(write: Update) -> str:
    if write.source is None:
        return ""
    rows = write.source.rows_given
    given = "the rows of a query as " if rows is None else f"{_number(rows)} of "
    return f" from {given}{write.source.__relation__.original.__name__}"


def _on_conflict(rule: ConflictRule | None) -> str:
    if rule is None:
        return ""
    on = f" on {', '.join([each.attribute for each in rule.columns])}" if rule.columns else ""
    updated = ", ".join([column.attribute for column, _ in rule.assignments])
    return f", where there is one{on}, " + (f"update {updated}" if updated else "ignore")
