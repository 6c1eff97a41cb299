"""
Selects, compiled to functions of a view of the store.

A numbered select goes in, a plan comes out: filter, group, window, order and project, each compiled once. Rows come as
they are asked for, as far as
the select allows it: groups, windows and orders need all of them first.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, TypeAlias

from attrs import evolve
from typing_extensions import TypeVar

from gateways.memory.commons import Definition, Recursive, refers, with_commons
from gateways.memory.compounds import OPERATORS, distinct
from gateways.memory.computing import Compilation, Compute, Row, Subplan, Values, getter
from gateways.memory.expressions import compile_condition, compile_expression, row_of
from gateways.memory.grouping import Groups
from gateways.memory.ordering import Term, compile_terms, ordered, term_of
from gateways.memory.scope import Scope, of_select
from gateways.memory.sources import Produce, compile_sources
from gateways.memory.windows import Windows
from gateways.sql.shapes import is_open, not_selected, shape, slots
from mapper.assembly import walk
from mapper.errors import QueryError, Unsupported
from mapper.expressions import Attribute, Call, Expr, Order
from mapper.functions import Aggregate, Window
from mapper.grouping import Grouping
from mapper.relation import info
from mapper.statements import Cte, FromSelect, Select
from mapper.types import Codecs

__all__ = ["SelectPlan", "compilation_of", "compile_select"]

K = TypeVar("K")

Commons: TypeAlias = Mapping[Any, Any]


class SelectPlan:
    """
    A compiled select.

    Attributes:
        produce: Gives its rows, as tuples in the order of the select's items.
        correlated: It refers to the row of an enclosing select.
    """

    __slots__ = ("correlated", "produce")

    def __init__(self, produce: Produce, *, correlated: bool) -> None:
        self.produce = produce
        self.correlated = correlated

    def rows(self, row: Row, values: Values, limit: int | None = None) -> Sequence[tuple[Any, ...]]:
        """Return the rows, `limit` at most, for a row of the enclosing select."""
        if self.correlated:
            return self._listed(row, values, limit)
        found: Sequence[tuple[Any, ...]] = values[-1].once((self, limit), lambda: self._listed(row, values, limit))
        return found

    def made(self, row: Row, values: Values, make: Callable[[Sequence[tuple[Any, ...]]], K]) -> K:
        """Return what `make` makes of all rows; once a run where they do not depend on the enclosing row."""
        if self.correlated:
            return make(self._listed(row, values, None))
        found: K = values[-1].once((self, make), lambda: make(self._listed(row, values, None)))
        return found

    def _listed(self, row: Row, values: Values, limit: int | None) -> Sequence[tuple[Any, ...]]:
        return list(islice(self.produce((*values[:-1], values[-1].within(row))), limit))


def compilation_of(codecs: Codecs, size: int) -> Compilation:
    """Return a compilation whose expressions may contain subqueries; see `Compilation`."""
    return Compilation(codecs, size, lambda select, scope: compile_select(select, scope.compilation, parent=scope))


def compile_select(
    select: Select, compilation: Compilation, *, parent: Scope | None = None, commons: Commons | None = None
) -> SelectPlan:
    """
    Compile a select.

    Args:
        select: The select, numbered.
        compilation: What its statement shares.
        parent: The scope of the enclosing select, for a subquery.
        commons: Common tables that are known around it.

    Raises:
        Unsupported: It needs what the memory gateway lacks.
        NotJoined: A column's relation is not among the sources.
        QueryError: It is wrong in itself.
    """
    mark = len(compilation.outer_levels)
    outside = Scope(compilation, parent=parent, commons=commons)
    definitions = [_definition(each, outside) for each in select.ctes]
    produce = with_commons(definitions, _Compiler(select, outside).compile())
    levels = compilation.outer_levels[mark:]
    return SelectPlan(produce, correlated=any([level < outside.level for level in levels]))


def _definition(cte: Cte, scope: Scope) -> Definition:
    """Compile a common table and make it known in the scope, to itself too where it is recursive."""
    relation = info(cte.relation).original
    if not cte.recursive or not any([refers(right, relation) for _, right in cte.select.compound]):
        definition = Definition(relation, _derived(cte.select, scope))
        scope.commons = {**scope.commons, relation: cte}
        return definition
    scope.commons = {**scope.commons, relation: cte}
    first = next(place for place, (_, right) in enumerate(cte.select.compound) if refers(right, relation))
    steps = [_recursion(operator, right, scope) for operator, right in cte.select.compound[first:]]
    base = evolve(cte.select, compound=cte.select.compound[:first], order_by=(), limit=None, offset=None)
    rounds = Recursive(relation, _derived(base, scope), steps).produce
    terms = _output_terms(cte.select.order_by, cte.select, scope)
    return Definition(relation, _Cut(cte.select, scope).of(rounds, terms))


def _recursion(operator: str, select: Select, scope: Scope) -> tuple[Produce, bool]:
    if operator not in {"union", "union_all"}:
        raise QueryError(f"a recursive common table cannot use {operator!r}", hint="use union or union_all")
    return _derived(select, scope), operator == "union"


def _derived(select: Select, scope: Scope) -> Produce:
    """Compile a select that sees nothing of the one that it stands in, except what that sees of those around it."""
    return compile_select(select, scope.compilation, parent=scope.parent, commons=scope.commons).produce


class _Subselects:
    """Compiles subqueries that are read from; see `gateways.memory.sources.Selects`."""

    def derived(self, select: Select, scope: Scope) -> Produce:
        return _derived(select, scope)

    def lateral(self, select: Select, scope: Scope) -> Subplan:
        return compile_select(select, scope.compilation, parent=scope, commons=scope.commons)


class _Cut:
    """The end of a select: order, limit and offset."""

    __slots__ = ("_limit", "_offset")

    def __init__(self, select: Select, scope: Scope) -> None:
        alone = scope.same_level([], bare=True)
        self._limit = compile_expression(select.limit, alone) if select.limit is not None else None
        self._offset = compile_expression(select.offset, alone) if select.offset is not None else None

    def of(self, produce: Produce, terms: Sequence[Term]) -> Produce:
        """Return the rows in order, and only as many as wanted."""
        if not terms and self._limit is None and self._offset is None:
            return produce

        def rows(values: Values) -> Iterable[Row]:
            limit = self._limit((), values) if self._limit is not None else None
            offset = (self._offset((), values) if self._offset is not None else None) or 0
            end = None if limit is None else offset + limit
            if end == 0:
                return ()
            found = produce(values)
            return islice(ordered(found, terms, values, end) if terms else found, offset, end)

        return rows


class _Compiler:
    """Compiles one select, common tables apart."""

    def __init__(self, select: Select, outside: Scope) -> None:
        _refuse(select)
        self.select = select
        self.outside = outside
        self.cut = _Cut(select, outside)

    def compile(self) -> Produce:
        select = self.select
        if select.compound:
            return self.cut.of(self._compound(), _output_terms(select.order_by, select, self.outside))
        produce, scope = self._staged()
        project = _projection([compile_expression(each, scope) for each in select.items], select.items, scope)
        if select.distinct:
            return self.cut.of(
                lambda values: distinct(project(produce(values), values)),
                _output_terms(select.order_by, select, self.outside),
            )
        cut = self.cut.of(produce, compile_terms(select.order_by, scope))
        return lambda values: project(cut(values), values)

    def _staged(self) -> tuple[Produce, Scope]:
        """Compile up to the rows that items and order are computed of."""
        select = self.select
        produce, scope = compile_sources(select, self.outside, _Subselects())
        found = [*select.items, *select.having, *[each.expression for each in select.order_by]]
        if select.group_by or select.having or any([_has(each, Aggregate) for each in found]):
            produce, scope = _grouped(produce, Groups(scope, select.group_by), select.having)
        if any([_has(each, Window) for each in found]):
            produce, scope = _windowed(produce, Windows(scope))
        return produce, scope

    def _compound(self) -> Produce:
        first = _derived(evolve(self.select, compound=(), order_by=(), limit=None, offset=None, ctes=()), self.outside)
        steps = [
            (self._operator(operator, right), _derived(right, self.outside)) for operator, right in self.select.compound
        ]

        def rows(values: Values) -> Iterable[Row]:
            found = first(values)
            for combine, right in steps:
                found = combine(found, right(values))
            return found

        return rows

    def _operator(self, operator: str, right: Select) -> Callable[[Iterable[Row], Iterable[Row]], Iterable[Row]]:
        width, other = len(self.select.items), len(right.items)
        if width != other:
            raise QueryError(f"{operator} of {width} columns and {other}", hint="select as many columns on both sides")
        return OPERATORS[operator]


def _refuse(select: Select) -> None:
    if select.lock is not None:
        raise Unsupported(
            "row_locks",
            "memory",
            hint="leave for_update() away: a transaction that is not read-only has the store for itself",
        )
    if any([isinstance(each, Grouping) for each in select.group_by]):
        raise Unsupported("grouping_sets", "memory", hint="put queries together, one for each grouping: union_all")
    if select.distinct_on:
        raise Unsupported("distinct_on", "memory", hint="number the rows with fn.row_number() and keep the first")


def _grouped(produce: Produce, groups: Groups, having: Sequence[Expr[bool, Any]]) -> tuple[Produce, Scope]:
    keep = compile_condition(tuple(having), groups)

    def rows(values: Values) -> Iterable[Row]:
        found = groups.rows(produce(values), values)
        return found if keep is None else [row for row in found if keep(row, values) is True]

    return rows, groups


def _windowed(produce: Produce, windows: Windows) -> tuple[Produce, Scope]:
    return lambda values: windows.rows(list(produce(values)), values), windows


def _has(expression: Expr[Any, Any], kind: type[Aggregate[Any, Any]] | type[Window[Any, Any]]) -> bool:
    """Return whether an aggregate of groups, or a window, is in an expression."""
    if isinstance(expression, kind):
        return True
    if isinstance(expression, Window):
        below = (
            *expression.function.children,
            *expression.partition_by,
            *[each.expression for each in expression.order_by],
        )
        return any([_has(each, kind) for each in below])
    return any([_has(each, kind) for each in expression.children])


def _projection(
    items: Sequence[Compute], expressions: Sequence[Expr[Any, Any]], scope: Scope
) -> Callable[[Iterable[Row], Values], Iterable[Row]]:
    """Return what makes the select's rows; of columns alone, without a call for each."""
    paths = [scope.place(each) for each in expressions]
    if len(paths) > 1 and all([path is not None and len(path) == 1 for path in paths]):
        columns = itemgetter(*[path[0] for path in paths if path])
        return lambda rows, values: map(columns, rows)
    project = row_of(list(items))
    return lambda rows, values: (project(row, values) for row in rows)


def _output_terms(order_by: Sequence[Order[Any]], select: Select, scope: Scope) -> list[Term]:
    """Compile an order of the rows that come out; it can only name what is selected."""
    return [_output_term(each, select, scope) for each in order_by]


def _output_term(order: Order[Any], select: Select, scope: Scope) -> Term:
    expression = order.expression
    position = _output(expression, select)
    if position is not None:
        scope.compilation.require_equal(slots(select.items[position]), slots(expression))
        return term_of(order, getter((position,)))
    columns = [each for each in walk(expression) if isinstance(each, Attribute)]
    if not select.compound or is_open(expression) or any([_output(each, select) is None for each in columns]):
        raise not_selected(expression)
    return term_of(order, compile_expression(expression, scope.same_level([of_select(select)], bare=True)))


def _output(expression: Expr[Any, Any], select: Select) -> int | None:
    if isinstance(expression, Call) and expression.name.startswith("output:"):
        return int(expression.name.removeprefix("output:"))
    if is_open(expression):
        return None
    wanted = shape(expression)
    place = next((place for place, item in enumerate(select.items) if shape(item) == wanted), None)
    if place is not None or not isinstance(select.source, FromSelect):
        return place
    # What the subquery gives under that name, where it is handed on.
    inner = _output(expression, select.source.select)
    return next((place for place, item in enumerate(select.items) if item.key == f"output:{inner}()"), None)
