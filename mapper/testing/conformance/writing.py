"""
Writing: what a changeset does to the store, all of it or nothing.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import UUID

from mapper.errors import (
    ForeignKeyViolation,
    MissingRow,
    QueryError,
    StaleRow,
    StoreError,
    UniqueViolation,
    Unsupported,
    ValueNotStorable,
)
from mapper.expressions import Assignment
from mapper.gateway import Gateway
from mapper.selecting import select
from mapper.terms import excluded
from mapper.testing.conformance.relations import (
    Account,
    Accounts,
    Blog,
    Comment,
    Comments,
    Place,
    Places,
    Point,
    Post,
    Posts,
    Suite,
    Tag,
    Tags,
    User,
    Users,
    World,
    blog,
    refused,
    world,
    write_posts,
)
from mapper.wrappers import Keyed

SUITE = Suite("writing")


@SUITE.case("inserts of several relations refer to each other", "B13", "T22")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        comments = changes.inserts(Comments)
        author = changes.inserts(Users).push(User("Ada"))
        post = changes.inserts(Posts).push(Post("hello"), Posts.author_id.to(author))
        first = comments.push(Comment("first"), Comments.post_id.to(post))
        second = comments.push(Comment("second"), Comments.post_id.to(post), Comments.parent_id.to(first))
        result = await changes.commit(repository)
        assert result.inserted == 4
        found = await select(Comments.post_id, Comments.parent_id).find(result[second]).execute(repository)
        assert found == (result[post], result[first])
        assert await select(Posts.author_id).find(result[post]).execute(repository) == result[author]


@SUITE.case("many pushes get the keys of their own rows", "B16", "T22")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        refs = changes.inserts(Posts).extend([Post(f"title {number}") for number in range(2500)])
        result = await changes.commit(repository)
        assert result.inserted == 2500
        titles = dict(await select(Posts.id, Posts.title).all(repository))
        assert [titles[result[ref]] for ref in refs] == [f"title {number}" for number in range(2500)]


@SUITE.case("rows with different columns keep their own defaults", "T4", "T22")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        posts = changes.inserts(Posts)
        plain = posts.push(Post("a"))
        given = posts.push(Post("b"), Posts.visits.to(5))
        again = posts.push(Post("c"), Posts.public.to(True))
        result = await changes.commit(repository)
        rows = select(Posts.title, Posts.visits, Posts.public)
        assert await rows.find(result[plain]).execute(repository) == ("a", 0, False)
        assert await rows.find(result[given]).execute(repository) == ("b", 5, False)
        assert await rows.find(result[again]).execute(repository) == ("c", 0, True)


@SUITE.case("keys are made by the store, by a default, or given", "B12", "T5")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        given = changes.inserts(Posts).push(Post("given"), Posts.id.to(700))
        natural = changes.inserts(Tags).push(Tag("python"))
        result = await changes.commit(repository)
        assert (result[given], result[natural]) == (700, "python")
        assert await select(Posts.title).find(700).execute(repository) == "given"
    async with world(gateway) as repository_of_places:
        more = World.change()
        place = more.inserts(Places).push(Place("x", Point(1, 2)))
        made = (await more.commit(repository_of_places))[place]
        assert isinstance(made, UUID)
        assert await select(Places.name).find(made).execute(repository_of_places) == "x"


@SUITE.case("a failure in the middle undoes everything", "B13", "T22")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        changes.inserts(Users).push(User("Ada", "same@example.com"))
        changes.inserts(Posts).extend([Post("kept?"), Post("kept?")])
        changes.inserts(Comments).push(Comment("no post"), Comments.post_id.to(999_999))
        await refused(ForeignKeyViolation, changes.commit(repository))
        counts = [
            await select(Users.id).count(repository),
            await select(Posts.id).count(repository),
            await select(Comments.id).count(repository),
        ]
        assert counts == [0, 0, 0]
        assert gateway.statistics().in_use == 0


@SUITE.case("updates and deletes take a condition, and count rows", "B14", "T24")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        keys = await write_posts(repository, 6)
        changes = Blog.change()
        changes.updates(Posts).where(Posts.visits >= 40).set(Posts.visits.to(Posts.visits + 1), Posts.title.to("many"))
        changes.deletes(Posts).where(Posts.public)
        result = await changes.commit(repository)
        assert (result.updated, result.deleted) == (2, 3)
        assert await select(Posts.id, Posts.title, Posts.visits).order_by(Posts.id).all(repository) == [
            (keys[1], "post 1", 10),
            (keys[3], "post 3", 30),
            (keys[5], "many", 51),
        ]


@SUITE.case("assignments see the row as it was", "T24")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        ref = changes.inserts(Posts).push(Post("a", "b"), Posts.visits.to(1))
        key = (await changes.commit(repository))[ref]
        changes = Blog.change()
        changes.updates(Posts).where(Posts.id == key).set(
            Posts.visits.to(Posts.visits + 1), Posts.body.to(Posts.title), Posts.title.to("z")
        )
        await changes.commit(repository)
        assert await select(Posts.title, Posts.body, Posts.visits).find(key).execute(repository) == ("z", "a", 2)


@SUITE.case("an update or delete without a condition is refused unless it says everywhere", "B14", "T24")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 3)

        async def widened() -> None:
            changes = Blog.change()
            changes.updates(Posts).set(Posts.visits.to(1))
            await changes.commit(repository)

        async def emptied() -> None:
            changes = Blog.change()
            changes.deletes(Posts)
            await changes.commit(repository)

        await refused(QueryError, widened())
        await refused(QueryError, emptied())
        assert await select(Posts.id).count(repository) == 3
        changes = Blog.change()
        changes.updates(Posts).everywhere().set(Posts.visits.to(1))
        assert (await changes.commit(repository)).updated == 3
        changes = Blog.change()
        changes.deletes(Posts).everywhere()
        assert (await changes.commit(repository)).deleted == 3


@SUITE.case("one row is updated and deleted by its wrapper", "B14", "B16", "T24")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        keys = await write_posts(repository, 3)
        keyed = await select(Posts).find(keys[1]).execute(repository)
        assert keyed is not None
        changes = Blog.change()
        changes.update(Posts, keyed, Posts.title.to("new"))
        assert (await changes.commit(repository)).updated == 1
        changes = Blog.change()
        changes.update(Posts, keyed, Post("newer", None))
        await changes.commit(repository)
        assert await select(Post).from_(Posts).find(keys[1]).execute(repository) == Post("newer", None)
        changes = Blog.change()
        changes.delete(Posts, keyed)
        assert (await changes.commit(repository)).deleted == 1
        assert await select(Posts.id).order_by(Posts.id).all(repository) == [keys[0], keys[2]]
        changes = Blog.change()
        changes.delete(Posts, keyed)
        await refused(MissingRow, changes.commit(repository))
        changes = Blog.change()
        changes.update(Posts, Keyed(999_999, Post("x")), Posts.title.to("y"))
        await refused(MissingRow, changes.commit(repository))


@SUITE.case("a version rises with every write, and a stale row is refused", "T12", "B16")
async def _(gateway: Gateway) -> None:
    async with world(gateway) as repository:
        changes = World.change()
        ref = changes.inserts(Accounts).push(Account("Ada", Decimal("10.00")))
        key = (await changes.commit(repository))[ref]
        first = await select(Accounts).find(key).execute(repository)
        assert first is not None
        assert (first.version, first.model.model.key) == (1, key)
        changes = World.change()
        changes.update(Accounts, first, Accounts.balance.to(Decimal("20.00")))
        await changes.commit(repository)
        second = await select(Accounts).find(key).execute(repository)
        assert second is not None
        assert (second.version, second.model.model.model.balance) == (2, Decimal("20.00"))
        assert second.model.updated_at >= first.model.updated_at
        assert second.model.created_at == first.model.created_at
        changes = World.change()
        changes.inserts(Accounts).push(Account("Bob"))
        changes.update(Accounts, first, Accounts.balance.to(Decimal("30.00")))
        await refused(StaleRow, changes.commit(repository))
        assert await select(Accounts.id).count(repository) == 1
        changes = World.change()
        changes.delete(Accounts, first)
        await refused(StaleRow, changes.commit(repository))
        changes = World.change()
        changes.updates(Accounts).where(Accounts.id == key).set(Accounts.balance.to(Accounts.balance + 5))
        await changes.commit(repository)
        assert await select(Accounts.version, Accounts.balance).find(key).execute(repository) == (3, Decimal("25.00"))
        third = await select(Accounts).find(key).execute(repository)
        assert third is not None
        changes = World.change()
        changes.delete(Accounts, third)
        await changes.commit(repository)
        changes = World.change()
        changes.update(Accounts, third, Accounts.owner.to("x"))
        await refused(MissingRow, changes.commit(repository))


@SUITE.case("an upsert ignores, updates or inserts, and tells which", "T25")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        changes.inserts(Tags).extend([Tag("a", "old"), Tag("b", "old")])
        await changes.commit(repository)
        if not gateway.capabilities.upsert:
            return
        changes = Blog.change()
        ignoring = changes.inserts(Tags).on_conflict(Tags.name)
        ignored = ignoring.push(Tag("a", "new"))
        inserted = ignoring.push(Tag("c", "new"))
        result = await changes.commit(repository)
        assert (result.inserted, result.updated, result.ignored) == (1, 0, 1)
        assert result.get(ignored) is None
        assert result[inserted] == "c"
        assert [result.status(each) for each in (ignored, inserted)] == ["ignored", "inserted"]
        try:
            _ = result[ignored]
        except KeyError:
            pass
        else:
            raise AssertionError("an ignored push has a key")
        changes = Blog.change()
        refs = (
            changes.inserts(Tags)
            .on_conflict(Tags.name, update=[Tags.note])
            .extend([Tag("a", "newer"), Tag("d", "new"), Tag("d", "twice")])
        )
        result = await changes.commit(repository)
        assert [result.status(each) for each in refs] == ["updated", "inserted", "updated"]
        assert (result.inserted, result.updated, result.ignored) == (1, 2, 0)
        assert await select(Tags.name, Tags.note).order_by(Tags.name).all(repository) == [
            ("a", "newer"),
            ("b", "old"),
            ("c", "new"),
            ("d", "twice"),
        ]


@SUITE.case("what is written comes back in its slot, or is refused before anything is sent", "T22", "T24")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        tags = changes.inserts(Tags)
        made = tags.returning(Tags.name, Tags.note)
        tags.extend([Tag("b", "1"), Tag("a", "2"), Tag("c", "3")])
        if not gateway.capabilities.returning:
            await refused(Unsupported, changes.commit(repository))
            return
        result = await changes.commit(repository)
        assert result[made] == [("b", "1"), ("a", "2"), ("c", "3")]
        changes = Blog.change()
        updated = changes.updates(Tags).where(Tags.name != "c").set(Tags.note.to("new")).returning(Tags.note)
        deleted = changes.deletes(Tags).where(Tags.note == "new").returning(Tags.name)
        result = await changes.commit(repository)
        assert (result[updated], sorted(result[deleted])) == (["new", "new"], ["a", "b"])


@SUITE.case("an upsert on a unique column computes with the stored and the incoming row", "T25")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        if not gateway.capabilities.upsert:
            return
        changes = Blog.change()
        ref = changes.inserts(Posts).push(Post("old"), Posts.slug.to("s"), Posts.visits.to(10))
        key = (await changes.commit(repository))[ref]
        changes = Blog.change()
        posts = changes.inserts(Posts).on_conflict(
            Posts.slug,
            set_=[Posts.visits.to(Posts.visits + excluded(Posts.visits)), Posts.title.to(excluded(Posts.title))],
            where=Posts.visits < 15,
        )
        first = posts.push(Post("new"), Posts.slug.to("s"), Posts.visits.to(7))
        second = posts.push(Post("newer"), Posts.slug.to("s"), Posts.visits.to(7))
        result = await changes.commit(repository)
        assert (result.inserted, result.updated, result.ignored) == (0, 1, 1)
        assert result[first] == key
        assert result.get(second) is None
        assert await select(Posts.title, Posts.visits).find(key).execute(repository) == ("new", 17)


@SUITE.case("writes of one relation keep their order", "B13", "T24")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        changes.inserts(Tags).push(Tag("a", "1"))
        changes.deletes(Tags).where(Tags.name == "a")
        changes.inserts(Tags).push(Tag("a", "2"))
        changes.updates(Tags).where(Tags.name == "a").set(Tags.note.to("3"))
        changes.inserts(Tags).push(Tag("b", "4"))
        result = await changes.commit(repository)
        assert (result.inserted, result.updated, result.deleted) == (3, 1, 1)
        assert await select(Tags.name, Tags.note).order_by(Tags.name).all(repository) == [("a", "3"), ("b", "4")]


@SUITE.case("children are deleted before their parents, whatever the order given", "B14")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        author = changes.inserts(Users).push(User("Ada"))
        changes.inserts(Posts).push(Post("p"), Posts.author_id.to(author))
        await changes.commit(repository)
        changes = Blog.change()
        changes.deletes(Users).everywhere()
        changes.deletes(Posts).everywhere()
        result = await changes.commit(repository)
        assert result.deleted == 2


@SUITE.case("deleting an owner follows the declared actions", "B14")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        post = changes.inserts(Posts).push(Post("p"))
        first = changes.inserts(Comments).push(Comment("1"), Comments.post_id.to(post))
        changes.inserts(Comments).push(Comment("2"), Comments.post_id.to(post), Comments.parent_id.to(first))
        result = await changes.commit(repository)
        changes = Blog.change()
        changes.deletes(Comments).where(Comments.id == result[first])
        await changes.commit(repository)
        assert await select(Comments.text, Comments.parent_id).all(repository) == [("2", None)]
        changes = Blog.change()
        changes.deletes(Posts).everywhere()
        await changes.commit(repository)
        assert await select(Comments.id).count(repository) == 0


@SUITE.case("an empty changeset commits without an operation", "B13")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        seen: list[object] = []
        stop = gateway.subscribe(seen.append)
        result = await Blog.change().commit(repository)
        stop()
        assert (result.inserted, result.updated, result.deleted, seen) == (0, 0, 0, [])


@SUITE.case("a changeset is data: it can be committed again", "B13")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        ref = changes.inserts(Posts).push(Post("twice"))
        first, second = await changes.commit(repository), await changes.commit(repository)
        assert first[ref] != second[ref]
        assert await select(Posts.id).count(repository) == 2


@SUITE.case("the number of operations does not depend on the number of rows", "T22")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        counts: list[int] = []
        for size in (2, 400):
            changes = Blog.change()
            posts = changes.inserts(Posts).extend([Post(f"p{number}") for number in range(size)])
            comments = changes.inserts(Comments)
            for post in posts:
                comments.push(Comment("c"), Comments.post_id.to(post))
            seen: list[object] = []
            stop = gateway.subscribe(seen.append)
            await changes.commit(repository)
            stop()
            counts.append(len(seen))
        assert counts[0] == counts[1] <= 6, counts


@SUITE.case("load streams rows in, from any iterable", "B15")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        progress: list[int] = []
        models = (Post(f"p{number}") for number in range(2500))
        assert await repository.load(Posts, models, chunk=1000, on_progress=progress.append) == 2500
        assert progress == [1000, 2000, 2500]
        assert await select(Posts.visits).where(Posts.visits == 0).count(repository) == 2500

        async def pairs() -> AsyncIterator[tuple[Post, Assignment[Posts]]]:
            for number in range(3):
                yield Post(f"q{number}"), Posts.visits.to(number)

        assert await repository.load(Posts, pairs()) == 3
        assert await select(Posts.id).where(Posts.visits == 2).count(repository) == 1


@SUITE.case("a number beyond 64 bits, given or computed, is an error and changes nothing", "T2", "T24")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        ref = changes.inserts(Posts).push(Post("big"), Posts.visits.to(2**63 - 1))
        key = (await changes.commit(repository))[ref]
        changes = Blog.change()
        changes.updates(Posts).where(Posts.id == key).set(Posts.visits.to(Posts.visits + 1))
        await refused((StoreError, ValueNotStorable), changes.commit(repository))
        assert await select(Posts.visits).find(key).execute(repository) == 2**63 - 1


@SUITE.case("a unique value is refused and named", "T29")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        changes.inserts(Users).push(User("Ada", "ada@example.com"))
        await changes.commit(repository)
        changes = Blog.change()
        changes.inserts(Users).push(User("Eve", "ada@example.com"))
        error = await refused(UniqueViolation, changes.commit(repository))
        assert error.relation is Users
        assert error.columns == ("email",)
