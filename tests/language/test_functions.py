"""Functions and operators: each gives the same on every gateway, for a text, a number, a moment, a list, a document."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest

from mapper import StatementError, fn, literal, select
from mapper.expressions import Expr
from tests.language.library import HOUR, NEW_YEAR, RED, Books, Cover, Details, Library, Mood

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANY: Any = Books

TEXTS: Final[list[tuple[Expr[Any, Any], list[Any]]]] = [
    (fn.position(Books.title, "e"), [2, 3, 3]),
    (fn.position(Books.title, ""), [1, 1, 1]),
    (fn.position(Books.title, "E"), [0, 0, 0]),
    (fn.position(Books.subtitle, Books.title), [0, None, 0]),
    (fn.left(Books.title, 2), ["Re", "Îl", "th"]),
    (fn.left(Books.title, Books.pages), ["Red Ink", "", ""]),
    (fn.right(Books.title, 2), ["nk", "le", "nd"]),
    (fn.right(Books.title, Books.pages), ["Red Ink", "", ""]),
    (fn.right(Books.subtitle, 0), ["", None, ""]),
    (fn.repeat(Books.subtitle, 2), ["a talea tale", None, ""]),
    (fn.repeat(Books.title, -1), ["", "", ""]),
    (fn.reverse(Books.title), ["knI deR", "elÎ", "dne eht"]),
    (fn.ltrim(literal("  ") + Books.title), ["Red Ink", "Île", "the end"]),
    (fn.rtrim(Books.title + " "), ["Red Ink", "Île", "the end"]),
    (fn.lpad(Books.title, 8, "-+"), ["-Red Ink", "-+-+-Île", "-the end"]),
    (fn.rpad(Books.title, 4, "."), ["Red ", "Île.", "the "]),
    (fn.rpad(Books.title, 0), ["", "", ""]),
    (fn.concat(Books.title, Books.subtitle, "!"), ["Red Inka tale!", "Île!", "the end!"]),
    (fn.concat_ws(", ", Books.subtitle, Books.title), ["a tale, Red Ink", "Île", ", the end"]),
    (fn.concat_ws("+", Books.subtitle), ["a tale", "", ""]),
]

NUMBERS: Final[list[tuple[Expr[Any, Any], list[Any]]]] = [
    (fn.sqrt(Books.weight), [1.5, None, 0.0]),
    (fn.sqrt(Books.pages) > 10, [True, None, False]),
    (fn.exp(Books.weight) > 9, [True, False, False]),
    (fn.ln(Books.pages) > 4.7, [True, None, None]),
    (fn.log10(Books.pages * 10) > 3, [True, None, None]),
    (fn.power(Books.pages, 2), [14400.0, 49.0, 0.0]),
    (fn.power(Books.pages, 0.5) > 10, [True, None, False]),
    (fn.power(Books.pages, -1) < 1, [True, True, None]),
    (fn.power(Books.weight, Books.weight), [2.25**2.25, -1.0, 1.0]),
    (fn.sign(Books.pages), [1, -1, 0]),
    (fn.sign(Books.price), [1, -1, 0]),
    (fn.sign(Books.weight), [1, -1, 0]),
    (fn.greatest(Books.pages, 3, 5), [120, 5, 5]),
    (fn.least(Books.price, Decimal("9.89")), [Decimal("9.89"), Decimal("-0.5"), Decimal(0)]),
    (fn.greatest(Books.subtitle, "a"), ["a tale", None, "a"]),
    (fn.least(Books.title, Books.subtitle), ["Red Ink", None, ""]),
]

MOMENTS: Final[list[tuple[Expr[Any, Any], list[Any]]]] = [
    (Books.printed - NEW_YEAR, [timedelta(59, 86399, 123456), timedelta(-1), timedelta(90, 3600)]),
    (Books.printed - NEW_YEAR > timedelta(days=60), [False, False, True]),
    (Books.bought - date(2024, 1, 1), [timedelta(59), timedelta(-365), timedelta(30)]),
    (Books.bought + HOUR * 30, [date(2024, 3, 1), date(2023, 1, 2), date(2024, 2, 1)]),
    (Books.bought - HOUR, [date(2024, 2, 28), date(2022, 12, 31), date(2024, 1, 30)]),
    (fn.date_trunc("week", Books.bought), [date(2024, 2, 26), date(2022, 12, 26), date(2024, 1, 29)]),
    (fn.date_trunc("quarter", Books.bought), [date(2024, 1, 1), date(2023, 1, 1), date(2024, 1, 1)]),
    (fn.date_trunc("year", Books.bought), [date(2024, 1, 1), date(2023, 1, 1), date(2024, 1, 1)]),
    (fn.year(Books.printed + HOUR * 24), [2024, 2024, 2024]),
]

AWARE: Final[list[tuple[Expr[Any, Any], list[datetime]]]] = [
    (
        Books.printed + timedelta(days=1, microseconds=5),
        [datetime(2024, 3, 1, 23, 59, 59, 123461), datetime(2024, 1, 1, 0, 0, 0, 5), datetime(2024, 4, 1, 1, 0, 0, 5)],
    ),
    (
        Books.printed - HOUR * 2,
        [datetime(2024, 2, 29, 21, 59, 59, 123456), datetime(2023, 12, 30, 22), datetime(2024, 3, 30, 23)],
    ),
    (fn.date_trunc("month", Books.printed), [datetime(2024, 2, 1), datetime(2023, 12, 1), datetime(2024, 3, 1)]),
    (fn.date_trunc("week", Books.printed), [datetime(2024, 2, 26), datetime(2023, 12, 25), datetime(2024, 3, 25)]),
    (fn.date_trunc("day", Books.printed), [datetime(2024, 2, 29), datetime(2023, 12, 31), datetime(2024, 3, 31)]),
    (
        fn.date_trunc("hour", Books.printed),
        [datetime(2024, 2, 29, 23), datetime(2023, 12, 31), datetime(2024, 3, 31, 1)],
    ),
    (
        fn.date_trunc("second", Books.printed),
        [datetime(2024, 2, 29, 23, 59, 59), datetime(2023, 12, 31), datetime(2024, 3, 31, 1)],
    ),
]

LISTS: Final[list[tuple[Expr[Any, Any], list[Any]]]] = [
    (fn.length(Books.tags), [2, 0, 3]),
    (fn.length(Books.marks), [2, None, 0]),
    (Books.tags.contains("b"), [True, False, True]),
    (Books.marks.contains(Decimal("2.00")), [True, None, False]),
    (~Books.marks.contains(Decimal(2)), [False, None, True]),
    (ANY.tags.contains(fn.left(Books.title, 1)), [False, False, False]),
    (fn.overlaps(Books.tags, ["c", "z"]), [False, False, True]),
    (fn.overlaps(Books.tags, []), [False, False, False]),
    (~fn.overlaps(Books.marks, [Decimal("1.00")]), [False, None, True]),
    (fn.overlaps(Books.tags, Books.tags), [True, False, True]),
    (fn.contains_all(Books.tags, ["b", "c"]), [False, False, True]),
    (fn.contains_all(Books.tags, []), [True, True, True]),
    (fn.contains_all(Books.marks, [Decimal(1)]), [True, None, False]),
    (fn.append(Books.tags, 'q"é'), [["a", "b", 'q"é'], ['q"é'], ["b", "c", "b", 'q"é']]),
    (fn.append(Books.marks, Decimal("0.1")), [[Decimal("1.0"), Decimal(2), Decimal("0.1")], None, [Decimal("0.1")]]),
    (fn.remove(Books.tags, "b"), [["a"], [], ["c"]]),
    (fn.remove(Books.marks, Decimal(1)), [[Decimal(2)], None, []]),
    (Books.tags[0], ["a", None, "b"]),
    (Books.tags[-1], ["b", None, "b"]),
    (Books.tags[2], [None, None, "b"]),
    (Books.tags[-3], [None, None, "b"]),
    (Books.marks[1], [Decimal(2), None, None]),
]

PARTS: Final[list[tuple[Expr[Any, Any], list[Any]]]] = [
    (ANY.extra["isbn"].as_(str), ["x-1", None, None]),
    (ANY.extra["isbn"].as_(int), [None, None, 5]),
    (ANY.extra["parts"][0]["n"].as_(int), [1, None, None]),
    (ANY.extra["parts"][-1]["last"].as_(bool), [True, None, None]),
    (ANY.extra["parts"].as_(list), [[{"n": 1}, {"n": 2, "last": True}], None, None]),
    (ANY.extra["parts"].as_(dict), [None, None, {}]),
    (ANY.extra["parts"][1], [{"n": 2, "last": True}, None, None]),
    (ANY.extra["k.y"].as_(int), [1, None, None]),
    (ANY.extra['q"uote'].as_(int), [2, None, None]),
    (ANY.extra[""].as_(int), [3, None, None]),
    (ANY.extra["it's"].is_null(), [True, True, True]),
    (ANY.extra["nil"].is_null(), [False, True, False]),
    (ANY.extra["nil"].as_(int), [None, None, 1]),
    (fn.json_type(ANY.extra["nil"]), ["null", None, "number"]),
    (fn.json_type(ANY.extra["parts"]), ["array", None, "object"]),
    (fn.json_type(ANY.extra["half"]), ["number", None, None]),
    (fn.json_type(ANY.extra["parts"][1]["last"]), ["boolean", None, None]),
    (fn.json_type(ANY.extra), ["object", None, "object"]),
    (fn.json_length(ANY.extra["parts"]), [2, None, None]),
    (ANY.extra["when"].as_(datetime), [datetime(2024, 1, 1, 8, tzinfo=UTC), None, None]),
    (ANY.extra["day"].as_(datetime), [None, None, None]),
    (ANY.extra["day"].as_(date), [date(2024, 5, 6), None, None]),
    (ANY.extra["uuid"].as_(UUID), [UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), None, None]),
    (ANY.extra["exact"].as_(Decimal), [Decimal("1.50"), None, None]),
    (ANY.extra["half"].as_(Decimal), [Decimal("1.5"), None, None]),
    (ANY.extra["half"].as_(int), [None, None, None]),
    (ANY.extra["half"].as_(float), [1.5, None, None]),
    (ANY.extra["big"].as_(int), [10**18, None, None]),
    (ANY.extra["mood"].as_(Mood), [Mood.GLAD, None, None]),
    (ANY.extra["mood"].as_(Mood) == Mood.GLAD, [True, None, None]),
    (Books.details["front_cover"], [Cover("red", 3, Mood.GLAD), None, None]),
    (Books.details["front_cover"]["color"] == "red", [True, None, None]),
    (Books.details["key_words"][0], ["x", None, None]),
    (ANY.details.at(lambda each: each.front_cover.size), [3, None, None]),
    (ANY.details.at(lambda each: each.front_cover.mood), [Mood.GLAD, None, None]),
    (Books.details.at(lambda each: each.key_words), [["x", "y"], None, []]),
    (Books.details.at(lambda each: each.key_words[-1]), ["y", None, None]),
    (Books.details.as_(Details), [RED.details, None, Details()]),
]


def cases(table: list[tuple[Expr[Any, Any], list[Any]]]) -> list[Any]:
    """Return the rows of a table as parameters, named by the expression."""
    return [pytest.param(*each, id=f"{number} {each[0]!r}") for number, each in enumerate(table)]


async def values(library: Library, expression: Expr[Any, Any]) -> list[Any]:
    """Return the values of an expression, in the order of the books."""
    return await select(expression).from_(Books).order_by(Books.id).all(library)


@pytest.mark.parametrize(("expression", "expected"), cases([*TEXTS, *NUMBERS, *MOMENTS]))
async def test_function_of_single_values_gives_the_same_everywhere(
    library: Library, expression: Expr[Any, Any], expected: list[Any]
):
    found = await values(library, expression)
    assert found == expected
    assert [type(each) for each in found] == [type(each) for each in expected]


@pytest.mark.parametrize(("expression", "expected"), cases(AWARE))
async def test_aware_moments_are_moved_and_cut_off_in_utc(
    library: Library, expression: Expr[Any, Any], expected: list[datetime]
):
    assert await values(library, expression) == [each.replace(tzinfo=UTC) for each in expected]


@pytest.mark.feature("T10")
@pytest.mark.parametrize(("expression", "expected"), cases(LISTS))
async def test_list_operation_gives_the_same_everywhere(
    library: Library, expression: Expr[Any, Any], expected: list[Any]
):
    assert await values(library, expression) == expected


@pytest.mark.feature("T9")
@pytest.mark.parametrize(("expression", "expected"), cases(PARTS))
async def test_part_of_a_document_gives_the_same_everywhere(
    library: Library, expression: Expr[Any, Any], expected: list[Any]
):
    found = await values(library, expression)
    assert found == expected
    assert [type(each) for each in found] == [type(each) for each in expected]


@pytest.mark.feature("T9")
async def test_parts_filter_group_and_order(library: Library):
    isbn: Expr[str | None, Books] = Books.extra["isbn"].as_(str)
    assert await select(Books.id).where(isbn == "x-1").all(library) == [1]
    assert await select(Books.id).order_by(isbn.desc(), Books.id).all(library) == [2, 3, 1]
    groups = select(isbn, fn.count()).group_by(isbn).order_by(fn.count())
    assert await groups.all(library) == [("x-1", 1), (None, 2)]


@pytest.mark.feature("T10")
async def test_list_is_appended_to_and_removed_from_in_updates(scratch: Library):
    changes = Library.change()
    changes.updates(Books).where(Books.pages >= 0).set(Books.tags.to(fn.append(Books.tags, "new")))
    changes.updates(Books).where(Books.tags.contains("c")).set(Books.tags.to(fn.remove(Books.tags, "b")))
    await changes.commit(scratch)
    assert await values(scratch, Books.tags) == [["a", "b", "new"], [], ["c", "new"]]


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param(fn.exp(Books.pages * 100), id="exp overflows"),
        pytest.param(fn.exp(Books.pages * -100), id="exp underflows"),
        pytest.param(fn.power(Books.pages, 1000), id="power overflows"),
        pytest.param(fn.repeat(Books.title, 10**12), id="repeat is too long"),
        pytest.param(Books.bought + timedelta(days=3_000_000), id="a date beyond the last"),
    ],
)
async def test_result_that_no_value_holds_is_an_error(library: Library, expression: Expr[Any, Any]):
    with pytest.raises((StatementError, ValueError)):
        await select(expression).from_(Books).where(Books.id == 1).all(library)


async def test_texts_of_a_group_are_put_together_in_order(library: Library):
    titles = fn.string_agg(Books.title, ", ", order_by=[Books.price.desc()])
    assert await select(titles).one(library) == "Red Ink, the end, Île"
    by_null = fn.string_agg(Books.title, "|", order_by=[Books.subtitle.desc(), Books.id.asc()], filter=Books.pages != 0)
    assert await select(by_null).one(library) == "Île|Red Ink"
    tags = fn.string_agg(Books.subtitle, "+", distinct=True, order_by=[Books.subtitle.desc()])
    assert await select(tags).one(library) == "a tale+"
    assert await select(fn.string_agg(Books.title, "+")).where(Books.id > 9).one(library) is None
    groups = select(Books.author_id, fn.string_agg(Books.title, "/", order_by=[Books.id])).group_by(Books.author_id)
    assert await groups.order_by(Books.author_id).all(library) == [(1, "Red Ink/Île"), (None, "the end")]


async def test_window_is_named_once_for_several_functions(library: Library):
    by_author = fn.window(partition_by=[Books.author_id], order_by=[Books.id])
    query = select(Books.id, fn.sum(Books.pages).over(by_author), fn.row_number().over(by_author)).order_by(Books.id)
    assert await query.all(library) == [(1, 120, 1), (2, 113, 2), (3, 0, 1)]
