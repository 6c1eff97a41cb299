"""Relations that declare what only PostgreSQL has."""

import datetime as dt
import enum

from attrs import field, frozen

from gateways.postgres import Domain, Exclusion, MaterializedView, PostgresIndex, Range, Unlogged
from mapper import functions as fn
from mapper.columns import Column, Index, column
from mapper.relation import Relation
from mapper.repository import Repository
from mapper.selecting import select
from mapper.types import Enumeration, List, Varchar


class Mood(enum.Enum):
    """An enumeration with a quote in one of its members."""

    SAD = "sad"
    GLAD = "it's good"


@frozen
class Guest:
    """A model."""

    email: str
    mood: Mood = Mood.SAD
    moods: list[Mood] = field(factory=list)
    others: list[str] = field(factory=list)
    room: int | None = None
    stay: Range[dt.date] | None = None


EMAIL = Domain("e mail", Varchar(40), check="VALUE LIKE '%@%'")


class Guests(
    Relation[Guest],
    schema="hotel",
    storage=Unlogged({"fillfactor": 80, "autovacuum_enabled": True}),
    comment="who's there",
    indexes=[
        Index(lambda: fn.lower(Guests.email), unique=True),
        Index("room", where=lambda: Guests.room.is_not_null()),
        Index(lambda: Guests.room.desc(), "mood"),
        PostgresIndex("room", include=["mood"], options={"fillfactor": 70}),
        PostgresIndex("others", method="gin"),
        PostgresIndex("id", method="brin", options={"pages_per_range": 32, "autosummarize": True}),
        PostgresIndex("mood", method="hash"),
        PostgresIndex("email", "room", opclass={"email": "text_pattern_ops"}, name="by prefix"),
        PostgresIndex("room", unique=True, nulls_distinct=False, where="room > 100"),
        Exclusion(("stay", "&&"), where=lambda: Guests.room == 7),
    ],
):
    """Guests of a hotel."""

    id: Column[int] = column(primary_key=True)
    email: Column[str] = column(type=EMAIL)
    mood: Column[Mood] = column(type=Enumeration(native=True, schema="hotel"), comment="of late")
    moods: Column[list[Mood]] = column(type=List(Enumeration(native=True, schema="hotel")))
    others: Column[list[str]] = column(type=List(EMAIL))
    room: Column[int | None]
    stay: Column[Range[dt.date] | None]


@frozen
class Count:
    """How many there are."""

    mood: Mood
    guests: int
    last: str | None


class Counts(
    Relation[Count, Mood],
    schema="hotel",
    name="mood counts",
    storage=MaterializedView(
        lambda: (
            select(Guests.mood, fn.count(), fn.max(Guests.email))
            .where(Guests.mood.in_(list(Mood)), Guests.email != "it's@", fn.coalesce(Guests.room, 0) > -1)
            .group_by(Guests.mood)
        )
    ),
    comment="counted",
    indexes=[Index("guests")],
):
    """Guests by mood."""

    mood: Column[Mood] = column(primary_key=True, type=Enumeration(native=True, schema="hotel"))
    guests: Column[int]
    last: Column[str | None]


@frozen
class Most:
    """The most of them."""

    guests: int | None


class Mosts(
    Relation[Most],
    name="a first by name",
    storage=MaterializedView(lambda: select(fn.max(Counts.guests)), filled=False),
):
    """A view of a view, whose name comes before."""

    guests: Column[int | None] = column(unique=True)


class Hotel(Repository[Guests | Counts | Mosts]): ...
