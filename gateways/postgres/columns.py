"""
What PostgreSQL calls storage types: in casts of parameters, in columns, and in its catalogue.

A storage type goes in, its name comes out.
"""

from functools import lru_cache
from typing import Any, Final

from gateways.postgres.types import Domain, PostgresType
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

__all__ = ["array_of", "as_item", "collation", "declared_type", "named", "parameter_type", "refusal"]

_NAMES: Final[dict[type[StorageType[Any]], str]] = {
    Integer: "bigint",
    Int: "bigint",
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

    A type of the database's own has text before it, `text::"mood"`: statements that are prepared then outlive it, if it is
    dropped and made again.

    Raises:
        Unsupported: A storage type of another gateway.
    """
    match type_:
        case Enumeration(native=True):
            return f"text::{named(type_.schema, type_.own_name)}"
        case Enumeration():
            return parameter_type(type_.stored)
        case Codec():
            return parameter_type(type_.storage)
        case List():
            return array_of(_item_type(type_.item))
        case PostgresType():
            return type_.parameter_type(parameter_type)
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
        case Enumeration(native=True):
            return named(type_.schema, type_.own_name)
        case Enumeration():
            return declared_type(type_.stored)
        case Codec():
            return declared_type(type_.storage)
        case List():
            return f"{declared_type(as_item(type_.item))}[]"
        case Domain():
            return named(type_.schema, type_.name)
        case PostgresType():
            return type_.declared_type(declared_type)
        case Varchar(length=length) | Char(length=length):
            return f"varchar({length})"
        case Numeric(precision=int(precision), scale=scale):
            return f"numeric({precision}, {scale})"
        case Int(bits=bits):
            return {16: "smallint", 32: "integer", 64: "bigint"}[bits]
        case Float():
            return "double precision"
        case _:
            return parameter_type(type_)


def as_item(type_: StorageType[Any]) -> StorageType[Any]:
    """
    Return what the items of an array are kept as: without a size, since arrays of `varchar` and `text`, or of `integer`
    and `bigint`, cannot be compared.
    """
    match type_:
        case Varchar() | Char():
            return Text()
        case Int():
            return Integer()
        case _:
            return type_


def _item_type(type_: StorageType[Any]) -> str:
    """Return the type of an item of an array. An array of a domain equals no array of what the domain is made of."""
    own = f"::{declared_type(type_)}" if isinstance(type_, Domain) else ""
    return f"{parameter_type(type_)}{own}"


def array_of(type_: str) -> str:
    """Return the array type of a parameter's type: `bigint[]`, `text[]::"mood"[]`."""
    return "::".join([f"{each}[]" for each in type_.split("::")])


def named(*path: str | None) -> str:
    """Return a name, quoted, behind the namespace that it is in."""
    return ".".join(['"' + each.replace('"', '""') + '"' for each in path if each is not None])


def collation(type_: StorageType[Any]) -> str | None:
    """Return the collation of columns of a type: text goes by code point, whatever the database's own is."""
    return '"C"' if parameter_type(type_).removesuffix("[]") == "text" else None


def refusal(type_: StorageType[Any]) -> Unsupported:
    """Return the error of a storage type that is not of this gateway."""
    name = type(type_).__name__
    return Unsupported(
        name, "postgres", f"the postgres gateway does not store {name}", hint="give the column another type"
    )
