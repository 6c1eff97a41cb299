"""
EXPLAIN QUERY PLAN: how SQLite runs a statement, as a tree.

An operation goes in, an operation that asks about it comes out; SQLite's rows go in, a `Plan` comes out.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from mapper.errors import Unsupported
from mapper.explaining import Plan
from mapper.operations import DeleteSql, Insert, Operation, QuerySql, RawSql, UpdateSql, Upsert

__all__ = ["asking", "plan_of"]


def asking(operation: Operation) -> QuerySql | RawSql:
    """
    Return the operation that asks for the plan of another.

    Raises:
        Unsupported: The other has none.
    """
    head = "EXPLAIN QUERY PLAN "
    match operation:
        case QuerySql():
            return QuerySql(head + operation.sql, operation.parameters, reads=operation.reads)
        case RawSql():
            return RawSql(head + operation.text, operation.parameters, reads=operation.reads)
        case UpdateSql() | DeleteSql():
            parameters = operation.parameters[0] if operation.many else operation.parameters
            return QuerySql(head + operation.sql, tuple(parameters), reads=operation.reads)
        case Insert(sql=str(sql)) if operation.rows:
            return QuerySql(head + sql, tuple(operation.rows[0]), reads=operation.reads)
        case Upsert(sql=str(sql)) if operation.rows:
            return QuerySql(head + sql, (*operation.rows[0], *operation.parameters), reads=operation.reads)
        case _:
            raise Unsupported("explain", "sqlite", f"{type(operation).__name__} operations have no plan")


def plan_of(rows: Sequence[Sequence[Any]]) -> Plan:
    """
    Return the plan that SQLite tells.

    Args:
        rows: The number of each step, that of the step that it belongs to (0 is none), something unused, and its text.
    """
    below: dict[int, list[tuple[int, str]]] = {}
    for number, parent, _, text in rows:
        below.setdefault(parent, []).append((number, text))
    steps = _steps(0, below)
    return steps[0] if len(steps) == 1 else Plan(node="QUERY PLAN", children=steps)


def _steps(parent: int, below: dict[int, list[tuple[int, str]]]) -> tuple[Plan, ...]:
    return tuple([_step(text, _steps(number, below)) for number, text in below.get(parent, ())])


_READ: Final = re.compile(
    r"(?P<node>SCAN|SEARCH) (?P<relation>.+?)"
    r"(?: USING (?P<automatic>AUTOMATIC )?(?:PARTIAL )?(?P<covering>COVERING )?"
    r"(?:INDEX(?P<index> [^(]+?)?|(?P<key>INTEGER PRIMARY KEY|PRIMARY KEY)))?"
    r"(?: \((?P<condition>.*)\))?(?P<more> LEFT-JOIN| VIRTUAL TABLE INDEX .*)?"
)


def _step(text: str, children: tuple[Plan, ...]) -> Plan:
    found = _READ.fullmatch(text)
    if found is None or found["relation"] == "CONSTANT ROW":
        return Plan(node=text, children=children)
    details = []
    if found["condition"] is not None:
        details.append(("Condition", found["condition"]))
    if found["covering"] is not None:
        details.append(("Covering", "the index has all columns that are read"))
    if found["more"] is not None:
        details.append(("More", found["more"].strip()))
    index = (
        (found["index"] or "").strip() or found["key"] or ("made for this statement" if found["automatic"] else None)
    )
    return Plan(node=found["node"], relation=found["relation"], index=index, details=tuple(details), children=children)
