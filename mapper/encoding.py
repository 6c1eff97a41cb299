"""
An injective encoding of values: equal bytes mean equal values, in every process and on every Python.

Values go in; bytes come out, in which each value is its type's letter, its length and its content, so that nothing runs
into what is beside it and `True`, `1`, `1.0`, `Decimal("1")` and `"1"` differ. Equal decimals are equal, and so are
equal instants, whatever their zone. Nothing of it depends on the order of a set, on a hash seed or on `repr`. It is not
meant to be decoded: keys of a cache and digests of changesets are made of it.
"""

import dataclasses
import datetime as dt
import enum
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from hashlib import blake2b
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from struct import pack
from typing import Any, Final
from uuid import UUID

import attrs
import msgspec

__all__ = ["Unencodable", "digest", "encoded"]

_LONG: Final = 10**4000
"""Numbers from here on are written in another base, as Python refuses to write them in this one."""

DEPTH: Final = 64
"""How deep values may be nested; deeper ones, and those that contain themselves, are refused."""


class Unencodable(ValueError):
    """A value of a type that has no encoding. Whoever asked decides what that means."""


def digest(value: object, *, size: int = 20) -> bytes:
    """
    Return `size` bytes that tell values apart (BLAKE2b of the encoding).

    Raises:
        Unencodable: There is a value of an unknown type in it.
    """
    return blake2b(encoded(value), digest_size=size).digest()


def encoded(value: object) -> bytes:
    """
    Return the encoding of a value.

    Raises:
        Unencodable: There is a value of an unknown type in it.
    """
    parts: list[bytes] = []
    _write(value, parts.append, DEPTH)
    return b"".join(parts)


def _write(value: Any, put: Callable[[bytes], object], depth: int) -> None:
    known = _SCALARS.get(type(value))
    if known is not None:
        letter, content = known
        _put(letter, content(value), put)
    elif depth == 0:
        raise Unencodable("the value is nested too deep, or contains itself")
    else:
        _write_composite(value, put, depth - 1)


def _write_composite(value: Any, put: Callable[[bytes], object], depth: int) -> None:
    kind = type(value)
    if isinstance(value, enum.Enum):
        _sequence(b"E", (_name_of(kind), value.name), put, depth)
    elif kind is tuple or kind is list:
        _sequence(b"T" if kind is tuple else b"L", value, put, depth)
    elif kind is dict:
        _mapping(value, put, depth)
    elif kind is set or kind is frozenset:
        _put(b"S", b"".join(sorted([_one(each, depth) for each in value])), put)
    else:
        fields = _fields(value)
        if fields is None:
            known = next((_SCALARS[each] for each in kind.__mro__ if each in _SCALARS), None)
            if known is None:
                raise Unencodable(f"a value of {kind.__qualname__} has no encoding")
            _sequence(b"C", (_name_of(kind), _put_one(known, value)), put, depth)
        else:
            _sequence(b"O", (_name_of(kind), *[part for pair in fields for part in pair]), put, depth)


def _put_one(known: tuple[bytes, Callable[[Any], bytes]], value: Any) -> bytes:
    letter, content = known
    return letter + content(value)


def _put(letter: bytes, content: bytes, put: Callable[[bytes], object]) -> None:
    put(letter)
    put(len(content).to_bytes(8, "big"))
    put(content)


def _one(value: Any, depth: int) -> bytes:
    parts: list[bytes] = []
    _write(value, parts.append, depth)
    return b"".join(parts)


def _sequence(letter: bytes, values: Iterable[Any], put: Callable[[bytes], object], depth: int) -> None:
    _put(letter, b"".join([_one(each, depth) for each in values]), put)


def _mapping(values: Mapping[Any, Any], put: Callable[[bytes], object], depth: int) -> None:
    pairs = sorted([(_one(key, depth), _one(value, depth)) for key, value in values.items()])
    _put(b"M", b"".join([part for pair in pairs for part in pair]), put)


def _fields(value: Any) -> list[tuple[str, Any]] | None:
    """Return the fields of an object whose class declares them; None of any other."""
    kind = type(value)
    if attrs.has(kind):
        return [(each.name, getattr(value, each.name)) for each in attrs.fields(kind)]
    if dataclasses.is_dataclass(kind):
        return [(each.name, getattr(value, each.name)) for each in dataclasses.fields(kind)]
    if isinstance(value, msgspec.Struct):
        return [(name, getattr(value, name)) for name in kind.__struct_fields__]
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return list(zip(kind._fields, value, strict=True))
    return None


def _name_of(kind: type[Any]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _decimal(value: Decimal) -> bytes:
    """A number's sign, digits and exponent without zeros at its end: `1`, `1.0` and `1E0` are one number."""
    if not value.is_finite():
        return str(value).encode()
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0")
    stripped = text.rstrip("0")
    if not stripped:
        return b"0"
    return f"{'-' if sign else ''}{stripped}e{exponent + len(text) - len(stripped)}".encode()


def _datetime(value: dt.datetime) -> bytes:
    if value.tzinfo is None or value.utcoffset() is None:
        return b"n" + value.replace(fold=0).isoformat().encode()
    offset = value.utcoffset()
    assert offset is not None
    since = value.replace(tzinfo=None, fold=0) - dt.datetime(1, 1, 1) - offset
    return b"a" + _timedelta(since)


def _time(value: dt.time) -> bytes:
    return value.replace(fold=0).isoformat().encode()


def _timedelta(value: dt.timedelta) -> bytes:
    return str((value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds).encode()


def _text(value: object) -> bytes:
    return str(value).encode()


_SCALARS: Final[dict[type[Any], tuple[bytes, Callable[[Any], bytes]]]] = {
    type(None): (b"N", lambda value: b""),
    bool: (b"B", lambda value: b"1" if value else b"0"),
    int: (b"I", lambda value: str(int(value)).encode() if -_LONG < value < _LONG else hex(value).encode()),
    float: (b"F", lambda value: pack(">d", value)),
    str: (b"U", lambda value: value.encode("utf-8", "surrogatepass")),
    bytes: (b"Y", bytes),
    bytearray: (b"A", bytes),
    memoryview: (b"Y", bytes),
    Decimal: (b"D", _decimal),
    dt.datetime: (b"P", _datetime),
    dt.date: (b"d", lambda value: value.isoformat().encode()),
    dt.time: (b"t", _time),
    dt.timedelta: (b"s", _timedelta),
    UUID: (b"G", lambda value: value.bytes),
    IPv4Address: (b"4", _text),
    IPv6Address: (b"6", _text),
    IPv4Interface: (b"4", _text),
    IPv6Interface: (b"6", _text),
    IPv4Network: (b"w", _text),
    IPv6Network: (b"W", _text),
}
"""For each type of single values, its letter and what makes its content."""
