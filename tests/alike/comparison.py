"""
Whether stores give the same: the same rows, in the same order where there is one, or the same kind of refusal.

Answers of the stores go in; nothing comes out, or an `AssertionError` that shows where they differ.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

from mapper.errors import MapperError, Unsupported
from mapper.gateway import Gateway
from tests.alike.data import Library
from tests.alike.queries import Drawn
from tests.alike.stores import Stores

__all__ = ["assert_alike", "assert_refused", "canonical"]

REFERENCE = "memory"


def canonical(value: Any) -> Any:
    """Return a value such that equal means the same: `1`, `True`, `1.0` and `Decimal(1)` differ, `1.0` and `1.00` do not."""
    if isinstance(value, tuple | list):
        return tuple([canonical(each) for each in value])
    if attrs.has(type(value)):
        return (type(value).__name__, canonical(attrs.astuple(value, recurse=False)))
    return (type(value).__name__, value)


@attrs.frozen
class _Failure:
    """An error: of one kind with others, whatever they say."""

    kind: str
    message: str = attrs.field(eq=False)


async def assert_alike(stores: Stores, drawn: Drawn) -> dict[str, str]:
    """
    Run a query on every store.

    Returns:
        By the names of gateways that refused it, the capability that each lacks.

    Raises:
        AssertionError: A store gives other rows than the first, or refuses what it has the capabilities for, or does
            not refuse what it has not.
    """
    refusals: dict[str, str] = {}
    answers: dict[str, Any] = {}
    for name, library in stores.libraries.items():
        gateway = library._executor.gateway
        lacking = {each for each in drawn.needs if not getattr(gateway.capabilities, each)}
        if lacking:
            refusals[name] = assert_refused(gateway, drawn, lacking)
        else:
            answers[name] = await _answer(library, drawn)
    first, *others = answers
    for other in others:
        assert answers[first] == answers[other], _difference(drawn, first, other, answers)
    return refusals


def assert_refused(gateway: Gateway, drawn: Drawn, lacking: set[str]) -> str:
    """
    Compile a query that a gateway cannot run.

    Returns:
        The capability that it is refused for, which is one of those lacking.
    """
    with pytest.raises(Unsupported) as caught:
        gateway.compile(drawn.query)
    assert caught.value.capability in lacking, f"{gateway.name} refuses {drawn.query!r}"
    return caught.value.capability


async def _answer(library: Library, drawn: Drawn) -> dict[str, Any]:
    """Return what a store makes of a query, by the way of asking."""
    query = drawn.query
    rows = await _asked(lambda: query.all(library))
    if isinstance(rows, _Failure):
        return {"rows": rows}
    streamed = [each async for each in query.execute(library)]
    return {
        "rows": canonical(rows) if drawn.ordered else Counter(canonical(rows)),
        "stream": canonical(streamed) if drawn.ordered else Counter(canonical(streamed)),
        "count": await _asked(lambda: query.count(library)),
        "exists": await _asked(lambda: query.exists(library)),
    }


async def _asked(ask: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await ask()
    except MapperError as error:
        return _Failure(type(error).__name__, str(error))


def _difference(drawn: Drawn, first: str, other: str, answers: dict[str, Any]) -> str:
    """Say what differs."""
    lines = [f"{first} and {other} differ over {drawn!r}"]
    for each in ("rows", "stream", "count", "exists"):
        ours, theirs = answers[first].get(each), answers[other].get(each)
        if ours != theirs:
            lines += [f"{each} on {first}: {_shown(ours)}", f"{each} on {other}: {_shown(theirs)}"]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    return repr(sorted(map(str, value.elements())) if isinstance(value, Counter) else value)
