"""Queries as values: what they are equal to, what they refuse, and what their keys tell apart."""

import copy
import operator
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.memory import MemoryGateway
from mapper import functions as fn
from mapper import types
from mapper.columns import Column, column
from mapper.deferred import Placeholder
from mapper.errors import DeclarationError, ManyRows, QueryError
from mapper.expressions import Call, Expr, Parameter
from mapper.preparing import prepared
from mapper.query import Query
from mapper.relation import Relation
from mapper.repository import Repository
from mapper.selecting import exists, optional, raw, scalar, select
from mapper.statements import FromRelation
from mapper.terms import fragment, literal


@attrs.frozen
class Post:
    title: str
    body: str | None = None


@attrs.frozen
class Other:
    title: str


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str | None]
    visits: Column[int] = column(default=0)
    price: Column[Decimal] = column(default=Decimal(0))
    public: Column[bool] = column(default=False)


class Others(Relation[Other]):
    title: Column[str]


class Board(Repository[Posts | Others]): ...


@pytest.mark.feature("B9")
def test_query_chained_leaves_the_first_one_as_it_was():
    base = select(Posts.title)
    key = base.key
    base.where(Posts.public).order_by(Posts.id).limit(3)
    assert base.key == key
    assert base.assemble().where == ()


@pytest.mark.feature("B9")
def test_query_equality_is_that_of_shape_and_values():
    def build(visits: int) -> Query[str, Posts]:
        return select(Posts.title).where(Posts.visits > visits).limit(3)

    assert build(1) == build(1)
    assert hash(build(1)) == hash(build(2))
    assert build(1) != build(2)
    assert build(1).key == build(2).key
    assert build(1) != build(1).distinct()


def test_query_of_one_model_and_relation_is_made_once():
    assert select(Post).from_(Posts) is select(Post).from_(Posts)
    assert select(Posts) is select(Posts)
    assert select(Post).from_(Posts.named("p")).key != select(Post).from_(Posts).key


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (Others, QueryError, "stores Other, not Post"),
        (Post, DeclarationError, "is not a relation"),
        ([], DeclarationError, "is not a relation"),
    ],
)
def test_select_from_what_does_not_store_the_model_is_refused_every_time(
    source: Any, error: type[Exception], message: str
):
    for _ in range(2):
        with pytest.raises(error, match=message):
            select(Post).from_(source)


def test_query_reads_from_the_relation_of_its_first_column():
    source = select(fn.count(Posts.id), Posts.title).assemble().source
    assert isinstance(source, FromRelation)
    assert source.relation is Posts


async def test_query_counted_or_asked_for_existence_still_reads_from_the_relation_of_its_first_column():
    class Shop(Repository[Posts | Others]): ...

    shop = Shop(MemoryGateway())
    await shop.push_schema()
    query = select(Posts.title).left_join(Others, on=Others.title == Posts.title).where(Posts.visits > 0)
    assert (await query.count(shop), await query.exists(shop)) == (0, False)


@pytest.mark.parametrize("use", [bool, lambda each: each and True, lambda each: not each], ids=["bool", "and", "not"])
def test_expression_in_a_truth_test_is_a_type_error_that_names_the_operators(use: Any):
    with pytest.raises(TypeError, match=r"& \| ~"):
        use(Posts.title == "x")


def test_expression_chained_comparison_is_a_type_error_that_names_between():
    with pytest.raises(TypeError, match="between"):
        _ = 1 < Posts.visits < 3


def test_query_in_a_truth_test_is_a_type_error_that_names_exists():
    with pytest.raises(TypeError, match="exists"):
        bool(select(Posts.id))


# What a type checker would refuse as well.
posts: Any = Posts
others: Any = Others
functions: Any = fn
chosen: Any = select
untyped_optional: Any = optional

WRONG: list[tuple[str, Any, str]] = [
    ("select of nothing", lambda: chosen(), "nothing"),
    ("select of a value", lambda: chosen("title"), "literal"),
    ("model of another relation", lambda: chosen(Post).from_(others), "Others stores Other, not Post"),
    ("wrapper without key", lambda: chosen(others), "no wrapper"),
    ("where with a value", lambda: chosen(posts.id).where(True), "not a condition"),
    ("where with a number", lambda: chosen(posts.id).where(posts.visits), "not a condition but int"),
    ("and with a number", lambda: posts.public & posts.visits, "not a condition"),
    ("order by text", lambda: chosen(posts.id).order_by("title"), "order_by takes expressions"),
    ("negative limit", lambda: chosen(posts.id).limit(-1), "not negative"),
    ("limit of a bool", lambda: chosen(posts.id).limit(True), "expected a number of rows"),
    ("find without key", lambda: chosen(others.title).find(1), "no primary key"),
    ("find of a tuple", lambda: chosen(posts.id).find((1, 2)), "is not a key"),
    ("find of None", lambda: chosen(posts.id).find(None), "is not a key|no part of a key"),
    ("in of a string", lambda: posts.title.in_("abc"), "list"),
    ("in of a number", lambda: posts.visits.in_(3), "list"),
    ("sum of text", lambda: functions.sum(posts.title), "sum needs a number"),
    ("like of a number", lambda: posts.visits.like("x"), "like needs text"),
    ("addition to a bool", lambda: posts.public + 1, "add needs numbers"),
    ("decimal and float", lambda: posts.price * 1.5, "lose digits|found"),
    ("case of nothing", lambda: functions.case(), "no branches"),
    ("coalesce of a value", lambda: functions.coalesce("x"), "begin with an expression"),
    ("fragment with too few operands", lambda: fragment(str, "lower(?)"), "1 placeholders and 0 operands"),
    ("raw with too many parameters", lambda: raw(Post, "select 1", 2), "0 placeholders and 1 parameters"),
    ("frame that ends before it starts", lambda: functions.rows_between(2, 1), "ends before it starts"),
    ("count of distinct rows", lambda: functions.count(distinct=True), "nothing to tell apart"),
    ("into of one item", lambda: chosen(posts.title).into(Other), "map"),
    ("into of no function", lambda: chosen(posts.title, posts.id).into(3), "function"),
    ("subquery of two columns", lambda: scalar(chosen(posts.id, posts.title)), "no one value"),
    ("exists of no query", lambda: exists(posts.id), "exists takes a query"),
    ("optional of a value", lambda: untyped_optional(3), "optional takes"),
]


@pytest.mark.parametrize(("build", "text"), [pytest.param(build, text, id=name) for name, build, text in WRONG])
def test_query_built_wrongly_is_refused_with_the_mend(build: Any, text: str):
    with pytest.raises(QueryError, match=text):
        build()


def test_from_something_that_is_no_relation_is_refused():
    wrong: Any = Post
    with pytest.raises(DeclarationError, match="is not a relation"):
        select(Posts.id).from_(wrong)


def test_prepared_query_is_built_once_and_keeps_its_signature():
    calls = []

    @prepared
    def by_title(title: str, size: int = 3) -> Query[Post, Posts]:
        """Find by title."""
        calls.append(title)
        return select(Post).from_(Posts).where(Posts.title == title).limit(size)

    assert by_title("a").parameters == ("a", 3)
    assert by_title("b", 5).parameters == ("b", 5)
    assert by_title(title="c", size=1).parameters == ("c", 1)
    assert by_title("a").key == by_title("b").key
    assert len(calls) == 1
    assert by_title.__doc__ == "Find by title."


def test_prepared_query_takes_arguments_in_any_order_and_beside_values_of_its_own():
    @prepared
    def between(low: int, high: int) -> Query[str, Posts]:
        return select(Posts.title).where(Posts.visits < high, Posts.public == True, Posts.visits > low).limit(2)

    @prepared
    def twice(visits: int) -> Query[str, Posts]:
        return select(Posts.title).where((Posts.visits == visits) | (Posts.id == visits))

    assert [between(1, 5).parameters, between(high=6, low=2).parameters] == [(5, True, 1, 2), (6, True, 2, 2)]
    assert [twice(3).parameters, twice(visits=4).parameters] == [(3, 3), (4, 4)]
    assert type(twice(3)) is Query


@pytest.mark.parametrize("arguments", [(), (1, 2, 3)])
def test_prepared_query_refuses_another_number_of_arguments(arguments: tuple[int, ...]):
    @prepared
    def by_visits(low: int, high: int = 9) -> Query[str, Posts]:
        return select(Posts.title).where(Posts.visits.between(low, high))

    for _ in range(2):
        with pytest.raises(TypeError, match="argument"):
            by_visits(*arguments)
        assert by_visits(3).parameters == (3, 9)


def test_prepared_function_that_is_refused_once_is_refused_again():
    @prepared
    def unused(title: str) -> Query[str, Posts]:
        return select(Posts.title)

    for _ in range(2):
        with pytest.raises(QueryError, match="does not bind 'title'"):
            unused("x")


def test_one_that_is_found_is_as_its_query_in_every_way():
    found, other = select(Post).from_(Posts).find(1), select(Post).from_(Posts).find(2)
    query = select(Post).from_(Posts).where(Posts.id == 1)
    assert found._query == query
    assert (found.key, found.parameters) == (query.key, query.parameters)
    assert str(found) == str(query)
    assert found == select(Post).from_(Posts).find(1)
    assert found != other
    assert len({found, select(Post).from_(Posts).find(1), other}) == 2
    assert other._query.parameters == other.with_parameters((2,)).parameters == (2,)
    assert found._query is not select(Post).from_(Posts)


async def test_one_that_is_found_through_a_join_of_many_rows_names_its_query():
    blog = Board(MemoryGateway())
    await blog.push_schema()
    await blog.load(Posts, [Post("a")])
    await blog.load(Others, [Other("x"), Other("y")])
    found = select(Posts.title).from_(Posts).cross_join(Others).find(1)
    with pytest.raises(ManyRows) as caught:
        await found.execute(blog)
    assert caught.value.query.parameters == (1,)
    assert caught.value.count == 2


def test_limit_and_offset_of_one_query_are_values_of_their_own():
    query = select(Posts.title).limit(2).offset(3)
    size: Any = Placeholder(0, "size")
    assert query.parameters == (2, 3)
    assert query.key == select(Posts.title).limit(size).offset(size).key
    assembled: Any = query.assemble()
    assert [assembled.limit.index, assembled.offset.index] == [0, 1]
    assert (query.limit(7).parameters, query.parameters) == ((2, 3, 7), (2, 3))


COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize(
    "value",
    [1, True, "x", b"x", 1.5, Decimal("1.5"), date(2020, 1, 1), datetime(2020, 1, 1), timedelta(1), UUID(int=1)],
)
def test_comparison_with_a_value_is_as_the_nodes_are_made_by_themselves(name: str, value: Any):
    for column_ in (Posts.id, Posts.body, Posts.price):
        found = COMPARED[name](column_, value)
        made = Call[bool, Any](
            name, (column_, Parameter(value, column_.type.unlimited)), types.Boolean(), nullable=None
        )
        for one, other in ((found, made), (found.operands[1], made.operands[1])):
            assert type(one) is type(other)
            for part in ("key", "parameters", "type", "nullable"):
                assert getattr(one, part) == getattr(other, part)
        assert found.operands[0] is column_
        assert repr(found) == repr(made)


def test_prepared_query_that_asks_for_the_value_is_refused():
    @prepared
    def formatted(title: str) -> Query[str, Posts]:
        return select(Posts.title).where(Posts.title.like(f"{title}%"))

    @prepared
    def branching(title: str) -> Query[str, Posts]:
        return select(Posts.title).where(Posts.title == title) if title else select(Posts.title)

    @prepared
    def unused(title: str) -> Query[str, Posts]:
        return select(Posts.title)

    with pytest.raises(TypeError, match="cannot be formatted"):
        formatted("x")
    with pytest.raises(TypeError, match="no truth value"):
        branching("x")
    with pytest.raises(QueryError, match="does not bind 'title'"):
        unused("x")


def test_prepared_function_with_keyword_only_arguments_is_refused():
    with pytest.raises(QueryError, match="positional"):

        @prepared
        def keyword(*, title: str) -> Query[str, Posts]:
            return select(Posts.title).where(Posts.title == title)


VALUES = st.one_of(st.integers(-5, 5), st.none())


def conditions() -> st.SearchStrategy[Expr[bool, Any]]:
    """Random conditions over one relation."""
    leaves: st.SearchStrategy[Expr[bool, Any]] = st.one_of(
        st.builds(lambda value: Posts.visits == value, VALUES),
        st.builds(lambda value: Posts.visits > value, st.integers(-5, 5)),
        st.builds(lambda values: Posts.visits.in_(values), st.lists(VALUES)),
        st.builds(lambda text: Posts.body == text, st.one_of(st.none(), st.text(max_size=3))),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(lambda a, b: a & b, inner, inner),
            st.builds(lambda a, b: a | b, inner, inner),
            st.builds(lambda a: ~a, inner),
        ),
    )


def shape(expression: Expr[Any, Any]) -> Any:
    """The tree without its values, written down independently of the key."""
    if isinstance(expression, Call):
        return (expression.name, *[shape(each) for each in expression.operands])
    return (type(expression).__name__, expression.type, expression.key if not expression.parameters else None)


@given(conditions(), conditions())
def test_keys_are_equal_exactly_for_equal_shapes(left: Expr[bool, Any], right: Expr[bool, Any]):
    assert (left.key == right.key) == (shape(left) == shape(right))


@given(conditions())
def test_numbered_tree_has_its_parameters_in_order(condition: Expr[bool, Any]):
    numbers = iter(range(10_000))
    taken: list[int] = []

    def take() -> int:
        taken.append(next(numbers))
        return taken[-1]

    condition.numbered(take)
    assert taken == list(range(len(condition.parameters)))


def test_parameters_never_stand_in_keys():
    secret = "s3cret-value"
    query = select(Posts.title, literal(secret)).where(Posts.title.like(secret) | Posts.title.in_([secret]))
    assert secret not in query.key
    assert secret not in repr(query)


def test_optional_leaves_the_column_itself_as_it_was():
    before = Posts.title.nullable
    assert optional(Posts.title).nullable
    assert Posts.title.nullable == before
    assert copy.copy(Posts.title).key == Posts.title.key


def test_list_is_one_parameter_of_any_length():
    few, many = Posts.id.in_([1, 2, 3]), Posts.id.in_(range(3000))
    assert few.key == many.key
    assert len(few.parameters) == len(many.parameters) == 1


def test_none_in_a_list_is_another_shape():
    assert Posts.body.in_(["a"]).key != Posts.body.in_(["a", None]).key


def test_parameter_of_a_fragment_takes_the_type_of_its_value():
    made = fragment(int, "? + ?", Posts.visits, 3)
    assert [each.type.key for each in made.children] == [
        Posts.visits.type.key,
        Parameter(3, Posts.visits.type).type.key,
    ]
