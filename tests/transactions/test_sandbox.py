"""A sandbox leaves nothing behind, and within it everything works as outside of one."""

import asyncio

import attrs
import pytest

from gateways.postgres import PostgresGateway
from mapper import (
    Column,
    QueryError,
    Relation,
    Repository,
    TransactionClosed,
    UniqueViolation,
    column,
    fn,
    select,
)
from mapper.gateway import Gateway
from tests.servers.fixtures import Databases
from tests.transactions.stores import databases, store

__all__ = ["databases", "store"]


@attrs.frozen
class Account:
    name: str
    balance: int = 0


class Accounts(Relation[Account]):
    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(unique=True)
    balance: Column[int]


class Bank(Repository[Accounts]): ...


NAMES = select(Accounts.name).order_by(Accounts.id)


@pytest.fixture
async def bank(store: Gateway) -> Bank:
    bank = Bank(store)
    await bank.push_schema()
    await add(bank, "kept")
    return bank


async def add(bank: Bank, *names: str) -> None:
    changes = Bank.change()
    changes.inserts(Accounts).extend([Account(name) for name in names])
    await changes.commit(bank)


@pytest.mark.feature("N6")
async def test_sandbox_undoes_everything_at_its_end(bank: Bank, store: Gateway):
    async with bank.sandbox() as box:
        assert type(box) is Bank
        await add(box, "a", "b")
        async with box.transaction() as tx:
            await add(tx, "c")
        await box.load(Accounts, [Account("d")])
        assert await NAMES.all(box) == ["kept", "a", "b", "c", "d"]
    assert await NAMES.all(bank) == ["kept"]
    assert store.statistics().in_use == 0


@pytest.mark.feature("N6")
async def test_sandbox_whose_block_raises_undoes_everything(bank: Bank):
    with pytest.raises(ZeroDivisionError):
        async with bank.sandbox() as box:
            await add(box, "a")
            raise ZeroDivisionError
    assert await NAMES.all(bank) == ["kept"]


@pytest.mark.feature("N6")
async def test_failed_commit_in_a_sandbox_undoes_itself_alone(bank: Bank):
    async with bank.sandbox() as box:
        await add(box, "a")
        with pytest.raises(UniqueViolation):
            await add(box, "b", "a")
        with pytest.raises(UniqueViolation):
            await add(box, "kept")
        assert await NAMES.all(box) == ["kept", "a"]
        await add(box, "c")
        assert await NAMES.all(box) == ["kept", "a", "c"]
    assert await NAMES.all(bank) == ["kept"]


@pytest.mark.feature("N6")
async def test_transaction_in_a_sandbox_commits_rolls_back_and_nests(bank: Bank):
    called: list[str] = []
    async with bank.sandbox() as box:
        with pytest.raises(ZeroDivisionError):
            async with box.transaction() as tx:
                await add(tx, "lost")
                tx.after_commit(lambda: called.append("lost"))
                raise ZeroDivisionError
        async with box.transaction(isolation="serializable") as tx:
            await add(tx, "a")
            tx.after_commit(lambda: called.append("a"))
            with pytest.raises(UniqueViolation):
                async with tx.transaction() as inner:
                    await add(inner, "b", "kept")
            async with tx.transaction() as inner:
                await add(inner, "c")
            assert called == []
        assert called == ["a"]
        assert await NAMES.all(box) == ["kept", "a", "c"]
        assert await box.run(lambda tx: NAMES.count(tx)) == 3
    assert await NAMES.all(bank) == ["kept"]


@pytest.mark.feature("N6", "N2")
async def test_once_in_a_sandbox_is_undone_with_it(bank: Bank):
    async def pay(bank: Bank) -> int:
        changes = Bank.change()
        changes.inserts(Accounts).push(Account("paid"))
        return (await changes.commit(bank, once="order-1")).inserted

    async with bank.sandbox() as box:
        assert await pay(box) == await pay(box) == 1
        assert await NAMES.all(box) == ["kept", "paid"]
    assert await pay(bank) == 1
    assert await NAMES.all(bank) == ["kept", "paid"]


@pytest.mark.feature("N6")
async def test_stream_in_a_sandbox_sees_what_was_written(bank: Bank):
    async with bank.sandbox() as box:
        await add(box, *[f"n{number}" for number in range(700)])
        seen = 0
        async for _ in NAMES.execute(box):
            seen += 1
            if seen % 100 == 0:
                assert await select(fn.count()).from_(Accounts).one(box) == 701
        assert seen == 701
        async for name in NAMES.execute(box):
            assert name == "kept"
            break
    assert await NAMES.all(bank) == ["kept"]


@pytest.mark.feature("N6")
async def test_tasks_in_a_sandbox_take_turns(bank: Bank):
    async with bank.sandbox() as box:

        async def work(number: int) -> None:
            async with box.transaction() as tx:
                await add(tx, f"t{number}")
                await asyncio.sleep(0)
                await NAMES.all(tx)

        await asyncio.gather(*[work(number) for number in range(8)], *[NAMES.all(box) for _ in range(8)])
        assert await NAMES.count(box) == 9
    assert await NAMES.all(bank) == ["kept"]


@pytest.mark.feature("N6")
async def test_cancelled_task_in_a_sandbox_undoes_its_transaction_alone(bank: Bank):
    async with bank.sandbox() as box:
        entered = asyncio.Event()

        async def work() -> None:
            async with box.transaction() as tx:
                await add(tx, "lost")
                entered.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(work())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await add(box, "a")
        assert await NAMES.all(box) == ["kept", "a"]
    assert await NAMES.all(bank) == ["kept"]


@pytest.mark.feature("N6")
async def test_sandbox_in_a_sandbox_is_undone_alone(bank: Bank):
    async with bank.sandbox() as box:
        await add(box, "a")
        async with box.sandbox() as inner:
            await add(inner, "b")
            assert await NAMES.all(inner) == ["kept", "a", "b"]
        assert await NAMES.all(box) == ["kept", "a"]
    assert await NAMES.all(bank) == ["kept"]


async def test_sandbox_after_its_end_is_refused(bank: Bank):
    async with bank.sandbox() as box:
        pass
    with pytest.raises(TransactionClosed, match="after its end"):
        await NAMES.all(box)


async def test_sandbox_of_a_transaction_is_refused(bank: Bank):
    async with bank.transaction() as tx:
        with pytest.raises(QueryError, match="a sandbox within a transaction"):
            async with tx.sandbox():
                pass


async def test_second_transaction_of_one_task_in_a_sandbox_is_refused(bank: Bank):
    async with bank.sandbox() as box, box.transaction():
        with pytest.raises(QueryError, match="same sandbox and task"):
            async with box.transaction():
                pass


@pytest.mark.feature("N6")
async def test_sandboxes_in_parallel_do_not_see_each_other(databases: Databases):
    url = await databases.create()
    async with PostgresGateway(url, max_connections=8) as gateway:
        bank = Bank(gateway)
        await bank.push_schema()

        async def test(number: int) -> list[str]:
            async with bank.sandbox() as box:
                await add(box, f"only {number}")
                await asyncio.sleep(0.01)
                return await NAMES.all(box)

        found = await asyncio.gather(*[test(number) for number in range(8)])
        assert found == [[f"only {number}"] for number in range(8)]
        assert await NAMES.all(bank) == []
        assert gateway.statistics().in_use == 0
    await databases.drop(url)


@pytest.mark.feature("N6")
@pytest.mark.parametrize("within", [False, True], ids=["alone", "in a transaction"])
async def test_operation_that_is_cancelled_in_a_sandbox_costs_that_operation_alone(bank: Bank, within: bool):
    async with bank.sandbox() as box:
        await add(box, "before")
        for turns in range(12):
            task = asyncio.ensure_future(_added(box, f"cancelled {turns}", within=within))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() or turns > 3
        await add(box, "after")
        names = await NAMES.all(box)
        assert [each for each in names if not each.startswith("cancelled")] == ["kept", "before", "after"]
    assert await NAMES.all(bank) == ["kept"]


async def _added(box: Bank, name: str, *, within: bool) -> None:
    if not within:
        await add(box, name)
        return
    async with box.transaction() as tx:
        await add(tx, name)


@pytest.mark.feature("N6")
async def test_stream_that_is_cancelled_in_a_sandbox_costs_the_stream_alone(bank: Bank):
    async with bank.sandbox() as box:
        await box.load(Accounts, [Account(f"a{number}") for number in range(3000)])

        async def read() -> None:
            async for _ in NAMES.execute(box):
                await asyncio.sleep(0)

        task = asyncio.ensure_future(read())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        await add(box, "after")
        assert await NAMES.count(box) == 3002


@pytest.mark.feature("N6", "B15")
async def test_load_in_a_sandbox_tells_the_row_that_was_refused(bank: Bank):
    async with bank.sandbox() as box:
        with pytest.raises(UniqueViolation) as caught:
            await box.load(Accounts, [Account(name) for name in ["a", "b", "c", "kept", "d"]], chunk=2)
        assert (caught.value.row, caught.value.rows_done) == (3, 2)
        assert await NAMES.all(box) == ["kept", "a", "b"]
