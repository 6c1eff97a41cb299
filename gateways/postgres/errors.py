"""
Errors of PostgreSQL and asyncpg, translated to the errors of `mapper.errors`.

What the driver raised goes in, with the operation that met it; the error of our tree comes out, by its SQLSTATE
(PostgreSQL manual, appendix A). The caller raises it from the original.
"""

from typing import Any, Final

from gateways.postgres.violations import violation
from mapper.errors import (
    CannotConnect,
    CheckViolation,
    CommitUnknown,
    ConnectionLost,
    ConstraintViolation,
    Deadlock,
    ExclusionViolation,
    ForeignKeyViolation,
    LockTimeout,
    MapperError,
    NotNullViolation,
    ReadOnly,
    RolledBack,
    SerializationFailure,
    StatementError,
    StatementTimeout,
    StoreCorrupt,
    StoreError,
    StoreFull,
    UniqueViolation,
    ValueNotStorable,
)
from mapper.operations import Operation

__all__ = ["VIOLATIONS", "cannot_connect", "translate"]

VIOLATIONS: Final[dict[str, type[ConstraintViolation]]] = {
    "23000": ConstraintViolation,
    "23001": ForeignKeyViolation,
    "23502": NotNullViolation,
    "23503": ForeignKeyViolation,
    "23505": UniqueViolation,
    "23514": CheckViolation,
    "23P01": ExclusionViolation,
    "40002": ConstraintViolation,
    "44000": CheckViolation,
}

_KINDS: Final[dict[str, type[StoreError]]] = {
    "08": ConnectionLost,
    "08001": CannotConnect,
    "08004": CannotConnect,
    "25006": ReadOnly,
    "25P03": ConnectionLost,
    "25P04": StatementTimeout,
    "28": CannotConnect,
    "3D000": CannotConnect,
    "40": SerializationFailure,
    "40001": SerializationFailure,
    "40003": CommitUnknown,
    "40P01": Deadlock,
    "53100": StoreFull,
    "53300": CannotConnect,
    "55P03": LockTimeout,
    "57014": StatementTimeout,
    "57P01": ConnectionLost,
    "57P02": ConnectionLost,
    "57P03": CannotConnect,
    "57P04": ConnectionLost,
    "57P05": ConnectionLost,
    "58030": StoreCorrupt,
    "58P01": StoreCorrupt,
    "XX001": StoreCorrupt,
    "XX002": StoreCorrupt,
}
"""By the whole code, or by its class: the first two characters. Everything else is a `StatementError`."""

_UNSTORABLE: Final = frozenset({"22021", "22P05"})
"""Characters that the store's encoding does not have."""

_HINTS: Final = {
    "25006": "the transaction, or the server, is read-only",
    "28P01": "look at the user and the password",
    "3D000": "create the database first",
    "42P01": "create it: await repository.push_schema()",
    "42703": "the relation declares a column that the table lacks: look at its name, or migrate",
    "42601": "send each statement as an operation of its own",
    "53100": "the server's disk is full",
    "53300": "lower max_connections, or raise the server's",
    "55P03": "somebody else holds the lock: try again",
    "57014": "raise statement_timeout, or make the statement cheaper",
    "40001": "run the transaction again: repository.run(work, retries=3)",
    "40P01": "run the transaction again: repository.run(work, retries=3)",
}


def translate(error: BaseException, operation: Operation | None, *, lost: bool, unsure: bool = False) -> BaseException:
    """
    Give the error of our tree; what is neither the driver's nor the network's is given back.

    Args:
        lost: The connection is closed.
        unsure: What was lost on the way may have been committed.
    """
    if isinstance(error, MapperError) or not isinstance(error, Exception):
        return error
    state = getattr(error, "sqlstate", None)
    if state is not None and not _of_client(error):
        return _of_server(error, str(state), operation, unsure=unsure)
    if isinstance(error, TimeoutError):
        return _timed_out(operation, unsure=unsure)
    if _of_client(error):
        return ValueNotStorable(
            f"a parameter cannot be stored: {_first_line(error)}",
            hint="cast the placeholder to what the value is: ?::bigint",
        )
    if lost or isinstance(error, OSError):
        return _lost(_first_line(error), operation, unsure=unsure)
    if type(error).__module__.partition(".")[0] == "asyncpg":
        return StatementError(f"the driver refused the statement: {_first_line(error)}", operation=operation)
    return error


def cannot_connect(error: BaseException, where: str) -> CannotConnect:
    """Give the error of a connection that could not be opened; `where` names the server without the password."""
    reason = (
        "it did not answer in time" if isinstance(error, TimeoutError) else _first_line(error) or type(error).__name__
    )
    state = str(getattr(error, "sqlstate", ""))
    hint = _HINTS.get(state, "look at host, port and whether the server runs")
    busy = state in ("53300", "57P03")
    return CannotConnect(f"cannot connect to {where}: {reason}", hint=hint, retryable=busy)


def _of_client(error: BaseException) -> bool:
    """Whether the driver could not encode a value: it raises the server's class for that, without its fields."""
    return (
        isinstance(error, Exception)
        and "invalid input for query argument" in str(error)
        and not getattr(error, "severity", None)
    )


def _of_server(error: Any, state: str, operation: Operation | None, *, unsure: bool) -> MapperError:
    text = _first_line(error)
    if state in VIOLATIONS:
        return violation(VIOLATIONS[state], error, operation)
    if state in _UNSTORABLE:
        return ValueNotStorable(f"a value cannot be stored: {text}")
    if state == "25P02":
        return RolledBack("the transaction is aborted: a statement of it failed before", hint="begin another")
    kind = _KINDS.get(state) or _KINDS.get(state[:2]) or StatementError
    if kind is ConnectionLost:
        return _lost(text, operation, unsure=unsure)
    retryable = True if state == "0A000" and "cached" in text else None
    return kind(
        f"{_PREFIXES.get(kind, 'the statement failed')}: {text}",
        operation=operation,
        hint=_HINTS.get(state),
        retryable=retryable,
    )


_PREFIXES: Final[dict[type[StoreError], str]] = {
    CannotConnect: "the server refuses the connection",
    Deadlock: "the server broke a deadlock",
    LockTimeout: "a lock was not granted",
    ReadOnly: "a write was refused",
    SerializationFailure: "the transaction could not be serialized",
    StatementTimeout: "the statement was cancelled",
    StoreCorrupt: "the store is damaged",
    StoreFull: "no space is left",
}


def _timed_out(operation: Operation | None, *, unsure: bool) -> StoreError:
    if unsure:
        return CommitUnknown(
            "the server did not answer in time, and may have committed", operation=operation, hint=_ONCE
        )
    return StatementTimeout("the server did not answer in time", operation=operation, hint="raise command_timeout")


_ONCE: Final = "commit with once=… so that it can be repeated"


def _lost(text: str, operation: Operation | None, *, unsure: bool) -> StoreError:
    if unsure:
        return CommitUnknown(
            f"the connection was lost, and the server may have committed: {text}", operation=operation, hint=_ONCE
        )
    return ConnectionLost(f"the connection was lost: {text}", operation=operation)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
