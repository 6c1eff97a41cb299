"""Wrappers: what a row has beyond its model."""

from datetime import UTC, datetime
from typing import Any, Generic

import attrs
import msgspec
import pytest
from typing_extensions import TypeVar

from mapper.errors import DeclarationError, QueryError
from mapper.hydration import Call, Cell, RowOf, compile_batch
from mapper.mapping import RelationMapping, build_mapping
from mapper.wrappers import Keyed, Timestamped, Versioned
from tests.mapping import samples
from tests.mapping.samples import Frozen, declared

M = TypeVar("M")

pytestmark = pytest.mark.feature("B16")

FULL = declared(id=int, title=str, body=str | None, visits=int, version=int, created_at=datetime, updated_at=datetime)
THEN, NOW = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
ROW = {"id": 7, "title": "a", "body": None, "visits": 1, "version": 4, "created_at": THEN, "updated_at": NOW}


class KeyedPost(Keyed[Frozen, int]):
    def href(self) -> str:
        return f"/posts/{self.key}"


def mapped(wrapper: Any, columns: Any = FULL, model: Any = Frozen, **options: Any) -> RelationMapping:
    return build_mapping("Posts", model, wrapper, columns, **options)


def read(mapping: RelationMapping, row: dict[str, Any]) -> Any:
    positions = {name: position for position, name in enumerate(mapping.wrapper_reads)}
    return compile_batch(mapping.wrapper_node(positions))([tuple(row[name] for name in mapping.wrapper_reads)])[0]


def refused(wrapper: Any, columns: Any = FULL) -> str:
    with pytest.raises(DeclarationError) as caught:
        mapped(wrapper, columns)
    return caught.value.message


def test_wrappers_are_made_by_position_and_equal_by_value():
    assert Keyed(1, "a") == Keyed(key=1, model="a") != Keyed(2, "a")
    assert Timestamped("a", THEN, NOW) == Timestamped(model="a", created_at=THEN, updated_at=NOW)
    assert Versioned("a", 1) == Versioned(model="a", version=1)
    assert len({Keyed(1, "a"), Keyed(1, "a")}) == 1


def test_wrappers_cannot_be_changed():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Keyed(1, "a").key = 2  # type: ignore[misc]


def test_wrappers_can_be_made_through_their_alias():
    assert Keyed[str, int](1, "a") == Keyed(1, "a")


@pytest.mark.parametrize(
    ("wrapper", "expected"),
    [
        (Keyed[Frozen, int], Keyed(7, Frozen("a", None, 1))),
        (Keyed[Frozen], Keyed(7, Frozen("a", None, 1))),
        (None, Keyed(7, Frozen("a", None, 1))),
        (KeyedPost, KeyedPost(7, Frozen("a", None, 1))),
        (Versioned[Frozen], Versioned(Frozen("a", None, 1), 4)),
        (Versioned[Keyed[Frozen, int]], Versioned(Keyed(7, Frozen("a", None, 1)), 4)),
        (Keyed[Versioned[Frozen], int], Keyed(7, Versioned(Frozen("a", None, 1), 4))),
        (Timestamped[Versioned[KeyedPost]], Timestamped(Versioned(KeyedPost(7, Frozen("a", None, 1)), 4), THEN, NOW)),
        (Frozen, Frozen("a", None, 1)),
    ],
)
def test_wrapper_is_made_of_a_row(wrapper: Any, expected: Any):
    mapping = mapped(wrapper)
    made = read(mapping, ROW)
    assert made == expected
    assert type(made) is type(expected)
    assert isinstance(made, mapping.wrapper_class)
    assert mapping.unwrap(made) == Frozen("a", None, 1)


def test_wrapper_gives_its_columns_its_key_and_its_version():
    mapping = mapped(Timestamped[Versioned[Keyed[Frozen, int]]])
    made = read(mapping, ROW)
    assert mapping.key_of is not None
    assert mapping.version_of is not None
    assert mapping.wrapper_columns == ("id", "version", "created_at", "updated_at")
    assert mapping.wrapper_values(made) == (7, 4, THEN, NOW)
    assert (mapping.key_of(made), mapping.version_of(made)) == (7, 4)


def test_wrapper_without_key_or_version_gives_none():
    mapping = mapped(Timestamped[Frozen])
    assert mapping.key_of is None
    assert mapping.version_of is None


def test_subclass_of_a_wrapper_keeps_its_methods():
    assert read(mapped(KeyedPost), ROW).href() == "/posts/7"


def composite(*names: str) -> list[Any]:
    return [attrs.evolve(each, primary_key=each.name in names) for each in declared(slug=str, title=str, id=int)]


def test_composite_key_is_a_tuple_in_the_order_of_declaration():
    mapping = mapped(Keyed[Frozen, tuple[str, int]], composite("slug", "id"))
    made = read(mapping, {"slug": "s", "id": 7, "title": "a"})
    assert mapping.key_of is not None
    assert made == Keyed(("s", 7), Frozen("a"))
    assert mapping.key_of(made) == ("s", 7)
    assert mapping.wrapper_columns == ("slug", "id")
    assert mapping.wrapper_values(made) == ("s", 7)


def test_composite_key_held_by_model_and_wrapper_is_found():
    class Own(msgspec.Struct):
        model: Frozen
        slug: str

    mapping = mapped(Own, composite("slug", "title"))
    assert mapping.key_of is not None
    assert mapping.key_of(Own(Frozen("a"), "s")) == ("s", "a")


def test_key_in_an_optional_embedded_object_is_found():
    @attrs.frozen
    class Place:
        id: int

    @attrs.frozen
    class Visit:
        place: Place | None

    columns = [attrs.evolve(each, primary_key=True) for each in declared(place_id=int)]
    mapping = mapped(Keyed[Visit, int], columns, Visit)
    own = mapped(Visit, columns, Visit)
    assert mapping.key_of is not None
    assert own.key_of is not None
    assert mapping.key_of(Keyed(3, Visit(Place(3)))) == own.key_of(Visit(Place(3))) == 3


def test_key_of_another_type_is_refused():
    assert refused(Keyed[Frozen, str]) == (
        "Posts.id: the primary key is int and Keyed.key is str; name the key's type: Relation[Model, int]"
    )


def test_composite_key_of_another_type_is_refused():
    assert refused(Keyed[Frozen, int], composite("slug", "id")) == (
        "Posts.(slug, id): the primary key is tuple[str, int] and Keyed.key is int; name the key's type: Relation[Model, tuple[str, int]]"
    )


def test_keyed_without_primary_key_cannot_be_read_but_declared():
    mapping = mapped(Keyed[Frozen, int], declared(title=str))
    assert mapping.wrapper_plan is None
    assert mapping.wrapper_reads == mapping.wrapper_columns == ()
    assert mapping.wrapper_problem == (
        "Posts.key: Keyed.key (int) has no column and no default; declare the primary key: column(primary_key=True)"
    )
    with pytest.raises(QueryError, match=r"Keyed\[Frozen, int\] cannot be read: Posts.key"):
        mapping.wrapper_node({})


def test_other_wrapper_without_its_column_is_refused():
    assert refused(Versioned[Keyed[Frozen, int]], declared(id=int, title=str)) == (
        "Posts.version: Versioned.version (int) has no column and no default; declare version: Column[int]"
    )


def test_version_stands_for_the_version_column_unless_a_column_has_its_name():
    columns = [attrs.evolve(each, version=each.name == "edition") for each in declared(id=int, title=str, edition=int)]
    assert mapped(Versioned[Frozen], columns).wrapper_columns == ("edition",)
    named = [*columns, *declared(version=int)]
    assert mapped(
        Versioned[Frozen], [attrs.evolve(each, version=each.name == "edition") for each in named]
    ).wrapper_columns == ("version",)


@attrs.frozen
class Money:
    amount: int


@attrs.frozen
class Own(Generic[M]):
    visits: int
    model: M
    price: Money
    note: str = "none"


def test_own_wrapper_meets_columns_by_name_and_embeds():
    mapping = mapped(Own[Frozen], declared(id=int, title=str, visits=int, price_amount=int))
    made = read(mapping, {"id": 1, "title": "a", "visits": 2, "price_amount": 3})
    assert made == Own(2, Frozen("a", None, 2), Money(3))
    assert mapping.wrapper_columns == ("price_amount",)
    assert mapping.wrapper_values(made) == (3,)


def test_wrapper_whose_model_is_not_said_takes_any():
    mapping = mapped(Own, declared(id=int, title=str, visits=int, price_amount=int))
    assert read(mapping, {"id": 1, "title": "a", "visits": 2, "price_amount": 3}).model == Frozen("a", None, 2)


@pytest.mark.parametrize("model", samples.MODELS)
@pytest.mark.feature("B3")
def test_model_of_each_kind_can_be_wrapped(model: Any):
    mapping = mapped(Keyed[model, int], samples.COLUMNS, model)
    assert read(mapping, ROW) == Keyed(7, model(title="a", body=None, visits=1))


def test_wrapper_of_each_kind_of_class():
    class Written:
        def __init__(self, model: Frozen, id: int) -> None:
            self.model, self.id = model, id

    mapping = mapped(Written)
    made = read(mapping, ROW)
    assert mapping.key_of is not None
    assert (made.model, mapping.key_of(made)) == (Frozen("a", None, 1), 7)


def test_wrapper_of_another_model_is_refused():
    assert (
        refused(Keyed[samples.Data, int])
        == "Posts: Data is neither the model nor a wrapper; give it a field model: Frozen"
    )


def test_wrapper_of_a_value_is_refused():
    assert refused(Keyed[int, int]).startswith(
        "Posts: the wrapper int holds no Frozen: int is a value, not a class with fields"
    )


@pytest.mark.feature("B4")
def test_wrapper_around_a_model_mapped_by_hand_takes_what_makes_it():
    class Loose:
        def __init__(self, **values: Any) -> None: ...

    mapping = mapped(Keyed[Loose, int], declared(id=int, title=str), Loose, by_hand=True)
    by_hand = Call(lambda row: repr(row), RowOf((Cell(0, None, False, "id"), Cell(1, None, False, "title"))))
    node = mapping.wrapper_node({"id": 0, "title": 1}, model=by_hand)
    assert mapping.wrapper_reads == ("id", "title")
    assert compile_batch(node)([(1, "a")]) == [Keyed(1, "Row(id=1, title='a')")]
