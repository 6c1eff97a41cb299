"""What a commit sends, in which order, and what it does when something fails; on a gateway that logs."""

from typing import Any

import anyio
import pytest

from mapper.committed import Committed
from mapper.errors import (
    CommitUnknown,
    ConnectionLost,
    Deadlock,
    MissingRow,
    NotStored,
    QueryError,
    SerializationFailure,
    StatementError,
    UniqueViolation,
    Unsupported,
    ValueNotStorable,
)
from mapper.operations import Result
from mapper.repository import Repository
from mapper.selecting import select
from mapper.statements import InsertRows
from mapper.types import Misfit
from mapper.wrappers import Keyed
from tests.changesets.blog import (
    Bare,
    Blog,
    Comment,
    Comments,
    Link,
    Links,
    Node,
    Nodes,
    Note,
    Notes,
    Post,
    Posts,
    Tag,
    Tags,
    Token,
    Tokens,
    User,
    Users,
    clock,
)
from tests.fake_gateway import FakeGateway


class Small(Repository[Posts]): ...


async def sent(fake: FakeGateway, changes: Any) -> list[str]:
    await changes.commit(Blog(fake))
    return fake.log


@pytest.mark.feature("B13")
async def test_empty_changeset_sends_nothing(fake: FakeGateway):
    result = await Blog.change().commit(Blog(fake))
    assert (fake.log, fake.compiled, result.inserted) == ([], 0, 0)
    assert repr(result) == "<Committed: 0 inserted, 0 updated, 0 deleted>"


@pytest.mark.feature("B13")
async def test_one_operation_needs_no_transaction(fake: FakeGateway):
    changes = Blog.change()
    changes.inserts(Posts).push(Post("a"))
    assert await sent(fake, changes) == ["+", "insert Posts 1", "-"]


@pytest.mark.feature("B13")
async def test_several_operations_are_one_transaction(fake: FakeGateway):
    changes = Blog.change()
    posts = changes.inserts(Posts)
    for title in ("a", "b"):
        ref = posts.push(Post(title))
        changes.inserts(Comments).push(Comment(title), Comments.post_id.to(ref))
    assert await sent(fake, changes) == ["+", "start", "insert Posts 2", "insert Comments 2", "commit", "-"]


async def test_isolation_is_that_of_the_transaction_even_of_one_operation(fake: FakeGateway):
    changes = Blog.change()
    changes.inserts(Posts).push(Post("a"))
    await changes.commit(Blog(fake), isolation="serializable")
    assert fake.log == ["+", "start", "insert Posts 1", "commit", "-"]


async def test_refs_become_keys(fake: FakeGateway):
    changes = Blog.change()
    posts = changes.inserts(Posts)
    refs = posts.extend([Post("a"), Post("b"), Post("c")])
    comments = changes.inserts(Comments)
    for ref in reversed(refs):
        comments.push(Comment("x"), Comments.post_id.to(ref))
    changes.updates(Posts).where(Posts.id == refs[1]).set(Posts.author_id.to(refs[2]))
    result = await changes.commit(Blog(fake))
    _, second, third = fake.statements
    assert [row[0] for row in second.rows] == [3, 2, 1]
    assert third.parameters == (3, 2)
    assert [result[ref] for ref in refs] == [1, 2, 3]


@pytest.mark.feature("T5")
async def test_composite_key_is_made_of_refs_and_values(fake: FakeGateway):
    changes = Blog.change()
    post = changes.inserts(Posts).push(Post("a"))
    tag = changes.inserts(Tags).push(Tag("t", "T"))
    link = changes.inserts(Links).push(Link(1), Links.post_id.to(post), Links.tag.to(tag))
    result = await changes.commit(Blog(fake))
    assert (result[tag], result[link]) == ("t", (1, "t"))


async def test_rows_that_refer_to_rows_of_their_relation_go_level_by_level(fake: FakeGateway):
    changes = Blog.change()
    nodes = changes.inserts(Nodes)
    root = nodes.push(Node("root"), Nodes.parent_id.to(None))
    children = [nodes.push(Node(f"child {n}"), Nodes.parent_id.to(root)) for n in range(3)]
    for child in children:
        nodes.push(Node("grandchild"), Nodes.parent_id.to(child))
    assert await sent(fake, changes) == [
        "+",
        "start",
        "insert Nodes 1",
        "insert Nodes 3",
        "insert Nodes 3",
        "commit",
        "-",
    ]


async def test_rows_that_name_a_row_by_its_given_key_come_after_it(fake: FakeGateway):
    changes = Blog.change()
    nodes = changes.inserts(Nodes)
    nodes.push(Node("root"), Nodes.id.to(7))
    nodes.push(Node("child"), Nodes.id.to(8), Nodes.parent_id.to(7))
    nodes.push(Node("other root"), Nodes.id.to(9))
    nodes.push(Node("child of a child"), Nodes.id.to(10), Nodes.parent_id.to(8))
    nodes.push(Node("root below"), Nodes.id.to(11))
    assert await sent(fake, changes) == ["+", "start", "insert Nodes 3", "insert Nodes 2", "commit", "-"]


async def test_many_rows_go_in_chunks(fake: FakeGateway):
    changes = Blog.change()
    changes.inserts(Posts).extend([Post("x")] * 22_000)
    result = await changes.commit(Blog(fake))
    inserts = ["insert Posts 10000", "insert Posts 10000", "insert Posts 2000"]
    assert (fake.log, result.inserted) == (["+", "start", *inserts, "commit", "-"], 22_000)


async def test_chunks_keep_to_the_parameters_of_the_store():
    fake = FakeGateway(maximum_parameters=10)
    changes = Blog.change()
    changes.inserts(Posts).extend([Post("x")] * 7)
    assert await sent(fake, changes) == ["+", "start", *["insert Posts 3"] * 2, "insert Posts 1", "commit", "-"]


@pytest.mark.feature("T4")
async def test_defaults_fill_what_rows_leave_out(fake: FakeGateway):
    changes = Blog.change()
    posts = changes.inserts(Posts)
    posts.push(Post("a"))
    posts.push(Post("b"), Posts.visits.to(5))
    assert await sent(fake, changes) == ["+", "insert Posts 2", "-"]
    statement = fake.statements[0]
    assert [each.attribute for each in statement.columns] == ["title", "body", "visits"]
    assert list(statement.rows) == [("a", None, 0), ("b", None, 5)]


@pytest.mark.feature("T4")
async def test_default_is_made_anew_for_each_row_and_commit(fake: FakeGateway):
    changes = Blog.change()
    refs = changes.inserts(Tokens).extend([Token("a"), Token("b")])
    first, second = await changes.commit(Blog(fake)), await changes.commit(Blog(fake))
    assert len({result[ref] for result in (first, second) for ref in refs}) == 4


async def test_columns_of_null_are_not_left_to_a_default(fake: FakeGateway):
    changes = Blog.change()
    changes.inserts(Posts).push(Post("a", None), Posts.author_id.to(None))
    await changes.commit(Blog(fake))
    assert list(fake.statements[0].rows) == [("a", None, None, 0)]


@pytest.mark.parametrize("word", ["start", "insert Posts 1", "insert Comments 1", "commit"])
async def test_error_rolls_back_and_is_raised(fake: FakeGateway, word: str):
    changes = Blog.change()
    ref = changes.inserts(Posts).push(Post("a"))
    changes.inserts(Comments).push(Comment("x"), Comments.post_id.to(ref))
    error = UniqueViolation("taken")
    fake.fail(word, error)
    with pytest.raises(UniqueViolation) as caught:
        await changes.commit(Blog(fake))
    assert caught.value is error
    words = ["start", "insert Posts 1", "insert Comments 1", "commit"]
    ended = [] if word in ("start", "commit") else ["rollback"]
    assert fake.log == ["+", *words[: words.index(word) + 1], *ended, "- UniqueViolation"]


async def test_first_error_is_raised_where_rolling_back_fails_too(fake: FakeGateway):
    changes = Blog.change()
    changes.inserts(Posts).push(Post("a"))
    changes.updates(Posts).everywhere().set(Posts.visits.to(1))
    fake.fail("update Posts", UniqueViolation("taken"))
    fake.fail("rollback", ConnectionLost("gone"))
    with pytest.raises(UniqueViolation) as caught:
        await changes.commit(Blog(fake))
    assert "gone" in caught.value.__notes__[0]


async def test_changeset_can_be_committed_again(fake: FakeGateway):
    changes = Blog.change()
    ref = changes.inserts(Posts).push(Post("a"))
    first, second = await changes.commit(Blog(fake)), await changes.commit(Blog(fake))
    assert (first[ref], second[ref]) == (1, 2)


async def test_result_refuses_refs_of_another_changeset(fake: FakeGateway):
    changes, other = Blog.change(), Blog.change()
    changes.inserts(Posts).push(Post("a"))
    ref = other.inserts(Posts).push(Post("b"))
    result = await changes.commit(Blog(fake))
    with pytest.raises(QueryError, match="not of the changeset"):
        result[ref]
    with pytest.raises(QueryError, match="not of the changeset"):
        result.get(ref)


async def test_result_refuses_refs_pushed_after_the_commit(fake: FakeGateway):
    changes = Blog.change()
    changes.inserts(Posts).push(Post("a"))
    result = await changes.commit(Blog(fake))
    late = changes.inserts(Posts).push(Post("b"))
    with pytest.raises(QueryError, match="not of the changeset"):
        result[late]


# -- before anything is sent
# ---------------------------------------------------------------------------------------------


async def refused(fake: FakeGateway, changes: Any, repository: Any = None) -> Exception:
    with pytest.raises((QueryError, ValueNotStorable, Misfit)) as caught:
        await changes.commit(repository or Blog(fake))
    assert fake.log == []
    return caught.value


@pytest.mark.feature("B7")
async def test_relation_that_another_repository_lacks_is_refused(fake: FakeGateway):
    changes = Blog.change()
    changes.inserts(Tags).push(Tag("a", "A"))
    error = await refused(fake, changes, Small(fake))
    assert isinstance(error, NotStored)
    assert error.relation is Tags


@pytest.mark.feature("B7")
async def test_relation_that_is_only_read_has_to_be_stored_too(fake: FakeGateway):
    changes = Small.change()
    changes.updates(Posts).where(Posts.author_id.in_(select(Users.id))).set(Posts.visits.to(0))
    error = await refused(fake, changes, Small(fake))
    assert isinstance(error, NotStored)
    assert error.relation is Users


@pytest.mark.feature("B14")
async def test_update_without_a_condition_is_refused(fake: FakeGateway):
    changes = Blog.change()
    changes.updates(Posts).set(Posts.visits.to(0))
    assert "everywhere()" in str(await refused(fake, changes))


@pytest.mark.feature("B14")
async def test_update_with_an_empty_list_of_conditions_is_refused(fake: FakeGateway):
    changes = Blog.change()
    changes.updates(Posts).where(*[]).set(Posts.visits.to(0))
    assert "everywhere()" in str(await refused(fake, changes))


@pytest.mark.feature("B14")
async def test_delete_without_a_condition_is_refused(fake: FakeGateway):
    changes = Blog.change()
    changes.deletes(Posts)
    assert "everywhere()" in str(await refused(fake, changes))


@pytest.mark.feature("B14")
async def test_update_of_nothing_is_refused(fake: FakeGateway):
    changes = Blog.change()
    changes.updates(Posts).everywhere()
    assert "assigns nothing" in str(await refused(fake, changes))


@pytest.mark.feature("B12")
async def test_key_that_the_store_does_not_generate_is_refused(fake: FakeGateway):
    changes = Blog.change()
    changes.inserts(Bare).push(Token("x"))
    error = await refused(fake, changes)
    assert isinstance(error, Unsupported)
    assert "Bare.id is given no value, and the fake gateway generates no keys of type uuid, only: int" in str(error)


@pytest.mark.feature("B12")
async def test_key_that_the_store_generates_is_left_to_it():
    fake = FakeGateway(generated_keys=frozenset({"uuid"}))
    changes = Blog.change()
    ref = changes.inserts(Bare).push(Token("x"))
    result = await changes.commit(Blog(fake))
    assert [each.attribute for each in fake.statements[0].returning] == ["id"]
    assert result[ref] is not None


@pytest.mark.parametrize("gate", ["upsert", "upsert_target", "upsert_where"])
async def test_conflict_that_the_store_cannot_resolve_is_refused(gate: str):
    fake = FakeGateway(**{gate: False})
    changes = Blog.change()
    ref = changes.inserts(Posts).push(Post("a"))
    links = changes.inserts(Links)
    links.on_conflict(Links.post_id, Links.tag, update=[Links.weight], where=Links.weight > 1)
    links.push(Link(1), Links.post_id.to(ref), Links.tag.to("x"))
    error = await refused(fake, changes)
    assert isinstance(error, Unsupported)
    assert error.capability == gate


async def test_transaction_is_refused_where_there_is_none():
    fake = FakeGateway(transactions=False)
    changes = Blog.change()
    changes.inserts(Posts).push(Post("a"))
    assert await sent(fake, changes) == ["+", "insert Posts 1", "-"]
    fake.log.clear()
    changes.updates(Posts).everywhere().set(Posts.visits.to(1))
    assert isinstance(await refused(fake, changes), Unsupported)


async def test_wrong_value_in_a_row_with_refs_is_refused_before_anything_is_sent(fake: FakeGateway):
    changes: Any = Blog.change()
    ref = changes.inserts(Posts).push(Post("a"))
    changes.inserts(Comments).push(Comment(3), Comments.post_id.to(ref))  # type: ignore[arg-type]  # wrong on purpose
    await refused(fake, changes)


@pytest.mark.parametrize("isolation", ["repeatable read", "read uncommitted"])
async def test_isolation_that_the_store_cannot_give_is_refused(fake: FakeGateway, isolation: Any):
    changes = Blog.change()
    changes.inserts(Posts).push(Post("a"))
    with pytest.raises(Unsupported, match="cannot give the isolation level") as caught:
        await changes.commit(Blog(fake), isolation=isolation)
    assert caught.value.hint == "it can give: 'read committed', 'serializable'"


async def test_unknown_isolation_is_refused(fake: FakeGateway):
    changes: Any = Blog.change()
    changes.inserts(Posts).push(Post("a"))
    with pytest.raises(QueryError, match="isolation is 'strict'"):
        await changes.commit(Blog(fake), isolation="strict")


@pytest.mark.parametrize("retries", [-1, 1.5, "3", True])
async def test_number_of_retries_that_is_none_is_refused(fake: FakeGateway, retries: Any):
    with pytest.raises(QueryError, match="retries is"):
        await Blog.change().commit(Blog(fake), retries=retries)


# -- upserts
# --------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T25")
async def test_ignored_row_has_no_key(fake: FakeGateway):
    fake.answers["upsert Tags 2"] = Result([(None,), ("b",)], 1, inserted=1, ignored=1)
    changes = Blog.change()
    first, second = changes.inserts(Tags).on_conflict().extend([Tag("a", "A"), Tag("b", "B")])
    result = await changes.commit(Blog(fake))
    assert (result.inserted, result.updated, result.ignored) == (1, 0, 1)
    assert (result.get(first), result[second]) == (None, "b")
    with pytest.raises(KeyError):
        result[first]
    assert "1 ignored" in repr(result)


@pytest.mark.feature("T25")
async def test_ref_of_an_ignored_row_cannot_be_written(fake: FakeGateway):
    fake.answers["upsert Tags 1"] = Result([(None,)], 0, ignored=1)
    changes = Blog.change()
    tag = changes.inserts(Tags).on_conflict().push(Tag("a", "A"))
    changes.inserts(Links).push(Link(1), Links.post_id.to(1), Links.tag.to(tag))
    with pytest.raises(MissingRow, match="was ignored because of a conflict"):
        await changes.commit(Blog(fake))
    assert fake.log == ["+", "start", "upsert Tags 1", "rollback", "- MissingRow"]


@pytest.mark.feature("T25")
async def test_pushes_on_one_conflict_key_keep_their_order_across_shapes(fake: FakeGateway):
    changes = Blog.change()
    tags = changes.inserts(Tags).on_conflict(Tags.slug, update=[Tags.label])
    more = changes.inserts(Tags).on_conflict(Tags.slug, update=[Tags.label, Tags.uses])
    tags.push(Tag("a", "1"))
    more.push(Tag("a", "2"), Tags.uses.to(2))
    tags.push(Tag("a", "3"))
    tags.push(Tag("b", "4"))
    more.push(Tag("c", "5"))
    await changes.commit(Blog(fake))
    labels = [[row[1] for row in each.rows] for each in fake.statements]
    assert labels == [["1", "4"], ["2", "5"], ["3"]]


async def test_conflicts_of_equal_rules_go_together(fake: FakeGateway):
    changes = Blog.change()
    for label in ("a", "b", "c"):
        changes.inserts(Tags).on_conflict(Tags.slug, set_=[Tags.uses.to(Tags.uses + 1)]).push(Tag(label, label))
    assert await sent(fake, changes) == ["+", "upsert Tags 3", "-"]


# -- retries
# --------------------------------------------------------------------------------------------------------------


def two_operations() -> Any:
    changes = Blog.change()
    ref = changes.inserts(Posts).push(Post("a"))
    changes.inserts(Comments).push(Comment("x"), Comments.post_id.to(ref))
    return changes


@pytest.mark.feature("N3")
@pytest.mark.parametrize("error", [SerializationFailure("conflict"), Deadlock("deadlock")])
async def test_error_that_passes_is_retried(fake: FakeGateway, error: Exception):
    fake.fail("commit", error, error)
    result: Committed = await two_operations().commit(Blog(fake), retries=2)
    assert result.inserted == 2
    assert (fake.log.count("start"), fake.log.count("commit")) == (3, 3)


@pytest.mark.feature("N3")
async def test_retries_end(fake: FakeGateway):
    fake.fail("commit", *[Deadlock(str(each)) for each in range(9)])
    with pytest.raises(Deadlock, match="2"):
        await two_operations().commit(Blog(fake), retries=2)
    assert fake.log.count("start") == 3


@pytest.mark.parametrize(
    "error", [CommitUnknown("?"), ConnectionLost("gone"), UniqueViolation("taken"), StatementError("no")]
)
async def test_error_that_stays_is_not_retried(fake: FakeGateway, error: Exception):
    fake.fail("commit", error)
    with pytest.raises(type(error)):
        await two_operations().commit(Blog(fake), retries=3)
    assert fake.log.count("start") == 1


async def test_retries_are_not_slept_through_when_cancelled(fake: FakeGateway):
    fake.fail("commit", *[Deadlock("again")] * 1000)
    with anyio.move_on_after(0.1) as scope:
        await two_operations().commit(Blog(fake), retries=900)
    assert scope.cancelled_caught


# -- rows by their wrappers
# -------------------------------------------------------------------------------------------------


@pytest.mark.feature("T24")
async def test_updates_of_rows_go_together_by_shape(fake: FakeGateway):
    changes = Blog.change()
    for key in range(4):
        changes.update(Posts, Keyed(key, Post("a")), Posts.title.to(f"t{key}"))
        changes.update(Posts, Keyed(key + 10, Post("a")), Posts.visits.to(Posts.visits + key))
    result = await changes.commit(Blog(fake))
    assert fake.log == ["+", "start", "update Posts 4", "update Posts 4", "commit", "-"]
    assert result.updated == 8
    assert fake.statements[0].rows == [("t0", 0), ("t1", 1), ("t2", 2), ("t3", 3)]


@pytest.mark.feature("T24")
async def test_updates_of_one_row_keep_their_order(fake: FakeGateway):
    changes = Blog.change()
    row = Keyed(1, Post("a"))
    changes.update(Posts, row, Posts.title.to("x"))
    changes.update(Posts, row, Posts.visits.to(1), Posts.title.to("y"))
    changes.update(Posts, row, Posts.title.to("z"))
    assert await sent(fake, changes) == ["+", "start", *["update Posts 1"] * 3, "commit", "-"]


async def test_updates_of_unique_columns_keep_their_order(fake: FakeGateway):
    changes = Blog.change()
    changes.update(Tags, Keyed("a", Tag("a", "1")), Tags.label.to("free"))
    changes.update(Tags, Keyed("b", Tag("b", "2")), Tags.label.to("1"), Tags.uses.to(1))
    changes.update(Tags, Keyed("c", Tag("c", "3")), Tags.label.to("2"))
    assert await sent(fake, changes) == ["+", "start", *["update Tags 1"] * 3, "commit", "-"]


@pytest.mark.feature("T24")
async def test_deletes_of_rows_go_together(fake: FakeGateway):
    changes = Blog.change()
    for key in range(3):
        changes.delete(Posts, Keyed(key, Post("a")))
    result = await changes.commit(Blog(fake))
    assert (fake.log, result.deleted) == (["+", "delete Posts 3", "-"], 3)


async def test_row_update_may_name_a_row_that_is_inserted(fake: FakeGateway):
    changes = Blog.change()
    author = changes.inserts(Users).push(User("new"))
    changes.update(Posts, Keyed(9, Post("a")), Posts.author_id.to(author))
    await changes.commit(Blog(fake))
    assert fake.statements[1].rows == [(1, 9)]


async def test_on_update_is_written_by_every_update(fake: FakeGateway):
    changes = Blog.change()
    with clock.at(2030) as then:
        changes.updates(Notes).where(Notes.pinned).set(Notes.text.to("x"))
        changes.inserts(Notes).on_conflict(Notes.text, update=[Notes.pinned]).push(Note("a"))
        await changes.commit(Blog(fake))
    update, upsert = fake.statements
    assert [column.attribute for column, _ in update.assignments] == ["text", "version", "updated_at"]
    assert then in update.parameters
    assert [column.attribute for column, _ in upsert.conflict.assignments] == ["pinned", "version", "updated_at"]
    assert isinstance(upsert, InsertRows)


async def test_ignoring_conflict_updates_nothing_by_itself(fake: FakeGateway):
    changes = Blog.change()
    changes.inserts(Notes).on_conflict(Notes.text).push(Note("a"))
    await changes.commit(Blog(fake))
    assert fake.statements[0].conflict.assignments == ()
