"""
Set operations over rows, and telling rows apart.

Operators and iterables of rows go in, an iterable of rows comes out. NULL equals NULL here, as everywhere in SQL but in
comparisons.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Final, TypeAlias

from gateways.memory.expressions import frozen_value

__all__ = ["OPERATORS", "distinct"]

Rows: TypeAlias = Iterable[tuple[Any, ...]]


def distinct(rows: Rows, seen: set[Any] | None = None) -> Iterator[tuple[Any, ...]]:
    """Give equal rows once, and none that is in `seen`, to which what is given is added."""
    known: set[Any] = set() if seen is None else seen
    for row in rows:
        key = _key(row)
        if key not in known:
            known.add(key)
            yield row


def _key(row: tuple[Any, ...]) -> Any:
    try:
        hash(row)
    except TypeError:  # documents and lists have no hash
        return frozen_value(row)
    return row


def _union(left: Rows, right: Rows) -> Rows:
    return distinct(chain(left, right))


def _intersect(left: Rows, right: Rows) -> Rows:
    kept = {_key(row) for row in right}
    return distinct([row for row in left if _key(row) in kept])


def _intersect_all(left: Rows, right: Rows) -> Rows:
    remaining = Counter([_key(row) for row in right])
    return _taken(left, remaining, kept=True)


def _except(left: Rows, right: Rows) -> Rows:
    return distinct(left, {_key(row) for row in right})


def _except_all(left: Rows, right: Rows) -> Rows:
    remaining = Counter([_key(row) for row in right])
    return _taken(left, remaining, kept=False)


def _taken(rows: Rows, remaining: "Counter[Any]", *, kept: bool) -> Iterator[tuple[Any, ...]]:
    """Give the rows that are (or are not) among the remaining ones, each of which counts once."""
    for row in rows:
        key = _key(row)
        found = remaining[key] > 0
        if found:
            remaining[key] -= 1
        if found is kept:
            yield row


OPERATORS: Final[dict[str, Callable[[Rows, Rows], Rows]]] = {
    "union": _union,
    "union_all": chain,
    "intersect": _intersect,
    "intersect_all": _intersect_all,
    "except": _except,
    "except_all": _except_all,
}
