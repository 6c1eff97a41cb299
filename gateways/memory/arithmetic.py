"""
Arithmetic on stored numbers, which never wraps, overflows or loses digits silently.

Integers have 64 bits, decimals are exact, `/` is true division, and division by zero is NULL. Functions of plain
values; NULL does not reach them.
"""

import math
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from operator import add, mul, sub, truediv
from typing import Any, Final, TypeAlias

from gateways.sql.texts import float_text
from mapper.errors import StatementError
from mapper.types import Float, Integer, Interval, Numeric, StorageType, decimals

__all__ = ["absolute", "checked", "finite", "operation", "round_down", "round_to", "round_up", "to_decimal"]

SMALLEST: Final = -(2**63)
LARGEST: Final = 2**63 - 1

Number: TypeAlias = int | float | Decimal


def operation(name: str, type_: StorageType[Any]) -> Callable[[Any, Any], Any]:
    """Return an operator (`add`, `sub`, `mul`, `div`, `mod`) whose result is of a storage type."""
    match type_:
        case Integer():
            return _INTEGERS[name]
        case Float():
            return _FLOATS[name]
        case Numeric():
            return _DECIMALS[name]
        case Interval():
            return _INTERVALS[name]
        case _:
            raise AssertionError(f"{name} gives {type_!r}")


def checked(value: int) -> int:
    """
    Return an integer that fits 64 bits.

    Raises:
        StatementError: It does not.
    """
    if SMALLEST <= value <= LARGEST:
        return value
    raise StatementError(
        f"integer overflow: {value} does not fit 64 bits", hint="compute with decimals: .cast(Decimal)"
    )


def finite(value: float, *operands: float) -> float:
    """
    Return a float that was computed of others; it is infinite only where one of them is.

    Raises:
        StatementError: It overflowed, or is not a number.
    """
    if math.isfinite(value) or (not math.isnan(value) and any(math.isinf(each) for each in operands)):
        return value
    raise StatementError(f"float overflow: the result is {value!r}", hint="compute with decimals: .cast(Decimal)")


def to_decimal(value: Any) -> Decimal:
    """Return a number as a decimal; a float as the shortest decimal that reads as it."""
    return value if isinstance(value, Decimal) else Decimal(float_text(value) if isinstance(value, float) else value)


def absolute(value: Any) -> Any:
    """Return a number without its sign."""
    if isinstance(value, int):
        return checked(abs(value))
    return value.copy_abs() if isinstance(value, Decimal) else abs(value)


def round_to(value: Any, digits: int) -> Any:
    """Round to a number of places after the point, halves away from zero; the type stays."""
    if isinstance(value, int):
        return value if digits >= 0 else checked(int(decimals.rounded(Decimal(value), digits)))
    if isinstance(value, Decimal):
        return decimals.normalised(decimals.rounded(value, digits))
    return value if not math.isfinite(value) else float(decimals.rounded(to_decimal(value), digits))


def round_down(value: Any) -> int:
    """Return the largest integer that is not greater."""
    return checked(math.floor(_countable(value)))


def round_up(value: Any) -> int:
    """Return the smallest integer that is not less."""
    return checked(math.ceil(_countable(value)))


def _countable(value: Any) -> Any:
    return finite(value) if isinstance(value, float) else value


def _float(compute: Callable[[float, float], float], x: Number, y: Number) -> float:
    left, right = float(x), float(y)
    try:
        return finite(compute(left, right), left, right)
    except (OverflowError, ValueError) as error:
        raise StatementError(f"float overflow: {error}", hint="compute with decimals: .cast(Decimal)") from error


def _divide_floats(x: Number, y: Number) -> float | None:
    if not y:
        return None
    if isinstance(x, int) and isinstance(y, int):
        return x / y
    return _float(truediv, x, y)


def _float_remainder(x: Number, y: Number) -> float | None:
    return _float(math.fmod, x, y) if y else None


def _integer_remainder(x: int, y: int) -> int | None:
    """Return the remainder, with the sign of the dividend."""
    if not y:
        return None
    rest = abs(x) % abs(y)
    return -rest if x < 0 else rest


def _divide_decimals(x: Number, y: Number) -> Decimal | None:
    return decimals.divide(to_decimal(x), to_decimal(y)) if y else None


def _decimal_remainder(x: Number, y: Number) -> Decimal | None:
    if not y:
        return None
    dividend, divisor = to_decimal(x), to_decimal(y)
    whole = int(Fraction(dividend) / Fraction(divisor))
    return decimals.subtract(dividend, decimals.multiply(divisor, Decimal(whole)))


def _within_range(value: timedelta) -> timedelta:
    if SMALLEST <= value // timedelta(microseconds=1) <= LARGEST:
        return value
    raise StatementError("interval overflow: the microseconds do not fit 64 bits")


def _interval(compute: Callable[[Any, Any], timedelta]) -> Callable[[Any, Any], Any]:
    def computed(x: Any, y: Any) -> timedelta:
        try:
            return _within_range(compute(x, y))
        except OverflowError as error:
            raise StatementError("interval overflow: the result is no interval", hint="narrow the operands") from error

    return computed


def _scale_interval(x: Any, y: Any) -> timedelta:
    interval, factor = (x, y) if isinstance(x, timedelta) else (y, x)
    return _microseconds(Fraction(interval // timedelta(microseconds=1)) * Fraction(factor))


def _part_of_interval(x: timedelta, y: Any) -> timedelta | None:
    if not y:
        return None
    return _within_range(_microseconds(Fraction(x // timedelta(microseconds=1)) / Fraction(y)))


def _microseconds(value: Fraction) -> timedelta:
    return timedelta(microseconds=round(value))


_INTEGERS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "add": lambda x, y: checked(x + y),
    "sub": lambda x, y: checked(x - y),
    "mul": lambda x, y: checked(x * y),
    "mod": _integer_remainder,
}

_FLOATS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "add": lambda x, y: _float(add, x, y),
    "sub": lambda x, y: _float(sub, x, y),
    "mul": lambda x, y: _float(mul, x, y),
    "div": _divide_floats,
    "mod": _float_remainder,
}

_DECIMALS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "add": lambda x, y: decimals.add(to_decimal(x), to_decimal(y)),
    "sub": lambda x, y: decimals.subtract(to_decimal(x), to_decimal(y)),
    "mul": lambda x, y: decimals.multiply(to_decimal(x), to_decimal(y)),
    "div": _divide_decimals,
    "mod": _decimal_remainder,
}

_INTERVALS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "add": _interval(lambda x, y: x + y),
    "sub": _interval(lambda x, y: x - y),
    "mul": _interval(_scale_interval),
    "div": _part_of_interval,
}
