"""
Rows: the async iterator over what a query gives.

A query and a repository go in; objects come out one by one, in constant memory, before the last of them is produced.
"""

from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Final, Generic, Self

from typing_extensions import TypeVar

from mapper.errors import QueryError
from mapper.gateway import Batches

__all__ = ["Rows"]

T_co = TypeVar("T_co", covariant=True)

_END: Final[Any] = object()


class Rows(Generic[T_co]):
    """
    The rows of a query, to be iterated once: `async for row in query.execute(repository)`.

    Nothing runs before the first row is asked for. Leaving the loop early gives the connection back when the iterator
    is dropped; within `async with query.execute(repository) as rows` it is given back at the end of the block, whatever
    happens. A result that fits the first batch holds no connection while its rows are handed out.

    Raises:
        QueryError: It is iterated a second time. The query is what can be used again.
    """

    __slots__ = ("_batches", "_begun", "_items", "_open")

    def __init__(self, open_: Callable[[], Awaitable[Batches[T_co]]]) -> None:
        self._open = open_
        self._batches: Batches[T_co] | None = None
        self._items: Iterator[T_co] = iter(())
        self._begun = False

    def __aiter__(self) -> Self:
        if self._begun:
            raise QueryError(
                "these rows are iterated a second time",
                hint="call execute() again: the query is what can be used again",
            )
        self._begun = True
        return self

    async def __anext__(self) -> T_co:
        item: T_co = next(self._items, _END)
        if item is not _END:
            return item
        batches = self._batches
        if batches is None:
            if self._open is _closed:
                raise StopAsyncIteration
            self._begun = True
            self._batches = batches = await self._open()
        batch = await batches.next()
        if batch is None:
            await self.aclose()
            raise StopAsyncIteration
        self._items = iter(batch)
        return next(self._items)

    async def aclose(self) -> None:
        """Give the connection back and end the iteration. Closing twice is a no-op."""
        batches, self._batches, self._open, self._items = self._batches, None, _closed, iter(())
        if batches is not None:
            await batches.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        batches = getattr(self, "_batches", None)
        if batches is not None:
            batches.abandon()


async def _closed() -> Any:
    """Stand in the place of the opening function once the rows are closed."""
    raise StopAsyncIteration
