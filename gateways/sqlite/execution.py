"""
Operations as SQLite runs them, in the thread of a connection.

An operation, or a program of several, and a session go in; results come out, or an error of our tree.
"""

import asyncio
import inspect
import time

from typing_extensions import TypeVar

from gateways.sqlite.inserting import insert
from gateways.sqlite.raw import nature, statement, unsupported
from gateways.sqlite.session import Session
from gateways.sqlite.tracing import Trace
from gateways.sqlite.writing import delete_found, upsert, write_each
from mapper.errors import StatementError
from mapper.gateway import Program
from mapper.operations import DeleteSql, Insert, Operation, QuerySql, RawSql, Result, Transaction, UpdateSql, Upsert

__all__ = ["asks_for_settings", "begins_write", "dismiss", "execute", "execute_alone", "run_program"]

T = TypeVar("T")

_UNDOING = ("rollback", "rollback_to", "release")


def begins_write(operation: Operation) -> bool:
    """
    Tell whether an operation needs the write lock.

    Raises:
        Unsupported: It is none of SQLite's.
    """
    match operation:
        case QuerySql(writes=writes):
            return bool(writes)
        case RawSql(text=text, writes=writes):
            return bool(writes) or nature(text).writes
        case Insert() | Upsert() | UpdateSql() | DeleteSql():
            return True
        case Transaction(kind=kind, read_only=read_only):
            return kind == "start" and not read_only
        case _:
            raise unsupported(operation, "")


def asks_for_settings(operation: Operation) -> bool:
    """Tell whether an operation is to find the connection's settings as the gateway was given them."""
    return isinstance(operation, RawSql) and nature(operation.text).pragma


def execute_alone(operation: Operation, trace: Trace | None, session: Session) -> Result:
    """
    Run one operation, in a transaction of its own.

    Raises:
        StatementError: It leaves a transaction open, which nobody could end.
    """
    result = execute(operation, trace, session)
    if session.raw.in_transaction:
        session.rollback()
        raise StatementError(
            "the operation leaves a transaction open, which was rolled back",
            operation=operation,
            hint="use transaction() of the repository, or hold a connection: async with gateway.connection()",
        )
    return result


def run_program(program: Program[T], operation: Operation, trace: Trace | None, session: Session) -> T:
    """
    Run a program, of which the first operation is known, to its end.

    What it leaves open is rolled back. Where the visit is cancelled, the program is told at its next operation, and may
    still roll back.
    """
    within = session.unfinished()
    try:
        while True:
            try:
                result = execute(operation, trace, session)
            except (Exception, asyncio.CancelledError) as error:
                operation = program.throw(error)
            else:
                operation = program.send(result)
    except StopIteration as stop:
        value: T = stop.value
        return value
    finally:
        if session.unfinished() and not within:
            session.rollback()


def dismiss(program: Program[T], error: BaseException) -> None:
    """Tell a program that it was not run, and why. What it still wants to undo is nothing."""
    try:
        while inspect.isgenerator(program) and inspect.getgeneratorstate(program) != inspect.GEN_CLOSED:
            program.throw(error)
    except (StopIteration, type(error)):
        return


def execute(operation: Operation, trace: Trace | None, session: Session) -> Result:
    """Run one operation in whatever transaction is open."""
    if trace is None:
        return _execute(operation, session)
    began = time.perf_counter()
    try:
        result = _execute(operation, session)
    except BaseException as error:
        trace.add(operation, began, error=error)
        raise
    trace.add(operation, began, rows=result.count)
    return result


def _execute(operation: Operation, session: Session) -> Result:
    if isinstance(operation, Transaction):
        session.control(operation)
        return Result()
    session.enter(operation)
    match operation:
        case QuerySql(sql=sql, parameters=parameters):
            return session.run(sql, parameters)
        case Insert():
            return insert(session, operation)
        case UpdateSql(many=True) | DeleteSql(many=True):
            return write_each(session, operation)
        case DeleteSql():
            return delete_found(session, operation)
        case UpdateSql(sql=sql, parameters=parameters):
            return session.run(sql, parameters)
        case Upsert():
            return upsert(session, operation)
        case RawSql(text=text):
            session.spent = session.spent or nature(text).alters
            return session.run(*statement(operation))
        case _:
            raise unsupported(operation, "")
