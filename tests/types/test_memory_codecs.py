"""Values through the memory gateway's codecs: they come back equal, and nobody can change what is kept."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.memory.codecs import JSON_NULL, MEMORY_CODECS
from mapper import types
from tests.types.values import KINDS, POINT, Circle, Color, Drawing, Level, Point

CODECS: types.Codecs = MEMORY_CODECS


def through(type_: types.StorageType[Any], value: Any) -> Any:
    """Encode and decode."""
    kept, decode = CODECS.encoder(type_)(value), CODECS.decoder(type_)
    return decode(kept) if decode else kept


@pytest.mark.feature("T2", "T8", "T9", "T10")
@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_values_come_back_equal_and_of_the_same_class(kind: str, data: st.DataObject):
    type_, strategy = KINDS[kind]
    value = data.draw(strategy)
    found = through(type_, value)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("type_", "value", "kept"),
    [
        (types.Enumeration(Color), Color.RED, "red"),
        (types.Enumeration(Level, by="name"), Level.LOW, "LOW"),
        (types.List(types.Enumeration(Color), nullable=True), (Color.RED, None), ["red", None]),
        (
            types.Json(Drawing),
            Drawing(Decimal("1.10"), tags={"b", "a"}),
            {"price": "1.10", "made": None, "tags": ["a", "b"], "parts": []},
        ),
        (types.Json(), None, JSON_NULL),
        (types.Numeric(12, 2), 1, Decimal("1.00")),
        (POINT, Point(1, 2), "1;2"),
    ],
)
def test_value_has_its_kept_form(type_: types.StorageType[Any], value: Any, kept: Any):
    assert CODECS.encoder(type_)(value) == kept


@pytest.mark.feature("T9")
def test_null_as_a_document_comes_back_as_none():
    assert (through(types.Json(), None), repr(JSON_NULL)) == (None, "JSON_NULL")


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (types.List(types.Integer()), [1]),
        (types.Json(), {"a": [1]}),
        (types.Json(list[Drawing]), [Drawing(Decimal(1), tags={"x"})]),
    ],
)
def test_kept_value_is_a_copy_both_ways(type_: types.StorageType[Any], value: Any):
    kept, decode = CODECS.encoder(type_)(value), CODECS.decoder(type_)
    assert decode is not None
    before = decode(kept)
    value.clear()
    decode(kept).clear()
    assert decode(kept) == before


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (types.Varchar(1), "ab"),
        (types.List(types.Integer()), ["a"]),
        (types.Json(Circle), {}),
        (POINT, "1;2"),
        (types.Boolean(), 1),
    ],
)
def test_value_that_cannot_be_kept_is_refused(type_: types.StorageType[Any], value: Any):
    with pytest.raises(types.Misfit):
        CODECS.encoder(type_)(value)


@pytest.mark.parametrize(
    ("type_", "kept"), [(types.Enumeration(Color), "green"), (POINT, "x"), (types.Json(Circle), [])]
)
def test_kept_value_that_is_none_of_the_type_is_an_error(type_: types.StorageType[Any], kept: Any):
    decode = CODECS.decoder(type_)
    assert decode is not None
    with pytest.raises(ValueError, match=r"expected|cannot read"):
        decode(kept)


def test_equal_types_have_the_same_functions():
    assert CODECS.encoder(types.Varchar(7)) == CODECS.encoder(types.Varchar(7))
    assert CODECS.decoder(types.List(types.Enumeration(Color))) is CODECS.decoder(types.List(types.Enumeration(Color)))
