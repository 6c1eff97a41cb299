"""Many tasks and few connections: who gets one and when, how long one lives, and what is counted."""

import asyncio
import random
import time
from collections.abc import AsyncIterator

import pytest
import trio

from gateways.postgres import PostgresGateway
from mapper.errors import PoolTimeout, Unsupported, WrongLoop
from mapper.gateway import PoolStatistics
from mapper.operations import RawSql
from mapper.selecting import select
from tests.postgres.backends import NAME, backends, settled
from tests.postgres.relations import Book, Note, Notes, written
from tests.postgres.torture import SEEDS, WORK, is_whole, nested

pytestmark = pytest.mark.feature("T27")

NUMBER = RawSql("SELECT pg_backend_pid()")


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


async def number(gateway: PostgresGateway) -> int:
    """Return the number of the server's process for a connection."""
    return int((await gateway.execute(NUMBER)).rows[0][0])


async def test_16_tasks_of_every_kind_share_4_connections(gateway: PostgresGateway, url: str):
    """But for those that ask for a second connection while they hold one: four of them would wait for each other."""
    kinds = [each for each in WORK if each is not nested]
    largest = 0

    async def work(seed: int) -> None:
        nonlocal largest
        chance = random.Random(seed)
        for _ in range(12):
            await chance.choice(kinds)(gateway, chance)
            largest = max(largest, gateway.statistics().size)

    async with asyncio.timeout(50):
        await asyncio.gather(*[work(seed) for seed in range(16)])
    assert is_whole(gateway.statistics())
    assert largest <= 4
    await settled(url, 4)
    assert await select(Notes.id).where(Notes.text.starts_with("seed")).count(Book(gateway)) == SEEDS


async def test_who_asked_first_is_served_first(url: str):
    async with PostgresGateway(url, max_connections=2) as gateway:
        served: list[int] = []

        async def work(position: int) -> None:
            async with gateway.connection() as connection:
                served.append(position)
                await connection.execute(RawSql("SELECT pg_sleep(0.002)"))

        tasks = []
        async with gateway.connection(), gateway.connection():
            for position in range(20):
                tasks.append(asyncio.ensure_future(work(position)))
                await asyncio.sleep(0)
            assert gateway.statistics().waiting == 20
        await asyncio.gather(*tasks)
        assert served == [*range(20)]


async def test_newcomer_does_not_overtake_who_waits(url: str):
    async with PostgresGateway(url, max_connections=1) as gateway:
        order: list[str] = []

        async def work(name: str) -> None:
            await gateway.execute(NUMBER)
            order.append(name)

        async with gateway.connection():
            waiting = asyncio.ensure_future(work("who waited"))
            await asyncio.sleep(0.01)
        await work("newcomer")
        await waiting
        assert order == ["who waited", "newcomer"]


async def test_wait_is_limited_and_who_gave_up_is_forgotten(url: str):
    async with PostgresGateway(url, max_connections=1, pool_timeout=0.1) as gateway:
        async with gateway.connection():
            began = time.monotonic()
            outcomes = await asyncio.gather(*[gateway.execute(NUMBER) for _ in range(5)], return_exceptions=True)
            assert 0.08 < time.monotonic() - began < 1
            assert [type(each) for each in outcomes] == [PoolTimeout] * 5
            assert "within 0.1 seconds: 1 of 1 are in use" in str(outcomes[0])
            assert gateway.statistics() == PoolStatistics(limit=1, size=1, idle=0, in_use=1, waiting=0)
        assert await number(gateway)


async def test_each_that_waits_is_refused_at_its_own_time(url: str):
    async with PostgresGateway(url, max_connections=1, pool_timeout=0.2) as gateway:
        waited: dict[int, float] = {}

        async def wait(name: int) -> None:
            began = time.monotonic()
            with pytest.raises(PoolTimeout):
                await gateway.execute(NUMBER)
            waited[name] = time.monotonic() - began

        async with gateway.connection():
            tasks = []
            for name in range(4):
                tasks.append(asyncio.ensure_future(wait(name)))
                await asyncio.sleep(0.06)
            tasks[1].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert [*waited] == [0, 2, 3]
        assert all(0.19 < each < 0.4 for each in waited.values()), waited
        assert await number(gateway)
        # Nobody has waited since: the alarm that is left over from then refuses nobody, and one is set for who comes.
        async with gateway.connection():
            await asyncio.sleep(0.25)
            began = time.monotonic()
            with pytest.raises(PoolTimeout):
                await gateway.execute(NUMBER)
            assert 0.19 < time.monotonic() - began < 0.4


async def test_line_has_an_end(url: str, monkeypatch: pytest.MonkeyPatch):
    async with PostgresGateway(url, max_connections=1) as gateway:
        object.__setattr__(gateway._pool._state.limits, "waiters", 3)
        async with gateway.connection():
            waiting = [asyncio.ensure_future(gateway.execute(NUMBER)) for _ in range(3)]
            await asyncio.sleep(0.01)
            with pytest.raises(PoolTimeout, match="at once: so many callers wait already"):
                await gateway.execute(NUMBER)
        await asyncio.gather(*waiting)


async def test_numbers_tell_what_is_going_on(url: str):
    gateway = PostgresGateway(url, max_connections=2)
    assert gateway.statistics() == PoolStatistics(limit=2, size=0, idle=0, in_use=0, waiting=0)
    async with gateway.connection():
        assert gateway.statistics() == PoolStatistics(limit=2, size=1, idle=0, in_use=1, waiting=0)
        async with gateway.connection():
            task = asyncio.ensure_future(gateway.execute(NUMBER))
            await asyncio.sleep(0)
            assert gateway.statistics() == PoolStatistics(limit=2, size=2, idle=0, in_use=2, waiting=1)
        await task
        assert gateway.statistics() == PoolStatistics(limit=2, size=2, idle=1, in_use=1, waiting=0)
    await gateway.aclose()
    assert gateway.statistics() == PoolStatistics(limit=2, size=0, idle=0, in_use=0, waiting=0)


# A pool of one


async def test_nested_read_of_a_pool_of_one_works_where_the_first_result_fitted(url: str):
    async with PostgresGateway(url, max_connections=1, pool_timeout=0.2) as gateway:
        book = Book(gateway)
        found = []
        async for note in select(Note).from_(Notes).where(Notes.id <= 50).execute(book):
            found.append(await select(Notes.id).where(Notes.text == note.text).one(book))
        assert len(found) == 50


async def test_nested_read_of_a_pool_of_one_is_told_what_to_do_where_it_did_not(url: str):
    async with PostgresGateway(url, max_connections=1, pool_timeout=0.1) as gateway:
        book, seen = Book(gateway), 0
        async for _ in select(Note).from_(Notes).execute(book):
            seen += 1
            if seen in (1, 40):
                with pytest.raises(PoolTimeout, match="HINT: a stream holds its connection until it ends"):
                    await select(Notes.text).first(book)
        assert seen == SEEDS
        assert await select(Notes.id).count(book) == SEEDS


async def test_stream_that_is_left_makes_way_for_the_next_call(url: str):
    """Without another connection, and without a moment's wait for it."""
    async with PostgresGateway(url, max_connections=3, application_name=NAME) as gateway:
        for _ in range(20):
            async for _ in select(Note).from_(Notes).execute(Book(gateway)):
                break
            await number(gateway)
        assert gateway.statistics().size == 1
        async for _ in select(Note).from_(Notes).execute(Book(gateway)):
            break
        assert await settled(url, 1) == [("idle", False)]
        assert is_whole(gateway.statistics())


async def test_every_write_of_a_pool_of_one_works(url: str):
    async with PostgresGateway(url, max_connections=1, pool_timeout=1) as gateway:
        chance = random.Random(1)
        for work in WORK:
            await work(gateway, chance)
            assert is_whole(gateway.statistics())


# How long one lives


async def test_connection_is_replaced_when_it_is_old(url: str):
    async with PostgresGateway(url, max_lifetime=0.15) as gateway:
        first = await number(gateway)
        assert await number(gateway) == first
        await asyncio.sleep(0.3)
        assert gateway.statistics().size == 0
        assert await number(gateway) != first


async def test_connection_that_is_in_use_when_it_is_old_is_replaced_when_it_comes_back(url: str):
    async with PostgresGateway(url, max_lifetime=0.1) as gateway:
        async with gateway.connection() as connection:
            await connection.execute(NUMBER)
            await asyncio.sleep(0.2)
            await connection.execute(NUMBER)
        assert gateway.statistics().size == 0


async def test_connections_that_a_peak_has_left_over_are_closed(url: str):
    async with PostgresGateway(url, max_idle=0.3, application_name=NAME) as gateway:
        await asyncio.gather(*[gateway.execute(RawSql("SELECT pg_sleep(0.05)")) for _ in range(5)])
        assert gateway.statistics().size == 5
        until = time.monotonic() + 0.6
        while time.monotonic() < until:
            await gateway.execute(NUMBER)
            await asyncio.sleep(0.01)
        assert gateway.statistics().size == 1
        await asyncio.sleep(0.5)
        assert gateway.statistics().size == 0
        await settled(url, 0)


async def test_lifetimes_of_connections_opened_together_differ(url: str):
    async with PostgresGateway(url, max_connections=4) as gateway:
        await asyncio.gather(*[gateway.execute(RawSql("SELECT pg_sleep(0.02)")) for _ in range(4)])
        born = [each.born for each in gateway._pool._state.idle]
        assert max(born) - min(born) > 1


async def test_connection_that_was_opened_while_the_gateway_was_closed_does_not_stay(url: str):
    gateway = PostgresGateway(url, application_name=NAME)
    task = asyncio.ensure_future(gateway.execute(NUMBER))
    await asyncio.sleep(0)
    await gateway.aclose()
    await task
    await settled(url, 0)
    assert gateway.statistics().size == 0


# Event loops


async def test_two_loops_at_once_are_refused_whatever_is_asked(gateway: PostgresGateway):
    await number(gateway)

    def elsewhere() -> None:
        for work in (*WORK, lambda gateway, chance: gateway.aclose()):
            with pytest.raises(WrongLoop, match="another event loop"):
                asyncio.run(_once(gateway, work))

    await asyncio.to_thread(elsewhere)
    assert await number(gateway)


async def _once(gateway: PostgresGateway, work) -> object:
    return await work(gateway, random.Random(1))


def test_loops_one_after_the_other_get_fresh_connections(databases):
    url = asyncio.run(databases.create())
    gateway = PostgresGateway(url, max_connections=2, application_name=NAME)

    async def first() -> int:
        await Book(gateway).push_schema()
        await written(*[f"n{each}" for each in range(200)]).commit(Book(gateway))
        left.append(select(Note).from_(Notes).execute(Book(gateway)))
        await anext(left[0])
        return await number(gateway)

    async def second() -> int:
        assert gateway.statistics().limit == 2
        found = await number(gateway)
        assert await select(Notes.id).count(Book(gateway)) == 200
        left.clear()
        assert is_whole(gateway.statistics())
        await gateway.aclose()
        await settled(url, 0)
        return found

    left: list = []
    assert asyncio.run(first()) != asyncio.run(second())
    asyncio.run(databases.drop(url))


def test_loops_that_take_turns_are_kept_apart(databases):
    """Two loops of one thread, neither of which has ended: each abandons what the other has left, and nothing breaks."""
    url = asyncio.run(databases.create())
    gateway = PostgresGateway(url, max_connections=2, application_name=NAME)
    one, two = asyncio.new_event_loop(), asyncio.new_event_loop()
    many = RawSql("SELECT generate_series(1, 500)")
    hold = gateway.connection()
    connection = one.run_until_complete(hold.__aenter__())
    rows = connection.stream(many, 100)
    assert one.run_until_complete(anext(rows))
    assert two.run_until_complete(gateway.execute(RawSql("SELECT 1"))).rows == [(1,)]
    assert one.run_until_complete(anext(rows))
    one.run_until_complete(rows.aclose())  # type: ignore[attr-defined]  # it is a generator
    one.run_until_complete(hold.__aexit__(None, None, None))
    assert is_whole(gateway.statistics())
    assert one.run_until_complete(gateway.execute(RawSql("SELECT 1"))).rows == [(1,)]
    assert is_whole(gateway.statistics())
    one.run_until_complete(gateway.aclose())
    assert one.run_until_complete(backends(url)) == []
    for loop in (one, two):
        loop.close()
    asyncio.run(databases.drop(url))


def test_loop_of_another_kind_is_refused():
    gateway = PostgresGateway("postgresql://localhost/x")
    for work in (number, PostgresGateway.aclose):
        with pytest.raises(Unsupported, match="runs on asyncio"):
            trio.run(work, gateway)
