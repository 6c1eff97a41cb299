"""Building changesets: what is taken, what is refused at once, and changesets as values."""

from typing import Any
from uuid import UUID

import pytest

from mapper.errors import NotJoined, NotStored, QueryError
from mapper.functions import now
from mapper.selecting import select
from mapper.terms import excluded, literal, outer
from mapper.wrappers import Keyed
from tests.changesets.blog import (
    Bare,
    Blog,
    Comment,
    Comments,
    Elsewhere,
    Link,
    Links,
    Nodes,
    Note,
    Notes,
    Post,
    Posts,
    Tag,
    Tags,
    Token,
    Users,
)

pytestmark = pytest.mark.feature("B13")


def change() -> Any:
    """A changeset without types, for what the checkers refuse."""
    return Blog.change()


def test_changeset_counts_its_writes():
    changes = Blog.change()
    posts = changes.inserts(Posts)
    refs = posts.extend([Post("a"), Post("b")])
    changes.updates(Posts).where(Posts.id == 1).set(Posts.title.to("x"))
    changes.delete(Posts, Keyed(3, Post("c")))
    assert (len(refs), len(changes), bool(changes)) == (2, 4, True)
    assert repr(changes) == "<Changeset: 2 inserts of Posts, 1 update of Posts, 1 delete of Posts>"


def test_empty_changeset_is_false():
    assert not Blog.change()
    assert repr(Blog.change()) == "<Changeset: empty>"


def build(title: str, *, weight: int = 1) -> Any:
    changes = Blog.change()
    ref = changes.inserts(Posts).push(Post(title))
    changes.inserts(Comments).push(Comment("first"), Comments.post_id.to(ref))
    changes.inserts(Links).on_conflict(Links.post_id, Links.tag, set_=[Links.weight.to(Links.weight + weight)]).push(
        Link(1), Links.post_id.to(ref), Links.tag.to("t")
    )
    changes.updates(Posts).where(Posts.id == ref).set(Posts.visits.to(2))
    return changes


def test_changesets_of_the_same_writes_are_equal():
    assert build("a") == build("a")
    assert build("a") != build("b")
    assert build("a") != build("a", weight=2)
    assert build("a") != "a"


def test_changeset_in_another_order_is_not_equal():
    one, other = Blog.change(), Blog.change()
    one.inserts(Posts).push(Post("a"))
    one.inserts(Users)
    for title in ("a", "b"):
        one.inserts(Posts).push(Post(title))
    for title in ("a", "a", "b"):
        other.inserts(Posts).push(Post(title))
    assert one == other
    other.inserts(Posts).push(Post("c"))
    assert one != other


def test_changeset_cannot_be_hashed():
    with pytest.raises(TypeError):
        hash(Blog.change())


def test_model_is_taken_as_it_is_when_it_is_pushed():
    note = Note("before")
    one, other = Blog.change(), Blog.change()
    one.inserts(Notes).push(note)
    other.inserts(Notes).push(Note("before"))
    note.text = "after"
    assert one == other


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda: change().inserts(Posts).push(Comment("x")), "Posts stores Post or Keyed, not Comment"),
        (lambda: change().inserts(Posts).push(Post("x"), Comments.text.to("y")), "is not an assignment to Posts"),
        (lambda: change().inserts(Posts).push(Post("x"), Posts.named("p").title.to("y")), "not an assignment to Posts"),
        (lambda: change().inserts(Posts).push(Post("x"), Posts.visits == 3), "is not an assignment"),
        (lambda: change().inserts(Posts).push(Post("x"), 3), "is not an assignment"),
        (
            lambda: change().inserts(Posts).push(Post("x"), Posts.visits.to(1), Posts.visits.to(2)),
            "Posts.visits is assigned twice",
        ),
        (lambda: change().inserts(Posts).push(Post("x"), Posts.visits.to(Posts.id)), "takes an expression"),
        (lambda: change().inserts(Comments).push(Comment("x")), "Comments.post_id is given no value"),
        (lambda: change().inserts(Links).push(Link(1), Links.tag.to("x")), "Links.post_id is given no value"),
        (lambda: change().inserts(Posts.named("p")), "Posts is an alias and cannot be written"),
        (lambda: change().updates(Posts).set(), ""),
        (lambda: change().updates(Posts).set(Posts.title.to("a"), Posts.title.to("b")), "assigned twice"),
        (lambda: change().updates(Posts).set(Posts.title.to("a")).set(Posts.title.to("b")), "assigned twice"),
        (lambda: change().updates(Posts).set(Comments.text.to("a")), "is not an assignment to Posts"),
        (lambda: change().updates(Notes).set(Notes.version.to(3)), "Notes.version counts the writes"),
        (lambda: change().updates(Posts).where(True), "True is not a condition"),
        (lambda: change().updates(Posts).where(Posts.visits), "is not a condition but int"),
        (lambda: change().updates(Posts).where(outer(Posts.id) == 1), "has no meaning here"),
        (lambda: change().updates(Posts).set(Posts.title.to(excluded(Posts.title))), "has no meaning here"),
        (
            lambda: change().update(Posts, Post("x"), Posts.title.to("y")),
            "a Post is not a row of Posts, expected its wrapper Keyed",
        ),
        (lambda: change().update(Posts, Keyed(1, Post("x"))), "assigns nothing"),
        (lambda: change().update(Posts, Keyed(1, Post("x")), Comment("y")), "neither an assignment nor a Post"),
        (lambda: change().update(Posts, Keyed(None, Post("x")), Post("y")), "without a key names no row of Posts"),
        (lambda: change().delete(Posts, "3"), "a str is not a row of Posts"),
        (lambda: change().delete(Posts, True), "a bool is not a row of Posts"),
        (lambda: change().delete(Links, (1, 2)), "a tuple is not a row of Links"),
        (lambda: change().inserts(Tags).on_conflict(Tags.uses), "no key and no unique constraint of Tags"),
        (lambda: change().inserts(Tags).on_conflict(Posts.id), "takes columns of Tags"),
        (lambda: change().inserts(Tags).on_conflict(update=[Tags.uses]), "does not say on which conflict"),
        (lambda: change().inserts(Tags).on_conflict(Tags.slug, where=Tags.uses > 1), "nothing to update"),
        (
            lambda: change().inserts(Tags).on_conflict(Tags.slug, update=[Tags.uses], set_=[Tags.uses.to(1)]),
            "Tags.uses is updated twice",
        ),
        (lambda: change().inserts(Notes).on_conflict(Notes.text, update=[Notes.version]), "counts the writes"),
    ],
)
def test_wrong_write_is_refused_when_it_is_given(write: Any, message: str):
    if not message:
        write()
        return
    with pytest.raises(QueryError) as caught:
        write()
    assert message in str(caught.value)


def test_condition_over_another_relation_is_refused():
    with pytest.raises(NotJoined) as caught:
        change().updates(Posts).where(Comments.text == "x")
    assert caught.value.relation is Comments


def test_refused_push_leaves_the_changeset_as_it_was():
    changes = Blog.change()
    foreign = Blog.change().inserts(Posts).push(Post("x"))
    with pytest.raises(QueryError):
        changes.inserts(Comments).push(Comment("x"), Comments.post_id.to(foreign))
    assert changes == Blog.change()
    assert not changes


@pytest.mark.parametrize("method", ["inserts", "updates", "deletes"])
@pytest.mark.feature("B7")
def test_relation_that_is_not_stored_is_refused_at_once(method: str):
    with pytest.raises(NotStored) as caught:
        getattr(change(), method)(Elsewhere)
    assert caught.value.relation is Elsewhere


def test_ref_of_another_changeset_is_refused():
    ref = Blog.change().inserts(Posts).push(Post("x"))
    changes = Blog.change()
    with pytest.raises(QueryError, match="of another changeset"):
        changes.inserts(Comments).push(Comment("x"), Comments.post_id.to(ref))
    with pytest.raises(QueryError, match="of another changeset"):
        changes.updates(Posts).where(Posts.id == ref)
    with pytest.raises(QueryError, match="of another changeset"):
        changes.update(Posts, Keyed(1, Post("a")), Posts.author_id.to(ref))
    with pytest.raises(QueryError, match="of another changeset"):
        change().updates(Posts).where(Posts.id.in_([1, ref]))  # type: ignore[list-item]  # a ref among keys


def test_ref_of_a_composite_key_is_no_value():
    changes = change()
    ref = changes.inserts(Links).push(Link(1), Links.post_id.to(1), Links.tag.to("x"))
    with pytest.raises(QueryError, match="a key of 2 columns"):
        changes.inserts(Comments).push(Comment("x"), Comments.post_id.to(ref))


def test_constant_of_the_query_language_is_a_value():
    one, other = Blog.change(), Blog.change()
    one.inserts(Posts).push(Post("x"), Posts.visits.to(literal(3)))
    other.inserts(Posts).push(Post("x"), Posts.visits.to(3))
    assert one == other
    with pytest.raises(QueryError, match="takes an expression"):
        change().inserts(Notes).push(Note("x"), Notes.created_at.to(now()))


def test_unchanged_model_adds_no_update():
    changes = Blog.change()
    changes.update(Posts, Keyed(1, Post("x")), Post("x"))
    assert not changes


def test_subquery_may_read_other_relations():
    changes = Blog.change()
    changes.updates(Posts).where(Posts.author_id.in_(select(Users.id).where(Users.name == "x")))
    changes.deletes(Nodes).where(Nodes.id.not_in(select(Nodes.parent_id)))
    assert len(changes) == 2


def test_key_of_an_unknown_kind_is_pushed_without_a_word():
    changes = Blog.change()
    changes.inserts(Bare).push(Token("x"))
    changes.inserts(Bare).push(Token("x"), Bare.id.to(UUID(int=1)))
    assert len(changes) == 2


def test_push_of_a_wrong_value_of_a_slug_is_left_to_the_commit():
    changes = change()
    changes.inserts(Tags).push(Tag(3, "x"))  # type: ignore[arg-type]  # wrong on purpose
    assert len(changes) == 1
