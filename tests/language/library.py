"""A library: the relations and the rows that the tests of the query language use."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs
import msgspec

from mapper import Changeset, Column, CommonTable, Embedded, Relation, Repository, column


class Mood(Enum):
    """Kept by value, in columns and in documents."""

    GLAD = "glad"
    SAD = "sad"


@attrs.frozen
class Address:
    """Kept in two columns of an author."""

    city: str
    street: str | None = None


@attrs.frozen
class Author:
    """Someone who writes; the life is long, and read only where it is asked for."""

    name: str
    home: Address
    second: Address | None = None
    life: str | None = None


@attrs.frozen
class Cover:
    """A part of a document."""

    color: str
    size: int = 1
    mood: Mood | None = None


class Details(msgspec.Struct, frozen=True, rename="camel"):
    """A document, whose fields have other names in its JSON."""

    front_cover: Cover | None = None
    key_words: list[str] = []


@attrs.frozen
class Book:
    """A column of each kind that the language has functions of."""

    title: str
    pages: int
    price: Decimal
    weight: float
    printed: datetime
    bought: date
    tags: list[str]
    marks: list[Decimal] | None = None
    extra: dict[str, Any] | None = None
    details: Details | None = None
    subtitle: str | None = None


@attrs.frozen
class Note:
    """A model of which everything may be NULL, in a relation without a key."""

    text: str | None
    stars: int | None


class Authors(Relation[Author]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    home_city: Column[str]
    home_street: Column[str | None]
    second_city: Column[str | None]
    second_street: Column[str | None]
    life: Column[str | None] = column(deferred=True)
    mentor_id: Column[int | None] = column(references=lambda: Authors.id)
    home: Embedded[Address]
    second: Embedded[Address | None]


class Books(Relation[Book]):
    id: Column[int] = column(primary_key=True)
    author_id: Column[int | None] = column(references=lambda: Authors.id)
    title: Column[str]
    pages: Column[int]
    price: Column[Decimal]
    weight: Column[float]
    printed: Column[datetime]
    bought: Column[date]
    tags: Column[list[str]]
    marks: Column[list[Decimal] | None]
    extra: Column[dict[str, Any] | None]
    details: Column[Details | None]
    subtitle: Column[str | None]


class Notes(Relation[Note]):
    text: Column[str | None]
    stars: Column[int | None]
    book_id: Column[int | None]


class Totals(CommonTable):
    author_id: Column[int | None]
    books: Column[int]


class Wanted(CommonTable):
    id: Column[int]
    label: Column[str | None]
    price: Column[Decimal | None]


class Library(Repository[Authors | Books | Notes]): ...


ADA = Author("Ada", Address("London", "Row 1"), Address("Paris"), "a long life")
BOB = Author("Bob", Address("Rome"))

RED = Book(
    "Red Ink",
    120,
    Decimal("9.90"),
    2.25,
    datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC),
    date(2024, 2, 29),
    ["a", "b"],
    [Decimal("1.0"), Decimal(2)],
    {
        "isbn": "x-1",
        "parts": [{"n": 1}, {"n": 2, "last": True}],
        "k.y": 1,
        'q"uote': 2,
        "": 3,
        "nil": None,
        "when": "2024-01-01T10:00:00+02:00",
        "day": "2024-05-06",
        "uuid": "6BA7B810-9dad-11d1-80b4-00c04fd430c8",
        "exact": "1.50",
        "half": 1.5,
        "big": 10**18,
        "mood": "glad",
    },
    Details(Cover("red", 3, Mood.GLAD), ["x", "y"]),
    "a tale",
)
ILE = Book("Île", -7, Decimal("-0.5"), -1.0, datetime(2023, 12, 31, tzinfo=UTC), date(2023, 1, 1), [])
END = Book(
    "the end",
    0,
    Decimal(0),
    0.0,
    datetime(2024, 3, 31, 1, tzinfo=UTC),
    date(2024, 1, 31),
    ["b", "c", "b"],
    [],
    {"isbn": 5, "nil": 1, "parts": {}},
    Details(None),
    "",
)

NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def fill(changes: Changeset[Authors | Books | Notes]) -> None:
    """Add all rows: two authors, three books of which the last has no author, and two notes, one of them empty."""
    authors, books, notes = changes.inserts(Authors), changes.inserts(Books), changes.inserts(Notes)
    ada = authors.push(ADA, Authors.id.to(1))
    authors.push(BOB, Authors.id.to(2), Authors.mentor_id.to(ada))
    books.push(RED, Books.id.to(1), Books.author_id.to(1))
    books.push(ILE, Books.id.to(2), Books.author_id.to(1))
    books.push(END, Books.id.to(3))
    notes.push(Note(None, None), Notes.book_id.to(1))
    notes.push(Note("good", 4), Notes.book_id.to(2))
