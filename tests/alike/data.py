"""
The relations that random statements are about, and random rows of them, with values at the edges of each type.

Nothing refers to anything by a foreign key, so that joins meet rows without a partner on either side.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import attrs
from hypothesis import strategies as st

from mapper import Column, CommonTable, Numeric, Relation, Repository, Timestamp, Varchar, column


@attrs.frozen
class Author:
    name: str
    country: str | None = None
    born: date | None = None


@attrs.frozen
class Book:
    title: str
    pages: int
    note: str | None = None
    stars: int | None = None
    serial: int | None = None
    price: Decimal | None = None
    cost: Decimal = Decimal("0.00")
    weight: float | None = None
    public: bool | None = None
    printed: date | None = None
    added: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    edited: datetime | None = None


@attrs.frozen
class Loan:
    reader: str
    fee: Decimal | None = None
    days: int | None = None
    back: date | None = None


class Authors(Relation[Author], name="alike_authors"):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    country: Column[str | None] = column(type=Varchar(8))
    born: Column[date | None]


class Books(Relation[Book], name="alike_books"):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    pages: Column[int]
    note: Column[str | None]
    stars: Column[int | None]
    serial: Column[int | None]
    price: Column[Decimal | None]
    cost: Column[Decimal] = column(type=Numeric(8, 2))
    weight: Column[float | None]
    public: Column[bool | None]
    printed: Column[date | None]
    added: Column[datetime]
    edited: Column[datetime | None] = column(type=Timestamp())
    author_id: Column[int | None]
    parent_id: Column[int | None]


class Loans(Relation[Loan, tuple[int, int]], name="alike_loans"):
    book_id: Column[int] = column(primary_key=True)
    number: Column[int] = column(primary_key=True)
    reader: Column[str]
    fee: Column[Decimal | None]
    days: Column[int | None]
    back: Column[date | None]


class Pairs(CommonTable, name="alike_pairs"):
    """Rows of a common table."""

    number: Column[int | None]
    word: Column[str | None]


class Steps(CommonTable, name="alike_steps"):
    """Rows of a recursive common table: where a walk is, where it goes, and how far it has come."""

    id: Column[int]
    next_id: Column[int | None]
    depth: Column[int]


class Library(Repository[Authors | Books | Loans]): ...


PLAIN: Final = [
    "",
    "a",
    "A",
    "ab",
    "aB",
    "b",
    "a%b",
    "%",
    "_",
    "\\",
    "\\%",
    " a ",
    "'",
    '"',
    "?",
    "$1",
    "a\nb",
    "a\tb",
    "12",
]
LETTERS: Final = [
    "é",
    "É",
    "e\u0301",
    "ß",
    "\u017f",
    "\u03a3\u03c2",
    "İı",
    "Zoë",
    "\ufffd",
    "😀",
    "😀a",
    "\U0010ffff",
    "NULL",
]
TEXTS: Final = st.sampled_from([*PLAIN, *LETTERS])
SHORT_TEXTS: Final = st.sampled_from(["", "a", "A", "é", "😀", "ZZ", "12345678"])
SIZES: Final = st.integers(-4, 6)
KEYS: Final = st.integers(-2, 7)
EDGES: Final = st.sampled_from([-(2**63), -(2**53) - 1, -1, 0, 1, 2**31, 2**53 + 1, 2**63 - 1])
DECIMALS: Final = st.sampled_from(
    [Decimal(each) for each in ("0", "0.00", "1", "1.0", "1.00", "-1", "0.1", "-0.25", "2.5", "-2.5", "3.005", "10")]
    + [Decimal("1e-12"), Decimal("12345678.123456789"), Decimal("100")]
)
COSTS: Final = st.sampled_from([Decimal(each) for each in ("0.00", "0.01", "-0.01", "2.50", "999999.99", "-7.00")])
FLOATS: Final = st.sampled_from([-2.5, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 1024.0])
"""Floats whose sums are exact, so that the order of adding them up makes no difference."""
DAYS: Final = st.sampled_from(
    [date(1, 1, 1), date(1999, 12, 31), date(2000, 1, 1), date(2000, 2, 29), date(2023, 6, 15), date(9999, 12, 31)]
)
TIMES: Final = st.sampled_from(
    [(0, 0, 0, 0), (23, 59, 59, 999999), (23, 59, 59, 999499), (12, 30, 0, 1), (7, 5, 9, 500000), (23, 59, 59, 0)]
)
NAIVE: Final = st.builds(lambda day, clock: datetime(day.year, day.month, day.day, *clock), DAYS, TIMES)
SPANS: Final = st.sampled_from(
    [timedelta(0), timedelta(microseconds=1), timedelta(hours=-25), timedelta(days=1), timedelta(days=30, seconds=0.5)]
)
AWARE: Final = NAIVE.map(lambda moment: moment.replace(tzinfo=UTC))


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


@attrs.frozen
class Content:
    """All rows of the three relations, in the order of their columns."""

    authors: Sequence[tuple[Any, ...]]
    books: Sequence[tuple[Any, ...]]
    loans: Sequence[tuple[Any, ...]]

    def of(self, relation: Any) -> Sequence[tuple[Any, ...]]:
        """Return the rows of a relation."""
        rows: dict[Any, Sequence[tuple[Any, ...]]] = {Authors: self.authors, Books: self.books, Loans: self.loans}
        return rows[relation]


def _rows(key: st.SearchStrategy[Any], *values: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[Any]:
    """Rows with keys of their own."""
    return st.lists(st.tuples(key, *values), max_size=most, unique_by=lambda row: row[0])


CONTENTS: Final = st.builds(
    Content,
    _rows(st.integers(0, 6), TEXTS, _maybe(SHORT_TEXTS), _maybe(DAYS), most=4),
    _rows(
        st.integers(0, 7),
        TEXTS,
        SIZES,
        _maybe(TEXTS),
        _maybe(SIZES),
        _maybe(EDGES),
        _maybe(DECIMALS),
        COSTS,
        _maybe(FLOATS),
        _maybe(st.booleans()),
        _maybe(DAYS),
        AWARE,
        _maybe(NAIVE),
        _maybe(st.integers(0, 4)),
        _maybe(st.integers(0, 4)),
        most=7,
    ),
    _rows(
        st.tuples(st.integers(0, 5), st.integers(0, 2)), TEXTS, _maybe(DECIMALS), _maybe(SIZES), _maybe(DAYS), most=5
    ).map(lambda rows: [(*key, *rest) for key, *rest in rows]),
)
