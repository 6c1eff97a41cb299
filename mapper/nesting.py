"""
Writes along relationships: rows below an owner, links between rows, and the rows of an owner as a whole.

A relationship, an owner and rows go in; pushes, updates and deletes of the changeset come out, with the keys that tie
them filled in.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any, Generic

from attrs import evolve
from typing_extensions import TypeVar

from mapper.checking import checked_ref, conflict_rule
from mapper.conditions import tuple_
from mapper.deferred import Ref
from mapper.errors import QueryError
from mapper.expressions import Assignment, Attribute, Expr
from mapper.layouts import assigned_columns, shape_of
from mapper.pushed import NewRow, Pushed
from mapper.relation import RelationInfo, info
from mapper.relationships import walked
from mapper.rowupdates import RowUpdater, updater_of
from mapper.ways import RelationshipInfo
from mapper.wrappers import Keyed
from mapper.writes import ConflictRule

if TYPE_CHECKING:
    from mapper.changeset import Changeset

__all__ = ["Children", "link", "replace", "unlink"]

M = TypeVar("M")
R = TypeVar("R", default=Any)
K = TypeVar("K", default=int)
W = TypeVar("W", default=Keyed[M, K])

Columns = tuple[Attribute[Any, Any], ...]


class Children(Generic[M, R, K, W]):
    """New rows below one owner, along one relationship."""

    __slots__ = ("_changes", "_fixed", "_inserts", "_owner", "_way")

    def __init__(self, changes: "Changeset[Any]", relationship: Any, owner: object) -> None:
        self._changes = changes
        self._way = way = walked(relationship)
        if way.kind not in ("HasMany", "HasOne", "ManyToMany"):
            raise _refused(way, "rows are pushed below the owner of")
        self._owner = _values(changes, info(way.source), owner, _sides(way)[0])
        self._inserts = changes.inserts(way.target)
        self._fixed = () if way.kind == "ManyToMany" else _assigned(_sides(way)[1], self._owner)

    def push(self, model: M | W, /, *assignments: Assignment[R]) -> Pushed[K, R]:
        """Add a row, as `Inserts.push` does, and what ties it to the owner."""
        ref: Pushed[K, R] = self._inserts.push(model, *assignments, *self._fixed)
        if self._way.kind == "ManyToMany":
            _tie(self._changes, self._way, self._owner, ref, ())
        return ref

    def extend(self, rows: Iterable[NewRow[M, W, R]], /) -> list[Pushed[K, R]]:
        """Push each; return their refs in the same order. A row may be a tuple of a model and assignments."""
        return [self.push(each[0], *each[1:]) if _has_assignments(each) else self.push(each) for each in rows]  # type: ignore[index,arg-type]  # a tuple may be a model

    def __repr__(self) -> str:
        return f"<Children by {self._way.relationship.__name__}>"


def link(
    changes: "Changeset[Any]", relationship: Any, owner: object, target: object, assignments: Sequence[Assignment[Any]]
) -> None:
    """Tie a row to its owner; see `Changeset.link`."""
    way = walked(relationship)
    match way.kind:
        case "HasMany" | "HasOne":
            befores, afters = _sides(way)
            values = _values(changes, info(way.source), owner, befores)
            changes.update(way.target, target, *_assigned(afters, values), *assignments)
        case "BelongsTo":
            befores, afters = _sides(way)
            values = _values(changes, info(way.target), target, afters)
            changes.update(way.source, owner, *_assigned(befores, values), *assignments)
        case "ManyToMany":
            values = _values(changes, info(way.source), owner, _sides(way)[0])
            _tie(changes, way, values, target, assignments)
        case _:
            raise _refused(way, "rows are linked by")


def unlink(changes: "Changeset[Any]", relationship: Any, owner: object, targets: Sequence[object]) -> None:
    """Undo what ties rows to their owner; see `Changeset.unlink`."""
    way = walked(relationship)
    if not targets:
        raise QueryError(f"nothing is unlinked by {relationship.__name__}", hint="name the rows that are")
    befores, afters = _sides(way)
    source, target = info(way.source), info(way.target)
    match way.kind:
        case "HasMany" | "HasOne":
            _require_nullable(way, afters)
            keys, owned = _key_columns(target), _values(changes, source, owner, befores)
            named = [_values(changes, target, each, keys) for each in targets]
            rows = changes.updates(way.target).where(*_equal(afters, owned), _among(keys, named))
            rows.set(*_assigned(afters, [None] * len(afters)))
        case "BelongsTo":
            _require_nullable(way, befores)
            keys = _key_columns(source)
            named = [_values(changes, target, each, afters) for each in targets]
            own = _values(changes, source, owner, keys)
            rows = changes.updates(way.source).where(*_equal(keys, own), _among(befores, named))
            rows.set(*_assigned(befores, [None] * len(befores)))
        case "ManyToMany":
            (lasts, ends), owned = _last_sides(way), _values(changes, source, owner, befores)
            named = [_values(changes, target, each, ends) for each in targets]
            changes.deletes(way.hops[0].relation).where(*_equal(afters, owned), _among(lasts, named))
        case _:
            raise _refused(way, "rows are unlinked by")


def replace(changes: "Changeset[Any]", relationship: Any, owner: object, rows: Iterable[Any]) -> None:
    """Make rows the only ones below an owner; see `Changeset.replace`."""
    way = walked(relationship)
    if way.kind not in ("HasMany", "HasOne", "ManyToMany"):
        raise _refused(way, "rows are replaced by")
    given = [(each[0], each[1:]) if _has_assignments(each) else (each, ()) for each in rows]
    if not way.many and len(given) > 1:
        raise QueryError(f"{relationship.__name__} leads to one row, and {len(given)} are given")
    updater = updater_of(info(way.target))
    known = [each for each in given if updater.is_row(each[0])]
    new = [each for each in given if not updater.is_row(each[0])]
    children = Children[Any, Any, Any, Any](changes, relationship, owner)
    if way.kind == "ManyToMany":
        _tie_only(changes, way, children._owner, [each for each, _ in known])
    else:
        keys = _key_columns(updater.described)
        stay = [_values(changes, updater.described, each, keys) for each, _ in known]
        _delete_others(changes, way.target, (_sides(way)[1], children._owner), (keys, stay))
    for each, assignments in known:
        _revise(changes, updater, each, [*assignments, *children._fixed])
    for each, assignments in new:
        children.push(each, *assignments)


def _tie_only(
    changes: "Changeset[Any]", way: RelationshipInfo, owned: Sequence[Any], targets: Sequence[object]
) -> None:
    """Delete the rows between an owner and any others, and push those that are not there."""
    between, firsts, (lasts, ends) = info(way.hops[0].relation), _sides(way)[1], _last_sides(way)
    named = [_values(changes, info(way.target), each, ends) for each in targets]
    _delete_others(changes, between.relation, (firsts, owned), (lasts, named))
    if named:
        rule = conflict_rule(between, (*firsts, *lasts), (), (), None, changes._owner)
        for values in named:
            _push_bare(changes, between, _assigned((*firsts, *lasts), (*owned, *values)), rule)


def _delete_others(
    changes: "Changeset[Any]", relation: Any, owned: tuple[Columns, Sequence[Any]], kept: tuple[Columns, Sequence[Any]]
) -> None:
    conditions = _equal(*owned)
    if kept[1]:
        conditions.append(~_among(*kept))
    changes.deletes(relation).where(*conditions)


def _revise(changes: "Changeset[Any]", updater: RowUpdater, row: object, further: Sequence[Assignment[Any]]) -> None:
    """Update a row where it differs from the store at the time of the commit."""
    read = updater.read(row, updater.whole(row, further), changes._owner)
    if read is not None:
        shape, values = read
        changes._revise(evolve(shape, key=f"{shape.key} if different", differing=True), values)


def _tie(
    changes: "Changeset[Any]",
    way: RelationshipInfo,
    owned: Sequence[Any],
    target: object,
    assignments: Sequence[Assignment[Any]],
) -> None:
    """Push the row between an owner and a target."""
    firsts, (lasts, ends) = _sides(way)[1], _last_sides(way)
    values = _values(changes, info(way.target), target, ends)
    tied = _assigned((*firsts, *lasts), (*owned, *values))
    _push_bare(changes, info(way.hops[0].relation), [*tied, *assignments], None)


def _push_bare(
    changes: "Changeset[Any]",
    described: RelationInfo,
    assignments: Sequence[Assignment[Any]],
    rule: ConflictRule | None,
) -> None:
    """Push a row that has no model: assignments are all that there is of it."""
    described = changes._target(described.relation)
    columns = assigned_columns(described, assignments)
    order = sorted(range(len(columns)), key=lambda index: columns[index].position)
    values = tuple([assignments[index].value for index in order])
    for each in values:
        if isinstance(each, Ref):
            checked_ref(each, changes._owner)
    conflict = None if rule is None else changes._known_rule(rule)
    changes._push(shape_of(described, [columns[index] for index in order]), values, conflict)


# -- columns and values ------------------------------------------------------------------------------------------------


def _sides(way: RelationshipInfo) -> tuple[Columns, Columns]:
    """Return the columns of the first step: of the owner, and of what follows."""
    pairs = way.hops[0].pairs
    return tuple([before for before, _ in pairs]), tuple([after for _, after in pairs])


def _last_sides(way: RelationshipInfo) -> tuple[Columns, Columns]:
    pairs = way.hops[-1].pairs
    return tuple([before for before, _ in pairs]), tuple([after for _, after in pairs])


def _key_columns(described: RelationInfo) -> Columns:
    if not described.primary_key:
        raise QueryError(f"{described.relation.__name__} has no primary key, by which its rows could be told")
    return tuple([described.attributes[each.attribute] for each in described.primary_key])


def _values(
    changes: "Changeset[Any]", described: RelationInfo, row: object, columns: Sequence[Attribute[Any, Any]]
) -> list[Any]:
    """
    Return the values that some columns of a row have, or refs that stand for them.

    Raises:
        QueryError: It is no row of the relation, or does not tell one of them.
    """
    known = _pushed_values(changes, described, row) if isinstance(row, Ref) else _row_values(described, row)
    found: list[Any] = []
    for each in columns:
        name = each.column.attribute
        if name not in known:
            raise QueryError(
                f"{described.relation.__name__}.{name} is not told by {row!r}", hint="give its wrapper as it was read"
            )
        found.append(known[name])
    return found


def _pushed_values(changes: "Changeset[Any]", described: RelationInfo, ref: Ref[Any]) -> dict[str, Any]:
    key = updater_of(described).key_of(ref)
    changes._known_key(ref)
    names = [each.attribute for each in described.primary_key]
    return dict(zip(names, key, strict=True)) | (changes._pushed(ref) or {})


def _row_values(described: RelationInfo, row: object) -> dict[str, Any]:
    updater = updater_of(described)
    names = [each.attribute for each in described.primary_key]
    known = dict(zip(names, updater.key_of(row), strict=False))
    return known if not updater.is_row(row) else {**updater.values_of(row), **known}


def _assigned(columns: Sequence[Attribute[Any, Any]], values: Sequence[Any]) -> list[Assignment[Any]]:
    return [each.to(value) for each, value in zip(columns, values, strict=True)]


def _equal(columns: Sequence[Attribute[Any, Any]], values: Sequence[Any]) -> list[Expr[bool, Any]]:
    return [each == value for each, value in zip(columns, values, strict=True)]


def _among(columns: Sequence[Attribute[Any, Any]], rows: Sequence[Sequence[Any]]) -> Expr[bool, Any]:
    """Return the condition that columns have the values of one of these rows, none of which is NULL."""
    plain = [tuple(row) for row in rows if not any([isinstance(each, Ref) for each in row])]
    found = [reduce(and_, _equal(columns, row)) for row in rows if any([isinstance(each, Ref) for each in row])]
    if plain:
        listed = columns[0].in_([row[0] for row in plain]) if len(columns) == 1 else tuple_(*columns).in_(plain)
        found.append(listed)
    return reduce(or_, found)


def _require_nullable(way: RelationshipInfo, columns: Sequence[Attribute[Any, Any]]) -> None:
    for each in columns:
        if not each.column.nullable:
            name = way.relationship.__name__
            raise QueryError(
                f"{each!r} takes no NULL, so that {name} cannot be unlinked",
                hint="delete the row, or link it to another owner",
            )


def _has_assignments(row: object) -> bool:
    return type(row) is tuple and len(row) > 0 and all([isinstance(each, Assignment) for each in row[1:]])


def _refused(way: RelationshipInfo, what: str) -> QueryError:
    if way.kind == "BelongsTo":
        hint = f"push the row of {way.target.__name__} first, and give the key its ref"
    else:
        hint = "write along the relationships that it consists of"
    return QueryError(f"{way.relationship.__name__} is a {way.kind}: no {what} one", hint=hint)
