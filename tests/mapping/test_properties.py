"""Properties of mapping: whatever the model, what is written is read again, and NULL never passes for a value."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapper.hydration import compile_batch
from mapper.mapping import RelationMapping, build_mapping
from mapper.wrappers import Keyed
from tests.mapping.samples import declared

NAMES = [f"f{number}" for number in range(6)]


@st.composite
def models(draw: st.DrawFn, depth: int = 2) -> type:
    """
    A class with one to four fields: values, nullable values, and at least one value that is not nullable; objects,
    optional objects.
    """
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    fields: dict[str, Any] = {"anchor": attrs.field(type=int, kw_only=True)}
    for name in names:
        kind = draw(st.sampled_from(["value", "nullable", "object", "optional"] if depth else ["value", "nullable"]))
        inner = draw(models(depth - 1)) if kind in ("object", "optional") else int
        keyword = draw(st.booleans())
        annotation: Any = inner if kind in ("value", "object") else inner | None
        fields[name] = attrs.field(type=annotation, kw_only=keyword)
    return attrs.make_class("Model", fields, frozen=draw(st.booleans()), slots=draw(st.booleans()))


def without_none(annotation: Any) -> Any:
    return next(part for part in getattr(annotation, "__args__", (annotation,)) if part is not type(None))


def columns_of(model: Any, prefix: str = "", optional: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in attrs.fields(model):
        inner = without_none(each.type)
        nullable = inner is not each.type
        if attrs.has(inner):
            found |= columns_of(inner, f"{prefix}{each.name}_", optional or nullable)
        else:
            found[prefix + each.name] = int | None if nullable or optional else int
    return found


@st.composite
def objects(draw: st.DrawFn, model: Any) -> Any:
    values: dict[str, Any] = {}
    for each in attrs.fields(model):
        inner = without_none(each.type)
        present = objects(inner) if attrs.has(inner) else st.integers()
        values[each.name] = draw(present if inner is each.type else st.none() | present)
    return model(**values)


def read(mapping: RelationMapping, rows: list[dict[str, Any]], decoders: dict[str, Any] | None = None) -> list[Any]:
    positions = {name: position for position, name in enumerate(mapping.wrapper_reads)}
    return compile_batch(mapping.wrapper_node(positions, decoders))([[row[name] for name in positions] for row in rows])


@given(st.data())
@pytest.mark.feature("B3", "B16", "T7")
def test_what_is_written_is_read_again(data: st.DataObject):
    model = data.draw(models())
    mapping = build_mapping("Things", model, None, declared(id=int, **columns_of(model)))
    things = data.draw(st.lists(objects(model), max_size=5))
    rows = [dict(zip(mapping.model_columns, mapping.dehydrate_model(each), strict=True)) for each in things]
    decoders = {name: int for name in mapping.model_columns if data.draw(st.booleans())}
    keyed = [row | {"id": number} for number, row in enumerate(rows)]
    assert read(mapping, keyed, decoders) == [Keyed(number, each) for number, each in enumerate(things)]


@given(st.data())
@pytest.mark.feature("T7")
def test_null_in_a_column_that_has_none_is_never_read(data: st.DataObject):
    model = data.draw(models())
    columns = columns_of(model)
    mapping = build_mapping("Things", model, None, declared(id=int, **columns))
    row = dict(zip(mapping.model_columns, mapping.dehydrate_model(data.draw(objects(model))), strict=True)) | {"id": 1}
    name = data.draw(st.sampled_from([name for name, annotation in columns.items() if annotation is int]))
    with pytest.raises(ValueError, match=f"column '{name}' of Things is NULL"):
        read(mapping, [row, row | {name: None}])
