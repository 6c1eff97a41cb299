"""
Transfers between accounts by many tasks at once, while connections are cut, backends killed and tasks cancelled: the
sum never changes, and every caller was told the truth.

`MAPPER_TEST_HYPOTHESIS=long` has each run take a minute.
"""

import asyncio
import os
import random
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper import CommitUnknown, MapperError, RawSql, select
from mapper.gateway import Gateway
from mapper.isolation import Isolation
from tests.bank.accounts import Bank, Ledger, Order, Transfers, audit, changeset, opened, orders, step_by_step
from tests.servers.fixtures import Databases, databases
from tests.servers.proxy import Proxy

__all__ = ["databases"]

pytestmark = pytest.mark.timeout(240)

TASKS = 32
ROOT = Path(__file__).parents[2]
LONG = os.environ.get("MAPPER_TEST_HYPOTHESIS") == "long"
SECONDS = 60.0 if LONG else 1.0
LEVELS: tuple[Isolation, ...] = ("read uncommitted", "read committed", "repeatable read", "serializable")

Do = Callable[[Bank, Order], Awaitable[None]]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    """A store of each kind, with fewer connections than tasks."""
    if request.param == "memory":
        async with MemoryGateway() as memory:
            yield memory
    elif request.param == "sqlite":
        async with SQLiteGateway(":memory:", busy_timeout=20) as sqlite:
            yield sqlite
    else:
        own: Databases = request.getfixturevalue("databases")
        url = await own.create()
        async with PostgresGateway(url, max_connections=8) as postgres:
            yield postgres
        await own.drop(url)


async def worked(bank: Bank, do: Do, *, seed: int, cancels: bool = False, seconds: float = SECONDS) -> Ledger:
    """Have many tasks transfer money for a while, and note what each of them was told."""
    ledger, loop = Ledger(), asyncio.get_running_loop()
    ends = loop.time() + seconds

    async def one(order: Order) -> None:
        ledger.orders[order.name] = order
        try:
            await do(bank, order)
        except CommitUnknown:
            ledger.unknown.add(order.name)
        except MapperError as error:
            ledger.refused[order.name] = repr(error)
        else:
            ledger.done.add(order.name)

    async def teller(number: int) -> None:
        chance = random.Random(seed * 1000 + number)
        batch = 0
        while loop.time() < ends:
            batch += 1
            for order in orders(4, chance, f"{seed} t{number}b{batch}"):
                if not cancels or chance.random() < 0.7:
                    await one(order)
                    continue
                ledger.orders[order.name] = order
                ledger.unknown.add(order.name)
                task = asyncio.ensure_future(one(order))
                await asyncio.sleep(chance.random() * 0.01)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                if order.name in ledger.done or order.name in ledger.refused:
                    ledger.unknown.discard(order.name)

    await asyncio.gather(*[teller(number) for number in range(TASKS)])
    return ledger


async def in_one_go(bank: Bank, order: Order) -> None:
    await changeset(order).commit(bank, retries=20)


def in_steps(isolation: Isolation | None) -> Do:
    async def do(bank: Bank, order: Order) -> None:
        await step_by_step(bank, order, isolation, lambda: asyncio.sleep(0))

    return do


async def once(bank: Bank, order: Order) -> None:
    """Send a transfer again under its id until somebody knows."""
    for _ in range(200):
        try:
            await changeset(order).commit(bank, once=order.name, retries=20)
            return
        except MapperError:
            await asyncio.sleep(0.01)
    raise AssertionError(f"{order} never got through")


@pytest.mark.feature("T26", "N3")
async def test_transfers_in_one_changeset_keep_the_sum(store: Gateway):
    bank = Bank(store)
    await opened(bank)
    ledger = await worked(bank, in_one_go, seed=1, cancels=True)
    await audit(bank, ledger)
    assert len(ledger.done) > TASKS
    assert ledger.refused == {}
    assert store.statistics().in_use == 0


@pytest.mark.feature("T26", "N3")
@pytest.mark.parametrize("isolation", LEVELS)
async def test_transfers_in_steps_keep_the_sum_at_every_level(store: Gateway, isolation: Isolation):
    bank = Bank(store)
    await opened(bank)
    ledger = await worked(bank, in_steps(isolation), seed=2, cancels=True)
    await audit(bank, ledger)
    assert len(ledger.done) > TASKS
    assert store.statistics().in_use == 0


@pytest.mark.feature("N2")
@pytest.mark.parametrize("cancels", [False, True], ids=["", "with cancellations"])
async def test_transfers_with_once_are_applied_once_each(store: Gateway, cancels: bool):
    bank = Bank(store)
    await opened(bank)
    ledger = await worked(bank, once, seed=3, cancels=cancels)
    await resolved(bank, ledger)
    await audit(bank, ledger)
    assert ledger.refused == {}


async def resolved(bank: Bank, ledger: Ledger) -> None:
    """Send every transfer of which nobody knows again under its id, so that each is there exactly one time."""
    for order in [ledger.orders[name] for name in sorted(ledger.unknown)]:
        await once(bank, order)
        ledger.done.add(order.name)
    ledger.unknown.clear()
    assert ledger.done == set(ledger.orders)


KILL = RawSql("""
SELECT pg_terminate_backend(pid) FROM (
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name <> 'quiet' ORDER BY random() LIMIT 1) victim
""")


@asynccontextmanager
async def troubled(databases: Databases, seed: int) -> AsyncGenerator[tuple[Bank, Bank]]:
    """
    Give a bank on a server whose backends are killed at random, behind a proxy that cuts connections right after COMMIT
    was sent, or right before; and the same bank without trouble.
    """
    chance = random.Random(seed)
    url = await databases.create()
    async with (
        Proxy.before(url) as proxy,
        PostgresGateway(proxy.url_of(url), max_connections=8, command_timeout=10) as gateway,
        PostgresGateway(url, max_connections=2, application_name="quiet") as quiet,
    ):
        await opened(Bank(quiet))
        stop = asyncio.Event()

        async def trouble() -> None:
            while not stop.is_set():
                await asyncio.sleep(0.05 + chance.random() * 0.3)
                if chance.random() < 0.7:
                    proxy.drop_at(b"COMMIT", forwards=chance.random() < 0.6)
                else:
                    await quiet.execute(KILL)

        troubling = asyncio.create_task(trouble())
        try:
            yield Bank(gateway), Bank(quiet)
        finally:
            stop.set()
            await troubling
        assert gateway.statistics().in_use == 0
    await databases.drop(url)


@pytest.mark.feature("T26", "N3")
@pytest.mark.parametrize("do", [in_one_go, *[in_steps(level) for level in LEVELS]], ids=["in one changeset", *LEVELS])
async def test_transfers_through_a_troubled_network_tell_the_truth(databases: Databases, do: Do):
    async with troubled(databases, seed=5) as (bank, quiet):
        ledger = await worked(bank, do, seed=4, cancels=True)
        await audit(quiet, ledger)
        assert ledger.done != set()
        assert ledger.unknown | set(ledger.refused) != set()


@pytest.mark.feature("N2")
@pytest.mark.parametrize("cancels", [False, True], ids=["", "with cancellations"])
async def test_transfers_with_once_through_a_troubled_network_are_applied_once_each(
    databases: Databases, cancels: bool
):
    async with troubled(databases, seed=7) as (bank, quiet):
        ledger = await worked(bank, once, seed=6, cancels=cancels)
        assert ledger.done != set()
        assert ledger.refused == {}
        await resolved(quiet, ledger)
        await audit(quiet, ledger)


# Processes on one file


@pytest.mark.feature("T26", "N2", "N3")
async def test_processes_that_are_killed_in_the_middle_leave_whole_transfers(tmp_path: Path):
    """Several processes share a SQLite file; each is killed, and what it told to be done is there."""
    path, ledger = tmp_path / "bank.db", Ledger()
    async with SQLiteGateway(str(path), busy_timeout=20) as gateway:
        bank = Bank(gateway)
        await opened(bank)
        ends = asyncio.get_running_loop().time() + SECONDS
        number = 0
        while not number or asyncio.get_running_loop().time() < ends:
            tellers = [asyncio.create_task(killed(str(path), seed)) for seed in range(number, number + 3)]
            number += len(tellers)
            for told in await asyncio.gather(*tellers):
                ledger.done |= told
            here = await worked(bank, in_one_go, seed=100 + number, seconds=0.1)
            ledger.done |= here.done
            ledger.refused |= here.refused
        there = set(await select(Transfers.name).all(bank))
        ledger.unknown = {name for name in there - ledger.done if name.startswith("process")}
        await audit(bank, ledger)
        assert any(name.startswith("process") for name in ledger.done)
        assert len(ledger.unknown) <= number, "a process has one transfer at a time that it has not told of"


async def killed(path: str, seed: int) -> set[str]:
    """Have a process make transfers, kill it after some, and return the names of those that it told to be done."""
    chance = random.Random(seed)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bank.teller", path, str(seed), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    told: set[str] = set()
    for _ in range(chance.randrange(3, 60)):
        told.add((await process.stdout.readline()).decode().strip())
    await asyncio.sleep(chance.random() * 0.01)
    process.kill()
    rest = (await process.stdout.read()).decode()
    await process.wait()
    told |= {line for line in rest.split("\n")[:-1]}
    return told
