"""What single expressions give at the edges of their domains: the same value everywhere, or a refusal of one kind."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

import pytest

from mapper import QueryError, StatementError, Unsupported, fn, literal, optional, outer, scalar, select
from mapper.expressions import Parameter
from mapper.types import Boolean, Integer, Text, Timestamp
from tests.alike.comparison import canonical
from tests.alike.data import Authors, Books, Content
from tests.alike.stores import Stores

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.feature("T17", "T35")]

LARGEST: Final = 2**63 - 1
SMALLEST: Final = -(2**63)
TWO_ROWS: Final = Content([(1, "a", None, None), (2, "b", None, None)], [], [])
NULL: Final[Any] = Parameter(None, Integer())
NULL_TEXT: Final[Any] = Parameter(None, Text())


def of(value: Any) -> Any:
    """Return a constant as an expression."""
    return literal(value)


def naive(*parts: int) -> Any:
    """Return a moment without a zone as an expression."""
    return Parameter(datetime(*parts), Timestamp())  # type: ignore[arg-type]  # microseconds may be among the parts


VALUES: Final[list[tuple[Any, Any]]] = [
    # division by zero is NULL; remainders have the sign of the dividend
    (of(1) / 0, None),
    (of(1.5) / 0.0, None),
    (of(Decimal("1.5")) / Decimal("0.00"), None),
    (of(7) % 0, None),
    (of(-7) % 3, -1),
    (of(7) % -3, 1),
    (of(SMALLEST) % -1, 0),
    (of(Decimal("-7.5")) % Decimal("2"), Decimal("-1.5")),
    (of(7) / 2, 3.5),
    # quotients of decimals
    (of(Decimal(1)) / 3, Decimal("0.3333333333333333333333333333")),
    (of(Decimal(200)) / 3, Decimal("66.6666666666666666666666666667")),
    (of(Decimal("1e-20")) / 3, Decimal("3.3333333333333333333e-21")),
    (of(Decimal("0.1")) + Decimal("0.20"), Decimal("0.30")),
    (of(Decimal("0.5")).cast(str), "0.5"),
    ((of(Decimal("1.50")) / 1).cast(str), "1.5"),
    # rounding goes away from zero
    (fn.round(of(2.5)), 3.0),
    (fn.round(of(-2.5)), -3.0),
    (fn.round(of(Decimal("2.675")), 2), Decimal("2.68")),
    (fn.round(of(1.005), 2), 1.01),
    (fn.round(of(15), -1), 20),
    (fn.floor(of(-0.5)), -1),
    (fn.ceil(of(Decimal("-0.5"))), 0),
    (of(-1.9).cast(int), -1),
    # numbers as text
    (of(1.0).cast(str), "1"),
    (of(0.1).cast(str), "0.1"),
    (of(1e15).cast(str), "1e+15"),
    (of(9.03004537789314e16).cast(str), "9.030045377893139e+16"),
    (of(1e-7).cast(str), "1e-07"),
    (of(True).cast(str), "true"),
    (of(0.1).cast(Decimal), Decimal("0.1")),
    # text
    (fn.substring(of("abc"), -1, 3), "a"),
    (fn.substring(of("abc"), 2, -1), ""),
    (fn.substring(of("abc"), 9), ""),
    (fn.replace(of("abc"), "", "x"), "abc"),
    (fn.replace(of("aaa"), "aa", "b"), "ba"),
    (fn.length(of("😀e\u0301")), 3),
    (fn.lower(of("ÀÉİ\u03a3")), "àéi\u03c3"),
    (fn.upper(of("àßﬁ\u03c3\u03c2")), "Àßﬁ\u03a3\u03a3"),
    (fn.trim(of("\t a ")), "\t a"),
    (of("ß").like("_"), True),
    (of("100%").like("100\\%"), True),
    (of("A").like("a"), False),
    (of("a\nb").like("a%b"), True),
    (of("[a]").like("[a]"), True),
    (of("a*b").like("a*%"), True),
    (of("\\").like("\\\\"), True),
    (of("a\\").like(of("a\\")), False),
    (of("ab").like(of("a%") + fn.lower(of(""))), True),
    (of("a\\").like(of("%") + "\\" + "\\"), True),
    (of("😀") > "\uffff", True),
    (of("a") > "B", True),
    (of("a ") == "a", False),
    # decimals are compared by value, parameters too
    (of(Decimal("1.0")) == of(Decimal("1.00")), True),
    (fn.nullif(of(Decimal("1.0")), Decimal("1.00")), None),
    (of(Decimal("10")) > of(Decimal("9")), True),
    (of(Decimal("10")).between(Decimal("9"), Decimal("11")), True),
    (of(Decimal("1.0")).in_([Decimal("1.00")]), True),
    (fn.greatest(of(Decimal("10")), Decimal("9")), Decimal("10")),
    # moments
    (fn.date(naive(9999, 12, 31, 23, 59, 59, 999999)), date(9999, 12, 31)),
    (fn.second(of(datetime(2023, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))), 59),
    (fn.year(of(datetime(1, 1, 1, tzinfo=UTC))), 1),
    (naive(2023, 6, 15, 7, 5, 9, 500000).cast(str), "2023-06-15 07:05:09.500000"),
    (naive(2023, 6, 15).cast(str), "2023-06-15 00:00:00"),
    (of(date(1, 1, 1)).cast(str), "0001-01-01"),
    (of(date(2024, 3, 1)) - of(date(2024, 2, 28)), timedelta(days=2)),
    (of(Decimal(9)).between(of(Decimal(10)), of(Decimal(9)) + of(Decimal(1))), False),
    (of(Decimal(9)).between(of(Decimal(8)) + of(Decimal(1)), of(Decimal(10))), True),
    # NULL
    (fn.left(of("abc"), NULL), None),
    (fn.right(of("abc"), NULL), None),
    (fn.repeat(of("abc"), NULL), None),
    (fn.substring(of("abc"), 1, NULL), None),
    (fn.substring(of("abc"), NULL), None),
    (fn.replace(of("abc"), "", NULL_TEXT), None),
    (fn.greatest(of(1), NULL), None),
    (of("a") + NULL_TEXT, None),
    (fn.concat(of("a"), NULL_TEXT), "a"),
    (NULL.in_([]), False),
    (NULL.in_([1]), None),
    (NULL.in_([None]), True),
    (NULL.not_in([1]), True),
    (NULL.not_in([]), True),
    (of(1).in_([None]), False),
    (~(of(1) == NULL), None),
    (NULL.is_distinct_from(None), False),
    ((of(1) == NULL) & of(False), False),
    ((of(1) == NULL) | of(True), True),
    # integers to their limits
    (of(LARGEST), LARGEST),
    (of(LARGEST) + 0, LARGEST),
    (of(SMALLEST) + 1, SMALLEST + 1),
    (fn.abs(of(-LARGEST)), LARGEST),
]

REFUSED: Final[list[Any]] = [
    of(LARGEST) + 1,
    of(SMALLEST) - 1,
    of(LARGEST) * 2,
    of(LARGEST) * 2 > 0,
    (of(LARGEST) * 2) % 3,
    (of(LARGEST) + 1) - 1,
    fn.coalesce(of(LARGEST) + 1, 0),
    fn.abs(of(SMALLEST)),
    -of(SMALLEST),
    of(Decimal(2**63)).cast(int),
    fn.floor(of(1e19)),
    fn.ceil(of(Decimal("9223372036854775807.5"))),
    fn.round(of(LARGEST), -1),
    of("x").cast(int),
    of("1.5x").cast(Decimal),
    of("").cast(float),
    of("2023-02-30").cast(date),
    scalar(select(Authors.id)),
    scalar(select(Authors.id).limit(2)),
    fn.sum(of(LARGEST)),
]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [pytest.param(*each, id=f"{number} {each[0].key[:40]}") for number, each in enumerate(VALUES)],
)
async def test_expression_at_an_edge_has_one_value(stores: Stores, expression: Any, expected: Any):
    await stores.fill(TWO_ROWS)
    for name, library in stores.libraries.items():
        found = await select(expression).from_(Authors).limit(1).all(library)
        assert canonical(found) == canonical([expected]), name
        kept = await select(Authors.id).where(expression.is_not_distinct_from(expected)).all(library)
        assert len(kept) == 2, name


@pytest.mark.parametrize(
    "expression", [pytest.param(each, id=f"{number} {each.key[:40]}") for number, each in enumerate(REFUSED)]
)
async def test_expression_beyond_an_edge_is_refused(stores: Stores, expression: Any):
    await stores.fill(TWO_ROWS)
    for library in stores.libraries.values():
        with pytest.raises(StatementError):
            await select(expression).from_(Authors).all(library)


async def test_order_of_text_is_by_code_point(stores: Stores):
    words = ["", "B", "Z", "a", "b", "z", "é", "\ue000", "\uffff", "😀"]
    await stores.fill(Content([(number, each, None, None) for number, each in enumerate(reversed(words))], [], []))
    for name, library in stores.libraries.items():
        assert await select(Authors.name).order_by(Authors.name).all(library) == words, name
        assert await select(fn.max(Authors.name)).one(library) == words[-1], name
        doubled = await select(Authors.name + Authors.name).order_by((Authors.name + Authors.name).desc()).all(library)
        assert doubled == [each * 2 for each in reversed(words)], name


@pytest.mark.parametrize("kind", ["right", "full"])
@pytest.mark.parametrize("condition", [False, True, None])
async def test_join_on_what_depends_on_no_row_stands_before_a_right_join(
    stores: Stores, condition: bool | None, kind: str
):
    """SQLite ends at a constant that is false, before it has given the rows without a match."""
    await stores.fill(TWO_ROWS)
    second, third = Authors.named("second"), Authors.named("third")
    on: Any = Parameter(condition, Boolean())
    for both in (on, (Authors.id == second.id) & on):
        joined = select(optional(second.id), optional(third.id)).from_(Authors).join(second, on=both)
        query: Any = getattr(joined, f"{kind}_join")(third, on=second.id == third.id)
        within: Any = select(
            Authors.id,
            scalar(
                select(fn.count())
                .from_(second)
                .join(Books, on=outer(Authors.id) == 7)
                .right_join(third, on=third.id == second.id)
            ),
        ).order_by(Authors.id)
        for name, library in stores.libraries.items():
            found = set(await query.all(library))
            assert found == ({(1, 1), (2, 2)} if condition else {(None, 1), (None, 2)}), name
            assert await within.all(library) == [(1, 2), (2, 2)], name


WRONG: Final[list[Any]] = [
    select(Books.title, fn.count()).group_by(Books.pages),
    select(Books.pages + 1, fn.count()).group_by(Books.pages + 2),
    select(Books.title).distinct().order_by(Books.pages),
    select(Books.title).union(select(Books.title)).order_by(Books.pages),
    select(Books.title).where(cast(Any, fn.count() > 1)),
    select(fn.count()).from_(Books).order_by(Books.title),
]


@pytest.mark.parametrize("query", [pytest.param(each, id=str(number)) for number, each in enumerate(WRONG)])
async def test_query_without_one_meaning_is_refused_before_it_runs(stores: Stores, query: Any):
    for library in stores.libraries.values():
        with pytest.raises(QueryError) as caught:
            library._executor.gateway.compile(query)
        assert not isinstance(caught.value, Unsupported)
