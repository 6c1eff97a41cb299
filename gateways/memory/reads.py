"""
Plans of reads: which operation a query becomes, and what runs it.

A select goes in; a plan comes out that makes an operation of a query's values, and a function that gives the rows of
such an operation.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, Final, Protocol, TypeAlias

from gateways.memory.access import compile_access
from gateways.memory.computing import Compilation, Run, View
from gateways.memory.evaluate import compilation_of, compile_select
from gateways.memory.expressions import compile_condition, compile_expression, conjuncts
from gateways.memory.ordering import compile_terms, ordered
from gateways.memory.scope import Scope, of_relation
from gateways.sql.shapes import has_subquery
from mapper.columns import ColumnInfo
from mapper.errors import QueryError
from mapper.expressions import BOOLEAN, Attribute, Call, Expr, Order, Slot
from mapper.functions import Aggregate, Window
from mapper.making import maker_of
from mapper.operations import Evaluate, GetByKey, Scan
from mapper.relation import RelationInfo, info
from mapper.statements import FromRelation, Select
from mapper.types import Codecs

__all__ = ["ReadPlan", "Reader", "evaluating", "key_of", "plan_of", "projection_of", "read_by_key", "scanning"]

NOTHING: Final[frozenset[Any]] = frozenset()
"""What reads write."""

_evaluate: Final = maker_of(Evaluate)
_scan: Final = maker_of(Scan)
_get_by_key: Final = maker_of(GetByKey)

Row: TypeAlias = tuple[Any, ...]

Reader: TypeAlias = Callable[[Any, View], Iterable[Row]]
"""Gives the rows of an operation, of a view of the store."""


class ReadPlan(Protocol):
    """
    What a query of one shape becomes.

    Attributes:
        reader: What gives the rows of its operations; None where nothing is compiled for that.
        parts: What its operations share.
    """

    reader: Reader | None
    parts: tuple[Any, ...]

    def operation(self, parameters: Sequence[Any]) -> GetByKey | Scan | Evaluate:
        """Return the operation for a query's values."""
        ...


def plan_of(select: Select, size: int, codecs: Codecs) -> ReadPlan:
    """
    Return the plan of a select with `size` parameters.

    Raises:
        Unsupported, NotJoined, QueryError: See `compile_select`.
    """
    if select.source is None and not (select.reads or select.compound or select.ctes):
        raise QueryError("the query reads from no relation", hint="name one: select(…).from_(Posts)")
    relation = _only_relation(select)
    if relation is None:
        return _EvaluatePlan(select, codecs, size)
    key = _key_slots(select, info(relation))
    if key is not None:
        return _KeyPlan(select, info(relation), key, codecs, size)
    return _ScanPlan(select, info(relation), codecs, size)


def scanning(operation: Scan, codecs: Codecs) -> Reader:
    """Compile what gives the rows of scans that differ from this one in their values only."""
    return _scan_reader(
        operation.relation,
        operation.columns,
        operation.filter,
        operation.order,
        compilation_of(codecs, len(operation.parameters)),
    )


def evaluating(operation: Evaluate, codecs: Codecs) -> Reader:
    """Compile what gives the rows of evaluations that differ from this one in their values only."""
    return _select_reader(operation.select, compilation_of(codecs, len(operation.parameters)))


def read_by_key(operation: GetByKey, view: View) -> list[Row]:
    """Return the rows of keys, in the order of these, each once."""
    relation = operation.relation
    keys = operation.keys if len(operation.keys) == 1 else dict.fromkeys(operation.keys)
    found = [row for key in keys if (row := view.get(relation, key)) is not None]
    project = projection_of(operation.columns, info(relation))
    return found if project is None else list(map(project, found))


def projection_of(columns: Sequence[ColumnInfo], described: RelationInfo) -> Callable[[Row], Row] | None:
    """Return what takes columns out of a row; None where these are all of it."""
    positions = [each.position for each in columns]
    if positions == list(range(len(described.columns))):
        return None
    if len(positions) == 1:
        only = positions[0]
        return lambda row: (row[only],)
    return itemgetter(*positions) if positions else lambda row: ()


class _EvaluatePlan:
    """A select that needs all of what the gateway can do."""

    def __init__(self, select: Select, codecs: Codecs, size: int) -> None:
        self._select = select
        self._compilation = compilation_of(codecs, size)
        self.reader: Reader | None = _select_reader(select, self._compilation)
        self.parts: tuple[Any, ...] = (select,)

    def operation(self, parameters: Sequence[Any]) -> Evaluate:
        select = self._select
        return _evaluate(select, self._compilation.encode(parameters), select.columns, select.reads, NOTHING)


class _ScanPlan:
    """Plain columns of one relation."""

    def __init__(self, select: Select, described: RelationInfo, codecs: Codecs, size: int) -> None:
        self._relation = described.relation
        self._columns = columns_of(select)
        self._filter = _one(select.where)
        self._order = select.order_by
        self._reads = select.reads
        self._compilation = compilation_of(codecs, size)
        self.reader: Reader | None = _scan_reader(
            self._relation, self._columns, self._filter, self._order, self._compilation
        )
        self.parts: tuple[Any, ...] = (self._relation, self._columns, self._filter, self._order)
        alone = Scope(self._compilation, bare=True)
        self._limit = None if select.limit is None else compile_expression(select.limit, alone)
        self._offset = None if select.offset is None else compile_expression(select.offset, alone)

    def operation(self, parameters: Sequence[Any]) -> Scan:
        encoded = self._compilation.encode(parameters)
        limit = None if self._limit is None else self._limit((), encoded)
        offset = (None if self._offset is None else self._offset((), encoded)) or 0
        return _scan(
            self._relation, self._columns, self._filter, encoded, self._order, limit, offset, None, self._reads, NOTHING
        )


class _KeyPlan:
    """One row by its key."""

    def __init__(
        self, select: Select, described: RelationInfo, key: tuple[int, ...], codecs: Codecs, size: int
    ) -> None:
        self.reader: Reader | None = None
        self.parts: tuple[Any, ...] = ()
        self._relation = described.relation
        self._columns = columns_of(select)
        self._reads = select.reads
        self._key = key
        self._limit = select.limit.index if isinstance(select.limit, Slot) else None
        self._compilation = compilation_of(codecs, size)
        scope = Scope(self._compilation, [of_relation(described.relation)], bare=True)
        compile_condition(select.where, scope)
        compile_terms(select.order_by, scope)

    def operation(self, parameters: Sequence[Any]) -> GetByKey:
        encoded = self._compilation.encode(parameters)
        key = tuple([encoded[each] for each in self._key])
        nothing = None in key or (self._limit is not None and encoded[self._limit] == 0)
        return _get_by_key(self._relation, () if nothing else (key,), self._columns, self._reads, NOTHING)


def columns_of(select: Select) -> tuple[ColumnInfo, ...]:
    """Return the columns that a select of plain columns gives."""
    return tuple([each.column for each in select.items if isinstance(each, Attribute)])


def _one(conditions: tuple[Expr[bool, Any], ...]) -> Expr[bool, Any] | None:
    """Return several conditions as one."""
    if not conditions:
        return None
    return conditions[0] if len(conditions) == 1 else Call("and", conditions, BOOLEAN, nullable=None)


def _select_reader(select: Select, compilation: Compilation) -> Reader:
    plan = compile_select(select, compilation)

    def read(operation: Evaluate, view: View) -> Iterable[Row]:
        return plan.produce(compilation.values(operation.parameters, Run(view)))

    return read


def _scan_reader(
    relation: Any,
    columns: Sequence[ColumnInfo],
    condition: Expr[bool, Any] | None,
    order: Sequence[Order[Any]],
    compilation: Compilation,
) -> Reader:
    scope = Scope(compilation, [of_relation(relation)], bare=True)
    access = compile_access(relation, conjuncts(() if condition is None else (condition,)), scope)
    terms = compile_terms(order, scope)
    project = projection_of(columns, info(relation))

    def read(operation: Scan, view: View) -> Iterable[Row]:
        values = compilation.values(operation.parameters, Run(view))
        end = None if operation.limit is None else operation.offset + operation.limit
        if end == 0:
            return ()
        rows = access.rows(values)
        if terms:
            rows = ordered(rows, terms, values, end)
        if operation.offset or end is not None:
            rows = islice(rows, operation.offset, end)
        return rows if project is None else map(project, rows)

    return read


def _only_relation(select: Select) -> Any:
    """Return the relation of a select that reads plain columns of one and does nothing to them; else None."""
    if not isinstance(select.source, FromRelation) or info(select.source.relation).common:
        return None
    if select.joins or select.group_by or select.having or select.distinct or select.distinct_on:
        return None
    if select.compound or select.ctes or select.lock is not None or not select.items:
        return None
    token = info(select.source.relation).token
    if not all([isinstance(each, Attribute) and info(each.relation).token == token for each in select.items]):
        return None
    parts = [*select.where, *[each.expression for each in select.order_by]]
    return None if any([has_subquery(each) or _summarizes(each) for each in parts]) else select.source.relation


def _summarizes(expression: Expr[Any, Any]) -> bool:
    return isinstance(expression, Aggregate | Window) or any([_summarizes(each) for each in expression.children])


def _key_slots(select: Select, described: RelationInfo) -> tuple[int, ...] | None:
    """Return the parameters that the primary key is equal to, where that is all that the select asks."""
    if (
        select.offset is not None
        or not described.primary_key
        or not (select.limit is None or isinstance(select.limit, Slot))
    ):
        return None
    return key_of(conjuncts(select.where), described)


def key_of(conditions: Sequence[Expr[bool, Any]], described: RelationInfo) -> tuple[int, ...] | None:
    """Return the parameters that the primary key is equal to, in its order, where the conditions say exactly that."""
    found: dict[str, int] = {}
    for each in conditions:
        if not isinstance(each, Call) or each.name != "eq":
            return None
        left, right = each.operands
        if isinstance(left, Slot):
            left, right = right, left
        if (
            not isinstance(left, Attribute)
            or not isinstance(right, Slot)
            or info(left.relation).token != described.token
        ):
            return None
        if left.column.attribute in found:
            return None
        found[left.column.attribute] = right.index
    if frozenset(found) != described.key_columns:
        return None
    return tuple([found[each.attribute] for each in described.primary_key])
