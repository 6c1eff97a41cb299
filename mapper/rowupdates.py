"""
Updates and deletes of one row, named by its wrapper.

A wrapper and assignments, or a new model, go in; the shape of the update and its values come out.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any, Final, get_origin
from uuid import UUID

from mapper.assembly import walk
from mapper.checking import checked_assignments, checked_ref, unique_sets
from mapper.columns import NOT_GIVEN, ColumnInfo
from mapper.deferred import Deferred, KeyPart, Ref
from mapper.errors import QueryError
from mapper.expressions import Assignment, Attribute, Expr, Subquery
from mapper.layouts import Values
from mapper.mapping import RelationMapping
from mapper.relation import RelationInfo
from mapper.writes import Assigned, RowUpdate

__all__ = ["RowUpdater", "same", "updater_of"]

LIMIT: Final = 2048
"""Updaters and shapes that are kept; where there are more, all are made anew."""

EXACT: Final = frozenset({str, bytes, int, bool, type(None), date, datetime, time, timedelta, UUID})
"""Classes of which equal values of one class are stored alike."""


class RowUpdater:
    """
    Reads the wrappers of one relation's rows, and what is to become of them.

    Attributes:
        simple_type: The type of keys that are one value, and tell all that is to be known of a row; else None.
    """

    __slots__ = (
        "_attributes",
        "_composite",
        "_mapping",
        "_model",
        "_shapes",
        "_simple_key",
        "_singles",
        "_told",
        "_touching",
        "_unique",
        "_wrapper",
        "described",
        "simple_type",
    )

    def __init__(self, described: RelationInfo) -> None:
        if described.mapping is None:
            raise QueryError(f"{described.name} is a common table, which no store holds")
        self.described = described
        self._mapping: RelationMapping = described.mapping
        self._model: Any = get_origin(described.model) or described.model
        self._wrapper: Any = described.mapping.wrapper_class
        self._attributes = tuple([described.attributes[each] for each in described.mapping.model_columns])
        self._shapes: dict[tuple[bool, tuple[Attribute[Any, Any], ...]], RowUpdate] = {}
        self._told = described.mapping.version_of is not None
        self._singles: dict[Attribute[Any, Any], RowUpdate] = {}
        self._unique = frozenset([name for columns in unique_sets(described) for name in columns])
        self._touching = self._unique | {each.attribute for each in described.columns if each.options.references}
        self._composite = len(described.primary_key) > 1
        alone = not self._composite and described.mapping.version_of is None
        self._simple_key = described.mapping.key_of if alone else None
        python = described.primary_key[0].type.python if alone and described.primary_key else None
        self.simple_type = python if python in EXACT else None

    def key_of(self, row: object) -> Values:
        """
        Return the key's values of a wrapper, and the version's behind them where it has one; of a key its values.

        Raises:
            QueryError: It is neither a wrapper of the relation nor a key, or does not tell the key.
        """
        if type(row) is not self._wrapper and not isinstance(row, self._wrapper):
            return self._key(row)
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

    def tells(self, row: object) -> bool:
        """Whether a row tells the version that it had, which a mere key does not."""
        return self._told and isinstance(row, self._wrapper)

    def is_row(self, row: object) -> bool:
        """Whether it is a wrapper of the relation."""
        return isinstance(row, self._wrapper)

    def values_of(self, row: object) -> dict[str, Any]:
        """Return by attribute name what the model of a wrapper gives."""
        model = self._mapping.unwrap(row)
        if self.described.own_dehydrate:
            return {each.attribute.column.attribute: each.value for each in self.described.relation.dehydrate(model)}
        return dict(zip(self._mapping.model_columns, self._mapping.dehydrate_model(model), strict=True))

    def whole(self, row: object, further: Sequence[Any]) -> list[Any]:
        """
        Return assignments of all that a wrapper and its model give, and further ones, which take precedence. The key, the
        version and what every update sets by itself are not among them.
        """
        self._require_nothing_deferred()
        overridden = {each.attribute.key for each in further if isinstance(each, Assignment)}
        around = [each for each in self._around(row) if each.attribute.key not in overridden]
        return self._changes(None, self._mapping.unwrap(row), [*around, *further])

    def _around(self, row: object) -> list[Assignment[Any]]:
        """Return assignments of the columns that a wrapper has beside its model."""
        mapping = self._mapping
        pairs = zip(mapping.wrapper_columns, mapping.wrapper_values(row), strict=True)
        found = [(self.described.attributes[name], value) for name, value in pairs]
        return [
            each.to(value)
            for each, value in found
            if not (each.column.primary_key or each.column.version or each.column.options.on_update is not NOT_GIVEN)
        ]

    def _key(self, key: object) -> Values:
        """Return the values of a key that is given by itself."""
        columns = self.described.primary_key
        if isinstance(key, Ref):
            if key.relation is not self.described.relation:
                raise QueryError(f"{key!r} names no row of {self._relation}", hint="use a ref that its push gave")
            return (key,) if not self._composite else tuple([KeyPart(key, part) for part in range(len(columns))])
        values = key if self._composite else (key,)
        if not columns or not isinstance(values, tuple) or len(values) != len(columns):
            raise self._not_a_row(key)
        if not all([_fits(value, column) for value, column in zip(values, columns, strict=True)]):
            raise self._not_a_row(key)
        return values

    @property
    def _relation(self) -> str:
        name: str = self.described.relation.__name__
        return name

    def _not_a_row(self, row: object) -> QueryError:
        wrapper = _name(self.described.wrapper)
        return QueryError(
            f"a {type(row).__name__} is not a row of {self._relation}, expected its wrapper {wrapper}, its key, or a ref",
            hint=f"read it so: select({self._relation})",
        )

    def read_one(self, row: object, assignment: object) -> tuple[RowUpdate, Values] | None:
        """Return what `read` does, in the commonest case and of a shape seen before: one column and a mere value."""
        if type(assignment) is not Assignment or type(assignment.value) not in EXACT:
            return None
        shape, kind = self._singles.get(assignment.attribute), type(row)
        if shape is None:
            return None
        if kind is self.simple_type:
            return shape, (assignment.value, row)
        key_of = self._simple_key
        if kind is not self._wrapper or key_of is None or (key := key_of(row)) is None:
            return None
        return shape, (assignment.value, key)

    def read(self, row: object, new: Sequence[Any], owner: object) -> tuple[RowUpdate, Values] | None:
        """
        Return the shape and the values of an update, those of the key behind them.

        Args:
            row: The wrapper, or the key.
            new: Assignments, or a model and assignments behind it.
            owner: Of the changeset, for refs.

        Returns:
            None where a model was given and nothing differs.

        Raises:
            QueryError: The row, an assignment or the model is wrong, or nothing is given.
        """
        key = self.key_of(row)
        if new and not isinstance(new[0], Assignment):
            new = self._changes(row, new[0], new[1:])
            if not new:
                return None
        if not new:
            raise QueryError(
                f"the update of a row of {self._relation} assigns nothing", hint="give assignments, or the new model"
            )
        shape, values = self.shaped(self.tells(row), new, owner)
        return shape, values + key

    def shaped(self, told: bool, assignments: Sequence[Any], owner: object) -> tuple[RowUpdate, Values]:
        """Return the shape and the values of assignments; `told` is whether the row tells its version."""
        return self._plain(told, assignments, owner) or self._checked(told, assignments, owner)

    def _plain(self, told: bool, assignments: Sequence[Any], owner: object) -> tuple[RowUpdate, Values] | None:
        """Read assignments of mere values, of a shape seen before; None for others."""
        attributes: list[Attribute[Any, Any]] = []
        values: list[Any] = []
        for each in assignments:
            if type(each) is not Assignment:
                return None
            value = each.value
            if type(value) not in EXACT and isinstance(value, (Expr, Deferred)):
                if not isinstance(value, Ref):
                    return None
                checked_ref(value, owner)
            attributes.append(each.attribute)
            values.append(value)
        shape = self._shapes.get((told, tuple(attributes)))
        return None if shape is None else (shape, tuple(values))

    def _checked(self, told: bool, assignments: Sequence[Any], owner: object) -> tuple[RowUpdate, Values]:
        pairs = checked_assignments(self.described, assignments, owner)
        values = tuple([value for _, expression in pairs for value in expression.parameters])
        attributes = tuple([each.attribute for each in assignments])
        mere = all(not isinstance(each.value, Expr) for each in assignments) and len(values) == len(pairs)
        shape = RowUpdate(
            described=self.described,
            assignments=tuple(pairs),
            key=",".join([f"{column.attribute}={expression.key}" for column, expression in pairs])
            + (" by key" if self._told and not told else ""),
            told=told,
            ordered=_keeps_order(pairs, self._touching),
            free=not _keeps_order(pairs, self._unique),
        )
        if mere:
            if len(self._shapes) >= LIMIT:
                self._shapes.clear()
            shape = self._shapes.setdefault((told, attributes), shape)
            if len(attributes) == 1:
                self._singles[attributes[0]] = shape
        return shape, values

    def _changes(self, row: object, model: object, further: Sequence[Any]) -> list[Any]:
        """Return assignments of what differs between a row's model and a new one, and the further ones given."""
        if not isinstance(model, self._model):
            raise QueryError(
                f"a {type(model).__name__} is neither an assignment nor a {_name(self.described.model)}",
                hint=f"give {self._relation} columns with to(…), or its new model",
            )
        old = self._mapping.unwrap(row) if isinstance(row, self._wrapper) else None
        if old is model and not _is_frozen(type(model)):
            self._require_nothing_deferred()
            old = None
        changed = self._changed_by_hand(old, model) if self.described.own_dehydrate else self._changed(old, model)
        overridden = {each.attribute.key for each in further if isinstance(each, Assignment)}
        stay = [
            each
            for each in changed
            if each.attribute.key not in overridden
            and not each.attribute.column.version
            and not (each.value is None and each.attribute.column.primary_key)
        ]
        return [*stay, *further]

    def _require_nothing_deferred(self) -> None:
        """Refuse to write a model whole that may have been read without some of its columns."""
        deferred = [each for each in self._attributes if each.column.options.deferred]
        if deferred:
            raise QueryError(
                f"a {_name(self.described.model)} that was changed in place cannot be written: what it was is not "
                f"known, and {', '.join([repr(each) for each in deferred])} may not have been read",
                hint="assign the columns that changed, or give a copy with other values",
            )

    def _changed(self, old: object, model: object) -> list[Assignment[Any]]:
        """Return assignments of the values of a model that another has not, or of all where there is no other."""
        values = self._mapping.dehydrate_model(model)
        if old is None:
            return [each.to(value) for each, value in zip(self._attributes, values, strict=True)]
        known = self._mapping.dehydrate_model(old)
        return [
            each.to(value)
            for each, value, before in zip(self._attributes, values, known, strict=True)
            if value is not before and not same(before, value)
        ]

    def _changed_by_hand(self, old: object, model: object) -> list[Assignment[Any]]:
        dehydrate = self.described.relation.dehydrate
        known = {} if old is None else {each.attribute.key: each.value for each in dehydrate(old)}
        return [
            each
            for each in dehydrate(model)
            if not (each.attribute.key in known and same(known[each.attribute.key], each.value))
        ]


def _keeps_order(pairs: Sequence[Assigned], unique: frozenset[str]) -> bool:
    """Whether assignments make room for other rows, or stand in their way, in one of these columns, or read rows."""
    return any(column.attribute in unique or _has_subquery(expression) for column, expression in pairs)


def _has_subquery(expression: Expr[Any, Any]) -> bool:
    return any(isinstance(each, Subquery) for each in walk(expression))


def same(old: Any, new: Any) -> bool:
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


def _fits(value: object, column: ColumnInfo) -> bool:
    """Whether a value may be one of a column, by its class."""
    python = column.type.python
    if isinstance(value, Ref):
        return True
    if not isinstance(python, type):
        return True
    return isinstance(value, python) and not (isinstance(value, bool) and python is not bool)


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
