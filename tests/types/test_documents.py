"""JSON documents: their exact text, what is refused, what is read from text of other origin."""

import dataclasses
import datetime as dt
import sys
from decimal import Decimal
from typing import Any, Literal, NamedTuple, Optional, Union
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pytest
from hypothesis import given
from typing_extensions import TypeAliasType

from mapper.types import Misfit, UnknownType, document_decoder, document_encoder, encode_document
from tests.types import values
from tests.types.values import Card, Cash, Circle, Color, Drawing, Named, Note

pytestmark = pytest.mark.feature("T9")


class Pair(NamedTuple):
    """Kept as an array."""

    left: int
    right: int


@dataclasses.dataclass(eq=False)
class Mute:
    """Has no `==` of its own."""

    text: str | None


def recursive_alias() -> Any:
    """Make what `type Tree = int | list[Tree]` makes in Python 3.12."""
    if sys.version_info >= (3, 12):
        names: dict[str, Any] = {}
        exec("type Tree = int | list[Tree]", names)
        return names["Tree"]
    make: Any = TypeAliasType
    alias = make("Tree", Any)
    object.__setattr__(alias, "__value__", int | list[alias])  # type: ignore[valid-type]
    return alias


Tree = recursive_alias()


@attrs.frozen
class Node:
    """Refers to itself in each kind of container."""

    name: str
    next: Optional["Node"] = None
    children: tuple["Node", ...] = ()
    by_name: dict[str, "Node"] = attrs.field(factory=dict)
    pair: tuple["Node", int] | None = None


TEXTS: list[tuple[Any, Any, str]] = [
    (None, {"b": 1, "a": [True, None, "é", 1.0]}, '{"b":1,"a":[true,null,"é",1.0]}'),
    (Circle, Circle(1.5, "x", 7), '{"radius":1.5,"label":"x","_hidden":7,"computed":3}'),
    (Circle | Note, Note("hi"), '{"type":"note","text":"hi"}'),
    (Drawing, Drawing(Decimal("1.10"), None, {"b", "a"}), '{"price":"1.10","made":null,"tags":["a","b"],"parts":[]}'),
    (Circle | Drawing, Circle(1.0), '{"type":"Circle","radius":1.0,"label":"","_hidden":0,"computed":3}'),
    (Card | Cash, Cash("cash", Decimal(5)), '{"kind":"cash","amount":"5"}'),
    (dict[Color, set[int]], {Color.RED: {3, 1, 2}}, '{"red":[1,2,3]}'),
    (list[Circle | None], [None], "[null]"),
    (Named, {"name": "x"}, '{"name":"x"}'),
    (Pair, Pair(1, 2), "[1,2]"),
    (frozenset[Pair], frozenset([Pair(2, 1), Pair(1, 2)]), "[[1,2],[2,1]]"),
    (Tree, [1, [2]], "[1,[2]]"),
    (Node, Node("a", Node("b")), '{"name":"a","next":{"name":"b","next":null,"children":[],"by_name":{},"pair":null},'
     '"children":[],"by_name":{},"pair":null}'),
    (dt.datetime, dt.datetime(2026, 1, 2, 3, 4, 5, 6), '"2026-01-02T03:04:05.000006"'),
    (UUID, UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
    (Any, "\\u0000", '"\\\\u0000"'),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "value", "text"), TEXTS)
def test_document_has_compact_text_in_order_and_reads_back(annotation: Any, value: Any, text: str):
    assert encode_document(value, annotation) == text
    read = document_decoder(annotation)(text)
    assert (read, type(read)) == (value, type(value))


def test_class_that_contains_itself_reads_back():
    leaf = Node("leaf")
    tree = Node("root", leaf, (leaf, Node("inner", children=(leaf,))), {"leaf": leaf}, (leaf, 1))
    assert document_decoder(Node)(document_encoder(Node)(tree)) == tree


@attrs.frozen
class Meeting:
    """With a moment."""

    at: dt.datetime


@pytest.mark.parametrize("fold", [0, 1])
def test_hour_that_comes_twice_reads_back_as_the_same_instant(fold: int):
    moment = dt.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=fold)
    read = document_decoder(Meeting)(encode_document(Meeting(moment), Meeting))
    assert (read.at - dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)) == dt.timedelta(hours=fold)


def test_offset_with_seconds_is_refused():
    local_mean_time = dt.datetime(1912, 1, 1, tzinfo=ZoneInfo("Africa/Abidjan"))
    with pytest.raises(Misfit, match=r"at \$\.at would be read as"):
        encode_document(Meeting(local_mean_time), Meeting)


def test_class_without_equality_is_compared_by_its_fields():
    assert encode_document([Mute(None)], list[Mute]) == '[{"text":null}]'


REFUSED: list[tuple[Any, Any, str]] = [
    (None, float("nan"), "float nan at $ would be read as None"),
    (None, {"a": [1, float("inf")]}, "float inf at $.a[1] would be read as None"),
    (None, {"a": (1,)}, "tuple (1,) at $.a would be read as list [1]"),
    (None, {1: 2}, "dict {1: 2} at $ would be read as dict {'1': 2}"),
    (None, dt.date(2026, 1, 1), "would be read as str '2026-01-01'"),
    (None, {"a": {1}}, "set {1} at $.a would be read as list [1]"),
    (None, {"a": "x\x00"}, "without NUL characters"),
    (None, "\ud800", "surrogates not allowed"),
    (None, object(), "Encoding objects of type object is unsupported"),
    (Circle, Circle(float("nan")), "Expected `float`, got `null` - at `$.radius`"),
    (Circle, Circle("x"), "Expected `float`, got `str` - at `$.radius`"),  # type: ignore[arg-type]
    (Circle, {"radius": 1.0}, "expected Circle"),
    (Circle, None, "found None, expected Circle"),
    (Drawing, Drawing(1.1), "float 1.1 at $.price would be read as Decimal"),  # type: ignore[arg-type]
    (Drawing, Drawing(Decimal(1), parts=(Circle(1.0),)), "expected a list"),  # type: ignore[arg-type]
    (Drawing, Drawing(Decimal(1), tags=["a"]), "expected a set"),  # type: ignore[arg-type]
    (dict[str, int], {"a": "b"}, "Expected `int`, got `str`"),
    (list[int], (1,), "would be read as list"),
    (list[Circle], [Circle(1.0), 2], "expected Circle"),
    (tuple[Circle, int], (Circle(1.0),), "expected a tuple of 2 items"),
    (Card | Cash, Card("cash", "1"), "expected Card with kind='card'"),  # type: ignore[arg-type]
    (Circle | Drawing, Note("x"), "expected Circle | Drawing"),
    (list[Mute], [Mute(float("nan"))], "float nan at $[0].text would be read as None"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("annotation", "value", "words"), REFUSED)
def test_document_that_would_read_as_another_is_refused(annotation: Any, value: Any, words: str):
    with pytest.raises(Misfit) as caught:
        encode_document(value, annotation)
    assert words in caught.value.message


def test_deep_document_is_refused_instead_of_overflowing():
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(Misfit):
        encode_document(value)
    while value:  # taken apart one by one: freeing it at once recurses
        value = value.pop()


READ: list[tuple[Any, str, Any]] = [
    (Circle, '{"radius": 1, "unknown": [1]}', Circle(1.0)),
    (Circle | Drawing, '{"price": 1.10, "type": "Drawing"}', Drawing(Decimal("1.10"))),
    (Card | Cash, ' {"amount": 3, "kind": "cash"} ', Cash("cash", Decimal(3))),
    (None, "null", None),
]


@pytest.mark.parametrize(("annotation", "text", "expected"), READ)
def test_text_of_other_origin_is_read_with_defaults_for_what_is_absent(annotation: Any, text: str, expected: Any):
    assert document_decoder(annotation)(text) == expected


@attrs.frozen
class Positive:
    """Refuses what is not."""

    number: int = attrs.field(validator=attrs.validators.gt(0))


@pytest.mark.parametrize(
    ("annotation", "text", "words"),
    [
        (None, "{", "Input data was truncated"),
        (Circle, "{}", "Object missing required field `radius`"),
        (Circle, '{"radius":"x"}', "Expected `float`, got `str` - at `$.radius`"),
        (Circle | Drawing, '{"type":"Square"}', "Invalid value 'Square' - at `$.type`"),
        (Positive, '{"number":0}', "'number' must be > 0"),
    ],
)
def test_text_that_does_not_fit_is_an_error_with_the_place(annotation: Any, text: str, words: str):
    with pytest.raises(ValueError, match="cannot read") as caught:
        document_decoder(annotation)(text)
    assert words in str(caught.value)


@attrs.frozen
class Typed:
    """Has the name that a tag would take."""

    type: str


def namesake() -> type:
    """Make another class called Circle."""
    return attrs.make_class("Circle", {"other": attrs.field(type=int)})


@pytest.mark.feature("T8")
@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Circle | Typed, "Typed has a field 'type', which is to tell it from other classes"),
        (Union[Circle, namesake()], "several classes called Circle"),  # noqa: UP007
        (dict[Circle, int], "are no keys of a JSON object"),
        (list[complex], "a JSON document cannot contain complex"),
        (dict[str, "Nowhere"], "the name"),  # type: ignore[name-defined]  # noqa: F821
        (Circle | dict[str, int] | Drawing, "cannot be a JSON document"),
    ],
)
def test_annotation_that_json_cannot_keep_is_refused(annotation: Any, words: str):
    with pytest.raises(UnknownType) as caught:
        document_encoder(annotation)
    assert words in caught.value.message


@given(values.json_values)
def test_every_json_value_reads_back(value: Any):
    assert document_decoder(None)(encode_document(value)) == value


@given(values.shapes)
def test_text_is_stable(value: Any):
    annotation = Circle | Drawing
    text = encode_document(value, annotation)
    assert encode_document(document_decoder(annotation)(text), annotation) == text


def test_struct_keeps_its_own_configuration():
    class Renamed(msgspec.Struct, rename="camel", tag_field="kind", tag=True):
        first_name: str

    annotation = Renamed | Circle
    assert encode_document(Renamed("x"), annotation) == '{"kind":"Renamed","firstName":"x"}'
    assert document_decoder(annotation)('{"kind":"Circle","radius":1}') == Circle(1.0)


def test_literal_of_two_values_is_no_tag():
    @attrs.frozen
    class Either:
        kind: Literal["a", "b"]

    assert encode_document(Either("b"), Either | Circle) == '{"type":"Either","kind":"b"}'
