"""
Values as text: literals for checks and defaults, where no parameter may stand, and what stands in the text of an array.

An encoded value goes in; text that the server reads as that value comes out.
"""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from mapper.types import decimals

__all__ = ["array_text", "literal"]

_TYPES: Final[tuple[tuple[type[Any], str], ...]] = (
    (float, "float8"),
    (bytes, "bytea"),
    (Decimal, "numeric"),
    (UUID, "uuid"),
    (dt.date, "date"),
    (dt.time, "time"),
    (dt.timedelta, "interval"),
)
"""What a literal is said to be, by its class; others are what is beside them."""


def literal(value: Any) -> str:
    """Return the text of an encoded value."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int():
            return f"({value})" if value < 0 else str(value)
        case list() if not value:
            return "'{}'"
        case list():
            return f"ARRAY[{', '.join([literal(each) for each in value])}]"
        case dt.datetime():
            return f"{_quoted(_text(value))}::{'timestamp' if value.tzinfo is None else 'timestamptz'}"
        case _:
            name = next((name for class_, name in _TYPES if isinstance(value, class_)), None)
            return _quoted(_text(value)) + ("" if name is None else f"::{name}")


def array_text(values: Iterable[Any]) -> str:
    """Return an array of encoded values, which may be arrays themselves, as the server reads it from text."""
    return f"{{{','.join([_item(each) for each in values])}}}"


def _item(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return array_text(value)
    return '"' + _text(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value)
        case bytes():
            return f"\\x{value.hex()}"
        case Decimal():
            return decimals.text(value) if value.is_finite() else str(value)
        case dt.datetime():
            return value.isoformat(" ")
        case dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
        case tuple():
            return f"{{{','.join([_text(each) for each in value])}}}"
        case _ if hasattr(value, "isempty"):
            return _range_text(value)
        case _:
            return str(value)


def _range_text(value: Any) -> str:
    """Return the driver's range as text."""
    if value.isempty:
        return "empty"
    bounds = ["" if each is None else f'"{_text(each)}"' for each in (value.lower, value.upper)]
    return f"{'[' if value.lower_inc else '('}{bounds[0]},{bounds[1]}{']' if value.upper_inc else ')'}"


def _quoted(text: str) -> str:
    """
    Quote text. One with a backslash is written so that it means the same whether or not the database takes backslashes
    for escapes (`standard_conforming_strings`).
    """
    quoted = "'" + text.replace("'", "''") + "'"
    return " E" + quoted.replace("\\", "\\\\") if "\\" in text else quoted
