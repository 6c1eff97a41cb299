"""Expressions to SQL: exact text and parameters, and the same behaviour on a real database."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from mapper import functions as fn
from mapper.deferred import Placeholder
from mapper.errors import QueryError, Unsupported, ValueNotStorable
from mapper.expressions import Call, Expr, ListParameter, RowValue
from mapper.selecting import select
from mapper.terms import excluded, fragment, literal
from mapper.types import Boolean, Float, Integer, Text
from tests.sql.blog import Memberships, Posts, Users, compiled, condition, filled, plan, run

pytestmark = pytest.mark.feature("T17")

P = '"posts".'
ANY: Any = Posts
"""The relation as one that no type checker looks at, for operands of the wrong type."""
USERS: Any = RowValue([Users.id, Users.name])


@pytest.fixture(scope="module")
def store() -> Iterator[Any]:
    connection = filled()
    yield connection
    connection.close()


CONDITIONS: list[Any] = [
    pytest.param(Posts.title == "x", f'{P}"title" = ?', ("x",), id="eq"),
    pytest.param(Posts.title != "x", f'{P}"title" <> ?', ("x",), id="ne"),
    pytest.param(Posts.body == None, f'{P}"content" IS NULL', (), id="is_null"),
    pytest.param(Posts.body != None, f'{P}"content" IS NOT NULL', (), id="is_not_null"),
    pytest.param(Posts.body.is_distinct_from("x"), f'{P}"content" IS NOT ?', ("x",), id="is_distinct"),
    pytest.param(Posts.body.is_not_distinct_from(None), f'{P}"content" IS ?', (None,), id="is_not_distinct"),
    pytest.param(Posts.visits.between(1, 3), f'{P}"visits" BETWEEN ? AND ?', (1, 3), id="between"),
    pytest.param(~Posts.public, f'NOT {P}"public"', (), id="not"),
    pytest.param(~(Posts.visits > 3), f'NOT ({P}"visits" > ?)', (3,), id="not-comparison"),
    pytest.param(
        (Posts.title == "x") | Posts.public & (Posts.visits > 3),
        f'{P}"title" = ? OR ({P}"public" AND {P}"visits" > ?)',
        ("x", 3),
        id="or-and",
    ),
    pytest.param(
        Posts.public & (Posts.visits > 1) & ((Posts.visits < 9) | Posts.public),
        f'{P}"public" AND {P}"visits" > ? AND ({P}"visits" < ? OR {P}"public")',
        (1, 9),
        id="and-flat",
    ),
    pytest.param(
        Posts.visits * 2 - (Posts.id - 1) > 0,
        f'integer_exact(({P}"visits" * ?) - ({P}"id" - ?)) > ?',
        (2, 1, 0),
        id="arithmetic",
    ),
    pytest.param(Posts.visits / 2 > 1.5, f'(CAST({P}"visits" AS REAL) / ?) > ?', (2, 1.5), id="div"),
    pytest.param(Posts.visits % 2 == 1, f'({P}"visits" % ?) = ?', (2, 1), id="mod"),
    pytest.param(Posts.title + "!" == "x!", f'({P}"title" || ?) = ?', ("!", "x!"), id="concat"),
    pytest.param(
        ANY.price * 2 > Decimal("2.2"),
        f'decimal_mul({P}"price", ?) COLLATE decimal > ?',
        (2, "2.2"),
        id="decimal",
    ),
    pytest.param(
        Posts.visits.in_([1, 2]), f'{P}"visits" IN (SELECT value FROM json_each(?))', ("[1,2]",), id="in"
    ),
    pytest.param(
        Posts.title.in_(["a", 'q"']),
        f'{P}"title" IN (SELECT value FROM json_each(?))',
        ('["a","q\\""]',),
        id="in-text",
    ),
    pytest.param(
        Posts.visits.not_in([1]), f'{P}"visits" NOT IN (SELECT value FROM json_each(?))', ("[1]",), id="not-in"
    ),
    pytest.param(
        Posts.body.not_in(["a"]),
        f'({P}"content" IN (SELECT value FROM json_each(?))) IS NOT TRUE',
        ('["a"]',),
        id="not-in-nullable",
    ),
    pytest.param(
        Posts.body.in_(["a", None]),
        f'{P}"content" IS NULL OR {P}"content" IN (SELECT value FROM json_each(?))',
        ('["a"]',),
        id="in-none",
    ),
    pytest.param(
        Posts.body.not_in(["a", None]),
        f'{P}"content" IS NOT NULL AND ({P}"content" IN (SELECT value FROM json_each(?))) IS NOT TRUE',
        ('["a"]',),
        id="not-in-none",
    ),
    pytest.param(
        Posts.title.starts_with("he"), f'{P}"title" >= ? AND {P}"title" < ?', ("he", "hf"), id="starts_with"
    ),
    pytest.param(
        ~Posts.title.starts_with("he"), f'NOT ({P}"title" >= ? AND {P}"title" < ?)', ("he", "hf"), id="not-starts_with"
    ),
    pytest.param(
        ANY.title.starts_with(ANY.body), f'instr({P}"title", {P}"content") = 1', (), id="starts_with-column"
    ),
    pytest.param(
        Posts.title.ends_with("d"), f'substr({P}"title", -length(?), length(?)) = ?', ("d", "d", "d"), id="ends_with"
    ),
    pytest.param(Posts.title.contains("%"), f'instr({P}"title", ?) > 0', ("%",), id="contains"),
    pytest.param(Posts.title.like("h%_*"), f'{P}"title" GLOB ?', ("h*?[*]",), id="like"),
    pytest.param(
        ANY.title.like(ANY.body), f"like_exact({P}\"content\", {P}\"title\", '\\')", (), id="like-column"
    ),
    pytest.param(
        Posts.tags.contains("x"),
        f'CASE WHEN {P}"tags" IS NULL THEN NULL ELSE EXISTS (SELECT 1 FROM json_each({P}"tags") WHERE value = ?) END',
        ("x",),
        id="list-contains",
    ),
    pytest.param(
        fragment(bool, "? > 3", Posts.visits + 1) | Posts.public,
        f'(integer_exact({P}"visits" + ?) > 3) OR {P}"public"',
        (1,),
        id="fragment",
    ),
    pytest.param(
        fragment(bool, "? = '?' || '??' -- ?\n", Posts.title),
        f"{P}\"title\" = '?' || '??' -- ?\n",
        (),
        id="fragment-marks",
    ),
    pytest.param(
        fn.case((Posts.public, 1), (Posts.visits > 2, 2), else_=3) == 2,
        f'CASE WHEN {P}"public" THEN ? WHEN {P}"visits" > ? THEN ? ELSE ? END = ?',
        (1, 2, 2, 3, 2),
        id="case",
    ),
    pytest.param(
        fn.coalesce(Posts.body, "-") == fn.nullif(Posts.title, ""),
        f'coalesce({P}"content", ?) = nullif({P}"title", ?)',
        ("-", ""),
        id="coalesce",
    ),
    pytest.param(
        fn.lower(fn.trim(Posts.title)) == "x", f'lower_exact(trim({P}"title")) = ?', ("x",), id="functions"
    ),
    pytest.param(
        Posts.made > datetime(2024, 1, 2, tzinfo=UTC), f'{P}"made" > ?', ("2024-01-02 00:00:00+00:00",), id="moment"
    ),
    pytest.param(
        fn.year(Posts.made) == 2024, f'year_of({P}"made") = ?', (2024,), id="year"
    ),
    pytest.param(
        Posts.body == Placeholder(0, "body"), f'{P}"content" IS ?', None, id="placeholder-nullable"
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "text", "parameters"), [each for each in CONDITIONS if each.id != "placeholder-nullable"]
)
def test_condition_compiles_to_text_and_parameters(expression: Expr[bool, Any], text: str, parameters: Any, store: Any):
    assert condition(expression) == (text, parameters)
    run(store, select(Posts.id).where(expression))


MATCHES: list[tuple[Expr[bool, Any], list[str]]] = [
    (Posts.title.starts_with("hell"), ["hello"]),
    (Posts.title.starts_with("Hell"), ["Hell_"]),
    (Posts.title.starts_with(""), ["", "Hell_", "[a]*?", "hello", "world"]),
    (Posts.title.starts_with("[a]*"), ["[a]*?"]),
    (fn.lower(Posts.title).starts_with("hell"), ["Hell_", "hello"]),
    (Posts.title.ends_with("_"), ["Hell_"]),
    (Posts.title.ends_with(""), ["", "Hell_", "[a]*?", "hello", "world"]),
    (Posts.title.ends_with("longer than any"), []),
    (Posts.title.contains("ell"), ["Hell_", "hello"]),
    (Posts.title.contains("*"), ["[a]*?"]),
    (Posts.title.like("hell_"), ["hello"]),
    (Posts.title.like("%l%"), ["Hell_", "hello", "world"]),
    (Posts.title.like(r"Hell\_"), ["Hell_"]),
    (Posts.title.like("[a]*?"), ["[a]*?"]),
    (Posts.title.like("hello\\"), []),
    (Posts.price == Decimal("1.1"), ["", "hello"]),
    (Posts.price > Decimal(2), ["[a]*?", "world"]),
    (Posts.price.in_([Decimal("1.1"), Decimal(10)]), ["", "hello", "world"]),
    (ANY.price + Decimal("0.9") == 2, ["", "hello"]),
    (Posts.price.in_([None]), ["Hell_"]),
    (Posts.price.not_in([Decimal("1.1")]), ["Hell_", "[a]*?", "world"]),
    (Posts.price.not_in([]), ["", "Hell_", "[a]*?", "hello", "world"]),
    (Posts.price.in_([]), []),
    (~Posts.price.in_([]), ["", "Hell_", "[a]*?", "hello", "world"]),
    (Posts.data.in_([b"a", b""]), ["[a]*?", "hello"]),
    (Posts.score.in_([0.5, 1e18]), ["", "hello"]),
    (Posts.public.in_([True]), ["", "Hell_", "hello"]),
    (Posts.tags.contains("x"), ["", "[a]*?", "hello"]),
    (fn.round(ANY.score) == 3.0, ["Hell_"]),
    (fn.floor(Posts.score) == -3, ["[a]*?"]),
    (fn.substring(Posts.title, -1, 4) == "he", ["hello"]),
    (fn.abs(Posts.score) == 2.5, ["Hell_", "[a]*?"]),
    (Posts.visits / 0 == None, ["", "Hell_", "[a]*?", "hello", "world"]),
    (Posts.price / 0 == None, ["", "Hell_", "[a]*?", "hello", "world"]),
]


@pytest.mark.parametrize(
    ("expression", "titles"), [pytest.param(*each, id=str(number)) for number, each in enumerate(MATCHES)]
)
def test_condition_matches_the_rows_that_it_says(expression: Expr[bool, Any], titles: list[str], store: Any):
    assert sorted(row[0] for row in run(store, select(Posts.title).where(expression))) == titles


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param(Posts.visits.in_(range(50)), id="in"),
        pytest.param(Posts.price.in_([Decimal(1)]), id="in-decimal"),
        pytest.param(Posts.title.starts_with("he"), id="starts_with"),
        pytest.param(Posts.title.like("he%"), id="like"),
        pytest.param(Posts.price == Decimal(1), id="decimal"),
        pytest.param(Posts.body.is_not_distinct_from("b"), id="is_not_distinct"),
        pytest.param((Posts.visits >= 3) & ((Posts.visits > 3) | ((Posts.visits == 3) & (Posts.id > 1))), id="keyset"),
    ],
)
def test_condition_over_an_indexed_column_searches_the_index(expression: Expr[bool, Any], store: Any):
    assert "SEARCH posts USING" in plan(store, select(Posts.id, Posts.score).where(expression))


def test_row_values_are_compared_and_listed_as_rows(store: Any):
    pair: Any = RowValue([Memberships.user_id, Memberships.team])
    query = select(Memberships.role).where(pair.in_([(1, "red"), (2, "red"), (2, "blue")]))
    text, parameters = compiled(query)
    assert text == (
        'SELECT "member ships"."role" FROM "main"."member ships" WHERE ("member ships"."user_id", "member ships"."team")'
        " IN (SELECT (value ->> 0), (value ->> 1) FROM json_each(?))"
    )
    assert parameters == ('[[1,"red"],[2,"red"],[2,"blue"]]',)
    assert sorted(run(store, query)) == [("boss",), ("crew",)]
    assert plan(store, query).startswith("SEARCH main.member ships USING")
    assert run(store, select(Memberships.role).where(pair > (1, "blue"), pair <= (1, "red"))) == [("boss",)]
    assert len(run(store, select(Memberships.role).where(pair.not_in([(1, "red")])))) == 2
    assert run(store, select(Memberships.role).where(pair.in_([]))) == []


def test_list_for_a_placeholder_may_have_none(store: Any):
    query = select(Posts.title).where(Posts.body.in_(Placeholder(0, "bodies")))  # type: ignore[arg-type]
    assert sorted(run(store, query.with_parameters((["b", None],)))) == [("hello",), ("world",)]
    assert run(store, query.with_parameters((["b"],))) == [("world",)]
    without = select(Posts.title).where(Posts.body.not_in(Placeholder(0, "bodies")))  # type: ignore[arg-type]
    assert sorted(run(store, without.with_parameters((["", None],)))) == [("Hell_",), ("[a]*?",), ("world",)]
    assert len(run(store, without.with_parameters(([],)))) == 5


def test_row_list_for_a_placeholder_takes_tuples(store: Any):
    pair: Any = RowValue([Memberships.user_id, Memberships.team])
    query = select(Memberships.role).where(pair.in_(Placeholder(0, "keys")))
    assert run(store, query.with_parameters(([(1, "red")],))) == [("boss",)]
    with pytest.raises(ValueNotStorable, match=r"item 0: found tuple \(1,\), expected a tuple of 2 values"):
        compiled(query.with_parameters(([(1,)],)))


def test_ne_with_a_placeholder_keeps_the_meaning_of_none(store: Any):
    query = select(ANY.title).where(ANY.body != Placeholder(0, "body"))
    assert len(run(store, query.with_parameters((None,)))) == 4
    assert len(run(store, query.with_parameters(("b",)))) == 3


@pytest.mark.parametrize(
    ("query", "column", "message"),
    [
        (select(ANY.id).where(ANY.visits == "3"), "visits", "Posts.visits cannot be stored: found str '3', expected an int"),
        (select(ANY.id).where(ANY.visits.between(1, "3")), "visits", "found str '3'"),
        (select(ANY.id).where(ANY.visits.in_([1, "x"])), "visits", "Posts.visits cannot be stored: item 1: found str 'x'"),
        (select(Posts.id).where(Posts.visits == 2**63), "visits", "64 bits"),
        (select(ANY.id).where(ANY.price == 1.5), "price", "found float 1.5"),
        (select(ANY.id).where(fn.lower(ANY.title) == 3), None, "a value of the query cannot be stored: found int 3"),
        (select(Users.id).where(USERS == (1, 2)), "name", "Users.name cannot be stored"),
    ],
    ids=["eq", "between", "in", "range", "float", "expression", "row"],
)  # fmt: skip
def test_value_of_the_wrong_type_names_the_column(query: Any, column: str | None, message: str):
    with pytest.raises(ValueNotStorable) as caught:
        compiled(query)
    assert caught.value.column == column
    assert message in str(caught.value)


def test_placeholder_list_that_is_no_list_is_refused():
    query = select(Posts.id).where(Posts.visits.in_(Placeholder(0, "numbers")))  # type: ignore[arg-type]
    with pytest.raises(ValueNotStorable, match="found int 3, expected values in a list"):
        compiled(query.with_parameters((3,)))
    with pytest.raises(ValueNotStorable, match="expected values in a list"):
        compiled(query.with_parameters((iter([3]),)))
    assert compiled(query.with_parameters((range(3),)))[1] == ("[0,1,2]",)


def test_limit_of_a_placeholder_must_not_be_negative():
    query = select(Posts.id).limit(Placeholder(0, "size"))  # type: ignore[arg-type]
    assert compiled(query.with_parameters((3,))) == ('SELECT "posts"."id" FROM "posts" LIMIT ?', (3,))
    for wrong in (-1, None):
        with pytest.raises(ValueNotStorable):
            compiled(query.with_parameters((wrong,)))


@pytest.mark.parametrize("name", ["ilike", "postgres:array_overlap"])
def test_operator_that_the_dialect_lacks_is_refused(name: str):
    unknown: Expr[bool, Any] = Call(name, (Posts.title, Posts.title), Boolean(), nullable=False)
    with pytest.raises(Unsupported) as caught:
        condition(unknown)
    assert (caught.value.capability, caught.value.gateway) == (name, "sqlite")


def test_cast_that_the_dialect_lacks_is_refused():
    with pytest.raises(Unsupported, match="a cast from Text to Boolean is not supported by the sqlite gateway"):
        compiled(select(Posts.title.cast(bool)))


def test_aggregate_for_windows_alone_is_refused_without_one():
    with pytest.raises(QueryError, match="row_number is for windows"):
        compiled(select(fn.row_number()).from_(Posts))


def test_excluded_outside_of_an_upsert_is_refused():
    with pytest.raises(QueryError, match=r"excluded\(Posts.title\) stands outside of an upsert"):
        condition(excluded(Posts.title) == "x")


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        (Posts.visits.cast(str), ["0", "3", "5", "7", "7"]),
        (Posts.visits.cast(float), [0.0, 3.0, 5.0, 7.0, 7.0]),
        (Posts.visits.cast(bool), [0, 1, 1, 1, 1]),
        (fn.coalesce(Posts.price, Decimal(0)).cast(int), [0, 1, 1, 9, 10]),
        (fn.coalesce(Posts.price, Decimal(0)).cast(float), [0.0, 1.1, 1.1, 9.0, 10.0]),
        (fn.coalesce(Posts.score, 0.0).cast(str), ["-2.5", "0", "0.5", "1e+18", "2.5"]),
        (Posts.public.cast(str), ["false", "false", "true", "true", "true"]),
        (Posts.title.cast(bytes), [b"", b"Hell_", b"[a]*?", b"hello", b"world"]),
    ],
    ids=["int-str", "int-float", "int-bool", "decimal-int", "decimal-float", "float-str", "bool-str", "str-bytes"],
)
def test_cast_converts_the_value(expression: Expr[Any, Any], values: list[Any], store: Any):
    assert sorted(row[0] for row in run(store, select(expression))) == values


def test_integer_arithmetic_that_overflows_is_an_error_when_it_is_read(store: Any):
    with pytest.raises(Exception, match="user-defined function raised exception"):
        run(store, select(Posts.visits + (2**63 - 1)))


def test_long_disjunctions_stay_within_the_depth_of_the_parser(store: Any):
    options = tuple(Posts.visits == number for number in range(900))
    any_of: Expr[bool, Any] = Call("or", options, Boolean(), nullable=False)
    assert len(run(store, select(Posts.id).where(any_of))) == 5


def test_constants_are_parameters_too():
    query = select(literal(1), literal("'; --"), literal(None)).from_(Posts)
    assert compiled(query) == ('SELECT ?, ?, ? FROM "posts"', (1, "'; --", None))


def test_unnumbered_parameter_is_refused():
    listed: Any = ListParameter([1], Integer())
    aggregate: Any = fn.Aggregate("sum", (listed,), Float(), nullable=True)
    assert aggregate.numbered(lambda: 0).operands[0].key == "$0"
    from gateways.sql.expressions import Expressions
    from gateways.sql.scopes import Around, Scope
    from gateways.sqlite.dialect import SQLITE

    expressions = Expressions(SQLITE, lambda select, around, named: pytest.fail("no subquery"))
    with pytest.raises(QueryError, match="a parameter must be numbered"):
        expressions.render(listed, Scope(SQLITE, Around(), qualified=True))


def test_coalesce_of_one_option_is_that_option():
    one: Expr[str, Any] = Call("coalesce", (Posts.title,), Text(), nullable=False)
    assert condition(one == "x") == ('"posts"."title" = ?', ("x",))
