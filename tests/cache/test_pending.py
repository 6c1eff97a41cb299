"""What waits for the driver: nothing is forgotten that was not done, nothing grows without end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapper.cache.pending import Pending

pytestmark = pytest.mark.feature("N1")


def test_tags_wait_until_they_are_done():
    pending = Pending("epoch")
    assert pending.add(["a", "b"])
    assert len(pending) == 2
    assert pending.covers(["x", "b"])
    assert not pending.covers(["x"])
    pending.done(pending.among(["a", "x"]))
    assert list(pending.tags) == ["b"]
    pending.done(pending.tags)
    assert pending.is_idle


def test_tag_that_is_asked_for_again_while_it_is_done_waits_again():
    pending = Pending("epoch")
    pending.add(["a", "b"])
    doing = pending.tags
    pending.add(["a"])
    pending.done(doing)
    assert list(pending.tags) == ["a"]


def test_too_many_tags_become_the_epoch_which_covers_all():
    pending = Pending("epoch", most_tags=3)
    assert pending.add(["a", "b", "c"])
    before = pending.tags
    assert not pending.add(["d"])
    assert list(pending.tags) == ["epoch"]
    assert pending.covers(["whatever"])
    pending.done(before)
    assert pending.covers(["whatever"]), "what was done before stands for less"


def test_marks_wait_by_their_tokens_and_the_oldest_of_too_many_is_let_go():
    pending = Pending("epoch", most_marks=2)
    pending.leave(b"1", ["a"])
    pending.leave(b"2", ["b"])
    pending.leave(b"2", ["b", "c"])
    assert pending.marks == {b"1": ["a"], b"2": ["b", "c"]}, "a token that is there takes nobody's place"
    pending.leave(b"3", ["d"])
    assert list(pending.marks) == [b"2", b"3"]
    assert not pending.is_idle
    assert len(pending) == 0
    pending.taken(b"2")
    pending.taken(b"3")
    pending.taken(b"never")
    assert pending.is_idle


@given(st.lists(st.tuples(st.sampled_from(["add", "begin", "done"]), st.sets(st.sampled_from("abcdefgh")))))
def test_what_was_added_is_covered_until_work_that_began_later_is_done(steps: list[tuple[str, set[str]]]):
    pending = Pending("epoch", most_tags=5)
    needed: dict[str, int] = {}
    began: tuple[int, dict[str, int]] = (0, {})
    for now, (kind, tags) in enumerate(steps):
        if kind == "add":
            pending.add(sorted(tags))
            needed.update(dict.fromkeys(tags, now))
        elif kind == "begin":
            began = (now, pending.tags)
        else:
            at, doing = began
            pending.done(doing)
            covered = set(needed) if "epoch" in doing else set(doing)
            needed = {tag: since for tag, since in needed.items() if tag not in covered or since > at}
        assert all(pending.covers([tag]) for tag in needed)
        assert len(pending) <= 5
