"""Conditions and aggregates over related rows give what the rows themselves say, on every gateway."""

from typing import Any

import pytest

from mapper import Query, aggregate, all_, any_, exists, fn, none_, optional, outer, prepared, select
from tests.relationships.world import (
    COMMENTS,
    EMPLOYEES,
    LINKS,
    POSTS,
    TAGS,
    USERS,
    BestComment,
    BestCommenter,
    BestPaidReport,
    BookingRoom,
    Bookings,
    CommentAuthor,
    CommentPost,
    Comments,
    DiscussedPosts,
    Employees,
    GrandReports,
    LiveTags,
    Manager,
    PostAuthor,
    PostCommenters,
    PostComments,
    PostEditor,
    Posts,
    PostTagLinks,
    PostTags,
    RelatedPosts,
    Reports,
    RoomBookings,
    Rooms,
    Seals,
    SealTag,
    Tags,
    UserCommenters,
    UserPosts,
    Users,
    UserTags,
    VisibleComments,
    World,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

NAMES = dict(USERS)
MANAGERS = {employee: manager for employee, _, _, manager in EMPLOYEES}
SALARIES = {employee: salary for employee, _, salary, _ in EMPLOYEES}
LIVE = {tag for tag, _, retired in TAGS if not retired}


def of(post: int) -> list[tuple[Any, ...]]:
    """The comments of a post."""
    return [each for each in COMMENTS if each[1] == post]


def reports(employee: int) -> list[int]:
    return [key for key, manager in MANAGERS.items() if manager == employee]


POST_CONDITIONS = {
    "any": (any_(PostComments), lambda post: bool(of(post))),
    "any with": (any_(PostComments, Comments.votes > 2), lambda post: any(votes > 2 for *_, votes in of(post))),
    "any with two": (
        any_(PostComments, Comments.votes > 2, Comments.author_id == 2),
        lambda post: any(votes > 2 and author == 2 for _, _, author, *_, votes in of(post)),
    ),
    "none": (none_(PostComments), lambda post: not of(post)),
    "none with": (none_(PostComments, Comments.visible), lambda post: not any(each[4] for each in of(post))),
    "not any": (~any_(PostComments, Comments.visible), lambda post: not any(each[4] for each in of(post))),
    "all": (all_(PostComments, Comments.votes > -2), lambda post: all(votes > -2 for *_, votes in of(post))),
    "all with NULL": (all_(PostComments, Comments.visible), lambda post: all(each[4] for each in of(post))),
    "all not with NULL": (
        all_(PostComments, ~Comments.visible),
        lambda post: all(each[4] is False for each in of(post)),
    ),
    "all with two": (
        all_(PostComments, Comments.votes > 0, Comments.visible),
        lambda post: all(each[5] > 0 and each[4] for each in of(post)),
    ),
    "filtered": (any_(VisibleComments), lambda post: any(each[4] for each in of(post))),
    "all of filtered": (
        all_(VisibleComments, Comments.votes > 2),
        lambda post: all(each[5] > 2 for each in of(post) if each[4]),
    ),
    "belongs to": (any_(PostAuthor, Users.name == "化"), lambda post: POSTS[post - 1][2] == 3),
    "belongs to that may be absent": (none_(PostEditor), lambda post: POSTS[post - 1][3] is None),
    "all of one that is absent": (
        all_(PostEditor, Users.name == "Björn"),
        lambda post: POSTS[post - 1][3] in {None, 2},
    ),
    "nested": (
        any_(PostComments, any_(CommentAuthor, Users.name == "Björn")),
        lambda post: any(each[2] == 2 for each in of(post)),
    ),
    "nested none": (
        all_(PostComments, any_(CommentAuthor)),
        lambda post: all(each[2] is not None for each in of(post)),
    ),
    "nested back": (
        any_(PostComments, any_(CommentPost, Posts.title == "silence")),
        lambda post: post == 1,
    ),
    "with the row itself": (
        any_(PostComments, Comments.author_id == outer(Posts.author_id)),
        lambda post: any(each[2] == POSTS[post - 1][2] for each in of(post)),
    ),
    "many to many": (
        any_(PostTags, Tags.name == "news"),
        lambda post: any(owner == post and tag == 1 for owner, tag, _ in LINKS),
    ),
    "many to many with the relation between": (
        any_(PostTags, Tags.retired == True, PostTagLinks.position == 2),
        lambda post: any(owner == post and tag == 2 and position == 2 for owner, tag, position in LINKS),
    ),
    "all of filtered many to many": (
        all_(LiveTags, Tags.name == "news"),
        lambda post: all(tag == 1 for owner, tag, _ in LINKS if owner == post and tag in LIVE),
    ),
    "through": (
        any_(PostCommenters, Users.name != "ann"),
        lambda post: any(each[2] not in {None, 1} for each in of(post)),
    ),
    "has one of several": (any_(BestComment, Comments.author_id == 2), lambda post: post == 1),
    "has one of several, any": (any_(BestComment), lambda post: any(votes >= 0 for *_, votes in of(post))),
    "through has one": (any_(BestCommenter), lambda post: post == 1),
    "back to itself": (
        any_(RelatedPosts, Posts.id != outer(Posts.id)),
        lambda post: post in {1, 2},
    ),
    "with other conditions": (
        any_(PostComments, Comments.votes > 2) | (Posts.title == "empty"),
        lambda post: post in {1, 3, 4},
    ),
    "beside itself": (
        any_(PostComments, Comments.votes > 2) & none_(PostComments, Comments.votes > 5),
        lambda post: post == 1,
    ),
}


@pytest.mark.feature("B8", "T17")
@pytest.mark.parametrize("name", POST_CONDITIONS)
async def test_condition_over_related_rows_keeps_the_owners_that_fulfil_it(world: World, name: str):
    condition, expected = POST_CONDITIONS[name]
    found = await select(Posts.id).where(condition).order_by(Posts.id).all(world)
    assert found == [post for post, *_ in POSTS if expected(post)]


EMPLOYEE_CONDITIONS = {
    "has reports": (any_(Reports), lambda key: bool(reports(key))),
    "is a leaf": (none_(Reports), lambda key: not reports(key)),
    "has a manager": (any_(Manager), lambda key: MANAGERS[key] is not None),
    "nested": (any_(Reports, any_(Reports, Employees.name == "leaf")), lambda key: key == 1),
    "three levels": (any_(Reports, any_(Reports, any_(Reports))), lambda key: key == 1),
    "up and down": (
        any_(Manager, any_(Reports, Employees.name == "left")),
        lambda key: MANAGERS[key] == 1,
    ),
    "two steps": (any_(GrandReports, Employees.salary == 20), lambda key: key == 2),
    "with the row itself": (
        any_(Reports, Employees.salary * 2 > outer(Employees.salary)),
        lambda key: any(SALARIES[each] * 2 > SALARIES[key] for each in reports(key)),
    ),
    "all with the row itself": (
        all_(Reports, Employees.salary * 2 > outer(Employees.salary)),
        lambda key: all(SALARIES[each] * 2 > SALARIES[key] for each in reports(key)),
    ),
    "has one of several": (any_(BestPaidReport, Employees.name == "leaf"), lambda key: key == 2),
    "nested has one of several": (any_(Reports, any_(BestPaidReport, Employees.name == "leaf")), lambda key: key == 1),
}


@pytest.mark.feature("T13", "T17")
@pytest.mark.parametrize("name", EMPLOYEE_CONDITIONS)
async def test_condition_over_rows_of_the_same_relation(world: World, name: str):
    condition, expected = EMPLOYEE_CONDITIONS[name]
    found = await select(Employees.id).where(condition).order_by(Employees.id).all(world)
    assert found == [key for key in MANAGERS if expected(key)]


@pytest.mark.feature("T13")
async def test_condition_over_composite_keys_takes_them_as_a_whole(world: World):
    assert await select(Rooms.purpose).where(none_(RoomBookings)).all(world) == ["tea"]
    assert await select(Bookings.id).where(any_(BookingRoom)).order_by(Bookings.id).all(world) == [1, 2, 3]


async def test_condition_over_rows_referred_to_by_another_column_than_the_key(world: World):
    assert await select(Seals.id).where(any_(SealTag)).all(world) == [1]


async def test_condition_of_an_alias_says_so(world: World):
    others = Posts.named("other")
    query = select(others.id).from_(others).where(any_(PostComments, Comments.votes > 2, of=others))
    assert await query.all(world) == [1]


async def test_conditions_of_two_names_of_one_relation_stand_side_by_side(world: World):
    managers = Employees.named("manager")
    query = select(Employees.id).join(Manager, to=managers).order_by(Employees.id)
    alone = query.where(none_(Reports), any_(Reports, Employees.name == "twin", of=managers))
    assert await alone.all(world) == [5]


async def test_condition_on_a_row_that_a_join_did_not_find_is_that_it_has_none(world: World):
    query = select(Posts.id).left_join(PostEditor).where(none_(UserPosts)).order_by(Posts.id)
    assert await query.all(world) == [2, 4]


async def test_condition_is_selected_and_ordered_by(world: World):
    query = select(Posts.id, any_(PostComments)).order_by(any_(PostComments).desc(), Posts.id)
    assert await query.all(world) == [(1, True), (2, True), (3, True), (4, False)]


async def test_condition_in_having(world: World):
    query = (
        select(Users.id, fn.count(Posts.id))
        .left_join(UserPosts)
        .group_by(Users.id)
        .having(any_(UserPosts, Posts.title == "empty"))
    )
    assert sorted(await query.all(world)) == [(2, 1), (3, 1)]


async def test_condition_in_a_join(world: World):
    query = select(Posts.id, optional(Users.id)).left_join(
        Users, on=(Users.id == Posts.author_id) & any_(PostComments, Comments.votes > 2)
    )
    assert sorted(await query.all(world), key=repr) == [(1, 1), (2, None), (3, None), (4, None)]


async def test_condition_within_a_subquery(world: World):
    inner = select(Posts.id).where(Posts.author_id == outer(Users.id), none_(PostComments))
    assert await select(Users.id).where(exists(inner)).all(world) == [3]


async def test_condition_in_a_filtered_aggregate(world: World):
    assert await select(fn.count(filter=any_(PostComments))).from_(Posts).one(world) == 3
    by_author = select(Posts.author_id, fn.count(filter=none_(PostComments))).group_by(Posts.author_id)
    assert sorted(await by_author.all(world)) == [(1, 0), (2, 0), (3, 1)]


async def test_count_exists_and_pages_keep_the_condition(world: World):
    query = select(Posts.id).where(any_(PostComments))
    assert await query.count(world) == 3
    assert await query.exists(world)
    assert [row async for page in query.pages(world, size=2) for row in page] == [1, 2, 3]


@prepared
def voted(least: int, title: str) -> Query[int, Posts]:
    return select(Posts.id).where(any_(PostComments, Comments.votes >= least), Posts.title != title).order_by(Posts.id)


async def test_prepared_query_binds_values_of_the_condition(world: World):
    assert await voted(1, "-").all(world) == [1, 2]
    assert await voted(3, "-").all(world) == [1]
    assert await voted(-9, "empty").all(world) == [1, 2]


# -- aggregates --------------------------------------------------------------------------------------------------------


@pytest.mark.feature("B8")
async def test_aggregate_counts_the_related_rows_of_each_owner(world: World):
    query = select(Posts.id, aggregate(PostComments, fn.count())).order_by(Posts.id)
    assert await query.all(world) == [(post, len(of(post))) for post, *_ in POSTS]


async def test_aggregate_names_the_relation_that_is_read(world: World):
    assert sorted(await select(aggregate(PostComments, fn.count())).all(world)) == [0, 1, 2, 3]


async def test_aggregate_over_no_rows_is_null(world: World):
    query = select(Posts.id, aggregate(PostComments, fn.max(Comments.votes))).order_by(Posts.id)
    assert await query.all(world) == [(1, 5), (2, 1), (3, -2), (4, None)]


async def test_aggregate_with_a_filter_and_around_it_an_expression(world: World):
    total = aggregate(PostComments, fn.coalesce(fn.sum(Comments.votes, filter=Comments.visible == True), 0) * 10)
    assert await select(Posts.id, total).order_by(Posts.id).all(world) == [(1, 80), (2, 10), (3, 0), (4, 0)]


async def test_aggregate_keeps_the_condition_of_the_relationship(world: World):
    query = select(Posts.id, aggregate(VisibleComments, fn.count())).order_by(Posts.id)
    assert await query.all(world) == [(1, 2), (2, 1), (3, 0), (4, 0)]


async def test_aggregate_orders_and_filters_owners(world: World):
    count = aggregate(PostComments, fn.count())
    assert await select(Posts.id).where(count > 1).order_by(count.desc()).all(world) == [1, 2]


@pytest.mark.feature("T14")
async def test_aggregate_through_counts_each_row_once(world: World):
    query = select(Posts.id, aggregate(PostCommenters, fn.count())).order_by(Posts.id)
    commenters = [len({each[2] for each in of(post)} - {None}) for post, *_ in POSTS]
    assert [count for _, count in await query.all(world)] == commenters == [2, 1, 0, 0]


@pytest.mark.feature("T14")
async def test_aggregate_through_back_to_the_same_relation(world: World):
    query = select(Users.id, aggregate(UserCommenters, fn.count()), aggregate(UserTags, fn.count())).order_by(Users.id)
    assert await query.all(world) == [(1, 3, 3), (2, 0, 1), (3, 0, 0), (4, 0, 0)]


async def test_aggregate_through_filtered_steps_to_the_same_relation(world: World):
    names = aggregate(RelatedPosts, fn.max(Posts.title))
    assert await select(Posts.id, names).order_by(Posts.id).all(world) == [
        (1, "Élan"),
        (2, "Élan"),
        (3, None),
        (4, None),
    ]


async def test_aggregate_over_rows_of_the_same_relation(world: World):
    query = select(Employees.id, aggregate(Reports, fn.sum(Employees.salary)), aggregate(GrandReports, fn.count()))
    assert await query.order_by(Employees.id).all(world) == [
        (key, sum(SALARIES[each] for each in reports(key)) if reports(key) else None, len(grand))
        for key in MANAGERS
        for grand in [[below for each in reports(key) for below in reports(each)]]
    ]


async def test_aggregate_over_has_one_of_several_sees_the_first_alone(world: World):
    query = select(Posts.id, aggregate(BestComment, fn.max(Comments.id)), aggregate(BestCommenter, fn.max(Users.name)))
    assert await query.order_by(Posts.id).all(world) == [
        (1, 2, "Björn"),
        (2, 5, None),
        (3, None, None),
        (4, None, None),
    ]


async def test_aggregate_of_an_alias_says_so(world: World):
    managers = Employees.named("manager")
    query = select(Employees.id, aggregate(Reports, fn.count(), of=managers)).join(Manager, to=managers)
    assert await query.order_by(Employees.id).all(world) == [(2, 2), (3, 2), (4, 2), (5, 2), (7, 1)]


async def test_aggregate_and_condition_over_a_relationship_with_a_condition_about_related_rows(world: World):
    query = select(Users.id, aggregate(DiscussedPosts, fn.count()), any_(DiscussedPosts)).order_by(Users.id)
    assert await query.all(world) == [(1, 2, True), (2, 0, False), (3, 0, False), (4, 0, False)]
