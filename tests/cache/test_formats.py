"""What is kept, byte for byte: keys, tags and envelopes are the same on every Python, and damage is a miss."""

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from mapper.cache import envelope as envelopes
from mapper.cache.envelope import Envelope, block_of, opened, sealed
from mapper.cache.keys import Names, short
from mapper.errors import CacheConfigError

pytestmark = pytest.mark.feature("C5")

KEY = bytes(range(20))
SMALL = Envelope(block_of(b"id", b"s" + b"\x01" * 12), 1_700_000_000_000, 60_000, 1500, 1, b"\x91\x91\x01")
LARGE = evolve(SMALL, payload=b"\x91\x91\xda\x08\x00" + b"a" * 2048, names=b"\x91\xa1a", of_absence=True)

GOLDEN = Path(__file__).with_name("golden.json")
PROGRAM = """
import json
from tests.cache.golden import formats
print(json.dumps(formats()))
"""
ROOT = Path(__file__).parents[2]
PYTHONS = [sys.executable, *os.environ.get("MAPPER_TEST_PYTHONS", "").split()]
"""Interpreters that have the libraries; `MAPPER_TEST_PYTHONS` names others than this one."""


def _formats(python: str, seed: str) -> object:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python, "-c", PROGRAM], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.feature("V7", "M2", "C2")
@pytest.mark.parametrize("seed", ["0", "1", "4711"])
@pytest.mark.parametrize("python", PYTHONS, ids=range(len(PYTHONS)))
def test_keys_tags_and_envelopes_are_those_of_every_process(python: str, seed: str):
    assert _formats(python, seed) == json.loads(GOLDEN.read_text())


def test_envelope_comes_back_as_it_went_in():
    for each in (SMALL, LARGE):
        assert opened(sealed(each, KEY), KEY) == each
        assert opened(sealed(each, KEY, compress_over=10), KEY) == each


@pytest.mark.feature("M5")
def test_large_payload_is_compressed_and_a_small_one_is_not():
    assert len(sealed(LARGE, KEY, compress_over=1000)) < len(sealed(LARGE, KEY)) - 1900
    assert sealed(SMALL, KEY, compress_over=1000) == sealed(SMALL, KEY)
    noise = evolve(SMALL, payload=os.urandom(100))
    assert sealed(noise, KEY, compress_over=10) == sealed(noise, KEY)


@pytest.mark.parametrize(
    "data", [sealed(SMALL, KEY), sealed(LARGE, KEY, compress_over=10)], ids=["plain", "compressed"]
)
def test_every_flipped_bit_and_every_truncation_is_a_miss(data: bytes):
    for place in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        assert isinstance(opened(bytes(flipped), KEY), str), place
    for size in range(len(data)):
        assert opened(data[:size], KEY) == "corrupt"
    assert opened(data + b"\x00", KEY) == "corrupt"
    assert opened(data, KEY[::-1]) == "corrupt"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_miss(data: bytes):
    assert isinstance(opened(data, KEY), str)


def test_later_version_is_told_from_damage():
    data = bytearray(sealed(SMALL, KEY))
    data[2] += 1
    assert opened(bytes(data), KEY) == "version"
    assert opened(bytes(data[:-1]), KEY) == "version"


def test_payload_that_grows_beyond_all_bounds_is_a_miss(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(envelopes, "LARGEST", 1000)
    assert opened(sealed(LARGE, KEY, compress_over=10), KEY) == "corrupt"
    assert len(zlib.compress(bytes(10_000_000))) < 20_000


@pytest.mark.parametrize("name", ["", "a b", "a:b", "ä", "x" * 41, "*", None])
def test_namespace_that_could_run_into_others_is_refused(name: str):
    with pytest.raises(CacheConfigError):
        Names(name)


@given(st.lists(st.text(), min_size=2, max_size=20, unique=True))
def test_names_of_relations_are_told_apart_and_short(names: list[str]):
    made = [short(each) for each in names]
    assert len(set(made)) == len(names)
    tags = Names("n" * 40)
    for each in names:
        for tag in (tags.relation(each), tags.unknown(each), tags.row(each, (each, 1)), tags.user(each)):
            assert len(tag) < 200
            assert tag.isascii()
            assert tag.isprintable()
            assert " " not in tag


KEYS = st.tuples(st.one_of(st.integers(), st.text(), st.binary()), st.one_of(st.integers(), st.text())) | st.tuples(
    st.one_of(st.integers(), st.text(), st.binary())
)


@pytest.mark.feature("C2", "M2")
@given(KEYS, KEYS)
def test_tags_of_two_rows_differ(one: tuple[object, ...], other: tuple[object, ...]):
    names = Names("shop")
    assert (names.row("users", one) == names.row("users", other)) == (one == other)
