"""
Operations as PostgreSQL runs them, on one connection.

A session and an operation, or a program of several, go in; results come out, or an error of our tree.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from typing_extensions import TypeVar

from gateways.postgres.calls import run_call
from gateways.postgres.errors import translate, was_closed
from gateways.postgres.events import Measured
from gateways.postgres.inserting import insert
from gateways.postgres.raw import nature, run_raw, text_of
from gateways.postgres.session import Session
from gateways.postgres.shelter import Sheltered, given_up_after, was_outlasted
from gateways.postgres.transactions import control
from gateways.postgres.updating import write
from gateways.postgres.upserting import upsert
from mapper.errors import ReadOnly, Unsupported
from mapper.operations import (
    Call,
    DeleteSql,
    Insert,
    Operation,
    QuerySql,
    RawSql,
    Result,
    Transaction,
    UpdateSql,
    Upsert,
)

__all__ = ["IN_TIME", "WRITERS", "execute", "failed", "failure", "may_write", "perform", "readable", "writes"]

T = TypeVar("T")

IN_TIME: Final = given_up_after(0.05)
"""How long a write may go on whose caller was cancelled, before the server is asked to give it up."""

_WRITES: Final = (Insert, Upsert, UpdateSql, DeleteSql)


def execute(session: Session, operation: Operation) -> Coroutine[Any, Any, Result]:
    """
    Run one operation in whatever transaction is open, once what is returned is awaited.

    Raises:
        Unsupported: It is none of PostgreSQL's.
    """
    run = _RUNNERS.get(type(operation))
    if run is None:
        raise unsupported(operation)
    return run(session, operation)


def perform(session: Session, operation: Operation) -> Awaitable[Result]:
    """Run one operation as `execute` does, and to its end where it commits by itself, whoever is cancelled meanwhile."""
    work = execute(session, operation)
    return Sheltered(work, IN_TIME) if may_write(operation) and not session.in_transaction() else work


def unsupported(operation: Operation) -> Unsupported:
    """Give the error of an operation that is none of PostgreSQL's."""
    kind = type(operation).__name__
    return Unsupported(kind, "postgres", f"the postgres gateway does not run {kind} operations here")


def readable(operation: Operation) -> tuple[str, tuple[Any, ...]]:
    """
    Return the text and the parameters of an operation that gives rows.

    Raises:
        Unsupported: It gives none.
    """
    if isinstance(operation, QuerySql):
        return operation.sql, operation.parameters
    if isinstance(operation, RawSql):
        return text_of(operation), tuple(operation.parameters)
    if isinstance(operation, UpdateSql | DeleteSql) and not operation.many:
        return operation.sql, tuple(operation.parameters)
    raise unsupported(operation)


def writes(operation: Operation) -> bool:
    """Whether an operation changes the store, as far as it says. A call sees to its own commit."""
    return isinstance(operation, _WRITES) or (bool(operation.writes) and not isinstance(operation, Call))


def may_write(operation: Operation) -> bool:
    """Whether an operation may change the store."""
    return nature(operation.text).writes if isinstance(operation, RawSql) else writes(operation)


def failure(session: Session, error: BaseException, operation: Operation | None) -> BaseException:
    """
    Give the error of our tree for what an operation raised, and give the connection up where nobody knows its state any
    more.

    Whether something may have been committed depends on what was sent last: COMMIT, or a write in no transaction.
    """
    if was_closed(error) and session.is_open():
        session.driver.terminate()  # the server has closed it, and the driver only waits to see that
    lost, within = not session.is_open(), session.in_transaction()
    alone = operation is not None and not within and may_write(operation)
    commits = session.committing or (isinstance(operation, RawSql) and nature(operation.text).commits)
    unsure = (commits or alone) and not was_closed(error)
    session.committing = False
    if not isinstance(error, Exception) and not was_outlasted(error):
        session.give_up(awaited=True, was_writing=within or unsure)
    elif isinstance(error, TimeoutError):
        session.give_up(awaited=False)
    raised = translate(error, operation, lost=lost, unsure=unsure)
    session.refused = session.refused or isinstance(raised, ReadOnly)
    return raised


def failed(session: Session, error: BaseException, operation: Operation, measured: Measured | None) -> BaseException:
    """Do as `failure`, and tell of the operation."""
    raised = failure(session, error, operation)
    if measured is not None:
        measured.end(operation, error=raised)
    return raised


async def _query(session: Session, operation: QuerySql) -> Result:
    rows = list(map(tuple, await session.driver.fetch(operation.sql, *operation.parameters)))
    return Result(rows, len(rows))


async def _control(session: Session, operation: Transaction) -> Result:
    await control(session, operation)
    return Result()


WRITERS: Final[dict[type[Any], Callable[[Session, Any], Coroutine[Any, Any, Result]]]] = {
    Insert: insert,
    UpdateSql: write,
    DeleteSql: write,
    Upsert: upsert,
}
"""What always changes the store."""

_RUNNERS: Final[dict[type[Any], Callable[[Session, Any], Coroutine[Any, Any, Result]]]] = {
    **WRITERS,
    QuerySql: _query,
    Transaction: _control,
    RawSql: run_raw,
    Call: run_call,
}
