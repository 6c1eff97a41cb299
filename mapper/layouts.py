"""
Row layouts: what a pushed model, wrapper or assignment gives for which column.

A model and assignments go in; a shape (which columns are given) and a tuple of values in the order of those columns
come out. Defaults are filled in later, for all rows of a shape at once, so that a changeset stays what the user said.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias, get_origin

from attrs import field, frozen

from mapper.columns import NOT_GIVEN, ColumnInfo
from mapper.deferred import Deferred, Placeholder, Ref
from mapper.errors import QueryError
from mapper.expressions import Assignment, Expr, Parameter
from mapper.mapping import RelationMapping
from mapper.relation import RelationInfo
from mapper.types import Codecs

__all__ = ["DecodeKey", "Read", "RowReader", "RowShape", "Values", "reader_of", "shape_of"]

Values: TypeAlias = tuple[Any, ...]

Read: TypeAlias = Callable[[Any], Values]

DecodeKey: TypeAlias = Callable[[Values], Any]
"""Makes a key of what the store gives back: its one value, or a tuple of several."""

LIMIT: Final = 2048
"""Shapes, readers and layouts that are kept; where there are more, all are made anew."""


@frozen(eq=False)
class RowShape:
    """
    Which columns rows give, and how they are completed. There is one for each relation and set of columns.

    Attributes:
        given: Columns that the rows give, in the order of declaration.
        columns: These and the ones with defaults, in the order of declaration: what goes to the store.
        generated: The key that the store has to make, or None; `generated_kind` is what gateways call its type.
        returning: The key's columns where the store decides them; () where the rows have the whole key.
        defaults: What makes the values that are added; `constants` has them where they are always the same.
        arrange: Puts a row with the added values behind it in order; None where it is.
        key_indexes: Where the key's values are in a completed row; () where `returning` has them, or there is no key.
        ready: The codecs that keys were read with last, and what makes keys with them.
    """

    described: RelationInfo
    given: tuple[ColumnInfo, ...]
    columns: tuple[ColumnInfo, ...]
    generated: ColumnInfo | None
    returning: tuple[ColumnInfo, ...]
    key_indexes: tuple[int, ...]
    names: tuple[str, ...]
    defaults: tuple[Callable[[], Any], ...] = field(repr=False)
    constants: Values | None = field(repr=False)
    arrange: Read | None = field(repr=False)
    generated_kind: str | None = field(init=False, repr=False)
    relations: frozenset[Any] = field(init=False, repr=False)
    ready: tuple[Codecs, DecodeKey | None] | None = field(init=False, default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        kind = None if self.generated is None else self.generated.type.python.__name__.lower()
        object.__setattr__(self, "generated_kind", kind)
        object.__setattr__(self, "relations", frozenset((self.described.relation,)))

    def complete(self, rows: Sequence[Values]) -> Sequence[Values]:
        """Return the rows with a value for each of `columns`; the rows themselves where nothing is to be added."""
        if not self.defaults:
            return rows
        constants = self.constants
        if constants is not None:
            added = [row + constants for row in rows]
        else:
            added = [(*row, *[make() for make in self.defaults]) for row in rows]
        return added if self.arrange is None else list(map(self.arrange, added))


_shapes: dict[tuple[str, ...], RowShape] = {}


def shape_of(described: RelationInfo, given: Sequence[ColumnInfo]) -> RowShape:
    """
    Return the shape of rows that give these columns.

    Raises:
        QueryError: A column that needs a value is not given one, and has no default.
    """
    columns = sorted(given, key=_position)
    key = (described.token, *[each.attribute for each in columns])
    known = _shapes.get(key)
    if known is None:
        if len(_shapes) >= LIMIT:
            _shapes.clear()
        known = _shapes[key] = _shape(described, tuple(columns))
    return known


def _position(column: ColumnInfo) -> int:
    return column.position


def _shape(described: RelationInfo, given: tuple[ColumnInfo, ...]) -> RowShape:
    names = {each.attribute for each in given}
    missing = [each for each in described.columns if each.attribute not in names]
    added = [each for each in missing if each.options.default is not NOT_GIVEN or each.version]
    generated = _generated(described, missing)
    for each in missing:
        if not each.has_default and each is not generated:
            raise _no_value(described, each)
    unordered = [*given, *added]
    order = sorted(range(len(unordered)), key=lambda index: unordered[index].position)
    columns = tuple([unordered[index] for index in order])
    places = {each.attribute: index for index, each in enumerate(columns)}
    whole_key = all(each.attribute in places for each in described.primary_key)
    return RowShape(
        described=described,
        given=given,
        columns=columns,
        generated=generated,
        returning=() if whole_key else described.primary_key,
        key_indexes=tuple([places[each.attribute] for each in described.primary_key]) if whole_key else (),
        names=tuple([each.attribute for each in columns]),
        defaults=tuple([_default(each) for each in added]),
        constants=None if any([callable(each.options.default) for each in added]) else _constants(added),
        arrange=None if order == sorted(order) else picker(order),
    )


def _generated(described: RelationInfo, missing: Sequence[ColumnInfo]) -> ColumnInfo | None:
    """Return the key that the store has to make up: the only column of a key, without a value and a default."""
    if len(described.primary_key) != 1 or described.primary_key[0] not in missing:
        return None
    key = described.primary_key[0]
    options = key.options
    made = options.default is not NOT_GIVEN or options.server_default is not None or options.generated is not None
    return None if made else key


def _no_value(described: RelationInfo, column: ColumnInfo) -> QueryError:
    where = f"{described.relation.__name__}.{column.attribute}"
    return QueryError(
        f"{where} is given no value and has no default",
        hint=f"assign it: push(model, {where}.to(…)); or give it a default: column(default=…)",
    )


def _constants(columns: Sequence[ColumnInfo]) -> Values:
    return tuple([_default(each)() for each in columns])


def _default(column: ColumnInfo) -> Callable[[], Any]:
    value = column.options.default
    if value is NOT_GIVEN:
        return _first_version
    if callable(value):
        made: Callable[[], Any] = value
        return made
    return lambda: value


def _first_version() -> int:
    return 1


def picker(indexes: Sequence[int]) -> Read:
    """Return a function that takes the values at these indexes, as a tuple."""
    if len(indexes) == 1:
        only = indexes[0]
        return lambda row: (row[only],)
    return itemgetter(*indexes) if indexes else lambda _: ()


@frozen(eq=False)
class _Layout:
    """
    How one kind of item with one list of assignments becomes a row.

    Attributes:
        given: Columns of the row.
        read: Takes the item's own values; those of the assignments follow them.
        pick: Puts them in order, without those that an assignment overrides; None where they are.
        optional: Indexes of values for which None means "the default".
        reduced: Layouts of rows in which some of these are None, by the indexes that stay.
    """

    described: RelationInfo
    given: tuple[ColumnInfo, ...]
    read: Read
    pick: Read | None
    optional: tuple[int, ...]
    shape: RowShape = field(init=False)
    reduced: dict[tuple[int, ...], tuple[RowShape, Read]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "shape", shape_of(self.described, self.given))

    def arrange(self, values: Values) -> tuple[RowShape, Values]:
        """Return the row that an item's values and those of the assignments make, and its shape."""
        if self.pick is not None:
            values = self.pick(values)
        for index in self.optional:
            if values[index] is None:
                return self._without_absent(values)
        return self.shape, values

    def _without_absent(self, values: Values) -> tuple[RowShape, Values]:
        absent = {index for index in self.optional if values[index] is None}
        stay = tuple([index for index in range(len(values)) if index not in absent])
        found = self.reduced.get(stay)
        if found is None:
            shape = shape_of(self.described, [self.given[index] for index in stay])
            found = self.reduced[stay] = (shape, picker(stay))
        return found[0], found[1](values)


class RowReader:
    """
    Makes rows of what is pushed to one relation: models, wrappers, and assignments beside them.

    Attributes:
        described: The relation.
        straight: The model's class, what reads one, and the shape of its rows, where reading one needs nothing else;
            None elsewhere, and before the first was read.
    """

    __slots__ = ("_layouts", "_mapping", "_model", "_wrapper", "described", "straight")

    def __init__(self, described: RelationInfo) -> None:
        if described.mapping is None:
            raise QueryError(f"{described.name} is a common table, which no store holds")
        self.described = described
        self._mapping: RelationMapping = described.mapping
        self._model: Any = get_origin(described.model) or described.model
        wrapper = described.mapping.wrapper_class
        self._wrapper: Any = wrapper if wrapper is not self._model else None
        self._layouts: dict[tuple[object, ...], _Layout] = {}
        self.straight: tuple[Any, Read, RowShape] | None = None

    def read(self, item: object, assignments: Sequence[Assignment[Any]] = ()) -> tuple[RowShape, Values]:
        """
        Return the shape and the values of a row; a value may be a `Ref`.

        Raises:
            QueryError: The item is of another class, or an assignment is wrong.
        """
        kind = type(item)
        wrapped = False if kind is self._model else self._is_wrapped(item)
        if self.described.own_dehydrate:
            return self._read_by_hand(item, wrapped, assignments)
        if not assignments:
            layout = self._layouts.get((wrapped,)) or self._layout(wrapped, ())
            return layout.arrange(layout.read(item))
        layout = self._layout_for(wrapped, assignments)
        values = layout.read(item) + tuple([_value(each) for each in assignments])
        return layout.arrange(values)

    def _is_wrapped(self, item: object) -> bool:
        if self._wrapper is not None and isinstance(item, self._wrapper):
            return True
        if isinstance(item, self._model):
            return False
        described = self.described
        wrapper = f" or {_name(described.wrapper)}" if self._wrapper is not None else ""
        raise QueryError(
            f"{described.relation.__name__} stores {_name(described.model)}{wrapper}, not {type(item).__name__}",
            hint="push the relation's own model, or choose another relation",
        )

    def _read_by_hand(
        self, item: object, wrapped: bool, assignments: Sequence[Assignment[Any]]
    ) -> tuple[RowShape, Values]:
        """Read an item of a relation with its own `dehydrate`: its assignments come first, and can be overridden."""
        model = self._mapping.unwrap(item) if wrapped else item
        own = {_attribute_key(each): each for each in self.described.relation.dehydrate(model)}
        for each in assignments:
            own.pop(_attribute_key(each), None)
        every = [*own.values(), *assignments]
        layout = self._layout_for(wrapped, every)
        return layout.arrange(layout.read(item) + tuple([_value(each) for each in every]))

    def _layout_for(self, wrapped: bool, assignments: Sequence[Assignment[Any]]) -> _Layout:
        key = (wrapped, *[_attribute_key(each) for each in assignments])
        return self._layouts.get(key) or self._layout(wrapped, assignments)

    def _layout(self, wrapped: bool, assignments: Sequence[Assignment[Any]]) -> _Layout:
        described = self.described
        own, read = self._own(wrapped)
        assigned = assigned_columns(described, assignments)
        every = [*own, *assigned]
        overridden = {each.attribute for each in assigned}
        taken = [index for index, each in enumerate(every) if index >= len(own) or each.attribute not in overridden]
        taken.sort(key=lambda index: every[index].position)
        optional = [place for place, index in enumerate(taken) if index < len(own) and _none_is_absent(every[index])]
        layout = _Layout(
            described=described,
            read=read,
            pick=None if taken == list(range(len(every))) else picker(taken),
            given=tuple([every[index] for index in taken]),
            optional=tuple(optional),
        )
        if len(self._layouts) >= LIMIT:
            self._layouts.clear()
        self._layouts[wrapped, *[each.attribute.key for each in assignments]] = layout
        if not wrapped and not assignments and not optional and layout.pick is None and not described.own_dehydrate:
            self.straight = (self._model, layout.read, layout.shape)
        return layout

    def _own(self, wrapped: bool) -> tuple[tuple[ColumnInfo, ...], Read]:
        """Return the columns that an item gives by itself, and what takes their values."""
        mapping, by_hand = self._mapping, self.described.own_dehydrate
        names = () if by_hand else mapping.model_columns
        if not wrapped:
            return self._columns(names), _nothing if by_hand else mapping.dehydrate_model
        if mapping.wrapper_problem is not None:
            raise QueryError(
                f"{_name(self.described.wrapper)} cannot be pushed: {mapping.wrapper_problem}", hint="push its model"
            )
        around, unwrap, model = mapping.wrapper_values, mapping.unwrap, mapping.dehydrate_model
        if by_hand:
            return self._columns(mapping.wrapper_columns), around
        return self._columns((*mapping.wrapper_columns, *names)), lambda item: around(item) + model(unwrap(item))

    def _columns(self, names: Sequence[str]) -> tuple[ColumnInfo, ...]:
        return tuple([self.described.column(each) for each in names])


_readers: dict[str, RowReader] = {}


def reader_of(described: RelationInfo) -> RowReader:
    """Return the reader of a relation."""
    known = _readers.get(described.token)
    if known is None:
        if len(_readers) >= LIMIT:
            _readers.clear()
        known = _readers[described.token] = RowReader(described)
    return known


def assigned_columns(described: RelationInfo, assignments: Sequence[Assignment[Any]]) -> list[ColumnInfo]:
    """
    Return the columns of assignments to one relation.

    Raises:
        QueryError: One is no assignment, is to another relation's column or to a generated one, or comes twice.
    """
    columns: list[ColumnInfo] = []
    for each in assignments:
        column = assigned_column(described, each)
        if column in columns:
            raise QueryError(
                f"{described.relation.__name__}.{column.attribute} is assigned twice", hint="assign it once"
            )
        columns.append(column)
    return columns


def assigned_column(described: RelationInfo, assignment: object) -> ColumnInfo:
    """Return the column of one assignment; errors as of `assigned_columns`."""
    name = described.relation.__name__
    if not isinstance(assignment, Assignment):
        raise QueryError(
            f"{assignment!r} is not an assignment", hint=f"assign with to: {name}.{_any_column(described)}.to(value)"
        )
    attribute = assignment.attribute
    if described.attributes.get(attribute.column.attribute) is not attribute:
        raise QueryError(f"{assignment!r} is not an assignment to {name}", hint=f"assign a column of {name} itself")
    if attribute.column.options.generated is not None:
        raise QueryError(f"{name}.{attribute.column.attribute} is generated by the store", hint="leave it out")
    return attribute.column


def _any_column(described: RelationInfo) -> str:
    return described.columns[-1].attribute


def _attribute_key(assignment: object) -> str:
    if isinstance(assignment, Assignment):
        return assignment.attribute.key
    return ""


def _value(assignment: Assignment[Any]) -> Any:
    """Return the value that a row has: a plain one, or a `Ref`."""
    value = assignment.value
    if isinstance(value, (Expr, Deferred)) and not isinstance(value, Ref):
        return _constant(assignment, value)
    return value


def _constant(assignment: Assignment[Any], value: Expr[Any, Any] | Deferred) -> Any:
    if isinstance(value, Parameter):
        return _value(assignment.attribute.to(value.parameters[0]))
    if isinstance(value, Placeholder):
        raise QueryError(f"{assignment!r} takes a placeholder, which only prepared queries have")
    raise QueryError(
        f"{assignment!r} takes an expression, and a new row takes values",
        hint="give the value, or let the store make it: column(server_default=…)",
    )


def _none_is_absent(column: ColumnInfo) -> bool:
    """Whether None from a model can only mean that the column is to take its default."""
    return not column.nullable and (column.has_default or column.primary_key)


def _nothing(_: object) -> Values:
    return ()


def _name(model: Any) -> str:
    return getattr(model, "__name__", None) or repr(model)
