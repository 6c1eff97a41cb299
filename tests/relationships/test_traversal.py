"""Going on along a path gives the rows at its end, each once, on every gateway."""

from typing import Any

import pytest

from mapper import Column, CommonTable, Keyed, fn, literal, optional, select
from tests.relationships.world import (
    COMMENTS,
    EMPLOYEES,
    BestComment,
    BestPaidReport,
    Booking,
    BookingRoom,
    Bookings,
    Comment,
    CommentAuthor,
    CommentPost,
    Comments,
    DiscussedPosts,
    Employee,
    Employees,
    GrandReports,
    Manager,
    Post,
    PostAuthor,
    PostCommenters,
    PostComments,
    PostEditor,
    Posts,
    PostSeal,
    PostTags,
    RelatedPosts,
    Reports,
    Room,
    RoomBookings,
    Rooms,
    SealTag,
    Tag,
    TagPosts,
    User,
    UserPosts,
    Users,
    VisibleComments,
    World,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

MANAGERS = {employee: manager for employee, _, _, manager in EMPLOYEES}
POST = select(Post).from_(Posts)


def listed(rows: Any) -> list[Any]:
    return sorted(rows, key=repr)


@pytest.mark.feature("B8", "T14")
async def test_path_gives_distinct_models_of_its_end(world: World):
    found = await POST.via(PostComments, CommentAuthor).all(world)
    assert listed(found) == listed([User("ann"), User("Björn"), User("化")])


async def test_conditions_before_the_path_are_on_where_it_starts_and_those_behind_on_its_end(world: World):
    start = POST.where(Posts.title == "silence")
    assert listed(await start.via(PostComments, CommentAuthor).all(world)) == listed([User("ann"), User("Björn")])
    narrowed = start.via(PostComments, CommentAuthor).where(Users.name > "a").order_by(Users.name.desc()).limit(1)
    assert await narrowed.all(world) == [User("ann")]


async def test_limit_before_the_path_is_on_where_it_starts(world: World):
    newest = POST.order_by(Posts.id.desc()).limit(2)
    assert await newest.via(PostComments).all(world) == [Comment("nobody's", None, -2)]
    assert listed(await newest.offset(1).via(PostAuthor).all(world)) == listed([User("ann"), User("Björn")])


async def test_order_before_the_path_without_a_limit_has_no_effect(world: World):
    found = await POST.order_by(Posts.title).distinct().via(PostAuthor).order_by(Users.id).all(world)
    assert found == [User("ann"), User("Björn"), User("化")]


async def test_columns_and_wrappers_of_the_end_are_given_as_selected(world: World):
    names = select(Users.name).from_(Posts).where(Posts.id == 1).via(PostComments, CommentAuthor)
    assert listed(await names.all(world)) == ["Björn", "ann"]
    wrapped = select(Users).from_(Posts).where(Posts.id == 3).via(PostAuthor)
    assert await wrapped.all(world) == [Keyed(2, User("Björn"))]
    assert await select(fn.count(Users.id)).from_(Posts).via(PostAuthor).one(world) == 3


async def test_start_may_join_and_the_path_start_at_what_it_joined(world: World):
    start = POST.join(PostComments).where(Comments.votes == 5)
    assert await start.via(CommentAuthor).all(world) == [User("Björn")]


async def test_what_is_selected_first_is_read_from_where_no_from_is_said(world: World):
    start = select(Posts.title, Comments.text).join(PostComments).where(Comments.votes == 3)
    assert await select(Posts).join(PostComments).where(Comments.votes == 3).via(CommentAuthor).all(world) == [
        User("ann")
    ]
    assert await start.count(world) == 1


async def test_start_may_be_what_a_left_join_found_or_not(world: World):
    start = POST.left_join(PostEditor)
    assert listed(await start.via(UserPosts).map(lambda post: post.title).all(world)) == ["empty", "empty"]
    assert await start.where(Posts.id == 2).via(UserPosts).all(world) == []
    assert listed(await start.limit(3).via(UserPosts).all(world)) == listed([Post("empty"), Post("empty")])


@pytest.mark.feature("T13")
async def test_null_keys_lead_nowhere(world: World):
    assert await POST.where(Posts.id == 2).via(PostEditor).all(world) == []
    assert listed(await POST.via(PostEditor).all(world)) == listed([User("Björn"), User("化")])
    assert len(await select(Comment).from_(Comments).via(CommentPost).all(world)) == 3


@pytest.mark.feature("T13")
async def test_composite_keys_and_other_columns_than_the_key_are_walked(world: World):
    assert listed(await select(Room).from_(Rooms).via(RoomBookings).all(world)) == listed(
        [Booking(9), Booking(10), Booking(9)]
    )
    assert listed(await select(Booking).from_(Bookings).via(BookingRoom).all(world)) == listed(
        [Room("talk"), Room("store")]
    )
    assert await POST.via(PostSeal, SealTag).all(world) == [Tag("news", False)]


async def test_conditions_of_relationships_on_the_path_hold(world: World):
    assert listed(await select(Comments.id).from_(Posts).via(VisibleComments).all(world)) == [1, 3, 5]
    assert listed(await select(Posts.id).from_(Users).via(DiscussedPosts).all(world)) == [1, 2]
    tags = await select(User).from_(Users).via(DiscussedPosts, PostTags).all(world)
    assert listed(tags) == listed([Tag("art", False), Tag("news", False), Tag("old", True)])


async def test_has_one_of_several_leads_to_the_first_alone(world: World):
    assert listed(await select(Comments.id).from_(Posts).via(BestComment).all(world)) == [2, 5]
    assert listed(await select(Employees.id).from_(Employees).via(BestPaidReport).all(world)) == [3, 4, 7]


@pytest.mark.feature("T14")
async def test_path_over_through_and_many_to_many_and_back(world: World):
    titles = select(Posts.title).from_(Posts).where(Posts.id == 1)
    assert listed(await titles.via(RelatedPosts).all(world)) == ["silence", "Élan"]
    assert listed(await titles.via(PostTags, TagPosts).all(world)) == ["silence", "Élan"]
    through = await select(Users.id).from_(Posts).where(Posts.id == 1).via(PostCommenters).all(world)
    assert listed(through) == listed({author for _, post, author, *_ in COMMENTS if post == 1})


async def test_three_and_four_steps(world: World):
    from_ann = select(User).from_(Users).where(Users.name == "ann")
    assert len(await from_ann.via(UserPosts, PostComments, CommentAuthor).all(world)) == 3
    assert len(await from_ann.via(UserPosts, PostTags, TagPosts, PostComments).all(world)) == len(
        {key for key, post, *_ in COMMENTS if post in {1, 2, 3}}
    )


async def test_path_is_a_subquery_of_other_statements(world: World):
    mine = select(Comments.id).from_(Users).where(Users.name == "Björn").via(UserPosts, PostComments)
    assert await select(Comments.text).where(Comments.id.in_(mine)).all(world) == ["nobody's"]
    async with world.transaction() as tx:
        changes = World.change()
        changes.deletes(Comments).where(Comments.id.in_(mine))
        assert (await changes.commit(tx)).deleted == 1
        assert await mine.all(tx) == []
        async with tx.transaction() as inner:
            again = World.change()
            again.inserts(Comments).push(
                Comment("nobody's", None, -2),
                Comments.id.to(7),
                Comments.post_id.to(3),
                Comments.author_id.to(None),
            )
            await again.commit(inner)


async def test_end_is_counted_paged_and_combined_like_any_relation(world: World):
    query = POST.via(PostComments)
    assert await query.count(world) == 6
    assert [len(page) async for page in query.pages(world, size=4)] == [4, 2]
    assert (await query.find(3).execute(world)) == Comment("third", True, 5)
    assert await query.find(6).execute(world) is None
    joined = select(Comments.text, optional(Users.name)).from_(Posts).via(PostComments).left_join(CommentAuthor)
    assert len(await joined.all(world)) == 6


async def test_path_of_many_steps_is_no_deeper_than_stores_can_read(world: World):
    start = select(Posts.id).from_(Posts).where(Posts.id == 1)
    there_and_back: Any = [PostTags, TagPosts] * 12
    assert listed(await start.via(*there_and_back).all(world)) == [1, 2, 3]
    assert listed(await start.via(*there_and_back[:4], recursive=True).all(world)) == [1, 2, 3]
    best: Any = [BestPaidReport, Manager] * 6
    assert await select(Employees.id).from_(Employees).where(Employees.id == 1).via(*best).all(world) == [1]


# -- trees -------------------------------------------------------------------------------------------------------------


def below(employee: int) -> set[int]:
    found = {key for key, manager in MANAGERS.items() if manager == employee}
    return found.union(*[below(each) for each in found])


def above(employee: int) -> list[int]:
    manager = MANAGERS[employee]
    return [] if manager is None else [manager, *above(manager)]


@pytest.mark.feature("T13")
@pytest.mark.parametrize("employee", MANAGERS)
async def test_recursive_path_gives_descendants_and_ancestors(world: World, employee: int):
    start = select(Employees.id).from_(Employees).where(Employees.id == employee)
    assert set(await start.via(Reports, recursive=True).all(world)) == below(employee)
    assert set(await start.via(Manager, recursive=True).all(world)) == set(above(employee))


async def test_recursive_path_of_several_starts_gives_each_row_once(world: World):
    start = select(Employee).from_(Employees).where(Employees.id.in_([1, 2]))
    assert len(await start.via(Reports, recursive=True).all(world)) == len(below(1) | below(2))


async def test_recursive_path_of_several_steps_goes_by_all_of_them(world: World):
    start = select(Employees.name).from_(Employees).where(Employees.id == 1)
    assert listed(await start.via(GrandReports, recursive=True).all(world)) == ["leaf", "twin"]
    related = select(Posts.id).from_(Posts).where(Posts.id == 1).via(PostTags, TagPosts, recursive=True)
    assert listed(await related.all(world)) == [1, 2, 3]


async def test_recursive_path_over_has_one_follows_the_first_alone(world: World):
    start = select(Employees.name).from_(Employees).where(Employees.id == 2)
    assert listed(await start.via(BestPaidReport, recursive=True).all(world)) == ["deep", "leaf"]


async def test_recursive_path_ends_in_a_circle(world: World):
    async with world.transaction() as tx:
        changes = World.change()
        changes.updates(Employees).where(Employees.id == 1).set(Employees.manager_id.to(7))
        await changes.commit(tx)
        start = select(Employees.id).from_(Employees).where(Employees.id == 4)
        assert set(await start.via(Manager, recursive=True).all(tx)) == {1, 2, 4, 7}
        back = World.change()
        back.updates(Employees).where(Employees.id == 1).set(Employees.manager_id.to(None))
        await back.commit(tx)


class Chain(CommonTable):
    top: Column[int]
    employee: Column[int]
    depth: Column[int]


@pytest.mark.feature("T13")
async def test_common_table_gives_all_pairs_of_a_tree_with_their_depth(world: World):
    heads = select(Employees.id, Employees.id, literal(0)).from_(Employees)
    step = (
        select(Chain.top, Employees.id, Chain.depth + 1)
        .from_(Chain)
        .join(Employees, on=Employees.manager_id == Chain.employee)
    )
    pairs = (
        select(Chain.top, Chain.employee, Chain.depth)
        .from_(Chain)
        .with_(Chain, heads.union_all(step), recursive=True)
        .where(Chain.depth > 0)
    )
    expected = [(top, key, depth) for key in MANAGERS for depth, top in enumerate(above(key), 1)]
    assert listed(await pairs.all(world)) == listed(expected)
