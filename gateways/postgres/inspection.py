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
from gateways.sql.drift import StoredIndex, StoredReference
from mapper.gateway import StoredColumn
from mapper.operations import RawSql
from mapper.relation import RelationInfo
from mapper.types import Char, Codec, Enumeration, Int, Integer, List, Numeric, StorageType, Text, Varchar

__all__ = [
    "columns_query",
    "index_query",
    "keeps",
    "reference_query",
    "stored_columns",
    "stored_indexes",
    "stored_references",
    "stored_type",
]

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


_INDEXES: Final = """
SELECT c.relname::text, i.indisunique, i.indpred IS NULL AND m.amname = 'btree',
       ARRAY(SELECT a.attname::text
             FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k(number, place)
             LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number > 0
             ORDER BY k.place)
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_am AS m ON m.oid = c.relam
WHERE i.indrelid = to_regclass(?) AND i.indisvalid
ORDER BY c.relname
"""

_REFERENCES: Final = """
SELECT r.conname::text, t.relname::text,
       ARRAY(SELECT a.attname::text FROM unnest(r.conkey) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute AS a ON a.attrelid = r.conrelid AND a.attnum = k.number ORDER BY k.place),
       ARRAY(SELECT a.attname::text FROM unnest(r.confkey) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute AS a ON a.attrelid = r.confrelid AND a.attnum = k.number ORDER BY k.place),
       r.confdeltype::text, r.confupdtype::text
FROM pg_constraint AS r
JOIN pg_class AS t ON t.oid = r.confrelid
WHERE r.contype = 'f' AND r.conrelid = to_regclass(?)
ORDER BY r.conname
"""

_ACTIONS: Final = {"a": "no action", "r": "restrict", "c": "cascade", "n": "set null", "d": "set default"}


def index_query(described: RelationInfo, schema: str | None = None) -> RawSql:
    """Return the statement that asks for the indexes of a relation's table; arguments as of `columns_query`."""
    return RawSql(_INDEXES, (table_of(described, schema),))


def stored_indexes(rows: Sequence[tuple[Any, ...]]) -> list[StoredIndex]:
    """Return the indexes that were read."""
    return [StoredIndex(name, unique, plain, tuple(columns)) for name, unique, plain, columns in rows]


def reference_query(described: RelationInfo, schema: str | None = None) -> RawSql:
    """Return the statement that asks for the references of a relation's table; arguments as of `columns_query`."""
    return RawSql(_REFERENCES, (table_of(described, schema),))


def stored_references(rows: Sequence[tuple[Any, ...]]) -> list[StoredReference]:
    """Return the references that were read."""
    return [
        StoredReference(name, table, tuple(columns), tuple(targets), _ACTIONS[on_delete], _ACTIONS[on_update])
        for name, table, columns, targets, on_delete, on_update in rows
    ]


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
