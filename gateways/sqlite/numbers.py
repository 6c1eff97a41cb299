"""
Numbers and text in SQLite that must be exact: rounding, remainders, conversions, sizes.

`FUNCTIONS` has what `gateways.sqlite.functions` makes known to each connection. Decimals are text, as in the rest of
the package. NULL never gets here.

| name | value |
|---|---|
| `round_exact(a, digits)` | rounded half away from zero, as the kind of number that it is; `digits` may be negative |
| `floor_exact(a)` `ceil_exact(a)` | the nearest integer below or above, of 64 bits |
| `mod_exact(a, b)` | the remainder with the sign of `a`; of zero NULL |
| `integer_of(a)` | a number cut off to an integer of 64 bits, or the integer that text writes |
| `text_of(a)` | the shortest text that reads as the float |
| `lower_exact(a)` `upper_exact(a)` | text with its letters changed, those of all languages |
| `decimal_exact(a, precision, scale)` | the decimal with `scale` digits after the point, if it has no more and fits `precision` |
| `varchar_exact(a, length)` `char_exact(a, length)` | text of at most, or exactly, that many characters |
| `interval_mul(a, b)` `interval_div(a, b)` | microseconds times or divided by a number, rounded half to even |
"""

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from gateways.sql.texts import float_text, lower, upper
from gateways.sqlite.decoding import decimal_of
from mapper.types import Char, Numeric, Varchar, decimals

__all__ = ["FUNCTIONS"]

SMALLEST: Final = -(2**63)
LARGEST: Final = 2**63 - 1


def _checked(value: int) -> int:
    if SMALLEST <= value <= LARGEST:
        return value
    raise OverflowError(f"{value} does not fit an integer of 64 bits")


def _written(value: Decimal) -> str:
    if not decimals.fits(value):
        raise OverflowError("the decimal has too many digits to be stored")
    return decimals.text(decimals.normalised(value))


def _round(value: Any, digits: int) -> Any:
    if isinstance(value, int):
        return value if digits >= 0 else _checked(int(decimals.rounded(Decimal(value), digits)))
    if isinstance(value, float):
        return float(decimals.rounded(decimal_of(value), digits)) if math.isfinite(value) else value
    return _written(decimals.rounded(decimal_of(value), digits))


def _number(value: Any) -> Any:
    return decimal_of(value) if isinstance(value, str) else value


def _floor(value: Any) -> int:
    return _checked(math.floor(_number(value)))


def _ceil(value: Any) -> int:
    return _checked(math.ceil(_number(value)))


def _mod(left: Any, right: Any) -> Any:
    dividend, divisor = _number(left), _number(right)
    if not divisor:
        return None
    if isinstance(dividend, float) or isinstance(divisor, float):
        return math.fmod(dividend, divisor)
    dividend, divisor = Decimal(dividend), Decimal(divisor)
    whole = Decimal(int(Fraction(dividend) / Fraction(divisor)))
    return _written(decimals.subtract(dividend, decimals.multiply(divisor, whole)))


def _integer(value: Any) -> int:
    if isinstance(value, str):
        return _checked(int(value) if _is_whole(value) else math.trunc(decimal_of(value)))
    return _checked(math.trunc(value))


def _is_whole(text: str) -> bool:
    return "." not in text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else float_text(value)


def _decimal(value: Any, precision: int, scale: int) -> str:
    return decimals.text(Numeric(precision, scale).check(decimal_of(value)))


def _microseconds(value: Fraction) -> int:
    return _checked(round(value))


def _interval_mul(left: Any, right: Any) -> int:
    return _microseconds(Fraction(_number(left)) * Fraction(_number(right)))


def _interval_div(left: Any, right: Any) -> int | None:
    divisor = _number(right)
    return _microseconds(Fraction(left) / Fraction(divisor)) if divisor else None


FUNCTIONS: Final[tuple[tuple[str, int, Callable[..., Any]], ...]] = (
    ("round_exact", 2, _round),
    ("floor_exact", 1, _floor),
    ("ceil_exact", 1, _ceil),
    ("mod_exact", 2, _mod),
    ("integer_of", 1, _integer),
    ("text_of", 1, _text),
    ("lower_exact", 1, lower),
    ("upper_exact", 1, upper),
    ("decimal_exact", 3, _decimal),
    ("varchar_exact", 2, lambda text, length: Varchar(length).check(text)),
    ("char_exact", 2, lambda text, length: Char(length).check(text)),
    ("interval_mul", 2, _interval_mul),
    ("interval_div", 2, _interval_div),
)
