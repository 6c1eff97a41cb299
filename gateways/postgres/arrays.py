"""
Arrays of several dimensions: `Array()`.

Lists within lists go in and come out; an array of one dimension is a `mapper.types.List` on every gateway.
"""

import types as python_types
from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import Any, get_args, get_origin

import attrs

from gateways.postgres.types import Naming, PostgresType
from mapper.errors import DeclarationError
from mapper.types import Codecs, Decoder, Encoder, List, Misfit, StorageType, infer, narrow

__all__ = ["Array"]


@attrs.frozen
class Array(PostgresType[list[Any]]):
    """
    An array of one dimension or more, as lists within lists of equal length: `Column[list[list[int]]]` with
    `type=Array()`.

    An array without items has no dimensions in PostgreSQL, so that `[]` is kept, and `[[]]` is refused.

    Attributes:
        item: The storage type of the items; what the column's annotation says where it is left out.
        dimensions: How many lists are within each other; likewise.
        nullable: Whether an item may be None.
    """

    item: StorageType[Any] | None = None
    dimensions: int | None = attrs.field(default=None, kw_only=True)
    nullable: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.dimensions is not None and not 1 <= self.dimensions <= 6:
            raise DeclarationError(f"Array(dimensions={self.dimensions!r}): expected 1 to 6")
        if isinstance(self.item, List | Array):
            raise DeclarationError(f"{self.item!r} cannot be the item of an Array", hint="write Array(…, dimensions=2)")
        super().__attrs_post_init__()

    @property
    def python(self) -> type[list[Any]]:
        return list

    def completed(self, members: tuple[Any, ...]) -> StorageType[Any] | None:
        depth, found = 0, members
        while len(found) == 1 and get_origin(found[0]) is list:
            depth, found = depth + 1, _members(get_args(found[0])[0])
        if not depth or self.dimensions not in (None, depth):
            return None
        annotation = reduce(or_, found)
        item, nullable = infer(annotation) if self.item is None else narrow(annotation, self.item)
        return Array(item, dimensions=depth, nullable=nullable)

    def check(self, value: object) -> list[Any]:
        return self._checked(value, self._item.check)

    def parameter_type(self, named: Naming) -> str:
        return named(List(self._item))

    def declared_type(self, named: Naming) -> str:
        return named(List(self._item))

    def encoder(self, codecs: Codecs) -> Encoder:
        encode = codecs.encoder(self._item)
        return lambda value: self._checked(value, encode)

    def decoder(self, codecs: Codecs) -> Decoder:
        decode = codecs.decoder(self._item) or self._single
        return lambda value: self._checked(value, decode)

    def _single(self, value: Any) -> Any:
        """Take an item as it is: PostgreSQL's arrays have any number of dimensions, whatever their columns say."""
        if isinstance(value, list):
            raise Misfit(value, f"{self.dimensions} dimensions of lists")
        return value

    def portable(self, value: Any) -> list[Any]:
        return self._checked(value, self._item.portable)

    def restored(self, value: Any) -> list[Any]:
        return self._checked(value, self._item.restored)

    def parts(self) -> Sequence[StorageType[Any]]:
        return (self._item,)

    @property
    def _item(self) -> StorageType[Any]:
        if self.item is None or self.dimensions is None:
            raise DeclarationError(
                "Array() without a type of items", hint="annotate the column: Column[list[list[int]]]"
            )
        return self.item

    def _checked(self, value: object, convert: Callable[[Any], Any]) -> list[Any]:
        assert self.dimensions is not None
        if isinstance(value, list | tuple) and not value:
            return []
        return self._converted(value, convert, self.dimensions, _shape(value, self.dimensions), value)

    def _converted(
        self, value: Any, convert: Callable[[Any], Any], depth: int, shape: Sequence[int], whole: object
    ) -> list[Any]:
        if not isinstance(value, list | tuple) or len(value) != shape[-depth] or not value:
            raise Misfit(
                whole, f"{self.dimensions} dimensions of lists, each as long as those beside it and none empty"
            )
        if depth > 1:
            return [self._converted(each, convert, depth - 1, shape, whole) for each in value]
        return List(self._item, nullable=self.nullable).converted(value, convert)

    def _key(self) -> str:
        item = "" if self.item is None else self.item.key
        return f"pg:array{self.dimensions}{'?' if self.nullable else ''}({item})"


def _shape(value: Any, dimensions: int) -> list[int]:
    """Return the lengths of a value's first lists."""
    shape: list[int] = []
    while len(shape) < dimensions and isinstance(value, list | tuple):
        shape.append(len(value))
        value = value[0] if value else None
    return [*shape, *[0] * (dimensions - len(shape))]


def _members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if isinstance(annotation, python_types.UnionType) else (annotation,)
