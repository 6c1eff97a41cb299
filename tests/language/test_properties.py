"""Random documents, lists and texts: what the stores compute is what Python computes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapper import fn, literal, optional, select, tuple_, values
from mapper.expressions import Expr, Parameter
from mapper.types import Json, List, Text
from tests.language.library import Books, Library, Wanted

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
KEYS = st.sampled_from(["a", "b", "", "k.y", 'q"', "it's", "a\\b", "é", "$", "[0]", "0", "\n"]) | TEXT
SCALARS = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | TEXT | st.sampled_from([0.5, -2.25, 3.0])
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
STEPS = st.lists(KEYS | st.integers(-3, 3), min_size=1, max_size=3)


async def only(library: Library, *items: Expr[Any, Any]) -> Any:
    """Return the row of these expressions."""
    query: Any = select(*items).from_(Books).where(Books.id == 1)
    return await query.one(library)


def part(document: Any, steps: list[Any]) -> tuple[bool, Any]:
    """Return whether a document has a part, and the part."""
    for step in steps:
        if isinstance(step, int):
            if not isinstance(document, list) or not -len(document) <= step < len(document):
                return False, None
        elif not isinstance(document, dict) or step not in document:
            return False, None
        document = document[step]
    return True, document


KINDS = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}


@pytest.mark.feature("T9")
@given(document=st.dictionaries(KEYS, DOCUMENTS, max_size=3) | st.lists(DOCUMENTS, max_size=3), steps=STEPS)
async def test_part_of_a_random_document_is_what_python_finds(library: Library, document: Any, steps: list[Any]):
    whole: Expr[Any, Any] = Parameter(document, Json())
    path: Any = whole
    for step in steps:
        path = path[step]
    there, wanted = part(document, steps)
    found = await only(
        library,
        path,
        optional(path.is_null()),
        fn.json_type(path),
        path.as_(str),
        path.as_(int),
        path.as_(bool),
        path.as_(dict),
        path.as_(list),
    )
    whole_number = type(wanted) in (int, float) and wanted == int(wanted)
    assert found == (
        wanted,
        not there,
        (KINDS.get(type(wanted), "null") if there else None),
        wanted if isinstance(wanted, str) else None,
        wanted if whole_number else None,
        wanted if isinstance(wanted, bool) else None,
        wanted if isinstance(wanted, dict) else None,
        wanted if isinstance(wanted, list) else None,
    )


@pytest.mark.feature("T10")
@given(items=st.lists(TEXT, max_size=5), others=st.lists(TEXT, max_size=3), item=TEXT, place=st.integers(-6, 6))
async def test_operations_on_a_random_list_are_those_of_python(
    library: Library, items: list[str], others: list[str], item: str, place: int
):
    of: Any = Parameter(items, List(Text()))
    found = await only(
        library,
        fn.length(of),
        of.contains(item),
        fn.overlaps(of, others),
        fn.contains_all(of, others),
        fn.append(of, item),
        fn.remove(of, item),
        of[place],
    )
    assert found == (
        len(items),
        item in items,
        bool(set(items) & set(others)),
        set(others) <= set(items),
        [*items, item],
        [each for each in items if each != item],
        items[place] if -len(items) <= place < len(items) else None,
    )


@given(text=TEXT, other=TEXT, size=st.integers(-3, 12), fill=st.text("ab-", min_size=1, max_size=3))
async def test_functions_of_a_random_text_are_those_of_python(
    library: Library, text: str, other: str, size: int, fill: str
):
    of = literal(text)
    width = max(size, 0)
    found = await only(
        library,
        fn.position(of, other),
        fn.left(of, size),
        fn.right(of, size),
        fn.repeat(of, size),
        fn.reverse(of),
        fn.lpad(of, width, fill),
        fn.rpad(of, width, fill),
        fn.concat(of, other),
        fn.concat_ws(fill, of, literal(other)),
    )
    padding = fill * width
    assert found == (
        text.find(other) + 1,
        text[:width],
        text[-width:] if width else "",
        text * width,
        text[::-1],
        padding[: max(width - len(text), 0)] + text[:width],
        (text + padding)[: max(width, min(len(text), width))],
        text + other,
        fill.join([text, other]),
    )


ROWS = st.lists(st.tuples(st.integers(-3, 3), st.none() | TEXT, st.none()), max_size=6)


@given(rows=ROWS, bound=st.tuples(st.integers(-3, 3), TEXT))
async def test_random_values_are_compared_as_python_compares_tuples(
    library: Library, rows: list[tuple[int, str | None, None]], bound: tuple[int, str]
):
    source = values(Wanted, rows)
    pair = tuple_(Wanted.id, Wanted.label)
    read = select(Wanted.id, Wanted.label).from_(source)
    assert sorted(await read.all(library), key=repr) == sorted([each[:2] for each in rows], key=repr)
    known = [each[:2] for each in rows if each[1] is not None]
    less: Any = pair < bound
    whole = read.where(Wanted.label.is_not_null())
    assert sorted(await whole.where(less).all(library)) == sorted([each for each in known if each < bound])
    listed: Any = pair.in_([bound, *[each[:2] for each in rows[:2]]])
    wanted = {bound, *[each[:2] for each in rows[:2]]}
    assert sorted(await read.where(listed).all(library), key=repr) == sorted(
        [each[:2] for each in rows if each[:2] in wanted], key=repr
    )
