"""
What the framework knows of a model's class: its fields and how its constructor takes them.

A class of the user goes in (attrs, dataclass, msgspec.Struct, NamedTuple, pydantic, or written by hand); a frozen
`ModelShape` comes out. None of these libraries is imported here: a class is told by the marks that its library leaves
on it.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from types import FunctionType, UnionType
from typing import Any, Final, Literal, TypeAlias, get_origin
from uuid import UUID

from attrs import field, frozen

from mapper.annotations import MISSING, Bindings, Unresolved, bindings_of, field_annotation, resolve, substituted

__all__ = ["MISSING", "Kind", "ModelField", "ModelShape", "NotAModel", "has_fields", "inspect_model"]

Kind: TypeAlias = Literal["attrs", "dataclass", "msgspec", "namedtuple", "pydantic", "class"]

PLAIN: Final = (str, bytes, bytearray, memoryview, int, float, complex, range, list, dict, set, frozenset, type(None))
LIBRARY: Final = (date, time, timedelta, tzinfo, Decimal, UUID, Enum, BaseException, type, UnionType)

VALUES: Final = PLAIN + LIBRARY
"""Classes that are values themselves, with all that inherit from them: never a model."""

LIMIT: Final = 1024
"""Shapes that are kept; the oldest goes first."""


class NotAModel(TypeError):
    """
    A class whose fields cannot be told.

    Attributes:
        message: What was found and what was expected.
        hint: The next step.
    """

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nHINT: {self.hint}"


@frozen
class ModelField:
    """
    A field of a model.

    Attributes:
        name: The attribute that holds its value.
        annotation: Its type, resolved; `MISSING` where there is none, `Unresolved` where a name in it is unknown.
        required: Whether the constructor needs it.
        argument: What the constructor calls it, as `x` of the attrs field `_x` or the alias of a pydantic field.
        positional: Whether the constructor takes it by position.
        keyword: Whether the constructor takes it by name.
        converted: Whether the constructor converts what it is given, so that the annotation does not tell what it
            takes.
    """

    name: str
    annotation: Any
    required: bool
    argument: str
    positional: bool
    keyword: bool = True
    converted: bool = False


@frozen
class ModelShape:
    """
    The fields of a model.

    Attributes:
        cls: The class, without type arguments: what is called.
        kind: Which library made it; "class" where it is written by hand.
        fields: What the constructor takes, in its order.
        computed: What can be read but not given, as fields with `init=False`.
    """

    cls: Any
    kind: Kind
    fields: tuple[ModelField, ...]
    computed: tuple[ModelField, ...] = ()

    @property
    def name(self) -> str:
        """The class's name, for messages."""
        return str(self.cls.__name__)

    @property
    def initialises(self) -> bool:
        """Whether calling the class is `object.__new__` and then a Python `__init__`, with nothing else around it."""
        cls = self.cls
        plain = type(cls).__call__ is type.__call__ and cls.__new__ is object.__new__
        return plain and isinstance(cls.__init__, FunctionType)


_shapes: dict[Any, ModelShape] = {}


def inspect_model(model: Any, localns: Mapping[str, Any] | None = None) -> ModelShape:
    """
    Tell the fields of a model's class.

    A class written by hand has the parameters of its `__init__` for fields, and must keep each under an attribute of
    the same name.

    Args:
        model: The class, or a generic alias of it such as `Keyed[Post, int]`, whose arguments replace the type
            variables.
        localns: Names of the function that the class was made in, for annotations that are strings.

    Raises:
        NotAModel: It is not a class, is a value such as `int`, or its constructor cannot be called by fields.
    """
    if localns is None and model in _shapes:
        return _shapes[model]
    shape = _inspect(model, localns or {})
    if localns is None and not any(isinstance(each.annotation, Unresolved) for each in shape.fields):
        while len(_shapes) >= LIMIT:
            _shapes.pop(next(iter(_shapes), None), None)
        _shapes[model] = shape
    return shape


def has_fields(cls: Any) -> bool:
    """
    Whether a class, or a generic alias of one, is made of fields, as a value object is that several columns keep.

    Of classes written by hand only those are whose `__init__` is annotated throughout. `str`, `datetime`, an `Enum` and
    the like are not, nor is a class that says how its values are stored, each as one: see `mapper.types.infer`.
    """
    if hasattr(get_origin(cls) or cls, "__storage_type__"):
        return False
    try:
        shape = inspect_model(cls)
    except NotAModel:
        return False
    fixed = shape.kind != "class" or all(each.annotation is not MISSING for each in shape.fields)
    return bool(shape.fields) and fixed


def _inspect(model: Any, localns: Mapping[str, Any]) -> ModelShape:
    cls = get_origin(model) or model
    _require_class(model, cls)
    kind = _kind_of(cls)
    reader = _Reader(cls, kind, bindings_of(model), localns)
    if kind == "pydantic":
        return ModelShape(cls, kind, _pydantic_fields(reader))
    attributes = _ATTRIBUTES[kind](cls)
    fields = [
        _field(reader, attributes, each) for each in _parameters(cls) if not _is_skipped(reader, attributes, each)
    ]
    if kind == "class" and not fields and inspect.get_annotations(cls):
        raise NotAModel(
            f"{cls.__name__} annotates fields, but its constructor takes none",
            hint="decorate it with @attrs.frozen or @dataclass, or give it an __init__",
        )
    computed = [ModelField(name, reader.annotation(name), False, name, False, False) for name in attributes.computed]
    return ModelShape(cls, kind, tuple(fields), tuple(computed))


def _require_class(model: Any, cls: Any) -> None:
    if not isinstance(cls, type):
        raise NotAModel(f"{model!r} is not a class", hint="a model is a class with fields, such as an attrs class")
    if issubclass(cls, VALUES) or (issubclass(cls, tuple) and not hasattr(cls, "_fields")) or cls in (object, Any):
        raise NotAModel(
            f"{cls.__name__} is a value, not a class with fields",
            hint="a model is a class with fields, such as an attrs class",
        )


def _kind_of(cls: type) -> Kind:
    if "__attrs_attrs__" in dir(cls):
        return "attrs"
    if dataclasses.is_dataclass(cls):
        return "dataclass"
    if hasattr(cls, "__struct_fields__") and hasattr(cls, "__struct_config__"):
        return "msgspec"
    if hasattr(cls, "__pydantic_validator__") and hasattr(cls, "model_fields"):
        return "pydantic"
    return "namedtuple" if issubclass(cls, tuple) else "class"


@frozen
class _Attributes:
    """Which attribute each parameter of a constructor fills, and what else can be read."""

    by_argument: Mapping[str, str] = field(factory=dict)
    computed: tuple[str, ...] = ()
    converted: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()


@frozen
class _Reader:
    """The class at hand, with what its annotations may name."""

    cls: Any
    kind: Kind
    bindings: Bindings
    localns: Mapping[str, Any]

    def annotation(self, name: str) -> Any:
        """The type of an attribute as the class annotates it."""
        return field_annotation(self.cls, name, self.bindings, self.localns)

    def of_parameter(self, parameter: inspect.Parameter) -> Any:
        """The type of a parameter of a constructor written by hand."""
        if parameter.annotation is inspect.Parameter.empty:
            return MISSING
        function = _constructor(self.cls)
        owner = next(each for each in self.cls.__mro__ if function.__name__ in vars(each))
        found = resolve(parameter.annotation, inspect.unwrap(function), {**self.localns, **self._classes()})
        return substituted(found, self.bindings.get(owner, {}))

    def _classes(self) -> dict[str, Any]:
        module = inspect.getmodule(self.cls)
        return {each.__name__: each for each in self.cls.__mro__ if not hasattr(module, each.__name__)}


def _constructor(cls: Any) -> Callable[..., Any]:
    made: Callable[..., Any] = cls.__init__ if isinstance(cls.__init__, FunctionType) else cls.__new__
    return made


def _attrs_attributes(cls: Any) -> _Attributes:
    given = [each for each in cls.__attrs_attrs__ if each.init]
    return _Attributes(
        {each.alias: each.name for each in given},
        tuple(each.name for each in cls.__attrs_attrs__ if not each.init),
        frozenset(each.name for each in given if each.converter is not None),
    )


def _dataclass_attributes(cls: Any) -> _Attributes:
    fields = dataclasses.fields(cls)
    return _Attributes(
        {each.name: each.name for each in fields if each.init},
        tuple(each.name for each in fields if not each.init),
        ignored=frozenset(cls.__dataclass_fields__) - {each.name for each in fields},
    )


_ATTRIBUTES: Final[Mapping[Kind, Callable[[Any], _Attributes]]] = {
    "attrs": _attrs_attributes,
    "dataclass": _dataclass_attributes,
    "msgspec": lambda cls: _Attributes({name: name for name in cls.__struct_fields__}),
    "namedtuple": lambda cls: _Attributes({name: name for name in cls._fields}),
    "class": lambda _: _Attributes(),
}


def _parameters(cls: Any) -> list[inspect.Parameter]:
    try:
        signature = inspect.signature(cls)
    except (TypeError, ValueError) as error:
        raise NotAModel(
            f"the constructor of {cls.__name__} has no signature: {error}", hint="map it by hand: hydrate and dehydrate"
        ) from error
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each for each in signature.parameters.values() if each.kind not in variable]


def _is_skipped(reader: _Reader, attributes: _Attributes, parameter: inspect.Parameter) -> bool:
    """Whether a parameter is no field: one that a dataclass takes and does not keep."""
    if parameter.name not in attributes.ignored:
        return False
    if parameter.default is inspect.Parameter.empty:
        raise NotAModel(
            f"{reader.cls.__name__} needs the InitVar {parameter.name!r}, which it does not keep",
            hint="give it a default, make it a field, or map the class by hand: hydrate and dehydrate",
        )
    return True


def _field(reader: _Reader, attributes: _Attributes, parameter: inspect.Parameter) -> ModelField:
    name = attributes.by_argument.get(parameter.name, parameter.name)
    annotation = MISSING if reader.kind == "class" else reader.annotation(name)
    if annotation is MISSING and name not in attributes.converted:
        annotation = reader.of_parameter(parameter)
    if annotation is MISSING and reader.kind == "class":
        annotation = reader.annotation(name)
    return ModelField(
        name=name,
        annotation=annotation,
        required=parameter.default is inspect.Parameter.empty,
        argument=parameter.name,
        positional=parameter.kind is not inspect.Parameter.KEYWORD_ONLY,
        keyword=parameter.kind is not inspect.Parameter.POSITIONAL_ONLY,
        converted=name in attributes.converted,
    )


def _pydantic_fields(reader: _Reader) -> tuple[ModelField, ...]:
    config = reader.cls.model_config
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    return tuple(
        ModelField(
            name=name,
            annotation=_pydantic_annotation(reader, name, info),
            required=info.is_required(),
            argument=name if by_name else _pydantic_alias(reader.cls, name, info),
            positional=False,
        )
        for name, info in reader.cls.model_fields.items()
    )


def _pydantic_annotation(reader: _Reader, name: str, info: Any) -> Any:
    own = info.annotation
    return (
        reader.annotation(name)
        if isinstance(own, str) or type(own).__name__ == "ForwardRef"
        else resolve(own, reader.cls, reader.localns)
    )


def _pydantic_alias(cls: type, name: str, info: Any) -> str:
    alias = info.validation_alias if info.validation_alias is not None else info.alias
    choices = [each for each in getattr(alias, "choices", (alias,)) if isinstance(each, str)]
    if alias is not None and not choices:
        raise NotAModel(
            f"the field {name!r} of {cls.__name__} has the alias {alias!r}, which is not a name",
            hint="set populate_by_name=True in its model_config",
        )
    return choices[0] if choices else name
