"""The SQL of joins, conditions, aggregates and paths, on SQLite and PostgreSQL, without a database."""

import re
from typing import Any

import pytest

from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper import aggregate, all_, any_, fn, none_, optional, select
from tests.relationships.world import (
    BestComment,
    Comments,
    Employee,
    Employees,
    LiveTags,
    Manager,
    Post,
    PostCommenters,
    PostComments,
    Posts,
    PostTagLinks,
    PostTags,
    Reports,
    Tags,
    Users,
    UserTags,
    VisibleComments,
)

POST = select(Post).from_(Posts)

QUERIES: dict[str, Any] = {
    "join": select(Posts.title, Comments.text).join(PostComments),
    "left join of filtered rows": select(Posts.title, optional(Comments.text)).left_join(VisibleComments),
    "join of many to many": select(Posts.title, Tags.name).join(PostTags).order_by(PostTagLinks.position),
    "left join of many to many": select(Posts.title, optional(Tags.name)).left_join(PostTags),
    "left join of filtered many to many": select(Posts.title, optional(Tags.name)).left_join(LiveTags),
    "self-join": select(Employees.name).join(Manager, to=Employees.named("boss")),
    "join of the first": select(Posts.title, Comments.text).join(BestComment),
    "any": POST.where(any_(PostComments, Comments.votes > 2)),
    "none": POST.where(none_(PostComments)),
    "all that may be NULL": POST.where(all_(PostComments, Comments.visible)),
    "any of itself": select(Employees.name).where(any_(Reports, any_(Reports))),
    "any through": POST.where(any_(PostCommenters, Users.name == "ann")),
    "aggregate": select(Posts.title, aggregate(PostComments, fn.count())),
    "aggregate of each once": select(Users.name, aggregate(UserTags, fn.count())),
    "path": POST.where(Posts.title == "x").via(PostTags),
    "recursive path": select(Employee).from_(Employees).where(Employees.id == 1).via(Reports, recursive=True),
}

STATEMENTS: dict[str, tuple[str, tuple[object, ...]]] = {
    "join": (
        "SELECT posts.title, comments.text FROM posts JOIN comments ON comments.post_id = posts.id",
        (),
    ),
    "left join of filtered rows": (
        "SELECT posts.title, comments.text FROM posts LEFT JOIN comments ON comments.post_id = posts.id AND "
        "comments.visible = ?",
        (1,),
    ),
    "join of many to many": (
        "SELECT posts.title, tags.name FROM posts JOIN post_tag_links ON post_tag_links.post_id = posts.id "
        "JOIN tags ON tags.id = post_tag_links.tag_id ORDER BY post_tag_links.position",
        (),
    ),
    "left join of many to many": (
        "SELECT posts.title, tags.name FROM posts LEFT JOIN post_tag_links ON post_tag_links.post_id = "
        "posts.id LEFT JOIN tags ON tags.id = post_tag_links.tag_id",
        (),
    ),
    "left join of filtered many to many": (
        "SELECT posts.title, tags.name FROM posts LEFT JOIN post_tag_links ON post_tag_links.post_id = "
        "posts.id AND EXISTS (SELECT tags.id FROM tags WHERE tags.id = post_tag_links.tag_id AND tags.retired "
        "= ? AND tags.name <> ?) LEFT JOIN tags ON tags.id = post_tag_links.tag_id AND tags.retired = ? AND "
        "tags.name <> ?",
        (0, "", 0, ""),
    ),
    "self-join": (
        "SELECT employees.name FROM employees JOIN employees AS boss ON boss.id = employees.manager_id",
        (),
    ),
    "join of the first": (
        "SELECT posts.title, comments.text FROM posts JOIN comments ON comments.id = (SELECT comments_1.id "
        "FROM comments AS comments_1 WHERE comments_1.post_id = posts.id AND comments_1.votes >= ? ORDER BY "
        "comments_1.votes DESC, comments_1.id LIMIT ?)",
        (0, 1),
    ),
    "any": (
        "SELECT posts.title FROM posts WHERE EXISTS (SELECT comments.post_id FROM comments WHERE "
        "comments.post_id = posts.id AND comments.votes > ?)",
        (2,),
    ),
    "none": (
        "SELECT posts.title FROM posts WHERE NOT EXISTS (SELECT comments.post_id FROM comments WHERE "
        "comments.post_id = posts.id)",
        (),
    ),
    "all that may be NULL": (
        "SELECT posts.title FROM posts WHERE NOT EXISTS (SELECT comments.post_id FROM comments WHERE "
        "comments.post_id = posts.id AND comments.visible IS NOT TRUE)",
        (),
    ),
    "any of itself": (
        "SELECT employees.name FROM employees WHERE EXISTS (SELECT employees_1.manager_id FROM employees AS "
        "employees_1 WHERE employees_1.manager_id = employees.id AND EXISTS (SELECT employees_2.manager_id "
        "FROM employees AS employees_2 WHERE employees_2.manager_id = employees_1.id))",
        (),
    ),
    "any through": (
        "SELECT posts.title FROM posts WHERE EXISTS (SELECT comments.post_id FROM comments JOIN users ON "
        "users.id = comments.author_id WHERE comments.post_id = posts.id AND users.name = ?)",
        ("ann",),
    ),
    "aggregate": (
        "SELECT posts.title, (SELECT count(*) FROM comments WHERE comments.post_id = posts.id) FROM posts",
        (),
    ),
    "aggregate of each once": (
        "SELECT users.name, (SELECT count(*) FROM tags WHERE tags.id IN (SELECT post_tag_links.tag_id FROM "
        "posts JOIN post_tag_links ON post_tag_links.post_id = posts.id WHERE posts.author_id = users.id)) "
        "FROM users",
        (),
    ),
    "path": (
        "SELECT tags.name, tags.retired FROM tags WHERE tags.id IN (SELECT post_tag_links.tag_id FROM "
        "post_tag_links WHERE post_tag_links.post_id IN (SELECT posts.id FROM posts WHERE posts.title = ?))",
        ("x",),
    ),
    "recursive path": (
        "SELECT employees.name, employees.salary FROM employees WHERE employees.id IN (WITH RECURSIVE reached "
        "(id) AS (SELECT employees_1.id FROM employees AS employees_1 WHERE employees_1.manager_id IN (SELECT "
        "employees_2.id FROM employees AS employees_2 WHERE employees_2.id = ?) UNION SELECT employees_1.id "
        "FROM reached JOIN employees AS employees_1 ON employees_1.manager_id = reached.id) SELECT reached.id "
        "FROM reached)",
        (1,),
    ),
}
"""Statements of SQLite without the quotes of names, and their parameters."""


@pytest.mark.feature("B8", "B9")
@pytest.mark.parametrize("name", QUERIES)
def test_statement_on_sqlite(name: str):
    operation = SQLiteGateway(":memory:").compile(QUERIES[name])
    sql, parameters = STATEMENTS[name]
    assert (str(operation.sql).replace('"', ""), tuple(operation.parameters)) == (sql, parameters)


@pytest.mark.feature("B8", "B9")
@pytest.mark.parametrize("name", QUERIES)
def test_statement_on_postgres_is_the_same_but_for_its_placeholders(name: str):
    operation = PostgresGateway("postgresql://nowhere").compile(QUERIES[name])
    sql, parameters = STATEMENTS[name]
    assert re.sub(r"\$\d+::\w+", "?", str(operation.sql)).replace('"', "") == sql
    assert tuple(operation.parameters) == parameters


@pytest.mark.parametrize("name", QUERIES)
def test_statement_is_compiled_once_for_a_shape(name: str):
    gateway = SQLiteGateway(":memory:")
    assert gateway.compile(QUERIES[name]).sql is gateway.compile(QUERIES[name]).sql


def test_values_are_no_part_of_the_shape():
    shapes = {POST.where(any_(PostComments, Comments.votes > least)).key for least in range(3)}
    assert len(shapes) == 1


def test_queries_of_one_relationship_are_equal():
    one, same, other = [POST.where(any_(PostComments, Comments.votes > least)) for least in (1, 1, 2)]
    assert one == same
    assert one != other
    assert POST.join(PostComments) == POST.join(PostComments)
    assert POST.join(PostComments) != POST.join(VisibleComments)
