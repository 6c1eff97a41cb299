"""Types that only PostgreSQL has: ranges and infinities as columns, and what their functions give."""

import datetime as dt
from decimal import Decimal
from ipaddress import IPv4Address
from typing import reveal_type

import attrs

from gateways.postgres import (
    Inet,
    Infinity,
    MaterializedView,
    Multirange,
    OrInfinity,
    PostgresIndex,
    Range,
    network_contains,
    range_contains,
    range_intersection,
    range_lower,
    range_overlaps,
    range_upper,
    refresh,
)
from mapper import Column, Relation, Repository, column, fn, select
from mapper.types import TimestampTz


@attrs.frozen
class Booking:
    stay: Range[dt.date]


class Bookings(Relation[Booking], indexes=[PostgresIndex("stay", method="gist")]):
    id: Column[int] = column(primary_key=True)
    stay: Column[Range[dt.date]]
    price: Column[Range[Decimal] | None]
    free: Column[Multirange[int]]
    until: Column[dt.datetime | Infinity] = column(type=OrInfinity(TimestampTz()))
    address: Column[IPv4Address] = column(type=Inet())


class Hotel(Repository[Bookings]): ...


reveal_type(Range(1, 5))  # revealed: Range[int]
reveal_type(Range(1, 5).lower)  # revealed: int | None
reveal_type(Multirange(Range(1, 5)))  # revealed: Multirange[int]
reveal_type(Bookings.stay)  # revealed: Attribute[Range[date], Bookings]
reveal_type(range_contains(Bookings.stay, dt.date.max))  # revealed: Expr[bool, Bookings]
reveal_type(range_overlaps(Bookings.stay, Range(dt.date.min, None)))  # revealed: Expr[bool, Bookings]
reveal_type(range_lower(Bookings.stay))  # revealed: Expr[date | None, Bookings]
reveal_type(range_upper(Bookings.free))  # revealed: Expr[int | None, Bookings]
reveal_type(range_intersection(Bookings.stay, Bookings.stay))  # revealed: Expr[Range[date], Bookings]
reveal_type(network_contains(Bookings.address, IPv4Address("10.0.0.1")))  # revealed: Expr[bool, Bookings]


async def queries(hotel: Hotel) -> None:
    reveal_type(await select(Bookings.stay).all(hotel))  # revealed: list[Range[date]]
    reveal_type(await select(Bookings.price).one(hotel))  # revealed: Range[Decimal] | None
    reveal_type(await select(Bookings.until).one(hotel))  # revealed: datetime | Infinity
    reveal_type(await refresh(hotel, Bookings, concurrently=True))  # revealed: None


wrong_bound = select(Bookings.id).where(Bookings.stay == Range(1, 5))  # error
wrong_value = range_contains(Bookings.stay, "x")  # error
no_range = range_lower(Bookings.id)  # error
no_method = PostgresIndex("stay", method="tree")  # error
no_function = MaterializedView(select(Bookings.id))  # error
view = MaterializedView(lambda: select(Bookings.id, fn.count()).group_by(Bookings.id))
