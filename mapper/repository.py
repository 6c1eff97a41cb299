"""
Repositories: which relations are stored together, and where.

A union of relations goes in when the class is made, `Repository[Posts | Comments]`; a gateway when it is instantiated.
Queries, changesets and loads run on the instance.
"""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from copy import copy
from typing import Any, ClassVar, Self, TypeAlias, overload

from typing_extensions import TypeVar, Unpack

from mapper.cachedqueries import CacheSettings, wished
from mapper.caching import CacheMode
from mapper.changeset import Changeset
from mapper.commit import one_by_one, within_transaction
from mapper.declaring import generic_arguments
from mapper.errors import CacheConfigError, MigrationDrift, QueryError, StaleRow
from mapper.expressions import Assignment
from mapper.gateway import Executor, Gateway, TransactionOptions
from mapper.isolation import Isolation
from mapper.loading import Progress, load
from mapper.membership import relations_of
from mapper.once import CommitRecords
from mapper.queued import from_json
from mapper.relation import StoredIn, info
from mapper.retrying import checked_retries, retried
from mapper.sandbox import Sandbox
from mapper.schema import verify
from mapper.scope import Callback, TransactionScope
from mapper.statements import CreateSchema, DropSchema
from mapper.stores import Stores
from mapper.transaction import TransactionBlock
from mapper.views import CachedView, view_of

__all__ = ["Repository"]

R_contra = TypeVar("R_contra", contravariant=True)
R2 = TypeVar("R2")
T = TypeVar("T")
ModelT = TypeVar("ModelT")
WrapperT = TypeVar("WrapperT")

_Row: TypeAlias = ModelT | WrapperT | tuple[ModelT | WrapperT, *tuple[Assignment[R2], ...]]
"""What can be loaded: a model, a wrapper, or a tuple of one of them and assignments."""


class Repository(Stores[R_contra]):
    """
    The scope of queries and changesets: `class BlogRepository(Repository[Posts | Comments])`.

    The class says which relations are stored; an instance adds the gateway, which is its only state. Within a
    transaction there is another instance, which runs on that transaction and nothing else.

    Args:
        gateway: Where the relations are stored. It may be shared by any number of repositories.

    Raises:
        DeclarationError: When a class is made: it names something that is no relation, two relations with one table, or
            a reference to what is no column of the same type.
    """

    __slots__ = ()

    _ordered: ClassVar[tuple[Any, ...]] = ()

    def __init__(self, gateway: Gateway) -> None:
        if not isinstance(gateway, Gateway):
            raise QueryError(
                f"{type(self).__name__} is bound to a gateway, not to {gateway!r}",
                hint="make one: SQLiteGateway(path), or gateways.open(url)",
            )
        self._executor: Executor = gateway

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        arguments = generic_arguments(cls, Repository) if "__orig_bases__" in cls.__dict__ else None
        if arguments is None or isinstance(arguments[0], TypeVar):
            return
        relations = relations_of(cls.__name__, arguments[0])
        cls._ordered = relations
        cls._relations = frozenset(relations)

    @classmethod
    def change(cls) -> "Changeset[R_contra]":
        """Return an empty changeset over the relations of this class. It needs no connection."""
        return Changeset(cls)

    @classmethod
    def change_from_json(cls, text: str | bytes) -> "Changeset[R_contra]":
        """
        Return the changeset that `Changeset.to_json` made this text of.

        The text may come from anywhere: it can do no more than write rows of this repository's relations, and whatever
        else it says is refused. A `Ref` of the changeset that it was made of is none of this one.

        Raises:
            QueryError: The text is damaged, of another version, or names a relation or column that is not here.
        """
        changes = Changeset(cls)
        from_json(changes, cls._ordered, text)
        return changes

    def transaction(
        self, *, isolation: Isolation | None = None, read_only: bool = False, timeout: float | None = None
    ) -> "TransactionBlock[Self]":
        """
        Return the block of a transaction: `async with repository.transaction() as tx`, where `tx` is a repository of
        the same class on one connection.

        Leaving the block commits, an exception rolls back. What several tasks do on `tx` is done in the order of their
        coming. An operation that fails dooms the transaction: whatever follows on `tx` raises `RolledBack`, and so does
        leaving the block. Within a transaction the block is a savepoint, which keeps its failures to itself.

        Args:
            isolation: "read uncommitted", "read committed", "repeatable read" or "serializable"; the store's default
                without it. Not of a nested block.
            read_only: Writes are refused by the store. Not of a nested block.
            timeout: Seconds for the whole block.

        Raises:
            QueryError: The level is unknown.
            Unsupported: The store cannot give the level, or has no transactions.
            TransactionTimeout: The block took too long; it is rolled back.
            TransactionClosed: `tx` was used after its end, or while a nested block of it is open.
            AfterCommitError: What callbacks raised after the commit, which stands.
            CommitUnknown: The connection was lost at the commit, and nobody knows.
        """
        return TransactionBlock(self, isolation=isolation, read_only=read_only, timeout=timeout)

    async def run(
        self,
        work: Callable[[Self], Awaitable[T]],
        *,
        retries: int = 3,
        isolation: Isolation | None = None,
        read_only: bool = False,
        timeout: float | None = None,
    ) -> T:
        """
        Do work in a transaction, and again in a new one where that can help: `await blog.run(work)`.

        Args:
            work: Called with the transaction. It must do all of its work there, since it may be called several times.
            retries: How often it is called again after an error that passes, such as `SerializationFailure` and
                `Deadlock`; never after `CommitUnknown`. On a transaction the work is done once, in a nested block: what
                makes trying again necessary has undone the whole transaction.
            isolation, read_only, timeout: As of `transaction`, for each time.

        Returns:
            What the work returned.
        """
        checked_retries(retries)

        async def attempt() -> T:
            async with self.transaction(isolation=isolation, read_only=read_only, timeout=timeout) as tx:
                return await work(tx)

        return await retried(attempt, 0 if isinstance(self._executor, TransactionScope) else retries)

    async def retry_stale(
        self,
        work: Callable[[Self], Awaitable[T]],
        *,
        retries: int = 3,
        isolation: Isolation | None = None,
        timeout: float | None = None,
    ) -> T:
        """
        Do work that reads rows and updates them, and again where a row has changed meanwhile:
        `await blog.retry_stale(work)`.

        Args:
            work: Called with a transaction, in which it must read the rows anew, change them and commit. It may be
                called several times.
            retries: How often it is called again after `StaleRow`, and after what `run` tries again. On a transaction
                the work is done once, in a nested block.
            isolation, timeout: As of `transaction`, for each time.

        Returns:
            What the work returned.

        Raises:
            StaleRow: The row had changed every time.
        """
        checked_retries(retries)

        async def attempt() -> T:
            async with self.transaction(isolation=isolation, timeout=timeout) as tx:
                return await work(tx)

        return await retried(attempt, 0 if isinstance(self._executor, TransactionScope) else retries, also=(StaleRow,))

    def sandbox(self) -> "Sandbox[Self]":
        """
        Return the block of a sandbox: `async with repository.sandbox() as test_repository`, a repository of the same
        class whose every change is undone at the end of the block.

        It works on one connection, in one transaction that is never committed. Commits and transactions within it are
        savepoints, so that what fails undoes itself alone; isolation levels and `read_only` are accepted, and have no
        effect of their own. Callbacks of `after_commit` run at the end of their block. Several sandboxes can be open on
        one store; on one that takes one writer at a time they wait for each other where they write.

        Raises:
            Unsupported: The store has no savepoints.
            QueryError: This is a transaction.
        """
        return Sandbox(self)

    def after_commit(self, callback: Callback) -> None:
        """
        Have a function called after the commit of this transaction, sync or async, in the order given.

        That of a nested block which is rolled back is not called. It runs before the block ends; what it raises comes
        out of the block as `AfterCommitError`, and undoes nothing.

        Raises:
            QueryError: This is a repository and no transaction, or the callback is no function.
        """
        self._transaction("after_commit").after_commit(callback)

    def after_rollback(self, callback: Callback) -> None:
        """
        Have a function called once this transaction has been rolled back, sync or async, in the order given.

        Of a nested block it is called when that block is rolled back, or later the transaction around it. After
        `CommitUnknown` nobody knows, and it is not called. What it raises becomes a note of the error that made the
        rollback necessary.

        Raises:
            QueryError: As of `after_commit`.
        """
        self._transaction("after_rollback").after_rollback(callback)

    def using(self, gateway: Gateway) -> Self:
        """
        Return the same repository on another gateway: that of a tenant, say.

        Raises:
            QueryError: This is a transaction, or what is given is no gateway.
        """
        if isinstance(self._executor, TransactionScope):
            raise QueryError("a transaction runs on the gateway that it was begun on", hint="use the repository itself")
        if not isinstance(gateway, Gateway):
            raise QueryError(f"using takes a gateway, not {gateway!r}")
        bound = copy(self)
        bound._executor = gateway
        return bound

    def cached(
        self, *, mode: CacheMode = "read", tags: Sequence[str] = (), **settings: Unpack[CacheSettings]
    ) -> CachedView[R_contra]:
        """
        Return a view of the repository that is read through its cache, and through which nothing is written:
        `await query.all(blog.cached(ttl=60))`.

        Args:
            mode, tags, settings: As of `Query.cached`, for every query on the view; a query's own stand above them.

        Raises:
            CacheConfigError: The gateway has no cache, this is a transaction, or a setting is wrong.
        """
        executor = self._executor
        if executor.gateway is not executor:
            raise CacheConfigError(
                "a transaction is not read through a cache", hint="use the repository itself: repository.cached()"
            )
        return view_of(type(self).__name__, self._relations, executor.gateway.viewed(wished(mode, tags, (), settings)))

    def in_schema(self, schema: str) -> Self:
        """
        Return the same repository with its relations in a schema: `blog.in_schema("tenant_7")`.

        It is that of relations that declare none, and of the table of `once`; the others stay where they are. Names are
        qualified when a statement is compiled: connections are shared by all schemas, and keep nothing of one. What is
        written in the store's own language (`raw`, `fragment`, checks) is left as it is. `push_schema` makes the schema
        where it is missing. On another gateway, by `using`, the schema is to be chosen again.

        Raises:
            Unsupported: The store has no schemas that can be chosen so.
            QueryError: This is a transaction, or it is no name of a schema.
        """
        if isinstance(self._executor, TransactionScope):
            raise QueryError(
                "a transaction stays in the schema in which it was begun",
                hint="choose it before: repository.in_schema(…).transaction()",
            )
        bound = copy(self)
        bound._executor = self._executor.gateway.in_schema(schema)
        return bound

    def _transaction(self, method: str) -> TransactionScope:
        executor = self._executor
        if not isinstance(executor, TransactionScope):
            raise QueryError(
                f"{method} of a repository that is no transaction",
                hint=f"use it within one: async with repository.transaction() as tx: tx.{method}(…)",
            )
        return executor

    @overload
    async def load(
        self,
        relation: StoredIn[Stores[R_contra], ModelT, Any, WrapperT, R2],
        source: Iterable[_Row[ModelT, WrapperT, R2]],
        *,
        chunk: int = 10_000,
        start: int = 0,
        on_progress: Progress | None = None,
    ) -> int: ...
    @overload
    async def load(
        self,
        relation: StoredIn[Stores[R_contra], ModelT, Any, WrapperT, R2],
        source: AsyncIterable[_Row[ModelT, WrapperT, R2]],
        *,
        chunk: int = 10_000,
        start: int = 0,
        on_progress: Progress | None = None,
    ) -> int: ...
    async def load(
        self,
        relation: Any,
        source: object,
        *,
        chunk: int = 10_000,
        start: int = 0,
        on_progress: Progress | None = None,
    ) -> int:
        """
        Store what an iterable gives, in constant memory: the fastest way in for many rows.

        It is not atomic: each chunk is, and those before one that fails are stored. On a transaction they are a part of
        it. At most one chunk is taken from the source ahead of the store. Keys do not come back.

        After an error it can be gone on with: `rows_done` of the error is how many rows of the source are stored, and
        `start=error.rows_done` passes over them. Only after `CommitUnknown` nobody knows of the one chunk behind them.

        Args:
            relation: Where to.
            source: An iterable, sync or async, of models, of wrappers, or of tuples of one and assignments.
            chunk: Rows that are stored at once.
            start: Rows at the beginning of the source that are passed over, because they are stored already.
            on_progress: Called after each chunk with the number of rows stored so far, those before `start` among them;
                sync or async. `mapper.progress` has one that draws a bar.

        Returns:
            The number of rows of the source, which are all stored now.

        Raises:
            NotStored: The repository does not store the relation.
            QueryError, ValueNotStorable: A row does not fit; the message begins with its number in the source, from 0,
                which is `row` of the error.
            StoreError: A chunk was refused. Where that is because of a row, `row` is the number of the first such row;
                to find it, the chunk is tried again in a transaction that is rolled back. Within a transaction `row`
                may be None: a note tells the rows of the chunk.
        """
        described = info(relation)
        self._require(frozenset({described.relation}))
        return await load(self._executor, described, source, chunk=chunk, start=start, on_progress=on_progress)

    async def push_schema(self) -> None:
        """
        Create what is missing of this repository's relations; what is there is left as it is.

        It is one transaction where the store can undo changes of a schema.
        """
        await self._change_schema(CreateSchema((*self._ordered, CommitRecords)))

    async def reset_schema(self) -> None:
        """
        Drop this repository's relations with all of their rows, and nothing else. `push_schema` creates them anew.
        """
        await self._change_schema(DropSchema(self._ordered))

    async def verify_schema(self) -> None:
        """
        Compare the store with what the relations declare. Nothing is changed; `mapper.schema.verify` gives the
        differences as values.

        Raises:
            MigrationDrift: They differ; the text has each difference and what mends it.
            Unsupported: The gateway cannot tell what its store has.
        """
        found = await verify(self._executor.gateway, self._ordered)
        if found:
            lines = [f"  {each.relation.__name__}: {each.problem}\n    {each.mend}" for each in found]
            raise MigrationDrift(
                f"the store differs from what {type(self).__name__} declares:\n" + "\n".join(lines),
                hint="mend each as its second line says",
            )

    async def _change_schema(self, change: CreateSchema | DropSchema) -> None:
        executor = self._executor
        operations = executor.gateway.compile_schema(change)
        if not operations:
            return
        if executor.gateway is executor and executor.gateway.capabilities.ddl_transactions:
            await executor.run(within_transaction(one_by_one(operations), TransactionOptions()))
        else:
            await executor.run(one_by_one(operations))

    def __repr__(self) -> str:
        within = " in a transaction" if isinstance(self._executor, TransactionScope) else ""
        return f"<{type(self).__name__} on {self._executor.gateway.name}{within}>"
