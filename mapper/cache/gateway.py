"""
A gateway with a cache in front: the gateway port of what it wraps, in which reads are served while they are true.

Repositories and relations know nothing of it. Statements are compiled by the gateway within; reads that can be cached
go through the reader; whatever writes changes the tags of what it wrote, before anybody is told of its commit.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from attrs import evolve
from typing_extensions import TypeVar

from mapper.cache.batches import ChangingBatches, KeptBatches, TeedBatches
from mapper.cache.committing import Commits, Invalidating
from mapper.cache.connection import CachedHold
from mapper.cache.events import Events
from mapper.cache.keys import Names
from mapper.cache.many import ManyReads
from mapper.cache.operations import CachedRead, Creation, TrackedWrite, UncachedRead, bare
from mapper.cache.outbox import CacheNotes
from mapper.cache.reading import Reader
from mapper.cache.reads import ReadPlan, Uncached, plan_of
from mapper.cache.row_requests import Requests, RowsRequest, captured
from mapper.cache.shapes import Shape, asks_to_keep, policy_of, shape_of
from mapper.cache.tracking import changes_of
from mapper.caching import CacheHints, CachePolicy
from mapper.delegating import DelegatingGateway
from mapper.errors import CacheConfigError, CacheReadOnly
from mapper.explaining import Plan
from mapper.gateway import Batches, Connection, Decode, Executor, Gateway, Program
from mapper.operations import Evaluate, GetByKey, Operation, QuerySql, RawSql, Result, Scan
from mapper.programs import alone
from mapper.relation import info
from mapper.statements import AddColumn, CreateSchema, DropSchema, Statement

__all__ = ["CachedGateway", "ReadOnlyView"]

T = TypeVar("T")

READS: Final = (QuerySql, GetByKey, Scan, Evaluate)
MOST_SHAPES: Final = 2000

NO_POLICY: Final = "policy"
"""The word for reads of relations that are not to be cached."""


class CachedGateway(DelegatingGateway):
    """
    What `Cache.wrap` gives: a gateway whose reads go through a cache.

    Reads within a transaction, or on a held connection, see the store itself and keep nothing.

    Args:
        gateway: What is wrapped. It is closed with this one.
        reader, commits: The cache's.
        names: Of the cache.
        policy, policies: For all relations, and for some of them by the names of their tables.
        scope: What else tells this store's rows from those of another.
    """

    def __init__(
        self,
        gateway: Gateway,
        reader: Reader,
        commits: Commits,
        events: Events,
        names: Names,
        *,
        policy: CachePolicy | None,
        policies: Mapping[str, CachePolicy | None],
        scope: tuple[str, ...],
    ) -> None:
        super().__init__(gateway)
        self._reader = reader
        self._commits = commits
        self._events = events
        self._names = names
        self._policy = policy
        self._policies = policies
        self._scope = scope
        self._identity = (*scope, *gateway.identity)
        self._shapes: dict[str, Shape | Uncached] = {}
        # Those of reads that are kept because somebody asks for it, by default they are not.
        self._opted: dict[str, Shape | Uncached] = {}
        self._wished: dict[tuple[int, CacheHints], tuple[Shape, Shape]] = {}
        self._requests = Requests()
        self._many = ManyReads(reader, commits.keeper, events, commits.keeper.background)

    # -- compiling -----------------------------------------------------------------------------------------------------

    def compile(self, statement: Statement) -> Operation:
        operation = self.inner.compile(statement)
        if isinstance(operation, READS):
            shape = self._shapes.get(statement.key)  # type: ignore[union-attr]  # reads are compiled from queries
            if shape is None:
                if len(self._shapes) >= MOST_SHAPES:
                    self._shapes.clear()
                shape = self._shapes[statement.key] = self._shape(statement, operation, self._policy)  # type: ignore[union-attr]  # as above
            if isinstance(shape, Uncached):
                return _passed_by(operation, shape)
            return CachedRead(operation, shape, statement)  # type: ignore[return-value]  # it stands for one
        return operation if isinstance(operation, RawSql) else TrackedWrite(operation, statement)  # type: ignore[return-value]  # as above

    def compile_schema(self, change: CreateSchema | DropSchema | AddColumn) -> Sequence[Operation]:
        if isinstance(change, CreateSchema) and self._commits.outbox is not None:
            change = CreateSchema((*change.relations, CacheNotes))
        operations = self.inner.compile_schema(change)
        # What creates what is missing changes no rows; anything else may.
        return [Creation(each) for each in operations] if isinstance(change, CreateSchema) else operations  # type: ignore[misc]  # they stand for operations

    def in_schema(self, schema: str) -> Gateway:
        """Return the same cache in front of the same store, with relations that declare no schema in this one."""
        return CachedGateway(
            self.inner.in_schema(schema),
            self._reader,
            self._commits,
            self._events,
            self._names,
            policy=self._policy,
            policies=self._policies,
            scope=self._scope,
        )

    def viewed(self, hints: CacheHints) -> Gateway:
        """Return what reads through the cache with wishes of its own, and writes nothing."""
        return ReadOnlyView(self, hints)

    def compile_with(self, statement: Statement, hints: CacheHints) -> Operation:
        """Compile with further wishes for reads, which those of a query override."""
        operation = self.compile(statement)
        if isinstance(operation, UncachedRead) and operation.reason == NO_POLICY and asks_to_keep(hints):
            operation = self._opted_in(statement, operation.operation)  # type: ignore[assignment]  # it stands for one
        return self._shape_with(operation, hints) if isinstance(operation, CachedRead) else operation

    def _opted_in(self, statement: Any, operation: Operation) -> CachedRead | Operation:
        """Return a read that the cache keeps by default or not, as one that it keeps; unless its owner forbids that."""
        shape = self._opted.get(statement.key)
        if shape is None:
            if len(self._opted) >= MOST_SHAPES:
                self._opted.clear()
            shape = self._opted[statement.key] = self._shape(statement, operation, CachePolicy())
        return _passed_by(operation, shape) if isinstance(shape, Uncached) else CachedRead(operation, shape, statement)

    def _shape_with(self, operation: CachedRead, hints: CacheHints) -> Operation:
        """Return a read with further wishes, which those of its query override."""
        key = (id(operation.shape), hints)
        known = self._wished.get(key)
        if known is None:
            plan = operation.shape.plan
            policy = policy_of(plan, self._policy or CachePolicy(), self._policies)
            assert policy is not None, "what is not cached has no shape"
            own = plan.hints or CacheHints()
            if len(self._wished) >= MOST_SHAPES:
                self._wished.clear()
            # The shape is kept with what is made of it, so that its number stays its own.
            known = self._wished[key] = (operation.shape, operation.shape.with_hints(own.over(hints), policy))
        return CachedRead(operation.operation, known[1], operation.statement)  # type: ignore[return-value]  # it stands for one

    def _shape(self, statement: Any, operation: Operation, default: CachePolicy | None) -> Shape | Uncached:
        """Find out what reads of this shape depend on."""
        plan = plan_of(statement.assemble())
        if not isinstance(plan, ReadPlan):
            return evolve(plan, relations=_names_of(operation))
        policy = policy_of(plan, default, self._policies)
        if policy is None:
            return Uncached(NO_POLICY, "one of its relations is not to be cached", _names_of(operation))
        return shape_of(plan, operation, policy, self._names, self._identity, self.codecs)

    # -- reading -------------------------------------------------------------------------------------------------------

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        if isinstance(operation, CachedRead):
            if operation.shape.is_of_many:
                found = await self._many.read(operation, self.inner)
                if found is not None:
                    return decode(*found)
            request = self._requests.of(operation, self.inner)
            if request is not None:
                rows, names = await self._reader.read(request)
                return decode(rows, names)
            self._events.tell("bypass", "value", relations=operation.shape.relations)
            return await self.inner.fetch(operation.operation, decode)
        if isinstance(operation, UncachedRead):
            self._events.tell("bypass", operation.reason, relations=operation.relations)
            if operation.reads_alone:
                return await self.inner.fetch(operation.operation, decode)
        changes = changes_of(operation)
        if not changes:
            return await self.inner.fetch(bare(operation), decode)
        if self._commits.outbox is not None:
            async with self.connection() as connection:
                return await connection.fetch(operation, decode)
        async with Invalidating(self._commits, changes):
            return await self.inner.fetch(bare(operation), decode)

    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        if isinstance(operation, CachedRead):
            request = self._requests.of(operation, self.inner)
            if request is not None:
                return await self._streamed(request, decode)
            self._events.tell("bypass", "value", relations=operation.shape.relations)
        elif isinstance(operation, UncachedRead):
            self._events.tell("bypass", operation.reason, relations=operation.relations)
        changes = changes_of(operation)
        if not changes:
            return await self.inner.stream(bare(operation), decode)
        return await ChangingBatches.opened(self._commits, changes, lambda: self.inner.stream(bare(operation), decode))

    async def _streamed(self, request: RowsRequest, decode: Decode[T]) -> Batches[T]:
        """Serve a stream from the cache, or read it and keep a copy on the way."""
        offer = await self._reader.offer(request)
        if offer.value is not None:
            return KeptBatches(*offer.value, decode)
        if offer.stamps is None:
            return await request.gateway.stream(request.operation, decode)
        return await TeedBatches.opened(request, offer.stamps, self._reader, decode)

    # -- writing -------------------------------------------------------------------------------------------------------

    async def execute(self, operation: Operation) -> Result:
        if isinstance(operation, CachedRead):
            rows, _ = await captured(self.inner, operation.operation)
            return Result(rows=rows, count=len(rows))
        changes = changes_of(operation)
        if not changes:
            return await self.inner.execute(bare(operation))
        if self._commits.outbox is not None:
            return await self.run(alone(operation))
        async with Invalidating(self._commits, changes):
            return await self.inner.execute(bare(operation))

    async def run(self, program: Program[T]) -> T:
        return await self._commits.run(self.inner, program)

    def connection(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Connection]:
        return CachedHold(self.inner, self.inner.connection(read_only=read_only), self._commits)

    async def explain(self, operation: Operation, *, analyze: bool = False, executor: Executor | None = None) -> Plan:
        within = executor is not None and executor.gateway is not executor
        return await self.inner.explain(bare(operation), analyze=analyze, executor=executor if within else self.inner)

    async def relay(self) -> int:
        """
        Change in the cache what commits wrote down whose processes died before they could; see `Cache.relay`.

        Returns:
            How many commits that were.

        Raises:
            CacheConfigError: The cache has no outbox.
        """
        outbox = self._commits.outbox
        if outbox is None:
            raise CacheConfigError("the cache has no outbox", hint='make it with invalidation="outbox"')
        return await outbox.relay(self.inner)


class ReadOnlyView(DelegatingGateway):
    """What `Repository.cached` reads through: the gateway of a cache, with wishes of its own, and no way to write."""

    def __init__(self, gateway: CachedGateway, hints: CacheHints) -> None:
        super().__init__(gateway)
        self._cached = gateway
        self._hints = hints

    def compile(self, statement: Statement) -> Operation:
        return self._cached.compile_with(statement, self._hints)

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        _require_read(operation)
        return await self._cached.fetch(operation, decode)

    async def stream(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        _require_read(operation)
        return await self._cached.stream(operation, decode)

    async def execute(self, operation: Operation) -> Result:
        _require_read(operation)
        return await self._cached.execute(operation)

    async def run(self, program: Program[T]) -> T:
        program.close()
        raise refused()

    def connection(self, *, read_only: bool = False) -> AbstractAsyncContextManager[Connection]:
        raise refused()

    def in_schema(self, schema: str) -> Gateway:
        raise CacheConfigError("the schema of a read-only view", hint="say repository.in_schema(…).cached()")

    async def aclose(self) -> None:
        """Leave the gateway open: it is not the view's."""


def _require_read(operation: Operation) -> None:
    if not isinstance(operation, CachedRead) and changes_of(operation):
        raise refused()


def _passed_by(operation: Operation, shape: Uncached) -> Operation:
    """Return a read that is not cached. A raw one may change something."""
    reads_alone = type(operation) is QuerySql and bool(operation.columns) and not operation.writes
    return UncachedRead(operation, shape.reason, shape.relations, reads_alone)  # type: ignore[return-value]  # it stands for one


def _names_of(operation: Operation) -> tuple[str, ...]:
    """Return the names of the relations that an operation reads, for events."""
    return tuple(sorted([info(each).name for each in operation.reads]))


def refused() -> CacheReadOnly:
    """Return what a write through a read-only view raises."""
    return CacheReadOnly(
        "a cached view is read, and nothing is written through it", hint="write through the repository itself"
    )
