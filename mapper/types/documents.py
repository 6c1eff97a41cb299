"""
JSON documents: from typed values to compact text and back, exactly.

In goes an annotation, out come an encoder and a decoder for its values. What cannot be read back as the same value is
refused when it is written.
"""

import dataclasses
import datetime as dt
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias

import attrs
import msgspec

from mapper.types.naming import shown, type_text
from mapper.types.storage import Misfit, UnknownType
from mapper.types.wires import Wire, plan

__all__ = ["DocumentDecoder", "DocumentEncoder", "document_decoder", "document_encoder", "encode_document"]

DocumentEncoder: TypeAlias = Callable[[Any], str]
DocumentDecoder: TypeAlias = Callable[[str | bytes], Any]

_COMPILED: Final = 1024  # annotations whose wire form is kept

_encode: Final = msgspec.json.Encoder().encode
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_REFUSALS: Final = (TypeError, ValueError, AttributeError, OverflowError, RecursionError, msgspec.MsgspecError)


def encode_document(value: object, python: Any = None) -> str:
    """
    The text of a document: compact JSON, fields in the order of their declaration, keys of a dict in its own, sets
    sorted.

    Args:
        value: The document.
        python: Its annotation; None for any JSON value.

    Raises:
        Misfit: The value is of another type or cannot be kept exactly.
    """
    return document_encoder(python)(value)


@lru_cache(_COMPILED)
def document_encoder(python: Any = None) -> DocumentEncoder:
    """
    An `encode_document` for one annotation. Classes of a union are told apart by a key: a field that each annotates
    with a `Literal` of its own, else `type` with the name of the class.

    Raises:
        UnknownType: The annotation has something that JSON cannot keep.
    """
    wire, decoder = _compiled(python)
    pack, decode = wire.pack, decoder.decode
    expected = "a JSON value (None, bool, int, float, str, list, dict)" if python is None else type_text(python)

    def encode(value: object) -> str:
        try:
            packed = pack(value) if pack else value
            data = _encode(packed)
            back = decode(data)
        except Misfit:
            raise
        except _REFUSALS as error:
            raise Misfit(value, expected, detail=_reason(error)) from error
        if back != packed and (place := _difference(packed, back, "$")) is not None:
            raise Misfit(value, f"{expected} that JSON keeps exactly", detail=place)
        if b"\\u0000" in data and _NUL.search(data.decode()):
            raise Misfit(value, f"{expected} without NUL characters in its text")
        return data.decode()

    return encode


@lru_cache(_COMPILED)
def document_decoder(python: Any = None) -> DocumentDecoder:
    """
    Makes the value of an annotation from JSON text. Keys that a class does not have are ignored; absent ones take the
    class's defaults.

    What it returns raises `ValueError` for text that is not JSON or does not fit the annotation.

    Raises:
        UnknownType: The annotation has something that JSON cannot keep.
    """
    wire, decoder = _compiled(python)
    unpack, decode = wire.unpack, decoder.decode
    expected = "JSON" if python is None else type_text(python)

    def made(text: str | bytes) -> Any:
        try:
            found = decode(text)
            return unpack(found) if unpack else found
        except Exception as error:  # a constructor of the user's may raise anything
            raise ValueError(f"cannot read {shown(text)} as a document of {expected}: {_reason(error)}") from error

    return made


@lru_cache(_COMPILED)
def _compiled(python: Any) -> tuple[Wire, "msgspec.json.Decoder[Any]"]:
    wire = Wire(Any) if python is None else plan(python)
    try:
        return wire, msgspec.json.Decoder(wire.type)
    except (TypeError, ValueError) as error:
        raise UnknownType(f"{type_text(python)} cannot be a JSON document: {error}") from error


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _difference(given: Any, back: Any, path: str) -> str | None:
    """
    Where and how a value differs from what was read back, or None: classes without `==` of their own are compared by
    field.
    """
    if type(given) is type(back):
        if isinstance(given, dict) and list(given) == list(back):
            return _first(_difference(given[key], back[key], f"{path}.{key}") for key in given)
        if isinstance(given, list | tuple) and len(given) == len(back):
            return _first(
                (_difference(a, b, f"{path}[{index}]") for index, (a, b) in enumerate(zip(given, back, strict=True)))
            )
        names = _field_names(type(given))
        if names:
            return _first(_difference(getattr(given, name), getattr(back, name), f"{path}.{name}") for name in names)
    if isinstance(given, dt.datetime) and isinstance(back, dt.datetime) and given.utcoffset() == back.utcoffset():
        given, back = (
            given.replace(tzinfo=None),
            back.replace(tzinfo=None),
        )  # an hour that comes twice equals none elsewhere
    return None if given == back else f"{shown(given)} at {path} would be read as {shown(back)}"


def _first(places: Any) -> str | None:
    return next((place for place in places if place is not None), None)


def _field_names(cls: type) -> tuple[str, ...]:
    if issubclass(cls, msgspec.Struct):
        return cls.__struct_fields__
    if attrs.has(cls):
        return tuple([each.name for each in attrs.fields(cls)])
    return tuple([each.name for each in dataclasses.fields(cls)]) if dataclasses.is_dataclass(cls) else ()
