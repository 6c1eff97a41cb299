"""What writes give back, in the operation that writes."""

from typing import Any

import attrs
import pytest

from mapper.errors import OnceConflict, QueryError, Unsupported
from mapper.functions import lower
from mapper.operations import Insert
from mapper.selecting import model_of, select
from mapper.terms import excluded
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
    Profile,
    Profiles,
    Thread,
    ThreadMessages,
    Threads,
)


@pytest.mark.feature("B13", "T22")
@pytest.mark.parametrize("count", [0, 1, 2, 500])
async def test_inserted_rows_come_back_in_the_order_of_their_pushes(forum: Forum, count: int):
    changes = Forum.change()
    threads = changes.inserts(Threads)
    slot = threads.returning(Threads.title, Threads.id)
    refs = threads.extend([Thread(f"t{index}") for index in reversed(range(count))])
    result = await changes.commit(forum)
    assert result[slot] == [(f"t{index}", result[ref]) for index, ref in zip(reversed(range(count)), refs, strict=True)]
    assert len(set(result[slot])) == count


async def test_rows_come_back_of_several_shapes_in_one_order(forum: Forum):
    changes = Forum.change()
    marks, threads, labels = changes.inserts(Marks), changes.inserts(Threads), changes.inserts(Labels)
    slot = labels.returning(Labels.name)
    first = labels.push(Label("b"))
    second = labels.push(Label("a"), Labels.color.to("red"))
    labels.push(Label("c"))
    tied = marks.returning(Marks)
    marks.push(Mark(3), Marks.thread_id.to(threads.push(Thread("t"))), Marks.label.to(second))
    result = await changes.commit(forum)
    assert result[slot] == ["b", "a", "c"]
    assert result[first] == "b"
    (mark,) = result[tied]
    assert isinstance(mark, Keyed)
    assert mark == Keyed((mark.key[0], "a"), Mark(3))


async def test_pushes_before_returning_do_not_come_back(forum: Forum):
    changes = Forum.change()
    labels = changes.inserts(Labels)
    labels.push(Label("a"))
    slot = labels.returning(Labels.name)
    labels.push(Label("b"))
    other = labels.returning(Labels.color)
    labels.push(Label("c", "red"))
    result = await changes.commit(forum)
    assert (result[slot], result[other], result.inserted) == (["b"], ["red"], 3)


@pytest.mark.feature("B14", "T24")
async def test_updated_rows_come_back_as_they_are_after_it(forum: Forum):
    await filled(forum)
    changes = Forum.change()
    slot = changes.updates(Messages).where(Messages.text != "b").set(Messages.text.to("x")).returning(Messages)
    names = changes.updates(Labels).where(Labels.name == "nowhere").set(Labels.color.to("x")).returning(Labels.name)
    result = await changes.commit(forum)
    assert sorted([each.version for each in result[slot]]) == [2, 2]
    assert all(isinstance(each, Versioned) and each.model.model == Message("x") for each in result[slot])
    assert (result[names], result.updated) == ([], 2)


@pytest.mark.feature("B14", "T24")
async def test_deleted_rows_come_back_as_they_were(forum: Forum):
    await filled(forum)
    changes = Forum.change()
    gone = changes.deletes(Messages).where(Messages.text.in_(["a", "c"])).returning(model_of(Messages))
    result = await changes.commit(forum)
    assert sorted([each.text for each in result[gone]]) == ["a", "c"]
    assert (result.deleted, await select(Messages.text).all(forum)) == (2, ["b"])


async def test_deleted_rows_that_refer_to_each_other_come_back(forum: Forum):
    changes = Forum.change()
    members = changes.inserts(Members)
    boss = members.push(Member("a"))
    members.push(Member("b"), Members.boss_id.to(boss))
    await changes.commit(forum)
    changes = Forum.change()
    slot = changes.deletes(Members).everywhere().returning(Members.name, Members.boss_id)
    result = await changes.commit(forum)
    assert {name for name, _ in result[slot]} == {"a", "b"}


@pytest.mark.feature("T25")
@pytest.mark.parametrize("count", [1, 3])
async def test_upserted_rows_come_back_but_those_ignored(forum: Forum, count: int):
    await filled(forum)
    changes = Forum.change()
    labels = changes.inserts(Labels).on_conflict(
        Labels.name, set_=[Labels.color.to(excluded(Labels.color))], where=Labels.color != "kept"
    )
    slot = labels.returning(Labels.name, Labels.color)
    refs = labels.extend([Label("stays", "new"), Label("known", "new"), Label("fresh", "new")][:count])
    result = await changes.commit(forum)
    assert result[slot] == [("known", "new"), ("fresh", "new")][: count - 1]
    assert [result.status(each) for each in refs] == ["ignored", "updated", "inserted"][:count]
    assert (result.inserted, result.updated, result.ignored) == ((0, 0, 1) if count == 1 else (1, 1, 1))


@pytest.mark.feature("T25")
@pytest.mark.parametrize("target", [True, False])
async def test_status_of_rows_that_are_ignored_is_told_for_each(forum: Forum, target: bool):
    await filled(forum)
    changes = Forum.change()
    labels = changes.inserts(Labels).on_conflict(*([Labels.name] if target else []))
    refs = labels.extend([Label("x"), Label("stays"), Label("x"), Label("y")])
    plain = changes.inserts(Threads).push(Thread("t"))
    result = await changes.commit(forum)
    assert [result.status(each) for each in refs] == ["inserted", "ignored", "ignored", "inserted"]
    assert result.status(plain) == "inserted"
    assert result.get(refs[1]) is None
    with pytest.raises(KeyError):
        result[refs[2]]


@pytest.mark.feature("T25")
async def test_status_of_pushes_on_one_key_is_that_of_their_order(forum: Forum):
    changes = Forum.change()
    labels = changes.inserts(Labels).on_conflict(Labels.name, update=[Labels.color])
    slot = labels.returning(Labels.color)
    refs = labels.extend([Label("a", "1"), Label("b", "2"), Label("a", "3")])
    result = await changes.commit(forum)
    assert [result.status(each) for each in refs] == ["inserted", "inserted", "updated"]
    assert result[slot] == ["1", "2", "3"]


@pytest.mark.feature("T25")
async def test_status_across_chunks_of_a_bulk_belongs_to_its_push(forum: Forum):
    changes = Forum.change()
    changes.inserts(Labels).extend([Label(f"l{index}") for index in range(0, 12_000, 3)])
    await changes.commit(forum)
    changes = Forum.change()
    labels = changes.inserts(Labels).on_conflict(Labels.name, update=[Labels.color], where=Labels.name < "l5")
    refs = labels.extend([Label(f"l{index}", "new") for index in range(12_000)])
    result = await changes.commit(forum, once="bulk")
    again = await changes.commit(forum, once="bulk")
    for each in (result, again):
        assert [each.status(ref) for ref in refs] == [
            "inserted" if index % 3 else "updated" if f"l{index}" < "l5" else "ignored" for index in range(12_000)
        ]
    assert (again.inserted, again.updated, again.ignored) == (result.inserted, result.updated, result.ignored)


@pytest.mark.feature("T25")
async def test_bulk_that_ignores_any_conflict_tells_each_push(forum: Forum):
    changes = Forum.change()
    profiles = changes.inserts(Profiles)
    members = changes.inserts(Members).extend([Member("a"), Member("b")])
    profiles.push(Profile("old"), Profiles.member_id.to(members[0]))
    made = await changes.commit(forum)
    first, second = [made[each] for each in members]
    changes = Forum.change()
    profiles = changes.inserts(Profiles).on_conflict()
    slot = profiles.returning(Profiles.motto)
    refs = [
        profiles.push(Profile(f"p{index}"), Profiles.member_id.to(owner))
        for index, owner in enumerate([first, None, second, second, None])
    ]
    result = await changes.commit(forum)
    assert [result.status(each) for each in refs] == ["ignored", "inserted", "inserted", "ignored", "inserted"]
    assert result[slot] == ["p1", "p2", "p4"]
    assert len({result.get(each) for each in refs}) == 4


async def test_slots_of_a_commit_that_took_effect_once_give_the_same(forum: Forum):
    await filled(forum)
    changes, slots = everything()
    result = await changes.commit(forum, once="a")
    first = [result[each] for each in slots]
    rebuilt, same = everything()
    again = await rebuilt.commit(forum, once="a")
    assert [again[each] for each in same] == first
    assert [len(each) for each in first] == [2, 3, 1]
    other = Forum.change()
    other.inserts(Threads).push(Thread("t"))
    with pytest.raises(OnceConflict):
        await other.commit(forum, once="a")


async def test_another_selection_is_another_content(forum: Forum):
    changes, other = Forum.change(), Forum.change()
    changes.updates(Labels).everywhere().set(Labels.color.to("x")).returning(Labels.name)
    other.updates(Labels).everywhere().set(Labels.color.to("x")).returning(Labels.color)
    assert changes != other
    await changes.commit(forum, once="a")
    with pytest.raises(OnceConflict):
        await other.commit(forum, once="a")


async def test_slots_work_on_a_transaction(forum: Forum):
    await filled(forum)
    async with forum.transaction() as tx:
        changes, slots = everything()
        result = await changes.commit(tx)
        assert [len(result[each]) for each in slots] == [2, 3, 1]


async def test_slots_of_a_text_are_reached_by_their_number(forum: Forum):
    await filled(forum)
    changes, slots = everything()
    restored = Forum.change_from_json(changes.to_json())
    assert restored == changes
    assert len(restored.returned) == len(slots)
    result = await restored.commit(forum)
    assert [len(result[each]) for each in restored.returned] == [2, 3, 1]
    with pytest.raises(QueryError, match="not of the changeset"):
        result[slots[0]]


LABEL = '{"insert":"labels","values":{"name":"a","color":"x"},"returned":0}'


@pytest.mark.parametrize(
    ("returned", "row"),
    [
        ("3", LABEL),
        ("[3]", LABEL),
        ("[]", LABEL),
        ('[{"relation":"labels","columns":[]}]', LABEL),
        ('[{"relation":"labels","columns":["nothing"]}]', LABEL),
        ('[{"relation":"labels","columns":[3]}]', LABEL),
        ('[{"relation":"nowhere","columns":null}]', LABEL),
        ('[{"relation":"threads","columns":null}]', LABEL),
        ('[{"relation":"labels","columns":null,"more":1}]', LABEL),
        ('[{"relation":"labels","columns":null}]', LABEL.replace(":0}", ":true}")),
        ('[{"relation":"labels","columns":null}]', LABEL.replace(":0}", ":-1}")),
        ('[{"relation":"labels","columns":null}]', '{"delete":"labels","key":["a"],"returned":0}'),
    ],
)
def test_text_with_slots_that_are_none_is_refused(returned: str, row: str):
    with pytest.raises(QueryError):
        Forum.change_from_json(f'{{"version":1,"rows":[{row}],"returned":{returned}}}')


async def test_slots_of_a_merged_changeset_have_another_there(forum: Forum):
    await filled(forum)
    changes, other = Forum.change(), Forum.change()
    own = changes.inserts(Labels).returning(Labels.name)
    added = other.inserts(Labels)
    slot = added.returning(Labels.color)
    added.push(Label("m", "blue"))
    gone = other.deletes(Messages).where(Messages.text == "a").returning(Messages.text)
    moved = changes.merge(other)
    result = await changes.commit(forum)
    assert (result[own], result[moved[slot]], result[moved[gone]]) == ([], ["blue"], ["a"])


def test_description_tells_what_comes_back():
    changes, _ = everything()
    text = changes.describe()
    assert "returning name, color" in text
    assert "returning Messages" in text


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([], "returning of nothing"),
        ([Threads.id], "not a column of Labels"),
        ([Labels.name, lower(Labels.name)], "not an expression"),
        ([3], "not 3"),
        ([Threads], "not a column of Labels"),
    ],
)
def test_returning_what_is_not_of_the_relation_is_refused(items: list[Any], problem: str):
    with pytest.raises(QueryError, match=problem):
        Forum.change().deletes(Labels).returning(*items)


def test_returning_is_said_once():
    update = Forum.change().updates(Labels).everywhere()
    update.returning(Labels.name)
    with pytest.raises(QueryError, match="said twice"):
        update.returning(Labels.color)


async def test_slot_of_another_changeset_is_refused(forum: Forum):
    changes = Forum.change()
    slot = Forum.change().inserts(Labels).returning(Labels.name)
    changes.inserts(Labels).push(Label("a"))
    result = await changes.commit(forum)
    with pytest.raises(QueryError, match="not of the changeset"):
        result[slot]


async def test_store_that_gives_nothing_back_refuses_before_anything_is_sent(forum: Forum):
    gateway = forum._executor.gateway
    seen: list[Any] = []
    gateway.capabilities = attrs.evolve(gateway.capabilities, returning=False)
    gateway.subscribe(seen.append)
    for change in (lambda c: c.inserts(Labels), lambda c: c.updates(Labels).everywhere(), lambda c: c.deletes(Labels)):
        changes: Any = Forum.change()
        made = change(changes)
        made.returning(Labels.name)
        if hasattr(made, "push"):
            made.push(Label("a"))
        elif hasattr(made, "set"):
            made.set(Labels.color.to("x"))
        else:
            made.everywhere()
        with pytest.raises(Unsupported, match="returning"):
            await changes.commit(forum)
    assert not seen


async def test_inserts_that_give_back_are_one_operation(forum: Forum):
    seen: list[Any] = []
    forum._executor.gateway.subscribe(lambda event: seen.append(event.operation))
    changes = Forum.change()
    labels = changes.inserts(Labels)
    labels.returning(Labels)
    labels.extend([Label(f"l{index}") for index in range(300)])
    await changes.commit(forum)
    assert [type(each) for each in seen] == [Insert]


async def filled(forum: Forum) -> None:
    changes = Forum.change()
    changes.inserts(Threads).push(Thread("t")).with_(ThreadMessages, [Message("a"), Message("b"), Message("c")])
    changes.inserts(Labels).extend([Label("stays", "kept"), Label("known", "old")])
    await changes.commit(forum)


def everything() -> tuple[Any, list[Any]]:
    changes = Forum.change()
    labels = changes.inserts(Labels)
    inserted = labels.returning(Labels.name, Labels.color)
    labels.extend([Label("n1"), Label("n2", "blue")])
    updated = changes.updates(Messages).everywhere().set(Messages.answers_id.to(None)).returning(Messages)
    deleted = changes.deletes(Messages).where(Messages.text == "a").returning(Messages.id)
    return changes, [inserted, updated, deleted]
