"""Which row a constraint refused, and what a form says of it."""

import pytest

from mapper.errors import (
    CheckViolation,
    ConstraintViolation,
    ForeignKeyViolation,
    NotNullViolation,
    QueryError,
    UniqueViolation,
)
from mapper.selecting import select
from mapper.violations import constraint_errors
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
    Threads,
)


async def members(forum: Forum, number: int = 3) -> list[int]:
    changes = Forum.change()
    refs = changes.inserts(Members).extend([Member(str(each)) for each in range(number)])
    result = await changes.commit(forum)
    return [result[each] for each in refs]


@pytest.mark.feature("T22")
async def test_row_that_was_there_before_is_told(forum: Forum):
    keys = await members(forum)
    changes = Forum.change()
    changes.inserts(Profiles).push(Profile("first"), Profiles.member_id.to(keys[1]))
    await changes.commit(forum)
    changes = Forum.change()
    changes.inserts(Members).push(Member("other"))
    profiles = changes.inserts(Profiles)
    refs = [profiles.push(Profile("x"), Profiles.member_id.to(each)) for each in keys]
    with pytest.raises(UniqueViolation) as caught:
        await changes.commit(forum)
    assert caught.value.ref == refs[1]
    assert [each == caught.value.ref for each in refs] == [False, True, False]
    assert (caught.value.relation, caught.value.columns) == (Profiles, ("member_id",))
    assert caught.value.constraint is not None
    assert caught.value.operation is not None
    assert await select(Profiles.motto).all(forum) == ["first"]


async def test_row_that_was_there_before_is_told_of_one_operation(forum: Forum):
    changes = Forum.change()
    changes.inserts(Labels).push(Label("b"))
    await changes.commit(forum)
    changes = Forum.change()
    refs = changes.inserts(Labels).extend([Label(each) for each in "abc"])
    with pytest.raises(UniqueViolation) as caught:
        await changes.commit(forum)
    assert caught.value.ref == refs[1]


async def test_row_that_is_pushed_twice_is_told(forum: Forum):
    changes = Forum.change()
    refs = changes.inserts(Labels).extend([Label(each) for each in "abca"])
    with pytest.raises(UniqueViolation) as caught:
        await changes.commit(forum)
    assert caught.value.ref == refs[3]


async def test_row_that_is_pushed_twice_is_told_within_a_transaction(forum: Forum):
    changes = Forum.change()
    refs = changes.inserts(Labels).extend([Label(each) for each in "aa"])
    with pytest.raises(UniqueViolation) as caught:
        async with forum.transaction() as tx:
            await changes.commit(tx)
    assert caught.value.ref == refs[1]


async def test_row_that_cannot_be_known_within_a_transaction_is_not_told(forum: Forum):
    changes = Forum.change()
    changes.inserts(Labels).push(Label("b"))
    await changes.commit(forum)
    changes = Forum.change()
    changes.inserts(Labels).extend([Label(each) for each in "abc"])
    with pytest.raises(UniqueViolation) as caught:
        async with forum.transaction() as tx:
            await changes.commit(tx)
    assert caught.value.ref is None


async def test_row_that_refers_to_none_is_told(forum: Forum):
    changes = Forum.change()
    thread = changes.inserts(Threads).push(Thread("a"))
    push = changes.inserts(Messages).push
    refs = [push(Message("x"), Messages.thread_id.to(each)) for each in (thread, thread)]
    refs.append(push(Message("x"), Messages.thread_id.to(99_999)))
    with pytest.raises(ForeignKeyViolation) as caught:
        await changes.commit(forum)
    assert caught.value.ref == refs[2]
    assert (caught.value.relation, caught.value.columns) == (Messages, ("thread_id",))


async def test_only_row_is_told_whatever_the_constraint(forum: Forum):
    changes = Forum.change()
    ref = changes.inserts(Marks).push(Mark(1), Marks.thread_id.to(5), Marks.label.to("none"))
    with pytest.raises(ForeignKeyViolation) as caught:
        await changes.commit(forum)
    assert caught.value.ref == ref
    assert any("the row is that of" in note for note in caught.value.__notes__)


async def test_row_is_not_told_where_the_changeset_itself_may_have_moved_the_other(forum: Forum):
    changes = Forum.change()
    changes.inserts(Labels).extend([Label("a"), Label("b")])
    await changes.commit(forum)
    changes = Forum.change()
    changes.delete(Labels, "a")
    changes.inserts(Labels).extend([Label("a"), Label("b")])
    with pytest.raises(UniqueViolation) as caught:
        await changes.commit(forum)
    assert caught.value.ref is None


async def test_update_that_is_refused_names_no_push(forum: Forum):
    changes = Forum.change()
    changes.inserts(Labels).extend([Label("a"), Label("b")])
    changes.update(Labels, "b", Labels.name.to("a"))
    with pytest.raises(UniqueViolation) as caught:
        await changes.commit(forum)
    assert (caught.value.ref, caught.value.relation, caught.value.columns) == (None, Labels, ("name",))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (UniqueViolation, "is taken"),
        (ForeignKeyViolation, "does not exist"),
        (NotNullViolation, "is required"),
        (CheckViolation, "is not allowed"),
        (ConstraintViolation, "is refused"),
    ],
)
def test_violation_is_a_message_for_its_field(kind: type[ConstraintViolation], message: str):
    assert constraint_errors(kind("x", columns=["name"])) == {"name": message}
    assert constraint_errors(kind("x")) == {"": message}


def test_message_is_given_by_constraint():
    error = UniqueViolation("x", relation=Marks, columns=["thread_id", "label"], constraint="pk_marks")
    assert constraint_errors(error, {(Marks.label, Marks.thread_id): "is tied"}) == {
        "thread_id": "is tied",
        "label": "is tied",
    }
    assert constraint_errors(error, {(Marks.label, Marks.thread_id): "x", "pk_marks": "y"})["label"] == "y"
    assert constraint_errors(error, {Marks.label: "x", Labels.name: "y"})["label"] == "is taken"
    assert constraint_errors(UniqueViolation("x", columns=["name"]), {Labels.name: "y"}) == {"name": "y"}


def test_message_for_what_is_no_constraint_is_refused():
    with pytest.raises(QueryError, match="is no constraint"):
        constraint_errors(UniqueViolation("x"), {7: "x"})


async def test_commit_that_is_refused_is_a_message_for_a_form(forum: Forum):
    changes = Forum.change()
    changes.inserts(Labels).extend([Label("a"), Label("a")])
    with pytest.raises(ConstraintViolation) as caught:
        await changes.commit(forum)
    assert constraint_errors(caught.value) == {"name": "is taken"}
