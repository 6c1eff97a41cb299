"""
Errors of SQLite, translated to the errors of `mapper.errors`.

An error of the sqlite3 module goes in, with the operation that met it; the error of our tree comes out, with the
relation and the columns that SQLite's message names. The caller raises it from the original.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable
from typing import Final

from gateways.sql.naming import fingerprint, named
from mapper.assembly import walk
from mapper.columns import Check
from mapper.errors import (
    CannotConnect,
    CheckViolation,
    ConnectionLost,
    ConstraintViolation,
    ForeignKeyViolation,
    LockTimeout,
    MapperError,
    NotNullViolation,
    ReadOnly,
    RolledBack,
    SerializationFailure,
    StatementError,
    StoreCorrupt,
    StoreFull,
    UniqueViolation,
    ValueNotStorable,
)
from mapper.expressions import Attribute
from mapper.operations import Operation
from mapper.relation import RelationInfo, info

__all__ = ["DRIVER_ERRORS", "attributes", "is_busy", "relation_named", "translate"]

DRIVER_ERRORS: Final = (sqlite3.Error, sqlite3.Warning, OverflowError, ValueError, TypeError)
"""
What running a statement can raise; `sqlite3.Warning` is no `sqlite3.Error`, and binding raises plain Python errors.
"""

_PRIMARY: Final = 0xFF  # the low byte of an extended result code
_BUSY_SNAPSHOT: Final = 517
_ABORT_ROLLBACK: Final = 516
_DAMAGED_READS: Final = frozenset({522, 8458, 33 << 8 | 10})  # a short read, a corrupt file system, damaged pages
_COLUMN: Final = re.compile(r"([^.,]+)\.([^,]+)")

_Make = Callable[[str, Operation | None], MapperError]


def is_busy(error: BaseException) -> bool:
    """Whether another connection holds a lock that it will give up, so that the same statement can succeed later."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    return code & _PRIMARY == sqlite3.SQLITE_BUSY and code != _BUSY_SNAPSHOT


def translate(
    error: BaseException, operation: Operation | None = None, *, own: BaseException | None = None
) -> MapperError:
    """
    Give the error of our tree for one that running a statement raised.

    Args:
        operation: What was running; it tells which relations the tables in the message are.
        own: What a function of ours raised within the statement: SQLite passes on no more than that one did.
    """
    if isinstance(error, MapperError):
        return error
    text = str(error)
    code = getattr(error, "sqlite_errorcode", None)
    if own is not None and (code is None or code & _PRIMARY == sqlite3.SQLITE_ERROR):
        return StatementError(f"the statement failed: {own}", operation=operation)
    if code is None:
        return _unbound(error, text, operation)
    if code & _PRIMARY == sqlite3.SQLITE_CONSTRAINT:
        return _violation(code, text, operation)
    make = _BY_CODE.get(code) or _BY_CODE.get(code & _PRIMARY) or _statement_error
    return make(text, operation)


def _unbound(error: BaseException, text: str, operation: Operation | None) -> MapperError:
    """Translate what the sqlite3 module raised by itself, before or beside the library."""
    binding = "binding" in text and "bindings" not in text
    if isinstance(error, sqlite3.DataError | OverflowError | UnicodeEncodeError) or binding:
        return ValueNotStorable(
            f"a parameter cannot be stored: {text}",
            hint="SQLite stores None, integers of 64 bits, floats, str (without lone surrogates) and bytes",
        )
    if "one statement at a time" in text:
        return StatementError(
            text[0].lower() + text[1:], operation=operation, hint="send each statement as an operation of its own"
        )
    if "closed database" in text:
        return ConnectionLost("the connection was closed while it was in use", operation=operation)
    return _statement_error(text, operation)


def _statement_error(text: str, operation: Operation | None) -> MapperError:
    hint = next((step for part, step in _STEPS.items() if part in text), None)
    return StatementError(f"the statement failed: {text}", operation=operation, hint=hint)


_STEPS: Final = {
    "no such table": "create what is missing: await repository.push_schema()",
    "no such column": "compare the table with its relation: await repository.verify_schema()",
    "has no column named": "compare the table with its relation: await repository.verify_schema()",
}
"""The next step after an error that has no class of its own, by a part of SQLite's message."""


def _locked(text: str, operation: Operation | None) -> MapperError:
    return LockTimeout(
        f"the database stayed locked for longer than the busy timeout: {text}",
        operation=operation,
        hint="another connection is writing: try again, or raise busy_timeout",
    )


def _not_serializable(text: str, operation: Operation | None) -> MapperError:
    return SerializationFailure(
        f"another connection has written since this transaction began to read: {text}",
        operation=operation,
        hint="run the transaction again",
    )


def _read_only(text: str, operation: Operation | None) -> MapperError:
    return ReadOnly(
        f"a write was refused: {text}",
        operation=operation,
        hint="the file, the gateway or the transaction is read-only",
    )


def _rolled_back(text: str, operation: Operation | None) -> MapperError:
    del operation
    return RolledBack(f"the transaction was rolled back while rows of it were being read: {text}")


def _corrupt(text: str, operation: Operation | None) -> MapperError:
    return StoreCorrupt(
        f"the file is damaged or is no database: {text}", operation=operation, hint="restore it from a backup"
    )


def _lost(text: str, operation: Operation | None) -> MapperError:
    return ConnectionLost(
        f"reading or writing the file failed: {text}", operation=operation, hint="look at the disk and the mount"
    )


def _closed(text: str, operation: Operation | None) -> MapperError:
    return CannotConnect(f"the database file cannot be opened: {text}", operation=operation)


def _full(text: str, operation: Operation | None) -> MapperError:
    return StoreFull(f"no space is left: {text}", operation=operation)


def _too_big(text: str, operation: Operation | None) -> MapperError:
    return ValueNotStorable(f"a value exceeds SQLite's limit of size: {text}")


_BY_CODE: Final[dict[int, _Make]] = {
    sqlite3.SQLITE_BUSY: _locked,
    _BUSY_SNAPSHOT: _not_serializable,
    _ABORT_ROLLBACK: _rolled_back,
    sqlite3.SQLITE_LOCKED: _locked,
    sqlite3.SQLITE_PROTOCOL: _locked,
    sqlite3.SQLITE_READONLY: _read_only,
    sqlite3.SQLITE_CORRUPT: _corrupt,
    sqlite3.SQLITE_NOTADB: _corrupt,
    sqlite3.SQLITE_IOERR: _lost,
    sqlite3.SQLITE_CANTOPEN: _closed,
    sqlite3.SQLITE_PERM: _closed,
    sqlite3.SQLITE_FULL: _full,
    sqlite3.SQLITE_TOOBIG: _too_big,
    **dict.fromkeys(_DAMAGED_READS, _corrupt),
}


def _violation(code: int, text: str, operation: Operation | None) -> ConstraintViolation:
    kind = ForeignKeyViolation if text == _FOREIGN_KEY else _VIOLATIONS.get(code, ConstraintViolation)
    subject = text.partition("constraint failed: ")[2]
    if kind is CheckViolation:
        return _check_violation(subject, text, operation)
    table, names = _columns_in(subject)
    index = _index_in(subject)
    described = relation_named(table, operation) if table is not None else _relation_indexed(index, operation)
    return kind(
        f"{_article(kind, described, table)} refused a row: {text}",
        relation=None if described is None else described.original,
        columns=attributes(described, names),
        constraint=index or _unique_name(kind, described, names),
        operation=operation,
        hint=_HINTS.get(kind),
    )


_VIOLATIONS: Final[dict[int, type[ConstraintViolation]]] = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_ROWID: UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: NotNullViolation,
    sqlite3.SQLITE_CONSTRAINT_CHECK: CheckViolation,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: ForeignKeyViolation,
}

_FOREIGN_KEY: Final = "FOREIGN KEY constraint failed"
"""The message of every violation of a reference; the code of ON DELETE RESTRICT is that of a trigger."""

_KINDS: Final[dict[type[ConstraintViolation], str]] = {
    UniqueViolation: "a unique constraint",
    NotNullViolation: "a not-null constraint",
    ForeignKeyViolation: "a foreign key",
}

_HINTS: Final[dict[type[ConstraintViolation], str]] = {
    UniqueViolation: "the row is there already: change the values, or use on_conflict(...) to update or ignore it",
    NotNullViolation: "give the column a value or a default",
}


def _article(kind: type[ConstraintViolation], described: RelationInfo | None, table: str | None) -> str:
    place = described.original.__name__ if described is not None else table
    return _KINDS.get(kind, "a constraint") + (f" of {place}" if place else "")


def _check_violation(subject: str, text: str, operation: Operation | None) -> CheckViolation:
    """SQLite gives the constraint's name, or its condition where it has none, and no table."""
    described, columns = _checked(subject, operation)
    place = f" of {described.original.__name__}" if described is not None else ""
    return CheckViolation(
        f"a check{place} refused a row: {text}",
        relation=None if described is None else described.original,
        columns=columns,
        constraint=subject or None,
        operation=operation,
    )


def _columns_in(subject: str) -> tuple[str | None, list[str]]:
    """Take `posts.title, posts.slug` apart into the table and the columns."""
    if subject.startswith("index '"):
        return None, []
    found = [_COLUMN.fullmatch(each.strip()) for each in subject.split(",")]
    pairs = [each.groups() for each in found if each is not None]
    return (pairs[0][0], [name for _, name in pairs]) if pairs else (None, [])


def _index_in(subject: str) -> str | None:
    return subject[len("index '") : -1] if subject.startswith("index '") else None


def _relation_indexed(index: str | None, operation: Operation | None) -> RelationInfo | None:
    """Find the relation that has an index over expressions: SQLite names the index alone."""
    for each in _relations(operation) if index is not None else ():
        over_expressions = [one for one in each.indexes if one.unique and not one.columns]
        if any(one.name == index or (one.name is None and _is_named_after(each, index)) for one in over_expressions):
            return each
    return None


def _is_named_after(described: RelationInfo, index: str | None) -> bool:
    return index is not None and index.startswith(f"ix_{described.name}_")


def _unique_name(kind: type[ConstraintViolation], described: RelationInfo | None, names: list[str]) -> str | None:
    if kind is not UniqueViolation or described is None:
        return None
    columns = frozenset(attributes(described, names))
    found = next((each for each in described.uniques if frozenset(each.columns) == columns), None)
    if found is None:
        return None
    return found.name or named("uq", described.name, [described.column(each).name for each in found.columns])


def attributes(described: RelationInfo | None, names: Iterable[str]) -> tuple[str, ...]:
    """Give the attributes of columns by their names in the store; a name that is not known stays as it is."""
    known = {} if described is None else {each.name: each.attribute for each in described.columns}
    return tuple(known.get(name, name) for name in names)


def relation_named(table: str, operation: Operation | None) -> RelationInfo | None:
    """Find the relation of a table among those that an operation touches."""
    return next((each for each in _relations(operation) if each.name == table), None)


def _relations(operation: Operation | None) -> list[RelationInfo]:
    if operation is None:
        return []
    own = getattr(operation, "relation", None)
    touched = [own, *sorted(operation.writes | operation.reads, key=lambda each: str(getattr(each, "__name__", "")))]
    return [info(each) for each in touched if isinstance(getattr(each, "__relation__", None), RelationInfo)]


def _checked(subject: str, operation: Operation | None) -> tuple[RelationInfo | None, tuple[str, ...]]:
    """Find the relation that has a check, by its name or its text, and the columns that it reads."""
    relations = _relations(operation)
    for described in relations:
        for check in described.checks:
            if subject in (check.name, check.condition, _check_name(described, check)):
                return described, _columns_read(described, check)
    return (relations[0] if len(relations) == 1 else None), ()


def _check_name(described: RelationInfo, check: Check) -> str | None:
    """Give the name that a table's definition gives a check without one."""
    own = next((each for each in described.columns if each.options.check is check.condition), None)
    if own is not None:
        return named("ck", described.name, [own.name])
    return named("ck", described.name, [fingerprint(check.condition)]) if isinstance(check.condition, str) else None


def _columns_read(described: RelationInfo, check: Check) -> tuple[str, ...]:
    if isinstance(check.condition, str):
        names = frozenset(re.findall(r"\w+", check.condition))
    else:
        names = frozenset(each.column.name for each in walk(check.condition()) if isinstance(each, Attribute))
    return tuple(each.attribute for each in described.columns if each.name in names)
