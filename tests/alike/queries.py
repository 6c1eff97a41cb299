"""
Random queries: sources and joins, conditions, groups, windows, set operations, subqueries and common tables.

Nothing goes in; a `Drawn` comes out, which knows what capabilities the query needs and whether its rows have one order.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from gateways.sql.fulljoins import is_on_equality
from gateways.sql.shapes import has_subquery
from mapper import fn, groups_between, optional, outer, range_between, rows_between, select
from mapper.assembly import walk
from mapper.expressions import Attribute, Order, Parameter
from mapper.functions import Aggregate, Frame
from mapper.relation import info
from mapper.terms import Outer
from tests.alike.data import Authors, Books, Loans, Pairs, Steps
from tests.alike.expressions import Expressions, Node, Reach, kind_of

__all__ = ["Drawn", "queries"]


@attrs.frozen(repr=False)
class Drawn:
    """
    A random query.

    Attributes:
        query: The query.
        needs: The capabilities that a gateway must have to run it.
        ordered: Whether its rows have one order, ties among equal rows apart.
    """

    query: Any
    needs: frozenset[str]
    ordered: bool

    def __repr__(self) -> str:
        return f"<drawn {self.query.key} with {self.query.parameters!r}>"


JOINS: Final = ("inner", "left", "right", "full", "cross")
SET_OPERATIONS: Final = ("union", "union_all", "intersect", "intersect_all", "except_", "except_all")


@attrs.define
class _Sources:
    """What a query reads from: a relation, and joins to others with their conditions."""

    first: Any
    joins: list[tuple[str, Any, Any]]

    @property
    def relations(self) -> list[Any]:
        return [self.first, *[each for _, each, _ in self.joins]]

    @property
    def columns(self) -> list[Node]:
        return [each for relation in self.relations for each in info(relation).attributes.values()]

    @property
    def identity(self) -> list[Node]:
        """What is different in every row: all columns, for a common table has no key."""
        keys: list[Node] = []
        for relation in self.relations:
            described = info(relation)
            columns = described.primary_key or described.columns
            keys.extend(described.attributes[each.attribute] for each in columns)
        return keys

    def read(self, items: Sequence[Node]) -> Any:
        """Begin the query."""
        shown = [optional(each) for each in items] if self.joins else items
        query: Any = select(*shown).from_(self.first)
        for kind, relation, condition in self.joins:
            query = _JOIN[kind](query, relation, condition)
        return query


_JOIN: Final[dict[str, Callable[[Any, Any, Any], Any]]] = {
    "inner": lambda query, relation, condition: query.join(relation, on=condition),
    "left": lambda query, relation, condition: query.left_join(relation, on=condition),
    "right": lambda query, relation, condition: query.right_join(relation, on=condition),
    "full": lambda query, relation, condition: query.full_join(relation, on=condition),
    "cross": lambda query, relation, condition: query.cross_join(relation),
}


class Queries:
    """Draws queries of one statement: aliases are counted, and some capabilities gathered, over all of it."""

    def __init__(self, draw: DrawFn) -> None:
        self.draw = draw
        self.needs: set[str] = set()
        self._commons: dict[Any, Any] = {}
        self._defining = False
        self._aliases = 0

    def _flip(self, of: int = 2) -> bool:
        """Return True once in `of` times, and mostly False while shrinking."""
        return self.draw(st.integers(0, of - 1)) == of - 1

    # -- the whole -----------------------------------------------------------------------------------------------------

    def whole(self) -> Drawn:
        """Draw a statement."""
        if self._flip(4):
            query, ordered = self._compound()
        else:
            query, ordered = self.simple(None, (), depth=2)
        for relation, definition in self._commons.items():
            query = query.with_(relation, definition, recursive=relation is Steps)
        return Drawn(query, _needs(query.key) | self.needs, ordered)

    def _compound(self) -> tuple[Any, bool]:
        kinds = self.draw(
            st.lists(st.sampled_from(["int", "text", "decimal", "date", "float", "bool"]), min_size=1, max_size=2)
        )
        query, items = self._part(kinds)
        for _ in range(self.draw(st.integers(1, 2))):
            operation = self.draw(st.sampled_from(SET_OPERATIONS))
            query = getattr(query, operation)(self._part(kinds)[0])
        if not self._flip() or not all(_is_told_apart(each) for each in items):
            return query, False
        query = query.order_by(*self._directed(items))
        return (self._limited(query) if self._flip() else query), True

    def _part(self, kinds: Sequence[str]) -> tuple[Any, list[Node]]:
        sources = self._sources(())
        reach = Reach(sources.columns, None)
        items = [Expressions(self.draw, reach).of(kind, 1) for kind in kinds]
        shown = [optional(each) for each in items] if sources.joins else items
        query = self._filtered(sources.read(items), reach, 1)
        return query, shown

    # -- one select ----------------------------------------------------------------------------------------------------

    def simple(
        self, kinds: Sequence[str] | None, outers: Sequence[Node], *, depth: int, single: bool = False
    ) -> tuple[Any, bool]:
        """
        Draw a select.

        Args:
            kinds: Of its columns; None for any.
            outers: Columns of the enclosing query.
            depth: Of its expressions.
            single: It gives one row at most.
        """
        sources = self._sources(outers)
        reach = self._reach([*sources.columns, *outers], sources, depth)
        if single and self._flip():
            return self._grouped(sources, reach, kinds, depth, keys=0)
        if self._flip(4):
            return self._grouped(sources, reach, kinds, depth, keys=self.draw(st.integers(1, 2)), single=single)
        if self._flip(4):
            reach, windowed = self._windowed(reach, sources.identity, depth)
        else:
            windowed = reach
        items = self._items(windowed, kinds, depth)
        query = self._filtered(sources.read(items), reach, depth)
        if self._flip(4) and all(_is_told_apart(each) for each in items):
            query = query.distinct()
        return self._finished(query, items, bool(sources.joins), single)

    def _reach(self, atoms: Sequence[Node], sources: _Sources, depth: int) -> Reach:
        if depth <= 0:
            return Reach(atoms, None)
        outers = [outer(each) for each in sources.columns if isinstance(each, Attribute)]

        def subquery(kind: str, single: bool) -> Any:
            return self.simple([kind], outers, depth=depth - 2, single=single)[0]

        return Reach(atoms, subquery)

    def _items(self, reach: Reach, kinds: Sequence[str] | None, depth: int) -> list[Node]:
        expressions = Expressions(self.draw, reach)
        if kinds is not None:
            return [expressions.of(each, depth) for each in kinds]
        return [expressions.any(depth) for _ in range(self.draw(st.integers(1, 3)))]

    def _filtered(self, query: Any, reach: Reach, depth: int) -> Any:
        expressions = Expressions(self.draw, reach)
        for _ in range(self.draw(st.integers(0, 2))):
            query = query.where(expressions.condition(depth))
        return query

    def _finished(self, query: Any, items: Sequence[Node], joined: bool, single: bool) -> tuple[Any, bool]:
        """Order and limit a query; by all that it gives, so that its rows have one order."""
        if not single and self._flip():
            return query, False
        query = query.order_by(*self._directed([optional(each) for each in items] if joined else items))
        if single:
            return query.limit(1), True
        return (self._limited(query) if self._flip() else query), True

    def _directed(self, terms: Sequence[Node]) -> list[Order[Any]]:
        found = []
        for each in terms:
            order = each.desc() if self._flip() else each.asc()
            match self.draw(st.integers(0, 3)):
                case 2:
                    order = order.nulls_first()
                case 3:
                    order = order.nulls_last()
                case _:
                    pass
            found.append(order)
        return found

    def _limited(self, query: Any) -> Any:
        if self._flip():
            query = query.offset(self.draw(st.integers(0, 3)))
        return query.limit(self.draw(st.integers(0, 5))) if self._flip() else query

    # -- sources -------------------------------------------------------------------------------------------------------

    def _sources(self, outers: Sequence[Node]) -> _Sources:
        found = _Sources(self._relation([]), [])
        for _ in range(self.draw(st.sampled_from([0, 0, 1, 1, 2]))):
            relation = self._relation(found.relations)
            kind = self.draw(st.sampled_from(JOINS))
            condition = None if kind == "cross" else self._condition(found, relation, outers, kind)
            found.joins.append((kind, relation, condition))
        return found

    def _relation(self, others: Sequence[Any]) -> Any:
        """Draw a relation; under an alias where another of the select has it already."""
        stored: list[Any] = [Books, Books, Authors, Loans]
        commons: list[Any] = [] if self._defining else [each for each in (Pairs, Steps) if each not in others]
        relation = self.draw(st.sampled_from([*stored, *commons]))
        if relation in commons:
            self._define(relation)
        elif self._flip(3) or relation in others:
            self._aliases += 1
            return relation.named(f"r{self._aliases}")
        return relation

    def _condition(self, sources: _Sources, relation: Any, outers: Sequence[Node], kind: str) -> Node:
        """Draw what ties a relation to others: mostly something equal on both sides."""
        theirs = list(info(relation).attributes.values())
        kinds = [each for each in ("int", "text", "date") if any(kind_of(column) == each for column in theirs)]
        matched = self.draw(st.sampled_from(kinds))
        left = Expressions(self.draw, Reach(sources.columns, None)).column(matched)
        right = Expressions(self.draw, Reach(theirs, None)).column(matched)
        condition = left == right
        if self._flip(4):
            more = Expressions(self.draw, Reach([*sources.columns, *theirs, *outers], None)).condition(1)
            condition = condition & more if self._flip() else more
        tokens = [info(each).token for each in sources.relations]
        if kind == "full" and not is_on_equality(condition, tokens, info(relation).token):
            self.needs.add("full_join_conditions")
        return condition

    def _define(self, relation: Any) -> None:
        """Make a common table known, once a statement. Its own definition reads no common table but itself."""
        if relation in self._commons:
            return
        self._defining = True
        if relation is Pairs:
            self._commons[Pairs], _ = self.simple(["int", "text"], (), depth=1)
        else:
            self._commons[Steps] = self._walk()
        self._defining = False

    def _walk(self) -> Any:
        """Draw a walk from book to book, of a few steps, since the books may form a circle."""
        start = select(Books.id, Books.parent_id, fn.coalesce(Books.stars, 0) * 0)
        reach = Reach(list(info(Books).attributes.values()), None)
        start = self._filtered(start, reach, 1)
        step = (
            select(Books.id, Books.parent_id, Steps.depth + 1)
            .from_(Steps)
            .join(Books, on=Books.id == Steps.next_id)
            .where(Steps.depth < 3)
        )
        return start.union(step) if self._flip() else start.union_all(step)

    # -- groups and windows --------------------------------------------------------------------------------------------

    def _grouped(
        self,
        sources: _Sources,
        reach: Reach,
        kinds: Sequence[str] | None,
        depth: int,
        *,
        keys: int,
        single: bool = False,
    ) -> tuple[Any, bool]:
        expressions = Expressions(self.draw, Reach(reach.atoms, None))
        by = [expressions.any(1) for _ in range(keys)]
        if any(isinstance(each, Outer) for key in by for each in walk(key)):
            self.needs.add("correlated_grouping")
        own = Expressions(self.draw, Reach(sources.columns, None))
        aggregates = [self._aggregate(own) for _ in range(self.draw(st.integers(1, 3)))]
        groups = Reach([*by, *aggregates], None)
        if by and self._flip(4):
            groups, shown = self._windowed(groups, by, depth)
        else:
            shown = groups
        items = self._items(shown, kinds, min(depth, 1))
        query = self._filtered(sources.read(items), reach, depth)
        query = query.group_by(*by) if by else query.having(fn.count() >= 0)
        if self._flip(3):
            query = query.having(Expressions(self.draw, groups).condition(1))
        return self._finished(query, items, bool(sources.joins), single)

    def _aggregate(self, expressions: Expressions) -> Node:
        condition = expressions.condition(1) if self._flip(4) else None
        distinct = self._flip(4)
        kind = self.draw(st.sampled_from(["count", "count of", "sum", "avg", "min", "max", "texts"]))
        match kind:
            case "count":
                return fn.count(filter=condition) if condition is not None else fn.count()
            case "count of":
                return fn.count(expressions.any(1), distinct=distinct, filter=condition)
            case "sum":
                return fn.sum(self._summed(expressions), distinct=distinct, filter=condition)
            case "avg":
                return fn.avg(self._summed(expressions), distinct=distinct, filter=condition)
            case "texts":
                text = expressions.of("text", 1)
                return fn.string_agg(text, ", ", order_by=self._directed([text]), distinct=distinct, filter=condition)
            case "min":
                return fn.min(expressions.any(1), filter=condition)
            case _:
                return fn.max(expressions.any(1), filter=condition)

    def _summed(self, expressions: Expressions) -> Any:
        """Draw what is added up: of floats a column alone, whose sum is the same in whatever order it is made."""
        kind = self.draw(st.sampled_from(["int", "decimal", "float"]))
        return expressions.column("float") if kind == "float" else expressions.of(kind, 1)

    def _windowed(self, reach: Reach, identity: Sequence[Node], depth: int) -> tuple[Reach, Reach]:
        """Return what is in reach, and the same with windows."""
        windows = [self._window(reach, identity) for _ in range(self.draw(st.integers(1, 2)))]
        return reach, Reach([*reach.atoms, *windows, *windows], None)

    def _window(self, reach: Reach, identity: Sequence[Node]) -> Node:
        expressions = Expressions(self.draw, Reach(reach.atoms, None))
        partition = [expressions.any(1) for _ in range(self.draw(st.integers(0, 2)))]
        some = self._directed([expressions.any(1) for _ in range(self.draw(st.integers(0, 2)))])
        total = [*some, *self._directed(identity)]
        match self.draw(
            st.sampled_from(["aggregate", "frame", "groups", "range", "rank", "number", "neighbour", "end", "buckets"])
        ):
            case "aggregate":
                return self._added(expressions).over(partition_by=partition, order_by=some)
            case "frame":
                return self._added(expressions).over(partition_by=partition, order_by=total, frame=self._frame())
            case "groups":
                frame = self._frame(groups_between)
                return self._added(expressions).over(partition_by=partition, order_by=some or total, frame=frame)
            case "range":
                order = self._directed([expressions.of("int", 1)])
                frame = self._frame(range_between)
                return self._added(expressions).over(partition_by=partition, order_by=order, frame=frame)
            case "buckets":
                buckets = fn.ntile(self.draw(st.integers(1, 4)))
                return buckets.over(partition_by=partition, order_by=total)
            case "rank":
                ranked = self.draw(st.sampled_from([fn.rank, fn.dense_rank, fn.percent_rank, fn.cume_dist]))()
                return ranked.over(partition_by=partition, order_by=some or total)
            case "number":
                return fn.row_number().over(partition_by=partition, order_by=total)
            case "neighbour":
                move: Any = self.draw(st.sampled_from([fn.lag, fn.lead]))
                return move(expressions.any(1), self.draw(st.integers(0, 2))).over(
                    partition_by=partition, order_by=total
                )
            case _:
                third = fn.nth_value(expressions.any(1), self.draw(st.integers(1, 3)))
                item = expressions.any(1)
                end: Any = self.draw(st.sampled_from([fn.first_value(item), fn.last_value(item), third]))
                return end.over(partition_by=partition, order_by=total, frame=self._frame() if self._flip() else None)

    def _added(self, expressions: Expressions) -> Aggregate[Any, Any]:
        """Draw an aggregate for a window; not of distinct values, which no store has over windows."""
        condition = expressions.condition(1) if self._flip(4) else None
        aggregate: Any = self.draw(st.sampled_from([fn.sum, fn.avg, fn.min, fn.max, fn.count]))
        item = self._summed(expressions) if aggregate in (fn.sum, fn.avg) else expressions.any(1)
        return aggregate(item, filter=condition)

    def _frame(self, between: Callable[..., Frame] = rows_between) -> Frame:
        bounds = st.none() | st.integers(-2, 2)
        start, end = self.draw(bounds), self.draw(bounds)
        if start is not None and end is not None and start > end:
            start, end = end, start
        exclude = self.draw(st.sampled_from(["current row", "group", "ties"])) if self._flip(3) else None
        return between(start, end, exclude=exclude)


NEEDS: Final = {
    "ilike(": "ilike",
    "|right join": "right_join",
    "|full join": "right_join",
    " over(": "windows",
    "|with ": "ctes",
    "|with recursive ": "recursive_ctes",
    "(select ": "relational",
    " join ": "relational",
}
"""Capabilities by what of a query needs them, as it stands in the query's key."""


def _needs(key: str) -> frozenset[str]:
    return frozenset([capability for part, capability in NEEDS.items() if part in key])


def _is_told_apart(node: Node) -> bool:
    """Whether a selected expression can be told to be what rows are ordered by, once they are distinct or combined."""
    return not (isinstance(node, Parameter) or has_subquery(node))


@st.composite
def queries(draw: DrawFn) -> Drawn:
    """A random query."""
    return Queries(draw).whole()
