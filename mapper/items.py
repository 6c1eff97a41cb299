"""
Items of a select: models, wrappers, embedded objects, expressions, and rows of raw statements.

What the user selects goes in as one of these; the expressions that are read for it come out, and the node that says how
it is made of their values.
"""

from collections.abc import Hashable, Sequence
from copy import copy
from typing import Any, TypeAlias, get_args, get_origin

from attrs import evolve, frozen

from mapper.errors import QueryError
from mapper.expressions import Attribute, Expr, RowValue
from mapper.hydration import Build, Call, Cell, Maybe, Node, RowOf, TupleOf, place
from mapper.mapping import RelationMapping
from mapper.models import has_fields, inspect_model
from mapper.relation import RelationInfo, described_name, info
from mapper.terms import Present
from mapper.types import Codecs, infer

__all__ = ["AnyModelItem", "ExprItem", "Item", "ModelItem", "PartItem", "RawItem", "TupleItem", "maybe", "name_of"]


def maybe(expression: Expr[Any, Any]) -> Any:
    """Return an expression that may be NULL where it stands, as the columns of a left-joined relation are."""
    if expression.nullable:
        return expression
    twin = copy(expression)
    twin.nullable = True
    twin.key = f"{expression.key}?"
    return twin


@frozen(eq=False)
class ModelItem:
    """
    A relation's model, or its wrapper.

    Attributes:
        optional: None stands for it where a join has no row of the relation.
        shown: Deferred columns that are read nevertheless.
    """

    relation: Any
    wrapped: bool
    optional: bool = False
    shown: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its identity in structural keys."""
        kind = "w" if self.wrapped else "m"
        return (
            f"{kind}:{info(self.relation).token}{'?' if self.optional else ''}{''.join([f'+{x}' for x in self.shown])}"
        )

    @property
    def parameters(self) -> tuple[Any, ...]:
        """None: it reads columns."""
        return ()

    def expressions(self) -> tuple[Expr[Any, Any], ...]:
        """The columns that it reads, in order; then what tells whether there is a row, where that is not among them."""
        described = info(self.relation)
        columns = [described.attributes[each] for each in self._names(described)]
        if not self.optional:
            return tuple(columns)
        return tuple([maybe(each) for each in (*columns, *self._markers(described, columns))])

    def node(self, codecs: Codecs, start: int) -> Node:
        """Return how it is made of the values from position `start` on."""
        described = info(self.relation)
        names = self._names(described)
        positions = {name: start + index for index, name in enumerate(names)}
        decoders = {name: codecs.decoder(described.column(name).type) for name in names}
        mapping = self._mapping(described)
        if mapping is None:
            raise QueryError(f"{described.name} is a common table and has no model", hint="select its columns")
        model = (
            _by_hand(described, positions, decoders)
            if described.own_hydrate
            else mapping.model_node(positions, decoders)
        )
        whole = mapping.wrapper_node(positions, decoders, model=model) if self.wrapped else model
        return Maybe(whole, self._absent_when(described, start)) if self.optional else whole

    def reads(self, column: Attribute[Any, Any]) -> bool:
        """Whether a column is one of the relation's."""
        return info(column.relation).token == info(self.relation).token

    def showing(self, column: Attribute[Any, Any]) -> "ModelItem":
        """Return the item with a deferred column read; the item itself where it has no such column."""
        return evolve(self, shown=_with_column(self.shown, column)) if self.reads(column) else self

    def _mapping(self, described: RelationInfo) -> RelationMapping | None:
        return described.mapping and described.mapping.showing(self.shown)

    def _names(self, described: RelationInfo) -> Sequence[str]:
        if described.own_hydrate:
            return [
                each.attribute
                for each in described.columns
                if not each.options.deferred or each.attribute in self.shown
            ]
        mapping = self._mapping(described)
        if mapping is None:
            return ()
        return mapping.wrapper_reads if self.wrapped else mapping.model_reads

    def _markers(self, described: RelationInfo, columns: Sequence[Attribute[Any, Any]]) -> tuple[Expr[Any, Any], ...]:
        """Return what is read beside the columns to tell whether there is a row."""
        read = {each.key for each in columns}
        return tuple([each for each in _presence(described, columns) if each.key not in read])

    def _absent_when(self, described: RelationInfo, start: int) -> tuple[int, ...]:
        columns = [described.attributes[each] for each in self._names(described)]
        order = [each.key for each in (*columns, *self._markers(described, columns))]
        return tuple([start + order.index(each.key) for each in _presence(described, columns)])


def _with_column(shown: tuple[str, ...], column: Attribute[Any, Any]) -> tuple[str, ...]:
    return tuple(sorted({*shown, column.column.attribute}))


def _presence(described: RelationInfo, columns: Sequence[Attribute[Any, Any]]) -> tuple[Expr[Any, Any], ...]:
    """
    Return what is NULL only where a join has no row of the relation: its key, a column that is never NULL, or a mark.
    """
    if described.primary_key:
        return tuple([described.attributes[each.attribute] for each in described.primary_key])
    for each in (*columns, *described.attributes.values()):
        if not each.nullable:
            return (each,)
    return (Present[Any](described.relation, described.token),)


@frozen(eq=False)
class AnyModelItem:
    """
    A model, of the relation among those read whose model it is.

    Attributes:
        candidates: The relations that it may be of; it is known where there is one.
    """

    model: Any
    optional: bool = False
    shown: tuple[str, ...] = ()
    candidates: tuple[Any, ...] = ()

    @property
    def key(self) -> str:
        """Its identity in structural keys; what is read is told by the clauses behind it."""
        shown = "".join([f"+{each}" for each in self.shown])
        return f"m?:{_shown(self.model)}@{id(self.model)}{'?' if self.optional else ''}{shown}"

    @property
    def parameters(self) -> tuple[Any, ...]:
        """None: it reads columns."""
        return ()

    def showing(self, column: Attribute[Any, Any]) -> "AnyModelItem":
        """Return the item with a deferred column read, of the relation whose model it turns out to be."""
        known = info(column.relation).model == self.model
        return evolve(self, shown=_with_column(self.shown, column)) if known else self

    def found_in(self, relations: Sequence[Any]) -> "ModelItem | AnyModelItem":
        """Return the item that it is where these are the relations that a query reads."""
        candidates = tuple([each for each in relations if info(each).model == self.model])
        if len(candidates) == 1:
            return ModelItem(candidates[0], False, self.optional, self.shown)
        return evolve(self, candidates=candidates)

    def expressions(self) -> tuple[Expr[Any, Any], ...]:
        """
        Nothing yet.

        Raises:
            QueryError: Always: the query reads no relation of the model, or several.
        """
        raise self._unknown()

    def node(self, codecs: Codecs, start: int) -> Node:
        """As `expressions`."""
        del codecs, start
        raise self._unknown()

    def _unknown(self) -> QueryError:
        name = _shown(self.model)
        if not self.candidates:
            return QueryError(
                f"{name} is selected, and the query reads no relation whose model it is",
                hint="say which: from_(…), or join the relation",
            )
        several = " and ".join([described_name(info(each)) for each in self.candidates])
        return QueryError(
            f"{name} is selected, and it is the model of {several}",
            hint=f"say which: model_of({described_name(info(self.candidates[0]))})",
        )


@frozen(eq=False)
class PartItem:
    """
    An object that is embedded in a relation's model, kept in several columns.

    Attributes:
        field: The name of the model's field, which the columns' names begin with.
        optional: None stands for it where a join has no row of the relation; that its columns are all NULL is another
            matter, and told by the field's type.
    """

    relation: Any
    field: str
    optional: bool = False

    @property
    def key(self) -> str:
        """Its identity in structural keys."""
        return f"p:{info(self.relation).token}.{self.field}{'?' if self.optional else ''}"

    @property
    def parameters(self) -> tuple[Any, ...]:
        """None: it reads columns."""
        return ()

    def expressions(self) -> tuple[Expr[Any, Any], ...]:
        """The columns that it reads, in order; then what tells whether there is a row."""
        described, plan = self._described()
        columns = [described.attributes[each] for each in plan.columns]
        if not self.optional:
            return tuple(columns)
        return tuple([maybe(each) for each in (*columns, *_presence(described, columns))])

    def node(self, codecs: Codecs, start: int) -> Node:
        """Return how it is made of the values from position `start` on."""
        described, plan = self._described()
        positions = {name: start + index for index, name in enumerate(plan.columns)}
        decoders = {name: codecs.decoder(described.column(name).type) for name in plan.columns}
        made = place(plan, positions, decoders, relation=described.original.__name__)
        if not self.optional:
            return made
        columns = [described.attributes[each] for each in plan.columns]
        behind = start + len(columns)
        return Maybe(made, tuple(range(behind, behind + len(_presence(described, columns)))))

    def _described(self) -> tuple[RelationInfo, Any]:
        described = info(self.relation)
        plan = None if described.mapping is None else described.mapping.part(self.field)
        if plan is None:
            raise QueryError(f"{self.field!r} is no embedded object of {described.original.__name__}")
        return described, plan


@frozen(eq=False)
class ExprItem:
    """An expression's value."""

    expression: Expr[Any, Any]

    @property
    def key(self) -> str:
        """Its identity in structural keys."""
        return f"e:{self.expression.key}{'?' if self.expression.nullable else ''}"

    @property
    def parameters(self) -> tuple[Any, ...]:
        """The expression's."""
        return self.expression.parameters

    def expressions(self) -> tuple[Expr[Any, Any], ...]:
        """The expression alone."""
        return (self.expression,)

    def node(self, codecs: Codecs, start: int) -> Node:
        """Return how it is made of the value at position `start`."""
        return _cell(self.expression, codecs, start)


@frozen(eq=False)
class TupleItem:
    """Several expressions as one item: a tuple within the row."""

    row: RowValue[Any, Any]

    @property
    def key(self) -> str:
        """Its identity in structural keys."""
        return f"t:({';'.join([each.key + '?' * each.nullable for each in self.row.items])})"

    @property
    def parameters(self) -> tuple[Any, ...]:
        """Those of the expressions, in order."""
        return self.row.parameters

    def expressions(self) -> tuple[Expr[Any, Any], ...]:
        """The expressions, in order."""
        return self.row.items

    def node(self, codecs: Codecs, start: int) -> Node:
        """Return how it is made of the values from position `start` on."""
        return TupleOf(tuple([_cell(each, codecs, start + index) for index, each in enumerate(self.row.items)]))


@frozen(eq=False)
class RawItem:
    """Rows of a statement of the user's own, whose columns are known only when it has run."""

    model: Any

    @property
    def key(self) -> str:
        """Its identity in structural keys."""
        return f"raw:{getattr(self.model, '__qualname__', self.model)}@{id(self.model)}"

    @property
    def parameters(self) -> tuple[Any, ...]:
        """None: they are the statement's."""
        return ()

    def expressions(self) -> tuple[Expr[Any, Any], ...]:
        """Nothing: the statement says what it gives."""
        return ()

    def node(self, codecs: Codecs, names: Sequence[str]) -> Node:
        """
        Return how a row with columns of these names is made: a class with fields by name, a tuple or a single value by
        position.
        """
        if get_origin(self.model) is tuple:
            parts = get_args(self.model)
            if len(parts) != len(names):
                raise QueryError(
                    f"the raw statement gives {len(names)} columns, and {self.model} has {len(parts)} items"
                )
            return TupleOf(tuple([_typed_cell(each, codecs, index, names[index]) for index, each in enumerate(parts)]))
        if not has_fields(self.model):
            if len(names) != 1:
                raise QueryError(
                    f"the raw statement gives {len(names)} columns for one value of {self.model}",
                    hint="use tuple[…] or a class",
                )
            return _typed_cell(self.model, codecs, 0, names[0])
        return self._object(codecs, names)

    def _object(self, codecs: Codecs, names: Sequence[str]) -> Node:
        shape = inspect_model(self.model)
        arguments = []
        for each in shape.fields:
            if each.name in names:
                arguments.append((each, _typed_cell(each.annotation, codecs, names.index(each.name), each.name)))
            elif each.required:
                raise QueryError(
                    f"the raw statement gives no column {each.name!r} for {shape.name}; it gives: {', '.join(names)}",
                    hint=f"name the column: select … as {each.name}",
                )
        return Build(shape, tuple(arguments))


Item: TypeAlias = ModelItem | AnyModelItem | PartItem | ExprItem | TupleItem | RawItem


def name_of(expression: Expr[Any, Any], position: int) -> str:
    """Return the name of an output column: the attribute's, or one made of the position."""
    return expression.column.attribute if isinstance(expression, Attribute) else f"c{position}"


def _cell(expression: Expr[Any, Any], codecs: Codecs, start: int) -> Cell:
    sensitive = isinstance(expression, Attribute) and expression.column.options.sensitive
    return Cell(
        start,
        codecs.decoder(expression.type),
        expression.nullable,
        name_of(expression, start),
        sensitive=sensitive,
    )


def _by_hand(described: RelationInfo, positions: dict[str, int], decoders: dict[str, Any]) -> Node:
    """Return a node that gives a row to the relation's own `hydrate`, which may name its columns by alias or not."""
    original = info(described.original)
    cells: list[Cell] = []
    places: dict[Hashable, int] = {}
    for index, (name, position) in enumerate(positions.items()):
        column = described.column(name)
        cells.append(
            Cell(
                position,
                decoders[name],
                column.nullable,
                name,
                original.relation.__name__,
                sensitive=column.options.sensitive,
            )
        )
        places[described.attributes[name].key] = index
        places[original.attributes[name].key] = index
    return Call(described.relation.hydrate, RowOf(tuple(cells), places))


def _typed_cell(annotation: Any, codecs: Codecs, index: int, name: str) -> Cell:
    storage, nullable = infer(annotation)
    return Cell(index, codecs.decoder(storage), nullable, name)


def _shown(model: Any) -> str:
    return getattr(model, "__name__", None) or repr(model)
