"""
From what SQLite keeps to Python values.

Storage types go in, decoders come out. Columns of other programs may hold other forms than ours: what can only mean
one thing is read, the rest is a `ValueError`.
"""

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import msgspec

from gateways.sql.texts import float_text
from gateways.sqlite.columns import kind_of, refusal
from mapper.types import (
    Boolean,
    Bytes,
    Char,
    Codec,
    Date,
    Decoder,
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
    decimals,
    document_decoder,
)
from mapper.types.naming import shown, type_text

__all__ = ["decimal_of", "decoder_of"]


@lru_cache(4096)
def decoder_of(type_: StorageType[Any]) -> Decoder | None:
    """
    The decoder of a storage type; None where SQLite's value is the user's, which is then not examined.

    Raises:
        Unsupported: A storage type of another gateway.
    """
    match type_:
        case Integer() | Text() | Varchar() | Char() | Bytes():
            return None
        case Boolean():
            return _decode_boolean
        case Float():
            return _decode_float
        case Numeric():
            return _numeric_decoder(type_.scale)
        case Timestamp():
            return _decode_naive
        case TimestampTz():
            return _decode_aware
        case Date():
            return _decode_date
        case Time():
            return _decode_time
        case Interval():
            return _decode_interval
        case Uuid():
            return _decode_uuid
        case Enumeration():
            return _enumeration_decoder(type_)
        case List():
            return _list_decoder(type_)
        case Json():
            return _json_decoder(type_)
        case Codec():
            return _codec_decoder(type_)
        case _:
            raise refusal(type_)


def _unreadable(value: object, expected: str) -> ValueError:
    return ValueError(f"cannot read {shown(value)} from SQLite, expected {expected}")


def _decode_boolean(value: Any) -> bool:
    if type(value) is int and (value == 1 or value == 0):
        return value == 1
    raise _unreadable(value, "0 or 1 for a bool")


def _decode_float(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    raise _unreadable(value, "a number for a float")


_decode_float.as_it_is = "type({0}) is float"  # type: ignore[attr-defined]  # see `mapper.types.Decoder`

_PLAIN: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


def _numeric_decoder(scale: int | None) -> Decoder:
    def decode(value: Any) -> Decimal:
        number = Decimal(value) if type(value) is str and _PLAIN.fullmatch(value) else decimal_of(value)
        if scale is not None:
            return decimals.rounded(number, scale)
        return number if number else number.copy_abs()

    return decode


def decimal_of(value: Any) -> Decimal:
    """
    A decimal as another program may have left it: a number, or text with an exponent. A float counts as its shortest
    text.
    """
    try:
        number = Decimal(float_text(value) if type(value) is float else value)
    except (InvalidOperation, TypeError, ValueError):
        raise _unreadable(value, "a number for a Decimal") from None
    if not decimals.fits(number):
        raise _unreadable(value, "a finite number for a Decimal")
    return decimals.normalised(number)


def _decode_naive(value: Any) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _unreadable(value, "'YYYY-MM-DD HH:MM:SS' for a naive datetime") from None
    if moment.tzinfo is not None:
        raise _unreadable(value, "a naive datetime, without an offset")
    return moment


def _decode_aware(value: Any) -> dt.datetime:
    """Text without an offset is UTC, as SQLite's own functions and CURRENT_TIMESTAMP write it."""
    try:
        moment = dt.datetime.fromisoformat(value)
        if moment.tzinfo is dt.UTC:
            return moment
        return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except (TypeError, ValueError, OverflowError):
        raise _unreadable(value, "'YYYY-MM-DD HH:MM:SS+00:00' for an aware datetime") from None


def _decode_date(value: Any) -> dt.date:
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise _unreadable(value, "'YYYY-MM-DD' for a date") from None


def _decode_time(value: Any) -> dt.time:
    try:
        moment = dt.time.fromisoformat(value)
    except (TypeError, ValueError):
        raise _unreadable(value, "'HH:MM:SS' for a time") from None
    if moment.tzinfo is not None:
        raise _unreadable(value, "a naive time, without an offset")
    return moment


def _decode_interval(value: Any) -> dt.timedelta:
    if type(value) is not int:
        raise _unreadable(value, "a whole number of microseconds for a timedelta")
    return dt.timedelta(0, 0, value)


def _decode_uuid(value: Any) -> UUID:
    try:
        return UUID(bytes=value) if type(value) is bytes else UUID(value)
    except (AttributeError, TypeError, ValueError):
        raise _unreadable(value, "a UUID as text or 16 bytes") from None


def _enumeration_decoder(type_: Enumeration) -> Decoder:
    known, decode_kept = type_.members(), decoder_of(type_.stored)

    def decode(value: Any) -> Any:
        try:
            kept = decode_kept(value) if decode_kept else value
            member = known.get(kept)
            return type_.member(kept) if member is None else member
        except (KeyError, ValueError):
            raise _unreadable(value, f"the {type_.by} of a member of {type_text(type_.python)}") from None

    return decode


def _list_decoder(type_: List) -> Decoder:
    kind: Any = kind_of(type_.item)
    in_json: Any = str if kind is bytes else kind
    parse = msgspec.json.Decoder(list[in_json | None] if type_.nullable else list[in_json]).decode
    decode_item = _of_hexadecimal(decoder_of(type_.item)) if kind is bytes else decoder_of(type_.item)

    def decode(value: Any) -> list[Any]:
        try:
            items = parse(value)
            return items if decode_item is None else [None if item is None else decode_item(item) for item in items]
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            raise ValueError(f"{_unreadable(value, 'a JSON array for a list')}: {error}") from error

    return decode


def _of_hexadecimal(decode: Decoder | None) -> Decoder:
    return bytes.fromhex if decode is None else lambda value: decode(bytes.fromhex(value))


def _json_decoder(type_: Json) -> Decoder:
    made = document_decoder(type_.annotation)

    def decode(value: Any) -> Any:
        if type(value) is not str:
            raise _unreadable(value, "JSON text for a document")
        return made(value)

    return decode


def _codec_decoder(type_: Codec[Any]) -> Decoder:
    decode_stored, decode_user = decoder_of(type_.storage), type_.decode

    def decode(value: Any) -> Any:
        stored = decode_stored(value) if decode_stored else value
        try:
            return decode_user(stored)
        except Exception as error:  # the user's function may raise anything
            raise ValueError(
                f"{_unreadable(value, f'what a codec of {type_text(type_.python)} decodes')}: {error!r}"
            ) from error

    return decode
