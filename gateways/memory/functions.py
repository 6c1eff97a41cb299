"""
Functions of texts, numbers, moments, lists and documents.

Functions of plain values, by the names that expressions have; NULL does not reach them, and None is NULL. What has no
result is a `StatementError`.
"""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any, Final

from gateways.memory.casts import plain
from gateways.memory.codecs import JSON_NULL
from gateways.sql.computed import FLOATS, JSON_VALUES, json_kind, moved, padded, repeated, truncated
from mapper.errors import StatementError
from mapper.expressions import Call
from mapper.paths import AS, PATH, Steps, kind_of, steps_of
from mapper.types import Json

__all__ = ["FUNCTIONS", "parametrised"]

_FAILURES: Final = (ValueError, TypeError, ArithmeticError)


def parametrised(call: Call[Any, Any]) -> Callable[..., Any] | None:
    """Return the function of a call whose name says more than which function it is; None of any other."""
    head, _, rest = call.name.partition(":")
    if head == PATH:
        return partial(_part, steps_of(call.name))
    if head == AS:
        return _guarded(call.name, _json_value(call))
    return partial(_item, int(rest)) if head == "list_item" else None


def _guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*operands: Any) -> Any:
        try:
            return function(*operands)
        except _FAILURES as error:
            raise StatementError(
                f"{name} of {', '.join(map(repr, operands))} has no result: {error}", hint="filter such rows out first"
            ) from error

    return guarded


# -- documents ---------------------------------------------------------------------------------------------------------


def _part(steps: Steps, document: Any) -> Any:
    found = document
    for step in steps:
        if isinstance(step, int):
            if not isinstance(found, list) or not -len(found) <= step < len(found):
                return None
            found = found[step]
        else:
            if not isinstance(found, dict) or step not in found:
                return None
            found = found[step]
    return JSON_NULL if found is None else found


def _json_value(call: Call[Any, Any]) -> Callable[[Any], Any]:
    steps, type_ = steps_of(call.name), plain(call.type)
    wanted = kind_of(type_)

    def document(value: Any) -> Any:
        found = _part(steps, value)
        return found if found is None or wanted is None or _kind(found) == wanted else None

    def single(value: Any) -> Any:
        found = _part(steps, value)
        return None if found is None or found is JSON_NULL else JSON_VALUES[type_.python](found)

    return document if isinstance(type_, Json) else single


def _kind(value: Any) -> str:
    return json_kind(None if value is JSON_NULL else value)


def _json_length(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None


# -- lists -------------------------------------------------------------------------------------------------------------


def _item(position: int, items: list[Any]) -> Any:
    return items[position] if -len(items) <= position < len(items) else None


def _overlaps(items: list[Any], others: list[Any]) -> bool:
    return any(each is not None and each in items for each in others)


def _contains_all(items: list[Any], others: list[Any]) -> bool:
    return all(each is not None and each in items for each in others)


def _removed(items: list[Any], item: Any) -> list[Any]:
    return [each for each in items if each is None or each != item]


def _sign(number: Any) -> int:
    return int(number > 0) - int(number < 0)


def _difference(left: date, right: date) -> timedelta:
    return left - right


_UNITS: Final = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")

FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "position": lambda text, part: text.find(part) + 1,
    "left": lambda text, size: text[: max(size, 0)],
    "right": lambda text, size: text[-size:] if size > 0 else "",
    "repeat": _guarded("repeat", repeated),
    "reverse": lambda text: text[::-1],
    "ltrim": lambda text: text.lstrip(" "),
    "rtrim": lambda text: text.rstrip(" "),
    "lpad": partial(padded, before=True),
    "rpad": partial(padded, before=False),
    **{name: _guarded(name, compute) for name, compute in FLOATS.items()},
    "sign": _sign,
    "greatest": max,
    "least": min,
    "moment_add": _guarded("add", moved),
    "moment_sub": _guarded("sub", lambda moment, interval: moved(moment, -interval)),
    "moment_diff": _difference,
    **{f"trunc_{unit}": _guarded("date_trunc", partial(truncated, unit)) for unit in _UNITS},
    "list_overlaps": _overlaps,
    "list_contains_all": _contains_all,
    "list_append": lambda items, item: [*items, item],
    "list_remove": _removed,
    "json_type": _kind,
    "json_length": _json_length,
}
"""Functions by name, NULL where an operand is."""
