"""
The gateway port: what repositories, queries and changesets need of a store.

Statements go in and operations come out of `compile`, without I/O; operations go in and raw rows, or objects made of
them, come out of the rest. A gateway implements `Gateway` and `Connection`; a cache wraps a gateway and is one.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self, TypeAlias
from uuid import uuid4

from attrs import frozen
from typing_extensions import TypeVar

from mapper.caching import CacheHints
from mapper.capabilities import Capabilities
from mapper.errors import CacheConfigError, Unsupported
from mapper.explaining import Plan
from mapper.operations import Call, Operation, RawSql, Result
from mapper.programs import Program, driven
from mapper.statements import AddColumn, CreateSchema, DropSchema, Statement
from mapper.types import Codecs, StorageType

__all__ = [
    "Batches",
    "Connection",
    "Decode",
    "Drift",
    "Executor",
    "Gateway",
    "Listener",
    "OperationEvent",
    "PoolStatistics",
    "Program",
    "StoredColumn",
    "TransactionOptions",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Decode: TypeAlias = Callable[[Sequence[Any], Sequence[str]], list[T]]
"""
Makes objects of a batch of raw rows. The second argument has the names of the result's columns where the operation
declares none, else ().

Rows are tuples. For a function that has an attribute `unpacks`, as `mapper.hydration.Batch`, they may be whatever can be
unpacked and has a length and indexes: a driver's own records. What the function returns of a batch is put together with
what it returns of the others, and no gateway asks whether that is one object for each row.
"""


@frozen
class PoolStatistics:
    """
    Connections of a gateway, in numbers: `size == idle + in_use`, at most `limit`; `waiting` callers have none yet.
    """

    limit: int
    size: int
    idle: int
    in_use: int
    waiting: int


@frozen
class StoredColumn:
    """A column as a store has it: its type in the store's own words."""

    name: str
    type: str
    nullable: bool
    primary_key: bool
    has_default: bool


@frozen
class Drift:
    """
    One thing that a store keeps over a table otherwise than its relation declares.

    Attributes:
        problem: What differs: what was found, and what was expected.
        mend: The next step: a statement in the store's language where there is one.
    """

    problem: str
    mend: str


@frozen
class OperationEvent:
    """
    One operation that ran, or failed to. Durations are in seconds.

    Attributes:
        queue_seconds: Waiting for a connection, or for the operations before it.
        query_seconds: The store's work, transport included.
        decode_seconds: Making objects of the rows.
        rows: Rows read or written; of a stream, those that were taken.
        error: What it raised, or None.
    """

    operation: Operation
    queue_seconds: float
    query_seconds: float
    decode_seconds: float
    rows: int
    error: BaseException | None = None


Listener: TypeAlias = Callable[[OperationEvent], object]


@frozen(kw_only=True)
class TransactionOptions:
    """What a transaction is begun with."""

    isolation: str | None = None
    read_only: bool = False


class Batches(Protocol[T_co]):
    """
    A result that is read in batches, each a list of objects.

    It holds a connection until it is exhausted or closed. A result that fits the first batch has given it back when
    that batch is handed out.

    Attributes:
        holds: Whether it holds a connection still.
    """

    @property
    def holds(self) -> bool: ...

    async def next(self) -> Sequence[T_co] | None:
        """Return the next batch, or None after the last. A batch is never empty."""
        ...

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        """
        Run another read between two batches, on the connection that it holds.

        Raises:
            QueryError: It holds none any more.
        """
        ...

    async def aclose(self) -> None:
        """Give the connection back. Closing twice, or after the end, is a no-op."""
        ...

    def abandon(self) -> None:
        """Give the connection back without waiting, for an iteration that was left without closing it."""
        ...


class Executor(Protocol):
    """
    What a repository is bound to: a gateway, or a transaction on one of its connections.

    Attributes:
        gateway: The gateway that compiles; of a transaction, the one that it runs on.
    """

    @property
    def gateway(self) -> "Gateway": ...

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        """Run a read and return all of its rows as objects."""
        ...

    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        """Run a read and return its rows in batches. The first batch is already there."""
        ...

    async def execute(self, operation: Operation) -> Result:
        """Run one operation and return what the store answered."""
        ...

    async def run(self, program: Program[T]) -> T:
        """
        Run a program on one connection.

        A program that begins a transaction must end it; where it does not, or is cancelled before COMMIT was sent, all
        of it is rolled back.
        """
        ...


class Connection(ABC):
    """
    One connection to a store.

    Attributes:
        driver: The driver's own object. Using it marks the connection for a reset before it goes back to its pool.
    """

    @property
    @abstractmethod
    def driver(self) -> Any: ...

    @abstractmethod
    async def execute(self, operation: Operation) -> Result:
        """
        Run one operation.

        Raises:
            StoreError: What the store answered, translated; the driver's error is its cause.
        """

    @abstractmethod
    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        """Run a read and return all of its rows as objects."""

    @abstractmethod
    def stream(self, operation: Operation, chunk: int = 500) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
        """Run a read and give its raw rows in batches of at most `chunk`. Closing the iterator closes the cursor."""

    @abstractmethod
    async def stream_batches(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        """
        Run a read and return its rows as objects, in batches; the first is already there. Closing it does not close the
        connection.
        """

    async def run(self, program: Program[T]) -> T:
        """Drive a program, one operation after the other."""
        return await driven(program, self.execute)


class Gateway(ABC):
    """
    A store: it compiles statements, owns connections, runs operations.

    It may be made at import time: it connects at first use. It can be used again after `aclose()`, and by a second
    event loop once the first has ended. Any number of tasks of one loop may use it at once.
    """

    name: ClassVar[str]
    capabilities: Capabilities
    codecs: Codecs
    _own_identity: str | None = None

    @property
    def gateway(self) -> "Gateway":
        """The gateway itself; see `Executor`."""
        return self

    @property
    def innermost(self) -> "Gateway":
        """The gateway that has the connections: itself, or what is inside of one that hands its work on."""
        return self

    @property
    def freshest(self) -> "Gateway":
        """A gateway of the same store whose reads see every commit that was told of: itself, if all of them do."""
        return self

    @property
    def identity(self) -> tuple[str, ...]:
        """
        What tells this store's rows, as they are seen here, from those of another, and from those that others see; the
        same in every process. By default a name that no other gateway has.
        """
        if self._own_identity is None:
            self._own_identity = uuid4().hex
        return (self.name, self._own_identity)

    def viewed(self, hints: CacheHints) -> "Gateway":
        """
        Return this gateway to be read alone, through its cache.

        Raises:
            CacheConfigError: It has none.
        """
        raise CacheConfigError(
            f"the {self.name} gateway has no cache", hint="wrap it: Cache(driver, namespace=…).wrap(gateway)"
        )

    @property
    def scope(self) -> str | None:
        """
        The schema in which relations are that declare none; None where that is the store's business. What keeps results
        of a gateway must keep those of different scopes apart.
        """
        return None

    def in_schema(self, schema: str) -> "Gateway":
        """
        Return this gateway with relations that declare no schema in the one that is named; nothing is sent, and the
        connections stay the same.

        Raises:
            Unsupported: The store has no schemas that can be chosen so.
            QueryError: It is no name of one.
        """
        raise Unsupported(
            "in_schema",
            self.name,
            f"the {self.name} gateway cannot choose a schema for relations that declare none ({schema!r})",
            hint="give each tenant a store of its own: repository.using(gateway)",
        )

    @abstractmethod
    def compile(self, statement: Statement) -> Operation:
        """
        Compile a statement. No I/O.

        Raises:
            Unsupported: It needs a capability that the gateway lacks.
            ValueNotStorable: One of its values cannot be stored exactly.
            QueryError: It is wrong in itself.
        """

    def accept(self, call: Call) -> Call:
        """
        Return a call that may stand in a changeset; see `Changeset.then`. No I/O.

        Raises:
            Unsupported: It is none of this gateway's.
        """
        raise Unsupported(call.name, self.name)

    @abstractmethod
    def compile_schema(self, change: CreateSchema | DropSchema | AddColumn) -> Sequence[Operation]:
        """Compile a change of the schema to the operations that make it, in order. No I/O."""

    @abstractmethod
    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        """Run a read on any connection and return all of its rows as objects."""

    @abstractmethod
    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        """Run a read on any connection and return its rows in batches; the connection goes back at the end of them."""

    @abstractmethod
    async def execute(self, operation: Operation | RawSql) -> Result:
        """
        Run one operation on any connection, in a transaction of its own.

        Raises:
            CommitUnknown: A write was sent and the connection lost before the answer, so that nobody knows.
        """

    @abstractmethod
    async def run(self, program: Program[T]) -> T:
        """Run a program on one connection; see `Executor.run`."""

    @abstractmethod
    def connection(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Connection]:
        """Hold one connection for the length of a block. With `read_only` the block promises to write nothing."""

    async def explain(self, operation: Operation, *, analyze: bool = False, executor: Executor | None = None) -> Plan:
        """
        Ask the store how it runs an operation.

        Args:
            operation: What is asked about. It is not run.
            analyze: Run it, and measure; what it writes is undone.
            executor: Where to ask: this gateway, or a transaction on it.

        Raises:
            Unsupported: The store cannot tell, or cannot undo what it would measure.
        """
        raise Unsupported("explain", self.name)

    async def inspect(self, relation: Any) -> Sequence[StoredColumn] | None:
        """Return the columns that the store has for a relation, in its order; None where it has no such table."""
        raise Unsupported("inspection", self.name)

    async def drift(self, relation: Any) -> Sequence[Drift]:
        """
        Return in which indexes, unique constraints and references a relation's table differs from what is declared.

        A gateway whose store cannot tell gives nothing, as this one does.
        """
        del relation
        return ()

    def keeps(self, stored: StoredColumn, type_: StorageType[Any]) -> bool:
        """Return whether a column that the store has keeps values of a storage type exactly."""
        return stored.type.casefold() == self.declared_type(type_).casefold()

    def declared_type(self, type_: StorageType[Any]) -> str:
        """Return what the store calls the type of a column that it makes for a storage type."""
        raise Unsupported("inspection", self.name)

    @abstractmethod
    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have a listener called with one event per operation; call what is returned to end it."""

    @abstractmethod
    def statistics(self) -> PoolStatistics:
        """Count connections."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close every connection. The gateway connects again at its next use."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
