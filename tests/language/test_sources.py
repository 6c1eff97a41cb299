"""Sources beside relations: subqueries, values, lateral subqueries, and aliases of all of them."""

from decimal import Decimal
from typing import Any

import pytest

from mapper import (
    Column,
    CommonTable,
    NotStored,
    QueryError,
    Repository,
    Unsupported,
    ValueNotStorable,
    fn,
    optional,
    outer,
    prepared,
    select,
    subquery,
    values,
)
from mapper.query import Query
from tests.language.library import Authors, Books, Library, Totals, Wanted

pytestmark = pytest.mark.asyncio(loop_scope="module")

BY_AUTHOR = select(Books.author_id, fn.count()).group_by(Books.author_id)
ROWS = [(1, "one", Decimal("1.10")), (3, None, None), (9, "né\"'", Decimal(2))]


async def test_subquery_is_joined_by_the_columns_of_its_class(library: Library):
    totals = subquery(Totals, BY_AUTHOR.where(Books.pages > -9))
    query = select(Authors.name, Totals.books).join(totals, on=Totals.author_id == Authors.id)
    assert await query.where(Totals.books > 1, Authors.id < 5).all(library) == [("Ada", 2)]


async def test_subquery_is_left_joined_and_what_is_missing_is_none(library: Library):
    query = select(Authors.name, optional(Totals.books)).left_join(
        subquery(Totals, BY_AUTHOR), on=Totals.author_id == Authors.id
    )
    assert await query.order_by(Authors.id).all(library) == [("Ada", 2), ("Bob", None)]


async def test_subquery_is_read_from_alone_and_counted(library: Library):
    query = select(Totals.books).from_(subquery(Totals, BY_AUTHOR)).order_by(Totals.books)
    assert await query.all(library) == [1, 2]
    assert await query.count(library) == 2
    assert await query.exists(library)


async def test_two_subqueries_of_one_class_are_told_apart_by_a_name(library: Library):
    other = Totals.named("other")
    query = (
        select(Totals.books, other.books)
        .from_(subquery(Totals, BY_AUTHOR))
        .join(subquery(other, BY_AUTHOR.where(Books.author_id == 1)), on=other.author_id == Totals.author_id)
    )
    assert await query.all(library) == [(2, 2)]


async def test_limit_holds_within_the_subquery(library: Library):
    longest = select(Books.id, Books.title, Books.price).order_by(Books.pages.desc()).limit(2)
    query = select(Wanted.label, Wanted.price).from_(subquery(Wanted, longest)).order_by(Wanted.price)
    assert await query.all(library) == [("the end", Decimal(0)), ("Red Ink", Decimal("9.90"))]


async def test_subquery_of_a_set_operation_is_filtered_as_a_whole(library: Library):
    names = (
        select(Authors.id, Authors.name, Wanted.price)
        .from_(Authors)
        .join(values(Wanted, ROWS), on=Wanted.id == Authors.id)
    )
    titles = select(Books.id, Books.title, Books.price)
    both = subquery(Wanted.named("both"), names.union_all(titles))
    found = Wanted.named("both")
    assert await select(found.label).from_(both).where(found.id == 1).order_by(found.label).all(library) == [
        "Ada",
        "Red Ink",
    ]


async def test_values_are_joined_read_from_and_given_to_a_common_table(library: Library):
    rows = values(Wanted, ROWS)
    joined = select(Books.title, Wanted.label, Wanted.price).join(rows, on=Wanted.id == Books.id).order_by(Books.id)
    expected = [("Red Ink", "one", Decimal("1.10")), ("the end", None, None)]
    assert await joined.all(library) == expected
    alone = select(Wanted.id, optional(Books.title)).from_(rows).left_join(Books, on=Wanted.id == Books.id)
    assert await alone.order_by(Wanted.id).all(library) == [(1, "Red Ink"), (3, "the end"), (9, None)]
    common = select(Books.title, Wanted.label, Wanted.price).join(Wanted, on=Wanted.id == Books.id)
    assert await common.with_(Wanted, rows).order_by(Books.id).all(library) == expected


async def test_values_of_any_number_are_one_parameter(library: Library):
    gateway = library._executor.gateway
    one = select(Wanted.id).from_(values(Wanted, ROWS[:1]))
    many = select(Wanted.id).from_(values(Wanted, [(number, None, None) for number in range(40_000)]))
    assert one.key == many.key
    if gateway.capabilities.sql:
        assert gateway.compile(one).sql == gateway.compile(many).sql  # type: ignore[union-attr]  # of a SQL gateway
    assert await many.count(library) == 40_000


async def test_no_values_are_no_rows(library: Library):
    assert await select(Wanted.id).from_(values(Wanted, [])).all(library) == []


async def test_values_compare_as_their_type_does(library: Library):
    query = select(Books.id).join(values(Wanted, [(0, None, Decimal("9.9"))]), on=Wanted.price == Books.price)
    assert await query.all(library) == [1]


async def test_values_are_an_argument_of_a_prepared_query(library: Library):
    @prepared
    def labels(rows: list[tuple[int, str | None, Decimal | None]]) -> Query[Any, Any]:
        return select(Books.title, Wanted.label).join(values(Wanted, rows), on=Wanted.id == Books.id)

    assert await labels([(1, "x", None)]).all(library) == [("Red Ink", "x")]
    assert await labels([(3, "y", None), (1, "z", None)]).order_by(Books.id).all(library) == [
        ("Red Ink", "z"),
        ("the end", "y"),
    ]


async def test_values_of_one_column_need_no_tuples(library: Library):
    class Ids(CommonTable):
        id: Column[int]

    assert await select(Ids.id).from_(values(Ids, [2, 1])).order_by(Ids.id).all(library) == [1, 2]


async def test_lateral_subquery_sees_the_sources_before_it_or_is_refused(library: Library):
    latest = select(Books.author_id, Books.id).where(Books.author_id == outer(Authors.id)).order_by(Books.id.desc())
    source = subquery(Totals, latest.limit(1), lateral=True)
    query = select(Authors.name, Totals.books).join(source, on=Totals.author_id == Authors.id)
    if library._executor.gateway.capabilities.lateral or library._executor.gateway.name == "memory":
        assert await query.all(library) == [("Ada", 2)]
    else:
        with pytest.raises(Unsupported, match="lateral"):
            await query.all(library)


async def test_relations_of_a_subquery_must_be_stored(library: Library):
    class Shelf(Repository[Authors]): ...

    shelf = Shelf(library._executor.gateway)
    query: Any = select(Authors.name, Totals.books).join(subquery(Totals, BY_AUTHOR), on=Totals.author_id == Authors.id)
    with pytest.raises(NotStored, match="Books"):
        await query.all(shelf)


untyped: Any = subquery
listed: Any = values


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: untyped(Totals, select(Books.id)), "2 columns, and its definition gives 1"),
        (lambda: untyped(Totals, select(Books.id, Books.title)), "Totals.books is int, and its definition gives str"),
        (lambda: untyped(Books, select(Books.id)), "Books is a relation"),
        (lambda: untyped(Totals, Totals), "takes a query"),
        (lambda: listed(Wanted, [(1, "x")]), "is no row of Wanted, which has the columns id, label, price"),
        (lambda: listed(Wanted, 3), "takes rows"),
        (lambda: listed(Books, []), "Books is a relation"),
    ],
)
async def test_source_that_does_not_fit_its_class_is_refused(build: Any, text: str):
    with pytest.raises(QueryError, match=text):
        build()


@pytest.mark.parametrize(
    ("row", "text"), [((None, "x", None), "never NULL"), (("1", "x", None), "Wanted.id cannot be given: found str '1'")]
)
async def test_value_that_is_none_of_its_column_is_refused(row: Any, text: str):
    with pytest.raises(ValueNotStorable, match=text) as refused:
        listed(Wanted, [row])
    assert refused.value.column == "id"
