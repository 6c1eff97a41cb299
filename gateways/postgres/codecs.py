"""
How PostgreSQL keeps values: `POSTGRES_CODECS`.

In go storage types, out come functions between Python values and those that asyncpg takes and gives, which are mostly
the same: the driver speaks the binary formats. Documents travel as JSON text.
"""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import attrs

from gateways.postgres.columns import parameter_type, refusal
from mapper.types import (
    Codec,
    Decoder,
    Encoder,
    Enumeration,
    Json,
    List,
    Numeric,
    StorageType,
    TimestampTz,
    Uuid,
    document_decoder,
    document_encoder,
)
from mapper.types.naming import shown

__all__ = ["POSTGRES_CODECS", "PostgresCodecs"]


@attrs.frozen
class PostgresCodecs:
    """Satisfies `mapper.types.Codecs`. Stateless: every instance is the same."""

    @property
    def name(self) -> str:
        """Whose they are."""
        return "postgres"

    def encoder(self, type_: StorageType[Any], /) -> Encoder:
        """The function that checks a value and makes what asyncpg takes."""
        return _encoder(type_)

    def decoder(self, type_: StorageType[Any], /) -> Decoder | None:
        """The function that makes a value of what asyncpg gave; None where that is the value."""
        return _decoder(type_)


POSTGRES_CODECS: Final = PostgresCodecs()


@lru_cache(4096)
def _encoder(type_: StorageType[Any]) -> Encoder:
    match type_:
        case Enumeration():
            return _enumeration_encoder(type_)
        case List():
            encode_item = _encoder(type_.item)
            return lambda value: type_.converted(value, encode_item)
        case Json():
            return document_encoder(type_.annotation)
        case Codec():
            encode = _encoder(type_.storage)
            return lambda value: type_.converted(value, encode)
        case _ if parameter_type(type_):
            return type_.check
        case _:
            raise refusal(type_)


def _enumeration_encoder(type_: Enumeration) -> Encoder:
    cls, encode_kept = type_.python, _encoder(type_.stored)
    known = {member.name: encode_kept(type_.kept(member)) for member in cls}

    def encode(value: Any) -> Any:
        if type(value) is cls and (name := value._name_) in known:
            return known[name]
        return encode_kept(type_.kept(type_.check(value)))

    return encode


@lru_cache(4096)
def _decoder(type_: StorageType[Any]) -> Decoder | None:
    match type_:
        case Numeric(scale=int(scale)):
            return _rescaling(scale)
        case TimestampTz():
            return _aware
        case Uuid():
            return _plain_uuid
        case Enumeration():
            return _enumeration_decoder(type_)
        case List():
            return _list_decoder(type_)
        case Json():
            return document_decoder(type_.annotation)
        case Codec():
            return _codec_decoder(type_)
        case _ if parameter_type(type_):
            return None
        case _:
            raise refusal(type_)


def _rescaling(scale: int) -> Decoder:
    """A column of another program's may have another scale than the one declared."""
    unit = Decimal(1).scaleb(-scale)

    def decode(value: Decimal) -> Decimal:
        return value if value.same_quantum(unit) else value.quantize(unit)

    return decode


def _aware(value: dt.datetime) -> dt.datetime:
    """
    The driver keeps the first and the last moment as infinities, and gives those without a zone.

    Nothing else than that moment can be meant by one: no value of ours lies beyond it.
    """
    return value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)


def _plain_uuid(value: Any) -> UUID:
    """The driver's UUIDs are of a subclass, which is not equal in every respect: it pickles as another class."""
    return UUID(int=value.int)


def _enumeration_decoder(type_: Enumeration) -> Decoder:
    decode_kept = _decoder(type_.stored)
    members = dict(type_.members())

    def decode(value: Any) -> Any:
        kept = value if decode_kept is None else decode_kept(value)
        known = members.get(kept)
        if known is not None:
            return known
        try:
            return type_.member(kept)
        except (KeyError, ValueError):
            raise ValueError(f"cannot read {shown(value)} as a member of {type_.python.__name__}") from None

    return decode


def _list_decoder(type_: List) -> Decoder | None:
    decode = _decoder(type_.item)
    if decode is None:
        return None
    item: Callable[[Any], Any] = decode
    return lambda values: [None if each is None else item(each) for each in values]


def _codec_decoder(type_: Codec[Any]) -> Decoder:
    inner, decode = _decoder(type_.storage), type_.decode
    return decode if inner is None else lambda value: decode(inner(value))
