"""
Errors: what is wrong is told by type, with what was found and the next step, and nothing is half written.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from mapper.errors import (
    CheckViolation,
    ForeignKeyViolation,
    MapperError,
    NotJoined,
    NotNullViolation,
    QueryError,
    UniqueViolation,
    ValueNotStorable,
)
from mapper.gateway import Gateway
from mapper.selecting import select
from mapper.testing.conformance.relations import (
    Account,
    Accounts,
    Blog,
    Comment,
    Comments,
    Link,
    Links,
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
    rejected,
    world,
)

SUITE = Suite("errors")


@SUITE.case("a duplicate key is a unique violation", "T29")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        changes.inserts(Tags).extend([Tag("a"), Tag("a")])
        error = await refused(UniqueViolation, changes.commit(repository))
        assert (error.relation, error.columns, error.retryable) == (Tags, ("name",), False)
        assert error.operation is not None
        assert await select(Tags.name).count(repository) == 0


@SUITE.case("a duplicate of several columns names them all", "T29")
async def _(gateway: Gateway) -> None:
    async with world(gateway) as repository:
        changes = World.change()
        changes.inserts(Accounts).extend([Account("Ada"), Account("Ada")])
        error = await refused(UniqueViolation, changes.commit(repository))
        assert error.columns == ("owner", "currency")


@SUITE.case("a missing parent is a foreign key violation", "T29")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        changes.inserts(Comments).push(Comment("x"), Comments.post_id.to(999_999))
        error = await refused(ForeignKeyViolation, changes.commit(repository))
        assert error.relation is Comments
        assert error.columns == ("post_id",)


@SUITE.case("a parent that is still referred to cannot go", "T29")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()
        changes.inserts(Tags).push(Tag("a"))
        post = changes.inserts(Posts).push(Post("p"))
        changes.inserts(Links).push(Link(), Links.post_id.to(post), Links.tag.to("a"))
        await changes.commit(repository)
        changes = Blog.change()
        changes.deletes(Tags).everywhere()
        await refused(ForeignKeyViolation, changes.commit(repository))
        assert await select(Tags.name).count(repository) == 1


@SUITE.case("a check that fails is a check violation", "T29")
async def _(gateway: Gateway) -> None:
    async with world(gateway) as repository:
        changes = World.change()
        changes.inserts(Accounts).push(Account("Ada", Decimal("-0.01")))
        error = await refused(CheckViolation, changes.commit(repository))
        assert error.relation is Accounts
        assert error.constraint == "conformance_solvent"


@SUITE.case("NULL in a column that takes none is refused", "T29")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        nothing: Any = None

        async def insert() -> None:
            changes = Blog.change()
            changes.inserts(Posts).push(Post(nothing))
            await changes.commit(repository)

        async def update() -> None:
            changes = Blog.change()
            changes.updates(Posts).everywhere().set(Posts.title.to(nothing))
            await changes.commit(repository)

        async def compute() -> None:
            changes = Blog.change()
            body: Any = Posts.body
            changes.updates(Posts).everywhere().set(Posts.title.to(body))
            await changes.commit(repository)

        await refused(ValueNotStorable, insert())
        await refused(ValueNotStorable, update())
        changes = Blog.change()
        changes.inserts(Posts).push(Post("p", None))
        await changes.commit(repository)
        error = await refused(NotNullViolation, compute())
        assert (error.relation, error.columns) == (Posts, ("title",))


@SUITE.case("a text that is too long is refused before the store sees it", "T3")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        changes = Blog.change()

        async def insert(name: str) -> None:
            changes.inserts(Users).push(User(name))
            await changes.commit(repository)

        error = await refused(ValueNotStorable, insert("x" * 41))
        assert "40" in str(error)
        changes = Blog.change()
        await insert("ü" * 40)


@SUITE.case("a column of a relation that is not read is refused with its name", "T29")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        query: Any = select(Posts.title).where(Comments.text == "x")  # type: ignore[arg-type]  # wrong on purpose
        error = await refused(NotJoined, query.all(repository))
        assert "Comments" in str(error)
        assert "join" in str(error)


@SUITE.case("every error is one of ours, lower case, with the next step where there is one", "T29")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        wrong: Any = "3"
        calls = [
            select(Posts.title).where(Posts.visits == wrong).all(repository),
            select(Posts.title).find(wrong).execute(repository),
            select(Posts.title).where(Posts.id.in_([wrong])).all(repository),
        ]
        for call in calls:
            error = await refused(MapperError, call)
            assert isinstance(error, ValueNotStorable)
            assert error.message[:1].islower() or error.message.startswith("Posts."), error.message
            assert "'3'" in error.message, error.message
        builds: list[Callable[[], object]] = [
            lambda: select(Posts.title).limit(wrong),
            lambda: select(Posts.title).where(wrong),
        ]
        for build in builds:
            assert rejected(QueryError, build).hint
