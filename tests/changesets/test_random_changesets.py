"""Random changesets, with refs wherever they may stand: what is stored is what the writes do one after the other."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pytest
from attrs import define, field
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateways.memory import MemoryGateway
from gateways.sqlite import SQLiteGateway
from mapper.columns import Column
from mapper.deferred import Ref
from mapper.gateway import Gateway
from mapper.relation import CommonTable
from mapper.selecting import select
from mapper.sources import values
from tests.changesets.forum import Forum, Member, Members, Message, Messages, Thread, Threads

NAMES = ["a", "b", "c"]

Step: TypeAlias = tuple[str, int, int, str, str]
"""What is done, two numbers that choose rows, and two names."""


class Renamed(CommonTable):
    old: Column[str]
    new: Column[str]


@define
class Model:
    """
    What the rows are after the steps so far, by the order of their pushes, beside the changeset that says the same.

    Attributes:
        members: Name and boss of each; None once it is deleted.
        messages: Thread, text, what it answers, and version of each.
    """

    changes: Any = field(factory=Forum.change)
    members: list[list[Any] | None] = field(factory=list)
    threads: list[str] = field(factory=list)
    messages: list[list[Any]] = field(factory=list)
    member_refs: list[Ref[int]] = field(factory=list)
    thread_refs: list[Ref[int]] = field(factory=list)
    message_refs: list[Ref[int]] = field(factory=list)
    named: list[str] = field(factory=list)
    slots: list[tuple[Any, list[str]]] = field(factory=list)

    def member(self, one: int, other: int, name: str, _: str) -> None:
        boss = self._alive(one) if other % 3 else None
        assigned = [] if boss is None else [Members.boss_id.to(self.member_refs[boss])]
        self.member_refs.append(self.changes.inserts(Members).push(Member(name), *assigned))
        self.members.append([name, boss])

    def update_member(self, one: int, other: int, name: str, _: str) -> None:
        row, boss = self._alive(one), self._alive(other)
        if row is not None and boss is not None:
            assigned = [Members.name.to(name), Members.boss_id.to(self.member_refs[boss])]
            self.changes.update(Members, self.member_refs[row], *assigned[: 1 + other % 2])
            self._row(row)[: 1 + other % 2] = [name, boss][: 1 + other % 2]

    def update_below(self, one: int, other: int, name: str, _: str) -> None:
        """Give the staff of one another boss, with refs in the condition and in the assignment."""
        old, new = self._alive(one), self._alive(other)
        if old is None or new is None:
            return
        update = self.changes.updates(Members).where(Members.boss_id == self.member_refs[old])
        slot = update.set(Members.boss_id.to(self.member_refs[new]), Members.name.to(name)).returning(Members.name)
        found = [each for each in self.members if each is not None and each[1] == old]
        for each in found:
            each[:] = [name, new]
        self.slots.append((slot, [name] * len(found)))

    def rename(self, one: int, other: int, old: str, new: str) -> None:
        del one, other
        source = values(Renamed, [(old, new)])
        update = self.changes.updates(Members).from_(source, on=Renamed.old == Members.name)
        update.set(Members.name.to(Renamed.new))
        for each in self.members:
            if each is not None and each[0] == old:
                each[0] = new

    def delete_member(self, one: int, other: int, name: str, _: str) -> None:
        del other, name
        row = self._alive(one)
        if row is None or any(each is not None and each[1] == row for each in self.members):
            return
        self.changes.delete(Members, self.member_refs[row])
        self.members[row] = None

    def thread(self, one: int, other: int, title: str, _: str) -> None:
        del one, other
        self.thread_refs.append(self.changes.inserts(Threads).push(Thread(title)))
        self.threads.append(title)

    def message(self, one: int, other: int, text: str, _: str) -> None:
        if not self.threads:
            return
        thread = one % len(self.threads)
        answers = other % len(self.messages) if self.messages and other % 2 else None
        assigned = [] if answers is None else [Messages.answers_id.to(self.message_refs[answers])]
        push = self.changes.inserts(Messages).push
        self.message_refs.append(push(Message(text), Messages.thread_id.to(self.thread_refs[thread]), *assigned))
        self.messages.append([thread, text, answers, 1])

    def move_messages(self, one: int, other: int, old: str, new: str) -> None:
        if not self.threads:
            return
        source, target = one % len(self.threads), other % len(self.threads)
        update = self.changes.updates(Messages).where(
            Messages.thread_id == self.thread_refs[source], Messages.text == old
        )
        update.set(Messages.thread_id.to(self.thread_refs[target]), Messages.text.to(new))
        for each in self.messages:
            if each[:2] == [source, old]:
                each[:2] = [target, new]
                each[3] += 1

    def update_message(self, one: int, other: int, text: str, _: str) -> None:
        if not self.messages:
            return
        row, answered = one % len(self.messages), other % len(self.messages)
        assigned = Messages.answers_id.to(self.message_refs[answered])
        self.changes.update(Messages, self.message_refs[row], Messages.text.to(text), assigned)
        self.messages[row][1:3] = [text, answered]
        self.messages[row][3] += 1

    def _alive(self, number: int) -> int | None:
        known = [index for index, each in enumerate(self.members) if each is not None]
        return known[number % len(known)] if known else None

    def _row(self, index: int) -> list[Any]:
        row = self.members[index]
        assert row is not None
        return row


STEPS: dict[str, Callable[[Model, int, int, str, str], None]] = {
    name: getattr(Model, name)
    for name in (
        "member",
        "update_member",
        "update_below",
        "rename",
        "delete_member",
        "thread",
        "message",
        "move_messages",
        "update_message",
    )
}

steps = st.lists(
    st.tuples(
        st.sampled_from(["member", "member", "thread", "message", *STEPS]),
        st.integers(0, 12),
        st.integers(0, 12),
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
    ),
    max_size=24,
)


def built(found: Sequence[Step]) -> Model:
    model = Model()
    for name, one, other, first, second in found:
        STEPS[name](model, one, other, first, second)
    return model


async def check(gateway: Gateway, model: Model, changes: Any, moved: Any = None) -> None:
    """Commit, and compare the store with the model. `moved` gives the refs that the changeset has."""
    forum = Forum(gateway)
    await forum.push_schema()
    result = await changes.commit(forum, once="work")
    again = await changes.commit(forum, once="work")
    place = (lambda each: each) if moved is None else (lambda each: moved[each])
    for each in (result, again):
        members = {each[place(ref)]: index for index, ref in enumerate(model.member_refs)}
        threads = {each[place(ref)]: index for index, ref in enumerate(model.thread_refs)}
        messages = {each[place(ref)]: index for index, ref in enumerate(model.message_refs)}
        rows = await select(Members.id, Members.name, Members.boss_id).all(forum)
        assert {members[key]: [name, None if boss is None else members[boss]] for key, name, boss in rows} == {
            index: row for index, row in enumerate(model.members) if row is not None
        }
        assert {threads[key]: title for key, title in await select(Threads.id, Threads.title).all(forum)} == dict(
            enumerate(model.threads)
        )
        written = select(Messages.id, Messages.thread_id, Messages.text, Messages.answers_id, Messages.version)
        assert {
            messages[key]: [threads[thread], text, None if answers is None else messages[answers], version]
            for key, thread, text, answers, version in await written.all(forum)
        } == dict(enumerate(model.messages))
        for slot, names in model.slots:
            assert each[place(slot)] == names


@pytest.mark.feature("B13", "B14", "T24")
@given(steps)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_random_changeset_stores_what_its_writes_do_in_order(found: Sequence[Step]):
    model = built(found)
    for gateway in (MemoryGateway(), SQLiteGateway(":memory:")):
        async with gateway:
            await check(gateway, model, model.changes)


@given(steps, steps)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_random_changeset_merged_behind_another_stores_the_same(before: Sequence[Step], found: Sequence[Step]):
    only_new = [each for each in before if each[0] == "thread"]
    model, first = built(found), built(only_new)
    moved = first.changes.merge(model.changes)
    async with MemoryGateway() as gateway:
        forum = Forum(gateway)
        await forum.push_schema()
        result = await first.changes.commit(forum)
        members = {result[moved[ref]]: index for index, ref in enumerate(model.member_refs)}
        rows = await select(Members.id, Members.name, Members.boss_id).all(forum)
        assert {members[key]: [name, None if boss is None else members[boss]] for key, name, boss in rows} == {
            index: row for index, row in enumerate(model.members) if row is not None
        }
        assert await select(Threads).count(forum) == len(only_new) + len(model.threads)
        for slot, names in model.slots:
            assert result[moved[slot]] == names


@given(steps)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_random_changeset_is_the_same_after_it_was_a_text(found: Sequence[Step]):
    model = built([each for each in found if each[0] != "rename"])
    restored = Forum.change_from_json(model.changes.to_json())
    assert restored == model.changes
    assert restored.to_json() == model.changes.to_json()
    assert restored.describe() == model.changes.describe()
