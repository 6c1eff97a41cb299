"""
Updates and deletes of single rows by key: any number of them in one statement.

An `UpdateSql` or `DeleteSql` of many goes in; a count comes out, or the error of the first row that is not as expected.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

from gateways.postgres.bulk import Bulk, transposed, written_together
from gateways.postgres.codecs import POSTGRES_CODECS
from gateways.postgres.session import Session
from gateways.postgres.transactions import atomic
from gateways.sql.refusals import key_values, unchanged_row
from mapper.errors import MissingRow, StaleRow
from mapper.operations import DeleteSql, Result, UpdateSql

__all__ = ["affected", "write_each"]

ONE: Final = Result(count=1)
"""What was done to one row, of which nothing comes back."""


async def write_each(session: Session, operation: UpdateSql | DeleteSql) -> Result:
    """
    Write single rows by key, each of which must be there.

    Raises:
        StaleRow: One has another version by now; nothing is written.
        MissingRow: One is not there; nothing is written.
    """
    rows: Sequence[Sequence[Any]] = operation.parameters
    if len(rows) == 1:
        # As `_write_one`, which is spared a coroutine here.
        if not (await session.driver.execute(operation.sql, *rows[0])).endswith(" 1"):
            raise await _refusal(session, operation, rows[0])
        return ONE
    if rows:
        bulk = None if _has_duplicates(operation) else written_together(operation.sql, len(rows[0]))
        async with atomic(session):
            if bulk is None:
                for row in rows:
                    await _write_one(session, operation, row)
            else:
                await _write_together(session, operation, bulk)
    return Result(count=len(rows))


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


async def _write_one(session: Session, operation: UpdateSql | DeleteSql, row: Sequence[Any]) -> None:
    if not (await session.driver.execute(operation.sql, *row)).endswith(" 1"):
        raise await _refusal(session, operation, row)


async def _write_together(session: Session, operation: UpdateSql | DeleteSql, bulk: Bulk) -> None:
    rows = operation.parameters
    written = await session.driver.fetch(bulk.sql, *transposed(rows))
    if len(written) != len(rows):
        done = {each[0] for each in written}
        first = next(position for position in range(len(rows)) if position + 1 not in done)
        raise await _refusal(session, operation, rows[first])


async def _refusal(session: Session, operation: UpdateSql | DeleteSql, row: Sequence[Any]) -> StaleRow | MissingRow:
    probe = operation.probe
    found = probe is not None and bool(await session.driver.fetch(probe, *key_values(operation, row)))
    return unchanged_row(operation, row, POSTGRES_CODECS, is_there=found)
