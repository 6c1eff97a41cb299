"""
Matching: which columns the fields of a class meet.

The shape of a class and a relation's columns go in; a plan for reading and the parts for writing come out, and the
problems in words, each beginning with the name of the relation and the column.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from attrs import define, evolve, field, frozen

from mapper.annotations import MISSING, NONE, Unresolved, accepts, accepts_none, alternatives, type_name
from mapper.dehydration import Part, Take, TakeKey, TakeOptional
from mapper.models import ModelField, ModelShape, NotAModel, has_fields, inspect_model
from mapper.plans import BuildNode, MappedColumn, ModelPart, PlanNode, ReadColumn, ReadKey

__all__ = ["Matched", "Matcher", "Wrapped"]

MODEL: Final = "model"
KEY: Final = "key"
VERSION: Final = "version"


@frozen
class Matched:
    """An object that columns keep: how it is made of them, and where their values are in it."""

    node: BuildNode
    parts: tuple[Part, ...]


@frozen
class Wrapped:
    """A wrapper around a model; `model_path` leads from the wrapper to the model."""

    node: BuildNode | ModelPart
    parts: tuple[Part, ...]
    model_path: str


@define
class Matcher:
    """
    Matches classes with the columns of one relation.

    Attributes:
        problems: What is wrong, in words; filled by each match.
        missing: How many of them are fields without a column.
    """

    relation: str
    columns: Mapping[str, MappedColumn]
    localns: Mapping[str, Any] | None = None
    problems: list[str] = field(factory=list)
    missing: int = 0

    def match(self, shape: ModelShape, prefix: str = "", lenient: bool = False) -> Matched:
        """
        Match the fields of a model, or of an object embedded in it.

        Args:
            prefix: What the columns' names begin with before the name of a field.
            lenient: Whether the object is part of one that may be absent, so that a column may be nullable where its
                field is not.
        """
        arguments: list[tuple[ModelField, PlanNode]] = []
        deferred: list[tuple[ModelField, ReadColumn]] = []
        parts: list[Part] = []
        for each in shape.fields:
            node, taken = self._field(shape, each, prefix, lenient)
            parts.extend(taken)
            if isinstance(node, ReadColumn) and node.column.deferred:
                deferred.append((each, node))
            elif node is not None:
                arguments.append((each, node))
        for each in shape.computed:
            if (column := self._column(each, prefix)) is not None:
                parts.append(Take(each.name, column.name))
        self._require_order(shape, arguments)
        return Matched(BuildNode(shape, tuple(arguments), deferred=tuple(deferred)), tuple(parts))

    def wrap(self, wrapper: Any, model: Any, reads: tuple[str, ...]) -> Wrapped | None:
        """
        Match a wrapper, around the model or around another wrapper.

        Args:
            wrapper: The class or generic alias.
            model: What the innermost `model` has to be.
            reads: The columns that the model reads.

        Returns:
            None where it is not a wrapper of that model; the problems say why.
        """
        if _is_model(wrapper, model):
            return Wrapped(ModelPart(reads), (), "")
        shape = self._wrapper_shape(wrapper, model)
        if shape is None:
            return None
        arguments: list[tuple[ModelField, PlanNode]] = []
        deferred: list[tuple[ModelField, ReadColumn]] = []
        parts: list[Part] = []
        path = ""
        for each in shape.fields:
            if each.name == MODEL:
                inner = self.wrap(each.annotation, model, reads)
                if inner is None:
                    return None
                arguments.append((each, inner.node))
                parts.extend([below(part, MODEL) for part in inner.parts])
                path = f"{MODEL}.{inner.model_path}" if inner.model_path else MODEL
                continue
            node, taken = self._wrapper_field(shape, each)
            parts.extend(taken)
            if isinstance(node, ReadColumn) and node.column.deferred:
                deferred.append((each, node))
            elif node is not None:
                arguments.append((each, node))
        return Wrapped(BuildNode(shape, tuple(arguments), deferred=tuple(deferred)), tuple(parts), path)

    def _wrapper_shape(self, wrapper: Any, model: Any) -> ModelShape | None:
        try:
            shape = inspect_model(wrapper, self.localns)
        except NotAModel as error:
            self.problems.append(
                f"{self.relation}: the wrapper {type_name(wrapper)} holds no {type_name(model)}: {error.message}; {error.hint}"
            )
            return None
        if all(each.name != MODEL for each in shape.fields):
            self.problems.append(
                f"{self.relation}: {shape.name} is neither the model nor a wrapper; give it a field model: {type_name(model)}"
            )
            return None
        return shape

    def _wrapper_field(self, shape: ModelShape, each: ModelField) -> tuple[PlanNode | None, Sequence[Part]]:
        key = sorted(
            [column for column in self.columns.values() if column.primary_key], key=lambda column: column.index
        )
        if each.name == KEY and key:
            return self._key(shape, each, key)
        if each.name == VERSION and VERSION not in self.columns:
            for column in self.columns.values():
                if column.version:
                    return self._read(shape, each, column, False), [Take(each.name, column.name)]
        return self._field(shape, each, "", False)

    def _key(self, shape: ModelShape, each: ModelField, key: Sequence[MappedColumn]) -> tuple[PlanNode, Sequence[Part]]:
        names = tuple(column.name for column in key)
        types = [column.annotation for column in key]
        given = types[0] if len(key) == 1 else tuple[tuple(types)]  # type: ignore[misc]  # made of values
        if not each.converted and not accepts(each.annotation, given):
            self._problem(
                names[0] if len(key) == 1 else f"({', '.join(names)})",
                f"the primary key is {type_name(given)} and {shape.name}.{each.name} is {type_name(each.annotation)}; "
                f"name the key's type: Relation[Model, {type_name(given)}]",
            )
        if len(key) == 1:
            return ReadColumn(key[0], False), [Take(each.name, names[0])]
        return ReadKey(tuple(key)), [TakeKey(each.name, names)]

    def _field(
        self, shape: ModelShape, each: ModelField, prefix: str, lenient: bool
    ) -> tuple[PlanNode | None, Sequence[Part]]:
        column = self._column(each, prefix)
        if column is not None:
            if column.deferred:
                if each.required:
                    self._problem(
                        column.name, f"the column is deferred and {shape.name}.{each.name} has no default; give it one"
                    )
                return self._read(shape, each, column, lenient), [Take(each.name, column.name)]
            return self._read(shape, each, column, lenient), [Take(each.name, column.name)]
        embedded = self._embedded(each, prefix, lenient)
        if embedded is not None:
            return self._embed(each, embedded)
        if each.required:
            self._miss(shape, each, prefix)
        return None, ()

    def _column(self, each: ModelField, prefix: str) -> MappedColumn | None:
        for name in (each.name, each.name.lstrip("_"), each.argument):
            if (column := self.columns.get(prefix + name)) is not None:
                return column
        return None

    def _read(self, shape: ModelShape, each: ModelField, column: MappedColumn, lenient: bool) -> ReadColumn:
        """Check that a field takes what its column gives, and return the reading of it."""
        takes_none = each.converted or accepts_none(each.annotation)
        if not each.converted and not accepts(each.annotation, column.annotation):
            given = type_name(_without_none(column.annotation))
            self._problem(
                column.name,
                f"the column is {given} and {shape.name}.{each.name} is {type_name(each.annotation)}; give both one type",
            )
        elif column.nullable and column.annotation is not MISSING and not takes_none and not lenient:
            written = type_name(each.annotation)
            self._problem(
                column.name,
                f"the column can be NULL and {shape.name}.{each.name} is {written}; "
                f"annotate the field as {written} | None, or the column as Column[{written}]",
            )
        return ReadColumn(column, column.nullable and takes_none)

    def _embedded(self, each: ModelField, prefix: str, lenient: bool) -> Matched | None:
        """
        Match an object kept in several columns; None where the field is none, or is left to its default for want of a
        column.
        """
        start = prefix + each.name.lstrip("_") + "_"
        cls = _embedded_class(each.annotation)
        if cls is None or not any(name.startswith(start) for name in self.columns):
            return None
        inner = evolve(self, problems=[], missing=0)
        optional = accepts_none(each.annotation)
        matched = inner.match(inspect_model(cls, self.localns), start, lenient or optional)
        if not each.required and (inner.missing or not matched.node.columns):
            return None
        self.problems.extend(inner.problems)
        self.missing += inner.missing
        return evolve(matched, node=evolve(matched.node, optional=optional))

    def _embed(self, each: ModelField, matched: Matched) -> tuple[PlanNode, Sequence[Part]]:
        if matched.node.optional:
            return matched.node, [TakeOptional(each.name, matched.parts)]
        return matched.node, [below(part, each.name) for part in matched.parts]

    def _miss(self, shape: ModelShape, each: ModelField, prefix: str) -> None:
        name = prefix + each.name.lstrip("_")
        self.missing += 1
        self._problem(
            name,
            f"{shape.name}.{each.name}{_typed(each.annotation)} has no column and no default; {self._mend(shape, each, name)}",
        )

    def _mend(self, shape: ModelShape, each: ModelField, name: str) -> str:
        if each.name == KEY and MODEL in [other.name for other in shape.fields]:
            return "declare the primary key: column(primary_key=True)"
        cls = _embedded_class(each.annotation)
        if cls is not None:
            inner = ", ".join(f"{name}_{field.name}" for field in inspect_model(cls, self.localns).fields)
            return f"declare it, or one column for each of its fields: {inner}"
        taken = {column.name for other in shape.fields if (column := self._column(other, "")) is not None}
        near = get_close_matches(name, [other for other in self.columns if other not in taken], 1)
        if near:
            return f"did you mean {near[0]!r}?"
        known = each.annotation is not MISSING and not isinstance(each.annotation, Unresolved)
        return f"declare {name}: Column[{type_name(each.annotation) if known else '…'}]"

    def _require_order(self, shape: ModelShape, arguments: Iterable[tuple[ModelField, PlanNode]]) -> None:
        """Report a parameter that is taken by position alone behind one that is left to its default."""
        for position, (each, _) in enumerate(arguments):
            if not each.keyword and shape.fields[position] is not each:
                before = shape.fields[position].name
                self.problems.append(
                    f"{self.relation}: {shape.name}.{each.name} follows {before!r} by position, which has no column; declare it"
                )

    def _problem(self, column: str, text: str) -> None:
        self.problems.append(f"{self.relation}.{column}: {text}")


def below(part: Part, path: str) -> Part:
    """Return a part as it is reached from one object further out."""
    return evolve(part, path=f"{path}.{part.path}")


def _is_model(annotation: Any, model: Any) -> bool:
    """Whether the `model` of a wrapper stands for the relation's model: it is that class, one above it, or not said."""
    if annotation == model:
        return True
    wanted = alternatives(annotation)
    if wanted is None:
        return True
    return all(not _wraps(each) for each in wanted) and accepts(annotation, model)


def _wraps(annotation: Any) -> bool:
    try:
        return MODEL in [each.name for each in inspect_model(annotation).fields]
    except NotAModel:
        return False


def _embedded_class(annotation: Any) -> Any:
    """Return the one class with fields that an annotation names, beside None; None where there is no such class."""
    members = [each for each in alternatives(annotation) or () if each is not NONE]
    return members[0] if len(members) == 1 and has_fields(members[0]) else None


def _without_none(annotation: Any) -> Any:
    members = [each for each in alternatives(annotation) or () if each is not NONE]
    return members[0] if len(members) == 1 else annotation


def _typed(annotation: Any) -> str:
    if annotation is MISSING:
        return ""
    unknown = f", where {annotation.reason}" if isinstance(annotation, Unresolved) else ""
    return f" ({type_name(annotation)}{unknown})"
