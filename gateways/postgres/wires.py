"""
How values travel between asyncpg and the server, where asyncpg's own way would lose something or cost a round trip.

A connection goes in, with its codecs set. asyncpg sends the last and the first moment of Python as `infinity`, reads
`infinity` as them, and makes 30 days of a month; here each is what it is, and what Python cannot hold comes as a value
of `gateways.postgres.beyond`. The driver knows the types of pg_catalog by name, so that nothing is sent for this.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

from gateways.postgres.beyond import Beyond, Infinity, calendar_text

__all__ = ["set_codecs"]

DAY: Final = 86_400_000_000
"""Microseconds."""

_EPOCH: Final = dt.datetime(2000, 1, 1)
_EPOCH_UTC: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_EPOCH_ORDINAL: Final = dt.date(2000, 1, 1).toordinal()
_LAST_DAY: Final = 2**31 - 1
_LAST_MOMENT: Final = 2**63 - 1
_INFINITE_INTERVALS: Final = {
    (2**31 - 1, 2**31 - 1, 2**63 - 1): "infinity",
    (-(2**31), -(2**31), -(2**63)): "-infinity",
}
_span: Final = dt.timedelta
_date_of: Final = dt.date.fromordinal


async def set_codecs(driver: Any) -> None:
    """Set the codecs of a new connection. It sends nothing."""
    for name, (encode, decode) in _CODECS.items():
        await driver.set_type_codec(name, schema="pg_catalog", encoder=encode, decoder=decode, format="tuple")
    _introduce(driver)


# Dates and moments: a number of days, or of microseconds, from 2000-01-01


def _encoded_date(value: Any) -> tuple[int]:
    if isinstance(value, Infinity):
        return (_LAST_DAY if value is Infinity.FUTURE else -_LAST_DAY - 1,)
    return (value.toordinal() - _EPOCH_ORDINAL,)


def _decoded_date(parts: tuple[int]) -> Any:
    days = parts[0]
    try:
        return _date_of(days + _EPOCH_ORDINAL)
    except (ValueError, OverflowError):
        if days in (_LAST_DAY, -_LAST_DAY - 1):
            return Infinity.FUTURE if days > 0 else Infinity.PAST
        return Beyond("date", calendar_text(days + _EPOCH_ORDINAL - 1))


def _moment_encoder(epoch: dt.datetime) -> Callable[[Any], tuple[int]]:
    def encode(value: Any) -> tuple[int]:
        if isinstance(value, Infinity):
            return (_LAST_MOMENT if value is Infinity.FUTURE else -_LAST_MOMENT - 1,)
        if not isinstance(value, dt.datetime):
            value = _at_midnight(value, epoch)
        since = value - epoch
        return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds,)

    return encode


def _at_midnight(value: Any, epoch: dt.datetime) -> dt.datetime:
    if not isinstance(value, dt.date) or epoch.tzinfo is not None:
        raise TypeError(f"expected {'an aware' if epoch.tzinfo else 'a naive'} datetime, not {type(value).__name__}")
    return dt.datetime.combine(value, dt.time())


def _moment_decoder(epoch: dt.datetime, name: str) -> Callable[[tuple[int]], Any]:
    def decode(parts: tuple[int]) -> Any:
        try:
            return epoch + _span(0, 0, parts[0])
        except OverflowError:
            return _beyond_moment(parts[0], name)

    return decode


def _beyond_moment(moment: int, name: str) -> Infinity | Beyond:
    if moment in (_LAST_MOMENT, -_LAST_MOMENT - 1):
        return Infinity.FUTURE if moment > 0 else Infinity.PAST
    days, rest = divmod(moment, DAY)
    date, _, era = calendar_text(days + _EPOCH_ORDINAL - 1).partition(" ")
    return Beyond(name, " ".join([each for each in (date, _clock_text(rest), era) if each]))


# Times of day, and intervals of months, days and microseconds


def _encoded_time(value: Any) -> tuple[int]:
    return ((value.hour * 3600 + value.minute * 60 + value.second) * 1_000_000 + value.microsecond,)


def _decoded_time(parts: tuple[int]) -> Any:
    return (_EPOCH + _span(0, 0, parts[0])).time() if parts[0] < DAY else Beyond("time", _clock_text(parts[0]))


def _clock_text(microseconds: int) -> str:
    seconds, rest = divmod(microseconds, 1_000_000)
    fraction = f".{rest:06}" if rest else ""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"


def _encoded_interval(value: Any) -> tuple[int, int, int]:
    return (0, value.days, value.seconds * 1_000_000 + value.microseconds)


def _decoded_interval(parts: tuple[int, int, int]) -> Any:
    months, days, microseconds = parts
    if months == 0:
        try:
            return _span(days, 0, microseconds)
        except OverflowError:
            pass
    text = f"{months} mons {days} days {microseconds / 1_000_000:f} secs"
    return Beyond("interval", _INFINITE_INTERVALS.get(parts, text))


_CODECS: Final[dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]]] = {
    "date": (_encoded_date, _decoded_date),
    "timestamp": (_moment_encoder(_EPOCH), _moment_decoder(_EPOCH, "timestamp")),
    "timestamptz": (_moment_encoder(_EPOCH_UTC), _moment_decoder(_EPOCH_UTC, "timestamptz")),
    "time": (_encoded_time, _decoded_time),
    "interval": (_encoded_interval, _decoded_interval),
}


# Arrays and ranges, about which the driver would ask the server at their first use on each connection

_ARRAYS: Final = {
    "bool": (1000, 16),
    "bytea": (1001, 17),
    "int8": (1016, 20),
    "int2": (1005, 21),
    "int4": (1007, 23),
    "float4": (1021, 700),
    "float8": (1022, 701),
    "bpchar": (1014, 1042),
    "varchar": (1015, 1043),
    "json": (199, 114),
    "jsonb": (3807, 3802),
    "date": (1182, 1082),
    "time": (1183, 1083),
    "timestamp": (1115, 1114),
    "timestamptz": (1185, 1184),
    "interval": (1187, 1186),
    "numeric": (1231, 1700),
    "uuid": (2951, 2950),
    "inet": (1041, 869),
    "cidr": (651, 650),
}
"""The type that `name[]` is, and that of its items (pg_type.dat of the server's sources; they never change)."""

_RANGES: Final = {
    "int4": ("int4range", 3904, 3905, "int4multirange", 4451, 6150, 23),
    "int8": ("int8range", 3926, 3927, "int8multirange", 4536, 6157, 20),
    "num": ("numrange", 3906, 3907, "nummultirange", 4532, 6151, 1700),
    "ts": ("tsrange", 3908, 3909, "tsmultirange", 4533, 6152, 1114),
    "tstz": ("tstzrange", 3910, 3911, "tstzmultirange", 4534, 6153, 1184),
    "date": ("daterange", 3912, 3913, "datemultirange", 4535, 6155, 1082),
}
"""A range type and its array, the multirange type and its array, and the type of the bounds."""


def _introduce(driver: Any) -> None:
    """
    Tell the driver of types that it would ask the server for, with a query that takes longer than most others.

    There is no public way to do so. A driver in which this way has changed asks the server again.
    """
    try:
        driver._protocol.get_settings().register_data_types(_TYPES)
    except (AttributeError, KeyError, TypeError):
        return


def _type(name: str, oid: int, kind: bytes, *, item: int | None = None, bound: int | None = None) -> dict[str, Any]:
    return {
        "oid": oid,
        "ns": "pg_catalog",
        "name": name,
        "kind": kind,
        "basetype": None,
        "elemtype": item,
        "elemdelim": ",",
        "range_subtype": bound,
        "attrtypoids": None,
        "attrnames": None,
        "elemtype_name": name.lstrip("_"),
        "basetype_name": None,
        "range_subtype_name": None,
    }


_TYPES: Final = [
    *[_type(f"_{name}", oid, b"b", item=item) for name, (oid, item) in _ARRAYS.items()],
    *[
        each
        for range_, oid, array, many, many_oid, many_array, bound in _RANGES.values()
        for each in (
            _type(range_, oid, b"r", bound=bound),
            _type(f"_{range_}", array, b"b", item=oid),
            _type(many, many_oid, b"m", bound=bound),
            _type(f"_{many}", many_array, b"b", item=many_oid),
        )
    ],
]
