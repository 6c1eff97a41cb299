"""Placeholders in SQL that a user wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapper.placeholders import count_placeholders, escape_placeholders, split_placeholders

pytestmark = pytest.mark.feature("T21")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", ("",)),
        ("a", ("a",)),
        ("?", ("", "")),
        ("a ? b ?", ("a ", " b ", "")),
        ("a ?? b", ("a ? b",)),
        ("???", ("?", "")),
        ("'?' ?", ("'?' ", "")),
        ("'it''s ?' ?", ("'it''s ?' ", "")),
        ('"?" ?', ('"?" ', "")),
        ('"a""?" ?', ('"a""?" ', "")),
        ("`?` ?", ("`?` ", "")),
        ("-- ?\n?", ("-- ?\n", "")),
        ("/* ? \n ? */ ?", ("/* ? \n ? */ ", "")),
        (r"E'\'?' ?", (r"E'\'?' ", "")),
        ("$$ ? $$ ?", ("$$ ? $$ ", "")),
        ("$a$ ? $$ ? $a$ ?", ("$a$ ? $$ ? $a$ ", "")),
        ("a[?]", ("a[", "]")),
        ("'unfinished ?", ("'unfinished ", "")),
    ],
)
def test_text_is_split_at_its_placeholders(text: str, pieces: tuple[str, ...]):
    assert split_placeholders(text) == pieces
    assert count_placeholders(text) == len(pieces) - 1


@given(st.text(alphabet="?'\"`-/*$aE\\\n ", max_size=30))
def test_escaped_text_stands_for_itself(text: str):
    assert split_placeholders(escape_placeholders(text)) == (text,)
