"""
Selects to SQL: sources, joins, clauses, set operations, common tables.

A numbered `Select` goes in; a piece of SQL comes out, and which relations it reads.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from attrs import evolve

from gateways.sql.compounds import Compounds
from gateways.sql.dialect import Dialect
from gateways.sql.expressions import Expressions
from gateways.sql.pieces import NOTHING, Bind, Sql, enclosed, joined, spliced, sql
from gateways.sql.scopes import Around, Scope
from mapper.assembly import walk
from mapper.errors import QueryError, Unsupported
from mapper.expressions import Expr, Slot, Subquery
from mapper.placeholders import split_placeholders
from mapper.relation import info
from mapper.statements import Cte, FromRaw, FromRelation, FromSelect, FromValues, Join, Select, Source

__all__ = ["Selects"]


class Selects:
    """
    Makes SQL of the selects of one statement.

    Attributes:
        reads: The relations read so far: never aliases, never common tables.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.reads: set[Any] = set()
        self.expressions = Expressions(dialect, self.render)
        self._compounds = Compounds(dialect, self.expressions, self.core, self.render)

    def whole(self, select: Select) -> Sql:
        """
        Return the SQL of a statement that is a select.

        Raises:
            QueryError: It reads from nothing.
        """
        if select.source is None and not (select.reads or select.compound or select.ctes):
            raise QueryError("the query reads from no relation", hint="name one: select(…).from_(Posts)")
        if isinstance(select.source, FromRaw) and _is_bare(select):
            return self._raw(select.source, Scope(self.dialect, Around(), qualified=False))
        return self.render(select, Around(), False)

    def render(self, select: Select, around: Around, named: bool) -> Sql:
        """Return the SQL of a select within `around`; with `named` its columns are called `c0`, `c1` …"""
        inner, head = self._commons(select, around)
        tail = sql(self._limits(select, Scope(self.dialect, inner, qualified=True)), self._lock(select))
        if select.compound:
            body, order = self._compounds.render(select, inner, named)
        else:
            body, order = self._ordered(select, inner, named)
        return sql(head, body, order, tail)

    def core(self, select: Select, around: Around, named: bool) -> Sql:
        """Return a select without its set operations, order and limit."""
        return self._core(select, around, named)[0]

    def _ordered(self, select: Select, around: Around, named: bool) -> tuple[Sql, Sql]:
        body, scope = self._core(select, around, named)
        terms = [self.expressions.order(each, scope) for each in select.order_by]
        return body, sql(" ORDER BY ", joined(terms, ", ")) if terms else NOTHING

    def _core(self, select: Select, around: Around, named: bool) -> tuple[Sql, Scope]:
        scope = Scope(self.dialect, around, qualified=_is_qualified(select, around))
        source = NOTHING if select.source is None else sql(" FROM ", self._source(select.source, scope))
        joins = sql(*[self._join(each, scope) for each in select.joins])
        items = self._items(select, scope, named)
        clauses = [
            self._clause(" WHERE ", select.where, scope),
            self._clause(" GROUP BY ", select.group_by, scope, separator=", "),
            self._clause(" HAVING ", select.having, scope),
        ]
        return sql("SELECT ", self._distinct(select, scope), items, source, joins, *clauses), scope

    def _items(self, select: Select, scope: Scope, named: bool) -> Sql:
        if not select.items:
            return sql("*")
        items = [self.expressions.output(each, scope) for each in select.items]
        if named:
            items = [sql(each, f" AS {self.dialect.name_of(f'c{index}')}") for index, each in enumerate(items)]
        return joined(items, ", ")

    def _clause(
        self, keyword: str, nodes: Sequence[Expr[Any, Any]], scope: Scope, *, separator: str | None = None
    ) -> Sql:
        if not nodes:
            return NOTHING
        if separator is None:
            return sql(keyword, self.expressions.conditions(nodes, scope))
        return sql(keyword, joined([self.expressions.render(each, scope) for each in nodes], separator))

    def _distinct(self, select: Select, scope: Scope) -> Sql:
        if select.distinct_on:
            if not self.dialect.distinct_on:
                raise Unsupported("distinct_on", self.dialect.capabilities.gateway)
            terms = joined([self.expressions.render(each, scope) for each in select.distinct_on], ", ")
            return sql("DISTINCT ON ", enclosed(terms), " ")
        return sql("DISTINCT ") if select.distinct else NOTHING

    # -- sources
    # ---------------------------------------------------------------------------------------------------------------------------

    def _source(self, source: Source, scope: Scope) -> Sql:
        match source:
            case FromRelation():
                return self._relation(source, scope)
            case FromSelect():
                return self._derived(source, scope)
            case FromValues():
                return self._values(source, scope)
            case FromRaw():
                text = self._raw(source, Scope(self.dialect, scope.around, qualified=True))
                return sql(enclosed(text), f" AS {self.dialect.name_of(scope.add('raw'))}")

    def _relation(self, source: FromRelation, scope: Scope) -> Sql:
        relation = info(source.relation)
        own = self._table_name(source, scope)
        name = scope.add(relation.alias or own, relation)
        if not relation.common:
            self.reads.add(relation.original)
        table = self.dialect.name_of(None if relation.common else relation.schema, own)
        return sql(table if name == own else f"{table} AS {self.dialect.name_of(name)}")

    def _table_name(self, source: FromRelation, scope: Scope) -> str:
        relation = info(source.relation)
        commons = scope.around.commons
        if not relation.common:
            if relation.schema is None and relation.name.lower() in {each.lower() for each in commons.values()}:
                raise QueryError(
                    f"a common table hides the relation {relation.name!r}", hint="give the CommonTable another name="
                )
            return relation.name
        token = info(relation.original).token
        if token not in commons:
            raise QueryError(
                f"the common table {relation.original.__name__} is read where it is not defined",
                hint=f"define it: query.with_({relation.original.__name__}, …)",
            )
        return commons[token]

    def _derived(self, source: FromSelect, scope: Scope) -> Sql:
        if source.lateral:
            self.dialect.capabilities.require("lateral", what="a lateral join")
        around = Around(scope if source.lateral else None, scope.around.commons)
        text = self.render(source.select, around, True)
        alias = self.dialect.name_of(scope.add(source.alias, select=source.select))
        return sql("LATERAL " if source.lateral else "", enclosed(text), f" AS {alias}")

    def _values(self, source: FromValues, scope: Scope) -> Sql:
        relation = None if source.relation is None else info(source.relation)
        width = len(source.rows[0])
        names = [f"c{each}" for each in range(width)] if relation is None else [each.name for each in relation.columns]
        outer = Scope(self.dialect, scope.around, qualified=True)
        rows = [enclosed(joined([self.expressions.render(each, outer) for each in row], ", ")) for row in source.rows]
        quoted, column = self.dialect.name_of, self.dialect.values_column
        items = ", ".join([f"{column.format(index + 1)} AS {quoted(name)}" for index, name in enumerate(names[:width])])
        alias = quoted(scope.add(source.alias, relation, collates=False))
        return sql(f"(SELECT {items} FROM (VALUES ", joined(rows, ", "), f") AS {quoted('listed')}) AS {alias}")

    def _raw(self, source: FromRaw, scope: Scope) -> Sql:
        pieces = split_placeholders(source.text)
        if len(pieces) - 1 != len(source.operands):
            raise QueryError(
                f"the raw statement has {len(pieces) - 1} placeholders and {len(source.operands)} parameters",
                hint="write '??' for a question mark; in quotes and comments a single one is literal",
            )
        return spliced(pieces, [self.expressions.render(each, scope) for each in source.operands])

    def _join(self, join: Join, scope: Scope) -> Sql:
        if join.kind in _WITH_RIGHT:
            self.dialect.capabilities.require("right_join", what=f"a {join.kind} join")
        source = self._source(join.source, scope)
        if join.kind in _OPTIONAL:
            scope.make_optional(last=join.kind in _LAST_OPTIONAL, others=join.kind in _WITH_RIGHT)
        on = NOTHING if join.on is None else sql(" ON ", self.expressions.render(join.on, scope))
        return sql(_JOINS[join.kind], source, on)

    # -- common tables, limits, locks
    # ------------------------------------------------------------------------------------------------------

    def _commons(self, select: Select, around: Around) -> tuple[Around, Sql]:
        if not select.ctes:
            return around, NOTHING
        self.dialect.capabilities.require("ctes", what="a common table expression")
        commons = dict(around.commons)
        texts = [self._common(each, select, around, commons) for each in select.ctes]
        recursive = any(each.recursive for each in select.ctes)
        if recursive:
            self.dialect.capabilities.require("recursive_ctes", what="a recursive common table expression")
        head = sql("WITH RECURSIVE " if recursive else "WITH ", joined(texts, ", "), " ")
        return evolve(around, commons=commons), head

    def _common(self, cte: Cte, select: Select, around: Around, commons: dict[str, str]) -> Sql:
        relation = info(cte.relation)
        if len(relation.columns) != len(cte.select.columns):
            raise QueryError(
                f"{relation.original.__name__} has {len(relation.columns)} columns and its definition gives {len(cte.select.columns)}",
                hint="select as many, in the order of the declaration",
            )
        seen = dict(commons)
        name = commons[relation.token] = _free(
            relation.name, [*seen.values(), *[info(each).name for each in select.reads]]
        )
        text = self.render(cte.select, evolve(around, commons=commons if cte.recursive else seen), False)
        columns = ", ".join([self.dialect.name_of(each.name) for each in relation.columns])
        return sql(f"{self.dialect.name_of(name)} ({columns}) AS (", text, ")")

    def _limits(self, select: Select, scope: Scope) -> Sql:
        if select.limit is None and select.offset is None:
            return NOTHING
        limit = sql(self.dialect.unlimited) if select.limit is None else sql(" LIMIT ", self._size(select.limit, scope))
        return limit if select.offset is None else sql(limit, " OFFSET ", self._size(select.offset, scope))

    def _size(self, node: Expr[Any, Any], scope: Scope) -> Sql:
        if isinstance(node, Slot):
            return Sql((Bind(node.index, (node.type,), "size", required=True),))
        return self.expressions.render(node, scope)

    def _lock(self, select: Select) -> Sql:
        if select.lock is None:
            return NOTHING
        self.dialect.capabilities.require("row_locks", what="a row lock")
        text = self.dialect.locks.get(select.lock)
        if text is None:
            raise Unsupported(
                "skip_locked", self.dialect.capabilities.gateway, hint=f"the lock asked for is {select.lock!r}"
            )
        return sql(f" {text}")


_JOINS: Final = {
    "inner": " JOIN ",
    "left": " LEFT JOIN ",
    "right": " RIGHT JOIN ",
    "full": " FULL JOIN ",
    "cross": " CROSS JOIN ",
}
_OPTIONAL: Final = frozenset({"left", "right", "full"})
_LAST_OPTIONAL: Final = frozenset({"left", "full"})
_WITH_RIGHT: Final = frozenset({"right", "full"})


def _is_bare(select: Select) -> bool:
    """Whether nothing is asked of the source but its rows."""
    clauses = (
        select.joins,
        select.where,
        select.group_by,
        select.having,
        select.order_by,
        select.compound,
        select.ctes,
        select.items,
    )
    return (
        not any(clauses)
        and select.limit is None
        and select.offset is None
        and not select.distinct
        and select.lock is None
    )


def _is_qualified(select: Select, around: Around) -> bool:
    return bool(select.joins) or around.scope is not None or any(isinstance(each, Subquery) for each in _nodes(select))


def _nodes(select: Select) -> Iterator[Expr[Any, Any]]:
    orders: list[Expr[Any, Any]] = [each.expression for each in select.order_by]
    for expression in (*select.items, *select.where, *select.group_by, *select.having, *orders):
        yield from walk(expression)


def _free(wanted: str, taken: Sequence[str]) -> str:
    lowered = {each.lower() for each in taken}
    name, number = wanted, 0
    while name.lower() in lowered:
        number += 1
        name = f"{wanted}_{number}"
    return name
