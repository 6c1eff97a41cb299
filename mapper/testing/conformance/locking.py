"""
Isolation and locks: what concurrent transactions see of each other, and which of them waits or is refused.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, get_args

from anyio import Event, create_task_group, move_on_after, sleep

from mapper.changeset import Changeset
from mapper.errors import LockTimeout, QueryError, ReadOnly, RolledBack, SerializationFailure, Unsupported
from mapper.gateway import Gateway
from mapper.isolation import Isolation
from mapper.selecting import select
from mapper.testing.conformance.relations import Blog, Posts, Suite, Tag, Tags, blog, refused, write_posts

SUITE = Suite("locking")

LEVELS: Final[tuple[Isolation, ...]] = get_args(Isolation)


async def visits(repository: Blog) -> list[int]:
    """Return the visits of all posts."""
    return await select(Posts.visits).order_by(Posts.id).all(repository)


async def grow(repository: Blog, **options: Any) -> None:
    """Add one to the visits of all posts, by what was read before."""
    (before,) = await visits(repository)
    changes = Blog.change()
    changes.updates(Posts).everywhere().set(Posts.visits.to(before + 1))
    await changes.commit(repository, **options)


@SUITE.case("a level that the gateway declares is given, and another one refused", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        for level in LEVELS:
            if level in gateway.capabilities.isolation_levels:
                async with repository.transaction(isolation=level) as tx:
                    await write_posts(tx, 1)
            else:
                error = await refused(Unsupported, _begun(repository, level))
                assert error.capability == "isolation_levels"
        await refused(QueryError, _begun(repository, "snapshot"))
        assert len(await visits(repository)) == len(gateway.capabilities.isolation_levels)


async def _begun(repository: Blog, level: Any) -> None:
    async with repository.transaction(isolation=level):
        pass


@SUITE.case("repeatable reads repeat, whatever others commit", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 1)
        for level in filter(gateway.capabilities.isolation_levels.__contains__, LEVELS[2:]):
            async with repository.transaction(isolation=level, read_only=True) as tx:
                before = await visits(tx)
                await grow(repository)
                assert await visits(tx) == before
                assert await visits(repository) == [before[0] + 1]


@SUITE.case("nothing that is not committed is read by others", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 1)
        async with repository.transaction() as tx:
            await grow(tx)
            async with repository.transaction(isolation="read committed", read_only=True) as other:
                assert await visits(other) == [0]


@SUITE.case("serializable work that is tried again loses no update", "T26", "N3")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 1)

        async def work() -> None:
            await repository.run(grow, retries=100, isolation="serializable")

        async with create_task_group() as group:
            for _ in range(8):
                group.start_soon(work)
        assert await visits(repository) == [8]
        assert gateway.statistics().in_use == 0


@SUITE.case("a transaction that read what another one wrote since is refused, or waits its turn", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 1)
        reasons: list[BaseException | None] = []
        has_read, wrote = Event(), Event()

        async def first() -> None:
            try:
                async with repository.transaction(isolation="serializable") as tx:
                    await visits(tx)
                    has_read.set()
                    with move_on_after(0.2):
                        await wrote.wait()
                    await grow(tx)
            except (SerializationFailure, RolledBack) as error:
                reasons.append(error.__cause__ if isinstance(error, RolledBack) else error)

        async def second() -> None:
            await has_read.wait()
            await repository.run(grow, retries=20, isolation="serializable")
            wrote.set()

        async with create_task_group() as group:
            group.start_soon(first)
            group.start_soon(second)
        (total,) = await visits(repository)
        assert total == 2 - len(reasons)
        assert all(isinstance(each, SerializationFailure) and each.retryable for each in reasons)


@SUITE.case("every kind of write is refused where only reading was asked for", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 1)
        writes = [Blog.change() for _ in range(4)]
        writes[0].inserts(Tags).push(Tag("a"))
        writes[1].updates(Posts).everywhere().set(Posts.visits.to(9))
        writes[2].deletes(Posts).everywhere()
        writes[3].inserts(Tags).on_conflict(Tags.name).push(Tag("a"))
        for changes in writes:
            await refused(ReadOnly, _read_only(repository, changes))
        assert await visits(repository) == [0]
        await write_posts(repository, 1)
        assert len(await visits(repository)) == 2


async def _read_only(repository: Blog, changes: Changeset[Any]) -> None:
    async with repository.transaction(read_only=True) as tx:
        assert await visits(tx) == [0]
        await changes.commit(tx)


@SUITE.case("a savepoint within a savepoint is undone alone, and with the one around it", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:

        async def insert(where: Blog, name: str) -> None:
            changes = Blog.change()
            changes.inserts(Tags).push(Tag(name))
            await changes.commit(where)

        async with repository.transaction() as tx:
            await insert(tx, "a")
            await refused(_Stop, _nested(tx, insert))
            async with tx.transaction() as kept:
                await insert(kept, "d")
                async with kept.transaction() as inner:
                    await insert(inner, "e")
        assert await select(Tags.name).order_by(Tags.name).all(repository) == ["a", "d", "e"]


class _Stop(Exception):
    """Raised on purpose."""


async def _nested(tx: Blog, insert: Callable[[Blog, str], Awaitable[None]]) -> None:
    async with tx.transaction() as outer:
        await insert(outer, "b")
        async with outer.transaction() as inner:
            await insert(inner, "c")
        raise _Stop


@SUITE.case("a transaction that is cancelled is rolled back and gives its connection back", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 1)
        with move_on_after(0.05) as scope:
            async with repository.transaction() as tx:
                await grow(tx)
                await sleep(30)
        assert scope.cancelled_caught
        assert await visits(repository) == [0]
        assert gateway.statistics().in_use == 0


LOCKED: Final = select(Posts.visits).order_by(Posts.id)


@SUITE.case("a locked row is waited for, refused or left out, as the query says", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 2)
        first, others = LOCKED.where(Posts.visits == 0), LOCKED.for_update(nowait=True)
        if not gateway.capabilities.row_locks:
            for query in (first.for_update(), others, LOCKED.for_share(), LOCKED.for_update(skip_locked=True)):
                assert (await refused(Unsupported, query.all(repository))).capability == "row_locks"
            return
        async with repository.transaction() as tx:
            assert await first.for_update().all(tx) == [0]
            error = await refused(LockTimeout, others.all(repository))
            assert error.retryable
            await refused(LockTimeout, LOCKED.for_share(nowait=True).all(repository))
            if gateway.capabilities.skip_locked:
                assert await LOCKED.for_update(skip_locked=True).all(repository) == [10]
            assert await LOCKED.all(repository) == [0, 10]
        assert await others.all(repository) == [0, 10]


@SUITE.case("shared locks go together, and keep writers out", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 1)
        if not gateway.capabilities.row_locks:
            await refused(Unsupported, LOCKED.for_share().all(repository))
            return
        async with repository.transaction() as tx:
            assert await LOCKED.for_share().all(tx) == [0]
            async with repository.transaction() as other:
                assert await LOCKED.for_share(nowait=True).all(other) == [0]
            await refused(LockTimeout, LOCKED.for_update(nowait=True).all(repository))


@SUITE.case("a writer waits for a lock, and goes on when it is free", "T26")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 1)
        seen: list[str] = []
        holds = Event()

        async def holder() -> None:
            async with repository.transaction() as tx:
                await grow(tx)
                holds.set()
                await sleep(0.05)
                seen.append("holder")

        async def writer() -> None:
            await holds.wait()
            changes = Blog.change()
            changes.updates(Posts).everywhere().set(Posts.visits.to(Posts.visits + 10))
            await changes.commit(repository)
            seen.append("writer")

        async with create_task_group() as group:
            group.start_soon(holder)
            group.start_soon(writer)
        assert seen == ["holder", "writer"]
        assert await visits(repository) == [11]
