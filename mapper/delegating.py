"""
A gateway that hands everything to another one: what wraps a gateway changes some of it.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from typing_extensions import TypeVar

from mapper.capabilities import Capabilities
from mapper.explaining import Plan
from mapper.gateway import (
    Batches,
    Connection,
    Decode,
    Executor,
    Gateway,
    Listener,
    PoolStatistics,
    Program,
    StoredColumn,
)
from mapper.operations import Call, Operation, Result
from mapper.statements import AddColumn, CreateSchema, DropSchema, Statement
from mapper.types import Codecs, StorageType

__all__ = ["DelegatingGateway"]

T = TypeVar("T")


class DelegatingGateway(Gateway):
    """Behaves as the gateway that it is made with, which it closes when it is closed."""

    def __init__(self, gateway: Gateway) -> None:
        self.inner = gateway

    @property
    def name(self) -> str:  # type: ignore[override]  # the other gateway's name
        """The other gateway's name."""
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]  # read-only, as everywhere
        """The other gateway's capabilities."""
        return self.inner.capabilities

    @property
    def codecs(self) -> Codecs:  # type: ignore[override]  # as above
        """The other gateway's codecs."""
        return self.inner.codecs

    @property
    def innermost(self) -> Gateway:
        """As of the other gateway."""
        return self.inner.innermost

    def compile(self, statement: Statement) -> Operation:
        return self.inner.compile(statement)

    def accept(self, call: Call) -> Call:
        return self.inner.accept(call)

    def compile_schema(self, change: CreateSchema | DropSchema | AddColumn) -> Sequence[Operation]:
        return self.inner.compile_schema(change)

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        return await self.inner.fetch(operation, decode)

    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        return await self.inner.stream(operation, decode)

    async def execute(self, operation: Operation) -> Result:
        return await self.inner.execute(operation)

    async def run(self, program: Program[T]) -> T:
        return await self.inner.run(program)

    async def explain(self, operation: Operation, *, analyze: bool = False, executor: Executor | None = None) -> Plan:
        return await self.inner.explain(operation, analyze=analyze, executor=executor or self)

    async def inspect(self, relation: Any) -> Sequence[StoredColumn] | None:
        return await self.inner.inspect(relation)

    def keeps(self, stored: StoredColumn, type_: StorageType[Any]) -> bool:
        return self.inner.keeps(stored, type_)

    def declared_type(self, type_: StorageType[Any]) -> str:
        return self.inner.declared_type(type_)

    def connection(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Connection]:
        return self.inner.connection(read_only=read_only)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        return self.inner.subscribe(listener)

    def statistics(self) -> PoolStatistics:
        return self.inner.statistics()

    async def aclose(self) -> None:
        await self.inner.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r})"
