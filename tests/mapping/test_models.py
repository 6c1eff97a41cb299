"""The fields of a model's class, whichever way it is written."""

import dataclasses
import enum
import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, NamedTuple

import attrs
import msgspec
import pydantic
import pytest
from typing_extensions import TypeVar

from mapper import models
from mapper.annotations import Unresolved
from mapper.models import MISSING, ModelField, NotAModel, has_fields, inspect_model
from tests.mapping import futures, samples

T = TypeVar("T")
D = TypeVar("D", default=int)

pytestmark = pytest.mark.feature("B3")


@pytest.mark.parametrize("model", samples.MODELS)
def test_fields_of_each_kind_of_model_are_the_same(model: type):
    fields = inspect_model(model).fields
    assert [(each.name, each.annotation, each.required) for each in fields] == [
        ("title", str, True),
        ("body", str | None, False),
        ("visits", int, False),
    ]


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (samples.Frozen, "attrs"),
        (samples.FrozenData, "dataclass"),
        (samples.Struct, "msgspec"),
        (samples.Named, "namedtuple"),
        (samples.Pydantic, "pydantic"),
        (samples.ByHand, "class"),
    ],
)
def test_kind_is_told_by_the_marks_of_its_library(model: type, kind: str):
    assert inspect_model(model).kind == kind


@pytest.mark.parametrize(
    ("model", "positional"),
    [
        (samples.Frozen, [True, True, True]),
        (samples.FrozenByName, [False, False, False]),
        (samples.DataByName, [False, False, False]),
        (samples.FrozenStruct, [False, False, False]),
        (samples.Pydantic, [False, False, False]),
        (samples.ByHand, [True, True, False]),
    ],
)
def test_fields_tell_whether_they_go_by_position(model: type, positional: list[bool]):
    assert [each.positional for each in inspect_model(model).fields] == positional


def test_private_attrs_field_has_its_argument():
    fields = inspect_model(samples.Private).fields
    assert [(each.name, each.argument) for each in fields] == [
        ("_title", "title"),
        ("body", "body"),
        ("_visits", "count"),
    ]


def test_pydantic_field_has_its_alias_for_argument():
    assert [each.argument for each in inspect_model(samples.Aliased).fields] == ["postTitle", "post-body", "visits"]


def test_pydantic_field_populated_by_name_has_its_name_for_argument():
    class Model(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(populate_by_name=True)
        title: str = pydantic.Field(alias="postTitle")

    assert inspect_model(Model).fields[0].argument == "title"


def test_pydantic_field_of_several_aliases_takes_the_first_name():
    class Model(pydantic.BaseModel):
        title: str = pydantic.Field(validation_alias=pydantic.AliasChoices(pydantic.AliasPath("a", 0), "heading"))

    assert inspect_model(Model).fields[0].argument == "heading"


def test_pydantic_field_of_an_alias_path_is_refused():
    class Model(pydantic.BaseModel):
        title: str = pydantic.Field(validation_alias=pydantic.AliasPath("a", 0))

    with pytest.raises(NotAModel, match="'title' of Model has the alias"):
        inspect_model(Model)


def test_generic_pydantic_model_has_its_argument_for_annotation():
    class Model(pydantic.BaseModel, Generic[T]):
        value: T

    assert inspect_model(Model[int]).fields[0].annotation is int


def test_field_without_init_is_computed():
    @attrs.define
    class Post:
        title: str
        slug: str = attrs.field(init=False, default="")

    shape = inspect_model(Post)
    assert [each.name for each in shape.fields] == ["title"]
    assert [(each.name, each.annotation) for each in shape.computed] == [("slug", str)]


def test_field_of_a_dataclass_without_init_is_computed():
    @dataclasses.dataclass
    class Post:
        title: str
        slug: str = dataclasses.field(init=False, default="")

    shape = inspect_model(Post)
    assert ([each.name for each in shape.fields], [each.name for each in shape.computed]) == (["title"], ["slug"])


def test_required_init_var_is_refused():
    @dataclasses.dataclass
    class Post:
        title: str
        seed: dataclasses.InitVar[int]

    with pytest.raises(NotAModel, match="Post needs the InitVar 'seed', which it does not keep"):
        inspect_model(Post)


def test_init_var_with_a_default_is_no_field():
    @dataclasses.dataclass
    class Post:
        title: str
        seed: dataclasses.InitVar[int] = 0

    assert [each.name for each in inspect_model(Post).fields] == ["title"]


def test_converted_attrs_field_is_told():
    @attrs.frozen
    class Post:
        tags: tuple[str, ...] = attrs.field(converter=tuple)
        title: str

    assert [each.converted for each in inspect_model(Post).fields] == [True, False]


def test_attrs_class_with_its_own_constructor_is_read_from_it():
    @attrs.define(init=False)
    class Post:
        title: str
        words: int

        def __init__(self, title: str) -> None:
            self.__attrs_init__(title, len(title.split()))  # pyright: ignore[reportAttributeAccessIssue]  # attrs makes it

    assert [each.name for each in inspect_model(Post).fields] == ["title"]


def test_attrs_class_made_by_a_function_has_its_types():
    made = attrs.make_class("Made", {"title": attrs.field(type=str), "rest": attrs.field(default=None)})
    assert [each.annotation for each in inspect_model(made).fields] == [str, MISSING]


def test_class_by_hand_may_leave_parameters_unannotated():
    class Post:
        words: int

        def __init__(self, title, words, /, *args, rest=None, **more):
            self.title, self.words, self.rest = title, words, rest

    assert inspect_model(Post).fields == (
        ModelField("title", MISSING, True, "title", True, False),
        ModelField("words", int, True, "words", True, False),
        ModelField("rest", MISSING, False, "rest", False, True),
    )


def test_class_by_hand_with_new_is_read_from_it():
    class Point:
        x: int

        def __new__(cls, x: int) -> "Point":
            made = super().__new__(cls)
            made.x = x
            return made

    assert inspect_model(Point).fields[0] == ModelField("x", int, True, "x", True)


def test_class_with_annotations_and_without_constructor_is_refused():
    class Post:
        title: str

    with pytest.raises(NotAModel, match="Post annotates fields, but its constructor takes none\nHINT: decorate it"):
        inspect_model(Post)


def test_class_without_any_field_is_a_model():
    class Link: ...

    assert inspect_model(Link).fields == ()


class Colour(enum.Enum):
    RED = 1

    def __init__(self, code: int) -> None:
        self.code = code


class Slug(str):
    def __init__(self, text: str) -> None: ...


VALUES = [
    str,
    int,
    bool,
    float,
    bytes,
    datetime,
    date,
    Decimal,
    uuid.UUID,
    list,
    dict,
    tuple,
    object,
    type(None),
    Colour,
    Slug,
    ValueError,
]


@pytest.mark.parametrize("value", [*VALUES, list[int], tuple[int, str], int | None, Any, None, "Post", 3])
def test_value_is_no_model(value: Any):
    with pytest.raises(NotAModel):
        inspect_model(value)
    assert not has_fields(value)


@pytest.mark.parametrize("model", samples.MODELS)
@pytest.mark.feature("T7")
def test_model_of_each_kind_has_fields(model: type):
    assert has_fields(model)


@pytest.mark.feature("T7")
def test_class_by_hand_without_annotations_has_no_fields():
    class Loose:
        def __init__(self, a, b=None): ...

    assert not has_fields(Loose)


@pytest.mark.feature("T7")
def test_class_without_fields_has_none():
    @attrs.frozen
    class Nothing: ...

    assert not has_fields(Nothing)


def test_forward_reference_resolves_in_its_module():
    fields = {each.name: each.annotation for each in inspect_model(futures.Person).fields}
    assert fields == {"name": str, "home": futures.Address | None, "born": date | None}


def test_name_for_checkers_alone_stays_unresolved_and_is_not_kept():
    annotation = inspect_model(futures.Priced).fields[1].annotation
    assert annotation == Unresolved("Decimal", "name 'Decimal' is not defined")
    assert inspect_model(futures.Priced, {"Decimal": Decimal}).fields[1].annotation is Decimal
    assert inspect_model(futures.Priced).fields[1].annotation == annotation


def test_field_named_like_its_type_resolves_to_the_type():
    assert [each.annotation for each in inspect_model(futures.Dated).fields] == [date | None, date | None]


def test_parameter_of_a_class_by_hand_resolves_in_its_module():
    assert [each.annotation for each in inspect_model(futures.Written).fields] == [str, futures.Address]


def test_name_in_the_class_itself_resolves():
    assert inspect_model(futures.Outer.Inner).fields[0].annotation is futures.Outer.Inner.Kind


def test_local_names_resolve_where_they_are_given():
    class Inner:
        def __init__(self, x: int) -> None:
            self.x = x

    @dataclasses.dataclass
    class Post:
        inner: "Inner"
        next: "Post | None" = None

    fields = inspect_model(Post, {"Inner": Inner}).fields
    assert [each.annotation for each in fields] == [Inner, Post | None]
    assert isinstance(inspect_model(Post).fields[0].annotation, Unresolved)


def test_generic_alias_fills_in_its_type_variables():
    shape = inspect_model(futures.Boxed[str])
    assert shape.cls is futures.Boxed
    assert [each.annotation for each in shape.fields] == [str, list[str]]


def test_subclass_of_a_generic_alias_fills_in_its_type_variables():
    assert [each.annotation for each in inspect_model(futures.Numbers).fields] == [int, list[int], str]


def test_type_variable_left_open_stays():
    assert inspect_model(futures.Boxed).fields[0].annotation is futures.T


def test_type_variable_left_out_has_its_default():
    @attrs.frozen
    class Pair(Generic[T, D]):
        left: T
        right: D | None

    assert [each.annotation for each in inspect_model(Pair[str]).fields] == [str, int | None]


class Inherited(NamedTuple):
    title: str


class Heir(Inherited):
    """Adds no field."""


def test_inherited_fields_are_those_of_the_parent():
    class Base(msgspec.Struct):
        title: str

    class Child(Base, kw_only=True):
        words: int

    assert [(each.name, each.positional) for each in inspect_model(Child).fields] == [("title", True), ("words", False)]
    assert [each.annotation for each in inspect_model(Heir).fields] == [str]


def test_shapes_are_kept_in_a_table_of_bounded_size(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(models, "LIMIT", 2)
    monkeypatch.setattr(models, "_shapes", {})
    first = inspect_model(samples.Frozen)
    assert inspect_model(samples.Frozen) is first
    for model in (samples.Data, samples.Struct):
        inspect_model(model)
    assert list(models._shapes) == [samples.Data, samples.Struct]
    assert inspect_model(samples.Frozen) == first


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (samples.Frozen, True),
        (samples.Data, True),
        (samples.ByHand, True),
        (samples.Struct, False),
        (samples.Named, False),
    ],
)
def test_shape_tells_whether_a_python_initialiser_does_it_all(model: type, expected: bool):
    assert inspect_model(model).initialises is expected


def test_class_with_its_own_new_is_called_as_a_whole():
    class Counted:
        def __new__(cls, x: int) -> "Counted":
            return super().__new__(cls)

        def __init__(self, x: int) -> None:
            self.x = x

    assert not inspect_model(Counted).initialises
