"""
Inspection: the columns that a SQLite database has.

A relation goes in; an operation that reads its table's columns comes out, and whether such a column keeps the values of
a storage type.
"""

from collections.abc import Sequence
from typing import Any, Final

from gateways.sqlite.columns import declared_type
from mapper.gateway import StoredColumn
from mapper.operations import OutputColumn, QuerySql
from mapper.relation import info
from mapper.types import Integer, StorageType, Text

__all__ = ["affinity", "columns_of", "inspection", "keeps"]

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
