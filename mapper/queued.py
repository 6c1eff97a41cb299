"""
Changesets as JSON, so that one can be kept in a queue and committed elsewhere.

A changeset goes in, and text comes out; and the other way round, for the relations of one repository. Such a text may
come from anywhere: it can say nothing but new rows, updates and deletes of those relations, with plain values and
conditions, and whatever else it says is refused.
"""

import base64
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import add, and_, eq, ge, gt, le, lt, mul, ne, or_, sub
from typing import TYPE_CHECKING, Any, Final

import msgspec
from attrs import evolve

from mapper.checking import checked_ref, conflict_rule
from mapper.columns import ColumnInfo
from mapper.deferred import KeyPart, Ref
from mapper.errors import QueryError
from mapper.expressions import Assignment, Attribute, Call, Expr, ListParameter, Parameter
from mapper.layouts import assigned_columns, shape_of
from mapper.portable import portable, restored
from mapper.relation import RelationInfo, info
from mapper.returned import Returned, returned_columns
from mapper.rowupdates import updater_of
from mapper.terms import Excluded
from mapper.writes import Assigned, ConflictRule, DeletedRows, Deletion, PushedRows, Update, UpdatedRows, Write

if TYPE_CHECKING:
    from mapper.changeset import Changeset

__all__ = ["from_json", "to_json"]

VERSION: Final = 1

DEPTH: Final = 50
"""Conditions within conditions, at most."""

_COMPARE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {"eq": eq, "lt": lt, "le": le, "gt": gt, "ge": ge}
_TEXT: Final = {"like": "like", "starts_with": "starts_with", "ends_with": "ends_with", "contains": "contains"}
_CHANGE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {"add": add, "sub": sub, "mul": mul}


# -- to text -----------------------------------------------------------------------------------------------------------


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
    return {"relation": _name(slot.described), "columns": None if names is None else list(names)}


def _back(write: PushedRows | Update | Deletion) -> dict[str, Any]:
    return {} if write.returned is None else {"returned": write.returned.number}


def _rows(write: Write) -> list[tuple[int, dict[str, Any]]]:
    name = _name(write.described)
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
        case Call(name=name, operands=(Attribute(column=own), Parameter())) if own is column and name in _CHANGE:
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
        *_COMPARE,
        *_TEXT,
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
        return _plain(msgspec.msgpack.decode(packed))
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        shown = "…" if column.options.sensitive else repr(value)
        raise QueryError(f"{column.attribute} is {shown}, which has no JSON") from error


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, with a name where it has none."""
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, datetime):
        return {"moment": value.isoformat()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, list | tuple):
        return {"list": [_plain(each) for each in value]}
    if isinstance(value, dict):
        return {"map": [[_plain(key), _plain(each)] for key, each in value.items()]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} has no JSON")


def _no_json(expression: Expr[Any, Any]) -> QueryError:
    return QueryError(
        f"{expression!r} has no JSON", hint="use values, columns compared with values, and sums on the column itself"
    )


def _name(described: RelationInfo) -> str:
    return described.name if described.schema is None else f"{described.schema}.{described.name}"


# -- from text ---------------------------------------------------------------------------------------------------------


def from_json(changes: "Changeset[Any]", relations: Sequence[Any], text: str | bytes) -> None:
    """
    Add what a text says to an empty changeset.

    Raises:
        QueryError: The text is none that `to_json` makes, is of another version, or names what is not there.
    """
    try:
        said = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise QueryError(f"the text of a changeset cannot be read: {error}") from error
    reading = _Reading(changes, {_name(info(each)): info(each) for each in relations})
    if (
        not isinstance(said, dict)
        or set(said) - {"returned"} != {"version", "rows"}
        or not isinstance(said["rows"], list)
    ):
        raise QueryError("the text is not that of a changeset", hint="make it with changes.to_json()")
    if said["version"] != VERSION or isinstance(said["version"], bool):
        raise QueryError(f"the text of a changeset has version {said['version']!r}, expected {VERSION}")
    reading.slots(said.get("returned", []))
    for number, row in enumerate(said["rows"]):
        try:
            reading.row(row)
        except QueryError as error:
            raise QueryError(f"row {number} of the text: {error.message}", hint=error.hint) from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


class _Reading:
    """The reading of one text into one changeset."""

    def __init__(self, changes: "Changeset[Any]", relations: Mapping[str, RelationInfo]) -> None:
        self._changes = changes
        self._relations = relations

    def slots(self, said: Any) -> None:
        """Make the slots of what comes back."""
        if not isinstance(said, list):
            raise QueryError(f"{said!r} is not what comes back of writes")
        for each in said:
            match each:
                case {"relation": str(name), "columns": None | list() as columns, **more} if not more and columns != []:
                    described = self._relation(name)
                    names = (
                        None
                        if columns is None
                        else [self._attribute(described, one).column.attribute for one in columns]
                    )
                    self._changes._slot(described, returned_columns(described, names))
                case _:
                    raise QueryError(f"{each!r} is not what comes back of writes")

    def _slot(self, described: RelationInfo, said: Mapping[Any, Any]) -> Returned[Any] | None:
        if "returned" not in said:
            return None
        number, slots = said["returned"], self._changes._slots
        if type(number) is not int or not 0 <= number < len(slots) or slots[number].described is not described:
            raise QueryError(f"{number!r} is no number of what comes back of {described.relation.__name__}")
        return slots[number]

    def row(self, said: Any) -> None:
        """Add one row, update or delete."""
        match said:
            case {"insert": str(name), "values": dict(values), **more} if set(more) <= {"on_conflict", "returned"}:
                described = self._relation(name)
                self._insert(described, values, more.get("on_conflict"), self._slot(described, more))
            case {"update": str(name), "key": list(key), "set": dict(values), **more} if set(more) <= _FLAGS:
                self._update(self._relation(name), key, values, more)
            case {"delete": str(name), "key": list(key), **more} if set(more) <= {"row_version"}:
                self._delete(self._relation(name), key, more)
            case {
                "update_where": str(name),
                "set": dict(values),
                "where": list(where),
                "everywhere": bool(all_),
                **more,
            } if set(more) <= {"returned"}:
                described = self._relation(name)
                update = self._changes.updates(described.relation).set(*self._assignments(described, values))
                update.where(*[self._condition(described, each) for each in where])
                if all_:
                    update.everywhere()
                update._write.returned = self._slot(described, more)
            case {"delete_where": str(name), "where": list(where), "everywhere": bool(all_), **more} if set(more) <= {
                "returned"
            }:
                described = self._relation(name)
                delete = self._changes.deletes(described.relation)
                delete.where(*[self._condition(described, each) for each in where])
                if all_:
                    delete.everywhere()
                delete._write.returned = self._slot(described, more)
            case _:
                raise QueryError("it is neither an insert nor an update nor a delete")

    def _insert(
        self, described: RelationInfo, values: dict[str, Any], conflict: Any, slot: Returned[Any] | None
    ) -> None:
        assignments = [
            self._attribute(described, name).to(self._value(described, name, each)) for name, each in values.items()
        ]
        columns = assigned_columns(described, assignments)
        order = sorted(range(len(columns)), key=lambda index: columns[index].position)
        rule = None if conflict is None else self._rule(described, conflict)
        row = tuple([assignments[index].value for index in order])
        self._changes._push(shape_of(described, [columns[index] for index in order]), row, rule, slot)

    def _rule(self, described: RelationInfo, said: Any) -> ConflictRule:
        match said:
            case {"columns": list(columns), "update": list(update), "set": dict(values), "where": where, **more} if (
                not more
            ):
                rule = conflict_rule(
                    described,
                    [self._attribute(described, each) for each in columns],
                    [self._attribute(described, each) for each in update],
                    self._assignments(described, values),
                    None if where is None else self._condition(described, where),
                    self._changes._owner,
                )
                self._changes._close_read(rule.expressions())
                return self._changes._known_rule(rule)
            case _:
                raise QueryError(f"on_conflict is {said!r}, which is none")

    def _update(
        self, described: RelationInfo, key: list[Any], values: dict[str, Any], flags: Mapping[Any, Any]
    ) -> None:
        updater = updater_of(described)
        named = self._key(described, key, flags)
        told = "row_version" in flags
        assignments = self._assignments(described, values)
        if not assignments:
            raise QueryError(f"the update of a row of {described.relation.__name__} assigns nothing")
        shape, row = updater.shaped(told, assignments, self._changes._owner)
        behind = bool(flags.get("behind")) and shape.free and isinstance(named[0], Ref) and not told
        if flags.get("if_different"):
            shape = evolve(shape, key=f"{shape.key} if different", differing=True)
        self._changes._revise(shape, row + named, behind=behind)

    def _delete(self, described: RelationInfo, key: list[Any], flags: Mapping[Any, Any]) -> None:
        self._changes._delete_row(described, "row_version" in flags, self._key(described, key, flags))

    def _key(self, described: RelationInfo, said: list[Any], flags: Mapping[Any, Any]) -> tuple[Any, ...]:
        keys = described.primary_key
        if not keys or len(said) != len(keys):
            raise QueryError(f"{said!r} is no key of {described.relation.__name__}")
        values = tuple([self._value(described, key.attribute, each) for key, each in zip(keys, said, strict=True)])
        if any([each is None for each in values]):
            raise QueryError(f"{said!r} is no key of {described.relation.__name__}")
        if "row_version" not in flags:
            return values
        version = flags["row_version"]
        if described.version is None or type(version) is not int:
            raise QueryError(f"{version!r} is no version of a row of {described.relation.__name__}")
        return (*values, version)

    def _relation(self, name: str) -> RelationInfo:
        found = self._relations.get(name)
        if found is None:
            raise QueryError(f"{name!r} is no relation here", hint=f"relations are: {', '.join(self._relations)}")
        return found

    def _attribute(self, described: RelationInfo, name: object) -> Attribute[Any, Any]:
        found = described.attributes.get(name) if isinstance(name, str) else None
        if found is None:
            raise QueryError(
                f"{described.relation.__name__} has no column {name!r}",
                hint=f"columns are: {', '.join(described.attributes)}",
            )
        return found

    def _assignments(self, described: RelationInfo, values: Mapping[str, Any]) -> list[Assignment[Any]]:
        found: list[Assignment[Any]] = []
        for name, said in values.items():
            attribute = self._attribute(described, name)
            match said:
                case {"add": value} | {"sub": value} | {"mul": value} if len(said) == 1:
                    change = _CHANGE[next(iter(said))]
                    found.append(attribute.to(change(attribute, self._value(described, name, value))))
                case _:
                    found.append(attribute.to(self._value(described, name, said)))
        return found

    def _value(self, described: RelationInfo, name: str, said: Any) -> Any:
        column = self._attribute(described, name).column
        if isinstance(said, dict) and "ref" in said:
            return self._ref(said)
        try:
            return restored(column.type, _unplain(said))
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError, ArithmeticError) as error:
            shown = "…" if column.options.sensitive else repr(said)
            raise QueryError(f"{shown} is no value of {described.relation.__name__}.{name}") from error

    def _ref(self, said: dict[str, Any]) -> Ref[Any]:
        changes, position, part = self._changes, said["ref"], said.get("part")
        if type(position) is not int or not 0 <= position < len(changes._numbers) or set(said) - {"ref", "part"}:
            raise QueryError(f"{said!r} names no row before it")
        write = changes._writes[changes._numbers[position]]
        if not isinstance(write, PushedRows):
            raise QueryError(f"{said!r} names no new row")
        ref: Ref[Any] = Ref(write.described.relation, position, changes._owner)
        if part is None:
            return checked_ref(ref, changes._owner)
        if type(part) is not int or not 0 <= part < len(write.described.primary_key):
            raise QueryError(f"{said!r} names no part of a key")
        return KeyPart(ref, part)

    def _condition(self, described: RelationInfo, said: Any, depth: int = 0) -> Expr[bool, Any]:
        if depth > DEPTH or not isinstance(said, dict):
            raise QueryError(f"{said!r} is no condition")
        match said:
            case {"and": list(parts)} | {"or": list(parts)} if len(said) == 1 and parts:
                join = and_ if "and" in said else or_
                return reduce(join, [self._condition(described, each, depth + 1) for each in parts])
            case {"not": [part]} if len(said) == 1:
                return ~self._condition(described, part, depth + 1)
            case {"values": list(values)} if len(said) == 2:
                name = next(each for each in said if each != "values")
                attribute = self._attribute(described, said[name])
                return self._compared(described, attribute, name, values)
            case _:
                raise QueryError(f"{said!r} is no condition")

    def _compared(
        self, described: RelationInfo, attribute: Attribute[Any, Any], name: str, said: list[Any]
    ) -> Expr[bool, Any]:
        own = attribute.column.attribute
        if name == "in_list" and len(said) == 1 and isinstance(said[0], list):
            return attribute.in_([self._value(described, own, each) for each in said[0]])
        if name == "not_in_list" and len(said) == 1 and isinstance(said[0], list):
            return attribute.not_in([self._value(described, own, each) for each in said[0]])
        values = [self._value(described, own, each) for each in said]
        found: Any = None
        match name, values:
            case "is_null", []:
                found = attribute.is_null()
            case "is_not_null", []:
                found = attribute.is_not_null()
            case (("ne" | "ne_or_not_null"), [value]):
                found = ne(attribute, value)
            case "is_distinct", [value]:
                found = attribute.is_distinct_from(value)
            case "between", [low, high]:
                found = attribute.between(low, high)
            case _, [value] if name in _COMPARE:
                found = _COMPARE[name](attribute, value)
            case _, [str(value)] if name in _TEXT:
                text: Any = attribute
                found = getattr(text, _TEXT[name])(value)
            case _:
                pass
        if not isinstance(found, Expr):
            raise QueryError(f"{name!r} of {attribute!r} with {len(values)} values is no condition")
        return found


_FLAGS: Final = frozenset({"row_version", "behind", "if_different"})


def _unplain(said: Any) -> Any:
    """Return the value that `_plain` made this of."""
    match said:
        case {"bytes": str(text)} if len(said) == 1:
            return base64.b64decode(text, validate=True)
        case {"moment": str(text)} if len(said) == 1:
            return datetime.fromisoformat(text)
        case {"float": "nan" | "inf" | "-inf" as text} if len(said) == 1:
            return float(text)
        case {"list": list(items)} if len(said) == 1:
            return [_unplain(each) for each in items]
        case {"map": list(items)} if len(said) == 1:
            return {_unplain(key): _unplain(each) for key, each in items}
        case None | bool() | int() | float() | str():
            return said
        case _:
            raise ValueError(f"{said!r} is no value")
