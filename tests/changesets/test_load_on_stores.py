"""Loads on every store: the row that was refused, going on behind an error, and how far the source is ahead."""

import io
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import Any

import pytest
from anyio.lowlevel import checkpoint
from rich.console import Console

from mapper.errors import (
    CheckViolation,
    ConnectionLost,
    ForeignKeyViolation,
    MapperError,
    QueryError,
    RolledBack,
    UniqueViolation,
    ValueNotStorable,
)
from mapper.gateway import Gateway
from mapper.progress import rich_progress
from mapper.selecting import select
from tests.changesets.blog import Blog, Comment, Comments, Post, Posts
from tests.fake_gateway import FakeGateway
from tests.scripts.stock import Product, Products, Shelf, Shelves, Stock
from tests.transactions.stores import databases, store

__all__ = ["databases", "store"]

pytestmark = pytest.mark.feature("B15")

SHELF = 1


@pytest.fixture
async def stock(store: Gateway) -> Stock:
    """A repository with one shelf, whose key is 1."""
    stock = Stock(store)
    await stock.push_schema()
    await stock.load(Shelves, [Shelf("low")])
    assert await select(Shelves.id).all(stock) == [SHELF]
    return stock


def products(numbers: Iterable[int], *, shelf: dict[int, int] | None = None, **odd: Any) -> Iterator[Any]:
    """Give a row for each number; `label` and `count` map numbers to what is odd about their rows."""
    labels, counts = odd.get("label", {}), odd.get("count", {})
    for number in numbers:
        product = Product(labels.get(number, f"p{number}"), counts.get(number, number))
        yield product, Products.shelf_id.to((shelf or {}).get(number, SHELF))


async def labels(stock: Stock) -> list[str]:
    return await select(Products.label).order_by(Products.id).all(stock)


ODD: list[tuple[dict[str, Any], type[MapperError]]] = [
    ({"label": "p3"}, UniqueViolation),
    ({"count": -1}, CheckViolation),
    ({"shelf": 99}, ForeignKeyViolation),
]


@pytest.mark.parametrize(("odd", "kind"), ODD, ids=["unique", "check", "reference"])
@pytest.mark.parametrize(
    ("chunk", "rows", "at"), [(10, 30, 10), (10, 30, 17), (10, 27, 26), (1, 9, 5), (400, 900, 777)]
)
async def test_refused_row_is_told_by_its_number_and_the_load_goes_on_behind_the_error(
    stock: Stock, odd: dict[str, Any], kind: type[MapperError], chunk: int, rows: int, at: int
):
    source = list(products(range(rows), **{name: {at: value} for name, value in odd.items()}))
    with pytest.raises(kind, match=rf"^row {at} of the source: ") as caught:
        await stock.load(Products, source, chunk=chunk)
    done = at // chunk * chunk
    assert (caught.value.row, caught.value.rows_done) == (at, done)
    last = min(done + chunk, rows) - 1
    assert caught.value.__notes__ == [f"of the source, rows {done} to {last} are not stored; the {done} before are"]
    assert await labels(stock) == [f"p{number}" for number in range(done)]
    source[at] = next(products([at]))
    assert await stock.load(Products, source, chunk=chunk, start=done) == rows
    assert await labels(stock) == [f"p{number}" for number in range(rows)]
    assert stock._executor.gateway.statistics().in_use == 0


async def test_first_of_several_refused_rows_is_told_with_its_own_error(stock: Stock):
    source = products(range(400), count={300: -1}, label={120: "p7"}, shelf={350: 99})
    with pytest.raises(UniqueViolation) as caught:
        await stock.load(Products, source)
    assert (caught.value.row, caught.value.constraint) == (120, "uq_products_label")


async def test_row_that_a_stored_one_refuses_is_told(stock: Stock):
    await stock.load(Products, products([250]))
    with pytest.raises(UniqueViolation) as caught:
        await stock.load(Products, products(range(300)))
    assert (caught.value.row, caught.value.rows_done) == (250, 0)


async def test_row_that_does_not_fit_has_its_number_counted_from_the_beginning_of_the_source(stock: Stock):
    source: Any = [*products(range(12)), Post("no product")]
    with pytest.raises(QueryError) as caught:
        await stock.load(Products, source, chunk=5)
    assert (caught.value.row, caught.value.rows_done) == (12, 10)
    with pytest.raises(ValueNotStorable) as second:
        await stock.load(Products, products(range(14), label={13: 13}), chunk=5, start=10)
    assert (second.value.row, second.value.rows_done) == (13, 10)
    assert len(await labels(stock)) == 10


async def test_load_goes_on_behind_every_lost_connection(fake: FakeGateway):
    stored: list[int] = []
    blog, source, done = Blog(fake), [Post(f"t{number}") for number in range(45)], 0

    def progress(rows: int) -> None:
        stored.append(rows)
        fake.fail("insert Posts 10", ConnectionLost("gone"))

    for _ in range(3):
        with pytest.raises(ConnectionLost) as caught:
            await blog.load(Posts, source, chunk=10, start=done, on_progress=progress)
        assert caught.value.row is None
        assert caught.value.rows_done == done + 10
        done = caught.value.rows_done
    assert await blog.load(Posts, islice(source, None), chunk=10, start=done, on_progress=stored.append) == 45
    assert stored == [10, 20, 30, 40, 45]


async def test_start_counts_rows_of_an_async_source_too(stock: Stock):
    async def source() -> AsyncIterator[Any]:
        for row in products(range(25)):
            await checkpoint()
            yield row

    seen: list[int] = []
    assert await stock.load(Products, source(), chunk=10, start=7, on_progress=seen.append) == 25
    assert seen == [17, 25]
    assert await labels(stock) == [f"p{number}" for number in range(7, 25)]


async def test_start_behind_the_end_of_the_source_is_refused(stock: Stock):
    assert await stock.load(Products, products(range(3)), start=3) == 3
    with pytest.raises(QueryError, match="start is 4, and the source has only 3 rows"):
        await stock.load(Products, products(range(3)), start=4)
    assert await labels(stock) == []


@pytest.mark.parametrize("start", [-1, 1.5, True, None])
async def test_wrong_start_is_refused(fake: FakeGateway, start: Any):
    with pytest.raises(QueryError, match="start is"):
        await Blog(fake).load(Posts, [], start=start)


async def test_error_of_the_source_comes_out_as_it_is_and_whole_chunks_are_stored(stock: Stock):
    def source() -> Iterator[Any]:
        yield from products(range(17))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await stock.load(Products, source(), chunk=5)
    assert len(await labels(stock)) == 15


async def test_refused_chunk_undoes_the_transaction_that_it_is_a_part_of(stock: Stock):
    with pytest.raises(UniqueViolation) as caught:
        async with stock.transaction() as tx:
            await tx.load(Products, products(range(14), label={13: "p1"}), chunk=5)
    assert (caught.value.row, caught.value.rows_done) == (None, 10)
    with pytest.raises(RolledBack):
        async with stock.transaction() as tx:
            with pytest.raises(UniqueViolation):
                await tx.load(Products, products(range(2), label={1: "p0"}))
    assert await labels(stock) == []


async def test_refused_row_of_two_shapes_is_told(store: Gateway):
    blog = Blog(store)
    await blog.push_schema()
    await blog.load(Posts, [Post("a")])
    post = await select(Posts.id).one(blog)
    rows = [(Comment(f"c{number}"), Comments.post_id.to(post)) for number in range(20)]
    rows[11] = (Comment("c11"), Comments.post_id.to(post + 1))
    shapes: list[Any] = [
        (*row, Comments.id.to(1000 + number)) if number % 3 else row for number, row in enumerate(rows)
    ]
    with pytest.raises(ForeignKeyViolation, match=r"^row 11 of the source: "):
        await blog.load(Comments, shapes)
    assert await select(Comments.id).all(blog) == []


async def test_source_is_never_ahead_by_more_than_the_chunk_that_is_stored(stock: Stock):
    taken = done = ahead = 0

    async def source() -> AsyncIterator[Any]:
        nonlocal taken, ahead
        for row in products(range(500)):
            taken += 1
            ahead = max(ahead, taken - done)
            yield row

    def progress(rows: int) -> None:
        nonlocal done
        done = rows

    assert await stock.load(Products, source(), chunk=50, on_progress=progress) == 500
    assert ahead <= 50


# -- a bar -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", [45, None])
async def test_bar_shows_what_is_done(fake: FakeGateway, total: int | None):
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    with rich_progress("posts [new]", total=total, console=console) as progress:
        await Blog(fake).load(Posts, [Post("x")] * 45, chunk=10, on_progress=progress)
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert "posts [new]" in shown
    assert f"45/{total or '?'}" in shown
    assert "rows/s" in shown


async def test_bar_of_a_load_that_goes_on_begins_where_that_ended(fake: FakeGateway):
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    with pytest.raises(ConnectionLost) as caught, rich_progress("posts", total=30, console=console) as progress:

        def failing(rows: int) -> None:
            progress(rows)
            fake.fail("insert Posts 10", ConnectionLost("gone"))

        await Blog(fake).load(Posts, [Post("x")] * 30, chunk=10, on_progress=failing)
    done = caught.value.rows_done
    with rich_progress("posts", total=30, done=done, console=console) as progress:
        await Blog(fake).load(Posts, [Post("x")] * 30, chunk=10, start=done, on_progress=progress)
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert "10/30" in shown
    assert "30/30" in shown


async def test_bar_without_rich_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with pytest.raises(QueryError, match=r"tbd-mapper\[cli\]"), rich_progress("posts"):
        pytest.fail("there is a bar")
