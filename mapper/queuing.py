"""
Changesets as JSON, so that one can be kept in a queue and committed elsewhere.

A changeset goes in, and text comes out, which says new rows, updates and deletes with plain values and conditions.
`mapper.queued` reads it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from operator import add, eq, ge, gt, le, lt, mul, sub
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mapper.columns import ColumnInfo
from mapper.deferred import KeyPart, Ref
from mapper.errors import QueryError
from mapper.expressions import Attribute, Call, Expr, ListParameter, Parameter
from mapper.jsonvalues import plain
from mapper.portable import portable
from mapper.relation import RelationInfo
from mapper.returned import Returned
from mapper.terms import Excluded
from mapper.writes import Assigned, ConflictRule, DeletedRows, Deletion, PushedRows, Update, UpdatedRows, Write

if TYPE_CHECKING:
    from mapper.changeset import Changeset

__all__ = ["CHANGES", "COMPARISONS", "TEXTS", "VERSION", "name_of", "to_json"]

VERSION: Final = 1

COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {"eq": eq, "lt": lt, "le": le, "gt": gt, "ge": ge}
"""Conditions between a column and a value, by the names that a text has for them."""

TEXTS: Final = {"like": "like", "starts_with": "starts_with", "ends_with": "ends_with", "contains": "contains"}
"""Conditions on text, and the methods that make them."""

CHANGES: Final[Mapping[str, Callable[[Any, Any], Any]]] = {"add": add, "sub": sub, "mul": mul}
"""What an update may do to what a column has."""


def to_json(changes: "Changeset[Any]") -> str:
    """
    Return a changeset as text.

    Raises:
        QueryError: It has something that is no plain value or condition: a subquery, a fragment, a raw statement.
    """
    if changes._then:
        raise QueryError("a changeset with statements behind its rows has no JSON", hint="leave then(…) away")
    rows = [each for write in changes._writes for each in _rows(write)]
    rows.sort(key=lambda each: each[0])
    said: dict[str, Any] = {"version": VERSION, "rows": [each for _, each in rows]}
    if changes._slots:
        said["returned"] = [_slot(each) for each in changes._slots]
    try:
        return json.dumps(said, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise QueryError(f"a value of the changeset has no JSON: {error}") from error


def _slot(slot: Returned[Any]) -> dict[str, Any]:
    names = slot.names
    if names == ():
        raise QueryError(f"{slot!r} has no JSON", hint="name columns, or the relation: returning(Posts)")
    return {"relation": name_of(slot.described), "columns": None if names is None else list(names)}


def _back(write: PushedRows | Update | Deletion) -> dict[str, Any]:
    return {} if write.returned is None else {"returned": write.returned.number}


def _rows(write: Write) -> list[tuple[int, dict[str, Any]]]:
    name = name_of(write.described)
    match write:
        case PushedRows(shape=shape, conflict=rule):
            more = ({} if rule is None else {"on_conflict": _rule(rule)}) | _back(write)
            return [
                (position, {"insert": name, "values": _named(shape.given, row), **more})
                for position, row in zip(write.positions, write.rows, strict=True)
            ]
        case UpdatedRows():
            return [
                (position, _updated(name, write, row))
                for position, row in zip(write.positions, write.rows, strict=True)
            ]
        case DeletedRows(described=described, told=told):
            return [
                (position, {"delete": name, **_key(described, told, row)})
                for position, row in zip(write.positions, write.rows, strict=True)
            ]
        case Update(source=source) if source is not None:
            raise QueryError(
                f"{source!r} has no JSON", hint="update the rows one by one: changes.update(Posts, key, …)"
            )
        case Update(position=position):
            said = {"update_where": name, "set": _assigned(write.assignments), **_where(write), **_back(write)}
            return [(position, said)]
        case Deletion(position=position):
            return [(position, {"delete_where": name, **_where(write), **_back(write)})]


def _updated(name: str, write: UpdatedRows, row: Sequence[Any]) -> dict[str, Any]:
    shape = write.shape
    flags = {"behind": True} if write.behind else {}
    flags |= {"if_different": True} if shape.differing else {}
    said = _assigned(shape.assignments, row)
    return {"update": name, **_key(write.described, shape.told, row[shape.width :]), "set": said, **flags}


def _key(described: RelationInfo, told: bool, row: Sequence[Any]) -> dict[str, Any]:
    keys = described.primary_key
    said: dict[str, Any] = {"key": [_value(column, each) for column, each in zip(keys, row, strict=False)]}
    return {**said, "row_version": row[len(keys)]} if told else said


def _named(columns: Sequence[ColumnInfo], row: Sequence[Any]) -> dict[str, Any]:
    return {column.attribute: _value(column, value) for column, value in zip(columns, row, strict=True)}


def _where(write: Update | Deletion) -> dict[str, Any]:
    return {"where": [_condition(each) for each in write.conditions], "everywhere": write.everywhere}


def _rule(rule: ConflictRule) -> dict[str, Any]:
    update = [column.attribute for column, each in rule.assignments if isinstance(each, Excluded)]
    further = [(column, each) for column, each in rule.assignments if not isinstance(each, Excluded)]
    for column, each in rule.assignments:
        if isinstance(each, Excluded) and each.attribute.column is not column:
            raise _no_json(each)
    where = None if rule.where is None else _condition(rule.where)
    columns = [each.attribute for each in rule.columns]
    return {"columns": columns, "update": update, "set": _assigned(further), "where": where}


def _assigned(assignments: Sequence[Assigned], row: Sequence[Any] | None = None) -> dict[str, Any]:
    """Return assignments with their own values, or with those at the beginning of a row."""
    said: dict[str, Any] = {}
    at = 0
    for column, expression in assignments:
        width = len(expression.parameters)
        values = expression.parameters if row is None else row[at : at + width]
        at += width
        said[column.attribute] = _change(column, expression, values)
    return said


def _change(column: ColumnInfo, expression: Expr[Any, Any], values: Sequence[Any]) -> Any:
    if isinstance(expression, Parameter):
        return _value(column, values[0])
    match expression:
        case Call(name=name, operands=(Attribute(column=own), Parameter())) if own is column and name in CHANGES:
            return {name: _value(column, values[0])}
        case _:
            raise _no_json(expression)


def _condition(expression: Expr[Any, Any]) -> dict[str, Any]:
    match expression:
        case Call(name="and" | "or" | "not" as name, operands=operands):
            return {name: [_condition(each) for each in operands]}
        case Call(name=name, operands=(Attribute(column=column), *others)):
            said = [_operand(column, each) for each in others]
            found = {name: column.attribute, "values": said}
            if _restorable(expression, found):
                return found
        case _:
            pass
    raise _no_json(expression)


def _restorable(expression: Expr[Any, Any], said: Mapping[str, Any]) -> bool:
    """Whether a condition is one that a text can say."""
    name = next(iter(said))
    return name in (
        *COMPARISONS,
        *TEXTS,
        "ne_or_not_null",
        "ne",
        "is_null",
        "is_not_null",
        "is_distinct",
        "between",
        "in_list",
        "not_in_list",
    ) and all([isinstance(each, Parameter | ListParameter) for each in expression.children[1:]])


def _operand(column: ColumnInfo, expression: Expr[Any, Any]) -> Any:
    match expression:
        case ListParameter(parameters=(values,)):
            return [_value(column, each) for each in values]
        case Parameter(parameters=(value,)):
            return _value(column, value)
        case _:
            raise _no_json(expression)


def _value(column: ColumnInfo, value: Any) -> Any:
    if isinstance(value, KeyPart):
        return {"ref": value.position, "part": value.part}
    if isinstance(value, Ref):
        return {"ref": value.position}
    try:
        packed = msgspec.msgpack.encode(portable(column.type, value))
        return plain(msgspec.msgpack.decode(packed))
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        shown = "…" if column.options.sensitive else repr(value)
        raise QueryError(f"{column.attribute} is {shown}, which has no JSON") from error


def _no_json(expression: Expr[Any, Any]) -> QueryError:
    return QueryError(
        f"{expression!r} has no JSON", hint="use values, columns compared with values, and sums on the column itself"
    )


def name_of(described: RelationInfo) -> str:
    """Return the name that a text has for a relation."""
    return described.name if described.schema is None else f"{described.schema}.{described.name}"
