"""
A gateway without a store: it logs what it is asked for, and answers as it is told.

Statements are compiled to themselves; inserts are answered with keys that count from 1, everything else with one row.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any, ClassVar

import anyio
from attrs import evolve, frozen
from typing_extensions import TypeVar

from mapper.capabilities import Capabilities
from mapper.gateway import Batches, Connection, Decode, Gateway, Listener, PoolStatistics, Program
from mapper.operations import Call, Operation, QuerySql, RawSql, Result, Transaction
from mapper.relation import info
from mapper.statements import Delete, DeleteRows, InsertRows, Statement, Update, UpdateRows
from mapper.types import Decoder, Encoder, StorageType

__all__ = ["FAKE_CAPABILITIES", "FakeGateway", "Gate", "query"]

T = TypeVar("T")

LEVELS = frozenset({"read committed", "serializable"})

FAKE_CAPABILITIES = Capabilities(
    gateway="fake",
    transactions=True,
    savepoints=True,
    isolation_levels=LEVELS,
    read_only=True,
    returning=True,
    upsert=True,
    upsert_target=True,
    upsert_where=True,
    ddl_transactions=True,
    generated_keys=frozenset({"int"}),
)


@frozen
class FakeCodecs:
    """Codecs that check values and store them as they are."""

    name: str = "fake"

    def encoder(self, type_: StorageType[Any], /) -> Encoder:
        return type_.check

    def decoder(self, type_: StorageType[Any], /) -> Decoder | None:
        return None


class Gate:
    """Where an operation waits until it is let through."""

    def __init__(self) -> None:
        self.reached = anyio.Event()
        self.opened = anyio.Event()

    async def passed(self) -> None:
        """Wait until the gate is opened."""
        self.reached.set()
        await self.opened.wait()


def query(text: str = "select") -> QuerySql:
    """Return a read, by the name that the log has for it."""
    return QuerySql(text, ())


def no_rows(rows: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """Decode nothing."""
    return list(rows)


class FakeGateway(Gateway):
    """
    Logs operations as words: `start`, `insert Posts 3`, `update Posts`, `commit`; and connections as `+` and `-`.

    Attributes:
        log: The words, in order.
        statements: The statements that were sent.
        answers: Results by word, in the place of the usual ones.
        failures: By word what is raised, the first time.
        gates: By word where the operation waits.
        compiled: How many statements were compiled.
    """

    name: ClassVar[str] = "fake"

    def __init__(self, **changes: Any) -> None:
        self.capabilities = evolve(FAKE_CAPABILITIES, **changes)
        self.codecs = FakeCodecs()
        self.log: list[str] = []
        self.statements: list[Any] = []
        self.answers: dict[str, Result] = {}
        self.failures: dict[str, list[BaseException]] = {}
        self.gates: dict[str, Gate] = {}
        self.compiled = 0
        self._keys: dict[Any, int] = {}

    def fail(self, word: str, *errors: BaseException) -> None:
        """Have an operation fail: with the first error the first time, and so on; then it works."""
        self.failures[word] = list(errors)

    def compile(self, statement: Statement) -> Operation:
        self.compiled += 1
        relation = getattr(statement, "relation", None)
        for column, value in _values(statement):
            if value is not None:
                column.type.check(value)
        reads: frozenset[Any] = getattr(statement, "reads", frozenset())
        return Call("write", (statement,), reads=reads, writes=frozenset({relation}))

    def compile_schema(self, change: Any) -> Sequence[Operation]:
        kind = type(change).__name__
        return [Call(kind, (each,)) for each in change.relations]

    async def perform(self, operation: Operation) -> Result:
        """Run an operation, on whatever connection."""
        word = _word(operation)
        self.log.append(word)
        if word in self.gates:
            await self.gates[word].passed()
        if self.failures.get(word):
            raise self.failures[word].pop(0)
        if word in self.answers:
            return self.answers[word]
        if isinstance(operation, Call) and operation.name == "write":
            statement = operation.arguments[0]
            self.statements.append(statement)
            return self._answer(statement)
        return Result()

    def _answer(self, statement: Any) -> Result:
        if not isinstance(statement, InsertRows):
            return Result(count=1)
        keys = []
        for row in statement.rows:
            given = dict(zip([each.attribute for each in statement.columns], row, strict=True))
            self._keys[statement.relation] = self._keys.get(statement.relation, 0) + 1
            counted = self._keys[statement.relation]
            keys.append(tuple([given.get(each.attribute, counted) for each in statement.returning]))
        inserted = len(statement.rows) if statement.conflict is not None else 0
        return Result(keys if statement.returning else (), len(statement.rows), inserted=inserted)

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        async with self.connection() as connection:
            return await connection.fetch(operation, decode)

    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        raise NotImplementedError

    async def execute(self, operation: Operation | RawSql) -> Result:
        async with self.connection() as connection:
            return await connection.execute(operation)

    async def run(self, program: Program[T]) -> T:
        async with self.connection() as connection:
            return await connection.run(program)

    def connection(self, *, read_only: bool = False) -> "FakeHold":
        return FakeHold(self, read_only)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        raise NotImplementedError

    def statistics(self) -> PoolStatistics:
        raise NotImplementedError

    async def aclose(self) -> None:
        self.log.append("closed")


def _values(statement: Any) -> Sequence[tuple[Any, Any]]:
    if isinstance(statement, InsertRows):
        return [pair for row in statement.rows for pair in zip(statement.columns, row, strict=True)]
    return ()


def _word(operation: Operation) -> str:
    match operation:
        case Transaction(kind=kind):
            return kind
        case QuerySql(sql=sql):
            return sql
        case Call(name="write", arguments=(statement,)):
            return _written(statement)
        case Call(name=name, arguments=(relation,)):
            return f"{name} {relation.__name__}"
        case _:
            return type(operation).__name__


def _written(statement: Any) -> str:
    name = info(statement.relation).relation.__name__
    match statement:
        case InsertRows(rows=rows, conflict=conflict):
            return f"{'insert' if conflict is None else 'upsert'} {name} {len(rows)}"
        case UpdateRows(rows=rows):
            return f"update {name} {len(rows)}"
        case DeleteRows(rows=rows):
            return f"delete {name} {len(rows)}"
        case Update():
            return f"update {name}"
        case Delete():
            return f"delete {name}"
        case _:
            return type(statement).__name__


class FakeHold:
    """Holds a fake connection; the log tells when, and whether it was left with an error."""

    def __init__(self, gateway: FakeGateway, read_only: bool) -> None:
        self._gateway = gateway
        self._read_only = read_only

    async def __aenter__(self) -> "FakeConnection":
        self._gateway.log.append("+r" if self._read_only else "+")
        return FakeConnection(self._gateway)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gateway.log.append("-" if error is None else f"- {type(error).__name__}")


class FakeConnection(Connection):
    """Logs on its gateway, and refuses to be used by two at once, as drivers do."""

    def __init__(self, gateway: FakeGateway) -> None:
        self._gateway = gateway
        self._busy = False

    @property
    def driver(self) -> Any:
        return None

    async def execute(self, operation: Operation) -> Result:
        assert not self._busy, "another operation is in progress"
        self._busy = True
        try:
            return await self._gateway.perform(operation)
        finally:
            self._busy = False

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        result = await self.execute(operation)
        return decode(result.rows, ())

    async def stream(self, operation: Operation, chunk: int = 500) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
        result = await self.execute(operation)
        yield result.rows

    async def stream_batches(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        await self.execute(operation)
        return FakeBatches(self, operation, decode)


class FakeBatches:
    """Two batches of one row each."""

    def __init__(self, connection: FakeConnection, operation: Operation, decode: Decode[Any]) -> None:
        self._connection = connection
        self._operation = operation
        self._decode = decode
        self._left = 2

    async def next(self) -> Sequence[Any] | None:
        if not self._left:
            return None
        self._left -= 1
        await self._connection.execute(QuerySql(f"next {_word(self._operation)}", ()))
        return self._decode([(2 - self._left,)], ())

    @property
    def holds(self) -> bool:
        return self._left > 0

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        return await self._connection.fetch(operation, decode)

    async def aclose(self) -> None:
        await self._connection.execute(QuerySql(f"close {_word(self._operation)}", ()))

    def abandon(self) -> None:
        self._connection._gateway.log.append(f"abandon {_word(self._operation)}")
