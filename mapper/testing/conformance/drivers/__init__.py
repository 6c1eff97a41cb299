"""
The conformance suite for cache drivers: what every one of them must do.

A function that makes a driver goes in; a list of named cases comes out, which a plain loop or pytest can run.
"""

from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack

from mapper.cache.driver import CacheDriver
from mapper.testing.conformance.case import Case
from mapper.testing.conformance.drivers import clearing, expiring, faults, keeping, living, tagging
from mapper.testing.conformance.drivers.cases import Body
from mapper.testing.conformance.drivers.control import FAULTS, Advance, Bench, Fault, ServerControl

__all__ = ["FAULTS", "Advance", "Fault", "ServerControl", "cache_driver_suite"]


def cache_driver_suite(
    factory: Callable[[], CacheDriver],
    *,
    advance: Advance | None = None,
    server: Callable[[], ServerControl] | None = None,
    offered: Collection[Fault] = FAULTS,
) -> list[Case]:
    """
    Return the cases for a cache driver.

    Args:
        factory: Makes a driver; called when a case runs, and again by cases that need a second driver. They are closed
            after the case. Drivers with a server all speak to the same one, which may be in use by others: the keys of
            each case begin with a word of its own.
        advance: Lets milliseconds pass on the clock that the drivers go by. Without it the cases wait for short times
            to live, and cannot tell to the millisecond.
        server: Returns the control of the server that the drivers speak to; called when a case runs. Without it the
            list has no cases of servers that are stopped, slow, full, emptied or broken.
        offered: What the control can do; a case that needs anything else is not in the list.
    """
    able = frozenset(offered) if server is not None else frozenset[Fault]()
    return [
        Case(f"{suite.name}: {each.title}", each.features, _bound(factory, advance, server, each.body))
        for suite in (keeping.SUITE, expiring.SUITE, clearing.SUITE, tagging.SUITE, living.SUITE, faults.SUITE)
        for each in suite.cases
        if each.faults <= able
    ]


def _bound(
    factory: Callable[[], CacheDriver],
    advance: Advance | None,
    server: Callable[[], ServerControl] | None,
    body: Body,
) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        async with AsyncExitStack() as stack:

            def make() -> CacheDriver:
                driver = factory()
                stack.push_async_callback(driver.aclose)
                return driver

            control = server() if server is not None else None
            driver = make()
            if control is not None:
                stack.push_async_callback(control.restore)
            await body(Bench(driver, make, control, advance))

    return run
