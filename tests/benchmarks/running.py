"""
Running workloads: each way of doing it is checked once, and then they take turns.

A workload and a bench go in; a `Measured` comes out.
"""

import os
import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs

from tests.benchmarks.peer import Peer
from tests.benchmarks.workload import Bench, Database, Run, Unit, Workload
from tests.performance.measuring import Spent, Work, medians, taken

__all__ = ["Measured", "Side", "measured"]

LEAST: Final = 3


@attrs.frozen
class Side:
    """
    What a way takes of what the way by hand takes: the medians of the paired ratios, by the clock and by the time of
    processors of this process; and the microseconds that a turn took by the clock, in the middle.
    """

    wall: float
    processors: float | None
    microseconds: float


@attrs.frozen(kw_only=True)
class Measured:
    """
    A workload on one database.

    Attributes:
        value: What ours takes, in the unit: as a ratio, by the clock.
        goal: What it is to take at most; None where there is none.
        sides: By name: `ours`, `mapped` where there is such a way by hand, and the peers.
        mapped: What ours takes of the way that maps by hand; None where there is none.
        failed: Peers that could not do it, with the reason.
    """

    name: str
    title: str
    database: Database
    unit: Unit
    value: float
    goal: float | None
    mapped: float | None = None
    mapped_goal: float | None = None
    rounds: int
    load: float
    sides: Mapping[str, Side] = attrs.field(factory=dict)
    failed: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the goals are met; None where there is none."""
        goals = [(self.value, self.goal), (self.mapped, self.mapped_goal)]
        known = [value <= goal for value, goal in goals if value is not None and goal is not None]
        return all(known) if known else None


async def measured(workload: Workload, bench: Bench, rounds: int, peers: Sequence[Peer] = ()) -> Measured:
    """
    Check every way, and measure.

    Raises:
        AssertionError: Ours, or the way by hand, does not find what is expected.
    """
    rounds = max(LEAST, rounds // workload.weight)
    if workload.unit != "ratio":
        return await _values(workload, bench, rounds)
    ways: dict[str, Run] = {"raw": workload.raw[bench.database], "ours": workload.ours}
    if bench.database in workload.mapped:
        ways["mapped"] = workload.mapped[bench.database]
    for way in ways.values():
        workload.check(bench, await way(bench))
    failed: dict[str, str] = {}
    for peer in peers:
        found = peer.way(workload.key)
        if found is not None and await _checked(workload, bench, peer.name, found, failed):
            ways[peer.name] = found
    sides: dict[str, Work] = {name: partial(way, bench) for name, way in ways.items()}
    return _told(workload, bench, await taken(sides, rounds=rounds, servers=()), rounds, failed)


async def _checked(workload: Workload, bench: Bench, name: str, way: Run, failed: dict[str, str]) -> bool:
    try:
        workload.check(bench, await way(bench))
    except Exception as error:  # a peer that cannot do it is shown as such, and spoils nothing
        failed[name] = f"{type(error).__name__}: {error}".splitlines()[0]
        return False
    return True


def _told(
    workload: Workload, bench: Bench, spent: Mapping[str, list[Spent]], rounds: int, failed: Mapping[str, str]
) -> Measured:
    sides: dict[str, Side] = {}
    for name, found in spent.items():
        wall, processors = medians(found, spent["raw"])
        sides[name] = Side(wall, processors, statistics.median([each.wall for each in found]) * 1e6)
    mapped: Any = medians(spent["ours"], spent["mapped"])[0] if "mapped" in spent else None
    return Measured(
        name=workload.name,
        title=workload.title,
        database=bench.database,
        unit=workload.unit,
        value=sides["ours"].wall,
        goal=workload.goals.get(bench.database),
        mapped=mapped,
        mapped_goal=workload.mapped_goals.get(bench.database),
        rounds=rounds,
        load=os.getloadavg()[0],
        sides=sides,
        failed=failed,
    )


async def _values(workload: Workload, bench: Bench, rounds: int) -> Measured:
    values: list[float] = [await workload.ours(bench) for _ in range(rounds)]
    workload.check(bench, values[0])
    return Measured(
        name=workload.name,
        title=workload.title,
        database=bench.database,
        unit=workload.unit,
        value=min(values),
        goal=workload.goals.get(bench.database),
        rounds=rounds,
        load=os.getloadavg()[0],
    )
