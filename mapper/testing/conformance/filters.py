"""
Filters: which rows a condition keeps, NULLs included.
"""

from collections.abc import Sequence
from typing import Any

from mapper.errors import Unsupported
from mapper.expressions import Expr, RowValue
from mapper.gateway import Gateway
from mapper.selecting import exists, select
from mapper.testing.conformance.relations import Blog, Post, Posts, Suite, blog, refused, write_posts

SUITE = Suite("filters")


async def numbers(repository: Blog, *conditions: Expr[bool, Posts]) -> list[int]:
    """Return the numbers of the posts that the conditions keep."""
    found = await select(Posts.visits).where(*conditions).order_by(Posts.visits).all(repository)
    return [each // 10 for each in found]


COMPARISONS: Sequence[tuple[Expr[bool, Posts], Sequence[int]]] = (
    (Posts.visits == 30, [3]),
    (Posts.visits != 30, [0, 1, 2, 4, 5, 6, 7, 8, 9]),
    (Posts.visits < 20, [0, 1]),
    (Posts.visits <= 20, [0, 1, 2]),
    (Posts.visits > 70, [8, 9]),
    (Posts.visits >= 70, [7, 8, 9]),
    (Posts.visits.between(20, 40), [2, 3, 4]),
    (Posts.visits.in_([10, 30, 999]), [1, 3]),
    (Posts.visits.in_([]), []),
    (Posts.visits.not_in([]), list(range(10))),
    (Posts.visits.not_in([0, 10, 20, 30, 40, 50, 60]), [7, 8, 9]),
    (Posts.public, [0, 2, 4, 6, 8]),
    (~Posts.public, [1, 3, 5, 7, 9]),
    (Posts.public & (Posts.visits > 40), [6, 8]),
    (Posts.public | (Posts.visits > 70), [0, 2, 4, 6, 8, 9]),
    (~(Posts.public | (Posts.visits > 70)), [1, 3, 5, 7]),
    (Posts.visits + 10 == 40, [3]),
    (Posts.visits * 2 > 140, [8, 9]),
    (Posts.visits - Posts.id < 0, [0]),
    (Posts.visits % 20 == 10, [1, 3, 5, 7, 9]),
    (Posts.visits / 4 == 2.5, [1]),
    (-Posts.visits < -70, [8, 9]),
)

NULLS: Sequence[tuple[Expr[bool, Posts], Sequence[int]]] = (
    (Posts.body == None, [0, 3, 6, 9]),
    (Posts.body != None, [1, 2, 4, 5, 7, 8]),
    (Posts.body.is_null(), [0, 3, 6, 9]),
    (Posts.body.is_not_null(), [1, 2, 4, 5, 7, 8]),
    (Posts.body != "body 1", [2, 4, 5, 7, 8]),
    (~(Posts.body == "body 1"), [2, 4, 5, 7, 8]),
    (Posts.body.is_distinct_from("body 1"), [0, 2, 3, 4, 5, 6, 7, 8, 9]),
    (Posts.body.is_not_distinct_from(None), [0, 3, 6, 9]),
    (Posts.body.in_(["body 1", None]), [0, 1, 3, 6, 9]),
    (Posts.body.in_(["body 1"]), [1]),
    (Posts.body.not_in(["body 1", None]), [2, 4, 5, 7, 8]),
    (Posts.body.not_in(["body 1"]), [0, 2, 3, 4, 5, 6, 7, 8, 9]),
    ((Posts.body == "body 1") | (Posts.visits == 0), [0, 1]),
    ((Posts.body == "nothing") & (Posts.visits == 0), []),
    (~((Posts.body == "nothing") & (Posts.visits == 999)), list(range(10))),
    (Posts.body.starts_with("body"), [1, 2, 4, 5, 7, 8]),
)

TEXTS = ["Apple", "apple", "100%", "100_", "a_c", "abc", "a\\c", "", "Zürich", "ZÜRICH"]

TEXT: Sequence[tuple[Expr[bool, Posts], Sequence[str]]] = (
    (Posts.title.like("a%"), ["apple", "a_c", "abc", "a\\c"]),
    (Posts.title.like("a_c"), ["a_c", "abc", "a\\c"]),
    (Posts.title.like("a\\_c"), ["a_c"]),
    (Posts.title.like("100\\%"), ["100%"]),
    (Posts.title.like("A%"), ["Apple"]),
    (Posts.title.like("%"), TEXTS),
    (Posts.title.starts_with("a"), ["apple", "a_c", "abc", "a\\c"]),
    (Posts.title.starts_with("100_"), ["100_"]),
    (Posts.title.starts_with(""), TEXTS),
    (Posts.title.ends_with("%"), ["100%"]),
    (Posts.title.ends_with("CH"), ["ZÜRICH"]),
    (Posts.title.ends_with(""), TEXTS),
    (Posts.title.contains("_"), ["100_", "a_c"]),
    (Posts.title.contains("\\"), ["a\\c"]),
    (Posts.title.contains("PP"), []),
    (Posts.title.contains(""), TEXTS),
    (Posts.title == "", [""]),
    (Posts.title > "a", ["apple", "a_c", "abc", "a\\c"]),
)


@SUITE.case("comparisons, arithmetic and logic keep the rows that they say", "T17")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository)
        for condition, expected in COMPARISONS:
            assert await numbers(repository, condition) == list(expected), condition


@SUITE.case("NULL is neither true nor false, and None is NULL", "T17")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository)
        for condition, expected in NULLS:
            assert await numbers(repository, condition) == list(expected), condition


@SUITE.case("text is matched case-sensitively and wildcards are escaped", "T17")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        changes.inserts(Posts).extend([Post(each) for each in TEXTS])
        await changes.commit(repository)
        for condition, expected in TEXT:
            found = await select(Posts.title).where(condition).order_by(Posts.id).all(repository)
            assert found == [each for each in TEXTS if each in expected], condition


@SUITE.case("a pattern may be an expression", "T17")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        rows = changes.inserts(Posts)
        rows.push(Post("abc", "ab%"))
        rows.push(Post("abc", "AB%"))
        rows.push(Post("a%c", "a%"))
        await changes.commit(repository)
        body: Any = Posts.body
        assert await select(Posts.id).where(Posts.title.like(body)).count(repository) == 2
        assert await select(Posts.id).where(Posts.title.starts_with(body)).count(repository) == 1
        assert await select(Posts.id).where(body.ends_with("%")).count(repository) == 3


@SUITE.case("ilike ignores case where the store can, and is refused elsewhere", "T17")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 2)
        query = select(Posts.title).where(Posts.title.ilike("POST%")).order_by(Posts.id)
        if gateway.capabilities.ilike:
            assert await query.all(repository) == ["post 0", "post 1"]
        else:
            error = await refused(Unsupported, query.all(repository))
            assert error.capability == "ilike"


@SUITE.case("a large list is one parameter", "T17")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        keys = await write_posts(repository)
        many = [*range(1_000_000, 1_070_000), *keys]
        assert await select(Posts.id).where(Posts.id.in_(many)).count(repository) == len(keys)
        assert await select(Posts.id).where(Posts.id.not_in(many)).count(repository) == 0


@SUITE.case("several columns are compared and listed as one value", "T17")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository)
        pair: RowValue[Any, Posts] = RowValue([Posts.title, Posts.visits])
        found = (
            select(Posts.visits).where(pair.in_([("post 1", 10), ("post 2", 999), ("post 3", 30)])).order_by(Posts.id)
        )
        assert await found.all(repository) == [10, 30]


@SUITE.case("a subquery is a list: NULL is in it where one of its values is NULL", "T17")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository)
        bodies = select(Posts.body).where(Posts.visits < 30)
        query = select(Posts.visits).where(Posts.body.in_(bodies)).order_by(Posts.visits)
        others = select(Posts.visits).where(Posts.body.not_in(bodies)).order_by(Posts.visits)
        if gateway.capabilities.relational:
            assert await query.all(repository) == [0, 10, 20, 30, 60, 90]
            assert await others.all(repository) == [40, 50, 70, 80]
            assert await select(Posts.id).where(exists(bodies)).count(repository) == 10
        else:
            await refused(Unsupported, query.all(repository))
