"""
Values as text, for checks and defaults, where no parameter may stand.

An encoded value goes in, a literal with its type comes out.
"""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from mapper.types import decimals

__all__ = ["literal"]


def literal(value: Any) -> str:
    """Return the text of an encoded value."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int():
            return f"({value})" if value < 0 else str(value)
        case float():
            return f"{_quoted(repr(value))}::float8"
        case str():
            return _quoted(value)
        case bytes():
            return f"'\\x{value.hex()}'::bytea"
        case Decimal():
            return f"{_quoted(decimals.text(value))}::numeric"
        case UUID():
            return f"'{value}'::uuid"
        case list():
            return f"ARRAY[{', '.join([literal(each) for each in value])}]"
        case _:
            return _moment(value)


def _moment(value: Any) -> str:
    match value:
        case dt.datetime():
            return f"'{value.isoformat(' ')}'::{'timestamp' if value.tzinfo is None else 'timestamptz'}"
        case dt.date():
            return f"'{value.isoformat()}'::date"
        case dt.time():
            return f"'{value.isoformat()}'::time"
        case dt.timedelta():
            return f"'{value.days} days {value.seconds} seconds {value.microseconds} microseconds'::interval"
        case _:
            raise TypeError(f"{value!r} is not what PostgreSQL keeps")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
