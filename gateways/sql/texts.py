"""
Functions of text and of numbers as text as PostgreSQL has them, for gateways that compute in Python.

Plain values go in and come out; NULL does not get here.
"""

import math
from decimal import Context, Decimal
from fractions import Fraction
from typing import Final

__all__ = ["float_text", "lower", "upper"]


def lower(text: str) -> str:
    """Change each letter to its one lower-case letter, if it has one (Unicode, simple case mapping)."""
    return text.lower() if text.isascii() else "".join([_lower(each) for each in text])


def upper(text: str) -> str:
    """Change each letter to its one upper-case letter, if it has one: `ß` has none (Unicode, simple case mapping)."""
    return text.upper() if text.isascii() else "".join([_upper(each) for each in text])


def _lower(letter: str) -> str:
    # The only letter whose full mapping has more than one is İ, whose simple one is i.
    found = letter.lower()
    return found if len(found) == 1 else found[0]


def _upper(letter: str) -> str:
    """Where the full mapping has several letters, the simple one is the title case of the letter, if that is one."""
    found = letter.upper()
    if len(found) == 1:
        return found
    title = letter.title()
    return title if len(title) == 1 else letter


LARGE: Final = 1e15
"""
From here on PostgreSQL writes an exponent, and what lies half-way between two floats can be as short as the text of one.
"""

_SPECIAL: Final = {math.inf: "Infinity", -math.inf: "-Infinity"}


def float_text(value: float) -> str:
    """
    Return the shortest text that reads as the float, even by who rounds halves otherwise: `1`, `0.1`, `1e+15`.

    That is what PostgreSQL writes; Python's own text may lie half-way to the next float.
    """
    if abs(value) < LARGE:
        return repr(value).removesuffix(".0")
    if not math.isfinite(value):
        return _SPECIAL.get(value, "NaN")
    sign, digits, exponent = Decimal(_between_halves(value)).normalize(_DIGITS).as_tuple()
    assert isinstance(exponent, int)
    first, *rest = map(str, digits)
    return f"{'-' * sign}{first}{'.' if rest else ''}{''.join(rest)}e+{len(rest) + exponent}"


_DIGITS: Final = Context(prec=17)


def _between_halves(value: float) -> str:
    """Return the shortest text strictly between the halves to the floats before and after."""
    written = repr(value)
    exact, size = Fraction(abs(value)), abs(value)
    low, high = exact + Fraction(math.nextafter(size, 0.0)), 2 * exact + Fraction(math.ulp(size))
    for digits in range(len(Decimal(written).normalize(_DIGITS).as_tuple().digits), 18):
        if low < 2 * abs(Fraction(written)) < high:
            break
        written = f"{value:.{digits}e}"
    return written
