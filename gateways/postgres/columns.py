"""
What PostgreSQL calls storage types: in casts of parameters, and in columns.

A storage type goes in, its name comes out.
"""

from functools import lru_cache
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

__all__ = ["collation", "declared_type", "parameter_type", "refusal"]

_NAMES: Final[dict[type[StorageType[Any]], str]] = {
    Integer: "bigint",
    Boolean: "boolean",
    Float: "float8",
    Text: "text",
    Varchar: "text",
    Char: "text",
    Bytes: "bytea",
    Numeric: "numeric",
    Timestamp: "timestamp",
    TimestampTz: "timestamptz",
    Date: "date",
    Time: "time",
    Interval: "interval",
    Uuid: "uuid",
    Json: "jsonb",
}


@lru_cache(4096)
def parameter_type(type_: StorageType[Any]) -> str:
    """
    Return the type that a parameter is cast to: without limits of length, so that nothing is cut.

    Raises:
        Unsupported: A storage type of another gateway.
    """
    match type_:
        case Enumeration():
            return parameter_type(type_.stored)
        case Codec():
            return parameter_type(type_.storage)
        case List():
            return f"{parameter_type(type_.item)}[]"
        case _ if type(type_) in _NAMES:
            return _NAMES[type(type_)]
        case _:
            raise refusal(type_)


def declared_type(type_: StorageType[Any]) -> str:
    """
    Return the type of a column.

    `char(n)` is not used: it pads, and forgets blanks at the end.
    """
    match type_:
        case Enumeration():
            return declared_type(type_.stored)
        case Codec():
            return declared_type(type_.storage)
        case List():
            return f"{declared_type(type_.item)}[]"
        case Varchar(length=length) | Char(length=length):
            return f"varchar({length})"
        case Numeric(precision=int(precision), scale=scale):
            return f"numeric({precision}, {scale})"
        case Float():
            return "double precision"
        case _:
            return parameter_type(type_)


def collation(type_: StorageType[Any]) -> str | None:
    """Return the collation of columns of a type: text goes by code point, whatever the database's own is."""
    return '"C"' if parameter_type(type_).removesuffix("[]") == "text" else None


def refusal(type_: StorageType[Any]) -> Unsupported:
    """Return the error of a storage type that is not of this gateway."""
    name = type(type_).__name__
    return Unsupported(
        name, "postgres", f"the postgres gateway does not store {name}", hint="give the column another type"
    )
