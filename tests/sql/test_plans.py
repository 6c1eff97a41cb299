"""Plans are found again by shape, bounded, and the same for any values."""

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from gateways.postgres.binding import FORMS as POSTGRES_FORMS
from gateways.postgres.codecs import POSTGRES_CODECS
from gateways.sql import plans
from gateways.sql.pieces import Bind
from gateways.sql.plans import GENERATED, Binder, Plans
from gateways.sqlite.binding import FORMS as SQLITE_FORMS
from gateways.sqlite.codecs import SQLITE_CODECS
from mapper.deferred import Placeholder
from mapper.operations import QuerySql
from mapper.selecting import select
from mapper.statements import InsertRows
from mapper.types import Boolean, Float, Integer, StorageType, Text
from tests.sql.blog import Posts, Users, columns, compiled, compiler

ANY: Any = Posts
ANY_USER: Any = Users.id


def counting() -> tuple[Callable[[Any], Any], list[Any]]:
    """A function that compiles, and the queries that were assembled for it."""
    made = compiler()
    assembled: list[Any] = []

    class Watched:
        def __init__(self, query: Any) -> None:
            self.key = query.key
            self.parameters = query.parameters
            self._query = query

        def assemble(self) -> Any:
            assembled.append(self._query)
            return self._query.assemble()

    return lambda query: made.compile(Watched(query)), assembled


def test_queries_of_one_shape_share_a_plan():
    compile_, assembled = counting()
    one = compile_(select(Posts.id).where(Posts.title == "a", Posts.visits > 1).limit(3))
    other = compile_(select(Posts.id).where(Posts.title == "b", Posts.visits > 2).limit(4))
    assert one.sql is other.sql
    assert other.parameters == ("b", 2, 4)
    assert len(assembled) == 1


@pytest.mark.feature("T17")
def test_list_of_any_length_has_the_same_text():
    compile_, assembled = counting()
    operations = [compile_(select(Posts.id).where(Posts.visits.in_(range(size)))) for size in (0, 3, 3000)]
    assert len({each.sql for each in operations}) == 1
    assert all(len(each.parameters) == 1 for each in operations)
    assert len(assembled) == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (select(Posts.id).where(Posts.visits > 1), select(Posts.id).where(Posts.visits >= 1)),
        (select(Posts.id).order_by(Posts.id), select(Posts.id).order_by(Posts.id.desc())),
        (select(Posts.id).limit(1), select(Posts.id).offset(1)),
        (select(Posts.id).where(Posts.id == 1), select(Posts.id).group_by(Posts.id).having(Posts.id == 1)),
        (select(Posts.id).where(Posts.body == None), select(Posts.id).where(Posts.body == "x")),
        (select(Posts.id), select(Posts.named("p").id)),
        (select(Posts.title.cast(int)), select(Posts.title.cast(float))),
        (select(Posts.body.in_(["x"])), select(Posts.body.in_(["x", None]))),
    ],
)
def test_queries_of_different_shapes_do_not_collide(left: Any, right: Any):
    assert left.key != right.key
    assert compiled(left)[0] != compiled(right)[0]


def test_prepared_query_binds_a_none_as_null():
    query = select(Posts.id).where(ANY.body == Placeholder(0, "body"))
    text = 'SELECT "posts"."id" FROM "posts" WHERE "posts"."content" IS ?'
    assert compiled(query.with_parameters((None,))) == (text, (None,))
    assert compiled(query.with_parameters(("x",))) == (text, ("x",))


def test_more_parameters_than_are_generated_for_are_bound_too():
    query = select(Posts.id).where(*[ANY.visits != each for each in range(GENERATED + 10)])
    assert compiled(query)[1] == tuple(range(GENERATED + 10))


VALUES = st.one_of(
    st.none(), st.integers(-(2**64), 2**64), st.booleans(), st.floats(), st.text(max_size=3), st.just("\x00")
)


@pytest.mark.parametrize("codecs", [SQLITE_CODECS, POSTGRES_CODECS], ids=lambda each: each.name)
@pytest.mark.parametrize("required", [False, True])
@given(row=st.tuples(VALUES, VALUES, VALUES, VALUES))
def test_generated_function_binds_as_the_encoders_do(codecs: Any, required: bool, row: tuple[Any, ...]):
    types: tuple[StorageType[Any], ...] = (Integer(), Text(), Float(), Boolean())
    binds = tuple([Bind(index, (each,), required=required) for index, each in enumerate(types)])
    binder = Binder(tuple([(each.index, codecs.encoder(each.type)) for each in binds]), binds)
    try:
        expected = binder._bound(row)
    except ValueError as error:
        with pytest.raises(type(error)):
            binder.fast(row)
    else:
        assert [(type(each), each) for each in binder.fast(row)] == [(type(each), each) for each in expected]
        assert binder.fast([*row]) == binder.fast(row)


@pytest.mark.parametrize("codecs", [SQLITE_CODECS, POSTGRES_CODECS], ids=lambda each: each.name)
@pytest.mark.parametrize("required", [False, True])
@given(rows=st.lists(st.tuples(VALUES, VALUES), max_size=5), lists=st.booleans())
def test_rows_are_bound_as_each_is(codecs: Any, required: bool, rows: list[Any], lists: bool):
    types: tuple[StorageType[Any], ...] = (Integer(), Text())
    binds = tuple([Bind(index, (each,), required=required) for index, each in enumerate(types)])
    binder = Binder(tuple([(each.index, codecs.encoder(each.type)) for each in binds]), binds)
    given_: Any = [[*each] for each in rows] if lists else rows
    try:
        expected = [binder._bound(row) for row in rows]
    except ValueError:
        with pytest.raises(ValueError, match="cannot be stored"):
            binder.bind_rows(given_)
    else:
        found = binder.bind_rows(given_)
        assert found == expected
        assert [type(each) for each in found] == [tuple] * len(rows)
        assert found is not given_


def test_values_that_are_bound_as_they_are_stay_where_they_are():
    row = ("a name",)
    operation: Any = compiler().compile(InsertRows(Users, columns(Users, "name"), [row]))
    assert operation.rows[0] is row


def test_operation_is_the_value_that_its_class_makes_and_cannot_be_changed():
    operation: Any = compiler().compile(select(Posts.id).where(Posts.visits == 3))
    with pytest.raises(FrozenInstanceError):
        operation.sql = "DROP TABLE posts"
    made = QuerySql(operation.sql, (3,), operation.columns, frozenset((Posts,)))
    assert type(operation) is QuerySql
    assert operation == made
    assert hash(operation) == hash(made)
    assert repr(operation) == repr(made)
    assert evolve(operation, parameters=(4,)).parameters == (4,)


def test_operation_is_the_same_where_its_class_has_no_twin(monkeypatch: pytest.MonkeyPatch):
    query = select(Posts.id).where(Posts.visits == 3)
    operation = compiler().compile(query)
    monkeypatch.setattr(plans, "_Unfrozen", None)
    assert compiler().compile(query) == operation


def test_operation_has_the_values_of_its_own_query():
    query = select(Posts.id).where(Posts.visits.in_([1]))
    given_ = [1, 2]
    bound = query.with_parameters((given_,))
    before = compiled(bound)
    given_.append(3)
    assert [before, compiled(bound)] == [(before[0], ("[1,2]",)), (before[0], ("[1,2,3]",))]


@given(value=VALUES)
def test_number_of_rows_is_bound_by_all_ways_alike(value: Any):
    binds = (Bind(0, (Integer(),), "size", required=True),)
    for forms, codecs in ((SQLITE_FORMS, SQLITE_CODECS), (POSTGRES_FORMS, POSTGRES_CODECS)):
        encode = forms["size"](codecs, binds[0])
        binder = Binder(((0, encode),), binds)
        fits = type(value) is int and 0 <= value < 2**63
        for bind in (encode, lambda each, binder=binder: binder.fast((each,))[0]):
            if fits:
                assert bind(value) is value
            else:
                with pytest.raises(ValueError, match="expected"):
                    bind(value)


def test_shapes_of_inserts_share_a_plan():
    made = compiler()
    for each in range(5):
        made.compile(InsertRows(Users, columns(Users, "name"), [(str(each),)]))
    assert len(made._plans) == 1
    made.compile(InsertRows(Users, columns(Users, "name"), [("x",)], columns(Users, "id")))
    assert len(made._plans) == 2


def test_plans_are_bounded_and_those_in_use_stay():
    made = compiler(limit=8)
    used = select(Posts.id).where(Posts.visits > 0)
    text = made.compile(used).sql
    for each in range(50):
        made.compile(select(Posts.id).where(*[Posts.visits > 0] * (each + 2)))
        assert made.compile(used).sql is text
        assert len(made._plans) <= 8


def test_plan_that_is_not_used_is_forgotten():
    plans: Plans[str] = Plans(4)
    made: list[int] = []

    def make(number: int) -> str:
        made.append(number)
        return str(number)

    for number in (1, 2, 3, 4, 5, 6, 1):
        assert plans.get(number, lambda number=number: make(number)) == str(number)  # type: ignore[misc]
    assert made == [1, 2, 3, 4, 5, 6, 1]
    assert len(plans) <= 4


def test_plan_that_failed_is_not_kept():
    made = compiler()
    for _ in range(2):
        with pytest.raises(Exception, match="not among the sources"):
            made.compile(select(Posts.id).where(ANY_USER == 1))
    assert len(made._plans) == 0
