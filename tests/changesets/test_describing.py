"""Changesets as text, and two of them as one."""

import re

import attrs
import pytest

from mapper.columns import Column, column
from mapper.errors import NotStored, QueryError
from mapper.operations import RawSql
from mapper.relation import Relation
from mapper.repository import Repository
from mapper.selecting import select
from mapper.wrappers import Keyed
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
    Staff,
    Thread,
    Threads,
)


@attrs.frozen
class Account:
    name: str
    secret: str


class Accounts(Relation[Account]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    secret: Column[str] = column(sensitive=True)


class Bank(Repository[Accounts]): ...


def test_changeset_is_described_in_the_order_of_its_operations():
    changes = Forum.change()
    changes.deletes(Marks).where(Marks.weight > 3, Marks.label.in_(["x", "y"]))
    thread = changes.inserts(Threads).push(Thread("a"))
    message = changes.inserts(Messages).push(Message("m"), Messages.thread_id.to(thread))
    changes.update(Threads, thread, Threads.latest_id.to(message))
    changes.updates(Threads).everywhere().set(Threads.id.to(Threads.id + 1))
    assert changes.describe().splitlines() == [
        "1. delete from Marks where Marks.weight > ? with 3 and Marks.label.in_(?) with ['x', 'y']",
        "2. insert 1 row into Threads",
        "   title='a'",
        "3. insert 1 row into Messages",
        "   thread_id=<ref 1 of Threads>, text='m'",
        "   defaults: version",
        "4. update 1 row of Threads by key",
        "   id=<ref 1 of Threads>: latest_id=<ref 2 of Messages>",
        "5. update Threads everywhere",
        "   id=Threads.id + ? with 1",
    ]


def test_only_some_rows_are_described():
    changes = Forum.change()
    changes.inserts(Labels).on_conflict(Labels.name, update=[Labels.color]).extend(
        [Label(str(each)) for each in range(9)]
    )
    first, *_, last = changes.describe().splitlines()
    assert first == "1. insert 9 rows into Labels, where there is one on name, update color"
    assert last == "   … 4 more"


def test_sensitive_values_are_not_described():
    changes = Bank.change()
    changes.inserts(Accounts).push(Account("ada", "hush"))
    changes.update(Accounts, 1, Accounts.secret.to("hush"))
    changes.updates(Accounts).where(Accounts.secret == "hush").set(
        Accounts.name.to("hidden"), Accounts.secret.to("hush")
    )
    assert "hush" not in changes.describe()
    assert "name='ada', secret=…" in changes.describe()


def test_statements_behind_the_rows_are_described():
    changes = Forum.change()
    assert changes.describe() == "nothing"
    changes.then(RawSql("select 1"))
    assert changes.describe() == "1. run select 1"


async def test_changesets_are_merged_with_their_refs(forum: Forum):
    first, second = Forum.change(), Forum.change()
    own = first.inserts(Members).push(Member("own"))
    thread = second.inserts(Threads).push(Thread("a"))
    message = second.inserts(Messages).push(Message("m"), Messages.thread_id.to(thread))
    second.update(Threads, thread, Threads.latest_id.to(message))
    label = second.inserts(Labels).push(Label("x"))
    second.inserts(Marks).push(Mark(1), Marks.thread_id.to(thread), Marks.label.to(label))
    second.updates(Threads).where(Threads.id == thread).set(Threads.title.to("b"))
    second.deletes(Members).where(Members.id == 99)
    moved = first.merge(second)
    other = first.inserts(Members).push(Member("other"))
    first.link(Staff, own, other)
    first.inserts(Messages).push(Message("n"), Messages.thread_id.to(moved[thread]))
    result = await first.commit(forum)
    assert await select(Threads.title, Threads.latest_id).all(forum) == [("b", result[moved[message]])]
    assert await select(Messages.text).order_by(Messages.id).all(forum) == ["m", "n"]
    assert await select(Members.name).where(Members.boss_id == result[own]).all(forum) == ["other"]
    assert len(second) == 7
    with pytest.raises(QueryError):
        result[thread]
    with pytest.raises(QueryError, match="not of the changeset that was merged"):
        moved[own]


async def test_changeset_that_was_merged_can_be_committed_by_itself(forum: Forum):
    first, second = Forum.change(), Forum.change()
    thread = second.inserts(Threads).push(Thread("a"))
    first.merge(second)
    second.inserts(Threads).push(Thread("b"))
    second.update(Threads, thread, Threads.title.to("c"))
    await second.commit(forum)
    assert sorted(await select(Threads.title).all(forum)) == ["b", "c"]
    assert len(first) == 1


def test_changeset_of_other_relations_is_not_merged():
    changes = Bank.change()
    changes.inserts(Accounts).push(Account("a", "b"))
    with pytest.raises(NotStored):
        Forum.change().merge(changes)  # type: ignore[arg-type]  # what is tested
    with pytest.raises(QueryError, match=re.escape("cannot be merged")):
        changes.merge(changes)


def test_merged_changesets_are_equal_to_one_that_is_built_in_order():
    first, second, whole = Forum.change(), Forum.change(), Forum.change()
    for each in (first, whole):
        each.inserts(Members).push(Member("a"))
    for each in (second, whole):
        ref = each.inserts(Threads).push(Thread("a"))
        each.update(Threads, ref, Threads.title.to("b"))
        each.delete(Members, Keyed(1, Member("x")))
    first.merge(second)
    assert first == whole
