"""Repositories: what a class may name, what an instance is."""

from typing import Any, Union

import attrs
import pytest

from mapper.columns import Column, column
from mapper.errors import DeclarationError, NotStored, QueryError, Unsupported
from mapper.relation import CommonTable, Relation
from mapper.repository import Repository
from mapper.selecting import select
from mapper.stores import Stores
from mapper.types import Varchar
from tests.changesets.blog import Blog, Comments, Post, Posts, Users
from tests.fake_gateway import FakeGateway

pytestmark = pytest.mark.feature("B7")


@attrs.frozen
class Thing:
    name: str


class Things(Relation[Thing]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]


class SameTable(Relation[Thing], name="things"):
    id: Column[int] = column(primary_key=True)
    name: Column[str]


class OtherSchema(Relation[Thing], name="things", schema="other"):
    id: Column[int] = column(primary_key=True)
    name: Column[str]


class WrongType(Relation[Thing]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    thing: Column[str] = column(references=lambda: Things.id)


class Narrow(Relation[Thing]):
    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(type=Varchar(5))


class Wide(Relation[Thing]):
    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(references=lambda: Narrow.name)


class NoColumn(Relation[Thing]):
    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(references=lambda: Things)  # type: ignore[arg-type,return-value]  # wrong on purpose


class Unknown(Relation[Thing]):
    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(references=lambda: Missing.id)  # type: ignore[name-defined]  # pyright: ignore[reportUndefinedVariable]  # noqa: F821


class Chain(CommonTable):
    id: Column[int]


@pytest.mark.parametrize(
    ("union", "message"),
    [
        ("Posts | Users", "is not a relation; name the classes themselves"),
        (Post, "Post is not a relation"),
        (Posts | int, "int is not a relation"),
        (Posts.named("p") | Users, "Posts is an alias ('p') of a relation"),
        (Chain, "Chain is a common table"),
        (Things | SameTable, "Things and SameTable are both kept in 'things'"),
        (WrongType, "WrongType.thing is Text() and refers to Things.id, which is Integer()"),
        (Wide, "Wide.name is Text() and refers to Narrow.name, which is Varchar(length=5)"),
        (NoColumn, "NoColumn.name refers to <class"),
        (Unknown, "Unknown.name: its references function raises NameError"),
    ],
)
def test_wrong_union_is_refused_when_the_class_is_made(union: Any, message: str):
    with pytest.raises(DeclarationError) as caught:

        class Wrong(Repository[union]):
            pass

    assert "Wrong is declared wrongly" in str(caught.value)
    assert message in str(caught.value)


def test_every_problem_is_told_at_once():
    union: Any = Post | int
    with pytest.raises(DeclarationError) as caught:

        class Wrong(Repository[union]):
            pass

    assert len(str(caught.value).splitlines()) == 3


def test_single_relation_and_typing_union_are_stored():
    class One(Repository[Posts]): ...

    class Two(Repository[Union[Posts, Users]]): ...  # noqa: UP007 (the older way is to work too)

    assert (One._relations, Two._relations) == (frozenset({Posts}), frozenset({Posts, Users}))


def test_order_of_the_union_does_not_matter():
    class One(Repository[Users | Posts | Things]): ...

    class Other(Repository[Things | Users | Posts]): ...

    assert One._ordered == Other._ordered == (Posts, Things, Users)


def test_tables_of_one_name_in_two_schemas_are_two():
    class Both(Repository[Things | OtherSchema]): ...

    assert len(Both._ordered) == 2


def test_reference_to_a_relation_that_is_not_stored_is_allowed():
    class Alone(Repository[Comments]): ...

    assert Alone._ordered == (Comments,)


def test_subclass_stores_the_same():
    class Cached(Blog): ...

    assert Cached._relations == Blog._relations


def test_repository_shows_its_class_and_gateway_alone(fake: FakeGateway):
    assert repr(Blog(fake)) == "<Blog on fake>"


def test_gateway_is_the_only_state(fake: FakeGateway):
    class Small(Repository[Posts]):
        __slots__ = ()

    assert not hasattr(Small(fake), "__dict__")


@pytest.mark.parametrize("gateway", ["sqlite://", None, FakeGateway])
def test_what_is_no_gateway_is_refused(gateway: Any):
    with pytest.raises(QueryError, match="Blog is bound to a gateway, not to"):
        Blog(gateway)


def test_function_may_ask_for_less(fake: FakeGateway):
    def takes(repository: Stores[Posts | Users]) -> bool:
        return isinstance(repository, Stores)

    assert takes(Blog(fake))


async def test_query_of_a_relation_that_is_not_stored_is_refused(blog: Blog):
    query: Any = select(Thing).from_(Things)
    with pytest.raises(NotStored):
        await query.all(blog)


@pytest.mark.feature("T31")
async def test_schema_is_pushed_in_one_transaction_where_possible():
    class Small(Repository[Users | Posts]): ...

    fake = FakeGateway()
    await Small(fake).push_schema()
    assert fake.log == [
        "+",
        "start",
        "CreateSchema Posts",
        "CreateSchema Users",
        "CreateSchema CommitRecords",
        "commit",
        "-",
    ]
    fake = FakeGateway(ddl_transactions=False)
    await Small(fake).push_schema()
    assert fake.log == ["+", "CreateSchema Posts", "CreateSchema Users", "CreateSchema CommitRecords", "-"]


@pytest.mark.feature("T31")
async def test_schema_is_reset_of_its_own_relations_alone(blog: Blog):
    class Small(Repository[Things]): ...

    things = Small(blog._executor.gateway)
    await things.push_schema()
    await things.load(Things, [Thing("a")])
    await things.push_schema()
    assert await select(Things.name).all(things) == ["a"]
    await things.reset_schema()
    await things.push_schema()
    assert await select(Things.name).all(things) == []
    assert await select(Posts).all(blog) == []


async def test_gateway_without_inspection_refuses_to_verify(fake: FakeGateway):
    with pytest.raises(Unsupported):
        await Blog(fake).verify_schema()
