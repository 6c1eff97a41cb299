"""
Aggregates over texts in SQLite, whose own take neither an order nor, with a separator, distinct values.

The dialect calls them with what it says otherwise: whether values are distinct, and the terms of an order, each as a
word of how and a value.

| name | value |
|---|---|
| `string_agg_of(kind, a, separator[, how, key]…)` | the texts that are not NULL, in order, with a separator between them |
"""

from collections import deque
from typing import Any

from gateways.sqlite.decoding import decimal_of

__all__ = ["StringAgg"]


class StringAgg:
    """
    Texts behind each other; of a window too, whose rows leave in the order in which they came.

    `kind` is `distinct` or empty. A term of the order is a word such as `desc last`, with `number` behind it where the
    key is a decimal, and the key.
    """

    def __init__(self) -> None:
        self._rows: deque[tuple[Any, ...]] = deque()

    def step(self, *arguments: Any) -> None:
        """A row enters."""
        self._rows.append(arguments)

    def inverse(self, *arguments: Any) -> None:
        """The first row leaves."""
        del arguments
        self._rows.popleft()

    def value(self) -> str | None:
        """The result for the rows now within the window."""
        rows = [each for each in self._rows if each[1] is not None]
        if not rows:
            return None
        texts: list[str] = [each[1] for each in _ordered(rows)]
        separator: str = rows[0][2]
        return separator.join(dict.fromkeys(texts) if rows[0][0] else texts)

    finalize = value


def _ordered(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    for place in range(len(rows[0]) - 2, 2, -2):
        rows = _sorted(rows, place)
    return rows


def _sorted(rows: list[tuple[Any, ...]], place: int) -> list[tuple[Any, ...]]:
    how, key = rows[0][place].split(), place + 1
    descending, last, number = how[0] == "desc", how[1] == "last", how[-1] == "number"

    def by(row: tuple[Any, ...]) -> Any:
        return decimal_of(row[key]) if number else row[key]

    known = sorted([each for each in rows if each[key] is not None], key=by, reverse=descending)
    missing = [each for each in rows if each[key] is None]
    return [*known, *missing] if last else [*missing, *known]
