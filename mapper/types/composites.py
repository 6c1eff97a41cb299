"""
Storage types made of others: enumerations, lists, documents, the user's codecs.

In goes a Python value, out comes what a gateway stores a part of, or a `Misfit` that says which part cannot be kept.
"""

import enum
import types
from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, get_origin

import attrs
from typing_extensions import TypeVar

from mapper.errors import DeclarationError
from mapper.types.documents import document_decoder, document_encoder
from mapper.types.moments import Date
from mapper.types.naming import annotation_key, identity, snake_case, type_text
from mapper.types.scalars import Boolean, Bytes, Float, Integer, Numeric, Text, Uuid
from mapper.types.storage import Misfit, StorageType

__all__ = ["Codec", "Enumeration", "Json", "List"]

T = TypeVar("T")

_OF_VALUES: Mapping[type, StorageType[Any]] = types.MappingProxyType(
    {type_.python: type_ for type_ in (Integer(), Boolean(), Float(), Text(), Bytes(), Numeric(), Date(), Uuid())}
)


@attrs.frozen
class Enumeration(StorageType[enum.Enum]):
    """
    Members of an `Enum`, kept by value (in the storage type of the values) or by name.

    Attributes:
        cls: The enumeration; None until `narrow` takes it from the column's annotation.
        by: `"value"` or `"name"`.
        native: Use an enumeration type of the store's own where it has such. Its members are text, and sort in the order
            of their definition.
        name, schema: What the store's own type is called, by default the class's name in snake case, and its namespace.
        stored: The storage type of what is kept.

    Raises:
        DeclarationError: The values have no storage type in common, or one of them cannot be kept.
    """

    cls: type[enum.Enum] | None = None
    by: Literal["value", "name"] = attrs.field(default="value", kw_only=True)
    native: bool = attrs.field(default=False, kw_only=True)
    name: str | None = attrs.field(default=None, kw_only=True)
    schema: str | None = attrs.field(default=None, kw_only=True)
    stored: StorageType[Any] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.by not in ("value", "name"):
            raise DeclarationError(f"Enumeration(by={self.by!r}): expected 'value' or 'name'")
        if not self.native and (self.name, self.schema) != (None, None):
            raise DeclarationError(
                "Enumeration(name=…, schema=…) names a type that it does not use", hint="add native=True"
            )
        object.__setattr__(self, "stored", self._stored())
        super().__attrs_post_init__()

    @property
    def python(self) -> type[enum.Enum]:
        return self.cls or enum.Enum

    @property
    def own_name(self) -> str:
        """What the store's own type is called."""
        return snake_case(self.python.__name__) if self.name is None else self.name

    def check(self, value: object) -> enum.Enum:
        if self.cls is None or not isinstance(value, self.cls):
            raise Misfit(value, f"a member of {self.python.__name__}", hint=self._nearest(value))
        return value

    def kept(self, member: enum.Enum) -> Any:
        """What stands for a member in the store, before the store's own encoding: its value or its name."""
        return member.value if self.by == "value" else member.name

    def member(self, kept: Any) -> enum.Enum:
        """
        The member, or combination of flags, that `kept` stands for.

        Raises:
            KeyError, ValueError: There is none.
        """
        if self.by == "name":
            return self.python[kept]
        found = self.python(kept)
        if isinstance(found, enum.Flag) and found.value != kept:
            # Some releases of Python 3.11 drop bits that no member has instead of refusing them.
            raise ValueError(f"{kept!r} has bits that no member of {self.python.__name__} has")
        return found

    def members(self) -> Mapping[Any, enum.Enum]:
        """Members by what stands for them, aliases left out; combinations of a `Flag` are not listed."""
        return {self.stored.check(self.kept(member)): member for member in self.python}

    def _nearest(self, value: object) -> str | None:
        members = () if self.cls is None else tuple(self.cls)
        for member in members:
            if type(value) is type(member.value) and value == member.value:
                return f"pass the member: {member}"
        return None

    def _stored(self) -> StorageType[Any]:
        if self.by == "name":
            if issubclass(self.python, enum.Flag):
                raise DeclarationError(
                    f"flags of {self.python.__name__} are combined, and a combination has no name",
                    hint="keep them by value",
                )
            return Text()
        stored = _type_of_values(self.python)
        if self.native and not isinstance(stored, Text):
            raise DeclarationError(
                f"the values of {self.python.__name__} are no text, which the members of a store's own type are",
                hint="keep it by name: column(type=Enumeration(by='name', native=True))",
            )
        for member in self.python:
            try:
                stored.check(member.value)
            except Misfit as misfit:
                raise DeclarationError(f"{member} cannot be stored: {misfit.message}", hint=misfit.hint) from misfit
        return stored

    def _key(self) -> str:
        name = identity(self.cls) if self.cls is not None else ""
        own = f"!{self.schema!r}.{self.own_name!r}" if self.native else ""
        return f"e{'n' if self.by == 'name' else 'v'}{own}:{name}"


def _type_of_values(cls: type[enum.Enum]) -> StorageType[Any]:
    kinds = {_plain_class(member.value) for member in cls} or {str}
    if len(kinds) == 1 and (stored := _OF_VALUES.get(kinds.pop())):
        return stored
    raise DeclarationError(
        f"the values of {cls.__name__} have no storage type in common",
        hint="keep it by name: column(type=Enumeration(by='name'))",
    )


def _plain_class(value: object) -> type:
    return next((cls for cls in type(value).__mro__ if cls in _OF_VALUES), type(value))


@attrs.frozen
class List(StorageType[list[Any]]):
    """
    A list of single values; a tuple is taken too.

    Attributes:
        item: The storage type of the items.
        nullable: Whether an item may be None.

    Raises:
        DeclarationError: The items are lists or documents.
    """

    item: StorageType[Any]
    nullable: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        inner = self.item.storage if isinstance(self.item, Codec) else self.item
        if isinstance(inner, List | Json):
            raise DeclarationError(
                f"{self.item!r} cannot be the item of a List", hint="store the whole list as a document: Json()"
            )
        super().__attrs_post_init__()

    @property
    def python(self) -> type[list[Any]]:
        return list

    def check(self, value: object) -> list[Any]:
        return self.converted(value, self.item.check)

    def converted(self, value: object, convert: Callable[[Any], Any]) -> list[Any]:
        """
        A new list of what `convert` makes of each item that is not None.

        Raises:
            Misfit: `value` is no list, or an item is refused; the message says which.
        """
        if not isinstance(value, list | tuple):
            raise Misfit(value, f"a list of {type_text(self.item.python)}")
        nullable, result = self.nullable, []
        try:
            for item in value:
                result.append(None if item is None and nullable else convert(item))
        except Misfit as misfit:
            raise misfit.within(f"item {len(result)}") from None
        return result

    def portable(self, value: Any) -> list[Any]:
        return [None if each is None else self.item.portable(each) for each in value]

    def restored(self, value: Any) -> list[Any]:
        return self.converted(value, self.item.restored)

    def _key(self) -> str:
        return f"l{'?' if self.nullable else ''}({self.item.key})"


@attrs.frozen
class Json(StorageType[Any]):
    """
    A document: what JSON represents exactly, typed by an annotation.

    The annotation is a class with fields (attrs, dataclass, msgspec, TypedDict), a dict, a list, or a union of
    classes, which are told apart by a tag (see `document_encoder`). Without one, any JSON value: None, bool, int,
    float, str, list, dict. Documents are compared with `==` by the user's own classes, by stores as the text or tree
    that they keep.

    Attributes:
        annotation: What `Json(...)` was given, or what `narrow` took from the column's annotation; None for any JSON
            value.
    """

    annotation: Any = attrs.field(default=None, alias="python")

    @property
    def python(self) -> type[Any]:
        outer = get_origin(self.annotation) or self.annotation
        return outer if isinstance(outer, type) and outer is not types.UnionType else object

    def check(self, value: object) -> Any:
        """
        The value itself, once it is known that its text reads back as the same. None is JSON's null where the
        annotation has it.
        """
        document_encoder(self.annotation)(value)
        return value

    def portable(self, value: Any) -> str:
        return document_encoder(self.annotation)(value)

    def restored(self, value: Any) -> Any:
        return document_decoder(self.annotation)(value)

    def _key(self) -> str:
        return "j" if self.annotation is None else f"j:{annotation_key(self.annotation)}"


@attrs.frozen
class Codec(StorageType[Any], Generic[T]):
    """
    A type of the user's own: `Codec(Text(), Color, encode=Color.hex, decode=Color.from_hex)`.

    Comparison and order in the store are those of what `encode` returns.

    Attributes:
        storage: The storage type of what `encode` returns.
        of: The class of the user's values, which is also `python`; given as `python=`.
        encode: Makes the stored value of one that is not None; whatever it raises is reported as a `Misfit`.
        decode: Makes the user's value of a stored one.
    """

    storage: StorageType[Any]
    of: type[T] = attrs.field(alias="python")
    encode: Callable[[T], Any]
    decode: Callable[[Any], T]

    @property
    def python(self) -> type[T]:
        return self.of

    def check(self, value: object) -> Any:
        """
        The stored value, as `storage.check` returns it: unlike other types, what the user sees comes back from
        `decode`.
        """
        return self.converted(value, self.storage.check)

    def converted(self, value: object, convert: Callable[[Any], Any]) -> Any:
        """
        What `convert` makes of the encoded value.

        Raises:
            Misfit: The value is of another class, `encode` raised or returned None, or `convert` refused what it
                returned.
        """
        stored = self._encoded(value)
        try:
            return convert(stored)
        except Misfit as misfit:
            raise misfit.within(f"{type_text(self.of)} as its codec encodes it") from None

    def portable(self, value: Any) -> Any:
        return self.storage.portable(self.encode(value))

    def restored(self, value: Any) -> T:
        return self.decode(self.storage.restored(value))

    def _encoded(self, value: object) -> Any:
        if not isinstance(value, self.of):
            raise Misfit(value, type_text(self.of))
        expected = f"a {type_text(self.of)} that its codec encodes"
        try:
            stored = self.encode(value)
        except (
            Exception
        ) as error:  # the user's function may raise anything, and all of it means that the value cannot be stored
            raise Misfit(value, expected, detail=f"it raised {error!r}") from error
        if stored is None:
            raise Misfit(
                value, expected, detail="it returned None", hint="annotate the column as nullable, and None is NULL"
            )
        return stored

    def _key(self) -> str:
        return f"c({self.storage.key},{identity(self.of)},{identity(self.encode)},{identity(self.decode)})"
