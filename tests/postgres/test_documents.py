"""JSON documents on a server: paths, containment and changes do what they do in Python."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import frozen
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateways.postgres import (
    PostgresGateway,
    jsonb,
    jsonb_agg,
    jsonb_build_array,
    jsonb_build_object,
    jsonb_insert,
    jsonb_path_query_first,
    jsonb_set,
    to_jsonb,
)
from mapper import Query, StatementError, optional, select
from mapper.expressions import Expr
from tests.postgres.papers import Authors, Library, Papers, shelved

Path = tuple[str | int, ...]

KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
SINGLE = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | KEYS
DOCUMENTS = st.recursive(
    SINGLE, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@frozen
class By:
    """A part of a document."""

    name: str
    age: int = 0


@pytest.fixture
async def library(postgres_url: str) -> AsyncIterator[Library]:
    async with PostgresGateway(postgres_url) as gateway:
        library = Library(gateway)
        await library.push_schema()
        await shelved().commit(library)
        yield library


async def value_of(library: Library, expression: Expr[Any, Any]) -> Any:
    """Compute an expression of values alone."""
    return await select(expression).from_(Authors).first(library)


def paths(document: Any) -> list[Path]:
    """All paths of a document, that of itself among them."""
    found: list[Path] = [()]
    items: Any = ()
    if isinstance(document, dict):
        items = document.items()
    elif isinstance(document, list):
        items = enumerate(document)
    return found + [(step, *rest) for step, inner in items for rest in paths(inner)]


def at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def with_value(document: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    step, rest = path[0], path[1:]
    changed: Any = dict(document) if isinstance(document, dict) else list(document)
    changed[step] = with_value(document[step], rest, value)
    return changed


def without(document: Any, path: Path) -> Any:
    step, rest = path[0], path[1:]
    changed: Any = dict(document) if isinstance(document, dict) else list(document)
    if rest:
        changed[step] = without(document[step], rest)
    else:
        del changed[step]
    return changed


def contains(whole: Any, part: Any) -> bool:
    """Containment as PostgreSQL defines it (8.14.3), but for its exception of single values in arrays."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and contains(whole[key], part[key]) for key in part)
    if isinstance(whole, list) and isinstance(part, list):
        return all(any(contains(mine, theirs) for mine in whole) for theirs in part)
    return type(whole) is type(part) and whole == part


on_a_server = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@on_a_server
@given(DOCUMENTS)
async def test_every_path_finds_what_is_there(library: Library, document: Any):
    ways = paths(document)
    found = (
        await select(jsonb_build_array(*[jsonb(document).path(*each) for each in ways])).from_(Authors).first(library)
    )
    assert found == [at(document, each) for each in ways]


@on_a_server
@given(DOCUMENTS)
async def test_steps_one_by_one_find_the_same(library: Library, document: Any):
    for way in paths(document)[:5]:
        stepwise = jsonb(document)
        for step in way:
            stepwise = stepwise[step]
        expected = at(document, way)
        assert await value_of(library, stepwise) == expected
        assert await value_of(library, stepwise == jsonb(expected)) is True


@on_a_server
@given(DOCUMENTS, DOCUMENTS)
async def test_containment_is_that_of_the_manual(library: Library, whole: Any, part: Any):
    assume(not (isinstance(whole, list) and not isinstance(part, list | dict)))
    found = await select(jsonb(whole).contains(part), jsonb(part).contained_by(whole)).from_(Authors).first(library)
    assert found == (contains(whole, part),) * 2


@on_a_server
@given(DOCUMENTS)
async def test_document_contains_itself(library: Library, document: Any):
    assert await value_of(library, jsonb(document).contains(document)) is True


@on_a_server
@given(DOCUMENTS, DOCUMENTS, st.data())
async def test_value_set_at_a_path_is_found_there(library: Library, document: Any, value: Any, data: st.DataObject):
    ways = [each for each in paths(document) if each]
    assume(ways)
    way = data.draw(st.sampled_from(ways))
    changed = jsonb_set(jsonb(document), way, value)
    assert await value_of(library, changed) == with_value(document, way, value)
    assert await value_of(library, jsonb(document).without_path(*way)) == without(document, way)


@on_a_server
@given(st.dictionaries(KEYS, SINGLE, max_size=4), st.dictionaries(KEYS, SINGLE, max_size=4))
async def test_members_of_the_second_object_win(library: Library, first: dict[str, Any], second: dict[str, Any]):
    assert await value_of(library, jsonb(first).concat(second)) == {**first, **second}
    assert await value_of(library, jsonb(first).has_all(list(second))) is (second.keys() <= first.keys())
    assert await value_of(library, jsonb(first).has_any(list(second))) is bool(second.keys() & first.keys())
    assert await value_of(library, jsonb(first).without(*second, "")) == {
        key: value for key, value in first.items() if key and key not in second
    }


@on_a_server
@given(st.dictionaries(KEYS, DOCUMENTS, min_size=1, max_size=4))
async def test_names_of_members_are_never_code(library: Library, document: dict[str, Any]):
    assert await value_of(library, jsonb_build_object(**document)) == document
    key = next(iter(document))
    assert await value_of(library, jsonb(document).has_key(key)) is True
    path = await value_of(
        library, jsonb_path_query_first(jsonb(document), "$.keyvalue() ? (@.key == $key).value", {"key": key})
    )
    assert path == document[key]


# -- NULL and null ------------------------------------------------------------------------------------------------------


async def test_null_is_there_and_what_is_not_there_is_none(library: Library):
    data = jsonb({"a": None})
    row = select(data["a"] == None, data["b"] == None, data.has_key("a"), data["a"].text(), data["a"].contains(None))
    assert await row.from_(Authors).first(library) == (False, True, True, None, True)


async def test_value_that_is_null_does_not_empty_the_document(library: Library):
    changed: Query[Any, Any] = select(
        jsonb_set(Papers.data, ["size"], Papers.body),
        jsonb_insert(jsonb({"l": []}), ["l", 0], Papers.body),
    )
    assert await changed.where(Papers.id == 2).one(library) == (
        {"size": None, "tags": [], "by": {"name": "Ören"}},
        {"l": [None]},
    )


async def test_documents_are_changed_by_a_changeset(library: Library):
    data = jsonb(Papers.data)
    changes = Library.change()
    changes.updates(Papers).where(data["size"] == 3).set(Papers.data.to(jsonb_set(data.without("note"), ["size"], 4)))
    changes.updates(Papers).where(data.has_key("it's")).set(Papers.data.to(data.concat({"new": [None]})))
    await changes.commit(library)
    rows = await select(Papers.data).order_by(Papers.id).all(library)
    assert rows[0] == {"size": 4, "tags": ["a", "b"], "by": {"name": "Ann", "age": 41}}
    assert rows[2]["new"] == [None]


# -- types --------------------------------------------------------------------------------------------------------------


async def test_part_is_read_as_a_type(library: Library):
    rows = (
        await select(jsonb(Papers.data)["by"].typed(By), jsonb(Papers.data)["tags"].typed(list[str]))
        .order_by(Papers.id)
        .all(library)
    )
    assert rows == [(By("Ann", 41), ["a", "b"]), (By("Ören"), []), (None, ["b"])]


async def test_one_part_is_read_as_two_types(library: Library):
    size = jsonb(Papers.data)["size"]
    one = select(size.typed(int)).where(Papers.id == 1)
    assert (await one.all(library), await select(size.typed(float)).where(Papers.id == 1).all(library)) == ([3], [3.0])
    assert isinstance((await select(size.typed(float)).where(Papers.id == 1).all(library))[0], float)


async def test_rows_are_made_into_one_document(library: Library):
    papers = jsonb_agg(jsonb_build_object(id=Papers.id, by=Authors.name), order_by=[Papers.id.desc()])
    query = select(papers).from_(Papers).join(Authors, on=Authors.id == Papers.author_id)
    assert await query.one(library) == [{"id": 3, "by": "Öz"}, {"id": 2, "by": "Ann"}, {"id": 1, "by": "Ann"}]


async def test_document_of_a_row_that_is_missing_is_made_of_nulls(library: Library):
    query = select(Papers.id, jsonb_build_object(by=optional(Authors.name)))
    rows = await query.left_join(Authors, on=Authors.id == Papers.author_id + 1).order_by(Papers.id).all(library)
    assert rows == [(1, {"by": "Öz"}), (2, {"by": "Öz"}), (3, {"by": None})]


async def test_values_become_documents_as_they_are_read(library: Library):
    query = select(to_jsonb(Papers.price), to_jsonb(Papers.day), to_jsonb(Papers.published), to_jsonb(Papers.sizes))
    row = await query.where(Papers.id == 3).one(library)
    plain = await select(Papers.price, Papers.day, Papers.published, Papers.sizes).where(Papers.id == 3).one(library)
    assert row == plain


async def test_number_of_a_document_is_computed_with(library: Library):
    with pytest.raises(StatementError, match="invalid input syntax"):
        await value_of(library, jsonb("x").cast(int))
    assert await value_of(library, jsonb({"a": 41.5})["a"].cast(float) * 2) == 83.0
    assert await value_of(library, jsonb({"a": True})["a"].cast(bool)) is True
    assert await value_of(library, jsonb({"a": None})["a"].cast(int)) is None
