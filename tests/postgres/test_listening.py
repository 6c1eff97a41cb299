"""Listening on a real server: what is sent comes, what may be missing is told, and nothing is left behind."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import asyncpg
import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import Missed, Note, PostgresGateway, listen, notify
from gateways.postgres.hearing import Pauses
from gateways.postgres.listening import Notes
from mapper import select
from mapper.errors import CannotConnect, QueryError, StoreError, Unsupported, WrongLoop
from mapper.testing import RecordingGateway
from tests.postgres.relations import Book, written
from tests.postgres.relations import Notes as Rows
from tests.servers import Postgres, Proxy
from tests.servers.fixtures import Databases


@pytest.fixture
async def gateway(postgres_url: str) -> AsyncIterator[PostgresGateway]:
    async with PostgresGateway(postgres_url, max_connections=1, application_name="under test") as gateway:
        yield gateway


async def backends(url: str, query: str = "%") -> list[int]:
    """Return the processes of the gateway's connections, or of those whose last statement looks like that."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'under test' AND query LIKE $1 ORDER BY pid",
            query,
        )
        return [row[0] for row in rows]
    finally:
        await connection.close()


async def gone(url: str, expected: int = 0) -> None:
    """Wait until the gateway has no more connections than expected at the server."""
    for _ in range(500):
        if len(await backends(url)) <= expected:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"the server has {await backends(url)}, expected {expected}")


async def terminate_listeners(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'under test' AND query LIKE 'LISTEN%'"
    )
    await connection.close()


async def noticed(gateway: PostgresGateway) -> None:
    """Wait until the gateway knows that it has lost the connection."""
    for _ in range(500):
        if gateway.hearing._driver is None:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the loss was not noticed")


async def taken(notes: Notes, count: int) -> list[Note | Missed]:
    async with asyncio.timeout(20):
        return [await anext(notes) for _ in range(count)]


@pytest.mark.feature("B19")
async def test_notes_come_in_the_order_in_which_they_were_sent(gateway: PostgresGateway):
    async with listen(gateway, "jobs") as notes:
        for number in range(100):
            await gateway.execute(notify("jobs", str(number)))
        found = await taken(notes, 100)
    assert [each.payload for each in found] == [str(number) for number in range(100)]


async def test_note_tells_channel_payload_and_sender(gateway: PostgresGateway, postgres_url: str):
    sender = await asyncpg.connect(postgres_url)
    async with listen(gateway, "jobs") as notes:
        await sender.execute("NOTIFY jobs, 'héllo'; NOTIFY jobs")
        found = await taken(notes, 2)
    process = sender.get_server_pid()
    await sender.close()
    assert found == [Note("jobs", "héllo", process), Note("jobs", "", process)]


@pytest.mark.feature("B19")
async def test_loop_that_is_left_gives_the_connection_up(gateway: PostgresGateway, postgres_url: str):
    async def read() -> str | None:
        async for note in listen(gateway, "jobs"):
            return note.payload
        return None

    reading = asyncio.create_task(read())
    for _ in range(500):
        if reading.done():
            break
        await gateway.execute(notify("jobs", "one"))
        await asyncio.sleep(0.01)
    assert await reading == "one"
    await gone(postgres_url, 1)


async def test_block_has_closed_its_connection_when_it_ends(gateway: PostgresGateway, postgres_url: str):
    async with listen(gateway, "jobs"):
        assert len(await backends(postgres_url)) == 1
    await gone(postgres_url)


async def test_listening_takes_no_connection_of_the_pool(gateway: PostgresGateway):
    book = Book(gateway)
    await book.push_schema()
    async with listen(gateway, "jobs") as notes:
        async with book.transaction() as tx:
            await written("a").commit(tx)
            assert (gateway.statistics().in_use, gateway.statistics().limit) == (1, 1)
        await gateway.execute(notify("jobs"))
        assert len(await taken(notes, 1)) == 1
        assert await select(Rows).count(book) == 1
    assert (gateway.statistics().in_use, gateway.statistics().size) == (0, 1)


async def test_listeners_share_one_connection(gateway: PostgresGateway, postgres_url: str):
    async with listen(gateway, "jobs") as first, listen(gateway, "jobs", "news") as second:
        async with listen(gateway, "other"):
            assert len(await backends(postgres_url)) == 1
        await gateway.execute(notify("jobs", "1"))
        await gateway.execute(notify("news", "2"))
        assert [each.payload for each in await taken(first, 1)] == ["1"]
        assert [each.payload for each in await taken(second, 2)] == ["1", "2"]


async def test_listener_that_leaves_does_not_end_another_of_its_channel(gateway: PostgresGateway):
    async with listen(gateway, "jobs") as stays:
        async with listen(gateway, "jobs", "news"):
            pass
        await gateway.execute(notify("news"))
        await gateway.execute(notify("jobs", "still"))
        assert [each.payload for each in await taken(stays, 1)] == ["still"]


async def test_channel_is_listened_to_again_after_it_was_left(gateway: PostgresGateway):
    async with listen(gateway, "other"):
        for number in range(3):
            async with listen(gateway, "jobs") as notes:
                await gateway.execute(notify("jobs", str(number)))
                assert [each.payload for each in await taken(notes, 1)] == [str(number)]


async def test_terminated_backend_is_replaced_and_told_as_missed(gateway: PostgresGateway, postgres_url: str):
    async with listen(gateway, "jobs", "news") as notes:
        await terminate_listeners(postgres_url)
        assert await taken(notes, 2) == [Missed("jobs", "reconnected"), Missed("news", "reconnected")]
        await gateway.execute(notify("jobs", "after"))
        assert [each.payload for each in await taken(notes, 1)] == ["after"]


async def test_notes_before_the_loss_come_before_the_gap(gateway: PostgresGateway, postgres_url: str):
    async with listen(gateway, "jobs") as notes:
        await gateway.execute(notify("jobs", "before"))
        await terminate_listeners(postgres_url)
        assert [each.payload for each in await taken(notes, 2)] == ["before", None]


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_restarted_server_is_listened_to_again(own_postgres: Postgres, end: str):
    async with (
        PostgresGateway(own_postgres.url, application_name="under test") as gateway,
        listen(gateway, "jobs") as notes,
    ):
        waiting = asyncio.create_task(anext(notes))
        getattr(own_postgres, end)()
        await asyncio.sleep(0.2)
        assert not waiting.done()
        own_postgres.start()  # not in a thread: the server would end with it
        async with asyncio.timeout(20):
            assert await waiting == Missed("jobs", "reconnected")
        await gateway.execute(notify("jobs", "again"))
        assert [each.payload for each in await taken(notes, 1)] == ["again"]


async def test_overflow_is_counted_in_its_place(gateway: PostgresGateway):
    async with listen(gateway, "jobs", buffer=3) as notes:
        await gateway.execute(notify("jobs", "0"))
        assert len(await taken(notes, 1)) == 1
        async with listen(gateway, "end") as end:
            for number in range(1, 11):
                await gateway.execute(notify("jobs", str(number)))
            await gateway.execute(notify("end"))
            await taken(end, 1)
        found = await taken(notes, 4)
        await gateway.execute(notify("jobs", "later"))
        found += await taken(notes, 1)
    assert [each.payload for each in found] == ["1", "2", "3", None, "later"]
    assert found[3] == Missed("jobs", "overflow", 7)


async def test_cancelled_wait_loses_no_note(gateway: PostgresGateway):
    async with listen(gateway, "jobs") as notes:
        for number in range(20):
            waiting = asyncio.create_task(anext(notes))
            await asyncio.sleep(0)
            sending = asyncio.create_task(gateway.execute(notify("jobs", str(number))))
            await asyncio.sleep(0.0005 * (number % 5))
            waiting.cancel()
            await asyncio.wait({waiting, sending})
            found = waiting.result() if not waiting.cancelled() else (await taken(notes, 1))[0]
            assert found.payload == str(number)


async def test_beginning_that_is_cancelled_leaves_nothing(gateway: PostgresGateway, postgres_url: str):
    for turns in range(30):
        beginning = asyncio.create_task(listen(gateway, "jobs").__aenter__())
        for _ in range(turns):
            await asyncio.sleep(0)
        beginning.cancel()
        await asyncio.wait({beginning})
        del beginning
    gc.collect()
    await gone(postgres_url)


async def test_block_that_is_cancelled_closes_the_connection(gateway: PostgresGateway, postgres_url: str):
    begun = asyncio.Event()

    async def read() -> None:
        async with listen(gateway, "jobs") as notes:
            begun.set()
            async for _ in notes:
                pass

    reading = asyncio.create_task(read())
    await begun.wait()
    reading.cancel()
    await asyncio.wait({reading})
    await gone(postgres_url)


async def test_listener_that_is_dropped_gives_the_connection_up(gateway: PostgresGateway, postgres_url: str):
    notes = listen(gateway, "jobs")
    await notes.__aenter__()
    del notes
    gc.collect()
    await gone(postgres_url)


async def test_closed_gateway_ends_the_stream_and_can_listen_again(gateway: PostgresGateway, postgres_url: str):
    async with listen(gateway, "jobs") as notes:
        await gateway.execute(notify("jobs", "last"))
        await asyncio.sleep(0.05)
        await gateway.aclose()
        assert [each.payload async for each in notes] == ["last"]
    assert await backends(postgres_url) == []
    async with listen(gateway, "jobs") as again:
        await gateway.execute(notify("jobs", "new"))
        assert [each.payload for each in await taken(again, 1)] == ["new"]


async def test_listening_begins_with_an_error_where_no_server_is():
    gateway = PostgresGateway("postgresql://app@127.0.0.1:1/none")
    with pytest.raises(CannotConnect):
        await listen(gateway, "jobs").__aenter__()
    with pytest.raises(CannotConnect):
        await anext(listen(gateway, "jobs"))


async def test_silent_server_is_found_out_and_left(own_postgres: Postgres):
    async with Proxy(own_postgres.port) as proxy, PostgresGateway(proxy.url_of(own_postgres.url)) as gateway:
        gateway.hearing._pauses = Pauses(beat=0.05, answer=0.1)
        async with listen(gateway, "jobs") as notes:
            before = proxy.accepted
            proxy.stall()
            for _ in range(1000):
                if proxy.accepted > before:
                    break
                await asyncio.sleep(0.01)
            proxy.resume()
            assert await taken(notes, 1) == [Missed("jobs", "reconnected")]
            await gateway.execute(notify("jobs", "alive"))
            assert [each.payload for each in await taken(notes, 1)] == ["alive"]


async def test_server_that_says_nothing_but_answers_is_kept(own_postgres: Postgres):
    async with Proxy(own_postgres.port) as proxy, PostgresGateway(proxy.url_of(own_postgres.url)) as gateway:
        gateway.hearing._pauses = Pauses(beat=0.01)
        async with listen(gateway, "jobs") as notes:
            before = proxy.accepted
            await asyncio.sleep(0.2)
            assert proxy.accepted == before
            await gateway.execute(notify("jobs", "quiet"))
            assert [each.payload for each in await taken(notes, 1)] == ["quiet"]


async def test_attempts_become_rare_while_no_server_is_there(own_postgres: Postgres):
    async with Proxy(own_postgres.port) as proxy, PostgresGateway(proxy.url_of(own_postgres.url)) as gateway:
        gateway.hearing._pauses = Pauses(first=0.01, longest=0.05)
        async with listen(gateway, "jobs") as notes:
            proxy.hangs_up = True
            before = proxy.accepted
            await proxy.drop()
            await asyncio.sleep(0.5)
            assert 5 <= proxy.accepted - before <= 25
            proxy.hangs_up = False
            assert await taken(notes, 1) == [Missed("jobs", "reconnected")]


async def test_new_listener_is_told_that_no_server_is_there_while_an_old_one_waits(own_postgres: Postgres):
    async with (
        Proxy(own_postgres.port) as proxy,
        PostgresGateway(proxy.url_of(own_postgres.url)) as gateway,
        listen(gateway, "jobs") as old,
    ):
        proxy.refuse()
        await proxy.drop()
        await noticed(gateway)
        with pytest.raises(CannotConnect):
            await listen(gateway, "jobs").__aenter__()
        await proxy.accept()
        assert await taken(old, 1) == [Missed("jobs", "reconnected")]


async def test_standby_refuses_to_be_listened_to(standby_postgres: Postgres):
    async with PostgresGateway(standby_postgres.url) as gateway:
        with pytest.raises(StoreError, match="recovery"):
            await listen(gateway, "jobs").__aenter__()


async def test_dropped_database_ends_the_stream_with_an_error(databases: Databases):
    url = await databases.create()
    async with PostgresGateway(url, application_name="under test") as gateway, listen(gateway, "jobs") as notes:
        await databases.drop(url)
        with pytest.raises(CannotConnect, match="does not exist"):
            await taken(notes, 1)
        with pytest.raises(StopAsyncIteration):
            await anext(notes)


@pytest.mark.parametrize("channel", ['a "quoted" name', "Jobs", "select", "ü" * 31, "x" * 63, "a;b'c--"])
async def test_any_name_is_a_channel(gateway: PostgresGateway, channel: str):
    async with listen(gateway, channel) as notes:
        await gateway.execute(notify(channel, "here"))
        (found,) = await taken(notes, 1)
    assert (found.channel, found.payload) == (channel, "here")


@pytest.mark.parametrize(
    ("channel", "problem"),
    [("", "expected a name"), ("x" * 64, "64 bytes"), ("ü" * 32, "64 bytes"), ("a\0b", "NUL"), ("\ud800", "encoded")],
)
def test_name_that_is_no_channel_is_refused(channel: str, problem: str):
    gateway = PostgresGateway("postgresql://nowhere/none")
    with pytest.raises(QueryError, match=problem):
        listen(gateway, channel)
    with pytest.raises(QueryError, match=problem):
        notify(channel)


@pytest.mark.parametrize("buffer", [0, -1, True, 1.5])
def test_buffer_that_holds_nothing_is_refused(buffer: int):
    with pytest.raises(QueryError, match="buffer"):
        listen(PostgresGateway("postgresql://nowhere/none"), "jobs", buffer=buffer)


def test_no_channel_is_refused():
    with pytest.raises(QueryError, match="no channel"):
        listen(PostgresGateway("postgresql://nowhere/none"))


@pytest.mark.parametrize("source", [None, "postgresql://nowhere/none", PostgresGateway])
def test_something_that_is_no_source_is_refused(source: Any):
    with pytest.raises(QueryError, match="no repository, transaction or gateway"):
        listen(source, "jobs")


def test_other_gateway_is_refused():
    with pytest.raises(Unsupported, match="memory"):
        listen(MemoryGateway(), "jobs")


async def test_repository_transaction_and_wrapped_gateway_listen(gateway: PostgresGateway):
    book = Book(RecordingGateway(gateway))
    changes = Book.change()
    changes.then(notify("jobs", "through"))
    async with book.transaction() as tx:
        of_transaction = listen(tx, "jobs")
        await of_transaction.__aenter__()
    async with listen(book, "jobs") as of_repository, aclosing(of_transaction):
        await changes.commit(book)
        for notes in (of_repository, of_transaction):
            assert [each.payload for each in await taken(notes, 1)] == ["through"]


async def test_two_tasks_cannot_take_notes_of_one_listener(gateway: PostgresGateway):
    async with listen(gateway, "jobs") as notes:
        waiting = asyncio.create_task(anext(notes))
        await asyncio.sleep(0)
        with pytest.raises(QueryError, match="two tasks"):
            await anext(notes)
        waiting.cancel()
        await asyncio.wait({waiting})


async def test_block_is_entered_once(gateway: PostgresGateway):
    notes = listen(gateway, "jobs")
    async with notes:
        with pytest.raises(QueryError, match="twice"):
            await notes.__aenter__()
    with pytest.raises(QueryError, match="twice"):
        await notes.__aenter__()


def test_gateway_listens_in_one_event_loop_after_the_other(databases: Databases):
    gateway = PostgresGateway(databases.server, application_name="under test")

    async def once(close: bool) -> list[str | None]:
        notes = listen(gateway, "jobs")
        await notes.__aenter__()
        await gateway.execute(notify("jobs", "x"))
        found = [each.payload for each in await taken(notes, 1)]
        if close:
            await notes.aclose()
            await gateway.aclose()
        return found

    assert asyncio.run(once(close=False)) == ["x"]
    assert asyncio.run(once(close=True)) == ["x"]


async def test_second_event_loop_is_refused_while_the_first_runs(gateway: PostgresGateway):
    async with listen(gateway, "jobs"):
        with pytest.raises(WrongLoop):
            await asyncio.to_thread(asyncio.run, listen(gateway, "jobs").__aenter__())
