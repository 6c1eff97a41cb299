"""
Inserts of many rows, in the thread of a connection.

An `Insert` goes in; counts, and the keys of what was inserted, come out. All of it is done, or nothing.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

from gateways.sqlite.session import Session
from gateways.sqlite.violations import quoted, table_of
from mapper.columns import ColumnInfo
from mapper.errors import StatementError
from mapper.operations import Insert, Result, Upsert
from mapper.relation import RelationInfo, info

__all__ = ["insert", "text_of"]

_SEQUENCE_FROM: Final = 8  # rows from which telling their keys costs less than having each returned
_TOGETHER_FROM: Final = 128  # rows from which a statement of several is worth its compilation
_TOGETHER: Final = 128  # parameters of such a statement, at most
_LAST_KEY: Final = 2**63 - 1


class _Differs(Exception):
    """The keys are not those that were foretold."""


def insert(session: Session, operation: Insert) -> Result:
    """Insert rows, and return what each is to give back, in their order."""
    rows, sql = operation.rows, text_of(operation)
    if not rows:
        return Result()
    if len(rows) == 1:
        return Result(session.run(sql, rows[0]).rows, 1)
    try:
        with session.atomic():
            if not operation.returning:
                _insert_silently(session, operation)
                return Result(count=len(rows))
            in_sequence = _insert_in_sequence(session, operation) if len(rows) >= _SEQUENCE_FROM else None
            return Result(in_sequence or _insert_singly(session, sql, rows), len(rows))
    except _Differs:
        with session.atomic():
            return Result(_insert_singly(session, sql, rows), len(rows))


def text_of(operation: Insert | Upsert) -> str:
    """
    Return the text for one row.

    Raises:
        StatementError: It has none, as another gateway compiled it.
    """
    if operation.sql is None:
        raise StatementError(
            f"the {type(operation).__name__} has no text",
            operation=operation,
            hint="compile it with the sqlite gateway",
        )
    return operation.sql


def _insert_singly(session: Session, sql: str, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [session.query(sql, row)[0] for row in rows]


def _insert_silently(session: Session, operation: Insert) -> None:
    """Insert rows that give nothing back."""
    found: frozenset[str] = frozenset(("conflict",))
    if len(operation.rows) >= _TOGETHER_FROM and _is_plain(operation):
        found = _found(session, info(operation.relation))
    _insert_all(session, operation, text_of(operation), found)


def _insert_in_sequence(session: Session, operation: Insert) -> list[tuple[Any, ...]] | None:
    """
    Insert rows of which the store makes up the keys, and tell which: as nobody else can insert meanwhile, they are those
    from the next to the last one.

    Returns:
        The keys; None where that is not possible, and nothing is done: more than the key comes back, a trigger could
        take keys of the table, or they are used up.

    Raises:
        _Differs: The last key is not as many behind as there are rows.
    """
    key = operation.returning[0]
    if len(operation.returning) > 1 or not key.autoincrement or key in operation.columns or not _is_plain(operation):
        return None
    described, count = info(operation.relation), len(operation.rows)
    found = _found(session, described)
    last = None if "trigger" in found else _last_key(session, described, key, "sequence" in found)
    if last is None or last > _LAST_KEY - count:
        return None
    _insert_all(session, operation, _plain(operation, operation.columns), found)
    if session.query("SELECT last_insert_rowid()") != [(last + count,)]:
        raise _Differs
    return list(zip(range(last + 1, last + 1 + count), strict=True))


def _insert_all(session: Session, operation: Insert, text: str, found: frozenset[str]) -> None:
    """
    Insert rows by the text for one, and, where that does the same, most of them by a statement for several.

    That takes half the time, but for the copies that SQLite keeps of every page which a statement may have to undo by
    itself. `OR FAIL` does without: what is undone is the transaction or savepoint around. It has no say in foreign
    keys, and it is not for tables whose constraints say by themselves what a conflict does.
    """
    rows, together = operation.rows, _TOGETHER // max(1, len(operation.columns))
    if operation.relation is None:  # an operation that was made by hand
        session.change_many(text, rows)
        return
    described = info(operation.relation)
    referring = any([each.options.references is not None for each in described.columns])
    whole = 0
    if len(rows) >= _TOGETHER_FROM and together > 1 and not referring and not found & {"trigger", "conflict"}:
        whole = len(rows) - len(rows) % together
        one = text.removeprefix("INSERT ")
        several = f"INSERT OR FAIL {one}{(', ' + _places(operation.columns)) * (together - 1)}"
        session.change_many(several, _groups(rows, whole, together))
    if whole < len(rows):
        session.change_many(text, rows[whole:])


def _groups(rows: Sequence[tuple[Any, ...]], whole: int, together: int) -> Iterator[tuple[Any, ...]]:
    """Give the parameters of the first `whole` rows, so many rows `together`."""
    for start in range(0, whole, together):
        yield tuple(chain.from_iterable(rows[start : start + together]))


def _found(session: Session, described: RelationInfo) -> frozenset[str]:
    """
    Tell what there is: `trigger` and `conflict` where the table has triggers, or constraints that say what a conflict
    does, and `sequence` where keys of any table are counted.
    """
    found = session.query(
        "SELECT CASE WHEN type = 'trigger' THEN 'trigger' WHEN name = 'sqlite_sequence' THEN 'sequence' ELSE 'conflict' END"
        f" FROM {_schema_of(described)}master WHERE name = 'sqlite_sequence'"
        " OR (type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE)"
        " OR (type = 'table' AND name = ?1 COLLATE NOCASE AND instr(upper(sql), 'CONFLICT') > 0)",
        (described.name,),
    )
    return frozenset([each for (each,) in found])


def _last_key(session: Session, described: RelationInfo, key: ColumnInfo, counted: bool) -> int:
    """Return the largest key that the table has ever had."""
    last: int = session.query(f"SELECT coalesce(max({quoted(key.name)}), 0) FROM {table_of(described)}")[0][0]
    if not counted:
        return last
    rows = session.query(f"SELECT seq FROM {_schema_of(described)}sequence WHERE name = ?", (described.name,))
    sequences: list[int] = [each for (each,) in rows]
    return max([last, *sequences])


def _schema_of(described: RelationInfo) -> str:
    """Return how the names of SQLite's own tables of a relation's file begin."""
    return "sqlite_" if described.schema is None else f"{quoted(described.schema)}.sqlite_"


def _is_plain(operation: Insert) -> bool:
    """Tell whether the text does nothing but insert the values as they are."""
    if operation.relation is None:  # an operation that was made by hand
        return False
    return text_of(operation).partition(" RETURNING ")[0] == _plain(operation, operation.columns)


def _plain(operation: Insert, columns: Sequence[ColumnInfo]) -> str:
    names = ", ".join([quoted(each.name) for each in columns])
    return f"INSERT INTO {table_of(info(operation.relation))} ({names}) VALUES {_places(columns)}"


def _places(columns: Sequence[ColumnInfo]) -> str:
    return f"({', '.join('?' * len(columns))})"
