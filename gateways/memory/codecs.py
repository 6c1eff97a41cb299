"""
How the memory gateway keeps values: as Python values that sort and compare as other stores' do, and that nobody else
can change.

Storage types go in, functions come out. Scalars are kept as they are (aware datetimes in UTC); an enumeration as its
value or name; a list as a list; a document as plain JSON values (None, bool, int, float, str, list, dict), whatever
class it is of; a codec's value as what it encodes.
"""

from functools import lru_cache
from typing import Any, Final

import attrs
import msgspec

from mapper.errors import Unsupported
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
    document_decoder,
    document_encoder,
)
from mapper.types.naming import shown, type_text

__all__ = ["JSON_NULL", "MEMORY_CODECS", "MemoryCodecs"]


class _JsonNull:
    """The type of `JSON_NULL`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "JSON_NULL"


JSON_NULL: Final = _JsonNull()
"""Stands for a document that is null, which is not the absence of one: kept in a column that takes None as JSON."""


@attrs.frozen
class MemoryCodecs:
    """Satisfies `mapper.types.Codecs`. Stateless: every instance is the same."""

    @property
    def name(self) -> str:
        """Whose they are."""
        return "memory"

    def encoder(self, type_: StorageType[Any], /) -> Encoder:
        """The function that checks a value and makes what is kept: a copy, where the value could be changed."""
        return _encoder(type_)

    def decoder(self, type_: StorageType[Any], /) -> Decoder | None:
        """
        The function that makes the user's value of what is kept; None where that is the value, which cannot be changed.
        """
        return _decoder(type_)


MEMORY_CODECS: Final = MemoryCodecs()


@lru_cache(4096)
def _encoder(type_: StorageType[Any]) -> Encoder:
    match type_:
        case Enumeration():
            return lambda value: type_.kept(type_.check(value))
        case Float():
            return _float_encoder(type_)
        case List():
            encode_item = _encoder(type_.item)
            return lambda value: type_.converted(value, encode_item)
        case Json():
            return _json_encoder(type_)
        case Codec():
            encode = _encoder(type_.storage)
            return lambda value: type_.converted(value, encode)
        case _ if isinstance(type_, _KEPT):
            return type_.check
        case _:
            raise Unsupported("storage_type", "memory", f"the memory gateway does not store {type_!r}")


_KEPT: Final = (
    Boolean,
    Bytes,
    Char,
    Date,
    Integer,
    Interval,
    Numeric,
    Text,
    Time,
    Timestamp,
    TimestampTz,
    Uuid,
    Varchar,
)
"""Types whose values are kept as `check` returns them."""


def _float_encoder(type_: Float) -> Encoder:
    check = type_.check

    def encoder(value: Any) -> float:
        number = check(value)
        if number != number:
            raise Misfit(number, "a float that is a number", hint="NaN equals nothing: store None in a nullable column")
        return number

    return encoder


def _json_encoder(type_: Json) -> Encoder:
    encode, parse = document_encoder(type_.annotation), msgspec.json.Decoder().decode

    def encoder(value: Any) -> Any:
        plain = parse(encode(value))
        return JSON_NULL if plain is None else plain

    return encoder


@lru_cache(4096)
def _decoder(type_: StorageType[Any]) -> Decoder | None:
    match type_:
        case Enumeration():
            return _enumeration_decoder(type_)
        case List():
            decode_item = _decoder(type_.item)
            return list if decode_item is None else _list_decoder(decode_item)
        case Json():
            return _json_decoder(type_)
        case Codec():
            return _codec_decoder(type_)
        case _:
            return None


def _enumeration_decoder(type_: Enumeration) -> Decoder:
    def decode(value: Any) -> Any:
        try:
            return type_.member(value)
        except (KeyError, ValueError):
            raise ValueError(
                f"found {shown(value)}, expected the {type_.by} of a member of {type_text(type_.python)}"
            ) from None

    return decode


def _list_decoder(decode_item: Decoder) -> Decoder:
    return lambda value: [None if item is None else decode_item(item) for item in value]


def _json_decoder(type_: Json) -> Decoder:
    made, write = document_decoder(type_.annotation), msgspec.json.Encoder().encode
    return lambda value: made(b"null" if value is JSON_NULL else write(value))


def _codec_decoder(type_: Codec[Any]) -> Decoder:
    decode_stored, decode_user = _decoder(type_.storage), type_.decode

    def decode(value: Any) -> Any:
        try:
            return decode_user(decode_stored(value) if decode_stored else value)
        except Exception as error:  # the user's function may raise anything
            raise ValueError(
                f"found {shown(value)}, expected what a codec of {type_text(type_.python)} decodes: {error!r}"
            ) from error

    return decode
