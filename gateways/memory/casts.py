"""
Conversion of stored values from one storage type to another, and the parts of moments.

Storage types go in, functions of plain values come out; NULL does not reach them. What cannot be converted exactly is a
`StatementError`, except that a cast of a number to an integer cuts off what follows the point.
"""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

import msgspec

from gateways.memory.arithmetic import checked, to_decimal
from gateways.memory.codecs import JSON_NULL
from gateways.sql.texts import float_text
from mapper.errors import StatementError
from mapper.types import (
    Boolean,
    Bytes,
    Char,
    Codec,
    Codecs,
    Date,
    Enumeration,
    Float,
    Integer,
    Interval,
    Json,
    List,
    Misfit,
    Numeric,
    StorageType,
    Text,
    Time,
    Timestamp,
    TimestampTz,
    Uuid,
    Varchar,
    decimals,
)

__all__ = ["assigned", "cast", "day_of", "plain", "text_of"]


def plain(type_: StorageType[Any]) -> StorageType[Any]:
    """Return the storage type of what is kept: that below a codec or an enumeration."""
    while isinstance(type_, Codec | Enumeration):
        type_ = type_.storage if isinstance(type_, Codec) else type_.stored
    return type_


def cast(target: StorageType[Any]) -> Callable[[Any], Any]:
    """Return the conversion of any stored value to a storage type."""
    kept = plain(target)
    convert = _CONVERSIONS.get(type(kept), _as_it_is)

    def converted(value: Any) -> Any:
        try:
            return kept.check(convert(value)) if isinstance(kept, _CHECKED) else convert(value)
        except (ValueError, TypeError, ArithmeticError, Misfit) as error:
            raise StatementError(
                f"{value!r} cannot be cast to {type(kept).__name__}: {error}", hint="filter such rows out first"
            ) from error

    return converted


def assigned(
    target: StorageType[Any], source: StorageType[Any], codecs: Codecs, where: str
) -> Callable[[Any], Any] | None:
    """
    Return what a computed value goes through before a column keeps it; None where every value of `source` can be kept
    as it is.

    What it returns raises `StatementError` for a value that the column cannot keep exactly.
    """
    if source.key == target.key and isinstance(plain(target), _SELF_CONTAINED):
        return None
    encode, decode, convert = codecs.encoder(target), codecs.decoder(target), _widening(plain(target))

    def kept(value: Any) -> Any:
        if value is None:
            return None
        try:
            widened = convert(value)
            return encode(widened if decode is None else decode(widened))
        except (ValueError, TypeError, ArithmeticError) as error:
            raise StatementError(
                f"{value!r} cannot be stored in {where}: {error}", hint="cast or round it in the assignment"
            ) from error

    return kept


def text_of(value: Any) -> str:
    """Return a stored value as text, the same on every gateway."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case Decimal():
            return decimals.text(value)
        case bytes():
            return value.decode()
        case datetime():
            return value.isoformat(" ")
        case date() | time():
            return value.isoformat()
        case timedelta():
            return str(value // timedelta(microseconds=1))
        case float():
            return float_text(value)
        case int() | UUID():
            return str(value)
        case list() | dict():
            return msgspec.json.encode(value).decode()
        case _:
            raise TypeError(f"{type(value).__name__} has no text")


def day_of(value: Any) -> date:
    """Return the day of a moment, of an aware one in UTC."""
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC)).date()
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        return datetime.fromisoformat(value).date() if len(value) > len("2000-01-01") else date.fromisoformat(value)
    raise TypeError(f"{type(value).__name__} has no day")


def _integer(value: Any) -> int:
    if isinstance(value, str):
        return checked(int(value))
    if isinstance(value, timedelta):
        return checked(value // timedelta(microseconds=1))
    if isinstance(value, int | float | Decimal):
        return checked(math.trunc(value))
    raise TypeError(f"{type(value).__name__} is no number")


def _float(value: Any) -> float:
    if isinstance(value, str | int | float | Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is no number")


def _decimal(value: Any) -> Decimal:
    if isinstance(value, str | int | float | Decimal):
        try:
            return to_decimal(int(value) if isinstance(value, bool) else value)
        except InvalidOperation:
            raise ValueError("it is no number") from None
    raise TypeError(f"{type(value).__name__} is no number")


_WORDS: Final = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        return (
            _WORDS[value.strip().lower()]
            if value.strip().lower() in _WORDS
            else _refuse("it is neither true nor false")
        )
    if isinstance(value, int | float | Decimal):
        return bool(value)
    raise TypeError(f"{type(value).__name__} is no condition")


def _refuse(reason: str) -> bool:
    raise ValueError(reason)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else text_of(value).encode()


def _naive(value: Any) -> datetime:
    moment = _moment(value)
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _aware(value: Any) -> datetime:
    moment = _moment(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    raise TypeError(f"{type(value).__name__} is no moment")


def _time(value: Any) -> time:
    if isinstance(value, datetime):
        return value.time()
    return value if isinstance(value, time) else time.fromisoformat(value)


def _interval(value: Any) -> timedelta:
    return value if isinstance(value, timedelta) else timedelta(microseconds=_integer(value))


def _uuid(value: Any) -> UUID:
    if isinstance(value, UUID):
        return value
    return UUID(bytes=value) if isinstance(value, bytes) else UUID(value)


def _document(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = msgspec.json.decode(value)
    return JSON_NULL if found is None else found


def _as_it_is(value: Any) -> Any:
    return value


_CHECKED: Final = (Varchar, Char, Text, Numeric, Interval)
"""Types whose values have limits that a conversion may miss."""

_SELF_CONTAINED: Final = (Boolean, Bytes, Date, Float, Integer, Time, Timestamp, TimestampTz, Uuid, Text)
"""Types whose computed values can always be kept by a column of the same type."""

_CONVERSIONS: Final[dict[type, Callable[[Any], Any]]] = {
    Integer: _integer,
    Float: _float,
    Numeric: _decimal,
    Text: text_of,
    Varchar: text_of,
    Char: text_of,
    Boolean: _boolean,
    Bytes: _bytes,
    Date: day_of,
    Timestamp: _naive,
    TimestampTz: _aware,
    Time: _time,
    Interval: _interval,
    Uuid: _uuid,
    Json: _document,
    List: _document,
}


def _widening(target: StorageType[Any]) -> Callable[[Any], Any]:
    """
    Return the conversion that an assignment makes by itself: between kinds of numbers, and only where no digit is lost.
    """
    match target:
        case Integer():
            return _exact_integer
        case Float():
            return lambda value: (
                float(value) if isinstance(value, Decimal) and Decimal(float(value)) == value else value
            )
        case Numeric():
            return lambda value: (
                to_decimal(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
            )
        case _:
            return _as_it_is


def _exact_integer(value: Any) -> Any:
    if isinstance(value, float | Decimal) and value == value // 1:
        return int(value)
    return value
