"""Values that stand in the text of a statement are read as what they are, whatever the database takes a backslash for."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateways.postgres import PostgresGateway
from gateways.postgres.literals import literal
from mapper import select
from tests.postgres.papers import Library, Papers, shelved

NASTY = ["\\", "\\'", "'; DROP TABLE papers; --", "\\' OR true --", "a\\\\'b", "E'", "ü\n\t'"]


@pytest.fixture(params=["on", "off"])
async def library(postgres_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Library]:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(
        f"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET standard_conforming_strings = {request.param}',"
        " current_database()); EXECUTE format('ALTER DATABASE %I SET escape_string_warning = off', current_database());"
        " END $$"
    )
    await connection.close()
    async with PostgresGateway(postgres_url) as gateway:
        library = Library(gateway)
        await library.push_schema()
        await shelved().commit(library)
        yield library


@pytest.mark.parametrize("key", NASTY)
async def test_key_of_a_document_is_never_code(library: Library, key: str):
    changes = Library.change()
    changes.updates(Papers).where(Papers.id == 1).set(Papers.data.to({key: 1, "other": {key: "x"}}))
    await changes.commit(library)
    data: Any = Papers.data
    found = select(data[key], data["other"][key].as_(str)).from_(Papers).where(Papers.id == 1)
    assert await found.one(library) == (1, "x")
    assert await select(Papers.id).count(library) == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12) | st.sampled_from(NASTY))
async def test_text_is_read_as_it_was(postgres_url: str, text: str):
    connection = await asyncpg.connect(postgres_url)
    try:
        for setting in ("on", "off"):
            await connection.execute(f"SET standard_conforming_strings = {setting}; SET escape_string_warning = off")
            assert await connection.fetchval(f"SELECT {literal(text)}::text") == text
    finally:
        await connection.close()
