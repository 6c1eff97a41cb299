"""What a row is made of: several models, models that may be missing, embedded parts, tuples, deferred columns."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from mapper import (
    Column,
    DeclarationError,
    Embedded,
    Keyed,
    QueryError,
    Relation,
    column,
    fn,
    literal,
    model_of,
    optional,
    select,
    tuple_,
)
from tests.language.library import ADA, BOB, END, ILE, RED, Address, Author, Authors, Book, Books, Library, Note, Notes

pytestmark = pytest.mark.asyncio(loop_scope="module")

ON = Books.author_id == Authors.id
MENTOR = Authors.named("mentor")
ADA_READ, BOB_READ = attrs.evolve(ADA, life=None), BOB


@pytest.mark.feature("B10", "T20")
async def test_several_models_come_in_one_row(library: Library):
    query = select(Author, Book).from_(Authors).join(Books, on=ON).order_by(Books.id)
    assert await query.all(library) == [(ADA_READ, RED), (ADA_READ, ILE)]
    wrapped = select(Books, Authors).join(Authors, on=ON).order_by(Books.id)
    assert await wrapped.first(library) == (Keyed(1, RED), Keyed(1, ADA_READ))


@pytest.mark.feature("B10", "T20")
async def test_optional_model_is_none_where_there_is_no_row(library: Library):
    query = select(Book, optional(Author)).from_(Books).left_join(Authors, on=ON).order_by(Books.id)
    assert await query.all(library) == [(RED, ADA_READ), (ILE, ADA_READ), (END, None)]
    wrapped = select(Books.title, optional(Authors)).left_join(Authors, on=ON).order_by(Books.id.desc())
    assert await wrapped.all(library) == [
        ("the end", None),
        ("Île", Keyed(1, ADA_READ)),
        ("Red Ink", Keyed(1, ADA_READ)),
    ]


async def test_optional_model_of_nulls_only_is_no_missing_one(library: Library):
    query = select(Books.id, optional(Note)).left_join(Notes, on=Notes.book_id == Books.id).order_by(Books.id)
    assert await query.all(library) == [(1, Note(None, None)), (2, Note("good", 4)), (3, None)]
    assert await query.limit(1).all(library) == [(1, Note(None, None))]
    both = select(optional(Note), optional(Books.id)).from_(Notes)
    full = both.full_join(Books, on=(Notes.book_id == Books.id) & (Books.id > 1)).order_by(optional(Books.id))
    assert await full.all(library) == [(None, 1), (Note("good", 4), 2), (None, 3), (Note(None, None), None)]


async def test_models_mix_with_expressions_and_groups(library: Library):
    query = select(Author, fn.count(Books.id)).from_(Authors).left_join(Books, on=ON).group_by(Authors.id)
    assert await query.order_by(Authors.id).all(library) == [(ADA_READ, 2), (BOB_READ, 0)]


async def test_models_in_a_row_go_on_into_an_object(library: Library):
    query = select(Book, optional(Author)).from_(Books).left_join(Authors, on=ON).order_by(Books.id)
    assert await query.into(lambda book, author: (book.title, author and author.name)).all(library) == [
        ("Red Ink", "Ada"),
        ("Île", "Ada"),
        ("the end", None),
    ]


async def test_models_in_a_row_are_paged(library: Library):
    query = select(Book, optional(Author)).from_(Books).left_join(Authors, on=ON).order_by(Books.id)
    page = await query.page(library, size=2)
    assert page.items == [(RED, ADA_READ), (ILE, ADA_READ)]
    assert (await query.page(library, size=2, after=page.next)).items == [(END, None)]


async def test_relation_of_a_model_is_said_where_two_have_it(library: Library):
    query = select(model_of(Authors), optional(model_of(MENTOR))).left_join(MENTOR, on=MENTOR.id == Authors.mentor_id)
    assert await query.order_by(Authors.id).all(library) == [(ADA_READ, None), (BOB_READ, ADA_READ)]


@pytest.mark.feature("T20")
async def test_embedded_part_constant_and_tuple_are_projected(library: Library):
    query = select(Authors.home, Authors.second, literal("x"), tuple_(Authors.id, Authors.name)).order_by(Authors.id)
    assert await query.all(library) == [
        (ADA.home, ADA.second, "x", (1, "Ada")),
        (BOB.home, None, "x", (2, "Bob")),
    ]
    assert await select(Authors.home).order_by(Authors.id).all(library) == [ADA.home, BOB.home]


@pytest.mark.feature("T20")
async def test_embedded_part_of_a_missing_row_is_none(library: Library):
    query = select(Authors.name, optional(MENTOR.home), optional(MENTOR.second))
    query = query.left_join(MENTOR, on=MENTOR.id == Authors.mentor_id).order_by(Authors.id)
    assert await query.all(library) == [("Ada", None, None), ("Bob", ADA.home, ADA.second)]


@pytest.mark.feature("T11")
async def test_deferred_column_is_read_only_where_it_is_asked_for(library: Library):
    authors = select(Author).from_(Authors).order_by(Authors.id)
    assert await authors.first(library) == ADA_READ
    assert await authors.undefer(Authors.life).first(library) == ADA
    assert await select(Authors).undefer(Authors.life).find(1).execute(library) == Keyed(1, ADA)
    assert await select(Authors.life).find(1).execute(library) == "a long life"
    mentors = select(Book, Author).from_(Books).join(Authors, on=ON).undefer(Authors.life).order_by(Books.id)
    assert await mentors.first(library) == (RED, ADA)


@pytest.mark.feature("T11")
async def test_deferred_column_is_not_in_the_statement(library: Library):
    operation: Any = library._executor.gateway.compile(select(Author).from_(Authors))
    assert "life" not in [each.attribute if hasattr(each, "attribute") else each.name for each in operation.columns]


@pytest.mark.feature("T11")
async def test_deferred_column_survives_the_update_of_what_was_read_without_it(scratch: Library):
    row = await select(Authors).find(1).execute(scratch)
    assert row is not None
    changes = Library.change()
    changes.update(Authors, row, attrs.evolve(row.model, name="Ada L."))
    await changes.commit(scratch)
    assert await select(Authors.name, Authors.life).find(1).execute(scratch) == ("Ada L.", "a long life")


async def test_order_limit_and_conditions_are_taken_back_by_name(library: Library):
    query = select(Books.id).where(Books.id > 1).order_by(Books.id.desc()).limit(1).distinct()
    assert await query.all(library) == [3]
    assert await query.without("limit").all(library) == [3, 2]
    assert await query.without("where", "limit", "order_by", "distinct").order_by(Books.id).all(library) == [1, 2, 3]
    assert query.without("limit") == select(Books.id).where(Books.id > 1).order_by(Books.id.desc()).distinct()
    mapped = query.map(str)
    assert await mapped.without("order_by", "limit").order_by(Books.id).all(library) == ["2", "3"]


async def test_order_of_a_side_of_a_set_operation_stays(library: Library):
    left = select(Books.id).order_by(Books.id).limit(1)
    query = left.union_all(select(Books.id)).order_by(Books.id.desc()).limit(3)
    assert await query.without("limit").all(library) == [3, 2, 1, 1]
    assert sorted(await query.without("limit", "order_by").all(library)) == [1, 1, 2, 3]


chosen: Any = select
maybe: Any = optional

REFUSED: list[tuple[str, Callable[[], Any], str]] = [
    (
        "model of no relation",
        lambda: chosen(Book, Note).from_(Books),
        "Note is selected, and the query reads no relation",
    ),
    (
        "model of two relations",
        lambda: chosen(Author, Authors.id).from_(Authors).join(MENTOR, on=MENTOR.id == Authors.id),
        r"the model of Authors and Authors.named\('mentor'\)",
    ),
    ("models without a source", lambda: chosen(Author, Book), "Author is selected, and the query reads no relation"),
    (
        "model of a left join",
        lambda: chosen(Books.id, model_of(Authors)).left_join(Authors, on=ON),
        "Authors is selected, and a join may leave rows without it",
    ),
    (
        "model of a left join without a column that is never NULL",
        lambda: chosen(Books.id, Note).left_join(Notes, on=Notes.book_id == Books.id),
        "Notes is selected, and a join may leave rows without it",
    ),
    (
        "wrapper of a right join",
        lambda: chosen(Books, Authors.id).right_join(Authors, on=ON),
        "Books is selected, and a join may leave rows without it",
    ),
    (
        "column of a left join",
        lambda: chosen(Books.id, Authors.name).left_join(Authors, on=ON),
        "Authors.name is selected, and a join may leave rows without it",
    ),
    (
        "expression over a left join",
        lambda: chosen(Books.id, fn.length(Authors.name) + 1).left_join(Authors, on=ON),
        r"fn.length\(Authors.name\) \+ \? is selected, and a join",
    ),
    (
        "part of a left join",
        lambda: chosen(Books.id, Authors.home).left_join(Authors, on=ON),
        "Authors is selected, and a join may leave rows without it",
    ),
]


@pytest.mark.parametrize(("build", "text"), [pytest.param(build, text, id=name) for name, build, text in REFUSED])
async def test_row_that_cannot_be_made_is_refused_before_io(library: Library, build: Any, text: str):
    with pytest.raises(QueryError, match=text):
        library._executor.gateway.compile(build())


@pytest.mark.parametrize(
    "item",
    [
        fn.coalesce(Authors.name, "nobody"),
        Authors.name.is_null(),
        fn.count(Authors.id),
        Authors.second_city,
        fn.case((Authors.name.is_null(), 0), else_=1),
    ],
    ids=repr,
)
async def test_expression_that_knows_missing_rows_needs_no_optional(library: Library, item: Any):
    assert len(await select(item).from_(Books).left_join(Authors, on=ON).all(library)) >= 1


async def test_what_is_neither_deferred_nor_a_part_is_no_such_thing():
    with pytest.raises(QueryError, match=r"Authors.name is no deferred column"):
        select(Authors).undefer(Authors.name)
    with pytest.raises(QueryError, match=r"of no model that the query selects"):
        select(Authors.name).undefer(Authors.life)
    with pytest.raises(QueryError, match="no part of a query"):
        chosen(Authors.name).without("select")
    with pytest.raises(QueryError, match="optional takes"):
        maybe(3)


@attrs.frozen
class Strict:
    """A model that cannot be made without what is deferred."""

    text: str


async def test_deferred_column_of_a_field_without_default_is_refused():
    with pytest.raises(DeclarationError, match=r"deferred and Strict.text has no default"):

        class Stricts(Relation[Strict]):
            id: Column[int] = column(primary_key=True)
            text: Column[str] = column(deferred=True)


async def test_embedded_that_is_no_object_of_the_model_is_refused():
    with pytest.raises(DeclarationError) as refused:

        class Wrong(Relation[Author]):
            id: Column[int] = column(primary_key=True)
            name: Column[str]
            home_city: Column[str]
            home_street: Column[str | None]
            home: Embedded[Address | None]
            away: Embedded[Address]

    text = str(refused.value)
    assert "Wrong.home: Embedded[Address | None], and the model's field is Address" in text
    assert "Wrong.away: Embedded, and the model has no field 'away'" in text
