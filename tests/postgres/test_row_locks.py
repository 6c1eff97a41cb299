"""Row locks, with two transactions on a server: who waits, who fails, who goes on with other rows."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper import LockTimeout, Query, QueryError, Unsupported, optional, select
from tests.postgres.examples import compiled
from tests.postgres.papers import Authors, Library, Papers, shelved

ONE = select(Papers.id).where(Papers.id == 1)


@pytest.fixture
async def library(postgres_url: str) -> AsyncIterator[Library]:
    async with PostgresGateway(postgres_url, max_connections=3, application_name="under test") as gateway:
        library = Library(gateway)
        await library.push_schema()
        await shelved().commit(library)
        yield library


async def waits_for_a_lock(url: str) -> None:
    """Wait until a connection does."""
    connection = await asyncpg.connect(url)
    try:
        for _ in range(500):
            if await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                return
            await asyncio.sleep(0.01)
        pytest.fail("no connection waits for a lock")
    finally:
        await connection.close()


@pytest.mark.feature("T26")
async def test_locked_rows_are_skipped(library: Library):
    jobs = select(Papers.id).order_by(Papers.id).limit(1).for_update(skip_locked=True)
    async with library.transaction() as first, library.transaction() as second, library.transaction() as third:
        assert [await jobs.all(each) for each in (first, second, third)] == [[1], [2], [3]]
        assert await jobs.all(first) == [1]
    assert await jobs.all(library) == [1]


@pytest.mark.feature("T26")
async def test_locked_row_is_an_error_without_waiting(library: Library):
    async with library.transaction() as holder:
        await ONE.for_update().one(holder)
        with pytest.raises(LockTimeout):
            await ONE.for_update(nowait=True).one(library)
        assert await ONE.one(library) == 1


@pytest.mark.feature("T26")
async def test_locked_row_is_waited_for(library: Library, postgres_url: str):
    changes = Library.change()
    changes.updates(Papers).where(Papers.id == 1).set(Papers.title.to("second"))
    async with library.transaction() as holder:
        await ONE.for_update().one(holder)
        waiter = asyncio.create_task(changes.commit(library))
        await waits_for_a_lock(postgres_url)
        own = Library.change()
        own.updates(Papers).where(Papers.id == 1).set(Papers.title.to("first"))
        await own.commit(holder)
    await waiter
    assert await select(Papers.title).where(Papers.id == 1).one(library) == "second"


@pytest.mark.feature("T26")
async def test_shared_lock_lets_readers_in_and_writers_not(library: Library):
    async with library.transaction() as holder, library.transaction() as reader:
        await ONE.for_share().one(holder)
        assert await ONE.for_share(nowait=True).one(reader) == 1
        with pytest.raises(LockTimeout):
            await ONE.for_update(nowait=True).one(library)


async def test_lock_of_one_relation_leaves_the_others_open(library: Library):
    joined = select(Papers.id, optional(Authors.name)).left_join(Authors, on=Papers.author_id == Authors.id)
    async with library.transaction() as holder:
        assert len(await joined.for_update(of=Papers).all(holder)) == 3
        assert len(await select(Authors.id).for_update(nowait=True).all(library)) == 2
        assert await select(Papers.id).for_update(skip_locked=True).all(library) == []


async def test_lock_of_an_alias_names_the_alias(library: Library):
    other = Papers.named("other")
    joined = select(Papers.id, other.id).join(other, on=other.author_id == Papers.author_id)
    assert compiled(joined.for_share(of=[other, Papers], nowait=True)).sql.endswith(
        ' FOR SHARE OF "other", "papers" NOWAIT'
    )
    assert len(await joined.for_update(of=other).all(library)) == 5


def test_lock_of_what_is_not_read_is_refused():
    with pytest.raises(QueryError, match="Authors is locked and not read by the query"):
        compiled(ONE.for_update(of=Authors))  # type: ignore[arg-type]  # what this is about


def test_lock_of_rows_of_a_set_operation_is_refused():
    with pytest.raises(QueryError, match="set operation"):
        compiled(ONE.union(ONE).for_update(of=Papers))


@pytest.mark.feature("B11")
@pytest.mark.parametrize(
    "query",
    [ONE.for_update(), ONE.for_share(), ONE.for_update(nowait=True), ONE.for_share(skip_locked=True, of=Papers)],
)
def test_lock_is_refused_by_a_gateway_without(query: Query[int, Papers]):
    for other in (SQLiteGateway("never/opened.db"), MemoryGateway()):
        with pytest.raises(Unsupported):
            other.compile(query)
