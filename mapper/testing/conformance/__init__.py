"""
The conformance suites: what every gateway and every cache driver must do, as named cases that a plain loop or pytest
can run.

A function that makes a gateway or a driver goes in; a list of cases comes out. Where a gateway declares that it lacks a
capability, the case asserts that the statement is refused, so no case is ever skipped.

    @pytest.mark.parametrize("case", gateway_suite(MyGateway), ids=str)
    async def test_my_gateway(case):
        await case.run()
"""

from collections.abc import Awaitable, Callable

from mapper.gateway import Gateway
from mapper.testing.conformance import (
    errors,
    filters,
    language,
    locking,
    operations,
    reading,
    relationships,
    transactions,
    values,
    writing,
)
from mapper.testing.conformance.case import Case
from mapper.testing.conformance.drivers import cache_driver_suite
from mapper.testing.conformance.relations import Suite

__all__ = ["Case", "cache_driver_suite", "gateway_suite"]


def gateway_suite(factory: Callable[[], Gateway]) -> list[Case]:
    """
    Return the cases for a gateway.

    Args:
        factory: Makes a gateway; called once for each case, and the gateway is closed after it. Several of them may
            speak to one store: each case creates the relations that it uses, whose names begin with `conformance_`, and
            drops them at its end.
    """
    cases: list[Case] = []
    for area in (operations, values, filters, reading, language, relationships, writing, transactions, locking, errors):
        suite: Suite = area.SUITE
        for each in suite.cases:
            cases.append(Case(f"{suite.name}: {each.title}", each.features, _bound(factory, each.body)))
    return cases


def _bound(factory: Callable[[], Gateway], body: Callable[[Gateway], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        gateway = factory()
        try:
            await body(gateway)
        finally:
            await gateway.aclose()

    return run
