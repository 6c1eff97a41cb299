"""Relations that the tests of writes and errors share."""

from collections.abc import Sequence
from typing import Any

import attrs

from gateways.sqlite import SQLiteGateway
from mapper import Relation, Unique, column
from mapper.columns import Check, Column
from mapper.gateway import Gateway
from mapper.operations import RawSql
from mapper.relation import info
from mapper.statements import CreateSchema, InsertRows


@attrs.frozen
class User:
    name: str


@attrs.frozen
class Post:
    title: str
    slug: str = ""
    visits: int = 0


class Users(Relation[User]):
    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(name="full name", unique=True)


class Posts(Relation[Post], indexes=[Unique("slug", "title")], checks=[Check("visits < 1000000", name="few")]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    slug: Column[str]
    visits: Column[int] = column(server_default="0", check="visits >= 0")
    author_id: Column[int | None] = column(references=lambda: Users.id, name="author")
    editor_id: Column[int | None] = column(references=lambda: Users.id)
    version: Column[int] = column(version=True, server_default="1")


async def create(gateway: Gateway) -> None:
    """Make the tables."""
    for operation in gateway.compile_schema(CreateSchema((Users, Posts))):
        await gateway.execute(operation)


def rows(relation: Any, columns: str, values: Sequence[tuple[Any, ...]], returning: str = "") -> InsertRows:
    """New rows of a relation, by the names of attributes."""
    described = info(relation)
    return InsertRows(
        relation,
        tuple(described.column(each) for each in columns.split()),
        values,
        tuple(described.column(each) for each in returning.split()),
    )


async def names(gateway: SQLiteGateway, sql: str) -> list[Any]:
    """The rows of a query; of a single column, its values."""
    return [row[0] if len(row) == 1 else row for row in (await gateway.execute(RawSql(sql))).rows]
