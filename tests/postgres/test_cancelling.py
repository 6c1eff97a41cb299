"""
Cancellation at every await, in the driver's code and in ours: nothing leaks, nothing is left open, nothing is half done.

`MAPPER_TEST_HYPOTHESIS=long` cancels ten times as often.
"""

import asyncio
import gc
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from gateways.postgres import PostgresGateway
from mapper.errors import MapperError, PoolTimeout
from mapper.operations import RawSql, Result, Transaction
from mapper.selecting import select
from tests.postgres.backends import NAME, backends, busy, settled
from tests.postgres.relations import Book, Note, Notes, written
from tests.postgres.torture import SEEDS, WORK, Cut, Strange, Work, is_whole, nested
from tests.servers import Proxy

pytestmark = pytest.mark.feature("T26", "T27")

CANCELLATIONS = 20_000 if os.environ.get("MAPPER_TEST_HYPOTHESIS") == "long" else 2_000
TASKS = 8


@pytest.fixture
async def gateway(postgres_url: str) -> AsyncIterator[PostgresGateway]:
    gateway = PostgresGateway(postgres_url, max_connections=4, application_name=NAME, pool_timeout=3, sslmode="disable")
    await Book(gateway).push_schema()
    await written(*[f"seed{each}" for each in range(SEEDS)]).commit(Book(gateway))
    yield gateway
    await gateway.aclose()


async def cut(work: Work, gateway: PostgresGateway, chance: random.Random) -> tuple[object, bool]:
    """Do work that is cancelled anywhere, and return what came of it and whether it was to end as cancelled."""
    later = chance.choice((0.0, 0.0, chance.random() * 0.004))
    cutting = Cut(_as_coroutine(work, gateway, chance), 1 + int(chance.expovariate(1 / 8)), later)

    async def whole() -> object:
        return await cutting

    (outcome,) = await asyncio.gather(asyncio.ensure_future(whole()), return_exceptions=True)
    return outcome, cutting.done


async def _as_coroutine(work: Work, gateway: PostgresGateway, chance: random.Random) -> object:
    return await work(gateway, chance)


async def tortured(gateway: PostgresGateway, chance: random.Random, count: int) -> Counter[str]:
    """
    Cancel so much work, several pieces at a time, and return how often each kind was.

    Where as many as there are connections hold one and ask for another, nobody gets one for a while.
    """
    ended: Counter[str] = Counter()
    while sum(ended.values()) < count:
        kinds = [chance.choice(WORK) for _ in range(TASKS)]
        outcomes = await asyncio.gather(*[cut(each, gateway, random.Random(chance.random())) for each in kinds])
        for kind, (outcome, cancelled) in zip(kinds, outcomes, strict=True):
            if cancelled:
                assert isinstance(outcome, asyncio.CancelledError), f"{kind.__name__} ended with {outcome!r}"
                ended[kind.__name__] += 1
            elif not (isinstance(outcome, PoolTimeout) and kinds.count(nested) >= gateway.statistics().limit):
                assert not isinstance(outcome, BaseException), f"{kind.__name__} ended with {outcome!r}"
        assert is_whole(gateway.statistics()), gateway.statistics()
    return ended


@pytest.mark.timeout(180 * CANCELLATIONS / 2000)
async def test_thousands_of_cancellations_leave_nothing_behind(gateway: PostgresGateway, postgres_url: str):
    strange = Strange()
    asyncio.get_running_loop().set_exception_handler(strange)
    ended = await tortured(gateway, random.Random(20261121), CANCELLATIONS)
    assert set(ended) == {each.__name__ for each in WORK}
    await settled(postgres_url, gateway.statistics().size)
    assert is_whole(gateway.statistics())
    await as_if_nothing_had_happened(gateway)
    await gateway.aclose()
    await settled(postgres_url, 0)
    gc.collect()
    assert strange.told == []


async def test_cancellations_in_debug_mode_leave_nothing_behind(gateway: PostgresGateway, postgres_url: str):
    strange, loop = Strange(), asyncio.get_running_loop()
    loop.set_exception_handler(strange)
    loop.set_debug(True)
    loop.slow_callback_duration = 60
    await tortured(gateway, random.Random(3), 150)
    await settled(postgres_url, gateway.statistics().size)
    await as_if_nothing_had_happened(gateway)
    await gateway.aclose()
    gc.collect()
    assert strange.told == []


async def as_if_nothing_had_happened(gateway: PostgresGateway) -> None:
    """What is there is whole, and every connection works and is as new."""
    book = Book(gateway)
    texts = await select(Notes.text).all(book)
    counted = Counter(each.rpartition(":")[0] for each in texts if each.startswith("pair:"))
    assert [name for name, number in counted.items() if number != 2] == []
    many = Counter(each.partition(":")[0] for each in texts if each.startswith("many"))
    assert {*many.values()} <= {250}
    assert not [each for each in texts if each.startswith("never")]
    assert len([each for each in texts if each.startswith("seed")]) == SEEDS

    async def state() -> list[tuple[object, ...]]:
        shown = await gateway.execute(
            RawSql(
                "SELECT current_setting('search_path'), to_regclass('pg_temp.left_over')::text, pg_sleep(0.05)::text,"
                " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')"
            )
        )
        return [tuple(each) for each in shown.rows]

    states = await asyncio.gather(*[state() for _ in range(4)])
    assert states == [[('"$user", public', None, "", 0)]] * 4


# One by one


@pytest.mark.parametrize("work", WORK, ids=lambda each: each.__name__.strip("_"))
async def test_cancelled_at_each_await_in_turn(gateway: PostgresGateway, work: Work):
    """As often as there are awaits, at most."""
    at, chance = 0, random.Random(5)
    cutting = None
    while at < 60 and (cutting is None or cutting.done):
        at += 1
        cutting = Cut(_as_coroutine(work, gateway, chance), at)
        (outcome,) = await asyncio.gather(asyncio.ensure_future(_awaited(cutting)), return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError) is cutting.done, repr(outcome)
        assert is_whole(gateway.statistics()), (at, gateway.statistics())
    assert at > 1
    assert await select(Notes.id).where(Notes.text == "seed7").count(Book(gateway)) == 1


async def _awaited(work: Cut) -> object:
    return await work


async def test_cancelled_read_does_not_go_on_at_the_server(gateway: PostgresGateway, postgres_url: str):
    task = asyncio.ensure_future(gateway.execute(RawSql("SELECT pg_sleep(30)")))
    await busy(postgres_url, 1)
    task.cancel()
    async with asyncio.timeout(1):
        await asyncio.wait([task])
    await settled(postgres_url, 0)
    assert await select(Notes.id).count(Book(gateway)) == SEEDS


async def test_cancelled_write_is_over_at_the_server_when_its_task_ends(gateway: PostgresGateway, postgres_url: str):
    async with gateway.connection() as other:
        await other.execute(Transaction("start"))
        await other.execute(RawSql("LOCK TABLE notes"))
        task = asyncio.ensure_future(gateway.execute(RawSql("INSERT INTO notes (text) VALUES ('raw')")))
        await busy(postgres_url, 2)
        task.cancel()
        async with asyncio.timeout(3):
            await asyncio.wait([task])
        assert len([each for each in await backends(postgres_url) if each[1]]) == 1
    assert task.cancelled()
    assert await select(Notes.id).where(Notes.text == "raw").count(Book(gateway)) == 0


async def test_cancelled_transaction_holds_no_lock_when_its_task_ends(gateway: PostgresGateway, postgres_url: str):
    book = Book(gateway)

    async def work() -> None:
        async with book.transaction() as tx:
            await tx._executor.execute(RawSql("UPDATE notes SET text = 'mine' WHERE text = 'seed1'"))
            begun.set()
            await tx._executor.execute(RawSql("SELECT pg_sleep(30)"))

    begun = asyncio.Event()
    task = asyncio.ensure_future(work())
    await begun.wait()
    await busy(postgres_url, 1)
    task.cancel()
    await asyncio.wait([task])
    async with asyncio.timeout(1):
        await gateway.execute(RawSql("SELECT 1 FROM notes WHERE text = 'seed1' FOR UPDATE NOWAIT"))


async def test_cancelled_write_that_is_nearly_done_is_finished(gateway: PostgresGateway, postgres_url: str):
    size = gateway.statistics().size
    task = asyncio.ensure_future(gateway.execute(RawSql("INSERT INTO notes (text) SELECT 'raw' FROM pg_sleep(0.02)")))
    await busy(postgres_url, 1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert await select(Notes.id).where(Notes.text == "raw").count(Book(gateway)) == 1
    assert gateway.statistics().size == size


@pytest.mark.parametrize("how", ["block", "changeset"])
async def test_cancelled_commit_is_finished(gateway: PostgresGateway, postgres_url: str, how: str):
    for text in (
        "CREATE FUNCTION rest() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.15); RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW WHEN (NEW.text = 'new') EXECUTE FUNCTION rest()",
    ):
        await gateway.execute(RawSql(text))

    async def in_a_block() -> None:
        async with Book(gateway).transaction() as tx:
            await written("new").commit(tx)

    work = in_a_block() if how == "block" else written("new").commit(Book(gateway), isolation="repeatable read")
    task = asyncio.ensure_future(work)
    await busy(postgres_url, 1)
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert await select(Notes.id).where(Notes.text == "new").count(Book(gateway)) == 1


@pytest.mark.parametrize("at", ["COMMIT", "INSERT", "ROLLBACK"])
@pytest.mark.parametrize("how", ["block", "changeset"])
async def test_cancellation_is_bounded_though_the_server_is_silent(
    postgres_url: str, at: str, how: str, monkeypatch: pytest.MonkeyPatch
):
    """What cannot be finished is given up: nobody waits for ever behind a shield."""
    monkeypatch.setattr("gateways.postgres.transactions._IN_TIME", _shortly)
    monkeypatch.setattr("gateways.postgres.transactions.ROLLBACK_SECONDS", 0.2)
    monkeypatch.setattr("mapper.transaction.PATIENCE", 0.2)
    async with Proxy.before(postgres_url) as proxy:
        gateway = PostgresGateway(proxy.url_of(postgres_url), application_name=NAME)
        book = Book(gateway)
        await book.push_schema()
        proxy.stall_at(at.encode())

        async def in_a_block() -> None:
            async with book.transaction() as tx:
                await written("a").commit(tx)
                if at == "ROLLBACK":
                    raise ValueError("undo this")

        isolation: Any = None if at == "INSERT" else "serializable"
        changes = written("a", "a") if at == "ROLLBACK" else written("a")
        work = in_a_block() if how == "block" else changes.commit(book, isolation=isolation)
        task = asyncio.ensure_future(work)
        await asyncio.sleep(0.1)
        began = time.monotonic()
        task.cancel()
        async with asyncio.timeout(8):
            await asyncio.wait([task])
        assert task.cancelled()
        assert time.monotonic() - began < 5
        assert is_whole(gateway.statistics())
        proxy.resume()
        assert await select(Notes.id).count(book) in (0, 1)
        await gateway.aclose()


def _shortly(work: object) -> None:
    work.give_up_after(0.2)  # type: ignore[attr-defined]  # it is sheltered work


@pytest.mark.parametrize("kind", ["scope", "timeout", "group"])
async def test_scopes_and_timeouts_that_cancel_writes_end_as_they_should(gateway: PostgresGateway, kind: str):
    book = Book(gateway)
    async with gateway.connection() as other:
        await other.execute(Transaction("start"))
        await other.execute(RawSql("LOCK TABLE notes"))
        match kind:
            case "scope":
                with anyio.move_on_after(0.05) as scope:
                    await written("b").commit(book)
                assert scope.cancelled_caught
            case "timeout":
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await written("b").commit(book)
            case _:
                with pytest.raises(ExceptionGroup) as caught:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(written("b").commit(book))
                        group.create_task(_failing())
                assert [str(each) for each in caught.value.exceptions] == ["enough"]
    assert is_whole(gateway.statistics())
    assert await select(Notes.id).where(Notes.text == "b").count(book) == 0


async def _failing() -> None:
    await asyncio.sleep(0.05)
    raise ValueError("enough")


async def test_loop_that_ends_in_the_middle_of_everything_leaves_no_connection(
    postgres_url: str, gateway: PostgresGateway
):
    """What `asyncio.run` cancels at its end, and what it cancels before it has begun."""

    async def abandoned() -> None:
        other = PostgresGateway(postgres_url, application_name=NAME, max_connections=4)
        book = Book(other)
        kept.append(other)
        for number, work in enumerate((*WORK, *WORK)):
            running.add(asyncio.create_task(_as_coroutine(work, other, random.Random(number))))
        async for _ in select(Note).from_(Notes).execute(book):
            break
        await asyncio.sleep(0.02)

    async def again() -> int:
        found = await select(Notes.id).where(Notes.text == "seed1").count(Book(kept[0]))
        assert is_whole(kept[0].statistics())
        await kept[0].aclose()
        return found

    kept: list[PostgresGateway] = []
    running: set[asyncio.Task[object]] = set()
    await asyncio.to_thread(asyncio.run, abandoned())
    assert await asyncio.to_thread(asyncio.run, again()) == 1
    running.clear()
    gc.collect()
    await settled(postgres_url, gateway.statistics().size)


async def test_block_that_is_left_while_another_task_uses_its_connection_waits_for_it(gateway: PostgresGateway):
    async with gateway.connection() as connection:
        beside = asyncio.ensure_future(connection.execute(RawSql("SELECT 1 FROM pg_sleep(0.1)")))
        queued = asyncio.ensure_future(connection.execute(RawSql("SELECT 2")))
        await asyncio.sleep(0.01)
    assert (await beside).count == 1
    with pytest.raises(MapperError, match="after its block"):
        await queued
    assert is_whole(gateway.statistics())
    assert gateway.statistics().size >= 1


async def test_block_that_is_cancelled_does_not_wait_for_another_task(gateway: PostgresGateway):
    async def work() -> None:
        async with gateway.connection() as connection:
            others.append(asyncio.ensure_future(connection.execute(RawSql("SELECT pg_sleep(30)"))))
            await asyncio.sleep(30)

    others: list[asyncio.Future[Result]] = []
    task = asyncio.ensure_future(work())
    await asyncio.sleep(0.1)
    task.cancel()
    async with asyncio.timeout(2):
        await asyncio.wait([task])
        (outcome,) = await asyncio.gather(*others, return_exceptions=True)
    assert isinstance(outcome, MapperError)
    assert is_whole(gateway.statistics())
