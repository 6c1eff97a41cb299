"""
Sources of a select, and their joins.

Sources, joins and conditions go in; a function that gives the rows of all of them together comes out, and the scope of
its rows. Equalities are matched through an index or a hash table; each condition is checked as early as that changes
nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias, assert_never

from attrs import frozen

from gateways.memory.access import compile_access, indexed_positions
from gateways.memory.computing import Compute, MissingRow, Row, Subplan, Values
from gateways.memory.expressions import compile_condition, compile_expression, conjuncts, freezer, row_of
from gateways.memory.scope import Scope, SourceColumns, of_relation, of_select
from mapper.errors import QueryError, Unsupported
from mapper.expressions import Attribute, Call, Expr, Parameter, RowValue, Slot
from mapper.relation import described_name, info
from mapper.statements import FromRaw, FromRelation, FromSelect, FromValues, Join, Select, Source
from mapper.terms import Outer

__all__ = ["Produce", "compile_sources"]

Produce: TypeAlias = Callable[[Values], Iterable[Row]]

Match: TypeAlias = Callable[[Row], Iterable[tuple[int, Row]]]
"""
Gives the rows of a source that may match a row of those before, with their positions among all rows of the source.
"""


class Selects(Protocol):
    """Compiles subqueries that are read from."""

    def derived(self, select: Select, scope: Scope) -> Produce:
        """Compile one that sees no other source of the scope."""
        ...

    def lateral(self, select: Select, scope: Scope) -> Subplan:
        """Compile one that sees the sources of the scope."""
        ...


def compile_sources(select: Select, scope: Scope, selects: Selects) -> tuple[Produce, Scope]:
    """
    Compile what a select reads, with its `where`.

    Args:
        select: The select.
        scope: Where it is; its own sources are not used.
        selects: Compiles subqueries that are read from.

    Raises:
        NotJoined: A condition uses a relation that is not read, or only joined later.
    """
    if select.source is None:
        empty = scope.same_level([], bare=True)
        return _filtered(lambda values: [()], compile_condition(select.where, empty)), empty
    conditions = conjuncts(select.where)
    if not select.joins:
        return _single(select.source, conditions, scope, selects)
    return _joined(select, conditions, scope, selects)


def _single(source: Source, conditions: list[Expr[bool, Any]], scope: Scope, selects: Selects) -> tuple[Produce, Scope]:
    own = scope.same_level([_columns(source)], bare=True)
    return _rows(source, conditions, own, selects), own


def _joined(select: Select, conditions: list[Expr[bool, Any]], scope: Scope, selects: Selects) -> tuple[Produce, Scope]:
    assert select.source is not None
    sources = [select.source, *[each.source for each in select.joins]]
    columns = [_columns(each) for each in sources]
    _require_distinct(columns)
    whole = scope.same_level(columns, bare=False)
    early, late = _placed(conditions, whole, select.joins)
    first = scope.same_level(columns[:1], bare=True)
    produce = _as_tuples(_rows(select.source, early.get(0, []), first, selects))
    for index, join in enumerate(select.joins, 1):
        step = _Step(join, index, early.get(index, []), scope.same_level(columns[: index + 1], bare=False), selects)
        produce = step.compile(produce)
    return _filtered(produce, compile_condition(tuple(late), whole)), whole


def _columns(source: Source) -> SourceColumns:
    match source:
        case FromRelation():
            return of_relation(source.relation)
        case FromSelect():
            return of_select(source.select) if source.relation is None else of_relation(source.relation)
        case FromValues():
            return of_relation(source.relation)
        case FromRaw():
            raise _raw()
        case _:
            assert_never(source)


def _require_distinct(columns: Sequence[SourceColumns]) -> None:
    seen: set[str] = set()
    for each in columns:
        if each.token in seen:
            name = info(each.relation).original.__name__
            raise QueryError(
                f"{described_name(info(each.relation))} is read twice by one select",
                hint=f"give one of them a name: {name}.named('other')",
            )
        if each.token is not None:
            seen.add(each.token)


def _rows(source: Source, conditions: list[Expr[bool, Any]], own: Scope, selects: Selects) -> Produce:
    """Compile one source with the conditions that concern it alone; `own` is the scope of its rows."""
    match source:
        case FromRelation() if not info(source.relation).common:
            return compile_access(source.relation, conditions, own).rows
        case FromRelation():
            produce = _common(source.relation, own)
        case FromSelect():
            produce = selects.derived(source.select, own)
        case FromValues():
            produce = _written(source, own)
        case FromRaw():
            raise _raw()
        case _:
            assert_never(source)
    return _filtered(produce, compile_condition(tuple(conditions), own))


def _raw() -> Unsupported:
    message = "raw statements need 'sql', which the memory gateway lacks"
    return Unsupported("sql", "memory", message, hint="build it with select(…)")


def _common(relation: Any, scope: Scope) -> Produce:
    original = info(relation).original
    if original not in scope.commons:
        name = original.__name__
        raise QueryError(f"common table {name} has no rows here", hint=f"say what they are: .with_({name}, query)")
    return lambda values: values[-1].commons[original]


def _written(source: FromValues, scope: Scope) -> Produce:
    assert isinstance(source.rows, Slot)
    index = scope.compilation.slot(source.rows, [each.type for each in info(source.relation).columns])
    return lambda values: values[index]


def _filtered(produce: Produce, keep: Compute | None) -> Produce:
    if keep is None:
        return produce
    return lambda values: (row for row in produce(values) if keep(row, values) is True)


def _as_tuples(produce: Produce) -> Produce:
    return lambda values: ((row,) for row in produce(values))


def _placed(
    conditions: Iterable[Expr[bool, Any]], scope: Scope, joins: Sequence[Join]
) -> tuple[dict[int, list[Expr[bool, Any]]], list[Expr[bool, Any]]]:
    """Tell the conditions that can be checked on one source before it is joined from those that wait for all."""
    early: dict[int, list[Expr[bool, Any]]] = {}
    late: list[Expr[bool, Any]] = []
    for each in conditions:
        used = sources_of(each, scope)
        only = next(iter(used)) if used is not None and len(used) == 1 else None
        if only is not None and _is_kept_whole(only, joins):
            early.setdefault(only, []).append(each)
        else:
            late.append(each)
    return early, late


def _is_kept_whole(source: int, joins: Sequence[Join]) -> bool:
    """
    Return whether no join makes rows in which the source is missing, nor rows that it would otherwise have matched.
    """
    own = source == 0 or joins[source - 1].kind in {"inner", "cross"}
    return own and not any([each.kind in {"right", "full"} for each in joins[max(source - 1, 0) :]])


def sources_of(expression: Expr[Any, Any], scope: Scope) -> frozenset[int] | None:
    """Return the positions of the sources that an expression reads; None where that cannot be told."""
    if isinstance(expression, Attribute):
        path = scope.column(expression)
        return None if path is None else frozenset([path[0]])
    if isinstance(expression, Slot | Parameter | Outer):
        return frozenset()
    if not isinstance(expression, Call | RowValue):
        return None
    if isinstance(expression, Call) and expression.name.startswith("output:"):
        return frozenset([0])
    parts = [sources_of(each, scope) for each in expression.children]
    return None if None in parts else frozenset([each for part in parts if part for each in part])


@frozen(eq=False)
class _Step:
    """
    One join.

    Attributes:
        index: The position of the source that is joined.
        early: Conditions of `where` on that source alone.
        scope: The scope of the rows that come out.
    """

    join: Join
    index: int
    early: list[Expr[bool, Any]]
    scope: Scope
    selects: Selects

    def compile(self, before: Produce) -> Produce:
        """Return the rows of the sources before together with those of this one."""
        kind, source = self.join.kind, self.join.source
        null = MissingRow((None,) * self.scope.sources[self.index].width)
        on = [] if self.join.on is None else conjuncts((self.join.on,))
        if isinstance(source, FromSelect) and source.lateral:
            matcher, rest = self._lateral(source), on
        else:
            matcher, rest = self._matcher(source, on)
        keep = compile_condition(tuple(rest), self.scope)
        if kind in {"right", "full"}:
            nulls = tuple([MissingRow((None,) * each.width) for each in self.scope.sources[: self.index]])
            return _outer_join(before, matcher, keep, null if kind == "full" else None, nulls)
        return _join(before, matcher, keep, null if kind == "left" else None)

    def _lateral(self, source: FromSelect) -> "_Matcher":
        left = self.scope.same_level(self.scope.sources[: self.index], bare=False)
        plan = self.selects.lateral(source.select, left)
        own = self.scope.same_level(self.scope.sources[self.index :], bare=True)
        keep = compile_condition(tuple(self.early), own)

        def match(row: Row, values: Values) -> Iterable[tuple[int, Row]]:
            return [each for each in enumerate(plan.rows(row, values)) if keep is None or keep(each[1], values) is True]

        if self.join.kind in {"right", "full"}:
            raise QueryError(
                f"a {self.join.kind} join of a lateral subquery has no meaning", hint="use join or left_join"
            )
        return _Matcher(lambda values: lambda row: match(row, values), None)

    def _matcher(self, source: Source, on: list[Expr[bool, Any]]) -> tuple["_Matcher", list[Expr[bool, Any]]]:
        """Return how the source's rows are found, and the conditions that are then left to be checked."""
        own, right_only, pairs, rest = self._split(on)
        rows = _rows(source, [*self.early, *right_only], own, self.selects)
        if not pairs:
            return _scanning(rows), rest
        left = row_of([compile_expression(each, self.scope) for each, _ in pairs])
        right = row_of([compile_expression(each, own) for _, each in pairs])
        index = self._index(source, [each for _, each in pairs], own) if not self.early and not right_only else None
        return _hashing(rows, left, right, index), rest

    def _split(
        self, on: list[Expr[bool, Any]]
    ) -> tuple[Scope, list[Expr[bool, Any]], list[tuple[Expr[Any, Any], Expr[Any, Any]]], list[Expr[bool, Any]]]:
        own = self.scope.same_level(self.scope.sources[self.index :], bare=True)
        right_only, pairs, rest = [], [], []
        for each in on:
            used = sources_of(each, self.scope)
            pair = self._pair(each)
            if pair is not None:
                pairs.append(pair)
            elif used == frozenset([self.index]) and self.join.kind in {"inner", "left"}:
                right_only.append(each)
            else:
                rest.append(each)
        return own, right_only, pairs, rest

    def _pair(self, condition: Expr[bool, Any]) -> tuple[Expr[Any, Any], Expr[Any, Any]] | None:
        """Return the sides of an equality between the sources before and this one."""
        if not isinstance(condition, Call) or condition.name != "eq" or isinstance(condition.operands[0], RowValue):
            return None
        one, other = condition.operands
        for left, right in ((one, other), (other, one)):
            before, this = sources_of(left, self.scope), sources_of(right, self.scope)
            if (
                freezer(left) is None
                and before is not None
                and self.index not in before
                and this == frozenset([self.index])
            ):
                return left, right
        return None

    def _index(self, source: Source, keys: list[Expr[Any, Any]], own: Scope) -> tuple[Any, tuple[int, ...]] | None:
        """Return the relation and the columns of an index over exactly these keys."""
        if not isinstance(source, FromRelation) or info(source.relation).common or self.join.kind in {"right", "full"}:
            return None
        paths = [own.column(each) if isinstance(each, Attribute) else None for each in keys]
        positions = tuple([path[0] for path in paths if path is not None])
        if len(positions) == len(keys) and positions in indexed_positions(info(source.relation)):
            return source.relation, positions
        return None


@frozen(eq=False)
class _Matcher:
    """
    How matching rows are found.

    Attributes:
        start: Called once a run; returns the function that finds them.
        everything: All rows of the source, for joins that keep those without a match; None where there is no such
            thing.
    """

    start: Callable[[Values], Match]
    everything: Callable[[Values], tuple[list[Row], Match]] | None


def _scanning(rows: Produce) -> _Matcher:
    def everything(values: Values) -> tuple[list[Row], Match]:
        listed = list(rows(values))
        numbered = list(enumerate(listed))
        return listed, lambda row: numbered

    return _Matcher(lambda values: everything(values)[1], everything)


def _hashing(rows: Produce, left: Compute, right: Compute, index: tuple[Any, tuple[int, ...]] | None) -> _Matcher:
    def everything(values: Values) -> tuple[list[Row], Match]:
        listed = list(rows(values))
        table: dict[Any, list[tuple[int, Row]]] = {}
        for numbered in enumerate(listed):
            key = right(numbered[1], values)
            if None not in key:
                table.setdefault(key, []).append(numbered)
        return listed, lambda row: table.get(left(row, values), ())

    def start(values: Values) -> Match:
        view = values[-1].view
        if index is None or view.find(*index, ()) is None:
            return everything(values)[1]
        relation, positions = index

        def match(row: Row) -> Iterable[tuple[int, Row]]:
            key = left(row, values)
            return () if None in key else enumerate(view.find(relation, positions, (key,)) or ())

        return match

    return _Matcher(start, everything)


def _join(before: Produce, matcher: _Matcher, keep: Compute | None, null: Row | None) -> Produce:
    """Return an inner join, or with `null`, the row that stands for a missing one, a left join."""

    def rows(values: Values) -> Iterator[Row]:
        match = matcher.start(values)
        for row in before(values):
            matched = False
            for _, other in match(row):
                both = (*row, other)
                if keep is None or keep(both, values) is True:
                    matched = True
                    yield both
            if null is not None and not matched:
                yield (*row, null)

    return rows


def _outer_join(before: Produce, matcher: _Matcher, keep: Compute | None, null: Row | None, nulls: Row) -> Produce:
    """Return a right join, or with `null` a full join; `nulls` stands for the missing rows of the sources before."""

    def rows(values: Values) -> Iterator[Row]:
        assert matcher.everything is not None
        listed, match = matcher.everything(values)
        used: set[int] = set()
        for row in before(values):
            matched = False
            for place, other in match(row):
                both = (*row, other)
                if keep is None or keep(both, values) is True:
                    used.add(place)
                    matched = True
                    yield both
            if null is not None and not matched:
                yield (*row, null)
        for place, other in enumerate(listed):
            if place not in used:
                yield (*nulls, other)

    return rows
