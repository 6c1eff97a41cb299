"""
Raw rows as bytes and back, exactly: what comes out has the types and the values of what went in.

Rows of a result go in; MessagePack comes out. What MessagePack has no exact form for travels as an extension of its
own; a value of any other type is refused, and the result that it is in is not kept.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from itertools import chain
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.msgpack import Decoder, Encoder, Ext

from mapper.operations import OutputColumn
from mapper.portable import portable, restored

__all__ = ["Unkept", "packed", "unpacked"]

PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})
"""Types that MessagePack has."""

COLUMN, SEQUENCE = 100, 101
DEPTH: Final = 64
UTC: Final = dt.UTC


class Unkept(ValueError):
    """A value of a type that cannot be kept exactly."""


def packed(rows: Sequence[tuple[Any, ...]], columns: Sequence[OutputColumn] = ()) -> bytes:
    """
    Return rows as bytes.

    Args:
        columns: Describes them, where that is known: a value of a type that is strange here goes by its column's.

    Raises:
        Unkept: A value has no exact form.
    """
    try:
        if PLAIN.issuperset(map(type, chain.from_iterable(rows))):
            return _encode(rows)
    except (OverflowError, UnicodeEncodeError):
        pass
    try:
        return _encode([[_kept(value, index, columns) for index, value in enumerate(row)] for row in rows])
    except UnicodeEncodeError as error:
        raise Unkept("text with half of a surrogate pair") from error


def unpacked(data: bytes | memoryview, columns: Sequence[OutputColumn] = ()) -> list[tuple[Any, ...]]:
    """
    Return the rows that bytes were made of.

    Raises:
        ValueError: The bytes are damaged.
    """
    rows: list[tuple[Any, ...]]
    try:
        try:
            return _PLAIN_ROWS.decode(data)
        except _FormsOfColumns:
            rows = _ROWS.decode(data)
    except (msgspec.MsgspecError, ArithmeticError, LookupError, TypeError) as error:
        raise ValueError(f"damaged rows: {error}") from error
    return [tuple([_given_back(value, columns) for value in row]) for row in rows] if columns else rows


class _FormsOfColumns(Exception):
    """Some values are in the forms of their columns, for which there is another decoder."""


class _OfColumn:
    """A value in its column's portable form, before the column is known."""

    __slots__ = ("form", "index")

    def __init__(self, index: int, form: Any) -> None:
        self.index = index
        self.form = form


def _given_back(value: Any, columns: Sequence[OutputColumn]) -> Any:
    return restored(columns[value.index].type, value.form) if type(value) is _OfColumn else value


def _kept(value: Any, index: int, columns: Sequence[OutputColumn]) -> Any:
    try:
        return _exact(value, DEPTH)
    except Unkept:
        if index >= len(columns):
            raise
    return _by_column(value, index, columns[index])


def _by_column(value: Any, index: int, column: OutputColumn) -> Any:
    """Return the form that the column's type gives a value, if that gives it back."""
    try:
        form = portable(column.type, value)
        data = _encode([index, form])
        back = restored(column.type, _VALUE.decode(data)[1])
    except Exception as error:  # whatever a type of the user's own raises means that it cannot
        raise Unkept(f"a value of {type(value).__qualname__} has no form that gives it back") from error
    if type(back) is not type(value) or back != value:
        raise Unkept(f"a value of {type(value).__qualname__} comes back as another")
    return Ext(COLUMN, data)


def _exact(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind in PLAIN:
        if kind is int and not -(2**63) <= value < 2**64:
            return Ext(_CODES[int], b"%x" % value if value >= 0 else b"-%x" % -value)
        return value
    known = _TO.get(kind)
    if known is not None:
        return Ext(_CODES[kind], known(value))
    if isinstance(value, UUID):  # a driver's own, which is equal to that of the standard library
        return Ext(_CODES[UUID], value.bytes)
    if depth == 0:
        raise Unkept("a value is nested too deep")
    if kind is list:
        return [_exact(each, depth - 1) for each in value]
    if kind is tuple:
        return Ext(SEQUENCE, _encode([_exact(each, depth - 1) for each in value]))
    if kind is dict and all(type(each) is str for each in value):
        return {key: _exact(each, depth - 1) for key, each in value.items()}
    raise Unkept(f"a value of {kind.__qualname__} has no exact form")


def _datetime(value: dt.datetime) -> bytes:
    if value.tzinfo is not None and value.tzinfo is not UTC:
        raise Unkept("a moment in another zone than UTC")
    if value.fold:
        raise Unkept("a moment of a repeated hour")
    return value.isoformat().encode()


def _time(value: dt.time) -> bytes:
    if value.tzinfo is not None or value.fold:
        raise Unkept("a time of day in a zone")
    return value.isoformat().encode()


def _moment(text: str) -> dt.datetime:
    found = dt.datetime.fromisoformat(text)
    return found if found.tzinfo is None else found.replace(tzinfo=UTC)


def _duration(value: dt.timedelta) -> bytes:
    return f"{value.days},{value.seconds},{value.microseconds}".encode()


def _ascii(value: object) -> bytes:
    return str(value).encode()


_TO: Final[dict[type[Any], Callable[[Any], bytes]]] = {
    dt.datetime: _datetime,
    dt.date: lambda value: value.isoformat().encode(),
    dt.time: _time,
    dt.timedelta: _duration,
    Decimal: _ascii,
    UUID: lambda value: value.bytes,
    **dict.fromkeys((IPv4Address, IPv6Address, IPv4Interface, IPv6Interface, IPv4Network, IPv6Network), _ascii),
}

_FROM: Final[dict[int, tuple[type[Any], Callable[[bytes], Any]]]] = {
    1: (int, lambda data: int(data, 16)),
    2: (dt.datetime, lambda data: _moment(data.decode())),
    3: (dt.date, lambda data: dt.date.fromisoformat(data.decode())),
    4: (dt.time, lambda data: dt.time.fromisoformat(data.decode())),
    5: (dt.timedelta, lambda data: dt.timedelta(*map(int, data.split(b",")))),
    6: (Decimal, lambda data: Decimal(data.decode())),
    7: (UUID, lambda data: UUID(bytes=data)),
    8: (IPv4Address, lambda data: IPv4Address(data.decode())),
    9: (IPv6Address, lambda data: IPv6Address(data.decode())),
    10: (IPv4Interface, lambda data: IPv4Interface(data.decode())),
    11: (IPv6Interface, lambda data: IPv6Interface(data.decode())),
    12: (IPv4Network, lambda data: IPv4Network(data.decode())),
    13: (IPv6Network, lambda data: IPv6Network(data.decode())),
}
"""What an extension's bytes are, by its code. The codes are a part of the format: they never change their meaning."""

_CODES: Final = {kind: code for code, (kind, _) in _FROM.items()}


def _extension(code: int, data: memoryview) -> Any:
    if code == COLUMN:
        index, form = _VALUE.decode(data)
        return _OfColumn(index, form)
    if code == SEQUENCE:
        return tuple(_VALUE.decode(data))
    return _FROM[code][1](bytes(data))


def _plain_extension(code: int, data: memoryview) -> Any:
    if code == COLUMN:
        raise _FormsOfColumns
    return _extension(code, data)


_encode: Final = Encoder().encode
_VALUE: Final[Decoder[Any]] = Decoder(ext_hook=_extension)
_ROWS: Final = Decoder(list[tuple[Any, ...]], ext_hook=_extension)
_PLAIN_ROWS: Final = Decoder(list[tuple[Any, ...]], ext_hook=_plain_extension)
