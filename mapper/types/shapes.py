"""
What kind of annotation it is: peeled of aliases and metadata, split into the members of a union, told to be a class
with fields.

Annotations go in; simpler annotations, or yes and no, come out.
"""

import dataclasses
import functools
import operator
import types
import typing
from collections.abc import Sequence
from typing import Annotated, Any, Final, NewType, TypeVar, Union, get_args, get_origin

import attrs
import msgspec
import typing_extensions

__all__ = [
    "ALIASES",
    "NONE",
    "UNIONS",
    "aliased",
    "is_dict",
    "is_generated",
    "is_record",
    "members",
    "peeled",
    "substituted",
    "union",
]

NONE: Final = type(None)
UNIONS: Final = (Union, types.UnionType)
ALIASES: Final = (typing_extensions.TypeAliasType, getattr(typing, "TypeAliasType", typing_extensions.TypeAliasType))


def peeled(annotation: Any) -> Any:
    """The annotation without `Annotated`, `NewType` and type aliases around it."""
    while True:
        inner = annotation.__origin__ if get_origin(annotation) is Annotated else aliased(annotation)
        if inner is annotation:
            return annotation
        annotation = inner


def aliased(annotation: Any) -> Any:
    """What a `NewType` or a type alias, with arguments or without, stands for; anything else itself."""
    if isinstance(annotation, NewType):
        return annotation.__supertype__
    if isinstance(annotation, ALIASES):
        return annotation.__value__
    origin = get_origin(annotation)
    if isinstance(origin, ALIASES):
        return substituted(origin.__value__, dict(zip(origin.__type_params__, get_args(annotation), strict=False)))
    return annotation


def substituted(annotation: Any, bound: dict[Any, Any]) -> Any:
    """The annotation with type variables replaced by what they stand for; unknown ones stay."""
    if isinstance(annotation, TypeVar | typing_extensions.TypeVar):
        return bound.get(annotation, annotation)
    parameters = () if isinstance(annotation, type) else getattr(annotation, "__parameters__", ())
    if not parameters:
        return annotation
    return annotation[tuple(bound.get(each, each) for each in parameters)]  # pyright: ignore[reportIndexIssue]  # a generic alias


def members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, through aliases, without duplicates; of anything else itself alone. None is `NONE`."""
    inner = peeled(annotation)
    if get_origin(inner) not in UNIONS:
        return (NONE,) if inner is None else (annotation,)
    return tuple(dict.fromkeys(member for each in get_args(inner) for member in members(each)))


def union(annotations: Sequence[Any]) -> Any:
    """The union of annotations; of one, itself."""
    return functools.reduce(operator.or_, annotations)


def is_generated(annotation: Any) -> bool:
    """Whether it is a class of attrs or a dataclass, not the generic alias of one."""
    return (
        isinstance(annotation, type)
        and get_origin(annotation) is None
        and (attrs.has(annotation) or dataclasses.is_dataclass(annotation))
    )


def is_record(annotation: Any) -> bool:
    """Whether it is a class with fields that documents are made of, or the generic alias of one."""
    cls = get_origin(annotation) or annotation
    if not isinstance(cls, type):
        return False
    return issubclass(cls, msgspec.Struct) or typing_extensions.is_typeddict(cls) or is_generated(cls)


def is_dict(annotation: Any) -> bool:
    """Whether it is `dict`, with arguments or without."""
    return (get_origin(annotation) or annotation) is dict
