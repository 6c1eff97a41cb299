"""The query language: sources, several models in a row, functions, parts of documents, batches."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, reveal_type

from mapper import (
    Column,
    CommonTable,
    Embedded,
    Relation,
    Repository,
    all_of,
    any_of,
    batch,
    column,
    fn,
    literal,
    model_of,
    omitted,
    optional,
    select,
    subquery,
    tuple_,
    values,
)


@dataclass(frozen=True)
class Address:
    city: str


@dataclass(frozen=True)
class Theme:
    color: str


@dataclass(frozen=True)
class Settings:
    theme: Theme
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class User:
    name: str
    home: Address


@dataclass(frozen=True)
class Post:
    title: str


class Users(Relation[User]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    nick: Column[str | None]
    home_city: Column[str]
    born: Column[date]
    seen: Column[datetime | None]
    balance: Column[Decimal]
    tags: Column[list[str]]
    extra: Column[dict[str, Any]]
    counts: Column[dict[str, int]]
    settings: Column[Settings]
    home: Embedded[Address]


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    author_id: Column[int]
    written: Column[datetime]


class Totals(CommonTable):
    author_id: Column[int]
    posts: Column[int]


class Blog(Repository[Users | Posts]): ...


class UsersOnly(Repository[Users]): ...


ON = Posts.author_id == Users.id


async def rows(blog: Blog) -> None:
    pair = select(Post, User).from_(Posts).join(Users, on=ON)
    reveal_type(pair)  # revealed: Query[tuple[Post, User], Posts | Users]
    reveal_type(await pair.all(blog))  # revealed: list[tuple[Post, User]]
    reveal_type(
        select(Post, optional(User)).from_(Posts).left_join(Users, on=ON)
    )  # revealed: Query[tuple[Post, User | None], Posts | Users]
    reveal_type(
        select(Posts, optional(Users))
    )  # revealed: Query[tuple[Keyed[Post, int], Keyed[User, int] | None], Posts | Users]
    reveal_type(select(Posts, Posts.title, fn.count()))  # revealed: Query[tuple[Keyed[Post, int], str, int], Posts]
    reveal_type(select(Post, fn.count(Users.id)).from_(Posts))  # revealed: Query[tuple[Post, int], Users | Posts]
    reveal_type(
        select(model_of(Posts), optional(model_of(Users)))
    )  # revealed: Query[tuple[Post, User | None], Posts | Users]
    reveal_type(select(Users.home))  # revealed: Query[Address, Users]
    reveal_type(
        select(Users.home, optional(Users.home), literal("x"))
    )  # revealed: Query[tuple[Address, Address | None, str], Users]
    reveal_type(
        select(tuple_(Users.id, Users.nick), Users.name)
    )  # revealed: Query[tuple[tuple[int, str | None], str], Users]
    reveal_type(
        pair.undefer(Posts.title).without("order_by", "limit")
    )  # revealed: Query[tuple[Post, User], Posts | Users]
    reveal_type(pair.into(lambda post, user: post.title + user.name))  # revealed: Query[str, Posts | Users]


async def sources(blog: Blog, only: UsersOnly) -> None:
    totals = subquery(Totals, select(Posts.author_id, fn.count()).group_by(Posts.author_id))
    joined = select(Users.name, Totals.posts).join(totals, on=Totals.author_id == Users.id)
    reveal_type(joined)  # revealed: Query[tuple[str, int], Users | Posts]
    reveal_type(select(Totals.posts).from_(values(Totals, [(1, 2)])))  # revealed: Query[int, Never]
    reveal_type(Totals.named("other").posts)  # revealed: Attribute[int, Never]
    await joined.all(only)  # error: the subquery reads a relation that is not stored
    subquery(Posts, select(Posts.id))  # error: a relation names no columns of a subquery


async def conditions() -> None:
    posts = select(Posts.id)
    reveal_type(all_of([Posts.id == 1, Posts.title == "x"]))  # revealed: Expr[bool, Posts]
    reveal_type(any_of([Posts.id == 1]))  # revealed: Expr[bool, Posts]
    reveal_type(posts.where(Posts.id == 1 if posts is None else omitted))  # revealed: Query[int, Posts]
    reveal_type(tuple_(Posts.id, Posts.title) == (1, "x"))  # revealed: Expr[bool, Posts]
    reveal_type(tuple_(Posts.id, Posts.title).in_([(1, "x")]))  # revealed: Expr[bool, Posts]
    all_of([Posts.id, Posts.title])  # error: not conditions
    tuple_(Posts.id, Posts.title) < (1, 2)  # error: another type


async def functions() -> None:
    reveal_type(fn.position(Users.name, "x"))  # revealed: Expr[int, Users]
    reveal_type(fn.position(Users.nick, "x"))  # revealed: Expr[int | None, Users]
    reveal_type(fn.concat(Users.name, Users.nick))  # revealed: Expr[str, Users]
    reveal_type(fn.sqrt(Users.id))  # revealed: Expr[float | None, Users]
    reveal_type(fn.greatest(Users.id, 3))  # revealed: Expr[int, Users]
    reveal_type(Users.born + timedelta(days=1))  # revealed: Expr[date, Users]
    reveal_type(Users.seen - timedelta(days=1))  # revealed: Expr[datetime | None, Users]
    reveal_type(Posts.written - Posts.written)  # revealed: Expr[timedelta, Posts]
    reveal_type(Users.born - date.today())  # revealed: Expr[timedelta, Users]
    reveal_type(fn.date_trunc("month", Posts.written))  # revealed: Expr[datetime, Posts]
    reveal_type(fn.string_agg(Users.name, ", ", order_by=[Users.id.desc()]))  # revealed: Aggregate[str | None, Users]
    reveal_type(
        fn.string_agg(Users.name, ", ", order_by=[Users.id.desc(), Posts.id])
    )  # revealed[mypy]: Aggregate[str | None, Any]  # revealed[pyright]: Aggregate[str | None, Users | Posts]
    reveal_type(
        fn.rank().over(order_by=[Users.id, Users.name.desc()])
    )  # revealed[mypy]: Window[int, Any]  # revealed[pyright]: Window[int, Users]
    reveal_type(
        fn.rank().over(partition_by=[Users.id, Posts.id])
    )  # revealed[mypy]: Window[int, Any]  # revealed[pyright]: Window[int, Users | Posts]
    reveal_type(fn.rank().over(partition_by=[Users.id], order_by=[Posts.id]))  # revealed: Window[int, Users | Posts]
    reveal_type(fn.sum(Users.id).over(fn.window(order_by=[Users.id])))  # revealed: Window[int | None, Users]
    reveal_type(fn.ntile(4).over(order_by=[Users.id]))  # revealed: Window[int, Users]
    reveal_type(fn.percent_rank().over(order_by=[Users.id]))  # revealed: Window[float, Users]
    reveal_type(fn.cume_dist())  # revealed: Aggregate[float, Never]
    reveal_type(fn.nth_value(Users.name, 2))  # revealed: Aggregate[str | None, Users]
    fn.sum(Users.id).over(order_by=[Users.id], frame=fn.range_between(-1.5, None, exclude="ties"))
    fn.rows_between(0.5, 1)  # error: rows are counted whole
    fn.groups_between(0, 1, exclude="peers")  # error: nothing that can be left out
    fn.range_between("1", None)  # error: no distance
    fn.ntile("2")  # error: no number
    reveal_type(fn.length(Users.tags))  # revealed: Expr[int, Users]
    reveal_type(fn.append(Users.tags, "x"))  # revealed: Expr[list[str], Users]
    reveal_type(fn.overlaps(Users.tags, ["x"]))  # revealed: Expr[bool, Users]
    reveal_type(Users.tags[0])  # revealed: Expr[str | None, Users]
    fn.sqrt(Users.balance)  # error: a decimal is no float
    fn.overlaps(Users.tags, [1])  # error: items of another type
    fn.date_trunc("months", Posts.written)  # error: no such unit
    fn.position(Users.id, "x")  # error: no text


async def documents() -> None:
    reveal_type(Users.extra["a"][0].as_(str))  # revealed: Expr[str | None, Users]
    reveal_type(Users.counts["a"])  # revealed: Expr[int | None, Users]
    reveal_type(Users.settings.at(lambda each: each.theme.color))  # revealed: Expr[str | None, Users]
    reveal_type(Users.settings.at(lambda each: each.tags[0]))  # revealed: Expr[str | None, Users]
    reveal_type(Users.settings["theme"].as_(Theme))  # revealed: Expr[Theme | None, Users]
    reveal_type(fn.json_type(Users.extra))  # revealed: Expr[str | None, Users]
    Users.settings.at(lambda each: each.colour)  # error: no such field


async def batches(blog: Blog, only: UsersOnly) -> None:
    posts = select(Post).from_(Posts)
    both = batch(posts, select(Users).find(1), select(Users.name))
    reveal_type(await both.execute(blog))  # revealed: tuple[list[Post], Keyed[User, int] | None, list[str]]
    await both.execute(only)  # error: a relation that is not stored
    batch(Posts)  # error: no query
    for each in Users.tags:  # error: expressions are not iterated
        pass
