"""What each operator and function means."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateways.memory import MemoryGateway
from mapper import functions as fn
from mapper.deferred import Placeholder
from mapper.errors import QueryError, StatementError, Unsupported
from mapper.expressions import Call, Expr, RowValue
from mapper.preparing import prepared
from mapper.query import Query
from mapper.selecting import raw, select
from mapper.terms import fragment, literal
from tests.memory.shop import Everything, Posts, Users, insert, keys, rows, values

NULL: Expr[Any, Any] = fn.nullif(literal(1), 1)
NO_TEXT: Expr[Any, Any] = fn.nullif(literal("x"), "x")
TRUE: Expr[Any, Any] = literal(True)
FALSE: Expr[Any, Any] = literal(False)
UNKNOWN: Expr[Any, Any] = literal(1) == NULL

LARGEST = 2**63 - 1

MOMENT = datetime(2024, 5, 17, 23, 59, 58, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (literal(1) == literal(1), True),
        (literal(1) != literal(1), False),
        (literal(1) < literal(2), True),
        (literal("B") < literal("a"), True),
        (literal("z") < literal("ä"), True),
        (literal(Decimal("1.0")) == literal(Decimal("1.00")), True),
        (literal(1) == NULL, None),
        (literal(1) != NULL, None),
        (literal(1) <= NULL, None),
        (NULL.is_null(), True),
        (NULL.is_not_null(), False),
        (NULL.is_distinct_from(1), True),
        (NULL.is_not_distinct_from(NULL), True),
        (literal(1).is_not_distinct_from(NULL), False),
        (~UNKNOWN, None),
        (UNKNOWN & FALSE, False),
        (UNKNOWN & TRUE, None),
        (UNKNOWN | TRUE, True),
        (UNKNOWN | FALSE, None),
        (literal(2).between(1, 3), True),
        (literal(4).between(1, 3), False),
        (NULL.between(1, 3), None),
        (literal(4).between(NULL, literal(3)), False),
        (literal(2).between(NULL, literal(3)), None),
        (Call("is_not_true", (UNKNOWN,), TRUE.type, nullable=False), True),
        (RowValue([literal(1), literal(2)]) == (1, 2), True),
        (RowValue([literal(1), NULL]) == (2, 2), False),
        (RowValue([literal(1), NULL]) == (1, 2), None),
        (
            Call(
                "lt", (RowValue([literal(1), literal(2)]), RowValue([literal(1), literal(3)])), TRUE.type, nullable=None
            ),
            True,
        ),
        (
            Call(
                "le", (RowValue([literal(1), literal(2)]), RowValue([literal(1), literal(2)])), TRUE.type, nullable=None
            ),
            True,
        ),
    ],
)
async def test_condition_follows_three_valued_logic(
    gateway: MemoryGateway, expression: Expr[Any, Any], expected: object
):
    assert await values(gateway, expression) is expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (literal(7) + 3, 10),
        (literal(7) - literal(8), -1),
        (literal(7) * 2, 14),
        (literal(7) / 2, 3.5),
        (literal(6) / literal(3), 2.0),
        (literal(7) / 0, None),
        (literal(7) % 0, None),
        (literal(-7) % 3, -1),
        (literal(7) % literal(-3), 1),
        (literal(7) + NULL, None),
        (literal(0.5) + 1, 1.5),
        (literal(Decimal("0.1")) + literal(Decimal("0.2")), Decimal("0.3")),
        (literal(Decimal("1.10")) * literal(Decimal("1.10")), Decimal("1.2100")),
        (literal(Decimal(1)) / literal(Decimal(8)), Decimal("0.125")),
        (literal(Decimal(1)) / literal(Decimal(3)), Decimal("0.3333333333333333333333333333")),
        (literal(Decimal(1)) / literal(Decimal(0)), None),
        (literal(Decimal("1E+30")) + literal(Decimal("1E-10")), Decimal("1000000000000000000000000000000.0000000001")),
        (literal(timedelta(hours=1)) + timedelta(minutes=1), timedelta(minutes=61)),
        (literal(timedelta(hours=1)) - literal(timedelta(hours=2)), timedelta(hours=-1)),
        (-literal(3), -3),
    ],
)
async def test_arithmetic_is_exact_and_null_for_division_by_zero(
    gateway: MemoryGateway, expression: Expr[Any, Any], expected: object
):
    found = await values(gateway, expression)
    assert found == expected
    assert type(found) is type(expected)
    assert str(found) == str(expected)


@pytest.mark.parametrize(
    "expression",
    [
        literal(LARGEST) + 1,
        literal(-LARGEST) - 2,
        literal(LARGEST) * 2,
        fn.abs(literal(-LARGEST - 1)),
        fn.floor(literal(1e300)),
        literal(1e308) * 10.0,
        literal(1e308) + literal(1e308),
    ],
)
async def test_number_that_does_not_fit_is_an_error(gateway: MemoryGateway, expression: Expr[Any, Any]):
    with pytest.raises(StatementError, match="overflow"):
        await values(gateway, expression)


async def test_infinity_is_a_float_like_others(gateway: MemoryGateway):
    assert await values(gateway, literal(float("inf")) + 1.0) == float("inf")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (literal("a") + "b", "ab"),
        (literal("a") + NO_TEXT, None),
        (fn.lower(literal("ÄB")), "äb"),
        (fn.upper(literal("äb")), "ÄB"),
        (fn.trim(literal("  a\tb ")), "a\tb"),
        (fn.length(literal("äöü")), 3),
        (fn.length(literal(b"\x00\x01")), 2),
        (fn.replace(literal("banana"), "an", "o"), "booa"),
        (fn.replace(literal("banana"), "", "o"), "banana"),
        (fn.substring(literal("banana"), 2, 3), "ana"),
        (fn.substring(literal("banana"), 3), "nana"),
        (fn.substring(literal("banana"), 0, 3), "ba"),
        (fn.substring(literal("banana"), -5, 3), ""),
        (literal("50%").like("50\\%"), True),
        (literal("50x").like("50\\%"), False),
        (literal("abc").like("a_c"), True),
        (literal("abc").like("A%"), False),
        (literal("a\nc").like("a%c"), True),
        (literal("a.c").like("a.c"), True),
        (literal("abc").like("a.c"), False),
        (literal("abc").like("abc\\"), False),
        (literal("a\\c").like("a\\\\c"), True),
        (literal("").like("%"), True),
        (literal("abcabc").like("%bc%bc"), True),
        (literal("abc").like("%bc%bc"), False),
        (literal("aXbXc").like("a%X%c"), True),
        (NO_TEXT.like("a"), None),
        (literal("ABC").ilike("a%"), True),
        (literal("a%c").starts_with("a%"), True),
        (literal("abc").starts_with("a%"), False),
        (literal("abc").ends_with("C"), False),
        (literal("abc").contains("b"), True),
    ],
)
async def test_text_function(gateway: MemoryGateway, expression: Expr[Any, Any], expected: object):
    assert await values(gateway, expression) == expected


async def test_pattern_with_many_wildcards_takes_no_time(gateway: MemoryGateway):
    assert await values(gateway, literal("a" * 5000).like("%a" * 30 + "b")) is False


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (fn.abs(literal(-3)), 3),
        (fn.abs(literal(Decimal("-0.5"))), Decimal("0.5")),
        (fn.round(literal(2.5)), 3.0),
        (fn.round(literal(-2.5)), -3.0),
        (fn.round(literal(2.675), 2), 2.68),
        (fn.round(literal(Decimal("2.665")), 2), Decimal("2.67")),
        (fn.round(literal(7), 2), 7),
        (fn.floor(literal(-1.5)), -2),
        (fn.ceil(literal(Decimal("1.2"))), 2),
        (fn.coalesce(NULL, 4), 4),
        (fn.coalesce(NULL, NULL, NULL), None),
        (fn.nullif(literal(1), 2), 1),
        (fn.nullif(literal(1), 1), None),
        (fn.case((UNKNOWN, 1), (TRUE, 2), else_=3), 2),
        (fn.case((FALSE, 1), else_=3), 3),
        (fn.case((FALSE, 1)), None),
    ],
)
async def test_number_and_choice_function(gateway: MemoryGateway, expression: Expr[Any, Any], expected: object):
    found = await values(gateway, expression)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (fn.date(literal(MOMENT)), date(2024, 5, 17)),
        (fn.year(literal(MOMENT)), 2024),
        (fn.month(literal(MOMENT)), 5),
        (fn.day(literal(date(2024, 5, 17))), 17),
        (fn.hour(literal(MOMENT)), 23),
        (fn.minute(literal(MOMENT)), 59),
        (fn.second(literal(MOMENT)), 58),
    ],
)
async def test_part_of_a_moment(gateway: MemoryGateway, expression: Expr[Any, Any], expected: object):
    assert await values(gateway, expression) == expected


async def test_now_is_aware_and_the_same_for_all_rows(gateway: MemoryGateway):
    await keys(gateway, Posts, *[{"title": str(each)} for each in range(50)])
    found = await rows(gateway, select(fn.now()).from_(Posts))
    assert len(found) == 50
    assert len(set(found)) == 1
    assert abs(found[0] - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        (1, str, "1"),
        (True, str, "true"),
        (1.5, str, "1.5"),
        (Decimal("1E+2"), str, "100"),
        (date(2024, 1, 2), str, "2024-01-02"),
        ("12", int, 12),
        (1.9, int, 1),
        (-1.9, int, -1),
        (True, int, 1),
        (Decimal("2.9"), int, 2),
        ("1.50", Decimal, Decimal("1.50")),
        (0.1, Decimal, Decimal("0.1")),
        (3, float, 3.0),
        (0, bool, False),
        ("true", bool, True),
        ("2024-01-02", date, date(2024, 1, 2)),
        (MOMENT, date, date(2024, 5, 17)),
    ],
)
async def test_cast_converts(gateway: MemoryGateway, value: Any, type_: type, expected: object):
    found = await values(gateway, literal(value).cast(type_))
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("value", "type_"), [("x", int), ("1.5.2", Decimal), (float("inf"), int), ("maybe", bool)])
async def test_cast_that_means_nothing_is_an_error(gateway: MemoryGateway, value: Any, type_: type):
    with pytest.raises(StatementError, match="cannot be cast"):
        await values(gateway, literal(value).cast(type_))


async def filtered(gateway: MemoryGateway, *conditions: Expr[bool, Any]) -> list[Any]:
    return await rows(gateway, select(Posts.title).where(*conditions).order_by(Posts.id))


@pytest.fixture
async def posts(gateway: MemoryGateway) -> MemoryGateway:
    """Three posts, one of them without a score."""
    scores = {"a": 1.0, "b": 2.0, "c": None}
    await insert(
        gateway, Posts, *[{"title": each, "score": score, "tags": [each, "all"]} for each, score in scores.items()]
    )
    return gateway


@pytest.mark.feature("T17")
async def test_list_membership_knows_null(posts: MemoryGateway):
    assert await filtered(posts, Posts.score.in_([1.0, 3.0])) == ["a"]
    assert await filtered(posts, Posts.score.in_([])) == []
    assert await filtered(posts, Posts.score.in_([1.0, None])) == ["a", "c"]
    assert await filtered(posts, Posts.score.not_in([1.0])) == ["b", "c"]
    assert await filtered(posts, Posts.score.not_in([])) == ["a", "b", "c"]
    assert await filtered(posts, Posts.score.not_in([1.0, None])) == ["b"]
    assert await filtered(posts, ~Posts.score.in_([1.0])) == ["b"]


async def test_list_of_thousands_is_searched_by_hash(posts: MemoryGateway):
    assert await filtered(posts, Posts.score.in_([float(each) for each in range(2, 5000)])) == ["b"]


@pytest.mark.feature("T17")
async def test_list_of_rows_is_compared_part_by_part(posts: MemoryGateway):
    pair: RowValue[Any, Posts] = RowValue([Posts.title, Posts.score])
    assert await filtered(posts, pair.in_([("a", 1.0), ("b", 1.0)])) == ["a"]
    assert await filtered(posts, pair.not_in([("a", 1.0)])) == ["b", "c"]


@pytest.mark.feature("T10")
async def test_list_contains_an_item(posts: MemoryGateway):
    assert await filtered(posts, Posts.tags.contains("b")) == ["b"]


async def test_prepared_query_given_none_asks_for_null(posts: MemoryGateway):
    @prepared
    def scored(score: float | None) -> Query[str, Posts]:
        return select(Posts.title).where(Posts.score == score).order_by(Posts.id)

    @prepared
    def others(score: float | None) -> Query[str, Posts]:
        return select(Posts.title).where(Posts.score != score).order_by(Posts.id)

    repository = Everything(posts)
    assert await scored(None).all(repository) == ["c"]
    assert await scored(2.0).all(repository) == ["b"]
    assert await others(None).all(repository) == ["a", "b"]
    assert await others(2.0).all(repository) == ["a"]


async def test_prepared_list_may_contain_none(posts: MemoryGateway):
    @prepared
    def scored(scores: list[float | None]) -> Query[str, Posts]:
        return select(Posts.title).where(Posts.score.in_(scores)).order_by(Posts.id)

    @prepared
    def others(scores: list[float | None]) -> Query[str, Posts]:
        return select(Posts.title).where(Posts.score.not_in(scores)).order_by(Posts.id)

    repository = Everything(posts)
    assert await scored([None, 1.0]).all(repository) == ["a", "c"]
    assert await scored([1.0]).all(repository) == ["a"]
    assert await others([None, 1.0]).all(repository) == ["b"]
    assert await others([1.0]).all(repository) == ["b", "c"]


async def test_prepared_list_of_rows_is_one_parameter(posts: MemoryGateway):
    pair: RowValue[Any, Posts] = RowValue([Posts.title, Posts.score])
    query = select(Posts.title).where(pair.in_(Placeholder(0, "pairs")))  # type: ignore[arg-type]  # as @prepared does
    assert await rows(posts, query.with_parameters(([("b", 2.0), ("c", 1.0)],))) == ["b"]


@pytest.mark.feature("B11")
async def test_text_of_a_store_is_refused_before_anything_runs(gateway: MemoryGateway):
    with pytest.raises(Unsupported) as refused:
        gateway.compile(select(fragment(str, "lower(?)", Posts.title)))
    assert (refused.value.capability, refused.value.gateway) == ("sql", "memory")
    with pytest.raises(Unsupported):
        gateway.compile(raw(int, "select 1"))


async def test_excluded_outside_of_an_upsert_is_refused(gateway: MemoryGateway):
    from mapper.terms import excluded

    with pytest.raises(QueryError, match="on_conflict"):
        gateway.compile(select(Posts.id).where(excluded(Posts.title) == "x"))


async def test_aggregate_in_a_filter_is_refused(gateway: MemoryGateway):
    with pytest.raises(QueryError, match="no groups"):
        gateway.compile(select(Users.id).where(fn.count() > 1))


async def test_values_that_do_not_go_together_are_a_store_error(gateway: MemoryGateway):
    with pytest.raises(StatementError, match="do not go together"):
        await values(gateway, Call("lt", (literal("a"), literal(1)), TRUE.type, nullable=None))
