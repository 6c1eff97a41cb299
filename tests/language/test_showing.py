"""Queries and expressions as text for people, and errors that point at the part that is wrong."""

from typing import Any

import attrs
import pytest

from gateways.sqlite import SQLiteGateway
from mapper import (
    Column,
    NotJoined,
    QueryError,
    Relation,
    column,
    exists,
    fn,
    fragment,
    literal,
    optional,
    outer,
    raw,
    rows_between,
    select,
    subquery,
    tuple_,
    values,
)
from mapper.expressions import Expr
from mapper.wording import laid_out
from tests.language.library import Authors, Book, Books, Library, Totals, Wanted

BY_AUTHOR = select(Books.author_id, fn.count()).where(Books.pages > 5).group_by(Books.author_id)
OTHER = Books.named("other")


@attrs.frozen
class Secret:
    token: str


class Secrets(Relation[Secret]):
    id: Column[int] = column(primary_key=True)
    token: Column[str] = column(sensitive=True)


EXPRESSIONS: list[tuple[Any, str]] = [
    (Books.pages > 3, "Books.pages > ?"),
    ((Books.pages > 3) & (Books.title == "x"), "(Books.pages > ?) & (Books.title == ?)"),
    (~Books.tags.contains("x"), "~Books.tags.contains(?)"),
    (Books.title.in_(["a", "b"]), "Books.title.in_(?)"),
    (Books.subtitle.is_null(), "Books.subtitle.is_null()"),
    ((Books.pages + 1) * 2, "(Books.pages + ?) * ?"),
    (OTHER.pages.cast(str), "Books.named('other').pages.cast(str)"),
    (fn.lower(Books.title), "fn.lower(Books.title)"),
    (fn.count(), "fn.count()"),
    (fn.count(Books.id, filter=Books.pages > 1), "fn.count(Books.id) FILTER (WHERE Books.pages > ?)"),
    (fn.row_number().over(order_by=[Books.id]), "fn.row_number() OVER (ORDER BY Books.id)"),
    (tuple_(Books.id, Books.pages) == (1, 2), "(Books.id, Books.pages) == (?, ?)"),
    (Books.extra["a"][0].as_(int), "Books.extra['a'][0].as_(int)"),
    (fragment(int, "abs(?)", Books.pages), "(abs(Books.pages))"),
    (outer(Books.id), "outer(Books.id)"),
    (literal(3), "?"),
    (Books.pages.desc(), "Books.pages.desc()"),
    (Books.subtitle.asc().nulls_first(), "Books.subtitle.asc().nulls_first()"),
    (Books.pages.to(3), "Books.pages.to(3)"),
    (Secrets.token.to("hush"), "Secrets.token.to(...)"),
    (exists(select(Books.id)), "exists(…)"),
]


@pytest.mark.parametrize(("expression", "text"), EXPRESSIONS, ids=[text for _, text in EXPRESSIONS])
def test_expression_is_shown_as_it_is_written_without_values(expression: Any, text: str):
    assert repr(expression) == text


def test_query_is_shown_with_a_clause_a_line_and_values_apart():
    query = (
        select(Books.title, optional(Authors.name), fn.count())
        .left_join(Authors, on=(Authors.id == Books.author_id) & (Authors.name != "x'y"))
        .where(Books.title == "it's", (Books.pages > 3) | Books.subtitle.is_null())
        .group_by(Books.title, Authors.name)
        .having(fn.count() > 1)
        .order_by(Books.title.desc(), optional(Authors.name))
        .limit(10)
        .offset(20)
    )
    assert str(query).splitlines() == [
        "SELECT books.title, authors.name, count(*)",
        "FROM books",
        "LEFT JOIN authors ON authors.id = books.author_id AND authors.name <> $1",
        "WHERE books.title = $2 AND (books.pages > $3 OR books.subtitle IS NULL)",
        "GROUP BY books.title, authors.name",
        "HAVING count(*) > $4",
        "ORDER BY books.title DESC, authors.name NULLS LAST",
        "LIMIT $5",
        "OFFSET $6",
        '-- $1: "x\'y"',
        '-- $2: "it\'s"',
        "-- $3: 3",
        "-- $4: 1",
        "-- $5: 10",
        "-- $6: 20",
    ]


def test_query_is_shown_with_its_subqueries_and_common_tables():
    query = (
        select(Authors.name, Totals.books)
        .join(subquery(Totals, BY_AUTHOR), on=Totals.author_id == Authors.id)
        .where(exists(select(Books.id).where(Books.author_id == outer(Authors.id))))
    )
    assert str(query).splitlines() == [
        "SELECT authors.name, totals.books",
        "FROM authors",
        "JOIN (",
        "  SELECT books.author_id, count(*)",
        "  FROM books",
        "  WHERE books.pages > $1",
        "  GROUP BY books.author_id",
        ") AS totals ON totals.author_id = authors.id",
        "WHERE EXISTS (SELECT books.id FROM books WHERE books.author_id = authors.id)",
        "-- $1: 5",
    ]
    common = select(Totals.books).with_(Totals, BY_AUTHOR)
    assert str(common).splitlines()[0] == "WITH totals (author_id, books) AS ("
    assert str(common).splitlines()[-3:] == ["SELECT totals.books", "FROM totals", "-- $1: 5"]


@pytest.mark.parametrize(
    ("query", "line"),
    [
        (select(Books.id).union_all(select(Authors.id)), "UNION ALL"),
        (select(Wanted.id).from_(values(Wanted, [])), "FROM (VALUES $1) AS wanted (id, label, price)"),
        (select(Books.id).distinct(), "SELECT DISTINCT books.id"),
        (select(OTHER.id).from_(OTHER), "FROM books AS other"),
        (select(Books.id).for_update(skip_locked=True), "FOR UPDATE SKIP LOCKED"),
        (select(Books.id.in_([1, 2, 3, 4])), "-- $1: [1, 2, 3, … 4 in all]"),
        (select(Book).from_(Books).find(3), "WHERE books.id = $1"),
        (select(fn.case((Books.id > 1, "a"), else_="b")), "SELECT CASE WHEN books.id > $1 THEN $2 ELSE $3 END"),
        (raw(Book, "select * from books where id = ?", 3), "select * from books where id = $1"),
        (
            select(fn.sum(Books.pages).over(partition_by=[Books.author_id], frame=rows_between(None, 0))),
            "SELECT sum(books.pages) OVER (PARTITION BY books.author_id ROWS None TO 0)",
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_query_of_each_kind_is_shown(query: Any, line: str):
    assert line in str(query).splitlines()


def test_values_of_sensitive_columns_are_not_shown():
    query = select(Secrets.id).where((Secrets.token == "hush") | Secrets.token.in_(["hush"]), Secrets.id > 4)
    nested = select(Books.id).where(exists(select(Secrets.id).where(fn.lower(Secrets.token) == "hush")))
    for each in (str(query), repr(query), str(nested)):
        assert "hush" not in each
    assert "-- $3: 4" in str(query)


def test_long_values_and_queries_are_cut():
    query = select(Books.id).where(Books.title == "x" * 1000)
    assert max(map(len, str(query).splitlines())) < 100
    assert len(repr(select(*[Books.title] * 5).where(Books.title.in_(["x"] * 50), *[Books.pages > 1] * 50))) < 320


def test_query_that_is_none_yet_is_shown_with_the_reason():
    unfinished: Any = select(Book, Authors.id)
    assert str(unfinished).startswith("-- not a query yet: Book is selected, and the query reads no relation")


def test_operation_is_shown_with_a_clause_a_line():
    query = select(Books.title).where(Books.title == "x FROM y", exists(select(Authors.id))).order_by(Books.id).limit(3)
    assert str(SQLiteGateway(":memory:").compile(query)).splitlines() == [
        'SELECT "books"."title"',
        'FROM "books"',
        'WHERE "books"."title" = ? AND EXISTS (SELECT "authors"."id" FROM "authors")',
        'ORDER BY "books"."id"',
        "LIMIT ?",
    ]


def test_words_in_texts_and_names_begin_no_clause():
    assert laid_out("SELECT 'a FROM b', \"x WHERE y\" FROM t") == "SELECT 'a FROM b', \"x WHERE y\"\nFROM t"
    assert laid_out("SELECT fromage FROM t") == "SELECT fromage\nFROM t"


UNREAD: list[tuple[str, Any, str, str]] = [
    (
        "a relation that a reference leads to",
        select(Books.id).where(Authors.name == "x"),  # type: ignore[arg-type]  # what is refused
        "column Authors.name is not among the sources: the query reads from Books",
        "join it: .join(Authors, on=Books.author_id == Authors.id)",
    ),
    (
        "another name of a relation",
        select(OTHER.id).from_(OTHER).where(Books.title == "x"),
        "column Books.title is not among the sources: the query reads from Books.named('other')",
        "join it: .join(Books, on=…); or did you mean Books.named('other').title?",
    ),
    (
        "a common table that nothing defines",
        select(Books.id, Totals.books),
        "column Totals.books is not among the sources: the query reads from Books",
        "join it: .join(Totals, on=…)",
    ),
]


@pytest.mark.parametrize(("query", "message", "hint"), [pytest.param(*rest, id=name) for name, *rest in UNREAD])
@pytest.mark.asyncio(loop_scope="module")
async def test_relation_that_is_not_read_is_named_with_the_join_to_add(
    library: Library, query: Any, message: str, hint: str
):
    with pytest.raises(NotJoined) as refused:
        library._executor.gateway.compile(query)
    assert (refused.value.message, refused.value.hint) == (message, hint)


chosen: Any = select
functions: Any = fn
TAGS: Any = Books.tags
PAGES: Expr[Any, Any] = Books.pages

WRONG: list[tuple[str, Any, str]] = [
    (
        "missing group_by",
        lambda: chosen(Books.title, fn.count()),
        "Books.title is not one of what the rows are grouped",
    ),
    ("aggregate in where", lambda: chosen(Books.id).where(fn.count() > 1), "count"),
    ("window in where", lambda: chosen(Books.id).where(fn.row_number().over() > 1), "row_number"),
    (
        "where behind a set operation",
        lambda: chosen(Books.id).union(chosen(Authors.id)).where(Books.id > 1),
        "where behind a set operation",
    ),
    ("arity of a set operation", lambda: chosen(Books.id).union(chosen(Books.id, Books.title)), "1 and 2 columns"),
    (
        "types of a set operation",
        lambda: chosen(Books.id).union(chosen(Books.title)),
        "which is int, and .* which is str",
    ),
    ("part without a type compared", lambda: chosen(Books.id).where(Books.extra["a"] == 1), "type is not known"),
    ("part without a type in the order", lambda: chosen(Books.id).order_by(Books.extra["a"]), "type is not known"),
    ("part of a number", lambda: PAGES["a"], "Books.pages is int, which has no parts"),
    ("part as what JSON has not", lambda: Books.extra["a"].as_(bytes), "cannot be taken as"),
    ("field that a document has not", lambda: Books.details["cover"], "Details has no field 'cover'"),
    ("path that is none", lambda: Books.details.at(lambda each: 3), "the path returned 3"),
    ("iteration", lambda: fn.date_trunc("hour", Books.bought), "expected one of"),
    ("difference of unlike moments", lambda: Books.printed - PAGES, "move by a timedelta"),
    ("power of a decimal", lambda: functions.power(Books.price, 2), "would lose digits"),
    ("greatest of unlike values", lambda: functions.greatest(Books.pages, Books.title), "different types"),
    (
        "distinct texts in another order",
        lambda: fn.string_agg(Books.title, "", distinct=True, order_by=[Books.id]),
        "distinct",
    ),
    ("no item in a list", lambda: TAGS.contains(None), "NULL equals no item"),
    ("window described twice", lambda: fn.rank().over(fn.window(), order_by=[Books.id]), "described too"),  # type: ignore[call-overload]  # as above
]


@pytest.mark.parametrize(("build", "text"), [pytest.param(*rest, id=name) for name, *rest in WRONG])
@pytest.mark.asyncio(loop_scope="module")
async def test_wrong_part_of_a_query_is_named_before_io(library: Library, build: Any, text: str):
    with pytest.raises(QueryError, match=text):
        library._executor.gateway.compile(build())


def test_expression_is_not_iterated():
    with pytest.raises(TypeError, match="not iterable"):
        iter(TAGS)
    with pytest.raises(TypeError):
        _ = "x" in TAGS
