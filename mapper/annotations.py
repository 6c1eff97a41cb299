"""
Annotations as values: resolved, with type variables filled in, compared, and written out for a message.

What a class says of its fields goes in; types come out, or a marker where there is none or it cannot be found.
"""

import datetime
import inspect
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NewType, TypeAlias, TypeVar, Union, get_args, get_origin

import typing_extensions
from attrs import frozen

__all__ = [
    "MISSING",
    "NONE",
    "Bindings",
    "Unresolved",
    "accepts",
    "accepts_none",
    "alternatives",
    "bindings_of",
    "field_annotation",
    "resolve",
    "substituted",
    "type_name",
]

Bindings: TypeAlias = Mapping[type, Mapping[Any, Any]]
"""For each class of a hierarchy what its type variables stand for."""

NONE: Final = type(None)
UNIONS: Final = (Union, types.UnionType)
QUALIFIERS: Final = (Final, Annotated, typing_extensions.ReadOnly)

ALIASES: Final = (typing_extensions.TypeAliasType, getattr(typing, "TypeAliasType", typing_extensions.TypeAliasType))

APART: Final = ((int, bool), (datetime.date, datetime.datetime))
"""Classes whose subclass means something else in a store: a field of the first does not take the second."""


class _Missing:
    """The type of `MISSING`."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""Stands for the annotation of a field that has none."""


@frozen
class Unresolved:
    """
    An annotation with a name that cannot be found, as of something imported for type checkers alone.

    Attributes:
        text: The annotation as it is written.
        reason: Why it cannot be evaluated.
    """

    text: str
    reason: str


def resolve(annotation: Any, owner: Any, localns: Mapping[str, Any]) -> Any:
    """
    Evaluate an annotation in the module of its owner.

    Args:
        annotation: A type, a string, or a type with strings in it.
        owner: The class, or the function, that it stands in.
        localns: Names beyond those of the module, which they hide.

    Returns:
        The type without qualifiers such as `Final` and `Annotated`; `Unresolved` where a name is unknown.
    """
    module = sys.modules.get(owner.__module__)
    known = vars(module) if module else {}
    around = {each.__name__: each for each in reversed(getattr(owner, "__mro__", ())) if each.__name__ not in known}
    try:
        return _evaluated(annotation, known, {**around, **localns})
    except Exception as error:  # the user's expression may raise anything
        reason = str(error)
    try:  # the class's own namespace comes last: in it `date: date = ...` hides the type
        return _evaluated(annotation, known, {**getattr(owner, "__dict__", {}), **around, **localns})
    except Exception:  # as above; the first reason is the one to tell
        return Unresolved(annotation if isinstance(annotation, str) else repr(annotation), reason)


def _evaluated(annotation: Any, known: dict[str, Any], names: dict[str, Any]) -> Any:
    holder = type("holder", (), {"__annotations__": {"field": annotation}})
    return _unqualified(typing.get_type_hints(holder, known, names)["field"])


def _unqualified(annotation: Any) -> Any:
    while get_origin(annotation) in QUALIFIERS:
        annotation = get_args(annotation)[0]
    return annotation


def field_annotation(cls: type, name: str, bindings: Bindings, localns: Mapping[str, Any]) -> Any:
    """Return the type of a field as the nearest class of the hierarchy annotates it, or `MISSING`."""
    for owner in cls.__mro__:
        annotations = inspect.get_annotations(owner)
        if name in annotations:
            return substituted(resolve(annotations[name], owner, localns), bindings.get(owner, {}))
    return MISSING


def bindings_of(model: Any) -> Bindings:
    """
    Follow the type arguments of a class or of a generic alias up its hierarchy; defaults stand for arguments left out.
    """
    found: dict[type, Mapping[Any, Any]] = {}
    _bind(model, {}, found)
    return found


def _bind(alias: Any, outer: Mapping[Any, Any], found: dict[type, Mapping[Any, Any]]) -> None:
    cls = get_origin(alias) or alias
    if not isinstance(cls, type) or cls in found:
        return
    found[cls] = bound = _arguments(getattr(cls, "__parameters__", ()), get_args(alias), outer)
    for base in cls.__dict__.get("__orig_bases__", cls.__bases__):
        _bind(base, bound, found)


def _arguments(parameters: Sequence[Any], arguments: Sequence[Any], outer: Mapping[Any, Any]) -> dict[Any, Any]:
    bound: dict[Any, Any] = {}
    for position, parameter in enumerate(parameters):
        if position < len(arguments):
            bound[parameter] = substituted(arguments[position], outer)
        elif (default := getattr(parameter, "__default__", None)) not in (None, typing_extensions.NoDefault):
            bound[parameter] = substituted(default, bound)
    return bound


def substituted(annotation: Any, bound: Mapping[Any, Any]) -> Any:
    """Replace type variables by what they stand for; unknown ones stay."""
    if isinstance(annotation, TypeVar):
        return bound.get(annotation, annotation)
    parameters = getattr(annotation, "__parameters__", ())
    if not parameters or isinstance(annotation, type):  # a generic class without arguments stays what it is
        return annotation
    return annotation[tuple(bound.get(each, each) for each in parameters)]


def accepts(field: Any, given: Any) -> bool:
    """
    Whether a field takes every value of a given type; what is not known is taken. None is judged by `accepts_none`.

    Classes go by inheritance, except that `bool` is no `int` and `datetime` no `date` here; type arguments must be
    equal.
    """
    wanted, offered = alternatives(field), alternatives(given)
    if wanted is None or offered is None:
        return True
    return all(any(_takes(want, offer) for want in wanted) for offer in offered if offer is not NONE)


def accepts_none(field: Any) -> bool:
    """Whether None is one of a field's values; of an unknown type it is."""
    wanted = alternatives(field)
    return wanted is None or NONE in wanted


def alternatives(annotation: Any) -> tuple[Any, ...] | None:
    """List the members of a union, or the one type that is none; None where anything goes or the type is not known."""
    annotation = _unqualified(annotation)
    if annotation is None:
        return (NONE,)
    if _is_open(annotation):
        return None
    if isinstance(annotation, NewType):
        return alternatives(annotation.__supertype__)
    if isinstance(annotation, ALIASES):
        return alternatives(annotation.__value__)
    if get_origin(annotation) is Literal:
        return tuple(dict.fromkeys(type(each) for each in get_args(annotation)))
    return _members(annotation) if get_origin(annotation) in UNIONS else (annotation,)


def _is_open(annotation: Any) -> bool:
    if annotation is Any or annotation is object or annotation is MISSING:
        return True
    return isinstance(annotation, Unresolved | TypeVar | str | typing.ForwardRef)


def _members(union: Any) -> tuple[Any, ...] | None:
    members: list[Any] = []
    for each in get_args(union):
        inner = alternatives(each)
        if inner is None:
            return None
        members.extend(inner)
    return tuple(dict.fromkeys(members))


def _takes(wanted: Any, offered: Any) -> bool:
    if wanted == offered:
        return True
    outer, inner = get_origin(wanted) or wanted, get_origin(offered) or offered
    if (outer, inner) in APART or not isinstance(outer, type) or not isinstance(inner, type):
        return False
    return _inherits(inner, outer) and _same_arguments(get_args(wanted), get_args(offered))


def _inherits(inner: type, outer: type) -> bool:
    try:
        return issubclass(inner, outer)
    except TypeError:  # a protocol that cannot be checked at run time
        return True


def _same_arguments(wanted: Sequence[Any], offered: Sequence[Any]) -> bool:
    if not wanted or not offered:
        return True
    return len(wanted) == len(offered) and all(_same(*pair) for pair in zip(wanted, offered, strict=True))


def _same(wanted: Any, offered: Any) -> bool:
    if wanted == offered or alternatives(wanted) is None or alternatives(offered) is None:
        return True
    return accepts(wanted, offered) and accepts(offered, wanted) and accepts_none(wanted) == accepts_none(offered)


def type_name(annotation: Any) -> str:
    """Write a type as a user does: `str | None`, `list[int]`, `Post`."""
    if annotation is NONE or annotation is None:
        return "None"
    if isinstance(annotation, Unresolved):
        return annotation.text
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in UNIONS:
        return " | ".join(type_name(each) for each in arguments)
    if origin is Literal:
        return f"Literal[{', '.join(repr(each) for each in arguments)}]"
    if origin is not None and arguments:
        return f"{type_name(origin)}[{', '.join('...' if each is ... else type_name(each) for each in arguments)}]"
    name = getattr(annotation, "__name__", None)
    return name if isinstance(name, str) else repr(annotation).removeprefix("typing.")
