"""Joins along relationships give what the rows themselves say, on every gateway."""

from typing import Any

import pytest

from mapper import Column, CommonTable, Unsupported, fn, optional, select, subquery, values
from tests.relationships.world import (
    COMMENTS,
    EMPLOYEES,
    LINKS,
    POSTS,
    SEALS,
    TAGS,
    USERS,
    BestComment,
    BestCommenter,
    BestPaidReport,
    BookingRoom,
    Bookings,
    CommentAuthor,
    Comments,
    DiscussedPosts,
    Employees,
    GrandReports,
    LiveTags,
    Manager,
    Post,
    PostAuthor,
    PostCommenters,
    PostComments,
    PostEditor,
    Posts,
    PostSeal,
    PostTagLinks,
    PostTags,
    RelatedPosts,
    Reports,
    RoomBookings,
    Rooms,
    Seals,
    SealTag,
    TagPosts,
    Tags,
    User,
    Users,
    UserTags,
    VisibleComments,
    World,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module")]


class Discussed(CommonTable):
    post_id: Column[int | None]


TITLES = {post: title for post, title, *_ in POSTS}
NAMES = dict(USERS)
TAG_NAMES = {tag: name for tag, name, _ in TAGS}
LIVE = {tag for tag, _, retired in TAGS if not retired}
MANAGERS = {employee: manager for employee, _, _, manager in EMPLOYEES}


def listed(rows: Any) -> list[Any]:
    """Rows without an order."""
    return sorted(rows, key=repr)


@pytest.mark.feature("B8", "T13")
async def test_join_along_has_many_pairs_owners_with_their_rows(world: World):
    found = await select(Posts.id, Comments.id).join(PostComments).all(world)
    assert listed(found) == listed([(post, comment) for comment, post, *_ in COMMENTS if post is not None])


@pytest.mark.feature("B8", "T13")
async def test_join_along_belongs_to_leaves_out_rows_without_an_owner(world: World):
    found = await select(Comments.id, Users.name).from_(Comments).join(CommentAuthor).all(world)
    assert listed(found) == listed([(key, NAMES[author]) for key, _, author, *_ in COMMENTS if author is not None])


async def test_left_join_keeps_rows_without_a_match_once(world: World):
    found = await select(Posts.id, optional(Comments.id)).left_join(PostComments).all(world)
    matched = [(post, comment) for comment, post, *_ in COMMENTS if post is not None]
    alone = [(post, None) for post in TITLES if post not in {each for each, _ in matched}]
    assert listed(found) == listed([*matched, *alone])


@pytest.mark.feature("B8")
async def test_condition_of_relationship_is_part_of_what_a_left_join_matches(world: World):
    found = await select(Posts.id, optional(Comments.id)).left_join(VisibleComments).all(world)
    matched = [(post, key) for key, post, _, _, visible, _ in COMMENTS if post is not None and visible]
    alone = [(post, None) for post in TITLES if post not in {each for each, _ in matched}]
    assert listed(found) == listed([*matched, *alone])


async def test_right_join_keeps_rows_that_no_owner_has(world: World):
    found = await select(optional(Posts.id), Comments.id).right_join(PostComments).all(world)
    assert listed(found) == listed([(post, key) for key, post, *_ in COMMENTS])


async def test_full_join_keeps_rows_of_either_side(world: World):
    found = await select(optional(Posts.id), optional(Comments.id)).full_join(PostComments).all(world)
    pairs = [(post, key) for key, post, *_ in COMMENTS]
    alone = [(post, None) for post in TITLES if post not in {each for each, _ in pairs}]
    assert listed(found) == listed([*pairs, *alone])


async def test_full_join_along_filtered_relationship_keeps_rows_of_either_side(world: World):
    found = await select(optional(Posts.id), optional(Comments.id)).full_join(VisibleComments).all(world)
    pairs = [(post, key) if visible else (None, key) for key, post, _, _, visible, _ in COMMENTS]
    alone = [(post, None) for post in TITLES if post not in {each for each, _ in pairs}]
    assert listed(found) == listed([*pairs, *alone])


async def test_full_join_of_the_first_alone_is_refused_where_the_store_takes_equal_columns_only(world: World):
    query = select(optional(Posts.id), optional(Comments.id)).full_join(BestComment)
    if world._executor.gateway.capabilities.full_join_conditions:
        best = {best_comment(post): post for post in TITLES}
        pairs = [(best.get(key), key) for key, *_ in COMMENTS]
        alone = [(post, None) for post in TITLES if best_comment(post) is None]
        assert listed(await query.all(world)) == listed([*pairs, *alone])
    else:
        with pytest.raises(Unsupported, match="full join"):
            await query.all(world)


async def test_several_relationships_between_one_pair_are_joined_side_by_side(world: World):
    editors = Users.named("editor")
    query = select(Posts.id, Users.name, optional(editors.name)).join(PostAuthor).left_join(PostEditor, to=editors)
    expected = [(post, NAMES[author], NAMES.get(editor or 0)) for post, _, author, editor in POSTS]
    assert listed(await query.all(world)) == listed(expected)


@pytest.mark.feature("T14")
async def test_join_along_many_to_many_gives_use_of_the_relation_between(world: World):
    query = select(Posts.id, Tags.name, PostTagLinks.position).join(PostTags).order_by(Posts.id, PostTagLinks.position)
    expected = sorted([(post, position, TAG_NAMES[tag]) for post, tag, position in LINKS])
    assert await query.all(world) == [(post, name, position) for post, position, name in expected]


@pytest.mark.feature("T14")
async def test_left_join_along_many_to_many_has_no_row_for_links_that_lead_nowhere(world: World):
    query = select(Posts.id, optional(Tags.id), optional(PostTagLinks.position)).left_join(LiveTags)
    matched = [(post, tag, position) for post, tag, position in LINKS if tag in LIVE]
    alone = [(post, None, None) for post in TITLES if post not in {each[0] for each in matched}]
    assert listed(await query.all(world)) == listed([*matched, *alone])


async def test_right_join_along_many_to_many_keeps_rows_at_the_end(world: World):
    query = select(optional(Posts.id), Tags.id).from_(Posts).right_join(PostTags)
    alone = [(None, tag) for tag in TAG_NAMES if tag not in {each for _, each, _ in LINKS}]
    assert listed(await query.all(world)) == listed([*[(post, tag) for post, tag, _ in LINKS], *alone])


async def test_relation_between_that_is_read_already_gets_a_name_of_its_own(world: World):
    query = (
        select(PostTagLinks.position, Tags.name)
        .from_(Posts)
        .join(PostTagLinks, on=PostTagLinks.post_id == Posts.id)
        .join(PostTags)
    )
    expected = [(position, TAG_NAMES[tag]) for post, _, position in LINKS for other, tag, _ in LINKS if post == other]
    assert listed(await query.all(world)) == listed(expected)


async def test_way_there_and_back_reads_relations_twice(world: World):
    others = Posts.named("other")
    query = select(Posts.id, others.id).join(PostTags).join(TagPosts, to=others)
    expected = [(post, other) for post, tag, _ in LINKS for other, same, _ in LINKS if tag == same]
    assert listed(await query.all(world)) == listed(expected)


@pytest.mark.feature("T14")
async def test_join_along_through_gives_a_row_for_each_way(world: World):
    found = await select(Posts.id, Users.id, Comments.id).join(PostCommenters).all(world)
    expected = [(post, author, key) for key, post, author, *_ in COMMENTS if post is not None and author is not None]
    assert listed(found) == listed(expected)


@pytest.mark.feature("T14")
async def test_left_join_along_through_has_no_row_for_steps_that_lead_nowhere(world: World):
    found = await select(Posts.id, optional(Users.id)).left_join(PostCommenters).all(world)
    matched = [(post, author) for _, post, author, *_ in COMMENTS if post is not None and author is not None]
    alone = [(post, None) for post in TITLES if post not in {each for each, _ in matched}]
    assert listed(found) == listed([*matched, *alone])


@pytest.mark.feature("T14")
async def test_join_along_through_over_many_to_many(world: World):
    found = await select(Users.id, Tags.id).join(UserTags).all(world)
    expected = [(author, tag) for post, _, author, _ in POSTS for owner, tag, _ in LINKS if post == owner]
    assert listed(found) == listed(expected)


@pytest.mark.feature("T14")
async def test_join_along_through_back_to_where_it_starts(world: World):
    others = Posts.named("other")
    found = await select(Posts.id, others.id).join(RelatedPosts, to=others).all(world)
    expected = [(p, o) for p, tag, _ in LINKS for o, same, _ in LINKS if tag == same and tag in LIVE]
    assert listed(found) == listed(expected)


@pytest.mark.feature("T13")
async def test_self_join_reads_the_other_row_under_an_alias(world: World):
    managers = Employees.named("manager")
    query = select(Employees.id, optional(managers.id)).left_join(Manager, to=managers)
    assert listed(await query.all(world)) == listed(MANAGERS.items())


@pytest.mark.feature("T13")
async def test_chain_of_self_joins_starts_from_the_alias_said(world: World):
    managers, tops = Employees.named("manager"), Employees.named("top")
    query = select(Employees.id, tops.id).join(Manager, to=managers).join(Manager, of=managers, to=tops)
    expected = [(key, MANAGERS[boss]) for key, boss in MANAGERS.items() if boss is not None and MANAGERS[boss]]
    assert listed(await query.all(world)) == listed(expected)


async def test_only_alias_of_the_source_is_where_a_relationship_starts(world: World):
    managers = Employees.named("manager")
    query = select(managers.id, Employees.id).from_(managers).join(Reports)
    assert listed(await query.all(world)) == listed([(boss, key) for key, boss in MANAGERS.items() if boss is not None])


async def test_self_join_over_two_steps_names_the_one_between(world: World):
    leaves = Employees.named("leaf")
    found = await select(Employees.id, leaves.id).join(GrandReports, to=leaves).all(world)
    expected = [(MANAGERS[boss], key) for key, boss in MANAGERS.items() if boss is not None and MANAGERS[boss]]
    assert listed(found) == listed(expected)


async def test_left_self_join_over_two_steps_keeps_each_row(world: World):
    leaves = Employees.named("leaf")
    found = await select(Employees.id, optional(leaves.id)).left_join(GrandReports, to=leaves).all(world)
    matched = [(MANAGERS[boss], key) for key, boss in MANAGERS.items() if boss is not None and MANAGERS[boss]]
    alone = [(key, None) for key in MANAGERS if key not in {each for each, _ in matched}]
    assert listed(found) == listed([*matched, *alone])


def best_comment(post: int) -> int | None:
    found = [(-votes, key) for key, owner, _, _, _, votes in COMMENTS if owner == post and votes >= 0]
    return min(found)[1] if found else None


@pytest.mark.feature("T13")
async def test_has_one_of_several_joins_the_first_alone(world: World):
    found = await select(Posts.id, optional(Comments.id)).left_join(BestComment).all(world)
    assert listed(found) == listed([(post, best_comment(post)) for post in TITLES])


async def test_has_one_of_several_of_itself_joins_the_first_alone(world: World):
    best = Employees.named("best")
    found = await select(Employees.id, best.id).join(BestPaidReport, to=best).all(world)
    assert listed(found) == [(1, 3), (2, 4), (4, 7)]


async def test_path_over_has_one_goes_by_the_first_alone(world: World):
    found = await select(Posts.id, optional(Users.id)).left_join(BestCommenter).all(world)
    authors = {key: author for key, _, author, *_ in COMMENTS}
    assert listed(found) == listed([(post, authors.get(best_comment(post) or 0)) for post in TITLES])


@pytest.mark.feature("T13")
async def test_has_one_and_belongs_to_on_columns_that_are_no_primary_key(world: World):
    query = select(Posts.id, Seals.number, optional(Tags.id)).join(PostSeal).left_join(SealTag)
    keys = {name: tag for tag, name in TAG_NAMES.items()}
    expected = [(post, number, keys.get(named or "")) for _, post, named, number in SEALS]
    assert listed(await query.all(world)) == listed(expected)


@pytest.mark.feature("T13")
async def test_composite_keys_match_as_a_whole(world: World):
    found = await select(Rooms.purpose, optional(Bookings.id)).left_join(RoomBookings).all(world)
    assert listed(found) == listed([("talk", 1), ("talk", 2), ("tea", None), ("store", 3)])


@pytest.mark.feature("T13")
async def test_composite_keys_with_a_null_match_nothing(world: World):
    query = select(Bookings.id, optional(Rooms.purpose)).left_join(BookingRoom).order_by(Bookings.id)
    assert await query.all(world) == [(1, "talk"), (2, "talk"), (3, "store"), (4, None), (5, None), (6, None)]


async def test_condition_of_relationship_may_be_about_related_rows(world: World):
    found = await select(Users.id, Posts.id).join(DiscussedPosts).all(world)
    discussed = {post for _, post, _, _, _, votes in COMMENTS if votes > 0}
    assert listed(found) == listed([(author, post) for post, _, author, _ in POSTS if post in discussed])


async def test_condition_about_related_rows_holds_under_an_alias(world: World):
    titles = Posts.named("written")
    found = await select(Users.id, titles.id).join(DiscussedPosts, to=titles).all(world)
    discussed = {post for _, post, _, _, _, votes in COMMENTS if votes > 0}
    assert listed(found) == listed([(author, post) for post, _, author, _ in POSTS if post in discussed])


@pytest.mark.feature("B8")
async def test_counts_per_owner_count_no_row_as_none(world: World):
    query = select(Posts.id, fn.count(Comments.id)).left_join(PostComments).group_by(Posts.id).order_by(Posts.id)
    assert await query.all(world) == [(post, sum(owner == post for _, owner, *_ in COMMENTS)) for post in TITLES]


async def test_relationship_starts_from_a_relation_joined_before(world: World):
    query = select(Posts.id, Users.name).from_(Posts).join(PostComments).join(CommentAuthor).where(Comments.votes > 4)
    expected = [
        (post, NAMES[author]) for _, post, author, _, _, votes in COMMENTS if post and author is not None and votes > 4
    ]
    assert listed(await query.all(world)) == listed(expected)


class Wanted(CommonTable):
    id: Column[int]


async def test_relationship_is_followed_from_a_query_with_sources_of_every_kind(world: World):
    counted = select(Comments.post_id).where(Comments.post_id.is_not_null()).distinct()
    start = (
        select(Posts.id, Comments.id)
        .join(values(Wanted, [1, 3, 4, 5]), on=Wanted.id == Posts.id)
        .join(subquery(Discussed, counted), on=Discussed.post_id == Posts.id)
    )
    expected = [(post, key) for key, post, *_ in COMMENTS if post in {1, 3, 4, 5}]
    assert listed(await start.join(PostComments).all(world)) == listed(expected)
    posts = select(Post).from_(Posts).join(values(Wanted, [2, 3]), on=Wanted.id == Posts.id)
    assert await posts.via(PostAuthor).order_by(Users.id).all(world) == [User("ann"), User("Björn")]
    from_common = (
        select(Wanted.id, Comments.id)
        .from_(Wanted)
        .with_(Wanted, select(Posts.id).where(Posts.title == "silence"))
        .join(Posts, on=Posts.id == Wanted.id)
        .join(PostComments)
    )
    assert listed(await from_common.all(world)) == [(1, 1), (1, 2), (1, 3)]
