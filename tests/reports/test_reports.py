"""Reports over an old database give what hand-written SQL gives, on SQLite and PostgreSQL alike."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import attrs
import pytest

from mapper import RawSql, any_, exists, fn, none_, optional, outer, rows_between, scalar, select
from tests.reports.relations import (
    Below,
    Customer,
    CustomerInvoices,
    Customers,
    CustomerSupport,
    CustomerTracks,
    Employee,
    EmployeeReports,
    Employees,
    Entries,
    Genres,
    InvoiceLines,
    Invoices,
    LineReturns,
    Lines,
    LineTrack,
    Monthly,
    Playlist,
    Playlists,
    PlaylistTracks,
    Priced,
    Ranked,
    Return,
    Revenue,
    Shop,
    Sold,
    Track,
    TrackGenre,
    TrackLines,
    Tracks,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def by_hand(shop: Shop, sql: str) -> list[tuple[Any, ...]]:
    """Run a statement as it is, and return its rows with money in cents."""
    result = await shop._executor.execute(RawSql(sql))
    return plain(result.rows)


def plain(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows with money as decimals of two digits, whatever the store's own type is."""
    return [tuple([_plain(each) for each in row]) for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, float | Decimal):
        return Decimal(str(value)).quantize(Decimal("0.01"))
    return value


@pytest.mark.feature("T34")
async def test_old_database_is_as_declared(shop: Shop):
    await shop.verify_schema()


async def test_top_ten_customers_by_revenue_with_their_share(shop: Shop):
    revenue = select(Invoices.customer_id, fn.sum(Invoices.total)).group_by(Invoices.customer_id)
    total = scalar(select(fn.sum(Invoices.total)))
    query = (
        select(Customers.last_name, Revenue.paid, Revenue.paid.cast(float) * 100.0 / total.cast(float))
        .with_(Revenue, revenue)
        .join(Revenue, on=Revenue.customer_id == Customers.id)
        .order_by(Revenue.paid.desc(), Customers.id)
        .limit(10)
    )
    expected = await by_hand(
        shop,
        """
        SELECT c."LastName", SUM(i."Total"), SUM(i."Total") * 100.0 / (SELECT SUM("Total") FROM "Invoice")
        FROM "Customer" c JOIN "Invoice" i ON i."CustomerId" = c."CustomerId"
        GROUP BY c."CustomerId", c."LastName" ORDER BY SUM(i."Total") DESC, c."CustomerId" LIMIT 10
        """,
    )
    found = plain(await query.all(shop))
    assert len(found) == 10
    assert found == expected


async def test_running_totals_by_month_and_country(shop: Shop):
    month = fn.substring(Invoices.date, 1, 7)
    monthly = select(month, Invoices.country, fn.sum(Invoices.total)).group_by(month, Invoices.country)
    running = fn.sum(Monthly.paid).over(
        partition_by=[Monthly.country], order_by=[Monthly.month], frame=rows_between(None, 0)
    )
    query = (
        select(Monthly.country, Monthly.month, Monthly.paid, running)
        .with_(Monthly, monthly)
        .order_by(Monthly.country, Monthly.month)
    )
    expected = await by_hand(
        shop,
        """
        SELECT m.country, m.month, m.paid,
               SUM(m.paid) OVER (PARTITION BY m.country ORDER BY m.month ROWS UNBOUNDED PRECEDING)
        FROM (SELECT substr("InvoiceDate", 1, 7) AS month, "BillingCountry" AS country, SUM("Total") AS paid
              FROM "Invoice" GROUP BY substr("InvoiceDate", 1, 7), "BillingCountry") m
        """,
    )
    found = plain(await query.all(shop))
    assert len(found) > 100
    assert sorted(found, key=repr) == sorted(expected, key=repr)


async def test_employees_with_all_their_reports_at_any_depth(shop: Shop):
    start = select(Employees.reports_to.cast(int), Employees.id, fn.length(Employees.last_name) * 0 + 1).where(
        Employees.reports_to.is_not_null()
    )
    step = select(Below.boss_id, Employees.id, Below.depth + 1).join(
        Employees, on=Employees.reports_to == Below.employee_id
    )
    query = (
        select(Employees.last_name, fn.count(Below.employee_id), fn.max(Below.depth))
        .with_(Below, start.union_all(step), recursive=True)
        .left_join(Below, on=Below.boss_id == Employees.id)
        .group_by(Employees.id, Employees.last_name)
        .order_by(Employees.id)
    )
    expected = await by_hand(
        shop,
        """
        WITH RECURSIVE below(boss, employee, depth) AS (
            SELECT "ReportsTo", "EmployeeId", 1 FROM "Employee" WHERE "ReportsTo" IS NOT NULL
            UNION ALL
            SELECT b.boss, e."EmployeeId", b.depth + 1 FROM below b JOIN "Employee" e ON e."ReportsTo" = b.employee)
        SELECT e."LastName", COUNT(b.employee), MAX(b.depth) FROM "Employee" e LEFT JOIN below b ON b.boss = e."EmployeeId"
        GROUP BY e."EmployeeId", e."LastName" ORDER BY e."EmployeeId"
        """,
    )
    assert await query.all(shop) == expected
    everyone = select(Employee).from_(Employees).where(Employees.id == 1).via(EmployeeReports, recursive=True)
    assert len(await everyone.all(shop)) == expected[0][1] == 7


async def test_tracks_never_sold(shop: Shop):
    query = select(Tracks.name).where(none_(TrackLines)).order_by(Tracks.id)
    expected = await by_hand(
        shop,
        """
        SELECT t."Name" FROM "Track" t LEFT JOIN "InvoiceLine" l ON l."TrackId" = t."TrackId"
        WHERE l."TrackId" IS NULL ORDER BY t."TrackId"
        """,
    )
    assert [(each,) for each in await query.all(shop)] == expected
    unsold = select(Tracks.id).except_(select(Lines.track_id))
    assert await unsold.count(shop) == len(expected) >= 200
    assert await select(Tracks.id).where(Tracks.id.not_in(select(Lines.track_id))).count(shop) == len(expected)


async def test_invoices_whose_total_differs_from_the_sum_of_their_lines(shop: Shop):
    lines = fn.coalesce(fn.sum(Lines.price * Lines.quantity), Decimal(0))
    query = (
        select(Invoices.id, Invoices.total, lines)
        .left_join(Lines, on=Lines.invoice_id == Invoices.id)
        .group_by(Invoices.id, Invoices.total)
        .having(lines != Invoices.total)
        .order_by(Invoices.id)
    )
    expected = await by_hand(
        shop,
        """
        SELECT i."InvoiceId", i."Total", COALESCE(SUM(l."UnitPrice" * l."Quantity"), 0) AS paid
        FROM "Invoice" i LEFT JOIN "InvoiceLine" l ON l."InvoiceId" = i."InvoiceId"
        GROUP BY i."InvoiceId", i."Total"
        HAVING ROUND(COALESCE(SUM(l."UnitPrice" * l."Quantity"), 0), 2) <> ROUND(i."Total", 2) ORDER BY i."InvoiceId"
        """,
    )
    found = plain(await query.all(shop))
    assert [row[0] for row in found] == list(range(40, 641, 40))
    assert found == plain(expected)


async def test_playlists_with_the_same_tracks(shop: Shop):
    other, theirs = Playlists.named("other"), Entries.named("theirs")

    def lacks(one: Any, entries: Any, two: Any, its: Any) -> Any:
        """Hold where `one` has a track that `two` does not have."""
        same = select(its.track_id).where(its.playlist_id == outer(two.id), its.track_id == outer(entries.track_id))
        return exists(select(entries.track_id).where(entries.playlist_id == outer(one.id), ~exists(same)))

    query = (
        select(Playlists.id, other.id)
        .join(other, on=Playlists.id < other.id)
        .where(~lacks(Playlists, Entries, other, theirs), ~lacks(other, theirs, Playlists, Entries))
        .order_by(Playlists.id, other.id)
    )
    expected = await by_hand(
        shop,
        """
        SELECT a."PlaylistId", b."PlaylistId" FROM "Playlist" a JOIN "Playlist" b ON a."PlaylistId" < b."PlaylistId"
        WHERE NOT EXISTS (SELECT "TrackId" FROM "PlaylistTrack" WHERE "PlaylistId" = a."PlaylistId"
                          EXCEPT SELECT "TrackId" FROM "PlaylistTrack" WHERE "PlaylistId" = b."PlaylistId")
          AND NOT EXISTS (SELECT "TrackId" FROM "PlaylistTrack" WHERE "PlaylistId" = b."PlaylistId"
                          EXCEPT SELECT "TrackId" FROM "PlaylistTrack" WHERE "PlaylistId" = a."PlaylistId")
        """,
    )
    assert await query.all(shop) == expected == [(2, 3)]


async def test_median_price_of_each_genre(shop: Shop):
    numbered = select(
        Tracks.genre_id,
        Tracks.price,
        fn.row_number().over(partition_by=[Tracks.genre_id], order_by=[Tracks.price, Tracks.id]),
        fn.count().over(partition_by=[Tracks.genre_id]),
    )
    query = (
        select(Genres.name, fn.avg(Priced.price))
        .with_(Priced, numbered)
        .join(Priced, on=Priced.genre_id == Genres.id)
        .where((Priced.place * 2).between(Priced.tracks, Priced.tracks + 2))
        .group_by(Genres.id, Genres.name)
        .order_by(Genres.id)
    )
    found = await query.all(shop)
    prices: dict[str, list[Decimal]] = {}
    for name, price in await select(Genres.name, Tracks.price).from_(Tracks).join(TrackGenre).all(shop):
        prices.setdefault(name, []).append(price)
    assert [(name, price) for name, price in found] == [(name, _median(each)) for name, each in sorted(prices.items())]


def _median(prices: list[Decimal]) -> Decimal:
    ordered, half = sorted(prices), len(prices) // 2
    return ordered[half] if len(prices) % 2 else (ordered[half - 1] + ordered[half]) / 2


async def test_three_best_sellers_of_each_genre(shop: Shop):
    sold = (
        select(Tracks.genre_id, Tracks.id, fn.sum(Lines.quantity))
        .join(TrackLines)
        .where(Tracks.genre_id.is_not_null())
        .group_by(Tracks.genre_id, Tracks.id)
    )
    ranked = select(
        Sold.genre_id,
        Sold.track_id,
        Sold.pieces,
        fn.row_number().over(partition_by=[Sold.genre_id], order_by=[Sold.pieces.desc(), Sold.track_id.asc()]),
    )
    query = (
        select(Ranked.genre_id, Ranked.place, Ranked.track_id, Ranked.pieces)
        .with_(Sold, sold)
        .with_(Ranked, ranked)
        .where(Ranked.place <= 3)
        .order_by(Ranked.genre_id, Ranked.place)
    )
    expected = await by_hand(
        shop,
        """
        SELECT r.genre, r.place, r.track, r.pieces FROM (
            SELECT t."GenreId" AS genre, t."TrackId" AS track, SUM(l."Quantity") AS pieces,
                   ROW_NUMBER() OVER (PARTITION BY t."GenreId" ORDER BY SUM(l."Quantity") DESC, t."TrackId") AS place
            FROM "Track" t JOIN "InvoiceLine" l ON l."TrackId" = t."TrackId" WHERE t."GenreId" IS NOT NULL
            GROUP BY t."GenreId", t."TrackId") r
        WHERE r.place <= 3 ORDER BY r.genre, r.place
        """,
    )
    found = await query.all(shop)
    assert len(found) == 24
    assert found == expected


async def test_customers_who_bought_in_every_year(shop: Shop):
    year = fn.substring(Invoices.date, 1, 4)
    years = scalar(select(fn.count(year, distinct=True)))
    query = (
        select(Customers.last_name)
        .join(CustomerInvoices)
        .group_by(Customers.id, Customers.last_name)
        .having(fn.count(year, distinct=True) == years)
        .order_by(Customers.id)
    )
    expected = await by_hand(
        shop,
        """
        SELECT c."LastName" FROM "Customer" c JOIN "Invoice" i ON i."CustomerId" = c."CustomerId"
        GROUP BY c."CustomerId", c."LastName"
        HAVING COUNT(DISTINCT substr(i."InvoiceDate", 1, 4))
             = (SELECT COUNT(DISTINCT substr("InvoiceDate", 1, 4)) FROM "Invoice")
        ORDER BY c."CustomerId"
        """,
    )
    assert [(each,) for each in await query.all(shop)] == expected
    assert 0 < len(expected) < 60


async def test_support_staff_with_revenue_of_their_customers_and_none(shop: Shop):
    query = (
        select(optional(Employees.last_name), fn.count(Customers.id), fn.sum(Invoices.total))
        .from_(Customers)
        .left_join(CustomerSupport)
        .join(CustomerInvoices)
        .group_by(Employees.last_name)
        .order_by(Employees.last_name)
    )
    expected = await by_hand(
        shop,
        """
        SELECT e."LastName", COUNT(c."CustomerId"), SUM(i."Total") FROM "Customer" c
        LEFT JOIN "Employee" e ON e."EmployeeId" = c."SupportRepId"
        JOIN "Invoice" i ON i."CustomerId" = c."CustomerId" GROUP BY e."LastName"
        """,
    )
    assert sorted(plain(await query.all(shop)), key=repr) == sorted(expected, key=repr)


@attrs.frozen
class Collection:
    playlist: Playlist
    tracks: list[Track]


@pytest.mark.feature("T14", "T16")
async def test_playlists_combined_with_their_first_tracks(shop: Shop):
    cheap = select(Track).from_(Tracks).where(Tracks.price < Decimal("1.50")).order_by(Tracks.id).limit(2)
    query = select(Playlist).from_(Playlists).order_by(Playlists.id).combine(PlaylistTracks, cheap).into(Collection)
    found = await query.all(shop)
    assert [each.playlist.name for each in found] == ["all", "few", "few again", None, "empty", "few and one"]
    assert [len(each.tracks) <= 2 for each in found] == [True] * 6
    assert found[4].tracks == []
    assert found[1].tracks == found[2].tracks


@pytest.mark.feature("T13", "T16")
async def test_lines_combined_by_a_key_of_two_columns(shop: Shop):
    lines = select(Lines.invoice_id, Lines.number).where(Lines.invoice_id <= 2).order_by(Lines.invoice_id, Lines.number)
    found = {(invoice, line): more for invoice, line, more in await lines.combine(LineReturns).all(shop)}
    assert found[1, 1] == [Return("scratched"), Return("again")]
    assert found[2, 1] == [Return("unwanted")]
    assert sum(map(len, found.values())) == 3


@pytest.mark.feature("T14")
async def test_customers_who_bought_a_genre_by_relationships(shop: Shop):
    rock = any_(CustomerTracks, Tracks.genre_id == 1)
    expected = await by_hand(
        shop,
        """
        SELECT COUNT(DISTINCT i."CustomerId") FROM "Invoice" i
        JOIN "InvoiceLine" l ON l."InvoiceId" = i."InvoiceId" JOIN "Track" t ON t."TrackId" = l."TrackId"
        WHERE t."GenreId" = 1
        """,
    )
    assert await select(Customer).from_(Customers).where(rock).count(shop) == expected[0][0]
    lines = select(Lines.number).join(LineTrack).join(TrackGenre).where(Genres.name == "genre 1")
    assert await lines.count(shop) > 50
    assert await select(Invoices.id).where(any_(InvoiceLines, Lines.quantity > 2)).exists(shop)
