"""
The language: sources, rows of several parts, functions and parts of documents, each of which means one thing everywhere.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from attrs import frozen

from mapper import functions as fn
from mapper.batches import batch
from mapper.columns import Column, column
from mapper.conditions import all_of, any_of, omitted, tuple_
from mapper.errors import QueryError, Unsupported
from mapper.expressions import Expr
from mapper.gateway import Gateway
from mapper.query import Query
from mapper.relation import CommonTable, Relation
from mapper.repository import Repository
from mapper.selecting import model_of, optional, select
from mapper.sources import subquery, values
from mapper.terms import literal, outer
from mapper.testing.conformance.relations import (
    Blog,
    Maybe,
    Maybes,
    Post,
    Posts,
    Suite,
    User,
    Users,
    World,
    blog,
    refused,
    world,
    write_posts,
)
from mapper.wrappers import Keyed

SUITE = Suite("language")


class Totals(CommonTable):
    """How much somebody wrote."""

    author_id: Column[int | None]
    posts: Column[int]


class Rows(CommonTable):
    """Rows that are written out."""

    number: Column[int]
    word: Column[str | None]


@frozen
class Sketch:
    """A model of which everything may be absent."""

    text: str | None = None
    essay: str | None = None


class Sketches(Relation[Sketch], name="conformance_sketches"):
    """Rows without a key, with a column that is read where it is asked for."""

    text: Column[str | None]
    essay: Column[str | None] = column(deferred=True)


class Studio(Repository[Sketches]):
    """A relation of its own."""


async def write_authors(repository: Blog) -> None:
    """Write two users, of whom the first one wrote two of three posts."""
    changes = Blog.change()
    ada, _bob = changes.inserts(Users).extend([User("Ada"), User("Bob", "bob@b.b")])
    posts = changes.inserts(Posts)
    posts.push(Post("one"), Posts.author_id.to(ada), Posts.visits.to(1))
    posts.push(Post("two", "text"), Posts.author_id.to(ada), Posts.visits.to(2))
    posts.push(Post("three"), Posts.visits.to(3))
    await changes.commit(repository)


async def gives(gateway: Gateway, query: Query[Any, Any], repository: Any, expected: Sequence[Any], needs: str) -> None:
    """Assert that a query gives these rows; of a gateway without the capability that it needs, that it is refused."""
    if gateway.capabilities.relational and getattr(gateway.capabilities, needs):
        assert await query.all(repository) == list(expected), query
    else:
        await refused(Unsupported, query.all(repository))


async def computes(gateway: Gateway, cases: Sequence[tuple[Expr[Any, Any], Any]], repository: Any) -> None:
    """Assert that expressions have these values. A store that is not relational may refuse to compute one."""
    for expression, expected in cases:
        query = select(expression).from_(Maybes)
        try:
            found = await query.one(repository)
        except Unsupported:
            assert not gateway.capabilities.relational, expression
            continue
        assert (found, type(found)) == (expected, type(expected)), expression


# -- sources -----------------------------------------------------------------------------------------------------------


@SUITE.case("a query is a source of another one", "T20")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_authors(repository)
        totals = subquery(Totals, select(Posts.author_id, fn.count()).group_by(Posts.author_id))
        query = select(Users.name, Totals.posts).join(totals, on=Totals.author_id == Users.id)
        await gives(gateway, query, repository, [("Ada", 2)], "relational")


@SUITE.case("a lateral query may use the rows before it", "T20")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_authors(repository)
        newest = select(Posts.visits, Posts.title).where(Posts.author_id == outer(Users.id))
        newest = newest.order_by(Posts.visits.desc()).limit(1)
        rows = subquery(Rows, newest, lateral=True)
        query = select(Users.name, optional(Rows.word)).left_join(rows, on=literal(True)).order_by(Users.id)
        await gives(gateway, query, repository, [("Ada", "two"), ("Bob", None)], "lateral")


@SUITE.case("rows that are written out are a source, NULLs and no rows among them", "T20")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_authors(repository)
        rows = values(Rows, [(1, "a"), (3, None), (9, "ü")])
        read = select(Rows.number, Rows.word).from_(rows).order_by(Rows.number)
        await gives(gateway, read, repository, [(1, "a"), (3, None), (9, "ü")], "relational")
        joined = select(Posts.title, Rows.word).join(rows, on=Rows.number == Posts.visits).order_by(Posts.id)
        await gives(gateway, joined, repository, [("one", "a"), ("three", None)], "relational")
        await gives(gateway, select(Rows.number).from_(values(Rows, [])), repository, [], "relational")


# -- rows --------------------------------------------------------------------------------------------------------------


@SUITE.case("a row holds several models, wrappers and values, and None for a model that is not there", "T20")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_authors(repository)
        on = Posts.author_id == Users.id
        query = select(Posts.visits, Post, optional(User)).from_(Posts).left_join(Users, on=on).order_by(Posts.id)
        expected = [(1, Post("one"), User("Ada")), (2, Post("two", "text"), User("Ada")), (3, Post("three"), None)]
        await gives(gateway, query, repository, expected, "relational")
        wrapped = select(optional(Users), fn.upper(Posts.title)).from_(Posts).left_join(Users, on=on)
        wrapped = wrapped.where(Posts.visits >= 2).order_by(Posts.id)
        if gateway.capabilities.relational:
            (ada, _), _none = found = await wrapped.all(repository)
            assert isinstance(ada, Keyed), ada
            assert found == [(Keyed(ada.key, User("Ada")), "TWO"), (None, "THREE")]


@SUITE.case("a model of NULLs is there, and one that is not joined is None", "T20")
async def _(gateway: Gateway) -> None:
    repository = Studio(gateway)
    await repository.reset_schema()
    await repository.push_schema()
    try:
        changes = Studio.change()
        changes.inserts(Sketches).push(Sketch())
        await changes.commit(repository)
        other = Sketches.named("other")
        joined = select(optional(Sketch)).from_(values(Rows, [(1, None)]))
        on = other.text.is_null()
        await gives(gateway, joined.left_join(Sketches, on=literal(True)), repository, [Sketch()], "relational")
        await gives(gateway, joined.left_join(Sketches, on=literal(False)), repository, [None], "relational")
        both = select(model_of(Sketches), optional(model_of(other))).left_join(other, on=on)
        await gives(gateway, both, repository, [(Sketch(), Sketch())], "relational")
    finally:
        await repository.reset_schema()


@SUITE.case("a deferred column is read where it is asked for", "T11")
async def _(gateway: Gateway) -> None:
    repository = Studio(gateway)
    await repository.reset_schema()
    await repository.push_schema()
    try:
        changes = Studio.change()
        changes.inserts(Sketches).push(Sketch("short", "long"))
        await changes.commit(repository)
        query = select(Sketch).from_(Sketches)
        assert await query.all(repository) == [Sketch("short")]
        assert await query.undefer(Sketches.essay).all(repository) == [Sketch("short", "long")]
        assert await select(Sketches.essay).all(repository) == ["long"]
        assert await query.where(Sketches.essay == "long").count(repository) == 1
    finally:
        await repository.reset_schema()


# -- conditions and parts of a query -----------------------------------------------------------------------------------


@SUITE.case("tuples are compared in lexicographic order and in lists", "T17")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 4)
        pair = tuple_(Posts.public, Posts.visits)
        for condition, expected in (
            (pair == (True, 20), [20]),
            (pair.in_([(True, 0), (False, 30), (True, 30)]), [0, 30]),
            (pair > (False, 10), [0, 20, 30]),
            (pair <= (False, 10), [10]),
            (pair.in_([]), []),
        ):
            query = select(Posts.visits).where(condition).order_by(Posts.visits)
            assert await query.all(repository) == expected, condition


@SUITE.case("conditions are collected in lists, and left out one by one", "T17")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 4)
        low, high = Posts.visits < 10, Posts.visits > 20
        query = select(Posts.visits).order_by(Posts.visits)
        assert await query.where(any_of([low, high])).all(repository) == [0, 30]
        assert await query.where(all_of([low, high])).all(repository) == []
        assert await query.where(all_of([])).count(repository) == 4
        assert await query.where(any_of([])).count(repository) == 0
        assert await query.where(omitted, high | omitted).all(repository) == [30]
        assert await query.where(high).limit(1).without("where", "limit").count(repository) == 4


@SUITE.case("a column that is neither grouped nor aggregated is refused")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 2)
        query = select(Posts.title, fn.count()).group_by(Posts.public)
        await refused((QueryError, Unsupported), query.all(repository))


@SUITE.case("groups are added up where the store can, and refused elsewhere", "B10")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 4)
        query = select(optional(Posts.public), fn.sum(Posts.visits)).group_by(fn.rollup(Posts.public))
        query = query.order_by(Posts.public.asc().nulls_last())
        await gives(gateway, query, repository, [(False, 40), (True, 20), (None, 60)], "grouping_sets")


@SUITE.case("text is joined in the order that is asked for", "B10")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 4)
        joined = fn.string_agg(Posts.title, ", ", order_by=[Posts.public, Posts.visits.desc()])
        query = select(joined).from_(Posts)
        await gives(gateway, query, repository, ["post 3, post 1, post 2, post 0"], "relational")
        await gives(gateway, query.where(Posts.visits < 0), repository, [None], "relational")


@SUITE.case("a batch gives each query's result in its slot", "T23")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        keys = await write_posts(repository, 3)
        titles = select(Posts.title).order_by(Posts.visits)
        posts = select(Post).from_(Posts)
        found = await batch(titles, posts.find(keys[1]), posts.find(10**9)).execute(repository)
        assert found == (["post 0", "post 1", "post 2"], Post("post 1", "body 1"), None)


# -- functions ---------------------------------------------------------------------------------------------------------

FILLED = Maybe(
    whole=-7,
    real=2.25,
    text="Añil",
    exact=Decimal("1.50"),
    day=date(2024, 2, 29),
    numbers=[3, 5, 3],
    document={"a": [1, {"b": "x"}], "n": None, "k.y": 2.5, "t": "2", "yes": True},
)

NOTHING: Any = Maybes
"""Columns may be NULL, of which the functions' signatures make something else than of those that may not."""

TEXTS: Sequence[tuple[Expr[Any, Any], Any]] = (
    (fn.position(NOTHING.text, "il"), 3),
    (fn.position(NOTHING.text, "Z"), 0),
    (fn.left(NOTHING.text, 2), "Añ"),
    (fn.right(NOTHING.text, 2), "il"),
    (fn.right(NOTHING.text, -1), ""),
    (fn.repeat(NOTHING.text, 2), "AñilAñil"),
    (fn.reverse(NOTHING.text), "liñA"),
    (fn.lpad(NOTHING.text, 6, "-"), "--Añil"),
    (fn.rpad(NOTHING.text, 3, "-"), "Añi"),
    (fn.concat(NOTHING.text, "!"), "Añil!"),
    (fn.concat_ws("-", NOTHING.text, "b"), "Añil-b"),
)

NUMBERS: Sequence[tuple[Expr[Any, Any], Any]] = (
    (fn.sqrt(NOTHING.real), 1.5),
    (fn.sqrt(NOTHING.whole), None),
    (fn.ln(NOTHING.whole), None),
    (fn.power(NOTHING.real, 2), 5.0625),
    (fn.sign(NOTHING.whole), -1),
    (fn.greatest(NOTHING.whole, 3), 3),
    (fn.least(NOTHING.whole, 3), -7),
)

MOMENTS: Sequence[tuple[Expr[Any, Any], Any]] = (
    (NOTHING.day + timedelta(days=1), date(2024, 3, 1)),
    (NOTHING.day - timedelta(days=60), date(2023, 12, 31)),
    (NOTHING.day - date(2024, 2, 1), timedelta(days=28)),
    (fn.date_trunc("month", NOTHING.day), date(2024, 2, 1)),
    (fn.date_trunc("week", NOTHING.day), date(2024, 2, 26)),
)

LISTS: Sequence[tuple[Expr[Any, Any], Any]] = (
    (fn.length(NOTHING.numbers), 3),
    (NOTHING.numbers.contains(5), True),
    (fn.overlaps(NOTHING.numbers, [1, 5]), True),
    (fn.overlaps(NOTHING.numbers, []), False),
    (fn.contains_all(NOTHING.numbers, [3, 5]), True),
    (fn.append(NOTHING.numbers, 8), [3, 5, 3, 8]),
    (fn.remove(NOTHING.numbers, 3), [5]),
    (NOTHING.numbers[0], 3),
    (NOTHING.numbers[-2], 5),
    (NOTHING.numbers[3], None),
)

DOCUMENTS: Sequence[tuple[Expr[Any, Any], Any]] = (
    (NOTHING.document["a"][0].as_(int), 1),
    (NOTHING.document["a"][-1]["b"].as_(str), "x"),
    (NOTHING.document["a"][-1]["b"].as_(int), None),
    (NOTHING.document["k.y"].as_(float), 2.5),
    (NOTHING.document["t"].as_(int), None),
    (NOTHING.document["yes"].as_(bool), True),
    (NOTHING.document["n"].is_null(), False),
    (NOTHING.document["nothing"].is_null(), True),
    (fn.json_type(NOTHING.document["n"]), "null"),
    (fn.json_type(NOTHING.document["a"]), "array"),
    (fn.json_length(NOTHING.document["a"]), 2),
)


@SUITE.case("functions of text, numbers and dates give the same everywhere", "B10")
async def _(gateway: Gateway) -> None:
    async with world(gateway) as repository:
        await write_filled(repository)
        for cases in (TEXTS, NUMBERS, MOMENTS):
            await computes(gateway, cases, repository)


@SUITE.case("lists have functions", "T10")
async def _(gateway: Gateway) -> None:
    async with world(gateway) as repository:
        await write_filled(repository)
        await computes(gateway, LISTS, repository)


@SUITE.case("parts of documents are values, and the null of a document is no NULL", "T9")
async def _(gateway: Gateway) -> None:
    async with world(gateway) as repository:
        await write_filled(repository)
        await computes(gateway, DOCUMENTS, repository)


async def write_filled(repository: World) -> None:
    """Write one row of the values above."""
    changes = World.change()
    changes.inserts(Maybes).push(FILLED)
    await changes.commit(repository)
