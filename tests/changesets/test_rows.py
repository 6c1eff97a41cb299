"""Rows out of models, wrappers and assignments, and what a new model changes of an old one."""

import dataclasses
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest

from mapper.columns import Column, column
from mapper.expressions import Assignment
from mapper.hydration import Row
from mapper.layouts import reader_of
from mapper.relation import Relation, info
from mapper.repository import Repository
from mapper.types import Numeric
from mapper.wrappers import Keyed, Timestamped, Versioned
from tests.changesets.blog import Note, Notes, Post, Posts, Setting, Settings, Tag, Tags

pytestmark = pytest.mark.feature("B4", "B16")


def row(relation: Any, item: object, *assignments: Assignment[Any]) -> dict[str, Any]:
    """Return what is stored of an item, by column."""
    shape, values = reader_of(info(relation)).read(item, assignments)
    completed = shape.complete([values])[0]
    return dict(zip([each.attribute for each in shape.columns], completed, strict=True))


def test_model_gives_its_columns_and_defaults_the_others():
    assert row(Posts, Post("a", "b")) == {"title": "a", "body": "b", "visits": 0}


def test_assignment_overrides_the_model():
    assert row(Posts, Post("a", "b"), Posts.body.to(None), Posts.title.to("x"))["title"] == "x"
    assert row(Posts, Post("a", "b"), Posts.body.to(None))["body"] is None


def test_order_of_assignments_does_not_matter():
    one = reader_of(info(Posts)).read(Post("a"), (Posts.visits.to(1), Posts.author_id.to(2)))
    other = reader_of(info(Posts)).read(Post("a"), (Posts.author_id.to(2), Posts.visits.to(1)))
    assert one == other
    assert one[0] is other[0]


def test_wrapper_gives_key_and_further_columns():
    assert row(Posts, Keyed(7, Post("a"))) == {"id": 7, "title": "a", "body": None, "visits": 0}


def test_wrapper_without_a_key_leaves_it_to_the_store():
    shape, _ = reader_of(info(Posts)).read(Keyed(None, Post("a")))
    assert (shape.generated, shape.key_indexes) == (info(Posts).primary_key[0], ())


def test_first_version_is_one():
    assert row(Notes, Note("a"))["version"] == 1


def test_natural_key_is_a_field_of_the_model():
    shape, values = reader_of(info(Settings)).read(Setting("a", "b"))
    assert (values, shape.key_indexes, shape.returning) == (("a", "b"), (0,), ())


@dataclasses.dataclass
class Draft:
    id: int | None
    title: str
    rank: int | None = None


class Drafts(Relation[Draft]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    rank: Column[int] = column(default=5)


def test_none_for_a_column_that_takes_no_null_is_its_default():
    assert row(Drafts, Draft(None, "a")) == {"title": "a", "rank": 5}
    assert row(Drafts, Draft(3, "a", 2)) == {"id": 3, "title": "a", "rank": 2}
    assert row(Drafts, Draft(None, "a"), Drafts.rank.to(1)) == {"title": "a", "rank": 1}


class ByHand(Relation[Post]):
    """Keeps a title and its length."""

    id: Column[int] = column(primary_key=True)
    heading: Column[str]
    size: Column[int]

    @classmethod
    def hydrate(cls, row: Row) -> Post:
        return Post(row[ByHand.heading])

    @classmethod
    def dehydrate(cls, model: Post) -> Iterable[Assignment["ByHand"]]:
        yield ByHand.heading.to(model.title)
        yield ByHand.size.to(len(model.title))


class Hands(Repository[ByHand]): ...


def test_relation_that_maps_by_hand_gives_its_own_assignments():
    assert row(ByHand, Post("abc")) == {"heading": "abc", "size": 3}
    assert row(ByHand, Post("abc"), ByHand.size.to(0)) == {"heading": "abc", "size": 0}
    assert row(ByHand, Keyed(7, Post("abc"))) == {"id": 7, "heading": "abc", "size": 3}


def test_new_model_of_a_relation_that_maps_by_hand_changes_what_differs():
    changes = Hands.change()
    changes.update(ByHand, Keyed(1, Post("abc")), Post("abd"))
    assert changes == _updated(Hands, ByHand, Keyed(1, Post("abc")), ByHand.heading.to("abd"))


def _updated(repository: Any, relation: Any, old: Any, *assignments: Assignment[Any]) -> Any:
    changes = repository.change()
    changes.update(relation, old, *assignments)
    return changes


class Price(msgspec.Struct, frozen=True):
    amount: Decimal = Decimal(1)
    rate: float = 0.0
    data: list[Any] | None = None


class Prices(Relation[Price]):
    id: Column[int] = column(primary_key=True)
    amount: Column[Decimal] = column(type=Numeric())
    rate: Column[float]
    data: Column[list[Any] | None]


class Shop(Repository[Prices | Notes | Tags]): ...


@pytest.mark.feature("T24")
@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (Price(), Price(), False),
        (Price(Decimal("1.0")), Price(Decimal(1)), True),
        (Price(rate=0.0), Price(rate=-0.0), True),
        (Price(data=[1]), Price(data=[1]), False),
        (Price(data=[1]), Price(data=[True]), True),
        (Price(data=None), Price(data=[]), True),
    ],
)
def test_columns_are_written_that_are_stored_otherwise(old: Price, new: Price, changed: bool):
    changes = Shop.change()
    changes.update(Prices, Keyed(1, old), new)
    assert bool(changes) is changed


def test_frozen_model_that_is_the_same_object_is_unchanged():
    price, changes = Price(), Shop.change()
    changes.update(Prices, Keyed(1, price), price)
    assert not changes


def test_mutable_model_that_is_the_same_object_is_written_whole():
    note, changes, then = Note("a"), Shop.change(), datetime(2026, 1, 1, tzinfo=UTC)
    wrapped = Versioned(Timestamped(Keyed(1, note), then, then), 1)
    changes.update(Notes, wrapped, note)
    assert changes == _updated(Shop, Notes, wrapped, Notes.text.to("a"), Notes.pinned.to(False))


def test_assignments_behind_a_model_win():
    changes = Shop.change()
    changes.update(Tags, Keyed("a", Tag("a", "A")), Tag("a", "B"), Tags.label.to("C"), Tags.uses.to(1))
    assert changes == _updated(Shop, Tags, Keyed("a", Tag("a", "A")), Tags.label.to("C"), Tags.uses.to(1))


@attrs.frozen
class Account:
    name: str
    secret: str


class Accounts(Relation[Account]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    secret: Column[str] = column(sensitive=True)


def test_sensitive_value_is_shown_nowhere():
    class Bank(Repository[Accounts]): ...

    changes: Any = Bank.change()
    accounts = changes.inserts(Accounts)
    for wrong in (
        lambda: accounts.push(Post("hidden")),
        lambda: accounts.push(Account("a", "hidden"), Accounts.named("x").secret.to("hidden")),
        lambda: accounts.push(Account("a", "hidden"), Accounts.secret.to("hidden"), Accounts.secret.to("hidden")),
        lambda: changes.update(Accounts, Account("a", "hidden"), Accounts.secret.to("hidden")),
        lambda: changes.update(Accounts, Keyed(None, Account("a", "hidden")), Accounts.secret.to("hidden")),
    ):
        with pytest.raises(Exception) as caught:  # noqa: PT011 (whichever)
            wrong()
        assert "hidden" not in str(caught.value)
    accounts.push(Account("a", "hidden"), Accounts.secret.to("hidden"))
    assert "hidden" not in repr(changes) + repr(accounts) + repr(Accounts.secret.to("hidden"))
