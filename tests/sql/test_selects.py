"""Selects to SQL: sources, joins, clauses, scopes, and what is refused."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from gateways.sql import SqlCompiler
from gateways.sqlite.codecs import SQLITE_CODECS
from gateways.sqlite.dialect import SQLITE
from mapper import functions as fn
from mapper.columns import Column
from mapper.errors import NotJoined, QueryError, Unsupported
from mapper.expressions import BOOLEAN, INTEGER, Call, Parameter, Slot
from mapper.operations import OutputColumn, QuerySql
from mapper.query import COUNT, Query
from mapper.relation import CommonTable, Relation, info
from mapper.selecting import exists, optional, raw, scalar, select
from mapper.statements import FromRelation, FromSelect, FromValues, Join, Select
from mapper.terms import fragment, literal, outer
from tests.sql.blog import Chain, Memberships, Post, Posts, Users, compiled, filled, run, with_common


@pytest.fixture(scope="module")
def store() -> Iterator[Any]:
    connection = filled()
    yield connection
    connection.close()


POSTS: Any = Posts
USERS: Any = Users
"""The relations as ones that no type checker looks at."""


class Given:
    """A statement that is a select made by hand."""

    def __init__(self, select_: Select, *parameters: Any, key: str = "given") -> None:
        self.select = select_
        self.parameters = parameters
        self.key = key

    def assemble(self) -> Select:
        return self.select


def given(select_: Select, *parameters: Any) -> tuple[str, tuple[Any, ...]]:
    operation = SqlCompiler(SQLITE, SQLITE_CODECS).compile(Given(select_, *parameters))
    assert isinstance(operation, QuerySql)
    return operation.sql, operation.parameters


def outputs(*names: str, nullable: bool = False) -> tuple[OutputColumn, ...]:
    return tuple(OutputColumn(each, INTEGER, nullable) for each in names)


@pytest.mark.feature("T18")
def test_select_has_its_clauses_in_order(store: Any):
    query = (
        select(Posts.author_id, fn.count(Posts.id), fn.sum(Posts.price, filter=Posts.public))
        .where(Posts.visits > 1)
        .group_by(Posts.author_id)
        .having(fn.count() > 1)
        .order_by(fn.sum(Posts.price).desc(), Posts.author_id)
        .limit(2)
        .offset(1)
    )
    text, parameters = compiled(query)
    assert text == (
        'SELECT "posts"."author_id", count("posts"."id"),'
        ' decimal_sum("posts"."price") FILTER (WHERE "posts"."public") COLLATE decimal FROM "posts"'
        ' WHERE "posts"."visits" > ? GROUP BY "posts"."author_id" HAVING count(*) > ?'
        ' ORDER BY decimal_sum("posts"."price") COLLATE decimal DESC NULLS FIRST, "posts"."author_id" LIMIT ? OFFSET ?'
    )
    assert parameters == (1, 1, 2, 1)
    assert len(run(store, query)) == 1


def test_model_and_wrapper_select_their_columns():
    assert compiled(select(Post).from_(Posts))[0] == 'SELECT "posts"."title", "posts"."content" FROM "posts"'
    assert compiled(select(Users))[0] == 'SELECT "users"."id", "users"."name" FROM "users"'


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (Posts.title.asc(), '"posts"."title"'),
        (Posts.title.desc(), '"posts"."title" DESC'),
        (Posts.body.asc(), '"posts"."content" NULLS LAST'),
        (Posts.body.desc(), '"posts"."content" DESC NULLS FIRST'),
        (Posts.body.asc().nulls_first(), '"posts"."content"'),
        (Posts.body.desc().nulls_last(), '"posts"."content" DESC'),
    ],
    ids=["asc", "desc", "nullable-asc", "nullable-desc", "nulls-first", "nulls-last"],
)
def test_order_says_where_nulls_go_where_the_store_would_not(order: Any, text: str):
    assert compiled(select(Posts.id).order_by(order))[0] == f'SELECT "posts"."id" FROM "posts" ORDER BY {text}'


def test_order_of_a_store_that_sorts_nulls_last_needs_no_clause():
    large = SqlCompiler(evolve(SQLITE, nulls="largest", qualified=False), SQLITE_CODECS)
    operation: Any = large.compile(
        select(Posts.id).order_by(Posts.body, Posts.price.desc(), Posts.score.asc().nulls_first())
    )
    assert operation.sql == 'SELECT "id" FROM "posts" ORDER BY "content", "price" DESC, "score" NULLS FIRST'


def test_order_by_a_column_of_a_left_join_knows_that_it_may_be_null(store: Any):
    query = select(Users.name, optional(Posts.title)).left_join(
        Posts, on=(Posts.author_id == Users.id) & (Posts.visits > 5)
    )
    text, _ = compiled(query.order_by(Posts.visits, Posts.id).where(Posts.visits.not_in([9])))
    assert text.endswith(
        '(("posts"."visits" IN (SELECT value FROM json_each(?))) IS NOT TRUE)'
        ' ORDER BY "posts"."visits" NULLS LAST, "posts"."id" NULLS LAST'
    ) or text.endswith(
        'WHERE ("posts"."visits" IN (SELECT value FROM json_each(?))) IS NOT TRUE'
        ' ORDER BY "posts"."visits" NULLS LAST, "posts"."id" NULLS LAST'
    )
    assert run(store, query.order_by(Posts.visits, Posts.id)) == [("bob", "Hell_"), ("bob", "[a]*?"), ("ann", None)]
    assert ("ann", None) in run(store, query.where(Posts.visits.not_in([9])))


def test_offset_without_limit_compiles():
    assert compiled(select(Posts.id).offset(2)) == ('SELECT "posts"."id" FROM "posts" LIMIT -1 OFFSET ?', (2,))


def test_relation_joined_to_itself_is_told_apart(store: Any):
    other = Posts.named("other")
    query = select(Posts.id, other.id).join(other, on=other.author_id == Posts.author_id).where(other.id < Posts.id)
    assert compiled(query)[0] == (
        'SELECT "posts"."id", "other"."id" FROM "posts" JOIN "posts" AS "other"'
        ' ON "other"."author_id" = "posts"."author_id" WHERE "other"."id" < "posts"."id"'
    )
    assert len(run(store, query)) == 4


def test_relation_joined_twice_without_a_name_is_refused():
    with pytest.raises(QueryError, match="Posts is read twice by one select") as caught:
        compiled(select(Posts.id).join(Posts, on=Posts.id == Posts.id))
    assert "Posts.named('other')" in str(caught.value)


def test_names_that_are_taken_get_a_number(store: Any):
    alias = Posts.named("Users")
    query = select(alias.id, Users.id).join(Users, on=Users.id == alias.author_id)
    assert compiled(query)[0] == (
        'SELECT "Users"."id", "users_1"."id" FROM "posts" AS "Users" JOIN "users" AS "users_1" ON "users_1"."id" = "Users"."author_id"'
    )
    assert len(run(store, query)) == 5


@pytest.mark.feature("T20")
def test_correlated_subquery_over_the_same_relation_gets_an_alias(store: Any):
    newest = select(fn.max(Posts.id)).where(Posts.author_id == outer(Posts.author_id))
    query = select(Posts.title).where(Posts.id == scalar(newest))
    assert compiled(query)[0] == (
        'SELECT "posts"."title" FROM "posts" WHERE "posts"."id" ='
        ' (SELECT max("posts_1"."id") FROM "posts" AS "posts_1" WHERE "posts_1"."author_id" = "posts"."author_id")'
    )
    assert sorted(run(store, query)) == [("",), ("[a]*?",)]


def test_exists_and_not_exists_compile(store: Any):
    posts = select(Posts.id).where(Posts.author_id == outer(Users.id), Posts.visits > 5)
    query = select(Users.name).where(exists(posts))
    assert compiled(query) == (
        'SELECT "users"."name" FROM "users" WHERE EXISTS'
        ' (SELECT "posts"."id" FROM "posts" WHERE "posts"."author_id" = "users"."id" AND "posts"."visits" > ?)',
        (5,),
    )
    assert run(store, query) == [("bob",)]
    assert run(store, select(Users.name).where(~exists(posts))) == [("ann",)]


def test_outer_reaches_through_several_queries(store: Any):
    inner = select(Posts.id).where(Posts.author_id == outer(Users.id), Posts.id == outer(Memberships.user_id))
    middle = select(Memberships.user_id).where(exists(inner))
    query = select(Users.name).where(exists(middle))
    assert '"posts"."author_id" = "users"."id" AND "posts"."id" = "member ships"."user_id"' in compiled(query)[0]
    assert sorted(run(store, query)) == [("ann",)]


@pytest.mark.feature("T17")
def test_in_query_treats_null_as_a_value(store: Any):
    prices = select(Posts.price).where(Posts.id > 2)
    assert sorted(run(store, select(Posts.id).where(Posts.price.in_(prices)))) == [(1,), (3,), (4,), (5,)]
    assert run(store, select(Posts.id).where(Posts.price.not_in(prices))) == [(2,)]
    known = select(Posts.price).where(Posts.price.is_not_null(), Posts.id > 3)
    assert sorted(run(store, select(Posts.id).where(Posts.price.in_(known)))) == [(1,), (4,), (5,)]
    assert sorted(run(store, select(Posts.id).where(Posts.price.not_in(known)))) == [(2,), (3,)]
    assert sorted(run(store, select(Posts.id).where(Posts.id.not_in(select(Posts.author_id))))) == [(3,), (4,), (5,)]


def test_in_query_of_several_columns_compiles(store: Any):
    from mapper.expressions import RowValue

    keys = select(Memberships.user_id, Memberships.team).where(Memberships.role == "crew")
    pair: Any = RowValue([Memberships.user_id, Memberships.team])
    query = select(Memberships.role).where(pair.not_in(keys))
    assert run(store, query) == [("boss",)]


@pytest.mark.feature("T18")
def test_count_and_exists_of_a_limited_query_count_its_rows(store: Any):
    limited = select(Posts.id).where(Posts.visits > 1).limit(2)
    counted = limited._derived("count", (), COUNT)
    assert compiled(counted) == (
        'SELECT count(*) FROM (SELECT "posts"."id" AS "c0" FROM "posts" WHERE "posts"."visits" > ? LIMIT ?) AS "counted"',
        (1, 2),
    )
    assert run(store, counted) == [(2,)]


def test_subquery_as_a_source_gives_its_columns(store: Any):
    inner = Select(
        (Posts.id, Posts.price), outputs("id", "price"), FromRelation(Posts), where=(Posts.visits > Slot(0, INTEGER),)
    )
    second: Any = Call("output:1", (), Posts.price.type, nullable=True)
    whole = Select(
        (second, Posts.id), outputs("a", "b"), FromSelect(inner, "posts"), where=(Posts.id < Slot(1, INTEGER),)
    )
    text, parameters = given(whole, 1, 4)
    assert text == (
        'SELECT "posts"."c1" COLLATE decimal, "posts"."c0" FROM'
        ' (SELECT "posts"."id" AS "c0", "posts"."price" AS "c1" FROM "posts" WHERE "posts"."visits" > ?) AS "posts"'
        ' WHERE "posts"."c0" < ?'
    )
    assert store.execute(text, parameters).fetchall() == [("1.10", 1), ("10.00", 2), (None, 3)]


class Pairs(CommonTable):
    id: Column[int]
    name: Column[str]


@pytest.mark.feature("T20")
def test_values_are_a_source(store: Any):
    pairs = FromValues(Slot(0, INTEGER, many=True), Pairs)
    whole = Select(
        (Pairs.name, Posts.title),
        outputs("a", "b"),
        pairs,
        (Join("inner", FromRelation(Posts), Posts.author_id == Pairs.id),),
    )
    text, parameters = given(whole, [(1, "x"), (2, "y")])
    assert text == (
        'SELECT "pairs"."name", "posts"."title" FROM'
        ' (SELECT (value ->> 0) AS "id", (value ->> 1) AS "name" FROM json_each(?)) AS "pairs"'
        ' JOIN "posts" ON "posts"."author_id" = "pairs"."id"'
    )
    assert parameters == ('[[1,"x"],[2,"y"]]',)
    assert sorted(store.execute(text, parameters).fetchall())[0] == ("x", "")


@pytest.mark.parametrize(("kind", "keyword"), [("right", "RIGHT JOIN"), ("full", "FULL JOIN"), ("cross", "CROSS JOIN")])
def test_other_joins_compile(kind: Any, keyword: str, store: Any):
    on = None if kind == "cross" else Posts.author_id == Users.id
    whole = Select(
        (Users.name, Posts.id),
        outputs("a", "b"),
        FromRelation(Users),
        (Join(kind, FromRelation(Posts), on),),
        order_by=(Users.name.asc(),),
    )
    text, parameters = given(whole)
    assert keyword in text
    assert ("NULLS LAST" in text) is (kind != "cross")
    store.execute(text, parameters)


def test_join_that_the_gateway_lacks_is_refused():
    capabilities = evolve(SQLITE.capabilities, right_join=False)
    whole = Select(
        (Users.name,), outputs("a"), FromRelation(Users), (Join("right", FromRelation(Posts), Posts.id == Users.id),)
    )
    with pytest.raises(Unsupported, match="a right join needs 'right_join', which the sqlite gateway lacks"):
        SqlCompiler(SQLITE, SQLITE_CODECS, capabilities).compile(Given(whole))


@pytest.mark.parametrize(
    ("change", "capability"),
    [
        ({"lock": "update"}, "row_locks"),
        ({"distinct_on": (Posts.id,)}, "distinct_on"),
        ({"source": FromSelect(Select((Posts.id,), outputs("a"), FromRelation(Posts)), "x", lateral=True)}, "lateral"),
    ],
    ids=["lock", "distinct-on", "lateral"],
)
def test_clause_that_the_gateway_lacks_is_refused(change: dict[str, Any], capability: str):
    whole = evolve(Select((Posts.id,), outputs("a"), FromRelation(Posts)), **change)
    with pytest.raises(Unsupported) as caught:
        given(whole)
    assert caught.value.capability == capability


def test_lock_is_written_where_the_gateway_has_it():
    able = evolve(SQLITE, capabilities=evolve(SQLITE.capabilities, row_locks=True), locks={"update": "FOR UPDATE"})
    whole = Select((Posts.id,), outputs("a"), FromRelation(Posts), lock="update")
    operation: Any = SqlCompiler(able, SQLITE_CODECS).compile(Given(whole))
    assert operation.sql == 'SELECT "posts"."id" FROM "posts" FOR UPDATE'
    with pytest.raises(Unsupported, match="skip_locked"):
        SqlCompiler(able, SQLITE_CODECS).compile(Given(evolve(whole, lock="update skip_locked")))


@pytest.mark.parametrize(
    ("query", "message", "hint"),
    [
        (
            select(Posts.id).where(USERS.name == "x"),
            "column Users.name is not among the sources: the query reads from Posts",
            "join it: .join(Users, on=Posts.author_id == Users.id)",
        ),
        (
            select(Posts.id, Posts.named("p").id),
            "column Posts.named('p').id is not among the sources: the query reads from Posts",
            "join it: .join(Posts.named('p'), on=…); or did you mean Posts.id?",
        ),
        (
            select(Users.id).where(exists(select(Posts.id).where(Posts.author_id == USERS.id))),
            "column Users.id is not among the sources: the query reads from Posts",
            "it is a column of the enclosing query: write outer(Users.id)",
        ),
        (
            select(Users.id).where(exists(select(Posts.id).where(Posts.id == outer(Memberships.user_id)))),
            "column Memberships.user_id is not among the sources: the query reads from Users",
            "join it: .join(Memberships, on=…)",
        ),
    ],
    ids=["where", "alias", "subquery", "outer"],
)
def test_column_of_a_relation_that_is_not_read_is_refused(query: Any, message: str, hint: str):
    with pytest.raises(NotJoined) as caught:
        compiled(query)
    assert caught.value.message == message
    assert caught.value.hint == hint
    assert caught.value.relation in (Users, Posts, Memberships)


def test_select_without_a_source_is_refused():
    with pytest.raises(QueryError, match="reads from no relation"):
        compiled(select(literal(1)))
    with pytest.raises(NotJoined, match=r"column Posts\.id is not among the sources: the query reads from no relation"):
        given(Select((Posts.id,), outputs("a"), reads=frozenset({Posts})))


def test_outer_outside_of_a_subquery_is_refused():
    with pytest.raises(QueryError, match=r"outer\(Posts.id\) stands outside of a subquery"):
        compiled(select(Posts.id).where(Posts.id == outer(Posts.id)))


# -- raw statements
# ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T21")
def test_raw_statement_is_the_whole_text(store: Any):
    query = raw(tuple[int, str], "select id, '?' || title from posts where id = ? /* ? */ -- ??", 1)
    assert compiled(query) == ("select id, '?' || title from posts where id = ? /* ? */ -- ??", (1,))
    assert run(store, query) == [(1, "?hello")]
    assert run(store, raw(tuple[str], 'select ? || "title" from posts where id = ?', "a", 1)) == [("ahello",)]


def test_raw_statement_may_be_counted_and_limited(store: Any):
    query: Query[Any, Any] = raw(tuple[int], "select id from posts where id > ?", 1)
    assert compiled(query.limit(2)) == ('SELECT * FROM (select id from posts where id > ?) AS "raw" LIMIT ?', (1, 2))
    assert run(store, query._derived("count", (), COUNT)) == [(4,)]


def test_raw_statement_has_no_columns_of_relations():
    query = raw(tuple[int], "select id from posts").where(POSTS.id == 1)
    with pytest.raises(NotJoined):
        compiled(query)


@pytest.mark.feature("T21")
def test_raw_operation_gets_the_placeholders_of_the_dialect():
    from mapper.operations import RawSql

    numbered = SqlCompiler(evolve(SQLITE, placeholder=lambda number, bind: f"${number}"), SQLITE_CODECS)
    operation = RawSql("select ?, '?', ??, \"?\" -- ?", (1,))
    assert numbered.raw_text(operation) == "select $1, '?', ?, \"?\" -- ?"
    with pytest.raises(QueryError, match="has 1 placeholders and 2 parameters"):
        numbered.raw_text(RawSql("select ?", (1, 2)))


def test_numbered_placeholders_follow_the_text():
    numbered = SqlCompiler(
        evolve(SQLITE, placeholder=lambda number, bind: f"${number}", qualified=False), SQLITE_CODECS
    )
    operation: Any = numbered.compile(
        select(Posts.title + "a").where(Posts.title.ends_with("b"), Posts.visits > 1).limit(3)
    )
    assert operation.sql == (
        'SELECT "title" || $1 FROM "posts" WHERE substr("title", -length($2), length($3)) = $4 AND "visits" > $5 LIMIT $6'
    )
    assert operation.parameters == ("a", "b", "b", "b", 1, 3)


def test_columns_are_qualified_where_several_sources_have_them():
    bare = SqlCompiler(evolve(SQLITE, qualified=False), SQLITE_CODECS)

    def text(query: Any) -> str:
        operation: Any = bare.compile(query)
        return operation.sql

    assert text(select(Posts.id).where(Posts.id == 1)) == 'SELECT "id" FROM "posts" WHERE "id" = ?'
    assert text(select(Posts.id).join(Users, on=Users.id == Posts.id)).startswith('SELECT "posts"."id" FROM')
    assert text(select(Posts.id).where(exists(select(Users.id)))) == (
        'SELECT "posts"."id" FROM "posts" WHERE EXISTS (SELECT "users"."id" FROM "users")'
    )


# -- windows and common tables
# -------------------------------------------------------------------------------------------------------------


def test_windows_compile(store: Any):
    over: dict[str, Any] = {"partition_by": [Posts.author_id], "order_by": [Posts.body.desc(), Posts.id]}
    query = select(
        Posts.id,
        fn.row_number().over(**over),
        fn.lag(Posts.visits).over(order_by=[Posts.id]),
        fn.sum(Posts.price).over(order_by=[Posts.id], frame=fn.rows_between(-1, None)),
    )
    text, parameters = compiled(query)
    assert text == (
        'SELECT "posts"."id", row_number() OVER (PARTITION BY "posts"."author_id"'
        ' ORDER BY "posts"."content" DESC NULLS FIRST, "posts"."id"),'
        ' lag("posts"."visits", ?) OVER (ORDER BY "posts"."id"),'
        ' decimal_sum("posts"."price") OVER (ORDER BY "posts"."id" ROWS BETWEEN 1 PRECEDING AND UNBOUNDED FOLLOWING)'
        ' COLLATE decimal FROM "posts"'
    )
    assert parameters == (1,)
    assert sorted(run(store, query))[1] == (2, 2, 3, "21.20")


def test_windows_that_the_gateway_lacks_are_refused():
    poor = SqlCompiler(SQLITE, SQLITE_CODECS, evolve(SQLITE.capabilities, windows=False))
    with pytest.raises(Unsupported, match="row_number over a window needs 'windows'"):
        poor.compile(select(fn.row_number().over(order_by=[Posts.id])).from_(Posts))


def chain() -> Query[Any, Any]:
    """The numbers from 1 to a limit, as a recursive common table."""
    from tests.sql.blog import combined

    start = select(Users.id, literal(0)).where(Users.id == 1)
    step = select(Chain.id + 1, Chain.depth + 1).where(Chain.depth < 3)
    return combined(start, "union_all", step)


def test_recursive_common_table_compiles(store: Any):
    query = with_common(select(Chain.id, Chain.depth), Chain, chain(), recursive=True).where(Chain.id > 2)
    text, parameters = compiled(query)
    assert text == (
        'WITH RECURSIVE "chain" ("id", "depth") AS (SELECT "users"."id", ? FROM "users" WHERE "users"."id" = ?'
        ' UNION ALL SELECT integer_exact("chain"."id" + ?), integer_exact("chain"."depth" + ?) FROM "chain"'
        ' WHERE "chain"."depth" < ?) SELECT "chain"."id", "chain"."depth" FROM "chain" WHERE "chain"."id" > ?'
    )
    assert parameters == (0, 1, 1, 1, 3, 2)
    assert run(store, query) == [(3, 2), (4, 3)]


def test_reads_have_relations_and_neither_aliases_nor_common_tables():
    from tests.sql.blog import COMPILER

    query = with_common(select(Chain.id), Chain, chain(), recursive=True).join(
        Posts.named("p"), on=Posts.named("p").id == Chain.id
    )
    assert COMPILER.compile(query).reads == {Users, Posts}


def test_common_table_that_is_not_defined_is_refused():
    with pytest.raises(QueryError, match="the common table Chain is read where it is not defined"):
        compiled(select(Chain.id))


def test_common_table_of_another_width_is_refused():
    with pytest.raises(QueryError, match="Chain has 2 columns and its definition gives 1"):
        compiled(with_common(select(Chain.id), Chain, select(Users.id)))


def test_common_table_never_hides_a_relation(store: Any):
    from mapper.columns import Column
    from mapper.relation import CommonTable

    class Named(CommonTable, name="Posts"):
        id: Column[int]

    query = with_common(select(Named.id), Named, select(Posts.id).where(Posts.id < 3)).join(
        Posts, on=Posts.id == Named.id
    )
    text, _ = compiled(query)
    assert text.startswith('WITH "Posts_1" ("id") AS (SELECT "posts"."id" FROM "posts"')
    assert sorted(run(store, query)) == [(1,), (2,)]


# -- what a name cannot do
# -----------------------------------------------------------------------------------------------------------------


def test_column_that_the_store_lacks_is_an_error_and_no_string(store: Any):
    from mapper.columns import Column, column

    class Wrong(Relation[Post], name="posts"):
        id: Column[int] = column(primary_key=True)
        title: Column[str] = column(name="titel")

    for query in (
        select(Wrong.title),
        select(Wrong.id).where(Wrong.title != "x"),
        select(Wrong.id).order_by(Wrong.title),
    ):
        with pytest.raises(Exception, match="no such column"):
            run(store, query)


def test_fragment_is_enclosed_within_operators():
    query = select(Posts.id).where(fragment(bool, "1 = 1 or 1 = 1") & (Posts.id == 1), ~fragment(bool, "a or b"))
    assert compiled(query)[0].endswith('WHERE (1 = 1 or 1 = 1) AND "posts"."id" = ? AND NOT (a or b)')


def test_parameters_of_all_clauses_are_bound_in_the_order_of_the_text(store: Any):
    inner = select(Users.id).where(Users.name != "inner").limit(7)
    query = (
        select(Posts.title + "item", fn.count(filter=Posts.visits > 11))
        .join(Users, on=(Users.id == Posts.author_id) & (Users.name != "on"))
        .where(Posts.author_id.in_(inner), Posts.price < Decimal(99))
        .group_by(Posts.title + "item")
        .having(fn.count() < 12)
        .order_by((Posts.title + "item").desc(), fn.max(Posts.title) + "order")
        .limit(13)
        .offset(0)
    )
    _, parameters = compiled(query)
    assert parameters == ("item", 11, "on", "inner", 7, "99", "item", 12, "item", "order", 13, 0)
    assert len(run(store, query)) == 4


def test_parameter_of_a_placeholder_type_is_kept():
    assert Parameter(True, BOOLEAN).key == "?b"
    assert info(Posts).token.startswith("Posts#")
