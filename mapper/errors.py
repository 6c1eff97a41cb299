"""
Every error that the framework raises, in one tree.

What goes in is what failed, the value and the next step; what comes out is a typed exception that carries them as
attributes.

    MapperError
    ├─ DeclarationError                     a relation, relationship or repository is wrong; raised when the class is made
    ├─ QueryError                           the query is wrong; raised before I/O
    │   ├─ NotStored                        a relation is not in the repository
    │   ├─ NotJoined                        a column of a relation that the query does not read
    │   ├─ Unsupported                      the gateway lacks a capability
    │   ├─ UnorderedPages                   pages of a relation without a key and without an order
    │   └─ InvalidCursor                    a page cursor of another query, or damaged
    ├─ NoRow, ManyRows                      `one()` and friends
    ├─ ValueNotStorable                     a value that a column cannot keep exactly; raised before I/O
    ├─ ValueNotReadable                     a value that the store has and a column cannot give
    ├─ StoreError                           what a store answered
    │   ├─ ConstraintViolation
    │   │   ├─ UniqueViolation
    │   │   ├─ ForeignKeyViolation
    │   │   ├─ NotNullViolation
    │   │   ├─ CheckViolation
    │   │   └─ ExclusionViolation
    │   ├─ StaleRow, MissingRow             optimistic writes of one row
    │   ├─ SerializationFailure, Deadlock   retryable: run the transaction again
    │   ├─ LockTimeout, StatementTimeout, PoolTimeout
    │   ├─ ReadOnly
    │   ├─ CannotConnect, ConnectionLost
    │   ├─ CommitUnknown                    nobody knows whether the commit happened
    │   ├─ StoreFull, StoreCorrupt
    │   ├─ OnceConflict
    │   └─ StatementError                   anything else that the store refused
    ├─ TransactionClosed, TransactionTimeout, RolledBack, AfterCommitError, WrongLoop
    ├─ MigrationError
    │   └─ MigrationDrift, MigrationChecksum, MigrationLocked, MigrationIrreversible
    └─ CacheError                           only from explicit cache calls
        ├─ CacheMiss, CacheReadOnly, CacheConfigError, CacheInvalidationError
        └─ CacheDriverError
            └─ CacheUnavailable, CacheTimeout, CacheProtocolError, CacheValueTooLarge, CacheKeyInvalid

After any of these but `CommitUnknown` (and `CacheInvalidationError`, whose `committed` is true) the changes of a failed
commit are not in the store.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mapper.deferred import Ref
    from mapper.operations import Operation

__all__ = [
    "AfterCommitError",
    "CacheConfigError",
    "CacheDriverError",
    "CacheError",
    "CacheInvalidationError",
    "CacheKeyInvalid",
    "CacheMiss",
    "CacheProtocolError",
    "CacheReadOnly",
    "CacheTimeout",
    "CacheUnavailable",
    "CacheValueTooLarge",
    "CannotConnect",
    "CheckViolation",
    "CommitUnknown",
    "ConnectionLost",
    "ConstraintViolation",
    "Deadlock",
    "DeclarationError",
    "ExclusionViolation",
    "ForeignKeyViolation",
    "InvalidCursor",
    "LockTimeout",
    "ManyRows",
    "MapperError",
    "MigrationChecksum",
    "MigrationDrift",
    "MigrationError",
    "MigrationIrreversible",
    "MigrationLocked",
    "MissingRow",
    "NoRow",
    "NotJoined",
    "NotNullViolation",
    "NotStored",
    "OnceConflict",
    "PoolTimeout",
    "QueryError",
    "ReadOnly",
    "RolledBack",
    "SerializationFailure",
    "StaleRow",
    "StatementError",
    "StatementTimeout",
    "StoreCorrupt",
    "StoreError",
    "StoreFull",
    "TransactionClosed",
    "TransactionTimeout",
    "UniqueViolation",
    "UnorderedPages",
    "Unsupported",
    "ValueNotReadable",
    "ValueNotStorable",
    "WrongLoop",
]


class MapperError(Exception):
    """
    The root: catch it to catch everything of ours and nothing else.

    Attributes:
        hint: The next step, or None.
        retryable: Whether the same call can succeed when it is made again.
        row: Of a `load`, the number in the source, from 0, of the row that does not fit or was refused; None where that
            is not known.
        rows_done: Of a `load`, how many rows of the source are stored, from its beginning.
    """

    retryable: bool = False
    row: int | None = None
    rows_done: int = 0

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def message(self) -> str:
        """What failed, the value, what was expected; without the hint."""
        return str(self.args[0])

    def __str__(self) -> str:
        return f"{self.message}\nHINT: {self.hint}" if self.hint else self.message


class DeclarationError(MapperError):
    """A relation, relationship or repository is declared wrongly. Raised when the class is made."""


class QueryError(MapperError):
    """The query or changeset itself is wrong. Raised before I/O."""


class NotStored(QueryError):
    """A relation that the repository does not store."""

    def __init__(self, message: str, *, relation: Any = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.relation = relation


class NotJoined(QueryError):
    """A column of a relation that the query neither selects from nor joins."""

    def __init__(self, message: str, *, relation: Any = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.relation = relation


class Unsupported(QueryError):
    """
    The statement needs a capability that the gateway lacks. Raised before I/O.

    Attributes:
        capability: The capability's name.
        gateway: The gateway's name.
    """

    def __init__(self, capability: str, gateway: str, message: str | None = None, *, hint: str | None = None) -> None:
        super().__init__(message or f"{capability} is not supported by the {gateway} gateway", hint=hint)
        self.capability = capability
        self.gateway = gateway


class UnorderedPages(QueryError):
    """Pages need an order: the relation has no primary key and the query gives none."""


class InvalidCursor(QueryError):
    """A page cursor that is damaged, of another version, or of another query."""


class NoRow(MapperError):
    """`one()` found nothing. Attributes: `query`."""

    def __init__(self, message: str, *, query: Any = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.query = query


class ManyRows(MapperError):
    """`one()` found more than one row. Attributes: `query`, `count` (how many were seen: at least that many)."""

    def __init__(self, message: str, *, query: Any = None, count: int = 2, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.query = query
        self.count = count


class ValueNotStorable(MapperError, ValueError):
    """A value that its column cannot keep exactly. Raised before I/O. Attributes: `column`, `value`."""

    def __init__(self, message: str, *, column: Any = None, value: object = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.column = column
        self.value = value


class ValueNotReadable(MapperError, ValueError):
    """
    A value that the store has and that is none of its column's type: NULL where it takes none, a moment beyond the
    years of Python. Attributes: `column`, and `value` as the store gave it, None of a sensitive column.
    """

    def __init__(self, message: str, *, column: Any = None, value: object = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.column = column
        self.value = value


class StoreError(MapperError):
    """
    What a store answered; the driver's error is `__cause__`.

    Attributes:
        operation: The operation that failed, or None where none was running.
        retryable: Whether running the whole unit of work again can succeed.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: "Operation | None" = None,
        hint: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.operation = operation
        if retryable is not None:
            self.retryable = retryable


class ConstraintViolation(StoreError):
    """
    A constraint of the store refused a row.

    Attributes:
        relation: The relation class, or None where the store does not say.
        columns: Attribute names of the columns concerned, or () where the store does not say.
        constraint: The constraint's name, or None where it has none.
        ref: The ref of the pushed row that was refused, equal to the one that its push gave; None where the commit was
            of something else, or where that cannot be known.
    """

    def __init__(
        self,
        message: str,
        *,
        relation: Any = None,
        columns: Sequence[str] = (),
        constraint: str | None = None,
        operation: "Operation | None" = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, operation=operation, hint=hint)
        self.relation = relation
        self.columns = tuple(columns)
        self.constraint = constraint
        self.ref: Ref[Any] | None = None


class UniqueViolation(ConstraintViolation):
    """A key or unique constraint has that value already."""


class ForeignKeyViolation(ConstraintViolation):
    """The row referred to does not exist, or a row still refers to the one to be removed."""


class NotNullViolation(ConstraintViolation):
    """NULL in a column that takes none."""


class CheckViolation(ConstraintViolation):
    """A check constraint is false."""


class ExclusionViolation(ConstraintViolation):
    """An exclusion constraint overlaps."""


class StaleRow(StoreError):
    """The row's version has changed since it was read. Attributes: `relation`, `row_key`."""

    def __init__(
        self,
        message: str,
        *,
        relation: Any = None,
        row_key: object = None,
        operation: "Operation | None" = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, operation=operation, hint=hint)
        self.relation = relation
        self.row_key = row_key


class MissingRow(StoreError):
    """The row to be updated or deleted is not there. Attributes: `relation`, `row_key`."""

    def __init__(
        self,
        message: str,
        *,
        relation: Any = None,
        row_key: object = None,
        operation: "Operation | None" = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, operation=operation, hint=hint)
        self.relation = relation
        self.row_key = row_key


class SerializationFailure(StoreError):
    """The transaction could not be serialized with others."""

    retryable = True


class Deadlock(StoreError):
    """The store broke a deadlock by failing this transaction."""

    retryable = True


class LockTimeout(StoreError):
    """A lock was not granted in time; on SQLite, the file stayed locked for longer than the busy timeout."""

    retryable = True


class StatementTimeout(StoreError):
    """A statement ran for longer than allowed."""


class ReadOnly(StoreError):
    """A write on a read-only gateway, transaction or server."""


class ConnectionLost(StoreError):
    """The connection broke; nothing of an open transaction remains."""

    retryable = True


class CommitUnknown(StoreError):
    """The connection broke after COMMIT was sent: the changes may be there or not; the store has to be asked."""


class CannotConnect(StoreError):
    """Refused, unknown host, authentication, too many connections, a file that cannot be opened."""


class PoolTimeout(StoreError):
    """No connection became free within the pool's wait limit."""

    retryable = True


class StoreFull(StoreError):
    """No space is left in the store."""


class StoreCorrupt(StoreError):
    """The store's file or page is damaged, or is not a database."""


class OnceConflict(StoreError):
    """The id was used by a commit with another content."""


class StatementError(StoreError):
    """The store refused the statement for a reason that has no class of its own."""


class TransactionClosed(MapperError):
    """A transaction was used after its end, or while a nested block of it is open."""


class TransactionTimeout(MapperError):
    """The block of a transaction took longer than its `timeout`; it was rolled back."""


class RolledBack(MapperError):
    """An operation of the transaction failed before, so all of it is rolled back. `__cause__` is the first error."""


class AfterCommitError(MapperError, ExceptionGroup[Exception]):
    """What `after_commit` callbacks raised. The transaction is committed."""

    def __new__(cls, message: str, exceptions: Sequence[Exception]) -> "AfterCommitError":
        return ExceptionGroup.__new__(cls, message, exceptions)

    def __init__(self, message: str, exceptions: Sequence[Exception]) -> None:
        ExceptionGroup.__init__(self, message, exceptions)
        self.hint = None

    def derive(self, excs: Sequence[Exception], /) -> "AfterCommitError":  # type: ignore[override]  # the group narrows itself
        """Return a group of some of the errors, with the same message."""
        return AfterCommitError(self.message, excs)


class WrongLoop(MapperError):
    """A gateway that is in use by one event loop was used from another at the same time."""


class MigrationError(MapperError):
    """A migration cannot be made, applied or undone."""


class MigrationDrift(MigrationError):
    """The database differs from what the applied migrations made."""


class MigrationChecksum(MigrationError):
    """An applied migration's text has changed."""


class MigrationLocked(MigrationError):
    """Another process is applying migrations."""


class MigrationIrreversible(MigrationError):
    """A migration has no way back."""


class CacheError(MapperError):
    """Raised by explicit cache calls only; a read never fails because of the cache."""


class CacheMiss(CacheError):
    """A read that allows only cached results found none."""


class CacheReadOnly(CacheError):
    """A write through a cached, read-only view."""


class CacheConfigError(CacheError):
    """The cache was asked for something that its driver cannot do."""


class CacheInvalidationError(CacheError):
    """The commit happened, the invalidation of what it changed did not. Attributes: `committed`, always true."""

    committed = True


class CacheDriverError(CacheError):
    """What a cache driver raises; only its subclasses leave a driver."""


class CacheUnavailable(CacheDriverError):
    """The cache server cannot be reached."""


class CacheTimeout(CacheDriverError):
    """The cache server did not answer in time."""


class CacheProtocolError(CacheDriverError):
    """The cache server answered something that is not of its protocol."""


class CacheValueTooLarge(CacheDriverError):
    """The value exceeds the driver's limit."""


class CacheKeyInvalid(CacheDriverError):
    """The key exceeds the driver's limits on length or characters."""
