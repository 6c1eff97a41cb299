"""
What an error says of a fault: what may have been committed, what is certain, and how long silence is borne.
"""

import asyncio
import contextlib
import gc
import os
import select as polling
import signal
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateways.postgres import PostgresGateway
from gateways.postgres.transactions import atomic
from mapper.errors import CommitUnknown, ConnectionLost, MapperError, RolledBack, StatementTimeout
from mapper.operations import RawSql, Transaction
from mapper.selecting import select
from tests.postgres.backends import terminate
from tests.postgres.behind import gateway, proxy
from tests.postgres.relations import Book, Note, Notes, written
from tests.postgres.torture import SEEDS, Strange, is_whole
from tests.servers import Postgres, Proxy

__all__ = ["gateway", "proxy"]

pytestmark = pytest.mark.feature("T27", "T29")

Commit = Callable[[Book], Awaitable[object]]


async def _in_sequence(book: Book) -> object:
    return await written("new").commit(book, isolation="serializable")


async def _in_a_block(book: Book) -> object:
    async with book.transaction() as tx:
        await written("new").commit(tx)
    return None


async def _by_run(book: Book) -> object:
    async def work(tx: Book) -> None:
        await written("new").commit(tx)

    return await book.run(work)


async def _at_once(book: Book) -> object:
    return await written("new").commit(book)


async def _raw(book: Book) -> object:
    return await book._executor.execute(RawSql("INSERT INTO notes (text) VALUES ('new')"))


async def _raw_with(book: Book) -> object:
    return await book._executor.execute(
        RawSql("WITH made AS (INSERT INTO notes (text) VALUES ('new') RETURNING id) SELECT id FROM made")
    )


async def _of_many(book: Book) -> object:
    return await written("new", *[f"more{each}" for each in range(300)]).commit(book)


async def _there(url: str) -> int:
    async with PostgresGateway(url) as gateway:
        return await select(Notes.id).where(Notes.text == "new").count(Book(gateway))


@pytest.mark.parametrize("commit", [_in_sequence, _in_a_block, _by_run], ids=lambda each: each.__name__.strip("_"))
async def test_connection_lost_after_commit_was_sent_leaves_it_unknown(
    gateway: PostgresGateway, proxy: Proxy, postgres_url: str, commit: Commit
):
    proxy.drop_at(b"COMMIT\0")
    with pytest.raises(CommitUnknown, match="once=") as caught:
        await commit(Book(gateway))
    assert (caught.value.retryable, await _there(postgres_url)) == (False, 1)
    assert is_whole(gateway.statistics())


@pytest.mark.parametrize("commit", [_in_sequence, _in_a_block, _by_run], ids=lambda each: each.__name__.strip("_"))
async def test_connection_lost_before_commit_is_certain(
    gateway: PostgresGateway, proxy: Proxy, postgres_url: str, commit: Commit
):
    proxy.drop_at(b"INSERT")
    with pytest.raises(ConnectionLost) as caught:
        await commit(Book(gateway))
    assert (caught.value.retryable, await _there(postgres_url)) == (True, 0)
    assert is_whole(gateway.statistics())


@pytest.mark.parametrize("how", ["backend", "server"])
async def test_connection_lost_between_the_last_operation_and_commit_is_certain(
    gateway: PostgresGateway, proxy: Proxy, postgres_url: str, how: str
):
    with pytest.raises(ConnectionLost, match=r"before COMMIT was sent|was lost") as caught:
        async with Book(gateway).transaction() as tx:
            await written("new").commit(tx)
            if how == "backend":
                await terminate(postgres_url)
                while proxy.open:  # noqa: ASYNC110  # until the word of it has passed
                    await asyncio.sleep(0)
            else:
                await proxy.drop()
    assert not isinstance(caught.value, CommitUnknown)
    assert await _there(postgres_url) == 0


@pytest.mark.parametrize("commit", [_at_once, _raw, _raw_with], ids=lambda each: each.__name__.strip("_"))
async def test_answer_lost_of_a_write_that_commits_by_itself_leaves_it_unknown(
    gateway: PostgresGateway, proxy: Proxy, postgres_url: str, commit: Commit
):
    await gateway.execute(RawSql("SELECT 1"))
    proxy.drop_at(b"SELECT 1\0" if commit is _raw_with else b"INSERT 0 1\0", "client", forwards=False)
    with pytest.raises(CommitUnknown, match="connection was lost"):
        await commit(Book(gateway))
    assert await _there(postgres_url) == 1
    assert is_whole(gateway.statistics())


async def test_connection_lost_while_many_are_sent_writes_none(
    gateway: PostgresGateway, proxy: Proxy, postgres_url: str
):
    proxy.drop_at(b"more200", forwards=False)
    with pytest.raises((ConnectionLost, CommitUnknown)):
        await _of_many(Book(gateway))
    assert await _there(postgres_url) == 0


async def test_connection_lost_under_a_read_is_neither_unknown_nor_final(gateway: PostgresGateway, proxy: Proxy):
    proxy.drop_at(b"SELECT")
    with pytest.raises(ConnectionLost) as caught:
        await gateway.execute(RawSql("SELECT 1"))
    assert caught.value.retryable
    assert (await gateway.execute(RawSql("SELECT 1"))).rows == [(1,)]


async def test_deferred_constraint_that_fails_at_commit_is_what_is_told(gateway: PostgresGateway):
    await gateway.execute(RawSql("CREATE TABLE late (x int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
    with pytest.raises(MapperError, match="duplicate key") as caught:
        async with Book(gateway).transaction() as tx:
            await tx._executor.execute(RawSql("INSERT INTO late VALUES (1), (1)"))
    assert not isinstance(caught.value, CommitUnknown)
    assert is_whole(gateway.statistics())


async def test_backend_ended_in_an_open_transaction_dooms_it(gateway: PostgresGateway, postgres_url: str):
    with pytest.raises(MapperError) as caught:
        async with Book(gateway).transaction() as tx:
            await written("new").commit(tx)
            await terminate(postgres_url)
            with pytest.raises(ConnectionLost):
                await written("other").commit(tx)
            await written("third").commit(tx)
    assert isinstance(caught.value, RolledBack)
    assert await _there(postgres_url) == 0


async def test_error_that_rolls_back_is_what_is_told_though_the_rollback_is_lost(
    gateway: PostgresGateway, proxy: Proxy
):
    session = gateway._pool.take() or await gateway._pool.acquire()
    proxy.drop_at(b"ROLLBACK", forwards=False)
    with pytest.raises(ValueError, match="mine"):
        async with atomic(session):
            raise ValueError("mine")
    await gateway._pool.settle(session)
    assert gateway.statistics().size == 0


async def test_backend_that_is_gone_before_the_loop_could_see_it_is_certain(own_postgres: Postgres):
    """The end of the connection has arrived, and nothing has read it when COMMIT is to be sent, or a write."""
    async with PostgresGateway(own_postgres.url) as gateway:
        async with gateway.connection() as connection:
            await connection.execute(Transaction("start"))
            await connection.execute(RawSql("CREATE TABLE never (x int)"))
            end_now(connection.driver)
            with pytest.raises(ConnectionLost, match="before COMMIT was sent"):
                await connection.execute(Transaction("commit"))
        await gateway.execute(RawSql("SELECT 1"))
        end_now(gateway._pool._state.idle[-1].driver)
        assert (await gateway.execute(RawSql("CREATE TABLE IF NOT EXISTS made (x int)"))).count == 0
        await gateway.execute(RawSql("DROP TABLE made"))


GOODBYE = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"


@pytest.mark.parametrize("rows", [1, 3, 250], ids=["in one statement", "in arrays", "by COPY"])
@pytest.mark.parametrize("keys", [True, False], ids=["with keys", "without"])
async def test_write_on_a_connection_that_the_server_said_goodbye_on_is_certain(
    gateway: PostgresGateway, rows: int, keys: bool
):
    """The goodbye has been read, and the end of the connection is still to come: the driver sends nothing."""
    strange, book = Strange(), Book(gateway)
    asyncio.get_running_loop().set_exception_handler(strange)
    session = gateway._pool.take() or await gateway._pool.acquire()
    session.driver._protocol.data_received(b"E" + (len(GOODBYE) + 4).to_bytes(4) + GOODBYE)
    gateway._pool.give(session)
    del session
    notes = [f"new {each}" for each in range(rows)]
    with pytest.raises(ConnectionLost):
        await (written(*notes).commit(book) if keys else book.load(Notes, [Note(each) for each in notes]))
    await asyncio.sleep(0)
    gc.collect()
    assert strange.told == []
    assert is_whole(gateway.statistics())
    assert (await written(*notes).commit(book)).inserted == rows


def end_now(driver: Any) -> None:
    """End the server's process of a connection, and wait until that has arrived, without a turn of the loop."""
    arrived = polling.poll()
    arrived.register(driver._transport.get_extra_info("socket").fileno(), polling.POLLRDHUP)
    os.kill(driver.get_server_pid(), signal.SIGTERM)
    assert arrived.poll(10_000), "the end of the connection has not arrived"
    time.sleep(0.01)  # so long that the connection is looked at before it is used


# Silence


@pytest.mark.parametrize(
    ("at", "kind"), [("SELECT", StatementTimeout), ("INSERT", CommitUnknown), ("COMMIT", CommitUnknown)]
)
async def test_silent_server_is_bounded_by_command_timeout(
    gateway: PostgresGateway, proxy: Proxy, postgres_url: str, at: str, kind: type[MapperError]
):
    book = Book(gateway)
    await select(Notes.id).count(book)
    proxy.stall_at(at.encode(), forwards=False)
    began = time.monotonic()
    with pytest.raises(kind, match="did not answer in time"):
        if at == "SELECT":
            await select(Notes.text).where(Notes.id == 3).all(book)
        elif at == "INSERT":
            await written("new").commit(book)
        else:
            await _in_a_block(book)
    assert 0.4 < time.monotonic() - began < 2
    assert is_whole(gateway.statistics())
    proxy.resume()
    assert await select(Notes.id).where(Notes.text.starts_with("seed")).count(book) == SEEDS
    assert await _there(postgres_url) in (0, 1)


async def test_connection_that_nobody_used_for_long_proves_itself_and_all_go_where_it_does_not(
    gateway: PostgresGateway, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gateways.postgres.connections.PROOF_SECONDS", 0.2)
    await asyncio.gather(*[gateway.execute(RawSql("SELECT pg_sleep(0.02)")) for _ in range(4)])
    assert gateway.statistics().size == 4
    for each in gateway._pool._state.idle:
        each.since -= 100
    proxy.stall()
    began = time.monotonic()
    task = asyncio.ensure_future(gateway.execute(RawSql("SELECT 1")))
    await asyncio.sleep(0.3)
    assert gateway.statistics().size == 1
    proxy.resume()
    assert (await task).rows == [(1,)]
    assert time.monotonic() - began < 1


async def test_close_of_the_gateway_is_bounded_though_the_server_is_silent(
    proxy: Proxy, postgres_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gateways.postgres.connections.PROOF_SECONDS", 0.2)
    gateway = PostgresGateway(proxy.url_of(postgres_url))
    await gateway.execute(RawSql("SELECT set_config('a.b', 'c', false)"))
    proxy.stall()
    async with asyncio.timeout(2):
        await gateway.aclose()
    assert gateway.statistics().size == 0


async def test_stream_that_is_lost_in_the_middle_raises_and_closing_it_raises_nothing(
    gateway: PostgresGateway, proxy: Proxy
):
    seen = 0
    with pytest.raises(ConnectionLost):
        async with select(Note).from_(Notes).execute(Book(gateway)) as rows:
            async for _ in rows:
                seen += 1
                if seen == 51:
                    await proxy.drop()
    assert 51 <= seen < SEEDS
    async with select(Note).from_(Notes).execute(Book(gateway)) as rows:
        async for _ in rows:
            await proxy.drop()
            break
    assert is_whole(gateway.statistics())


async def test_rollback_on_a_lost_connection_raises_what_went_wrong_first(gateway: PostgresGateway, proxy: Proxy):
    with pytest.raises(ValueError, match="mine"):
        async with Book(gateway).transaction() as tx:
            await written("new").commit(tx)
            await proxy.drop()
            raise ValueError("mine")
    assert is_whole(gateway.statistics())


async def test_nothing_of_the_driver_leaks_out_of_a_held_connection(gateway: PostgresGateway, proxy: Proxy):
    async with gateway.connection() as connection:
        await connection.execute(Transaction("start"))
        await proxy.drop()
        for operation in (RawSql("SELECT 1"), Transaction("savepoint", name="s"), Transaction("commit")):
            with pytest.raises(ConnectionLost):
                await connection.execute(operation)
        await connection.execute(Transaction("rollback"))
    assert is_whole(gateway.statistics())


# What an error keeps alive


@pytest.mark.parametrize(
    "commit", [_at_once, _in_sequence, _in_a_block, _raw], ids=lambda each: each.__name__.strip("_")
)
async def test_error_keeps_nothing_alive_when_it_has_been_dropped(
    gateway: PostgresGateway, proxy: Proxy, commit: Commit
):
    """A stream up the stack would hold its connection until the garbage collector comes."""

    class Witness:
        pass

    async def work() -> "weakref.ref[Witness]":
        witness = Witness()
        proxy.drop_at(b"INSERT")
        with contextlib.suppress(MapperError):
            await commit(Book(gateway))
        return weakref.ref(witness)

    gc.disable()
    try:
        seen = await work()
        for _ in range(5):
            await asyncio.sleep(0)
        assert seen() is None
    finally:
        gc.enable()


async def test_stream_whose_first_connection_was_stale_is_given_back_when_it_is_dropped(
    gateway: PostgresGateway, proxy: Proxy
):
    await gateway.execute(RawSql("SELECT 1"))
    proxy.drop_at(b"BEGIN")
    gc.disable()
    try:
        async for _ in select(Note).from_(Notes).execute(Book(gateway)):
            assert gateway.statistics().in_use == 1
            break
        assert is_whole(gateway.statistics())
    finally:
        gc.enable()
