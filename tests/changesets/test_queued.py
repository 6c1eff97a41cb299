"""Changesets as JSON: what is read is what was written, and whatever else a text says is refused."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapper.changeset import Changeset
from mapper.columns import Column, column
from mapper.deferred import Ref
from mapper.errors import NotStored, QueryError
from mapper.expressions import Expr
from mapper.operations import RawSql
from mapper.relation import Relation
from mapper.repository import Repository
from mapper.selecting import select
from mapper.terms import excluded, fragment
from mapper.types import Numeric
from mapper.wrappers import Keyed, Versioned
from tests.changesets.forum import (
    Forum,
    Label,
    Labels,
    Mark,
    Marks,
    Member,
    Members,
    Message,
    Messages,
    Thread,
    ThreadLabels,
    ThreadMessages,
    Threads,
)


@attrs.frozen
class Sample:
    text: str
    number: Decimal
    ratio: float
    data: bytes
    moment: datetime
    token: UUID
    tags: list[str]
    extra: dict[str, Any] | None


class Samples(Relation[Sample]):
    id: Column[int] = column(primary_key=True)
    text: Column[str]
    number: Column[Decimal] = column(type=Numeric(10, 2))
    ratio: Column[float]
    data: Column[bytes]
    moment: Column[datetime]
    token: Column[UUID]
    tags: Column[list[str]]
    extra: Column[dict[str, Any] | None]


class Lab(Repository[Samples]): ...


def again(changes: Changeset[Any], repository: Any = Forum) -> Any:
    """The changeset that the text of another says."""
    return repository.change_from_json(changes.to_json())


@pytest.mark.parametrize(
    "sample",
    [
        Sample(
            "ä\u2028\n'\"",
            Decimal("1.10"),
            0.1,
            b"\x00\xff",
            datetime(2026, 1, 1, 1, tzinfo=UTC),
            UUID(int=7),
            ["a"],
            None,
        ),
        Sample("", Decimal("-0.01"), float("inf"), b"", datetime(1, 1, 1, tzinfo=UTC), UUID(int=0), [], {"ref": 1}),
    ],
)
def test_values_of_every_type_are_kept(sample: Sample):
    changes = Lab.change()
    changes.inserts(Samples).push(sample, Samples.id.to(2**62))
    changes.updates(Samples).where(Samples.moment > sample.moment, Samples.token.in_([sample.token])).set(
        Samples.data.to(sample.data), Samples.extra.to(sample.extra), Samples.number.to(Samples.number + sample.number)
    )
    changes.update(Samples, 4, sample)
    assert again(changes, Lab) == changes


def full() -> Changeset[Any]:
    """A changeset with a write of every kind."""
    changes = Forum.change()
    thread = changes.inserts(Threads).push(Thread("a")).with_(ThreadLabels, [Label("x"), Label("y")])
    message = changes.inserts(Messages).push(Message("m"), Messages.thread_id.to(thread))
    changes.update(Threads, thread, Threads.latest_id.to(message))
    changes.inserts(Labels).on_conflict(Labels.name, update=[Labels.color], set_=[], where=Labels.color != "red").push(
        Label("x", "red")
    )
    mark = changes.inserts(Marks).on_conflict(Marks.thread_id, Marks.label, set_=[Marks.weight.to(Marks.weight + 1)])
    ref = mark.push(Mark(3), Marks.thread_id.to(thread), Marks.label.to("x"))
    changes.update(Marks, ref, Marks.weight.to(Marks.weight * 2))
    changes.updates(Threads).where((Threads.id == thread) | ~Threads.title.like("z%")).set(Threads.title.to("b"))
    changes.deletes(Members).where(Members.boss_id.is_null(), Members.name.in_(["p", "q"]) & (Members.id > 3))
    changes.deletes(Marks).where(Marks.weight.between(90, 99))
    return changes


async def test_changeset_is_committed_elsewhere_as_here(forum: Forum):
    changes = full()
    copy = again(changes)
    assert copy == changes
    assert copy.describe() == changes.describe()
    first = await copy.commit(forum)
    assert await select(Marks.label, Marks.weight).order_by(Marks.label).all(forum) == [("x", 4), ("y", 1)]
    assert await select(Threads.title).all(forum) == ["b"]
    assert await select(Labels.name, Labels.color).order_by(Labels.name).all(forum) == [("x", "red"), ("y", "grey")]
    assert first.inserted == 6


async def test_rows_by_key_and_version_are_kept(forum: Forum):
    changes = Forum.change()
    thread = changes.inserts(Threads).push(Thread("a")).with_(ThreadMessages, [Message("m")])
    key = (await changes.commit(forum))[thread]
    row = await select(Messages).one(forum)
    changes = Forum.change()
    changes.update(Messages, row, Messages.text.to("n"))
    changes.update(Messages, row.model.key, Messages.text.to("o"))
    changes.delete(Messages, Versioned(row.model, 3))
    changes.replace(ThreadMessages, key, [Message("p")])
    changes.update(Threads, key, Threads.title.to("b"))
    copy = again(changes)
    assert copy == changes
    await copy.commit(forum)
    assert await select(Messages.text).all(forum) == ["p"]


async def test_once_takes_a_changeset_and_its_copy_for_the_same(forum: Forum):
    changes = Forum.change()
    ref = changes.inserts(Members).push(Member("a"))
    first = await changes.commit(forum, once="id")
    assert (await again(changes).commit(forum, once="id"))._keys == [first[ref]]
    assert await select(Members.id).count(forum) == 1


@pytest.mark.parametrize(
    "write",
    [
        lambda changes: changes.updates(Members).where(fragment(bool, "1 = 1")).set(Members.name.to("x")),
        lambda changes: changes.updates(Members).where(Members.id.in_(select(Threads.id))).set(Members.name.to("x")),
        lambda changes: changes.updates(Members).where(Members.id == Members.boss_id).set(Members.name.to("x")),
        lambda changes: changes.updates(Members).where(Members.id + 1 > 3).set(Members.name.to("x")),
        lambda changes: changes.update(Members, 1, Members.boss_id.to(Members.id)),
        lambda changes: (
            changes.inserts(Labels)
            .on_conflict(Labels.name, set_=[Labels.color.to(excluded(Labels.name))])
            .push(Label("x"))
        ),
        lambda changes: changes.then(RawSql("select 1")),
    ],
)
def test_what_is_no_plain_value_or_condition_has_no_json(write: Any):
    changes: Any = Forum.change()
    write(changes)
    with pytest.raises(QueryError, match="has no JSON"):
        changes.to_json()


def said(*rows: Any, version: Any = 1) -> str:
    return json.dumps({"version": version, "rows": list(rows)})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("{}", "not that of a changeset"),
        ('{"version": 1, "rows": NaN}', "cannot be read"),
        (said(version=2), "has version 2, expected 1"),
        (said(version=True), "has version True"),
        (said({"raw": "drop table x"}), "row 0 of the text: it is neither"),
        (said({"insert": "nothing", "values": {}}), "'nothing' is no relation here"),
        (said({"insert": "mapper_commits", "values": {}}), "is no relation here"),
        (said({"insert": "members", "values": {"nam": "x"}}), "Members has no column 'nam'"),
        (said({"insert": "members", "values": {"__class__": "x"}}), "Members has no column"),
        (said({"insert": "members", "values": {}}), "is given no value"),
        (said({"insert": "members", "values": {"name": {"ref": 0}}}), "names no row before it"),
        (said({"insert": "members", "values": {"name": {"ref": -1}}}), "names no row before it"),
        (said({"insert": "members", "values": {"name": {"fragment": "now()"}}}), "is no value of Members.name"),
        (said({"insert": "members", "values": {"name": "x"}, "more": 1}), "it is neither"),
        (said({"delete": "members", "key": [1]}, {"delete": "members", "key": [{"ref": 0}]}), "names no new row"),
        (said({"delete": "members", "key": []}), "is no key of Members"),
        (said({"delete": "members", "key": [None]}), "is no key of Members"),
        (said({"delete": "members", "key": [1], "row_version": 1}), "is no version"),
        (said({"update": "members", "key": [1], "set": {}}), "assigns nothing"),
        (said({"update": "messages", "key": [1], "set": {"version": 7}}), "counts the writes"),
        (
            said({"delete_where": "members", "where": [{"eq": "name", "values": []}], "everywhere": False}),
            "is no condition",
        ),
        (
            said({"delete_where": "members", "where": [{"system": "name", "values": ["x"]}], "everywhere": False}),
            "is no condition",
        ),
        (
            said({"delete_where": "members", "where": [{"like": "id", "values": [3]}], "everywhere": False}),
            "is no condition",
        ),
        (said({"delete_where": "members", "where": [True], "everywhere": False}), "is no condition"),
    ],
)
def test_text_that_says_anything_else_is_refused(text: str, problem: str):
    with pytest.raises(QueryError, match=problem):
        Forum.change_from_json(text)


def test_conditions_are_not_read_to_any_depth():
    condition: dict[str, Any] = {"is_null": "boss_id", "values": []}
    for _ in range(60):
        condition = {"not": [condition]}
    with pytest.raises(QueryError, match="is no condition"):
        Forum.change_from_json(said({"delete_where": "members", "where": [condition], "everywhere": False}))


async def test_text_that_deletes_without_a_condition_is_refused_at_the_commit(forum: Forum):
    changes = Forum.change_from_json(said({"delete_where": "members", "where": [], "everywhere": False}))
    with pytest.raises(QueryError, match="neither which rows"):
        await changes.commit(forum)


def test_relation_of_another_repository_is_refused():
    changes = Forum.change()
    changes.inserts(Members).push(Member("x"))
    with pytest.raises(QueryError, match="is no relation here"):
        Lab.change_from_json(changes.to_json())
    assert issubclass(NotStored, QueryError)


texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5)

conditions: st.SearchStrategy[Expr[bool, Any]] = st.recursive(
    st.one_of(
        st.builds(lambda value: Members.name == value, texts),
        st.builds(lambda value: Members.boss_id != value, st.none() | st.integers(-(2**63), 2**63 - 1)),
        st.builds(Members.boss_id.not_in, st.lists(st.none() | st.integers(0, 9))),
        st.builds(lambda value: Members.name.in_(value), st.lists(texts)),
        st.builds(lambda value: Members.name.contains(value), texts),
        st.builds(lambda value: Members.boss_id.is_distinct_from(value), st.none() | st.integers(0, 9)),
        st.builds(lambda low, high: Members.id.between(low, high), st.integers(0, 9), st.integers(0, 9)),
        st.builds(lambda value: Members.id <= value, st.integers(0, 9)),
        st.just(Members.boss_id.is_null()),
    ),
    lambda inner: st.one_of(
        st.builds(lambda left, right: left & right, inner, inner),
        st.builds(lambda left, right: left | right, inner, inner),
        st.builds(lambda each: ~each, inner),
    ),
    max_leaves=8,
)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), texts, conditions), max_size=12))
@settings(max_examples=60, deadline=None)
def test_random_changesets_are_read_as_they_were(steps: list[tuple[int, int, str, Expr[bool, Any]]]):
    changes = Forum.change()
    refs: list[Ref[int]] = []
    for kind, number, text, condition in steps:
        if kind == 0 or not refs:
            refs.append(changes.inserts(Members).push(Member(text)))
        elif kind == 1:
            refs.append(changes.inserts(Members).push(Member(text), Members.boss_id.to(refs[number % len(refs)])))
        elif kind == 2:
            changes.update(Members, refs[number % len(refs)], Members.boss_id.to(refs[0]), Members.name.to(text))
        elif kind == 3:
            changes.updates(Members).where(condition).set(Members.id.to(Members.id - number))
        else:
            changes.delete(Members, Keyed(number, Member(text)))
            changes.deletes(Members).where(condition)
    copy = again(changes)
    assert copy == changes
    assert copy.describe() == changes.describe()
    assert copy.to_json() == changes.to_json()
