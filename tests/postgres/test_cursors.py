"""Cursors that come with their first rows: in one round trip, and as the driver's own where it is another driver's."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from gateways.postgres import PostgresGateway, cursors
from mapper.errors import ConnectionLost, QueryError, StatementError
from mapper.operations import RawSql

pytestmark = pytest.mark.feature("N7")


def many(count: int) -> RawSql:
    """A read of the numbers up to one."""
    return RawSql("SELECT n FROM generate_series(1, ?::int) AS n", (count,))


def plain(rows: Any, names: Any) -> list[Any]:
    return [each[0] for each in rows]


async def drained(batches: Any) -> list[int]:
    found: list[int] = []
    while (batch := await batches.next()) is not None:
        found += batch
    return found


@pytest.fixture(params=["eager", "usual"])
async def gateway(
    request: pytest.FixtureRequest, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PostgresGateway]:
    """A gateway with a connection, on a driver that knows how to open cursors so, and on one that does not."""
    if request.param == "usual":
        monkeypatch.setattr(cursors, "_eager", lambda: None)
    async with PostgresGateway(postgres_url, max_connections=1, pool_timeout=5) as gateway:
        yield gateway


@pytest.mark.parametrize("size", [0, 1, 50, 51, 52, 300, 301, 3000])
async def test_stream_gives_every_row_in_order(gateway: PostgresGateway, size: int):
    for _ in range(2):
        batches = await gateway.stream(many(size), plain)
        assert gateway.statistics().in_use == (size > 50)
        assert await drained(batches) == list(range(1, size + 1))
        assert gateway.statistics().in_use == 0


async def test_two_cursors_of_one_connection_are_apart(gateway: PostgresGateway):
    async with gateway.connection() as connection:
        first = await connection.stream_batches(many(200), plain)
        second = await connection.stream_batches(many(300), plain)
        assert [len(await drained(each)) for each in (first, second)] == [200, 300]


async def test_error_of_the_first_rows_gives_the_connection_back(gateway: PostgresGateway):
    for statement in ("SELECT 1 / (?::int - n) FROM generate_series(1, 60) AS n", "SELECT nothing WHERE ?::int > 0"):
        with pytest.raises(StatementError):
            await gateway.stream(RawSql(statement, (10,)), plain)
        assert gateway.statistics().in_use == 0
    assert len(await drained(await gateway.stream(many(60), plain))) == 60


async def test_first_rows_come_with_the_cursor(postgres_url: str):
    connection = await asyncpg.connect(postgres_url)
    try:
        async with connection.transaction():
            cursor, rows = await cursors.opened(connection, "SELECT n FROM generate_series(1, $1::int) AS n", (9,), 4)
            assert (type(cursor).__name__, [each[0] for each in rows]) == ("Eager", [1, 2, 3, 4])
            assert [each[0] for each in await cursor.fetch(4)] == [5, 6, 7, 8]
            assert [each[0] for each in await cursor.fetch(4)] == [9]
            assert await cursor.fetch(4) == []
    finally:
        await connection.close()
    with pytest.raises(asyncpg.InterfaceError, match="connection is closed"):
        await cursors.opened(connection, "SELECT 1", (), 4)


async def test_stream_on_a_connection_that_was_lost_is_refused(gateway: PostgresGateway):
    async with gateway.connection() as connection:
        await connection.execute(RawSql("SELECT 1"))
        connection.session.driver.terminate()  # type: ignore[attr-defined]  # of PostgreSQL
        with pytest.raises((ConnectionLost, QueryError)):
            await connection.stream_batches(many(10), plain)
