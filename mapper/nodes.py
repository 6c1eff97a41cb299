"""
Nodes: what is made of the values of a raw row.

A tree of them describes the result of a query; `mapper.hydration` generates the function that makes it.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, TypeAlias, assert_never

from attrs import field, frozen

from mapper.models import ModelField, ModelShape

__all__ = ["Apply", "Build", "Call", "Cell", "Decoder", "Maybe", "Node", "RowOf", "TupleOf", "cells_of"]

Decoder: TypeAlias = Callable[[Any], Any]
"""Makes a Python value of a stored one that is not NULL."""


@frozen
class Cell:
    """
    The value at an index of the raw row.

    Attributes:
        decode: What is done to it unless it is NULL; None leaves it as it is.
        nullable: Whether NULL is None; otherwise it is an error.
        column, relation: Where it comes from, for messages.
        expected: What it should have been, for messages; where it is empty the error of `decode` tells.
        sensitive: Whether the value is kept out of messages.
    """

    index: int
    decode: Decoder | None
    nullable: bool
    column: str
    relation: str = ""
    expected: str = ""
    sensitive: bool = False


@frozen
class Build:
    """
    An object, made by its class from fields in the order of the constructor.

    Attributes:
        absent_when: None stands for the object where the values at all these indexes are NULL. Empty: it is always
            made.
    """

    shape: ModelShape
    arguments: tuple[tuple[ModelField, "Node"], ...]
    absent_when: tuple[int, ...] = ()


@frozen
class TupleOf:
    """A tuple."""

    items: tuple["Node", ...]


@frozen
class Apply:
    """A function of the user's over a row: `into` spreads a tuple over its parameters, `map` gives it as one value."""

    function: Callable[..., Any]
    node: "Node"
    spread: bool = False


@frozen
class RowOf:
    """
    A `Row`, for a model that is mapped by hand.

    Attributes:
        positions: For the key of an attribute (of several, where a relation is read under an alias) the place of its
            cell among `cells`.
    """

    cells: tuple[Cell, ...]
    positions: Mapping[Hashable, int] = field(factory=dict)


@frozen
class Call:
    """A function over one value, as a relation's own `hydrate` over its row."""

    function: Callable[[Any], Any]
    node: "Node"


@frozen
class Maybe:
    """What the node makes; or None, where the values at all of the indexes `absent_when` are NULL."""

    node: "Node"
    absent_when: tuple[int, ...]


Node: TypeAlias = Cell | Build | TupleOf | Apply | RowOf | Call | Maybe


def cells_of(node: Node) -> Iterator[Cell]:
    """Give the cells of a tree, in order."""
    match node:
        case Cell():
            yield node
        case Build(_, arguments):
            for _, each in arguments:
                yield from cells_of(each)
        case TupleOf(items) | RowOf(items):
            for each in items:
                yield from cells_of(each)
        case Apply() | Call() | Maybe():
            yield from cells_of(node.node)
        case _:
            assert_never(node)
