"""Conditions as values: combined, left out, over several columns at once."""

from typing import Any

import pytest

from mapper import QueryError, all_of, any_of, fn, omitted, select, tuple_
from mapper.expressions import Expr
from tests.language.library import Authors, Books, Library

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAIR: Any = tuple_(Books.author_id, Books.title)
NUMBERS = tuple_(Books.pages, Books.id)

CONDITIONS: list[tuple[Expr[bool, Any], list[int]]] = [
    (all_of([]), [1, 2, 3]),
    (any_of([]), []),
    (all_of([Books.id > 1]), [2, 3]),
    (all_of(Books.id != number for number in (1, 2)), [3]),
    (any_of([Books.id == 1, Books.id == 3]), [1, 3]),
    (any_of([Books.id == number for number in range(500)]), [1, 2, 3]),
    (all_of([omitted, Books.id < 3, omitted]), [1, 2]),
    (any_of([omitted]), []),
    (omitted & (Books.id == 2), [2]),
    ((Books.id == 2) | omitted, [2]),
    (~omitted & (Books.id == 1), [1]),
    (NUMBERS == (120, 1), [1]),
    (NUMBERS != (120, 1), [2, 3]),
    (NUMBERS < (0, 3), [2]),
    (NUMBERS <= (0, 3), [2, 3]),
    (NUMBERS > (0, 2), [1, 3]),
    (tuple_(Books.pages, fn.abs(Books.id)) == NUMBERS, [1, 2, 3]),
    (NUMBERS.in_([(120, 1), (0, 9)]), [1]),
    (NUMBERS.in_([]), []),
    (NUMBERS.not_in([(120, 1), (0, 9)]), [2, 3]),
    (PAIR == (1, "Île"), [2]),
    (PAIR == (None, "the end"), [3]),
    (PAIR != (None, "the end"), [1, 2]),
    (PAIR.in_([(None, "the end"), (1, "Île"), (1, "nothing")]), [2, 3]),
    (PAIR.not_in([(None, "the end"), (1, "Île")]), [1]),
    (NUMBERS.in_(select(Books.pages, Books.id).where(Books.id > 1)), [2, 3]),
]


@pytest.mark.feature("T17")
@pytest.mark.parametrize(
    ("condition", "expected"), [pytest.param(*each, id=str(number)) for number, each in enumerate(CONDITIONS)]
)
async def test_condition_keeps_the_same_rows_everywhere(
    library: Library, condition: Expr[bool, Any], expected: list[int]
):
    assert await select(Books.id).from_(Books).where(condition).order_by(Books.id).all(library) == expected


async def test_condition_left_out_leaves_the_query_as_it_was(library: Library):
    base = select(Books.id).order_by(Books.id)
    assert base.where(omitted) == base
    assert base.where(omitted, Books.id > 1) == base.where(Books.id > 1)
    assert await base.where(omitted).all(library) == [1, 2, 3]
    assert select(fn.count()).from_(Books).having(omitted) == select(fn.count()).from_(Books)


async def test_conditions_are_collected_in_a_loop(library: Library):
    wanted: dict[str, Any] = {"title": "Île", "pages": -7}
    columns: dict[str, Any] = {"title": Books.title, "pages": Books.pages}
    conditions: list[Expr[bool, Books]] = [columns[name] == value for name, value in wanted.items()]
    assert await select(Books.id).where(all_of(conditions)).all(library) == [2]


untyped: Any = tuple_


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: untyped(Books.id), "expected two columns"),
        (lambda: untyped(Books.id, 3), "expected two columns"),
        (lambda: NUMBERS == (1,), "2 parts is compared with"),
        (lambda: NUMBERS.in_([(1, 2, 3)]), "compared with 2 columns"),  # type: ignore[list-item]  # what is refused
        (lambda: all_of(Books.id == 1), "in a list"),  # type: ignore[arg-type]  # as above
        (lambda: any_of([Books.id]), "not a condition"),  # type: ignore[list-item]  # as above
        (lambda: select(Books.id).join(Authors, on=omitted), "the condition of a join is omitted"),
    ],
)
async def test_condition_built_wrongly_is_refused(build: Any, text: str):
    with pytest.raises(QueryError, match=text):
        build()


@pytest.mark.parametrize("condition", [omitted, all_of([])], ids=["omitted", "true"])
async def test_write_without_a_condition_that_narrows_it_is_refused(condition: Any):
    with pytest.raises(QueryError, match="more rows than was meant"):
        Library.change().deletes(Books).where(condition)
    with pytest.raises(QueryError, match="more rows than was meant"):
        Library.change().updates(Books).where(condition)
