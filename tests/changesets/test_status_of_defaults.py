"""What became of rows whose conflict is by a value that the store makes."""

from collections.abc import AsyncIterator

import attrs
import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper.columns import Column, column
from mapper.gateway import Gateway
from mapper.relation import Relation
from mapper.repository import Repository
from mapper.selecting import select
from mapper.terms import excluded
from tests.servers.fixtures import Databases


@attrs.frozen
class Setting:
    value: str


class Settings(Relation[Setting]):
    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(unique=True, server_default="'default'")
    value: Column[str]


class Store(Repository[Settings]): ...


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """On each gateway, with an empty table."""
    servers: Databases | None = request.getfixturevalue("databases") if request.param == "postgres" else None
    url = "" if servers is None else await servers.create()
    made: Gateway = MemoryGateway() if request.param == "memory" else SQLiteGateway(":memory:")
    async with made if servers is None else PostgresGateway(url) as gateway:
        await Store(gateway).push_schema()
        yield Store(gateway)
    if servers is not None:
        await servers.drop(url)


@pytest.mark.feature("T25")
@pytest.mark.parametrize("returning", [False, True])
async def test_conflict_by_a_default_of_the_store_is_told(store: Store, returning: bool):
    changes = Store.change()
    settings = changes.inserts(Settings).on_conflict(
        Settings.name, update=[Settings.value], where=excluded(Settings.value) != "kept"
    )
    slot = settings.returning(Settings.name, Settings.value) if returning else None
    refs = settings.extend([Setting("1"), Setting("2"), Setting("kept")])
    result = await changes.commit(store)
    assert [result.status(each) for each in refs] == ["inserted", "updated", "ignored"]
    assert (result.inserted, result.updated, result.ignored) == (1, 1, 1)
    assert slot is None or result[slot] == [("default", "1"), ("default", "2")]
    assert await select(Settings.value).all(store) == ["2"]
