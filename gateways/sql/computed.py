"""
Functions that gateways compute in Python, where their store has none that means the same.

Plain Python values go in and come out; NULL does not get here. None is a value outside of the function's domain; a
result that a float cannot hold is an `OverflowError`.
"""

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from mapper.types import decimals

__all__ = ["FLOATS", "JSON_VALUES", "json_kind", "moved", "padded", "repeated", "truncated"]

LARGEST_TEXT: Final = 1_000_000_000
"""Characters of a text that is made by repeating another."""


def repeated(text: str, times: int) -> str:
    """Return a text behind itself."""
    if len(text) * times > LARGEST_TEXT:
        raise OverflowError(f"a text of {len(text)} characters repeated {times} times is too long")
    return text * times


def padded(text: str, size: int, fill: str, *, before: bool) -> str:
    """Return a text filled up, or cut, to a size."""
    missing = size - len(text)
    if missing <= 0:
        return text[:size]
    padding = (fill * (missing // len(fill) + 1))[:missing]
    return padding + text if before else text + padding


# -- floats ------------------------------------------------------------------------------------------------------------


def _sqrt(number: float) -> float | None:
    return math.sqrt(number) if number >= 0 else None


def _exp(number: float) -> float:
    return _held(math.exp(number), exact_zero=False)


def _ln(number: float) -> float | None:
    return math.log(number) if number > 0 else None


def _log10(number: float) -> float | None:
    return math.log10(number) if number > 0 else None


def _power(number: float, exponent: float) -> float | None:
    if (number == 0 and exponent < 0) or (number < 0 and not float(exponent).is_integer()):
        return None
    return _held(math.pow(number, exponent), exact_zero=number == 0)


def _held(result: float, *, exact_zero: bool) -> float:
    if result == 0 and not exact_zero:
        raise OverflowError("the result is too small for a float")
    return result


FLOATS: Final[dict[str, Callable[..., float | None]]] = {
    "sqrt": _sqrt,
    "exp": _exp,
    "ln": _ln,
    "log10": _log10,
    "power": _power,
}
"""Functions of floats by name."""


# -- moments -----------------------------------------------------------------------------------------------------------


def moved(moment: Any, interval: dt.timedelta) -> Any:
    """Return a datetime, or the day of a date's midnight, that much later."""
    if isinstance(moment, dt.datetime):
        return moment + interval
    return (dt.datetime.combine(moment, dt.time()) + interval).date()


def truncated(unit: str, moment: Any) -> Any:
    """Return the beginning of the unit that a datetime or a date is in."""
    if isinstance(moment, dt.datetime):
        if unit in _OF_A_DAY:
            return moment.replace(**_OF_A_DAY[unit])
        moment = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    match unit:
        case "year":
            return moment.replace(month=1, day=1)
        case "quarter":
            return moment.replace(month=3 * ((moment.month - 1) // 3) + 1, day=1)
        case "month":
            return moment.replace(day=1)
        case "week":
            return moment - dt.timedelta(days=moment.weekday())
        case _:
            return moment


_OF_A_DAY: Final[dict[str, Any]] = {
    "hour": {"minute": 0, "second": 0, "microsecond": 0},
    "minute": {"second": 0, "microsecond": 0},
    "second": {"microsecond": 0},
}


# -- JSON --------------------------------------------------------------------------------------------------------------


def json_kind(value: Any) -> str:
    """Return what a JSON value is, as PostgreSQL calls it."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float() | Decimal():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _integer(value: Any) -> int | None:
    if json_kind(value) != "number" or value != value // 1 or not -(2**63) <= value < 2**63:
        return None
    return int(value)


def _float(value: Any) -> float | None:
    return float(value) if json_kind(value) == "number" else None


def _decimal(value: Any) -> Decimal | None:
    if json_kind(value) == "number":
        return decimals.normalised(value if isinstance(value, Decimal) else Decimal(repr(value)))
    return Decimal(value) if isinstance(value, str) and _is_decimal(value) else None


def _is_decimal(text: str) -> bool:
    whole, point, fraction = text.removeprefix("-").partition(".")
    return text.isascii() and whole.isdigit() and (fraction.isdigit() if point else True)


def _converting(type_: Any, shape: Callable[[str], bool]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if not isinstance(value, str) or not shape(value):
            return None
        try:
            return msgspec.convert(value, type_)
        except msgspec.ValidationError as error:
            raise ValueError(f"{value!r} is no {type_.__name__}") from error

    return convert


def _is_date(text: str) -> bool:
    return len(text) == 10 and text[4] == text[7] == "-" and text.replace("-", "").isdigit() and text.isascii()


def _is_moment(text: str) -> bool:
    if len(text) < 20 or text[10] not in "T " or not _is_date(text[:10]) or not text.isascii():
        return False
    clock = text[11:-1] if text.endswith("Z") else text[11:-6]
    zone = text[11 + len(clock) :]
    seconds, point, fraction = clock.partition(".")
    return (
        (zone == "Z" or (zone[:1] in {"+", "-"} and zone[3:4] == ":" and zone[1:3].isdigit() and zone[4:].isdigit()))
        and len(seconds) == 8
        and seconds[2] == seconds[5] == ":"
        and seconds.replace(":", "").isdigit()
        and (not point or (fraction.isdigit() and len(fraction) <= 6))
    )


def _is_uuid(text: str) -> bool:
    parts = text.split("-")
    return [len(each) for each in parts] == [8, 4, 4, 4, 12] and all(each in "0123456789abcdefABCDEF-" for each in text)


def _moment(value: Any) -> dt.datetime | None:
    found = _MOMENT(value)
    return None if found is None else found.astimezone(dt.UTC)


_MOMENT: Final = _converting(dt.datetime, _is_moment)

JSON_VALUES: Final[dict[type[Any], Callable[[Any], Any]]] = {
    str: _text,
    bool: _boolean,
    int: _integer,
    float: _float,
    Decimal: _decimal,
    dt.date: _converting(dt.date, _is_date),
    dt.datetime: _moment,
    UUID: _converting(UUID, _is_uuid),
}
"""What a JSON value is as a value of a type; None where it is nothing of the kind."""
