"""What relationships declare, and what is said of wrong declarations."""

from types import new_class
from typing import Any

import attrs
import pytest

from mapper import (
    BelongsTo,
    Column,
    CommonTable,
    DeclarationError,
    HasMany,
    HasOne,
    Index,
    ManyToMany,
    Relation,
    Through,
    Unique,
    any_,
    column,
    exists,
    fn,
    outer,
    select,
)
from mapper.relation import info
from mapper.relationships import Relationship, is_relationship, walked


@attrs.frozen
class Post:
    title: str


@attrs.frozen
class Comment:
    text: str


@attrs.frozen
class Tag:
    name: str


@attrs.frozen
class Link:
    position: int


@attrs.frozen
class Seat:
    row: int
    number: int


@attrs.frozen
class Guest:
    name: str


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    slug: Column[str] = column(unique=True)
    parent_id: Column[int | None]


class Comments(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    post_id: Column[int]
    post_slug: Column[str | None]
    text: Column[str]
    visible: Column[bool]


class Tags(Relation[Tag]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]


class PostTagLinks(Relation[Link, tuple[int, int]]):
    post_id: Column[int] = column(primary_key=True)
    tag_id: Column[int] = column(primary_key=True)
    position: Column[int]


class Seats(Relation[Seat, tuple[int, int]]):
    row: Column[int] = column(primary_key=True)
    number: Column[int] = column(primary_key=True)


class Guests(Relation[Guest], indexes=[Unique("seat_row", "seat_number"), Index("name", unique=True)]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    seat_row: Column[int | None]
    seat_number: Column[int | None]


class Bookmarks(Relation[Comment], indexes=[Index("post_id", unique=True, where="text <> ''")]):
    id: Column[int] = column(primary_key=True)
    text: Column[str]
    post_id: Column[int]


class Notes(Relation[Comment]):
    text: Column[str]
    post_id: Column[int]


class Recent(CommonTable):
    id: Column[int]


class PostComments(HasMany[Posts, Comments]):
    key = Comments.post_id


class CommentPost(BelongsTo[Comments, Posts]):
    key = Comments.post_id


class PostTags(ManyToMany[Posts, Tags]):
    through = PostTagLinks
    keys = (PostTagLinks.post_id, PostTagLinks.tag_id)


class TagPosts(ManyToMany[Tags, Posts]):
    through = PostTagLinks
    keys = (PostTagLinks.tag_id, PostTagLinks.post_id)


class Children(HasMany[Posts, Posts]):
    key = Posts.parent_id


def declared(name: str, base: Any, options: dict[str, Any]) -> Any:
    """Make the class of a relationship."""
    return new_class(name, (base,), {}, lambda namespace: namespace.update(options))


def pairs(relationship: Any) -> list[list[tuple[str, str]]]:
    """The columns that each step ties, as text."""
    return [
        [(f"{_name(a)}.{a.column.attribute}", f"{_name(b)}.{b.column.attribute}") for a, b in hop.pairs]
        for hop in walked(relationship).hops
    ]


def _name(attribute: Any) -> str:
    return str(attribute.relation.__name__)


@pytest.mark.feature("B8", "T13")
def test_has_many_leads_from_the_primary_key_to_the_key():
    way = walked(PostComments)
    assert (way.kind, way.source, way.target, way.many, way.repeats) == ("HasMany", Posts, Comments, True, False)
    assert pairs(PostComments) == [[("Posts.id", "Comments.post_id")]]
    assert (way.hops[0].where, way.hops[0].first, way.order) == ((), (), ())


@pytest.mark.feature("B8", "T13")
def test_belongs_to_leads_from_the_key_to_the_primary_key():
    way = walked(CommentPost)
    assert (way.kind, way.source, way.target, way.many) == ("BelongsTo", Comments, Posts, False)
    assert pairs(CommentPost) == [[("Comments.post_id", "Posts.id")]]


@pytest.mark.feature("T14")
def test_many_to_many_leads_over_the_relation_between():
    way = walked(PostTags)
    assert (way.kind, way.source, way.target, way.many) == ("ManyToMany", Posts, Tags, True)
    assert pairs(PostTags) == [[("Posts.id", "PostTagLinks.post_id")], [("PostTagLinks.tag_id", "Tags.id")]]
    assert way.relations == {PostTagLinks, Tags}


@pytest.mark.feature("T14")
def test_through_leads_over_the_steps_of_its_path_and_of_theirs():
    class CommentTags(Through[Comments, Tags]):
        path = (CommentPost, PostTags)

    class Siblings(Through[Comments, Posts]):
        path = (CommentTags, TagPosts)

    way = walked(Siblings)
    assert (way.source, way.target, way.many, way.repeats) == (Comments, Posts, True, True)
    assert pairs(Siblings) == [*pairs(CommentPost), *pairs(PostTags), *pairs(TagPosts)]


def test_projections_of_type_checkers_are_true_at_run_time():
    assert (PostComments.of(), PostComments.to(), PostComments.many()) == (Posts, Comments, Comments)
    assert (CommentPost.of(), CommentPost.one()) == (Comments, Posts)
    assert PostTags.many() is Tags


@pytest.mark.feature("T13")
def test_composite_keys_are_tuples_of_columns_in_the_order_of_the_primary_key():
    class SeatGuest(HasOne[Seats, Guests]):
        key = (Guests.seat_row, Guests.seat_number)

    class GuestSeat(BelongsTo[Guests, Seats]):
        key = (Guests.seat_row, Guests.seat_number)

    both = [("Seats.row", "Guests.seat_row"), ("Seats.number", "Guests.seat_number")]
    assert pairs(SeatGuest) == [both]
    assert pairs(GuestSeat) == [[(key, referred) for referred, key in both]]


@pytest.mark.feature("T13")
def test_key_may_refer_to_other_columns_than_the_primary_key():
    class BySlug(HasMany[Posts, Comments]):
        key = Comments.post_slug
        on = Posts.slug

    class OfSlug(BelongsTo[Comments, Posts]):
        key = Comments.post_slug
        on = Posts.slug

    assert pairs(BySlug) == [[("Posts.slug", "Comments.post_slug")]]
    assert pairs(OfSlug) == [[("Comments.post_slug", "Posts.slug")]]


def test_many_to_many_may_refer_to_other_columns_on_either_side():
    class Named(ManyToMany[Comments, Comments]):
        through = Posts
        keys = (Posts.slug, Posts.id)
        on = (Comments.post_slug, Comments.post_id)

    assert pairs(Named) == [[("Comments.post_slug", "Posts.slug")], [("Posts.id", "Comments.post_id")]]


@pytest.mark.feature("T13")
def test_self_referential_relationships_lead_up_and_down():
    class Parent(BelongsTo[Posts, Posts]):
        key = Posts.parent_id

    assert pairs(Children) == [[("Posts.id", "Posts.parent_id")]]
    assert pairs(Parent) == [[("Posts.parent_id", "Posts.id")]]


@pytest.mark.feature("T13")
def test_relationship_without_a_reference_and_without_its_opposite_is_enough():
    class PostNotes(HasMany[Posts, Notes]):
        key = Notes.post_id

    assert pairs(PostNotes) == [[("Posts.id", "Notes.post_id")]]


@pytest.mark.parametrize("where", [Comments.visible, (Comments.visible,), [Comments.visible]])
def test_where_is_a_condition_or_several(where: Any):
    made = declared("Seen", HasMany[Posts, Comments], {"key": Comments.post_id, "where": where})
    assert [each.key for each in walked(made).hops[0].where] == [Comments.visible.key]


def test_where_may_be_about_related_rows_and_have_subqueries():
    class Discussed(HasMany[Posts, Posts]):
        key = Posts.parent_id
        where = (
            any_(PostComments, Comments.visible),
            exists(select(Comments.id).where(Comments.post_id == outer(Posts.id))),
            Posts.id.in_(select(Comments.post_id)),
        )

    assert len(walked(Discussed).hops[0].where) == 3


def test_order_is_a_column_an_order_or_several():
    class Ordered(HasMany[Posts, Comments]):
        key = Comments.post_id
        order = (Comments.text.desc().nulls_last(), Comments.id, fn.length(Comments.text))

    assert [(each.descending, each.nulls_are_last) for each in walked(Ordered).order] == [
        (True, True),
        (False, True),
        (False, True),
    ]


def test_many_to_many_may_be_ordered_by_the_relation_between():
    class Placed(ManyToMany[Posts, Tags]):
        through = PostTagLinks
        keys = (PostTagLinks.post_id, PostTagLinks.tag_id)
        order = PostTagLinks.position

    assert [each.expression.key for each in walked(Placed).order] == [PostTagLinks.position.key]


def test_has_one_of_several_is_the_first_by_its_order_and_then_by_the_key():
    class Latest(HasOne[Posts, Comments]):
        key = Comments.post_id
        where = Comments.visible
        order = Comments.text.desc()

    (hop,) = walked(Latest).hops
    assert [each.key for each in hop.first] == [Comments.text.desc().key, Comments.id.asc().key]
    assert list(map(id, hop.among)) == [id(Comments.visible)]
    assert not walked(Latest).many


def test_has_one_ordered_by_the_key_is_ordered_by_nothing_else():
    class Latest(HasOne[Posts, Comments]):
        key = Comments.post_id
        order = (Comments.id.desc(),)

    assert [each.key for each in walked(Latest).hops[0].first] == [Comments.id.desc().key]


@pytest.mark.parametrize(
    ("target", "options"),
    [
        (Guests, {"key": (Guests.seat_row, Guests.seat_number), "on": (Posts.id, Posts.parent_id)}),
        (Guests, {"key": Guests.name, "on": Posts.title}),
        (Posts, {"key": Posts.slug, "on": Posts.title}),
        (PostTagLinks, {"key": (PostTagLinks.tag_id, PostTagLinks.post_id), "on": (Posts.id, Posts.id)}),
    ],
    ids=["unique constraint", "unique index", "unique column", "primary key"],
)
def test_has_one_with_a_unique_key_needs_no_first(target: Any, options: dict[str, Any]):
    only: Any = HasOne
    assert walked(declared("Only", only[Posts, target], options)).hops[0].first == ()


def test_has_one_with_a_key_that_is_unique_among_some_rows_takes_the_first():
    class Marked(HasOne[Posts, Bookmarks]):
        key = Bookmarks.post_id

    assert len(walked(Marked).hops[0].first) == 1


def test_derived_relationship_takes_what_it_does_not_declare():
    class Visible(PostComments):
        where = Comments.visible

    class Latest(Visible):
        order = Comments.id.desc()

    way = walked(Latest)
    assert (way.source, way.target, len(way.hops[0].where), len(way.order)) == (Posts, Comments, 1, 1)
    assert walked(PostComments).hops[0].where == ()


def test_derived_relationship_may_have_methods():
    class Documented(PostComments):
        """Comments."""

        @staticmethod
        def shown() -> str:
            return "comments"

        @property
        def other(self) -> str:
            return ""

        def method(self) -> None: ...

    assert walked(Documented).target is Comments


def test_path_keeps_the_conditions_of_its_steps_and_adds_its_own():
    class Visible(HasMany[Posts, Comments]):
        key = Comments.post_id
        where = Comments.visible

    class Grand(Through[Posts, Comments]):
        path = (Children, Visible)
        where = Comments.text != ""
        order = Comments.id

    assert [len(each.where) for each in walked(Grand).hops] == [0, 2]
    assert [len(each.where) for each in walked(Visible).hops] == [1]


def test_what_lies_between_may_be_named_for_type_checkers():
    class Named(ManyToMany[Posts, Tags, PostTagLinks]):
        through = PostTagLinks
        keys = (PostTagLinks.post_id, PostTagLinks.tag_id)

    class Far(Through[Comments, Tags, Posts | PostTagLinks]):
        path = (CommentPost, Named)

    assert (walked(Named).target, walked(Far).target) == (Tags, Tags)


def test_relationship_has_no_instances():
    with pytest.raises(TypeError, match="PostComments is a relationship, which has no instances"):
        PostComments()


@pytest.mark.parametrize("value", [Posts, Post, "PostComments", None, HasMany, HasMany[Posts, Comments]])
def test_what_is_no_relationship_is_none(value: Any):
    assert not is_relationship(value)
    with pytest.raises(DeclarationError, match="is not a relationship"):
        walked(value)


# -- wrong declarations ------------------------------------------------------------------------------------------------

OTHERS = Comments.named("other")

WRONG: dict[str, tuple[Any, dict[str, Any], list[str]]] = {
    "no relations": (HasMany, {"key": Comments.post_id}, ["no relations; write class Wrong(HasMany[Posts, Comments])"]),
    "no key": (HasMany[Posts, Comments], {}, ["no key; name the column of Comments: key = Comments.…"]),
    "no key to": (BelongsTo[Comments, Posts], {}, ["no key; name the column of Comments: key = Comments.…"]),
    "empty key": (HasMany[Posts, Comments], {"key": ()}, ["no key; name the column of Comments: key = Comments.…"]),
    "key of the wrong side": (
        HasMany[Posts, Comments],
        {"key": Posts.id},
        ["key is Posts.id, which is no column of Comments; write key = Comments.…"],
    ),
    "key as text": (
        HasMany[Posts, Comments],
        {"key": "post_id"},
        ["key is 'post_id', which is no column of Comments; write key = Comments.…"],
    ),
    "key of an alias": (
        HasMany[Posts, Comments],
        {"key": OTHERS.post_id},
        ["key is Comments.named('other').post_id, which is no column of Comments; write key = Comments.…"],
    ),
    "key of another type": (
        HasMany[Posts, Comments],
        {"key": Comments.text},
        ["Posts.id is int and Comments.text is str; give columns of one type"],
    ),
    "key of another size": (
        HasOne[Seats, Guests],
        {"key": Guests.seat_row},
        ["Seats.row, Seats.number and Guests.seat_row are not as many; give a tuple of columns, in order"],
    ),
    "no primary key to refer to": (
        BelongsTo[Comments, Notes],
        {"key": Comments.post_id},
        ["Notes has no primary key; name the columns that the key refers to: on = Notes.…"],
    ),
    "on of the wrong side": (
        HasMany[Posts, Comments],
        {"key": Comments.post_id, "on": Comments.id},
        ["on is Comments.id, which is no column of Posts; write on = Posts.…"],
    ),
    "unknown options": (
        HasMany[Posts, Comments],
        {"key": Comments.post_id, "through": PostTagLinks, "filter": Comments.visible},
        [
            "'through' is no option of HasMany; options are: key, on, order, where",
            "'filter' is no option of HasMany; options are: key, on, order, where",
        ],
    ),
    "order of one": (
        BelongsTo[Comments, Posts],
        {"key": Comments.post_id, "order": Posts.id},
        ["'order' is no option of BelongsTo; options are: key, on, where"],
    ),
    "where that is a value": (
        HasMany[Posts, Comments],
        {"key": Comments.post_id, "where": True},
        ["where is True, which is no condition; write one on columns of Comments"],
    ),
    "where that is no condition": (
        HasMany[Posts, Comments],
        {"key": Comments.post_id, "where": Comments.text},
        ["where is Comments.text, which is no condition; write one on columns of Comments"],
    ),
    "where on the source": (
        HasMany[Posts, Comments],
        {"key": Comments.post_id, "where": (Posts.title == "x") & Comments.visible},
        ["where names Posts.title; it is about columns of Comments alone"],
    ),
    "where on an alias": (
        HasMany[Posts, Comments],
        {"key": Comments.post_id, "where": OTHERS.visible},
        ["where names Comments.named('other').visible; it is about columns of Comments alone"],
    ),
    "where on related rows of another": (
        HasMany[Posts, Comments],
        {"key": Comments.post_id, "where": any_(PostComments)},
        ["where names Posts.id; it is about columns of Comments alone"],
    ),
    "where on the relation between": (
        ManyToMany[Posts, Tags],
        {
            "through": PostTagLinks,
            "keys": (PostTagLinks.post_id, PostTagLinks.tag_id),
            "where": PostTagLinks.position > 1,
        },
        ["where names PostTagLinks.position; it is about columns of Tags alone"],
    ),
    "where with an aggregate": (
        HasMany[Posts, Comments],
        {"key": Comments.post_id, "where": fn.count() > 1},
        ["where has fn.count(), which has no meaning there; name columns of Comments"],
    ),
    "order that is text": (
        HasMany[Posts, Comments],
        {"key": Comments.post_id, "order": "id"},
        ["order is 'id', expected columns of Comments: order = Comments.….desc()"],
    ),
    "order on the source": (
        HasMany[Posts, Comments],
        {"key": Comments.post_id, "order": (Comments.id, Posts.id.desc())},
        ["order names Posts.id; it is about columns of Comments alone"],
    ),
    "order between on another relation": (
        ManyToMany[Posts, Tags],
        {
            "through": PostTagLinks,
            "keys": (PostTagLinks.post_id, PostTagLinks.tag_id),
            "order": Comments.id,
        },
        ["order names Comments.id; it is about columns of Tags and PostTagLinks alone"],
    ),
    "a model": (
        HasMany[Post, Comments],
        {"key": Comments.post_id},
        ["is not a relation; declare the relationship behind both relations, with their classes"],
    ),
    "text in the place of classes": (
        HasMany["Posts", "Comments"],
        {"key": Comments.post_id},
        [
            "ForwardRef('Posts') is not a relation; declare the relationship behind both relations, with their classes",
            "ForwardRef('Comments') is not a relation",
        ],
    ),
    "a common table": (
        HasMany[Recent, Comments],
        {"key": Comments.post_id},
        ["Recent is a common table, which no store holds; name the relation that it reads"],
    ),
    "an alias": (
        HasMany[Posts, OTHERS],  # type: ignore[valid-type]  # a variable, and so at run time
        {"key": Comments.post_id},
        ["Comments.named('other') is an alias; name Comments, and the alias in a query: to=…, of=…"],
    ),
    "nothing between": (
        ManyToMany[Posts, Tags],
        {},
        ["no relation between; write through = PostTagLinks", "keys is (), expected two: keys = (PostTagLinks"],
    ),
    "one key between": (
        ManyToMany[Posts, Tags],
        {"through": PostTagLinks, "keys": PostTagLinks.post_id},
        ["expected two: keys = (PostTagLinks.post_id, PostTagLinks.tag_id)"],
    ),
    "keys of another relation": (
        ManyToMany[Posts, Tags],
        {"through": PostTagLinks, "keys": (Posts.id, Tags.id)},
        [
            "keys is Posts.id, which is no column of PostTagLinks; write keys = PostTagLinks.…",
            "keys is Tags.id, which is no column of PostTagLinks; write keys = PostTagLinks.…",
        ],
    ),
    "one of two on": (
        ManyToMany[Posts, Tags],
        {"through": PostTagLinks, "keys": (PostTagLinks.post_id, PostTagLinks.tag_id), "on": Posts.id},
        ["expected the columns of either side that keys refer to: on = (Posts.id, Tags.id)"],
    ),
    "something else between": (
        ManyToMany[Posts, Tags, Comments],
        {"through": PostTagLinks, "keys": (PostTagLinks.post_id, PostTagLinks.tag_id)},
        ["ManyToMany[…, …, Comments] says what lies between, and that is PostTagLinks; name that, or leave it out"],
    ),
    "no path": (Through[Posts, Tags], {}, ["no path; write path = (PostComments, CommentAuthor)"]),
    "path of relations": (
        Through[Posts, Tags],
        {"path": (Comments, Tags)},
        ["path has Comments, which is no relationship; write path = (PostComments, CommentAuthor)"],
    ),
    "path that does not hang together": (
        Through[Posts, Tags],
        {"path": (PostComments, PostTags)},
        ["path: PostTags starts from Posts, and the way is at Comments; go on with a relationship of Comments"],
    ),
    "path from elsewhere": (
        Through[Tags, Comments],
        {"path": PostComments},
        ["path: PostComments starts from Posts, and the way is at Tags; go on with a relationship of Tags"],
    ),
    "path to elsewhere": (
        Through[Posts, Tags],
        {"path": (PostComments,)},
        ["path leads to Comments, not to Tags; write Through[Posts, Comments], or go on"],
    ),
    "several at once": (
        HasMany[Posts, Comments],
        {"where": "x", "order": 3, "whence": 1},
        ["'whence' is no option", "no key", "where is 'x'", "order is 3"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_declaration_is_refused_with_all_that_is_wrong_and_its_mend(name: str):
    base, options, problems = WRONG[name]
    with pytest.raises(DeclarationError) as refused:
        declared("Wrong", base, options)
    assert refused.value.message.startswith("Wrong is declared wrongly:\n")
    assert [each for each in problems if each not in refused.value.message] == []
    assert len(refused.value.message.splitlines()) == 1 + len(problems)


def test_relationship_of_no_kind_is_refused():
    with pytest.raises(DeclarationError, match="Some is a relationship of no kind"):
        new_class("Some", (Relationship[Posts, Comments],))


def test_relationship_of_two_kinds_is_refused():
    with pytest.raises(DeclarationError, match="Both is a relationship of HasMany and HasOne"):
        new_class("Both", (HasMany[Posts, Comments], HasOne[Posts, Comments]))


def test_relations_know_nothing_of_their_relationships():
    assert not any("relationship" in str(each).lower() for each in vars(Posts))
    assert info(Posts).columns
