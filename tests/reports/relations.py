"""
A music shop's old database, declared as it is: other names, keys of two columns, a table that refers to itself, money
with two digits, and dates as text.
"""

from decimal import Decimal

import attrs

from mapper import (
    BelongsTo,
    Column,
    CommonTable,
    HasMany,
    Int,
    ManyToMany,
    Numeric,
    Relation,
    Repository,
    Through,
    Varchar,
    column,
)


@attrs.frozen
class Genre:
    name: str


@attrs.frozen
class Artist:
    name: str | None


@attrs.frozen
class Album:
    title: str


@attrs.frozen
class Track:
    name: str
    milliseconds: int
    price: Decimal


@attrs.frozen
class Employee:
    last_name: str
    title: str | None
    hired: str


@attrs.frozen
class Customer:
    last_name: str
    country: str | None


@attrs.frozen
class Invoice:
    date: str
    country: str | None
    total: Decimal


@attrs.frozen
class Line:
    price: Decimal
    quantity: int


@attrs.frozen
class Playlist:
    name: str | None


@attrs.frozen
class Entry: ...


@attrs.frozen
class Return:
    reason: str


class Genres(Relation[Genre], name="Genre"):
    id: Column[int] = column(primary_key=True, name="GenreId", type=Int(32))
    name: Column[str] = column(name="Name", type=Varchar(120))


class Artists(Relation[Artist], name="Artist"):
    id: Column[int] = column(primary_key=True, name="ArtistId", type=Int(32))
    name: Column[str | None] = column(name="Name", type=Varchar(120))


class Albums(Relation[Album], name="Album"):
    id: Column[int] = column(primary_key=True, name="AlbumId", type=Int(32))
    title: Column[str] = column(name="Title", type=Varchar(160))
    artist_id: Column[int] = column(name="ArtistId", references=lambda: Artists.id, type=Int(32))


class Tracks(Relation[Track], name="Track"):
    id: Column[int] = column(primary_key=True, name="TrackId", type=Int(32))
    name: Column[str] = column(name="Name", type=Varchar(200))
    album_id: Column[int | None] = column(name="AlbumId", references=lambda: Albums.id, type=Int(32))
    genre_id: Column[int | None] = column(name="GenreId", references=lambda: Genres.id, type=Int(32))
    milliseconds: Column[int] = column(name="Milliseconds", type=Int(32))
    price: Column[Decimal] = column(name="UnitPrice", type=Numeric(10, 2))


class Employees(Relation[Employee], name="Employee"):
    id: Column[int] = column(primary_key=True, name="EmployeeId", type=Int(32))
    last_name: Column[str] = column(name="LastName", type=Varchar(20))
    title: Column[str | None] = column(name="Title", type=Varchar(30))
    reports_to: Column[int | None] = column(name="ReportsTo", references=lambda: Employees.id, type=Int(32))
    hired: Column[str] = column(name="HireDate")


class Customers(Relation[Customer], name="Customer"):
    id: Column[int] = column(primary_key=True, name="CustomerId", type=Int(32))
    last_name: Column[str] = column(name="LastName", type=Varchar(20))
    country: Column[str | None] = column(name="Country", type=Varchar(40))
    support_id: Column[int | None] = column(name="SupportRepId", references=lambda: Employees.id, type=Int(32))


class Invoices(Relation[Invoice], name="Invoice"):
    id: Column[int] = column(primary_key=True, name="InvoiceId", type=Int(32))
    customer_id: Column[int] = column(name="CustomerId", references=lambda: Customers.id, type=Int(32))
    date: Column[str] = column(name="InvoiceDate")
    country: Column[str | None] = column(name="BillingCountry", type=Varchar(40))
    total: Column[Decimal] = column(name="Total", type=Numeric(10, 2))


class Lines(Relation[Line, tuple[int, int]], name="InvoiceLine"):
    invoice_id: Column[int] = column(primary_key=True, name="InvoiceId", references=lambda: Invoices.id, type=Int(32))
    number: Column[int] = column(primary_key=True, name="LineNumber", type=Int(32))
    track_id: Column[int] = column(name="TrackId", references=lambda: Tracks.id, type=Int(32))
    price: Column[Decimal] = column(name="UnitPrice", type=Numeric(10, 2))
    quantity: Column[int] = column(name="Quantity", type=Int(32))


class Playlists(Relation[Playlist], name="Playlist"):
    id: Column[int] = column(primary_key=True, name="PlaylistId", type=Int(32))
    name: Column[str | None] = column(name="Name", type=Varchar(120))


class Entries(Relation[Entry, tuple[int, int]], name="PlaylistTrack"):
    playlist_id: Column[int] = column(
        primary_key=True, name="PlaylistId", references=lambda: Playlists.id, type=Int(32)
    )
    track_id: Column[int] = column(primary_key=True, name="TrackId", references=lambda: Tracks.id, type=Int(32))


class Returns(Relation[Return], name="LineReturn"):
    id: Column[int] = column(primary_key=True, name="ReturnId", type=Int(32))
    invoice_id: Column[int] = column(name="InvoiceId", type=Int(32))
    line_number: Column[int] = column(name="LineNumber", type=Int(32))
    reason: Column[str] = column(name="Reason")


class InvoiceLines(HasMany[Invoices, Lines]):
    key = Lines.invoice_id


class LineTrack(BelongsTo[Lines, Tracks]):
    key = Lines.track_id


class TrackLines(HasMany[Tracks, Lines]):
    key = Lines.track_id


class TrackGenre(BelongsTo[Tracks, Genres]):
    key = Tracks.genre_id


class InvoiceCustomer(BelongsTo[Invoices, Customers]):
    key = Invoices.customer_id


class CustomerInvoices(HasMany[Customers, Invoices]):
    key = Invoices.customer_id


class CustomerSupport(BelongsTo[Customers, Employees]):
    key = Customers.support_id


class EmployeeReports(HasMany[Employees, Employees]):
    key = Employees.reports_to


class PlaylistTracks(ManyToMany[Playlists, Tracks]):
    through = Entries
    keys = (Entries.playlist_id, Entries.track_id)


class CustomerTracks(Through[Customers, Tracks]):
    path = (CustomerInvoices, InvoiceLines, LineTrack)


class LineReturns(HasMany[Lines, Returns]):
    key = (Returns.invoice_id, Returns.line_number)


class Shop(
    Repository[
        Genres | Artists | Albums | Tracks | Employees | Customers | Invoices | Lines | Playlists | Entries | Returns
    ]
): ...


class Revenue(CommonTable):
    """What each customer paid."""

    customer_id: Column[int]
    paid: Column[Decimal | None]


class Below(CommonTable):
    """Who is below whom, and how far."""

    boss_id: Column[int]
    employee_id: Column[int]
    depth: Column[int]


class Priced(CommonTable):
    """Tracks of a genre, numbered by price."""

    genre_id: Column[int | None]
    price: Column[Decimal]
    place: Column[int]
    tracks: Column[int]


class Sold(CommonTable):
    """How often a track was sold."""

    genre_id: Column[int | None]
    track_id: Column[int]
    pieces: Column[int | None]


class Ranked(CommonTable):
    """Tracks of a genre, numbered by how often they were sold."""

    genre_id: Column[int | None]
    track_id: Column[int]
    pieces: Column[int | None]
    place: Column[int]


class Monthly(CommonTable):
    """What was paid in a month from a country."""

    month: Column[str]
    country: Column[str | None]
    paid: Column[Decimal | None]
