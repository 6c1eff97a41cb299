"""
Cancellation at each message of a transaction, while the server is silent at that very message.

Whatever the task was about to do, it ends as cancelled and soon; nothing is half-done, and no connection is left in a
transaction.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest

from gateways.postgres import PostgresGateway
from mapper.errors import CommitUnknown, TransactionTimeout
from mapper.selecting import select
from tests.postgres.backends import NAME, settled
from tests.postgres.relations import Book, Notes, written
from tests.postgres.torture import Strange, is_whole
from tests.servers import Proxy

pytestmark = [pytest.mark.feature("T26", "T27")]

SOON: float = 5.0
"""Seconds within which a cancelled task ends, though nothing answers."""

MESSAGES = {
    "BEGIN": b"BEGIN",
    "statement": b"new",
    "SAVEPOINT": b"SAVEPOINT",
    "statement in a savepoint": b"UPDATE",
    "RELEASE": b"RELEASE",
    "ROLLBACK TO": b"ROLLBACK TO",
    "COMMIT": b"COMMIT",
    "ROLLBACK": b"ROLLBACK",
}


@pytest.fixture
async def proxy(postgres_url: str) -> AsyncIterator[Proxy]:
    async with Proxy.before(postgres_url) as proxy:
        yield proxy


@pytest.fixture
async def gateway(postgres_url: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PostgresGateway]:
    """A gateway behind a proxy, which loses its patience sooner than others."""
    monkeypatch.setattr("gateways.postgres.transactions._IN_TIME", _shortly)
    monkeypatch.setattr("gateways.postgres.transactions.ROLLBACK_SECONDS", 0.3)
    monkeypatch.setattr("mapper.transaction.PATIENCE", 0.3)
    monkeypatch.setattr("gateways.postgres.connections.RETIRE_SECONDS", 0.3)
    async with PostgresGateway(proxy.url_of(postgres_url), application_name=NAME, sslmode="disable") as gateway:
        await Book(gateway).push_schema()
        await written("old").commit(Book(gateway))
        yield gateway
        proxy.resume()


def _shortly(work: object) -> None:
    work.give_up_after(0.3)  # type: ignore[attr-defined]  # it is sheltered work


def transfer(book: Book, at: str, *, seconds: float | None = None) -> Callable[[], Coroutine[object, object, None]]:
    """Return work that sends every message, and fails inside or outside where that is what sends the one asked for."""

    async def work() -> None:
        async with book.transaction(isolation="repeatable read", timeout=seconds) as tx:
            await written("new").commit(tx)
            try:
                async with tx.transaction() as inner:
                    changes = Book.change()
                    changes.updates(Notes).where(Notes.text == "old").set(Notes.text.to("renewed"))
                    await changes.commit(inner)
                    if at == "ROLLBACK TO":
                        raise ValueError("undo this")
            except ValueError:
                pass
            if at == "ROLLBACK":
                raise ValueError("undo all")

    return work


async def stalled(proxy: Proxy) -> None:
    """Wait until a fault that was ordered has happened."""
    async with asyncio.timeout(5):
        while proxy._faults:  # noqa: ASYNC110  # it is a turn of the loop away
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("forwards", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("at", MESSAGES)
async def test_cancelled_at_a_message_that_is_not_answered(
    gateway: PostgresGateway, proxy: Proxy, postgres_url: str, at: str, forwards: bool
):
    strange, book = Strange(), Book(gateway)
    asyncio.get_running_loop().set_exception_handler(strange)
    proxy.stall_at(MESSAGES[at], forwards=forwards)
    task = asyncio.ensure_future(transfer(book, at)())
    await stalled(proxy)
    await asyncio.sleep(0.01)
    began = time.monotonic()
    task.cancel()
    async with asyncio.timeout(SOON):
        await asyncio.wait([task])
    assert task.cancelled()
    assert time.monotonic() - began < SOON
    assert is_whole(gateway.statistics())
    # What was held back arrives behind all, as on a network that was slow: of COMMIT nobody knows.
    await judged(book, proxy, postgres_url, committed=None if at == "COMMIT" else False)
    assert strange.told == []


@pytest.mark.parametrize("at", MESSAGES)
async def test_cancelled_at_a_message_that_is_answered_late(
    gateway: PostgresGateway, proxy: Proxy, postgres_url: str, at: str
):
    """COMMIT is finished; everything else is undone."""
    book = Book(gateway)
    proxy.stall_at(MESSAGES[at], forwards=True)
    task = asyncio.ensure_future(transfer(book, at)())
    await stalled(proxy)
    task.cancel()
    await asyncio.sleep(0.02)
    proxy.resume()
    async with asyncio.timeout(SOON):
        await asyncio.wait([task])
    assert task.cancelled()
    await judged(book, proxy, postgres_url, committed=at == "COMMIT")


@pytest.mark.parametrize("at", [each for each in MESSAGES if each != "ROLLBACK"])
async def test_time_of_the_block_is_over_at_a_message(
    gateway: PostgresGateway, proxy: Proxy, postgres_url: str, at: str
):
    book = Book(gateway)
    proxy.stall_at(MESSAGES[at], forwards=False)
    with pytest.raises(CommitUnknown if at == "COMMIT" else TransactionTimeout):
        async with asyncio.timeout(SOON):
            await transfer(book, at, seconds=0.2)()
    await judged(book, proxy, postgres_url, committed=None if at == "COMMIT" else False)


async def test_cancelled_while_it_waits_for_something_else_and_the_server_is_silent(
    gateway: PostgresGateway, proxy: Proxy, postgres_url: str
):
    book = Book(gateway)
    inside = asyncio.Event()

    async def work() -> None:
        async with book.transaction() as tx:
            await written("new").commit(tx)
            async with tx.transaction() as inner:
                await written("too").commit(inner)
                inside.set()
                await asyncio.sleep(30)

    task = asyncio.ensure_future(work())
    await inside.wait()
    proxy.stall()
    task.cancel()
    async with asyncio.timeout(SOON):
        await asyncio.wait([task])
    assert task.cancelled()
    await judged(book, proxy, postgres_url, committed=False)


async def judged(book: Book, proxy: Proxy, url: str, *, committed: bool | None) -> None:
    """All or nothing is there, either of them where None is given, no backend is in a transaction, and the gateway works at its first try."""
    proxy.forget()
    proxy.resume()
    await settled(url, 1)
    async with asyncio.timeout(SOON):
        texts = sorted(await select(Notes.text).all(book))
    done, undone = ["new", "renewed"], ["old"]
    assert texts in ({True: [done], False: [undone], None: [done, undone]}[committed])
    assert (await written("afterwards").commit(book)).inserted == 1
    assert is_whole(book._executor.gateway.statistics())
