"""Whether a store is told from what relations declare, and how it is mended."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiosqlite
import attrs
import pytest

from gateways.memory import MemoryGateway
from gateways.sqlite import SQLiteGateway
from mapper import Column, MigrationDrift, RawSql, Relation, Repository, column
from mapper.gateway import Gateway
from mapper.schema import verify
from mapper.testing.conformance.relations import Blog, World


@attrs.frozen
class Thing:
    name: str


class Things(Relation[Thing]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]


class Wider(Relation[Thing], name="things"):
    id: Column[int] = column(primary_key=True)
    name: Column[str | None]
    price: Column[Decimal] = column(default=Decimal(0))

    @classmethod
    def hydrate(cls, row: Any) -> Thing:
        return Thing(row[Wider.name] or "")

    @classmethod
    def dehydrate(cls, model: Thing) -> Any:
        return [Wider.name.to(model.name)]


class Small(Repository[Things]): ...


class Wide(Repository[Wider]): ...


GATEWAYS = [pytest.param(MemoryGateway, id="memory"), pytest.param(lambda: SQLiteGateway(":memory:"), id="sqlite")]


@pytest.mark.feature("T31", "T34")
@pytest.mark.parametrize("factory", GATEWAYS)
async def test_schema_that_was_pushed_is_as_declared(factory: Callable[[], Gateway]):
    async with factory() as gateway:
        for repository in (Blog(gateway), World(gateway)):
            await repository.push_schema()
            await repository.push_schema()
            await repository.verify_schema()


@pytest.mark.feature("T34")
@pytest.mark.parametrize("factory", GATEWAYS)
async def test_missing_table_is_told_with_its_mend(factory: Callable[[], Gateway]):
    async with factory() as gateway:
        with pytest.raises(MigrationDrift, match="there is no table 'things'") as caught:
            await Small(gateway).verify_schema()
        assert "push_schema()" in str(caught.value)


@pytest.mark.feature("T34")
@pytest.mark.parametrize("factory", GATEWAYS)
async def test_missing_column_and_other_nullability_are_told_with_their_mends(factory: Callable[[], Gateway]):
    async with factory() as gateway:
        await Small(gateway).push_schema()
        found = await verify(gateway, [Wider])
        assert [each.problem.split(",")[0] for each in found] == [
            "column 'name' takes no NULL in the store",
            "the table 'things' has no column 'price'",
        ]


@pytest.mark.feature("T34")
async def test_mend_of_a_missing_column_can_be_run():
    async with SQLiteGateway(":memory:") as gateway:
        await gateway.execute(RawSql('CREATE TABLE "things" ("id" INTEGER PRIMARY KEY, "name" TEXT)'))
        (missing,) = await verify(gateway, [Wider])
        statement = missing.mend.removeprefix("add it: ")
        await gateway.execute(RawSql(statement))
        assert await verify(gateway, [Wider]) == []


@pytest.mark.feature("T34")
async def test_schema_of_somebody_else_is_compared_by_what_it_keeps(tmp_path: Path):
    path = tmp_path / "other.db"
    async with aiosqlite.connect(path) as raw:
        await raw.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name NUMERIC NOT NULL, kind TEXT NOT NULL)")
        await raw.commit()
    async with SQLiteGateway(path) as gateway:
        found = [each.problem for each in await verify(gateway, [Things])]
    assert found == [
        "column 'name' is NUMERIC in the store, expected TEXT",
        "the table has a column 'kind' that takes no NULL and has no default, and is not declared: no row can be inserted",
    ]
