"""What is kept, read and compared in the searches: items, and scenarios of who does what with them at once."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import field, frozen

from mapper.caching import CachePolicy, FailureMode, InvalidationMode
from mapper.columns import Column, column
from mapper.relation import Relation
from mapper.repository import Repository

if TYPE_CHECKING:
    from tests.cache.interleaving.worlds import ShopWorld

__all__ = ["FLUX", "TICK", "TTL", "Actor", "Expected", "Item", "Items", "Rows", "Scenario", "Shop"]

TTL: Final = 20
FLUX: Final = 30.0
TICK: Final = 31.0
"""Seconds of a `tick`: entries expire, writers are taken for dead, whoever waits for the driver gives up."""


@frozen
class Item:
    """What is kept: each commit gives a version that was not there before."""

    group: int
    version: int


class Items(Relation[Item, int], name="items"):
    """Items, by key and in groups."""

    id: Column[int] = column(primary_key=True)
    group: Column[int] = column()
    version: Column[int] = column()


class Shop(Repository[Items]):
    """The repository of every process."""


Rows: TypeAlias = Mapping[int, Item]
"""What is committed, by key."""

Expected: TypeAlias = tuple[Callable[[Rows], object], object]
"""A part of what a read gave: how it follows from what is committed, and what it was."""

Actor: TypeAlias = Callable[["ShopWorld", str], Coroutine[Any, Any, None]]
"""What a task does, given its world and its process."""


@frozen(kw_only=True)
class Scenario:
    """
    Who does what at once, and what may happen meanwhile.

    Attributes:
        actors: By name: `process/name`.
        warm: What each process reads before.
        emptied: Whether of that only the stamps are left.
        evictions, ticks, cancellations, failovers, faults: How many there may be, at any moment.
        unknowns: How many answers to commits may be lost.
        dying: Processes that may die, one of them at the most.
        choices: How calls of the driver may fail: `fail`, `lost` (it took effect), `late` (it takes effect later).
        within: Whether the guarantee is for the process that committed alone.
        fine: Whether answers of the driver wait for their turn too.
        checks_hits: Whether hits must have the stamps of their tags.
    """

    actors: Mapping[str, Actor]
    warm: Sequence[Actor] = ()
    emptied: bool = False
    evictions: int = 0
    ticks: int = 0
    cancellations: int = 0
    cancelled: Sequence[str] = ()
    failovers: int = 0
    unknowns: int = 0
    faults: int = 0
    choices: Sequence[str] = ("fail", "lost", "late")
    dying: Sequence[str] = ()
    within: bool = False
    fine: bool = False
    checks_hits: bool = True
    invalidation: InvalidationMode = "two_phase"
    on_failure: FailureMode = "pending"
    policy: CachePolicy = field(default=CachePolicy(ttl=TTL, jitter=0.0, lookup_timeout=0.05, store_timeout=0.25))
