"""
How the memory gateway runs an operation, as a tree.

An operation goes in, a `Plan` comes out. It says what is done and through which index, and nothing of costs: there are
no statistics that they could be told by.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from attrs import evolve

from gateways.memory.access import compile_access
from gateways.memory.evaluate import compilation_of
from gateways.memory.expressions import conjuncts
from gateways.memory.scope import Scope, of_relation
from mapper.errors import Unsupported
from mapper.explaining import Plan
from mapper.expressions import Expr, Order
from mapper.operations import Evaluate, GetByKey, Operation, Scan
from mapper.relation import info
from mapper.statements import FromRelation, FromSelect, Select, Source
from mapper.types import Codecs

__all__ = ["plan_of"]


def plan_of(operation: Operation, codecs: Codecs) -> Plan:
    """
    Return how an operation is run.

    Raises:
        Unsupported: It is no read.
    """
    match operation:
        case GetByKey():
            count = float(len(operation.keys))
            return Plan(node="Get by key", relation=_name(operation.relation), index="primary key", rows=count)
        case Scan():
            return _scan(operation, codecs)
        case Evaluate():
            return _select(operation.select)
        case _:
            raise Unsupported("explain", "memory", f"{type(operation).__name__} operations have no plan")


def _scan(operation: Scan, codecs: Codecs) -> Plan:
    described = info(operation.relation)
    scope = Scope(compilation_of(codecs, len(operation.parameters)), [of_relation(operation.relation)], bare=True)
    access = compile_access(
        operation.relation, conjuncts(() if operation.filter is None else (operation.filter,)), scope
    )
    columns = [described.columns[each].attribute for each in access.positions]
    plan = Plan(
        node="Look up" if columns else "Scan",
        relation=_name(operation.relation),
        index=", ".join(columns) or None,
        details=() if operation.filter is None else (("Filter", _text(operation.filter)),),
    )
    if operation.order:
        plan = _above(plan, "Sort", operation.order)
    if operation.limit is not None or operation.offset:
        plan = Plan(node="Limit", rows=None if operation.limit is None else float(operation.limit), children=(plan,))
    return plan


def _select(select: Select) -> Plan:
    """Return the steps of a select: its sources are read and joined, then filtered, grouped, ordered and cut."""
    sources = tuple(_sources(select))
    plan = sources[0] if len(sources) == 1 else Plan(node="Join" if sources else "One row", children=sources)
    if select.where:
        plan = _above(plan, "Filter", select.where)
    if select.group_by:
        plan = _above(plan, "Group", select.group_by)
    if select.having:
        plan = _above(plan, "Filter groups", select.having)
    if select.distinct or select.distinct_on:
        plan = Plan(node="Distinct", children=(plan,))
    for operator, other in select.compound:
        plan = Plan(node=operator.replace("_", " ").capitalize(), children=(plan, _select(other)))
    if select.order_by:
        plan = _above(plan, "Sort", select.order_by)
    if select.limit is not None or select.offset is not None:
        plan = Plan(node="Limit", children=(plan,))
    commons = [
        Plan(node="Common table", relation=_name(each.relation), children=(_select(each.select),))
        for each in select.ctes
    ]
    return evolve(plan, children=(*commons, *plan.children)) if commons else plan


def _above(plan: Plan, node: str, terms: Sequence[Expr[Any, Any] | Order[Any]]) -> Plan:
    return Plan(node=node, details=(("Terms", ", ".join([_text(each) for each in terms])),), children=(plan,))


_MARKS: Final = re.compile(r"(?<=\w)#\d+")
"""What tells relations of one name from each other in a key."""


def _text(term: Expr[Any, Any] | Order[Any]) -> str:
    if isinstance(term, Order):
        return f"{_text(term.expression)}{' descending' if term.descending else ''}"
    return _MARKS.sub("", term.key)


def _sources(select: Select) -> Iterator[Plan]:
    if select.source is not None:
        yield _source(select.source, None)
    for join in select.joins:
        yield _source(join.source, f"{join.kind} join")


def _source(source: Source, join: str | None) -> Plan:
    details = () if join is None else (("Joined by", join),)
    match source:
        case FromRelation(relation=relation):
            alias = info(relation).alias
            named = () if alias is None else (("Alias", alias),)
            return Plan(node="Rows", relation=_name(relation), details=(*named, *details))
        case FromSelect(select=select, alias=alias):
            return Plan(node="Subquery", relation=alias, details=details, children=(_select(select),))
        case _:
            return Plan(node=type(source).__name__.removeprefix("From"), details=details)


def _name(relation: Any) -> str:
    described = info(relation)
    return described.name if described.schema is None else f"{described.schema}.{described.name}"
