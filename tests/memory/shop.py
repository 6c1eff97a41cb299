"""Relations and small functions that the tests of the memory gateway share."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from gateways.memory import MemoryGateway
from mapper import functions as fn
from mapper.columns import Check, Column, Unique, column
from mapper.expressions import Assignment, Expr
from mapper.gateway import Executor
from mapper.operations import Operation, Result
from mapper.query import Query
from mapper.relation import CommonTable, Relation, info
from mapper.selecting import select
from mapper.statements import Conflict, CreateSchema, Delete, DeleteRows, InsertRows, Update, UpdateRows
from mapper.stores import Stores
from mapper.types import Numeric, Varchar


@attrs.frozen
class User:
    name: str
    email: str | None = None


@attrs.frozen
class Post:
    title: str
    body: str | None = None


@attrs.frozen
class Comment:
    text: str


@attrs.frozen
class Membership:
    role: str


@attrs.frozen
class Account:
    balance: int


class Users(Relation[User]):
    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(unique=True)
    email: Column[str | None] = column(unique=True)
    boss_id: Column[int | None] = column(references=lambda: Users.id, on_delete="set null")


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str | None] = column(name="content")
    author_id: Column[int | None] = column(references=lambda: Users.id, on_delete="cascade", on_update_key="cascade")
    visits: Column[int] = column(server_default="0", check="visits >= 0")
    score: Column[float | None]
    price: Column[Decimal | None] = column(type=Numeric(12, 2))
    public: Column[bool] = column(server_default="true")
    made: Column[datetime | None]
    tags: Column[list[str] | None]


class Comments(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    post_id: Column[int] = column(references=lambda: Posts.id)
    text: Column[str] = column(type=Varchar(20))


class Memberships(Relation[Membership, tuple[int, str]], indexes=[Unique("team", "role")]):
    user_id: Column[int] = column(primary_key=True)
    team: Column[str] = column(primary_key=True)
    role: Column[str]


class Accounts(Relation[Account], checks=[Check(lambda: Accounts.balance >= Accounts.minimum, name="enough")]):
    id: Column[int] = column(primary_key=True)
    balance: Column[int]
    minimum: Column[int] = column(server_default="0")
    version: Column[int] = column(version=True)


class Chain(CommonTable):
    id: Column[int]
    depth: Column[int]


RELATIONS = (Users, Posts, Comments, Memberships, Accounts)


class Everything(Stores[Any]):
    """A repository that stores every relation."""

    __slots__ = ()

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    @classmethod
    def _require(cls, relations: frozenset[Any]) -> None:
        del cls, relations


async def made_gateway(**options: Any) -> MemoryGateway:
    """Return a gateway with the tables of all relations."""
    gateway = MemoryGateway(**options)
    await create(gateway, *RELATIONS)
    return gateway


async def create(gateway: Any, *relations: Any) -> None:
    """Create tables."""
    for operation in gateway.gateway.compile_schema(CreateSchema(relations)):
        await gateway.execute(operation)


async def rows(executor: Any, query: Query[Any, Any]) -> list[Any]:
    """Return what a query gives."""
    return await query.all(Everything(executor))


async def values(gateway: Any, *items: Expr[Any, Any]) -> Any:
    """Return the values of expressions that need no row."""
    await run(gateway, insertion(Accounts, {"balance": 1}))
    found = await rows(gateway, select(*items).from_(Accounts).limit(1))
    return found[0]


def insertion(
    relation: Any, *given: Mapping[str, Any], returning: Sequence[str] = (), conflict: Conflict | None = None
) -> InsertRows:
    """Return the insert of rows that all give the same columns."""
    described = info(relation)
    names = tuple(given[0]) if given else ()
    return InsertRows(
        relation,
        tuple([described.column(each) for each in names]),
        [tuple([row[name] for name in names]) for row in given],
        tuple([described.column(each) for each in returning]),
        conflict,
    )


async def insert(executor: Any, relation: Any, *given: Mapping[str, Any], **options: Any) -> Result:
    """Insert rows."""
    return await run(executor, insertion(relation, *given, **options))


async def keys(executor: Any, relation: Any, *given: Mapping[str, Any]) -> list[Any]:
    """Insert rows and return their keys."""
    result = await insert(executor, relation, *given, returning=("id",))
    return [row[0] for row in result.rows]


def conflict(
    *columns: str, relation: Any, where: Expr[bool, Any] | None = None, assignments: Sequence[Assignment[Any]] = ()
) -> Conflict:
    """Return what an insert does with a conflict."""
    described, take = info(relation), _counter()
    numbered = tuple([(each.attribute.column, each.expression.numbered(take)) for each in assignments])
    parameters = [value for each in assignments for value in each.expression.parameters]
    condition = None if where is None else where.numbered(take)
    parameters.extend(() if where is None else where.parameters)
    key = (
        ",".join([f"{column.attribute}={value.key}" for column, value in numbered])
        + f"|{None if condition is None else condition.key}"
    )
    return Conflict(tuple([described.column(each) for each in columns]), numbered, condition, key, tuple(parameters))


def update(
    relation: Any, *assignments: Assignment[Any], where: Sequence[Expr[bool, Any]] = (), returning: Sequence[str] = ()
) -> Update:
    """Return the update of all rows that fulfil conditions."""
    described, take = info(relation), _counter()
    numbered = tuple([(each.attribute.column, each.expression.numbered(take)) for each in assignments])
    conditions = tuple([each.numbered(take) for each in where])
    given = [*[each.expression for each in assignments], *where]
    key = "|".join([*[f"{column.attribute}={value.key}" for column, value in numbered], *[each.key for each in where]])
    parameters = tuple([value for each in given for value in each.parameters])
    return Update(
        relation, numbered, conditions, key, parameters, tuple([described.column(each) for each in returning])
    )


def delete(relation: Any, *where: Expr[bool, Any], returning: Sequence[str] = ()) -> Delete:
    """Return the delete of all rows that fulfil conditions."""
    take = _counter()
    conditions = tuple([each.numbered(take) for each in where])
    parameters = tuple([value for each in where for value in each.parameters])
    names = tuple([info(relation).column(each) for each in returning])
    return Delete(relation, conditions, "|".join([each.key for each in where]), parameters, names)


def update_rows(
    relation: Any, assignments: Sequence[Assignment[Any]], *given: tuple[Any, ...], versioned: bool = False
) -> UpdateRows:
    """Return updates by key; the values in `assignments` only tell their shape."""
    take = _counter()
    numbered = tuple([(each.attribute.column, each.expression.numbered(take)) for each in assignments])
    key = ",".join([f"{column.attribute}={value.key}" for column, value in numbered])
    return UpdateRows(relation, numbered, given, key, info(relation).version if versioned else None)


def delete_rows(relation: Any, *given: tuple[Any, ...], versioned: bool = False) -> DeleteRows:
    """Return deletes by key."""
    return DeleteRows(relation, given, info(relation).version if versioned else None)


_compiler = MemoryGateway()


def compiled(statement: Any) -> Operation:
    """Compile a statement; every memory gateway understands what another one has compiled."""
    return _compiler.compile(statement)


async def run(executor: Any, statement: Any) -> Result:
    """Compile a statement and run it."""
    return await executor.execute(executor_gateway(executor).compile(statement))


def executor_gateway(executor: Any) -> Any:
    """Return the gateway of an executor; a connection has none, and any will do."""
    return getattr(executor, "gateway", _compiler)


def _counter() -> Any:
    from itertools import count

    return count().__next__


async def counted(batches: AsyncIterator[Any]) -> int:
    """Return how many items an asynchronous iterator gives."""
    return sum([1 async for _ in batches])


NOW = fn.now()
