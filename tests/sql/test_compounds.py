"""Set operations: exact text, the order of the whole, and operations that SQLite lacks, against Python's own."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gateways.sql import SqlCompiler
from gateways.sqlite.codecs import SQLITE_CODECS
from gateways.sqlite.dialect import SQLITE
from mapper.errors import QueryError
from mapper.selecting import select
from mapper.terms import literal
from tests.sql.blog import Posts, Users, combined, compiled, database, filled, run


@pytest.fixture(scope="module")
def store() -> Iterator[Any]:
    connection = filled()
    yield connection
    connection.close()


def test_set_operations_are_applied_in_order(store: Any):
    query = combined(
        combined(select(Posts.author_id), "union", select(Users.id)), "except", select(Users.id).where(Users.id == 2)
    )
    text, parameters = compiled(query.order_by(Posts.author_id.desc()).limit(3))
    assert text == (
        'SELECT "posts"."author_id" FROM "posts" UNION SELECT "users"."id" FROM "users"'
        ' EXCEPT SELECT "users"."id" FROM "users" WHERE "users"."id" = ? ORDER BY 1 DESC LIMIT ?'
    )
    assert parameters == (2, 3)
    assert run(store, query) == [(1,)]


def test_intersection_stays_in_order_where_it_would_bind_tighter():
    tight = SqlCompiler(evolve(SQLITE, intersect_first=True), SQLITE_CODECS)
    query = combined(combined(select(Posts.id), "union", select(Users.id)), "intersect", select(Users.id))
    operation: Any = tight.compile(query)
    assert operation.sql == (
        'SELECT * FROM (SELECT "posts"."id" FROM "posts" UNION SELECT "users"."id" FROM "users") AS "sofar"'
        ' INTERSECT SELECT "users"."id" FROM "users"'
    )


def test_operands_with_an_order_or_limit_of_their_own_become_subqueries(store: Any):
    newest = select(Posts.id).order_by(Posts.id.desc()).limit(1)
    query = combined(newest, "union_all", select(Users.id).order_by(Users.id.desc()).limit(1))
    text, _ = compiled(query)
    assert text == (
        'SELECT "ordered"."c0" FROM (SELECT "posts"."id" AS "c0" FROM "posts" ORDER BY "posts"."id" DESC LIMIT ?) AS "ordered"'
        ' UNION ALL SELECT * FROM (SELECT "users"."id" FROM "users" ORDER BY "users"."id" DESC LIMIT ?) AS "part"'
    )
    assert run(store, query) == [(5,), (2,)]
    assert run(store, query.order_by(Posts.id)) == [(2,), (5,)]


def test_order_of_the_whole_knows_nulls_of_every_operand(store: Any):
    query = combined(select(Posts.title), "union", select(Posts.body)).order_by(Posts.title.desc())
    assert compiled(query)[0].endswith("ORDER BY 1 DESC NULLS FIRST")
    assert run(store, query)[0] == (None,)


def test_order_of_the_whole_may_be_computed_from_what_is_selected(store: Any):
    query = combined(select(Posts.id, Posts.visits), "union", select(Users.id, literal(3))).order_by(
        (Posts.visits + 1).desc(), Posts.id
    )
    text, _ = compiled(query)
    assert text.startswith(
        'SELECT * FROM (SELECT "posts"."id" AS "c0", "posts"."visits" AS "c1" FROM "posts" UNION SELECT'
    )
    assert text.endswith(
        'AS "whole" ORDER BY integer_exact("whole"."c1" + ?) DESC NULLS FIRST, "whole"."c0" NULLS LAST'
    )
    assert run(store, query)[:2] == [(3, 7), (4, 7)]


def test_order_of_the_whole_by_what_is_not_selected_is_refused():
    query = combined(select(Posts.id), "union", select(Users.id)).order_by(Posts.visits + 1)
    with pytest.raises(QueryError, match=r"ordered by Posts\.visits, which is not selected"):
        compiled(query)


def test_operands_of_different_widths_are_refused():
    with pytest.raises(QueryError, match="a set operation of 1 columns with 2"):
        compiled(combined(select(Posts.id), "union", select(Users.id, Users.name)))


def test_decimals_that_are_equal_are_one(store: Any):
    query = combined(select(Posts.price), "intersect", select(literal(Decimal("10.0"))).from_(Users))
    assert run(store, query) == [("10.00",)]


Rows = st.lists(st.tuples(st.sampled_from([1.0, 2.0, None]), st.sampled_from(["a", "b"])), max_size=8)


@pytest.mark.parametrize("operator", ["union", "union_all", "intersect", "intersect_all", "except", "except_all"])
@given(left=Rows, right=Rows)
def test_set_operation_is_that_of_multisets(operator: str, left: list[Any], right: list[Any]):
    one, other = Counter(left), Counter(right)
    expected = {
        "union": Counter(set(left) | set(right)),
        "union_all": one + other,
        "intersect": Counter(set(left) & set(right)),
        "intersect_all": one & other,
        "except": Counter(set(left) - set(right)),
        "except_all": one - other,
    }[operator]
    connection = database()
    connection.execute('CREATE TABLE "posts" ("score" REAL, "content" TEXT, "visits" INTEGER)')
    connection.executemany("INSERT INTO posts VALUES (?, ?, 1)", left)
    connection.executemany("INSERT INTO posts VALUES (?, ?, 2)", right)
    sides = [select(Posts.score, Posts.body).where(Posts.visits == side) for side in (1, 2)]
    rows = run(connection, combined(sides[0], operator, sides[1]).order_by(Posts.score, Posts.body))
    connection.close()
    assert Counter(rows) == expected
    assert [row[0] is None for row in rows] == sorted(row[0] is None for row in rows)
