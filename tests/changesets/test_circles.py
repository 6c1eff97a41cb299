"""Rows that refer to each other in circles and to themselves, and rows named by their refs or keys."""

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateways.memory import MemoryGateway
from mapper.changeset import Changeset
from mapper.deferred import Ref
from mapper.errors import MissingRow, QueryError, StaleRow
from mapper.selecting import select
from mapper.testing import RecordingGateway
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
    Threads,
)


async def test_rows_that_name_each_other_are_inserted_and_then_updated(forum: Forum):
    changes = Forum.change()
    thread = changes.inserts(Threads).push(Thread("a"))
    message = changes.inserts(Messages).push(Message("hello"), Messages.thread_id.to(thread))
    changes.update(Threads, thread, Threads.latest_id.to(message))
    result = await changes.commit(forum)
    assert await select(Threads.latest_id).all(forum) == [result[message]]
    assert (result.inserted, result.updated) == (2, 1)


async def test_row_that_names_itself_is_inserted_and_then_updated(forum: Forum):
    changes = Forum.change()
    own = changes.inserts(Members).push(Member("own boss"))
    changes.update(Members, own, Members.boss_id.to(own))
    result = await changes.commit(forum)
    assert await select(Members.id, Members.boss_id).all(forum) == [(result[own], result[own])]


def _circles(changes: Changeset[Any], number: int) -> None:
    threads, messages = changes.inserts(Threads), changes.inserts(Messages)
    for each in range(number):
        thread = threads.push(Thread(f"t{each}"))
        message = messages.push(Message(f"m{each}"), Messages.thread_id.to(thread))
        changes.update(Threads, thread, Threads.latest_id.to(message))


async def _operations(number: int) -> int:
    async with MemoryGateway() as memory:
        gateway = RecordingGateway(memory)
        forum = Forum(gateway)
        await forum.push_schema()
        before = len(gateway.operations)
        changes = Forum.change()
        _circles(changes, number)
        await changes.commit(forum)
        found = await select(Threads, Messages).join(Messages, on=Threads.latest_id == Messages.id).all(forum)
        assert [(thread.model.title[1:], message.model.model.text[1:]) for thread, message in found] == [
            (str(each), str(each)) for each in range(number)
        ]
        return len(gateway.operations) - before


async def test_many_circles_take_as_many_operations_as_one():
    assert await _operations(40) == await _operations(1)


async def test_row_is_updated_and_deleted_by_its_key(forum: Forum):
    changes = Forum.change()
    first, second = changes.inserts(Members).extend([Member("a"), Member("b")])
    keys = await changes.commit(forum)
    changes = Forum.change()
    changes.update(Members, keys[first], Members.name.to("c"))
    changes.delete(Members, keys[second])
    await changes.commit(forum)
    assert await select(Members.name).all(forum) == ["c"]


async def test_new_model_for_a_key_is_written_whole(forum: Forum):
    changes = Forum.change()
    changes.inserts(Labels).push(Label("x", "red"))
    await changes.commit(forum)
    changes = Forum.change()
    changes.update(Labels, "x", Label("x", "blue"))
    await changes.commit(forum)
    assert await select(Labels.color).all(forum) == ["blue"]


async def test_update_by_key_raises_the_version_and_compares_none(forum: Forum):
    changes = Forum.change()
    thread = changes.inserts(Threads).push(Thread("a"))
    message = changes.inserts(Messages).push(Message("a"), Messages.thread_id.to(thread))
    key = (await changes.commit(forum))[message]
    for each in "bc":
        changes = Forum.change()
        changes.update(Messages, key, Messages.text.to(each))
        await changes.commit(forum)
    assert await select(Messages).all(forum) == [Versioned(Keyed(key, Message("c")), 3)]
    changes = Forum.change()
    changes.update(Messages, Versioned(Keyed(key, Message("b")), 2), Messages.text.to("d"))
    with pytest.raises(StaleRow):
        await changes.commit(forum)
    changes = Forum.change()
    changes.delete(Messages, key)
    await changes.commit(forum)
    assert await select(Messages).all(forum) == []


@pytest.mark.parametrize("delete", [True, False])
async def test_key_of_no_row_is_a_missing_row(forum: Forum, delete: bool):
    changes = Forum.change()
    if delete:
        changes.delete(Members, 99)
    else:
        changes.update(Members, 99, Members.name.to("x"))
    with pytest.raises(MissingRow):
        await changes.commit(forum)


async def test_row_with_a_key_of_several_columns_is_named_by_its_ref(forum: Forum):
    changes = Forum.change()
    thread = changes.inserts(Threads).push(Thread("a"))
    label = changes.inserts(Labels).push(Label("x"))
    mark = changes.inserts(Marks).push(Mark(3), Marks.thread_id.to(thread), Marks.label.to(label))
    changes.update(Marks, mark, Marks.weight.to(5))
    result = await changes.commit(forum)
    assert result[mark] == (result[thread], "x")
    changes = Forum.change()
    other = changes.inserts(Marks).on_conflict(Marks.thread_id, Marks.label, update=[Marks.weight])
    again = other.push(Mark(7), Marks.thread_id.to(result[thread]), Marks.label.to("x"))
    changes.update(Marks, again, Marks.weight.to(Marks.weight + 1))
    await changes.commit(forum)
    assert await select(Marks.weight).all(forum) == [8]
    changes = Forum.change()
    changes.delete(Marks, result[mark])
    await changes.commit(forum)
    assert await select(Marks.weight).count(forum) == 0


async def test_pushed_row_is_deleted_by_its_ref(forum: Forum):
    changes = Forum.change()
    first, _ = changes.inserts(Members).extend([Member("a"), Member("b")])
    changes.delete(Members, first)
    await changes.commit(forum)
    assert await select(Members.name).all(forum) == ["b"]


async def test_unique_value_is_moved_in_the_order_given(forum: Forum):
    changes = Forum.change()
    books = changes.inserts(Labels)
    first = books.push(Label("a"))
    changes.update(Labels, first, Labels.name.to("b"))
    books.push(Label("a", "red"))
    await changes.commit(forum)
    assert await select(Labels.name, Labels.color).order_by(Labels.name).all(forum) == [("a", "red"), ("b", "grey")]


async def test_upsert_behind_an_update_by_ref_takes_effect_behind_it(forum: Forum):
    changes = Forum.change()
    first = changes.inserts(Labels).push(Label("a"))
    changes.update(Labels, first, Labels.color.to("red"))
    changes.inserts(Labels).on_conflict(Labels.name, update=[Labels.color]).push(Label("a", "blue"))
    await changes.commit(forum)
    assert await select(Labels.color).all(forum) == ["blue"]


def test_ref_of_another_changeset_names_no_row():
    ref = Forum.change().inserts(Members).push(Member("a"))
    other = Forum.change()
    other.inserts(Members).push(Member("b"))
    with pytest.raises(QueryError, match="another changeset"):
        other.update(Members, ref, Members.name.to("x"))
    with pytest.raises(QueryError, match="another changeset"):
        other.delete(Members, ref)


def test_ref_of_another_relation_names_no_row():
    changes = Forum.change()
    ref = changes.inserts(Members).push(Member("a"))
    with pytest.raises(QueryError, match="names no row of Threads"):
        changes.update(Threads, ref, Threads.title.to("x"))


def test_changesets_that_update_by_ref_are_equal_when_they_hold_the_same():
    first, second, third = Forum.change(), Forum.change(), Forum.change()
    for each in (first, second, third):
        _circles(each, 2)
    assert first == second
    third.update(Threads, 1, Threads.title.to("x"))
    assert first != third


Steps = list[tuple[int, int, int]]


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30), st.integers(0, 30)), max_size=25),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_random_graphs_of_references_are_stored_as_given(steps: Steps):
    async with MemoryGateway() as gateway:
        forum = Forum(gateway)
        await forum.push_schema()
        changes, numbers = Forum.change(), count()
        threads: list[Ref[int]] = []
        messages: list[Ref[int]] = []
        latest: dict[int, int | None] = {}
        placed: list[tuple[int, int | None]] = []
        for kind, one, other in steps:
            if kind == 0 or not threads:
                latest[len(threads)] = None
                threads.append(changes.inserts(Threads).push(Thread(str(next(numbers)))))
            elif kind == 1 or not messages:
                thread = one % len(threads)
                placed.append((thread, None))
                push = changes.inserts(Messages).push
                messages.append(push(Message(str(next(numbers))), Messages.thread_id.to(threads[thread])))
            elif kind == 2:
                thread, message = one % len(threads), other % len(messages)
                latest[thread] = message
                changes.update(Threads, threads[thread], Threads.latest_id.to(messages[message]))
            elif kind == 3:
                message, answered = one % len(messages), other % len(messages)
                placed[message] = (placed[message][0], answered)
                changes.update(Messages, messages[message], Messages.answers_id.to(messages[answered]))
            else:
                message = one % len(messages)
                latest[len(threads)] = message
                push_thread = changes.inserts(Threads).push
                threads.append(push_thread(Thread(str(next(numbers))), Threads.latest_id.to(messages[message])))
        result = await changes.commit(forum)
        stored = dict(await select(Threads.id, Threads.latest_id).all(forum))
        assert stored == {
            result[ref]: None if (named := latest[index]) is None else result[messages[named]]
            for index, ref in enumerate(threads)
        }
        kept = await select(Messages.id, Messages.thread_id, Messages.answers_id).order_by(Messages.id).all(forum)
        assert sorted(kept) == sorted(
            (result[ref], result[threads[thread]], None if answered is None else result[messages[answered]])
            for ref, (thread, answered) in zip(messages, placed, strict=True)
        )
