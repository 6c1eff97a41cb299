"""
A graph for random tests: nodes in trees and circles, groups, and marks that tie both in any number.

Rows refer to each other as they like: to nothing, to rows that are not there, to themselves. Beside each relationship
stands what it means, as a function over the rows themselves.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import attrs
from hypothesis import strategies as st

from mapper import (
    BelongsTo,
    Column,
    Expr,
    HasMany,
    HasOne,
    ManyToMany,
    Relation,
    Repository,
    Through,
    aggregate,
    all_,
    any_,
    column,
    fn,
    none_,
)
from mapper.relationships import walked


@attrs.frozen
class Node:
    parent_id: int | None
    group_code: int | None
    size: int | None


@attrs.frozen
class Group:
    code: int | None
    open: bool | None


@attrs.frozen
class Mark:
    node_id: int | None
    group_id: int | None


@attrs.frozen
class Cell:
    id: int
    node_id: int | None
    size: int | None


class Nodes(Relation[Node]):
    id: Column[int] = column(primary_key=True)
    parent_id: Column[int | None]
    group_code: Column[int | None]
    size: Column[int | None]


class Groups(Relation[Group]):
    id: Column[int] = column(primary_key=True)
    code: Column[int | None]
    open: Column[bool | None]


class Marks(Relation[Mark]):
    id: Column[int] = column(primary_key=True)
    node_id: Column[int | None]
    group_id: Column[int | None]


class Cells(Relation[Cell, tuple[int, int]]):
    """Rows whose key has two columns, which order them otherwise than their number does."""

    odd: Column[int] = column(primary_key=True)
    number: Column[int] = column(primary_key=True)
    id: Column[int]
    node_id: Column[int | None]
    size: Column[int | None]


class Parent(BelongsTo[Nodes, Nodes]):
    key = Nodes.parent_id


class Children(HasMany[Nodes, Nodes]):
    key = Nodes.parent_id


class LargeChildren(Children):
    where = Nodes.size > 1


class LargestChild(HasOne[Nodes, Nodes]):
    key = Nodes.parent_id
    order = Nodes.size.desc().nulls_last()


class OpenGroup(HasOne[Nodes, Groups]):
    key = Groups.code
    on = Nodes.group_code
    where = Groups.open
    order = Groups.id.desc()


class Members(HasMany[Groups, Nodes]):
    key = Nodes.group_code
    on = Groups.code


class Marked(ManyToMany[Nodes, Groups]):
    through = Marks
    keys = (Marks.node_id, Marks.group_id)


class MarkedOpen(Marked):
    where = Groups.open


class MarkedBy(ManyToMany[Groups, Nodes]):
    through = Marks
    keys = (Marks.group_id, Marks.node_id)


class Grandchildren(Through[Nodes, Nodes]):
    path = (Children, Children)


class Siblings(Through[Nodes, Nodes]):
    path = (Parent, LargeChildren)


class Kindred(Through[Nodes, Nodes]):
    path = (MarkedOpen, MarkedBy)


class ParentsLargest(Through[Nodes, Nodes]):
    path = (Parent, LargestChild)


class Neighbours(Through[Groups, Groups]):
    path = (Members, Grandchildren, OpenGroup)


class ParentsLarge(ParentsLargest):
    where = Nodes.size > 1


class FirstCell(HasOne[Nodes, Cells]):
    key = Cells.node_id
    order = Cells.size


class CellNode(BelongsTo[Cells, Nodes]):
    key = Cells.node_id


class ChildrensCells(Through[Nodes, Cells]):
    path = (Children, FirstCell)
    where = Cells.size > 0


class CellsOfSiblings(Through[Cells, Cells]):
    path = (CellNode, Siblings, FirstCell)


class Graph(Repository[Nodes | Groups | Marks | Cells]): ...


Row: TypeAlias = tuple[Any, ...]


@attrs.frozen
class Content:
    """
    Rows: nodes of (id, parent, group code, size), groups of (id, code, open), marks of (id, node, group), cells of
    (id, node, size), whose key is whether the id is odd, and the id.
    """

    nodes: tuple[Row, ...]
    groups: tuple[Row, ...]
    marks: tuple[Row, ...]
    cells: tuple[Row, ...]

    def of(self, relation: Any) -> tuple[Row, ...]:
        return {Nodes: self.nodes, Groups: self.groups, Cells: self.cells}[relation]


def equal(left: object, right: object) -> bool:
    return left is not None and left == right


def children(content: Content, node: Row) -> list[Row]:
    return [each for each in content.nodes if equal(each[1], node[0])]


def parent(content: Content, node: Row) -> list[Row]:
    return [each for each in content.nodes if equal(node[1], each[0])]


def large_children(content: Content, node: Row) -> list[Row]:
    return [each for each in children(content, node) if each[3] is not None and each[3] > 1]


def largest_child(content: Content, node: Row) -> list[Row]:
    return sorted(children(content, node), key=lambda each: (each[3] is None, -(each[3] or 0), each[0]))[:1]


def open_group(content: Content, node: Row) -> list[Row]:
    found = [each for each in content.groups if equal(node[2], each[1]) and each[2]]
    return sorted(found, key=lambda each: -each[0])[:1]


def members(content: Content, group: Row) -> list[Row]:
    return [each for each in content.nodes if equal(each[2], group[1])]


def marked(content: Content, node: Row) -> list[Row]:
    return [g for m in content.marks if equal(m[1], node[0]) for g in content.groups if equal(m[2], g[0])]


def marked_open(content: Content, node: Row) -> list[Row]:
    return [each for each in marked(content, node) if each[2]]


def marked_by(content: Content, group: Row) -> list[Row]:
    return [n for m in content.marks if equal(m[2], group[0]) for n in content.nodes if equal(m[1], n[0])]


def first_cell(content: Content, node: Row) -> list[Row]:
    found = [each for each in content.cells if equal(each[1], node[0])]
    return sorted(found, key=lambda each: (each[2] is None, each[2] or 0, each[0] % 2, each[0]))[:1]


def cell_node(content: Content, cell: Row) -> list[Row]:
    return [each for each in content.nodes if equal(cell[1], each[0])]


Follow: TypeAlias = Callable[[Content, Row], list[Row]]


def chained(*steps: Follow) -> Follow:
    """One step after another."""

    def follow(content: Content, row: Row) -> list[Row]:
        rows = [row]
        for step in steps:
            rows = [found for each in rows for found in step(content, each)]
        return rows

    return follow


def kept(follow: Follow, place: int, least: int) -> Follow:
    """What a way leads to that is larger."""
    return lambda content, row: [
        each for each in follow(content, row) if each[place] is not None and each[place] > least
    ]


grandchildren = chained(children, children)
siblings = chained(parent, large_children)
parents_largest = chained(parent, largest_child)

MEANINGS: dict[Any, Follow] = {
    Parent: parent,
    Children: children,
    LargeChildren: large_children,
    LargestChild: largest_child,
    OpenGroup: open_group,
    Members: members,
    Marked: marked,
    MarkedOpen: marked_open,
    MarkedBy: marked_by,
    Grandchildren: grandchildren,
    Siblings: siblings,
    Kindred: chained(marked_open, marked_by),
    ParentsLargest: parents_largest,
    ParentsLarge: kept(parents_largest, 3, 1),
    FirstCell: first_cell,
    CellNode: cell_node,
    ChildrensCells: kept(chained(children, first_cell), 2, 0),
    CellsOfSiblings: chained(cell_node, siblings, first_cell),
    Neighbours: chained(members, grandchildren, open_group),
}
"""For each relationship the rows that it leads to from a row, as often as it does."""


def starting(relation: Any) -> list[Any]:
    """The relationships that start from a relation."""
    return [each for each in MEANINGS if each.of() is relation]


# -- drawing -----------------------------------------------------------------------------------------------------------

_KEYS = st.none() | st.integers(1, 5)
_BOOLEANS = st.sampled_from([None, True, False])


def _numbered(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple([(key, *row) for key, row in enumerate(rows, 1)])


CONTENTS = st.builds(
    Content,
    st.lists(st.tuples(_KEYS, st.none() | st.integers(0, 2), st.none() | st.integers(0, 3)), max_size=6).map(_numbered),
    st.lists(st.tuples(st.none() | st.integers(0, 2), _BOOLEANS), max_size=4).map(_numbered),
    st.lists(st.tuples(_KEYS, _KEYS), max_size=6).map(_numbered),
    st.lists(st.tuples(_KEYS, st.none() | st.integers(0, 2)), max_size=6).map(_numbered),
)


@attrs.frozen
class Held:
    """A condition on rows of a relation, and whether it holds: None where it is NULL."""

    condition: Any
    holds: Callable[[Content, Row], bool | None]
    shown: str


@st.composite
def leaves(draw: st.DrawFn, relation: Any) -> Held:
    """A condition on a column."""
    if relation is not Groups:
        least, place = draw(st.integers(0, 3)), 3 if relation is Nodes else 2
        return Held(
            relation.size >= least,
            lambda _, row: None if row[place] is None else row[place] >= least,
            f"size >= {least}",
        )
    return draw(
        st.sampled_from(
            [
                Held(Groups.open, lambda _, row: row[2], "open"),
                Held(Groups.code.is_null(), lambda _, row: row[1] is None, "code is null"),
            ]
        )
    )


@st.composite
def conditions(draw: st.DrawFn, relation: Any, depth: int) -> Held:
    """A condition on a column, or over related rows."""
    if depth == 0 or draw(st.booleans()):
        return draw(leaves(relation))
    relationship = draw(st.sampled_from(starting(relation)))
    inner = draw(conditions(relationship.to(), depth - 1))
    kind = draw(st.sampled_from(["any", "all", "none", "any at all"]))
    follow = MEANINGS[relationship]

    def true(content: Content, row: Row) -> list[bool]:
        return [inner.holds(content, each) is True for each in follow(content, row)]

    shown = f"{kind}({relationship.__name__}, {inner.shown})"
    match kind:
        case "any":
            return Held(any_(relationship, inner.condition), lambda c, row: any(true(c, row)), shown)
        case "all":
            return Held(all_(relationship, inner.condition), lambda c, row: all(true(c, row)), shown)
        case "none":
            return Held(none_(relationship, inner.condition), lambda c, row: not any(true(c, row)), shown)
        case _:
            return Held(any_(relationship), lambda c, row: bool(follow(c, row)), shown)


@st.composite
def paths(draw: st.DrawFn, relation: Any, longest: int) -> tuple[Any, ...]:
    """
    Relationships, each of which starts where the one before ends, with about `longest` steps in all.
    """
    path = [draw(st.sampled_from(starting(relation)))]
    steps = len(walked(path[0]).hops)
    while draw(st.booleans()):
        following = draw(st.sampled_from(starting(path[-1].to())))
        steps += len(walked(following).hops)
        if steps > longest:
            break
        path.append(following)
    return tuple(path)


def counted(relationship: Any) -> Expr[int, Any]:
    """How many rows a relationship leads to."""
    number: Expr[int, Any] = aggregate(relationship, fn.count())
    return number


def count_of(content: Content, relationship: Any, row: Row) -> int:
    """The same over the rows themselves: along a path, each counts once."""
    found = MEANINGS[relationship](content, row)
    return len(set(found)) if issubclass(relationship, Through) else len(found)


def joined(content: Content, relationship: Any, *, outer: bool) -> Sequence[tuple[int, int | None]]:
    """The pairs of keys that a join gives."""
    pairs: list[tuple[int, int | None]] = []
    for row in content.of(relationship.of()):
        found = MEANINGS[relationship](content, row)
        pairs.extend([(row[0], each[0]) for each in found])
        if outer and not found:
            pairs.append((row[0], None))
    return pairs
