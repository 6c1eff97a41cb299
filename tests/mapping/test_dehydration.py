"""Values of columns out of objects."""

from types import SimpleNamespace as Thing
from typing import Any

import pytest

from mapper.dehydration import Part, Take, TakeKey, TakeOptional, compile_dehydrate

pytestmark = pytest.mark.feature("B4")

INNER = TakeOptional("inner", (Take("x", "inner_x"), TakeOptional("deep", (Take("y", "inner_deep_y"),))))


def test_no_columns_give_an_empty_tuple():
    assert compile_dehydrate([], ())(object()) == ()


def test_one_column_gives_a_tuple_of_one():
    assert compile_dehydrate([Take("a", "a")], ("a",))(Thing(a=(1, 2))) == ((1, 2),)


def test_columns_come_in_the_order_asked_for_and_others_are_left_out():
    parts = [Take("a", "one"), Take("b.c", "two"), Take("d", "three")]
    assert compile_dehydrate(parts, ("three", "two"))(Thing(a=1, b=Thing(c=2), d=3)) == (3, 2)


def test_composite_key_is_spread():
    parts: list[Part] = [TakeKey("key", ("k1", "k2")), Take("a", "a")]
    assert compile_dehydrate(parts, ("k2", "a", "k1"))(Thing(key=(1, 2), a=3)) == (2, 3, 1)


def test_composite_key_of_another_length_is_an_error():
    with pytest.raises(ValueError, match="unpack"):
        compile_dehydrate([TakeKey("key", ("k1", "k2"))], ("k1", "k2"))(Thing(key=(1, 2, 3)))


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (Thing(inner=None), (None, None)),
        (Thing(inner=Thing(x=1, deep=None)), (1, None)),
        (Thing(inner=Thing(x=1, deep=Thing(y=2))), (1, 2)),
    ],
)
@pytest.mark.feature("T7")
def test_absent_object_gives_none_for_each_of_its_columns(thing: Any, expected: tuple[Any, ...]):
    assert compile_dehydrate([INNER], ("inner_x", "inner_deep_y"))(thing) == expected
