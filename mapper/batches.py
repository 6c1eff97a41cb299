"""
Batches: several queries in one unit, each result in its slot.

Queries go in; a tuple of what each of them gives comes out, of one state of the store, in one transaction and in one
visit to it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, overload

from typing_extensions import TypeVar

from mapper.batched import Batchable, Batched
from mapper.commit import within_transaction
from mapper.errors import ManyRows, QueryError
from mapper.gateway import Decode, Gateway, Program, TransactionOptions
from mapper.operations import Operation
from mapper.stores import Stores

if TYPE_CHECKING:
    from mapper.query import Query

__all__ = ["Batch", "batch"]

T = TypeVar("T")
R = TypeVar("R", default=Any)
R1 = TypeVar("R1")
R2 = TypeVar("R2")
R3 = TypeVar("R3")
R4 = TypeVar("R4")
R5 = TypeVar("R5")
R6 = TypeVar("R6")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T6 = TypeVar("T6")

LEVEL: Final = "repeatable read"
"""The isolation level at which all of a transaction's queries see one state."""


class Batch(Generic[T, R]):
    """Several queries that run as one unit."""

    __slots__ = ("_slots",)

    def __init__(self, slots: Sequence[Batched[Any, Any]]) -> None:
        self._slots = tuple(slots)

    async def execute(self, repository: Stores[R]) -> T:
        """
        Run all queries and return what each of them gives, in their order.

        They see one state of the store: outside of a transaction they run in one of their own, on one connection. It
        buffers, as `all` does.

        Returns:
            A tuple: for a query a list of its rows, for a `find` the row or None.

        Raises:
            NotStored, NotJoined, Unsupported, QueryError: One of the queries is wrong; before any of them runs.
        """
        executor = repository._executor
        steps = [_step(each.query, repository) for each in self._slots]
        program = _reading(steps)
        if executor.gateway is executor and executor.gateway.capabilities.transactions:
            program = within_transaction(program, _options(executor.gateway))
        rows = await executor.run(program)
        results: Any = tuple([_result(slot, found) for slot, found in zip(self._slots, rows, strict=True)])
        found: T = results
        return found

    def __repr__(self) -> str:
        return f"<Batch of {len(self._slots)}>"


@overload
def batch(a: Batchable[T1, R1], b: Batchable[T2, R2], /) -> Batch[tuple[T1, T2], R1 | R2]: ...
@overload
def batch(
    a: Batchable[T1, R1], b: Batchable[T2, R2], c: Batchable[T3, R3], /
) -> Batch[tuple[T1, T2, T3], R1 | R2 | R3]: ...
@overload
def batch(
    a: Batchable[T1, R1], b: Batchable[T2, R2], c: Batchable[T3, R3], d: Batchable[T4, R4], /
) -> Batch[tuple[T1, T2, T3, T4], R1 | R2 | R3 | R4]: ...
@overload
def batch(
    a: Batchable[T1, R1], b: Batchable[T2, R2], c: Batchable[T3, R3], d: Batchable[T4, R4], e: Batchable[T5, R5], /
) -> Batch[tuple[T1, T2, T3, T4, T5], R1 | R2 | R3 | R4 | R5]: ...
@overload
def batch(
    a: Batchable[T1, R1],
    b: Batchable[T2, R2],
    c: Batchable[T3, R3],
    d: Batchable[T4, R4],
    e: Batchable[T5, R5],
    f: Batchable[T6, R6],
    /,
) -> Batch[tuple[T1, T2, T3, T4, T5, T6], R1 | R2 | R3 | R4 | R5 | R6]: ...
@overload
def batch(*queries: Batchable[T1, R1]) -> Batch[tuple[T1, ...], R1]: ...
def batch(*queries: Any) -> Batch[Any, Any]:
    """
    Put queries together, to run as one unit: `titles, post = await batch(titles, posts.find(3)).execute(blog)`.

    Raises:
        QueryError: One is no query, is in the store's own language, or combines related rows, which takes operations
            that depend on each other.
    """
    slots: list[Batched[Any, Any]] = []
    for each in queries:
        if not hasattr(each, "_batched"):
            raise QueryError(f"a batch is of queries, not {each!r}", hint="batch(select(…), select(…).find(3))")
        slot: Batched[Any, Any] = each._batched()
        if slot.query._combines() or slot.query._is_raw():
            raise QueryError(
                f"{each!r} cannot be in a batch, which knows all of its operations and columns beforehand",
                hint="run it beside the batch, in one transaction: async with blog.transaction() as tx",
            )
        slots.append(slot)
    return Batch(slots)


def _step(query: "Query[Any, Any]", repository: Stores[Any]) -> tuple[Operation, Decode[Any]]:
    return query._compiled(repository)


def _reading(steps: Sequence[tuple[Operation, Decode[Any]]]) -> Program[list[list[Any]]]:
    """Return a program that runs reads one after the other, and makes objects of their rows."""
    found: list[list[Any]] = []
    for operation, decode in steps:
        result = yield operation
        found.append(decode(result.rows, ()))
    return found


def _options(gateway: Gateway) -> TransactionOptions:
    capabilities = gateway.capabilities
    level = LEVEL if LEVEL in capabilities.isolation_levels else None
    return TransactionOptions(isolation=level, read_only=capabilities.read_only)


def _result(slot: Batched[Any, Any], rows: list[Any]) -> Any:
    if not slot.single:
        return rows
    if len(rows) > 1:
        raise ManyRows(
            f"a key of {slot.query._name()} gives several rows through joins", query=slot.query, count=len(rows)
        )
    return rows[0] if rows else None
