"""
Values that PostgreSQL keeps and Python's own types cannot hold.

`infinity` and `-infinity` of dates and timestamps come as `Infinity`; a date before the year 1, an interval of months,
the time 24:00 come as `Beyond`. Statements of the user's own give them as they are; columns refuse them with an error
that names the column, unless their type is `OrInfinity`.
"""

import datetime as dt
import enum
from typing import Any, Final

from attrs import frozen

__all__ = ["Beyond", "Infinity", "calendar_text"]

ERA_DAYS: Final = 146_097
"""Days of 400 years, after which the calendar repeats itself."""


class Infinity(enum.Enum):
    """
    A moment that is later, or earlier, than any other; of dates, naive and aware datetimes alike.

    It compares with all of these: `Infinity.PAST < date(1, 1, 1) < Infinity.FUTURE`.
    """

    FUTURE = "infinity"
    PAST = "-infinity"

    def __lt__(self, other: object) -> bool:
        return self is Infinity.PAST and other is not self if isinstance(other, _COMPARED) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self is Infinity.FUTURE and other is not self if isinstance(other, _COMPARED) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self is Infinity.PAST or other is self if isinstance(other, _COMPARED) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self is Infinity.FUTURE or other is self if isinstance(other, _COMPARED) else NotImplemented

    def __str__(self) -> str:
        return self.value


_COMPARED: Final[tuple[type[Any], ...]] = (dt.date, Infinity)


@frozen(repr=False)
class Beyond:
    """
    A value that no value of Python's type for it is equal to.

    Attributes:
        type: PostgreSQL's name of the type.
        text: The value, as PostgreSQL writes it by default.
    """

    type: str
    text: str

    def __repr__(self) -> str:
        return f"<{self.type} {self.text}>"


def calendar_text(days: int) -> str:
    """
    Return the date that is so many days after 0001-01-01, of any year: `10000-01-01`, `4713-01-01 BC`.

    Dates are of the Gregorian calendar, also before there was one; the year before 1 is 1 BC.
    """
    eras, rest = divmod(days, ERA_DAYS)
    within = dt.date.fromordinal(rest + 1)
    year = within.year + 400 * eras
    shown, era = (year, "") if year > 0 else (1 - year, " BC")
    return f"{shown:04}-{within.month:02}-{within.day:02}{era}"
