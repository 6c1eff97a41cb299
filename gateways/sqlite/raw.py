"""
Statements of the user's own: what they may do to a connection, and their values as SQLite takes them.

A `RawSql` goes in; text with SQLite's placeholders, storable values, and a careful guess at its nature come out. Other
operations carry theirs ready.
"""

import datetime as dt
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

from attrs import frozen

from gateways.sqlite.codecs import SQLITE_CODECS
from mapper.errors import QueryError, Unsupported, ValueNotStorable
from mapper.operations import DeleteSql, Operation, QuerySql, RawSql, UpdateSql
from mapper.placeholders import split_placeholders
from mapper.types import Encoder, Misfit, Timestamp, UnknownType, infer

__all__ = ["Nature", "Readable", "nature", "readable", "statement", "unsupported"]

Readable: TypeAlias = QuerySql | RawSql | UpdateSql | DeleteSql
"""Operations that can give rows to be decoded."""

_PLAIN: Final = frozenset({int, str, bytes, type(None)})

_HEAD: Final = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)\s*(.*)", re.DOTALL)
_ASKING: Final = re.compile(
    r"(?:\w+\.)?(?:(?:table|index|foreign_key|function|module|collation|pragma|database)_x?(?:info|list)"
    r"|foreign_key_check|integrity_check|quick_check|wal_checkpoint|defer_foreign_keys)\b",
    re.IGNORECASE,
)
_LOCKING: Final = re.compile(r"immediate|exclusive", re.IGNORECASE)
_WRITING: Final = re.compile(r"\b(?:insert|update|delete|replace)\b", re.IGNORECASE)


@frozen
class Nature:
    """
    What a raw statement may do, as far as its text tells.

    Attributes:
        writes: It may write; what certainly does not is false. A wrong guess costs a wait for the write lock.
        alters: It changes the connection itself, which is closed afterwards so that nobody else finds it changed.
        pragma: It asks for or sets what this gateway otherwise sets to its own liking.
    """

    writes: bool
    alters: bool
    pragma: bool


@lru_cache(512)
def nature(text: str) -> Nature:
    """Judge a statement by its first words."""
    match = _HEAD.match(text)
    head, rest = match.groups() if match is not None else ("", "")
    match head.upper():
        case "SELECT" | "VALUES" | "EXPLAIN":
            return Nature(False, False, False)
        case "WITH":
            return Nature(_WRITING.search(rest) is not None, False, False)
        case "PRAGMA":
            asks = _ASKING.match(rest) is not None or ("=" not in rest and "(" not in rest)
            return Nature(not asks, not asks, True)
        case "BEGIN":
            return Nature(_LOCKING.match(rest) is not None, False, False)
        case "SAVEPOINT" | "RELEASE" | "COMMIT" | "END" | "ROLLBACK":
            return Nature(False, False, False)
        case "ATTACH" | "DETACH":
            return Nature(True, True, False)
        case "CREATE":
            return Nature(True, rest[:4].upper() == "TEMP", False)
        case _:
            return Nature(True, False, False)


def readable(operation: Operation) -> Readable:
    """
    Give an operation as one that can give rows.

    Raises:
        Unsupported: It cannot.
    """
    if isinstance(operation, QuerySql | RawSql) or (
        isinstance(operation, UpdateSql | DeleteSql) and not operation.many
    ):
        return operation
    raise unsupported(operation, "as a read")


def unsupported(operation: Operation, how: str) -> Unsupported:
    """Give the error of an operation that is none of SQLite's."""
    kind = type(operation).__name__
    return Unsupported(kind, "sqlite", f"the sqlite gateway does not run {kind} operations {how}".strip())


def statement(operation: Readable) -> tuple[str, Sequence[Any]]:
    """
    Give the text and the parameters of an operation.

    Raises:
        QueryError: A raw statement has another number of placeholders than of parameters.
        ValueNotStorable: One of its values has no form in SQLite.
    """
    if not isinstance(operation, RawSql):
        return operation.sql, operation.parameters
    text, count = _placed(operation.text)
    if count != len(operation.parameters):
        raise QueryError(
            f"the raw statement has {count} placeholders and {len(operation.parameters)} parameters",
            hint="write '??' for a question mark; in quotes and comments a single one is literal",
        )
    return text, _encoded(operation.parameters)


@lru_cache(512)
def _placed(text: str) -> tuple[str, int]:
    pieces = split_placeholders(text)
    return "?".join(pieces), len(pieces) - 1


def _encoded(values: Sequence[Any]) -> Sequence[Any]:
    """Give values as they are stored, each by its own type."""
    return [each if type(each) in _PLAIN else _encoded_value(each) for each in values]


def _encoded_value(value: Any) -> Any:
    cls: Any = type(value)
    try:
        return _encoder(cls, isinstance(value, dt.datetime) and value.tzinfo is None)(value)
    except (Misfit, UnknownType) as error:
        raise ValueNotStorable(f"a parameter cannot be stored: {error.message}", value=value, hint=error.hint) from None


@lru_cache(512)
def _encoder(cls: Any, naive: bool) -> Encoder:
    return SQLITE_CODECS.encoder(Timestamp() if naive else infer(cls)[0])
