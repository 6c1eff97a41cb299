"""Several queries as one unit, and groups of several kinds in one query."""

from typing import Any

import pytest

from mapper import ManyRows, NotStored, QueryError, Repository, Unsupported, batch, fn, optional, raw, select
from mapper.operations import Transaction
from tests.language.library import ILE, Authors, Book, Books, Library

pytestmark = pytest.mark.asyncio(loop_scope="module")

TITLES = select(Books.title).order_by(Books.id)
BOOKS = select(Book).from_(Books)


@pytest.mark.feature("T23")
async def test_batch_gives_each_result_in_its_slot(library: Library):
    count = select(fn.count()).from_(Books)
    found = await batch(TITLES, BOOKS.find(2), BOOKS.find(99), count, TITLES.where(Books.id > 9)).execute(library)
    assert found == (["Red Ink", "Île", "the end"], ILE, None, [3], [])
    assert await batch().execute(library) == ()
    assert await batch(*[TITLES.limit(1)] * 8).execute(library) == (["Red Ink"],) * 8


@pytest.mark.feature("T23")
async def test_batch_is_one_transaction_and_one_read_a_query(library: Library):
    events: list[Any] = []
    stop = library._executor.gateway.subscribe(lambda event: events.append(event.operation))
    await batch(TITLES, BOOKS.find(2)).execute(library)
    stop()
    kinds = [each.kind if isinstance(each, Transaction) else "read" for each in events]
    assert kinds == ["start", "read", "read", "commit"]
    assert events[0].read_only is library._executor.gateway.capabilities.read_only


@pytest.mark.feature("T23")
async def test_batch_in_a_transaction_sees_what_that_wrote(scratch: Library):
    changes = Library.change()
    changes.updates(Books).where(Books.id == 1).set(Books.title.to("new"))
    await changes.commit(scratch)
    assert await batch(TITLES.limit(1), BOOKS.find(2)).execute(scratch) == (["new"], ILE)


async def test_batch_is_refused_whole_where_one_query_is_wrong(library: Library):
    class Shelf(Repository[Books]): ...

    events: list[Any] = []
    gateway = library._executor.gateway
    stop = gateway.subscribe(events.append)
    pair: Any = batch(TITLES, select(Authors.id))
    with pytest.raises(NotStored):
        await pair.execute(Shelf(gateway))
    with pytest.raises(QueryError):
        await batch(TITLES, select(Books.id).where(fn.count() > 1)).execute(library)
    stop()
    assert events == []
    with pytest.raises(QueryError, match="beforehand"):
        batch(TITLES, raw(Book, "select 1"))
    untyped: Any = batch
    with pytest.raises(QueryError, match="a batch is of queries"):
        untyped(Books)


async def test_key_of_a_batch_that_a_join_multiplies_is_an_error(library: Library):
    several = select(Authors.name).join(Books, on=Books.author_id == Authors.id).find(1)
    with pytest.raises(ManyRows):
        await batch(TITLES, several).execute(library)


async def test_groups_of_several_kinds_where_the_store_has_them(library: Library):
    author: Any = optional(Books.author_id)
    rolled = select(author, fn.count(), fn.grouping(Books.author_id)).group_by(fn.rollup(Books.author_id))
    if not library._executor.gateway.capabilities.grouping_sets:
        with pytest.raises(Unsupported, match="grouping"):
            await rolled.all(library)
        return
    assert await rolled.order_by(fn.count()).all(library) == [(None, 1, 0), (1, 2, 0), (None, 3, 1)]
    public: Any = optional(Books.pages > 0)
    cubed = select(author, public, fn.count()).group_by(fn.cube(Books.author_id, Books.pages > 0))
    assert len(await cubed.all(library)) == 3 + 2 + 2 + 1
    sets = select(author, optional(Books.title), fn.count()).group_by(
        fn.grouping_sets((Books.author_id, Books.title), (Books.author_id,), ())
    )
    assert len(await sets.all(library)) == 3 + 2 + 1


async def test_column_that_some_groups_are_no_part_of_must_be_optional(library: Library):
    query = select(Books.pages, fn.count()).group_by(fn.rollup(Books.pages))
    with pytest.raises(QueryError, match="some groups are no part of it"):
        await query.all(library)
    untyped: Any = fn
    with pytest.raises(QueryError, match="rollup of nothing"):
        untyped.rollup()
    with pytest.raises(QueryError, match="takes tuples"):
        untyped.grouping_sets(Books.pages)
