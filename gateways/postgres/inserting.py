"""
Inserts of any number of rows, whose keys come back to them.

An `Insert` goes in; the values to be returned come out, one row for each given and in that order. Nothing relies on the
order of RETURNING: keys are reserved first, and the rows are sent with them.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from gateways.postgres.bulk import GIVEN, ORDER, names_of, quoted, rows_of, table_of, transposed, types_of
from gateways.postgres.literals import literal
from gateways.postgres.session import Session
from gateways.postgres.transactions import atomic
from mapper.columns import ColumnInfo
from mapper.errors import StatementError
from mapper.operations import Insert, Result, Upsert
from mapper.relation import RelationInfo, info

__all__ = ["insert", "text_of"]

COPY_FROM: Final = 200
"""The number of rows from which COPY pays for its round trips."""


async def insert(session: Session, operation: Insert) -> Result:
    """Insert rows, all of them or none, and return what each is to give back."""
    rows = operation.rows
    if len(rows) == 1 and operation.returning and operation.sql:
        # As `_insert_one`, which is spared a coroutine here.
        return Result(list(map(tuple, await session.driver.fetch(operation.sql, *rows[0]))), 1)
    if len(rows) == 1:
        return await _insert_one(session, operation, rows[0])
    if not rows:
        return Result()
    if operation.columns and not operation.returning:
        await _send(session, info(operation.relation), operation.columns, rows)
        return Result(count=len(rows))
    if set(operation.returning) <= set(operation.columns):
        return await _insert_known(session, operation)
    if _is_reservable(operation):
        return await _insert_reserved(session, operation)
    return await _insert_singly(session, operation)


def text_of(operation: Insert | Upsert) -> str:
    """
    Return the text that inserts one row.

    Raises:
        StatementError: It was compiled by another gateway.
    """
    if operation.sql is None:
        raise StatementError(
            f"the {type(operation).__name__} has no text",
            operation=operation,
            hint="compile it with the postgres gateway",
        )
    return operation.sql


async def _insert_one(session: Session, operation: Insert, row: Sequence[Any]) -> Result:
    sql = operation.sql or text_of(operation)
    if operation.returning:
        return Result(list(map(tuple, await session.driver.fetch(sql, *row))), 1)
    await session.driver.execute(sql, *row)
    return Result(count=1)


async def _insert_singly(session: Session, operation: Insert) -> Result:
    """Insert row by row, where the store makes up values that nothing else tells apart."""
    returned: list[tuple[Any, ...]] = []
    async with atomic(session):
        for row in operation.rows:
            returned.extend((await _insert_one(session, operation, row)).rows)
    return Result(returned, len(operation.rows))


async def _insert_known(session: Session, operation: Insert) -> Result:
    """Insert rows of which nothing is asked back but what they give."""
    places = [operation.columns.index(each) for each in operation.returning]
    await _send(session, info(operation.relation), operation.columns, operation.rows)
    return Result([tuple([row[each] for each in places]) for row in operation.rows], len(operation.rows))


def _is_reservable(operation: Insert) -> bool:
    key = operation.returning[0]
    return len(operation.returning) == 1 and key.autoincrement and key not in operation.columns


async def _insert_reserved(session: Session, operation: Insert) -> Result:
    """Insert rows under keys that are taken from the key's sequence first, which nobody else is given."""
    described, key, count = info(operation.relation), operation.returning[0], len(operation.rows)
    if _fits_arrays(count, operation.columns):
        sql = _reserved_together(described, key, operation.columns)
        return Result(list(map(tuple, await session.driver.fetch(sql, *transposed(operation.rows)))), count)
    keys: Sequence[Any] = await session.driver.fetchval(_reservation(described, key), count)
    if keys[0] is None:
        return await _insert_singly(session, operation)
    rows = ((each, *row) for each, row in zip(keys, operation.rows, strict=True))
    await _copy(session, described, (key, *operation.columns), rows)
    return Result(list(zip(keys, strict=True)), count)


def _fits_arrays(count: int, columns: Sequence[ColumnInfo]) -> bool:
    """Whether rows go in arrays: few of them, with columns that are no arrays themselves."""
    return count < COPY_FROM and bool(columns) and not any(each.endswith("[]") for each in types_of(columns))


def _next(described: RelationInfo, key: ColumnInfo) -> str:
    """Return the text of a new key."""
    return f"nextval((SELECT pg_get_serial_sequence({literal(table_of(described))}, {literal(key.name)})::regclass))"


@lru_cache(1024)
def _reservation(described: RelationInfo, key: ColumnInfo) -> str:
    return f"SELECT array_agg({_next(described, key)}) FROM generate_series(1, $1::bigint)"


@lru_cache(1024)
def _reserved_together(described: RelationInfo, key: ColumnInfo, columns: tuple[ColumnInfo, ...]) -> str:
    """
    Return the statement that reserves the keys, inserts the rows with them, and gives them back in the order of the
    rows.
    """
    names, own = names_of(columns), quoted(key.name)
    rows = f"{rows_of(types_of(columns))} AS listed ({names}, {ORDER})"
    given = f"SELECT {_next(described, key)} AS {own}, listed.* FROM {rows}"
    made = f"INSERT INTO {table_of(described)} ({own}, {names}) SELECT {own}, {names} FROM {GIVEN}"
    return f"WITH {GIVEN} AS MATERIALIZED ({given}), {quoted('mapper made')} AS ({made}) SELECT {own} FROM {GIVEN} ORDER BY {ORDER}"


async def _send(
    session: Session, described: RelationInfo, columns: Sequence[ColumnInfo], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows of which nothing is to come back."""
    if _fits_arrays(len(rows), columns):
        await session.driver.execute(_together(described, tuple(columns)), *transposed(rows))
    else:
        await _copy(session, described, columns, rows)


async def _copy(
    session: Session, described: RelationInfo, columns: Sequence[ColumnInfo], rows: Iterable[Sequence[Any]]
) -> None:
    await session.driver.copy_records_to_table(
        described.name, schema_name=described.schema, columns=[each.name for each in columns], records=rows
    )


@lru_cache(1024)
def _together(described: RelationInfo, columns: tuple[ColumnInfo, ...]) -> str:
    names = names_of(columns)
    given = f"{rows_of(types_of(columns))} AS {GIVEN} ({names}, {ORDER})"
    return f"INSERT INTO {table_of(described)} ({names}) SELECT {names} FROM {given}"
