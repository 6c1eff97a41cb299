"""Schemas to SQL: tables, constraints, indexes, their order and their names."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gateways.sql import SqlCompiler
from gateways.sql.naming import LONGEST, named
from gateways.sqlite.codecs import SQLITE_CODECS
from gateways.sqlite.dialect import SQLITE
from mapper import functions as fn
from mapper.columns import Check, Column, Index, Unique, column
from mapper.errors import QueryError, Unsupported
from mapper.relation import Relation
from mapper.selecting import exists, select
from mapper.statements import AddColumn, CreateSchema, DropSchema
from mapper.terms import literal
from mapper.types import Char, Numeric, Timestamp, Varchar
from tests.sql.blog import COMPILER, Memberships, Posts, Users, columns, database

pytestmark = pytest.mark.feature("T6")


@attrs.frozen
class Thing:
    name: str


@pytest.fixture
def store() -> Iterator[sqlite3.Connection]:
    connection = database()
    yield connection
    connection.close()


def created(*relations: Any) -> list[str]:
    return [each.text for each in COMPILER.compile_schema(CreateSchema(relations))]


def create(connection: sqlite3.Connection, *relations: Any) -> None:
    for text in created(*relations):
        connection.execute(text.replace("??", "?"))


def test_table_has_columns_constraints_and_indexes():
    assert created(Users, Posts) == [
        'CREATE TABLE IF NOT EXISTS "users" (\n'
        '  "id" INTEGER PRIMARY KEY AUTOINCREMENT,\n'
        '  "name" TEXT NOT NULL,\n'
        '  CONSTRAINT "uq_users_name" UNIQUE ("name")\n)',
        'CREATE TABLE IF NOT EXISTS "posts" (\n'
        '  "id" INTEGER PRIMARY KEY AUTOINCREMENT,\n'
        '  "title" TEXT NOT NULL,\n'
        '  "content" TEXT,\n'
        '  "author_id" INTEGER NOT NULL,\n'
        '  "visits" INTEGER NOT NULL,\n'
        '  "price" DECIMAL_TEXT(12, 2) COLLATE decimal,\n'
        '  "score" REAL,\n'
        '  "public" BOOLEAN NOT NULL,\n'
        '  "made" TIMESTAMPTZ_TEXT NOT NULL DEFAULT'
        " (replace(strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'), '.000000', '')),\n"
        '  "data" BLOB,\n'
        '  "tags" LIST_TEXT,\n'
        '  "version" INTEGER NOT NULL DEFAULT 1,\n'
        '  CONSTRAINT "ck_posts_visits" CHECK (visits >= 0),\n'
        '  CONSTRAINT "fk_posts_author_id" FOREIGN KEY ("author_id") REFERENCES "users" ("id") ON DELETE CASCADE\n)',
        'CREATE INDEX IF NOT EXISTS "ix_posts_title" ON "posts" ("title")',
        'CREATE INDEX IF NOT EXISTS "ix_posts_content" ON "posts" ("content")',
        'CREATE INDEX IF NOT EXISTS "ix_posts_visits" ON "posts" ("visits")',
        'CREATE INDEX IF NOT EXISTS "ix_posts_price" ON "posts" ("price")',
    ]


def test_composite_key_namespace_and_strange_names_are_quoted(store: sqlite3.Connection):
    class Strange(
        Relation[Thing, tuple[str, str]],
        name='or"der',
        schema="main",
        indexes=[Index("name", "group"), Unique("group")],
    ):
        name: Column[str] = column(primary_key=True, name="näme; --")
        group: Column[str] = column(primary_key=True, name="select")

    texts = created(Strange)
    assert texts[0].startswith(
        'CREATE TABLE IF NOT EXISTS "main"."or""der" (\n  "näme; --" TEXT NOT NULL,\n  "select" TEXT'
    )
    assert 'PRIMARY KEY ("näme; --", "select")' in texts[0]
    assert texts[1] == (
        'CREATE INDEX IF NOT EXISTS "main"."ix_or""der_näme; --_select" ON "or""der" ("näme; --", "select")'
    )
    create(store, Strange)
    create(store, Strange)


@pytest.mark.feature("T4")
def test_defaults_checks_and_generated_columns_are_the_stores(store: sqlite3.Connection):
    class Events(Relation[Thing], checks=["starts < ends", Check(lambda: Events.size > 0, name="has size")]):
        id: Column[int] = column(primary_key=True)
        name: Column[str] = column(server_default="'a''b'", check=lambda: Events.name.in_(["a'b", "x"]))
        starts: Column[int] = column(server_default="1")
        ends: Column[int] = column(server_default=literal(2))
        size: Column[int] = column(generated="ends - starts")
        price: Column[Decimal] = column(
            server_default=literal(Decimal("1.50")), check=lambda: Events.price < Decimal(10)
        )
        moment: Column[datetime] = column(type=Timestamp(), server_default=fn.now())

    text = created(Events)[0]
    assert "\"name\" TEXT NOT NULL DEFAULT ('a''b')" in text
    assert "CONSTRAINT \"ck_events_name\" CHECK (\"name\" IN ('a''b', 'x'))" in text
    assert '"ends" INTEGER NOT NULL DEFAULT (2)' in text
    assert '"size" INTEGER GENERATED ALWAYS AS (ends - starts) VIRTUAL NOT NULL' in text
    assert "\"price\" DECIMAL_TEXT COLLATE decimal NOT NULL DEFAULT ('1.50')" in text
    assert "CHECK (\"price\" < '10')" in text
    assert 'CONSTRAINT "has size" CHECK ("size" > 0)' in text
    create(store, Events)
    store.execute('INSERT INTO "events" DEFAULT VALUES')
    row = store.execute("SELECT name, starts, ends, size, price FROM events").fetchone()
    assert row == ("a'b", 1, 2, 1, "1.50")
    assert "+" not in store.execute("SELECT moment FROM events").fetchone()[0]
    for wrong in ("name = 'y'", "ends = 1", "price = '10.0'"):
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            store.execute(f"UPDATE events SET {wrong}")


def test_check_with_a_subquery_is_refused():
    class Closed(Relation[Thing], checks=[Check(lambda: exists(select(Users.id)))]):
        id: Column[int] = column(primary_key=True)
        name: Column[str]

    with pytest.raises(QueryError, match="a check or default has a subquery"):
        created(Closed)


def test_check_with_a_question_mark_is_no_placeholder(store: sqlite3.Connection):
    class Asked(Relation[Thing]):
        id: Column[int] = column(primary_key=True)
        name: Column[str] = column(check="name <> '?' and name <> \"??\"")

    assert "CHECK (name <> '?' and name <> \"??\")" in created(Asked)[0]


def test_relations_come_after_what_they_refer_to_whatever_the_order_given():
    class B(Relation[Thing]):
        id: Column[int] = column(primary_key=True)
        name: Column[str]
        c_id: Column[int] = column(references=lambda: C.id, on_delete="restrict", on_update_key="cascade")

    class C(Relation[Thing]):
        id: Column[int] = column(primary_key=True)
        name: Column[str]

    class A(Relation[Thing]):
        id: Column[int] = column(primary_key=True)
        name: Column[str]
        b_id: Column[int | None] = column(references=lambda: B.id, on_delete="set null")

    assert created(A, B, C) == created(C, B, A) == created(B.named("b"), A, C, B)
    assert [each.split('"')[1] for each in created(A, B, C)] == ["c", "b", "a"]
    assert 'REFERENCES "c" ("id") ON DELETE RESTRICT ON UPDATE CASCADE' in created(A, B, C)[1]
    dropped = [each.text for each in COMPILER.compile_schema(DropSchema((A, B, C)))]
    assert dropped == ["PRAGMA defer_foreign_keys = ON", *[f'DROP TABLE IF EXISTS "{each}"' for each in "abc"]]


class Left(Relation[Thing]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    right_id: Column[int | None] = column(references=lambda: Right.id)


class Right(Relation[Thing]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    left_id: Column[int | None] = column(references=lambda: Left.id)


class Nodes(Relation[Thing]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    parent_id: Column[int | None] = column(references=lambda: Nodes.id)


def test_relations_that_refer_to_each_other_are_created_and_dropped(store: sqlite3.Connection):
    create(store, Left, Right, Nodes)
    store.execute("INSERT INTO \"left\" VALUES (1, 'a', NULL)")
    store.execute("INSERT INTO \"right\" VALUES (1, 'b', 1)")
    store.execute('UPDATE "left" SET right_id = 1')
    store.execute("BEGIN")
    for operation in COMPILER.compile_schema(DropSchema((Left, Right, Nodes))):
        store.execute(operation.text)
    store.execute("COMMIT")
    assert store.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite%'").fetchall() == []


def test_references_to_what_is_not_there_yet_are_added_later():
    eager = SqlCompiler(
        evolve(SQLITE, schema=evolve(SQLITE.schema, late_references=False, drop_together=True)), SQLITE_CODECS
    )
    texts = [each.text for each in eager.compile_schema(CreateSchema((Left, Right, Nodes)))]
    assert (
        texts[-1]
        == 'ALTER TABLE "right" ADD CONSTRAINT "fk_right_left_id" FOREIGN KEY ("left_id") REFERENCES "left" ("id")'
    )
    assert 'FOREIGN KEY ("parent_id") REFERENCES "nodes"' in "".join(texts)
    assert [each.text for each in eager.compile_schema(DropSchema((Left, Right)))] == [
        'DROP TABLE IF EXISTS "left", "right"'
    ]
    assert eager.compile_schema(DropSchema(())) == []


def test_indexes_over_part_of_the_rows_are_apart():
    class Parts(
        Relation[Thing],
        indexes=[
            Index("name", where="id > 1"),
            Index("name", unique=True, where="id > 2"),
            Index("name"),
            Index("name"),
        ],
    ):
        id: Column[int] = column(primary_key=True)
        name: Column[str]

    texts = created(Parts)[1:]
    assert len({each.split('"')[1] for each in texts}) == len(texts) == 3
    assert texts[1].startswith("CREATE UNIQUE INDEX")
    assert texts[1].endswith("WHERE id > 2")
    assert texts == created(Parts)[1:]


def test_two_indexes_of_one_name_are_refused():
    class Post_s(Relation[Thing], name="a_b"):
        id: Column[int] = column(primary_key=True)
        name: Column[str] = column(name="c", index=True)

    class Others(Relation[Thing], name="a"):
        id: Column[int] = column(primary_key=True)
        name: Column[str] = column(name="b_c", index=True)

    with pytest.raises(QueryError, match="Others and Post_s both have an index 'ix_a_b_c'"):
        created(Post_s, Others)


def test_index_method_that_the_gateway_lacks_is_refused():
    class Searched(Relation[Thing], indexes=[Index("name", method="gin")]):
        id: Column[int] = column(primary_key=True)
        name: Column[str]

    with pytest.raises(Unsupported, match="has no index method 'gin'"):
        created(Searched)


@pytest.mark.feature("T3")
def test_sizes_are_declared():
    class Sized(Relation[Thing, str]):
        id: Column[str] = column(primary_key=True, type=Char(3))
        name: Column[str] = column(type=Varchar(50))
        amount: Column[Decimal] = column(type=Numeric(8, 3))

    text = created(Sized)[0]
    assert '"id" CHAR(3) NOT NULL' in text
    assert '"name" VARCHAR(50) NOT NULL' in text
    assert '"amount" DECIMAL_TEXT(8, 3) COLLATE decimal NOT NULL' in text


def test_comments_are_left_where_the_store_has_them():
    class Told(Relation[Thing], comment="it's all"):
        id: Column[int] = column(primary_key=True)
        name: Column[str] = column(comment="what?")

    told = SqlCompiler(evolve(SQLITE, schema=evolve(SQLITE.schema, comments=True)), SQLITE_CODECS)
    texts = [each.text for each in told.compile_schema(CreateSchema((Told,)))]
    assert texts[1:] == [
        "COMMENT ON TABLE \"told\" IS 'it''s all'",
        'COMMENT ON COLUMN "told"."name" IS \'what?\'',
    ]
    assert len(created(Told)) == 1


def test_every_statement_says_which_relation_it_writes():
    operations = COMPILER.compile_schema(CreateSchema((Users, Posts, Memberships)))
    assert {relation for each in operations for relation in each.writes} == {Users, Posts, Memberships}


def test_long_names_are_shortened_with_a_hash():
    assert named("ix", "posts", ["title", "id"]) == "ix_posts_title_id"
    long = [named("ix", "t" * 40, [f"{'c' * 30}{end}"]) for end in ("a", "b")]
    assert long == [f"ix_{'t' * 40}_{'c' * 10}_{each}" for each in ("dc1ab8a7", "98a53b0c")] or len(set(long)) == 2
    assert all(len(each) == LONGEST for each in long)


@given(st.text(min_size=1, max_size=80), st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=3))
def test_names_fit_and_are_stable(table: str, parts: list[str]):
    table, parts = table.encode(errors="ignore").decode(), [each.encode(errors="ignore").decode() for each in parts]
    name = named("uq", table, parts)
    assert len(name.encode()) <= LONGEST
    assert name == named("uq", table, parts)


def test_column_is_added_with_what_is_over_it_alone(store: sqlite3.Connection):
    class Grown(Relation[Thing], indexes=[Index("name", "size")]):
        id: Column[int] = column(primary_key=True)
        name: Column[str]
        size: Column[int] = column(default=3, unique=True, index=True, check=lambda: Grown.size > 0)
        user_id: Column[int | None] = column(references=lambda: Users.id, on_delete="set null")

    create(store, Users)
    store.execute('CREATE TABLE "grown" ("id" INTEGER PRIMARY KEY, "name" TEXT)')
    store.execute("INSERT INTO grown VALUES (1, 'a')")
    texts = [
        each.text
        for name in ("size", "user_id")
        for each in COMPILER.compile_schema(AddColumn(Grown, columns(Grown, name)[0]))
    ]
    assert texts == [
        'ALTER TABLE "grown" ADD COLUMN "size" INTEGER NOT NULL DEFAULT 3 CHECK ("size" > 0)',
        'CREATE UNIQUE INDEX IF NOT EXISTS "uq_grown_size" ON "grown" ("size")',
        'CREATE INDEX IF NOT EXISTS "ix_grown_size" ON "grown" ("size")',
        'ALTER TABLE "grown" ADD COLUMN "user_id" INTEGER REFERENCES "users" ("id") ON DELETE SET NULL',
    ]
    for text in texts:
        store.execute(text)
    assert store.execute("SELECT * FROM grown").fetchall() == [(1, "a", 3, None)]
