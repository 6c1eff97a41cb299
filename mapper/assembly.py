"""
Assembling a query's chain of clauses into one `Select`.

Clauses go in, in the order in which the user wrote them; a numbered select comes out. It happens once for each shape of
query and gateway: after that the compiled plan is found by the query's key.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from attrs import define, evolve, field

from mapper.caching import CacheHints
from mapper.errors import QueryError
from mapper.expressions import Call, Expr, Order, Subquery, Take
from mapper.functions import Aggregate, Window, row_number
from mapper.grouping import leaves
from mapper.operations import OutputColumn
from mapper.relation import info
from mapper.sources import Derived
from mapper.statements import Cte, FromRaw, FromRelation, FromSelect, Join, Select, Source
from mapper.terms import SetReturning

__all__ = ["Clause", "Clauses", "assemble", "walk"]


class Clause:
    """
    One step of a query: its kind, and what it was given. `values` are its expressions, in the order of the query's
    parameters.

    A plain class, as expressions are: one is made at each step of building a query.
    """

    __slots__ = ("kind", "payload", "values")

    def __init__(self, kind: str, values: tuple[Any, ...] = (), payload: Any = None) -> None:
        self.kind = kind
        self.values = values
        self.payload = payload


Clauses = Sequence[Clause]

OF_ROWS: Final = frozenset({"from", "join", "where", "group_by", "having", "distinct", "distinct_on", "lock"})
"""Clauses that are about the rows of one select."""


@define(eq=False)
class _Parts:
    """
    A select in the making.

    Attributes:
        projection: What its items are made into; None where they are not those that the user selected.
        grouped_away: Keys of expressions that some of its groups are no part of.
    """

    projection: Any = None
    grouped_away: set[str] = field(factory=set)
    items: tuple[Expr[Any, Any], ...] = ()
    columns: tuple[OutputColumn, ...] = ()
    source: Source | None = None
    joins: list[Join] = field(factory=list)
    where: list[Expr[bool, Any]] = field(factory=list)
    group_by: list[Expr[Any, Any]] = field(factory=list)
    having: list[Expr[bool, Any]] = field(factory=list)
    order_by: tuple[Order[Any], ...] = ()
    limit: Expr[int, Any] | None = None
    offset: Expr[int, Any] | None = None
    distinct: bool = False
    distinct_on: list[Expr[Any, Any]] = field(factory=list)
    compound: list[tuple[str, Select]] = field(factory=list)
    ctes: list[Cte] = field(factory=list)
    lock: str | None = None
    lock_of: tuple[Any, ...] = ()
    cached: CacheHints | None = None

    def finished(self) -> Select:
        """
        Return the select, with the relations that it reads.

        Raises:
            QueryError: A column that a join may leave without a row is selected as if it were always there.
        """
        _require_optional(self)
        select = Select(
            items=self.items,
            columns=self.columns,
            source=self.source,
            joins=tuple(self.joins),
            where=tuple(self.where),
            group_by=tuple(self.group_by),
            having=tuple(self.having),
            order_by=self.order_by,
            limit=self.limit,
            offset=self.offset,
            distinct=self.distinct,
            distinct_on=tuple(self.distinct_on),
            compound=tuple(self.compound),
            ctes=tuple(self.ctes),
            lock=self.lock,
            lock_of=self.lock_of,
            cached=self.cached,
        )
        return _with_reads(select)


def _require_optional(parts: _Parts) -> None:
    missing: set[str] = set()
    for place, join in enumerate(parts.joins):
        if join.kind in {"left", "full"}:
            missing.update(_tokens([join.source]))
        if join.kind in {"right", "full"}:
            missing.update(_tokens([parts.source, *[each.source for each in parts.joins[:place]]]))
    if (missing or parts.grouped_away) and parts.projection is not None:
        parts.projection.require_optional(missing, parts.grouped_away)


def _tokens(sources: Sequence[Source | None]) -> list[str]:
    """Return the tokens of the relations whose columns these sources have."""
    relations = [getattr(each, "relation", None) for each in sources]
    return [info(each).token for each in relations if each is not None]


def assemble(clauses: Clauses, take: Take) -> Select:
    """Return the select that the clauses describe, its parameters numbered by `take` in their order."""
    parts = _Parts()
    for clause in clauses:
        if parts.compound and clause.kind in OF_ROWS:
            raise QueryError(
                f"{clause.kind} behind a set operation, whose rows are of two queries",
                hint="say it of each side before, or read the whole as a source: from_(subquery(Table, query))",
            )
        parts = _STEPS[clause.kind](parts, clause, take)
    return parts.finished()


def walk(expression: Expr[Any, Any]) -> Iterator[Expr[Any, Any]]:
    """Give an expression and all that it is made of, parents first. Subqueries are given, not entered."""
    yield expression
    for child in expression.children:
        yield from walk(child)


def counter() -> Take:
    """Return a function that counts from 0."""
    position = -1

    def take() -> int:
        nonlocal position
        position += 1
        return position

    return take


def _select(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    parts.projection = clause.payload
    items, names = clause.payload.outputs()
    parts.items = tuple([each.numbered(take) for each in items])
    parts.columns = tuple(
        [OutputColumn(name, each.type, each.nullable) for name, each in zip(names, items, strict=True)]
    )
    return parts


def _from(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    parts.source = _source(clause.payload, take)
    return parts


def _source(given: Any, take: Take) -> Source:
    if isinstance(given, FromRaw):
        return FromRaw(given.text, tuple([each.numbered(take) for each in given.operands]))
    return given.assembled(take) if isinstance(given, Derived) else FromRelation(given)


def _join(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    kind, relation = clause.payload
    source = _source(relation, take)
    on = clause.values[0].numbered(take) if clause.values else None
    parts.joins.append(Join(kind, source, on))
    return parts


def _where(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    parts.where.extend([each.numbered(take) for each in clause.values])
    return parts


def _group_by(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    parts.group_by.extend([each.numbered(take) for each in clause.values])
    parts.grouped_away.update([each.key for each in leaves(clause.values)])
    return parts


def _having(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    parts.having.extend([each.numbered(take) for each in clause.values])
    return parts


def _order_by(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    parts.order_by = (*parts.order_by, *[each.numbered(take) for each in clause.values])
    return parts


def _reorder(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    """An order in the place of the one before: that of a page."""
    parts.order_by = tuple([each.numbered(take) for each in clause.values])
    return parts


def _limit(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    parts.limit = clause.values[0].numbered(take)
    return parts


def _offset(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    parts.offset = clause.values[0].numbered(take)
    return parts


def _distinct(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    del clause, take
    parts.distinct = True
    return parts


def _distinct_on(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    parts.distinct_on.extend([each.numbered(take) for each in clause.values])
    return parts


def _count(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    """Count the rows that the clauses so far give."""
    counted = clause.payload
    columns = (OutputColumn("count", counted.type, nullable=False),)
    if _is_plain(parts):
        parts.items, parts.columns, parts.order_by = (counted.numbered(take),), columns, ()
        parts.projection = None
        return parts
    if parts.limit is None and parts.offset is None:
        parts.order_by = ()
    return _Parts(
        items=(counted.numbered(take),),
        columns=columns,
        source=FromSelect(parts.finished(), "counted"),
        cached=parts.cached,
    )


def _exists(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    """Reduce the clauses so far to one row where they give any."""
    one = clause.values[0].numbered(take)
    columns = (OutputColumn("one", one.type, nullable=False),)
    if _is_plain(parts):
        parts.items, parts.columns, parts.order_by = (one,), columns, ()
        parts.projection = None
    else:
        parts = _Parts(items=(one,), columns=columns, source=FromSelect(parts.finished(), "found"), cached=parts.cached)
    parts.limit = clause.values[1].numbered(take)
    return parts


def _is_plain(parts: _Parts) -> bool:
    """
    Whether the rows are those of the source: one aggregate or constant in the place of the items then sees the same
    rows.
    """
    return (
        parts.limit is None
        and parts.offset is None
        and not (
            parts.distinct
            or parts.distinct_on
            or parts.group_by
            or parts.having
            or parts.compound
            or isinstance(parts.source, FromRaw)
        )
        and not any(_changes_rows(each) for each in parts.items)
    )


def _changes_rows(expression: Expr[Any, Any]) -> bool:
    """Whether selecting it gives other rows than those of the source, or needs all of them."""
    return any(isinstance(each, Aggregate | Window | SetReturning) for each in walk(expression))


def _compound(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    operator, other = clause.payload
    if parts.order_by or parts.limit is not None or parts.offset is not None:
        inner = parts.finished()
        parts = _Parts(
            items=_outputs(inner, "ordered"),
            columns=inner.columns,
            source=FromSelect(inner, "ordered"),
            cached=parts.cached,
        )
    parts.compound.append((operator, other.assembled(take)))
    return parts


def _outputs(select: Select, alias: str) -> tuple[Expr[Any, Any], ...]:
    del alias
    return tuple(
        [
            Call[Any, Any](f"output:{index}", (), each.type, nullable=each.nullable)
            for index, each in enumerate(select.columns)
        ]
    )


def _with(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    relation, query, recursive = clause.payload
    parts.ctes.append(Cte(relation, query.assembled(take), recursive))
    return parts


def _lock(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    del take
    parts.lock, parts.lock_of = clause.payload
    return parts


def _cached(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    del take
    parts.cached = clause.payload.over(parts.cached)
    return parts


def _per_owner(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    """Have limit and offset hold for each value of the items at some positions: number the rows of each, in order."""
    del take
    limit, offset, order_by = parts.limit, parts.offset, parts.order_by
    parts.limit, parts.offset, parts.order_by = None, None, ()
    if parts.distinct or parts.group_by:
        inner = parts.finished()
        order_by = tuple([_by_output(each, inner) for each in order_by])
        parts = _Parts(
            items=_outputs(inner, "owned"),
            columns=inner.columns,
            source=FromSelect(inner, "owned"),
            cached=parts.cached,
        )
    partition = tuple([parts.items[position] for position in clause.payload])
    number = Window[int, Any](row_number(), partition, order_by, None)
    parts.items = (*parts.items, number)
    parts.columns = (*parts.columns, OutputColumn("number", number.type, nullable=False))
    ranked = parts.finished()
    *items, rank = _outputs(ranked, "ranked")
    kept = _Parts(
        items=tuple(items), columns=ranked.columns[:-1], source=FromSelect(ranked, "ranked"), cached=parts.cached
    )
    if offset is not None:
        kept.where.append(rank > offset)
    if limit is not None:
        kept.where.append(rank <= (limit if offset is None else offset + limit))
    kept.order_by = (rank.asc(),)
    return kept


def _by_output(term: Order[Any], select: Select) -> Order[Any]:
    """Return a term of an order as one over the output of a subquery."""
    outputs = _outputs(select, "owned")
    for output, item in zip(outputs, select.items, strict=True):
        if item.key.rstrip("?") == term.expression.key:
            return Order(output, descending=term.descending, nulls_are_last=term.nulls_are_last)
    raise QueryError(
        f"rows that are distinct or grouped are ordered by {term.expression!r}, which they do not have",
        hint="select it too",
    )


_STEPS: Final[dict[str, Callable[[_Parts, Clause, Take], _Parts]]] = {
    "select": _select,
    "from": _from,
    "join": _join,
    "where": _where,
    "group_by": _group_by,
    "having": _having,
    "order_by": _order_by,
    "reorder": _reorder,
    "limit": _limit,
    "offset": _offset,
    "distinct": _distinct,
    "distinct_on": _distinct_on,
    "count": _count,
    "exists": _exists,
    "compound": _compound,
    "with": _with,
    "lock": _lock,
    "cached": _cached,
    "per_owner": _per_owner,
}


def _with_reads(select: Select) -> Select:
    return evolve(select, reads=frozenset(_reads(select)))


def _reads(select: Select) -> Iterator[Any]:
    sources = ([select.source] if select.source is not None else []) + [each.source for each in select.joins]
    for source in sources:
        if isinstance(source, FromRelation):
            described = info(source.relation)
            if not described.common:
                yield described.original
        elif isinstance(source, FromSelect):
            yield from source.select.reads
    for expression in _expressions(select):
        for each in walk(expression):
            if isinstance(each, Subquery):
                yield from each.query.reads
    for _, right in select.compound:
        yield from right.reads
    for cte in select.ctes:
        yield from cte.select.reads


def _expressions(select: Select) -> Iterator[Expr[Any, Any]]:
    yield from select.items
    yield from select.where
    yield from select.distinct_on
    yield from select.group_by
    yield from select.having
    for order in select.order_by:
        yield order.expression
    for join in select.joins:
        if join.on is not None:
            yield join.on
