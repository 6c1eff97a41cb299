"""Rows pushed together are as if they were pushed one after the other, whatever they are given as."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapper import Keyed
from mapper.errors import QueryError
from tests.changesets.blog import Blog, Post, Posts

MODELS = st.builds(Post, st.text(max_size=3), st.none() | st.text(max_size=3))
ITEMS = st.lists(MODELS | st.builds(Keyed[Post, int], st.integers(1, 99), MODELS), max_size=6)
GIVEN: list[Callable[[list[Any]], Iterable[Any]]] = [list, tuple, iter]


def pushed(items: Iterable[Any], *, together: Callable[[list[Any]], Iterable[Any]] | None) -> tuple[Any, list[Any]]:
    changes = Blog.change()
    posts = changes.inserts(Posts)
    posts.push(Post("before"))
    refs = [posts.push(each) for each in items] if together is None else posts.extend(together([*items]))
    posts.push(Post("after"))
    return changes, refs


@pytest.mark.parametrize("together", GIVEN)
@given(items=st.lists(MODELS, max_size=6) | ITEMS)
def test_extend_is_a_push_of_each(together: Callable[[list[Any]], Iterable[Any]], items: list[Any]):
    one, one_refs = pushed(items, together=None)
    other, other_refs = pushed(items, together=together)
    assert one == other
    assert [(type(each), each.position, each.relation) for each in one_refs] == [
        (type(each), each.position, each.relation) for each in other_refs
    ]
    assert one.describe() == other.describe()


async def test_refs_of_all_have_the_keys_of_their_rows(blog: Blog):
    changes = Blog.change()
    posts = changes.inserts(Posts)
    first = posts.push(Post("first"))
    refs = posts.extend([Post(f"post {number}") for number in range(200)])
    last = posts.push(Post("last"))
    result = await changes.commit(blog)
    assert [result[each] for each in (first, *refs, last)] == list(range(1, 203))


def test_rule_for_conflicts_holds_for_rows_pushed_together():
    changes = Blog.change()
    changes.inserts(Posts).extend([Post("a")])
    changes.inserts(Posts).on_conflict().extend([Post("b"), Post("c")])
    assert "2" in changes.describe()
    assert repr(changes) == "<Changeset: 3 inserts of Posts>"
    assert [each.conflict is None for each in changes._writes] == [True, False]  # type: ignore[union-attr]


def test_model_of_another_class_pushes_no_row_behind_it():
    changes: Any = Blog.change()
    with pytest.raises(QueryError, match="stores Post"):
        changes.inserts(Posts).extend([Post("a"), "b", Post("c")])
    assert len(changes) == 1
