"""What operators and functions of PostgreSQL's own refuse before anything is compiled or sent."""

from collections.abc import Callable
from typing import Any

import pytest

from gateways import postgres
from gateways.postgres import jsonb
from mapper import HasMany, Query, QueryError, ValueNotStorable, fn, optional, prepared, select
from tests.postgres.examples import compiled
from tests.postgres.papers import Author, Authors, Pages, Paper, Papers

pg: Any = postgres
"""The package without the types of its functions, for arguments that a type checker refuses."""

LOOSE: Any = Papers
"""The same of the relation."""

PAGES: Any = Pages


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pg.array_agg(LOOSE.tags), "array_agg takes single values"),
        (lambda: pg.array_agg(LOOSE.data), "array_agg takes single values"),
        (lambda: pg.array_agg(LOOSE.title, distinct=True, order_by=[LOOSE.id]), "are ordered by"),
        (lambda: pg.string_agg(LOOSE.id), "string_agg takes text"),
        (lambda: pg.jsonb_agg(LOOSE.spent), "jsonb_agg takes what JSON can hold"),
        (lambda: pg.to_jsonb(PAGES.search), "to_jsonb takes what JSON can hold"),
        (lambda: pg.bool_and(LOOSE.title), "bool_and takes a condition"),
        (lambda: pg.percentile_cont(1.5, LOOSE.score), "expected one from 0 to 1"),
        (lambda: pg.percentile_disc(True, LOOSE.score), "expected one from 0 to 1"),
        (lambda: pg.percentile_cont(0.5, LOOSE.title), "percentile_cont takes a number"),
        (lambda: pg.array(LOOSE.tags), "array takes single values"),
        (lambda: pg.array_contains(LOOSE.title, ["x"]), "takes a column or an expression of a list"),
        (lambda: pg.array_overlaps(LOOSE.tags, "fun"), "takes a list, not 'fun'"),
        (lambda: pg.array_item(LOOSE.tags, LOOSE.title), "takes a whole number"),
        (lambda: pg.unnest(LOOSE.title), "unnest takes a column or an expression of a list"),
        (lambda: jsonb(LOOSE.title), "jsonb takes a JSON document"),
        (lambda: pg.jsonb(LOOSE.data)[1.5], "1.5 is no key"),
        (lambda: jsonb(LOOSE.data).path("a", True), "a path of keys and positions"),
        (lambda: jsonb(LOOSE.data).without("a", 1), "without takes keys, or one position"),
        (lambda: jsonb(LOOSE.data).without(), "without takes keys, or one position"),
        (lambda: jsonb(LOOSE.data).has_any("ab"), "has_any takes a list of texts"),
        (lambda: pg.jsonb_set(LOOSE.data, "ab", 1), "a path of keys and positions"),
        (lambda: pg.date_trunc("fortnight", LOOSE.day), "date_trunc has no 'fortnight'"),
        (lambda: pg.date_trunc("day", LOOSE.title), "date_trunc takes a date or a datetime"),
        (lambda: pg.extract("dow", LOOSE.spent), "has no 'dow'"),
        (lambda: pg.extract("eon", LOOSE.day), "extract has no 'eon'"),
        (lambda: pg.to_char(LOOSE.title, "YYYY"), "to_char takes a moment"),
        (lambda: pg.to_char(LOOSE.day, ""), "an empty format"),
        (lambda: pg.at_time_zone(LOOSE.day, "UTC"), "at_time_zone takes a datetime"),
        (lambda: pg.generate_series(LOOSE.published, LOOSE.published), "has no step"),
        (lambda: pg.generate_series(LOOSE.title, "x"), "takes whole numbers, dates or datetimes"),
        (lambda: pg.regex(LOOSE.id, "x"), "regex takes text"),
        (lambda: pg.regexp_replace(LOOSE.title, "a", "b", "gz"), "has no flags 'gz'"),
        (lambda: pg.regexp_match(LOOSE.title, "a", "g"), "asks for all"),
        (lambda: pg.tsvector(LOOSE.title, config="x'; drop"), "is no name of a text search configuration"),
        (lambda: pg.tsquery("x", config="a.b.c"), "is no name of a text search configuration"),
        (lambda: pg.setweight(PAGES.search, "E"), "'E' is no weight"),
        (lambda: pg.match(LOOSE.title, pg.tsquery("x")), "match takes a vector"),
        (lambda: pg.match(PAGES.search, "x"), "match takes what is looked for"),
        (lambda: pg.ts_rank(PAGES.search, pg.tsquery("x"), weights=[1]), "expected four"),
        (lambda: pg.ts_headline(LOOSE.title, pg.tsquery("x"), colour="red"), "has no option 'colour'"),
        (lambda: pg.distinct_on(LOOSE, LOOSE.id), "distinct_on takes a query first"),
        (lambda: pg.distinct_on(select(LOOSE.id)), "names nothing that tells rows apart"),
        (lambda: pg.lateral(LOOSE, select(LOOSE.id)), "takes a common table"),
    ],
)
def test_wrong_argument_is_refused_with_what_was_expected(call: Callable[[], object], message: str):
    with pytest.raises(QueryError, match=message.replace("(", r"\(")):
        call()


@pytest.mark.parametrize(
    "query",
    [
        select(Papers.id).where(pg.array_contains(Papers.tags, [1])),
        select(Papers.id).where(jsonb(Papers.data).contains({1, 2})),
        select(Papers.id).where(pg.jsonb(LOOSE.data) == object()),
        select(Papers.id).where(pg.regex(Papers.title, "a\x00")),
    ],
)
def test_value_that_cannot_be_stored_is_refused(query: Query[Any, Any]):
    with pytest.raises(ValueNotStorable):
        compiled(query)


def test_order_that_does_not_begin_with_distinct_on_is_refused():
    query = pg.distinct_on(select(Papers.id).order_by(Papers.id), Papers.author_id)
    with pytest.raises(QueryError, match="the order begins with"):
        compiled(query)


def test_order_may_have_the_terms_of_distinct_on_in_any_order():
    query = select(Papers.id).order_by(Papers.day.desc(), Papers.author_id, Papers.id)
    assert compiled(pg.distinct_on(query, Papers.author_id, Papers.day))


def test_distinct_on_without_an_order_compiles():
    assert compiled(pg.distinct_on(select(Papers.id), Papers.author_id))


@pytest.mark.parametrize("item", [Authors.name, fn.upper(Authors.name)])
def test_list_of_a_column_that_a_join_may_leave_out_is_refused(item: Any):
    query = select(Papers.author_id, pg.array_agg(item)).left_join(Authors, on=Authors.id == Papers.author_id)
    with pytest.raises(QueryError, match="a join may leave rows without it"):
        compiled(query.group_by(Papers.author_id))


@pytest.mark.parametrize(
    "item",
    [
        pg.array_agg(optional(Authors.name)),
        pg.array_agg(Authors.name, filter=Authors.name.is_not_null()),
        pg.array_agg(Papers.title),
    ],
)
def test_list_of_an_optional_or_filtered_column_compiles(item: Any):
    query = select(Papers.author_id, item).left_join(Authors, on=Authors.id == Papers.author_id)
    assert compiled(query.group_by(Papers.author_id))


@pytest.mark.parametrize(
    "aggregate",
    [pg.array_agg(Papers.id, order_by=[Papers.id]), pg.array_agg(Papers.id, distinct=True), pg.mode(Papers.id)],
)
def test_aggregate_with_an_order_of_its_own_is_refused_over_a_window(aggregate: Any):
    with pytest.raises(QueryError, match="give the window the order"):
        compiled(select(aggregate.over(order_by=[Papers.id])))


@prepared
def with_key(key: str, value: int) -> Query[Any, Any]:
    return select(Papers.id).where(jsonb(Papers.data)["a"] == value, jsonb(Papers.data).has_key(key))


def test_arguments_of_a_prepared_query_are_bound():
    assert compiled(with_key("k", 3)).parameters == ("a", "3", "k")


class Written(HasMany[Authors, Papers]):
    key = Papers.author_id


def test_combination_with_distinct_on_is_refused():
    related = pg.distinct_on(select(Paper).from_(Papers).order_by(Papers.day), Papers.day)
    with pytest.raises(QueryError, match="those of all owners together"):
        select(Author).from_(Authors).combine(Written, related)
