"""From annotations to storage types."""

import datetime as dt
import enum
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, Optional
from uuid import UUID

import attrs
import pytest
from typing_extensions import TypeAliasType, TypeVar

from mapper import types
from tests.types.values import POINT, Circle, Color, Drawing, Level, Named, Note, Point

T = TypeVar("T")
UserId = NewType("UserId", int)
Name = TypeAliasType("Name", Annotated[str, types.Varchar(40)])
Maybe = TypeAliasType("Maybe", T | None, type_params=(T,))
Shape = TypeAliasType("Shape", Circle | Drawing)

INFERRED: list[tuple[Any, types.StorageType[Any], bool]] = [
    (int, types.Integer(), False),
    (bool, types.Boolean(), False),
    (float, types.Float(), False),
    (str, types.Text(), False),
    (bytes, types.Bytes(), False),
    (Decimal, types.Numeric(), False),
    (dt.datetime, types.TimestampTz(), False),
    (dt.date, types.Date(), False),
    (dt.time, types.Time(), False),
    (dt.timedelta, types.Interval(), False),
    (UUID, types.Uuid(), False),
    (Color, types.Enumeration(Color), False),
    (Level, types.Enumeration(Level), False),
    (int | None, types.Integer(), True),
    (Optional[str], types.Text(), True),  # noqa: UP045
    (None | bool, types.Boolean(), True),
    (UserId, types.Integer(), False),
    (UserId | None, types.Integer(), True),
    (Name, types.Varchar(40), False),
    (Name | None, types.Varchar(40), True),
    (Maybe[int], types.Integer(), True),
    (Annotated[int, "a remark"], types.Integer(), False),
    (Annotated[int | None, "a remark"], types.Integer(), True),
    (Annotated[str | None, types.Varchar(3)], types.Varchar(3), True),
    (Literal["a", "b"], types.Text(), False),
    (Literal["a", None], types.Text(), True),
    (Literal[1, 2], types.Integer(), False),
    (Literal[True], types.Boolean(), False),
    (Literal[Color.RED], types.Enumeration(Color), False),
    (list[int], types.List(types.Integer()), False),
    (list[int | None] | None, types.List(types.Integer(), nullable=True), True),
    (list[Color], types.List(types.Enumeration(Color)), False),
    (list[Name], types.List(types.Varchar(40)), False),
    (list[dict[str, Any]], types.Json(list[dict[str, Any]]), False),
    (list[list[int]], types.Json(list[list[int]]), False),
    (list[Circle], types.Json(list[Circle]), False),
    (list[Any], types.Json(list[Any]), False),
    (list, types.Json(list), False),
    (dict, types.Json(dict), False),
    (dict[str, int], types.Json(dict[str, int]), False),
    (Any, types.Json(), False),
    (Circle, types.Json(Circle), False),
    (Drawing, types.Json(Drawing), False),
    (Note | None, types.Json(Note), True),
    (Named, types.Json(Named), False),
    (Circle | Drawing, types.Json(Circle | Drawing), False),
    (Shape, types.Json(Circle | Drawing), False),
    (Shape | None, types.Json(Circle | Drawing), True),
]


@pytest.mark.feature("T2")
@pytest.mark.parametrize(("annotation", "expected", "nullable"), INFERRED)
def test_annotation_has_a_storage_type(annotation: Any, expected: types.StorageType[Any], nullable: bool):
    assert types.infer(annotation) == (expected, nullable)


class Mixed(enum.Enum):
    """Values of two types."""

    ONE = 1
    TWO = "two"


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (complex, "no storage type is known for complex"),
        (int | str, "no storage type is known for int | str"),
        (set[int], "no storage type is known for set[int]"),
        (tuple[int, ...], "no storage type is known for tuple[int, ...]"),
        (object, "no storage type is known for object"),
        (Literal["a", 1], "its values are of several types"),
        (list[complex], "no storage type is known for complex"),
        (dict[str, complex], "a JSON document cannot contain complex"),
        (None, "can only be None"),
        ("Post", "the name 'Post' is not resolved"),
        (Mixed, "the values of Mixed have no storage type in common"),
        (type("Plain", (), {}), "no storage type is known for Plain"),
        (Iterator[int], "no storage type is known for Iterator[int]"),
    ],
)
def test_annotation_that_nothing_keeps_is_refused_by_name(annotation: Any, words: str):
    with pytest.raises(types.UnknownType) as caught:
        types.infer(annotation)
    assert words in caught.value.message


def test_refusal_lists_what_is_supported_and_names_the_codec():
    with pytest.raises(types.UnknownType) as caught:
        types.infer(complex)
    assert "supported are int, bool, float" in str(caught.value)
    assert "HINT: keep it by a codec: column(type=Codec(" in str(caught.value)


def test_document_may_refer_to_a_class_that_is_still_to_come():
    forward: Any = "NotYetThere"
    later = attrs.make_class("Later", {"other": attrs.field(type=forward)})
    assert types.infer(later) == (types.Json(later), False)
    with pytest.raises(types.UnknownType, match="cannot be evaluated"):
        types.document_encoder(later)


NARROWED: list[tuple[Any, types.StorageType[Any], types.StorageType[Any], bool]] = [
    (str, types.Varchar(50), types.Varchar(50), False),
    (str | None, types.Char(2), types.Char(2), True),
    (Literal["a", "b"], types.Char(1), types.Char(1), False),
    (Annotated[str, "x"], types.Varchar(5), types.Varchar(5), False),
    (Name, types.Varchar(5), types.Varchar(5), False),
    (Decimal, types.Numeric(12, 2), types.Numeric(12, 2), False),
    (dt.datetime, types.Timestamp(), types.Timestamp(), False),
    (dt.datetime, types.TimestampTz(), types.TimestampTz(), False),
    (UserId, types.Integer(), types.Integer(), False),
    (Circle, types.Json(), types.Json(Circle), False),
    (Circle | Drawing | None, types.Json(), types.Json(Circle | Drawing), True),
    (tuple[int, str], types.Json(), types.Json(tuple[int, str]), False),
    (list[int], types.Json(), types.Json(list[int]), False),
    (int | str, types.Json(), types.Json(int | str), False),
    (Any, types.Json(), types.Json(), False),
    (dict, types.Json(dict[str, int]), types.Json(dict[str, int]), False),
    (Any, types.Integer(), types.Integer(), False),
    (Color, types.Enumeration(by="name"), types.Enumeration(Color, by="name"), False),
    (Color | None, types.Enumeration(Color, native=True), types.Enumeration(Color, native=True), True),
    (list[str], types.List(types.Varchar(3)), types.List(types.Varchar(3)), False),
    (
        list[Color | None],
        types.List(types.Enumeration(by="name")),
        types.List(types.Enumeration(Color, by="name"), nullable=True),
        False,
    ),
    (list[Point], types.List(POINT), types.List(POINT), False),
    (Point, POINT, POINT, False),
]


@pytest.mark.feature("T3")
@pytest.mark.parametrize(("annotation", "given", "expected", "nullable"), NARROWED)
def test_given_type_is_completed_by_the_annotation(
    annotation: Any, given: types.StorageType[Any], expected: types.StorageType[Any], nullable: bool
):
    assert types.narrow(annotation, given) == (expected, nullable)


@pytest.mark.feature("T3")
@pytest.mark.parametrize(
    ("annotation", "given", "words"),
    [
        (int, types.Varchar(50), "Varchar(length=50) keeps values of str, and the column is annotated as int"),
        (int | str, types.Varchar(50), "annotated as int | str"),
        (bool, types.Integer(), "keeps values of int, and the column is annotated as bool"),
        (dt.date, types.Timestamp(), "annotated as date"),
        (list[int], types.List(types.Text()), "Text() keeps values of str, and the column is annotated as int"),
        (int, types.List(types.Integer()), "annotated as int"),
        (str, types.Enumeration(by="name"), "annotated as str"),
        (Level, types.Enumeration(Color), "annotated as Level"),
        (Circle, POINT, "annotated as Circle"),
        (Circle, types.Json(Drawing), "annotated as Circle"),
        (str, "varchar(50)", "'varchar(50)' is no storage type"),
        (str, types.Varchar, "is no storage type"),
        (complex, types.Text(), "annotated as complex"),
    ],
)
def test_type_that_does_not_fit_the_annotation_is_refused(annotation: Any, given: Any, words: str):
    with pytest.raises(types.UnknownType) as caught:
        types.narrow(annotation, given)
    assert words in caught.value.message


def test_mismatch_suggests_the_type_that_fits():
    with pytest.raises(types.UnknownType) as caught:
        types.narrow(int, types.Varchar(50))
    assert caught.value.hint == "annotate the column accordingly, or keep int as Integer()"
