"""
COPY on one connection: bytes in the formats of PostgreSQL, into a table and out of a query.

A session and a `Call` go in; bytes are taken from a source, or given to a sink, as fast as the other side works; the
number of rows comes out. All of it happens, or nothing.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, TypeAlias

from attrs import frozen

from gateways.postgres.driver import forget_waiters
from gateways.postgres.session import Session
from gateways.postgres.transactions import control
from mapper.operations import Call, Result, Transaction, TransactionKind

__all__ = ["COPY_FROM", "COPY_TO", "CopyIn", "CopyOut", "Left", "Sink", "copy_in", "copy_out"]

COPY_FROM: Final = "copy_from"
COPY_TO: Final = "copy_to"

UNDO_SECONDS: Final = 2.0
"""
How long it may take to undo a copy that was left in the middle: the driver waits for the end of a statement that it has
cancelled, and waits in vain where that had ended before.
"""

Sink: TypeAlias = Callable[[bytes], Awaitable[object]]
"""Takes some bytes; the next come when it has returned."""

Options: TypeAlias = Mapping[str, Any]
"""Options of COPY, as the driver names them."""


class Left(Exception):
    """Raised by a source or a sink that ends a copy in the middle. It goes no further than the copy, which is undone."""


@frozen(eq=False)
class CopyIn:
    """What is copied into a table: its name, its columns, and where the bytes come from."""

    table: str
    schema: str | None
    columns: Sequence[str]
    source: AsyncIterator[bytes | memoryview]
    options: Options


@frozen(eq=False)
class CopyOut:
    """What is copied out of a query: its text with numbered placeholders, their values, and where the bytes go."""

    sql: str
    parameters: Sequence[Any]
    sink: Sink
    options: Options


async def copy_in(session: Session, call: Call) -> Result:
    """Copy into a table; the number of rows comes back, 0 where the source ended it."""
    (copied,) = call.arguments
    from asyncpg.protocol import NO_TIMEOUT

    status = ""
    async with _Confined(session):
        driver = session.driver
        try:
            status = await driver.copy_to_table(
                copied.table,
                schema_name=copied.schema,
                columns=list(copied.columns),
                source=copied.source,
                # The time that a copy takes is the source's; a server that is gone is found out by the connection.
                timeout=NO_TIMEOUT,
                **copied.options,
            )
        except BaseException:
            forget_waiters(driver)
            raise
    return Result(count=_number(status))


async def copy_out(session: Session, call: Call) -> Result:
    """Copy out of a query; the number of rows comes back, 0 where the sink wanted no more."""
    (copied,) = call.arguments
    from asyncpg.protocol import NO_TIMEOUT

    status = ""
    async with _Confined(session):
        text = await _with_settings(session.driver, copied.sql, copied.parameters) if copied.parameters else copied.sql
        status = await session.driver.copy_from_query(text, output=copied.sink, timeout=NO_TIMEOUT, **copied.options)
    return Result(count=_number(status))


def _number(status: str) -> int:
    return int(status.rpartition(" ")[2] or 0)


class _Confined:
    """
    A transaction of a copy's own, or a savepoint in that which is open: so that one which is left in the middle leaves
    nothing, neither rows nor a failed transaction.
    """

    __slots__ = ("_own", "_session")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._own = not session.in_transaction()

    async def __aenter__(self) -> None:
        await self._do("start" if self._own else "savepoint")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            await self._do("commit" if self._own else "release")
        elif isinstance(error, Exception) and self._session.is_open():
            await self._undo()
        return isinstance(error, Left)

    async def _undo(self) -> None:
        """Undo the copy. Where that fails the connection is closed, and with it what is open; the first error is told."""
        try:
            async with asyncio.timeout(UNDO_SECONDS):
                if self._own:
                    await self._do("rollback")
                else:
                    await self._do("rollback_to")
                    await self._do("release")
        except Exception:
            self._session.terminate()

    async def _do(self, kind: TransactionKind) -> None:
        name = None if kind in ("start", "commit", "rollback") else "mapper copy"
        await control(self._session, Transaction(kind, name=name))


_PLACES: Final = re.compile(
    r"""
    \b[eE]'(?:[^'\\]|\\.|'')*'          # a string literal with backslashes
    | '(?:[^']|'')*'                    # a string literal
    | "(?:[^"]|"")*"                    # a quoted name
    | (?<![\w$])\$(?P<number>\d+)       # a placeholder
    | (?<![\w$])\$\$.*?\$\$             # dollar-quoted text
    | (?<![\w$])\$(?P<tag>[A-Za-z_]\w*)\$.*?\$(?P=tag)\$  # the same with a tag
    | --[^\n]*                          # a comment to the end of the line
    | /\*.*?\*/                         # a comment
    """,
    re.VERBOSE | re.DOTALL,
)


async def _with_settings(driver: Any, sql: str, parameters: Sequence[Any]) -> str:
    """
    Return a statement without parameters, which COPY cannot have: the values are bound to settings of the transaction,
    and the statement reads them there.
    """
    statement = await driver.prepare(sql)
    oids = [each.oid for each in statement.get_parameters()]
    types = await driver.fetchval(_TYPES, oids)
    given = [(number, each) for number, each in enumerate(parameters, 1) if each is not None]
    settings = [
        f"set_config('mapper.p{number}', CAST(${place}::{types[number - 1]} AS text), true)"
        for place, (number, _) in enumerate(given, 1)
    ]
    if settings:
        await driver.fetch(f"SELECT {', '.join(settings)}", *[each for _, each in given])
    return _PLACES.sub(lambda found: _setting(found, types, parameters), sql)


_TYPES: Final = (
    "SELECT array_agg(format_type(oid, NULL) ORDER BY n) FROM unnest($1::oid[]) WITH ORDINALITY AS t (oid, n)"
)


def _setting(found: "re.Match[str]", types: Sequence[str], parameters: Sequence[Any]) -> str:
    """Return what stands in the place of a placeholder; anything else as it is."""
    if found["number"] is None:
        return found[0]
    number = int(found["number"])
    if parameters[number - 1] is None:
        return f"CAST(NULL AS {types[number - 1]})"
    return f"CAST(current_setting('mapper.p{number}') AS {types[number - 1]})"
