"""
Making objects of frozen attrs classes, in a third of the time that calling them takes.

The shape of a model goes in; a function of the values of its fields, in order, comes out, or None where calling the
class is all that is right.

The `__init__` of a frozen class gives each value to `object.__setattr__`, which costs six times what an assignment does.
So the object is made as one of a twin, a subclass that adds nothing and is not frozen, and becomes one of the class when
it is complete; CPython allows that where both are laid out alike. It is done for classes alone whose `__init__` does
nothing but keep its arguments: no validator, no converter, no hook before or behind it, nothing written by hand.

A generated function that makes objects in a loop does better yet to write these assignments down itself, which spares
it a call for each of them; `twin_of` gives what it needs for that.
"""

from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any, Final, Generic

from typing_extensions import TypeVar

from mapper.models import ModelShape
from mapper.source import compiled, is_plain_name

__all__ = ["maker", "maker_of", "twin_of", "unfrozen"]

T = TypeVar("T")

GENERATED: Final = "<attrs generated"
"""How the names of files begin which attrs makes up for what it generates."""

LIMIT: Final = 1024
"""Makers that are kept."""


def maker(shape: ModelShape) -> Callable[..., Any] | None:
    """Return what makes an object of the values of all fields; None where that is the class itself."""
    if shape.kind != "attrs" or not shape.initialises or shape.computed:
        return None
    return _maker(shape.cls, tuple([each.name for each in shape.fields]))


def maker_of(cls: type[T]) -> Callable[..., T]:
    """Return what makes an object of a frozen class of the values of all fields, by position; else the class itself."""
    kept: Any = cls
    return _maker(kept, tuple([each.name for each in getattr(cls, "__attrs_attrs__", ())])) or cls


def twin_of(shape: ModelShape) -> Any:
    """
    Return the twin of a shape's class, as of `unfrozen`, whose fields are all assigned, in order; None where calling
    the class is all that is right.
    """
    if shape.kind != "attrs" or not shape.initialises or shape.computed:
        return None
    return _twin(shape.cls, tuple([each.name for each in shape.fields]))


@lru_cache(LIMIT)
def _twin(cls: Any, names: tuple[str, ...]) -> Any:
    if not names or not _only_keeps(cls, names) or not all(map(is_plain_name, names)):
        return None
    return unfrozen(cls)


@lru_cache(LIMIT)
def _maker(cls: Any, names: tuple[str, ...]) -> Callable[..., Any] | None:
    twin = _twin(cls, names)
    if twin is None:
        return None
    places = [f"v{number}" for number in range(len(names))]
    lines = [f"def make({', '.join(places)}):", "    made = twin()"]
    lines += [f"    made.{name} = {place}" for name, place in zip(names, places, strict=True)]
    lines += ["    made.__class__ = cls", "    return made"]
    return compiled("\n".join(lines) + "\n", {"twin": twin, "cls": cls}, "make")


def _only_keeps(cls: Any, names: tuple[str, ...]) -> bool:
    """Tell whether the class is frozen and its `__init__` keeps its arguments and does nothing else."""
    known = vars(cls)
    made = known.get("__init__")
    fields = known.get("__attrs_attrs__", ())
    return (
        cls.__bases__ in ((object,), (Generic,))
        and type(cls) is type
        and isinstance(made, FunctionType)
        and made.__code__.co_filename.startswith(GENERATED)
        and getattr(cls.__setattr__, "__name__", "") == "_frozen_setattrs"
        and not {"__init_subclass__", "__new__"} & known.keys()
        and not any([hasattr(cls, each) for each in ("__attrs_pre_init__", "__attrs_post_init__")])
        and tuple([each.name for each in fields]) == names
        and all([each.init and each.validator is None and each.converter is None for each in fields])
        and set(known.get("__slots__", ())) - {"__weakref__"} == set(names)
    )


def unfrozen(cls: Any) -> Any:
    """
    Return the twin of a frozen class: a class whose objects can be given their values, and then become those of `cls` by
    `made.__class__ = cls`. Called without arguments it gives an empty one, for two thirds of what `object.__new__` takes.
    None where there can be no such.
    """
    body = {"__slots__": (), "__module__": cls.__module__}
    body |= {"__init__": object.__init__, "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    twin = type(f"{cls.__name__}InTheMaking", (cls,), body)
    try:
        twin().__class__ = cls
    except TypeError:  # another Python may lay them out in other ways
        return None
    return twin
