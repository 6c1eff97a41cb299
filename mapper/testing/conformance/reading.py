"""
Reading: what the terminals give, in what order, and what becomes of the connection.
"""

from attrs import frozen

from mapper import functions as fn
from mapper.columns import Column
from mapper.errors import InvalidCursor, ManyRows, NoRow, NotStored, QueryError, Unsupported
from mapper.expressions import Order
from mapper.gateway import Gateway
from mapper.preparing import prepared
from mapper.query import Query
from mapper.relation import CommonTable
from mapper.selecting import optional, select
from mapper.terms import literal
from mapper.testing.conformance.relations import (
    Blog,
    Comment,
    Comments,
    Link,
    Links,
    Places,
    Post,
    Posts,
    Suite,
    Tag,
    Tags,
    User,
    Users,
    blog,
    refused,
    write_posts,
)
from mapper.wrappers import Keyed

SUITE = Suite("reading")


@frozen
class Summary:
    """What a few columns are made into."""

    title: str
    visits: int


@SUITE.case("find gives the row with a key, or None", "B1", "B18")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        keys = await write_posts(repository, 3)
        query = select(Post).from_(Posts)
        assert await query.find(keys[1]).execute(repository) == Post("post 1", "body 1")
        assert await query.find(999_999).execute(repository) is None
        assert await select(Posts).find(keys[1]).execute(repository) == Keyed(keys[1], Post("post 1", "body 1"))
        assert await query.where(Posts.public).find(keys[1]).execute(repository) is None


@SUITE.case("find takes a composite key in order of declaration", "B18", "T5")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        keys = await write_posts(repository, 2)
        changes = Blog.change()
        changes.inserts(Tags).push(Tag("a"))
        changes.inserts(Links).push(Link(5), Links.post_id.to(keys[0]), Links.tag.to("a"))
        await changes.commit(repository)
        query = select(Links)
        assert await query.find((keys[0], "a")).execute(repository) == Keyed((keys[0], "a"), Link(5))
        assert await query.find((keys[1], "a")).execute(repository) is None
        for wrong in (keys[0], (keys[0],), (keys[0], "a", 1)):
            try:
                query.find(wrong)
            except QueryError:
                continue
            raise AssertionError(f"find({wrong!r}) was accepted")


@SUITE.case("a query is iterated as a stream, in its order", "B1")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 1200)
        query = select(Posts.visits).order_by(Posts.visits.desc())
        assert [each async for each in query.execute(repository)] == [number * 10 for number in range(1199, -1, -1)]


@SUITE.case("a stream that is left early gives its connection back", "B1")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 1200)
        query = select(Post).from_(Posts)
        for _ in range(30):
            async with query.execute(repository) as rows:
                async for _row in rows:
                    break
        for _ in range(30):
            async for _row in query.execute(repository):
                break
        assert await query.count(repository) == 1200
        assert gateway.statistics().in_use == 0


@SUITE.case("a query within the stream of another works", "B1")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        keys = await write_posts(repository, 1000)
        seen = 0
        async for key in select(Posts.id).execute(repository):
            seen += 1
            if seen % 100 == 0:
                assert await select(Post).from_(Posts).find(key).execute(repository) is not None
        assert seen == len(keys)


@SUITE.case("rows are iterated once, and the query again", "B9")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 3)
        query = select(Posts.id)
        rows = query.execute(repository)
        assert len([each async for each in rows]) == 3
        try:
            async for _row in rows:
                pass
        except QueryError:
            pass
        else:
            raise AssertionError("the rows were iterated twice")
        assert len([each async for each in query.execute(repository)]) == 3


@SUITE.case("models, wrappers, tuples, single columns and objects are what a select says", "B10", "T20")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        keys = await write_posts(repository, 2)
        assert await select(Post).from_(Posts).order_by(Posts.id).all(repository) == [
            Post("post 0"),
            Post("post 1", "body 1"),
        ]
        assert [each.key for each in await select(Posts).order_by(Posts.id).all(repository)] == keys
        pairs = select(Posts.title, Posts.visits).order_by(Posts.id)
        assert await pairs.all(repository) == [("post 0", 0), ("post 1", 10)]
        assert await pairs.into(Summary).all(repository) == [Summary("post 0", 0), Summary("post 1", 10)]
        assert await select(Posts.title).order_by(Posts.id).map(str.upper).all(repository) == ["POST 0", "POST 1"]


@SUITE.case("one, first, count and exists", "B1", "B2")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 5)
        query = select(Posts.title)
        assert await query.where(Posts.visits == 20).one(repository) == "post 2"
        none = await refused(NoRow, query.where(Posts.visits == 5).one(repository))
        many = await refused(ManyRows, query.one(repository))
        assert none.query == query.where(Posts.visits == 5)
        assert many.count >= 2
        assert await query.order_by(Posts.visits.desc()).first(repository) == "post 4"
        assert await query.where(Posts.visits == 5).first(repository) is None
        assert await query.count(repository) == 5
        assert await query.limit(3).count(repository) == 3
        assert await query.offset(4).count(repository) == 1
        assert await query.limit(0).count(repository) == 0
        assert await query.exists(repository)
        assert not await query.where(Posts.visits == 5).exists(repository)
        assert not await query.limit(0).exists(repository)
        assert not await query.offset(5).exists(repository)
        assert await query.limit(2).all(repository) != await query.offset(2).limit(2).all(repository)


@SUITE.case("order, limit and offset; NULLs come last ascending and first descending", "T18")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 5)
        query = select(Posts.visits)
        assert await query.order_by(Posts.body, Posts.visits).all(repository) == [10, 20, 40, 0, 30]
        assert await query.order_by(Posts.body.desc(), Posts.visits).all(repository) == [0, 30, 40, 20, 10]
        first: Order[Posts] = Posts.body.asc().nulls_first()
        last: Order[Posts] = Posts.body.desc().nulls_last()
        assert await query.order_by(first, Posts.visits).all(repository) == [0, 30, 10, 20, 40]
        assert await query.order_by(last, Posts.visits).all(repository) == [40, 20, 10, 0, 30]
        assert await query.order_by(Posts.public, Posts.visits.desc()).all(repository) == [30, 10, 40, 20, 0]
        assert await query.order_by(Posts.visits).offset(1).limit(2).all(repository) == [10, 20]
        assert await query.order_by(Posts.visits).limit(2).offset(4).all(repository) == [40]
        assert await query.order_by(Posts.visits).offset(3).all(repository) == [30, 40]


@SUITE.case("queries are values: chaining changes none of them", "B9", "T18")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 4)
        base = select(Posts.visits).where(Posts.visits > 0)
        narrow = base.where(Posts.visits > 10).limit(1)
        assert await base.count(repository) == 3
        assert await narrow.count(repository) == 1
        assert base == select(Posts.visits).where(Posts.visits > 0)
        assert base != select(Posts.visits).where(Posts.visits > 1)


@SUITE.case("distinct gives equal rows once", "T17")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 6)
        assert sorted(await select(Posts.public).distinct().all(repository)) == [False, True]
        assert await select(Posts.public).distinct().count(repository) == 2


@SUITE.case("aggregates, groups and having")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 6)
        totals = select(
            fn.count(),
            fn.count(Posts.body),
            fn.sum(Posts.visits),
            fn.avg(Posts.visits),
            fn.min(Posts.visits),
            fn.max(Posts.title),
        )
        assert await totals.one(repository) == (6, 4, 150, 25.0, 0, "post 5")
        assert await totals.where(Posts.visits > 999).one(repository) == (0, 0, None, None, None, None)
        groups = select(Posts.public, fn.count(), fn.sum(Posts.visits)).group_by(Posts.public).order_by(Posts.public)
        assert await groups.all(repository) == [(False, 3, 90), (True, 3, 60)]
        assert await groups.having(fn.sum(Posts.visits) > 60).all(repository) == [(False, 3, 90)]
        assert await groups.count(repository) == 2
        special = select(
            fn.count(Posts.public, distinct=True),
            fn.count(filter=Posts.visits > 20),
            fn.sum(Posts.visits, filter=Posts.public),
        )
        assert await special.one(repository) == (2, 3, 60)


@SUITE.case("functions mean the same everywhere", "T17")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        changes.inserts(Posts).push(Post("Ab c"), Posts.visits.to(7))
        await changes.commit(repository)
        query = select(
            fn.lower(Posts.title),
            fn.upper(Posts.title),
            fn.length(Posts.title),
            fn.coalesce(Posts.body, "none"),
            fn.coalesce(Posts.body, Posts.title),
            fn.abs(Posts.visits - 10),
            fn.nullif(Posts.visits, 7),
            fn.case((Posts.visits > 5, "many"), else_="few"),
            Posts.title + "!",
            Posts.visits / 2,
        )
        assert await query.one(repository) == ("ab c", "AB C", 4, "none", "Ab c", 3, None, "many", "Ab c!", 3.5)


@SUITE.case("a left join keeps rows without a match, whose columns are optional")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        keys = await write_posts(repository, 2)
        changes = Blog.change()
        changes.inserts(Comments).push(Comment("hello"), Comments.post_id.to(keys[0]))
        await changes.commit(repository)
        joined = (
            select(Posts.title, optional(Comments.text))
            .left_join(Comments, on=Comments.post_id == Posts.id)
            .order_by(Posts.id)
        )
        assert await joined.all(repository) == [("post 0", "hello"), ("post 1", None)]
        missing = select(Posts.title, Comments.text).left_join(Comments, on=Comments.post_id == Posts.id)
        assert "optional" in str(await refused(QueryError, missing.all(repository)))


@SUITE.case("pages go forth and back over several columns, directions and NULLs", "T19")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 11)
        query = select(Posts.visits)
        for ordered in (
            query,
            query.order_by(Posts.public, Posts.visits.desc()),
            query.order_by(Posts.body),
            query.order_by(Posts.body.desc()),
            query.order_by(Posts.public.desc(), Posts.body.asc().nulls_first()),
        ):
            await _walk(repository, ordered)


async def _walk(repository: Blog, query: Query[int, Posts]) -> None:
    """Go through all pages and back again, and compare them with the whole."""
    whole = [each async for page in query.pages(repository, size=1000) for each in page]
    assert len(whole) == 11
    for size in (1, 2, 3, 10, 11, 12):
        pages = [page async for page in query.pages(repository, size=size)]
        assert [each for page in pages for each in page] == whole
        assert len(pages) == -(-11 // size)
        page = await query.page(repository, size=size)
        assert page.previous is None
        seen = [page]
        while page.next is not None:
            page = await query.page(repository, size=size, after=page.next)
            seen.append(page)
        assert [each for one in seen for each in one.items] == whole
        back = [page]
        while page.previous is not None:
            page = await query.page(repository, size=size, before=str(page.previous))
            back.append(page)
        assert [each for one in reversed(back) for each in one.items] == whole


@SUITE.case("a cursor of another query, or damaged, is refused", "T19")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 3)
        page = await select(Posts.visits).page(repository, size=1)
        other = select(Posts.visits).order_by(Posts.title)
        for wrong in (page.next, "", "nonsense", str(page.next)[:-2]):
            await refused(InvalidCursor, other.page(repository, size=1, after=wrong) if wrong is not None else _never())


async def _never() -> None:
    raise AssertionError("a full page has no next one")


@prepared
def titled(title: str) -> Query[Post, Posts]:
    """A prepared query of one argument."""
    return select(Post).from_(Posts).where(Posts.title == title)


@prepared
def written(body: str | None, numbers: list[int], size: int = 10) -> Query[int, Posts]:
    """A prepared query of a nullable value, a list and a limit."""
    return select(Posts.visits).where(Posts.body == body, Posts.visits.in_(numbers)).order_by(Posts.visits).limit(size)


@SUITE.case("prepared queries bind values, None and lists")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 7)
        assert await titled("post 1").one(repository) == Post("post 1", "body 1")
        assert await titled("post 3").one(repository) == Post("post 3")
        assert await written("body 1", [0, 10]).all(repository) == [10]
        assert await written(None, [0, 10, 30, 60]).all(repository) == [0, 30, 60]
        assert await written(None, [0, 10, 30, 60], size=2).all(repository) == [0, 30]
        assert await written(None, []).all(repository) == []


@SUITE.case("a relation that the repository does not store is refused", "B7")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        query = select(Places.name)
        error = await refused(NotStored, query.all(repository))  # type: ignore[arg-type]  # wrong on purpose
        assert error.relation is Places
        await refused(NotStored, query.count(repository))  # type: ignore[arg-type]  # wrong on purpose


class Thread(CommonTable, name="conformance_thread"):
    """A comment and all that answer it, by depth."""

    id: Column[int]
    depth: Column[int]


@SUITE.case("set operations keep what they say, and the order applies to the whole")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 6)
        low = select(Posts.visits).where(Posts.visits <= 30)
        high = select(Posts.visits).where(Posts.visits >= 20)
        if not gateway.capabilities.relational:
            await refused(Unsupported, low.union(high).all(repository))
            return
        assert await low.union(high).order_by(Posts.visits).all(repository) == [0, 10, 20, 30, 40, 50]
        assert await low.union(high).order_by(Posts.visits.desc()).limit(2).all(repository) == [50, 40]
        assert sorted(await low.union_all(high).all(repository)) == [0, 10, 20, 20, 30, 30, 40, 50]
        assert sorted(await low.intersect(high).all(repository)) == [20, 30]
        assert sorted(await low.except_(high).all(repository)) == [0, 10]
        assert sorted(await low.union_all(low).intersect_all(low).all(repository)) == [0, 10, 20, 30]
        assert sorted(await low.union_all(low).except_all(low).all(repository)) == [0, 10, 20, 30]
        assert await low.union(high).count(repository) == 6
        assert await low.limit(1).union_all(high.limit(1)).count(repository) == 2


@SUITE.case("a common table may refer to itself")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        comments = changes.inserts(Comments)
        post = Comments.post_id.to(changes.inserts(Posts).push(Post("p")))
        first = comments.push(Comment("first"), post)
        second = comments.push(Comment("second"), post, Comments.parent_id.to(first))
        comments.push(Comment("third"), post, Comments.parent_id.to(second))
        comments.push(Comment("other"), post)
        await changes.commit(repository)
        start = select(Comments.id, literal(0)).where(Comments.text == "first")
        answers = select(Comments.id, Thread.depth + 1).from_(Comments).join(Thread, on=Comments.parent_id == Thread.id)
        thread = (
            select(Comments.text, Thread.depth)
            .from_(Comments)
            .join(Thread, on=Comments.id == Thread.id)
            .with_(Thread, start.union_all(answers), recursive=True)
            .order_by(Thread.depth)
        )
        if gateway.capabilities.recursive_ctes:
            assert await thread.all(repository) == [("first", 0), ("second", 1), ("third", 2)]
        else:
            await refused(Unsupported, thread.all(repository))


@SUITE.case("joins of every kind keep the rows that they say, and an alias joins a relation with itself")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        ada, _bob = changes.inserts(Users).extend([User("Ada"), User("Bob")])
        changes.inserts(Posts).push(Post("by Ada"), Posts.author_id.to(ada))
        changes.inserts(Posts).push(Post("by nobody"))
        await changes.commit(repository)
        on = Posts.author_id == Users.id
        title, name = optional(Posts.title), optional(Users.name)
        assert await select(Posts.title, Users.name).join(Users, on=on).all(repository) == [("by Ada", "Ada")]
        left = select(Posts.title, name).left_join(Users, on=on).order_by(Posts.title)
        assert await left.all(repository) == [("by Ada", "Ada"), ("by nobody", None)]
        right = select(title, Users.name).right_join(Users, on=on).order_by(Users.name)
        full = select(title, name).full_join(Users, on=on)
        if gateway.capabilities.right_join:
            assert await right.all(repository) == [("by Ada", "Ada"), (None, "Bob")]
            assert len(await full.all(repository)) == 3
        else:
            await refused(Unsupported, right.all(repository))
        assert await select(fn.count()).from_(Posts).cross_join(Users).one(repository) == 4
        other = Posts.named("other")
        pairs = select(Posts.title, other.title).join(other, on=Posts.title < other.title)
        assert await pairs.all(repository) == [("by Ada", "by nobody")]


@SUITE.case("row locks are taken where the store has them, and refused elsewhere")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 2)
        query = select(Posts.visits).where(Posts.visits == 10).for_update()
        if gateway.capabilities.row_locks:
            async with repository.transaction() as tx:
                assert await query.all(tx) == [10]
        else:
            error = await refused(Unsupported, query.all(repository))
            assert error.capability == "row_locks"
