"""
The wire form of a document: what msgspec encodes and decodes in place of classes of attrs and dataclasses.

In goes an annotation, out comes a `Wire`. For each such class a `msgspec.Struct` with the same fields is generated,
which gives its JSON three things that msgspec's own support of these classes lacks: fields in the order of their
declaration, private fields, and tags, so that several of them can stand in one union.
"""

import dataclasses
import datetime as dt
import enum
import typing
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, ForwardRef, Literal, TypeAlias, get_args, get_origin
from uuid import UUID

import attrs
import msgspec

from mapper.types import shapes
from mapper.types.naming import type_text
from mapper.types.storage import Misfit, UnknownType

__all__ = ["Wire", "plan"]

Convert: TypeAlias = Callable[[Any], Any]

_LEAVES = frozenset({
    bool, int, float, str, bytes, bytearray, dt.datetime, dt.date, dt.time, dt.timedelta, Decimal, UUID, object,
    list, dict, tuple, type(None), msgspec.Raw,
})  # fmt: skip


@attrs.define
class Wire:
    """
    How the values of an annotation travel.

    Attributes:
        type: The annotation that msgspec encodes and decodes.
        pack: Makes such a value of the user's; None where it is the same.
        unpack: Makes the user's value again; None where it is the same.
    """

    type: Any
    pack: Convert | None = None
    unpack: Convert | None = None


def plan(annotation: Any) -> Wire:
    """
    The wire form of an annotation.

    Raises:
        UnknownType: It contains something that JSON cannot keep exactly, or a union whose members cannot be told apart.
    """
    return _Planner().of(annotation)


class _Planner:
    """Plans one annotation; classes and aliases that refer to themselves are planned once."""

    def __init__(self) -> None:
        self._made: dict[tuple[type, str | None, Any], Wire] = {}
        self._open: list[Any] = []

    def of(self, annotation: Any) -> Wire:
        if isinstance(annotation, str | ForwardRef):
            raise UnknownType(
                f"the name {annotation!r} in an annotation cannot be found", hint="import it where the class is defined"
            )
        if get_origin(annotation) is Annotated:
            inner = self.of(annotation.__origin__)
            return inner if inner.pack else Wire(Annotated[(inner.type, *annotation.__metadata__)])
        target = shapes.aliased(annotation)
        if target is not annotation:
            return self._alias(annotation, target)
        if get_origin(annotation) in shapes.UNIONS:
            return self._union(annotation)
        if shapes.is_generated(annotation):
            return self._record(annotation)
        return self._container(annotation) or _leaf(annotation)

    def _alias(self, alias: Any, target: Any) -> Wire:
        if alias in self._open:  # as of JSON itself: what is inside is plain JSON again
            return Wire(Any)
        self._open.append(alias)
        try:
            return self.of(target)
        finally:
            self._open.pop()

    def _container(self, annotation: Any) -> Wire | None:
        outer, arguments = get_origin(annotation) or annotation, get_args(annotation)
        if outer in (set, frozenset):
            return _of_set(outer, self.of(arguments[0] if arguments else Any))
        if outer is list and arguments:
            return _of_list(self.of(arguments[0]))
        if outer is dict and arguments:
            return _of_dict(_leaf_only(self.of(arguments[0]), annotation), self.of(arguments[1]))
        if outer is tuple and arguments:
            return self._tuple(arguments)
        return None

    def _tuple(self, arguments: tuple[Any, ...]) -> Wire:
        if len(arguments) == 2 and arguments[1] is ...:
            return _of_tuple(self.of(arguments[0]))
        return _of_places([self.of(each) for each in arguments if each != ()])

    def _union(self, annotation: Any) -> Wire:
        found = shapes.members(annotation)
        present = [each for each in found if each is not shapes.NONE]
        records = [each for each in present if shapes.is_generated(each)]
        tags: Mapping[Any, tuple[str, Any]] = {}
        if records and sum(shapes.is_record(each) for each in present) > 1:
            tags = _tags(records, present)
        wires = [(each, self._record(each, *tags[each]) if each in tags else self.of(each)) for each in present]
        type_ = shapes.union([wire.type for _, wire in wires] + [None] * (len(present) < len(found)))
        if all(wire.pack is None for _, wire in wires):
            return Wire(type_)
        if len(wires) == 1:
            return _of_optional(type_, wires[0][1])
        return _of_union(type_, wires)

    def _record(self, cls: type, tag_field: str | None = None, tag: Any = None) -> Wire:
        known = self._made.get((cls, tag_field, tag))
        if known is not None:
            return known
        fields = _fields(cls)
        tagged = next((each for each in fields if each.name == tag_field), None)
        fields = [each for each in fields if each is not tagged]
        struct = _struct(cls.__name__, fields, tag_field, tag)
        steps: list[_Step] = []  # filled below: a class may contain itself
        discriminator = (tagged, tag) if tagged else None
        pack, unpack = _record_packer(cls, struct, steps, discriminator), _record_unpacker(cls, steps, discriminator)
        wire = self._made[cls, tag_field, tag] = Wire(struct, pack, unpack)
        hints = _hints(cls)
        steps.extend([(each, self.of(hints.get(each.name, Any))) for each in fields])
        for each, inner in steps:  # msgspec reads them when the struct is first used
            struct.__annotations__[each.name] = (
                inner.type if each.required else shapes.union([inner.type, msgspec.UnsetType])
            )
        return wire


def _struct(name: str, fields: Sequence["_Field"], tag_field: str | None, tag: Any) -> type[msgspec.Struct]:
    """A struct whose fields have no types yet; those that need not be given are unset by default."""
    shape = [(each.name, Any) if each.required else (each.name, Any, msgspec.UNSET) for each in fields]
    return msgspec.defstruct(name, shape, kw_only=True, tag=tag, tag_field=tag_field)


def _generic(outer: Any, *arguments: Any) -> Any:
    return outer[arguments]


def _leaf(annotation: Any) -> Wire:
    """What msgspec converts by itself; a plain class that it would hand to hooks is refused."""
    if isinstance(annotation, type) and get_origin(annotation) is None and annotation is not Any:
        known = annotation in _LEAVES or shapes.is_record(annotation) or issubclass(annotation, enum.Enum)
        if not known and not hasattr(annotation, "_fields") and annotation.__module__ != "collections.abc":
            raise UnknownType(
                f"a JSON document cannot contain {type_text(annotation)}; it can contain None, bool, int, float, str, "
                "bytes, Decimal, datetime, date, time, timedelta, UUID, Enum, list, tuple, set, dict, and classes of attrs, "
                "dataclasses, msgspec and TypedDict",
                hint="keep the whole value by a codec of your own: column(type=Codec(Text(), python, encode, decode))",
            )
    return Wire(annotation)


def _leaf_only(wire: Wire, annotation: Any) -> Wire:
    if wire.pack is not None:
        raise UnknownType(
            f"the keys of {type_text(annotation)} are no keys of a JSON object",
            hint="use str, int, UUID or an Enum for keys",
        )
    return wire


def _require(value: object, cls: type) -> None:
    if not isinstance(value, cls):
        raise Misfit(value, f"a {cls.__name__}")


def _of_list(item: Wire) -> Wire:
    pack, unpack = item.pack, item.unpack
    if pack is None or unpack is None:
        return Wire(_generic(list, item.type))

    def packed(values: list[Any]) -> list[Any]:
        _require(values, list)
        return [pack(value) for value in values]

    return Wire(_generic(list, item.type), packed, lambda values: [unpack(value) for value in values])


def _of_set(outer: type, item: Wire) -> Wire:
    """Sets travel as lists in the order of their items' JSON, so that equal sets have equal text."""
    pack, unpack = item.pack, item.unpack

    def packed(values: Any) -> list[Any]:
        _require(values, outer)
        return sorted((pack(value) for value in values) if pack else values, key=msgspec.json.encode)

    return Wire(_generic(list, item.type), packed, lambda values: outer(map(unpack, values) if unpack else values))


def _of_dict(key: Wire, value: Wire) -> Wire:
    pack, unpack = value.pack, value.unpack
    if pack is None or unpack is None:
        return Wire(_generic(dict, key.type, value.type))

    def packed(entries: dict[Any, Any]) -> dict[Any, Any]:
        _require(entries, dict)
        return {name: pack(inner) for name, inner in entries.items()}

    return Wire(
        _generic(dict, key.type, value.type),
        packed,
        lambda entries: {name: unpack(inner) for name, inner in entries.items()},
    )


def _of_tuple(item: Wire) -> Wire:
    pack, unpack = item.pack, item.unpack
    if pack is None or unpack is None:
        return Wire(_generic(tuple, item.type, ...))

    def packed(values: tuple[Any, ...]) -> tuple[Any, ...]:
        _require(values, tuple)
        return tuple([pack(value) for value in values])

    return Wire(_generic(tuple, item.type, ...), packed, lambda values: tuple([unpack(value) for value in values]))


def _of_places(items: Sequence[Wire]) -> Wire:
    type_ = _generic(tuple, *[item.type for item in items])
    if all(item.pack is None for item in items):
        return Wire(type_)

    def packed(values: tuple[Any, ...]) -> tuple[Any, ...]:
        if not isinstance(values, tuple) or len(values) != len(items):
            raise Misfit(values, f"a tuple of {len(items)} items")
        return tuple([item.pack(value) if item.pack else value for item, value in zip(items, values, strict=True)])

    def unpacked(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple([item.unpack(value) if item.unpack else value for item, value in zip(items, values, strict=True)])

    return Wire(type_, packed, unpacked)


def _of_optional(type_: Any, wire: Wire) -> Wire:
    pack, unpack = wire.pack, wire.unpack
    assert pack is not None  # the caller has looked
    assert unpack is not None
    return Wire(
        type_,
        lambda value: None if value is None else pack(value),
        lambda value: None if value is None else unpack(value),
    )


def _of_union(type_: Any, wires: Sequence[tuple[Any, Wire]]) -> Wire:
    """
    Members are told apart by the class of the value, both ways; a value of no member's class is left to msgspec to
    refuse.
    """
    packers = {_class(annotation): wire.pack for annotation, wire in wires if wire.pack}
    unpackers = {_class(wire.type): wire.unpack for _, wire in wires if wire.unpack}

    def packed(value: Any) -> Any:
        pack = packers.get(type(value))
        return pack(value) if pack else value

    def unpacked(value: Any) -> Any:
        unpack = unpackers.get(type(value))
        return unpack(value) if unpack else value

    return Wire(type_, packed, unpacked)


def _class(annotation: Any) -> Any:
    inner = shapes.peeled(annotation)
    return get_origin(inner) or inner


def _tags(records: Sequence[type], present: Sequence[Any]) -> Mapping[Any, tuple[str, Any]]:
    """
    What tells the classes of a union apart: for each the name of the tag and its value.

    That is a field which every class annotates with a `Literal` of its own, else a key `type` (or the one that the
    structs beside them use) with the name of the class.
    """
    for name in [each.name for each in _fields(records[0])]:
        values = [_single_literal(cls, name) for cls in records]
        if None not in values and len(set(values)) == len(records):
            return {cls: (name, value) for cls, value in zip(records, values, strict=True)}
    structs = [each for each in present if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    tag = next((each.__struct_config__.tag_field for each in structs if each.__struct_config__.tag_field), "type")
    for cls in records:
        if any(each.name == tag for each in _fields(cls)):
            raise UnknownType(
                f"{cls.__name__} has a field {tag!r}, which is to tell it from other classes of its union",
                hint=f'annotate it in each class with a literal of its own: {tag}: Literal["{cls.__name__.lower()}"]',
            )
    if len({cls.__name__ for cls in records}) < len(records):
        raise UnknownType(
            f"the union has several classes called {records[0].__name__}",
            hint="give each a field with a Literal of its own",
        )
    return {cls: (tag, cls.__name__) for cls in records}


def _single_literal(cls: type, name: str) -> str | int | None:
    hint = shapes.peeled(_hints(cls).get(name))
    values = get_args(hint) if get_origin(hint) is Literal else ()
    return values[0] if len(values) == 1 and type(values[0]) in (str, int) else None


@attrs.frozen
class _Field:
    """
    A field of a class: its name, what `__init__` calls it (None where it does not take it), and whether it must be
    given.
    """

    name: str
    argument: str | None
    required: bool


def _fields(cls: type) -> list[_Field]:
    if attrs.has(cls):
        return [
            _Field(each.name, each.alias if each.init else None, each.init and each.default is attrs.NOTHING)
            for each in attrs.fields(cls)
        ]
    missing = dataclasses.MISSING
    return [
        _Field(
            each.name,
            each.name if each.init else None,
            each.init and each.default is missing and each.default_factory is missing,
        )
        for each in dataclasses.fields(cls)
    ]


def _hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls, localns={cls.__name__: cls}, include_extras=True)
    except NameError as error:
        raise UnknownType(
            f"an annotation of {cls.__name__} cannot be evaluated: {error}",
            hint="import the name at run time, or define the class at module level",
        ) from error


_Step: TypeAlias = tuple[_Field, Wire]
_Discriminator: TypeAlias = tuple[_Field, Any]


def _record_packer(
    cls: type, struct: type[Any], steps: Sequence[_Step], discriminator: _Discriminator | None
) -> Convert:
    def packed(value: Any) -> Any:
        if type(value) is not cls:
            raise Misfit(value, type_text(cls))
        if discriminator and getattr(value, discriminator[0].name) != discriminator[1]:
            raise Misfit(value, f"{type_text(cls)} with {discriminator[0].name}={discriminator[1]!r}")
        return struct(**{field.name: _apply(wire.pack, getattr(value, field.name)) for field, wire in steps})

    return packed


def _record_unpacker(cls: type, steps: Sequence[_Step], discriminator: _Discriminator | None) -> Convert:
    fixed = {discriminator[0].argument: discriminator[1]} if discriminator and discriminator[0].argument else {}

    def unpacked(value: Any) -> Any:
        arguments: dict[Any, Any] = dict(fixed)
        computed: list[tuple[str, Any]] = []
        for field, wire in steps:
            found = getattr(value, field.name)
            if found is msgspec.UNSET:
                continue
            inner = _apply(wire.unpack, found)
            if field.argument:
                arguments[field.argument] = inner
            else:
                computed.append((field.name, inner))
        made = cls(**arguments)
        for name, inner in computed:  # what `__init__` computes has its stored value again, in a frozen class too
            object.__setattr__(made, name, inner)
        return made

    return unpacked


def _apply(convert: Convert | None, value: Any) -> Any:
    return convert(value) if convert else value
