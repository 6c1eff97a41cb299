"""A connection that is held: what is left on it, its streams, and what may run beside them."""

from collections.abc import AsyncIterator

import pytest

from gateways.postgres import PostgresGateway
from mapper.errors import QueryError, TransactionClosed
from mapper.operations import RawSql, Transaction
from mapper.selecting import select
from tests.postgres.backends import NAME
from tests.postgres.relations import Book, Notes, written
from tests.postgres.torture import SEEDS, is_whole

pytestmark = pytest.mark.feature("T27")


@pytest.fixture
async def url(postgres_url: str) -> str:
    async with PostgresGateway(postgres_url) as gateway:
        await Book(gateway).push_schema()
        await written(*[f"seed{each}" for each in range(SEEDS)]).commit(Book(gateway))
    return postgres_url


@pytest.fixture
async def gateway(url: str) -> AsyncIterator[PostgresGateway]:
    async with PostgresGateway(url, max_connections=4, application_name=NAME, pool_timeout=8) as gateway:
        yield gateway


# What was done to one


async def test_nothing_is_left_on_a_connection_of_what_was_done_to_it(url: str):
    notes: list[object] = []
    async with PostgresGateway(url, max_connections=1, search_path="public, pg_catalog") as gateway:
        async with gateway.connection() as connection:
            driver = connection.driver
            await driver.execute("SET search_path = nowhere; SET ROLE pg_monitor; CREATE TEMP TABLE x (a int)")
            await driver.execute("SELECT pg_advisory_lock(1); DECLARE c CURSOR WITH HOLD FOR SELECT 1; BEGIN")
            await driver.add_listener("channel", lambda *given: notes.append(given))
        async with gateway.connection() as connection:
            shown = await connection.execute(
                RawSql(
                    "SELECT current_setting('search_path'), current_user = session_user, to_regclass('pg_temp.x')::text,"
                    " (SELECT count(*) FROM pg_cursors WHERE is_holdable), (SELECT count(*) FROM pg_locks WHERE"
                    " locktype = 'advisory'), (SELECT count(*) FROM pg_listening_channels())"
                )
            )
            assert shown.rows == [("public, pg_catalog", True, None, 0, 0, 0)]
            await connection.execute(RawSql("SELECT pg_notify('channel', 'x')"))
        assert (notes, gateway.statistics().size) == ([], 1)


async def test_reads_of_ones_own_that_change_the_connection_leave_nothing(url: str):
    async with PostgresGateway(url, max_connections=1) as gateway:

        async def lock(connection: object) -> None:
            del connection

        operation = RawSql("SELECT pg_advisory_lock(3), set_config('search_path', 'nowhere', false)")
        locks = RawSql("SELECT count(*), current_setting('search_path') FROM pg_locks WHERE locktype = 'advisory'")
        await gateway.fetch(operation, lambda rows, names: list(rows))
        assert (await gateway.execute(locks)).rows == [(0, '"$user", public')]
        batches = await gateway.stream(operation, lambda rows, names: list(rows))
        await batches.aclose()
        assert (await gateway.execute(locks)).rows == [(0, '"$user", public')]
        async with gateway.connection() as connection:
            await connection.fetch(operation, lambda rows, names: list(rows))
        assert (await gateway.execute(locks)).rows == [(0, '"$user", public')]


# Streams of a held connection


async def test_streams_of_a_held_connection_share_it_in_any_order(gateway: PostgresGateway):
    many = RawSql("SELECT generate_series(1, 100)")
    async with gateway.connection() as connection:
        first, second = connection.stream(many, 10), connection.stream(many, 10)
        seen = [len(await anext(first)), len(await anext(second)), len(await anext(first))]
        await first.aclose()  # type: ignore[attr-defined]  # it is a generator
        seen.append(len(await anext(second)))
        assert (await connection.execute(RawSql("SELECT 1"))).rows == [(1,)]
        rest = [row async for batch in second for row in batch]
        assert (seen, len(rest)) == ([10] * 4, 80)
        assert not connection.session.in_transaction()  # type: ignore[attr-defined]  # of PostgreSQL


async def test_write_beside_a_stream_is_refused_since_it_would_share_its_fate(gateway: PostgresGateway):
    insert = RawSql("INSERT INTO notes (text) VALUES ('beside')")
    async with gateway.connection() as connection:
        batches = connection.stream(RawSql("SELECT generate_series(1, 100)"), 10)
        await anext(batches)
        for operation in (insert, Transaction("start")):
            with pytest.raises(QueryError, match="begin a transaction before the stream"):
                await connection.execute(operation)
        await batches.aclose()  # type: ignore[attr-defined]  # it is a generator
        await connection.execute(insert)
    async with gateway.connection() as connection:
        await connection.execute(Transaction("start"))
        batches = connection.stream(RawSql("SELECT generate_series(1, 100)"), 10)
        await anext(batches)
        await connection.execute(RawSql("INSERT INTO notes (text) VALUES ('within')"))
        await connection.execute(Transaction("commit"))
    assert await select(Notes.id).where(Notes.text.in_(["beside", "within"])).count(Book(gateway)) == 2


async def test_stream_that_is_dropped_on_a_held_connection_does_not_swallow_what_follows(gateway: PostgresGateway):
    async with gateway.connection() as connection:
        batches = await connection.stream_batches(
            RawSql("SELECT generate_series(1, 1000)"), lambda rows, names: list(rows)
        )
        await batches.next()
        del batches
        await connection.execute(RawSql("INSERT INTO notes (text) VALUES ('after')"))
    assert await select(Notes.id).where(Notes.text == "after").count(Book(gateway)) == 1


async def test_stream_of_a_held_connection_ends_with_its_block(gateway: PostgresGateway):
    async with gateway.connection() as connection:
        batches = await connection.stream_batches(
            RawSql("SELECT generate_series(1, 1000)"), lambda rows, names: list(rows)
        )
        await batches.next()
    with pytest.raises(TransactionClosed, match="after its block"):
        await batches.next()
    await batches.aclose()
    assert is_whole(gateway.statistics())
    assert await select(Notes.id).count(Book(gateway)) == SEEDS
