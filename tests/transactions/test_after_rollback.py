"""What waits for a rollback runs after it, and only then; a repository can be bound to another gateway."""

import pytest

from gateways.memory import MemoryGateway
from mapper import CommitUnknown, QueryError, select
from mapper.testing import FaultyGateway
from tests.transactions.test_sandbox import Account, Accounts, Bank, add


@pytest.fixture
async def bank() -> Bank:
    bank = Bank(MemoryGateway())
    await bank.push_schema()
    return bank


@pytest.mark.feature("T26")
async def test_after_rollback_runs_once_rolled_back_in_order(bank: Bank):
    called: list[object] = []

    async def look() -> None:
        called.append(await select(Accounts.name).all(bank))

    with pytest.raises(ZeroDivisionError):
        async with bank.transaction() as tx:
            await add(tx, "lost")
            tx.after_rollback(look)
            tx.after_rollback(lambda: called.append("second"))
            tx.after_commit(lambda: called.append("never"))
            raise ZeroDivisionError
    assert called == [[], "second"]


async def test_after_rollback_of_a_commit_is_not_called(bank: Bank):
    called: list[str] = []
    async with bank.transaction() as tx:
        tx.after_rollback(lambda: called.append("outer"))
        async with tx.transaction() as inner:
            inner.after_rollback(lambda: called.append("inner"))
    assert called == []


async def test_after_rollback_of_a_nested_block_runs_with_whatever_undid_it(bank: Bank):
    called: list[str] = []
    with pytest.raises(ZeroDivisionError):
        async with bank.transaction() as tx:
            with pytest.raises(KeyError):
                async with tx.transaction() as inner:
                    inner.after_rollback(lambda: called.append("undone at once"))
                    raise KeyError
            assert called == ["undone at once"]
            async with tx.transaction() as inner:
                inner.after_rollback(lambda: called.append("undone later"))
            raise ZeroDivisionError
    assert called == ["undone at once", "undone later"]


async def test_after_rollback_that_fails_becomes_a_note_of_the_error(bank: Bank):
    def fail() -> None:
        raise KeyError("why")

    with pytest.raises(ZeroDivisionError) as raised:
        async with bank.transaction() as tx:
            tx.after_rollback(fail)
            raise ZeroDivisionError
    assert raised.value.__notes__ == ["a callback after the rollback failed: KeyError('why')"]


async def test_after_rollback_of_an_unknown_outcome_is_not_called(bank: Bank):
    faulty = FaultyGateway(bank._executor.gateway, at=2, error=lambda each: CommitUnknown("gone", operation=each))
    called: list[str] = []
    with pytest.raises(CommitUnknown):
        async with Bank(faulty).transaction() as tx:
            tx.after_rollback(lambda: called.append("undone"))
    assert called == []


async def test_after_rollback_outside_of_a_transaction_is_refused(bank: Bank):
    with pytest.raises(QueryError, match="after_rollback of a repository that is no transaction"):
        bank.after_rollback(print)
    async with bank.transaction() as tx:
        with pytest.raises(QueryError, match="takes a function"):
            tx.after_rollback("no function")  # type: ignore[arg-type]  # what the checker refuses


async def test_using_another_gateway_keeps_the_repository_and_reads_there(bank: Bank):
    async with MemoryGateway() as other:
        tenant = bank.using(other)
        assert type(tenant) is Bank
        await tenant.push_schema()
        await add(tenant, "theirs")
        assert await select(Account).from_(Accounts).all(tenant) == [Account("theirs")]
        assert await select(Account).from_(Accounts).all(bank) == []
        with pytest.raises(QueryError, match="using takes a gateway"):
            bank.using(tenant)  # type: ignore[arg-type]  # what the checker refuses
        async with bank.transaction() as tx:
            with pytest.raises(QueryError, match="a transaction runs on the gateway"):
                tx.using(other)
