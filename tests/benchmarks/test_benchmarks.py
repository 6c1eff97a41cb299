"""Every workload does its work in every way, on a small scale; and the reports say what was measured."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import Any

import attrs
import pytest

from tests.benchmarks import features, growth, stalls
from tests.benchmarks.__main__ import arguments
from tests.benchmarks.databases import DATABASES, opened
from tests.benchmarks.peer import PEERS, Peer, opened_peer
from tests.benchmarks.plot import svg
from tests.benchmarks.report import as_json, lines, machine
from tests.benchmarks.running import Measured, Side, measured
from tests.benchmarks.workload import Bench, Database
from tests.benchmarks.workloads import WORKLOADS
from tests.servers import NoServer

SIZE = 2500


@pytest.fixture(params=DATABASES)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    database: Database = request.param
    try:
        async with opened(database, SIZE) as found:
            yield found
    except NoServer as missing:
        pytest.skip(str(missing))


async def test_every_workload_is_done_in_every_way(bench: Bench):
    for workload in [each for each in WORKLOADS if bench.database in each.databases]:
        if workload.name.startswith("W10"):
            workload.check(bench, await workload.ours(bench))
        if workload.unit == "ratio":
            mapped = [workload.mapped[bench.database]] if bench.database in workload.mapped else []
            for way in (workload.ours, workload.raw[bench.database], *mapped):
                workload.check(bench, await way(bench))


class Wrong:
    """A library that finds nothing, and one thing not at all."""

    async def read_one(self, bench: Bench) -> list[Any]:
        return []

    async def read_list(self, bench: Bench) -> list[Any]:
        raise OSError("it is out of order")


async def test_a_peer_that_does_not_do_the_work_is_not_measured():
    async with opened("sqlite", SIZE) as bench:
        one, several = [next(each for each in WORKLOADS if each.name == name) for name in ("W1", "W2")]
        found = [await measured(each, bench, 3, [Peer("wrong", Wrong())]) for each in (one, several)]
    assert [set(each.sides) for each in found] == [{"raw", "ours"}, {"raw", "ours", "mapped"}]
    assert found[1].failed == {"wrong": "OSError: it is out of order"}
    assert found[0].sides["raw"].wall == 1


INSTALLED = [name for name, module in PEERS.items() if find_spec(module)]
"""Peers that are here; the others are for who asks for them: `./run bench --peers`."""


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("database", DATABASES)
async def test_peer_does_its_workloads_where_it_is_installed(name: str, database: Database):
    async with opened(database, SIZE) as bench, AsyncExitStack() as stack:
        peer = await opened_peer(name, bench, stack)
        for workload in WORKLOADS:
            way = None if peer is None else peer.way(workload.key)
            if way is not None:
                workload.check(bench, await way(bench))


def some(value: float, goal: float | None = 1.2, **more: Any) -> Measured:
    sides = {"raw": Side(1, 1, 10), "ours": Side(value, value, 10 * value), "tortoise": Side(20, 30, 200)}
    return Measured(
        name="W1", title="read <one>", database="sqlite", unit="ratio", value=value, goal=goal, rounds=3, load=0.5,
        sides=sides, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "more", "met"),
    [
        (1.2, {}, True),
        (1.21, {}, False),
        (1.0, {"mapped": 1.2, "mapped_goal": 1.1}, False),
        (1.0, {"mapped": 1.2}, True),
        (9.0, {"goal": None}, None),
    ],
)
def test_verdict_needs_every_goal(value: float, more: dict[str, Any], met: bool | None):
    assert some(value, **more).met is met


def test_table_shows_goal_ratio_verdict_and_peers():
    head, line, *remarks = lines([some(0.5, failed={"piccolo": "OSError: no"})])
    assert head.split() == ["workload", "database", "goal", "ours", "cpu", "mapped", "verdict", "tortoise"]
    assert line.split() == ["W1", "read", "<one>", "sqlite", "1.20", "0.50", "0.50", "met", "20.0"]
    assert remarks == ["W1 on sqlite: piccolo could not do it: OSError: no"]


def test_json_has_all_that_was_measured():
    read = json.loads(as_json([some(0.5)], machine()))
    assert read["results"][0]["sides"]["tortoise"]["wall"] == 20
    assert read["results"][0]["met"] is True
    assert read["machine"]["processors"] >= 1


def test_plot_is_xml_with_a_bar_for_each_way():
    root = ElementTree.fromstring(svg([some(0.5), some(200)]))
    bars = [each for each in root.iter("{http://www.w3.org/2000/svg}rect") if each.get("height") == "10"]
    assert len(bars) == 2 + 4  # of the legend, and of the workloads
    assert "read <one>" in "".join(root.itertext())


def test_workloads_are_chosen_by_name_and_by_its_beginning():
    assert [each.name for each in arguments(["W3"]).chosen] == ["W3", "W3-first", "W3-memory"]
    assert [each.name for each in arguments(["W3-first", "W4"]).chosen] == ["W3-first", "W4"]
    assert len(arguments([]).chosen) == len(WORKLOADS)


def test_workload_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        arguments(["W77"])
    assert "no workload is called W77" in capsys.readouterr().err


async def test_growth_is_measured_at_each_size(bench: Bench):
    found = [*await growth.rows(bench, (100, 1000, 10_000)), growth.compiling(bench.gateway, (1, 100, 1000))]
    found += [*await growth.relations((1, 2, 16)), await growth.listening(bench, 3)]
    assert [[size for size, _ in each.costs] for each in found] == [
        [100, 1000, 10_000],
        [100, 1000, 10_000],
        [1000, 10_000],
        [1, 100, 1000],
        [1, 2, 16],
        [1, 2, 16],
        [1, 2, 16],
        [0, 1],
    ]
    assert all([cost > 0 for each in found for _, cost in each.costs])
    assert len(growth.table(found)) == len(found)


def test_growth_counts_sizes_from_the_one_where_rows_matter():
    grown = growth.Grown(title="", unit="", costs=((1, 100.0), (10, 2.0), (100, 3.0)), bound=1.5, since=10)
    assert (grown.factor, grown.met) == (1.5, True)


def test_growth_without_a_bound_is_shown_and_is_never_missed():
    grown = growth.Grown(title="rows", unit="µs", costs=((1, 1.0), (2, 9.0)), bound=None)
    assert grown.met
    assert growth.table([grown]) == ["rows  1: 1.00, 2: 9.00 µs; factor 9.00"]


async def test_feature_that_is_off_calls_no_more_functions_than_it_may(bench: Bench):
    found = await features.counted(bench)
    assert [each for each in found if not each.met] == []
    assert len(features.table(found)) == len(found)


def test_feature_that_calls_more_than_it_may_is_missed():
    counted = features.Counted(title="", without=3, beside=5, most=1)
    assert (counted.more, counted.met) == (2, False)


async def test_stalls_are_measured_for_each_kind_and_way():
    async with stalls.built(4, tasks=2, seconds=0.1) as made:
        found = await stalls.measured(made, rounds=1)
    idle, *others = found
    assert (idle.way, idle.reads, idle.commits) == ("", 0, 0)
    assert [(each.kind, each.way) for each in others] == [(kind, way) for kind in stalls.KINDS for way in stalls.WAYS]
    assert all([each.reads > 0 for each in others if each.kind != "nothing"])
    assert all([each.late and list(each.late) == sorted(each.late) for each in found])
    assert len(stalls.table(found)) == len(found) + 1


def stall(*own: float, way: str = "inline") -> stalls.Stall:
    return stalls.Stall(way=way, kind="by key", late=(9.0,) * len(own), own=own, reads=1, commits=1)


def test_stall_is_met_by_reads_on_the_loop_where_one_of_a_thousand_is_short():
    assert stall(*[0.1] * 999, 5.0, 5.0).met is False
    assert stall(*[0.1] * 2000, 5.0).met is True
    assert stall(5.0, way="threads").met is None
    assert attrs.evolve(stall(5.0), reads=0).met is None
