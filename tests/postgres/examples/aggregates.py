"""Examples of aggregates."""

from typing import Final

from gateways import postgres as pg
from mapper import select
from tests.postgres.examples.example import Example, of, ordered, the, whole
from tests.postgres.papers import Papers

__all__ = ["AGGREGATES"]

AGGREGATES: Final = [
    Example(
        "array_agg",
        lambda: the(pg.array_agg(Papers.id, order_by=[Papers.id.desc()])),
        whole("array_agg(id ORDER BY id DESC)"),
    ),
    Example(
        "array_agg.distinct", lambda: the(pg.array_agg(Papers.score, distinct=True)), whole("array_agg(DISTINCT score)")
    ),
    Example(
        "array_agg.nullable",
        lambda: the(pg.array_agg(Papers.body, order_by=[Papers.id])),
        whole("array_agg(body ORDER BY id)"),
    ),
    Example(
        "array_agg.filter",
        lambda: the(pg.array_agg(Papers.id, filter=Papers.public, order_by=[Papers.score.desc(), Papers.id])),
        whole("array_agg(id ORDER BY score DESC, id) FILTER (WHERE public)"),
    ),
    Example("array_agg.none", lambda: the(pg.array_agg(Papers.id)).where(Papers.id < 0), "SELECT NULL"),
    Example(
        "array_agg.grouped",
        lambda: (
            select(Papers.author_id, pg.array_agg(Papers.price, order_by=[Papers.id]))
            .group_by(Papers.author_id)
            .order_by(Papers.author_id)
        ),
        "SELECT author_id, array_agg(price ORDER BY id) FROM papers GROUP BY author_id ORDER BY author_id",
    ),
    Example(
        "array_agg.over",
        lambda: of(pg.array_agg(Papers.id).over(partition_by=[Papers.author_id], order_by=[Papers.id])),
        ordered("array_agg(id) OVER (PARTITION BY author_id ORDER BY id)"),
    ),
    Example(
        "string_agg",
        lambda: the(pg.string_agg(Papers.title, "; '", order_by=[Papers.id])),
        whole("string_agg(title, '; ''' ORDER BY id)"),
    ),
    Example(
        "string_agg.distinct",
        lambda: the(pg.string_agg(Papers.title, distinct=True, order_by=[Papers.title.desc()])),
        whole("string_agg(DISTINCT title, ',' ORDER BY title DESC)"),
    ),
    Example(
        "jsonb_agg", lambda: the(pg.jsonb_agg(Papers.data, order_by=[Papers.id])), whole("jsonb_agg(data ORDER BY id)")
    ),
    Example(
        "jsonb_agg.values",
        lambda: the(pg.jsonb_agg(Papers.body, order_by=[Papers.id])),
        whole("jsonb_agg(body ORDER BY id)"),
    ),
    Example(
        "jsonb_object_agg",
        lambda: the(pg.jsonb_object_agg(Papers.title, Papers.sizes)),
        whole("jsonb_object_agg(title, sizes)"),
    ),
    Example(
        "bool_and",
        lambda: the(pg.bool_and(Papers.public), pg.bool_and(Papers.score > -9)),
        whole("bool_and(public), bool_and(score > -9)"),
    ),
    Example(
        "bool_or",
        lambda: the(pg.bool_or(Papers.public, filter=Papers.id == 2)),
        whole("bool_or(public) FILTER (WHERE id = 2)"),
    ),
    Example(
        "percentile_cont",
        lambda: the(pg.percentile_cont(0.25, Papers.score)),
        whole("percentile_cont(0.25) WITHIN GROUP (ORDER BY score)"),
    ),
    Example(
        "percentile_cont.of spans",
        lambda: the(pg.percentile_cont(0.5, Papers.spent)),
        whole("percentile_cont(0.5) WITHIN GROUP (ORDER BY spent)"),
    ),
    Example(
        "percentile_disc",
        lambda: the(pg.percentile_disc(1, Papers.title)),
        whole("percentile_disc(1) WITHIN GROUP (ORDER BY title)"),
    ),
    Example(
        "mode",
        lambda: the(pg.mode(Papers.score, filter=Papers.id > 0)),
        whole("mode() WITHIN GROUP (ORDER BY score) FILTER (WHERE id > 0)"),
    ),
]
