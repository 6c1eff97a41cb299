"""The planner: which writes go together, and in which order."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from mapper.planner import Kind, Step, Tokens, plan


@frozen
class Fake:
    """A write as the planner sees it; `needed` has triples of a row, a write and its row."""

    relation: Any
    kind: Kind = "insert"
    shape: Hashable = ""
    positions: Sequence[int] = ()
    needed: tuple[tuple[int, int, int], ...] = ()
    reads: frozenset[Any] = frozenset()
    touched: Sequence[Tokens] = ()
    linked: bool = False

    @property
    def tracked(self) -> bool:
        return bool(self.touched)

    def needs(self) -> Iterable[tuple[int, int, int]]:
        return self.needed

    def tokens(self, row: int) -> Tokens:
        return self.touched[row]


@frozen
class Row:
    """One row given to a changeset: rows of one shape are gathered into writes as a changeset does it."""

    relation: str
    kind: Kind = "insert"
    shape: str = ""
    refs: tuple[int, ...] = ()
    reads: frozenset[Any] = frozenset()
    tokens: tuple[str, ...] = ()


@frozen
class Gathered:
    """Writes, and for each row its place among them."""

    writes: list[Fake] = field(factory=list)
    places: list[tuple[int, int]] = field(factory=list)


def gathered(rows: Sequence[Row]) -> Gathered:
    """Gather rows into writes: those of one relation, kind and shape, until something else comes to the relation."""
    open_: dict[str, dict[str, int]] = {}
    kinds: dict[str, str] = {}
    members: list[list[int]] = []
    for position, row in enumerate(rows):
        if kinds.get(row.relation) != row.kind or row.kind in ("update", "delete"):
            open_[row.relation] = {}
            kinds[row.relation] = row.kind
        for each in row.reads:
            open_.pop(each, None)
            kinds.pop(each, None)
        write = open_.setdefault(row.relation, {}).setdefault(row.shape, len(members))
        members.extend([[] for _ in range(write + 1 - len(members))])
        members[write].append(position)
    places = {position: (write, row) for write, each in enumerate(members) for row, position in enumerate(each)}
    writes = [
        Fake(
            relation=rows[each[0]].relation,
            kind=rows[each[0]].kind,
            shape=rows[each[0]].shape if rows[each[0]].kind not in ("update", "delete") else ("alone", number),
            positions=each,
            needed=tuple((row, *places[ref]) for row, position in enumerate(each) for ref in rows[position].refs),
            reads=rows[each[0]].reads,
            touched=[(rows[position].tokens, ()) for position in each] if any(rows[p].tokens for p in each) else (),
        )
        for number, each in enumerate(members)
    ]
    return Gathered(writes, [places[position] for position in range(len(rows))])


def planned(*rows: Row, parents: dict[str, set[str]] | None = None) -> list[list[int]]:
    """Return the positions of rows, by step."""
    found = gathered(rows)
    steps = plan(found.writes, lambda relation: frozenset((parents or {}).get(relation, ())))
    return [positions_of(step, found.writes) for step in steps]


def positions_of(step: Step, writes: Sequence[Fake]) -> list[int]:
    taken = [
        writes[part.write].positions[row]
        for part in step.parts
        for row in (part.rows if part.rows is not None else range(len(writes[part.write].positions)))
    ]
    return sorted(taken)


def test_rows_of_one_shape_go_together():
    assert planned(Row("posts"), Row("users"), Row("posts"), Row("users")) == [[0, 2], [1, 3]]


def test_rows_of_two_shapes_go_apart():
    assert planned(Row("posts", shape="a"), Row("posts", shape="b"), Row("posts", shape="a")) == [[0, 2], [1]]


@pytest.mark.parametrize("kind", ["update", "delete", "update rows", "delete rows"])
def test_insert_does_not_overtake_another_write_of_its_relation(kind: Kind):
    assert planned(Row("posts"), Row("posts", kind), Row("posts")) == [[0], [1], [2]]


def test_updates_by_conditions_keep_their_order():
    assert planned(Row("posts", "update"), Row("posts", "update")) == [[0], [1]]


def test_insert_does_not_overtake_an_update_that_reads_its_relation():
    rows = Row("users"), Row("posts", "update", reads=frozenset({"users"})), Row("users")
    assert planned(*rows) == [[0], [1], [2]]


def test_row_that_names_a_key_comes_after_it():
    assert planned(Row("posts"), Row("comments", refs=(0,)), Row("posts"), Row("comments", refs=(2,))) == [
        [0, 2],
        [1, 3],
    ]


def test_rows_of_a_relation_that_name_each_other_are_split_by_depth():
    rows = Row("nodes"), Row("nodes", refs=(0,)), Row("nodes", refs=(0,)), Row("nodes", refs=(1,)), Row("nodes")
    assert planned(*rows) == [[0, 4], [1, 2], [3]]


def test_relations_in_a_circle_are_split_by_depth():
    rows = Row("a"), Row("b", refs=(0,)), Row("a", refs=(1,)), Row("b", refs=(2,)), Row("c", refs=(3,)), Row("c")
    assert planned(*rows) == [[0], [1], [2], [3], [4, 5]]


def test_parents_are_inserted_before_children():
    assert planned(Row("posts"), Row("users"), parents={"posts": {"users"}}) == [[1], [0]]


def test_children_are_deleted_before_parents():
    rows = Row("users", "delete"), Row("posts", "delete rows")
    assert planned(*rows, parents={"posts": {"users"}}) == [[1], [0]]


def test_reference_yields_to_the_order_within_a_relation():
    rows = Row("users"), Row("users", "delete"), Row("posts"), Row("posts", "delete"), Row("users"), Row("posts")
    assert planned(*rows, parents={"posts": {"users"}}) == [[0], [1], [4], [2], [3], [5]]


def test_references_in_a_circle_leave_the_order_given():
    parents = {"posts": {"users"}, "users": {"posts"}}
    assert planned(Row("posts"), Row("users"), parents=parents) == [[0], [1]]
    assert planned(Row("users"), Row("posts"), parents=parents) == [[0], [1]]


def test_rows_that_touch_the_same_keep_their_order_across_shapes():
    rows = (
        Row("posts", shape="a", tokens=("x",)),
        Row("posts", shape="b", tokens=("x",)),
        Row("posts", shape="a", tokens=("x",)),
        Row("posts", shape="a", tokens=("y",)),
    )
    assert planned(*rows) == [[0, 3], [1], [2]]


def test_long_chain_of_refs_is_planned_without_recursion():
    rows = [Row("nodes"), *[Row("nodes", refs=(index,)) for index in range(3000)]]
    assert planned(*rows) == [[index] for index in range(3001)]


KINDS: list[Kind] = ["insert", "insert", "insert", "update", "delete", "update rows", "delete rows"]
RELATIONS = ["a", "b", "c"]


@st.composite
def changesets(draw: st.DrawFn) -> tuple[Row, ...]:
    """Rows in which each refers to pushes before it alone."""
    rows: list[Row] = []
    for _ in range(draw(st.integers(0, 14))):
        kind = draw(st.sampled_from(KINDS))
        pushed = [position for position, row in enumerate(rows) if row.kind == "insert"]
        names = kind in ("insert", "update", "update rows") and pushed
        rows.append(
            Row(
                relation=draw(st.sampled_from(RELATIONS)),
                kind=kind,
                shape=draw(st.sampled_from(["x", "y"])) if kind not in ("update", "delete") else "",
                refs=tuple(draw(st.lists(st.sampled_from(pushed), max_size=2))) if names else (),
                reads=draw(st.frozensets(st.sampled_from(RELATIONS), max_size=1)) if kind == "update" else frozenset(),
                tokens=tuple(draw(st.lists(st.sampled_from(["k", "l"]), max_size=1))) if kind == "insert" else (),
            )
        )
    return tuple(rows)


PARENTS = st.dictionaries(st.sampled_from(RELATIONS), st.sets(st.sampled_from(RELATIONS)))


@given(changesets(), PARENTS)
def test_every_row_is_written_once_and_after_what_it_needs(rows: tuple[Row, ...], parents: dict[str, set[str]]):
    steps = planned(*rows, parents=parents)
    step_of = {position: step for step, positions in enumerate(steps) for position in positions}
    assert sorted(position for step in steps for position in step) == list(range(len(rows)))
    for position, row in enumerate(rows):
        assert all(step_of[ref] < step_of[position] for ref in row.refs)


@given(changesets(), PARENTS)
def test_writes_of_a_relation_keep_their_order(rows: tuple[Row, ...], parents: dict[str, set[str]]):
    steps = planned(*rows, parents=parents)
    step_of = {position: step for step, positions in enumerate(steps) for position in positions}
    for later, row in enumerate(rows):
        for earlier, other in enumerate(rows[:later]):
            both_insert = row.kind == other.kind == "insert"
            barrier = row.relation == other.relation and (row.kind != other.kind or row.kind in ("update", "delete"))
            if (
                barrier
                or row.relation in other.reads - {other.relation}
                or other.relation in row.reads - {row.relation}
            ):
                assert step_of[earlier] < step_of[later]
            elif both_insert and row.relation == other.relation and set(row.tokens) & set(other.tokens):
                assert step_of[earlier] <= step_of[later]


@given(changesets(), PARENTS)
def test_a_step_has_one_relation_kind_and_shape(rows: tuple[Row, ...], parents: dict[str, set[str]]):
    for step in planned(*rows, parents=parents):
        assert len({(rows[each].relation, rows[each].kind, rows[each].shape) for each in step}) == 1


@given(changesets(), PARENTS, st.integers(2, 4))
def test_number_of_steps_does_not_depend_on_the_number_of_rows(
    rows: tuple[Row, ...], parents: dict[str, set[str]], times: int
):
    plain = [row for row in rows if row.kind not in ("update", "delete") and not row.tokens]
    pushed = [index for index, row in enumerate(plain) if row.kind == "insert"]
    kept = [
        Row(row.relation, row.kind, row.shape, tuple(each for each in row.refs if each in pushed and each < index))
        for index, row in enumerate(plain)
    ]
    many = [
        Row(row.relation, row.kind, row.shape, tuple(ref * times + copy for ref in row.refs))
        for row in kept
        for copy in range(times)
    ]
    assert len(planned(*many, parents=parents)) == len(planned(*kept, parents=parents))


@given(changesets(), PARENTS)
def test_plan_is_the_same_every_time(rows: tuple[Row, ...], parents: dict[str, set[str]]):
    assert planned(*rows, parents=parents) == planned(*rows, parents=parents)


@given(changesets())
def test_without_references_steps_keep_the_order_of_their_first_rows_where_nothing_else_asks(rows: tuple[Row, ...]):
    free = [Row(row.relation, "insert", row.shape) for row in rows]
    steps = planned(*free)
    assert [step[0] for step in steps] == sorted(step[0] for step in steps)
