"""
Values of sources that are no gateways, as bytes and back: of classes that msgspec knows, of models that validate
themselves from JSON, as those of pydantic do, and of any other class with functions of the user's own.

A type goes in; what makes bytes of its values comes out, or a refusal before anything is read.
"""

import inspect as python
import types
from collections.abc import Callable
from typing import Any, Final, Generic, Union, get_args, get_origin, get_type_hints

import attrs
import msgspec
from attrs import frozen
from msgspec import inspect
from typing_extensions import TypeVar

from mapper.cache.rows import Unkept, packed, unpacked
from mapper.errors import CacheConfigError

__all__ = ["ValueCodec", "returned_by", "value_codec"]

V = TypeVar("V")

DEPTH: Final = 8
"""How deep the fields of fields tell one type from another."""


@frozen
class ValueCodec(Generic[V]):
    """
    How values of one type are kept.

    Attributes:
        name: Tells the type from others, and from itself with other fields; the same on every Python.
        classes: What values are instances of; () where that is not known.
        encode, decode: Make bytes of a value, and a value of bytes.
    """

    name: list[Any]
    classes: tuple[type[Any], ...]
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], V]

    def packed(self, value: V) -> bytes:
        """
        Return a value as bytes.

        Raises:
            Unkept: They would not give it back.
        """
        try:
            data = self.encode(value)
            back = self.decode(data)
            same = type(back) is type(value) and bool(back == value)
        except Exception as error:  # whatever the user's class raises means that it cannot be kept
            raise Unkept(f"a value of {type(value).__qualname__} cannot be kept: {error}") from error
        if not same:
            raise Unkept(f"a value of {type(value).__qualname__} comes back as another")
        return data

    def unpacked(self, data: bytes) -> V:
        """
        Return the value that bytes were made of.

        Raises:
            ValueError: They are damaged, or of a class that has changed.
        """
        try:
            return self.decode(data)
        except Exception as error:  # as above
            raise ValueError("damaged value") from error


def returned_by(fetch: Callable[..., Any]) -> Any:
    """Return what a function says that it gives, without None; None where it says nothing."""
    function = python.unwrap(fetch) if python.isroutine(fetch) else type(fetch).__call__
    try:
        found = get_type_hints(function).get("return")
    except (NameError, TypeError, AttributeError) as error:
        raise CacheConfigError(
            f"the annotation of {fetch!r} cannot be read: {error}", hint="give type=…, the class of the values"
        ) from error
    parts = [each for each in get_args(found) if each is not type(None)] if _is_union(found) else [found]
    if found is type(None) or found is None or isinstance(found, TypeVar) or not parts:
        return None
    united: Any = parts[0]
    for each in parts[1:]:
        united = united | each
    return united


def value_codec(
    kind: Any, encode: Callable[[Any], bytes] | None = None, decode: Callable[[bytes], Any] | None = None
) -> ValueCodec[Any]:
    """
    Return what keeps values of a type.

    Args:
        kind: A class, or what annotations can say; None or Any stands for plain values.
        encode, decode: The user's own, both or neither.

    Raises:
        CacheConfigError: Nothing keeps them, or only one function is given.
    """
    if (encode is None) != (decode is None):
        raise CacheConfigError("only one of encode and decode is given", hint="give both, or neither")
    plain = kind is None or kind is Any
    name = ["plain"] if plain else _described(kind, DEPTH)
    classes = () if plain else _classes(kind)
    if encode is not None and decode is not None:
        return ValueCodec(["own", *name], classes, encode, decode)
    if plain:
        return ValueCodec(name, classes, lambda value: packed([(value,)]), lambda data: unpacked(data)[0][0])
    if isinstance(kind, type) and hasattr(kind, "model_validate_json") and hasattr(kind, "model_dump_json"):
        model: Any = kind
        return ValueCodec(name, classes, lambda value: _text(value).encode(), model.model_validate_json)
    try:
        strange = sorted(_strange(inspect.type_info(kind), set()))
        known = msgspec.msgpack.Decoder(kind).decode
    except (TypeError, ValueError, NameError) as error:
        raise _refused(kind, str(error)) from error
    if strange:
        raise _refused(kind, f"{', '.join(strange)} has no form as bytes")
    return ValueCodec(name, classes, msgspec.msgpack.encode, known)


def _text(model: Any) -> str:
    found: str = model.model_dump_json(round_trip=True)
    return found


def _refused(kind: Any, why: str) -> CacheConfigError:
    return CacheConfigError(
        f"values of {kind!r} cannot be kept: {why}",
        hint="give encode= and decode=, or a type= that is known: an attrs class, a dataclass, a struct, a named tuple, "
        "a model of pydantic, or what they are made of",
    )


def _is_union(kind: Any) -> bool:
    return isinstance(kind, types.UnionType) or get_origin(kind) is Union


def _classes(kind: Any) -> tuple[type[Any], ...]:
    """Return the classes that values of a type are instances of."""
    if _is_union(kind):
        return tuple([found for each in get_args(kind) for found in _classes(each)])
    origin = get_origin(kind) or kind
    return (origin,) if isinstance(origin, type) else ()


def _strange(found: Any, seen: set[int]) -> set[str]:
    """Return the names of classes within a type that nobody knows how to keep."""
    if id(found) in seen:
        return set()
    seen.add(id(found))
    if isinstance(found, inspect.CustomType):
        return {getattr(found.cls, "__qualname__", str(found.cls))}
    names: set[str] = set()
    for each in getattr(found, "__struct_fields__", ()):
        value = getattr(found, each)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, inspect.Type | inspect.Field):
                names |= _strange(part, seen)
    return names


def _described(kind: Any, depth: int) -> list[Any]:
    """Return a type as plain values: names, and the names and types of fields."""
    if _is_union(kind):
        return ["|", *sorted([_described(each, depth) for each in get_args(kind)], key=str)]
    origin = get_origin(kind)
    if origin is not None:
        return [_name(origin), *[_described(each, depth) for each in get_args(kind)]]
    fields = _fields(kind) if depth and isinstance(kind, type) else {}
    return [_name(kind), *[[name, _described(each, depth - 1)] for name, each in fields.items()]]


def _fields(kind: type[Any]) -> dict[str, Any]:
    known = {
        *[each.name for each in (attrs.fields(kind) if attrs.has(kind) else ())],
        *getattr(kind, "__dataclass_fields__", ()),
        *getattr(kind, "__struct_fields__", ()),
        *getattr(kind, "_fields", ()),
        *getattr(kind, "model_fields", ()),
    }
    if not known:
        return {}
    try:
        hints = get_type_hints(kind)
    except (NameError, TypeError):
        hints = {}
    return {each: hints.get(each, Any) for each in sorted(known)}


def _name(kind: Any) -> str:
    if isinstance(kind, type):
        return f"{kind.__module__}.{kind.__qualname__}"
    return str(getattr(kind, "__name__", None) or getattr(kind, "_name", None) or type(kind).__qualname__)
