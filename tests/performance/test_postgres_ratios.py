"""
What the framework costs over hand-written asyncpg, as ratios of one interleaved run, and in calls of functions.

Hand-written means: one connection that is held, constant SQL, and an object made of each row.
"""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import attrs
import pytest

from gateways.postgres import PostgresGateway
from mapper import Column, One, Relation, Repository, column, prepared, select
from mapper.operations import RawSql
from tests.performance.measuring import calls, ratio
from tests.servers.fixtures import Databases, databases

__all__ = ["databases"]

ROWS = 100_000
BLOCK = 40
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


# -- reading -----------------------------------------------------------------------------------------------------------


async def read_singly(connection: Any) -> None:
    for number in range(1, BLOCK + 1):
        Entry(*await connection.fetchrow(f"SELECT {COLUMNS} FROM entries WHERE id = $1", number))


async def test_point_read_takes_at_most_1_3_of_handwritten_asyncpg(log: Log, raw: Any, servers: list[int] | None):
    async def ours() -> None:
        for number in range(1, BLOCK + 1):
            assert await select(Entry).from_(Entries).find(number).execute(log) is not None

    assert await ratio(ours, lambda: read_singly(raw), bound=1.3, servers=servers) <= 1.3


async def test_prepared_point_read_takes_at_most_1_2_of_handwritten_asyncpg(
    log: Log, raw: Any, servers: list[int] | None
):
    async def ours() -> None:
        for number in range(1, BLOCK + 1):
            assert await by_key(number).execute(log) is not None

    assert await ratio(ours, lambda: read_singly(raw), bound=1.2, servers=servers) <= 1.2


async def test_read_of_50_objects_takes_at_most_1_4_of_handwritten_asyncpg(
    log: Log, raw: Any, servers: list[int] | None
):
    sql = f"SELECT {COLUMNS} FROM entries WHERE author = $1 ORDER BY id LIMIT $2"

    async def ours() -> None:
        for number in range(BLOCK):
            query = select(Entry).from_(Entries).where(Entries.author == number).order_by(Entries.id).limit(50)
            assert len(await query.all(log)) == 50

    async def theirs() -> None:
        for number in range(BLOCK):
            assert len([Entry(*row) for row in await raw.fetch(sql, number, 50)]) == 50

    assert await ratio(ours, theirs, bound=1.4, servers=servers) <= 1.4


async def test_stream_of_100_000_rows_takes_at_most_1_5_of_handwritten_asyncpg(
    log: Log, raw: Any, servers: list[int] | None
):
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

    assert await ratio(ours, theirs, bound=1.5, servers=servers, rounds=5) <= 1.5


# -- writing -----------------------------------------------------------------------------------------------------------


async def test_insert_of_one_row_takes_at_most_1_3_of_handwritten_asyncpg(
    log: Log, raw: Any, servers: list[int] | None
):
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

    assert await ratio(ours, theirs, bound=1.3, servers=servers, rounds=21) <= 1.3


async def test_10_000_pushes_with_keys_take_at_most_1_1_of_one_insert_from_arrays(
    log: Log, raw: Any, servers: list[int] | None
):
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

    assert await ratio(ours, theirs, bound=1.1, servers=servers, rounds=7) <= 1.1


async def test_update_of_one_row_takes_at_most_1_3_of_handwritten_asyncpg(
    log: Log, raw: Any, servers: list[int] | None
):
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

    assert await ratio(ours, theirs, bound=1.3, servers=servers, rounds=21) <= 1.3


# -- memory ------------------------------------------------------------------------------------------------------------


@attrs.frozen
class Number:
    square: int


class Numbers(Relation[Number]):
    """Rows of a view, which the server makes while they are read."""

    id: Column[int] = column(primary_key=True)
    square: Column[int]


class Counting(Repository[Numbers]): ...


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


# -- calls -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("work", "most"), [("prepared", 26), ("built", 32), ("insert", 54), ("update", 56)])
async def test_operation_calls_few_functions(log: Log, work: str, most: int):
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

    works = {"prepared": prepared_read, "built": built_read, "insert": insert, "update": update}
    assert await calls(works[work]) <= most
