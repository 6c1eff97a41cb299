"""Examples of patterns and text search."""

from typing import Final

from gateways import postgres as pg
from mapper import fn, literal
from tests.postgres.examples.example import Example, of, ordered
from tests.postgres.papers import Pages, Papers

__all__ = ["TEXTS"]

TEXTS: Final = [
    # patterns
    Example(
        "ilike",
        lambda: of(pg.ilike(Papers.title, "%CAFÉ%"), Papers.title.ilike("straße%")),
        ordered("title COLLATE \"default\" ILIKE '%CAFÉ%', title COLLATE \"default\" ILIKE 'straße%'"),
    ),
    Example(
        "regex",
        lambda: of(pg.regex(Papers.title, r"^\w+ cat"), pg.regex(Papers.title, "THE", ignore_case=True)),
        ordered(r"title ~ '^\w+ cat', title ~* 'THE'"),
    ),
    Example(
        "regex.not", lambda: of(Papers.id).where(~pg.regex(Papers.title, "'")), ordered("id", where="title !~ ''''")
    ),
    Example(
        "regexp_replace",
        lambda: of(
            pg.regexp_replace(Papers.title, "([aeiou])", r"<\1>", "gi"), pg.regexp_replace(Papers.body, "a", "_")
        ),
        ordered(r"regexp_replace(title, '([aeiou])', '<\1>', 'gi'), regexp_replace(body, 'a', '_')"),
    ),
    Example(
        "regexp_match",
        lambda: of(pg.regexp_match(Papers.title, r"(\w)(x)?")),
        ordered(r"regexp_match(title, '(\w)(x)?')"),
    ),
    Example(
        "regexp_substring",
        lambda: of(pg.regexp_substring(Papers.title, "[a-z]{4,}"), pg.regexp_substring(Papers.title, "t(h)e", "i")),
        ordered("substring(title FROM '[a-z]{4,}'), (regexp_match(title, 't(h)e', 'i'))[1]"),
    ),
    Example(
        "regexp_split_to_array",
        lambda: of(pg.regexp_split_to_array(Papers.title, r"\s+")),
        ordered(r"regexp_split_to_array(title, '\s+')"),
    ),
    Example(
        "similarity",
        lambda: of(pg.similarity(Papers.title, "the cat")),
        ordered("similarity(title, 'the cat')::float8"),
        extension="pg_trgm",
    ),
    Example(
        "word_similarity",
        lambda: of(pg.word_similarity("cat", Papers.title)),
        ordered("word_similarity('cat', title)::float8"),
        extension="pg_trgm",
    ),
    # text search
    Example(
        "tsvector",
        lambda: of(pg.tsvector(Papers.title), pg.tsvector(Papers.body, config="simple")),
        ordered("to_tsvector('english', title), to_tsvector('simple', body)"),
    ),
    Example(
        "tsvector.config of a row",
        lambda: of(pg.tsvector(Papers.title, config=fn.lower(literal("SIMPLE")))),
        ordered("to_tsvector('simple', title)"),
    ),
    Example(
        "tsvector_concat",
        lambda: of(pg.tsvector_concat(pg.tsvector(Pages.title), Pages.search), relation=Pages),
        ordered("to_tsvector('english', title) || search", table="pages"),
    ),
    Example(
        "setweight",
        lambda: of(pg.setweight(Pages.search, "B"), relation=Pages),
        ordered("setweight(search, 'B')", table="pages"),
    ),
    Example(
        "tsquery",
        lambda: of(pg.tsquery("cats & !birds"), pg.tsquery("cat <-> sat").negated()),
        ordered("to_tsquery('english', 'cats & !birds'), !! to_tsquery('english', 'cat <-> sat')"),
    ),
    Example(
        "SearchQuery.and_",
        lambda: of(pg.tsquery("cat").and_(pg.tsquery("dog"))),
        ordered("to_tsquery('english', 'cat') && to_tsquery('english', 'dog')"),
    ),
    Example(
        "SearchQuery.or_",
        lambda: of(pg.tsquery("cat").or_(pg.plainto_tsquery("rainy day"))),
        ordered("to_tsquery('english', 'cat') || plainto_tsquery('english', 'rainy day')"),
    ),
    Example(
        "SearchQuery.negated",
        lambda: of(pg.plainto_tsquery("cat").negated()),
        ordered("!! plainto_tsquery('english', 'cat')"),
    ),
    Example(
        "SearchQuery.followed_by",
        lambda: of(pg.tsquery("cat").followed_by(pg.tsquery("dog"), 3)),
        ordered("tsquery_phrase(to_tsquery('english', 'cat'), to_tsquery('english', 'dog'), 3)"),
    ),
    Example(
        "plainto_tsquery", lambda: of(pg.plainto_tsquery(Papers.title)), ordered("plainto_tsquery('english', title)")
    ),
    Example(
        "phraseto_tsquery",
        lambda: of(pg.phraseto_tsquery("the fat cat")),
        ordered("phraseto_tsquery('english', 'the fat cat')"),
    ),
    Example(
        "websearch_to_tsquery",
        lambda: of(pg.websearch_to_tsquery('"fat cat" or rain -dog & (', config="pg_catalog.english")),
        ordered("""websearch_to_tsquery('english', '"fat cat" or rain -dog & (')"""),
    ),
    Example(
        "match",
        lambda: of(Pages.id, relation=Pages).where(pg.match(Pages.search, pg.plainto_tsquery("dogs"))),
        ordered("id", where="search @@ plainto_tsquery('english', 'dogs')", table="pages"),
    ),
    Example(
        "ts_rank",
        lambda: of(pg.ts_rank(Pages.search, pg.tsquery("cat | dog")), relation=Pages),
        ordered("ts_rank(search, to_tsquery('english', 'cat | dog'))::float8", table="pages"),
    ),
    Example(
        "ts_rank.weights",
        lambda: of(pg.ts_rank(Pages.search, pg.tsquery("cat"), weights=[0, 0, 0, 1], normalization=32), relation=Pages),
        ordered("ts_rank('{0,0,0,1}', search, to_tsquery('english', 'cat'), 32)::float8", table="pages"),
    ),
    Example(
        "ts_rank_cd",
        lambda: of(
            pg.ts_rank_cd(Pages.search, pg.tsquery("cat & dog")),
            pg.ts_rank_cd(Pages.search, pg.tsquery("cat"), weights=[0.1, 0.2, 0.4, 1]),
            relation=Pages,
        ),
        ordered(
            "ts_rank_cd(search, to_tsquery('english', 'cat & dog'))::float8, "
            "ts_rank_cd('{0.1,0.2,0.4,1}', search, to_tsquery('english', 'cat'))::float8",
            table="pages",
        ),
    ),
    Example(
        "ts_headline",
        lambda: of(pg.ts_headline(Papers.body, pg.tsquery("cat"))),
        ordered("ts_headline('english', body, to_tsquery('english', 'cat'))"),
    ),
    Example(
        "ts_headline.options",
        lambda: of(
            pg.ts_headline(
                Papers.title, pg.tsquery("cat"), start_sel='<b class="x">', stop_sel="</b>", highlight_all=True
            )
        ),
        ordered(
            """ts_headline('english', title, to_tsquery('english', 'cat'), 'StartSel="<b class=""x"">", StopSel=</b>, HighlightAll=true')"""
        ),
    ),
]
