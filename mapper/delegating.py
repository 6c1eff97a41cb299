"""
Gateways that hand everything to another one: what wraps a gateway changes some of it. One of them takes relations that
declare no schema to be in one that is given.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from typing_extensions import TypeVar

from mapper.capabilities import Capabilities
from mapper.explaining import Plan
from mapper.gateway import (
    Batches,
    Connection,
    Decode,
    Drift,
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

__all__ = ["DelegatingGateway", "SchemaCompiler", "ScopedGateway"]

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

    @property
    def freshest(self) -> Gateway:
        """This one, unless the other gateway names another."""
        found = self.inner.freshest
        return self if found is self.inner else found

    @property
    def identity(self) -> tuple[str, ...]:
        """The other gateway's identity."""
        return self.inner.identity

    @property
    def scope(self) -> str | None:
        """The other gateway's scope."""
        return self.inner.scope

    def in_schema(self, schema: str) -> Gateway:
        """Return what hands its work to this gateway, and compiles as the other one does for the schema."""
        return ScopedGateway(self, schema, self.inner.in_schema(schema))

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

    async def drift(self, relation: Any) -> Sequence[Drift]:
        return await self.inner.drift(relation)

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


class SchemaCompiler(Protocol):
    """What compiles for one schema."""

    def compile(self, statement: Statement) -> Operation: ...

    def compile_schema(self, change: CreateSchema | DropSchema | AddColumn) -> Sequence[Operation]: ...

    async def inspect(self, relation: Any) -> Sequence[StoredColumn] | None: ...

    async def drift(self, relation: Any) -> Sequence[Drift]: ...


class ScopedGateway(DelegatingGateway):
    """
    A gateway of whose relations those that declare no schema are in one that is given: every name is qualified when a
    statement is compiled, so that no connection keeps anything of a schema.

    It costs next to nothing, and closing it closes nothing: connections are those of the gateway that it is made of.
    """

    def __init__(self, gateway: Gateway, schema: str, compiler: SchemaCompiler) -> None:
        super().__init__(gateway)
        self._schema = schema
        self._compiler = compiler

    @property
    def scope(self) -> str | None:
        """The schema."""
        return self._schema

    @property
    def freshest(self) -> Gateway:
        """This one, unless the other gateway names another."""
        found = self.inner.freshest
        return self if found is self.inner else found.in_schema(self._schema)

    @property
    def identity(self) -> tuple[str, ...]:
        """The other gateway's identity, and the schema."""
        return (*self.inner.identity, self._schema)

    def in_schema(self, schema: str) -> Gateway:
        """Return the other gateway in another schema."""
        return self.inner.in_schema(schema)

    def compile(self, statement: Statement) -> Operation:
        return self._compiler.compile(statement)

    def compile_schema(self, change: CreateSchema | DropSchema | AddColumn) -> Sequence[Operation]:
        return self._compiler.compile_schema(change)

    async def inspect(self, relation: Any) -> Sequence[StoredColumn] | None:
        return await self._compiler.inspect(relation)

    async def drift(self, relation: Any) -> Sequence[Drift]:
        return await self._compiler.drift(relation)

    async def aclose(self) -> None:
        """Leave the connections open, which are not of one schema."""

    def __repr__(self) -> str:
        return f"{self.inner!r}.in_schema({self._schema!r})"
