"""
How columns are called in SQLite, and how they are ordered and searched.

Storage types go in; column types of CREATE TABLE, collations and parts of SQL come out, and back again from the
column types.

| type | kept as | declared as |
|---|---|---|
| `Integer` | INTEGER | `INTEGER` |
| `Boolean` | INTEGER 0 or 1 | `BOOLEAN` |
| `Float` | REAL; NaN is refused, since SQLite makes it NULL | `REAL` |
| `Text` `Varchar` `Char` | TEXT | `TEXT` `VARCHAR(n)` `CHAR(n)` |
| `Bytes` | BLOB | `BLOB` |
| `Numeric` | TEXT without exponent, `1.10` | `DECIMAL_TEXT` `DECIMAL_TEXT(p, s)` |
| `Timestamp` | TEXT `YYYY-MM-DD HH:MM:SS[.ffffff]` | `TIMESTAMP_TEXT` |
| `TimestampTz` | the same in UTC and `+00:00` | `TIMESTAMPTZ_TEXT` |
| `Date` `Time` | TEXT, ISO 8601 | `DATE_TEXT` `TIME_TEXT` |
| `Interval` | INTEGER microseconds | `INTERVAL` |
| `Uuid` | TEXT, lower case with hyphens | `UUID_TEXT` |
| `Enumeration` `Codec` | as the type of what they store | as that type |
| `List` | TEXT, a JSON array of what its items are kept as | `LIST_TEXT` |
| `Json` | TEXT | `JSON_TEXT` |

A declared type gives its column an affinity by its letters (Datatypes In SQLite, 3.1): TEXT anywhere in the name
means that no text is ever taken for a number, neither on storing nor in CAST nor in a comparison, so that the
document `5` stays text. Every text sorts as its values do, except decimals, which have the collation `decimal`.
"""

import re
from typing import Any, Final

from mapper.errors import Unsupported
from mapper.types import (
    Boolean,
    Bytes,
    Char,
    Codec,
    Date,
    Enumeration,
    Float,
    Int,
    Integer,
    Interval,
    Json,
    List,
    Numeric,
    StorageType,
    Text,
    Time,
    Timestamp,
    TimestampTz,
    Uuid,
    Varchar,
)

__all__ = ["collation", "declared_type", "json_item", "kind_of", "recognised", "refusal"]


def _kept(type_: StorageType[Any]) -> StorageType[Any]:
    """The type that decides how values are kept: that of an enumeration's values, or of what a codec makes."""
    match type_:
        case Enumeration():
            return _kept(type_.stored)
        case Codec():
            return _kept(type_.storage)
        case _:
            return type_


def kind_of(type_: StorageType[Any]) -> type[Any]:
    """The Python class of what SQLite keeps: int, float, str or bytes."""
    match _kept(type_):
        case Integer() | Boolean() | Interval():
            return int
        case Float():
            return float
        case Bytes():
            return bytes
        case _:
            return str


def declared_type(type_: StorageType[Any]) -> str:
    """
    The type of a column in CREATE TABLE, as the table above has it. The collation is apart: see `collation`.

    Raises:
        Unsupported: A storage type of another gateway.
    """
    match _kept(type_):
        case Int():
            return "INTEGER"
        case Varchar(length=length):
            return f"VARCHAR({length})"
        case Char(length=length):
            return f"CHAR({length})"
        case Numeric(precision=int(precision), scale=scale):
            return f"DECIMAL_TEXT({precision}, {scale})"
        case kept if name := _DECLARED.get(type(kept)):
            return name
        case _:
            raise refusal(type_)


_DECLARED: Final[dict[type[StorageType[Any]], str]] = {
    Integer: "INTEGER",
    Boolean: "BOOLEAN",
    Float: "REAL",
    Text: "TEXT",
    Bytes: "BLOB",
    Numeric: "DECIMAL_TEXT",
    Timestamp: "TIMESTAMP_TEXT",
    TimestampTz: "TIMESTAMPTZ_TEXT",
    Date: "DATE_TEXT",
    Time: "TIME_TEXT",
    Interval: "INTERVAL",
    Uuid: "UUID_TEXT",
    List: "LIST_TEXT",
    Json: "JSON_TEXT",
}


def refusal(type_: StorageType[Any]) -> Unsupported:
    """What to raise for a storage type that only another gateway has."""
    return Unsupported("storage_type", "sqlite", f"the sqlite gateway does not store {type_!r}")


def collation(type_: StorageType[Any]) -> str | None:
    """The collation by which values compare, where that is not SQLite's own: `decimal`, of `functions.register`."""
    return "decimal" if isinstance(_kept(type_), Numeric) else None


def json_item(type_: StorageType[Any], reference: str = "value") -> str:
    """
    What an item of a JSON array is, as SQL that compares with a column of the type.

    For both arrays there are: the stored text of a `List`, and the parameter that `json_parameter` makes. In
    `x IN (SELECT … FROM json_each(?))` the collation is that of x.

    Args:
        type_: The storage type of the items.
        reference: How the SQL calls the `value` of `json_each`.
    """
    kind = kind_of(type_)
    if kind is bytes:
        return f"unhex_exact({reference})"
    if kind is float:
        return f"real_exact({reference})"
    name = collation(type_)
    return f"{reference} COLLATE {name}" if name else reference


_RECOGNISED: Final[dict[str, StorageType[Any]]] = {
    **{name: type_() for type_, name in _DECLARED.items() if type_ is not List},
    "LIST_TEXT": Json(list),
    "BOOL": Boolean(),
    "DATE": Date(),
    "DATETIME": Timestamp(),
    "DECIMAL": Numeric(),
    "JSON": Json(),
    "NUMERIC": Numeric(),
    "TIME": Time(),
    "TIMESTAMP": Timestamp(),
    "TIMESTAMP WITH TIME ZONE": TimestampTz(),
    "TIMESTAMPTZ": TimestampTz(),
    "UUID": Uuid(),
}

_BY_AFFINITY: Final[tuple[tuple[str, StorageType[Any]], ...]] = (
    ("INT", Integer()),
    ("CHAR", Text()),
    ("CLOB", Text()),
    ("TEXT", Text()),
    ("BLOB", Bytes()),
    ("REAL", Float()),
    ("FLOA", Float()),
    ("DOUB", Float()),
)
"""In the order in which SQLite looks for these letters (Datatypes In SQLite, 3.1)."""

_SIZED: Final = re.compile(r"\s*([^()]*?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*")


def recognised(declared: str) -> StorageType[Any] | None:
    """
    The storage type of a column as it is declared in an existing database: ours exactly, others' by their name or
    affinity.

    Of an enumeration or a codec that is the type of what it stores; of a list, a document. None where the name says
    nothing.
    """
    match = _SIZED.fullmatch(declared.upper())
    if match is None:
        return None
    name, first, second = match.group(1), _number(match.group(2)), _number(match.group(3))
    if name in ("VARCHAR", "CHAR") and first:
        return Varchar(first) if name == "VARCHAR" else Char(first)
    known = _RECOGNISED.get(name)
    if isinstance(known, Numeric) and first and first <= 1000 and (second or 0) <= first:
        return Numeric(first, second or 0)
    return known or next((type_ for letters, type_ in _BY_AFFINITY if letters in name), None)


def _number(digits: str | None) -> int | None:
    return int(digits) if digits else None
