"""
Updates and deletes of one row, named by its wrapper.

A wrapper and assignments, or a new model, go in; the shape of the update, its values and the row's key come out.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any, Final, get_origin
from uuid import UUID

from mapper.assembly import walk
from mapper.checking import checked_assignments, checked_ref, unique_sets
from mapper.deferred import Deferred, Ref
from mapper.errors import QueryError
from mapper.expressions import Assignment, Expr, Subquery
from mapper.layouts import Values
from mapper.mapping import RelationMapping
from mapper.relation import RelationInfo
from mapper.writes import Assigned, RowUpdate

__all__ = ["RowUpdater", "updater_of"]

LIMIT: Final = 2048
"""Updaters and shapes that are kept; where there are more, all are made anew."""

EXACT: Final = frozenset({str, bytes, int, bool, type(None), date, datetime, time, timedelta, UUID})
"""Classes of which equal values of one class are stored alike."""


class RowUpdater:
    """Reads the wrappers of one relation's rows, and what is to become of them."""

    __slots__ = ("_composite", "_mapping", "_model", "_shapes", "_unique", "_wrapper", "described")

    def __init__(self, described: RelationInfo) -> None:
        if described.mapping is None:
            raise QueryError(f"{described.name} is a common table, which no store holds")
        self.described = described
        self._mapping: RelationMapping = described.mapping
        self._model: Any = get_origin(described.model) or described.model
        self._wrapper: Any = described.mapping.wrapper_class
        self._shapes: dict[tuple[str, ...], RowUpdate] = {}
        self._unique = _touching(described)
        self._composite = len(described.primary_key) > 1

    def key_of(self, row: object) -> Values:
        """
        Return the key's values of a wrapper, and the version's behind them where the relation has one.

        Raises:
            QueryError: It is no wrapper of the relation, or does not tell the key.
        """
        if type(row) is not self._wrapper and not isinstance(row, self._wrapper):
            raise self._not_a_row(row)
        mapping = self._mapping
        if mapping.key_of is None:
            raise QueryError(
                f"a {_name(self.described.wrapper)} does not tell the key of its row in {self._relation}",
                hint="use a wrapper with a key: Relation[Model, Key, Keyed[Model, Key]]",
            )
        found = mapping.key_of(row)
        key: Values = found if self._composite else (found,)
        if found is None or (self._composite and any([each is None for each in found])):
            kind = type(row).__name__
            raise QueryError(f"a {kind} without a key names no row of {self._relation}", hint="read the row first")
        return key if mapping.version_of is None else (*key, mapping.version_of(row))

    @property
    def _relation(self) -> str:
        name: str = self.described.relation.__name__
        return name

    def _not_a_row(self, row: object) -> QueryError:
        wrapper = _name(self.described.wrapper)
        return QueryError(
            f"a {type(row).__name__} is not a row of {self._relation}, expected its wrapper {wrapper}",
            hint=f"read it so: select({self._relation})",
        )

    def read(self, row: object, new: Sequence[Any], owner: object) -> tuple[RowUpdate, Values] | None:
        """
        Return the shape and the values of an update.

        Args:
            row: The wrapper, which `key_of` has accepted.
            new: Assignments, or a model and assignments behind it.
            owner: Of the changeset, for refs.

        Returns:
            None where a model was given and nothing differs.

        Raises:
            QueryError: An assignment or the model is wrong, or nothing is given.
        """
        if new and not isinstance(new[0], Assignment):
            new = self._changes(row, new[0], new[1:])
            if not new:
                return None
        if not new:
            raise QueryError(
                f"the update of a row of {self._relation} assigns nothing", hint="give assignments, or the new model"
            )
        return self._plain(new, owner) or self._checked(new, owner)

    def _plain(self, assignments: Sequence[Any], owner: object) -> tuple[RowUpdate, Values] | None:
        """Read assignments of mere values, of a shape seen before; None for others."""
        names: list[str] = []
        values: list[Any] = []
        for each in assignments:
            if not isinstance(each, Assignment):
                return None
            value = each.value
            if isinstance(value, (Expr, Deferred)):
                if not isinstance(value, Ref):
                    return None
                checked_ref(value, owner)
            names.append(each.attribute.key)
            values.append(value)
        shape = self._shapes.get(tuple(names))
        return None if shape is None else (shape, tuple(values))

    def _checked(self, assignments: Sequence[Any], owner: object) -> tuple[RowUpdate, Values]:
        pairs = checked_assignments(self.described, assignments, owner)
        values = tuple([value for _, expression in pairs for value in expression.parameters])
        names = tuple([each.attribute.key for each in assignments])
        mere = all(not isinstance(each.value, Expr) for each in assignments) and len(values) == len(pairs)
        shape = RowUpdate(
            described=self.described,
            assignments=tuple(pairs),
            key=",".join([f"{column.attribute}={expression.key}" for column, expression in pairs]),
            ordered=_keeps_order(pairs, self._unique),
        )
        if mere:
            if len(self._shapes) >= LIMIT:
                self._shapes.clear()
            shape = self._shapes.setdefault(names, shape)
        return shape, values

    def _changes(self, row: object, model: object, further: Sequence[Any]) -> list[Any]:
        """Return assignments of what differs between a row's model and a new one, and the further ones given."""
        if not isinstance(model, self._model):
            raise QueryError(
                f"a {type(model).__name__} is neither an assignment nor a {_name(self.described.model)}",
                hint=f"give {self._relation} columns with to(…), or its new model",
            )
        overridden = {each.attribute.key for each in further if isinstance(each, Assignment)}
        old = self._mapping.unwrap(row)
        known = {each.attribute.key: each.value for each in self._assignments(old)}
        if old is model and not _is_frozen(type(model)):
            known = {}
        changed = [
            each
            for each in self._assignments(model)
            if each.attribute.key not in overridden
            and not each.attribute.column.version
            and not (each.value is None and each.attribute.column.primary_key)
            and not (each.attribute.key in known and _same(known[each.attribute.key], each.value))
        ]
        return [*changed, *further]

    def _assignments(self, model: object) -> Sequence[Assignment[Any]]:
        return list(self.described.relation.dehydrate(model))


def _touching(described: RelationInfo) -> frozenset[str]:
    """Return the columns whose updates may make room for, or stand in the way of, those of other rows."""
    names = {name for columns in unique_sets(described) for name in columns}
    return frozenset(names | {each.attribute for each in described.columns if each.options.references is not None})


def _keeps_order(pairs: Sequence[Assigned], unique: frozenset[str]) -> bool:
    return any(column.attribute in unique or _has_subquery(expression) for column, expression in pairs)


def _has_subquery(expression: Expr[Any, Any]) -> bool:
    return any(isinstance(each, Subquery) for each in walk(expression))


def _same(old: Any, new: Any) -> bool:
    """
    Whether two values are stored alike: `1`, `True` and `1.0` are not, nor are `Decimal("1.0")` and `Decimal("1")`.
    """
    if old is new:
        return True
    if type(old) is not type(new):
        return False
    if type(old) in EXACT or isinstance(old, Enum):
        return bool(old == new)
    return bool(old == new) and repr(old) == repr(new)


def _is_frozen(cls: Any) -> bool:
    """Whether objects of a class cannot have been changed, as far as the libraries of models tell."""
    return (
        issubclass(cls, tuple)
        or getattr(getattr(cls, "__dataclass_params__", None), "frozen", False)
        or getattr(getattr(cls, "__struct_config__", None), "frozen", False)
        or getattr(cls.__setattr__, "__name__", "") == "_frozen_setattrs"
        or bool(getattr(cls, "model_config", None) and cls.model_config.get("frozen"))
    )


def _name(model: Any) -> str:
    return getattr(model, "__name__", None) or repr(model)


_updaters: dict[str, RowUpdater] = {}


def updater_of(described: RelationInfo) -> RowUpdater:
    """Return the updater of a relation."""
    known = _updaters.get(described.token)
    if known is None:
        if len(_updaters) >= LIMIT:
            _updaters.clear()
        known = _updaters[described.token] = RowUpdater(described)
    return known
