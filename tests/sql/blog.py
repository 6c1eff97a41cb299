"""Relations, a compiler and a database that the tests of SQL share."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from gateways.sql import SqlCompiler
from gateways.sqlite.codecs import SQLITE_CODECS
from gateways.sqlite.dialect import SQLITE
from gateways.sqlite.functions import register
from mapper import functions as fn
from mapper.assembly import Clause
from mapper.columns import Column, column
from mapper.expressions import Expr
from mapper.operations import QuerySql
from mapper.query import Query
from mapper.relation import CommonTable, Relation, info
from mapper.statements import CreateSchema, InsertRows
from mapper.types import Codec, Numeric, Text, Varchar


@attrs.frozen
class User:
    name: str


@attrs.frozen
class Post:
    title: str
    body: str | None = None


@attrs.frozen
class Membership:
    role: str


@attrs.frozen
class Secret:
    text: str


class Users(Relation[User]):
    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(unique=True)


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str] = column(index=True)
    body: Column[str | None] = column(name="content", index=True)
    author_id: Column[int] = column(references=lambda: Users.id, on_delete="cascade")
    visits: Column[int] = column(default=0, check="visits >= 0", index=True)
    price: Column[Decimal | None] = column(type=Numeric(12, 2), index=True)
    score: Column[float | None]
    public: Column[bool] = column(default=True)
    made: Column[datetime] = column(server_default=fn.now())
    data: Column[bytes | None]
    tags: Column[list[str] | None]
    version: Column[int] = column(version=True)


class Memberships(Relation[Membership, tuple[int, str]], name="member ships", schema="main"):
    user_id: Column[int] = column(primary_key=True)
    team: Column[str] = column(primary_key=True)
    role: Column[str] = column(type=Varchar(5))


class Secrets(Relation[Secret]):
    id: Column[int] = column(primary_key=True)
    text: Column[str] = column(type=Varchar(4), sensitive=True)


class Chain(CommonTable):
    id: Column[int]
    depth: Column[int]


UPPER = Codec(Text(), str, encode=str.upper, decode=str.lower)


def compiler(**options: Any) -> SqlCompiler:
    """A compiler with empty tables of plans."""
    return SqlCompiler(SQLITE, SQLITE_CODECS, **options)


COMPILER = compiler()


def compiled(query: Any) -> tuple[str, tuple[Any, ...]]:
    """The text and the parameters of a query."""
    operation = COMPILER.compile(query)
    assert isinstance(operation, QuerySql)
    return operation.sql, operation.parameters


def combined(query: Query[Any, Any], operator: str, other: Query[Any, Any]) -> Query[Any, Any]:
    """A query with a set operation."""
    return query._extended(Clause("compound", payload=(operator, other)), f"|{operator}({other.key})", other.parameters)


def with_common(
    query: Query[Any, Any], relation: Any, definition: Query[Any, Any], *, recursive: bool = False
) -> Query[Any, Any]:
    """A query with a common table."""
    clause = Clause("with", payload=(relation, definition, recursive))
    key = f"|with {info(relation).token} {recursive}({definition.key})"
    return query._extended(clause, key, definition.parameters)


def columns(relation: Any, *names: str) -> tuple[Any, ...]:
    """Columns by attribute name."""
    return tuple(info(relation).column(each) for each in names)


def condition(expression: Expr[bool, Any]) -> tuple[str, tuple[Any, ...]]:
    """The text and the parameters of a condition over posts."""
    from mapper.selecting import select

    text, parameters = compiled(select(Posts.id).where(expression))
    start = 'SELECT "posts"."id" FROM "posts" WHERE '
    assert text.startswith(start)
    return text.removeprefix(start), parameters


def database() -> sqlite3.Connection:
    """A database in memory, without tables, that knows the functions of the gateway."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    register(connection)
    return connection


def filled() -> sqlite3.Connection:
    """A database with the tables of this module, two users and five posts."""
    connection = database()
    for operation in COMPILER.compile_schema(CreateSchema((Users, Posts, Memberships, Secrets))):
        connection.execute(operation.text)
    insert(connection, Users, ("name",), [("ann",), ("bob",)])
    names = ("title", "body", "author_id", "visits", "price", "score", "public", "data", "tags", "version")
    posts: list[tuple[Any, ...]] = [
        ("hello", None, 1, 3, Decimal("1.10"), 0.5, True, b"a", ["x", "y"], 1),
        ("world", "b", 1, 5, Decimal("10"), None, False, None, None, 1),
        ("Hell_", "50%", 2, 7, None, 2.5, True, b"bb", [], 1),
        ("[a]*?", "a\\b", 2, 7, Decimal("9.00"), -2.5, False, b"", ["x"], 1),
        ("", "", 1, 0, Decimal("1.1"), 1e18, True, None, ["z", "x"], 1),
    ]
    insert(connection, Posts, names, posts)
    insert(
        connection,
        Memberships,
        ("user_id", "team", "role"),
        [(1, "red", "boss"), (1, "blue", "crew"), (2, "red", "crew")],
    )
    return connection


def insert(
    connection: sqlite3.Connection, relation: Any, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows through the compiler."""
    operation: Any = COMPILER.compile(InsertRows(relation, columns(relation, *names), rows))
    connection.executemany(operation.sql, operation.rows)


def run(connection: sqlite3.Connection, query: Any) -> list[Any]:
    """The raw rows of a query."""
    return connection.execute(*compiled(query)).fetchall()


def plan(connection: sqlite3.Connection, query: Any) -> str:
    """How SQLite runs a query."""
    text, parameters = compiled(query)
    return "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", parameters))
