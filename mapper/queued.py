"""
Changesets from JSON, as `mapper.queuing` makes it.

A text goes in, and its writes come out, for the relations of one repository. Such a text may come from anywhere: it can
say nothing but new rows, updates and deletes of those relations, with plain values and conditions, and whatever else it
says is refused.
"""

import json
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_, ne, or_
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from mapper.checking import checked_ref, conflict_rule
from mapper.deferred import KeyPart, Ref
from mapper.errors import QueryError
from mapper.expressions import Assignment, Attribute, Expr
from mapper.jsonvalues import unplain
from mapper.layouts import assigned_columns, shape_of
from mapper.portable import restored
from mapper.queuing import CHANGES, COMPARISONS, TEXTS, VERSION, name_of
from mapper.relation import RelationInfo, info
from mapper.returned import Returned, returned_columns
from mapper.rowupdates import updater_of
from mapper.writes import ConflictRule, PushedRows

if TYPE_CHECKING:
    from mapper.changeset import Changeset

__all__ = ["from_json"]

DEPTH: Final = 50
"""Conditions within conditions, at most."""

_FLAGS: Final = frozenset({"row_version", "behind", "if_different"})


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
    reading = _Reading(changes, {name_of(info(each)): info(each) for each in relations})
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
                    change = CHANGES[next(iter(said))]
                    found.append(attribute.to(change(attribute, self._value(described, name, value))))
                case _:
                    found.append(attribute.to(self._value(described, name, said)))
        return found

    def _value(self, described: RelationInfo, name: str, said: Any) -> Any:
        column = self._attribute(described, name).column
        if isinstance(said, dict) and "ref" in said:
            return self._ref(said)
        try:
            return restored(column.type, unplain(said))
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
            case _, [value] if name in COMPARISONS:
                found = COMPARISONS[name](attribute, value)
            case _, [str(value)] if name in TEXTS:
                text: Any = attribute
                found = getattr(text, TEXTS[name])(value)
            case _:
                pass
        if not isinstance(found, Expr):
            raise QueryError(f"{name!r} of {attribute!r} with {len(values)} values is no condition")
        return found
