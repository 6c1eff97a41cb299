"""
What SQLite lacks, as functions of each connection: exact decimals, checked integers, case-sensitive LIKE.

`register(connection)` makes them known, and those of `gateways.sqlite.numbers`, `gateways.sqlite.moments`,
`gateways.sqlite.computing` and `gateways.sqlite.aggregates`. All names but those that end in `_exact` and `_of` are
those of SQLite's own decimal extension (`decimal_div`, `decimal_avg` are ours), so that the `sqlite3` shell understands
schemas that use them. NULL as an argument gives NULL.

| name | value |
|---|---|
| collation `decimal` | orders text by the number that it writes: `9` before `10`, `1.0` equals `1.00`; other text is last |
| `decimal_add(a, b)` `decimal_sub(a, b)` `decimal_mul(a, b)` | the exact result, as text |
| `decimal_div(a, b)` | the quotient, rounded as `mapper.types.decimals.divide` says |
| `decimal_cmp(a, b)` | -1, 0 or 1 |
| `decimal_sum(a)` | aggregate and window: the exact sum, with as many places as its most exact term; of no rows NULL |
| `decimal_avg(a)` | aggregate and window: `decimal_div(decimal_sum(a), count(a))` |
| `integer_exact(a)` | a, if it is an integer; arithmetic that overflowed 64 bits is not, since SQLite makes it a real |
| `real_exact(a)` | the float nearest to a number or to decimal text, `inf` included |
| `unhex_exact(a)` | the bytes of hexadecimal text |
| `several_rows(a)` | an error: a subquery used as one value gave more than one row |
| `like_exact(pattern, text[, escape])` | LIKE that tells cases apart |

Decimals are TEXT, INTEGER, or REAL (which counts as its shortest text). An argument of another kind, a division by
zero and a result beyond the digits of `mapper.types.decimals` are errors. SQLite hands on no message of a function,
only that it failed; `Failures` keeps it.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, Final, NoReturn

from gateways.sqlite.aggregates import StringAgg
from gateways.sqlite.computing import FUNCTIONS as COMPUTING
from gateways.sqlite.decoding import decimal_of
from gateways.sqlite.moments import FUNCTIONS as MOMENTS
from gateways.sqlite.numbers import FUNCTIONS as NUMBERS
from gateways.sqlite.patterns import like
from mapper.types import decimals
from mapper.types.naming import shown

__all__ = ["IN_PYTHON", "Failures", "register"]

IN_PYTHON: Final = re.compile(r"\b(?:decimal_\w+|interval_\w+|\w+_exact|\w+_of)\s*\(", re.IGNORECASE)
"""A call of one of these functions in the text of a statement."""


class Failures:
    """
    The error that a function of a connection raised last.

    SQLite reports it as an `OperationalError` of its own ("user-defined function raised exception"), without cause.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: Exception | None = None

    def take(self) -> Exception | None:
        """The error since the last `take`, or None."""
        last, self._last = self._last, None
        return last

    def keep(self, error: Exception) -> Exception:
        """
        Keep an error for `take`.

        Returns:
            What to raise in its place: of an OverflowError, SQLite would say "string or blob too big".
        """
        self._last = error
        return RuntimeError("a function failed")


def register(connection: sqlite3.Connection) -> Failures:
    """
    Make every function of this module known to a connection.

    Returns:
        Where the errors of these functions on this connection are kept.
    """
    failures = Failures()
    for name, count, function in (*_FUNCTIONS, *NUMBERS, *MOMENTS, *COMPUTING):
        connection.create_function(name, count, _watched(function, failures), deterministic=True)
    connection.create_window_function("decimal_sum", 1, partial(_Sum, failures))
    connection.create_window_function("decimal_avg", 1, partial(_Average, failures))
    connection.create_window_function("string_agg_of", -1, StringAgg)
    connection.create_collation("decimal", _compare_texts)
    return failures


def _watched(function: Callable[..., Any], failures: Failures) -> Callable[..., Any]:
    def watched(*arguments: Any) -> Any:
        try:
            return None if None in arguments else function(*arguments)
        except Exception as error:  # SQLite would drop it
            raise failures.keep(error) from error

    return watched


def _written(number: Decimal) -> str:
    if not decimals.fits(number):
        raise OverflowError(f"the decimal {shown(number)} has too many digits to be stored")
    return decimals.text(decimals.normalised(number))


def _of_two(operation: Callable[[Decimal, Decimal], Decimal]) -> Callable[[Any, Any], str]:
    return lambda left, right: _written(operation(decimal_of(left), decimal_of(right)))


def _compared(left: Any, right: Any) -> int:
    one, other = decimal_of(left), decimal_of(right)
    return (one > other) - (one < other)


def _compare_texts(left: str, right: str) -> int:
    """The collation: it must order everything and never raise, since SQLite would take an error for equality."""
    if left == right:
        return 0
    one, other = _sortable(left), _sortable(right)
    return (one > other) - (one < other)


@lru_cache(1024)
def _sortable(text: str) -> tuple[int, Decimal, str]:
    try:
        return 0, decimal_of(text), ""
    except ValueError:
        return 1, Decimal(0), text


def _integer_exact(value: Any) -> int:
    if type(value) is int:
        return value
    if type(value) is float:
        raise OverflowError(f"integer arithmetic left 64 bits: the result is {value!r}")
    raise TypeError(f"found {shown(value)}, expected an integer")


def _real_exact(value: Any) -> float:
    if isinstance(value, bytes):
        raise TypeError(f"found {shown(value)}, expected a number")
    return float(value)


def _several_rows(count: int) -> NoReturn:
    raise ValueError(f"a subquery used as one value gave {'several' if count > 1 else count} rows")


_FUNCTIONS: Final[tuple[tuple[str, int, Callable[..., Any]], ...]] = (
    ("decimal_add", 2, _of_two(decimals.add)),
    ("decimal_sub", 2, _of_two(decimals.subtract)),
    ("decimal_mul", 2, _of_two(decimals.multiply)),
    ("decimal_div", 2, _of_two(decimals.divide)),
    ("decimal_cmp", 2, _compared),
    ("integer_exact", 1, _integer_exact),
    ("real_exact", 1, _real_exact),
    ("unhex_exact", 1, bytes.fromhex),
    ("several_rows", 1, _several_rows),
    ("like_exact", 2, like),
    ("like_exact", 3, like),
)


class _Sum:
    """
    The exact sum of a window that slides.

    The scale of the result is that of the most exact term within the window, so it does not depend on the terms that
    have left it.
    """

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self._total = Decimal(0)
        self._scales: Counter[int] = Counter()

    def step(self, value: Any) -> None:
        """A row enters."""
        self._move(value, decimals.add, 1)

    def inverse(self, value: Any) -> None:
        """A row leaves."""
        self._move(value, decimals.subtract, -1)

    def _move(self, value: Any, operation: Callable[[Decimal, Decimal], Decimal], change: int) -> None:
        if value is None:
            return
        try:
            number = decimal_of(value)
        except Exception as error:  # SQLite would drop it
            raise self._failures.keep(error) from error
        self._total = operation(self._total, number)
        scale = decimals.scale(number)
        self._scales[scale] += change
        if not self._scales[scale]:
            del self._scales[scale]

    def value(self) -> str | None:
        """The result for the rows now within the window."""
        if not self._scales:
            return None
        try:
            return _written(self._result(decimals.rounded(self._total, max(self._scales)), self._scales.total()))
        except Exception as error:  # SQLite would drop it
            raise self._failures.keep(error) from error

    finalize = value

    def _result(self, total: Decimal, count: int) -> Decimal:
        return total


class _Average(_Sum):
    """The average of a window that slides."""

    def _result(self, total: Decimal, count: int) -> Decimal:
        return decimals.divide(total, Decimal(count))
