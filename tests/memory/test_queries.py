"""What queries give: joins, groups, windows, subqueries, set operations, common tables, order."""

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from gateways.memory import MemoryGateway
from mapper import functions as fn
from mapper.assembly import Clause
from mapper.errors import QueryError, StatementError
from mapper.expressions import INTEGER, Expr, Slot
from mapper.functions import rows_between
from mapper.query import Query
from mapper.relation import info
from mapper.selecting import exists, optional, scalar, select
from mapper.statements import FromRelation, FromSelect, FromValues, Join, Select
from mapper.terms import literal, outer
from tests.memory.shop import Chain, Comments, Memberships, Posts, Users, insert, rows

CHAIN: Any = Chain
"""The common table as a source: for the checkers it is no relation."""

TITLES = ["one", "two", "three", "four", "five"]


@pytest.fixture
async def blog(gateway: MemoryGateway) -> MemoryGateway:
    """Three users; five posts, the last without an author; comments on the first two posts."""
    await insert(
        gateway, Users, {"name": "ada", "boss_id": None}, {"name": "bob", "boss_id": 1}, {"name": "eve", "boss_id": 2}
    )
    authors = [1, 1, 2, 2, None]
    scores = [1.5, None, 3.0, 0.5, None]
    prices = [Decimal("1.10"), Decimal("2.20"), None, Decimal("0.05"), Decimal("9.99")]
    await insert(
        gateway,
        Posts,
        *[
            {"title": title, "author_id": author, "visits": visits, "score": score, "price": price}
            for visits, (title, author, score, price) in enumerate(zip(TITLES, authors, scores, prices, strict=True))
        ],
    )
    await insert(gateway, Comments, *[{"post_id": post, "text": text} for post, text in ((1, "a"), (1, "b"), (2, "c"))])
    return gateway


class Given:
    """A select that was built by hand."""

    def __init__(self, select: Select, parameters: tuple[Any, ...] = ()) -> None:
        self._select = select
        self.key = f"given {id(select)}"
        self.parameters = parameters

    def assemble(self) -> Select:
        return self._select


async def given(gateway: MemoryGateway, select: Select, *parameters: Any) -> list[Any]:
    operation = gateway.compile(Given(select, parameters))
    return await gateway.fetch(operation, lambda found, names: list(found))


def with_join(query: Query[Any, Any], kind: Any, relation: Any, on: Expr[bool, Any] | None) -> Select:
    """Return a query's select with a join of another kind."""
    return evolve(query.assemble(), joins=(Join(kind, FromRelation(relation), on),))


# -- filters and order
# -----------------------------------------------------------------------------------------------------


@pytest.mark.feature("T18")
async def test_order_puts_null_last_ascending_and_first_descending(blog: MemoryGateway):
    titles = select(Posts.title)
    assert await rows(blog, titles.order_by(Posts.score, Posts.id)) == ["four", "one", "three", "two", "five"]
    assert await rows(blog, titles.order_by(Posts.score.desc(), Posts.id)) == ["two", "five", "three", "one", "four"]
    assert await rows(blog, titles.order_by(Posts.score.asc().nulls_first(), Posts.id)) == [
        "two",
        "five",
        "four",
        "one",
        "three",
    ]
    assert await rows(blog, titles.order_by(Posts.score.desc().nulls_last(), Posts.id)) == [
        "three",
        "one",
        "four",
        "two",
        "five",
    ]


@pytest.mark.feature("T18")
async def test_limit_and_offset_cut_the_order(blog: MemoryGateway):
    query = select(Posts.title).order_by(Posts.visits.desc())
    assert await rows(blog, query.limit(2)) == ["five", "four"]
    assert await rows(blog, query.limit(2).offset(1)) == ["four", "three"]
    assert await rows(blog, query.offset(4)) == ["one"]
    assert await rows(blog, query.limit(0)) == []


async def test_rows_without_an_order_come_as_they_were_inserted(blog: MemoryGateway):
    assert await rows(blog, select(Posts.title)) == TITLES
    assert await rows(blog, select(Posts.title).where(Posts.author_id.in_([2, 1]))) == TITLES[:4]


@pytest.mark.feature("T18")
async def test_distinct_rows_come_once_and_are_ordered_by_what_is_selected(blog: MemoryGateway):
    query = select(Posts.author_id).distinct()
    assert await rows(blog, query.order_by(Posts.author_id.desc())) == [None, 2, 1]
    assert await rows(blog, query.order_by(Posts.author_id).limit(1).offset(1)) == [2]
    with pytest.raises(QueryError, match="which is not selected"):
        blog.compile(query.order_by(Posts.title))
    parity = select(Posts.visits % 2).distinct()
    assert await rows(blog, parity.order_by((Posts.visits % 2).desc())) == [1, 0]
    with pytest.raises(QueryError, match="used with 2 and with 3"):
        blog.compile(parity.order_by(Posts.visits % 3))


# -- joins
# -----------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T20")
async def test_inner_join_pairs_rows_that_match(blog: MemoryGateway):
    query = select(Posts.title, Users.name).join(Users, on=Posts.author_id == Users.id).order_by(Posts.id)
    assert await rows(blog, query) == [("one", "ada"), ("two", "ada"), ("three", "bob"), ("four", "bob")]
    assert await rows(blog, query.where(Users.name == "bob", Posts.visits > 2)) == [("four", "bob")]


async def test_left_join_keeps_rows_without_a_match(blog: MemoryGateway):
    query = (
        select(Posts.title, optional(Comments.text))
        .left_join(Comments, on=Comments.post_id == Posts.id)
        .order_by(Posts.id, Comments.id)
    )
    assert await rows(blog, query) == [
        ("one", "a"),
        ("one", "b"),
        ("two", "c"),
        ("three", None),
        ("four", None),
        ("five", None),
    ]
    assert await rows(blog, query.where(Comments.id.is_null(), Posts.visits > 3)) == [("five", None)]


async def test_left_join_applies_the_rest_of_its_condition_before_it_keeps_rows(blog: MemoryGateway):
    on = (Comments.post_id == Posts.id) & (Comments.text == "b")
    query = select(Posts.title, optional(Comments.text)).left_join(Comments, on=on).order_by(Posts.id).limit(2)
    assert await rows(blog, query) == [("one", "b"), ("two", None)]
    unequal = (Comments.post_id == Posts.id) & (Comments.id > Posts.visits + 1)
    later = select(Posts.title, optional(Comments.id)).left_join(Comments, on=unequal).order_by(Posts.id).limit(2)
    assert await rows(blog, later) == [("one", 2), ("two", 3)]


@pytest.mark.parametrize("kind", ["right", "full"])
async def test_right_and_full_join_keep_rows_of_the_joined_relation(blog: MemoryGateway, kind: str):
    query = select(Posts.title, Users.name).from_(Posts)
    found = await given(blog, with_join(query, kind, Users, Posts.author_id == Users.id))
    matched = [("one", "ada"), ("two", "ada"), ("three", "bob"), ("four", "bob")]
    alone = [("five", None)] if kind == "full" else []
    assert found == [*matched, *alone, (None, "eve")]


async def test_condition_after_an_outer_join_sees_the_missing_rows(blog: MemoryGateway):
    query = select(Posts.title, Users.name).from_(Posts).where(Posts.id.is_null())
    assert await given(blog, with_join(query, "right", Users, Posts.author_id == Users.id)) == [(None, "eve")]
    query = select(Posts.title, Users.name).from_(Posts).where(Users.name.is_null())
    assert await given(blog, with_join(query, "full", Users, Posts.author_id == Users.id)) == [("five", None)]


async def test_cross_join_pairs_everything(blog: MemoryGateway):
    query = select(Posts.title, Users.name).from_(Posts)
    assert len(await given(blog, with_join(query, "cross", Users, None))) == 15


@pytest.mark.feature("T13")
async def test_relation_is_joined_to_itself_under_an_alias(blog: MemoryGateway):
    boss = Users.named("boss")
    query = select(Users.name, optional(boss.name)).left_join(boss, on=boss.id == Users.boss_id).order_by(Users.id)
    assert await rows(blog, query) == [("ada", None), ("bob", "ada"), ("eve", "bob")]


async def test_three_relations_are_joined_in_turn(blog: MemoryGateway):
    query = (
        select(Users.name, Posts.title, Comments.text)
        .join(Posts, on=Posts.author_id == Users.id)
        .join(Comments, on=Comments.post_id == Posts.id)
        .where(Users.name == "ada", Comments.text != "b")
    )
    assert sorted(await rows(blog, query)) == [("ada", "one", "a"), ("ada", "two", "c")]


async def test_lateral_subquery_is_computed_for_each_row(blog: MemoryGateway):
    latest = select(Posts.title).where(Posts.author_id == outer(Users.id)).order_by(Posts.id.desc()).limit(1)
    take = iter(range(10)).__next__
    inner = latest.assembled(take)
    query = evolve(
        select(Users.name, Posts.title).from_(Users).assemble(),
        joins=(Join("left", FromSelect(inner, "latest", lateral=True), None),),
    )
    assert await given(blog, query, 1) == [("ada", "two"), ("bob", "four"), ("eve", None)]


async def test_values_are_a_source(blog: MemoryGateway):
    pairs = FromValues(Slot(0, INTEGER, many=True), Chain)
    query = evolve(
        select(Posts.title, Chain.depth).from_(Posts).assemble(), joins=(Join("inner", pairs, Chain.id == Posts.id),)
    )
    assert await given(blog, query, [(1, 10), (3, 30)]) == [("one", 10), ("three", 30)]


# -- groups
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T20")
async def test_groups_are_aggregated(blog: MemoryGateway):
    query = (
        select(
            Posts.author_id,
            fn.count(),
            fn.count(Posts.score),
            fn.sum(Posts.visits),
            fn.sum(Posts.price),
            fn.avg(Posts.visits),
            fn.min(Posts.title),
            fn.max(Posts.score),
        )
        .group_by(Posts.author_id)
        .order_by(Posts.author_id)
    )
    assert await rows(blog, query) == [
        (1, 2, 1, 1, Decimal("3.30"), 0.5, "one", 1.5),
        (2, 2, 2, 5, Decimal("0.05"), 2.5, "four", 3.0),
        (None, 1, 0, 4, Decimal("9.99"), 4.0, "five", None),
    ]


async def test_aggregates_of_no_rows_are_null_and_counts_zero(gateway: MemoryGateway):
    query = select(
        fn.count(), fn.count(Posts.score), fn.sum(Posts.visits), fn.avg(Posts.price), fn.min(Posts.id)
    ).from_(Posts)
    assert await rows(gateway, query) == [(0, 0, None, None, None)]
    assert await rows(gateway, select(Posts.author_id, fn.count()).group_by(Posts.author_id)) == []


async def test_aggregate_counts_distinct_values_of_rows_that_pass_its_filter(blog: MemoryGateway):
    query = select(
        fn.count(Posts.author_id, distinct=True),
        fn.count(filter=Posts.visits > 1),
        fn.sum(Posts.visits, filter=Posts.author_id == 2),
        fn.sum(Posts.author_id, distinct=True),
    )
    assert await rows(blog, query) == [(2, 3, 5, 3)]


async def test_average_of_decimals_is_a_decimal(blog: MemoryGateway):
    assert await rows(blog, select(fn.avg(Posts.price))) == [Decimal("3.335")]


async def test_sum_of_floats_is_rounded_once(gateway: MemoryGateway):
    await insert(gateway, Posts, *[{"title": "x", "score": 0.1}] * 10)
    assert await rows(gateway, select(fn.sum(Posts.score))) == [1.0]


async def test_sum_beyond_64_bits_is_an_error(gateway: MemoryGateway):
    await insert(gateway, Posts, *[{"title": "x", "visits": 2**62}] * 2)
    with pytest.raises(StatementError, match="integer overflow") as failed:
        await rows(gateway, select(fn.sum(Posts.visits)))
    assert failed.value.operation is not None


async def test_having_keeps_groups(blog: MemoryGateway):
    query = select(Posts.author_id).group_by(Posts.author_id).having(fn.count() > 1, fn.max(Posts.visits) > 2)
    assert await rows(blog, query) == [2]
    assert await rows(blog, select(fn.count()).from_(Posts).having(fn.count() > 100)) == []


async def test_groups_by_an_expression_are_selected_by_it(blog: MemoryGateway):
    length = fn.length(Posts.title)
    assert await rows(blog, select(length, fn.count()).group_by(length).order_by(length)) == [(3, 2), (4, 2), (5, 1)]
    parity = Posts.visits % 2
    assert sorted(await rows(blog, select(parity, fn.count()).group_by(parity))) == [(0, 3), (1, 2)]


async def test_groups_by_an_expression_with_another_value_are_refused(blog: MemoryGateway):
    with pytest.raises(QueryError, match="used with 3 and with 2"):
        await rows(blog, select(Posts.visits % 2).group_by(Posts.visits % 3))


async def test_column_that_has_many_values_in_a_group_is_refused(blog: MemoryGateway):
    for query in (
        select(Posts.title, fn.count()),
        select(Posts.title).group_by(Posts.author_id),
        select(Posts.author_id).group_by(Posts.author_id).order_by(Posts.title),
        select(Posts.author_id).group_by(Posts.author_id).having(Posts.visits > 1),
    ):
        with pytest.raises(QueryError, match="not one of what the rows are grouped by"):
            blog.compile(query)


async def test_column_that_follows_from_a_grouped_key_is_selected(blog: MemoryGateway):
    query = (
        select(Users.name, fn.count(Posts.id))
        .left_join(Posts, on=Posts.author_id == Users.id)
        .group_by(Users.id)
        .order_by(Users.id)
    )
    assert await rows(blog, query) == [("ada", 2), ("bob", 2), ("eve", 0)]


# -- windows
# ---------------------------------------------------------------------------------------------------------------


async def windowed(gateway: MemoryGateway, *items: Expr[Any, Any]) -> list[Any]:
    return await rows(gateway, select(*items).from_(Posts).order_by(Posts.id))


async def test_rows_of_a_window_are_numbered_and_ranked(blog: MemoryGateway):
    over: dict[str, Any] = {"order_by": [Posts.author_id]}
    found = await windowed(blog, fn.row_number().over(**over), fn.rank().over(**over), fn.dense_rank().over(**over))
    assert found == [(1, 1, 1), (2, 1, 1), (3, 3, 2), (4, 3, 2), (5, 5, 3)]
    partitioned = await windowed(
        blog, fn.row_number().over(partition_by=[Posts.author_id], order_by=[Posts.visits.desc()])
    )
    assert partitioned == [2, 1, 2, 1, 1]


async def test_neighbours_in_a_window(blog: MemoryGateway):
    over: dict[str, Any] = {"order_by": [Posts.id]}
    found = await windowed(blog, fn.lag(Posts.title).over(**over), fn.lead(Posts.title, 2).over(**over))
    assert found == [(None, "three"), ("one", "four"), ("two", "five"), ("three", None), ("four", None)]


async def test_frame_ends_with_the_equals_of_the_current_row_by_default(blog: MemoryGateway):
    over: dict[str, Any] = {"order_by": [Posts.author_id]}
    found = await windowed(
        blog, fn.sum(Posts.visits).over(**over), fn.last_value(Posts.title).over(**over), fn.count().over()
    )
    assert found == [(1, "two", 5), (1, "two", 5), (6, "four", 5), (6, "four", 5), (10, "five", 5)]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (rows_between(-1, 0), [0, 1, 3, 5, 7]),
        (rows_between(None, 0), [0, 1, 3, 6, 10]),
        (rows_between(0, None), [10, 10, 9, 7, 4]),
        (rows_between(None, None), [10] * 5),
        (rows_between(1, 2), [3, 5, 7, 4, None]),
        (rows_between(None, -2), [None, None, 0, 1, 3]),
    ],
)
async def test_frame_counts_rows(blog: MemoryGateway, frame: Any, expected: list[Any]):
    assert await windowed(blog, fn.sum(Posts.visits).over(order_by=[Posts.id], frame=frame)) == expected


async def test_first_value_of_an_empty_frame_is_null(blog: MemoryGateway):
    frame = rows_between(1, 2)
    found = await windowed(blog, fn.first_value(Posts.title).over(order_by=[Posts.id], frame=frame))
    assert found == ["two", "three", "four", "five", None]


async def test_window_over_groups(blog: MemoryGateway):
    query = (
        select(
            Posts.author_id,
            fn.count(),
            fn.sum(fn.count()).over(),
            fn.rank().over(order_by=[fn.sum(Posts.visits).desc()]),
        )
        .group_by(Posts.author_id)
        .order_by(Posts.author_id)
    )
    assert await rows(blog, query) == [(1, 2, 5, 3), (2, 2, 5, 1), (None, 1, 5, 2)]


async def test_filtered_and_running_aggregates_in_windows(blog: MemoryGateway):
    over: dict[str, Any] = {"order_by": [Posts.id]}
    found = await windowed(
        blog,
        fn.count(filter=Posts.score.is_not_null()).over(**over),
        fn.avg(Posts.score).over(**over),
        fn.min(Posts.title).over(**over),
        fn.max(Posts.price).over(**over),
        fn.sum(Posts.price).over(**over),
    )
    assert [each[0] for each in found] == [1, 1, 2, 3, 3]
    assert [each[1] for each in found] == [1.5, 1.5, 2.25, 5 / 3, 5 / 3]
    assert [each[2] for each in found] == ["one", "one", "one", "four", "five"]
    assert [each[3] for each in found] == [Decimal(each) for each in ("1.10", "2.20", "2.20", "2.20", "9.99")]
    assert [each[4] for each in found] == [Decimal(each) for each in ("1.10", "3.30", "3.30", "3.35", "13.34")]


async def test_window_function_without_a_window_is_refused(blog: MemoryGateway):
    with pytest.raises(QueryError, match="for windows"):
        blog.compile(select(fn.rank()).from_(Posts))
    with pytest.raises(QueryError, match="no groups"):
        blog.compile(select(Posts.id).where(fn.row_number().over() == 1))


# -- subqueries
# ------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("T17")
async def test_subquery_of_one_value(blog: MemoryGateway):
    highest = scalar(select(fn.max(Posts.visits)))
    assert await rows(blog, select(Posts.title).where(Posts.visits == highest)) == ["five"]
    nothing = scalar(select(Posts.id).where(Posts.id == 99))
    assert await rows(blog, select(Users.name, nothing).where(Users.id == 1)) == [("ada", None)]
    with pytest.raises(StatementError, match="several rows"):
        await rows(blog, select(Users.name, scalar(select(Posts.id))))


@pytest.mark.feature("T17")
async def test_correlated_subquery_sees_the_enclosing_row(blog: MemoryGateway):
    count = scalar(select(fn.count(Posts.id)).where(Posts.author_id == outer(Users.id)))
    assert await rows(blog, select(Users.name, count).order_by(Users.id)) == [("ada", 2), ("bob", 2), ("eve", 0)]
    commented = exists(select(Comments.id).where(Comments.post_id == outer(Posts.id)))
    assert await rows(blog, select(Posts.title).where(commented)) == ["one", "two"]
    assert await rows(blog, select(Posts.title).where(~commented)) == ["three", "four", "five"]


async def test_subquery_within_a_subquery_reaches_through_both(blog: MemoryGateway):
    deep = exists(
        select(Comments.id).where((Comments.post_id == outer(Posts.id)) & (Comments.text != outer(Users.name)))
    )
    query = select(Users.name).where(exists(select(Posts.id).where((Posts.author_id == outer(Users.id)) & deep)))
    assert await rows(blog, query) == ["ada"]


async def test_subquery_in_a_grouped_select_sees_the_group(blog: MemoryGateway):
    name = scalar(select(Users.name).where(Users.id == outer(Posts.author_id)))
    query = select(name, fn.count()).from_(Posts).group_by(Posts.author_id).order_by(Posts.author_id)
    assert await rows(blog, query) == [("ada", 2), ("bob", 2), (None, 1)]


@pytest.mark.feature("T17")
async def test_membership_in_a_subquery_is_not_spoilt_by_null(blog: MemoryGateway):
    authors = select(Posts.author_id)
    assert await rows(blog, select(Users.name).where(Users.id.in_(authors))) == ["ada", "bob"]
    assert await rows(blog, select(Users.name).where(Users.id.not_in(authors))) == ["eve"]
    bosses = select(Users.boss_id)
    assert await rows(blog, select(Users.name).where(Users.boss_id.in_(bosses))) == ["ada", "bob", "eve"]
    assert await rows(blog, select(Users.name).where(Users.boss_id.not_in(select(Users.id)))) == ["ada"]


async def test_subqueries_that_differ_in_their_values_only_are_told_apart(blog: MemoryGateway):
    def older(visits: int) -> Expr[bool, Any]:
        return Posts.id.in_(select(Posts.id).where(Posts.visits > visits))

    query = select(fn.count(filter=older(0)), fn.count(filter=older(3))).from_(Posts)
    assert await rows(blog, query) == [(4, 1)]


async def test_count_of_a_limited_query(blog: MemoryGateway):
    from tests.memory.shop import Everything

    repository = Everything(blog)
    assert await select(Posts.id).count(repository) == 5
    assert await select(Posts.id).limit(3).count(repository) == 3
    assert await select(Posts.author_id).distinct().count(repository) == 3
    assert await select(Posts.id).where(Posts.visits > 9).exists(repository) is False
    assert await select(Posts.id).limit(3).offset(4).exists(repository) is True


# -- set operations and common tables
# --------------------------------------------------------------------------------------


def compound(left: Query[Any, Any], operator: str, right: Query[Any, Any]) -> Query[Any, Any]:
    return left._extended(Clause("compound", payload=(operator, right)), f"|{operator} ({right.key})", right.parameters)


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("union", [None, 1, 2, 3]),
        ("union_all", [None, 1, 1, 1, 2, 2, 2, 3]),
        ("intersect", [1, 2]),
        ("intersect_all", [1, 2]),
        ("except", [None]),
        ("except_all", [None, 1, 2]),
    ],
)
async def test_set_operation(blog: MemoryGateway, operator: str, expected: list[Any]):
    found = await rows(blog, compound(select(Posts.author_id), operator, select(Users.id)))
    assert sorted(found, key=lambda each: (each is not None, each or 0)) == expected


async def test_order_and_limit_apply_to_the_whole_of_a_set_operation(blog: MemoryGateway):
    query = compound(select(Posts.author_id), "union", select(Users.id)).order_by(Posts.author_id.desc()).limit(2)
    assert await rows(blog, query) == [None, 3]
    first = select(Posts.author_id).order_by(Posts.id).limit(1)
    assert sorted(await rows(blog, compound(first, "union_all", select(Users.id)))) == [1, 1, 2, 3]


async def test_set_operation_of_different_widths_is_refused(blog: MemoryGateway):
    with pytest.raises(QueryError, match="2 columns and 1"):
        blog.compile(compound(select(Posts.id, Posts.title), "union", select(Users.id)))


def with_chain(query: Query[Any, Any], definition: Query[Any, Any], *, recursive: bool) -> Query[Any, Any]:
    clause = Clause("with", payload=(Chain, definition, recursive))
    return query._extended(clause, f"|with {definition.key}", definition.parameters)


async def test_common_table_is_read_like_a_relation(blog: MemoryGateway):
    definition = select(Posts.id, Posts.visits * 2).where(Posts.visits > 2)
    query = with_chain(
        select(Posts.title, Chain.depth).join(CHAIN, on=Chain.id == Posts.id), definition, recursive=False
    )
    assert await rows(blog, query) == [("four", 6), ("five", 8)]


@pytest.mark.feature("T13")
async def test_recursive_common_table_follows_a_hierarchy(blog: MemoryGateway):
    step = select(Users.id, Chain.depth + 1).from_(Users).join(CHAIN, on=Users.boss_id == Chain.id)
    definition = compound(select(Users.id, literal(0)).where(Users.boss_id.is_null()), "union_all", step)
    query = with_chain(select(Chain.id, Chain.depth).from_(CHAIN).order_by(Chain.id), definition, recursive=True)
    assert await rows(blog, query) == [(1, 0), (2, 1), (3, 2)]


async def test_recursion_without_end_is_cut_by_the_limit_of_its_reader(blog: MemoryGateway):
    step: Query[Any, Any] = select(Chain.id + 1, Chain.depth).from_(CHAIN)
    definition = compound(select(literal(1), literal(0)), "union_all", step)
    query = with_chain(select(Chain.id).from_(CHAIN).limit(5), definition, recursive=True)
    assert await rows(blog, query) == [1, 2, 3, 4, 5]


async def test_recursion_by_union_stops_at_a_cycle(blog: MemoryGateway):
    step: Query[Any, Any] = select(Chain.id % 3 + 1, literal(0)).from_(CHAIN)
    definition = compound(select(literal(1), literal(0)), "union", step)
    query = with_chain(select(Chain.id).from_(CHAIN), definition, recursive=True)
    assert await rows(blog, query) == [1, 2, 3]


async def test_common_table_without_rows_is_refused(blog: MemoryGateway):
    with pytest.raises(QueryError, match="common table Chain has no rows here"):
        blog.compile(select(Chain.id).from_(CHAIN))


async def test_select_by_hand_of_a_slot(blog: MemoryGateway):
    query = evolve(select(Users.name).from_(Users).assemble(), limit=Slot(0, Users.id.type))
    assert await given(blog, query, 1) == [("ada",)]
    assert info(Memberships).name == "memberships"


async def test_groups_by_an_expression_with_a_list_are_selected_by_it(blog: MemoryGateway):
    few = fn.case((Posts.visits.in_([0, 1]), "few"), else_="many")
    query = select(few, fn.count()).group_by(few).order_by(few)
    assert await rows(blog, query) == [("few", 2), ("many", 3)]
