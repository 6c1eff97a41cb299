"""Whether a field takes what a column gives, and how types are written in messages."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Final, List, Literal, NewType, Optional, Protocol, TypedDict, Union  # noqa: UP035 (both spellings are tested)

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypeAliasType, TypeVar

from mapper.annotations import MISSING, Unresolved, accepts, accepts_none, type_name

T = TypeVar("T")
UserId = NewType("UserId", int)
Text = TypeAliasType("Text", str | None)


class Base: ...


class Child(Base): ...


class Number(IntEnum):
    ONE = 1


class Word(StrEnum):
    A = "a"


class Titled(Protocol):
    title: str


class Document(TypedDict):
    title: str


@pytest.mark.parametrize(
    ("field", "column"),
    [
        (int, int),
        (int | None, int),
        (int | str, int),
        (int | str | None, int | None),
        (int, int | None),
        (Any, int),
        (object, int),
        (MISSING, int),
        (Unresolved("Money", ""), int),
        (T, int),
        (int | T, str),
        (int, Any),
        (int, MISSING),
        (UserId, int),
        (int, UserId),
        (UserId | None, int),
        (Annotated[int, "x"], int),
        (Final[int], int),
        (Text, str),
        (str, Text),
        (Literal["a", "b"], str),
        (Literal["a"] | None, str),
        (Base, Child),
        (int, Number),
        (str, Word),
        (List[int], list[int]),  # noqa: UP006
        (list[Optional[int]], list[int | None]),  # noqa: UP045
        (list[UserId], list[int]),
        (list, list[int]),
        (list[int], list),
        (list[Any], list[int]),
        (Sequence[int], list[int]),
        (Mapping[str, int], dict[str, int]),
        (dict[str, Any], dict[str, int]),
        (tuple[int, ...], tuple[int, ...]),
        (Titled, Base),
        (Document, dict[str, Any]),
        (Union[date, None], date),  # noqa: UP007
    ],
)
def test_field_takes_the_column(field: Any, column: Any):
    assert accepts(field, column)


@pytest.mark.parametrize(
    ("field", "column"),
    [
        (str, int),
        (int, bool),
        (bool, int),
        (int | None, bool),
        (float, int),
        (date, datetime),
        (datetime, date),
        (int, int | str),
        (Literal["a"], int),
        (UserId, str),
        (Child, Base),
        (Number, int),
        (list[int], list[str]),
        (list[int], list[bool]),
        (list[int], list[int | None]),
        (list[Base], list[Child]),
        (dict[str, int], dict[str, str]),
        (tuple[int, str], tuple[int, int]),
        (tuple[int, str], tuple[int, str, int]),
        (list[int], int),
        (int, list[int]),
        (set[int], list[int]),
    ],
)
def test_field_refuses_the_column(field: Any, column: Any):
    assert not accepts(field, column)


@pytest.mark.parametrize("annotation", [None, int | None, Any, Text, MISSING, T, Annotated[int | None, "x"]])
def test_none_is_one_of_its_values(annotation: Any):
    assert accepts_none(annotation)


@pytest.mark.parametrize("annotation", [int, UserId, Literal["a"], list[None], int | str])
def test_none_is_none_of_its_values(annotation: Any):
    assert not accepts_none(annotation)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, "int"),
        (None, "None"),
        (str | None, "str | None"),
        (Optional[Base], "Base | None"),  # noqa: UP045
        (list[int | None], "list[int | None]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (dict[str, Base], "dict[str, Base]"),
        (Any, "Any"),
        (T, "T"),
        (UserId, "UserId"),
        (Literal["a"], "Literal['a']"),
        (Unresolved("Money", "unknown"), "Money"),
    ],
)
def test_type_is_written_as_users_do(annotation: Any, expected: str):
    assert type_name(annotation) == expected


ANNOTATIONS = st.recursive(
    st.sampled_from([int, str, bool, float, bytes, date, datetime, Base, Child, UserId]),
    lambda inner: st.one_of(
        inner.map(lambda each: each | None),
        inner.map(lambda each: list[each]),  # type: ignore[valid-type]  # made of values
        st.tuples(inner, inner).map(lambda pair: dict[pair]),  # type: ignore[misc, valid-type]  # as above
    ),
    max_leaves=4,
)


@given(ANNOTATIONS)
def test_every_type_takes_itself(annotation: Any):
    assert accepts(annotation, annotation)


@given(ANNOTATIONS, ANNOTATIONS)
def test_a_wider_type_takes_what_a_narrower_one_does(annotation: Any, other: Any):
    assert accepts(annotation | other, annotation)
    assert accepts(annotation | other, other)


@given(ANNOTATIONS, ANNOTATIONS)
def test_lists_take_each_other_both_ways_or_not_at_all(annotation: Any, other: Any):
    assert accepts(list[annotation], list[other]) == accepts(list[other], list[annotation])
