"""What only PostgreSQL has, on a server: queries give the rows of the SQL that a hand would write."""

import datetime as dt
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from gateways.postgres import (
    PostgresGateway,
    array_agg,
    array_length,
    date_trunc,
    distinct_on,
    extract,
    generate_series,
    lateral,
    unnest,
)
from mapper import fn, fragment, optional, outer, select
from tests.postgres.examples import EXAMPLES, Example
from tests.postgres.papers import Authors, Latest, Library, Papers, shelved
from tests.servers.fixtures import Databases

BY_NAME = [pytest.param(each, id=each.name) for each in EXAMPLES]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shelves(databases: Databases) -> AsyncIterator[str]:
    """A database with papers, which the tests only read."""
    url = await databases.create()
    async with PostgresGateway(url) as gateway:
        library = Library(gateway)
        await library.push_schema()
        await shelved().commit(library)
        async with gateway.connection() as connection:
            await connection.driver.execute("CREATE EXTENSION pg_trgm")
    yield url
    await databases.drop(url)


@pytest.fixture
async def driver(shelves: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(shelves)
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=lambda text: json.loads(text, parse_float=Decimal)
    )
    yield connection
    await connection.close()


@pytest.fixture
async def library(shelves: str) -> AsyncIterator[Library]:
    async with PostgresGateway(shelves) as gateway:
        yield Library(gateway)


def as_tuples(rows: list[Any]) -> list[tuple[Any, ...]]:
    return [each if isinstance(each, tuple) else (each,) for each in rows]


@pytest.mark.feature("B11")
@pytest.mark.parametrize("example", BY_NAME)
async def test_example_gives_the_rows_of_the_sql_by_hand(example: Example, library: Library, driver: Any):
    found = as_tuples(await example.make().all(library))
    assert found == [tuple(each) for each in await driver.fetch(example.sql)]


def test_no_two_examples_have_one_name():
    names = [each.name for each in EXAMPLES]
    assert sorted(names) == sorted(set(names))


async def test_text_of_the_users_own_is_enclosed_by_what_is_done_to_it(library: Library):
    later = fragment(dt.datetime, "? + interval '1 day'", Papers.published)
    query = select(fn.day(later), later.cast(dt.date), extract("day", later), date_trunc("day", later))
    assert await query.where(Papers.id == 1).one(library) == (
        1,
        dt.date(2024, 2, 1),
        1,
        dt.datetime(2024, 2, 1, tzinfo=dt.UTC),
    )


async def test_rows_of_a_function_are_counted(library: Library):
    assert await select(Papers.id, unnest(Papers.tags)).count(library) == 5
    assert await select(unnest(Papers.tags)).where(Papers.id == 2).exists(library) is False
    assert await select(unnest(Papers.tags)).where(Papers.id == 1).exists(library) is True
    assert await select(unnest(Papers.tags)).distinct().count(library) == 3


async def test_rows_of_a_function_are_limited_and_streamed(library: Library):
    tags = select(unnest(Papers.tags)).order_by(Papers.id)
    assert await tags.limit(3).all(library) == ["animals", "fun", "weather"]
    assert [each async for each in tags.execute(library)] == ["animals", "fun", "weather", "fun", "fun"]


async def test_kinds_of_distinct_on_are_counted(library: Library):
    query = distinct_on(select(Papers.title).order_by(Papers.author_id, Papers.id), Papers.author_id)
    assert await query.count(library) == 2
    assert await query.limit(1).count(library) == 1
    assert await query.first(library) == "The cat and the dog"
    assert await query.exists(library) is True


async def test_series_is_the_definition_of_a_common_table(library: Library):
    numbers = select(Latest.title).from_(Latest).order_by(Latest.title)
    series = select(generate_series(8, 11).cast(str))
    assert await numbers.with_(Latest, series).all(library) == ["10", "11", "8", "9"]


async def test_rows_of_a_subquery_see_the_row_beside_them(library: Library):
    tags = lateral(
        Latest, select(unnest(outer(Papers.tags))).from_(Authors).where(Authors.id == outer(Papers.author_id))
    )
    joined = select(Papers.id, optional(Latest.title)).left_join(tags, on=Latest.title != "fun")
    assert await joined.order_by(Papers.id).all(library) == [(1, "animals"), (2, None), (3, "weather")]


async def test_aggregate_stands_in_having_and_in_the_order(library: Library):
    ids = array_agg(Papers.id, order_by=[Papers.id])
    query = select(Papers.author_id).group_by(Papers.author_id).having(array_length(ids) > 1).order_by(ids)
    assert await query.all(library) == [1]
