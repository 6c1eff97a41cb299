"""A bank: accounts, and a ledger of the transfers between them. Money is neither made nor lost."""

import random
from collections.abc import Awaitable, Callable

import attrs

from mapper import Changeset, Column, Relation, Repository, column, fn, select
from mapper.isolation import Isolation

ACCOUNTS = 12
BALANCE = 1_000


@attrs.frozen
class Account:
    balance: int


@attrs.frozen
class Transfer:
    name: str
    amount: int


class Accounts(Relation[Account]):
    id: Column[int] = column(primary_key=True)
    balance: Column[int]


class Transfers(Relation[Transfer]):
    """The ledger. Nothing keeps a name from being there twice: that is for the tests to see."""

    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(index=True)
    amount: Column[int]


class Bank(Repository[Accounts | Transfers]): ...


@attrs.frozen
class Order:
    """One transfer, under a name of its own."""

    name: str
    source: int
    target: int
    amount: int


@attrs.define
class Ledger:
    """What the callers were told of their transfers, and all that they asked for."""

    orders: dict[str, Order] = attrs.field(factory=dict)
    done: set[str] = attrs.field(factory=set)
    refused: dict[str, str] = attrs.field(factory=dict)
    unknown: set[str] = attrs.field(factory=set)


async def opened(bank: Bank) -> None:
    """Make the tables, and the accounts with a balance each."""
    await bank.push_schema()
    changes = Bank.change()
    changes.inserts(Accounts).extend([Account(BALANCE) for _ in range(ACCOUNTS)])
    await changes.commit(bank)


def orders(count: int, chance: random.Random, label: str) -> list[Order]:
    """Make transfers between accounts at random."""
    made: list[Order] = []
    for number in range(count):
        source, target = chance.sample(range(1, ACCOUNTS + 1), 2)
        made.append(Order(f"{label}-{number}", source, target, chance.randint(1, 20)))
    return made


def changeset(order: Order) -> Changeset[Accounts | Transfers]:
    """Return a transfer as one changeset."""
    changes = Bank.change()
    changes.updates(Accounts).where(Accounts.id == order.source).set(
        Accounts.balance.to(Accounts.balance - order.amount)
    )
    changes.updates(Accounts).where(Accounts.id == order.target).set(
        Accounts.balance.to(Accounts.balance + order.amount)
    )
    changes.inserts(Transfers).push(Transfer(order.name, order.amount))
    return changes


async def step_by_step(
    bank: Bank, order: Order, isolation: Isolation | None, pause: Callable[[], Awaitable[object]]
) -> None:
    """Do a transfer in a transaction of several statements, which can meet others in the wrong order."""

    async def work(tx: Bank) -> None:
        taken = Bank.change()
        taken.updates(Accounts).where(Accounts.id == order.source).set(
            Accounts.balance.to(Accounts.balance - order.amount)
        )
        await taken.commit(tx)
        await pause()
        given = Bank.change()
        given.updates(Accounts).where(Accounts.id == order.target).set(
            Accounts.balance.to(Accounts.balance + order.amount)
        )
        given.inserts(Transfers).push(Transfer(order.name, order.amount))
        await given.commit(tx)
        await pause()

    await bank.run(work, isolation=isolation, retries=20)


async def audit(bank: Bank, ledger: Ledger) -> None:
    """
    Compare the bank with what the callers were told.

    Raises:
        AssertionError: Money was made or lost, or somebody was told what is not so.
    """
    assert await select(fn.sum(Accounts.balance)).one(bank) == ACCOUNTS * BALANCE
    times: dict[str, int] = {}
    for name in await select(Transfers.name).all(bank):
        times[name] = times.get(name, 0) + 1
    assert {name for name, number in times.items() if number > 1} == set(), "applied more than once"
    there = set(times)
    assert ledger.done - there == set(), "told to be done, and is not there"
    assert {name: told for name, told in ledger.refused.items() if name in there} == {}, (
        "told to have failed, and is there"
    )
    assert there - ledger.done - ledger.unknown == set(), "nobody was told of it"
