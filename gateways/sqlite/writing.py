"""
Upserts, and updates and deletes of single rows, in the thread of a connection.

An `Upsert` or a write of single rows by key goes in; counts, and the keys of what was upserted, come out. Each is done
wholly or not at all.
"""

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from gateways.sql.refusals import key_values, unchanged_row
from gateways.sqlite.codecs import SQLITE_CODECS
from gateways.sqlite.inserting import text_of
from gateways.sqlite.session import Session
from gateways.sqlite.violations import quoted, table_of
from mapper.errors import MissingRow, StaleRow
from mapper.operations import DeleteSql, Outcome, Result, UpdateSql, Upsert
from mapper.relation import RelationInfo, info

__all__ = ["delete_found", "upsert", "write_each"]


def upsert(session: Session, operation: Upsert) -> Result:
    """
    Insert rows, or update or leave what they conflict with, one after the other.

    SQLite tells that a row was written and not how, so the row that it would conflict with is looked for before; where
    the store makes what it would conflict by, the row is first inserted unless it conflicts.
    """
    sql, look_up = text_of(operation), _look_up(operation)
    careful = _careful(operation) if look_up is None and operation.conflict.assignments else None
    returned: list[tuple[Any, ...]] = []
    outcomes: list[Outcome] = []
    with session.atomic():
        for row in operation.rows:
            session.checkpoint()
            if careful is not None:
                found, written = _upsert_row(session, careful, row, bool(operation.returning))
                if written:
                    outcomes.append("inserted")
                    returned.extend(found)
                    continue
            known = careful is not None or (
                look_up is not None and bool(session.query(look_up.sql, look_up.parameters(row)))
            )
            found, written = _upsert_row(session, sql, (*row, *operation.parameters), bool(operation.returning))
            outcomes.append("ignored" if not written else "updated" if known else "inserted")
            returned.extend(found if written else [(None,) * len(operation.returning)])
    inserted, updated, ignored = [outcomes.count(each) for each in ("inserted", "updated", "ignored")]
    rows = returned if operation.returning else ()
    return Result(rows, inserted + updated, inserted, updated, ignored, outcomes)


def _careful(operation: Upsert) -> str:
    """Return the text that inserts a row, and leaves it where it conflicts."""
    head = text_of(operation).partition(" DO UPDATE SET ")[0]
    back = ", ".join([quoted(each.name) for each in operation.returning])
    return f"{head} DO NOTHING{f' RETURNING {back}' if back else ''}"


def _upsert_row(
    session: Session, sql: str, parameters: Sequence[Any], returning: bool
) -> tuple[Sequence[tuple[Any, ...]], bool]:
    if not returning:
        return (), session.change(sql, parameters) > 0
    rows = session.query(sql, parameters)
    return rows, bool(rows)


@frozen
class _LookUp:
    """How the row that another conflicts with is found."""

    sql: str
    positions: tuple[int, ...]

    def parameters(self, row: Sequence[Any]) -> tuple[Any, ...]:
        return tuple([row[each] for each in self.positions])


def _look_up(operation: Upsert) -> _LookUp | None:
    """
    Return how to tell an update from an insert; None where nothing is updated, or where the row leaves the conflict's
    columns to the store.
    """
    positions = [index for target in _targets(operation) for index in target]
    if not operation.conflict.assignments or not positions:
        return None
    given = [each.name for each in operation.columns]
    conditions = [
        " AND ".join(f"{quoted(given[index])} = ?" for index in target) for target in _targets(operation) if target
    ]
    table = table_of(info(operation.relation))
    return _LookUp(
        f"SELECT 1 FROM {table} WHERE {' OR '.join(f'({each})' for each in conditions)} LIMIT 1", tuple(positions)
    )


def _targets(operation: Upsert) -> list[tuple[int, ...]]:
    """Give the places, in a row, of the columns of each constraint that the row can conflict with."""
    described, columns = info(operation.relation), operation.conflict.columns
    keys = [tuple([described.column(name) for name in each.columns]) for each in described.uniques]
    targets = [columns] if columns else [described.primary_key, *keys]
    given = {each.attribute: index for index, each in enumerate(operation.columns)}
    return [
        tuple([given[each.attribute] for each in target])
        for target in targets
        if all(each.attribute in given for each in target)
    ]


def write_each(session: Session, operation: UpdateSql | DeleteSql) -> Result:
    """
    Write single rows by key, each of which must be there.

    Raises:
        StaleRow: One has another version by now; nothing is written.
        MissingRow: One is not there; nothing is written.
    """
    rows: Sequence[Sequence[Any]] = operation.parameters
    if len(rows) > 1:
        try:
            with session.atomic():
                if session.change_many(operation.sql, rows) == len(rows):
                    return Result(count=len(rows))
                raise _Differs
        except _Differs:
            if isinstance(operation, DeleteSql) and _refers_to_itself(info(operation.relation)):
                return _delete_together(session, operation, rows)
            return _write_singly(session, operation, rows)
    if rows and session.change(operation.sql, rows[0]) != 1:
        raise _refusal(session, operation, rows[0])
    return Result(count=len(rows))


class _Differs(Exception):
    """What many statements did together is not what each should have done."""


def _write_singly(session: Session, operation: UpdateSql | DeleteSql, rows: Sequence[Sequence[Any]]) -> Result:
    """
    Find the row that is not as expected. SQLite counts the rows of many statements together, so they are run again.
    """
    with session.atomic():
        for row in rows:
            session.checkpoint()
            if session.change(operation.sql, row) != 1:
                raise _refusal(session, operation, row)
    return Result(count=len(rows))


def _delete_together(session: Session, operation: DeleteSql, rows: Sequence[Sequence[Any]]) -> Result:
    """Delete rows of which one may go with another that it refers to, so that all are looked for before."""
    with session.atomic():
        named: set[tuple[Any, ...]] = set()
        for row in rows:
            session.checkpoint()
            key = key_values(operation, row)
            if key in named:
                raise unchanged_row(operation, row, SQLITE_CODECS, is_there=False)
            if not session.query(_read_of(operation, "1"), row):
                raise _refusal(session, operation, row)
            named.add(key)
        session.change_many(operation.sql, rows)
    return Result(count=len(rows))


def delete_found(session: Session, operation: DeleteSql) -> Result:
    """
    Delete the rows that fulfil a condition. SQLite does not count those that are gone when it comes to them, because
    they went with another one that they refer to; so they are counted before.
    """
    if operation.returning or not _refers_to_itself(info(operation.relation)):
        return session.run(operation.sql, operation.parameters)
    with session.atomic():
        ((count,),) = session.query(_read_of(operation, "count(*)"), operation.parameters)
        session.run(operation.sql, operation.parameters)
    return Result(count=count)


def _read_of(operation: DeleteSql, items: str) -> str:
    """Return the text that reads what a delete removes."""
    return f"SELECT {items} {operation.sql.removeprefix('DELETE ')}"


def _refers_to_itself(described: RelationInfo) -> bool:
    """Whether rows may go with other rows of the same relation: references that are followed on deletion lead back."""
    waiting, seen = [described], {described.token}
    while waiting:
        for column in waiting.pop().columns:
            target = column.referenced() if column.options.on_delete == "cascade" else None
            if target is None:
                continue
            found = info(target.relation)
            if found.token == described.token:
                return True
            if found.token not in seen:
                seen.add(found.token)
                waiting.append(found)
    return False


def _refusal(session: Session, operation: UpdateSql | DeleteSql, row: Sequence[Any]) -> StaleRow | MissingRow:
    probe = operation.probe
    found = probe is not None and bool(session.query(probe, key_values(operation, row)))
    return unchanged_row(operation, row, SQLITE_CODECS, is_there=found)
