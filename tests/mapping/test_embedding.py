"""Objects embedded in a model, kept by several columns."""

from typing import Any

import attrs
import pytest

from tests.mapping import samples
from tests.mapping.samples import OFFER, Money, Offer, Span, declared, mapped, problems

pytestmark = pytest.mark.feature("T7")


def test_embedded_object_meets_the_columns_below_its_field():
    mapping = mapped(Offer, OFFER)
    offer = mapping.hydrate_model(["a", 1, "EUR", 2, "SEK"])
    assert mapping.model_reads == ("name", "price_amount", "price_currency", "old_amount", "old_currency")
    assert offer == Offer("a", Money(1, "EUR"), Money(2, "SEK"))
    assert mapping.dehydrate_model(offer) == ("a", 1, "EUR", 2, "SEK")


def test_optional_embedded_object_is_none_where_all_its_columns_are():
    mapping = mapped(Offer, OFFER)
    offer = mapping.hydrate_model(["a", 1, "EUR", None, None])
    assert offer == Offer("a", Money(1, "EUR"), None)
    assert mapping.dehydrate_model(offer) == ("a", 1, "EUR", None, None)


def test_optional_embedded_object_that_is_there_in_part_is_an_error():
    with pytest.raises(ValueError, match="column 'old_amount' of Posts is NULL, expected a value"):
        mapped(Offer, OFFER).hydrate_model(["a", 1, "EUR", None, "SEK"])


def test_optional_embedded_object_of_nullable_fields_that_are_none_is_none():
    @attrs.frozen
    class Name:
        first: str | None
        last: str | None

    @attrs.frozen
    class Person:
        name: Name | None

    mapping = mapped(Person, declared(id=int, name_first=str | None, name_last=str | None))
    assert mapping.dehydrate_model(Person(Name(None, None))) == (None, None)
    assert mapping.hydrate_model([None, None]) == Person(None)
    assert mapping.hydrate_model([None, "x"]) == Person(Name(None, "x"))


def test_embedded_objects_nest():
    @attrs.frozen
    class Sale:
        span: Span | None
        name: str

    names = dict(span_first_amount=int, span_first_currency=str, span_last_amount=int, span_last_currency=str)
    mapping = mapped(Sale, declared(id=int, name=str, **{name: type_ | None for name, type_ in names.items()}))
    for sale in (Sale(None, "a"), Sale(Span(Money(1), None), "b"), Sale(Span(Money(1), Money(2, "SEK")), "c")):
        values = dict(zip(mapping.model_columns, mapping.dehydrate_model(sale), strict=True))
        assert mapping.hydrate_model([values[each] for each in mapping.model_reads]) == sale


@pytest.mark.parametrize("model", samples.MODELS)
@pytest.mark.feature("B3")
def test_model_of_each_kind_can_be_embedded(model: Any):
    outer = attrs.make_class(
        "Outer", {"post": attrs.field(type=model), "other": attrs.field(type=model | None, default=None)}
    )
    names = dict(post_title=str, post_body=str | None, post_visits=int)
    others = dict(other_title=str | None, other_body=str | None, other_visits=int | None)
    mapping = mapped(outer, declared(id=int, **names, **others))
    made = mapping.hydrate_model(["a", None, 1, "b", "c", 2])
    assert (made.post, made.other) == (model(title="a", visits=1), model(title="b", body="c", visits=2))
    assert mapping.dehydrate_model(made) == ("a", None, 1, "b", "c", 2)
    assert mapping.dehydrate_model(outer(made.post)) == ("a", None, 1, None, None, None)


def test_column_of_the_fields_name_comes_before_columns_below_it():
    columns = declared(id=int, name=str, price=Money, price_amount=int, old=Money | None)
    assert mapped(Offer, columns).model_reads == ("name", "price", "old")


def test_embedded_object_with_a_default_is_left_to_it_unless_all_it_requires_is_there():
    @attrs.frozen
    class Person:
        name: str
        id: int

    @attrs.frozen
    class Post:
        author: Person | None = None

    mapping = mapped(Post, declared(id=int, author_id=int))
    assert mapping.model_reads == mapping.model_columns == ()


def test_embedded_object_without_columns_is_told_with_the_columns_it_needs():
    assert problems(Offer, declared(id=int, name=str, price_amount=int)) == [
        "Posts.old: Offer.old (Money | None) has no column and no default; "
        "declare it, or one column for each of its fields: old_amount, old_currency"
    ]


def test_embedded_field_without_a_column_is_told_with_its_own_class():
    assert problems(Span, declared(id=int, first_amout=int, last=Money | None)) == [
        "Posts.first_amount: Money.amount (int) has no column and no default; did you mean 'first_amout'?"
    ]


def test_required_embedded_object_has_no_nullable_column():
    assert problems(Offer, declared(id=int, name=str, price_amount=int | None, old=Money | None)) == [
        "Posts.price_amount: the column can be NULL and Money.amount is int; "
        "annotate the field as int | None, or the column as Column[int]"
    ]


def test_embedded_class_that_contains_itself_ends_with_its_columns():
    @attrs.frozen
    class Node:
        value: int
        next: "Node | None" = None

    columns = declared(id=int, value=int, next_value=int | None, next_next_value=int | None)
    mapping = mapped(Node, columns, localns={"Node": Node})
    assert mapping.hydrate_model([1, 2, None]) == Node(1, Node(2, None))
