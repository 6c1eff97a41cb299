"""
Cursors that come with their first rows.

A statement and a number of rows go in, within a transaction; a cursor and the first rows come out, after one round trip
where the driver's own way takes two: it can bind and execute at once, and does so for its iterators alone.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

__all__ = ["opened"]

NEEDED: Final = ("_init", "_bind", "_bind_exec")
"""What a cursor of asyncpg has that knows how to be opened so."""


async def opened(driver: Any, sql: str, parameters: Sequence[Any], size: int) -> tuple[Any, Sequence[Any]]:
    """Run a statement, and return its cursor and as many rows at most; fewer are all."""
    usual = driver.cursor(sql, *parameters)  # which sees whether the connection is open
    eager = _eager()
    if eager is None:
        cursor = await usual
        return cursor, await cursor.fetch(size)
    cursor = await eager.opened(driver, sql, parameters, size)
    records, cursor.records = cursor.records, ()
    return cursor, records


@lru_cache(1)
def _eager() -> Any:
    """Return the class of such cursors; None where the driver's are made in another way."""
    from asyncpg import Record
    from asyncpg.cursor import Cursor

    if not all([hasattr(Cursor, each) for each in NEEDED]):
        return None

    class Eager(Cursor):  # type: ignore[misc]  # the driver has no types
        """A cursor whose first rows, as `records`, come when it is bound."""

        __slots__ = ("records", "size")

        @classmethod
        async def opened(cls, driver: Any, sql: str, parameters: Sequence[Any], size: int) -> Any:
            cursor = cls(driver, sql, None, parameters, Record)
            cursor.records, cursor.size = (), size
            return await cursor._init(None)

        async def _bind(self, timeout: Any) -> None:
            self.records = await self._bind_exec(self.size, timeout)

    return Eager
