"""
Paths into JSON documents: which part of a document is meant, and of what type it is.

Keys, and the annotation of a document where it has one, go in; a path comes out, in the form in which it stands in the
name of an expression, with the annotation of the part.
"""

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeAlias, get_args, get_origin, get_type_hints
from uuid import UUID

from mapper import types
from mapper.errors import QueryError
from mapper.types import StorageType, shapes

__all__ = ["AS", "PATH", "Step", "Steps", "kind_of", "parted", "recorded", "steps_of", "stored_as", "written"]

Step: TypeAlias = str | int
"""The key of an object, or the position in an array; negative from its end."""

Steps: TypeAlias = tuple[Step, ...]

PATH: Final = "json_path"
"""The name, before its steps, of an expression that is a part of a document."""

AS: Final = "json_as"
"""The same for a part as a value of a type."""

SCALARS: Final = (str, int, float, bool, Decimal, date, datetime, UUID)
"""What a part may be taken as, beside documents and enumerations."""


def written(kind: str, steps: Steps, type_: StorageType[Any] | None = None) -> str:
    """Return the name of an expression that is the part at these steps; with a type, as a value of it."""
    return f"{kind}:{json.dumps(steps, ensure_ascii=False)}{'' if type_ is None else f'@{type_.key}'}"


def steps_of(name: str) -> Steps:
    """Return the steps that such a name has."""
    steps, _ = json.JSONDecoder().raw_decode(name.partition(":")[2])
    return tuple(steps)


def parted(annotation: Any, step: Step) -> tuple[Step, Any]:
    """
    Return how a part of a document is called in the JSON, and its annotation.

    Args:
        annotation: Of the document; None where it is not known.
        step: A field, key or position.

    Raises:
        QueryError: The annotation is that of a class without such a field.
    """
    present = [each for each in shapes.members(annotation) if each is not shapes.NONE] if annotation is not None else []
    if len(present) != 1:
        return step, None
    only = shapes.peeled(present[0])
    origin, arguments = get_origin(only) or only, get_args(only)
    if origin is dict and len(arguments) == 2:
        return step, _known(arguments[1])
    if origin is list and len(arguments) == 1:
        return step, _known(arguments[0])
    return (step, None) if not shapes.is_record(only) or not isinstance(step, str) else _field(only, step)


def stored_as(annotation: Any) -> StorageType[Any]:
    """
    Return the storage type of a part that is taken as a value of a type.

    Raises:
        QueryError: JSON has no one form for values of the type.
    """
    members = [each for each in shapes.members(annotation) if each is not shapes.NONE]
    only = shapes.peeled(members[0]) if len(members) == 1 else annotation
    if only in SCALARS or (isinstance(only, type) and issubclass(only, Enum)):
        return types.infer(only)[0]
    if only is Any:
        return types.Json()
    if shapes.is_record(only) or shapes.is_dict(only) or (get_origin(only) or only) is list:
        return types.Json(annotation)
    raise QueryError(
        f"a part of a document cannot be taken as {annotation!r}",
        hint="take it as str, int, float, bool, Decimal, date, datetime, UUID, an Enum, dict, list or a class, and "
        "convert it then",
    )


def kind_of(type_: StorageType[Any]) -> str | None:
    """Return which kind of JSON value a part that is taken as a document must be: `object`, `array`, or any: None."""
    annotation = type_.annotation if isinstance(type_, types.Json) else None
    if annotation is None:
        return None
    kinds = {shapes.peeled(each) for each in shapes.members(annotation) if each is not shapes.NONE}
    return "array" if any((get_origin(each) or each) is list for each in kinds) else "object"


def recorded(path: Callable[[Any], Any]) -> Steps:
    """
    Return the steps that a function takes from its argument to what it returns.

    Raises:
        QueryError: It does anything else with it.
    """
    found = path(_Recorder(()))
    if not isinstance(found, _Recorder):
        raise QueryError(
            f"the path returned {found!r}, expected a part of its argument", hint="at(lambda s: s.theme.color)"
        )
    steps: Steps = object.__getattribute__(found, "_steps")
    return steps


class _Recorder:
    """Stands for a document, and takes note of what is asked of it."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Steps) -> None:
        object.__setattr__(self, "_steps", steps)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__"):
            return object.__getattribute__(self, name)
        return _Recorder((*object.__getattribute__(self, "_steps"), name))

    def __getitem__(self, key: Step) -> "_Recorder":
        return _Recorder((*object.__getattribute__(self, "_steps"), key))

    def __bool__(self) -> bool:
        raise QueryError(
            "a path has no truth value: it is taken once, not for each row",
            hint="name fields and items only: at(lambda s: s.theme.color)",
        )


def _known(annotation: Any) -> Any:
    return None if annotation is Any else annotation


def _field(record: Any, name: str) -> tuple[Step, Any]:
    cls = get_origin(record) or record
    hints = get_type_hints(cls)
    if name not in hints:
        raise QueryError(
            f"{cls.__name__} has no field {name!r}", hint=f"fields are: {', '.join(each for each in hints)}"
        )
    fields: tuple[str, ...] = getattr(cls, "__struct_fields__", ())
    encoded: tuple[str, ...] = getattr(cls, "__struct_encode_fields__", ())
    called = encoded[fields.index(name)] if name in fields else name
    return called, None if getattr(cls, "__parameters__", ()) else _known(hints[name])
