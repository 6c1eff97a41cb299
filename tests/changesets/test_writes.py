"""Changesets on real stores: what is there after a commit."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from mapper.errors import ForeignKeyViolation, MissingRow, StaleRow, UniqueViolation, ValueNotStorable
from mapper.selecting import select
from mapper.terms import excluded
from mapper.wrappers import Keyed, Timestamped, Versioned
from tests.changesets.blog import (
    Blog,
    Comment,
    Comments,
    Link,
    Links,
    Marks,
    Node,
    Nodes,
    Note,
    Notes,
    Post,
    Posts,
    Setting,
    Settings,
    Tag,
    Tags,
    Token,
    Tokens,
    User,
    Users,
    clock,
)

NotesRow = Versioned[Timestamped[Keyed[Note, int]]]


async def note(blog: Blog, text: str = "a", **values: Any) -> NotesRow:
    changes = Blog.change()
    ref = changes.inserts(Notes).push(Note(text, **values))
    result = await changes.commit(blog)
    found = await select(Notes).find(result[ref]).execute(blog)
    assert found is not None
    return found


async def titles(blog: Blog) -> list[str]:
    return await select(Posts.title).order_by(Posts.id).all(blog)


@pytest.mark.feature("B13")
async def test_rows_of_several_relations_are_written_with_their_keys(blog: Blog):
    changes = Blog.change()
    author = changes.inserts(Users).push(User("ada"))
    posts = [changes.inserts(Posts).push(Post(each), Posts.author_id.to(author)) for each in ("a", "b")]
    for post in reversed(posts):
        changes.inserts(Comments).push(Comment("hello"), Comments.post_id.to(post))
    result = await changes.commit(blog)
    assert (result.inserted, result.updated, result.deleted) == (5, 0, 0)
    assert await select(Posts.id, Posts.author_id).order_by(Posts.title).all(blog) == [
        (result[posts[0]], result[author]),
        (result[posts[1]], result[author]),
    ]
    assert await select(Comments.post_id).order_by(Comments.id).all(blog) == [result[posts[1]], result[posts[0]]]


@pytest.mark.feature("T22")
async def test_keys_come_back_to_their_own_rows(blog: Blog):
    changes = Blog.change()
    refs = {f"t{number}": changes.inserts(Posts).push(Post(f"t{number}")) for number in range(1000)}
    result = await changes.commit(blog)
    stored = dict(await select(Posts.title, Posts.id).all(blog))
    assert {title: result[ref] for title, ref in refs.items()} == stored


@pytest.mark.feature("T22")
async def test_failure_of_one_row_writes_none(blog: Blog):
    changes = Blog.change()
    changes.inserts(Posts).push(Post("a"))
    changes.inserts(Tags).extend([Tag("x", "1"), Tag("y", "2"), Tag("x", "3")])
    with pytest.raises(UniqueViolation) as caught:
        await changes.commit(blog)
    assert caught.value.relation is Tags
    assert (await titles(blog), await select(Tags).all(blog)) == ([], [])


async def test_reference_to_nothing_writes_nothing(blog: Blog):
    changes = Blog.change()
    changes.inserts(Posts).push(Post("a"))
    changes.inserts(Comments).push(Comment("x"), Comments.post_id.to(99))
    with pytest.raises(ForeignKeyViolation):
        await changes.commit(blog)
    assert await titles(blog) == []


@pytest.mark.feature("T13")
async def test_tree_of_rows_is_written_from_the_root(blog: Blog):
    changes = Blog.change()
    nodes = changes.inserts(Nodes)
    root = nodes.push(Node("root"))
    child = nodes.push(Node("child"), Nodes.parent_id.to(root))
    nodes.push(Node("grandchild"), Nodes.parent_id.to(child))
    result = await changes.commit(blog)
    found = await select(Nodes.name, Nodes.parent_id).order_by(Nodes.id).all(blog)
    assert found == [("root", None), ("child", result[root]), ("grandchild", result[child])]


@pytest.mark.feature("T5")
async def test_composite_key_of_refs(blog: Blog):
    changes = Blog.change()
    post = changes.inserts(Posts).push(Post("a"))
    tag = changes.inserts(Tags).push(Tag("t", "T"))
    link = changes.inserts(Links).push(Link(3), Links.post_id.to(post), Links.tag.to(tag))
    result = await changes.commit(blog)
    assert await select(Links).all(blog) == [Keyed(result[link], Link(3))]


@pytest.mark.feature("T5")
async def test_key_made_by_python_is_known(blog: Blog):
    changes = Blog.change()
    given = UUID(int=5)
    refs = [changes.inserts(Tokens).push(Token("a")), changes.inserts(Tokens).push(Token("b"), Tokens.id.to(given))]
    result = await changes.commit(blog)
    assert result[refs[1]] == given
    assert sorted(await select(Tokens.id).all(blog)) == sorted([result[each] for each in refs])


@pytest.mark.feature("T5")
async def test_key_of_the_model_is_the_key(blog: Blog):
    changes = Blog.change()
    ref = changes.inserts(Settings).push(Setting("theme", "dark"))
    result = await changes.commit(blog)
    assert result[ref] == "theme"


async def test_relation_without_a_key_is_written(blog: Blog):
    changes = Blog.change()
    ref = changes.inserts(Marks).push(Token("a"))
    result = await changes.commit(blog)
    assert (result.inserted, result.get(ref)) == (1, None)
    assert await select(Marks.label, Marks.size).all(blog) == [("a", 1)]


@pytest.mark.feature("B16")
async def test_wrapper_that_was_read_can_be_pushed_again(blog: Blog):
    with clock.at(2020) as then:
        first = await note(blog, "a")
        changes = Blog.change()
        changes.delete(Notes, first)
        ref = changes.inserts(Notes).push(first)
    result = await changes.commit(blog)
    assert result[ref] == first.model.model.key
    found = await select(Notes).all(blog)
    assert found == [first]
    assert found[0].model.created_at == then


@pytest.mark.feature("B16")
async def test_wrapper_without_a_key_gets_one(blog: Blog):
    changes: Any = Blog.change()
    ref = changes.inserts(Posts).push(Keyed(None, Post("a")), Posts.visits.to(3))
    result = await changes.commit(blog)
    assert await select(Posts.id, Posts.visits).all(blog) == [(result[ref], 3)]


# -- updates and deletes
# --------------------------------------------------------------------------------------------------


@pytest.mark.feature("B14", "T24")
async def test_update_and_delete_by_conditions_count_rows(blog: Blog):
    changes = Blog.change()
    changes.inserts(Posts).extend([Post("a"), Post("b"), Post("c")])
    await changes.commit(blog)
    changes = Blog.change()
    changes.updates(Posts).where(Posts.title.in_(["a", "b"])).set(Posts.visits.to(Posts.visits + 2), Posts.body.to("x"))
    changes.deletes(Posts).where(Posts.title == "c")
    changes.updates(Posts).where(Posts.title == "nobody").set(Posts.visits.to(1))
    result = await changes.commit(blog)
    assert (result.updated, result.deleted) == (2, 1)
    assert await select(Posts.title, Posts.body, Posts.visits).all(blog) == [("a", "x", 2), ("b", "x", 2)]


@pytest.mark.feature("B14")
async def test_writes_of_a_relation_take_effect_in_order(blog: Blog):
    changes = Blog.change()
    changes.inserts(Posts).push(Post("before"))
    changes.deletes(Posts).everywhere()
    changes.inserts(Posts).push(Post("after"))
    changes.updates(Posts).everywhere().set(Posts.title.to(Posts.title + "!"))
    changes.inserts(Posts).push(Post("last"))
    await changes.commit(blog)
    assert await titles(blog) == ["after!", "last"]


@pytest.mark.feature("T24")
async def test_update_by_a_ref_of_the_same_changeset(blog: Blog):
    changes = Blog.change()
    first, second = changes.inserts(Posts).extend([Post("a"), Post("b")])
    changes.updates(Posts).where(Posts.id.in_([second])).set(Posts.visits.to(7))  # type: ignore[list-item]  # a ref
    changes.deletes(Posts).where(Posts.id == first)
    await changes.commit(blog)
    assert await select(Posts.title, Posts.visits).all(blog) == [("b", 7)]


@pytest.mark.feature("T24")
async def test_swap_assigns_what_the_row_was_before(blog: Blog):
    changes = Blog.change()
    changes.inserts(Posts).push(Post("title", "body"))
    changes.updates(Posts).where(Posts.body.is_not_null()).set(
        Posts.title.to("x" + Posts.title), Posts.body.to(Posts.title)
    )
    await changes.commit(blog)
    assert await select(Posts.title, Posts.body).all(blog) == [("xtitle", "title")]


@pytest.mark.feature("T24")
async def test_row_is_updated_by_its_wrapper(blog: Blog):
    changes = Blog.change()
    changes.inserts(Posts).extend([Post("a"), Post("b")])
    await changes.commit(blog)
    first, second = await select(Posts).order_by(Posts.id).all(blog)
    changes = Blog.change()
    changes.update(Posts, first, Posts.title.to("A"), Posts.visits.to(Posts.visits + 1))
    changes.update(Posts, second, Post("b", "text"))
    result = await changes.commit(blog)
    assert result.updated == 2
    found = await select(Posts.title, Posts.body, Posts.visits).order_by(Posts.id).all(blog)
    assert found == [("A", None, 1), ("b", "text", 0)]


@pytest.mark.feature("T24")
async def test_composite_key_is_updated_and_deleted_by_its_wrapper(blog: Blog):
    changes = Blog.change()
    post = changes.inserts(Posts).push(Post("a"))
    changes.inserts(Tags).extend([Tag("x", "X"), Tag("y", "Y")])
    for tag in ("x", "y"):
        changes.inserts(Links).push(Link(1), Links.post_id.to(post), Links.tag.to(tag))
    await changes.commit(blog)
    first, second = await select(Links).order_by(Links.tag).all(blog)
    changes = Blog.change()
    changes.update(Links, first, Link(5))
    changes.delete(Links, second)
    await changes.commit(blog)
    assert await select(Links).all(blog) == [Keyed(first.key, Link(5))]


async def test_row_that_is_not_there_is_missing(blog: Blog):
    changes = Blog.change()
    changes.inserts(Posts).push(Post("a"))
    changes.update(Posts, Keyed(99, Post("x")), Post("y"))
    with pytest.raises(MissingRow) as caught:
        await changes.commit(blog)
    assert (caught.value.relation, caught.value.row_key) == (Posts, 99)
    assert await titles(blog) == []


# -- versions
# -------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T12")
async def test_version_begins_at_one_and_is_raised_by_every_update(blog: Blog):
    first = await note(blog)
    assert first.version == 1
    changes = Blog.change()
    changes.updates(Notes).everywhere().set(Notes.pinned.to(True))
    await changes.commit(blog)
    second = await select(Notes).one(blog)
    assert second.version == 2
    changes = Blog.change()
    changes.update(Notes, second, Notes.pinned.to(False))
    changes.inserts(Notes).on_conflict(Notes.text, update=[Notes.pinned]).push(Note("a", True))
    result = await changes.commit(blog)
    assert (result.inserted, result.updated) == (0, 2)
    assert (await select(Notes).one(blog)).version == 4


@pytest.mark.feature("T12")
@pytest.mark.parametrize("write", ["update", "model", "delete"])
async def test_row_that_was_written_since_is_stale(blog: Blog, write: str):
    row = await note(blog)
    changes = Blog.change()
    changes.update(Notes, row, Notes.pinned.to(True))
    await changes.commit(blog)
    changes = Blog.change()
    changes.inserts(Posts).push(Post("a"))
    match write:
        case "update":
            changes.update(Notes, row, Notes.text.to("x"))
        case "model":
            changes.update(Notes, row, Note("x"))
        case _:
            changes.delete(Notes, row)
    with pytest.raises(StaleRow) as caught:
        await changes.commit(blog)
    assert (caught.value.relation, caught.value.row_key) == (Notes, row.model.model.key)
    assert await titles(blog) == []
    assert (await select(Notes).one(blog)).version == 2


@pytest.mark.feature("T12")
@pytest.mark.parametrize("write", ["update", "delete"])
async def test_row_that_was_deleted_since_is_missing(blog: Blog, write: str):
    row = await note(blog)
    changes = Blog.change()
    changes.delete(Notes, row)
    await changes.commit(blog)
    changes = Blog.change()
    if write == "update":
        changes.update(Notes, row, Notes.text.to("x"))
    else:
        changes.delete(Notes, row)
    with pytest.raises(MissingRow):
        await changes.commit(blog)


@pytest.mark.feature("T4")
async def test_times_are_set_on_insert_and_update(blog: Blog):
    with clock.at(2020):
        first = await note(blog)
    with clock.at(2021):
        changes = Blog.change()
        changes.update(Notes, first, Notes.text.to("b"))
        await changes.commit(blog)
    with clock.at(2022):
        changes = Blog.change()
        changes.updates(Notes).everywhere().set(
            Notes.pinned.to(True), Notes.updated_at.to(datetime(1999, 1, 1, tzinfo=UTC))
        )
        await changes.commit(blog)
    found = (await select(Notes).one(blog)).model
    assert (first.model.updated_at.year, found.created_at.year, found.updated_at.year) == (2020, 2020, 1999)


async def test_mutable_model_that_was_changed_in_place_is_written_whole(blog: Blog):
    row = await note(blog)
    row.model.model.model.text = "changed"
    changes = Blog.change()
    changes.update(Notes, row, row.model.model.model)
    await changes.commit(blog)
    assert (await select(Notes).one(blog)).model.model.model == Note("changed")


# -- conflicts
# ------------------------------------------------------------------------------------------------------------


async def tags(blog: Blog) -> list[tuple[str, str, int]]:
    return await select(Tags.slug, Tags.label, Tags.uses).order_by(Tags.slug).all(blog)


@pytest.mark.feature("T25")
async def test_conflict_updates_with_the_pushed_value(blog: Blog):
    changes = Blog.change()
    changes.inserts(Tags).push(Tag("a", "old"))
    await changes.commit(blog)
    changes = Blog.change()
    refs = changes.inserts(Tags).on_conflict(Tags.slug, update=[Tags.label]).extend([Tag("a", "new"), Tag("b", "B")])
    result = await changes.commit(blog)
    assert (result.inserted, result.updated, result.ignored) == (1, 1, 0)
    assert [result[each] for each in refs] == ["a", "b"]
    assert await tags(blog) == [("a", "new", 0), ("b", "B", 0)]


@pytest.mark.feature("T25")
async def test_conflict_on_a_unique_column_gives_the_stored_key(blog: Blog):
    first = await note(blog, "same")
    changes = Blog.change()
    ref = changes.inserts(Notes).on_conflict(Notes.text, update=[Notes.pinned]).push(Note("same", True))
    result = await changes.commit(blog)
    assert result[ref] == first.model.model.key


@pytest.mark.feature("T25")
async def test_conflict_with_assignments_and_a_condition(blog: Blog):
    changes = Blog.change()
    changes.inserts(Tags).push(Tag("a", "A"), Tags.uses.to(3))
    changes.inserts(Tags).push(Tag("b", "B"), Tags.uses.to(30))
    await changes.commit(blog)
    changes = Blog.change()
    rows = changes.inserts(Tags).on_conflict(
        Tags.slug, set_=[Tags.uses.to(Tags.uses + excluded(Tags.uses))], where=Tags.uses < 10
    )
    first = rows.push(Tag("a", "ignored"), Tags.uses.to(4))
    second = rows.push(Tag("b", "ignored"), Tags.uses.to(4))
    result = await changes.commit(blog)
    assert (result.inserted, result.updated, result.ignored) == (0, 1, 1)
    assert (result[first], result.get(second)) == ("a", None)
    assert await tags(blog) == [("a", "A", 7), ("b", "B", 30)]


@pytest.mark.feature("T25")
async def test_conflict_without_an_update_ignores(blog: Blog):
    changes = Blog.change()
    changes.inserts(Tags).push(Tag("a", "A"))
    await changes.commit(blog)
    changes = Blog.change()
    refs = changes.inserts(Tags).on_conflict().extend([Tag("a", "other"), Tag("other", "A"), Tag("b", "B")])
    result = await changes.commit(blog)
    assert (result.inserted, result.ignored) == (1, 2)
    assert [result.get(each) for each in refs] == [None, None, "b"]
    assert await tags(blog) == [("a", "A", 0), ("b", "B", 0)]


@pytest.mark.feature("T25")
async def test_two_pushes_on_one_conflict_key_take_effect_in_order(blog: Blog):
    changes = Blog.change()
    plain = changes.inserts(Tags).on_conflict(Tags.slug, update=[Tags.label])
    counted = changes.inserts(Tags).on_conflict(Tags.slug, update=[Tags.label, Tags.uses])
    plain.push(Tag("a", "1"))
    counted.push(Tag("a", "2"), Tags.uses.to(2))
    plain.push(Tag("a", "3"))
    result = await changes.commit(blog)
    assert (result.inserted, result.updated) == (1, 2)
    assert await tags(blog) == [("a", "3", 2)]


@pytest.mark.feature("T25")
async def test_conflict_elsewhere_is_an_error(blog: Blog):
    changes = Blog.change()
    changes.inserts(Tags).push(Tag("a", "A"))
    changes.inserts(Tags).on_conflict(Tags.slug).push(Tag("b", "A"))
    with pytest.raises(UniqueViolation):
        await changes.commit(blog)
    assert await tags(blog) == []


@pytest.mark.parametrize("value", [None, "3", 1.5, 2**63])
async def test_value_that_does_not_fit_is_refused(blog: Blog, value: Any):
    changes: Any = Blog.change()
    changes.inserts(Posts).extend([Post("a"), Post("b")])
    changes.inserts(Posts).push(Post("c"), Posts.visits.to(value))
    with pytest.raises(ValueNotStorable) as caught:
        await changes.commit(blog)
    assert "visits" in str(caught.value)
    assert await titles(blog) == []
