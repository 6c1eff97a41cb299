"""Writes of every kind, each of which takes a repository and a source of chance."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import Any

from mapper import Column, CommonTable, excluded, select, values
from mapper.errors import StoreError
from mapper.operations import Operation, RawSql, Transaction
from mapper.relation import info
from mapper.statements import DeleteRows, InsertRows
from tests.cache.reads import CODES, PAPERS, SHELVES
from tests.cache.shop import (
    Account,
    Accounts,
    Member,
    Members,
    Note,
    Notes,
    Paper,
    Papers,
    Place,
    Places,
    Shop,
    Team,
    Teams,
    User,
    Users,
)

Write = Callable[[Shop, Random], Awaitable[Any]]

NAMES = ["Ada", "Bob", "Cy", "Dee", "Eve", "Flo"]


class Given(CommonTable):
    id: Column[int]
    score: Column[int]


async def inserted(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    changes.inserts(Users).push(User(chance.choice(NAMES), chance.randint(0, 5)))
    await changes.commit(shop)


async def inserted_with_key(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    changes.inserts(Users).push(User(chance.choice(NAMES)), Users.id.to(chance.randint(1, 6)))
    changes.inserts(Papers).push(Paper(chance.choice(PAPERS), "new"))
    await changes.commit(shop)


async def inserted_many(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    notes = changes.inserts(Notes)
    for each in range(chance.randint(1, 3)):
        parent = await select(Notes.id).order_by(Notes.id.desc()).first(shop)
        member = await select(Members.id).order_by(Members.id).first(shop)
        notes.push(Note(f"note {each}", member, parent))
    await changes.commit(shop)


async def joined(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    changes.inserts(Members).push(Member(chance.randint(1, 6), chance.choice([None, *CODES])))
    await changes.commit(shop)


async def upserted_by_key(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    teams = changes.inserts(Teams).on_conflict(Teams.code, set_=[Teams.motto.to(excluded(Teams.motto))])
    teams.push(Team(chance.choice(CODES), f"motto {chance.random()}"))
    places = changes.inserts(Places).on_conflict(
        Places.aisle, Places.shelf, set_=[Places.weight.to(Places.weight + excluded(Places.weight))]
    )
    places.push(Place(*chance.choice(SHELVES), chance.randint(1, 9)))
    await changes.commit(shop)


async def upserted_by_name(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    users = changes.inserts(Users).on_conflict(Users.name, set_=[Users.score.to(excluded(Users.score))])
    users.push(User(chance.choice(NAMES), chance.randint(0, 9)))
    await changes.commit(shop)


async def upserted_or_ignored(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    papers = changes.inserts(Papers).on_conflict(Papers.id, set_=[])
    papers.push(Paper(chance.choice(PAPERS), "ignored?"))
    await changes.commit(shop)


async def updated_by_key(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    changes.update(Users, chance.randint(1, 6), Users.score.to(Users.score + 1))
    await changes.commit(shop)


async def updated_by_condition(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    changes.updates(Users).where(Users.score < chance.randint(0, 5)).set(Users.score.to(Users.score + 1))
    changes.updates(Papers).where(Papers.id == chance.choice(PAPERS)).set(Papers.title.to(f"{chance.random()}"))
    changes.updates(Places).where(Places.aisle == 1, Places.shelf == "a").set(Places.weight.to(chance.randint(0, 99)))
    await changes.commit(shop)


async def updated_by_list(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    keys = [chance.randint(1, 6) for _ in range(2)]
    changes.updates(Users).where(Users.id.in_(keys)).set(Users.score.to(chance.randint(0, 9)))
    changes.updates(Papers).where(Papers.id.in_(PAPERS[:2])).set(Papers.title.to(f"{chance.random()}"))
    await changes.commit(shop)


async def updated_from_values(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    given = values(Given, [(chance.randint(1, 6), chance.randint(0, 9))])
    changes.updates(Users).from_(given, on=Given.id == Users.id).set(Users.score.to(Given.score))
    await changes.commit(shop)


async def updated_by_wrapper(shop: Shop, chance: Random) -> None:
    found = await select(Accounts).order_by(Accounts.id).first(shop)
    changes = Shop.change()
    if found is None:
        changes.inserts(Accounts).push(Account("Ada", Decimal(1)))
    else:
        changes.update(Accounts, found, Accounts.balance.to(Accounts.balance + 1))
    await changes.commit(shop)


async def renamed_key(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    old, new = chance.sample(CODES, 2)
    changes.updates(Teams).where(Teams.code == old).set(Teams.code.to(new))
    await changes.commit(shop)


async def renumbered(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    old, new = chance.sample(range(1, 7), 2)
    changes.updates(Users).where(Users.id == old).set(Users.id.to(new))
    await changes.commit(shop)


async def deleted_by_key(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    kind: Any = chance.choice([Users, Members, Notes])
    changes.delete(kind, chance.randint(1, 6))
    await changes.commit(shop)


async def deleted_by_condition(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    if chance.random() < 0.3:
        changes.deletes(Users).where(Users.score > 5)
    changes.deletes(Teams).where(Teams.code == chance.choice(CODES))
    changes.deletes(Notes).where(Notes.id.in_([chance.randint(1, 6)]))
    await changes.commit(shop)


async def loaded(shop: Shop, chance: Random) -> None:
    await shop.load(Notes, [Note("loaded"), Note("loaded too")])
    if await select(Papers).count(shop) == 0:
        await shop.load(Papers, [Paper(each, "loaded") for each in PAPERS[:3]])


async def in_transaction(shop: Shop, chance: Random) -> None:
    async with shop.transaction() as tx:
        await updated_by_condition(tx, chance)
        with suppress(StoreError):
            async with tx.transaction() as inner:
                await inserted(inner, chance)
        with suppress(ZeroDivisionError):
            async with tx.transaction() as inner:
                await upserted_by_name(inner, chance)
                raise ZeroDivisionError
        async with tx.transaction() as inner:
            await upserted_by_key(inner, chance)


async def rolled_back(shop: Shop, chance: Random) -> None:
    async with shop.transaction() as tx:
        await upserted_by_name(tx, chance)
        raise ZeroDivisionError


async def on_connection(shop: Shop, chance: Random) -> None:
    gateway = shop._executor.gateway

    def insert(name: str, score: int) -> Operation:
        described = info(Users)
        columns = (described.column("name"), described.column("score"))
        return gateway.compile(InsertRows(Users, columns, [(name, score)]))

    name, other = chance.sample(NAMES, 2)
    async with gateway.connection() as connection:
        await connection.execute(insert(name, chance.randint(0, 9)))
        await connection.execute(Transaction("start"))
        await connection.execute(Transaction("savepoint", name="here"))
        await connection.execute(gateway.compile(DeleteRows(Notes, [(await _some(shop, chance),)])))
        await connection.execute(Transaction(chance.choice(["release", "rollback_to"]), name="here"))
        await connection.execute(insert(other, 1))
        await connection.execute(Transaction(chance.choice(["commit", "rollback"])))


async def _some(shop: Shop, chance: Random) -> int:
    """Return the key of a note that is there, or of one that is not."""
    keys = await select(Notes.id).order_by(Notes.id).all(shop)
    return chance.choice(keys) if keys else 1


async def once(shop: Shop, chance: Random) -> None:
    changes = Shop.change()
    changes.updates(Users).where(Users.score < 3).set(Users.score.to(Users.score + 2))
    await changes.commit(shop, once=f"once {chance.randint(1, 3)}", retries=1)


async def retried(shop: Shop, chance: Random) -> None:
    async def work(tx: Shop) -> None:
        await upserted_by_name(tx, chance)
        await updated_by_list(tx, chance)

    await shop.run(work, retries=1)


async def in_raw(shop: Shop, chance: Random) -> None:
    gateway = shop._executor.gateway
    declared = {"writes": frozenset({Users})} if chance.random() < 0.5 else {}
    await gateway.execute(RawSql("update cache_users set score = score + ?", [chance.randint(1, 3)], **declared))


async def by_driver(shop: Shop, chance: Random) -> None:
    gateway = shop._executor.gateway
    async with gateway.connection() as connection:
        await connection.execute(RawSql("delete from cache_notes where id = ?", [chance.randint(1, 6)]))
        async with gateway.connection() as other:
            await other.execute(RawSql("update cache_papers set title = ?", [f"{chance.random()}"]))


WRITES: list[Write] = [
    inserted,
    inserted,
    inserted_with_key,
    inserted_many,
    joined,
    joined,
    upserted_by_key,
    upserted_by_key,
    upserted_by_name,
    upserted_or_ignored,
    updated_by_key,
    updated_by_condition,
    updated_by_list,
    updated_from_values,
    updated_by_wrapper,
    renamed_key,
    renumbered,
    deleted_by_key,
    deleted_by_condition,
    loaded,
    in_transaction,
    rolled_back,
    on_connection,
    once,
    retried,
]
RAW_WRITES: list[Write] = [in_raw, by_driver]


def writes_on(gateway: Any) -> list[Write]:
    """Return the writes that a gateway has."""
    return WRITES if gateway.name == "memory" else [*WRITES, *RAW_WRITES]
