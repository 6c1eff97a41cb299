"""
From annotations to storage types.

In goes what a column is annotated with, and perhaps the storage type that `column(type=...)` gave; out come its
storage type and whether it can be NULL.
"""

import datetime as dt
import enum
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Annotated, Any, Final, ForwardRef, Literal, get_args, get_origin
from uuid import UUID

import attrs

from mapper.errors import DeclarationError
from mapper.types import shapes
from mapper.types.composites import Codec, Enumeration, Json, List
from mapper.types.documents import document_encoder
from mapper.types.moments import Date, Interval, Time, TimestampTz
from mapper.types.naming import type_text
from mapper.types.scalars import Boolean, Bytes, Float, Integer, Numeric, Text, Uuid
from mapper.types.storage import StorageType, UnknownType

__all__ = ["infer", "narrow"]

_SCALARS: Final[dict[Any, StorageType[Any]]] = {
    int: Integer(),
    bool: Boolean(),
    float: Float(),
    str: Text(),
    bytes: Bytes(),
    Decimal: Numeric(),
    dt.datetime: TimestampTz(),
    dt.date: Date(),
    dt.time: Time(),
    dt.timedelta: Interval(),
    UUID: Uuid(),
}

_SUPPORTED: Final = (
    "int, bool, float, str, bytes, Decimal, datetime, date, time, timedelta, UUID, Enum, Literal, list[...], dict, "
    "a class of attrs, dataclasses, msgspec or TypedDict (kept as a JSON document), Any (any JSON value), "
    "each also with | None"
)
_CODEC: Final = "keep it by a codec: column(type=Codec(Text(), python, encode, decode))"


def infer(annotation: Any) -> tuple[StorageType[Any], bool]:
    """
    The storage type of an annotation, and whether it can be NULL.

    `datetime` is aware. A list of single values is a `List`, any other list a document. Of `Annotated`, metadata that
    is a storage type narrows the annotation and the rest is ignored. The values of a `Literal` are kept by their
    type, and no others refused. A class of values with a class method `__storage_type__` is asked for its type, with
    the arguments that the annotation gives it.

    Raises:
        UnknownType: No storage type keeps such values, or a name in the annotation is not resolved.
    """
    present, nullable = _present(annotation)
    return _of_members(present, annotation), nullable


def narrow(annotation: Any, storage: StorageType[Any]) -> tuple[StorageType[Any], bool]:
    """
    The storage type that `column(type=...)` gave, completed by the annotation, and whether it can be NULL.

    `Json()` takes the annotation as the type of its documents, `Enumeration()` its class, also as the items of a
    `List`.

    Raises:
        UnknownType: The annotation's values are not those of the storage type.
    """
    if not isinstance(storage, StorageType):
        raise UnknownType(f"{storage!r} is no storage type", hint="pass one, such as type=Varchar(50)")
    present, nullable = _present(annotation)
    return _narrowed(present, annotation, storage), nullable


def _present(annotation: Any) -> tuple[tuple[Any, ...], bool]:
    """The members of the annotation apart from None, and whether None is one."""
    found = _members(annotation)
    present = tuple(each for each in found if each is not shapes.NONE)
    if not present:
        raise UnknownType("a column that can only be None stores nothing", hint="annotate it with a type: str | None")
    return present, len(present) < len(found)


def _members(annotation: Any) -> tuple[Any, ...]:
    """
    As `shapes.members`, which looks through metadata, except that a storage type in the metadata is kept with its
    annotation.
    """
    if get_origin(annotation) is Annotated and not _metadata_type(annotation):
        return _members(annotation.__origin__)
    inner = shapes.aliased(annotation)
    if inner is not annotation:
        return _members(inner)
    if get_origin(annotation) in shapes.UNIONS:
        return tuple(dict.fromkeys(member for each in get_args(annotation) for member in _members(each)))
    if get_origin(annotation) is Annotated and shapes.NONE in shapes.members(annotation):
        present, _ = _present(annotation.__origin__)
        return Annotated[shapes.union(present), _metadata_type(annotation)], shapes.NONE
    return (shapes.NONE,) if annotation is None else _literal_members(annotation)


def _literal_members(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is not Literal or None not in get_args(annotation):
        return (annotation,)
    values = tuple(each for each in get_args(annotation) if each is not None)
    return (Literal[values], shapes.NONE) if values else (shapes.NONE,)


def _metadata_type(annotation: Any) -> StorageType[Any] | None:
    return next((each for each in annotation.__metadata__ if isinstance(each, StorageType)), None)


def _of_members(present: tuple[Any, ...], annotation: Any) -> StorageType[Any]:
    if len(present) == 1:
        return _of_one(present[0])
    if all(shapes.is_record(each) or shapes.is_dict(each) or _is_list(each) for each in present):
        return _document(shapes.union(present))
    raise _unknown(
        annotation, "a union of several types has no storage type in common, unless all are classes kept as documents"
    )


def _of_one(annotation: Any) -> StorageType[Any]:
    origin = get_origin(annotation)
    if origin is Annotated and (given := _metadata_type(annotation)):
        return narrow(annotation.__origin__, given)[0]
    if annotation is Any:
        return Json()
    if isinstance(annotation, str | ForwardRef):
        raise UnknownType(
            f"the name {annotation!r} is not resolved",
            hint="import it where the relation is declared, not for checkers alone",
        )
    if origin is Literal:
        return _of_literal(annotation)
    own = getattr(origin or annotation, "__storage_type__", None)
    if own is not None:
        stored: StorageType[Any] = own(*get_args(annotation))
        return stored
    if _is_list(annotation):
        return _of_list(annotation)
    if shapes.is_record(annotation) or shapes.is_dict(annotation):
        return _document(annotation)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _enumeration(annotation, Enumeration)
    if isinstance(annotation, type) and annotation in _SCALARS:
        return _SCALARS[annotation]
    raise _unknown(annotation)


def _of_literal(annotation: Any) -> StorageType[Any]:
    kinds = {type(value) for value in get_args(annotation)}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind in (str, int, bool, bytes):
        return _SCALARS[kind]
    if kind is not None and issubclass(kind, enum.Enum):
        return _enumeration(kind, Enumeration)
    raise _unknown(annotation, "its values are of several types")


def _is_list(annotation: Any) -> bool:
    return (get_origin(annotation) or annotation) is list


def _of_list(annotation: Any) -> StorageType[Any]:
    """Single values make a `List`; items of any other kind, or of none, make a document."""
    arguments: tuple[Any, ...] = get_args(annotation)
    for item in arguments:
        present, nullable = _present(item)
        if len(present) != 1 or present[0] is Any:
            break
        stored = _of_one(present[0])
        if not isinstance(stored, List | Json):
            return List(stored, nullable=nullable)
    return _document(annotation)


def _document(annotation: Any) -> Json:
    """
    A document type, compiled once to see that JSON can keep it, unless a class in it refers to one that is still to
    come.
    """
    try:
        document_encoder(annotation)
    except UnknownType as error:
        if not isinstance(error.__cause__, NameError):
            raise
    return Json(annotation)


def _enumeration(cls: type[enum.Enum], made: Callable[[type[enum.Enum]], Enumeration]) -> Enumeration:
    try:
        return made(cls)
    except DeclarationError as error:
        raise UnknownType(error.message, hint=error.hint) from error


def _narrowed(present: tuple[Any, ...], annotation: Any, storage: StorageType[Any]) -> StorageType[Any]:
    only = present[0] if len(present) == 1 else None
    if isinstance(storage, Json):
        return _narrowed_document(present, annotation, storage)
    if only is Any:
        return storage
    if isinstance(storage, Enumeration):
        return _narrowed_enumeration(only, annotation, storage)
    if isinstance(storage, List) and _is_list(only):
        return _narrowed_list(only, storage)
    if isinstance(storage, Codec):
        fits = only is not None and (storage.python is only or storage.python is get_origin(only))
        completed: StorageType[Any] | None = storage if fits else None
    else:
        completed = storage.completed(tuple([_plain(each) for each in present]))
    if completed is None:
        raise _mismatch(annotation, storage)
    return completed


def _plain(annotation: Any) -> Any:
    """The class of the annotation's values where it is that of a single value."""
    if get_origin(annotation) is Annotated:
        annotation = shapes.peeled(annotation)
    return _of_literal(annotation).python if get_origin(annotation) is Literal else annotation


def _narrowed_document(present: tuple[Any, ...], annotation: Any, storage: Json) -> Json:
    whole = None if present == (Any,) else shapes.union(present)
    if storage.annotation is None:
        return _document(whole) if whole is not None else storage
    if whole is None or storage.annotation == whole or storage.python is whole:
        return _document(storage.annotation)
    raise _mismatch(annotation, storage)


def _narrowed_enumeration(only: Any, annotation: Any, storage: Enumeration) -> Enumeration:
    if not (isinstance(only, type) and issubclass(only, enum.Enum)) or storage.cls not in (None, only):
        raise _mismatch(annotation, storage)
    return _enumeration(only, lambda cls: attrs.evolve(storage, cls=cls))


def _narrowed_list(annotation: Any, storage: List) -> List:
    for item in get_args(annotation):
        inner, nullable = narrow(item, storage.item)
        return List(inner, nullable=nullable)
    return storage


def _unknown(annotation: Any, reason: str = "") -> UnknownType:
    because = f" ({reason})" if reason else ""
    return UnknownType(
        f"no storage type is known for {type_text(annotation)}{because}; supported are {_SUPPORTED}", hint=_CODEC
    )


def _mismatch(annotation: Any, storage: StorageType[Any]) -> UnknownType:
    values = type_text(storage.annotation if isinstance(storage, Json) else storage.python)
    fitting = "".join(_suggestions(annotation))
    return UnknownType(
        f"{storage!r} keeps values of {values}, and the column is annotated as {type_text(annotation)}",
        hint=fitting or _CODEC,
    )


def _suggestions(annotation: Any) -> Iterator[str]:
    try:
        storage, _ = infer(annotation)
    except UnknownType:
        return
    yield f"annotate the column accordingly, or keep {type_text(annotation)} as {storage!r}"
