"""
Committing a changeset: what is sent, in which order, and what comes back.

Writes and a repository go in; everything is checked and compiled before anything is sent. What runs then is a program
without I/O of its own, which the gateway drives: operation by operation, or all of it in one visit to its thread.
"""

from collections.abc import Coroutine, Generator, Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from typing_extensions import TypeVar

from mapper.committed import Committed
from mapper.errors import ConstraintViolation, MapperError, QueryError
from mapper.followups import FollowUp, content_of, follow_up_stages
from mapper.gateway import Executor, Gateway, Program, TransactionOptions
from mapper.insertion import InsertStage
from mapper.isolation import transaction_options
from mapper.once import ONCE_TTL, Once, once_of
from mapper.operations import Operation, Result, Transaction
from mapper.retrying import checked_retries, retried
from mapper.stages import CHUNK, Stage, chunk_size, example
from mapper.staging import staged
from mapper.stores import Stores
from mapper.writes import Write

__all__ = ["commit", "one_by_one", "within_transaction"]

T = TypeVar("T")


def commit(
    writes: Sequence[Write],
    numbers: Sequence[int],
    owner: object,
    repository: Stores[Any],
    *,
    then: Sequence[FollowUp] = (),
    retries: int,
    isolation: str | None,
    once: str | None = None,
    once_ttl: timedelta | float = ONCE_TTL,
) -> Coroutine[Any, Any, Committed]:
    """
    Check and compile the writes of a changeset, and return what sends them to a repository's store; see
    `Changeset.commit`.

    Args:
        writes: In the order given.
        numbers: For each row of the changeset the number of its write.
        owner: Of the changeset's refs.
        repository: The repository, or a transaction of one.
        then: What follows the writes.
        retries, isolation, once, once_ttl: As of `Changeset.commit`.
    """
    executor = repository._executor
    gateway = executor.gateway
    if retries:
        checked_retries(retries)
    within = gateway is not executor
    if within and (retries or isolation is not None):
        raise _fixed(retries)
    if not writes and not then:
        return _nothing(owner)
    stages = staged(writes, numbers) if writes else []
    if then:
        stages = [*stages, *follow_up_stages(then)]
    count = _prepare(stages, gateway, repository)
    options: TransactionOptions | None = None
    if once is not None:
        single = once_of(once, once_ttl, writes, numbers, [content_of(each) for each in then], repository._relations)
        options = None if within else transaction_options(gateway.capabilities, isolation=isolation)
        return retried(
            partial(_attempt, stages, executor, gateway, options, len(numbers), owner, single), retries, once=True
        )
    if not within and (count > 1 or isolation is not None):
        # One operation needs no transaction around it.
        options = transaction_options(gateway.capabilities, isolation=isolation)
    if retries:
        return retried(partial(_attempt, stages, executor, gateway, options, len(numbers), owner), retries)
    return _attempt(stages, executor, gateway, options, len(numbers), owner)


async def _nothing(owner: object) -> Committed:
    return Committed(0, owner)


def _fixed(retries: int) -> QueryError:
    if retries:
        return QueryError(
            "a commit on a transaction cannot be retried by itself", hint="retry all of it: await repository.run(work)"
        )
    return QueryError(
        "a commit on a transaction has the isolation of that transaction",
        hint="give it there: repository.transaction(isolation=…)",
    )


def _prepare(stages: Iterable[Stage], gateway: Gateway, repository: Stores[Any]) -> int:
    """
    Check and compile everything, and return the number of operations.

    Raises:
        NotStored, Unsupported, ValueNotStorable, QueryError: Something cannot be sent.
    """
    stored, capabilities, count = repository._relations, gateway.capabilities, 0
    for stage in stages:
        if not stage.relations <= stored:
            repository._require(stage.relations)
        stage.check(capabilities)
        stage.size = CHUNK if capabilities.bulk_arrays else chunk_size(capabilities, stage.width)
        if stage.deferred:
            stage.compiled = None
            _try_out(stage, gateway)
            count += stage.count()
        else:
            stage.compiled = stage.operations(gateway, example)
            count += len(stage.compiled)
    return count


def _try_out(stage: Stage, gateway: Gateway) -> None:
    """Compile with examples of the keys, where such are known, to refuse what is wrong apart from them."""
    try:
        stage.operations(gateway, example)
    except LookupError:
        pass


async def _attempt(
    stages: Sequence[Stage],
    executor: Executor,
    gateway: Gateway,
    options: TransactionOptions | None,
    rows: int,
    owner: object,
    once: Once | None = None,
) -> Committed:
    """
    Do the work once.

    Args:
        options: Of the transaction to be begun; None where none is: on one, or because one operation needs none.
        rows: The number of rows of the changeset.
        once: What keeps the work from being done again; None where nothing does.
    """
    done, first = Committed(rows, owner), stages[0]
    if (
        once is None
        and options is None
        and len(stages) == 1
        and first.compiled is not None
        and len(first.compiled) == 1
    ):
        operation, sent = first.compiled[0]
        try:
            result = await executor.execute(operation)
        except ConstraintViolation as error:
            first.blame(sent, error, done)
            await _look(stages, executor, done, error)
            raise
        first.take(sent, result, done, gateway.codecs)
    else:
        program = _writing(stages, gateway, done)
        if once is not None:
            program = once.program(program, gateway, done)
        try:
            await executor.run(program if options is None else within_transaction(program, options))
        except ConstraintViolation as error:
            await _look(stages, executor, done, error)
            raise
    return done


async def _look(stages: Sequence[Stage], executor: Executor, done: Committed, error: ConstraintViolation) -> None:
    """Find the row that was refused, once all is undone; what fails here is a note to the error that it is about."""
    suspects, gateway = done._suspects, executor.gateway
    if suspects is None or gateway is not executor:
        return
    changed = [each.relations for each in stages if not isinstance(each, InsertStage)]
    if suspects.relations & frozenset().union(*changed):
        return
    try:
        await executor.run(suspects.look(gateway))
    except MapperError as second:
        error.add_note(f"which row it is could not be found out: {second!r}")


def _writing(stages: Iterable[Stage], gateway: Gateway, done: Committed) -> Program[None]:
    """Send the stages one after the other, and take the answers."""
    for stage in stages:
        if stage.looks:
            yield from stage.program(gateway, done)
            continue
        compiled = stage.compiled
        if compiled is None:
            compiled = stage.operations(gateway, done._resolve)
        for operation, sent in compiled:
            try:
                result = yield operation
            except ConstraintViolation as error:
                stage.blame(sent, error, done)
                raise
            stage.take(sent, result, done, gateway.codecs)


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
