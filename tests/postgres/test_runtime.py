"""The gateway at run time: loss, cancellation, loops, limits; nothing leaks and every call ends."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from gateways.postgres import PostgresGateway
from mapper.errors import (
    CannotConnect,
    CommitUnknown,
    ConnectionLost,
    MapperError,
    PoolTimeout,
    QueryError,
    RolledBack,
    StatementTimeout,
    UniqueViolation,
    ValueNotStorable,
    WrongLoop,
)
from mapper.gateway import OperationEvent
from mapper.operations import RawSql, Result, Transaction
from mapper.selecting import select
from tests.postgres.backends import busy, settled, terminate
from tests.postgres.relations import Book, Note, Notes, written
from tests.servers import Postgres

SLEEP = RawSql("SELECT pg_sleep(30)")


@pytest.fixture
async def gateway(postgres_url: str) -> AsyncIterator[PostgresGateway]:
    gateway = PostgresGateway(postgres_url, max_connections=4, application_name="under test")
    await Book(gateway).push_schema()
    yield gateway
    await gateway.aclose()


async def test_nothing_connects_before_the_first_use(postgres_url: str):
    gateway = PostgresGateway(postgres_url)
    assert gateway.statistics().size == 0
    await gateway.aclose()


async def test_gateway_is_usable_again_after_aclose(gateway: PostgresGateway):
    await gateway.aclose()
    assert gateway.statistics().size == 0
    assert await select(Notes.id).count(Book(gateway)) == 0


async def test_reads_hold_no_connection_behind_them(gateway: PostgresGateway):
    book = Book(gateway)
    await written("a", "b").commit(book)
    assert await select(Notes.text).order_by(Notes.id).all(book) == ["a", "b"]
    counted = gateway.statistics()
    assert (counted.size, counted.idle, counted.in_use) == (1, 1, 0)


async def test_result_that_fits_the_first_batch_has_given_its_connection_back(gateway: PostgresGateway):
    book = Book(gateway)
    await written(*[f"n{each}" for each in range(50)]).commit(book)
    async with select(Notes.text).from_(Notes).execute(book) as rows:
        async for _ in rows:
            assert gateway.statistics().in_use == 0


async def test_stream_left_early_gives_its_connection_back_clean(gateway: PostgresGateway, postgres_url: str):
    book = Book(gateway)
    await written(*[f"n{each}" for each in range(500)]).commit(book)
    async with select(Notes.text).from_(Notes).execute(book) as rows:
        async for _ in rows:
            assert gateway.statistics().in_use == 1
            break
    assert gateway.statistics().in_use == 0
    assert await settled(postgres_url, 1) == [("idle", False)]


async def test_stream_dropped_without_closing_gives_its_connection_back(gateway: PostgresGateway, postgres_url: str):
    book = Book(gateway)
    await written(*[f"n{each}" for each in range(500)]).commit(book)
    async for _ in select(Notes.text).from_(Notes).execute(book):
        break
    await settled(postgres_url, 1)
    counted = gateway.statistics()
    assert (counted.idle, counted.in_use) == (1, 0)


async def test_nested_read_of_a_pool_of_one_times_out_with_a_hint(postgres_url: str):
    async with PostgresGateway(postgres_url, max_connections=1, pool_timeout=0.1) as gateway:
        book = Book(gateway)
        await book.push_schema()
        await written(*[f"n{each}" for each in range(500)]).commit(book)
        async with select(Notes.text).from_(Notes).execute(book) as rows:
            async for _ in rows:
                with pytest.raises(PoolTimeout, match="stream"):
                    await select(Notes.text).first(book)
                break
        assert await select(Notes.text).count(book) == 500


async def test_16_tasks_share_4_connections(gateway: PostgresGateway):
    book = Book(gateway)

    async def work(number: int) -> None:
        for each in range(10):
            await written(f"{number}:{each}").commit(book)

    await asyncio.gather(*[work(each) for each in range(16)])
    assert await select(Notes.id).count(book) == 160
    assert gateway.statistics().size <= 4


async def test_terminated_backend_is_replaced_before_anybody_gets_it(gateway: PostgresGateway, postgres_url: str):
    book = Book(gateway)
    await asyncio.gather(*[select(Notes.id).count(book) for _ in range(8)])
    await terminate(postgres_url)
    assert await asyncio.gather(*[select(Notes.id).count(book) for _ in range(8)]) == [0] * 8


async def test_backend_terminated_under_a_read_is_a_lost_connection(gateway: PostgresGateway, postgres_url: str):
    task = asyncio.ensure_future(gateway.execute(SLEEP))
    await busy(postgres_url, 1)
    await terminate(postgres_url)
    with pytest.raises(ConnectionLost):
        await task
    assert await select(Notes.id).count(Book(gateway)) == 0
    assert gateway.statistics().in_use == 0


async def test_connection_lost_under_a_write_of_its_own_is_commit_unknown(gateway: PostgresGateway, postgres_url: str):
    book = Book(gateway)
    await written("a").commit(book)
    async with gateway.connection() as other:
        await other.execute(Transaction("start"))
        await other.execute(RawSql("LOCK TABLE notes"))
        task = asyncio.ensure_future(written("b").commit(book))
        await busy(postgres_url, 2)
        await terminate(postgres_url, "Lock")
        with pytest.raises(CommitUnknown):
            await task


async def test_server_that_was_killed_and_started_works_at_the_first_try(own_postgres: Postgres):
    async with PostgresGateway(own_postgres.url) as gateway:
        book = Book(gateway)
        await book.push_schema()
        await gateway.execute(RawSql("CHECKPOINT"))
        await asyncio.gather(*[select(Notes.id).count(book) for _ in range(5)])
        own_postgres.kill()
        own_postgres.start()
        assert await asyncio.gather(*[select(Notes.id).count(book) for _ in range(5)]) == [0] * 5


async def test_server_that_is_down_cannot_be_connected_to(own_postgres: Postgres):
    gateway = PostgresGateway(own_postgres.url.replace("app@", "app:secret@"))
    own_postgres.kill()
    with pytest.raises(CannotConnect) as caught:
        await gateway.execute(RawSql("SELECT 1"))
    assert "secret" not in f"{caught.value} {gateway!r}"
    own_postgres.start()
    assert (await gateway.execute(RawSql("SELECT 1"))).rows == [(1,)]
    await gateway.aclose()


async def test_random_cancellations_leak_nothing(gateway: PostgresGateway, postgres_url: str):
    book, chance = Book(gateway), random.Random(11)
    await written(*[f"n{each}" for each in range(300)]).commit(book)

    async def stream() -> None:
        async with select(Notes.text).from_(Notes).execute(book) as rows:
            async for _ in rows:
                pass

    async def transaction() -> None:
        async with book.transaction() as tx:
            await written(f"t{chance.random()}").commit(tx)
            await select(Notes.id).count(tx)

    async def commit() -> None:
        await written(f"c{chance.random()}", f"d{chance.random()}").commit(book, isolation="serializable")

    async def read() -> None:
        await select(Notes.text).all(book)

    for _ in range(200):
        tasks = [asyncio.ensure_future(chance.choice((stream, transaction, commit, read))()) for _ in range(3)]
        await asyncio.sleep(chance.random() * 0.004)
        for each in tasks:
            each.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert outcome is None or isinstance(outcome, asyncio.CancelledError | MapperError), repr(outcome)
    counted = gateway.statistics()
    assert (counted.in_use, counted.waiting) == (0, 0)
    await settled(postgres_url, counted.size)
    assert await select(Notes.id).count(book) >= 300


async def test_cancelled_commit_is_finished_or_undone(gateway: PostgresGateway):
    book = Book(gateway)
    for each in range(30):
        changes = written(f"x{each}", f"y{each}")
        task = asyncio.ensure_future(changes.commit(book, isolation="read committed"))
        await asyncio.sleep(each * 0.0002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        found = await select(Notes.id).where(Notes.text.in_([f"x{each}", f"y{each}"])).count(book)
        assert found in (0, 2)


async def test_cancelled_write_that_waits_for_a_lock_ends_soon_and_writes_nothing(
    gateway: PostgresGateway, postgres_url: str
):
    book = Book(gateway)
    async with gateway.connection() as other:
        await other.execute(Transaction("start"))
        await other.execute(RawSql("LOCK TABLE notes"))
        task = asyncio.ensure_future(written("b").commit(book))
        await busy(postgres_url, 2)
        task.cancel()
        async with asyncio.timeout(3):
            await asyncio.wait([task])
        assert task.cancelled()
    assert await select(Notes.id).count(book) == 0


async def test_cancelled_single_write_is_done_or_not_when_it_ends(gateway: PostgresGateway):
    book = Book(gateway)
    for each in range(30):
        task = asyncio.ensure_future(written(f"x{each}").commit(book))
        await asyncio.sleep(each * 0.0001)
        task.cancel()
        await asyncio.wait([task])
        before = await select(Notes.id).where(Notes.text == f"x{each}").count(book)
        await asyncio.sleep(0.002)
        assert await select(Notes.id).where(Notes.text == f"x{each}").count(book) == before


async def test_aborted_transaction_that_answers_rollback_is_an_error(gateway: PostgresGateway):
    async with gateway.connection() as connection:
        await connection.execute(Transaction("start"))
        with pytest.raises(MapperError):
            await connection.execute(RawSql("SELECT 1 / 0"))
        with pytest.raises(RolledBack, match="ROLLBACK"):
            await connection.execute(Transaction("commit"))


async def test_raw_statement_that_changes_its_connection_is_undone(gateway: PostgresGateway):
    await gateway.execute(RawSql("SET search_path TO nowhere"))
    await gateway.execute(RawSql("SELECT pg_advisory_lock(1)"))
    assert gateway.statistics().size == 1
    shown = await gateway.execute(RawSql("SHOW search_path"))
    assert shown.rows == [('"$user", public',)]
    locks = await gateway.execute(RawSql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"))
    assert locks.rows == [(0,)]


async def test_raw_statement_counts_what_it_writes(gateway: PostgresGateway):
    result = await gateway.execute(RawSql("INSERT INTO notes (text) VALUES (?), (?)", ("a", "b")))
    assert result == Result((), 2)
    result = await gateway.execute(RawSql("SELECT text FROM notes WHERE text <> ? ORDER BY id", ("b",)))
    assert result.rows == [("a",)]


async def test_raw_parameter_of_a_wrong_class_is_not_storable(gateway: PostgresGateway):
    with pytest.raises(ValueNotStorable, match="bigint"):
        await gateway.execute(RawSql("SELECT * FROM notes WHERE id = ?", ("three",)))
    assert gateway.statistics().in_use == 0


async def test_statement_timeout_is_told(postgres_url: str):
    async with PostgresGateway(f"{postgres_url}?statement_timeout=0.05") as gateway:
        with pytest.raises(StatementTimeout):
            await gateway.execute(SLEEP)
        assert gateway.statistics().idle == 1


async def test_command_timeout_ends_the_wait_for_a_silent_server(postgres_url: str):
    async with PostgresGateway(postgres_url, command_timeout=0.1) as gateway:
        with pytest.raises(StatementTimeout):
            await gateway.execute(SLEEP)
        assert (await gateway.execute(RawSql("SELECT 1"))).rows == [(1,)]


async def test_unique_violation_names_its_columns_and_frees_the_connection(gateway: PostgresGateway):
    book = Book(gateway)
    with pytest.raises(UniqueViolation) as caught:
        await written("a", "a").commit(book)
    assert (caught.value.relation, caught.value.columns, caught.value.constraint) == (Notes, ("text",), "uq_notes_text")
    assert gateway.statistics().in_use == 0


async def test_listeners_are_told_of_every_operation(gateway: PostgresGateway):
    events: list[OperationEvent] = []
    stop = gateway.subscribe(events.append)
    book = Book(gateway)
    await written("a").commit(book)
    assert await select(Note).from_(Notes).all(book) == [Note("a")]
    async with book.transaction():
        pass
    stop()
    await select(Notes.id).count(book)
    names = [type(each.operation).__name__ for each in events]
    assert names[:2] == ["Insert", "QuerySql"]
    assert set(names[2:]) <= {"Transaction"}
    assert [each.rows for each in events[:2]] == [1, 1]
    assert all(each.query_seconds > 0 for each in events[:2])


async def test_another_loop_at_the_same_time_is_refused(gateway: PostgresGateway):
    await select(Notes.id).count(Book(gateway))

    def elsewhere() -> None:
        asyncio.run(_count(gateway))

    with pytest.raises(WrongLoop):
        await asyncio.to_thread(elsewhere)


async def _count(gateway: PostgresGateway) -> int:
    return await select(Notes.id).count(Book(gateway))


async def test_second_loop_after_the_first_gets_fresh_connections(gateway: PostgresGateway, postgres_url: str):
    other = PostgresGateway(postgres_url)

    def twice() -> list[int]:
        async def last() -> int:
            found = await _count(other)
            await other.aclose()
            return found

        return [asyncio.run(_count(other)), asyncio.run(last())]

    assert await asyncio.to_thread(twice) == [0, 0]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://x/y", "scheme"),
        ("postgresql://x/y?max_conections=3", "max_conections"),
        ("postgresql://x/y?max_connections=many", "whole number"),
        ("postgresql://x/y?pool_timeout=0", "above 0"),
    ],
)
def test_wrong_url_is_refused(url: str, message: str):
    with pytest.raises(QueryError, match=message):
        PostgresGateway(url)


def test_repr_shows_no_password():
    assert (
        repr(PostgresGateway("postgresql://me:secret@host:1/db?password=other"))
        == "PostgresGateway('postgresql://host:1/db')"
    )
