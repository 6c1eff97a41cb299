"""Which operation a statement becomes, and what is refused before anything runs."""

from decimal import Decimal
from typing import Any

import pytest

from gateways.memory import MemoryGateway
from gateways.memory.codecs import MEMORY_CODECS
from gateways.memory.compiler import MemoryCompiler
from mapper import functions as fn
from mapper.columns import Column, column
from mapper.errors import NotJoined, QueryError, Unsupported, ValueNotStorable
from mapper.operations import DeleteByKey, Evaluate, GetByKey, Insert, QuerySql, Scan, UpdateByKey, Upsert
from mapper.relation import Relation
from mapper.selecting import exists, optional, select
from mapper.terms import literal, outer
from tests.memory.shop import (
    Comments,
    Memberships,
    Post,
    Posts,
    Users,
    conflict,
    delete,
    delete_rows,
    insertion,
    update,
    update_rows,
)

FOREIGN: Any = Users.name == "x"
UNSAID: Any = Comments.post_id == Posts.id
"""Conditions that the checkers refuse in the queries of these tests."""


@pytest.mark.feature("B18")
@pytest.mark.parametrize(
    ("query", "keys"),
    [
        (select(Posts).find(3), ((3,),)),
        (select(Posts.title).where(Posts.id == 3), ((3,),)),
        (select(Posts.title).where(Posts.id == 3).limit(1), ((3,),)),
        (select(Posts.title).where(Posts.id == 3).limit(0), ()),
        (select(Posts.title).where(Posts.id == 3).order_by(Posts.title), ((3,),)),
        (select(Memberships).find((1, "a")), ((1, "a"),)),
        (select(Memberships.role).where((Memberships.team == "a") & (Memberships.user_id == 1)), ((1, "a"),)),
    ],
)
def test_read_by_primary_key_is_a_look_up(query, keys):
    operation = MemoryGateway().compile(query)
    assert isinstance(operation, GetByKey)
    assert operation.keys == keys


@pytest.mark.parametrize(
    "query",
    [
        select(Posts),
        select(Posts.title).where(Posts.id > 3),
        select(Posts.title).where(Posts.id == 3, Posts.title == "x"),
        select(Posts.title).where(Posts.id == 3).offset(1),
        select(Posts.title).where(Posts.id == Posts.author_id),
        select(Memberships.role).where(Memberships.user_id == 1),
        select(Posts.title).order_by(fn.lower(Posts.title)).limit(5).offset(2),
    ],
)
def test_read_of_plain_columns_of_one_relation_is_a_scan(query):
    assert isinstance(MemoryGateway().compile(query), Scan)


def test_scan_says_what_is_read():
    query = select(Posts.title).where(Posts.visits > 3).limit(5).offset(2)
    operation = MemoryGateway().compile(query)
    assert isinstance(operation, Scan)
    assert operation.parameters == (3, 5, 2)
    assert (operation.limit, operation.offset) == (5, 2)
    assert operation.columns == (Posts.title.column,)
    assert operation.reads == {Posts}


@pytest.mark.parametrize(
    "query",
    [
        select(Posts.title).distinct(),
        select(fn.count(Posts.id)),
        select(fn.lower(Posts.title)),
        select(Posts.title, Users.name).join(Users, on=Users.id == Posts.author_id),
        select(Posts.title).where(exists(select(Comments.id).where(Comments.post_id == outer(Posts.id)))),
        select(Posts.title, fn.row_number().over(order_by=[Posts.id])),
    ],
)
def test_every_other_read_is_evaluated(query):
    assert isinstance(MemoryGateway().compile(query), Evaluate)


def test_writes_become_operations_by_key():
    gateway = MemoryGateway()
    assert isinstance(gateway.compile(insertion(Users, {"name": "a"})), Insert)
    ignoring = insertion(Users, {"name": "a"}, conflict=conflict(relation=Users))
    assert isinstance(gateway.compile(ignoring), Upsert)
    by_key = gateway.compile(update(Posts, Posts.visits.to(Posts.visits + 1), where=[Posts.id == 3]))
    assert isinstance(by_key, UpdateByKey)
    assert (by_key.keys, by_key.filter) == ([(3,)], None)
    by_filter = gateway.compile(update(Posts, Posts.visits.to(0), where=[Posts.id > 3]))
    assert isinstance(by_filter, UpdateByKey)
    assert by_filter.keys is None
    assert by_filter.filter is not None
    rows = gateway.compile(update_rows(Posts, [Posts.title.to("x")], ("a", 1), ("b", 2)))
    assert isinstance(rows, UpdateByKey)
    assert (rows.keys, rows.rows) == ([(1,), (2,)], [("a",), ("b",)])
    removed = gateway.compile(delete(Posts, Posts.id == 3))
    assert isinstance(removed, DeleteByKey)
    assert removed.keys == [(3,)]
    assert isinstance(gateway.compile(delete_rows(Memberships, (1, "a"))), DeleteByKey)
    assert removed.writes == {Posts}


def test_plan_is_shared_by_queries_of_one_shape_and_kept_in_a_bounded_table():
    compiler = MemoryCompiler(MEMORY_CODECS, limit=8)
    first = compiler.compile(select(Posts.title).where(Posts.visits > 1))
    second = compiler.compile(select(Posts.title).where(Posts.visits > 2))
    assert isinstance(first, Scan)
    assert isinstance(second, Scan)
    assert first.filter is second.filter
    for size in range(1, 100):
        compiler.compile(select(*[Posts.title] * (size % 10 + 1)).where(*[Posts.visits > each for each in range(size)]))
    assert len(compiler._plans) <= 8
    assert len(compiler._by_parts) <= 8


@pytest.mark.feature("T29")
@pytest.mark.parametrize(
    ("query", "message", "hint"),
    [
        (
            select(Posts.title).where(FOREIGN),
            "column Users.name is not among the sources: the query reads from Posts",
            "join it: .join(Users, on=Posts.author_id == Users.id)",
        ),
        (
            select(Posts.title).where(exists(select(Comments.id).where(UNSAID))),
            "column Posts.id is not among the sources: the query reads from Comments",
            "it is a column of the enclosing query: write outer(Posts.id)",
        ),
        (
            select(Posts.title).where(exists(select(Comments.id).where(Comments.post_id == outer(Users.id)))),
            "column Users.id is not among the sources: the query reads from Posts",
            "join it: .join(Users, on=Posts.author_id == Users.id)",
        ),
        (
            select(Posts.title).join(Comments, on=Comments.id == Users.id).join(Users, on=Users.id == Posts.author_id),
            "column Users.id is not among the sources: the query reads from Posts, Comments",
            "join it: .join(Users, on=Posts.author_id == Users.id)",
        ),
    ],
)
def test_column_of_a_relation_that_is_not_read_is_refused(query, message, hint):
    with pytest.raises(NotJoined) as refused:
        MemoryGateway().compile(query)
    assert (refused.value.message, refused.value.hint) == (message, hint)
    assert refused.value.relation in (Users, Posts)


def test_query_that_reads_nothing_is_refused_as_on_other_gateways():
    with pytest.raises(QueryError, match="reads from no relation"):
        MemoryGateway().compile(select(literal(1)))


def test_outer_outside_of_a_subquery_is_refused():
    with pytest.raises(QueryError, match="outside of a subquery"):
        MemoryGateway().compile(select(Posts.title).where(Posts.id == outer(Users.id)))


def test_relation_read_twice_without_an_alias_is_refused():
    with pytest.raises(QueryError, match=r"Posts is read twice[^$]*named\('other'\)"):
        MemoryGateway().compile(select(Posts.title).join(Posts, on=Posts.id == Posts.author_id))


@pytest.mark.feature("T3")
def test_value_that_cannot_be_stored_is_refused_with_its_column():
    gateway = MemoryGateway()
    with pytest.raises(ValueNotStorable, match=r"Comments\.text cannot be stored") as refused:
        gateway.compile(insertion(Comments, {"post_id": 1, "text": "x" * 21}))
    assert (refused.value.column, refused.value.value) == ("text", "x" * 21)
    with pytest.raises(ValueNotStorable, match=r"row 1: Posts\.title"):
        gateway.compile(insertion(Posts, {"title": "a"}, {"title": None}))
    with pytest.raises(ValueNotStorable, match=r"Posts\.visits"):
        gateway.compile(select(Posts.title).where(Posts.visits > 2**63))
    with pytest.raises(ValueNotStorable, match=r"Posts\.title"):
        gateway.compile(update(Posts, Posts.title.to(None)))  # type: ignore[arg-type]  # what is tested
    with pytest.raises(ValueNotStorable, match=r"Posts\.price"):
        gateway.compile(update_rows(Posts, [Posts.price.to(Decimal(1))], (Decimal("1.234"), 1)))


class Secret:
    def __init__(self, text: str) -> None:
        self.text = text


class Secrets(Relation[Secret]):
    id: Column[int] = column(primary_key=True)
    text: Column[str] = column(sensitive=True)


def test_sensitive_value_is_not_in_the_error():
    with pytest.raises(ValueNotStorable) as refused:
        MemoryGateway().compile(insertion(Secrets, {"text": 12345}))
    assert "12345" not in str(refused.value)
    assert refused.value.value is None


def test_conflict_without_a_constraint_over_its_columns_is_refused():
    with pytest.raises(QueryError, match="no key or unique constraint over title"):
        MemoryGateway().compile(insertion(Posts, {"title": "a"}, conflict=conflict("title", relation=Posts)))


def test_lock_is_refused():
    from attrs import evolve

    query = select(Post).from_(Posts)
    plain = query.assemble()

    class Locked:
        key = "locked"
        parameters = ()

        def assemble(self):
            return evolve(plain, lock="update")

    with pytest.raises(Unsupported, match="row_locks"):
        MemoryGateway().compile(Locked())


async def test_operation_of_another_store_is_refused(gateway: MemoryGateway):
    with pytest.raises(Unsupported, match="QuerySql"):
        await gateway.execute(QuerySql("select 1", ()))


def test_update_of_a_relation_without_a_key_by_key_is_refused():
    class Lines(Relation[Post]):
        title: Column[str]
        body: Column[str | None]

    with pytest.raises(QueryError, match="no primary key"):
        MemoryGateway().compile(update_rows(Lines, [Lines.title.to("x")], ("x",)))


def test_optional_column_is_read_like_the_column():
    assert isinstance(MemoryGateway().compile(select(optional(Posts.title), Posts.id)), Scan)
