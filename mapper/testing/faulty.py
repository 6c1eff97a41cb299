"""
A gateway that fails on purpose.

A gateway and the number of an operation go in; a gateway comes out that works until then, fails at that operation, and
works again.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic

from typing_extensions import TypeVar

from mapper.delegating import DelegatingGateway
from mapper.errors import ConnectionLost, StoreError
from mapper.gateway import Batches, Connection, Decode, Gateway, Program
from mapper.operations import Operation, Result

__all__ = ["FaultyGateway"]

T = TypeVar("T")
S = TypeVar("S")


class FaultyGateway(DelegatingGateway):
    """
    Fails the `at`-th operation that it is given, counted from 1, before the store sees it; every other operation is
    left alone.

    Args:
        gateway: The gateway that does the work.
        at: Which operation fails; None fails none until `fail` is called.
        drop: The connection is lost with it: what follows on the same connection or in the same program fails as well.
        error: Makes the error of a failed operation; `ConnectionLost` where `drop` is given, else a `StoreError` that
            is not retryable.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        at: int | None = None,
        drop: bool = False,
        error: Callable[[Operation], Exception] | None = None,
    ) -> None:
        super().__init__(gateway)
        self.count = 0
        self._drop = drop
        self._error = error or (_lost if drop else _failed)
        self._at = at

    def fail(self, *, at: int = 1) -> None:
        """Fail the `at`-th operation from now on, counted from 1."""
        self._at = self.count + at

    def check(self, operation: Operation) -> None:
        """
        Count an operation.

        Raises:
            Exception: It is this operation's turn to fail.
        """
        self.count += 1
        if self.count == self._at:
            raise self._error(operation)

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        self.check(operation)
        return await self.inner.fetch(operation, decode)

    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        self.check(operation)
        return FaultyBatches(self, await self.inner.stream(operation, decode))

    async def execute(self, operation: Operation) -> Result:
        self.check(operation)
        return await self.inner.execute(operation)

    async def run(self, program: Program[T]) -> T:
        return await self.inner.run(self._guarded(program))

    def connection(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Connection]:
        return _FaultyHold(self, self.inner.connection(read_only=read_only))

    def _guarded(self, program: Program[T]) -> Program[T]:
        """Give a program's operations on, and throw the error into it where one is to fail."""
        lost: Exception | None = None
        operation = next(program)
        while True:
            try:
                if lost is not None:
                    raise lost
                self.check(operation)
                result = yield operation
            except BaseException as error:
                if self._drop and isinstance(error, ConnectionLost):
                    lost = error
                step: Callable[[], Operation] = _thrower(program, error)
            else:
                step = _sender(program, result)
            try:
                operation = step()
            except StopIteration as stop:
                value: T = stop.value
                return value


class _FaultyHold:
    """Holds a connection of the other gateway, and fails in its place."""

    def __init__(self, gateway: FaultyGateway, hold: AbstractAsyncContextManager[Connection]) -> None:
        self._gateway = gateway
        self._hold = hold

    async def __aenter__(self) -> Connection:
        return _FaultyConnection(self._gateway, await self._hold.__aenter__())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._hold.__aexit__(kind, error, trace)


class _FaultyConnection(Connection):
    def __init__(self, gateway: FaultyGateway, connection: Connection) -> None:
        self._gateway = gateway
        self._connection = connection
        self._lost: Exception | None = None

    @property
    def driver(self) -> Any:
        return self._connection.driver

    def _check(self, operation: Operation) -> None:
        if self._lost is not None:
            raise self._lost
        try:
            self._gateway.check(operation)
        except ConnectionLost as error:
            self._lost = error
            raise

    async def execute(self, operation: Operation) -> Result:
        self._check(operation)
        return await self._connection.execute(operation)

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        self._check(operation)
        return await self._connection.fetch(operation, decode)

    def stream(self, operation: Operation, chunk: int = 500) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
        self._check(operation)
        return self._connection.stream(operation, chunk)

    async def stream_batches(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        self._check(operation)
        return await self._connection.stream_batches(operation, decode)

    async def run(self, program: Program[T]) -> T:
        return await self._connection.run(self._gateway._guarded(program))


class FaultyBatches(Generic[T]):
    """Batches beside which no other read runs once the gateway has had its fault."""

    def __init__(self, gateway: "FaultyGateway", batches: Batches[T]) -> None:
        self._gateway = gateway
        self._batches = batches

    @property
    def holds(self) -> bool:
        """As of the batches themselves."""
        return self._batches.holds

    async def next(self) -> Sequence[T] | None:
        """As of the batches themselves."""
        return await self._batches.next()

    async def fetch(self, operation: Operation, decode: Decode[S]) -> list[S]:
        """Run another read, or fail in its place."""
        self._gateway.check(operation)
        return await self._batches.fetch(operation, decode)

    async def aclose(self) -> None:
        """As of the batches themselves."""
        await self._batches.aclose()

    def abandon(self) -> None:
        """As of the batches themselves."""
        self._batches.abandon()


def _thrower(program: Program[Any], error: BaseException) -> Callable[[], Operation]:
    return lambda: program.throw(error)


def _sender(program: Program[Any], result: Result) -> Callable[[], Operation]:
    return lambda: program.send(result)


def _lost(operation: Operation) -> Exception:
    return ConnectionLost("the connection was dropped on purpose", operation=operation)


def _failed(operation: Operation) -> Exception:
    return StoreError("the operation was failed on purpose", operation=operation)
