"""
Inserts of any number of rows, whose keys come back to them.

An `Insert` goes in; the values to be returned come out, one row for each given and in that order. Nothing relies on the
order of RETURNING: keys are reserved first, and the rows are sent with them.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from attrs import frozen

from gateways.postgres.bulk import GIVEN, ORDER, names_of, quoted, rows_of, table_of, transposed, types_of
from gateways.postgres.driver import forget_waiters
from gateways.postgres.literals import literal
from gateways.postgres.session import Session
from gateways.postgres.transactions import atomic
from mapper.columns import ColumnInfo
from mapper.errors import StatementError
from mapper.making import maker_of
from mapper.operations import Insert, Result, Upsert
from mapper.relation import RelationInfo, info

__all__ = ["Told", "given_back", "insert", "tells_keys", "text_of", "told_together"]

_result: Final = maker_of(Result)

COPY_FROM: Final = 200
"""The number of rows from which COPY pays for its round trips."""


async def insert(session: Session, operation: Insert) -> Result:
    """Insert rows, all of them or none, and return what each is to give back."""
    rows = operation.rows
    if len(rows) == 1 and operation.returning and operation.sql:
        # As `_insert_one`, which is spared a coroutine here.
        return given_back(await session.driver.fetch(operation.sql, *rows[0]))
    if len(rows) == 1:
        return await _insert_one(session, operation, rows[0])
    if not rows:
        return Result()
    if operation.columns and not operation.returning:
        await _send(session, info(operation.relation), operation.columns, rows, operation.schema)
        return Result(count=len(rows))
    described = info(operation.relation)
    if set(operation.returning) <= set(operation.columns) & set(described.primary_key):
        return await _insert_known(session, operation)
    if _is_reservable(operation):
        return await _insert_reserved(session, operation)
    if tells_keys(operation):
        return await _insert_told(session, described, operation)
    return await _insert_singly(session, operation)


def given_back(records: Sequence[Any]) -> Result:
    """Return the result of one row that was inserted, of the driver's records of what it gives back."""
    return _result(list(map(tuple, records)), 1, 0, 0, 0, ())


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
    await _send(session, info(operation.relation), operation.columns, operation.rows, operation.schema)
    return Result([tuple([row[each] for each in places]) for row in operation.rows], len(operation.rows))


def _is_reservable(operation: Insert) -> bool:
    key = operation.returning[0]
    return len(operation.returning) == 1 and key.autoincrement and key not in operation.columns


async def _insert_reserved(session: Session, operation: Insert) -> Result:
    """Insert rows under keys that are taken from the key's sequence first, which nobody else is given."""
    described, key, count = info(operation.relation), operation.returning[0], len(operation.rows)
    if _fits_arrays(count, operation.columns):
        sql = _reserved_together(described, key, operation.columns, operation.schema)
        return Result(list(map(tuple, await session.driver.fetch(sql, *transposed(operation.rows)))), count)
    keys: Sequence[Any] = await session.driver.fetchval(_reservation(described, key, operation.schema), count)
    if keys[0] is None:
        return await _insert_singly(session, operation)
    rows = ((each, *row) for each, row in zip(keys, operation.rows, strict=True))
    await _copy(session, described, (key, *operation.columns), rows, operation.schema)
    return Result(list(zip(keys, strict=True)), count)


def tells_keys(operation: Insert | Upsert) -> bool:
    """Whether rows, sent in arrays, can be known again by their keys: those given, or one taken from a sequence."""
    key, columns = info(operation.relation).primary_key, operation.columns
    if not key or not columns or any(each.endswith("[]") for each in types_of(columns)):
        return False
    return set(key) <= set(columns) or (len(key) == 1 and key[0].autoincrement)


async def _insert_told(session: Session, described: RelationInfo, operation: Insert) -> Result:
    """
    Insert rows of which more comes back than keys, and know each again by its key.

    Raises:
        StatementError: The store gave a row another key than it was sent with; nothing is inserted.
    """
    sql = _told_together(described, operation.columns, tuple(operation.returning), operation.schema)
    async with atomic(session):
        rows = list(map(tuple, await session.driver.fetch(sql, *transposed(operation.rows))))
        if not all([told for *_, told in rows]):
            raise StatementError(
                f"a row of {described.relation.__name__} came back under another key than it was sent with",
                operation=operation,
                hint="where a trigger makes the keys, commit such rows one by one",
            )
    return Result([row[:-1] for row in rows], len(rows))


@lru_cache(1024)
def _told_together(
    described: RelationInfo, columns: tuple[ColumnInfo, ...], returning: tuple[ColumnInfo, ...], schema: str | None
) -> str:
    """Return the statement that inserts rows, and gives back for each, in their order, columns and whether it is told."""
    told = told_together(described, columns, returning, schema)
    shown = ", ".join([f"{told.made}.{each}" for each in told.shown])
    head = f"SELECT {shown}, {told.made}.{told.keys[0]} IS NOT NULL"
    return f"{told.head} {head} FROM {GIVEN} LEFT JOIN {told.made} ON {told.tied} ORDER BY {GIVEN}.{ORDER}"


@frozen
class Told:
    """
    The beginning of a statement that inserts rows which come in arrays, and knows them again by their keys.

    Attributes:
        head: What goes before its SELECT.
        made: The name of the rows that were inserted, beside those that were `GIVEN`.
        keys, shown: Names of columns of the rows that were inserted.
        tied: What ties the two.
    """

    head: str
    made: str
    keys: tuple[str, ...]
    shown: tuple[str, ...]
    tied: str


def told_together(
    described: RelationInfo,
    columns: tuple[ColumnInfo, ...],
    returning: Sequence[ColumnInfo],
    schema: str | None,
    conflict: str = "",
) -> Told:
    """Return the beginning of an insert of rows, in their order, with a clause for conflicts."""
    names, key, made = names_of(columns), described.primary_key, quoted("mapper made")
    rows = f"{rows_of(types_of(columns))} AS listed ({names}, {ORDER})"
    own = [] if set(key) <= set(columns) else [quoted(key[0].name)]
    sources = ", ".join([*[f"{_next(described, key[0], schema)} AS {each}" for each in own], "listed.*"])
    targets = ", ".join([*own, names])
    back = [(quoted(f"mapper {index}"), quoted(each.name)) for index, each in enumerate((*key, *returning))]
    listed = ", ".join([f"{name} AS {alias}" for alias, name in back])
    aliases = tuple([alias for alias, _ in back])
    given = f"SELECT {sources} FROM {rows}"
    insert = f"INSERT INTO {table_of(described, schema)} ({targets}) SELECT {targets} FROM {GIVEN} ORDER BY {ORDER}"
    return Told(
        head=f"WITH {GIVEN} AS MATERIALIZED ({given}), {made} AS ({insert}{conflict} RETURNING {listed})",
        made=made,
        keys=aliases[: len(key)],
        shown=aliases[len(key) :],
        tied=" AND ".join([f"{GIVEN}.{name} = {made}.{alias}" for alias, name in back[: len(key)]]),
    )


def _fits_arrays(count: int, columns: Sequence[ColumnInfo]) -> bool:
    """Whether rows go in arrays: few of them, with columns that are no arrays themselves."""
    return count < COPY_FROM and bool(columns) and not any(each.endswith("[]") for each in types_of(columns))


def _next(described: RelationInfo, key: ColumnInfo, schema: str | None) -> str:
    """Return the text of a new key."""
    table = literal(table_of(described, schema))
    return f"nextval((SELECT pg_get_serial_sequence({table}, {literal(key.name)})::regclass))"


@lru_cache(1024)
def _reservation(described: RelationInfo, key: ColumnInfo, schema: str | None) -> str:
    return f"SELECT array_agg({_next(described, key, schema)}) FROM generate_series(1, $1::bigint)"


@lru_cache(1024)
def _reserved_together(
    described: RelationInfo, key: ColumnInfo, columns: tuple[ColumnInfo, ...], schema: str | None
) -> str:
    """
    Return the statement that reserves the keys, inserts the rows with them, and gives them back in the order of the
    rows.
    """
    names, own = names_of(columns), quoted(key.name)
    rows = f"{rows_of(types_of(columns))} AS listed ({names}, {ORDER})"
    given = f"SELECT {_next(described, key, schema)} AS {own}, listed.* FROM {rows}"
    made = f"INSERT INTO {table_of(described, schema)} ({own}, {names}) SELECT {own}, {names} FROM {GIVEN}"
    return f"WITH {GIVEN} AS MATERIALIZED ({given}), {quoted('mapper made')} AS ({made}) SELECT {own} FROM {GIVEN} ORDER BY {ORDER}"


async def _send(
    session: Session,
    described: RelationInfo,
    columns: Sequence[ColumnInfo],
    rows: Sequence[Sequence[Any]],
    schema: str | None,
) -> None:
    """Insert rows of which nothing is to come back."""
    if _fits_arrays(len(rows), columns):
        await session.driver.execute(_together(described, tuple(columns), schema), *transposed(rows))
    else:
        await _copy(session, described, columns, rows, schema)


async def _copy(
    session: Session,
    described: RelationInfo,
    columns: Sequence[ColumnInfo],
    rows: Iterable[Sequence[Any]],
    schema: str | None,
) -> None:
    driver = session.driver
    try:
        await driver.copy_records_to_table(
            described.name,
            schema_name=described.schema or schema,
            columns=[each.name for each in columns],
            records=rows,
        )
    except BaseException:
        forget_waiters(driver)
        raise


@lru_cache(1024)
def _together(described: RelationInfo, columns: tuple[ColumnInfo, ...], schema: str | None) -> str:
    names = names_of(columns)
    given = f"{rows_of(types_of(columns))} AS {GIVEN} ({names}, {ORDER})"
    return f"INSERT INTO {table_of(described, schema)} ({names}) SELECT {names} FROM {given}"
