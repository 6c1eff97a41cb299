"""How a model's fields meet columns, embedded objects included, and what is said where they do not."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, NewType

import attrs
import pydantic
import pytest

from mapper.errors import DeclarationError, QueryError
from mapper.hydration import compile_batch
from mapper.mapping import MappedColumn, plan_for_names
from tests.mapping import futures, samples
from tests.mapping.samples import Offer, declared, mapped, problems

UserId = NewType("UserId", int)


def sorted_tuple(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(values))


@pytest.mark.parametrize("model", [*samples.MODELS, samples.Private, samples.Aliased])
@pytest.mark.feature("B3", "B4")
def test_model_of_each_kind_goes_to_columns_and_back(model: Any):
    mapping = mapped(model)
    made = mapping.hydrate_model(["hello", None, 3])
    assert mapping.model_reads == mapping.model_columns == ("title", "body", "visits")
    assert mapping.dehydrate_model(made) == ("hello", None, 3)
    assert type(made) is model


@pytest.mark.parametrize("model", samples.MODELS)
@pytest.mark.feature("B3")
def test_model_of_each_kind_is_the_one_that_its_constructor_makes(model: Any):
    assert mapped(model).hydrate_model(["hello", "text", 3]) == model(title="hello", body="text", visits=3)


@pytest.mark.feature("B4")
def test_column_order_is_that_of_the_constructor_for_reads_and_of_declaration_for_writes():
    mapping = mapped(samples.Frozen, declared(visits=int, body=str | None, id=int, title=str))
    assert mapping.model_reads == ("title", "body", "visits")
    assert mapping.model_columns == ("visits", "body", "title")
    assert mapping.dehydrate_model(samples.Frozen("a", "b", 1)) == (1, "b", "a")


@pytest.mark.feature("B4")
def test_field_without_a_column_is_left_to_its_default():
    mapping = mapped(samples.Frozen, declared(id=int, title=str, visits=int))
    assert mapping.model_reads == ("title", "visits")
    assert mapping.hydrate_model(["a", 1]) == samples.Frozen("a", None, 1)


@pytest.mark.feature("B4")
def test_model_may_hold_the_key_and_the_version():
    @attrs.frozen
    class User:
        id: int
        name: str
        version: int

    mapping = mapped(User, declared(id=int, name=str, version=int))
    wrapper = compile_batch(mapping.wrapper_node({"id": 0, "name": 1, "version": 2}))([(7, "x", 2)])[0]
    assert mapping.model_columns == ("id", "name", "version")
    assert mapping.wrapper_columns == ()
    assert mapping.key_of is not None
    assert mapping.version_of is not None
    assert (mapping.key_of(wrapper), mapping.version_of(wrapper)) == (7, 2)


@pytest.mark.feature("B4")
def test_column_in_neither_model_nor_wrapper_is_not_read():
    mapping = mapped(samples.Frozen, declared(id=int, title=str, secret=str))
    assert "secret" not in mapping.wrapper_reads


@pytest.mark.feature("B4")
def test_computed_field_is_written_and_not_read():
    @attrs.define
    class Post:
        title: str
        slug: str = attrs.field(init=False)

        def __attrs_post_init__(self) -> None:
            self.slug = self.title.lower()

    mapping = mapped(Post, declared(id=int, title=str, slug=str))
    assert mapping.model_reads == ("title",)
    assert mapping.model_columns == ("title", "slug")
    assert mapping.dehydrate_model(Post("Abc")) == ("Abc", "abc")


@pytest.mark.feature("B4")
def test_generated_column_is_read_and_not_written():
    columns = [*declared(id=int, title=str), MappedColumn(name="visits", annotation=int, generated=True, index=3)]
    mapping = mapped(samples.Frozen, columns)
    assert mapping.model_reads == ("title", "visits")
    assert mapping.model_columns == ("title",)


@pytest.mark.feature("B4")
def test_deferred_column_is_written_and_not_read():
    columns = [
        *declared(id=int, title=str),
        MappedColumn(name="body", annotation=str | None, nullable=True, deferred=True, index=3),
    ]
    mapping = mapped(samples.Frozen, columns)
    assert mapping.model_reads == ("title",)
    assert mapping.model_columns == ("title", "body")


def test_deferred_column_of_a_required_field_is_refused():
    columns = [*declared(id=int), MappedColumn(name="title", annotation=str, deferred=True, index=1)]
    assert problems(samples.Frozen, columns) == [
        "Posts.title: the column is deferred and Frozen.title has no default; give it one"
    ]


def test_model_without_fields_reads_nothing():
    class Link: ...

    mapping = mapped(Link, declared(id=int))
    assert mapping.model_reads == mapping.model_columns == ()
    assert isinstance(mapping.hydrate_model([]), Link)
    assert mapping.dehydrate_model(Link()) == ()


def test_field_whose_type_is_unknown_meets_the_column_of_its_name():
    mapping = mapped(futures.Priced, declared(id=int, name=str, price=int))
    assert mapping.hydrate_model(["a", 3]) == futures.Priced("a", 3)  # type: ignore[arg-type]  # nobody checks it at run time


def test_converted_field_takes_any_column():
    @attrs.frozen
    class Post:
        tags: tuple[str, ...] = attrs.field(converter=sorted_tuple)

    assert mapped(Post, declared(id=int, tags=list[str])).hydrate_model([["b", "a"]]) == Post(("a", "b"))


def test_new_types_of_fields_take_plain_columns():
    @attrs.frozen
    class Post:
        author_id: UserId

    assert mapped(Post, declared(id=int, author_id=int)).model_reads == ("author_id",)


# -- what is said
# ----------------------------------------------------------------------------------------------------------


@pytest.mark.feature("B4")
def test_every_problem_is_listed_with_relation_column_class_and_field():
    @attrs.frozen
    class Post:
        titel: str
        body: str
        visits: str
        when: date
        rank: int

    columns = declared(id=int, title=str, body=str | None, visits=int, when=datetime)
    with pytest.raises(DeclarationError) as caught:
        mapped(Post, columns)
    assert str(caught.value) == (
        "Posts does not fit its model and wrapper:\n"
        "  Posts.titel: Post.titel (str) has no column and no default; did you mean 'title'?\n"
        "  Posts.body: the column can be NULL and Post.body is str; annotate the field as str | None, or the column as Column[str]\n"
        "  Posts.visits: the column is int and Post.visits is str; give both one type\n"
        "  Posts.when: the column is datetime and Post.when is date; give both one type\n"
        "  Posts.rank: Post.rank (int) has no column and no default; declare rank: Column[int]"
    )


def test_single_problem_is_the_whole_message():
    assert problems(samples.Frozen, declared(id=int, title=int)) == [
        "Posts.title: the column is int and Frozen.title is str; give both one type"
    ]


def test_unresolved_field_without_a_column_says_why():
    assert problems(futures.Priced, declared(id=int, name=str)) == [
        "Posts.price: Priced.price (Decimal, where name 'Decimal' is not defined) has no column and no default; declare price: Column[…]"
    ]


def test_unannotated_field_without_a_column_is_named():
    class Post:
        def __init__(self, title):
            self.title = title

    assert problems(Post, declared(id=int)) == [
        "Posts.title: Post.title has no column and no default; declare title: Column[…]"
    ]


def test_class_that_is_no_model_is_named():
    assert problems(int, declared(id=int, title=str)) == [
        "Posts: int is a value, not a class with fields; a model is a class with fields, such as an attrs class"
    ]


def test_positional_parameter_behind_one_without_a_column_is_refused():
    class Post:
        def __init__(self, a: int = 0, b: int = 0, /) -> None:
            self.a, self.b = a, b

    assert problems(Post, declared(id=int, b=int)) == [
        "Posts: Post.b follows 'a' by position, which has no column; declare it"
    ]


def test_pushed_object_without_the_attribute_is_an_attribute_error():
    class Post:
        def __init__(self, title: str) -> None:
            self.heading = title

    with pytest.raises(AttributeError, match="title"):
        mapped(Post, declared(id=int, title=str)).dehydrate_model(Post("a"))


# -- by hand and by name
# ---------------------------------------------------------------------------------------------------


@pytest.mark.feature("B4")
def test_model_mapped_by_hand_need_not_have_fields():
    class Loose:
        def __init__(self, **values: Any) -> None: ...

    deferred = MappedColumn(name="text", annotation=str, deferred=True, index=4)
    mapping = mapped(Loose, [*samples.COLUMNS, deferred], by_hand=True)
    assert mapping.model_plan is None
    assert mapping.model_reads == ("id", "title", "body", "visits")
    assert mapping.model_columns == ()
    with pytest.raises(DeclarationError, match="Posts maps its model by hand"):
        mapping.model_node({})


@pytest.mark.feature("T21")
def test_plan_for_names_reads_what_the_model_has():
    plan = plan_for_names(Offer, ["extra", "old_amount", "old_currency", "price_amount", "name"])
    assert plan.columns == ("name", "price_amount", "old_amount", "old_currency")


@pytest.mark.feature("T21")
def test_plan_for_names_takes_null_where_the_field_does():
    plan = plan_for_names(samples.Frozen, ["title", "body"])
    assert [node.nullable for _, node in plan.arguments] == [False, True]  # type: ignore[union-attr]  # both are columns


@pytest.mark.feature("T21")
def test_plan_for_names_lists_fields_without_a_name():
    with pytest.raises(QueryError, match=r"the columns do not fit Offer:\n  raw\.name: Offer\.name"):
        plan_for_names(Offer, ["price_amount"])


@pytest.mark.feature("T21")
def test_plan_for_names_refuses_what_is_no_model():
    with pytest.raises(QueryError, match="int is a value"):
        plan_for_names(int, ["a"])


class Validated(pydantic.BaseModel):
    title: str
    visits: int

    @pydantic.field_validator("visits")
    @classmethod
    def check(cls, value: int) -> int:
        if value < 0:
            raise ValueError("negative")
        return value


@pytest.mark.feature("B3")
def test_validators_of_a_model_run_when_it_is_read():
    with pytest.raises(pydantic.ValidationError):
        mapped(Validated, declared(id=int, title=str, visits=int)).hydrate_model(["a", -1])
