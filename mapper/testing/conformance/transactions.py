"""
Transactions: all or nothing, nested or not, and nothing after the end.
"""

from anyio import create_task_group, sleep

from mapper.errors import AfterCommitError, ReadOnly, RolledBack, TransactionClosed, TransactionTimeout, UniqueViolation
from mapper.gateway import Gateway
from mapper.selecting import select
from mapper.testing.conformance.relations import Blog, Suite, Tag, Tags, blog, refused

SUITE = Suite("transactions")


async def insert(repository: Blog, *names: str) -> None:
    """Commit tags of these names."""
    changes = Blog.change()
    changes.inserts(Tags).extend([Tag(each) for each in names])
    await changes.commit(repository)


async def tags(repository: Blog) -> list[str]:
    """Return the names of all tags."""
    return await select(Tags.name).order_by(Tags.name).all(repository)


class Stop(Exception):
    """Raised on purpose."""


@SUITE.case("a transaction commits at the end of its block", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        async with repository.transaction() as tx:
            assert isinstance(tx, Blog)
            await insert(tx, "a")
            await insert(tx, "b")
            assert await tags(tx) == ["a", "b"]
        assert await tags(repository) == ["a", "b"]
        assert gateway.statistics().in_use == 0


@SUITE.case("an exception rolls all of it back", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await insert(repository, "kept")
        try:
            async with repository.transaction() as tx:
                await insert(tx, "a")
                raise Stop
        except Stop:
            pass
        assert await tags(repository) == ["kept"]
        assert gateway.statistics().in_use == 0


@SUITE.case("what others see is what was committed", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await insert(repository, "a")
        async with repository.transaction() as tx:
            await insert(tx, "b")
            assert await tags(repository) == ["a"]
            assert await tags(tx) == ["a", "b"]


@SUITE.case("a nested block is undone alone", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        async with repository.transaction() as tx:
            await insert(tx, "a")
            try:
                async with tx.transaction() as inner:
                    await insert(inner, "b")
                    raise Stop
            except Stop:
                pass
            async with tx.transaction() as inner:
                await insert(inner, "c")
            await insert(tx, "d")
        assert await tags(repository) == ["a", "c", "d"]


@SUITE.case("a failed operation dooms its transaction, and a nested block confines it", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        async with repository.transaction() as tx:
            await insert(tx, "a")
            try:
                async with tx.transaction() as inner:
                    await insert(inner, "a")
            except UniqueViolation:
                pass
            await insert(tx, "b")
        assert await tags(repository) == ["a", "b"]

        async def doomed() -> None:
            async with repository.transaction() as tx:
                await insert(tx, "c")
                await refused(UniqueViolation, insert(tx, "a"))
                error = await refused(RolledBack, tags(tx))
                assert isinstance(error.__cause__, UniqueViolation)

        await refused(RolledBack, doomed())
        assert await tags(repository) == ["a", "b"]


@SUITE.case("a transaction is of no use after its end, nor an outer one within a nested block", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        async with repository.transaction() as tx:
            async with tx.transaction() as inner:
                await refused(TransactionClosed, tags(tx))
                await insert(inner, "a")
            await refused(TransactionClosed, tags(inner))
        await refused(TransactionClosed, tags(tx))
        await refused(TransactionClosed, insert(tx, "b"))


@SUITE.case("a read-only transaction refuses to write", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await insert(repository, "a")

        async def write() -> None:
            async with repository.transaction(read_only=True) as tx:
                assert await tags(tx) == ["a"]
                await insert(tx, "b")

        await refused((ReadOnly, RolledBack), write())
        await insert(repository, "c")
        assert await tags(repository) == ["a", "c"]


@SUITE.case("a timeout covers the whole block", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:

        async def slow() -> None:
            async with repository.transaction(timeout=0.05) as tx:
                await insert(tx, "a")
                await sleep(5)

        await refused(TransactionTimeout, slow())
        assert await tags(repository) == []
        assert gateway.statistics().in_use == 0


@SUITE.case("callbacks run after the commit, in order, and only then", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        seen: list[object] = []

        async def later() -> None:
            seen.append(await tags(repository))

        async with repository.transaction() as tx:
            await insert(tx, "a")
            tx.after_commit(lambda: seen.append("first"))
            tx.after_commit(later)
            try:
                async with tx.transaction() as inner:
                    inner.after_commit(lambda: seen.append("undone"))
                    raise Stop
            except Stop:
                pass
            assert seen == []
        assert seen == ["first", ["a"]]

        def broken() -> None:
            raise Stop

        async def failing() -> None:
            async with repository.transaction() as tx:
                await insert(tx, "b")
                tx.after_commit(broken)

        error = await refused(AfterCommitError, failing())
        assert isinstance(error.exceptions[0], Stop)
        assert await tags(repository) == ["a", "b"]


@SUITE.case("tasks that share a transaction queue in it", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        async with repository.transaction() as tx, create_task_group() as group:
            for number in range(20):
                group.start_soon(insert, tx, f"t{number:02}")
        assert len(await tags(repository)) == 20


@SUITE.case("writers that compete all succeed", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        async with create_task_group() as group:
            for number in range(30):
                group.start_soon(insert, repository, f"t{number:02}")
        assert len(await tags(repository)) == 30
        assert gateway.statistics().in_use == 0
