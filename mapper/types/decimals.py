"""
Exact decimal arithmetic, the same for every gateway that has none of its own.

Decimals go in, decimals or their text come out; nothing here depends on the decimal context of the calling thread.
"""

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from typing import Final

__all__ = [
    "DIGITS_AFTER",
    "DIGITS_BEFORE",
    "add",
    "divide",
    "fits",
    "multiply",
    "normalised",
    "ready_text",
    "rescaled",
    "rounded",
    "subtract",
    "text",
    "total",
    "trimmed",
]

DIGITS_BEFORE: Final = 131_072
DIGITS_AFTER: Final = 16_383
"""Digits before and after the point: the limits of PostgreSQL's `numeric` (manual, 8.1.2), kept everywhere."""

QUOTIENT_PLACES: Final = 28
"""Digits after the point of a quotient, where its operands have not more."""

QUOTIENT_DIGITS: Final = 16
"""Digits of a quotient that is so small that there would be fewer."""

_GROUP: Final = 4
_MOST_PLACES: Final = 1000

_DIGITS: Final = 2 * (DIGITS_BEFORE + DIGITS_AFTER)  # a product of two such numbers
_LIMIT: Final = 999_999


def _context(digits: int, *traps: type[Inexact | InvalidOperation], rounding: str = ROUND_HALF_EVEN) -> Context:
    return Context(prec=digits, rounding=rounding, Emin=-_LIMIT, Emax=_LIMIT, traps=list(traps))


# A context that traps keeps no state between operations that matters here, so threads may share it.
_EXACT: Final = _context(_DIGITS, InvalidOperation, Inexact)
_ROUNDING: Final = _context(_DIGITS, InvalidOperation, rounding=ROUND_HALF_UP)
_ONE: Final = Decimal(1)
_READY: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_SHORT: Final = 100  # characters; far below the limits


def text(value: Decimal) -> str:
    """The finite decimal without exponent: `100000`, `0.0000001`. Trailing zeros stay: `1.10`."""
    written = str(value)
    return format(value, "f") if "E" in written else written


def ready_text(value: Decimal) -> str | None:
    """The text of a short decimal that is `normalised` already, which nearly all are; None of any other."""
    written = str(value)
    return written if len(written) <= _SHORT and _READY.fullmatch(written) and (value or written[0] != "-") else None


def fits(value: Decimal) -> bool:
    """Whether it is finite and within the digits that a store can keep."""
    if not value.is_finite():
        return False
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -DIGITS_AFTER and (not value or value.adjusted() < DIGITS_BEFORE)


def scale(value: Decimal) -> int:
    """The number of digits after the point of a finite decimal."""
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def normalised(value: Decimal) -> Decimal:
    """
    The decimal as it reads back from text: zero has no sign, and no exponent is above 0. Trailing zeros stay.

    Args:
        value: A decimal that `fits`.
    """
    if not value:
        value = value.copy_abs()
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent > 0:
        return Decimal(0) if not value else _EXACT.quantize(value, _ONE)
    return value


def rescaled(value: Decimal, scale: int) -> Decimal | None:
    """The decimal with exactly `scale` digits after the point, or None where a digit other than 0 would be lost."""
    try:
        return _unsigned(_EXACT.quantize(value, _unit(scale)))
    except (Inexact, InvalidOperation):
        return None


def rounded(value: Decimal, scale: int) -> Decimal:
    """The finite decimal rounded to exactly `scale` digits after the point, half away from zero as in PostgreSQL."""
    return _unsigned(_ROUNDING.quantize(value, _unit(scale)))


@lru_cache(1024)
def _unit(scale: int) -> Decimal:
    return Decimal((0, (1,), -scale))


def _unsigned(value: Decimal) -> Decimal:
    return value if value else value.copy_abs()


def add(left: Decimal, right: Decimal) -> Decimal:
    """The exact sum."""
    return _EXACT.add(left, right)


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """The exact difference."""
    return _EXACT.subtract(left, right)


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """The exact product."""
    return _EXACT.multiply(left, right)


def divide(left: Decimal, right: Decimal) -> Decimal:
    """
    The quotient, rounded half away from zero as in PostgreSQL: to 28 digits after the point, or to more where an operand
    has more or the quotient is so small that fewer than 16 of its digits would be left. Without trailing zeros.

    Raises:
        ZeroDivisionError: `right` is zero.
    """
    if not right:
        raise ZeroDivisionError(f"division of {text(left)} by zero")
    places = _quotient_places(left, right)
    (above, below), (by_above, by_below) = left.as_integer_ratio(), right.as_integer_ratio()
    numerator, denominator = abs(above * by_below) * 10**places, abs(below * by_above)
    digits = (2 * numerator + denominator) // (2 * denominator)
    quotient = _EXACT.scaleb(Decimal(digits), -places)
    return trimmed(quotient.copy_negate() if (left < 0) is not (right < 0) else quotient)


def trimmed(value: Decimal) -> Decimal:
    """The decimal without zeros at the end of what follows its point."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent >= 0:
        return value
    return normalised(_EXACT.normalize(value))


def _quotient_places(left: Decimal, right: Decimal) -> int:
    """Count the digits after the point of a quotient; see `select_div_scale` in PostgreSQL's `numeric.c`."""
    weight, first = _leading(left)
    by_weight, by_first = _leading(right)
    groups = weight - by_weight - (first <= by_first)
    return min(max(QUOTIENT_PLACES, scale(left), scale(right), QUOTIENT_DIGITS - _GROUP * groups), _MOST_PLACES)


def _leading(value: Decimal) -> tuple[int, int]:
    """Return the power of 10,000 and the value of the leading one of the groups of four digits that a decimal is kept as."""
    if not value:
        return 0, 0
    weight = value.adjusted() // _GROUP
    return weight, int(_EXACT.scaleb(value.copy_abs(), -_GROUP * weight))


def total(values: Iterable[Decimal]) -> Decimal:
    """The exact sum of all; of none, 0."""
    result = Decimal(0)
    for value in values:
        result = _EXACT.add(result, value)
    return result
