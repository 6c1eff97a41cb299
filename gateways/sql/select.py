"""
Selects to SQL: sources, joins, clauses, set operations, common tables.

A numbered `Select` goes in; a piece of SQL comes out, and which relations it reads.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from attrs import evolve, frozen

from gateways.sql.compounds import Compounds
from gateways.sql.dialect import Dialect
from gateways.sql.expressions import Expressions, require_values
from gateways.sql.fulljoins import is_on_equality, split
from gateways.sql.grouping import Groups, aggregates, is_grouped, require_computed
from gateways.sql.pieces import NOTHING, Bind, Rank, Sql, enclosed, joined, spliced, sql, within
from gateways.sql.scopes import MARK, Around, Scope, selected
from gateways.sql.shapes import not_selected
from mapper.assembly import walk
from mapper.errors import QueryError, Unsupported
from mapper.expressions import Attribute, Expr, Order, Slot, Subquery
from mapper.functions import Aggregate, Window
from mapper.grouping import Grouping
from mapper.placeholders import split_placeholders
from mapper.relation import info
from mapper.statements import Cte, FromRaw, FromRelation, FromSelect, FromValues, Join, Select, Source
from mapper.terms import Outer, Present

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
        limits = self._limits(select, Scope(self.dialect, inner, qualified=True))
        if not select.compound and self._hides_order(select, inner):
            return self._by_hidden(select, inner, head, sql(limits, self._lock(select, None)))
        if select.compound:
            body, order = self._compounds.render(select, inner, named)
            return sql(head, body, order, limits, self._lock(select, None))
        body, order, scope = self._ordered(select, inner, named)
        return sql(head, body, order, limits, self._lock(select, scope))

    def source(self, source: Source, scope: Scope) -> Sql:
        """Return the SQL of a source of rows beside those of `scope`, to which it is added."""
        return self._source(source, scope)

    def core(self, select: Select, around: Around, named: bool) -> Sql:
        """Return a select without its set operations, order and limit."""
        return self._core(select, around, named).sql

    def _ordered(self, select: Select, around: Around, named: bool) -> tuple[Sql, Sql, Scope]:
        core = self._core(select, around, named)
        _qualify(select, core.scope, named)
        terms = [self._term(select, each, core.scope) for each in select.order_by]
        return core.sql, sql(" ORDER BY ", joined(terms, ", ")) if terms else NOTHING, core.scope

    def _hides_order(self, select: Select, around: Around) -> bool:
        """Whether the order has columns of an enclosing select, which the store knows only in what is selected."""
        if self.dialect.capabilities.correlated_order or around.scope is None or select.distinct:
            return False
        return any(_may_be_outer(each.expression) for each in select.order_by)

    def _by_hidden(self, select: Select, around: Around, head: Sql, tail: Sql) -> Sql:
        """Return a select whose order is selected too, within one that leaves it out."""
        core = self._core(select, around, True)
        width, terms = len(select.items), []
        for each in select.order_by:
            if core.scope.groups is not None:
                core.scope.groups.require(each.expression)
            core.items.append(self.expressions.render(each.expression, core.scope))
            position = sql(str(len(core.items)))
            terms.append(self.expressions.order(each, core.scope, text=position))
        names = ", ".join([self.dialect.name_of(f"c{index}") for index in range(width)])
        alias = self.dialect.name_of(Scope(self.dialect, around, qualified=True).add("ordered"))
        order = sql(" ORDER BY ", joined(terms, ", "))
        return sql(f"SELECT {names} FROM (", head, core.sql, order, tail, f") AS {alias}")

    def _term(self, select: Select, term: Order[Any], scope: Scope) -> Sql:
        if scope.groups is not None:
            scope.groups.require(term.expression)
        if not select.distinct:
            return self.expressions.order(term, scope)
        position = selected(select, term.expression, self.expressions.pairs)
        if position is None:
            raise not_selected(term.expression)
        column = isinstance(term.expression, Attribute)
        return self.expressions.order(term, scope, text=None if column else sql(str(position + 1)))

    def _core(self, select: Select, around: Around, named: bool) -> "_Core":
        scope = Scope(self.dialect, around, qualified=_is_qualified(select, around))
        if select.group_by or select.distinct or select.distinct_on:
            self.expressions.recognized = True
        scope.marked = frozenset([each.token for each in _nodes(select) if isinstance(each, Present)])
        source = NOTHING if select.source is None else sql(" FROM ", self._source(select.source, scope))
        joins = sql(*self._joins(select.joins, scope))
        where = self._clause(" WHERE ", select.where, scope)
        group_by = self._group_by(select, scope)
        self._group(select, scope)
        items = self._items(select, scope, named)
        having = self._clause(" HAVING ", select.having, scope)
        distinct = self._distinct(select, scope)
        return _Core(sql("SELECT ", distinct), items, sql(source, joins, where, group_by, having), scope)

    def _group_by(self, select: Select, scope: Scope) -> Sql:
        if scope.around.scope is not None and any(_may_be_outer(each) for each in select.group_by):
            self.dialect.capabilities.require(
                "correlated_grouping", what="a subquery grouped by what is of the enclosing query"
            )
        require_computed(select.group_by, Aggregate | Window)
        for each in select.group_by:
            if isinstance(each, Grouping):
                self.dialect.capabilities.require("grouping_sets", what=each.name.replace("_", " "))
        return self._clause(" GROUP BY ", select.group_by, scope, separator=", ")

    def _group(self, select: Select, scope: Scope) -> None:
        """Have only such expressions from here on that a group has one value of."""
        if not is_grouped(select):
            return
        sources = [each.relation for each in scope.sources if each.relation is not None]
        scope.groups = Groups(select.group_by, sources, self.expressions.pairs)
        for each in (*select.items, *select.having):
            scope.groups.require(each)

    def _items(self, select: Select, scope: Scope, named: bool) -> list[Sql]:
        if not select.items:
            return [sql("*")]
        items = [self.expressions.output(each, scope) for each in select.items]
        if not self.dialect.lone_having and scope.groups is not None and not _shows_groups(select):
            items[0] = sql("CASE WHEN count(*) >= 0 THEN ", items[0], " END")
        if named:
            items = [sql(each, f" AS {self.dialect.name_of(f'c{index}')}") for index, each in enumerate(items)]
        return items

    def _clause(
        self, keyword: str, nodes: Sequence[Expr[Any, Any]], scope: Scope, *, separator: str | None = None
    ) -> Sql:
        if not nodes:
            return NOTHING
        if separator is None:
            return sql(keyword, self.expressions.conditions(nodes, scope))
        require_values(nodes, "what the rows are grouped by")
        return sql(keyword, joined([self.expressions.render(each, scope) for each in nodes], separator))

    def _distinct(self, select: Select, scope: Scope) -> Sql:
        if select.distinct_on:
            if not self.dialect.distinct_on:
                raise Unsupported("distinct_on", self.dialect.capabilities.gateway)
            _require_leading(select)
            _qualify(select, scope, named=False)
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
        table = self.dialect.name_of(None if relation.common else self.dialect.schema_of(relation), own)
        if relation.token in scope.marked:
            rows = f"(SELECT {table}.*, 1 AS {self.dialect.name_of(MARK)} FROM {table})"
            return sql(f"{rows} AS {self.dialect.name_of(name)}")
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
        around = Around(scope if source.lateral else scope.around.scope, scope.around.commons)
        text = self.render(source.select, around, True)
        relation = None if source.relation is None else info(source.relation)
        alias = self.dialect.name_of(scope.add(source.alias, relation, source.select))
        return sql("LATERAL " if source.lateral else "", enclosed(text), f" AS {alias}")

    def _values(self, source: FromValues, scope: Scope) -> Sql:
        assert isinstance(source.rows, Slot)
        relation = info(source.relation)
        rows = self.dialect.value_rows(
            Bind(source.rows.index, tuple([each.type for each in relation.columns]), "tuples"),
            [self.dialect.name_of(each.name) for each in relation.columns],
        )
        alias = scope.add(relation.alias or relation.name, relation, collates=False)
        return sql(enclosed(rows), f" AS {self.dialect.name_of(alias)}")

    def _raw(self, source: FromRaw, scope: Scope) -> Sql:
        pieces = split_placeholders(source.text)
        if len(pieces) - 1 != len(source.operands):
            raise QueryError(
                f"the raw statement has {len(pieces) - 1} placeholders and {len(source.operands)} parameters",
                hint="write '??' for a question mark; in quotes and comments a single one is literal",
            )
        return spliced(pieces, [self.expressions.render(each, scope) for each in source.operands])

    def _joins(self, joins: Sequence[Join], scope: Scope) -> Iterator[Sql]:
        for index, join in enumerate(joins):
            apart = not self.dialect.constants_in_joins and any(each.kind in _WITH_RIGHT for each in joins[index + 1 :])
            yield self._join(join, scope, apart=apart and join.kind not in _OPTIONAL)

    def _join(self, join: Join, scope: Scope, *, apart: bool) -> Sql:
        """With `apart`, what depends on no row is asked for in subqueries."""
        if join.kind in _WITH_RIGHT:
            self.dialect.capabilities.require("right_join", what=f"a {join.kind} join")
        source = self._source(join.source, scope)
        if join.kind == "full" and join.on is not None:
            self._check_full(join.on, scope)
        if join.kind in _OPTIONAL:
            scope.make_optional(last=join.kind in _LAST_OPTIONAL, others=join.kind in _WITH_RIGHT)
        on = NOTHING if join.on is None else sql(" ON ", self._condition(join.on, scope, apart=apart))
        return sql(_JOINS[join.kind], source, on)

    def _condition(self, condition: Expr[bool, Any], scope: Scope, *, apart: bool) -> Sql:
        relations = [None if each.relation is None else each.relation.token for each in scope.sources]
        constants, rest = split(condition, relations) if apart else ([], [condition])
        parts = [enclosed(sql("SELECT ", self.expressions.conditions((each,), scope))) for each in constants]
        if rest:
            rested = self.expressions.conditions(rest, scope)
            parts.append(within(rested, Rank.AND) if parts else rested)
        return joined(parts, " AND ")

    def _check_full(self, condition: Expr[Any, Any], scope: Scope) -> None:
        *earlier, last = [None if each.relation is None else each.relation.token for each in scope.sources]
        known = [each for each in earlier if each is not None]
        if last is not None and not is_on_equality(condition, known, last):
            self.dialect.capabilities.require(
                "full_join_conditions",
                what="a full join on anything but equal columns of both sides",
                hint="use a left join, and the other side's rows without a match in a union",
            )

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

    def _lock(self, select: Select, scope: Scope | None) -> Sql:
        if select.lock is None:
            return NOTHING
        self.dialect.capabilities.require("row_locks", what="a row lock")
        text = self.dialect.locks.get(select.lock)
        if text is None:
            raise Unsupported(
                "skip_locked", self.dialect.capabilities.gateway, hint=f"the lock asked for is {select.lock!r}"
            )
        if not select.lock_of:
            return sql(f" {text}")
        if scope is None:
            raise QueryError("rows of a set operation are locked", hint="lock the rows of one query")
        names = ", ".join([self.dialect.name_of(scope.name_of(info(each))) for each in select.lock_of])
        strength = self.dialect.locks[select.lock.partition(" ")[0]]
        return sql(f" {strength} OF {names}{text.removeprefix(strength)}")


@frozen(eq=False)
class _Core:
    """A select without its set operations, order and limit, to which further items can still be added."""

    head: Sql
    items: list[Sql]
    rest: Sql
    scope: Scope

    @property
    def sql(self) -> Sql:
        """The whole of it."""
        return sql(self.head, joined(self.items, ", "), self.rest)


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


def _require_leading(select: Select) -> None:
    """
    Refuse an order that does not begin with what DISTINCT ON tells rows apart by.

    Expressions with parameters are left to the store: whether two are the same depends on the values.
    """
    wanted = {each.key for each in select.distinct_on}
    for term in select.order_by[: len(wanted)]:
        if term.expression.key not in wanted and not any(isinstance(each, Slot) for each in walk(term.expression)):
            raise QueryError(
                f"distinct_on tells rows apart by {select.distinct_on!r}, and the order begins with {term.expression!r}",
                hint="order by what distinct_on names first, then by what says which row is kept",
            )


def _qualify(select: Select, scope: Scope, named: bool) -> None:
    """
    Have columns qualified from here on where a bare name could be that of an item: `CAST("id" AS text)` is called "id" too,
    and an order by "id" would be by that.
    """
    if named or not all(isinstance(each, Attribute) for each in select.items):
        scope.qualified = True


def _shows_groups(select: Select) -> bool:
    """Return whether a select of groups is one even without its HAVING."""
    return bool(select.group_by) or any(aggregates(each) for each in select.items)


def _may_be_outer(node: Expr[Any, Any]) -> bool:
    """Return whether an expression has columns of an enclosing select, or a subquery, which may have such."""
    return any(isinstance(each, Outer | Subquery) for each in walk(node))


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
