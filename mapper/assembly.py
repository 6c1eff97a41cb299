"""
Assembling a query's chain of clauses into one `Select`.

Clauses go in, in the order in which the user wrote them; a numbered select comes out. It happens once for each shape of
query and gateway: after that the compiled plan is found by the query's key.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from attrs import define, evolve, field

from mapper.errors import QueryError
from mapper.expressions import Attribute, Call, Expr, Order, Subquery, Take
from mapper.functions import Aggregate, Window
from mapper.operations import OutputColumn
from mapper.relation import info
from mapper.statements import Cte, FromRaw, FromRelation, FromSelect, Join, Select, Source

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


@define(eq=False)
class _Parts:
    """A select in the making."""

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
    compound: list[tuple[str, Select]] = field(factory=list)
    ctes: list[Cte] = field(factory=list)
    lock: str | None = None

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
            compound=tuple(self.compound),
            ctes=tuple(self.ctes),
            lock=self.lock,
        )
        return _with_reads(select)


def _require_optional(parts: _Parts) -> None:
    missing: set[Any] = set()
    for join in parts.joins:
        if join.kind in {"left", "full"} and isinstance(join.source, FromRelation):
            missing.add(info(join.source.relation).token)
        if join.kind in {"right", "full"}:
            earlier = [parts.source, *[each.source for each in parts.joins if each is not join]]
            missing.update(info(each.relation).token for each in earlier if isinstance(each, FromRelation))
    for item in parts.items if missing else ():
        if isinstance(item, Attribute) and not item.nullable and info(item.relation).token in missing:
            raise QueryError(
                f"{item!r} is selected, and a join may leave rows without it",
                hint="say so: optional(…) around the column",
            )


def assemble(clauses: Clauses, take: Take) -> Select:
    """Return the select that the clauses describe, its parameters numbered by `take` in their order."""
    parts = _Parts()
    for clause in clauses:
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
    items, names = clause.payload()
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
    return FromRelation(given)


def _join(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    kind, relation = clause.payload
    on = clause.values[0].numbered(take) if clause.values else None
    parts.joins.append(Join(kind, _source(relation, take), on))
    return parts


def _where(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    parts.where.extend([each.numbered(take) for each in clause.values])
    return parts


def _group_by(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    parts.group_by.extend([each.numbered(take) for each in clause.values])
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


def _count(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    """Count the rows that the clauses so far give."""
    counted = clause.payload
    columns = (OutputColumn("count", counted.type, nullable=False),)
    if _is_plain(parts):
        parts.items, parts.columns, parts.order_by = (counted.numbered(take),), columns, ()
        return parts
    if parts.limit is None and parts.offset is None:
        parts.order_by = ()
    return _Parts(items=(counted.numbered(take),), columns=columns, source=FromSelect(parts.finished(), "counted"))


def _exists(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    """Reduce the clauses so far to one row where they give any."""
    one = clause.values[0].numbered(take)
    columns = (OutputColumn("one", one.type, nullable=False),)
    if _is_plain(parts):
        parts.items, parts.columns, parts.order_by = (one,), columns, ()
    else:
        parts = _Parts(items=(one,), columns=columns, source=FromSelect(parts.finished(), "found"))
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
            parts.distinct or parts.group_by or parts.having or parts.compound or isinstance(parts.source, FromRaw)
        )
        and not any(_aggregates(each) for each in parts.items)
    )


def _aggregates(expression: Expr[Any, Any]) -> bool:
    return any(isinstance(each, Aggregate | Window) for each in walk(expression))


def _compound(parts: _Parts, clause: Clause, take: Take) -> _Parts:
    operator, other = clause.payload
    if parts.order_by or parts.limit is not None or parts.offset is not None:
        inner = parts.finished()
        parts = _Parts(items=_outputs(inner, "ordered"), columns=inner.columns, source=FromSelect(inner, "ordered"))
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
    parts.lock = clause.payload
    return parts


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
    "count": _count,
    "exists": _exists,
    "compound": _compound,
    "with": _with,
    "lock": _lock,
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
    yield from select.group_by
    yield from select.having
    for order in select.order_by:
        yield order.expression
    for join in select.joins:
        if join.on is not None:
            yield join.on
