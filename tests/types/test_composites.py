"""Enumerations, lists and codecs: what they take and refuse; keys of all types."""

import enum
import gc
from decimal import Decimal
from typing import Any

import attrs
import pytest

from mapper import types
from mapper.errors import DeclarationError
from tests.types.values import KINDS, POINT, Color, Level, Point, Right, read_point, write_point


@pytest.mark.feature("T8")
@pytest.mark.parametrize(
    ("type_", "value", "words"),
    [
        (types.Enumeration(Color), "red", "found str 'red', expected a member of Color"),
        (types.Enumeration(Color), Level.LOW, "expected a member of Color"),
        (types.Enumeration(Level), 1, "found int 1, expected a member of Level"),
        (types.List(types.Integer()), [1, None], "item 1: found None, expected an int"),
        (types.List(types.Integer()), "12", "found str '12', expected a list of int"),
        (types.List(types.Integer()), {1}, "expected a list of int"),
        (
            types.List(types.Enumeration(Color)),
            [Color.RED, "blue"],
            "item 1: found str 'blue', expected a member of Color",
        ),
        (POINT, "1;2", "found str '1;2', expected Point"),
        (
            types.Codec(types.Varchar(2), Point, write_point, read_point),
            Point(1, 2),
            "Point as its codec encodes it: found str '1;2'",
        ),
        (types.Codec(types.Text(), Point, lambda point: None, read_point), Point(1, 2), "it returned None"),
        (types.Codec(types.Text(), Point, lambda point: 1 / 0, read_point), Point(1, 2), "it raised ZeroDivisionError"),
    ],
)
def test_value_that_cannot_be_kept_is_refused_with_the_reason(type_: types.StorageType[Any], value: object, words: str):
    with pytest.raises(types.Misfit) as caught:
        type_.check(value)
    assert words in caught.value.message


@pytest.mark.feature("T8")
def test_misfit_of_an_enumeration_names_the_member_that_was_meant():
    with pytest.raises(types.Misfit) as caught:
        types.Enumeration(Color).check("red")
    assert caught.value.hint == "pass the member: Color.RED"


@pytest.mark.feature("T10")
def test_list_takes_a_tuple_and_gives_a_new_list():
    given = [1, 2]
    type_ = types.List(types.Integer())
    assert (type_.check((1, 2)), type_.check(given) is given) == ([1, 2], False)


@pytest.mark.feature("T10")
def test_list_takes_none_where_items_can_be_null():
    assert types.List(types.Integer(), nullable=True).check([1, None]) == [1, None]


def test_codec_keeps_what_it_encodes():
    assert POINT.check(Point(1, 2)) == "1;2"


class Mixed(enum.Enum):
    """Values of two types."""

    ONE = 1
    TWO = "two"


class Large(enum.Enum):
    """A value that is no integer of 64 bits."""

    HUGE = 2**70


class Pairs(enum.Enum):
    """Values that no scalar keeps."""

    A = (1, 2)


@pytest.mark.feature("T8")
@pytest.mark.parametrize(
    "make", [lambda: types.Enumeration(Mixed), lambda: types.Enumeration(Large), lambda: types.Enumeration(Pairs)]
)
def test_enumeration_whose_values_cannot_be_kept_is_refused(make):
    with pytest.raises(DeclarationError):
        make()


@pytest.mark.feature("T8")
def test_enumeration_of_any_values_is_kept_by_name():
    type_ = types.Enumeration(Pairs, by="name")
    assert (type_.kept(type_.check(Pairs.A)), type_.member("A")) == ("A", Pairs.A)


@pytest.mark.feature("T8")
def test_flags_are_not_kept_by_name():
    with pytest.raises(DeclarationError, match="flags of Right are combined"):
        types.Enumeration(Right, by="name")


def test_list_of_documents_or_lists_is_refused():
    for item in (
        types.Json(),
        types.List(types.Text()),
        types.Codec(types.Json(), Point, attrs.asdict, lambda parts: Point(**parts)),
    ):
        with pytest.raises(DeclarationError, match="cannot be the item of a List"):
            types.List(item)


def test_equal_types_have_equal_keys_and_different_types_different_ones():
    every = [type_ for type_, _ in KINDS.values()]
    every += [
        types.Varchar(11),
        types.Char(10),
        types.Numeric(12, 3),
        types.Numeric(12),
        types.Numeric(1, 1),
        types.Json(Color | None),
    ]
    every += [
        types.Enumeration(Color, native=True),
        types.Enumeration(Color, by="name"),
        types.Enumeration(),
        types.Json(dict[str, int]),
    ]
    every += [
        types.Codec(types.Text(), Point, lambda point: "", read_point),
        types.Codec(types.Varchar(9), Point, write_point, read_point),
    ]
    assert len({type_.key for type_ in every}) == len(set(every)) == len(every)


def test_key_does_not_depend_on_the_order_of_a_union():
    one, other = types.Json(Color | Point), types.Json(Point | Color)
    assert (one, one.key) == (other, other.key)


def test_key_tells_namesakes_apart():
    def make() -> type[enum.Enum]:
        class Local(enum.Enum):
            A = 1

        return Local

    first, second = types.Enumeration(make()), types.Enumeration(make())
    assert first.key != second.key
    assert types.Enumeration(first.python).key == first.key
    gc.collect()
    assert types.Enumeration(make()).key not in (first.key, second.key)


def test_key_is_readable():
    keys = [
        types.Integer().key,
        types.Varchar(50).key,
        types.Numeric(12, 2).key,
        types.Json(Point).key,
        types.List(types.Uuid()).key,
    ]
    assert keys == ["i", "vc50", "n12,2", "j:tests.types.values.Point", "l(u)"]


def test_types_are_frozen_values():
    type_ = types.Numeric(12, 2)
    assert (type_, hash(type_)) == (types.Numeric(12, 2), hash(types.Numeric(12, 2)))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        type_.scale = 3  # type: ignore[misc]


def test_python_class_is_what_a_user_sees():
    seen = {type_.python for type_, _ in KINDS.values()}
    assert {int, bool, float, str, bytes, Decimal, list, dict, Color, Point, object} <= seen
