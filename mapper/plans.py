"""
Plans: which columns the arguments of a constructor come from, by name.

`mapper.mapping` makes them when a relation's class is made; `mapper.hydration` places them on the rows of a query,
where columns have positions.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias

from attrs import evolve, field, frozen

from mapper.annotations import MISSING
from mapper.models import ModelField, ModelShape

__all__ = ["BuildNode", "MappedColumn", "ModelPart", "PlanNode", "ReadColumn", "ReadKey"]


@frozen(kw_only=True)
class MappedColumn:
    """
    A column as mapping sees it.

    Attributes:
        name: The attribute's name on the relation.
        annotation: Its Python type, resolved, with or without `None` in it.
        nullable: Whether it can be NULL.
        primary_key, version: Whether it is the key or a part of it; whether it counts the row's writes.
        index: Its place in the order of declaration, which is the order of a composite key.
        has_default: Whether a row may leave it out.
        generated: Whether the store computes it: it is read and never written, unless it is a key.
        deferred: Whether it is read only where it is asked for.
        sensitive: Whether its values are kept out of messages.
    """

    name: str
    annotation: Any = MISSING
    nullable: bool = False
    primary_key: bool = False
    version: bool = False
    index: int = 0
    has_default: bool = False
    generated: bool = False
    deferred: bool = False
    sensitive: bool = False


@frozen
class ReadColumn:
    """The value of a column; `nullable` is whether None may stand in its place."""

    column: MappedColumn
    nullable: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The name of the one column that is read."""
        return (self.column.name,)


@frozen
class ReadKey:
    """The tuple of a composite key."""

    parts: tuple[MappedColumn, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the key's columns, in order."""
        return tuple(each.name for each in self.parts)


@frozen
class ModelPart:
    """The place in a wrapper where the model goes; `columns` are what the model reads."""

    columns: tuple[str, ...]


@frozen
class BuildNode:
    """
    An object made of columns.

    Attributes:
        shape: What is called.
        arguments: Fields in the order of the constructor, each with where its value comes from; fields left to their
            default are not here.
        optional: Whether None stands for the object where all its columns are NULL.
        deferred: Fields that are left to their default unless their column is asked for.
        columns: Names of the columns that it reads, each once, in the order of the arguments.
    """

    shape: ModelShape
    arguments: tuple[tuple[ModelField, "PlanNode"], ...]
    optional: bool = False
    deferred: tuple[tuple[ModelField, ReadColumn], ...] = ()
    columns: tuple[str, ...] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(dict.fromkeys(self._names())))

    def showing(self, names: AbstractSet[str], model_reads: tuple[str, ...] = ()) -> "BuildNode":
        """
        Return the plan with deferred columns read; of a wrapper, `model_reads` is what its model reads then.
        """
        shown = [(each, node) for each, node in self.deferred if node.column.name in names]
        arguments = [(each, _showing(node, names, model_reads)) for each, node in self.arguments]
        order = {each.name: place for place, each in enumerate(self.shape.fields)}
        whole = sorted([*arguments, *shown], key=lambda pair: order[pair[0].name])
        return evolve(self, arguments=tuple(whole), deferred=())

    def _names(self) -> Iterator[str]:
        for _, node in self.arguments:
            yield from node.columns


PlanNode: TypeAlias = ReadColumn | ReadKey | ModelPart | BuildNode


def _showing(node: PlanNode, names: AbstractSet[str], model_reads: tuple[str, ...]) -> PlanNode:
    match node:
        case BuildNode():
            return node.showing(names, model_reads)
        case ModelPart():
            return ModelPart(model_reads)
        case _:
            return node
