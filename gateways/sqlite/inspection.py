"""
Inspection: the columns that a SQLite database has.

A relation goes in; an operation that reads its table's columns comes out, and whether such a column keeps the values of
a storage type.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from gateways.sql.drift import StoredIndex, StoredReference
from gateways.sqlite.columns import declared_type
from mapper.gateway import StoredColumn
from mapper.operations import OutputColumn, QuerySql, RawSql
from mapper.relation import info
from mapper.types import Integer, StorageType, Text

__all__ = [
    "affinity",
    "columns_of",
    "index_query",
    "indexes_of",
    "inspection",
    "keeps",
    "reference_query",
    "references_of",
]

TEXT: Final = Text()
INTEGER: Final = Integer()

STATEMENT: Final = (
    'SELECT "name", "type", "notnull", "dflt_value" IS NOT NULL, "pk", "hidden" '
    'FROM pragma_table_xinfo(?, ?) WHERE "hidden" <> 1 ORDER BY "cid"'
)

OUTPUT: Final = (
    OutputColumn("name", TEXT, nullable=False),
    OutputColumn("type", TEXT, nullable=False),
    OutputColumn("notnull", INTEGER, nullable=False),
    OutputColumn("has_default", INTEGER, nullable=False),
    OutputColumn("pk", INTEGER, nullable=False),
    OutputColumn("hidden", INTEGER, nullable=False),
)


def inspection(relation: Any) -> QuerySql:
    """Return the operation that reads the columns of a relation's table, in their order."""
    described = info(relation)
    return QuerySql(STATEMENT, (described.name, described.schema or "main"), OUTPUT)


def columns_of(rows: Sequence[tuple[str, str, int, int, int, int]]) -> list[StoredColumn]:
    """Return what an inspection read. A key of one integer column is made up by SQLite, so it counts as a default."""
    keys = sum(1 for row in rows if row[4])
    return [
        StoredColumn(
            name=name,
            type=type_,
            nullable=not notnull and not key,
            primary_key=bool(key),
            has_default=bool(has_default or hidden or (key and keys == 1 and type_.upper() == "INTEGER")),
        )
        for name, type_, notnull, has_default, key, hidden in rows
    ]


_INDEXES: Final = (
    'SELECT l."name", l."unique", l."partial", i."name" FROM pragma_index_list(?, ?) AS l, '
    'pragma_index_xinfo(l."name", ?) AS i WHERE i."key" = 1 ORDER BY l."seq", i."seqno"'
)

_REFERENCES: Final = 'SELECT "id", "table", "from", "to", "on_delete", "on_update" FROM pragma_foreign_key_list(?, ?) ORDER BY "id", "seq"'


def index_query(relation: Any) -> RawSql:
    """Return the operation that reads the indexes of a relation's table, a row for each of their terms."""
    described = info(relation)
    schema = described.schema or "main"
    return RawSql(_INDEXES, (described.name, schema, schema))


def indexes_of(rows: Sequence[tuple[str, int, int, str | None]]) -> list[StoredIndex]:
    """Return the indexes that were read."""
    return [
        StoredIndex(name, bool(unique), not partial, tuple([row[3] for row in terms]))
        for (name, unique, partial), terms in groupby(rows, key=lambda row: row[:3])
    ]


def reference_query(relation: Any) -> RawSql:
    """Return the operation that reads the references of a relation's table, a row for each of their columns."""
    described = info(relation)
    return RawSql(_REFERENCES, (described.name, described.schema or "main"))


def references_of(rows: Sequence[tuple[int, str, str, str | None, str, str]]) -> list[StoredReference]:
    """Return the references that were read; SQLite does not tell their names."""
    found = []
    for _, group in groupby(rows, key=lambda row: row[0]):
        parts = list(group)
        _, table, _, _, on_delete, on_update = parts[0]
        columns, targets = tuple([each[2] for each in parts]), tuple([each[3] for each in parts])
        found.append(StoredReference(None, table, columns, targets, on_delete.lower(), on_update.lower()))
    return found


def affinity(declared: str) -> str:
    """Return the affinity of a declared type, by the rules of "Datatypes In SQLite", section 3.1."""
    text = declared.upper()
    if "INT" in text:
        return "INTEGER"
    if any(each in text for each in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if "BLOB" in text or not text:
        return "BLOB"
    if any(each in text for each in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"


def keeps(stored: StoredColumn, type_: StorageType[Any]) -> bool:
    """
    Whether a column keeps values of a type as they are given: it has the affinity that a column made for them would
    have, or one that leaves them alone.

    A column of NUMERIC affinity keeps numbers, dates and times, and takes other text for a number where it looks like
    one.
    """
    found, wanted = affinity(stored.type), affinity(declared_type(type_))
    if found in {wanted, "BLOB"}:
        return True
    numbers = {"INTEGER", "REAL", "NUMERIC"}
    if found == "NUMERIC":
        return wanted in numbers or not issubclass(type_.python, str | dict | list)
    return wanted == "NUMERIC" and found in numbers
