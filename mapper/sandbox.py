"""
Sandboxes: a repository whose every change is undone at the end.

A repository goes in; another of its class comes out, whose gateway works on one connection within one transaction that
is never committed. Commits and transactions within it are savepoints. It is for tests: each has the store as it was,
and several can run on one store at the same time.
"""

from contextlib import AbstractAsyncContextManager
from copy import copy
from types import TracebackType
from typing import Any, Final, Generic

import anyio
from typing_extensions import TypeVar

from mapper.delegating import DelegatingGateway
from mapper.errors import PoolTimeout, QueryError, TransactionClosed
from mapper.gateway import Batches, Connection, Decode, Gateway
from mapper.operations import Operation, QuerySql, Result, Transaction
from mapper.outlasting import WholeConnection, whole
from mapper.programs import Program, through
from mapper.shielding import finish
from mapper.stores import Stores
from mapper.turns import Turns

__all__ = ["Sandbox", "SandboxGateway"]

S = TypeVar("S", bound=Stores[Any])
T = TypeVar("T")

GUARD: Final = "sandbox_guard"
PATIENCE: Final = 30.0
"""Seconds for which one task waits for the transaction of another."""


class Sandbox(Generic[S]):
    """The block of a sandbox; see `Repository.sandbox`. It is entered once."""

    __slots__ = ("_gateway", "_hold", "_repository")

    def __init__(self, repository: S) -> None:
        self._repository = repository
        self._hold: AbstractAsyncContextManager[Connection] | None = None
        self._gateway: SandboxGateway | None = None

    async def __aenter__(self) -> S:
        if self._gateway is not None:
            raise QueryError("a sandbox is entered twice", hint="call sandbox() again")
        executor = self._repository._executor
        gateway = executor.gateway
        if gateway is not executor:
            raise QueryError(
                "a sandbox within a transaction", hint="open it on the repository itself, and transactions within it"
            )
        gateway.capabilities.require("savepoints", what="a sandbox")
        hold = gateway.connection()
        connection: Connection = WholeConnection(await hold.__aenter__())
        try:
            await connection.execute(Transaction("start"))
            await connection.execute(Transaction("savepoint", name=GUARD))
        except BaseException as error:
            await finish(_left(hold, error))
            raise
        self._hold = hold
        self._gateway = SandboxGateway(gateway, connection)
        boxed = copy(self._repository)
        boxed._executor = self._gateway
        return boxed

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        hold, gateway = self._hold, self._gateway
        assert hold is not None, "the block was left without being entered"
        assert gateway is not None
        self._hold = None
        cancelled = await finish(gateway.end(hold))
        if cancelled is not None and error is None:
            raise cancelled


async def _left(hold: AbstractAsyncContextManager[Connection], error: BaseException) -> None:
    await hold.__aexit__(type(error), error, error.__traceback__)


class SandboxGateway(DelegatingGateway):
    """
    A gateway on one connection within one transaction.

    What fails is undone to a savepoint that is set anew behind everything that was written, so that a failure undoes
    itself and nothing else. A transaction has the connection for itself: other tasks wait for its end.
    """

    def __init__(self, gateway: Gateway, connection: Connection) -> None:
        super().__init__(gateway)
        self._connection = connection
        self._turns = Turns()
        self._holder: int | None = None
        self._over = False

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        mine = await self._enter()
        try:
            return await self._connection.fetch(operation, decode)
        except BaseException as error:
            await self._recover(mine, error)
            raise
        finally:
            self._leave(mine)

    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        mine = await self._enter()
        try:
            return await self._connection.stream_batches(operation, decode)
        except BaseException as error:
            await self._recover(mine, error)
            raise
        finally:
            self._leave(mine)

    async def execute(self, operation: Operation) -> Result:
        mine = await self._enter()
        try:
            return await whole(self._execute(operation, keeps=mine and not isinstance(operation, QuerySql)))
        except BaseException as error:
            await self._recover(mine, error)
            raise
        finally:
            self._leave(mine)

    async def run(self, program: Program[T]) -> T:
        mine = await self._enter()
        try:
            return await whole(self._run(program, keeps=mine))
        except BaseException as error:
            await self._recover(mine, error)
            raise
        finally:
            self._leave(mine)

    async def _execute(self, operation: Operation, *, keeps: bool) -> Result:
        result = await self._connection.execute(operation)
        if keeps:
            await self._keep()
        return result

    async def _run(self, program: Program[T], *, keeps: bool) -> T:
        value = await self._connection.run(_within(program))
        if keeps:
            await self._keep()
        return value

    def connection(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Connection]:
        """Hold the connection for the length of a block; other tasks wait. `read_only` is not enforced here."""
        del read_only
        return _Hold(self)

    async def aclose(self) -> None:
        """Leave the gateway open: it is not the sandbox's."""

    async def end(self, hold: AbstractAsyncContextManager[Connection]) -> None:
        """Undo everything, and give the connection back."""
        self._over = True
        try:
            await self._connection.execute(Transaction("rollback"))
        except BaseException as error:
            await _left(hold, error)
            raise
        await hold.__aexit__(None, None, None)

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _enter(self) -> bool:
        """
        Take the turn; False where this task has it already, for the length of a block.

        Raises:
            TransactionClosed: The sandbox is over.
            PoolTimeout: Another task's transaction took too long.
        """
        self._require_open()
        task = anyio.get_current_task().id
        if self._holder == task:
            return False
        if not self._turns.take_now():
            with anyio.move_on_after(PATIENCE) as scope:
                await self._turns.wait()
            if scope.cancelled_caught:
                raise PoolTimeout(
                    f"waited {PATIENCE:g} s for the one connection of the sandbox, which a transaction has",
                    hint="end the transaction first, or give tx to what runs within it",
                )
            if self._over:
                self._turns.give()
                self._require_open()
        return True

    def _leave(self, mine: bool) -> None:
        if mine:
            self._turns.give()

    def _require_open(self) -> None:
        if self._over:
            raise TransactionClosed(
                "the sandbox was used after its end", hint="use it within: async with repository.sandbox() as …"
            )

    async def _keep(self) -> None:
        """Let what was written stay, whatever fails later."""
        await self._connection.execute(Transaction("release", name=GUARD))
        await self._connection.execute(Transaction("savepoint", name=GUARD))

    async def _recover(self, mine: bool, error: BaseException) -> None:
        """Undo what failed, whose error is what is raised. Within a block that is the block's own business."""
        if not mine:
            return
        try:
            await finish(self._undo())
        except Exception as second:
            error.add_note(f"undoing it failed too: {second!r}")

    async def _undo(self) -> None:
        await self._connection.execute(Transaction("rollback_to", name=GUARD))


class _Hold(AbstractAsyncContextManager[Connection]):
    """The block in which one task has the connection."""

    def __init__(self, gateway: SandboxGateway) -> None:
        self._gateway = gateway
        self._connection: _SandboxConnection | None = None

    async def __aenter__(self) -> Connection:
        gateway = self._gateway
        if not await gateway._enter():
            raise QueryError(
                "a transaction within another one of the same sandbox and task",
                hint="nest it: async with tx.transaction()",
            )
        gateway._holder = anyio.get_current_task().id
        self._connection = _SandboxConnection(gateway._connection)
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, gateway = self._connection, self._gateway
        assert connection is not None
        cancelled: BaseException | None = None
        try:
            if not gateway._over:
                cancelled = await finish(gateway._undo() if connection.unfinished else gateway._keep())
        finally:
            gateway._holder = None
            gateway._turns.give()
        if cancelled is not None and error is None:
            raise cancelled


class _SandboxConnection(Connection):
    """
    The sandbox's connection, on which a transaction is a savepoint.

    Attributes:
        unfinished: A transaction was begun and not ended.
    """

    def __init__(self, connection: Connection) -> None:
        self._inner = connection
        self.unfinished = False

    @property
    def driver(self) -> Any:
        return self._inner.driver

    async def execute(self, operation: Operation) -> Result:
        if not isinstance(operation, Transaction):
            return await self._inner.execute(operation)
        for each in _translated(operation):
            await self._inner.execute(each)
        if operation.kind in {"start", "commit", "rollback"}:
            self.unfinished = operation.kind == "start"
        return Result()

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        return await self._inner.fetch(operation, decode)

    def stream(self, operation: Operation, chunk: int = 500) -> Any:
        return self._inner.stream(operation, chunk)

    async def stream_batches(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        return await self._inner.stream_batches(operation, decode)

    async def run(self, program: Program[T]) -> T:
        return await self._inner.run(_within(program))


BLOCK: Final = "sandbox_block"


def _translated(operation: Transaction) -> tuple[Transaction, ...]:
    """Return the savepoints that stand for a transaction; savepoints are left as they are."""
    if operation.kind == "start":
        return (Transaction("savepoint", name=BLOCK),)
    if operation.kind == "commit":
        return (Transaction("release", name=BLOCK),)
    if operation.kind == "rollback":
        return (Transaction("rollback_to", name=BLOCK), Transaction("release", name=BLOCK))
    return (operation,)


def _within(program: Program[T]) -> Program[T]:
    """Return a program that does the same with savepoints in the place of its transaction."""
    return through(program, _run_within)


def _run_within(operation: Operation) -> Program[Result]:
    if not isinstance(operation, Transaction):
        return (yield operation)
    result = Result()
    for each in _translated(operation):
        result = yield each
    return result
