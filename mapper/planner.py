"""
The order in which a changeset's writes go to the store.

Writes go in, in the order in which the first row of each was given; steps come out, each of which goes to the store as
one operation (or one a chunk). Nothing here knows of values or stores: the planner is pure, and gives the same steps
for the same writes.

What holds, the stronger first:

* Writes of one relation keep their order: an insert overtakes no update or delete, nor they an insert. Between such
  barriers, rows of one shape go together, whatever their number.
* A row that names the key of another comes in a later step than that one. Only where relations need each other in a
  circle are rows of one shape split, by how deep they stand.
* Rows that touch the same thing (a unique value, a key) keep their order.
* Where a relation refers to another, parents are inserted before children and children deleted before parents, unless
  that contradicts the above.
* What is left keeps the order given.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import Any, Final, Literal, Protocol, TypeAlias

from attrs import define, field, frozen

from mapper.ordering import circles, ordered

__all__ = ["Kind", "Part", "Step", "Tokens", "Write", "plan"]

Kind: TypeAlias = Literal["insert", "update", "delete", "update rows", "delete rows"]

Tokens: TypeAlias = tuple[Sequence[Hashable], Sequence[Hashable]]
"""
What a row writes and what it reads, beyond itself: two rows that write one token, or of which one reads it, keep their
order.
"""

Parents: TypeAlias = Callable[[Any], frozenset[Any]]
"""Gives the relations that a relation refers to."""

MERGED: Final = frozenset({"insert", "update rows", "delete rows", "read"})
"""Kinds of which several writes go together, or in any order."""


class Write(Protocol):
    """
    Rows of one relation, one kind and one shape, with no barrier between them; an update or delete by a condition
    counts as one row.

    Attributes:
        shape: Rows of equal shape can go in one operation.
        positions: The place of each row in the order given, ascending.
        reads: Further relations that it reads.
        tracked: Whether `tokens` has anything to say that matters within its relation; `linked`: beyond it, too.
    """

    @property
    def relation(self) -> Any: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def shape(self) -> Hashable: ...
    @property
    def positions(self) -> Sequence[int]: ...
    @property
    def reads(self) -> frozenset[Any]: ...
    @property
    def tracked(self) -> bool: ...
    @property
    def linked(self) -> bool: ...
    def needs(self) -> Iterable[tuple[int, int, int]]:
        """Give for each row that names the key of another: itself, the number of the other's write, and its row."""
        ...

    def tokens(self, row: int) -> Tokens:
        """Return what a row touches."""
        ...


@frozen
class Part:
    """Rows of one write: all of them, or those listed."""

    write: int
    rows: tuple[int, ...] | None = None


@frozen
class Step:
    """Rows that go together, in their order."""

    parts: tuple[Part, ...]


def plan(writes: Sequence[Write], parents: Parents) -> list[Step]:
    """
    Order the writes.

    Args:
        writes: In the order of their first rows. A row needs only rows before it.
        parents: The relations that a relation refers to.
    """
    planner = _Planner(writes, _runs(writes))
    planner.collect_dependencies()
    planner.place_by_tokens()
    planner.split_circles()
    return planner.steps(parents)


Place: TypeAlias = tuple[int, int]
"""A write, and a row of it."""

Group: TypeAlias = tuple[int, Hashable, int, int]
"""Rows that go together: their run, their shape, and what keeps them apart: a level by tokens, a depth in a circle."""


@define
class _Run:
    """Consecutive writes of a relation that can go in any order among themselves; `previous` is the run before it."""

    relation: Any
    kind: str
    previous: int | None


@define
class _Runs:
    """All runs, and those that each write belongs to: first of its own relation, then of those that it reads."""

    runs: list[_Run] = field(factory=list)
    of_write: list[list[int]] = field(factory=list)
    current: dict[Any, int] = field(factory=dict)

    def enter(self, relation: Any, kind: str) -> int:
        """Return the run that a write of this kind belongs to."""
        last = self.current.get(relation)
        if last is not None and kind in MERGED and self.runs[last].kind == kind:
            return last
        self.runs.append(_Run(relation, kind, last))
        self.current[relation] = len(self.runs) - 1
        return len(self.runs) - 1


def _runs(writes: Sequence[Write]) -> _Runs:
    runs = _Runs()
    for write in writes:
        own = runs.enter(write.relation, write.kind)
        others = sorted(write.reads - {write.relation}, key=repr) if write.reads else ()
        runs.of_write.append([own, *[runs.enter(each, "read") for each in others]])
    return runs


@define
class _Planner:
    """
    The work of one `plan`.

    Attributes:
        named: For each write that names keys, for each such row the places of the rows that make them.
        earlier: For each tracked write, for each row the places of earlier rows that touch what it touches.
        levels, depths: For each write, by row; a write that is absent has 0 everywhere.
    """

    writes: Sequence[Write]
    runs: _Runs
    named: dict[int, dict[int, list[Place]]] = field(factory=dict)
    earlier: dict[int, dict[int, list[Place]]] = field(factory=dict)
    levels: dict[int, list[int]] = field(factory=dict)
    depths: dict[int, list[int]] = field(factory=dict)

    def collect_dependencies(self) -> None:
        """Find which rows come after which."""
        for index, write in enumerate(self.writes):
            for row, other, other_row in write.needs():
                self.named.setdefault(index, {}).setdefault(row, []).append((other, other_row))
        self._collect_touching(self._tracked())

    def _tracked(self) -> list[int]:
        """Return the writes whose rows have to be looked at: those of a run that may be split, and linked ones."""
        shapes: dict[int, set[Hashable]] = {}
        for index, write in enumerate(self.writes):
            shapes.setdefault(self.runs.of_write[index][0], set()).add(write.shape)
        split = {run for run, found in shapes.items() if len(found) > 1}
        split.update([self.runs.of_write[index][0] for index in self.named])
        return [
            index
            for index, write in enumerate(self.writes)
            if write.linked or (write.tracked and self.runs.of_write[index][0] in split)
        ]

    def _collect_touching(self, tracked: Sequence[int]) -> None:
        writers: dict[Hashable, Place] = {}
        readers: dict[Hashable, list[Place]] = {}
        for index in tracked:
            self.earlier[index] = {}
        for index, row in self._in_order(tracked):
            written, read = self.writes[index].tokens(row)
            found = [writers[each] for each in (*written, *read) if each in writers]
            found += [place for each in written for place in readers.pop(each, ())]
            if found:
                self.earlier[index][row] = found
            for each in read:
                readers.setdefault(each, []).append((index, row))
            for each in written:
                writers[each] = (index, row)

    def place_by_tokens(self) -> None:
        """
        Put a row that touches what an earlier row of another shape touches, within one run, on a higher level: on one
        that rows of its shape are on already, if there is one.
        """
        known: dict[tuple[int, Hashable], set[int]] = {}
        for index in self.earlier:
            self.levels[index] = [0] * len(self.writes[index].positions)
        for index, row in self._in_order(self.earlier):
            least = max([self._level_after(place, index) for place in self.earlier[index].get(row, ())], default=0)
            levels = known.setdefault((self.runs.of_write[index][0], self.writes[index].shape), set())
            self.levels[index][row] = min([each for each in levels if each >= least], default=least)
            levels.add(self.levels[index][row])

    def _level_after(self, place: Place, index: int) -> int:
        if self.runs.of_write[place[0]][0] != self.runs.of_write[index][0]:
            return 0
        differ = self.writes[place[0]].shape != self.writes[index].shape
        return self.levels[place[0]][place[1]] + differ

    def split_circles(self) -> None:
        """Split the groups that need each other in a circle, by the depth of their rows."""
        groups, before = self._graph()
        circle_of = circles(before)
        if circle_of:
            by_group = {group: circle_of[number] for group, number in groups.items() if number in circle_of}
            _Depths(self, by_group).measure()

    def steps(self, parents: Parents) -> list[Step]:
        """Order the groups and list the rows of each."""
        groups, before = self._graph()
        kinds: list[tuple[str, Any]] = [("", None)] * len(groups)
        parts: list[dict[int, list[int] | None]] = [{} for _ in groups]
        for index, write in enumerate(self.writes):
            kind = (write.kind.partition(" ")[0], write.relation)
            for row, group in self._rows(index):
                number = groups[group]
                kinds[number] = kind
                rows = parts[number].setdefault(index, None if row is None else [])
                if rows is not None and row is not None:
                    rows.append(row)
        order = ordered(before, kinds, _blockers(kinds, parents))
        return [Step(tuple([Part(index, _listed(rows)) for index, rows in parts[each].items()])) for each in order]

    def _graph(self) -> tuple[dict[Group, int], list[set[int]]]:
        """Number the groups in the order of their first rows, and tell for each which others come before it."""
        groups: dict[Group, int] = {}
        in_run: dict[int, set[int]] = {}
        for index in range(len(self.writes)):
            for _, group in self._rows(index):
                number = groups.setdefault(group, len(groups))
                for run in self.runs.of_write[index]:
                    in_run.setdefault(run, set()).add(number)
        before: list[set[int]] = [set() for _ in groups]
        for run, members in in_run.items():
            previous = self.runs.runs[run].previous
            if previous is not None:
                for each in members:
                    before[each].update(in_run[previous])
        self._add_dependencies(groups, before)
        return groups, before

    def _add_dependencies(self, groups: Mapping[Group, int], before: Sequence[set[int]]) -> None:
        """Add what rows ask for. A group that is before itself makes a key that it needs: the smallest circle."""
        for index, by_row in self.named.items():
            for row, places in by_row.items():
                before[groups[self._group(index, row)]].update([groups[self._group(*each)] for each in places])
        for index, by_row in self.earlier.items():
            for row, places in by_row.items():
                own = groups[self._group(index, row)]
                before[own].update([other for each in places if (other := groups[self._group(*each)]) != own])

    def _rows(self, index: int) -> Iterator[tuple[int | None, Group]]:
        """Give the rows of a write with their groups; None stands for all rows."""
        if index in self.levels or index in self.depths:
            for row in range(len(self.writes[index].positions)):
                yield row, self._group(index, row)
        else:
            yield None, self._group(index, 0)

    def _group(self, index: int, row: int) -> Group:
        level = self.levels[index][row] if index in self.levels else 0
        depth = self.depths[index][row] if index in self.depths else 0
        return self.runs.of_write[index][0], self.writes[index].shape, level, depth

    def _in_order(self, indexes: Iterable[int]) -> Iterator[Place]:
        """Give the rows of some writes in the order given."""
        rows = [
            [(position, index, row) for row, position in enumerate(self.writes[index].positions)] for index in indexes
        ]
        for _, index, row in merge(*rows):
            yield index, row


@define
class _Depths:
    """
    How deep rows stand in the circles that their groups are in: below all rows of their relation's runs before, and
    below all rows that they name or touch.
    """

    planner: _Planner
    circle_of: Mapping[Group, int]
    found: dict[int, list[int]] = field(factory=dict)
    high: dict[tuple[Any, int], int] = field(factory=dict)
    floors: dict[tuple[int, int], int] = field(factory=dict)

    def measure(self) -> None:
        """Fill the planner's `depths`."""
        writes = self.planner.writes
        for index, row in self.planner._in_order(range(len(writes))):
            circle = self.circle_of.get(self.planner._group(index, row))
            if circle is None:
                continue
            runs = self.planner.runs.of_write[index]
            depth = max([*[self._floor(run, circle) for run in runs], *self._below(index, row, circle)])
            self.found.setdefault(index, [0] * len(writes[index].positions))[row] = depth
            for run in runs:
                key = (self.planner.runs.runs[run].relation, circle)
                self.high[key] = max(self.high.get(key, -1), depth)
        self.planner.depths = self.found

    def _floor(self, run: int, circle: int) -> int:
        """Return the least depth of a run: beyond that of all runs of its relation before it."""
        if (run, circle) not in self.floors:
            self.floors[run, circle] = self.high.get((self.planner.runs.runs[run].relation, circle), -1) + 1
        return self.floors[run, circle]

    def _below(self, index: int, row: int, circle: int) -> Iterator[int]:
        planner, own = self.planner, self.planner._group(index, row)
        for other, other_row in planner.named.get(index, {}).get(row, ()):
            if self.circle_of.get(planner._group(other, other_row)) == circle:
                yield self.found[other][other_row] + 1
        for other, other_row in planner.earlier.get(index, {}).get(row, ()):
            group = planner._group(other, other_row)
            if self.circle_of.get(group) == circle:
                yield self.found[other][other_row] + (group != own)


def _listed(rows: list[int] | None) -> tuple[int, ...] | None:
    return None if rows is None else tuple(rows)


def _blockers(kinds: Sequence[tuple[str, Any]], parents: Parents) -> dict[tuple[str, Any], list[tuple[str, Any]]]:
    """Tell for each kind of write to a relation which others had better be done before."""
    blockers: dict[tuple[str, Any], list[tuple[str, Any]]] = {each: [] for each in kinds}
    for kind, relation in list(blockers):
        for parent in sorted(parents(relation) - {relation}, key=repr):
            if kind == "insert" and ("insert", parent) in blockers:
                blockers["insert", relation].append(("insert", parent))
            if kind == "delete" and ("delete", parent) in blockers:
                blockers["delete", parent].append(("delete", relation))
    return blockers
