"""
Errors of PostgreSQL and asyncpg, translated to the errors of `mapper.errors`.

What the driver raised goes in, with the operation that met it; the error of our tree comes out, by its SQLSTATE
(PostgreSQL manual, appendix A). The caller raises it from the original.
"""

import re
import socket
import ssl
from typing import Any, Final, NoReturn

from gateways.postgres.violations import relations_of, violation
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

__all__ = ["PASSING_STATES", "VIOLATIONS", "cannot_connect", "is_of_connecting", "reraise", "translate", "was_closed"]

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
    "08007": CommitUnknown,
    "08P01": StatementError,
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
    "57P04": CannotConnect,
    "57P05": ConnectionLost,
    "58030": StoreCorrupt,
    "XX001": StoreCorrupt,
    "XX002": StoreCorrupt,
}
"""By the whole code, or by its class: the first two characters. Everything else is a `StatementError`."""

PASSING_STATES: Final = frozenset({"53300", "57P03"})
"""What a server says that will take connections soon: too many of them, or it is starting."""

_RETRYABLE: Final = PASSING_STATES | {"53000", "53200", "57000", "72000"}
"""States that pass by themselves, although most errors of their class do not."""

_UNSTORABLE: Final = frozenset({"22021", "22P05"})
"""Characters that the store's encoding does not have."""

_DATA_FILE: Final = re.compile(r"\"(?:base|global|pg_\w+)/")
"""How a message names a file of the database itself, in any language."""

_HINTS: Final = {
    "25006": "the transaction, or the server, is read-only",
    "26000": "a pooler that shares connections loses prepared statements: statement_cache_size=0",
    "28000": "look at the user and its database in pg_hba.conf, and whether it asks for TLS: sslmode=require",
    "28P01": "look at the user and the password",
    "3D000": "create the database first",
    "42501": "grant the user what it lacks",
    "42P01": "create it: await repository.push_schema()",
    "42P05": "a pooler that shares connections mixes prepared statements up: statement_cache_size=0",
    "42703": "the relation declares a column that the table lacks: look at its name, or migrate",
    "42601": "send each statement as an operation of its own",
    "53100": "the server's disk is full",
    "53300": "lower max_connections, or raise the server's",
    "55P03": "somebody else holds the lock: try again",
    "57014": "raise statement_timeout, or make the statement cheaper",
    "57P03": "the server is starting or stopping: try again",
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
            f"a parameter cannot be stored: {_unrevealing(error, operation)}",
            hint="cast the placeholder to what the value is: ?::bigint",
        )
    if lost or isinstance(error, OSError):
        return _lost(_first_line(error), operation, unsure=unsure)
    if _is_driver_error(error):
        return StatementError(f"the driver refused the statement: {_first_line(error)}", operation=operation)
    return error


def reraise(raised: BaseException, error: BaseException) -> NoReturn:
    """
    Raise an error of our tree from the driver's; where they are the same, raise it again.

    Nobody on the way keeps a variable with it: the error knows the frames, a frame that knew the error would close the
    circle, and what stands above in these frames, open streams among it, would be there until the garbage collector comes.
    """
    try:
        if raised is error:
            raise error
        raise raised from error
    finally:
        del raised, error


def was_closed(error: BaseException) -> bool:
    """
    Whether the driver sent nothing: it found the connection closed, or the server had said goodbye on it already, which
    leaves the driver in a state that nothing can be begun in.
    """
    kind, text = type(error).__name__, str(error)
    if kind == "InternalClientError":
        return "cannot switch to state" in text or "not connected" in text
    return kind == "InterfaceError" and "connection is closed" in text


def is_of_connecting(error: Exception) -> bool:
    """Whether an error is the driver's or the network's, and so of the connection that was to be opened."""
    return isinstance(error, OSError | TimeoutError | ValueError) or _is_driver_error(error)


def cannot_connect(error: Exception) -> CannotConnect:
    """Give the error of a connection that could not be opened, without the place."""
    state = str(getattr(error, "sqlstate", ""))
    reason = "it did not answer in time" if isinstance(error, TimeoutError) else _first_line(error)
    return CannotConnect(
        reason or type(error).__name__,
        hint=_HINTS.get(state) or _connecting_hint(error, reason),
        retryable=state in PASSING_STATES,
    )


def _connecting_hint(error: Exception, reason: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "name who signed the server's certificate by sslrootcert; verify-full needs the host's name in it"
    if isinstance(error, ssl.SSLError):
        return (
            "look at the files of sslcert, sslkey and sslrootcert, and whether server and client share a version of TLS"
        )
    if "rejected SSL upgrade" in reason:
        return "the server has no TLS: turn it on there, or ask for less by sslmode"
    if isinstance(error, socket.gaierror):
        return "look at the name of the host"
    if type(error).__name__ == "TargetServerAttributeNotMatched":
        return "name a host of the kind that target_session_attrs asks for, or ask for another"
    return "look at host, port and whether the server runs"


def _is_driver_error(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] == "asyncpg"


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
    kind = _kind(state, text)
    if kind is ConnectionLost:
        # With an ERROR, and no FATAL, the server has said that nothing of the statement stays.
        return _lost(text, operation, unsure=unsure and getattr(error, "severity_en", None) != "ERROR")
    if kind is CommitUnknown:
        return CommitUnknown(f"the server does not know whether it committed: {text}", operation=operation, hint=_ONCE)
    return kind(
        f"{_PREFIXES.get(kind, 'the statement failed')}: {text}",
        operation=operation,
        hint=_HINTS.get(state),
        retryable=True if state in _RETRYABLE or _is_of_stale_plan(error, state) else None,
    )


def _kind(state: str, text: str) -> type[StoreError]:
    if state == "58P01" and _DATA_FILE.search(text):
        return StoreCorrupt
    return _KINDS.get(state) or _KINDS.get(state[:2]) or StatementError


def _is_of_stale_plan(error: Any, state: str) -> bool:
    """Whether a table has changed since a statement was prepared; the driver prepares it anew the next time."""
    return state == "0A000" and type(error).__name__ == "InvalidCachedStatementError"


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


def _unrevealing(error: Exception, operation: Operation | None) -> str:
    """Give the driver's words, without the value where it may be of a sensitive column."""
    text = _first_line(error)
    if any(column.options.sensitive for each in relations_of(operation) for column in each.columns):
        return re.sub(r": .* \(", ": a value (", text, count=1)
    return text


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
