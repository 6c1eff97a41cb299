"""Relations with a column of each kind that PostgreSQL has functions of its own for, and rows of them."""

import datetime as dt
from decimal import Decimal
from ipaddress import IPv4Network
from typing import Any

from attrs import frozen

from gateways.postgres import Cidr, Range, TsVector
from mapper import Changeset, Column, CommonTable, Index, Relation, Repository, column

UTC = dt.UTC


@frozen
class Author:
    """A plain model."""

    name: str


@frozen
class Paper:
    """A plain model."""

    author_id: int
    title: str
    body: str | None
    tags: list[str]
    sizes: list[int] | None
    data: dict[str, Any]
    published: dt.datetime
    day: dt.date
    spent: dt.timedelta
    price: Decimal
    score: float
    public: bool


@frozen
class Page:
    """A plain model, which knows nothing of the search."""

    title: str
    body: str | None


@frozen
class Loan:
    """A plain model, of what no other gateway stores."""

    days: Range[dt.date]
    network: IPv4Network


class Authors(Relation[Author]):
    """Who wrote the papers."""

    id: Column[int] = column(primary_key=True)
    name: Column[str]


class Papers(Relation[Paper], indexes=[Index("tags", method="gin")]):
    """Papers, of columns that every gateway has."""

    id: Column[int] = column(primary_key=True)
    author_id: Column[int] = column(references=lambda: Authors.id)
    title: Column[str]
    body: Column[str | None]
    tags: Column[list[str]]
    sizes: Column[list[int] | None]
    data: Column[dict[str, Any]]
    published: Column[dt.datetime]
    day: Column[dt.date]
    spent: Column[dt.timedelta]
    price: Column[Decimal]
    score: Column[float]
    public: Column[bool]


class Pages(Relation[Page], indexes=[Index("search", method="gin")]):
    """Texts with their vector, which the store keeps up to date."""

    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str | None]
    search: Column[TsVector] = column(
        generated="setweight(to_tsvector('english', title), 'A') || to_tsvector('english', coalesce(body, ''))"
    )


class Loans(Relation[Loan]):
    """Ranges and networks."""

    id: Column[int] = column(primary_key=True)
    days: Column[Range[dt.date]]
    network: Column[IPv4Network] = column(type=Cidr())


class Latest(CommonTable):
    """Titles, for subqueries."""

    title: Column[str]


class Library(Repository[Papers | Authors | Loans | Pages]):
    """All of them."""


PAPERS = [
    Paper(
        1,
        "The cat and the dog",
        "A cat sat. Dogs ran after the fat cat.",
        ["animals", "fun"],
        [3, 1, 2],
        {"size": 3, "tags": ["a", "b"], "by": {"name": "Ann", "age": 41}, "note": None},
        dt.datetime(2024, 1, 31, 23, 30, 15, 250_000, tzinfo=UTC),
        dt.date(2024, 2, 29),
        dt.timedelta(days=2, hours=3, seconds=4),
        Decimal("12.50"),
        1.5,
        True,
    ),
    Paper(
        1,
        "Straße zum Café 100%",
        None,
        [],
        None,
        {"size": 5, "tags": [], "by": {"name": "Ören"}},
        dt.datetime(2024, 5, 17, 8, tzinfo=UTC),
        dt.date(2024, 12, 31),
        dt.timedelta(seconds=90),
        Decimal("0.05"),
        -2.25,
        False,
    ),
    Paper(
        2,
        "On rain; it's 'quoted' \\ and more",
        "rain, rain — go away. The dog barks.",
        ["weather", "fun", "fun"],
        [7, 7],
        {"size": "large", "tags": ["b"], "by": None, "it's": [{"deep": [1, 2, 3]}]},
        dt.datetime(2023, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        dt.date(2023, 1, 1),
        dt.timedelta(hours=36),
        Decimal("99999999999999999999.99"),
        1.5,
        True,
    ),
]


LOANS = [
    Loan(Range(dt.date(2024, 1, 1), dt.date(2024, 3, 1)), IPv4Network("10.0.0.0/8")),
    Loan(Range(dt.date(2024, 3, 1), None), IPv4Network("10.1.0.0/16")),
    Loan(Range.empty(), IPv4Network("192.168.0.0/24")),
]


def shelved() -> Changeset[Any]:
    """Return a changeset of two authors, and three papers, loans and pages."""
    changes = Library.change()
    changes.inserts(Authors).extend([Author("Ann"), Author("Öz")])
    changes.inserts(Papers).extend(PAPERS)
    changes.inserts(Loans).extend(LOANS)
    changes.inserts(Pages).extend([Page(each.title, each.body) for each in PAPERS])
    return changes
