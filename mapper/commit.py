"""
Committing a changeset: what is sent, in which order, and what comes back.

Writes and a repository go in; everything is checked and compiled before anything is sent. What runs then is a program
without I/O of its own, which the gateway drives: operation by operation, or all of it in one visit to its thread.
"""

from collections.abc import Generator, Iterable, Sequence
from typing import Any

from attrs import frozen
from typing_extensions import TypeVar

from mapper.deferred import Ref
from mapper.errors import QueryError
from mapper.gateway import Executor, Gateway, Program, TransactionOptions
from mapper.isolation import transaction_options
from mapper.operations import Operation, Result, Transaction
from mapper.retrying import checked_retries, retried
from mapper.stages import IGNORED, UNKNOWN, Keys, Stage, Tally, chunk_size, example
from mapper.staging import staged
from mapper.stores import Stores
from mapper.writes import Write

__all__ = ["Committed", "commit", "one_by_one", "within_transaction"]

T = TypeVar("T")


class Committed:
    """
    What a commit did: `result[ref]` is the key of a pushed row.

    Attributes:
        inserted, updated, deleted: Numbers of rows; rows of an `on_conflict` that updated count as updated.
        ignored: Rows that were pushed and, because of a conflict, changed nothing.
    """

    __slots__ = ("_keys", "_owner", "deleted", "ignored", "inserted", "updated")

    def __init__(self, keys: Sequence[Any], owner: object, tally: Tally) -> None:
        self._keys = keys
        self._owner = owner
        self.inserted = tally.inserted
        self.updated = tally.updated
        self.deleted = tally.deleted
        self.ignored = tally.ignored

    def __getitem__(self, ref: Ref[T]) -> T:
        """
        Return the key of a row; a tuple where it has several columns.

        Raises:
            KeyError: The row was ignored because of a conflict, or its relation has no key.
            QueryError: The ref is of another changeset.
        """
        key = self._key(ref)
        if key is IGNORED or key is UNKNOWN:
            reason = "was ignored because of a conflict" if key is IGNORED else "has no key"
            raise KeyError(f"the row of {ref!r} {reason}")
        found: T = key
        return found

    def get(self, ref: Ref[T]) -> T | None:
        """Return the key of a row; None where it has none. Errors as of `result[ref]`."""
        key = self._key(ref)
        return None if key is IGNORED or key is UNKNOWN else key

    def _key(self, ref: Ref[Any]) -> Any:
        if not isinstance(ref, Ref):
            raise QueryError(f"{ref!r} is not a ref", hint="push(…) returns one: result[ref]")
        if ref.owner is not self._owner or ref.position >= len(self._keys):
            raise QueryError(f"{ref!r} is not of the changeset that was committed", hint="use the refs that it gave")
        return self._keys[ref.position]

    def __repr__(self) -> str:
        ignored = f", {self.ignored} ignored" if self.ignored else ""
        return f"<Committed: {self.inserted} inserted, {self.updated} updated, {self.deleted} deleted{ignored}>"


async def commit(
    writes: Sequence[Write],
    numbers: Sequence[int],
    owner: object,
    repository: Stores[Any],
    *,
    retries: int,
    isolation: str | None,
) -> Committed:
    """
    Send the writes of a changeset to a repository's store; see `Changeset.commit`.

    Args:
        writes: In the order given.
        numbers: For each row of the changeset the number of its write.
        owner: Of the changeset's refs.
        repository: The repository, or a transaction of one.
        retries, isolation: As of `Changeset.commit`.
    """
    if retries:
        checked_retries(retries)
    executor = repository._executor
    within = executor.gateway is not executor
    if within and (retries or isolation is not None):
        raise _fixed(retries)
    if not writes:
        return Committed((), owner, Tally())
    work = _prepared(staged(writes, numbers), executor.gateway, repository)
    run = _Run(work, executor, len(numbers), owner, None if within else _options(work, executor.gateway, isolation))
    if retries:
        return await retried(run.attempt, retries)
    return await run.attempt()


def _fixed(retries: int) -> QueryError:
    if retries:
        return QueryError(
            "a commit on a transaction cannot be retried by itself", hint="retry all of it: await repository.run(work)"
        )
    return QueryError(
        "a commit on a transaction has the isolation of that transaction",
        hint="give it there: repository.transaction(isolation=…)",
    )


@frozen(eq=False)
class _Stage:
    """A stage with the operations that it was compiled to; None where they name keys that are not known yet."""

    stage: Stage
    size: int
    operations: Sequence[tuple[Operation, Any]] | None


@frozen(eq=False)
class _Work:
    """All stages of a commit; `count` is the number of operations."""

    stages: Sequence[_Stage]
    count: int


def _prepared(stages: Iterable[Stage], gateway: Gateway, repository: Stores[Any]) -> _Work:
    """
    Check and compile everything.

    Raises:
        NotStored, Unsupported, ValueNotStorable, QueryError: Something cannot be sent.
    """
    stored, capabilities = repository._relations, gateway.capabilities
    prepared: list[_Stage] = []
    count = 0
    for stage in stages:
        if stage.described.relation not in stored or not stage.reads <= stored:
            repository._require(stage.reads | {stage.described.relation})
        stage.check(capabilities)
        size = chunk_size(capabilities, stage.width)
        prepared.append(_Stage(stage, size, _compiled(stage, gateway, size)))
        count += stage.count(size)
    return _Work(prepared, count)


def _compiled(stage: Stage, gateway: Gateway, size: int) -> Sequence[tuple[Operation, Any]] | None:
    if not stage.deferred:
        return [(gateway.compile(statement), sent) for statement, sent in stage.statements(example, size)]
    try:
        for statement, _ in stage.statements(example, size):
            gateway.compile(statement)
    except LookupError:
        pass
    return None


def _options(work: _Work, gateway: Gateway, isolation: str | None) -> TransactionOptions | None:
    """Return the options of the transaction around the work; None where it is one operation, which needs none."""
    if isolation is None and work.count == 1:
        return None
    return transaction_options(gateway.capabilities, isolation=isolation)


@frozen(eq=False)
class _Run:
    """
    The work, and where it is to be done.

    Attributes:
        rows: The number of rows of the changeset.
        options: Of the transaction to be begun; None where none is.
    """

    work: _Work
    executor: Executor
    rows: int
    owner: object
    options: TransactionOptions | None

    async def attempt(self) -> Committed:
        """Do the work once."""
        keys, tally = Keys(self.rows), Tally()
        gateway = self.executor.gateway
        first = self.work.stages[0]
        if self.options is None and self.work.count == 1 and first.operations is not None:
            operation, sent = first.operations[0]
            first.stage.take(sent, await self.executor.execute(operation), keys, tally, gateway.codecs)
        else:
            program = _writing(self.work, gateway, keys, tally)
            await self.executor.run(within_transaction(program, self.options) if self.options else program)
        return Committed(keys.values, self.owner, tally)


def _writing(work: _Work, gateway: Gateway, keys: Keys, tally: Tally) -> Program[None]:
    """Send the stages one after the other, and take the answers."""
    for each in work.stages:
        for operation, sent in _operations(each, gateway, keys):
            result = yield operation
            each.stage.take(sent, result, keys, tally, gateway.codecs)


def _operations(each: _Stage, gateway: Gateway, keys: Keys) -> Iterable[tuple[Operation, Any]]:
    if each.operations is not None:
        return each.operations
    return [(gateway.compile(statement), sent) for statement, sent in each.stage.statements(keys.resolve, each.size)]


def within_transaction(program: Program[T], options: TransactionOptions) -> Generator[Operation, Result, T]:
    """
    Return a program that runs another in a transaction: committed at its end, rolled back where it fails.

    The first error is what is raised. Where the program is cancelled, whoever drives it rolls back.
    """
    yield Transaction("start", isolation=options.isolation, read_only=options.read_only)
    try:
        value = yield from program
    except Exception as error:
        try:
            yield Transaction("rollback")
        except Exception as second:
            error.add_note(f"rolling back failed too: {second!r}")
        raise
    yield Transaction("commit")
    return value


def one_by_one(operations: Iterable[Operation]) -> Program[int]:
    """Return a program that sends operations one after the other, and counts the rows that they touched."""
    count = 0
    for each in operations:
        result = yield each
        count += result.count
    return count
