"""
Updates and deletes: of what fulfils a condition, or of single rows by key, any number of them in one statement.

An `UpdateSql` or `DeleteSql` goes in; a count comes out, and the rows that are asked for, or the error of the first row
that is not as expected.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

from gateways.postgres.bulk import Bulk, listed, transposed, written_together
from gateways.postgres.codecs import POSTGRES_CODECS
from gateways.postgres.session import Session
from gateways.postgres.transactions import atomic
from gateways.sql.refusals import key_values, unchanged_row
from mapper.errors import MissingRow, StaleRow
from mapper.operations import DeleteSql, Result, UpdateSql

__all__ = ["ONE", "affected", "refusal", "write"]

ONE: Final = Result(count=1)
"""What was done to one row, of which nothing comes back."""

_NOT_SO: Final = frozenset({"22012", "0A000"})
"""SQLSTATE of a division by zero, and of what is not supported."""


async def write(session: Session, operation: UpdateSql | DeleteSql) -> Result:
    """
    Write the rows that fulfil a condition; or single rows by key, each of which must be there.

    Raises:
        StaleRow: One has another version by now; nothing is written.
        MissingRow: One is not there; nothing is written.
    """
    if not operation.many:
        return await _write_where(session, operation)
    rows: Sequence[Sequence[Any]] = operation.parameters
    if len(rows) == 1:
        # As `_write_one`, which is spared a coroutine here.
        if not (await session.driver.execute(operation.sql, *rows[0])).endswith(" 1"):
            raise await refusal(session, operation, rows[0])
        return ONE
    if rows:
        bulk = None if _has_duplicates(operation) else written_together(operation.sql, len(rows[0]), _key_of(operation))
        if bulk is not None and not session.in_transaction() and await _write_whole(session, operation, bulk):
            return Result(count=len(rows))
        async with atomic(session):
            if bulk is None:
                for row in rows:
                    await _write_one(session, operation, row)
            else:
                await _write_together(session, operation, bulk)
    return Result(count=len(rows))


async def _write_where(session: Session, operation: UpdateSql | DeleteSql) -> Result:
    if operation.returning:
        rows = list(map(tuple, await session.driver.fetch(operation.sql, *operation.parameters)))
        return Result(rows, len(rows))
    return Result(count=affected(await session.driver.execute(operation.sql, *operation.parameters)))


def affected(status: str) -> int:
    """Return the number of rows of a command's tag: `UPDATE 3`, `INSERT 0 1`."""
    number = status.rpartition(" ")[2]
    return int(number) if number.isdigit() else 0


def _has_duplicates(operation: UpdateSql | DeleteSql) -> bool:
    """
    Whether a key comes twice: its writes then take effect one after the other, and one statement would do the first
    alone.
    """
    key_at = operation.key_at
    if key_at is None:
        return True
    rows = operation.parameters
    if key_at.stop - key_at.start == 1:
        return len(set(map(itemgetter(key_at.start), rows))) < len(rows)
    return len({tuple(row[key_at]) for row in rows}) < len(rows)


def _key_of(operation: UpdateSql | DeleteSql) -> int | None:
    """Return the number of the parameter that is the key; None where the key has several."""
    key_at = operation.key_at
    return key_at.start + 1 if key_at is not None and key_at.stop - key_at.start == 1 else None


async def _write_whole(session: Session, operation: UpdateSql | DeleteSql, bulk: Bulk) -> bool:
    """
    Write rows in one statement that commits by itself; False where it cannot be done so, and nothing is written: a row
    is not as expected, or the table has rules, which such a statement does not go with.
    """
    columns: list[Any] = transposed(operation.parameters)
    for each in bulk.numbers:
        columns[each] = listed(columns[each])
    try:
        await session.driver.execute(bulk.whole, *columns, len(operation.parameters))
    except Exception as error:
        if getattr(error, "sqlstate", None) not in _NOT_SO:
            raise
        return False
    return True


async def _write_one(session: Session, operation: UpdateSql | DeleteSql, row: Sequence[Any]) -> None:
    if not (await session.driver.execute(operation.sql, *row)).endswith(" 1"):
        raise await refusal(session, operation, row)


async def _write_together(session: Session, operation: UpdateSql | DeleteSql, bulk: Bulk) -> None:
    rows = operation.parameters
    written = await session.driver.fetch(bulk.sql, *transposed(rows))
    if len(written) != len(rows):
        done = {each[0] for each in written}
        first = next(position for position in range(len(rows)) if position + 1 not in done)
        raise await refusal(session, operation, rows[first])


async def refusal(session: Session, operation: UpdateSql | DeleteSql, row: Sequence[Any]) -> StaleRow | MissingRow:
    """Return the error of a row by key that a write did not find as it was expected."""
    probe = operation.probe
    found = probe is not None and bool(await session.driver.fetch(probe, *key_values(operation, row)))
    return unchanged_row(operation, row, POSTGRES_CODECS, is_there=found)
