"""Examples of arrays."""

from typing import Final

from gateways import postgres as pg
from tests.postgres.examples.example import Example, of, ordered
from tests.postgres.papers import Papers

__all__ = ["ARRAYS"]

ARRAYS: Final = [
    Example("array", lambda: of(pg.array(Papers.title, "it's", Papers.title)), ordered("ARRAY[title, 'it''s', title]")),
    Example("array_contains", lambda: of(pg.array_contains(Papers.tags, ["fun"])), ordered("tags @> ARRAY['fun']")),
    Example("array_contains.nothing", lambda: of(pg.array_contains(Papers.tags, [])), ordered("tags @> '{}'")),
    Example(
        "array_contained_by",
        lambda: of(pg.array_contained_by(Papers.tags, ["fun", "weather", "x"])),
        ordered("tags <@ ARRAY['fun', 'weather', 'x']"),
    ),
    Example(
        "array_overlaps",
        lambda: of(Papers.id).where(pg.array_overlaps(Papers.sizes, [7, 1])),
        ordered("id", where="sizes && ARRAY[7, 1]::bigint[]"),
    ),
    Example(
        "array_length",
        lambda: of(pg.array_length(Papers.tags), pg.array_length(Papers.sizes)),
        ordered("cardinality(tags), cardinality(sizes)"),
    ),
    Example(
        "array_item",
        lambda: of(pg.array_item(Papers.sizes, 2), pg.array_item(Papers.tags, Papers.id)),
        ordered("sizes[2], tags[id]"),
    ),
    Example("array_slice", lambda: of(pg.array_slice(Papers.tags, 2, 9)), ordered("tags[2:9]")),
    Example(
        "array_append",
        lambda: of(pg.array_append(Papers.sizes, 9), pg.array_append(Papers.tags, Papers.title)),
        ordered("array_append(sizes, 9), array_append(tags, title)"),
    ),
    Example("array_prepend", lambda: of(pg.array_prepend("x", Papers.tags)), ordered("array_prepend('x', tags)")),
    Example(
        "array_cat",
        lambda: of(pg.array_cat(Papers.tags, ["y"]), pg.array_cat(Papers.sizes, Papers.sizes)),
        ordered("array_cat(tags, ARRAY['y']), array_cat(sizes, sizes)"),
    ),
    Example("array_remove", lambda: of(pg.array_remove(Papers.tags, "fun")), ordered("array_remove(tags, 'fun')")),
    Example(
        "array_replace",
        lambda: of(pg.array_replace(Papers.tags, "fun", "sun")),
        ordered("array_replace(tags, 'fun', 'sun')"),
    ),
    Example(
        "array_position",
        lambda: of(pg.array_position(Papers.tags, "fun"), pg.array_position(Papers.tags, "fun", 3)),
        ordered("array_position(tags, 'fun'), array_position(tags, 'fun', 3)"),
    ),
    Example(
        "array_positions",
        lambda: of(pg.array_positions(Papers.tags, "fun"), pg.array_positions(Papers.sizes, 7)),
        ordered("array_positions(tags, 'fun'), array_positions(sizes, 7)"),
    ),
    Example(
        "array_to_string",
        lambda: of(pg.array_to_string(Papers.tags, "-"), pg.array_to_string(Papers.sizes, "-", "?")),
        ordered("array_to_string(tags, '-'), array_to_string(sizes, '-', '?')"),
    ),
    Example(
        "string_to_array", lambda: of(pg.string_to_array(Papers.title, " ")), ordered("string_to_array(title, ' ')")
    ),
    Example("unnest", lambda: of(Papers.id, pg.unnest(Papers.tags)), ordered("id, unnest(tags)")),
]
