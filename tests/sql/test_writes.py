"""Writes to SQL: exact text and parameters, the errors of values, and the same on a real database."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from attrs import evolve

from gateways.sql import SqlCompiler
from gateways.sqlite.codecs import SQLITE_CODECS
from gateways.sqlite.dialect import SQLITE
from mapper.columns import Column, column
from mapper.errors import NotJoined, QueryError, Unsupported, ValueNotStorable
from mapper.expressions import Expr, Parameter
from mapper.operations import DeleteSql, Insert, UpdateSql, Upsert
from mapper.relation import Relation, info
from mapper.selecting import exists, scalar, select
from mapper.statements import Conflict, Delete, DeleteRows, InsertRows, Update, UpdateRows
from mapper.terms import excluded, outer
from mapper.types import Integer, Numeric
from tests.sql.blog import COMPILER, Membership, Memberships, Post, Posts, Secrets, User, Users, columns, filled


@pytest.fixture
def store() -> Iterator[Any]:
    connection = filled()
    yield connection
    connection.close()


def numbered(*nodes: Expr[Any, Any]) -> tuple[list[Any], tuple[Any, ...]]:
    take = count().__next__
    return [each.numbered(take) for each in nodes], tuple(value for each in nodes for value in each.parameters)


def update(
    relation: Any, assignments: dict[str, Any], *where: Expr[bool, Any], returning: Sequence[str] = ()
) -> UpdateSql:
    attributes = info(relation).attributes
    values = [attributes[name].to(value).expression for name, value in assignments.items()]
    nodes, parameters = numbered(*values, *where)
    pairs = tuple(zip(columns(relation, *assignments), nodes[: len(values)], strict=True))
    key = ";".join([*assignments, *[each.key for each in (*values, *where)]])
    statement = Update(relation, pairs, tuple(nodes[len(values) :]), key, parameters, columns(relation, *returning))
    operation = COMPILER.compile(statement)
    assert isinstance(operation, UpdateSql)
    return operation


def delete(relation: Any, *where: Expr[bool, Any], returning: Sequence[str] = ()) -> DeleteSql:
    nodes, parameters = numbered(*where)
    key = ";".join([each.key for each in where])
    operation = COMPILER.compile(Delete(relation, tuple(nodes), key, parameters, columns(relation, *returning)))
    assert isinstance(operation, DeleteSql)
    return operation


def conflict(relation: Any, target: Sequence[str], assignments: dict[str, Any], where: Any = None) -> Conflict:
    attributes = info(relation).attributes
    values = [attributes[name].to(value).expression for name, value in assignments.items()]
    nodes, parameters = numbered(*values, *([] if where is None else [where]))
    pairs = tuple(zip(columns(relation, *assignments), nodes[: len(values)], strict=True))
    key = ";".join([*assignments, *[each.key for each in values], "" if where is None else where.key])
    return Conflict(columns(relation, *target), pairs, None if where is None else nodes[-1], key, parameters)


# -- inserts
# -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T22")
def test_insert_has_the_text_of_one_row_and_all_rows_encoded():
    rows = [("a", Decimal(1), None), ("b", None, True)]
    operation = COMPILER.compile(
        InsertRows(Posts, columns(Posts, "title", "price"), [row[:2] for row in rows], columns(Posts, "id"))
    )
    assert isinstance(operation, Insert)
    assert operation.sql == 'INSERT INTO "posts" ("title", "price") VALUES (?, ?) RETURNING "posts"."id"'
    assert operation.rows == [("a", "1.00"), ("b", None)]
    assert operation.relation is Posts
    assert operation.reads == frozenset()
    assert operation.writes == {Posts}


def test_insert_without_columns_takes_the_defaults(store: Any):
    operation: Any = COMPILER.compile(InsertRows(Users, (), [(), ()], columns(Users, "id")))
    assert operation.sql == 'INSERT INTO "users" DEFAULT VALUES RETURNING "users"."id"'
    assert operation.rows == [(), ()]


def test_insert_of_no_rows_has_none():
    operation: Any = COMPILER.compile(InsertRows(Users, columns(Users, "name"), []))
    assert operation.rows == []


@pytest.mark.parametrize(
    ("rows", "column", "message"),
    [
        ([("a", 1), ("b", "x")], "visits", "row 1: Posts.visits cannot be stored: found str 'x', expected an int"),
        ([("a", 1), (None, 2)], "title", "row 1: Posts.title cannot be stored: found None, expected a str"),
        ([(None, 2)], "title", "Posts.title cannot be stored: found None"),
    ],
    ids=["type", "none", "only-row"],
)
def test_insert_of_a_wrong_value_names_row_and_column(rows: Any, column: str, message: str):
    with pytest.raises(ValueNotStorable) as caught:
        COMPILER.compile(InsertRows(Posts, columns(Posts, "title", "visits"), rows))
    assert message in str(caught.value)
    assert caught.value.column == column


def test_value_of_a_sensitive_column_is_in_no_error():
    with pytest.raises(ValueNotStorable) as caught:
        COMPILER.compile(InsertRows(Secrets, columns(Secrets, "text"), [("hunter2",)]))
    assert "hunter2" not in f"{caught.value!r}{caught.value}{caught.value.value}{caught.value.__cause__}"
    assert "Secrets.text cannot be stored: expected a str of at most 4 characters" in str(caught.value)


@pytest.mark.feature("T25")
def test_upsert_has_its_target_assignments_and_condition(store: Any):
    given = conflict(
        Users, ["id"], {"name": excluded(Users.name) + "!"}, (Users.name != "stays") & (excluded(Users.id) > 0)
    )
    operation = COMPILER.compile(InsertRows(Users, columns(Users, "id", "name"), [(1, "new"), (9, "nine")], (), given))
    assert isinstance(operation, Upsert)
    assert operation.sql == (
        'INSERT INTO "users" ("id", "name") VALUES (?, ?) ON CONFLICT ("id") DO UPDATE SET "name" = excluded."name" || ?'
        ' WHERE "users"."name" <> ? AND excluded."id" > ?'
    )
    assert (operation.rows, operation.parameters) == ([(1, "new"), (9, "nine")], ("!", "stays", 0))
    for row in operation.rows:
        store.execute(operation.sql, (*row, *operation.parameters))
    assert store.execute("SELECT name FROM users ORDER BY id").fetchall() == [("new!",), ("bob",), ("nine",)]


@pytest.mark.feature("T25")
def test_upsert_that_ignores_says_so():
    def text(given: Conflict) -> str:
        operation: Any = COMPILER.compile(InsertRows(Users, columns(Users, "name"), [("a",)], (), given))
        return operation.sql

    assert text(conflict(Users, [], {})).endswith("VALUES (?) ON CONFLICT DO NOTHING")
    assert text(conflict(Users, ["name"], {})).endswith('VALUES (?) ON CONFLICT ("name") DO NOTHING')
    assert text(conflict(Users, [], {"name": excluded(Users.name)})).endswith(
        'ON CONFLICT DO UPDATE SET "name" = excluded."name"'
    )


def test_upsert_that_the_gateway_lacks_is_refused():
    poor = SqlCompiler(SQLITE, SQLITE_CODECS, evolve(SQLITE.capabilities, upsert_where=False))
    given = conflict(Users, ["id"], {"name": "x"}, Users.name != "y")
    with pytest.raises(Unsupported, match="on_conflict with where needs 'upsert_where'"):
        poor.compile(InsertRows(Users, columns(Users, "name"), [("a",)], (), given))
    strict = SqlCompiler(evolve(SQLITE, upsert_any=False), SQLITE_CODECS)
    with pytest.raises(QueryError, match="does not say on which columns"):
        strict.compile(InsertRows(Users, columns(Users, "name"), [("a",)], (), conflict(Users, [], {"name": "x"})))


# -- updates and deletes by condition
# ------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T24")
def test_update_assigns_values_and_expressions(store: Any):
    operation = update(
        Posts, {"title": "new", "visits": Posts.visits + 1, "body": None}, Posts.id == 3, returning=("id", "visits")
    )
    assert operation.sql == (
        'UPDATE "posts" SET "title" = ?, "visits" = integer_exact("posts"."visits" + ?), "content" = ?'
        ' WHERE "posts"."id" = ? RETURNING "posts"."id", "posts"."visits"'
    )
    assert operation.parameters == ("new", 1, None, 3)
    assert [each.name for each in operation.returning] == ["id", "visits"]
    assert not operation.many
    assert operation.reads == frozenset()
    assert operation.writes == {Posts}
    assert store.execute(operation.sql, operation.parameters).fetchall() == [(3, 8)]


@pytest.mark.feature("T24")
def test_update_sees_the_values_from_before(store: Any):
    operation = update(Posts, {"visits": Posts.visits + 1, "version": Posts.visits}, Posts.id == 1)
    store.execute(operation.sql, operation.parameters)
    assert store.execute("SELECT visits, version FROM posts WHERE id = 1").fetchall() == [(4, 3)]


def test_update_with_a_subquery_over_the_same_relation_is_told_apart(store: Any):
    newest = select(Posts.id).where(Posts.author_id == outer(Posts.author_id), Posts.id > outer(Posts.id))
    operation = update(
        Posts, {"title": scalar(select(Users.name).where(Users.id == outer(Posts.author_id)))}, ~exists(newest)
    )
    assert operation.sql == (
        'UPDATE "posts" SET "title" = (SELECT "users"."name" FROM "users" WHERE "users"."id" = "posts"."author_id") WHERE'
        ' NOT EXISTS (SELECT "posts_1"."id" FROM "posts" AS "posts_1" WHERE "posts_1"."author_id" = "posts"."author_id"'
        ' AND "posts_1"."id" > "posts"."id")'
    )
    assert operation.reads == {Users, Posts}
    assert operation.writes == {Posts}
    store.execute(operation.sql, operation.parameters)
    assert store.execute("SELECT id, title FROM posts WHERE title IN ('ann', 'bob') ORDER BY id").fetchall() == [
        (4, "bob"),
        (5, "ann"),
    ]


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        ({"visits": Posts.visits + 2**62 + 2**62}, "user-defined function raised exception"),
        ({"price": Posts.price * Decimal("0.001")}, "user-defined function raised exception"),
        ({"visits": Posts.visits / 2}, "user-defined function raised exception"),
    ],
    ids=["overflow", "digits", "fraction"],
)
def test_assignment_that_would_lose_digits_fails(assignments: Any, message: str, store: Any):
    operation = update(Posts, assignments)
    with pytest.raises(Exception, match=message):
        store.execute(operation.sql, operation.parameters)


def test_assignment_to_a_sized_text_is_measured(store: Any):
    operation = update(Memberships, {"role": Memberships.role + "!"})
    assert operation.sql == 'UPDATE "main"."member ships" SET "role" = varchar_exact("member ships"."role" || ?, 5)'
    store.execute(operation.sql, operation.parameters)
    with pytest.raises(Exception, match="user-defined function"):
        store.execute(operation.sql, operation.parameters)


def test_assignment_of_exact_decimals_is_rescaled(store: Any):
    operation = update(Posts, {"price": Posts.price + Decimal(1)}, Posts.id == 1)
    assert (
        '"price" = decimal_exact(decimal_add("posts"."price", ?) COLLATE decimal, 12, 2) COLLATE decimal'
        in operation.sql
    )
    store.execute(operation.sql, operation.parameters)
    assert store.execute("SELECT price FROM posts WHERE id = 1").fetchall() == [("2.10",)]


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        ({"title": None}, "Posts.title cannot be stored: found None"),
        ({"visits": "x"}, "Posts.visits cannot be stored: found str 'x'"),
    ],
)
def test_update_of_a_wrong_value_names_the_column(assignments: Any, message: str):
    with pytest.raises(ValueNotStorable, match=message):
        update(Posts, assignments)


def test_update_that_assigns_nothing_is_refused():
    with pytest.raises(QueryError, match="an update of Posts assigns nothing"):
        update(Posts, {})


@pytest.mark.feature("T24")
def test_delete_has_its_condition(store: Any):
    operation = delete(Posts, ~Posts.public, Posts.visits.in_([5, 7]), returning=("id",))
    assert operation.sql == (
        'DELETE FROM "posts" WHERE NOT "posts"."public" AND "posts"."visits" IN (SELECT value FROM json_each(?)) RETURNING "posts"."id"'
    )
    assert operation.parameters == ("[5,7]",)
    assert sorted(store.execute(operation.sql, operation.parameters).fetchall()) == [(2,), (4,)]
    assert delete(Posts).sql == 'DELETE FROM "posts"'


@pytest.mark.parametrize(
    "write",
    [lambda where: update(Posts, {"title": "x"}, where), lambda where: delete(Posts, where)],
    ids=["update", "delete"],
)
def test_write_with_a_column_of_another_relation_is_refused(write: Callable[[Any], Any]):
    with pytest.raises(NotJoined, match=r"Users\.name is not among the sources: the query reads from Posts"):
        write(Users.name == "x")


def test_write_with_a_column_that_the_store_lacks_changes_nothing(store: Any):
    class Wrong(Relation[Post], name="posts"):
        id: Column[int] = column(primary_key=True)
        title: Column[str] = column(name="titel")

    for operation in (delete(Wrong, Wrong.title != "x"), update(Wrong, {"id": 1}, Wrong.title != "x")):
        with pytest.raises(Exception, match="no such column"):
            store.execute(operation.sql, operation.parameters)
    assert store.execute("SELECT count(*) FROM posts").fetchone() == (5,)


# -- updates and deletes of single rows
# ----------------------------------------------------------------------------------------------------


def update_rows(relation: Any, names: Sequence[str], rows: Any, version: Any = None) -> UpdateSql:
    take = count().__next__
    pairs = tuple((each, Parameter(None, each.type).numbered(take)) for each in columns(relation, *names))
    operation = COMPILER.compile(UpdateRows(relation, pairs, rows, ",".join(names), version))
    assert isinstance(operation, UpdateSql)
    return operation


@pytest.mark.feature("T12", "T24")
def test_update_of_rows_by_key_and_version():
    operation = update_rows(Posts, ["title", "body"], [("a", None, 1, 3), ("b", "x", 2, 1)], info(Posts).version)
    assert operation.sql == (
        'UPDATE "posts" SET "title" = ?, "content" = ?, "version" = "posts"."version" + 1'
        ' WHERE "posts"."id" = ? AND "posts"."version" = ?'
    )
    assert operation.parameters == [("a", None, 1, 3), ("b", "x", 2, 1)]
    assert operation.many
    assert operation.key_at == slice(2, 3)
    assert operation.probe == 'SELECT 1 FROM "posts" WHERE "posts"."id" = ?'


@pytest.mark.feature("T24")
def test_update_of_rows_by_a_composite_key(store: Any):
    operation = update_rows(Memberships, ["role"], [("chief", 1, "red"), ("new", 2, "red")])
    assert operation.sql == (
        'UPDATE "main"."member ships" SET "role" = ? WHERE "member ships"."user_id" = ? AND "member ships"."team" = ?'
    )
    assert operation.key_at == slice(1, 3)
    assert store.executemany(operation.sql, operation.parameters).rowcount == 2
    assert operation.probe is not None
    assert store.execute(operation.probe, operation.parameters[0][operation.key_at]).fetchall() == [(1,)]


def test_update_of_rows_that_assigns_an_expression(store: Any):
    value = (Posts.visits + Parameter(1, Integer())).numbered(count().__next__)
    statement = UpdateRows(Posts, ((info(Posts).column("visits"), value),), [(10, 1), (20, 2)], "visits+")
    operation: Any = COMPILER.compile(statement)
    assert operation.sql == 'UPDATE "posts" SET "visits" = integer_exact("posts"."visits" + ?) WHERE "posts"."id" = ?'
    store.executemany(operation.sql, operation.parameters)
    assert store.execute("SELECT visits FROM posts WHERE id < 3 ORDER BY id").fetchall() == [(13,), (25,)]


def test_update_of_rows_that_only_raises_the_version(store: Any):
    operation = update_rows(Posts, [], [(1, 1)], info(Posts).version)
    assert operation.sql.startswith('UPDATE "posts" SET "version" = "posts"."version" + 1 WHERE')
    assert update_rows(Posts, [], [(1,)]).sql == 'UPDATE "posts" SET "id" = "id" WHERE "posts"."id" = ?'


def test_update_of_rows_names_row_and_column_of_a_wrong_value():
    with pytest.raises(ValueNotStorable, match=r"row 1: Posts\.title cannot be stored: found None"):
        update_rows(Posts, ["title"], [("a", 1), (None, 2)])
    with pytest.raises(ValueNotStorable, match=r"row 1: Posts\.id cannot be stored: found None"):
        update_rows(Posts, ["title"], [("a", 1), ("b", None)])


@pytest.mark.feature("T12", "T24")
def test_delete_of_rows_by_key_and_version():
    operation: Any = COMPILER.compile(DeleteRows(Posts, [(1, 2), (2, 2)], info(Posts).version))
    assert operation.sql == 'DELETE FROM "posts" WHERE "posts"."id" = ? AND "posts"."version" = ?'
    assert (operation.parameters, operation.key_at) == ([(1, 2), (2, 2)], slice(0, 1))
    assert operation.probe == 'SELECT 1 FROM "posts" WHERE "posts"."id" = ?'


def test_rows_of_a_relation_without_a_key_cannot_be_named():
    class Log(Relation[User]):
        name: Column[str]

    with pytest.raises(QueryError, match="Log has no primary key"):
        COMPILER.compile(DeleteRows(Log, [(1,)]))


def test_writes_to_an_alias_write_the_relation():
    operation: Any = COMPILER.compile(DeleteRows(Posts.named("p"), [(1,)]))
    assert operation.writes == {Posts}
    assert operation.sql == 'DELETE FROM "posts" WHERE "posts"."id" = ?'


def test_many_rows_are_encoded_each_by_its_column():
    class Prices(Relation[Membership], name="prices"):
        id: Column[int] = column(primary_key=True)
        role: Column[str]
        price: Column[Decimal | None] = column(type=Numeric(8, 2))

    rows = [(f"r{each}", None if each % 3 else Decimal(each)) for each in range(1000)]
    operation: Any = COMPILER.compile(InsertRows(Prices, columns(Prices, "role", "price"), rows))
    assert operation.rows == [(role, None if price is None else f"{price}.00") for role, price in rows]
