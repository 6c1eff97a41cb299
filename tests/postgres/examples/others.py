"""Examples of dates and times, and of steps of a query."""

import datetime as dt
from typing import Final

from gateways import postgres as pg
from mapper import fn, outer, select
from tests.postgres.examples.example import Example, of, ordered
from tests.postgres.papers import Authors, Latest, Papers

__all__ = ["OTHERS"]

OTHERS: Final = [
    # dates and times
    Example(
        "date_trunc",
        lambda: of(pg.date_trunc("month", Papers.published), pg.date_trunc("quarter", Papers.day)),
        ordered("date_trunc('month', published, 'UTC'), date_trunc('quarter', day::timestamp)::date"),
    ),
    Example(
        "date_trunc.naive",
        lambda: of(pg.date_trunc("hour", pg.at_time_zone(Papers.published, "Asia/Kolkata"))),
        ordered("date_trunc('hour', published AT TIME ZONE 'Asia/Kolkata')"),
    ),
    Example(
        "extract",
        lambda: of(
            pg.extract("isodow", Papers.published), pg.extract("quarter", Papers.day), pg.extract("hour", Papers.spent)
        ),
        ordered(
            "extract(isodow FROM published AT TIME ZONE 'UTC')::int, extract(quarter FROM day)::int, extract(hour FROM spent)::int"
        ),
    ),
    Example(
        "extract.fraction",
        lambda: of(pg.extract("epoch", Papers.published), pg.extract("second", Papers.published)),
        ordered("extract(epoch FROM published), extract(second FROM published)"),
    ),
    Example(
        "to_char",
        lambda: of(
            pg.to_char(Papers.published, "YYYY-MM-DD HH24:MI"),
            pg.to_char(Papers.day, "Day"),
            pg.to_char(Papers.price, "FM990.00"),
            pg.to_char(Papers.spent, "HH24"),
        ),
        ordered(
            "to_char(published AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), to_char(day, 'Day'), to_char(price, 'FM990.00'), to_char(spent, 'HH24')"
        ),
    ),
    Example(
        "at_time_zone",
        lambda: of(
            pg.at_time_zone(Papers.published, "Europe/Berlin"),
            pg.at_time_zone(pg.at_time_zone(Papers.published, "Asia/Tokyo"), "UTC"),
        ),
        ordered("published AT TIME ZONE 'Europe/Berlin', published AT TIME ZONE 'Asia/Tokyo' AT TIME ZONE 'UTC'"),
    ),
    Example(
        "generate_series",
        lambda: of(Papers.id, pg.generate_series(1, Papers.id)),
        ordered("id, generate_series(1, id)"),
    ),
    Example(
        "generate_series.of days",
        lambda: of(pg.generate_series(dt.date(2024, 2, 28), Papers.day)).where(Papers.id == 1),
        ordered("generate_series('2024-02-28'::date, day, '1 day')::date", where="id = 1"),
    ),
    Example(
        "generate_series.of moments",
        lambda: of(
            pg.generate_series(Papers.published, dt.datetime(2024, 2, 1, 2, tzinfo=dt.UTC), dt.timedelta(hours=1))
        ).where(Papers.id == 1),
        ordered("generate_series(published, '2024-02-01 02:00+00', interval '1 hour')", where="id = 1"),
    ),
    # steps of a query
    Example(
        "distinct_on",
        lambda: pg.distinct_on(select(Papers.title).order_by(Papers.author_id, Papers.id.desc()), Papers.author_id),
        "SELECT DISTINCT ON (author_id) title FROM papers ORDER BY author_id, id DESC",
    ),
    Example(
        "distinct_on.an expression",
        lambda: pg.distinct_on(
            select(Papers.id).order_by(fn.coalesce(Papers.body, "?"), Papers.id), fn.coalesce(Papers.body, "?")
        ),
        "SELECT DISTINCT ON (coalesce(body, '?')) id FROM papers ORDER BY coalesce(body, '?'), id",
    ),
    Example(
        "lateral",
        lambda: (
            select(Authors.name, Latest.title)
            .join(
                pg.lateral(
                    Latest,
                    select(Papers.title)
                    .where(Papers.author_id == outer(Authors.id))
                    .order_by(Papers.id.desc())
                    .limit(1),
                ),
                on=Latest.title != "",
            )
            .order_by(Authors.id)
        ),
        "SELECT a.name, p.title FROM authors a CROSS JOIN LATERAL "
        "(SELECT title FROM papers WHERE author_id = a.id ORDER BY id DESC LIMIT 1) p ORDER BY a.id",
    ),
]
