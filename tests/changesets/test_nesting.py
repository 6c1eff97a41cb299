"""Rows below an owner, links between rows, and the rows of an owner as a whole."""

from typing import Any

import pytest

from gateways.memory import MemoryGateway
from mapper.errors import MissingRow, NotStored, QueryError, StaleRow, UniqueViolation
from mapper.repository import Repository
from mapper.selecting import select
from mapper.testing import RecordingGateway
from mapper.wrappers import Keyed, Versioned
from tests.changesets.forum import (
    Answers,
    Book,
    Books,
    Forum,
    Label,
    Labels,
    LatestMessage,
    Marks,
    Member,
    MemberProfile,
    Members,
    Message,
    Messages,
    MessageThread,
    Profile,
    Profiles,
    Shelf,
    ShelfBooks,
    Shelves,
    Staff,
    Thread,
    ThreadAnswers,
    ThreadLabels,
    ThreadMessages,
    Threads,
)

MessageRow = Versioned[Keyed[Message, int]]


class Half(Repository[Threads]): ...


async def thread(forum: Forum, title: str = "a", *texts: str) -> Keyed[Thread]:
    changes = Forum.change()
    ref = changes.inserts(Threads).push(Thread(title)).with_(ThreadMessages, [Message(each) for each in texts])
    key = (await changes.commit(forum))[ref]
    return Keyed(key, Thread(title))


async def messages(forum: Forum) -> list[MessageRow]:
    return await select(Messages).order_by(Messages.text).all(forum)


async def texts(forum: Forum) -> list[tuple[str, str]]:
    query = select(Threads.title, Messages.text).join(Messages, on=Messages.thread_id == Threads.id)
    return await query.order_by(Messages.text).all(forum)


async def labels(forum: Forum) -> list[tuple[str, int]]:
    return await select(Marks.label, Marks.weight).order_by(Marks.label).all(forum)


@pytest.mark.feature("T15")
async def test_rows_below_a_pushed_row_are_given_its_key(forum: Forum):
    changes = Forum.change()
    threads = changes.inserts(Threads)
    first = threads.push(Thread("a")).with_(ThreadMessages, [Message("a1"), (Message("a2"), Messages.id.to(77))])
    threads.push(Thread("b")).with_(ThreadMessages, [Message("b1")]).with_(ThreadLabels, [Label("x"), Label("y")])
    result = await changes.commit(forum)
    assert await texts(forum) == [("a", "a1"), ("a", "a2"), ("b", "b1")]
    assert await labels(forum) == [("x", 1), ("y", 1)]
    assert result.inserted == 9
    assert isinstance(result[first], int)


@pytest.mark.feature("T15")
async def test_rows_are_nested_to_any_depth(forum: Forum):
    changes = Forum.change()
    replies = changes.children(ThreadMessages, changes.inserts(Threads).push(Thread("a")))
    top = replies.push(Message("1"))
    thread = changes.inserts(Threads).push(Thread("b"))
    below = changes.children(Answers, top).push(Message("2"), Messages.thread_id.to(thread))
    changes.children(Answers, below).push(Message("3"), Messages.thread_id.to(thread))
    await changes.commit(forum)
    found = dict(await select(Messages.id, Messages.answers_id).all(forum))
    keys = dict(await select(Messages.text, Messages.id).all(forum))
    assert found == {keys["1"]: None, keys["2"]: keys["1"], keys["3"]: keys["2"]}


@pytest.mark.feature("T15")
@pytest.mark.parametrize("form", ["wrapper", "key"])
async def test_rows_are_pushed_below_a_row_that_is_there(forum: Forum, form: str):
    owner = await thread(forum)
    changes = Forum.change()
    refs = changes.children(ThreadMessages, owner if form == "wrapper" else owner.key).extend([Message("x")])
    result = await changes.commit(forum)
    assert [each.model.key for each in await messages(forum)] == [result[refs[0]]]


async def test_rows_below_an_owner_with_a_key_of_two_columns_are_given_both(forum: Forum):
    changes = Forum.change()
    shelf = changes.inserts(Shelves).push(Shelf("hall", 3)).with_(ShelfBooks, [Book("a")])
    keyed = changes.inserts(Shelves).on_conflict(Shelves.room, Shelves.number, update=[Shelves.number])
    keyed.push(Shelf("attic", 1)).with_(ShelfBooks, [Book("b")])
    result = await changes.commit(forum)
    found = await select(Books.room, Books.number, Books.title).order_by(Books.title).all(forum)
    assert found == [("hall", 3, "a"), ("attic", 1, "b")]
    changes = Forum.change()
    changes.replace(ShelfBooks, result[shelf], [Book("c")])
    await changes.commit(forum)
    assert sorted(await select(Books.title).all(forum)) == ["b", "c"]


async def test_one_row_below_an_owner_is_pushed_like_many(forum: Forum):
    changes = Forum.change()
    changes.inserts(Members).push(Member("ada")).with_(MemberProfile, [Profile("onward")])
    await changes.commit(forum)
    query = select(Members.name, Profiles.motto).join(Profiles, on=Profiles.member_id == Members.id)
    assert await query.all(forum) == [("ada", "onward")]


async def test_nested_rows_take_as_many_operations_for_many_owners_as_for_one():
    counts = []
    for number in (1, 50):
        async with MemoryGateway() as memory:
            gateway = RecordingGateway(memory)
            forum = Forum(gateway)
            await forum.push_schema()
            before = len(gateway.operations)
            changes = Forum.change()
            for each in range(number):
                pushed = changes.inserts(Threads).push(Thread(str(each)))
                pushed.with_(ThreadMessages, [Message("x")] * 3).with_(ThreadLabels, [Label(f"l{each}")])
            await changes.commit(forum)
            counts.append(len(gateway.operations) - before)
    assert counts[0] == counts[1]


@pytest.mark.feature("T15")
async def test_rows_are_linked_and_unlinked_by_the_key_of_the_many(forum: Forum):
    changes = Forum.change()
    boss = changes.inserts(Members).push(Member("boss"))
    staff = changes.inserts(Members).extend([Member("a"), Member("b"), Member("c")])
    for each in staff:
        changes.link(Staff, boss, each)
    result = await changes.commit(forum)
    rows = await select(Members).order_by(Members.name).all(forum)
    changes = Forum.change()
    changes.unlink(Staff, result[boss], rows[0], result[staff[1]])
    await changes.commit(forum)
    bosses = await select(Members.name, Members.boss_id).order_by(Members.name).all(forum)
    assert bosses == [("a", None), ("b", None), ("boss", None), ("c", result[boss])]


async def test_row_of_another_owner_is_not_unlinked(forum: Forum):
    changes = Forum.change()
    first, second, third = changes.inserts(Members).extend([Member("a"), Member("b"), Member("c")])
    changes.link(Staff, first, third)
    changes.unlink(Staff, second, third)
    result = await changes.commit(forum)
    assert await select(Members.boss_id).where(Members.name == "c").all(forum) == [result[first]]


@pytest.mark.feature("T15")
async def test_rows_between_are_made_and_deleted(forum: Forum):
    owner = await thread(forum)
    changes = Forum.change()
    changes.inserts(Labels).extend([Label("x"), Label("y"), Label("z")])
    changes.link(ThreadLabels, owner, "x")
    changes.link(ThreadLabels, owner, Keyed("y", Label("y")), Marks.weight.to(5))
    changes.link(ThreadLabels, owner.key, "z")
    await changes.commit(forum)
    assert await labels(forum) == [("x", 1), ("y", 5), ("z", 1)]
    changes = Forum.change()
    changes.link(ThreadLabels, owner, "x")
    with pytest.raises(UniqueViolation):
        await changes.commit(forum)
    changes = Forum.change()
    changes.unlink(ThreadLabels, owner, "x", "z", "never there")
    await changes.commit(forum)
    assert await labels(forum) == [("y", 5)]


async def test_pushed_rows_are_linked_and_unlinked_by_their_refs(forum: Forum):
    changes = Forum.change()
    owner = changes.inserts(Threads).push(Thread("a"))
    first, second = changes.inserts(Labels).extend([Label("x"), Label("y")])
    changes.link(ThreadLabels, owner, first)
    changes.link(ThreadLabels, owner, second)
    changes.unlink(ThreadLabels, owner, first, "other")
    await changes.commit(forum)
    assert await labels(forum) == [("y", 1)]


async def test_row_is_linked_to_what_it_belongs_to(forum: Forum):
    owner = await thread(forum, "a", "m")
    (message,) = await messages(forum)
    changes = Forum.change()
    changes.link(LatestMessage, owner, message)
    await changes.commit(forum)
    assert await select(Threads.latest_id).all(forum) == [message.model.key]
    changes = Forum.change()
    changes.unlink(LatestMessage, owner, 99)
    await changes.commit(forum)
    assert await select(Threads.latest_id).all(forum) == [message.model.key]
    changes = Forum.change()
    changes.unlink(LatestMessage, owner, message)
    await changes.commit(forum)
    assert await select(Threads.latest_id).all(forum) == [None]


@pytest.mark.feature("T15")
async def test_rows_of_an_owner_are_replaced_by_difference(forum: Forum):
    owner, other = await thread(forum, "a", "1", "2", "3"), await thread(forum, "b", "4")
    one, two, _, four = await messages(forum)
    changes = Forum.change()
    changed = Versioned(Keyed(two.model.key, Message("two")), two.version)
    changes.replace(ThreadMessages, owner, [one, changed, four, Message("5"), (Message("6"), Messages.id.to(60))])
    result = await changes.commit(forum)
    assert (result.inserted, result.updated, result.deleted) == (2, 2, 1)
    found = {each.model.model.text: each for each in await messages(forum)}
    assert sorted(found) == ["1", "4", "5", "6", "two"]
    assert found["1"] == one
    assert found["two"].version == 2
    assert await select(Messages.thread_id).distinct().all(forum) == [owner.key]
    assert await select(Threads.title).where(Threads.id == other.key).all(forum) == ["b"]


async def test_rows_of_an_owner_are_replaced_by_none(forum: Forum):
    owner = await thread(forum, "a", "1", "2")
    await thread(forum, "b", "3")
    changes = Forum.change()
    changes.replace(ThreadMessages, owner, [])
    await changes.commit(forum)
    assert await texts(forum) == [("b", "3")]


async def test_stale_row_among_the_replacements_is_told(forum: Forum):
    owner = await thread(forum, "a", "1")
    (row,) = await messages(forum)
    changes = Forum.change()
    changes.update(Messages, row, Messages.text.to("x"))
    await changes.commit(forum)
    changes = Forum.change()
    changes.replace(ThreadMessages, owner, [row, Message("new")])
    with pytest.raises(StaleRow):
        await changes.commit(forum)
    assert await texts(forum) == [("a", "x")]


async def test_missing_row_among_the_replacements_is_told(forum: Forum):
    owner = await thread(forum, "a", "1")
    changes = Forum.change()
    changes.replace(Staff, 1, [Keyed(99, Member("nobody"))])
    with pytest.raises(MissingRow):
        await changes.commit(forum)
    assert owner.key


async def test_ties_of_an_owner_are_replaced_by_difference(forum: Forum):
    owner = await thread(forum)
    changes = Forum.change()
    changes.inserts(Labels).extend([Label("x"), Label("y"), Label("z")])
    changes.link(ThreadLabels, owner, "x", Marks.weight.to(9))
    changes.link(ThreadLabels, owner, "y")
    await changes.commit(forum)
    changes = Forum.change()
    kept = [Keyed("x", Label("x", "red")), Keyed("z", Label("z"))]
    changes.replace(ThreadLabels, owner, [*kept, Label("w")])
    result = await changes.commit(forum)
    assert await labels(forum) == [("w", 1), ("x", 9), ("z", 1)]
    assert await select(Labels.name, Labels.color).order_by(Labels.name).all(forum) == [
        ("w", "grey"),
        ("x", "red"),
        ("y", "grey"),
        ("z", "grey"),
    ]
    assert (result.inserted, result.updated, result.deleted, result.ignored) == (3, 1, 1, 1)


async def test_replacing_can_be_committed_again(forum: Forum):
    owner = await thread(forum, "a", "1", "2")
    one, _ = await messages(forum)
    changes = Forum.change()
    changes.replace(ThreadMessages, owner, [one, Message("9")])
    await changes.commit(forum)
    assert (await changes.commit(forum)).updated == 0
    assert await texts(forum) == [("a", "1"), ("a", "9")]


def change() -> Any:
    """A changeset without types, for what the checkers refuse."""
    return Forum.change()


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (lambda: change().children(MessageThread, 1), "MessageThread is a BelongsTo: no rows are pushed below"),
        (lambda: change().children(ThreadAnswers, 1), "ThreadAnswers is a Through"),
        (lambda: change().link(ThreadAnswers, 1, 2), "ThreadAnswers is a Through"),
        (lambda: change().unlink(ThreadAnswers, 1, 2), "ThreadAnswers is a Through"),
        (lambda: change().replace(LatestMessage, 1, []), "LatestMessage is a BelongsTo"),
        (lambda: change().unlink(ThreadMessages, 1, 2), "takes no NULL, so that ThreadMessages cannot be unlinked"),
        (lambda: change().unlink(Staff, 1), "nothing is unlinked by Staff"),
        (lambda: change().replace(MemberProfile, 1, [Profile("a"), Profile("b")]), "leads to one row, and 2 are given"),
        (lambda: change().children(ThreadMessages, Member("x")), "a Member is not a row of Threads"),
        (lambda: change().children(ThreadMessages, 1).push(Label("x")), "Messages stores Message"),
        (lambda: change().children(ThreadMessages, 1).push(Message("x"), Messages.thread_id.to(3)), "assigned twice"),
    ],
)
def test_wrong_write_along_a_relationship_is_refused_when_it_is_given(write: Any, problem: str):
    with pytest.raises(QueryError, match=problem):
        write()


def test_row_of_another_relation_takes_no_rows():
    changes = change()
    pushed = changes.inserts(Members).push(Member("x"))
    with pytest.raises(QueryError, match="names no row of Threads"):
        pushed.with_(ThreadMessages, [])


def test_relation_that_is_not_stored_is_refused_along_a_relationship():
    changes: Any = Half.change()
    with pytest.raises(NotStored):
        changes.children(ThreadMessages, 1)


def test_ref_of_a_changeset_that_is_gone_takes_no_rows():
    pushed = Forum.change().inserts(Threads).push(Thread("a"))
    with pytest.raises(QueryError, match="is gone"):
        pushed.with_(ThreadMessages, [Message("x")])
