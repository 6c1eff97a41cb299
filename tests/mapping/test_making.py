"""Objects of frozen attrs classes are made as calling the class makes them, or the class is called."""

import copy
import functools
import gc
import pickle
import weakref
from typing import Any, Generic, TypeVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapper.hydration import Build, Cell, compile_batch
from mapper.making import maker
from mapper.models import inspect_model


@attrs.frozen
class Plain:
    id: int
    title: str | None
    _hidden: float = 0.5


@attrs.frozen
class Derived(Plain):
    more: int = 0


@attrs.frozen
class Checked:
    id: int = attrs.field(validator=attrs.validators.instance_of(int))


@attrs.frozen
class Converted:
    id: int = attrs.field(converter=int)


@attrs.frozen
class Noted:
    id: int
    seen: list[int] = attrs.field(init=False, factory=list)


@attrs.frozen
class Followed:
    id: int

    def __attrs_post_init__(self) -> None:
        if self.id < 0:
            raise ValueError("it is negative")


@attrs.frozen
class Preceded:
    id: int

    def __attrs_pre_init__(self) -> None:
        assert type(self) is Preceded


@attrs.frozen
class Allotted:
    id: int

    def __new__(cls, *args: Any) -> Any:
        return object.__new__(cls)


@attrs.frozen(init=False)
class Own:
    id: int

    def __init__(self, id: int) -> None:
        made: Any = self
        made.__attrs_init__(id * 2)


@attrs.frozen(slots=False)
class WithDict:
    id: int


@attrs.define
class Mutable:
    id: int


@attrs.frozen(cache_hash=True)
class Hashed:
    id: int


@attrs.frozen
class Computing:
    id: int

    @functools.cached_property
    def double(self) -> int:
        return self.id * 2


@attrs.frozen
class Told:
    """A class that counts its subclasses."""

    id: int

    def __init_subclass__(cls) -> None:
        raise TypeError("no subclasses")


CALLED: list[Any] = [
    Derived, Checked, Converted, Noted, Followed, Preceded, Allotted, Own, WithDict, Mutable, Hashed, Computing, Told,
]  # fmt: skip


@pytest.mark.parametrize("cls", CALLED)
def test_class_whose_init_does_more_is_called(cls: Any):
    assert maker(inspect_model(cls)) is None


@given(st.integers(), st.none() | st.text(), st.floats(allow_nan=False))
def test_object_is_what_calling_the_class_gives(number: int, title: str | None, hidden: float):
    make = maker(inspect_model(Plain))
    assert make is not None
    made, expected = make(number, title, hidden), Plain(number, title, hidden)
    assert type(made) is Plain
    assert made == expected
    assert hash(made) == hash(expected)
    assert repr(made) == repr(expected)
    assert attrs.evolve(made, id=1) == Plain(1, title, hidden)
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == expected


def test_object_is_frozen_once_it_is_made():
    make = maker(inspect_model(Plain))
    assert make is not None
    made = make(1, "title", 0.5)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.id = 2
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del made.id
    assert made.id == 1


def test_object_can_be_referred_to_weakly_and_goes():
    make = maker(inspect_model(Plain))
    assert make is not None
    made = make(1, [1], 0.5)
    reference = weakref.ref(made)
    assert reference() is made
    del made
    gc.collect()
    assert reference() is None


def test_wrong_number_of_values_is_refused():
    make = maker(inspect_model(Plain))
    assert make is not None
    with pytest.raises(TypeError):
        make(1)


def test_decoded_rows_are_such_objects_whatever_is_decoded():
    shape = inspect_model(Plain)
    straight = compile_batch(_built(shape, None))
    assert straight([(1, None, 2.0), (2, "b", 3.0)]) == [Plain(1, None, 2.0), Plain(2, "b", 3.0)]
    decoded = compile_batch(_built(shape, lambda value: value.upper()))
    assert decoded([(1, None, 2.0), (2, "b", 3.0)]) == [Plain(1, None, 2.0), Plain(2, "B", 3.0)]
    for each in (straight, decoded):
        with pytest.raises(ValueError, match="id"):
            each([(None, "a", 1.0)])


def _built(shape: Any, decode: Any) -> Build:
    cells = [
        Cell(0, None, False, "id", "Plains", "an integer"),
        Cell(1, decode, True, "title", "Plains", "text"),
        Cell(2, None, False, "hidden", "Plains", "a number"),
    ]
    return Build(shape, tuple(zip(shape.fields, cells, strict=True)))


M = TypeVar("M")


@attrs.frozen
class Boxed(Generic[M]):
    model: M


def test_generic_class_is_made_as_any_other():
    make = maker(inspect_model(Boxed))
    assert make is not None
    made = make(1)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.model = 2
    assert type(made) is Boxed
    assert made == Boxed(1)
    assert hash(made) == hash(Boxed(1))
    assert pickle.loads(pickle.dumps(made)) == made
