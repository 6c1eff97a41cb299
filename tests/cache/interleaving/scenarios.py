"""What processes do at once in the searches: reads and writes of a few items, each a function of a world and a process."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from attrs import evolve

from mapper import select
from mapper.caching import CachePolicy
from mapper.changeset import Changeset
from tests.cache.interleaving.model import TTL, Actor, Expected, Item, Items, Rows, Scenario, Shop
from tests.cache.interleaving.worlds import ShopWorld

__all__ = ["LARGE", "SCENARIOS"]


# -- reads -------------------------------------------------------------------------------------------------------------


def reads(read: Callable[[Shop], object]) -> Actor:
    """Return a task that reads."""

    async def act(world: ShopWorld, owner: str) -> None:
        await world.read(owner, read)  # type: ignore[arg-type]  # each of those below

    return act


def by_key(key: int = 1) -> Actor:
    """Read one item by its key."""

    async def read(shop: Shop) -> list[Expected]:
        return [(lambda rows: rows.get(key), await select(Item).from_(Items).find(key).execute(shop))]

    return reads(read)


def by_group(group: int = 1) -> Actor:
    """Read the items of a group."""

    async def read(shop: Shop) -> list[Expected]:
        found = await select(Item).from_(Items).where(Items.group == group).order_by(Items.id).all(shop)
        return [(partial(_of_group, group), found)]

    return reads(read)


def streamed() -> Actor:
    """Read all items as a stream."""

    async def read(shop: Shop) -> list[Expected]:
        query = select(Item).from_(Items).order_by(Items.id)
        return [(lambda rows: [rows[each] for each in sorted(rows)], [each async for each in query.execute(shop)])]

    return reads(read)


def by_keys(*keys: int) -> Actor:
    """Read several items by their keys. Each is a part of its own: nobody promises that they are of one moment."""

    async def read(shop: Shop) -> list[Expected]:
        query = select(Items.id, Items.group, Items.version).where(Items.id.in_(list(keys)))
        found = {key: Item(group, version) for key, group, version in await query.all(shop)}
        return [(partial(_of_key, key), found.get(key)) for key in keys]

    return reads(read)


def counted() -> Actor:
    """Count the items."""

    async def read(shop: Shop) -> list[Expected]:
        return [(len, await select(Item).from_(Items).count(shop))]

    return reads(read)


def within_a_transaction(key: int = 1, *, times: int = 1) -> Actor:
    """Read an item in a read-only transaction, which goes on seeing what was committed when it began."""

    async def act(world: ShopWorld, owner: str) -> None:
        query = select(Item).from_(Items).find(key)
        async with world.shops[owner].transaction(read_only=True) as tx:
            found = [await query.execute(tx) for _ in range(times)]
        if any(each != found[0] for each in found):
            world.found("a transaction saw two moments")

    return act


def _of_key(key: int, rows: Rows) -> Item | None:
    return rows.get(key)


def _of_group(group: int, rows: Rows) -> list[Item]:
    return [rows[each] for each in sorted(rows) if rows[each].group == group]


# -- writes ------------------------------------------------------------------------------------------------------------


def writes(make: Callable[[], Changeset]) -> Actor:
    """Return a task that commits a changeset: one operation by itself, several in a transaction."""

    async def act(world: ShopWorld, owner: str) -> None:
        await world.write(owner, lambda shop: make().commit(shop))

    return act


def _changing(key: int, version: int, changes: Changeset | None = None) -> Changeset:
    changes = changes or Shop.change()
    changes.updates(Items).where(Items.id == key).set(Items.version.to(version))
    return changes


def update(key: int = 1, version: int = 101) -> Actor:
    """Change one item by its key."""
    return writes(lambda: _changing(key, version))


def update_two(version: int = 101) -> Actor:
    """Change two items in a transaction."""
    return writes(lambda: _changing(2, version + 1, _changing(1, version)))


def update_group(group: int = 1, version: int = 101) -> Actor:
    """Change items by a condition, which names no key."""

    def make() -> Changeset:
        changes = Shop.change()
        changes.updates(Items).where(Items.group == group).set(Items.version.to(version))
        return changes

    return writes(make)


def insert(key: int) -> Actor:
    """Insert an item."""

    def make() -> Changeset:
        changes = Shop.change()
        changes.inserts(Items).push(Item(1, key * 100), Items.id.to(key))
        return changes

    return writes(make)


def delete(key: int = 1) -> Actor:
    """Delete an item."""

    def make() -> Changeset:
        changes = Shop.change()
        changes.deletes(Items).where(Items.id == key)
        return changes

    return writes(make)


def in_blocks(*, undone: bool) -> Actor:
    """Change items in a transaction and in a savepoint of it, which is kept or rolled back."""

    async def write(shop: Shop) -> None:
        async with shop.transaction() as tx:
            await _changing(2, 201).commit(tx)
            with suppress(ZeroDivisionError):
                async with tx.transaction() as inner:
                    await _changing(1, 999 if undone else 101).commit(inner)
                    await select(Item).from_(Items).find(1).execute(inner)
                    if undone:
                        raise ZeroDivisionError

    async def act(world: ShopWorld, owner: str) -> None:
        await world.write(owner, write)

    return act


def in_turn(*actors: Actor) -> Actor:
    """Do one after the other."""

    async def act(world: ShopWorld, owner: str) -> None:
        for each in actors:
            await each(world, owner)

    return act


# -- what is searched --------------------------------------------------------------------------------------------------

WARM: Sequence[Actor] = (by_key(),)
TWICE = in_turn(by_key(), by_key())

SCENARIOS: dict[str, Scenario] = {
    "a writer and two readers": Scenario(actors={"a/W": update(), "b/R": by_key(), "c/R": by_key()}, warm=WARM),
    "a writer and two readers of one process": Scenario(
        actors={"a/W": update(), "a/R": by_key(), "a/S": by_key()}, warm=WARM
    ),
    "a transaction and readers": Scenario(
        actors={"a/W": update_two(), "b/R": by_key(1), "b/S": by_group()}, warm=(by_key(), by_group())
    ),
    "two writers of one item": Scenario(
        actors={"a/W": update(1, 101), "b/W": update(1, 102), "c/R": by_key()}, warm=WARM
    ),
    "two transactions": Scenario(actors={"a/W": update_two(101), "b/W": update_two(103), "c/R": by_key()}, warm=WARM),
    "a writer, a reader and an eviction": Scenario(actors={"a/W": update(), "b/R": by_key()}, warm=WARM, evictions=1),
    "a writer that dies": Scenario(actors={"a/W": update(), "b/R": TWICE}, warm=WARM, dying=("a",)),
    "a transaction that dies": Scenario(actors={"a/W": update_two(), "b/R": TWICE}, warm=WARM, dying=("a",)),
    "the driver fails, within the process": Scenario(
        actors={"a/W": update(), "a/R": by_key()}, warm=WARM, faults=1, choices=("fail",), within=True
    ),
    "the driver fails, and commits are refused": Scenario(
        actors={"a/W": update(), "b/R": by_key()}, warm=WARM, faults=1, on_failure="refuse"
    ),
    "the driver fails, and commits complain": Scenario(
        actors={"a/W": update(), "a/R": by_key()},
        warm=WARM,
        faults=1,
        choices=("lost",),
        on_failure="raise",
        within=True,
    ),
    "an insert of what is absent": Scenario(
        actors={"a/W": insert(5), "b/R": in_turn(by_key(5), by_key(5))}, warm=(by_key(5),)
    ),
    "an insert and a count": Scenario(
        actors={"a/W": insert(5), "b/R": in_turn(counted(), counted())}, warm=(counted(),)
    ),
    "a delete": Scenario(actors={"a/W": delete(), "b/R": in_turn(by_key(), by_keys(1, 2))}, warm=WARM),
    "an update by a condition": Scenario(
        actors={"a/W": update_group(), "b/R": in_turn(by_key(), by_group())}, warm=(by_key(), by_group())
    ),
    "reads of several keys": Scenario(
        actors={"a/W": update(), "b/R": by_keys(1, 2), "c/R": by_keys(2, 1)}, warm=(by_keys(1, 2),)
    ),
    "several keys and an update by a condition": Scenario(
        actors={"a/W": update_group(), "b/R": by_keys(1, 5), "c/R": by_keys(1, 2)}, warm=(by_keys(1, 2, 5),)
    ),
    "readers that join": Scenario(actors={"a/W": update(), "b/R": by_key(), "b/S": by_key()}, warm=WARM, emptied=True),
    "readers of lists that join": Scenario(
        actors={"a/W": update(), "b/R": by_keys(1, 2), "b/S": by_keys(1)}, warm=(by_keys(1, 2),), emptied=True
    ),
    "a savepoint that is rolled back": Scenario(
        actors={"a/W": in_blocks(undone=True), "b/R": in_turn(by_key(1), by_key(2))}, warm=(by_key(1), by_key(2))
    ),
    "a savepoint that is kept": Scenario(
        actors={"a/W": in_blocks(undone=False), "b/R": in_turn(by_key(1), by_key(2))}, warm=(by_key(1), by_key(2))
    ),
    "streams": Scenario(actors={"a/W": update(), "b/R": in_turn(streamed(), streamed())}, warm=(streamed(),)),
    "a transaction that reads": Scenario(
        actors={"a/W": update(), "b/T": within_a_transaction(), "c/R": by_key()}, warm=WARM, emptied=True
    ),
    "a reader is cancelled": Scenario(
        actors={"a/W": update(), "b/R": by_key(), "b/S": by_key()},
        warm=WARM,
        cancellations=1,
        cancelled=("b/R",),
    ),
    "a writer is cancelled": Scenario(
        actors={"a/W": update(), "b/R": TWICE}, warm=WARM, cancellations=1, cancelled=("a/W",)
    ),
    "a transaction is cancelled": Scenario(
        actors={"a/W": update_two(), "b/R": TWICE}, warm=WARM, cancellations=1, cancelled=("a/W",)
    ),
    "a writer without marks is cancelled": Scenario(
        actors={"a/W": update(), "b/R": TWICE},
        warm=WARM,
        cancellations=1,
        cancelled=("a/W",),
        invalidation="after_commit",
    ),
    "nobody knows of a commit": Scenario(actors={"a/W": update(), "b/R": TWICE}, warm=WARM, unknowns=1),
    "nobody knows of a transaction": Scenario(actors={"a/W": update_two(), "b/R": TWICE}, warm=WARM, unknowns=1),
    "nobody knows of a commit without marks": Scenario(
        actors={"a/W": update(), "b/R": TWICE}, warm=WARM, unknowns=1, invalidation="after_commit"
    ),
    "everything expires, and stores stall": Scenario(actors={"a/W": update(), "b/R": by_key()}, warm=WARM, ticks=1),
    "what has expired is served while it is read anew": Scenario(
        actors={"a/W": update(), "b/R": TWICE},
        warm=WARM,
        ticks=1,
        policy=CachePolicy(ttl=TTL, swr=1000, stale_if_error=1000, jitter=0.0),
    ),
    "leases": Scenario(
        actors={"a/W": update(), "b/R": by_key(), "c/R": by_key()},
        warm=WARM,
        emptied=True,
        policy=CachePolicy(ttl=TTL, jitter=0.0, lease=0.01),
    ),
    "the server is replaced": Scenario(actors={"a/W": update(), "b/R": TWICE}, warm=WARM, failovers=1),
    "without marks": Scenario(actors={"a/W": update(), "b/R": TWICE}, warm=WARM, invalidation="after_commit"),
}
"""Small enough that every order of each is run every time."""

LARGE: dict[str, Scenario] = {
    "two writers of a process, and an invalidation that fails": Scenario(
        actors={"a/R": TWICE, "a/W": update(1, 102), "a/V": update(1, 101)},
        warm=WARM,
        faults=1,
        choices=("fail",),
        fine=True,
        within=True,
        invalidation="after_commit",
    ),
    "two readers and an eviction": Scenario(
        actors={"a/W": update(), "b/R": by_key(), "c/R": by_key()}, warm=WARM, evictions=1
    ),
    "a writer, a reader that comes back, and an eviction": Scenario(
        actors={"a/W": update(), "b/R": TWICE}, warm=WARM, evictions=1
    ),
    "two evictions": Scenario(actors={"a/W": update(), "b/R": TWICE}, warm=WARM, evictions=2),
    "two transactions and an eviction": Scenario(
        actors={"a/W": update_two(101), "b/W": update_two(103), "c/R": by_key()}, warm=WARM, evictions=1
    ),
    "a writer that dies, and everything expires": Scenario(
        actors={"a/W": update(), "b/R": TWICE}, warm=WARM, dying=("a",), ticks=1
    ),
    "one of two writers dies": Scenario(
        actors={"a/W": update(1, 101), "b/W": update(1, 102), "c/R": TWICE}, warm=WARM, dying=("a", "b")
    ),
    "the driver fails in any way, within the process": Scenario(
        actors={"a/W": update(), "a/R": by_key()}, warm=WARM, faults=1, within=True
    ),
    "the driver fails twice, within the process": Scenario(
        actors={"a/W": update(), "a/R": TWICE}, warm=WARM, faults=2, within=True
    ),
    "the driver fails twice, and commits are refused": Scenario(
        actors={"a/W": update(), "b/R": TWICE}, warm=WARM, faults=2, on_failure="refuse"
    ),
    "the driver fails twice, and commits complain": Scenario(
        actors={"a/W": update(), "a/R": by_key()}, warm=WARM, faults=2, on_failure="raise", within=True
    ),
    "reads of several keys, twice": Scenario(
        actors={"a/W": update(), "b/R": in_turn(by_keys(1, 2), by_keys(2, 1)), "c/R": by_keys(1)},
        warm=(by_keys(1, 2),),
    ),
    "three readers that join": Scenario(
        actors={"a/W": update(), "b/R": by_key(), "b/S": by_key(), "b/T": by_key()}, warm=WARM, emptied=True
    ),
    "two streams": Scenario(
        actors={"a/W": update(), "b/R": streamed(), "b/S": streamed()}, warm=(streamed(),), emptied=True
    ),
    "a transaction that reads twice": Scenario(
        actors={"a/W": update(), "b/T": within_a_transaction(times=2), "b/R": by_key()}, warm=WARM, emptied=True
    ),
    "a reader that others join is cancelled": Scenario(
        actors={"a/W": update(), "b/R": by_key(), "b/S": by_key()},
        warm=WARM,
        emptied=True,
        cancellations=1,
        cancelled=("b/R", "b/S"),
    ),
    "the mark fails, and nobody knows of the commit": Scenario(
        actors={"a/W": update(), "a/R": TWICE},
        warm=WARM,
        faults=1,
        choices=("fail",),
        unknowns=1,
        ticks=1,
        within=True,
    ),
    "the mark fails, and the writer is cancelled": Scenario(
        actors={"a/W": update(), "a/R": TWICE},
        warm=WARM,
        faults=1,
        choices=("fail",),
        cancellations=1,
        cancelled=("a/W",),
        ticks=1,
        within=True,
    ),
    "everything expires twice": Scenario(actors={"a/W": update(), "b/R": TWICE}, warm=WARM, ticks=2),
    "without marks, with an eviction": Scenario(
        actors={"a/W": update(), "b/R": by_key(), "c/R": by_key()}, warm=WARM, evictions=1, invalidation="after_commit"
    ),
    **{
        f"{name}, answered late": evolve(SCENARIOS[name], fine=True)
        for name in (
            "a writer and two readers",
            "two writers of one item",
            "a writer, a reader and an eviction",
            "a writer that dies",
            "a writer is cancelled",
            "the server is replaced",
        )
    },
}
"""Those that take longer."""
