"""
The mapping of a relation: how rows become models and wrappers, and how these become rows again.

A model, a wrapper and columns go in when the relation's class is made; a frozen `RelationMapping` comes out, or one
`DeclarationError` that lists every field that does not meet its column.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias, get_origin

from attrs import evolve, frozen

from mapper.annotations import type_name
from mapper.dehydration import Dehydrate, Part, Take, TakeKey, TakeOptional, compile_dehydrate
from mapper.errors import DeclarationError, QueryError
from mapper.hydration import Batch, Decoder, Node, compile_batch, place
from mapper.matching import Matcher, Wrapped, below
from mapper.models import ModelField, NotAModel, inspect_model
from mapper.plans import BuildNode, MappedColumn, ModelPart
from mapper.wrappers import Keyed

__all__ = ["MappedColumn", "RelationMapping", "build_mapping", "plan_for_names"]

Getter: TypeAlias = Callable[[Any], Any]


@frozen(eq=False, kw_only=True, slots=True)
class RelationMapping:
    """
    How one relation maps its model and its wrapper.

    Columns are named by their attributes. `*_reads` are in the order of the constructors' arguments, `*_columns` in the
    order of declaration.

    Attributes:
        relation: The relation's name, for messages.
        model, wrapper: The classes, or generic aliases, that it was made for.
        model_plan: How a model is made; None where the relation maps by hand.
        model_reads: The columns of a model; for one mapped by hand all that are not deferred.
        model_columns: The columns that a model gives when it is written; deferred ones too, generated ones not. () by
            hand.
        dehydrate_model: Takes the values of `model_columns` from a model.
        wrapper_plan: How a wrapper is made, with a `ModelPart` for the model; None where it cannot be.
        wrapper_problem: Why it cannot be made, in words; None where it can.
        wrapper_reads: The columns of a wrapper, those of its model included; () where it cannot be made.
        wrapper_columns: The columns that a wrapper gives when it is written, beyond `model_columns`.
        wrapper_values: Takes the values of `wrapper_columns` from a wrapper.
        unwrap: Takes the model from a wrapper, however deep.
        key_of: Takes the primary key from a wrapper, a tuple where composite; None where neither wrapper nor model has
            all of it.
        version_of: Takes the version from a wrapper; None where neither wrapper nor model has it.
    """

    relation: str
    model: Any
    wrapper: Any
    model_plan: BuildNode | None
    model_reads: tuple[str, ...]
    model_columns: tuple[str, ...]
    dehydrate_model: Dehydrate
    wrapper_plan: BuildNode | ModelPart | None
    wrapper_problem: str | None
    wrapper_reads: tuple[str, ...]
    wrapper_columns: tuple[str, ...]
    wrapper_values: Dehydrate
    unwrap: Getter
    key_of: Getter | None
    version_of: Getter | None

    @property
    def wrapper_class(self) -> Any:
        """The wrapper without type arguments, for `isinstance`."""
        return get_origin(self.wrapper) or self.wrapper

    def model_node(self, positions: Mapping[str, int], decoders: Mapping[str, Decoder | None] | None = None) -> Node:
        """
        Place the model on raw rows; see `mapper.hydration.place`.

        Raises:
            DeclarationError: The relation maps by hand: call its `hydrate` over a `RowOf`.
        """
        if self.model_plan is None:
            raise DeclarationError(f"{self.relation} maps its model by hand", hint="call its hydrate with a row")
        return place(self.model_plan, positions, decoders, relation=self.relation)

    def wrapper_node(
        self,
        positions: Mapping[str, int],
        decoders: Mapping[str, Decoder | None] | None = None,
        *,
        model: Node | None = None,
    ) -> Node:
        """
        Place the wrapper on raw rows.

        Args:
            positions, decoders: As for `mapper.hydration.place`.
            model: What makes the model; by default `model_node`.

        Raises:
            QueryError: The wrapper cannot be made.
        """
        if self.wrapper_plan is None:
            raise QueryError(
                f"{type_name(self.wrapper)} cannot be read: {self.wrapper_problem}", hint="select the model, or columns"
            )
        inner = model if model is not None else self.model_node(positions, decoders)
        return place(self.wrapper_plan, positions, decoders, relation=self.relation, model=inner)

    def showing(self, names: tuple[str, ...]) -> "RelationMapping":
        """Return the mapping with deferred columns read."""
        if not names:
            return self
        shown = frozenset(names)
        plan = None if self.model_plan is None else self.model_plan.showing(shown)
        reads = self.model_reads if plan is None else plan.columns
        wrapper = self.wrapper_plan
        if isinstance(wrapper, BuildNode):
            wrapper = wrapper.showing(shown, reads)
        elif isinstance(wrapper, ModelPart):
            wrapper = ModelPart(reads)
        return evolve(
            self,
            model_plan=plan,
            model_reads=reads,
            wrapper_plan=wrapper,
            wrapper_reads=() if wrapper is None else wrapper.columns,
        )

    def part(self, field: str) -> BuildNode | None:
        """Return how an object that is embedded in the model is made; None where the field is none."""
        return next((node for each, node in self._parts() if each.name == field), None)

    def part_field(self, field: str) -> ModelField | None:
        """Return the field of the model that is such an object; None where there is none."""
        return next((each for each, _ in self._parts() if each.name == field), None)

    def _parts(self) -> list[tuple[ModelField, BuildNode]]:
        arguments = () if self.model_plan is None else self.model_plan.arguments
        return [(each, node) for each, node in arguments if isinstance(node, BuildNode)]

    def hydrate_model(self, values: Sequence[Any]) -> Any:
        """Make a model of decoded values, in the order of `model_reads`."""
        return self._batch([values])[0]

    @cached_property
    def _batch(self) -> Batch:
        return compile_batch(
            self.model_node({name: position for position, name in enumerate(self.model_reads)}),
            width=len(self.model_reads),
        )


def build_mapping(
    relation: str,
    model: Any,
    wrapper: Any,
    columns: Iterable[MappedColumn],
    *,
    by_hand: bool = False,
    localns: Mapping[str, Any] | None = None,
) -> RelationMapping:
    """
    Join a model and a wrapper with the columns of a relation.

    A field meets the column of its name. A field whose type is a class with fields, and which has no column, meets the
    columns `<field>_<subfield>`. In a wrapper `key` stands for the primary key, `version` for the version column, and
    `model` for the model or for another wrapper. A field with a default is left to it for want of a column; an embedded
    object too, unless each of its required fields has one.

    Args:
        relation: The relation's name, for messages.
        model: The class, or a generic alias of one.
        wrapper: The same; None is `Keyed`. The model itself may stand for the wrapper.
        columns: In the order of declaration.
        by_hand: Whether the relation has its own `hydrate` and `dehydrate`, so that the model need not have fields.
        localns: Names of the function that the classes were made in, for annotations that are strings.

    Raises:
        DeclarationError: A field does not meet its column; the text has a line for each, beginning with relation and
            column.
    """
    known = {each.name: each for each in columns}
    matcher = Matcher(relation, known, localns)
    plan, parts = (None, ()) if by_hand else _model(matcher, model)
    model_reads = plan.columns if plan is not None else tuple(name for name, each in known.items() if not each.deferred)
    wrapper = Keyed[model, Any] if wrapper is None else wrapper
    around = Matcher(relation, known, localns)
    wrapped = around.wrap(wrapper, model, model_reads)
    keyless = get_origin(wrapper) is Keyed and not any(each.primary_key for each in known.values())
    _refuse(relation, matcher.problems if keyless else [*matcher.problems, *around.problems])
    wrapper_problem = "; ".join(around.problems) if around.problems else None
    return _mapping(
        relation,
        model,
        wrapper,
        known,
        plan,
        tuple(parts),
        model_reads,
        None if around.problems else wrapped,
        wrapper_problem,
    )


def _model(matcher: Matcher, model: Any) -> tuple[BuildNode | None, Sequence[Part]]:
    try:
        shape = inspect_model(model, matcher.localns)
    except NotAModel as error:
        matcher.problems.append(f"{matcher.relation}: {error.message}; {error.hint}")
        return None, ()
    matched = matcher.match(shape)
    return matched.node, matched.parts


def _refuse(relation: str, problems: Sequence[str]) -> None:
    if len(problems) == 1:
        raise DeclarationError(problems[0])
    if problems:
        raise DeclarationError(
            f"{relation} does not fit its model and wrapper:\n" + "\n".join(f"  {each}" for each in problems)
        )


def _mapping(
    relation: str,
    model: Any,
    wrapper: Any,
    known: Mapping[str, MappedColumn],
    plan: BuildNode | None,
    model_parts: tuple[Part, ...],
    model_reads: tuple[str, ...],
    wrapped: Wrapped | None,
    problem: str | None,
) -> RelationMapping:
    model_columns = _written(known, model_parts)
    own_parts = wrapped.parts if wrapped is not None else ()
    wrapper_columns = tuple(name for name in _written(known, own_parts) if name not in model_columns)
    path = wrapped.model_path if wrapped is not None else ""
    every = (*[below(part, path) if path else part for part in model_parts], *own_parts) if wrapped is not None else ()
    key = tuple(each.name for each in sorted(known.values(), key=lambda each: each.index) if each.primary_key)
    version = tuple(name for name, each in known.items() if each.version)
    node = wrapped.node if wrapped is not None else None
    return RelationMapping(
        relation=relation,
        model=model,
        wrapper=wrapper,
        model_plan=plan,
        model_reads=model_reads,
        model_columns=model_columns,
        dehydrate_model=compile_dehydrate(model_parts, model_columns),
        wrapper_plan=node,
        wrapper_problem=problem,
        wrapper_reads=node.columns if node is not None else (),
        wrapper_columns=wrapper_columns,
        wrapper_values=compile_dehydrate(own_parts, wrapper_columns),
        unwrap=attrgetter(path) if path else _itself,
        key_of=_getter(every, key),
        version_of=_getter(every, version),
    )


def _written(known: Mapping[str, MappedColumn], parts: Iterable[Part]) -> tuple[str, ...]:
    """Return the columns of the parts that may be written, in the order of declaration."""
    found = {name for part in parts for name in _columns_of(part)}
    return tuple(name for name, each in known.items() if name in found and (each.primary_key or not each.generated))


def _columns_of(part: Part) -> Iterable[str]:
    match part:
        case Take():
            yield part.column
        case TakeKey():
            yield from part.columns
        case TakeOptional():
            for each in part.parts:
                yield from _columns_of(each)


def _getter(parts: Sequence[Part], columns: tuple[str, ...]) -> Getter | None:
    """
    Return what takes one column's value, or several as a tuple, from an object; None where a part is lacking. Later
    parts win.
    """
    for part in reversed(parts):
        if isinstance(part, TakeKey) and part.columns == columns:
            return attrgetter(part.path)
        if isinstance(part, Take) and (part.column,) == columns:
            return attrgetter(part.path)
    if not columns or not set(columns) <= {name for part in parts for name in _columns_of(part)}:
        return None
    values = compile_dehydrate(parts, columns)
    return values if len(columns) > 1 else lambda wrapper: itemgetter(0)(values(wrapper))


def _itself(model: Any) -> Any:
    return model


def plan_for_names(model: Any, names: Iterable[str], localns: Mapping[str, Any] | None = None) -> BuildNode:
    """
    Match a model with columns of which the names alone are known, as those of a raw query.

    A column may be NULL where its field takes None. Columns without a field are not read.

    Raises:
        QueryError: A field has no column and no default, or the class is no model; the text lists each.
    """
    matcher = Matcher("raw", {each: MappedColumn(name=each, nullable=True) for each in names}, localns)
    plan, _ = _model(matcher, model)
    if plan is None or matcher.problems:
        raise QueryError(
            f"the columns do not fit {type_name(model)}:\n" + "\n".join(f"  {each}" for each in matcher.problems)
        )
    return plan
