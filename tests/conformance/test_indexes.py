"""Indexes over expressions and over part of the rows, which every gateway keeps to."""

from collections.abc import AsyncIterator, Callable

import pytest
from attrs import frozen

from gateways.memory import MemoryGateway
from gateways.sqlite import SQLiteGateway
from mapper import functions as fn
from mapper.columns import Column, Index, column
from mapper.errors import DeclarationError, NotJoined, UniqueViolation
from mapper.gateway import Gateway
from mapper.relation import Relation
from mapper.repository import Repository
from mapper.schema import verify
from mapper.selecting import select
from mapper.statements import CreateSchema

GATEWAYS = [pytest.param(MemoryGateway, id="memory"), pytest.param(lambda: SQLiteGateway(":memory:"), id="sqlite")]


@frozen
class Account:
    email: str
    closed: bool = False
    tenant: int = 1


class Accounts(
    Relation[Account],
    indexes=[
        Index(lambda: fn.lower(Accounts.email), "tenant", unique=True, where=lambda: ~Accounts.closed),
        Index(lambda: Accounts.tenant.desc(), lambda: Accounts.email),
        Index("tenant", where="closed"),
    ],
):
    id: Column[int] = column(primary_key=True)
    email: Column[str]
    closed: Column[bool]
    tenant: Column[int]


class Bank(Repository[Accounts]): ...


@pytest.fixture(params=GATEWAYS)
async def bank(request: pytest.FixtureRequest) -> AsyncIterator[Bank]:
    make: Callable[[], Gateway] = request.param
    async with make() as gateway:
        bank = Bank(gateway)
        await bank.push_schema()
        yield bank


async def opened(bank: Bank, *accounts: Account) -> None:
    changes = Bank.change()
    changes.inserts(Accounts).extend(accounts)
    await changes.commit(bank)


@pytest.mark.feature("T6")
async def test_unique_index_over_an_expression_refuses_what_it_takes_for_equal(bank: Bank):
    await opened(bank, Account("Ada@x"))
    with pytest.raises(UniqueViolation) as caught:
        await opened(bank, Account("ada@X"))
    assert (caught.value.relation, caught.value.columns) == (Accounts, ())
    assert caught.value.constraint is not None
    await opened(bank, Account("ada@x", tenant=2), Account("ada@x", closed=True), Account("ADA@x", closed=True))


async def test_unique_index_over_an_expression_holds_for_updates(bank: Bank):
    await opened(bank, Account("ada@x"), Account("bob@x"), Account("ADA@x", closed=True))
    for where, value in (
        (Accounts.email == "bob@x", Accounts.email.to("Ada@x")),
        (Accounts.closed, Accounts.closed.to(False)),
    ):
        changes = Bank.change()
        changes.updates(Accounts).where(where).set(value)
        with pytest.raises(UniqueViolation):
            await changes.commit(bank)
    assert await select(Accounts.email).where(fn.lower(Accounts.email) == "ada@x").count(bank) == 2


async def test_indexes_are_no_difference_and_are_pushed_again(bank: Bank):
    await bank.push_schema()
    assert await verify(bank._executor.gateway, [Accounts]) == []


def test_names_follow_from_what_an_index_is_over():
    texts = [
        str(getattr(each, "text", "")) for each in SQLiteGateway(":memory:").compile_schema(CreateSchema((Accounts,)))
    ]
    assert [each.partition(" ON ")[2] for each in texts[1:]] == [
        '"accounts" ((lower_exact("email")), "tenant") WHERE NOT "closed"',
        '"accounts" ("tenant" DESC, "email")',
        '"accounts" ("tenant") WHERE closed',
    ]
    names = [each.split('"')[1] for each in texts[1:]]
    assert len(set(names)) == 3
    assert all(each.startswith("ix_accounts_") for each in names)
    assert texts == [
        str(getattr(each, "text", "")) for each in SQLiteGateway(":memory:").compile_schema(CreateSchema((Accounts,)))
    ]


@pytest.mark.parametrize("make", GATEWAYS)
def test_index_over_another_relation_is_refused(make: Callable[[], Gateway]):
    class Wrong(Relation[Account], indexes=[Index(lambda: fn.lower(Accounts.email), unique=True)]):
        id: Column[int] = column(primary_key=True)
        email: Column[str]
        closed: Column[bool]
        tenant: Column[int]

    with pytest.raises(NotJoined):
        make().compile_schema(CreateSchema((Wrong,)))


def test_index_over_nothing_or_something_else_is_refused_when_it_is_made():
    with pytest.raises(DeclarationError, match="Index is over"):
        Index()
    with pytest.raises(DeclarationError, match="expected names of columns, or functions that give expressions"):
        Index(Accounts.email)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # on purpose
    index = Index(lambda: 1)  # type: ignore[arg-type, return-value]  # pyright: ignore[reportArgumentType]  # on purpose

    class Wrong(Relation[Account], indexes=[index]):
        id: Column[int] = column(primary_key=True)
        email: Column[str]
        closed: Column[bool]
        tenant: Column[int]

    with pytest.raises(DeclarationError, match="an index of Wrong is over 1, expected an expression"):
        SQLiteGateway(":memory:").compile_schema(CreateSchema((Wrong,)))
