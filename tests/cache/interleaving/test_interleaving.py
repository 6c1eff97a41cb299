"""
Reads and commits in every order: none that starts after a commit returned gives what is older than it.

The real code runs, under a scheduler that tries all orders; see `worlds` for what is made up. With
`MAPPER_TEST_HYPOTHESIS=long` the searches that take minutes are run too.
"""

import os
from collections.abc import Callable, Hashable, Mapping, Sequence

import pytest

from tests.cache.interleaving.model import Scenario
from tests.cache.interleaving.scenarios import LARGE, SCENARIOS
from tests.cache.interleaving.scheduling import Report, World, explore, replay
from tests.cache.interleaving.variants import CONTROLS, VARIANTS
from tests.cache.interleaving.worlds import Shelf, ShopWorld

LONG = os.environ.get("MAPPER_TEST_HYPOTHESIS") == "long"
MOST = 20_000 if LONG else 3_000


def searched(scenario: Scenario, *, reduced: bool = True, shelf: Shelf | None = None) -> Report:
    kept = shelf or Shelf()
    return explore(lambda: ShopWorld(scenario, kept), most=MOST, reduced=reduced)


MARKS = {
    "a transaction that reads": "M4",
    "a savepoint that is rolled back": "M4",
    "a savepoint that is kept": "M4",
}


ALL = {**SCENARIOS, **LARGE} if LONG else SCENARIOS


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=pytest.mark.feature(MARKS[each]) if each in MARKS else ()) for each in ALL]
)
def test_reads_in_every_order_see_every_commit(name: str):
    report = searched(ALL[name])
    assert report.violation is None, str(report)
    assert report.complete or name in LARGE, str(report)


@pytest.mark.parametrize("name", VARIANTS)
def test_wrong_protocol_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch):
    variant = VARIANTS[name]
    for place, change in variant.changes.items():
        monkeypatch.setattr(place, change)
    report = searched(variant.scenario)
    assert report.violation is not None, str(report)
    assert report.violation.startswith("a read in"), str(report)


@pytest.mark.parametrize("name", VARIANTS if LONG else CONTROLS)
def test_right_protocol_is_not_found_out(name: str):
    report = searched(VARIANTS[name].scenario)
    assert report.violation is None, str(report)


def test_invalidation_left_behind_while_another_one_is_answered_stays_pending():
    turns = """
        a/R#1:read a/W#1:COMMIT a/W#2:answer a/W.1#1:tags_end a/R#2:get_many a/R#3:get_many|answered a/R.1#1:snapshot
        a/V#1:COMMIT a/R.1#2:answer a/V#2:answer a/R.1#3:set a/V.1#1:tags_end!fail a/W.1#2:tags_end|answered
        a/R.1#4:set|answered a/R#4:read
    """
    scenario, shelf = LARGE["two writers of a process, and an invalidation that fails"], Shelf()
    assert replay(lambda: ShopWorld(scenario, shelf), [each.replace("|", " ") for each in turns.split()]) is None


@pytest.mark.parametrize("name", ["without marks", "nobody knows of a commit without marks"])
def test_orders_left_out_show_nothing_else(name: str):
    reduced, whole = Shelf(), Shelf()
    fewer = searched(SCENARIOS[name], shelf=reduced)
    more = searched(SCENARIOS[name], shelf=whole, reduced=False)
    assert fewer.complete
    assert more.complete
    assert fewer.histories < more.histories
    assert reduced.outcomes == whole.outcomes


def test_search_finds_each_order_of_what_conflicts_once():
    seen: list[str] = []
    report = explore(lambda: Letters(seen, conflicting=True), most=100)
    assert report.complete
    assert sorted(seen) == ["abc", "acb", "bac", "bca", "cab", "cba"]


def test_search_runs_what_does_not_conflict_in_one_order():
    seen: list[str] = []
    assert explore(lambda: Letters(seen, conflicting=False), most=100).histories == len(seen) == 1


class Letters(World):
    """Three tasks that each write a letter."""

    def __init__(self, seen: list[str], *, conflicting: bool) -> None:
        super().__init__()
        self._seen = seen
        self._conflicting = conflicting
        self._written = ""

    async def prepare(self) -> None: ...

    def begin(self) -> None:
        for each in "abc":
            self.start(f"p/{each}", self._write(each))

    async def _write(self, letter: str) -> None:
        await self.point(letter, "write")
        self.touch("paper" if self._conflicting else letter, "write")
        self._written += letter
        if self.finished() and self.turns is not None:
            self._seen.append(self._written)

    def events(self) -> Mapping[str, Callable[[], None]]:
        return {}

    def finished(self) -> bool:
        return len(self._written) == 3

    def may_run(self, owner: str) -> bool:
        return bool(owner)

    def state(self) -> Hashable:
        return self._written

    def shared(self, owner: str) -> Hashable:
        return owner

    def owners(self) -> Sequence[str]:
        return "abc"
