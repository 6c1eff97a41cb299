"""The conformance suite for cache drivers on real servers: one, one that is restarted, and a cluster of three."""

from collections.abc import AsyncIterator

import pytest

from mapper.cache.driver import CacheDriver
from mapper.testing.conformance import Case, cache_driver_suite
from tests.cache.drivers.redis.control import COMMAND_TIMEOUT, ClusterControl, Control, RestartingControl, controlled
from tests.servers import Redis, RedisCluster

NOW: list[Control] = []
"""The control of the test that runs."""


def made() -> CacheDriver:
    return NOW[0].driver()


def current() -> Control:
    return NOW[0]


SUITE = cache_driver_suite(made, server=current)

SLOW = {case.name for case in cache_driver_suite(made, server=current, offered=["delay"])} - {
    case.name for case in cache_driver_suite(made, server=current, offered=[])
}
"""Cases that wait until commands fail."""

STOPPING = [
    case for case in cache_driver_suite(made, server=current, offered=["stop"]) if case.name.startswith("faults:")
]

LEFT_OUT = SLOW
"""What a cluster need not pass: what is slow is slow there too. See `test_cluster.py` for that."""


def parameters(cases: list[Case]) -> list[object]:
    return [pytest.param(case, id=case.name, marks=[pytest.mark.feature(*case.features)]) for case in cases]


@pytest.fixture
async def behind_proxy(server: Redis) -> AsyncIterator[None]:
    async with controlled(Control, [server]) as control:
        NOW[:] = [control]
        yield


@pytest.fixture
async def restarting(server: Redis) -> AsyncIterator[None]:
    async with controlled(RestartingControl, [server]) as control:
        NOW[:] = [control]
        yield


@pytest.fixture
async def clustered(cluster: RedisCluster) -> AsyncIterator[None]:
    async with controlled(ClusterControl, cluster.servers) as control:
        NOW[:] = [control]
        yield


@pytest.mark.usefixtures("behind_proxy")
@pytest.mark.parametrize("case", parameters(SUITE))
async def test_redis_conforms(case: Case):
    if case.name in SLOW:
        NOW[0].command_timeout = COMMAND_TIMEOUT
    await case.run()


@pytest.mark.usefixtures("restarting")
@pytest.mark.parametrize("case", parameters(STOPPING))
async def test_redis_that_is_restarted_conforms(case: Case):
    await case.run()


@pytest.mark.usefixtures("clustered")
@pytest.mark.parametrize("case", parameters([case for case in SUITE if case.name not in LEFT_OUT]))
async def test_redis_cluster_conforms(case: Case):
    await case.run()


def test_cases_that_a_cluster_leaves_out_are_cases_of_the_suite():
    assert len(SLOW) >= 3
    assert {case.name for case in SUITE} >= LEFT_OUT
