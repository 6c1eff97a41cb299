"""
Names for classes, annotations and values, in keys and in messages.

Python objects go in, text comes out: injective within the process for keys, short for messages.
"""

import re
import threading
import types
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from weakref import WeakKeyDictionary

__all__ = ["annotation_key", "identity", "shown", "snake_case", "type_text"]

_SHOWN: Final = 60  # characters of a value in a message
_UNIONS: Final = (Union, types.UnionType)


def shown(value: object) -> str:
    """A value with its type, shortened for a message: `str 'abc'`."""
    name = type(value).__qualname__
    if value is None:
        return "None"
    try:
        text = repr(value)
    except Exception:  # a foreign repr may raise anything, and a message must not
        return f"{name} (which has no repr)"
    return f"{name} {text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}"


def snake_case(name: str) -> str:
    """The name of a class as that of something in a store: `BlogPost` is `blog_post`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


_names: Final[WeakKeyDictionary[Any, str]] = WeakKeyDictionary()
_taken: Final[dict[str, int]] = {}
_naming: Final = threading.Lock()


def identity(thing: Any) -> str:
    """
    A name for a class or function, `module.qualname`, that no other living one has.

    Namesakes (local classes of several calls, reloaded modules) get `#2`, `#3`, … in the order in which they are
    first seen, so that structural keys stay injective.
    """
    try:
        known = _names.get(thing)
        if known is None:
            with _naming:
                known = _names.get(thing)
                if known is None:
                    known = _names[thing] = _next_name(thing)
    except TypeError:  # neither hashable nor weakly referable; the type that holds it keeps the address taken
        return f"{_plain_name(thing)}@{id(thing):x}"
    return known


def _next_name(thing: Any) -> str:
    name = _plain_name(thing)
    number = _taken[name] = _taken.get(name, 0) + 1
    return name if number == 1 else f"{name}#{number}"


def _plain_name(thing: Any) -> str:
    name = f"{getattr(thing, '__module__', '?')}.{_qualname(thing)}"
    return name if re.fullmatch(r"[\w.<>]+", name) else repr(name)


def _qualname(thing: Any) -> str:
    return getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None) or type(thing).__qualname__


def annotation_key(annotation: Any) -> str:
    """
    The annotation as text: equal for equal annotations, whatever the order of a union, and different for different
    ones.
    """
    return _written(annotation, identity, ordered=True)


def type_text(annotation: Any) -> str:
    """The annotation as a user writes it: `str | None`, `list[Post]`."""
    return _written(annotation, lambda thing: getattr(thing, "__name__", None) or repr(thing), ordered=False)


def _written(annotation: Any, name: Callable[[Any], str], *, ordered: bool) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is ...:
        return "..."
    if origin in _UNIONS:
        members = [_written(each, name, ordered=ordered) for each in arguments]
        return " | ".join(sorted(members) if ordered else members)
    if origin is Annotated:
        return f"{_written(arguments[0], name, ordered=ordered)}@{annotation.__metadata__!r}"
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin is not None:
        inner = ", ".join([_written(each, name, ordered=ordered) for each in arguments])
        return f"{_written(origin, name, ordered=ordered)}[{inner}]"
    return name(annotation)
