"""Updates of many rows that are alike are read at a glance, and are what each of them would be by itself."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapper.errors import NotStored, QueryError
from mapper.repository import Repository
from mapper.wrappers import Keyed
from tests.changesets.blog import Blog, Post, Posts, Tags, User, Users

pytestmark = pytest.mark.feature("B13")


class Others(Repository[Users]):
    """Stores no posts."""


def visits(changes: Any, key: Any, value: int) -> None:
    changes.update(Posts, key, Posts.visits.to(value))


STEPS: dict[str, Callable[[Any, int], object]] = {
    "a number": lambda changes, number: visits(changes, number, number),
    "a bool": lambda changes, number: visits(changes, number, True),
    "an expression": lambda changes, number: changes.update(Posts, number, Posts.visits.to(Posts.visits + 1)),
    "a text": lambda changes, number: changes.update(Posts, number, Posts.body.to(f"{number}")),
    "no text": lambda changes, number: changes.update(Posts, number, Posts.body.to(None)),
    "two columns": lambda changes, number: changes.update(Posts, number, Posts.visits.to(1), Posts.title.to("x")),
    "a wrapper": lambda changes, number: changes.update(Posts, Keyed(number, Post("x")), Posts.visits.to(number)),
    "a model": lambda changes, number: changes.update(Posts, Keyed(number, Post("x")), Post("y")),
    "a new row": lambda changes, number: changes.inserts(Posts).push(Post(f"{number}")),
    "the key of a new row": lambda changes, number: changes.update(
        Posts, number, Posts.author_id.to(changes.inserts(Users).push(User(f"{number}")))
    ),
    "another relation": lambda changes, number: changes.update(Tags, f"{number}", Tags.uses.to(number)),
    "a delete": lambda changes, number: changes.delete(Posts, number),
    "a condition": lambda changes, number: changes.updates(Posts).where(Posts.id == number).set(Posts.visits.to(0)),
}


def built(steps: list[tuple[str, int]], *, alone: bool) -> Any:
    """Return the changeset of some steps; `alone` is each as if there had been none before it that is alike."""
    changes: Any = Blog.change()
    for kind, number in steps:
        if alone:
            changes._run = None
        STEPS[kind](changes, number)
    return changes


@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(1, 5)), max_size=12))
def test_updates_that_are_alike_are_what_each_is_by_itself(steps: list[tuple[str, int]]):
    found, expected = built(steps, alone=False), built(steps, alone=True)
    assert found == expected
    assert found.describe() == expected.describe()
    assert [repr(each) for each in found._contents()] == [repr(each) for each in expected._contents()]


def alike() -> Any:
    changes: Any = Blog.change()
    for number in range(3):
        visits(changes, number, number)
    return changes


def test_updates_that_are_alike_are_one_write():
    changes = alike()
    assert len(changes) == 3
    (write,) = changes._writes
    assert write.rows == [(0, 0), (1, 1), (2, 2)]


def test_update_of_another_relation_with_the_same_column_is_refused():
    changes = alike()
    with pytest.raises(QueryError):
        changes.update(Users, 1, Posts.visits.to(1))
    assert len(changes) == 3


@pytest.mark.parametrize("key", ["1", 1.0, None, (1,)])
def test_key_of_another_type_is_refused(key: object):
    changes = alike()
    with pytest.raises(QueryError):
        visits(changes, key, 1)
    assert len(changes) == 3


def test_update_without_an_assignment_is_refused():
    changes = alike()
    with pytest.raises(QueryError, match="assigns nothing"):
        changes.update(Posts, 1)


def test_relation_that_another_repository_stores_is_refused_there():
    alike()
    changes: Any = Others.change()
    for _ in range(2):
        with pytest.raises(NotStored):
            visits(changes, 1, 1)
        with pytest.raises(NotStored):
            changes.inserts(Posts)


def test_rows_that_are_pushed_while_others_are_updated_keep_their_order():
    changes: Any = Blog.change()

    def posts() -> Any:
        for number in range(3):
            for _ in range(3):
                visits(changes, number, number)
            yield User(f"{number}")

    refs = changes.inserts(Users).extend(posts())
    assert [each.position for each in refs] == [3, 7, 11]
    assert len(changes) == 12
    assert [each[:2] for each in changes._contents()] == [
        (position, "insert" if position in (3, 7, 11) else "update row") for position in range(12)
    ]


def test_updates_behind_a_look_at_them_are_written_too():
    changes = alike()
    assert len(changes) == 3
    visits(changes, 3, 3)
    assert len(changes) == 4
    assert "4" in repr(changes)
    other = alike()
    visits(other, 3, 3)
    assert changes == other
    _ = changes.merge(other)
    assert len(changes) == 8
    assert [each[0] for each in changes._contents()] == list(range(8))
