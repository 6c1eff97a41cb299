"""
EXPLAIN: the statement that asks PostgreSQL for its plan, and the plan that its answer is.

An operation goes in, an operation that asks about it comes out; the server's JSON goes in, a `Plan` comes out.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateways.postgres.raw import text_of as raw_text
from mapper.errors import Unsupported
from mapper.explaining import Plan
from mapper.gateway import Program
from mapper.operations import DeleteSql, Insert, Operation, QuerySql, RawSql, Transaction, UpdateSql, Upsert

__all__ = ["analysing", "asking", "plan_of"]


def asking(operation: Operation, options: Mapping[str, bool]) -> QuerySql:
    """
    Return the operation that asks for the plan of another.

    Args:
        options: Options of EXPLAIN, on or off: `analyze`, `buffers`, `verbose`, `settings`.

    Raises:
        Unsupported: The other has no plan.
    """
    sql, parameters = _statement(operation)
    chosen = ", ".join(
        ["FORMAT JSON", *[f"{name.upper()} {'TRUE' if on else 'FALSE'}" for name, on in options.items()]]
    )
    writes = operation.writes if options.get("analyze") else frozenset[Any]()
    return QuerySql(f"EXPLAIN ({chosen}) {sql}", tuple(parameters), reads=operation.reads, writes=writes)


def _statement(operation: Operation) -> tuple[str, Sequence[Any]]:
    match operation:
        case QuerySql():
            return operation.sql, operation.parameters
        case RawSql():
            return raw_text(operation), operation.parameters
        case UpdateSql() | DeleteSql():
            return operation.sql, operation.parameters[0] if operation.many else operation.parameters
        case Insert(sql=str(sql)) if operation.rows:
            return sql, operation.rows[0]
        case Upsert(sql=str(sql)) if operation.rows:
            return sql, (*operation.rows[0], *operation.parameters)
        case _:
            kind = type(operation).__name__
            raise Unsupported("explain", "postgres", f"{kind} operations have no plan")


def analysing(question: QuerySql, *, within: bool) -> Program[Any]:
    """
    Return a program that asks a question which runs the statement, undoes what that did, and gives the answer.

    Args:
        within: In a transaction that is open.
    """
    name = "mapper explain" if within else None
    yield Transaction("savepoint" if within else "start", name=name)
    try:
        answer = yield question
    except Exception:
        yield Transaction("rollback_to" if within else "rollback", name=name)
        raise
    yield Transaction("rollback_to" if within else "rollback", name=name)
    if within:
        yield Transaction("release", name=name)
    return answer.rows[0][0]


def plan_of(answer: Any) -> Plan:
    """Return the plan that the server answers, as JSON or as what was made of it."""
    (told,) = json.loads(answer) if isinstance(answer, str) else answer
    further = tuple(
        [(name, _text(value)) for name, value in told.items() if name not in _OF_STATEMENT and _says_something(value)]
    )
    return _step(told["Plan"], further, _seconds(told, "Planning Time"), _seconds(told, "Execution Time"))


_OF_STATEMENT: Final = frozenset({"Plan", "Planning Time", "Execution Time"})

_OF_STEP: Final = frozenset({
    "Node Type", "Plans", "Relation Name", "Schema", "Index Name", "Startup Cost", "Total Cost", "Plan Rows", "Plan Width",
    "Actual Startup Time", "Actual Total Time", "Actual Rows", "Actual Loops", "Parent Relationship", "Parallel Aware",
    "Async Capable", "Disabled",
})  # fmt: skip
"""What is told by other attributes, or says nothing to anybody."""


def _step(
    told: Mapping[str, Any],
    further: tuple[tuple[str, str], ...] = (),
    planning: float | None = None,
    execution: float | None = None,
) -> Plan:
    loops = told.get("Actual Loops")
    silent = _OF_STEP | ({"Alias"} if told.get("Alias") == told.get("Relation Name") else set())
    details = [(name, _text(value)) for name, value in told.items() if name not in silent and _says_something(value)]
    return Plan(
        node=told["Node Type"],
        relation=_relation(told),
        index=told.get("Index Name"),
        details=(*details, *further),
        startup_cost=told.get("Startup Cost"),
        cost=told.get("Total Cost"),
        rows=told.get("Plan Rows"),
        actual_rows=_of_all(told.get("Actual Rows"), loops),
        loops=loops,
        seconds=_of_all(_seconds(told, "Actual Total Time"), loops),
        planning_seconds=planning,
        execution_seconds=execution,
        children=tuple([_step(each) for each in told.get("Plans", ())]),
    )


def _relation(told: Mapping[str, Any]) -> str | None:
    name = told.get("Relation Name")
    return f"{told['Schema']}.{name}" if name is not None and "Schema" in told else name


def _of_all(average: float | None, loops: float | None) -> float | None:
    """The server tells averages of all runs of a step; before version 18, of rows, in whole numbers."""
    return None if average is None or loops is None else average * loops


def _seconds(told: Mapping[str, Any], name: str) -> float | None:
    milliseconds = told.get(name)
    return None if milliseconds is None else milliseconds / 1000


def _says_something(value: Any) -> bool:
    """Whether a detail is more than a counter at zero, or nothing, or what goes without saying."""
    if isinstance(value, dict):
        return any([_says_something(each) for each in value.values()])
    return value not in (False, 0, None, "", [], "Forward")


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case list():
            return ", ".join([_text(each) for each in value])
        case dict():
            return ", ".join([f"{name} {_text(inner)}" for name, inner in value.items() if _says_something(inner)])
        case _:
            return json.dumps(value)
