"""
Projections: what a query's rows become.

The items of a select go in; the expressions to be read come out, and a function that makes objects of batches of raw
rows. Such functions are made once for each projection and set of codecs, and kept in a bounded table.
"""

from collections.abc import Callable, Hashable, Sequence
from itertools import starmap
from typing import Any, Final, Literal, TypeAlias, get_args, get_origin

from attrs import field, frozen

from mapper.assembly import walk
from mapper.errors import QueryError
from mapper.expressions import Attribute, Expr
from mapper.gateway import Decode
from mapper.hydration import Build, Call, Cell, Node, RowOf, TupleOf, compile_batch
from mapper.models import has_fields, inspect_model
from mapper.relation import RelationInfo, info
from mapper.types import Codecs, infer

__all__ = ["ExprItem", "Item", "ModelItem", "Projection", "RawItem", "Step", "decoder"]

LIMIT: Final = 2048
"""How many decoders are kept; making one anew takes some hundred microseconds."""


@frozen(eq=False)
class ModelItem:
    """A relation's model, or its wrapper."""

    relation: Any
    wrapped: bool

    @property
    def key(self) -> str:
        """Its identity in structural keys."""
        return f"{'w' if self.wrapped else 'm'}:{info(self.relation).token}"

    def expressions(self) -> tuple[Attribute[Any, Any], ...]:
        """The columns that it reads, in order."""
        described = info(self.relation)
        return tuple([described.attributes[each] for each in self._names(described)])

    def node(self, codecs: Codecs, start: int) -> Node:
        """Return how it is made of the values from position `start` on."""
        described = info(self.relation)
        names = self._names(described)
        positions = {name: start + index for index, name in enumerate(names)}
        decoders = {name: codecs.decoder(described.column(name).type) for name in names}
        mapping = described.mapping
        if mapping is None:
            raise QueryError(f"{described.name} is a common table and has no model", hint="select its columns")
        model = (
            _by_hand(described, positions, decoders)
            if described.own_hydrate
            else mapping.model_node(positions, decoders)
        )
        return mapping.wrapper_node(positions, decoders, model=model) if self.wrapped else model

    def _names(self, described: RelationInfo) -> Sequence[str]:
        if described.own_hydrate:
            return [each.attribute for each in described.columns if not each.options.deferred]
        if described.mapping is None:
            return ()
        return described.mapping.wrapper_reads if self.wrapped else described.mapping.model_reads


@frozen(eq=False)
class ExprItem:
    """An expression's value."""

    expression: Expr[Any, Any]

    @property
    def key(self) -> str:
        """Its identity in structural keys."""
        return f"e:{self.expression.key}{'?' if self.expression.nullable else ''}"

    def expressions(self) -> tuple[Expr[Any, Any], ...]:
        """The expression alone."""
        return (self.expression,)

    def node(self, codecs: Codecs, start: int) -> Node:
        """Return how it is made of the value at position `start`."""
        expression = self.expression
        name = _name(expression, start)
        sensitive = isinstance(expression, Attribute) and expression.column.options.sensitive
        return Cell(start, codecs.decoder(expression.type), expression.nullable, name, sensitive=sensitive)


@frozen(eq=False)
class RawItem:
    """Rows of a statement of the user's own, whose columns are known only when it has run."""

    model: Any

    @property
    def key(self) -> str:
        """Its identity in structural keys."""
        return f"raw:{getattr(self.model, '__qualname__', self.model)}@{id(self.model)}"

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


Item: TypeAlias = ModelItem | ExprItem | RawItem

Step: TypeAlias = tuple[Literal["into", "map"], Callable[..., Any]]
"""A function of the user's own over each row: `into` is called with the row's items, `map` with the row."""


@frozen(eq=False)
class Projection:
    """
    The items of a select. One item alone gives itself as a row, several give a tuple.

    Attributes:
        hidden: How many of the items, at the end, are read for the framework's own use.
        key: The same for the same items, whatever the values in them.
        parameters: Their values, in order.
    """

    items: tuple[Item, ...]
    hidden: int = 0
    key: str = field(init=False)
    parameters: tuple[Any, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "key", f"[{';'.join([each.key for each in self.items])}]")
        values = [value for item in self.items if isinstance(item, ExprItem) for value in item.expression.parameters]
        object.__setattr__(self, "parameters", tuple(values))

    @property
    def single(self) -> bool:
        """Whether a row is the one item itself."""
        return len(self.items) == 1

    def outputs(self) -> tuple[tuple[Expr[Any, Any], ...], tuple[str, ...]]:
        """Return the expressions to be read, in order, and their names."""
        expressions = [each for item in self.items for each in item.expressions()]
        return tuple(expressions), tuple([_name(each, position) for position, each in enumerate(expressions)])

    def first_relation(self) -> Any:
        """Return the relation of the first item that names one, or None."""
        for item in self.items:
            if isinstance(item, ModelItem):
                return item.relation
            for each in (part for expression in item.expressions() for part in walk(expression)):
                if isinstance(each, Attribute):
                    return each.relation
        return None

    def decode(self, codecs: Codecs) -> Decode[Any]:
        """Make the function that makes rows of raw rows."""
        only = self.items[0]
        if isinstance(only, RawItem):
            return _raw_decode(only, codecs)
        nodes: list[Node] = []
        start = 0
        for item in self.items:
            assert not isinstance(item, RawItem)
            nodes.append(item.node(codecs, start))
            start += len(item.expressions())
        batch = compile_batch(nodes[0] if self.single else TupleOf(tuple(nodes)), width=start)

        def decode(rows: Sequence[Any], names: Sequence[str]) -> list[Any]:
            del names
            return batch(rows)

        return decode


def decoder(items: Projection, steps: tuple[Step, ...], codecs: Codecs) -> Decode[Any]:
    """Return the function that makes a query's rows of raw rows, its own functions included."""
    key = (items.key, items.hidden, codecs)
    decode = _decoders.get(key)
    if decode is None:
        decode = items.decode(codecs)
        if len(_decoders) >= LIMIT:
            del _decoders[next(iter(_decoders))]
        _decoders[key] = decode
    return decode if not steps else _with_steps(decode, steps)


_decoders: Final[dict[Any, Decode[Any]]] = {}


def _with_steps(decode: Decode[Any], steps: tuple[Step, ...]) -> Decode[Any]:
    """Run the user's functions apart from the generated one: they may be lambdas, made anew for each query."""

    def stepped(rows: Sequence[Any], names: Sequence[str]) -> list[Any]:
        made = decode(rows, names)
        for kind, build in steps:
            made = list(starmap(build, made)) if kind == "into" else list(map(build, made))
        return made

    return stepped


def _raw_decode(item: RawItem, codecs: Codecs) -> Decode[Any]:
    known: dict[tuple[str, ...], Callable[[Sequence[Any]], list[Any]]] = {}

    def decode(rows: Sequence[Any], names: Sequence[str]) -> list[Any]:
        columns = tuple(names)
        batch = known.get(columns)
        if batch is None:
            known.clear()
            batch = known[columns] = compile_batch(item.node(codecs, columns), width=len(columns))
        return batch(rows)

    return decode


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


def _name(expression: Expr[Any, Any], position: int) -> str:
    return expression.column.attribute if isinstance(expression, Attribute) else f"c{position}"
