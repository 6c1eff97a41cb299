"""
Reading a relation's class body: which columns it declares, over which model.

A class goes in; column descriptions come out, together with everything that is wrong with them.
"""

import inspect
import sys
from collections.abc import Mapping
from typing import Any, ForwardRef, Generic, get_args, get_origin

from attrs import frozen

from mapper import types
from mapper.columns import NOT_GIVEN, Column, ColumnInfo, ColumnOptions, Embedded
from mapper.expressions import Attribute

__all__ = ["Declaration", "declared_columns", "generic_arguments"]

RESERVED = frozenset({"named", "hydrate", "dehydrate"})


@frozen
class Declaration:
    """
    Columns in the order of declaration, and what is wrong with them, each with the name of class and column; embedded
    objects by name, with what they are annotated as.
    """

    columns: tuple[ColumnInfo, ...]
    problems: tuple[str, ...]
    parts: Mapping[str, Any]


def declared_columns(cls: type, scope: Mapping[str, Any]) -> Declaration:
    """
    Read the columns of a relation's class, inherited ones first.

    Args:
        cls: The class, with `Column`s (or, inherited, `Attribute`s) in its namespaces.
        scope: Names of the function that the class is made in, for annotations that are strings.
    """
    found: dict[str, tuple[Any, ColumnOptions]] = {}
    parts: dict[str, Any] = {}
    problems: list[str] = []
    for owner in reversed(cls.__mro__):
        if owner in (object, Generic):
            continue
        for name, annotation in _annotations(owner).items():
            _read(cls, owner, name, annotation, scope, found, parts, problems)
        problems.extend(_unannotated(cls, owner, found))
    columns = [_describe(cls, name, annotation, options, problems) for name, (annotation, options) in found.items()]
    known = [each for each in columns if each is not None]
    return Declaration(_with_positions(known), tuple(problems), parts)


def generic_arguments(cls: type, base: type) -> tuple[Any, ...] | None:
    """Return what `base[...]` was given where `cls` or a class above it derives from it, or None."""
    for owner in cls.__mro__:
        for alias in owner.__dict__.get("__orig_bases__", ()):
            if get_origin(alias) is base:
                return get_args(alias)
    return None


def evaluate(annotation: Any, owner: type, scope: Mapping[str, Any]) -> Any:
    """
    Return an annotation with its strings evaluated, in the owner's module and the names of the function around it.
    """
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if not isinstance(annotation, str):
        return annotation
    module = sys.modules.get(owner.__module__)
    names = {**vars(module)} if module else {}
    return eval(annotation, names, {**scope, **vars(owner)})


def _annotations(owner: type) -> Mapping[str, Any]:
    return inspect.get_annotations(owner)


def _read(
    cls: type,
    owner: type,
    name: str,
    annotation: Any,
    scope: Mapping[str, Any],
    found: dict[str, tuple[Any, ColumnOptions]],
    parts: dict[str, Any],
    problems: list[str],
) -> None:
    if name.startswith("__"):
        return
    try:
        evaluated = evaluate(annotation, owner, scope)
    except Exception as error:
        problems.append(f"{cls.__name__}.{name}: the annotation {annotation!r} cannot be evaluated: {error}")
        return
    if get_origin(evaluated) is Embedded:
        parts[name] = evaluate(get_args(evaluated)[0], owner, scope)
        return
    if get_origin(evaluated) is not Column:
        problems.append(_not_a_column(cls, name, evaluated))
        return
    inner = evaluate(get_args(evaluated)[0], owner, scope)
    value = owner.__dict__.get(name, NOT_GIVEN)
    found.pop(name, None)
    if value is NOT_GIVEN:
        found[name] = (inner, ColumnOptions())
    elif isinstance(value, Column):
        found[name] = (inner, value.options)
    elif isinstance(value, Attribute):
        found[name] = (value.column.annotation, value.column.options)
    else:
        problems.append(f"{cls.__name__}.{name}: {value!r} is not a column; write column(default={value!r})")


def _not_a_column(cls: type, name: str, annotation: Any) -> str:
    shown = annotation.__name__ if isinstance(annotation, type) else annotation
    return f"{cls.__name__}.{name}: annotated as {shown}, expected a column; write {name}: Column[{shown}]"


def _unannotated(cls: type, owner: type, found: Mapping[str, Any]) -> list[str]:
    return [
        f"{cls.__name__}.{name}: column() without an annotation; write {name}: Column[...] = column(...)"
        for name, value in owner.__dict__.items()
        if isinstance(value, Column) and name not in found and name not in _annotations(owner)
    ]


def _describe(cls: type, name: str, annotation: Any, options: ColumnOptions, problems: list[str]) -> ColumnInfo | None:
    where = f"{cls.__name__}.{name}"
    if name in RESERVED:
        problems.append(
            f"{where}: the name is the relation's own; call the column otherwise and map it with column(name={name!r})"
        )
        return None
    try:
        storage, nullable = (
            types.narrow(annotation, options.type) if options.type is not None else types.infer(annotation)
        )
    except (types.UnknownType, TypeError) as error:
        problems.append(f"{where}: {error}")
        return None
    found = _option_problems(options, storage, nullable, name)
    problems.extend(f"{where}: {each}" for each in found)
    return ColumnInfo(
        attribute=name,
        name=name if options.name is None else options.name,
        annotation=annotation,
        type=storage,
        nullable=nullable,
        position=0,
        options=options,
    )


def _option_problems(options: ColumnOptions, storage: types.StorageType[Any], nullable: bool, name: str) -> list[str]:
    problems: list[str] = []
    if options.primary_key and nullable:
        problems.append("a primary key cannot be NULL; take None out of the annotation")
    if options.version and (not isinstance(storage, types.Integer) or nullable):
        problems.append("a version counts writes; annotate it as Column[int]")
    if options.name is not None and (not options.name or "\x00" in options.name):
        problems.append(f"the name {options.name!r} cannot be a column's; give at least one character and no NUL")
    if options.default is not NOT_GIVEN and options.server_default is not None:
        problems.append("default and server_default exclude each other; keep the one that is to make the value")
    if options.generated is not None and options.default is not NOT_GIVEN:
        problems.append("a generated column takes no default; the store computes it")
    if options.references is not None and not callable(options.references):
        problems.append(f"references is {options.references!r}, expected a function; write references=lambda: Users.id")
    if options.on_delete == "set null" and not nullable:
        problems.append("on_delete='set null' needs a column that can be NULL; write Column[... | None]")
    problems.extend(_default_problems("default", options.default, storage, nullable))
    problems.extend(_default_problems("on_update", options.on_update, storage, nullable))
    return problems


def _default_problems(option: str, value: Any, storage: types.StorageType[Any], nullable: bool) -> list[str]:
    if value is NOT_GIVEN or callable(value) or (value is None and nullable):
        return []
    if value is None:
        return [f"{option}=None, and the column cannot be NULL; write Column[... | None]"]
    try:
        storage.check(value)
    except types.Misfit as error:
        return [f"{option}={value!r} cannot be stored: {error}"]
    return []


def _with_positions(columns: list[ColumnInfo]) -> tuple[ColumnInfo, ...]:
    keys = [each for each in columns if each.primary_key]
    return tuple(
        ColumnInfo(
            attribute=each.attribute,
            name=each.name,
            annotation=each.annotation,
            type=each.type,
            nullable=each.nullable,
            position=position,
            options=each.options,
            autoincrement=len(keys) == 1 and each is keys[0] and _counts_itself(each),
        )
        for position, each in enumerate(columns)
    )


def _counts_itself(key: ColumnInfo) -> bool:
    options = key.options
    return (
        isinstance(key.type, types.Integer)
        and options.default is NOT_GIVEN
        and options.server_default is None
        and options.references is None
        and options.generated is None
    )
