"""
Processes that share a cache and a store, whose every order the search runs, and what must hold in each.

Real: `Cache`, its gateway, keeper, reader and commits; the memory driver; the memory gateway; repositories, queries and
changesets. Made up: the clock, randomness, and two wrappers. `Adversary` stands between a process and the driver as a
network would: each call waits for its turn, and may fail, take effect and fail, or take effect later. `Store` stands
between a process and the gateway: a snapshot, and what makes changes visible, wait for their turns, before they happen
and before they are answered. A process is a `Cache` of its own, and dies by never getting a turn again; what it has open
in the store is rolled back then.
"""

import asyncio
import copy
import logging
import os
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any
from unittest import mock

from attrs import frozen

from cache_drivers.memory import MemoryDriver
from gateways.memory import MemoryGateway
from mapper.cache import Cache
from mapper.cache.driver import STAMP
from mapper.cache.envelope import block_of, opened
from mapper.cache.events import CacheEvent
from mapper.errors import CacheDriverError, CacheInvalidationError, CommitUnknown
from tests.cache.interleaving.adversaries import Adversary, at_once
from tests.cache.interleaving.model import FLUX, TICK, TTL, Actor, Expected, Item, Items, Rows, Scenario, Shop
from tests.cache.interleaving.scheduling import EVERYTHING, Search, World, owner_of
from tests.cache.interleaving.stores import Held, Store

__all__ = ["Shelf", "ShopWorld"]


@frozen
class Commit:
    """What was committed, in the order of the commits, and by whom."""

    by: str
    rows: Rows


class Shelf:
    """A store that is made once for a search, and put back as it was before each run; and what was compiled for it."""

    def __init__(self) -> None:
        self.gateway = MemoryGateway()
        self.shapes: dict[str, Any] = {}
        self.outcomes: set[tuple[str, tuple[int, ...], str]] = set()
        self._kept: dict[str, Any] | None = None

    async def stock(self) -> None:
        """Have three items."""
        table = self.gateway._shared.store.tables.get((None, "items"))
        if table is None or self._kept is None:
            await self._fill()
            return
        for name, value in copy.deepcopy(self._kept).items():
            setattr(table, name, value)
        self.gateway._shared.store._fresh = None
        self.gateway._operations = 0

    async def _fill(self) -> None:
        plain = Shop(self.gateway)
        await plain.push_schema()
        changes = Shop.change()
        pushed = changes.inserts(Items)
        for key, group in ((1, 1), (2, 1), (3, 2)):
            pushed.push(Item(group, key * 100), Items.id.to(key))
        await changes.commit(plain)
        table = self.gateway._shared.store.tables[None, "items"]
        self._kept = copy.deepcopy({name: getattr(table, name) for name in ("pages", "next_row", "counter", "uniques")})


class ShopWorld(World):
    """
    Processes with a cache each, over one driver and one store.

    Attributes:
        commits: What was committed, the first being what was there before.
        told: By process, which commits its reads must see.
        dead: Processes that died.
        left: What may still happen, by its kind.
    """

    def __init__(self, scenario: Scenario, shelf: Shelf) -> None:
        super().__init__()
        self.scenario = scenario
        self.shelf = shelf
        self._owners = sorted({owner_of(each) for each in scenario.actors})
        self.driver = MemoryDriver(clock=self.clock)
        self.inner = shelf.gateway
        self.commits: list[Commit] = []
        self.told: dict[str, set[int]] = {each: set() for each in self._owners}
        self.dead: set[str] = set()
        self.ended: set[str] = set()
        self.left = {
            "evict": scenario.evictions,
            "tick": scenario.ticks,
            "cancel": scenario.cancellations,
            "failover": scenario.failovers,
            "fault": scenario.faults,
            "die": 1 if scenario.dying else 0,
            "unknown": scenario.unknowns,
        }
        self.late: dict[str, Callable[[], None]] = {}
        self.rested: dict[str, bool] = {}
        self.seen: dict[str, int] = {}
        self.kept: set[str] = set()
        self.looked_up: dict[str, tuple[bytes, Sequence[str], Sequence[bytes | None]]] = {}
        self.generation = 0
        self.open: dict[str, list[Held]] = {each: [] for each in self._owners}
        self.caches: dict[str, Cache] = {}
        self.shops: dict[str, Shop] = {}
        self.unprotected: set[str] = set()
        self._backup: Any = None
        self._random = 0
        for each in self._owners:
            self._make(each)

    def _make(self, owner: str) -> None:
        scenario = self.scenario
        cache = self.caches[owner] = Cache(
            Adversary(self, owner),
            namespace="n",
            policy=scenario.policy,
            invalidation=scenario.invalidation,
            on_invalidation_failure=scenario.on_failure,
            flux_seconds=FLUX,
            clock=self.clock,
            now=self.clock,
        )
        cache.subscribe(self._heard)
        gateway = cache.wrap(Store(self, owner))
        gateway._shapes = self.shelf.shapes
        self.shops[owner] = Shop(gateway)

    # -- for whom nothing is random ------------------------------------------------------------------------------------

    def clock(self) -> float:
        """Return the time, and take note that somebody asked."""
        self.touch("clock", "read")
        return self.now

    def urandom(self, size: int) -> bytes:
        """Return bytes that were never returned before, and are the same in each run in which the task did the same."""
        label = self.label()
        number = self._counts[f"{label}!"] = self._counts.get(f"{label}!", 0) + 1
        text = f"{number:02}{label}".encode()
        return (
            (text + bytes(size))[:size]
            if len(text) <= size
            else text[: size - 4] + hash(text).to_bytes(8, "big", signed=True)[:4]
        )

    def run(self, search: Search) -> None:
        logger, complaints = logging.getLogger("mapper.cache"), Complaints(self)
        logger.addHandler(complaints)
        try:
            with mock.patch.object(os, "urandom", self.urandom):
                super().run(search)
        finally:
            logger.removeHandler(complaints)

    # -- the world -----------------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        await self.shelf.stock()
        self.commits.append(Commit("", self._committed()))
        for owner in self._owners:
            for each in self.scenario.warm:
                await each(self, owner)
        for cache in self.caches.values():
            await cache.drain()
        if self.scenario.emptied:
            for key in [each for each in self.driver._entries if ":e:" in each]:
                self.driver._drop(key)
        self._backup = _copied(self.driver)

    def begin(self) -> None:
        for name, actor in self.scenario.actors.items():
            self.start(name, self._acting(name, actor))

    async def _acting(self, name: str, actor: Actor) -> None:
        owner = owner_of(name)
        try:
            await actor(self, owner)
        except Stale as stale:
            if owner not in self.dead:
                self.found(str(stale))
        except asyncio.CancelledError:
            self.tell(name, owner)
        except CommitUnknown:
            self.tell(name, owner)
        except (CacheDriverError, CacheInvalidationError) as error:
            self._refused(name, owner, error)
        except Exception as error:
            if owner not in self.dead:
                self.found(f"{name} failed: {error!r}")
        self.ended.add(name)

    def _refused(self, name: str, owner: str, error: Exception) -> None:
        """A write may be refused before its commit, and complain after it, where it was asked to."""
        committed = any(each.by == name for each in self.commits)
        mode = self.scenario.on_failure
        if owner in self.dead:
            return
        if mode == "refuse" and isinstance(error, CacheDriverError) and not committed:
            return
        if mode == "raise" and isinstance(error, CacheInvalidationError) and committed:
            self.tell(name, owner)
            return
        self.found(f"{name} failed because of the cache: {error!r}")

    def finished(self) -> bool:
        return all(name in self.ended or owner_of(name) in self.dead for name in self.scenario.actors)

    def may_run(self, owner: str) -> bool:
        return owner not in self.dead

    def owners(self) -> Sequence[str]:
        return self._owners

    def shared(self, owner: str) -> Hashable:
        cache = self.caches[owner]
        keeper, reader = cache._keeper, cache._reader
        breaker = keeper.breaker
        return (
            tuple(reader.flights._open),
            tuple(sorted(keeper.pending.tags.items())),
            tuple([(token, tuple(tags)) for token, tags in keeper.pending.marks.items()]),
            keeper._retrying,
            keeper._identity,
            keeper._connections,
            breaker.state,
            breaker._failed,
            breaker._until,
        )

    def state(self) -> Hashable:
        driver = self.driver
        return (
            tuple(sorted([(key, each.value, each.deadline) for key, each in driver._entries.items()])),
            tuple(sorted([(key, tuple(sorted(each.items()))) for key, each in driver._flux.items()])),
            tuple([(each.by, tuple(each.rows.items())) for each in self.commits]),
            tuple(sorted([(key, tuple(sorted(each))) for key, each in self.told.items()])),
            tuple(sorted(self.dead)),
            tuple(sorted(self.ended)),
            tuple(self.left.items()),
            tuple(sorted(self.late)),
            tuple(sorted(self.unprotected)),
            tuple([self.shared(each) for each in self._owners]),
            self.generation,
        )

    # -- what else may happen ------------------------------------------------------------------------------------------

    def events(self) -> Mapping[str, Callable[[], None]]:
        found: dict[str, Callable[[], None]] = dict(self.late)
        left = self.left
        if left["evict"]:
            found.update({f"evict {key}": partial(self._evict, key) for key in sorted(self.driver._entries)})
        if left["tick"]:
            found["tick"] = self._tick
        if left["cancel"]:
            for name in self.scenario.cancelled:
                if name not in self.ended and name in self.tasks:
                    found[f"cancel {name}"] = partial(self._cancel, name)
        if left["failover"]:
            found["failover"] = self._fail_over
        if left["die"]:
            for owner in self.scenario.dying:
                found[f"{owner} dies"] = partial(self._die, owner)
        return found

    def _spend(self, kind: str) -> None:
        self.left[kind] -= 1
        self.touch(f"left {kind}", "write")

    def _evict(self, key: str) -> None:
        self._spend("evict")
        self.touch(key, "write")
        self.driver._drop(key)

    def _tick(self) -> None:
        self._spend("tick")
        self.touch(EVERYTHING, "write")
        self.now += TICK
        # A commit that takes longer than its writer may take is not covered if the writer dies then.
        self.unprotected |= {point.owner for point in self.points.values() if "COMMIT" in point.name}

    def _cancel(self, name: str) -> None:
        self._spend("cancel")
        self.touch(EVERYTHING, "write")
        self.tasks[name].cancel()

    def _fail_over(self) -> None:
        """The server is replaced by another one that has what was there in the beginning."""
        self._spend("failover")
        self.touch(EVERYTHING, "write")
        self.generation += 1
        _restore(self.driver, self._backup)

    def _die(self, owner: str) -> None:
        self._spend("die")
        self.touch(f"life of {owner}", "write")
        self.touch("store", "write")
        self.touch("commits", "write")
        self.dead.add(owner)
        for each in self.open[owner]:
            each.break_off()
        if owner not in self.unprotected:
            self.told_to_all([at for at, each in enumerate(self.commits) if owner_of(each.by) == owner])

    # -- commits -------------------------------------------------------------------------------------------------------

    def _committed(self) -> Rows:
        table = self.inner._shared.store.tables[None, "items"]
        return {row[0]: Item(row[1], row[2]) for row in table.rows()}

    def committed(self) -> None:
        """Take note of what has just been committed."""
        rows = self._committed()
        if rows != self.commits[-1].rows:
            label = self.label().split(".")[0]
            self.commits.append(Commit(label, rows))
        self.touch("store", "write")

    def told_to_all(self, commits: Sequence[int]) -> None:
        """From now on every read must see these commits."""
        for told in self.told.values():
            told.update(commits)

    def tell(self, name: str, owner: str) -> None:
        """A commit has returned: reads that start from now on must see it."""
        self.touch("commits", "told")
        commits = [at for at, each in enumerate(self.commits) if each.by == name]
        if self.scenario.within:
            self.told[owner].update(commits)
        else:
            self.told_to_all(commits)

    # -- what tasks do -------------------------------------------------------------------------------------------------

    async def read(self, owner: str, read: Callable[[Shop], Awaitable[Sequence[Expected]]]) -> None:
        """
        Read, and compare what comes with what must.

        Raises:
            Stale: It is older than a commit that had returned when the read began, or was never committed.
        """
        await self.point(owner, "read")
        self.touch("commits", "read")
        must = set(self.told[owner])
        if not self.scenario.fine:
            self.rested[self.label()] = False
        self.learn(tuple(sorted(must)))
        for expected, value in await read(self.shops[owner]):
            self.shelf.outcomes.add((self.label(), tuple(sorted(must)), repr(value)))
            values = [expected(each.rows) for each in self.commits]
            # Commits that do not change this part cannot be missed in it.
            since = max([at for at in must if values[at] != values[at - 1]], default=0)
            if value not in values[since:]:
                raise Stale(f"a read in {owner} gave {value!r}, and {values[since]!r} or later must be seen: {values}")

    async def write(self, owner: str, write: Callable[[Shop], Awaitable[object]]) -> None:
        """Write, and from then on have reads see it."""
        name = self.label()
        await write(self.shops[owner])
        self.tell(name, owner)

    def _heard(self, event: CacheEvent) -> None:
        if event.kind == "hit" and self.scenario.checks_hits:
            self.check_hit()

    def check_hit(self) -> None:
        """A hit is served only where an entry that was looked up has the stamps that its tags had in the same look-up."""
        found = self.looked_up.get(self.label())
        if found is None:
            self.found("a hit without a look-up")
            return
        identity, keys, values = found
        if len(keys) == 1 and not self.has_stamps(identity, values):
            self.found("a hit whose stamps are not those of its tags")

    def has_stamps(self, identity: bytes, values: Sequence[bytes | None]) -> bool:
        """Whether an entry, the first of the values, has the stamps that follow, maybe but for the last."""
        entry, stamps = values[0], values[1:]
        envelope = None if entry is None else opened(entry, entry[4:24])
        if envelope is None or isinstance(envelope, str):
            return False
        # A result with rows does not depend on the tag of absence: the last one, or of several keys the last but one.
        allowed = (stamps, stamps[:-1], [*stamps[:-2], *stamps[:-3:-1]], [*stamps[:-2], stamps[-1]])
        known = [[one for one in each if one is not None and one[:1] == STAMP] for each in allowed]
        blocks = [
            block_of(identity, *each) for each, asked in zip(known, allowed, strict=True) if len(each) == len(asked)
        ]
        return envelope.stamps in blocks


class Stale(Exception):
    """A read gave what it must not."""


def _copied(driver: MemoryDriver) -> list[tuple[str, bytes]]:
    return [(key, each.value) for key, each in driver._entries.items()]


def _restore(driver: MemoryDriver, kept: Sequence[tuple[str, bytes]]) -> None:
    at_once(driver.clear(""))
    for key, value in kept:
        at_once(driver.set(key, value, ttl_ms=TTL * 1000))


class Complaints(logging.Handler):
    """Takes what the cache logs of failures behind its answers."""

    def __init__(self, world: ShopWorld) -> None:
        super().__init__()
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        self._world.found(f"logged: {record.getMessage()} {record.exc_info and record.exc_info[1]!r}")
