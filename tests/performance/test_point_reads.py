"""Reads by key are faster than those of every other library for asyncio, and than what these are built on."""

from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import Final

import pytest

from tests.benchmarks.databases import DATABASES, opened
from tests.benchmarks.peer import PEERS, opened_peer
from tests.benchmarks.workload import Bench, Database, Run, Workload
from tests.benchmarks.workloads.read_one import ALONE, BY_TASKS
from tests.performance.measuring import ratio
from tests.servers import NoServer

SIZE: Final = 2500

ASYNC: Final = ("sqlalchemy_orm", "sqlalchemy_core", "sqlmodel", "tortoise", "piccolo", "psycopg")
"""Those of the peers that work on asyncio; they are here where `./run bench --peers` has been."""

BOUND: Final = 0.8
"""What a read takes at most of theirs."""

BY_HAND: Final = 0.5
"""What it takes at most of one by hand with aiosqlite, by which all of them read SQLite."""


async def checked_ratio(bench: Bench, workload: Workload, theirs: Run, bound: float) -> float:
    """Return what ours takes of theirs, once both have found what they should."""
    for way in (workload.ours, theirs):
        workload.check(bench, await way(bench))
    return await ratio(lambda: workload.ours(bench), lambda: theirs(bench), bound=bound, rounds=3, servers=())


@pytest.mark.feature("N8")
@pytest.mark.parametrize("workload", [ALONE, BY_TASKS], ids=["alone", "16 tasks"])
async def test_point_read_takes_half_of_one_by_hand_with_aiosqlite_at_most(workload: Workload):
    async with opened("sqlite", SIZE) as bench:
        assert await checked_ratio(bench, workload, workload.raw["sqlite"], BY_HAND) <= BY_HAND


@pytest.mark.feature("N8")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("database", DATABASES)
async def test_point_read_is_faster_than_those_of_the_peers_that_are_installed(database: Database):
    names = [name for name in ASYNC if find_spec(PEERS[name])]
    found: dict[str, float] = {}
    try:
        async with opened(database, SIZE) as bench, AsyncExitStack() as stack:
            for name in names:
                peer = await opened_peer(name, bench, stack)
                way = None if peer is None else peer.way(ALONE.key)
                if way is not None:
                    found[name] = await checked_ratio(bench, ALONE, way, BOUND)
    except NoServer as missing:
        pytest.skip(str(missing))
    if not found:
        pytest.skip("no peer is installed: `./run bench --peers` installs them")
    assert {name: seen for name, seen in found.items() if seen > BOUND} == {}
