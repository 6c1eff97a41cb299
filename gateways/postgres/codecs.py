"""
How PostgreSQL keeps values: `POSTGRES_CODECS`.

In go storage types, out come functions between Python values and those that asyncpg takes and gives, which are mostly
the same: the driver speaks the binary formats. Documents travel as JSON text.
"""

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import attrs

from gateways.postgres.columns import parameter_type, refusal
from gateways.postgres.types import PostgresType
from mapper.types import (
    Codec,
    Date,
    Decoder,
    Encoder,
    Enumeration,
    Interval,
    Json,
    List,
    Misfit,
    Numeric,
    StorageType,
    Time,
    Timestamp,
    TimestampTz,
    Uuid,
    decimals,
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
            return _document_encoder(type_)
        case Codec():
            encode = _encoder(type_.storage)
            return lambda value: type_.converted(value, encode)
        case Numeric(precision=None):
            return _numeric_encoder(type_)
        case PostgresType():
            return type_.encoder(POSTGRES_CODECS)
        case _ if parameter_type(type_):
            return type_.check
        case _:
            raise refusal(type_)


def _document_encoder(type_: Json) -> Encoder:
    encode = document_encoder(type_.annotation)

    def written(value: Any) -> str:
        text = encode(value)
        return _NUMBER.sub(_with_point, text) if _EXPONENT.search(text) is not None else text

    return written


_EXPONENT: Final = re.compile(r"\de\+?\d", re.IGNORECASE)
_NUMBER: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?e\+?\d+', re.IGNORECASE)


def _with_point(found: "re.Match[str]") -> str:
    """
    Write a large float with a point: without one `1e23` would come back as an integer, of which it is no equal. Strings
    are left as they are.
    """
    text = found[0]
    if text[0] == '"':
        return text
    digits = f"{Decimal(text):f}"
    return digits if "." in digits else f"{digits}.0"


def _numeric_encoder(type_: Numeric) -> Encoder:
    """Decimals without a precision may be no numbers, too: PostgreSQL keeps NaN, which equals itself, and infinity."""
    check = type_.check

    def encode(value: Any) -> Decimal:
        try:
            return check(value)
        except Misfit:
            if type(value) is Decimal and str(value) in _NO_NUMBERS:
                return value
            raise

    return encode


_NO_NUMBERS: Final = frozenset({"NaN", "Infinity", "-Infinity"})


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
        case Date() | Timestamp() | TimestampTz() | Time() | Interval():
            return _holding(type_.python)
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
        case PostgresType():
            return type_.decoder(POSTGRES_CODECS)
        case _ if parameter_type(type_):
            return None
        case _:
            raise refusal(type_)


def _rescaling(scale: int) -> Decoder:
    """A column of another program's may have another scale than the one declared."""
    unit = Decimal(1).scaleb(-scale)

    def decode(value: Decimal) -> Decimal:
        return value if value.same_quantum(unit) or not value.is_finite() else decimals.rounded(value, scale)

    return decode


def _holding(cls: type[Any]) -> Decoder:
    """The store has moments and spans that Python's own class cannot hold; see `gateways.postgres.beyond`."""
    expected, hint = _EXPECTED[cls]

    def decode(value: Any) -> Any:
        if value.__class__ is cls:
            return value
        raise Misfit(value, expected, hint=hint)

    return decode


_INFINITE: Final = "to read infinity, annotate the column as {0} | Infinity with type=OrInfinity(…)"
_EXPECTED: Final[dict[type[Any], tuple[str, str]]] = {
    dt.date: ("a date of the years 1 to 9999", _INFINITE.format("date")),
    dt.datetime: ("a datetime of the years 1 to 9999", _INFINITE.format("datetime")),
    dt.time: ("a time before 24:00", "read it as text: cast it in the store"),
    dt.timedelta: ("a span of days and seconds", "a month has no length: subtract moments instead, or cast it to text"),
}


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


def _list_decoder(type_: List) -> Decoder:
    decode = _decoder(type_.item)
    if decode is None:
        return _flat
    item: Callable[[Any], Any] = decode
    return lambda values: [None if each is None else item(each) for each in values]


def _flat(values: Any) -> Any:
    """Take a list as it is; PostgreSQL's arrays have any number of dimensions, whatever their columns say."""
    if values and values[0].__class__ is list:
        raise Misfit(values, "a list of one dimension", hint="annotate the column as list[list[…]] with type=Array()")
    return values


def _codec_decoder(type_: Codec[Any]) -> Decoder:
    inner, decode = _decoder(type_.storage), type_.decode
    return decode if inner is None else lambda value: decode(inner(value))
