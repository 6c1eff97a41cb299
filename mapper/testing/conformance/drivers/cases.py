"""
How cases for cache drivers are written down, and what many of them say.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

from attrs import field, frozen

from mapper.cache.driver import TwoPhaseDriver
from mapper.errors import MapperError
from mapper.testing.conformance.drivers.control import Bench, Fault

__all__ = ["HOUR", "INVALID_KEYS", "Body", "Declared", "Suite", "refused", "two_phases"]

Body: TypeAlias = Callable[[Bench], Awaitable[None]]

E = TypeVar("E", bound=MapperError)

HOUR = 3_600_000
"""Milliseconds that no case waits for."""

INVALID_KEYS = ("", " ", "a b", "a\nb", "a\r\nb", "a\tb", "a\x00b", "a\x7fb", "clé", "ключ", "a\u00a0b", "🗝", "\ud800")
"""Keys that nothing may be kept under, by their characters or the lack of them."""


@frozen
class Declared:
    """A case, the rows of the feature table that it shows, and what must be done to a server for it."""

    title: str
    features: tuple[str, ...]
    faults: frozenset[Fault]
    body: Body


@frozen
class Suite:
    """Cases of one area."""

    name: str
    cases: list[Declared] = field(factory=list)

    def case(self, title: str, *features: str, faults: tuple[Fault, ...] = ()) -> Callable[[Body], Body]:
        """Add a case."""

        def add(body: Body) -> Body:
            self.cases.append(Declared(title, features, frozenset(faults), body))
            return body

        return add


async def refused(kind: type[E], awaitable: Coroutine[Any, Any, object]) -> E:
    """Await something that must fail with the error, and return the error."""
    try:
        result = await awaitable
    except kind as error:
        return error
    raise AssertionError(f"got {result!r}, expected {kind.__name__}")


def two_phases(bench: Bench) -> TwoPhaseDriver | None:
    """Return the driver if it says that it counts writers; else None."""
    if "tags" not in bench.driver.info.features:
        return None
    assert isinstance(bench.driver, TwoPhaseDriver), "tags_begin is in the features, but not there"
    return bench.driver
