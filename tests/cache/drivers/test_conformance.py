"""The conformance suite on every driver that needs no server."""

import pytest

from cache_drivers.memory import MemoryDriver
from cache_drivers.tiered import TieredDriver
from mapper.cache.driver import CacheDriver
from mapper.testing.conformance import Case, cache_driver_suite
from tests.cache.drivers.clock import Clock
from tests.cache.drivers.shared import Server

CLOCK = Clock()
SERVER = Server(CLOCK)


def memory() -> CacheDriver:
    return MemoryDriver(clock=CLOCK)


MADE = {
    "memory": cache_driver_suite(memory, advance=CLOCK.advance),
    "memory in real time": cache_driver_suite(MemoryDriver),
    "two tiers of this process": cache_driver_suite(lambda: TieredDriver(memory(), memory()), advance=CLOCK.advance),
    "two tiers": cache_driver_suite(lambda: TieredDriver(memory(), SERVER), advance=CLOCK.advance),
    "two tiers with broadcast": cache_driver_suite(
        lambda: TieredDriver(memory(), SERVER, mode="broadcast"), advance=CLOCK.advance
    ),
}
CASES = [
    pytest.param(case, id=f"{name}: {case.name}", marks=[pytest.mark.feature(*case.features)])
    for name, cases in MADE.items()
    for case in cases
]


@pytest.mark.parametrize("case", CASES)
async def test_driver_conforms(case: Case):
    await case.run()


def test_suite_has_at_least_sixty_cases_with_names_of_their_own():
    names = [case.name for case in MADE["memory"]]
    assert len(names) == len(set(names)) >= 60


def test_cases_of_faults_are_listed_only_where_a_server_is_offered():
    listed = {
        "none": cache_driver_suite(memory),
        "no fault": cache_driver_suite(memory, server=lambda: pytest.fail("no case ran"), offered=()),
        "some": cache_driver_suite(memory, server=lambda: pytest.fail("no case ran"), offered=["flush"]),
        "all": cache_driver_suite(memory, server=lambda: pytest.fail("no case ran")),
    }
    faults = {name: sum(case.name.startswith("faults: ") for case in cases) for name, cases in listed.items()}
    assert faults["none"] == faults["no fault"] == 0 < faults["some"] < faults["all"]
