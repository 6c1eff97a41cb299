"""What only PostgreSQL has: what its operators and functions give, and which uses of them are refused."""

import datetime as dt
from decimal import Decimal
from typing import Any, reveal_type

import attrs

from gateways.postgres import (
    TsVector,
    array,
    array_agg,
    array_append,
    array_cat,
    array_contains,
    array_item,
    array_length,
    array_position,
    array_remove,
    bool_or,
    date_trunc,
    distinct_on,
    extract,
    generate_series,
    jsonb,
    jsonb_agg,
    jsonb_array_elements,
    jsonb_build_object,
    jsonb_object_agg,
    jsonb_path_exists,
    jsonb_set,
    lateral,
    match,
    mode,
    percentile_cont,
    percentile_disc,
    plainto_tsquery,
    regex,
    regexp_match,
    regexp_replace,
    string_agg,
    string_to_array,
    to_char,
    ts_headline,
    ts_rank,
    tsquery,
    tsvector,
    unnest,
)
from mapper import Column, CommonTable, Relation, Repository, column, optional, outer, select


@attrs.frozen
class Settings:
    theme: str


@attrs.frozen
class Post:
    title: str
    body: str | None
    tags: list[str]
    sizes: list[int] | None
    settings: Settings
    written: dt.datetime
    day: dt.date | None
    price: Decimal
    spent: dt.timedelta
    public: bool


@attrs.frozen
class Comment:
    text: str


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str | None]
    tags: Column[list[str]]
    sizes: Column[list[int] | None]
    settings: Column[Settings]
    written: Column[dt.datetime]
    day: Column[dt.date | None]
    price: Column[Decimal]
    spent: Column[dt.timedelta]
    public: Column[bool]
    search: Column[TsVector] = column(generated="to_tsvector('english', title)")


class Comments(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    post_id: Column[int]
    text: Column[str]


class Latest(CommonTable):
    text: Column[str]


class Blog(Repository[Posts]): ...


async def aggregates(blog: Blog) -> None:
    reveal_type(array_agg(Posts.title))  # revealed: Aggregate[list[str] | None, Posts]
    reveal_type(array_agg(Posts.body, distinct=True, order_by=[Posts.body]))  # revealed: Aggregate[list[str | None] | None, Posts]
    reveal_type(string_agg(Posts.body, ", ", order_by=[Posts.id.desc()]))  # revealed: Aggregate[str | None, Posts]
    reveal_type(jsonb_agg(Posts.settings))  # revealed: Aggregate[list[Settings] | None, Posts]
    reveal_type(jsonb_object_agg(Posts.title, Posts.tags))  # revealed: Aggregate[dict[str, list[str]] | None, Posts]
    reveal_type(bool_or(Posts.public & (Posts.id > 3)))  # revealed: Aggregate[bool | None, Posts]
    reveal_type(percentile_cont(0.5, Posts.price))  # revealed: Aggregate[float | None, Posts]
    reveal_type(percentile_cont(0.5, Posts.spent))  # revealed: Aggregate[timedelta | None, Posts]
    reveal_type(percentile_disc(0.5, Posts.price))  # revealed: Aggregate[Decimal | None, Posts]
    reveal_type(mode(Posts.day))  # revealed: Aggregate[date | None, Posts]
    reveal_type(array_agg(Posts.id).over(partition_by=[Posts.title], order_by=[Posts.id]))  # revealed: Window[list[int] | None, Posts]
    reveal_type(await select(Posts.title, array_agg(Posts.id)).group_by(Posts.title).all(blog))  # revealed: list[tuple[str, list[int] | None]]
    string_agg(Posts.id)  # error: a number
    bool_or(Posts.title)  # error: no condition
    percentile_cont(0.5, Posts.title)  # error: a text has no mean
    array_agg(Posts.id, filter=Posts.id)  # error: no condition


def arrays() -> None:
    reveal_type(array(Posts.title, "x"))  # revealed: Expr[list[str], Posts]
    reveal_type(array_contains(Posts.tags, ["a"]))  # revealed: Expr[bool, Posts]
    reveal_type(array_length(Posts.tags))  # revealed: Expr[int, Posts]
    reveal_type(array_length(Posts.sizes))  # revealed: Expr[int | None, Posts]
    reveal_type(array_item(Posts.tags, 1))  # revealed: Expr[str | None, Posts]
    reveal_type(array_append(Posts.sizes, 3))  # revealed: Expr[list[int], Posts]
    reveal_type(array_append(Posts.tags, Comments.text))  # revealed: Expr[list[str], Posts]
    reveal_type(array_cat(Posts.tags, ["a"]))  # revealed: Expr[list[str], Posts]
    reveal_type(array_cat(Posts.sizes, Posts.sizes))  # revealed: Expr[list[int] | None, Posts]
    reveal_type(array_remove(Posts.sizes, 3))  # revealed: Expr[list[int] | None, Posts]
    reveal_type(array_position(Posts.tags, "a"))  # revealed: Expr[int | None, Posts]
    reveal_type(string_to_array(Posts.body, ","))  # revealed: Expr[list[str] | None, Posts]
    reveal_type(unnest(Posts.sizes))  # revealed: SetReturning[int, Posts]
    reveal_type(select(Posts.id, unnest(Posts.tags)))  # revealed: Query[tuple[int, str], Posts]
    Posts.tags.to(array_append(Posts.tags, "x"))
    array_contains(Posts.tags, [1])  # error: items of another type
    array_contains(Posts.title, ["x"])  # error: no list
    array_append(Posts.tags, 1)  # error: an item of another type
    Posts.sizes.to(array_append(Posts.tags, "x"))  # error: a list of texts for one of numbers
    unnest(Posts.title)  # error: no list


def documents() -> None:
    data = jsonb(Posts.settings)
    reveal_type(data)  # revealed: Jsonb[Settings, Posts]
    reveal_type(data["theme"])  # revealed: Jsonb[Any, Posts]
    reveal_type(data.text("theme"))  # revealed: Expr[str | None, Posts]
    reveal_type(data["theme"].typed(str))  # revealed: Jsonb[str | None, Posts]
    reveal_type(data["theme"] == "dark")  # revealed: Expr[bool, Posts]
    reveal_type(data["size"].cast(int))  # revealed: Expr[int, Posts]
    reveal_type(data.contains({"theme": "dark"}))  # revealed: Expr[bool, Posts]
    reveal_type(data.concat({"theme": "dark"}))  # revealed: Jsonb[Settings, Posts]
    reveal_type(data.path_matches("$.size > 3"))  # revealed: Expr[bool | None, Posts]
    reveal_type(jsonb_set(Posts.settings, ["theme"], Comments.text))  # revealed: Jsonb[Settings, Posts | Comments]
    reveal_type(jsonb_set(Posts.settings, ["theme"], "dark"))  # revealed: Jsonb[Settings, Posts]
    reveal_type(jsonb_build_object(id=Posts.id, text=Comments.text, kind="x"))  # revealed: Jsonb[dict[str, Any], Any]
    reveal_type(jsonb({"a": 1}))  # revealed: Jsonb[dict[str, int], Never]
    reveal_type(jsonb_array_elements(data["tags"]))  # revealed: SetReturning[Any, Posts]
    reveal_type(jsonb_path_exists(Posts.settings, "$.a ? (@ > $min)", {"min": 3}))  # revealed: Expr[bool, Posts]
    Posts.settings.to(data.concat({"theme": "dark"}))
    Posts.settings.to(data["theme"].typed(int))  # error: a number for a document
    data[1.5]  # error: neither key nor position
    data.has_key(3)  # error: no key


def moments() -> None:
    reveal_type(date_trunc("month", Posts.written))  # revealed: Expr[datetime, Posts]
    reveal_type(date_trunc("month", Posts.day))  # revealed: Expr[date | None, Posts]
    reveal_type(extract("dow", Posts.written))  # revealed: Expr[int, Posts]
    reveal_type(extract("epoch", Posts.written))  # revealed: Expr[Decimal, Posts]
    reveal_type(extract("year", Posts.day))  # revealed: Expr[int | None, Posts]
    reveal_type(to_char(Posts.day, "YYYY"))  # revealed: Expr[str | None, Posts]
    reveal_type(generate_series(1, Posts.id))  # revealed: SetReturning[int, Posts]
    date_trunc("fortnight", Posts.written)  # error: no such unit
    extract("dow", Posts.title)  # error: a text
    generate_series(1, Posts.written)  # error: bounds of two types


def texts() -> None:
    reveal_type(regex(Posts.body, "^a"))  # revealed: Expr[bool, Posts]
    reveal_type(regexp_match(Posts.title, "(a)(b)?"))  # revealed: Expr[list[str | None] | None, Posts]
    reveal_type(regexp_replace(Posts.body, "a", "b", "g"))  # revealed: Expr[str | None, Posts]
    reveal_type(tsvector(Posts.title))  # revealed: Expr[TsVector, Posts]
    reveal_type(tsvector(Posts.body))  # revealed: Expr[TsVector | None, Posts]
    reveal_type(tsquery("a & b").and_(plainto_tsquery(Comments.text)))  # revealed: SearchQuery[Comments]
    reveal_type(match(Posts.search, tsquery("a")))  # revealed: Expr[bool, Posts]
    reveal_type(ts_rank(Posts.search, tsquery("a")))  # revealed: Expr[float, Posts]
    reveal_type(ts_headline(Posts.body, tsquery("a"), start_sel="<b>"))  # revealed: Expr[str | None, Posts]
    match(Posts.title, tsquery("a"))  # error: a text is no vector
    match(Posts.search, "a")  # error: a text is no query
    regex(Posts.id, "a")  # error: a number
    tsquery("a").or_("b")  # error: a text is no query


async def steps(blog: Blog) -> None:
    query = distinct_on(select(Posts.title).order_by(Posts.public, Posts.id), Posts.public)
    reveal_type(query)  # revealed: Query[str, Posts]
    reveal_type(await query.all(blog))  # revealed: list[str]
    latest = select(Comments.text).where(Comments.post_id == outer(Posts.id)).order_by(Comments.id.desc()).limit(1)
    joined = select(Posts.title, optional(Latest.text)).left_join(lateral(Latest, latest), on=Latest.text != "")
    reveal_type(joined)  # revealed: Query[tuple[str, str | None], Posts | Comments]
    await joined.all(blog)  # error: the repository does not store Comments
    distinct_on(select(Posts.title), Comments.text)  # error: a relation that is not joined
    lateral(Posts, latest)  # error: a relation is no common table
    await select(Posts.id).where(regex(Comments.text, "a")).all(blog)  # error: a relation that is not joined
