"""
Expressions that the store must recognise as the same share their parameters: what rows are grouped, told apart or
ordered by.
"""

import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from gateways.postgres import PostgresGateway, array_agg, date_trunc, jsonb
from gateways.sql.sharing import VARIANTS, SharingSelect
from mapper import Query, fn, literal, outer, prepared, scalar, select
from tests.postgres.examples.example import GATEWAY, compiled
from tests.postgres.papers import Authors, Library, Papers, shelved


def text(query: Query[Any, Any]) -> str:
    return compiled(query).sql


def values(query: Query[Any, Any]) -> tuple[Any, ...]:
    return tuple(compiled(query).parameters)


def test_equal_values_of_a_grouped_query_are_one_parameter():
    query = select(fn.coalesce(Papers.body, "?"), fn.count()).group_by(fn.coalesce(Papers.body, "?"))
    assert text(query) == (
        'SELECT coalesce("body", $1::text) COLLATE "C", count(*) FROM "papers"'
        ' GROUP BY coalesce("body", $1::text) COLLATE "C"'
    )
    assert values(query) == ("?",)


def test_different_values_of_a_grouped_query_are_different_parameters():
    body = fn.coalesce(Papers.body, "?")
    query = select(body, fn.count()).where(fn.coalesce(Papers.body, "!") != "x").group_by(body)
    assert 'WHERE coalesce("body", $2::text) COLLATE "C" <> $3::text GROUP BY coalesce("body", $1::text)' in text(query)
    assert values(query) == ("?", "!", "x")


def test_one_shape_has_a_text_for_each_pattern_of_equal_values():
    def query(default: str, title: str, body: str) -> Query[Any, Any]:
        shown = fn.coalesce(Papers.body, default)
        return select(shown).where(Papers.title == title, Papers.body == body).group_by(shown)

    assert values(query("a", "a", "a")) == ("a",)
    assert values(query("a", "b", "a")) == ("a", "b")
    assert values(query("a", "b", "b")) == ("a", "b")
    assert values(query("a", "b", "c")) == ("a", "b", "c")
    assert len({text(query(*each)) for each in ("aaa", "aba", "abb", "abc")}) == 4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (literal(1), literal(True)),
        (literal(1), literal(1.0)),
        (literal(0.0), literal(-0.0)),
        (literal(Decimal("1.0")), literal(Decimal("1.00"))),
        (literal("1"), literal(1)),
    ],
)
def test_values_that_are_stored_differently_are_never_shared(one: Any, other: Any):
    assert len(values(select(one, other, fn.count()).from_(Papers).group_by(Papers.id))) == 2


def test_ungrouped_query_keeps_a_parameter_for_each_place():
    assert values(select(Papers.id).where(Papers.title == "x", Papers.body == "x")) == ("x", "x")


def test_lists_are_shared_where_they_are_equal():
    query = select(jsonb(Papers.data).path("a", "b")).group_by(jsonb(Papers.data).path("a", "b"))
    assert values(query) == (["a", "b"],)
    assert len(values(query.where(Papers.title.in_(["a", "b"])))) == 1
    long = [str(each) for each in range(100)]
    assert len(values(query.where(Papers.title.in_(long), Papers.body.in_(list(long))))) == 3


def test_texts_of_one_shape_are_bounded():
    def query(values: list[int]) -> Query[Any, Any]:
        return select(Papers.id).where(*[Papers.id != each for each in values]).group_by(Papers.id)

    shapes = [[int(bit) for bit in f"{number:08b}"] for number in range(100)]
    for each in shapes:
        assert len(values(query(each))) == len(set(each))
    plan = GATEWAY._compiler._plans.young[query(shapes[0]).key]
    assert isinstance(plan, SharingSelect)
    assert 0 < len(plan._variants) <= VARIANTS


@prepared
def by_default(default: str, unwanted: str) -> Query[Any, Any]:
    body = fn.coalesce(Papers.body, default)
    return select(body, fn.count()).where(Papers.title != unwanted).group_by(body)


def test_prepared_query_shares_by_its_arguments():
    assert values(by_default("a", "a")) == ("a",)
    assert values(by_default("a", "b")) == ("a", "b")


# -- on a server --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def library(postgres_url: str) -> AsyncIterator[Library]:
    async with PostgresGateway(postgres_url) as gateway:
        library = Library(gateway)
        await library.push_schema()
        await shelved().commit(library)
        yield library


async def test_rows_are_grouped_by_an_expression_with_values(library: Library):
    body = fn.coalesce(Papers.body, "none")
    shown = select(fn.length(body), fn.count()).group_by(body).having(body != "x").order_by(body)
    assert sorted(await shown.all(library)) == [(4, 1), (36, 1), (38, 1)]


async def test_distinct_rows_are_ordered_by_an_expression_with_values(library: Library):
    body = fn.coalesce(Papers.body, "none")
    assert (await select(body).distinct().order_by(body.desc()).all(library))[1] == "none"


async def test_grouped_query_is_counted(library: Library):
    size = jsonb(Papers.data)["by"]["name"]
    assert await select(size, fn.count()).group_by(size).count(library) == 3
    assert await select(size).distinct().exists(library)


async def test_groups_within_a_subquery_and_a_common_table_share_theirs(library: Library):
    inner = select(fn.max(fn.length(fn.coalesce(Papers.body, "?")))).where(Papers.author_id == outer(Authors.id))
    grouped = inner.group_by(fn.coalesce(Papers.body, "?")).order_by(fn.coalesce(Papers.body, "?")).limit(1)
    query = select(Authors.name, scalar(grouped)).order_by(Authors.id)
    assert await query.all(library) == [("Ann", 1), ("Öz", 36)]


async def test_distinct_aggregate_is_ordered_by_its_item_with_values(library: Library):
    item = fn.coalesce(Papers.body, "?")
    assert (await select(array_agg(item, distinct=True, order_by=[item])).one(library) or [])[0] == "?"


async def test_moments_are_grouped_by_month(library: Library):
    month = date_trunc("month", Papers.published)
    assert await select(month, fn.count()).group_by(month).order_by(month).limit(1).all(library) == [
        (dt.datetime(2023, 12, 1, tzinfo=dt.UTC), 1)
    ]


async def test_values_of_one_shape_change_between_runs(library: Library):
    for default, other in (("x", "x"), ("y", "y"), ("z", "z")):
        found = await by_default(default, other).all(library)
        assert (default, 1) in found
