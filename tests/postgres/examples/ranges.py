"""Examples of ranges and networks."""

import datetime as dt
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final

from gateways import postgres as pg
from gateways.postgres import Range
from mapper import Query
from tests.postgres.examples import example
from tests.postgres.examples.example import Example
from tests.postgres.papers import Loans

__all__ = ["RANGES"]


def of(expression: Any) -> Query[Any, Any]:
    """Return a query of loans."""
    return example.of(expression, relation=Loans)


def ordered(expression: str) -> str:
    """Return the same by hand."""
    return example.ordered(expression, table="loans")


SPRING: Final = Range(dt.date(2024, 3, 1), dt.date(2024, 6, 1))
SQL: Final = "'[2024-03-01,2024-06-01)'::daterange"

RANGES: Final = [
    Example(
        "range_contains",
        lambda: of(pg.range_contains(Loans.days, dt.date(2024, 2, 1))),
        ordered("days @> '2024-02-01'::date"),
    ),
    Example("range_contains.a range", lambda: of(pg.range_contains(Loans.days, SPRING)), ordered(f"days @> {SQL}")),
    Example("range_overlaps", lambda: of(pg.range_overlaps(Loans.days, SPRING)), ordered(f"days && {SQL}")),
    Example("range_before", lambda: of(pg.range_before(Loans.days, SPRING)), ordered(f"days << {SQL}")),
    Example("range_after", lambda: of(pg.range_after(Loans.days, SPRING)), ordered(f"days >> {SQL}")),
    Example("range_adjacent", lambda: of(pg.range_adjacent(Loans.days, SPRING)), ordered(f"days -|- {SQL}")),
    Example("range_lower", lambda: of(pg.range_lower(Loans.days)), ordered("lower(days)")),
    Example("range_upper", lambda: of(pg.range_upper(Loans.days)), ordered("upper(days)")),
    Example("range_is_empty", lambda: of(pg.range_is_empty(Loans.days)), ordered("isempty(days)")),
    Example(
        "range_intersection",
        lambda: of(pg.range_lower(pg.range_intersection(Loans.days, SPRING))),
        ordered(f"lower(days * {SQL})"),
    ),
    Example(
        "range_union",
        lambda: of(pg.range_upper(pg.range_union(Loans.days, Loans.days))),
        ordered("upper(days + days)"),
    ),
    Example(
        "range_difference",
        lambda: of(pg.range_upper(pg.range_difference(Loans.days, SPRING))),
        ordered(f"upper(days - {SQL})"),
    ),
    Example(
        "network_contains",
        lambda: of(pg.network_contains(Loans.network, IPv4Address("10.1.2.3"))),
        ordered("network >>= '10.1.2.3'::inet"),
    ),
    Example(
        "network_overlaps",
        lambda: of(pg.network_overlaps(Loans.network, IPv4Network("10.2.0.0/16"))),
        ordered("network && '10.2.0.0/16'::cidr"),
    ),
]
