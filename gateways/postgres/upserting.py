"""
Upserts of any number of rows, of which each is told to be inserted, updated or ignored.

An `Upsert` goes in; counts and the rows to be returned come out, in the order given. PostgreSQL refuses to touch a
row twice in one statement, so rows with one conflict key go in several, one after the other.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from attrs import define, field

from gateways.postgres.bulk import GIVEN, ORDER, columns_of, names_of, quoted, table_of, transposed, types_of
from gateways.postgres.columns import array_of
from gateways.postgres.inserting import tells_keys, text_of, told_together
from gateways.postgres.session import Session
from gateways.postgres.transactions import atomic
from mapper.columns import ColumnInfo
from mapper.operations import Outcome, Result, Upsert
from mapper.relation import RelationInfo, info

__all__ = ["upsert"]

_INSERTED: Final = "(xmax = 0)"
"""
Whether a row that was written is new: an update locks the old version first, and the new one keeps the mark of that.
"""

Key = tuple[Any, ...]


@define
class _Answer:
    """What became of the rows, by their position."""

    width: int
    rows: dict[int, tuple[Any, ...]] = field(factory=dict)
    outcomes: dict[int, Outcome] = field(factory=dict)

    def note(self, position: int, values: Sequence[Any], inserted: bool) -> None:
        self.rows[position] = tuple(values)
        self.outcomes[position] = "inserted" if inserted else "updated"

    def result(self, count: int) -> Result:
        nothing = (None,) * self.width
        rows = [self.rows.get(each, nothing) for each in range(count)] if self.width else ()
        outcomes: list[Outcome] = [self.outcomes.get(each, "ignored") for each in range(count)]
        inserted, updated, ignored = [outcomes.count(each) for each in ("inserted", "updated", "ignored")]
        return Result(rows, inserted + updated, inserted, updated, ignored, outcomes)


async def upsert(session: Session, operation: Upsert) -> Result:
    """Write the rows, all of them or none, as if one after the other."""
    rows, answer = operation.rows, _Answer(len(operation.returning))
    waves = _waves(operation)
    if waves is None and len(rows) > 1 and not operation.conflict.assignments and tells_keys(operation):
        await _ignore_together(session, operation, answer)
    elif waves is None or len(rows) == 1:
        if len(rows) == 1:
            await _write_one(session, operation, 0, answer)
        else:
            async with atomic(session):
                for position in range(len(rows)):
                    await _write_one(session, operation, position, answer)
    elif len(waves) == 1:
        await _write_together(session, operation, waves[0], answer)
    else:
        async with atomic(session):
            for each in waves:
                await _write_together(session, operation, each, answer)
    return answer.result(len(rows))


async def _write_one(session: Session, operation: Upsert, position: int, answer: _Answer) -> None:
    found = await session.driver.fetch(_told(operation), *operation.rows[position], *operation.parameters)
    for *values, inserted in map(tuple, found):
        answer.note(position, values, inserted)


def _told(operation: Upsert) -> str:
    return f"{text_of(operation)}{',' if operation.returning else ' RETURNING'} {_INSERTED}"


async def _ignore_together(session: Session, operation: Upsert, answer: _Answer) -> None:
    """Insert rows of which those are ignored that are in conflict with any, and know the others by their keys."""
    sql = _ignoring(
        info(operation.relation),
        operation.columns,
        operation.returning,
        operation.conflict.columns,
        operation.schema,
    )
    for order, *values in map(tuple, await session.driver.fetch(sql, *transposed(operation.rows))):
        answer.note(order - 1, values, True)


@lru_cache(1024)
def _ignoring(
    described: RelationInfo,
    columns: tuple[ColumnInfo, ...],
    returning: tuple[ColumnInfo, ...],
    conflict: tuple[ColumnInfo, ...],
    schema: str | None,
) -> str:
    """
    Return the statement that inserts rows in their order, and gives the places and values of those that were not in
    conflict. Of two rows with one key, it is the first that was inserted.
    """
    target = f" ({names_of(conflict)})" if conflict else ""
    told = told_together(described, columns, returning, schema, f" ON CONFLICT{target} DO NOTHING")
    shown = ", ".join([f"{told.made}.{each}" for each in told.shown])
    keys = ", ".join([f"{told.made}.{each}" for each in told.keys])
    head = f"SELECT DISTINCT ON ({keys}) {GIVEN}.{ORDER}{', ' if shown else ''}{shown}"
    return f"{told.head} {head} FROM {GIVEN} JOIN {told.made} ON {told.tied} ORDER BY {keys}, {GIVEN}.{ORDER}"


async def _write_together(session: Session, operation: Upsert, wave: dict[Key, int], answer: _Answer) -> None:
    """Write rows of which no two have the same conflict key; by that key each is known again."""
    sql = _together(
        text_of(operation),
        operation.relation,
        operation.columns,
        operation.conflict.columns,
        bool(operation.returning),
        operation.schema,
    )
    arrays = transposed([operation.rows[each] for each in wave.values()])
    width = answer.width
    for values in map(tuple, await session.driver.fetch(sql, *arrays, *operation.parameters)):
        answer.note(wave[values[width + 1 :]], values[:width], values[width])


@lru_cache(1024)
def _together(
    sql: str,
    relation: Any,
    columns: tuple[ColumnInfo, ...],
    conflict: tuple[ColumnInfo, ...],
    returning: bool,
    schema: str | None,
) -> str:
    described, types = info(relation), types_of(columns)
    names = names_of(columns)
    places = ", ".join([f"${index + 1}::{each}" for index, each in enumerate(types)])
    head = f"INSERT INTO {table_of(described, schema)} ({names}) "
    tail = sql.removeprefix(f"{head}VALUES ({places})")
    arrays = ", ".join([f"${index + 1}::{array_of(each)}" for index, each in enumerate(types)])
    keys = ", ".join([f"{quoted(described.name)}.{quoted(each.name)}" for each in conflict])
    return f"{head}SELECT * FROM unnest({arrays}){tail}{',' if returning else ' RETURNING'} {_INSERTED}, {keys}"


def _waves(operation: Upsert) -> list[dict[Key, int]] | None:
    """
    Divide the rows so that none has two of one conflict key: the first of each key, the second of each key …

    Returns:
        For each wave the positions of rows by key; None where rows cannot be told apart by it.
    """
    places = _places(operation)
    if places is None:
        return None
    waves: list[dict[Key, int]] = []
    seen: dict[Key, int] = {}
    for position, key in enumerate(_keys(operation.rows, places)):
        if None in key:
            return None
        number = seen.get(key, 0)
        seen[key] = number + 1
        if number == len(waves):
            waves.append({})
        waves[number][key] = position
    return waves


def _keys(rows: Sequence[Sequence[Any]], places: Sequence[int]) -> Iterator[Key]:
    return (tuple([row[each] for each in places]) for row in rows)


_TELLING: Final = frozenset(
    {"bigint", "text", "uuid", "numeric", "boolean", "date", "timestamp", "timestamptz", "bytea", "time"}
)
"""Types whose values come back equal to what was sent."""


def _places(operation: Upsert) -> list[int] | None:
    """
    Return where the conflict's columns stand in a row; None where a statement for all rows could not tell them apart.
    """
    conflict, columns = operation.conflict, operation.columns
    assigned = {column for column, _ in conflict.assignments}
    usable = conflict.columns and set(conflict.columns) <= set(columns) and not assigned & set(conflict.columns)
    if not usable or columns_of(text_of(operation)) is None:
        return None
    if any(each not in _TELLING for each in types_of(conflict.columns)):
        return None
    return [columns.index(each) for each in conflict.columns]
