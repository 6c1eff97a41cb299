"""
Work on a connection that is not cancelled in the middle.

Some stores have no use for a connection on which that happens. Operations go in; their results come out, and where the
caller was cancelled meanwhile, its cancellation behind them.
"""

from collections.abc import Coroutine, Sequence
from typing import Any, Final, Generic

from typing_extensions import TypeVar

from mapper.gateway import Batches, Connection, Decode, Program
from mapper.operations import Operation, Result
from mapper.shielding import finish

__all__ = ["WholeConnection", "whole"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

OUTLASTED: Final = 5.0
"""Seconds that work may take after its task was cancelled; it is cancelled itself then, and may cost the connection."""


async def whole(work: Coroutine[Any, Any, T]) -> T:
    """Do work to its end, also if the caller is cancelled: it is so behind it, whatever came of the work."""
    done: list[T] = []
    failed: list[Exception] = []

    async def doing() -> None:
        try:
            done.append(await work)
        except Exception as error:
            failed.append(error)

    cancelled = await finish(doing(), patience=OUTLASTED)
    if cancelled is not None:
        raise cancelled
    if failed:
        raise failed.pop()
    return done[0]


class WholeConnection(Connection):
    """A connection on which nothing is cancelled in the middle; see `whole`. What it streams raw is left as it is."""

    def __init__(self, connection: Connection) -> None:
        self._inner = connection

    @property
    def driver(self) -> Any:
        return self._inner.driver

    async def execute(self, operation: Operation) -> Result:
        return await whole(self._inner.execute(operation))

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        return await whole(self._inner.fetch(operation, decode))

    def stream(self, operation: Operation, chunk: int = 500) -> Any:
        return self._inner.stream(operation, chunk)

    async def stream_batches(self, operation: Operation, decode: Decode[T]) -> Batches[T]:
        return _WholeBatches(await whole(self._inner.stream_batches(operation, decode)))

    async def run(self, program: Program[T]) -> T:
        return await whole(self._inner.run(program))


class _WholeBatches(Generic[T_co]):
    """Batches of such a connection."""

    __slots__ = ("_inner",)

    def __init__(self, batches: Batches[T_co]) -> None:
        self._inner = batches

    async def next(self) -> Sequence[T_co] | None:
        return await whole(self._inner.next())

    @property
    def holds(self) -> bool:
        return self._inner.holds

    async def fetch(self, operation: Operation, decode: Decode[T]) -> list[T]:
        return await whole(self._inner.fetch(operation, decode))

    async def aclose(self) -> None:
        await whole(self._inner.aclose())

    def abandon(self) -> None:
        self._inner.abandon()
