"""
`resync_keys`: the counter of a relation's keys, behind the largest key that there is.

A repository, a transaction or a gateway and a relation go in; the counter's next keys are free.
"""

from typing import Any

from gateways.postgres.bulk import quoted, table_of
from gateways.postgres.literals import literal
from gateways.postgres.sources import Source, is_transaction, postgres_executor
from mapper.commit import within_transaction
from mapper.errors import QueryError
from mapper.gateway import Program, TransactionOptions
from mapper.operations import RawSql
from mapper.placeholders import escape_placeholders
from mapper.relation import info
from mapper.stores import Stores

__all__ = ["resync_keys"]

# The counter only ever moves on: keys that were taken from it and are not committed yet stay taken.
_MOVE = """
SELECT setval(counter.name, keys.largest)
FROM (SELECT pg_get_serial_sequence({table}, {key})::regclass AS name) AS counter,
     (SELECT max({column}) AS largest FROM {relation}) AS keys
WHERE keys.largest > coalesce(pg_sequence_last_value(counter.name), 0)
"""


async def resync_keys(source: Source, relation: Any) -> int | None:
    """
    Move the counter of a relation's keys behind the largest key: `await resync_keys(blog, Posts)`.

    A key that is given is kept, and PostgreSQL's counter does not know of it, so that it would come to that number, too,
    and the insert that gets it would fail. Call it behind inserts and loads with keys of their own. Whoever writes to
    the table waits meanwhile, and it waits for them: keys that are given by transactions under way count.

    Args:
        source: A repository that stores the relation, a transaction of one, or a gateway. In a transaction the table
            stays locked against writers until its end; the counter is not moved back where it is rolled back.
        relation: A relation whose key the store counts.

    Returns:
        The key that the counter is behind now; None where it was behind all keys already.

    Raises:
        QueryError: The store does not count its keys.
        NotStored: The repository does not store it.
        Unsupported: The gateway is none of PostgreSQL. As of the others, before I/O.
    """
    described = info(info(relation).original)
    key = next((each for each in described.primary_key if each.autoincrement), None)
    if key is None:
        raise QueryError(
            f"the keys of {described.relation.__name__} are not counted by the store",
            hint="its rows are given their keys; there is no counter to move",
        )
    if isinstance(source, Stores):
        source._require(frozenset({described.original}))
    executor = postgres_executor(source, "resync_keys")
    table = table_of(described, executor.gateway.scope)
    text = _MOVE.format(table=literal(table), key=literal(key.name), column=quoted(key.name), relation=table)
    writes = frozenset({described.original})
    lock = RawSql(escape_placeholders(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"), writes=writes)
    program = _moving(lock, RawSql(escape_placeholders(text), writes=writes))
    if is_transaction(executor):
        return await executor.run(program)
    return await executor.run(within_transaction(program, TransactionOptions()))


def _moving(lock: RawSql, move: RawSql) -> Program[int | None]:
    yield lock
    moved = yield move
    return int(moved.rows[0][0]) if moved.rows else None
