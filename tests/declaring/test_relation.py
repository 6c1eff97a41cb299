"""What a relation's class makes of its body, and what it says when the body is wrong."""

import re
import types as python_types
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest

from mapper import types
from mapper.columns import Check, Column, Index, Unique, column
from mapper.errors import DeclarationError
from mapper.expressions import Attribute
from mapper.relation import Relation, info
from mapper.wrappers import Keyed, Timestamped, Versioned


@attrs.frozen
class Post:
    title: str
    body: str | None = None


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str | None] = column(name="content")
    visits: Column[int] = column(default=0)


@pytest.mark.feature("B5", "T3")
def test_relation_columns_become_typed_attributes():
    assert isinstance(Posts.title, Attribute)
    assert [(each.attribute, each.name, each.nullable) for each in info(Posts).columns] == [
        ("id", "id", False),
        ("title", "title", False),
        ("body", "content", True),
        ("visits", "visits", False),
    ]
    assert info(Posts).name == "posts"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("BlogPosts", "blog_posts"), ("HTTPLogs", "http_logs"), ("X", "x"), ("Item2Part", "item2_part")],
)
def test_relation_name_defaults_to_snake_case(name: str, expected: str):
    body = {"__annotations__": FITTING, "__module__": __name__}
    made = python_types.new_class(name, (Relation[Post],), {}, lambda space: space.update(body))
    assert info(made).name == expected


@pytest.mark.feature("B6")
def test_relation_of_the_same_model_under_another_name_is_another_relation():
    class Drafts(Relation[Post], name="drafts", schema="archive"):
        id: Column[int] = column(primary_key=True)
        title: Column[str]
        body: Column[str | None]

    assert (info(Drafts).schema, info(Drafts).name) == ("archive", "drafts")
    assert info(Drafts).token != info(Posts).token
    assert Drafts.title.key != Posts.title.key


def test_relation_public_names_are_its_columns_and_three_methods():
    class Odd(Relation[Any]):
        metadata: Column[str]
        name: Column[str]
        select: Column[str]
        columns: Column[str]
        register: Column[str]

        @classmethod
        def hydrate(cls, row: Any) -> Any: ...
        @classmethod
        def dehydrate(cls, model: Any) -> Any: ...

    assert isinstance(Odd.metadata, Attribute)
    public = {each for each in dir(Relation) if not each.startswith("_")}
    assert public == {"named", "hydrate", "dehydrate"}


def test_relation_is_not_instantiated():
    with pytest.raises(TypeError, match="no instances"):
        Posts()


def test_relation_named_gives_the_same_columns_under_an_alias():
    other = Posts.named("other")
    assert info(other).original is Posts
    assert info(other).alias == "other"
    assert other.title.key == Posts.named("other").title.key != Posts.title.key


def test_relation_inherits_columns_of_mixins_and_relations():
    class Times:
        created_at: Column[datetime] = column(default=lambda: datetime.now(UTC))

    class Dated(Times, Posts, name="dated"):
        pass

    assert [each.attribute for each in info(Dated).columns] == ["id", "title", "body", "visits", "created_at"]
    assert info(Dated).model is Post


@pytest.mark.feature("B16")
def test_relation_wrapper_defaults_to_keyed_with_the_relations_key():
    assert info(Posts).wrapper == Keyed[Post, int]


@pytest.mark.feature("B16", "T12")
def test_relation_wrappers_nest():
    class Papers(Relation[Post, UUID, Versioned[Timestamped[Keyed[Post, UUID]]]]):
        id: Column[UUID] = column(primary_key=True)
        title: Column[str]
        body: Column[str | None]
        created_at: Column[datetime]
        updated_at: Column[datetime]
        version: Column[int] = column(version=True)

    mapping = info(Papers).mapping
    assert mapping is not None
    assert set(mapping.wrapper_reads) == {"id", "title", "body", "created_at", "updated_at", "version"}


@pytest.mark.feature("T5")
def test_relation_composite_key_is_in_order_of_declaration():
    @attrs.frozen
    class Link:
        note: str

    class Links(Relation[Link, tuple[int, str]]):
        post_id: Column[int] = column(primary_key=True)
        tag: Column[str] = column(primary_key=True)
        note: Column[str]

    assert [each.attribute for each in info(Links).primary_key] == ["post_id", "tag"]
    assert not any(each.autoincrement for each in info(Links).columns)


def test_relation_columns_of_integer_key_without_default_count_themselves():
    assert info(Posts).column("id").autoincrement


@pytest.mark.feature("T6")
def test_relation_constraints_are_collected_from_columns_and_keywords():
    class Slugs(
        Relation[Any],
        indexes=[Index("a", "b"), Unique("b", name="only_b")],
        checks=["a > 0", Check("b <> ''", "filled")],
    ):
        a: Column[int] = column(index=True, check="a < 100")
        b: Column[str] = column(unique=True)

        @classmethod
        def hydrate(cls, row: Any) -> Any: ...
        @classmethod
        def dehydrate(cls, model: Any) -> Any: ...

    described = info(Slugs)
    assert described.indexes == (Index("a"), Index("a", "b"))
    assert described.uniques == (Unique("b"), Unique("b", name="only_b"))
    assert described.checks == (Check("a < 100"), Check("a > 0"), Check("b <> ''", "filled"))


def _declare(body: dict[str, Any], annotations: dict[str, Any], model: Any = Post, **keywords: Any) -> type:
    namespace = {**body, "__annotations__": annotations, "__module__": __name__, "__qualname__": "Wrong"}
    return python_types.new_class("Wrong", (Relation[model],), keywords, lambda space: space.update(namespace))


FITTING = {"title": Column[str], "body": Column[str | None]}

WRONG = [
    pytest.param(
        {}, {**FITTING, "id": int}, {}, "Wrong.id: annotated as int.*write id: Column\\[int\\]", id="plain annotation"
    ),
    pytest.param({"id": column()}, FITTING, {}, "Wrong.id: column\\(\\) without an annotation", id="no annotation"),
    pytest.param(
        {"id": 3},
        {**FITTING, "id": Column[int]},
        {},
        "Wrong.id: 3 is not a column; write column\\(default=3\\)",
        id="value",
    ),
    pytest.param({}, {**FITTING, "x": Column[object]}, {}, "Wrong.x: .*object", id="unknown type"),
    pytest.param(
        {"id": column(primary_key=True)},
        {**FITTING, "id": Column[int | None]},
        {},
        "primary key cannot be NULL",
        id="null key",
    ),
    pytest.param(
        {"v": column(version=True)},
        {**FITTING, "v": Column[str]},
        {},
        "Wrong.v: a version counts writes",
        id="version type",
    ),
    pytest.param(
        {"n": column(default="x")},
        {**FITTING, "n": Column[int]},
        {},
        "Wrong.n: default='x' cannot be stored",
        id="default type",
    ),
    pytest.param(
        {"n": column(default=None)},
        {**FITTING, "n": Column[int]},
        {},
        "default=None, and the column cannot be NULL",
        id="default null",
    ),
    pytest.param(
        {"n": column(default=1, server_default="1")},
        {**FITTING, "n": Column[int]},
        {},
        "exclude each other",
        id="two defaults",
    ),
    pytest.param(
        {"n": column(name="title")},
        {**FITTING, "n": Column[int]},
        {},
        "the name 'title' is that of title",
        id="same name",
    ),
    pytest.param(
        {"n": column(name="")}, {**FITTING, "n": Column[int]}, {}, "the name '' cannot be a column's", id="empty name"
    ),
    pytest.param(
        {}, {**FITTING, "hydrate": Column[int]}, {}, "Wrong.hydrate: the name is the relation's own", id="reserved"
    ),
    pytest.param(
        {},
        FITTING,
        {"indexes": [Index("titel")]},
        "names 'titel', which is not a column; columns are: title, body",
        id="index",
    ),
    pytest.param({}, FITTING, {"naem": "x"}, "unknown class keyword 'naem'", id="keyword"),
    pytest.param(
        {"n": column(on_delete="set null")},
        {**FITTING, "n": Column[int]},
        {},
        "needs a column that can be NULL",
        id="set null",
    ),
    pytest.param(
        {"n": column(type=types.Varchar(5))}, {**FITTING, "n": Column[int]}, {}, "Wrong.n: .*", id="narrowed type"
    ),
    pytest.param({}, {"body": Column[str | None]}, {}, "Wrong.title", id="missing field"),
    pytest.param({}, {"title": Column[int], "body": Column[str | None]}, {}, "Wrong.title", id="field type"),
    pytest.param({}, {"title": Column[str | None], "body": Column[str | None]}, {}, "Wrong.title", id="field null"),
    pytest.param(
        {"id": column(primary_key=True)},
        {**FITTING, "id": Column[str]},
        {},
        "write Relation\\[Post, str\\]",
        id="key type",
    ),
]


@pytest.mark.parametrize(("body", "annotations", "keywords", "text"), WRONG)
def test_relation_declared_wrongly_is_refused_with_the_mend(
    body: dict[str, Any], annotations: dict[str, Any], keywords: dict[str, Any], text: str
):
    with pytest.raises(DeclarationError) as caught:
        _declare(body, annotations, **keywords)
    assert re.search(text, str(caught.value)), str(caught.value)


def test_relation_declared_wrongly_lists_all_that_is_wrong():
    with pytest.raises(DeclarationError) as caught:
        _declare(
            {"id": column(primary_key=True), "n": column(default="x")},
            {**FITTING, "id": Column[int | None], "n": Column[int]},
        )
    assert len(str(caught.value).splitlines()) == 3


def test_relation_without_model_is_refused():
    with pytest.raises(DeclarationError, match="no model"):

        class NoModel(Relation):
            id: Column[int]


def test_relation_numeric_column_keeps_its_type():
    @attrs.frozen
    class Price:
        amount: Decimal

    class Prices(Relation[Price]):
        amount: Column[Decimal] = column(type=types.Numeric(12, 2))

    assert info(Prices).column("amount").type == types.Numeric(12, 2)
