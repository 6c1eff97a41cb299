"""Advisory locks on a real server: exclusion, sharing, limits, and that none is left behind."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import blake2b

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway, advisory_lock, try_advisory_lock
from gateways.postgres.locks import number_of
from mapper import select
from mapper.errors import ConnectionLost, LockTimeout, PoolTimeout, QueryError, RolledBack, Unsupported
from mapper.testing import RecordingGateway
from tests.postgres.relations import Book, Notes, written


@pytest.fixture
async def gateway(postgres_url: str) -> AsyncIterator[PostgresGateway]:
    async with PostgresGateway(postgres_url, max_connections=3, application_name="under test") as gateway:
        await Book(gateway).push_schema()
        yield gateway


@pytest.fixture
async def other(postgres_url: str) -> AsyncIterator[PostgresGateway]:
    async with PostgresGateway(postgres_url, max_connections=2) as gateway:
        yield gateway


async def locks(url: str) -> list[tuple[str, bool]]:
    """Return the advisory locks that are held or waited for: their modes, and whether they are held."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT mode, granted FROM pg_locks WHERE locktype = 'advisory' AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY granted DESC, mode"
        )
        return [(row[0], row[1]) for row in rows]
    finally:
        await connection.close()


async def locked(url: str, expected: int) -> None:
    """Wait until so many locks are held or waited for."""
    for _ in range(500):
        if len(await locks(url)) == expected:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"the server has {await locks(url)}, expected {expected}")


async def test_lock_is_held_for_the_block_and_by_one_at_a_time(
    gateway: PostgresGateway, other: PostgresGateway, postgres_url: str
):
    order: list[str] = []

    async def work(name: str, on: PostgresGateway) -> None:
        async with advisory_lock(on, "report"):
            order.append(f"{name} begins")
            await asyncio.sleep(0.01)
            order.append(f"{name} ends")

    await asyncio.gather(*[work(str(each), gateway if each % 2 else other) for each in range(4)])
    assert [each.split()[1] for each in order] == ["begins", "ends"] * 4
    assert await locks(postgres_url) == []
    assert gateway.statistics().in_use == 0


async def test_lock_that_is_taken_is_not_waited_for_by_try(gateway: PostgresGateway, other: PostgresGateway):
    async with advisory_lock(gateway, 7):
        async with try_advisory_lock(other, 7) as taken:
            assert not taken
            assert other.statistics().in_use == 0
        async with try_advisory_lock(other, 8) as taken:
            assert taken
    async with try_advisory_lock(other, 7) as taken:
        assert taken


async def test_shared_locks_go_together_and_exclude_others(gateway: PostgresGateway, other: PostgresGateway):
    async with (
        advisory_lock(gateway, "x", shared=True),
        advisory_lock(other, "x", shared=True),
        try_advisory_lock(gateway, "x") as taken,
    ):
        assert not taken
    async with try_advisory_lock(gateway, "x") as taken:
        assert taken


async def test_repository_and_wrapped_gateway_lock(gateway: PostgresGateway, postgres_url: str):
    async with advisory_lock(Book(RecordingGateway(gateway)), "x"):
        assert await locks(postgres_url) == [("ExclusiveLock", True)]


async def test_work_within_the_block_goes_over_other_connections(gateway: PostgresGateway):
    async with advisory_lock(gateway, "x"):
        await written("a").commit(Book(gateway))
        assert await select(Notes.text).all(Book(gateway)) == ["a"]


async def test_block_with_a_pool_of_one_does_not_hang(postgres_url: str):
    async with PostgresGateway(postgres_url, max_connections=1, pool_timeout=0.1) as gateway:
        async with advisory_lock(gateway, "x"):
            with pytest.raises(PoolTimeout):
                await select(Notes).count(Book(gateway))
        assert gateway.statistics().in_use == 0


async def test_failed_block_releases_the_lock(gateway: PostgresGateway, postgres_url: str):
    with pytest.raises(ValueError, match="no"):
        async with advisory_lock(gateway, "x"):
            raise ValueError("no")
    assert await locks(postgres_url) == []


async def test_cancelled_block_releases_the_lock(gateway: PostgresGateway, postgres_url: str):
    async def work() -> None:
        async with advisory_lock(gateway, "x"):
            await asyncio.sleep(60)

    working = asyncio.create_task(work())
    await locked(postgres_url, 1)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert await locks(postgres_url) == []
    assert gateway.statistics().in_use == 0


async def test_cancelled_wait_leaves_no_lock_and_nobody_waiting_at_the_server(
    gateway: PostgresGateway, other: PostgresGateway, postgres_url: str
):
    async with advisory_lock(other, "x"):
        waiting = asyncio.create_task(advisory_lock(gateway, "x").__aenter__())
        await locked(postgres_url, 2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await locked(postgres_url, 1)
    assert await locks(postgres_url) == []
    assert gateway.statistics().in_use == 0


async def test_cancellation_at_any_moment_leaves_no_lock(gateway: PostgresGateway, postgres_url: str):
    async def work() -> None:
        async with advisory_lock(gateway, "x"):
            await asyncio.sleep(0)

    for turns in range(60):
        working = asyncio.create_task(work())
        for _ in range(turns % 20):
            await asyncio.sleep(0)
        await asyncio.sleep(0.0001 * (turns // 20))
        working.cancel()
        await asyncio.wait({working})
    await locked(postgres_url, 0)
    assert gateway.statistics().in_use == 0
    async with advisory_lock(gateway, "x", timeout=5):
        pass


async def test_wait_that_takes_too_long_is_an_error(
    gateway: PostgresGateway, other: PostgresGateway, postgres_url: str
):
    async with advisory_lock(other, "x"):
        with pytest.raises(LockTimeout):
            await advisory_lock(gateway, "x", timeout=0.05).__aenter__()
    async with gateway.connection() as connection:
        assert await connection.driver.fetchval("SHOW lock_timeout") == "0"
    assert await locks(postgres_url) == []


async def test_lost_connection_ends_the_block_with_an_error(gateway: PostgresGateway, postgres_url: str):
    killer = await asyncpg.connect(postgres_url)
    with pytest.raises(ConnectionLost, match="the lock with it"):
        async with advisory_lock(gateway, "x"):
            await killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'under test'"
            )
            await asyncio.sleep(30)
    await killer.close()
    assert gateway.statistics().in_use == 0
    assert not asyncio.current_task().cancelling()  # type: ignore[union-attr]  # within a task


async def test_lock_of_a_transaction_is_held_until_it_ends(gateway: PostgresGateway, postgres_url: str):
    async with Book(gateway).transaction() as tx:
        assert await advisory_lock(tx, "x")
        async with advisory_lock(tx, "y", shared=True) as taken:
            assert taken
        assert await locks(postgres_url) == [("ExclusiveLock", True), ("ShareLock", True)]
        assert gateway.statistics().in_use == 1
    assert await locks(postgres_url) == []


async def test_try_of_a_transaction_tells_whether_it_has_the_lock(gateway: PostgresGateway, other: PostgresGateway):
    async with advisory_lock(other, "x"), Book(gateway).transaction() as tx:
        assert not await try_advisory_lock(tx, "x")
        assert await try_advisory_lock(tx, "y")


async def test_savepoint_that_is_undone_releases_its_lock(gateway: PostgresGateway, postgres_url: str):
    async with Book(gateway).transaction() as tx:
        with pytest.raises(ValueError, match="undo"):
            async with tx.transaction() as inner:
                await advisory_lock(inner, "x")
                raise ValueError("undo")
        assert await locks(postgres_url) == []


async def test_timeout_of_a_transactions_lock_dooms_it_and_holds_for_nothing_else(
    gateway: PostgresGateway, other: PostgresGateway
):
    async with advisory_lock(other, "x"):
        with pytest.raises(RolledBack):
            async with Book(gateway).transaction() as tx:
                with pytest.raises(LockTimeout):
                    await advisory_lock(tx, "x", timeout=0.05)
        async with Book(gateway).transaction() as tx:
            await advisory_lock(tx, "y", timeout=0.05)
            async with gateway.connection():
                shown = await tx._executor.connection.driver.fetchval("SHOW lock_timeout")  # type: ignore[attr-defined]
                assert shown == "0"


async def test_many_programs_make_one_schema_at_once(postgres_url: str):
    gateways = [PostgresGateway(postgres_url, max_connections=1) for _ in range(8)]
    for _ in range(3):
        await asyncio.gather(*[Book(each).push_schema() for each in gateways])
        await asyncio.gather(*[Book(each).reset_schema() for each in gateways])
    for each in gateways:
        await each.aclose()


async def test_lock_of_a_gateway_cannot_be_awaited(gateway: PostgresGateway):
    with pytest.raises(QueryError, match="nothing would release it"):
        await advisory_lock(gateway, "x")


async def test_block_is_entered_once(gateway: PostgresGateway):
    lock = advisory_lock(gateway, "x")
    async with lock:
        pass
    with pytest.raises(QueryError, match="twice"):
        await lock.__aenter__()


@pytest.mark.parametrize("key", [True, 2**63, -(2**63) - 1, 1.5, None, b"x", "\ud800"])
def test_key_that_is_none_is_refused(key: int):
    with pytest.raises(QueryError, match="key of the lock"):
        _ = advisory_lock(PostgresGateway("postgresql://nowhere/none"), key)


@pytest.mark.parametrize("timeout", [0, -1, True])
def test_timeout_that_is_none_is_refused(timeout: float):
    with pytest.raises(QueryError, match="timeout"):
        _ = advisory_lock(PostgresGateway("postgresql://nowhere/none"), 1, timeout=timeout)


def test_other_gateway_is_refused():
    with pytest.raises(Unsupported, match="memory"):
        _ = advisory_lock(MemoryGateway(), "x")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_number_of_text_is_of_64_bits_and_its_digest(text: str):
    digest = blake2b(text.encode(), digest_size=8).digest()
    assert number_of(text).to_bytes(8, "big", signed=True) == digest


def test_number_of_text_never_changes():
    assert number_of("nightly report") == -1898891830951415930
