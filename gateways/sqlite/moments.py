"""
Parts of moments in SQLite, which are text there.

`FUNCTIONS` has what `gateways.sqlite.functions` makes known to each connection. SQLite's own date functions round to
milliseconds, so that the last microseconds of a year are in the next one. NULL never gets here.

| name | value |
|---|---|
| `date_of(a)` | the day of a moment or of a date, as text |
| `year_of(a)` `month_of(a)` `day_of(a)` `hour_of(a)` `minute_of(a)` `second_of(a)` | the number, of an aware moment in UTC |
"""

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

__all__ = ["FUNCTIONS"]

PLAIN: Final = 19
"""Characters of `YYYY-MM-DD HH:MM:SS`, behind which a fraction and an offset may come."""


def _is_written(text: Any) -> bool:
    """Return whether a moment is text as the gateway writes it, so that its parts stand at known places."""
    if type(text) is not str or len(text) < PLAIN or text[10] not in " T" or text[13] != ":" or text[16] != ":":
        return False
    rest = text[PLAIN:]
    return not rest or rest.endswith("+00:00") or (rest[0] == "." and rest[1:].isdigit())


def _part(name: str, start: int, end: int) -> Callable[[Any], int]:
    """Return the function that gives a part, which stands between two places of the text."""

    def part(value: Any) -> int:
        if _is_written(value):
            return int(value[start:end])
        moment = _moment(value)
        found: int = getattr(moment, name)
        return found

    return part


def _moment(value: Any) -> dt.datetime:
    if not isinstance(value, str):
        raise TypeError(f"found {value!r}, expected a date or a moment as text")
    moment = dt.datetime.fromisoformat(value)
    return moment if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _date(value: Any) -> str:
    return str(value[:10]) if _is_written(value) else _moment(value).date().isoformat()


FUNCTIONS: Final[tuple[tuple[str, int, Callable[..., Any]], ...]] = (
    ("date_of", 1, _date),
    ("year_of", 1, _part("year", 0, 4)),
    ("month_of", 1, _part("month", 5, 7)),
    ("day_of", 1, _part("day", 8, 10)),
    ("hour_of", 1, _part("hour", 11, 13)),
    ("minute_of", 1, _part("minute", 14, 16)),
    ("second_of", 1, _part("second", 17, 19)),
)
