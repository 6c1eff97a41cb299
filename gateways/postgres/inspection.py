"""
What a database has: the columns of one table, and whether such a column keeps the values of a storage type.

A relation goes in; the columns of its table come out, in their order, with the types that the server's catalogue names.
Types of the database's own are named with their namespace, enumerations with their members.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from gateways.postgres.arrays import Array
from gateways.postgres.bulk import table_of
from gateways.postgres.columns import as_item, declared_type, named
from gateways.postgres.enums import labels
from gateways.postgres.literals import literal
from gateways.postgres.types import Domain
from mapper.gateway import StoredColumn
from mapper.operations import RawSql
from mapper.relation import RelationInfo
from mapper.types import Char, Codec, Enumeration, Int, Integer, List, Numeric, StorageType, Text, Varchar

__all__ = ["columns_query", "keeps", "stored_columns", "stored_type"]

_COLUMNS: Final = """
SELECT a.attname,
       CASE WHEN n.nspname = 'pg_catalog' THEN format_type(a.atttypid, a.atttypmod)
            ELSE concat('"', replace(n.nspname, '"', '""'), '"."', replace(b.typname, '"', '""'), '"',
                        CASE WHEN b.oid <> t.oid THEN '[]' END,
                        (SELECT concat(' ENUM (', string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder), ')')
                         FROM pg_enum AS e WHERE e.enumtypid = b.oid HAVING count(*) > 0))
       END,
       NOT a.attnotnull,
       EXISTS (SELECT 1 FROM pg_index AS i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY(i.indkey)),
       a.atthasdef OR a.attidentity <> '',
       c.relkind = 'm'
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_type AS t ON t.oid = a.atttypid
JOIN pg_type AS b ON b.oid = CASE WHEN t.typelem <> 0 AND t.typcategory = 'A' THEN t.typelem ELSE t.oid END
JOIN pg_namespace AS n ON n.oid = b.typnamespace
WHERE a.attrelid = to_regclass(?) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""


def columns_query(described: RelationInfo, schema: str | None = None) -> RawSql:
    """Return the statement that asks for the columns of a relation's table, which may be in a schema that was chosen."""
    return RawSql(_COLUMNS, (table_of(described, schema),))


def stored_columns(described: RelationInfo, rows: Sequence[tuple[Any, ...]]) -> list[StoredColumn] | None:
    """
    Return the columns; None where there is no such table.

    Those of a materialized view have no constraints, and are as NULL-able as its relation says.
    """
    declared = {each.name: each for each in described.columns}
    found: list[StoredColumn] = []
    for *row, is_view in rows:
        column = StoredColumn(*row)
        known = declared.get(column.name) if is_view else None
        if known is not None:
            column = StoredColumn(column.name, column.type, known.nullable, known.primary_key, column.has_default)
        found.append(column)
    return found or None


_CATALOGUED: Final = {
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "time": "time without time zone",
}
"""What the server's own catalogue calls a type that has a shorter name."""

_BITS: Final = {"smallint": 16, "integer": 32, "bigint": 64}
_SIZED: Final = re.compile(r"(character varying|numeric)(?:\((\d+)(?:,(\d+))?\))?")
_OWN: Final = re.compile(r'("(?:[^"]|"")*")\.("(?:[^"]|"")*")((?:\[\])?)(?: ENUM \((.*)\))?', re.DOTALL)
_LABEL: Final = re.compile(r"'((?:[^']|'')*)'")


def stored_type(type_: StorageType[Any]) -> str:
    """Return what the catalogue calls the type of a column that is made for a storage type."""
    match type_:
        case List(item=item) | Array(item=StorageType() as item):
            name, _, members = stored_type(as_item(item)).partition(" ENUM ")
            return f"{name}[]{f' ENUM {members}' if members else ''}"
        case Enumeration(native=True):
            return f"{declared_type(type_)} ENUM ({', '.join([literal(each) for each in labels(type_)])})"
        case Enumeration():
            return stored_type(type_.stored)
        case Codec():
            return stored_type(type_.storage)
        case Varchar(length=length) | Char(length=length):
            return f"character varying({length})"
        case Numeric(precision=int(precision), scale=scale):
            return f"numeric({precision},{scale})"
        case _:
            return _CATALOGUED.get(name := declared_type(type_), name)


def keeps(stored: str, type_: StorageType[Any]) -> bool:
    """
    Return whether a column of a type, as the catalogue names it, keeps the values of a storage type exactly: it is that
    which is made for them, or a wider one.
    """
    if stored == stored_type(type_):
        return True
    match type_:
        case List(item=item) | Array(item=StorageType() as item):
            name, _, members = stored.partition(" ENUM ")
            return name.endswith("[]") and keeps(f"{name[:-2]}{f' ENUM {members}' if members else ''}", item)
        case Enumeration(native=True):
            return _is_own(stored, type_.schema, type_.own_name, labels(type_))
        case Domain():
            return _is_own(stored, type_.schema, type_.name)
        case Enumeration():
            return keeps(stored, type_.stored)
        case Codec():
            return keeps(stored, type_.storage)
        case Integer() | Int():
            return _BITS.get(stored, 0) >= (type_.bits if isinstance(type_, Int) else 64)
        case _:
            return _is_wider(stored, type_)


def _is_own(stored: str, schema: str | None, name: str, members: Sequence[str] = ()) -> bool:
    """Whether it is the type of the database's own of this name, with all these members."""
    found = _OWN.fullmatch(stored)
    if found is None or found[3] or found[2] != named(name) or (schema is not None and found[1] != named(schema)):
        return False
    return set(members) <= {each.replace("''", "'") for each in _LABEL.findall(found[4] or "")}


def _is_wider(stored: str, type_: StorageType[Any]) -> bool:
    found = _SIZED.fullmatch("character varying" if stored == "text" else stored)
    if found is None:
        return False
    is_text, first, second = found[1] != "numeric", found[2], found[3]
    match type_:
        case Text():
            return is_text and first is None
        case Varchar(length=length) | Char(length=length):
            return is_text and (first is None or int(first) >= length)
        case Numeric(precision=None):
            return not is_text and first is None
        case Numeric(precision=int(precision), scale=int(scale)):
            return not is_text and (
                first is None or (int(second) >= scale and int(first) - int(second) >= precision - scale)
            )
        case _:
            return False
