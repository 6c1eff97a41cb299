"""Full-text search on a server: a generated column, its index, ranks, and text of any kind."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateways.postgres import (
    PostgresGateway,
    TsVector,
    match,
    phraseto_tsquery,
    plainto_tsquery,
    setweight,
    ts_headline,
    ts_rank,
    tsquery,
    tsvector,
    websearch_to_tsquery,
)
from mapper import Keyed, Query, StatementError, fn, literal, select
from tests.postgres.examples import compiled
from tests.postgres.papers import Library, Page, Pages, shelved


@pytest.fixture
async def library(postgres_url: str) -> AsyncIterator[Library]:
    async with PostgresGateway(postgres_url) as gateway:
        library = Library(gateway)
        await library.push_schema()
        await shelved().commit(library)
        yield library


async def test_generated_vector_follows_the_texts(library: Library):
    changes = Library.change()
    changes.updates(Pages).where(Pages.id == 2).set(Pages.body.to("parrots talk"))
    changes.inserts(Pages).push(Page("Parrots", None))
    await changes.commit(library)
    found = select(Pages.id).where(match(Pages.search, tsquery("parrot"))).order_by(Pages.id)
    assert await found.all(library) == [2, 4]
    assert await select(Pages).where(Pages.id == 4).one(library) == Keyed(4, Page("Parrots", None))
    vector = await select(Pages.search).where(Pages.id == 4).one(library)
    assert (vector, type(vector)) == ("'parrot':1A", TsVector)


@pytest.mark.parametrize("config", ["english", "pg_catalog.english"])
async def test_index_over_the_vector_is_used(library: Library, postgres_url: str, config: str):
    query = select(Pages.id).where(match(Pages.search, websearch_to_tsquery("cat", config=config)))
    assert "Bitmap Index Scan on ix_pages_search" in await plan(postgres_url, query)


async def test_index_over_an_expression_is_used(library: Library, postgres_url: str):
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE INDEX by_title ON pages USING gin (to_tsvector('english', title))")
    await connection.close()
    query = select(Pages.id).where(match(tsvector(Pages.title), tsquery("cat")))
    assert "Bitmap Index Scan on by_title" in await plan(postgres_url, query)


async def plan(url: str, query: Query[Any, Any]) -> str:
    """How the server would run a query if reading whole tables were dear."""
    operation = compiled(query)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET enable_seqscan = off")
        rows = await connection.fetch(f"EXPLAIN {operation.sql}", *operation.parameters)
        return "\n".join([each[0] for each in rows])
    finally:
        await connection.close()


async def test_better_matches_come_first(library: Library):
    query = plainto_tsquery("dog")
    rank = ts_rank(Pages.search, query)
    ranked = select(Pages.id, rank).where(match(Pages.search, query)).order_by(rank.desc())
    rows = await ranked.all(library)
    assert [each[0] for each in rows] == [1, 3]
    assert rows[0][1] > rows[1][1] > 0


async def test_queries_are_combined(library: Library):
    dog, cat = plainto_tsquery("dog"), plainto_tsquery("cat")
    expected = {dog.and_(cat): [1], dog.or_(cat): [1, 3], dog.and_(cat.negated()): [3], cat.followed_by(dog, 3): [1]}
    for query, ids in expected.items():
        assert await select(Pages.id).where(match(Pages.search, query)).order_by(Pages.id).all(library) == ids


async def test_words_written_wrongly_are_an_error_of_the_store(library: Library):
    query = select(Pages.id).where(match(Pages.search, tsquery("cat dog")))
    with pytest.raises(StatementError, match="syntax error in tsquery"):
        await query.all(library)


async def test_row_may_say_its_configuration(library: Library):
    config = fn.case((Pages.id == 1, "english"), else_="simple")
    vectors = (
        await select(tsvector(literal("The dogs"), config=config)).from_(Pages).order_by(Pages.id).limit(2).all(library)
    )
    assert vectors == ["'dog':2", "'dogs':2 'the':1"]


async def test_weighted_vectors_of_values_match(library: Library):
    vector = setweight(tsvector("the fat cat"), "A")
    found = (
        await select(match(vector, phraseto_tsquery("fat cats")), match(vector, tsquery("cat:B")))
        .from_(Pages)
        .first(library)
    )
    assert found == (True, False)


@pytest.mark.parametrize("mark", ['<b class="x">', "'; --", 'a"b', "ü, MaxWords=1", "\\"])
async def test_marks_of_a_headline_are_taken_literally(library: Library, mark: str):
    headline = ts_headline(literal("the cat sat"), tsquery("cat"), start_sel=mark, stop_sel="</b>")
    assert await select(headline).from_(Pages).first(library) == f"the {mark}cat</b> sat"


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS)
async def test_what_users_type_is_never_an_error(library: Library, typed: str):
    for query in (websearch_to_tsquery(typed), plainto_tsquery(typed), phraseto_tsquery(typed)):
        matched = match(Pages.search, query)
        assert await select(fn.count()).from_(Pages).where(matched | (Pages.id > 0)).one(library) == 3
