"""
Protocols that look right and are not: each changes a little of the real classes, and the search must find out.

A name goes in; what comes out are the changes, by the place that they are made at, and the scenario that shows them.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

from attrs import evolve, frozen

from mapper.cache.committing import Commits
from mapper.cache.connection import CachedConnection
from mapper.cache.entries import Entries
from mapper.cache.envelope import Envelope, opened
from mapper.cache.flights import Flights
from mapper.cache.keeper import Found, Keeper, Marked
from mapper.cache.keys import Names
from mapper.cache.operations import CachedRead
from mapper.cache.reading import Missing, Reader
from mapper.cache.requests import Request
from mapper.cache.row_requests import request_of
from mapper.cache.tracking import Tracker
from mapper.cache.writes import Changes
from mapper.gateway import Decode
from mapper.operations import Operation, Transaction
from tests.cache.interleaving.model import Scenario
from tests.cache.interleaving.scenarios import SCENARIOS, by_key, by_keys, in_turn, update
from tests.cache.interleaving.worlds import ShopWorld

__all__ = ["CONTROLS", "VARIANTS", "Variant"]

KEEPER: Final = "mapper.cache.cache.Keeper"
FLIGHTS: Final = "mapper.cache.reading.Flights"
ENTRIES: Final = "mapper.cache.reading.Entries"
FIXED: Final = b"sfixed"


@frozen
class Variant:
    """
    A wrong protocol.

    Attributes:
        changes: What is put in place of what, by its full name.
        scenario: What shows that it is wrong.
    """

    changes: Mapping[str, Any]
    scenario: Scenario


# -- without stamps ----------------------------------------------------------------------------------------------------


class Plain(Keeper):
    """Entries without stamps, which writers delete."""

    async def _look_up(self, keys: Sequence[str], tags: Sequence[str]) -> Found:
        if self._identity is None:
            await self._learn()
        values = await self.driver.get_many(keys)
        return Found([self._read(each) for each in values], (FIXED,) * (len(tags) + 1))

    def _read(self, value: bytes | None) -> bytes | None:
        return value

    async def _delete(self) -> None:
        await self.driver.clear(self.names.entries)

    async def mark(self, marked: Marked) -> None: ...

    async def begin(self, tags: Sequence[str]) -> Marked:
        marked = Marked(tags)
        await self.mark(marked)
        return marked

    async def end(self, marked: Marked, *, happened: bool = True) -> None:
        del marked, happened
        await self._delete()


class DeletingBefore(Plain):
    """Deletes inside of the transaction."""

    async def mark(self, marked: Marked) -> None:
        await self._delete()

    async def end(self, marked: Marked, *, happened: bool = True) -> None: ...


class DeletingTwice(Plain):
    """Deletes before the commit and after it."""

    async def mark(self, marked: Marked) -> None:
        await self._delete()


class Adding(DeletingTwice):
    """Keeps only what is not there yet, too."""

    async def _keep(self, items: Sequence[tuple[str, bytes, int]]) -> int:
        for key, value, ttl in items:
            await self.driver.add(key, value, ttl_ms=ttl)
        return len(items)


class KeepingTheNewer(Plain):
    """
    Keeps what is newer than what is there, by a version of the store's, and leaves a tombstone of its version after a
    commit.
    """

    def _read(self, value: bytes | None) -> bytes | None:
        return value[1:] or None if value is not None else None

    async def _put(self, key: str, version: int, value: bytes) -> None:
        adversary: Any = self.driver
        driver = adversary._world.driver

        async def put() -> bool:
            there = await driver.get(key)
            newer = there is None or there[0] <= version
            return newer and await driver.set(key, bytes([version]) + value, ttl_ms=20_000)

        # To compare and to set is one step, as in a script on a server.
        await adversary._call("put", put, [(key, "write")])

    async def _keep(self, items: Sequence[tuple[str, bytes, int]]) -> int:
        world = self._world()
        for key, value, _ in items:
            await self._put(key, world.seen[world.label()], value)
            world.kept.add(key)
        return len(items)

    async def _delete(self) -> None:
        world = self._world()
        for key in sorted(world.kept):
            await self._put(key, len(world.commits), b"")

    def _world(self) -> ShopWorld:
        adversary: Any = self.driver
        world: ShopWorld = adversary._world
        return world


class Counting(Keeper):
    """Stamps are counters, which begin anew once they are lost."""

    def _bump(self, tags: Sequence[str], token: bytes) -> Callable[[Any], Coroutine[Any, Any, object]]:
        del token

        async def count(driver: Any) -> None:
            for each, value in zip(tags, await driver.get_many(tags), strict=True):
                number = 0 if value is None else value[1]
                await driver.set(each, b"s" + bytes([number + 1]), ttl_ms=self._stamp_ttl)

        return count

    async def _completed(
        self, tags: Sequence[str], found: Sequence[bytes | None], identity: bytes, generation: int
    ) -> tuple[bytes, ...] | None:
        return await super()._completed(tags, [each or b"s\1" for each in found], identity, generation)


# -- with stamps -------------------------------------------------------------------------------------------------------


class BumpingBefore(Keeper):
    """Stamps are changed right before COMMIT, and not after."""

    async def mark(self, marked: Marked) -> None:
        await super().end(marked)

    async def end(self, marked: Marked, *, happened: bool = True) -> None: ...


class BumpingLater(Keeper):
    """Stamps are changed after commit() has returned."""

    async def end(self, marked: Marked, *, happened: bool = True) -> None:
        self.background.start(super().end(marked, happened=happened))


class Unmarked(Keeper):
    """Nothing is marked before COMMIT."""

    async def mark(self, marked: Marked) -> None: ...


class OneMarker(Keeper):
    """Every writer has the same marker."""

    async def begin(self, tags: Sequence[str]) -> Marked:
        marked = Marked(tags, b"one marker for all")
        await self.mark(marked)
        return marked


class ServingInFlux(Keeper):
    """What a writer is about to change counts as a stamp."""

    async def _look_up(self, keys: Sequence[str], tags: Sequence[str]) -> Found:
        if self._identity is None:
            await self._learn()
        values = await self.driver.get_many([*keys, *tags])
        stamps = [each or b"s" for each in values[len(keys) :]]
        return Found(values[: len(keys)], (self._identity or b"", *stamps))


class Remembering(Keeper):
    """Stamps are remembered from one read to the next."""

    async def _look_up(self, keys: Sequence[str], tags: Sequence[str]) -> Found:
        remembered: dict[Any, Any] = self.__dict__.setdefault("remembered", {})
        if tuple(tags) not in remembered:
            remembered[tuple(tags)] = (await super()._look_up((), tags)).stamps
        return Found(await self.driver.get_many(keys), remembered[tuple(tags)])


class NeverAsking(Keeper):
    """Nobody asks the driver whether it is still the same server."""

    def _generation(self) -> int:
        return 0


class Forgetting(Keeper):
    """What could not be invalidated is served in the meantime."""

    def _waits(self, tags: Sequence[str]) -> bool:
        return False


class NotRefusing(Keeper):
    """Commits happen that could not be marked."""

    async def _mark(self, marked: Marked) -> None:
        try:
            await super()._mark(marked)
        except Exception:
            self._remember(marked.tags)


class CapturingLate(Reader):
    """Stamps are captured after the read."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._late: dict[str, tuple[bytes, ...]] = {}
        seal = self.entries.sealed

        def sealed(request: Request[Any], value: Any, stamps: tuple[bytes, ...], **rest: Any) -> Any:
            return seal(request, value, self._late.get(request.key, stamps), **rest)

        self.entries.sealed = sealed  # type: ignore[method-assign]  # of this one alone

    async def _joined(self, missing: Missing[Any], began: float) -> Any:
        request, keeper, late = missing.request, self._keeper, self._late

        class Late(type(request)):  # type: ignore[misc]  # the request's own class
            __slots__ = ()

            async def load(self) -> Any:
                value = await super().load()
                found = await keeper.look_up((), self.tags, 1.0)
                if found is not None and found.stamps is not None:
                    late[self.key] = found.stamps
                return value

        request.__class__ = Late
        return await super()._joined(missing, began)


class ByOperation(dict[Any, Any]):
    """Flights by what they read alone."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(key[0], default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key[0], value)

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key[0])

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key[0])  # type: ignore[index]  # a pair


class JoiningAny(Flights):
    """Whoever reads the same joins, whatever has been committed meanwhile."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._open = ByOperation()


class NotComparing(Entries):
    """Entries are served whatever their stamps."""

    def judged(
        self, request: Request[Any], data: bytes | None, stamps: tuple[bytes, ...]
    ) -> tuple[Envelope | None, str]:
        found, reason = super().judged(request, data, stamps)
        if reason != "stamp":
            return found, reason
        served = opened(data or b"", request.digest)
        assert isinstance(served, Envelope)
        return served, ""


# -- tags --------------------------------------------------------------------------------------------------------------


async def filling_within(self: CachedConnection, operation: Operation, decode: Decode[Any]) -> list[Any]:
    """Reads of a transaction keep what they read, though its snapshot is older than the stamps."""
    assert isinstance(operation, CachedRead)
    store: Any = self._gateway
    request = request_of(operation, self._inner)  # type: ignore[arg-type]  # a connection fetches as a gateway does
    assert request is not None
    return decode(*await store.world.caches[store.owner]._reader.read(request))


def released_and_forgotten(self: Tracker, operation: Transaction) -> None:
    """What was changed since a savepoint is forgotten when it is released."""
    place = self._place(operation.name) if operation.kind == "release" else None
    if place is None:
        NOTE(self, operation)
    else:
        del self._levels[place:]


async def only_what_was_told(self: Commits, marked: Marked, error: BaseException | None) -> None:
    """A commit whose answer did not come changes nothing."""
    if error is None:
        await self.keeper.end(marked)


def tags_without(kind: str) -> Callable[[Changes, Names], list[str]]:
    """Leave out tags of one kind."""

    def left(self: Changes, names: Names) -> list[str]:
        return [each for each in TAGS(self, names) if f":t:{kind}:" not in each]

    return left


NOTE: Final = Tracker._note
TAGS: Final = Changes.tags

# -- all of them -------------------------------------------------------------------------------------------------------

WARM: Final = Scenario(
    actors={"a/W": update(), "b/R": in_turn(by_key(), by_key())}, warm=(by_key(),), checks_hits=False
)
COLD: Final = evolve(WARM, emptied=True)
DYING: Final = evolve(WARM, dying=("a",))


def named(name: str, **changes: Any) -> Scenario:
    """Return one of the scenarios, without a look at stamps."""
    return evolve(SCENARIOS[name], checks_hits=False, **changes)


VARIANTS: Final[dict[str, Variant]] = {
    "delete after commit": Variant({KEEPER: Plain}, COLD),
    "delete inside the transaction": Variant({KEEPER: DeletingBefore}, COLD),
    "double delete": Variant({KEEPER: DeletingTwice}, COLD),
    "fill only what is absent": Variant({KEEPER: Adding}, COLD),
    "keep the newer, with eviction": Variant(
        {KEEPER: KeepingTheNewer},
        evolve(COLD, actors={"b/R": by_key(), "c/R": in_turn(by_key(), by_key()), "a/W": update()}, evictions=1),
    ),
    "counters as stamps, with eviction": Variant(
        {KEEPER: Counting}, evolve(WARM, evictions=1, invalidation="after_commit")
    ),
    "stamps captured after the read": Variant({"mapper.cache.cache.Reader": CapturingLate}, COLD),
    "single flight by operation": Variant(
        {FLIGHTS: JoiningAny}, evolve(COLD, actors={"a/W": update(), "b/R": by_key(), "b/S": by_key()})
    ),
    "single flight of lists by operation": Variant(
        {FLIGHTS: JoiningAny}, evolve(COLD, actors={"a/W": update(), "b/R": by_keys(1, 2), "b/S": by_keys(1, 2)})
    ),
    "one marker for two writers": Variant(
        {KEEPER: OneMarker},
        evolve(
            COLD,
            actors={"a/W": update(1, 101), "b/W": in_turn(update(1, 102), by_key(), by_key())},
            dying=("a",),
        ),
    ),
    "bump before COMMIT": Variant({KEEPER: BumpingBefore}, COLD),
    "bump after return": Variant({KEEPER: BumpingLater}, evolve(WARM, invalidation="after_commit")),
    "no mark, and the writer dies": Variant({KEEPER: Unmarked}, DYING),
    "flux ignored": Variant({KEEPER: ServingInFlux}, DYING),
    "fill from a transaction's snapshot": Variant(
        {"mapper.cache.connection.CachedConnection.fetch": filling_within}, named("a transaction that reads")
    ),
    "stamps remembered": Variant({KEEPER: Remembering}, WARM),
    "stamps not compared": Variant({ENTRIES: NotComparing}, WARM),
    "another server not noticed": Variant({KEEPER: NeverAsking}, evolve(WARM, failovers=1)),
    "what is pending served": Variant(
        {KEEPER: Forgetting},
        evolve(WARM, actors={"a/W": update(), "a/R": by_key()}, faults=2, choices=("fail",), within=True),
    ),
    "committed though not marked": Variant(
        {KEEPER: NotRefusing}, evolve(WARM, faults=2, choices=("fail",), on_failure="refuse")
    ),
    "commits without an answer forgotten": Variant(
        {"mapper.cache.committing.Commits._ended": only_what_was_told}, named("nobody knows of a commit without marks")
    ),
    "a released savepoint forgotten": Variant(
        {"mapper.cache.tracking.Tracker._note": released_and_forgotten}, named("a savepoint that is kept")
    ),
    "an insert that leaves absence": Variant(
        {"mapper.cache.writes.Changes.tags": tags_without("p")}, named("an insert of what is absent")
    ),
    "a condition that changes no key": Variant(
        {"mapper.cache.writes.Changes.tags": tags_without("P")}, named("an update by a condition")
    ),
    "a change by key that changes no lists": Variant(
        {"mapper.cache.writes.Changes.tags": tags_without("r")}, named("an insert and a count")
    ),
}

CONTROLS: Final = (
    "delete after commit",
    "stamps captured after the read",
    "no mark, and the writer dies",
    "bump after return",
)
"""Variants whose scenarios are all those of them that are small and are not searched anyway."""
