"""Different values have different encodings, equal ones the same, in every process."""

import datetime as dt
import enum
import subprocess
import sys
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapper.encoding import Unencodable, digest, encoded

UTC, EAST = dt.UTC, dt.timezone(dt.timedelta(hours=2))

DIFFERENT = [
    None, True, False, 1, 0, 1.0, 0.0, -0.0, "1", "", "0", b"1", b"", Decimal(1), Decimal("1.5"), (), [], {}, (1,), [1],
    ("1",), (("a",), "b"), ("a", ("b",)), ("ab",), ("a", "b"), {"a": 1}, {"a": "1"}, frozenset({1}),
    dt.date(2026, 1, 1), dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 1, tzinfo=UTC), dt.time(1), dt.timedelta(1),
    UUID(int=1), 2**70, -(2**70), float("nan"), float("inf"), "\ud800",
]  # fmt: skip


def test_encodings_of_different_values_differ():
    made = [encoded(each) for each in DIFFERENT]
    assert len(set(made)) == len(made)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("1"), Decimal("1.00")),
        (Decimal("100"), Decimal("1E2")),
        (Decimal("0"), Decimal("-0.00")),
        (dt.datetime(2026, 1, 1, 12, tzinfo=UTC), dt.datetime(2026, 1, 1, 14, tzinfo=EAST)),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (frozenset({1, 2, 3}), frozenset({3, 2, 1})),
        (dt.datetime(2026, 1, 1, fold=1), dt.datetime(2026, 1, 1)),
    ],
)
def test_encodings_of_equal_values_are_equal(one: object, other: object):
    assert encoded(one) == encoded(other)


@attrs.frozen
class Point:
    x: int
    y: int


class Pair(NamedTuple):
    x: int
    y: int


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Name(str): ...


def test_encodings_of_classes_differ_from_those_of_their_parts():
    made = [encoded(each) for each in (Point(1, 2), Pair(1, 2), (1, 2), Colour.RED, Level.LOW, 1, Name("a"), "a")]
    assert len(set(made)) == len(made)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
    | st.decimals(allow_nan=False, allow_infinity=False, places=3),
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
), st.data())  # fmt: skip
def test_encoding_is_a_function_of_the_value_alone(value: Any, data: st.DataObject):
    del data
    assert encoded(value) == encoded(value)
    assert encoded((value,)) != encoded(value)
    assert encoded([value]) != encoded((value,))


@given(st.lists(st.text()), st.lists(st.text()))
def test_encodings_of_texts_run_into_nothing(one: list[str], other: list[str]):
    assert (encoded(one) == encoded(other)) is (one == other)


def test_encoding_of_an_unknown_type_is_refused():
    with pytest.raises(Unencodable, match="object has no encoding"):
        encoded([1, object()])


def test_encoding_of_what_contains_itself_is_refused():
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(Unencodable, match="nested too deep"):
        encoded(endless)


def test_digest_is_the_same_in_every_process_and_for_every_hash_seed():
    program = "from mapper.encoding import digest; print(digest([{'b': {1, 'x'}, 'a': 1.5}, 'é', None]).hex())"
    found = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in ("0", "1", "77")
    }
    assert found == {digest([{"b": {1, "x"}, "a": 1.5}, "é", None]).hex()}
    assert found == {"c77c72c2c214b140ef472859a2cad36bc11ba999"}
