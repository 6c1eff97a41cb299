"""
Storage types of moments and spans of time, all to the microsecond.

In goes a value of `datetime`'s module, out comes one of the exact class, or a `Misfit`.
"""

import datetime as dt
from typing import Final

import attrs

from mapper.types.scalars import LARGEST, SMALLEST
from mapper.types.storage import Misfit, StorageType

__all__ = ["Date", "Interval", "Time", "Timestamp", "TimestampTz"]


@attrs.frozen
class Timestamp(StorageType[dt.datetime]):
    """`datetime` without a time zone, to the microsecond."""

    @property
    def python(self) -> type[dt.datetime]:
        return dt.datetime

    def check(self, value: object) -> dt.datetime:
        if not isinstance(value, dt.datetime):
            raise Misfit(value, "a naive datetime", hint=_of_date(value))
        if value.tzinfo is not None:
            raise Misfit(
                value, "a naive datetime", hint="annotate the column as Column[datetime] without type=Timestamp()"
            )
        return value if type(value) is dt.datetime and not value.fold else _plain_datetime(value)

    def _key(self) -> str:
        return "ts"


@attrs.frozen
class TimestampTz(StorageType[dt.datetime]):
    """`datetime` with a time zone: an instant, to the microsecond. It becomes UTC, so the zone itself is not kept."""

    @property
    def python(self) -> type[dt.datetime]:
        return dt.datetime

    def check(self, value: object) -> dt.datetime:
        if type(value) is dt.datetime and value.tzinfo is dt.UTC and not value.fold:
            return value
        if not isinstance(value, dt.datetime):
            raise Misfit(value, "an aware datetime", hint=_of_date(value))
        if value.utcoffset() is None:
            raise Misfit(
                value, "an aware datetime", hint="give it a zone, tzinfo=UTC, or declare column(type=Timestamp())"
            )
        try:
            return _plain_datetime(value.astimezone(dt.UTC))
        except OverflowError:
            raise Misfit(value, "an instant of the years 1 to 9999 in UTC") from None

    def _key(self) -> str:
        return "tz"


def _of_date(value: object) -> str | None:
    return "combine the date with a time: datetime.combine(value, time())" if isinstance(value, dt.date) else None


def _plain_datetime(value: dt.datetime) -> dt.datetime:
    """The same moment as an exact datetime with fold 0, which stores do not keep."""
    return dt.datetime(
        value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond, value.tzinfo
    )


@attrs.frozen
class Date(StorageType[dt.date]):
    """`date`; a datetime, although a subclass, is refused."""

    @property
    def python(self) -> type[dt.date]:
        return dt.date

    def check(self, value: object) -> dt.date:
        if type(value) is dt.date:
            return value
        if isinstance(value, dt.datetime):
            raise Misfit(value, "a date without a time", hint="take its date: value.date()")
        if isinstance(value, dt.date):
            return dt.date(value.year, value.month, value.day)
        raise Misfit(value, "a date")

    def _key(self) -> str:
        return "d"


@attrs.frozen
class Time(StorageType[dt.time]):
    """`time` of day without a time zone, to the microsecond."""

    @property
    def python(self) -> type[dt.time]:
        return dt.time

    def check(self, value: object) -> dt.time:
        if not isinstance(value, dt.time):
            raise Misfit(value, "a naive time")
        if value.tzinfo is not None:
            raise Misfit(value, "a naive time", hint="a zone means something with a date only: store a datetime")
        if type(value) is dt.time and not value.fold:
            return value
        return dt.time(value.hour, value.minute, value.second, value.microsecond)

    def _key(self) -> str:
        return "tm"


_LONGEST: Final = dt.timedelta(microseconds=LARGEST)
_SHORTEST: Final = dt.timedelta(microseconds=SMALLEST)


@attrs.frozen
class Interval(StorageType[dt.timedelta]):
    """`timedelta` whose microseconds fit 64 bits with sign (about 292,000 years)."""

    @property
    def python(self) -> type[dt.timedelta]:
        return dt.timedelta

    def check(self, value: object) -> dt.timedelta:
        if not isinstance(value, dt.timedelta):
            raise Misfit(value, "a timedelta")
        if not _SHORTEST <= value <= _LONGEST:
            raise Misfit(value, "a timedelta whose microseconds fit 64 bits")
        return value if type(value) is dt.timedelta else dt.timedelta(value.days, value.seconds, value.microseconds)

    def _key(self) -> str:
        return "iv"
