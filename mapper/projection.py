"""
Projections: what a query's rows become.

The items of a select go in; the expressions to be read come out, and a function that makes objects of batches of raw
rows. Such functions are made once for each projection and set of codecs, and kept in a bounded table.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from itertools import starmap
from typing import Any, Final, Literal, TypeAlias

from attrs import field, frozen

from mapper.assembly import walk
from mapper.errors import QueryError
from mapper.expressions import Attribute, Expr
from mapper.gateway import Decode
from mapper.hydration import Cell, Node, TupleOf, compile_batch, compile_groups
from mapper.items import AnyModelItem, ExprItem, Item, ModelItem, PartItem, RawItem, TupleItem, name_of
from mapper.nullability import becomes_null, missing_item
from mapper.relation import described_name, info
from mapper.types import Codecs

__all__ = [
    "AnyModelItem",
    "ExprItem",
    "Item",
    "ModelItem",
    "PartItem",
    "Projection",
    "RawItem",
    "Step",
    "TupleItem",
    "decoder",
    "grouped_decoder",
    "keyed_decoder",
]

LIMIT: Final = 2048
"""How many decoders are kept; making one anew takes some hundred microseconds."""


Step: TypeAlias = tuple[Literal["into", "map", "combine"], Any]
"""
What happens to each row once it is read: a function of the user's own, which `into` calls with the row's items and
`map` with the row, or a combination, by which it grows.
"""


@frozen(eq=False)
class Projection:
    """
    The items of a select. One item alone gives itself as a row, several give a tuple.

    Attributes:
        hidden: How many of the items, at the end, are read for the framework's own use.
        open: The items as they were selected, where some are models whose relations the clauses tell; else ().
        key: The same for the same items, whatever the values in them.
        parameters: Their values, in order.
        ready: The codecs that it was read with last, and the function that was made for them.
    """

    items: tuple[Item, ...]
    hidden: int = 0
    open: tuple[Item, ...] = ()
    key: str = field(init=False)
    parameters: tuple[Any, ...] = field(init=False)
    ready: tuple[Codecs, Decode[Any]] | None = field(init=False, default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "key", f"[{';'.join([each.key for each in self.items])}]")
        object.__setattr__(self, "parameters", tuple([value for item in self.items for value in item.parameters]))
        if not self.open and any(isinstance(each, AnyModelItem) for each in self.items):
            object.__setattr__(self, "open", self.items)

    @property
    def single(self) -> bool:
        """Whether a row is the one item itself."""
        return len(self.items) == 1

    def outputs(self) -> tuple[tuple[Expr[Any, Any], ...], tuple[str, ...]]:
        """Return the expressions to be read, in order, and their names."""
        expressions = [each for item in self.items for each in item.expressions()]
        return tuple(expressions), tuple([name_of(each, position) for position, each in enumerate(expressions)])

    def reading(self, relations: Sequence[Any]) -> "Projection":
        """Return the projection of a query that reads these relations, which tell those of models."""
        found = tuple([each.found_in(relations) if isinstance(each, AnyModelItem) else each for each in self.open])
        return Projection((*found, *self.items[len(found) :]), self.hidden, self.open)

    def with_items(self, change: Callable[[Item], Item]) -> "Projection":
        """Return the projection with each item changed."""
        changed = tuple([change(each) for each in self.items])
        return Projection(changed, self.hidden, tuple([change(each) for each in self.open]))

    def require_optional(self, missing: AbstractSet[str], away: AbstractSet[str] = frozenset()) -> None:
        """
        Refuse items that would be there only sometimes, and do not say so.

        Args:
            missing: Tokens of the relations of which a join may have no row.
            away: Keys of expressions that some groups are no part of.

        Raises:
            QueryError: One reads such a relation without being optional.
        """
        for item in self.items:
            if isinstance(item, ModelItem | PartItem):
                if not item.optional and info(item.relation).token in missing:
                    raise _not_optional(f"{described_name(info(item.relation))}", item)
                continue
            for each in item.expressions():
                if each.key in away and not each.nullable:
                    raise QueryError(
                        f"{each!r} is selected, and some groups are no part of it",
                        hint="say so: optional(…) around the column",
                    )
                if becomes_null(each, missing):
                    raise _not_optional(repr(each), item)
                listed = missing_item(each, missing)
                if listed is not None:
                    raise _not_optional(repr(listed), item)

    def first_relation(self) -> Any:
        """Return the relation of the first item that names one, or None; of a model alone it is not known."""
        for item in self.items:
            if isinstance(item, ModelItem | PartItem):
                return item.relation
            if isinstance(item, AnyModelItem):
                return None
            for each in (part for expression in item.expressions() for part in walk(expression)):
                if isinstance(each, Attribute):
                    return each.relation
        return None

    def decode(self, codecs: Codecs) -> Decode[Any]:
        """Make the function that makes rows of raw rows."""
        only = self.items[0]
        if isinstance(only, RawItem):
            return _raw_decode(only, codecs)
        nodes, width = self._nodes(codecs)
        return compile_batch(nodes[0] if self.single else TupleOf(tuple(nodes)), width=width)

    def decode_keyed(self, groups: Sequence[Sequence[int]], codecs: Codecs) -> Decode[Any]:
        """Make the function of `keyed_decoder`."""
        row, width = self._shown(codecs)
        return compile_batch(TupleOf((row, *self._keys(groups, codecs))), width=width)

    def decode_grouped(self, group: Sequence[int], codecs: Codecs) -> Decode[dict[Any, list[Any]]]:
        """Make the function of `grouped_decoder`."""
        row, width = self._shown(codecs)
        return compile_groups(row, self._keys([group], codecs)[0], width=width)

    def _shown(self, codecs: Codecs) -> tuple[Node, int]:
        """Return how a row of the items that are not hidden is made of a raw row, and how many values that has."""
        nodes, width = self._nodes(codecs)
        shown = nodes[: len(nodes) - self.hidden]
        return shown[0] if len(shown) == 1 else TupleOf(tuple(shown)), width

    def _keys(self, groups: Sequence[Sequence[int]], codecs: Codecs) -> list[Node]:
        """Return how the values at groups of positions are made of a raw row: a tuple where they are several."""
        expressions, names = self.outputs()
        beside: list[Node] = []
        for group in groups:
            cells = [Cell(each, codecs.decoder(expressions[each].type), True, names[each]) for each in group]
            beside.append(cells[0] if len(cells) == 1 else TupleOf(tuple(cells)))
        return beside

    def _nodes(self, codecs: Codecs) -> tuple[list[Node], int]:
        """Return how each item is made of a raw row, and how many values that has."""
        nodes: list[Node] = []
        start = 0
        for item in self.items:
            assert not isinstance(item, RawItem)
            nodes.append(item.node(codecs, start))
            start += len(item.expressions())
        return nodes, start


def _not_optional(name: str, item: Item) -> QueryError:
    what = "column" if isinstance(item, ExprItem | TupleItem) else "relation or the model"
    return QueryError(
        f"{name} is selected, and a join may leave rows without it",
        hint=f"say so: optional(…) around the {what}",
    )


def decoder(items: Projection, steps: tuple[Step, ...], codecs: Codecs) -> Decode[Any]:
    """Return the function that makes a query's rows of raw rows, its own functions included."""
    ready = items.ready
    if ready is None or ready[0] is not codecs:
        key = (items.key, items.hidden, codecs)
        ready = (codecs, _decoders.get(key) or _kept(key, items.decode(codecs)))
        object.__setattr__(items, "ready", ready)
    return ready[1] if not steps else _with_steps(ready[1], steps)


def keyed_decoder(items: Projection, groups: Sequence[Sequence[int]], codecs: Codecs) -> Decode[Any]:
    """
    Return the function that makes tuples of raw rows: the row of the items that are not hidden, and behind it the
    values at each group of positions, as a tuple where they are several.
    """
    key = (items.key, items.hidden, tuple(groups), codecs)
    decode = _decoders.get(key)
    return decode if decode is not None else _kept(key, items.decode_keyed(groups, codecs))


def grouped_decoder(items: Projection, group: Sequence[int], codecs: Codecs) -> Decode[dict[Any, list[Any]]]:
    """
    Return the function that makes of raw rows one dict in a list: by the values at a group of positions, a tuple where
    they are several, the rows of the items that are not hidden.
    """
    key = (items.key, items.hidden, "by", group, codecs)
    decode = _decoders.get(key)
    return decode if decode is not None else _kept(key, items.decode_grouped(group, codecs))


def _kept(key: Any, decode: Decode[Any]) -> Decode[Any]:
    if len(_decoders) >= LIMIT:
        del _decoders[next(iter(_decoders))]
    _decoders[key] = decode
    return decode


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
        if not rows:
            return []  # a store may tell no names where there are no rows
        columns = tuple(names)
        batch = known.get(columns)
        if batch is None:
            known.clear()
            batch = known[columns] = compile_batch(item.node(codecs, columns), width=len(columns))
        return batch(rows)

    return decode
