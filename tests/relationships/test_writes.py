"""Updates and deletes take conditions and values of related rows, on every gateway."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mapper import aggregate, all_, any_, fn, none_, select
from tests.relationships.world import (
    CommentAuthor,
    Comments,
    Employees,
    LiveTags,
    Manager,
    Post,
    PostComments,
    Posts,
    PostTagLinks,
    Reports,
    Seals,
    Users,
    World,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module")]


class Undo(Exception):
    """Ends a transaction without effect."""


@asynccontextmanager
async def undone(world: World) -> AsyncGenerator[Any]:
    """A transaction that is rolled back."""
    with pytest.raises(Undo):
        async with world.transaction() as tx:
            yield tx
            raise Undo


@pytest.mark.feature("B8", "T17")
async def test_update_of_rows_by_their_related_rows(world: World):
    async with undone(world) as tx:
        changes = World.change()
        changes.updates(Posts).where(any_(PostComments, any_(CommentAuthor, Users.name == "Björn"))).set(
            Posts.title.to("commented")
        )
        assert (await changes.commit(tx)).updated == 1
        assert await select(Posts.id).where(Posts.title == "commented").all(tx) == [1]


@pytest.mark.feature("T17")
async def test_delete_of_rows_without_related_rows(world: World):
    async with undone(world) as tx:
        changes = World.change()
        changes.deletes(Seals).everywhere()
        changes.deletes(Posts).where(none_(PostComments), none_(LiveTags))
        assert (await changes.commit(tx)).deleted == 4
        assert await select(Posts.id).order_by(Posts.id).all(tx) == [1, 2, 3]


async def test_delete_of_rows_by_rows_of_the_same_relation(world: World):
    async with undone(world) as tx:
        changes = World.change()
        changes.deletes(Employees).where(any_(Manager), none_(Reports))
        assert (await changes.commit(tx)).deleted == 3
        assert await select(Employees.id).order_by(Employees.id).all(tx) == [1, 2, 4, 6]


async def test_update_to_an_aggregate_of_related_rows(world: World):
    async with undone(world) as tx:
        changes = World.change()
        changes.updates(Employees).where(any_(Reports)).set(Employees.salary.to(aggregate(Reports, fn.count())))
        assert (await changes.commit(tx)).updated == 3
        found = await select(Employees.id, Employees.salary).where(any_(Reports)).order_by(Employees.id).all(tx)
        assert found == [(1, 2), (2, 2), (4, 1)]


async def test_delete_of_rows_reached_by_a_path(world: World):
    async with undone(world) as tx:
        silence = select(Comments.id).from_(Posts).where(Posts.title == "silence").via(PostComments)
        changes = World.change()
        changes.deletes(Comments).where(Comments.id.in_(silence), Comments.votes > 3)
        assert (await changes.commit(tx)).deleted == 2


async def test_condition_sees_what_the_changeset_wrote_before(world: World):
    async with undone(world) as tx:
        changes = World.change()
        changes.inserts(Posts).push(Post("new"), Posts.id.to(9), Posts.author_id.to(1), Posts.editor_id.to(None))
        changes.updates(Posts).where(none_(PostComments)).set(Posts.title.to("quiet"))
        assert (await changes.commit(tx)).updated == 2
        assert await select(Posts.id).where(Posts.title == "quiet").order_by(Posts.id).all(tx) == [4, 9]


async def test_all_in_a_delete_spares_rows_with_a_null(world: World):
    async with undone(world) as tx:
        changes = World.change()
        changes.deletes(PostTagLinks).everywhere()
        changes.updates(Posts).where(all_(PostComments, Comments.visible), any_(PostComments)).set(Posts.title.to("x"))
        assert (await changes.commit(tx)).updated == 0
