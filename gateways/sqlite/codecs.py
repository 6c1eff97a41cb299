"""
How SQLite keeps values: `SQLITE_CODECS`.

In go storage types, out come functions between Python values and the int, float, str or bytes that SQLite keeps; the
table of forms is in `gateways.sqlite.columns`.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import attrs
import msgspec

from gateways.sqlite.columns import collation, declared_type, json_item, kind_of, recognised, refusal
from gateways.sqlite.decoding import decoder_of
from mapper.types import (
    Boolean,
    Bytes,
    Char,
    Codec,
    Date,
    Decoder,
    Encoder,
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
    document_encoder,
)

__all__ = ["SQLITE_CODECS", "SQLiteCodecs", "collation", "declared_type", "json_item", "json_parameter", "recognised"]

_encode_json: Final = msgspec.json.Encoder().encode


@attrs.frozen
class SQLiteCodecs:
    """Satisfies `mapper.types.Codecs`. Stateless: every instance is the same."""

    @property
    def name(self) -> str:
        """Whose they are."""
        return "sqlite"

    def encoder(self, type_: StorageType[Any], /) -> Encoder:
        """The function that checks a value and makes the int, float, str or bytes that SQLite keeps."""
        return _encoder(type_)

    def decoder(self, type_: StorageType[Any], /) -> Decoder | None:
        """The function that makes a value of what SQLite gave; None where that is the value."""
        return decoder_of(type_)


SQLITE_CODECS: Final = SQLiteCodecs()


@lru_cache(4096)
def _encoder(type_: StorageType[Any]) -> Encoder:
    match type_:
        case Integer() | Text() | Varchar() | Char() | Bytes():
            return type_.check
        case Boolean():
            return _boolean_encoder(type_)
        case Float():
            return _float_encoder(type_)
        case Numeric():
            return _numeric_encoder(type_)
        case Timestamp() | TimestampTz():
            return _after(type_.check, lambda moment: moment.isoformat(" "))
        case Date() | Time():
            return _after(type_.check, lambda moment: moment.isoformat())
        case Interval():
            return _after(type_.check, _microseconds)
        case Uuid():
            return _after(type_.check, str)
        case Enumeration():
            return _enumeration_encoder(type_)
        case List():
            return _list_encoder(type_)
        case Json():
            return document_encoder(type_.annotation)
        case Codec():
            encode = _encoder(type_.storage)
            return lambda value: type_.converted(value, encode)
        case _:
            raise refusal(type_)


def _after(check: Callable[[Any], Any], convert: Callable[[Any], Any]) -> Encoder:
    return lambda value: convert(check(value))


def _boolean_encoder(type_: Boolean) -> Encoder:
    check = type_.check

    def encode(value: Any) -> int:
        return 1 if value is True else 0 if value is False else check(value)

    return encode


def _float_encoder(type_: Float) -> Encoder:
    check = type_.check

    def encode(value: Any) -> float:
        number = value if type(value) is float else check(value)
        if number != number:
            raise Misfit(
                number, "a float that is a number", hint="SQLite keeps NaN as NULL: store None in a nullable column"
            )
        return number

    encode.as_it_is = "type({0}) is float and {0} == {0}"  # type: ignore[attr-defined]  # see `StorageType.as_it_is`
    return encode


def _numeric_encoder(type_: Numeric) -> Encoder:
    check, text = type_.check, decimals.text
    if type_.precision is not None:
        return _after(check, text)
    ready = decimals.ready_text

    def encode(value: Any) -> str:
        return (type(value) is Decimal and ready(value)) or text(check(value))

    return encode


def _microseconds(span: dt.timedelta) -> int:
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def _enumeration_encoder(type_: Enumeration) -> Encoder:
    cls, encode_kept = type_.python, _encoder(type_.stored)
    known = {member.name: encode_kept(type_.kept(member)) for member in cls}

    def encode(value: Any) -> Any:
        if type(value) is cls and (name := value._name_) in known:
            return known[name]
        return encode_kept(type_.kept(type_.check(value)))

    return encode


def _list_encoder(type_: List) -> Encoder:
    encode_item = _json_value_encoder(type_.item)
    return lambda value: _encode_json(type_.converted(value, encode_item)).decode()


def _json_value_encoder(type_: StorageType[Any]) -> Encoder:
    """Values as they stand in a JSON array: bytes as hexadecimal text, and no infinity."""
    encode, kind = _encoder(type_), kind_of(type_)
    if kind is bytes:
        return _after(encode, bytes.hex)
    return _after(encode, _finite) if kind is float else encode


def _finite(number: float) -> float:
    if number - number != 0:
        raise Misfit(number, "a finite float in a list", hint="JSON, in which SQLite keeps lists, has no infinity")
    return number


def json_parameter(type_: StorageType[Any]) -> Callable[[Iterable[Any]], str]:
    """
    How encoded values become the one JSON text of `x IN (SELECT … FROM json_each(?))`; the `…` is `json_item(type_)`.

    Bytes travel as hexadecimal text and floats as their shortest decimal text, which is exact and knows infinity.
    None becomes null.
    """
    kind = kind_of(type_)
    as_item = bytes.hex if kind is bytes else repr if kind is float else None
    if as_item is None:
        return lambda values: _encode_json(list(values)).decode()
    return lambda values: _encode_json([None if value is None else as_item(value) for value in values]).decode()
