"""
Operations as PostgreSQL runs them, on one connection.

A session and an operation, or a program of several, go in; results come out, or an error of our tree.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from typing_extensions import TypeVar

from gateways.postgres.errors import translate
from gateways.postgres.inserting import insert
from gateways.postgres.raw import run_raw, text_of
from gateways.postgres.session import Session
from gateways.postgres.transactions import control
from gateways.postgres.updating import affected, write_each
from gateways.postgres.upserting import upsert
from mapper.errors import Unsupported
from mapper.operations import DeleteSql, Insert, Operation, QuerySql, RawSql, Result, Transaction, UpdateSql, Upsert

__all__ = ["execute", "failure", "readable", "writes"]

T = TypeVar("T")

_WRITES: Final = (Insert, Upsert, UpdateSql, DeleteSql)


async def execute(session: Session, operation: Operation) -> Result:
    """
    Run one operation in whatever transaction is open.

    Raises:
        Unsupported: It is none of PostgreSQL's.
    """
    run = _RUNNERS.get(type(operation))
    if run is None:
        raise unsupported(operation)
    return await run(session, operation)


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
    """Whether an operation changes the store, as far as it says."""
    return isinstance(operation, _WRITES) or bool(operation.writes)


def failure(session: Session, error: BaseException, operation: Operation | None, *, alone: bool) -> BaseException:
    """
    Give the error of our tree for what an operation raised, and close the connection where nobody knows its state any
    more.

    Args:
        alone: It ran in a transaction of its own, which may have been committed if the connection was lost.
    """
    lost = not session.is_open()
    if not isinstance(error, Exception) or isinstance(error, TimeoutError):
        session.terminate()
    commits = isinstance(operation, Transaction) and operation.kind == "commit"
    unsure = commits or (alone and operation is not None and writes(operation))
    return translate(error, operation, lost=lost, unsure=unsure)


async def _query(session: Session, operation: QuerySql) -> Result:
    rows = list(map(tuple, await session.driver.fetch(operation.sql, *operation.parameters)))
    return Result(rows, len(rows))


async def _write(session: Session, operation: UpdateSql | DeleteSql) -> Result:
    if operation.many:
        return await write_each(session, operation)
    if operation.returning:
        rows = list(map(tuple, await session.driver.fetch(operation.sql, *operation.parameters)))
        return Result(rows, len(rows))
    return Result(count=affected(await session.driver.execute(operation.sql, *operation.parameters)))


async def _control(session: Session, operation: Transaction) -> Result:
    await control(session, operation)
    return Result()


_RUNNERS: Final[dict[type[Any], Callable[[Session, Any], Awaitable[Result]]]] = {
    QuerySql: _query,
    Insert: insert,
    UpdateSql: _write,
    DeleteSql: _write,
    Upsert: upsert,
    Transaction: _control,
    RawSql: run_raw,
}
