"""Models, wrappers, objects and pages of random rows are the same on memory, SQLite and PostgreSQL."""

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from mapper import MapperError, optional, select
from mapper.expressions import Expr, Order
from mapper.relation import info
from tests.alike.comparison import canonical
from tests.alike.data import CONTENTS, Author, Authors, Book, Books, Content, Library, Loans
from tests.alike.expressions import Expressions, Reach
from tests.alike.stores import Stores

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(0)]


@attrs.frozen
class Line:
    """What a few columns are made into."""

    title: str
    pages: int
    note: str | None


@st.composite
def conditions(draw: DrawFn) -> Expr[bool, Books]:
    """A condition over books."""
    return Expressions(draw, Reach(list(info(Books).attributes.values()), None)).condition(2)


def runs_everywhere(condition: Expr[bool, Books]) -> bool:
    """Whether every store can tell whether it holds."""
    return "ilike(" not in condition.key


@st.composite
def orders(draw: DrawFn) -> list[Order[Books]]:
    """Terms of an order of books, mostly not a total one."""
    found = []
    for term in draw(
        st.lists(st.sampled_from([Books.pages, Books.note, Books.price, Books.printed, Books.public]), max_size=2)
    ):
        order = term.desc() if draw(st.booleans()) else term.asc()
        found.append(draw(st.sampled_from([order, order, order.nulls_first(), order.nulls_last()])))
    return found


async def outcome(call: Any) -> Any:
    """Return what a call gives, or the class of its error."""
    try:
        return canonical(await call)
    except MapperError as error:
        return type(error)


async def walked(library: Library, query: Any, size: int) -> Sequence[Any]:
    """Return the items of all pages forth, and then back from the last one."""
    page = await query.page(library, size=size)
    found = [page.items]
    while page.next is not None:
        page = await query.page(library, size=size, after=page.next)
        found.append(page.items)
    while page.previous is not None:
        page = await query.page(library, size=size, before=page.previous)
        found.append(page.items)
    return found


@pytest.mark.feature("B10", "B17", "T18", "T19", "T20")
@given(
    CONTENTS, conditions().filter(runs_everywhere), orders(), st.integers(0, 4), st.integers(0, 3), st.integers(1, 3)
)
async def test_random_reads_of_models_give_the_same(
    stores: Stores, content: Content, condition: Any, terms: list[Order[Books]], limit: int, offset: int, size: int
):
    await stores.fill(content)
    kept = select(Book).from_(Books).where(condition)
    ordered = kept.order_by(*terms, Books.id)
    cut = ordered.offset(offset).limit(limit)
    wrapped = select(Books).where(condition).order_by(*terms, Books.id)
    lines = select(Books.title, Books.pages, Books.note).where(condition).order_by(*terms, Books.id).into(Line)
    pairs = (
        select(Books.title, optional(Authors.name))
        .left_join(Authors, on=Books.author_id == Authors.id)
        .where(condition)
        .order_by(*terms, Books.id)
    )

    async def reads(library: Library) -> Sequence[Any]:
        return [
            await outcome(ordered.all(library)),
            await outcome(cut.all(library)),
            await outcome(wrapped.all(library)),
            await outcome(lines.all(library)),
            await outcome(pairs.all(library)),
            await outcome(cut.count(library)),
            await outcome(kept.exists(library)),
            await outcome(ordered.first(library)),
            await outcome(kept.order_by(*terms).one(library)),
            [await outcome(wrapped.find(key).execute(library)) for key in (0, 3, 99)],
            [canonical(each) async for each in ordered.execute(library)],
            canonical(await walked(library, kept.order_by(*terms), size)),
            [
                canonical(each)
                async for each in select(Books.id).where(condition).order_by(*terms).pages(library, size=size)
            ],
        ]

    answers = {name: await reads(library) for name, library in stores.libraries.items()}
    for name, answer in answers.items():
        assert answer == answers["memory"], name


@pytest.mark.feature("B10", "T5")
@given(CONTENTS)
async def test_random_rows_are_found_by_their_keys(stores: Stores, content: Content):
    await stores.fill(content)
    for name, library in stores.libraries.items():
        for key, *rest in content.authors:
            assert await select(Author).from_(Authors).find(key).execute(library) == Author(*rest), name
        for book, number, *_ in content.loans:
            assert (await select(Loans).find((book, number)).execute(library)).key == (book, number), name  # type: ignore[union-attr]  # it is there
        everything = await select(Book).from_(Books).order_by(Books.id).all(library)
        assert everything == [Book(*rest[:-2]) for _, *rest in sorted(content.books, key=lambda row: row[0])], name
