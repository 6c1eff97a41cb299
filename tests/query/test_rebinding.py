"""An expression over one name of a relation is rebound to another, whatever it is made of."""

import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import gateways
import mapper
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper import (
    Column,
    CommonTable,
    QueryError,
    Relation,
    any_,
    column,
    exists,
    fn,
    fragment,
    optional,
    outer,
    rows_between,
    scalar,
    select,
    subquery,
    values,
)
from mapper.expressions import Expr, RowValue
from mapper.rebinding import names, rebound
from mapper.relationships import HasMany


@attrs.frozen
class Post:
    title: str


@attrs.frozen
class Comment:
    text: str


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str | None]
    parent_id: Column[int | None]


class Comments(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    post_id: Column[int]
    text: Column[str]


class Tags(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    text: Column[str]


class PostComments(HasMany[Posts, Comments]):
    key = Comments.post_id


class Chain(CommonTable):
    id: Column[int]


class Latest(CommonTable):
    id: Column[int]


OTHERS: Any = Posts.named("other")
EXPRESSIONS: dict[str, Callable[[Any], Expr[Any, Any]]] = {
    "column": lambda p: p.title,
    "nullable column": lambda p: p.body,
    "optional column": lambda p: optional(p.title),
    "comparison with a value": lambda p: p.title == "x",
    "comparison of columns": lambda p: (p.id > p.parent_id) | ~(p.title != p.body),
    "list": lambda p: p.id.in_([1, 2]),
    "function": lambda p: fn.coalesce(fn.lower(p.body), p.title),
    "case": lambda p: fn.case((p.id > 3, p.title), else_="x"),
    "cast": lambda p: p.id.cast(str),
    "row": lambda p: RowValue[Any, Any]([p.id, p.title]).in_([(1, "x")]),
    "aggregate": lambda p: fn.count(p.id, distinct=True, filter=p.title == "x"),
    "window": lambda p: fn.sum(p.id).over(
        partition_by=[p.title], order_by=[p.body.desc().nulls_last()], frame=rows_between(-1, 0)
    ),
    "fragment": lambda p: fragment(bool, "? > ?", p.id, 3),
    "column of another relation": lambda p: Comments.post_id == p.id,
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expression_is_the_one_written_over_the_other_name(name: str):
    build = EXPRESSIONS[name]
    found, written = rebound(build(Posts), names(Posts, OTHERS)), build(OTHERS)
    assert (found.key, found.parameters, found.nullable, found.type) == (
        written.key,
        written.parameters,
        written.nullable,
        written.type,
    )


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expression_without_the_relation_is_left_as_it_is(name: str):
    expression = EXPRESSIONS[name](OTHERS)
    assert rebound(expression, names(Posts, Posts.named("third"))).key == expression.key


def test_expression_of_the_relation_itself_is_the_same_object():
    condition = Posts.title == "x"
    assert rebound(condition, names(Posts, Posts)) is condition


SUBQUERIES: dict[str, Callable[[Any], Expr[Any, Any]]] = {
    "exists": lambda p: exists(select(Comments.id).where(Comments.post_id == outer(p.id), Comments.text == "x")),
    "scalar": lambda p: scalar(select(fn.max(Comments.id)).where(Comments.post_id == outer(p.id))) > 3,
    "in": lambda p: p.id.in_(select(Comments.post_id).where(Comments.text == outer(p.title))),
    "not in": lambda p: p.id.not_in(select(Comments.post_id)),
    "same relation": lambda p: exists(select(Posts.id).where(Posts.parent_id == outer(p.id), Posts.title == "x")),
    "nested": lambda p: exists(
        select(Comments.id).where(
            exists(select(Comments.named("c").id).where(Comments.named("c").text == outer(p.title)))
        )
    ),
    "joined": lambda p: exists(
        select(Comments.id)
        .join(Posts, on=(Posts.id == Comments.post_id) & (Posts.title != outer(p.title)))
        .where(Comments.id > outer(p.id))
    ),
    "grouped": lambda p: exists(
        select(Comments.post_id).group_by(Comments.post_id).having(fn.count() > outer(p.id)).order_by(Comments.post_id)
    ),
    "set operation": lambda p: p.id.in_(
        select(Comments.post_id)
        .where(Comments.text == outer(p.title))
        .union(select(Comments.id).where(Comments.text == outer(p.body)))
    ),
    "common table": lambda p: p.id.in_(
        select(Chain.id).from_(Chain).with_(Chain, select(Comments.id).where(Comments.text == outer(p.title)))
    ),
    "lateral": lambda p: exists(
        select(Comments.id).join(
            subquery(
                Latest, select(Tags.id).where(Tags.name == outer(p.title), Tags.id == outer(Comments.id)), lateral=True
            ),
            on=Latest.id > outer(p.id),
        )
    ),
    "values": lambda p: exists(
        select(Comments.id)
        .join(values(Latest, [1, 2]), on=Latest.id == Comments.id)
        .where(Comments.post_id == outer(p.id))
    ),
    "derived": lambda p: exists(select(Comments.id).where(Comments.text == outer(p.title)).limit(3)),
}


@pytest.mark.parametrize("name", SUBQUERIES)
def test_subquery_speaks_of_the_other_name_of_what_is_around_it(name: str):
    gateway = PostgresGateway("postgresql://nowhere")
    build = SUBQUERIES[name]
    found = select(OTHERS.id).from_(OTHERS).where(rebound(build(Posts), names(Posts, OTHERS)))
    written = select(OTHERS.id).from_(OTHERS).where(build(OTHERS))
    assert gateway.compile(found) == gateway.compile(written)
    assert found.key != select(OTHERS.id).from_(OTHERS).where(build(Posts)).key


def test_subquery_over_related_rows_speaks_of_the_other_name():
    gateway = SQLiteGateway(":memory:")
    found = rebound(any_(PostComments, Comments.text == outer(Posts.title)), names(Posts, OTHERS))
    written = any_(PostComments, Comments.text == outer(OTHERS.title), of=OTHERS)
    query = select(OTHERS.id).from_(OTHERS)
    assert gateway.compile(query.where(found)) == gateway.compile(query.where(written))
    assert [each.key for each in found.children] == [OTHERS.id.key]


def test_subquery_in_a_subquery_keeps_what_it_says_of_that_one():
    gateway = SQLiteGateway(":memory:")

    def build(outermost: Any) -> Expr[bool, Any]:
        innermost = exists(select(Comments.id).where(Comments.post_id == outer(Posts.id)))
        return exists(select(Posts.id).where(Posts.parent_id == outer(outermost.id), innermost))

    query = select(OTHERS.id).from_(OTHERS)
    found = gateway.compile(query.where(rebound(build(Posts), names(Posts, OTHERS))))
    assert found == gateway.compile(query.where(build(OTHERS)))
    assert '"comments"."post_id" = "posts"."id"' in str(found.sql)
    assert '"posts"."parent_id" = "other"."id"' in str(found.sql)


def test_subquery_rebound_twice_speaks_of_the_last_name():
    gateway = SQLiteGateway(":memory:")
    third: Any = Posts.named("third")
    build = SUBQUERIES["exists"]
    once = rebound(build(Posts), names(Posts, OTHERS))
    twice = rebound(once, names(OTHERS, third))
    query = select(third.id).from_(third)
    assert gateway.compile(query.where(twice)) == gateway.compile(query.where(build(third)))


class Sealed(Expr[Any, Any]):
    """An expression that is made of another and does not say how."""

    def __init__(self, inner: Expr[Any, Any]) -> None:
        self.inner = inner
        self.key, self.parameters, self.type, self.nullable = f"sealed({inner.key})", (), inner.type, False

    @property
    def children(self) -> tuple[Expr[Any, Any], ...]:
        return (self.inner,)


def test_expression_that_cannot_be_made_of_others_is_refused():
    with pytest.raises(QueryError, match="cannot be made of other expressions"):
        rebound(Sealed(Posts.title), names(Posts, OTHERS))


DEFINES = re.compile(r"^class \w+\((Expr|Call|Aggregate|Subquery)\b", re.MULTILINE)
"""A module that defines a kind of expression."""


def kinds(base: type[Any]) -> Iterator[type[Any]]:
    """Every class of expressions, of gateways too."""
    for each in base.__subclasses__():
        yield each
        yield from kinds(each)


def test_every_expression_that_is_made_of_others_says_how():
    for package in (mapper, gateways):
        root = Path(next(iter(package.__path__)))
        for path in [each for each in root.rglob("*.py") if DEFINES.search(each.read_text("utf-8"))]:
            importlib.import_module(".".join((package.__name__, *path.relative_to(root).with_suffix("").parts)))
    known = [each for each in kinds(Expr) if not each.__module__.startswith("tests.")]
    missing = [each.__qualname__ for each in known if each.children is not Expr.children and each.mapped is Expr.mapped]
    assert missing == []
