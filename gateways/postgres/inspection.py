"""
What a database has: the columns of one table.

A relation goes in; the columns of its table come out, in their order.
"""

from collections.abc import Sequence
from typing import Any, Final

from gateways.postgres.bulk import table_of
from mapper.gateway import StoredColumn
from mapper.operations import RawSql
from mapper.relation import RelationInfo

__all__ = ["columns_query", "stored_columns"]

_COLUMNS: Final = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
       EXISTS (SELECT 1 FROM pg_index AS i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY(i.indkey)),
       a.atthasdef OR a.attidentity <> ''
FROM pg_attribute AS a
WHERE a.attrelid = to_regclass(?) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""


def columns_query(described: RelationInfo) -> RawSql:
    """Return the statement that asks for the columns of a relation's table."""
    return RawSql(_COLUMNS, (table_of(described),))


def stored_columns(rows: Sequence[tuple[Any, ...]]) -> list[StoredColumn] | None:
    """Return the columns; None where there is no such table."""
    return [StoredColumn(*row) for row in rows] or None
