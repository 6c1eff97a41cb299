"""
What the framework costs over hand-written asyncpg, as ratios of one interleaved run, and in calls of functions.

Hand-written means: one connection that is held, constant SQL, and an object made of each row.

`GOALS` are met on a machine that does nothing else. Tests run beside others, which leaves both sides less of the
processor's caches and hits the longer code more, so that they allow for `NOISE`.
"""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import asyncpg
import attrs
import pytest

from gateways.postgres import PostgresGateway
from mapper import Column, One, Relation, Repository, column, prepared, select
from mapper.operations import RawSql
from tests.performance.measuring import Work, calls, ratio
from tests.servers.fixtures import Databases, databases

__all__ = ["databases"]

GOALS: Final = {
    "point read": 1.3,
    "prepared point read": 1.2,
    "50 objects": 1.3,
    "stream of 100,000 rows": 1.1,
    "insert of one row": 1.3,
    "10,000 pushes with keys": 1.1,
    "update of one row": 1.3,
}
"""What each takes at most of what is written by hand; the pushes, of one insert from arrays that returns the keys."""

NOISE: Final = 1.2

CALLS: Final = {"prepared read": 17, "read": 19, "insert": 29, "update": 25}
"""How many functions each calls at most."""

ROWS: Final = 100_000
BLOCK: Final = 100
"""Operations between two turns."""

COLUMNS = "title, body, author, visits, score, slug"


@attrs.frozen
class Entry:
    """What a row says, beside its key."""

    title: str
    body: str
    author: int
    visits: int
    score: float
    slug: str


class Entries(Relation[Entry]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str]
    author: Column[int] = column(index=True)
    visits: Column[int]
    score: Column[float]
    slug: Column[str]


class Log(Repository[Entries]): ...


def entry(number: int) -> Entry:
    return Entry(f"title {number}", "body " * 4, number % 1000, number, number / 7, f"slug-{number}")


@prepared
def by_key(key: int) -> One[Entry, Entries]:
    return select(Entry).from_(Entries).find(key)


@pytest.fixture(scope="module")
def filled(databases: Databases) -> Iterator[str]:
    """A database of 100,000 entries."""

    async def fill() -> str:
        url = await databases.create()
        async with PostgresGateway(url) as gateway:
            log = Log(gateway)
            await log.push_schema()
            await log.load(Entries, (entry(number) for number in range(ROWS)))
            await gateway.execute(RawSql("ANALYZE entries"))
        return url

    url = asyncio.run(fill())
    yield url
    asyncio.run(databases.drop(url))


@pytest.fixture
async def log(filled: str) -> AsyncIterator[Log]:
    async with PostgresGateway(filled) as gateway:
        yield Log(gateway)


@pytest.fixture
async def raw(filled: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(filled)
    yield connection
    await connection.close()


@pytest.fixture
async def servers(log: Log, raw: Any) -> list[int] | None:
    """The processes that answer; None where the server is on another machine."""
    await select(Entries.id).first(log)
    if await raw.fetchval("SELECT inet_server_addr() <> inet_client_addr()"):
        return None
    return [row[0] for row in await raw.fetch("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")]


async def stays_near(name: str, ours: Work, theirs: Work, servers: list[int] | None, rounds: int = 15) -> None:
    bound = GOALS[name] * NOISE
    assert await ratio(ours, theirs, bound=bound, rounds=rounds, servers=servers) <= bound


# -- reading -----------------------------------------------------------------------------------------------------------


async def read_singly(connection: Any) -> None:
    for number in range(1, BLOCK + 1):
        Entry(*await connection.fetchrow(f"SELECT {COLUMNS} FROM entries WHERE id = $1", number))


async def test_point_read_is_near_handwritten_asyncpg(log: Log, raw: Any, servers: list[int] | None):
    async def ours() -> None:
        for number in range(1, BLOCK + 1):
            assert await select(Entry).from_(Entries).find(number).execute(log) is not None

    await stays_near("point read", ours, lambda: read_singly(raw), servers)


async def test_prepared_point_read_is_near_handwritten_asyncpg(log: Log, raw: Any, servers: list[int] | None):
    async def ours() -> None:
        for number in range(1, BLOCK + 1):
            assert await by_key(number).execute(log) is not None

    await stays_near("prepared point read", ours, lambda: read_singly(raw), servers)


@pytest.mark.feature("N8")
async def test_point_read_is_faster_than_one_by_the_pool_of_the_driver(
    filled: str, log: Log, servers: list[int] | None
):
    """Whatever reads through that pool, as peers do, pays for it; others begin and end a transaction beside."""

    async def ours() -> None:
        for number in range(1, BLOCK + 1):
            assert await select(Entry).from_(Entries).find(number).execute(log) is not None

    async with asyncpg.create_pool(filled, min_size=1, max_size=4) as pool:

        async def theirs() -> None:
            for number in range(1, BLOCK + 1):
                Entry(*await pool.fetchrow(f"SELECT {COLUMNS} FROM entries WHERE id = $1", number))

        assert await ratio(ours, theirs, bound=0.8, servers=servers) <= 0.8


async def test_read_of_50_objects_is_near_handwritten_asyncpg(log: Log, raw: Any, servers: list[int] | None):
    sql = f"SELECT {COLUMNS} FROM entries WHERE author = $1 ORDER BY id LIMIT $2"

    async def ours() -> None:
        for number in range(BLOCK):
            query = select(Entry).from_(Entries).where(Entries.author == number).order_by(Entries.id).limit(50)
            assert len(await query.all(log)) == 50

    async def theirs() -> None:
        for number in range(BLOCK):
            assert len([Entry(*row) for row in await raw.fetch(sql, number, 50)]) == 50

    await stays_near("50 objects", ours, theirs, servers)


@pytest.mark.feature("N7")
async def test_stream_of_100_000_rows_is_near_handwritten_asyncpg(log: Log, raw: Any, servers: list[int] | None):
    async def ours() -> None:
        count = 0
        async for each in select(Entry).from_(Entries).execute(log):
            count += each.visits >= 0
        assert count >= ROWS

    async def theirs() -> None:
        count = 0
        async with raw.transaction():
            async for row in raw.cursor(f"SELECT {COLUMNS} FROM entries", prefetch=1000):
                count += Entry(*row).visits >= 0
        assert count >= ROWS

    await stays_near("stream of 100,000 rows", ours, theirs, servers, rounds=5)


# -- writing -----------------------------------------------------------------------------------------------------------


async def test_insert_of_one_row_is_near_handwritten_asyncpg(log: Log, raw: Any, servers: list[int] | None):
    sql = f"INSERT INTO entries ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id"

    async def ours() -> None:
        for number in range(BLOCK):
            changes = Log.change()
            ref = changes.inserts(Entries).push(entry(number))
            assert (await changes.commit(log))[ref] > ROWS

    async def theirs() -> None:
        for number in range(BLOCK):
            new = entry(number)
            values = (new.title, new.body, new.author, new.visits, new.score, new.slug)
            assert await raw.fetchval(sql, *values) > ROWS

    await stays_near("insert of one row", ours, theirs, servers, rounds=21)


async def test_10_000_pushes_with_keys_are_near_one_insert_from_arrays(log: Log, raw: Any, servers: list[int] | None):
    size = 10_000
    types = "$1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::float8[], $6::text[]"
    sql = f"INSERT INTO entries ({COLUMNS}) SELECT * FROM unnest({types}) RETURNING id"

    async def ours() -> None:
        changes = Log.change()
        refs = changes.inserts(Entries).extend([entry(number) for number in range(size)])
        result = await changes.commit(log)
        assert len({result[each] for each in refs}) == size

    async def theirs() -> None:
        new = [entry(number) for number in range(size)]
        rows = [(each.title, each.body, each.author, each.visits, each.score, each.slug) for each in new]
        assert len({row[0] for row in await raw.fetch(sql, *zip(*rows, strict=True))}) == size

    await stays_near("10,000 pushes with keys", ours, theirs, servers, rounds=7)


async def test_update_of_one_row_is_near_handwritten_asyncpg(log: Log, raw: Any, servers: list[int] | None):
    rows = await select(Entries).order_by(Entries.id).limit(BLOCK).all(log)

    async def ours() -> None:
        for each in rows:
            changes = Log.change()
            changes.update(Entries, each, Entries.visits.to(each.model.visits + 1))
            assert (await changes.commit(log)).updated == 1

    async def theirs() -> None:
        for each in rows:
            status = await raw.execute("UPDATE entries SET visits = $1 WHERE id = $2", each.model.visits + 1, each.key)
            assert status == "UPDATE 1"

    await stays_near("update of one row", ours, theirs, servers, rounds=21)


# -- memory ------------------------------------------------------------------------------------------------------------


@attrs.frozen
class Number:
    square: int


class Numbers(Relation[Number]):
    """Rows of a view, which the server makes while they are read."""

    id: Column[int] = column(primary_key=True)
    square: Column[int]


class Counting(Repository[Numbers]): ...


@pytest.mark.feature("N7")
@pytest.mark.timeout(120)
async def test_stream_of_a_million_rows_grows_by_less_than_8_mib(filled: str, raw: Any):
    size = 1_000_000
    await raw.execute(
        "CREATE OR REPLACE VIEW numbers AS SELECT id, id * id AS square"
        f" FROM generate_series(1::bigint, {size}::bigint) AS numbered (id)"
    )
    async with PostgresGateway(filled) as gateway:
        counting, query = Counting(gateway), select(Number).from_(Numbers)
        await query.first(counting)
        count, total = 0, 0
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        async for each in query.execute(counting):
            count += 1
            total += each.square
        peak = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
    assert (count, total) == (size, size * (size + 1) * (2 * size + 1) // 6)
    assert peak < 8 * 2**20


@pytest.mark.feature("N7")
async def test_pages_of_100_000_rows_grow_by_less_than_8_mib(log: Log):
    query = select(Entry).from_(Entries).where(Entries.id <= ROWS)
    await query.page(log, size=1000)
    count = 0
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    async for page in query.pages(log, size=1000):
        count += len(page)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert count == ROWS
    assert peak < 8 * 2**20


# -- calls -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("work", CALLS)
async def test_operation_calls_few_functions(log: Log, work: str):
    (row,) = await select(Entries).order_by(Entries.id).limit(1).all(log)

    async def prepared_read() -> None:
        await by_key(1).execute(log)

    async def built_read() -> None:
        await select(Entry).from_(Entries).find(1).execute(log)

    new = entry(1)

    async def insert() -> None:
        changes = Log.change()
        ref = changes.inserts(Entries).push(new)
        (await changes.commit(log))[ref]

    async def update() -> None:
        changes = Log.change()
        changes.update(Entries, row, Entries.visits.to(1))
        await changes.commit(log)

    works = {"prepared read": prepared_read, "read": built_read, "insert": insert, "update": update}
    assert await calls(works[work]) <= CALLS[work]


async def test_updates_of_many_rows_call_two_functions_for_each(log: Log):
    async def updates() -> None:
        changes = Log.change()
        for key in range(1, 1001):
            changes.update(Entries, key, Entries.visits.to(key))
        assert (await changes.commit(log)).updated == 1000

    assert await calls(updates) <= 2 * 1000 + 56
