"""Whether indexes, unique constraints and references that a store lacks or has otherwise are told, with their mends."""

from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest

from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper import Column, Index, RawSql, Relation, Repository, Unique, column, fn
from mapper.gateway import Gateway
from mapper.schema import Difference, verify
from tests.servers.fixtures import Databases, databases

__all__ = ["databases"]


@attrs.frozen
class Owner:
    name: str


@attrs.frozen
class Pet:
    name: str
    chip: str | None
    age: int


class Owners(Relation[Owner], name="drift_owners"):
    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(unique=True)


class Pets(
    Relation[Pet],
    name="drift_pets",
    indexes=[
        Unique("owner_id", "name"),
        Index("name", "age"),
        Index(lambda: fn.lower(Pets.name), name="drift_lower"),
        Index("chip", unique=True, where="chip IS NOT NULL", name="drift_chip"),
    ],
):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    chip: Column[str | None]
    age: Column[int] = column(index=True)
    owner_id: Column[int] = column(references=lambda: Owners.id, on_delete="cascade")


class Home(Repository[Owners | Pets]): ...


OWNERS = "CREATE TABLE drift_owners (id bigint NOT NULL PRIMARY KEY, name text NOT NULL)"
PETS = (
    "CREATE TABLE drift_pets (id bigint NOT NULL PRIMARY KEY, name text NOT NULL, chip text, age bigint NOT NULL, "
    "owner_id bigint NOT NULL {reference})"
)
REFERENCE = "CONSTRAINT mine REFERENCES drift_owners (id)"


@pytest.fixture(params=["sqlite", "postgres"])
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    if request.param == "sqlite":
        async with SQLiteGateway(":memory:") as sqlite:
            yield sqlite
        return
    servers: Databases = request.getfixturevalue("databases")
    url = await servers.create()
    async with PostgresGateway(url) as postgres:
        yield postgres
    await servers.drop(url)


async def run(gateway: Gateway, *statements: str) -> None:
    for each in statements:
        await gateway.execute(RawSql(each))


async def mended(gateway: Gateway, found: list[Difference]) -> None:
    """Run the statements that the differences name."""
    for each in found:
        _, _, statement = each.mend.partition(": " if each.mend.startswith("add it: ") else "run ")
        await run(gateway, statement)


@pytest.mark.feature("T34")
async def test_schema_that_was_pushed_has_all_that_is_declared(gateway: Gateway):
    await Home(gateway).push_schema()
    await Home(gateway).verify_schema()


@pytest.mark.feature("T34")
async def test_what_is_missing_is_told_and_mended_as_told(gateway: Gateway):
    await run(gateway, OWNERS, PETS.format(reference=REFERENCE + " ON DELETE CASCADE"))
    found = await verify(gateway, [Owners, Pets])
    assert [(each.relation, each.problem) for each in found] == [
        (Owners, "no unique constraint over 'name'"),
        (Pets, "no unique constraint over 'owner_id', 'name'"),
        (Pets, "no index over 'age'"),
        (Pets, "no index over 'name', 'age'"),
        (Pets, "no index 'drift_lower'"),
        (Pets, "no unique index over 'chip'"),
    ]
    await mended(gateway, found)
    assert await verify(gateway, [Owners, Pets]) == []


async def made_by_hand(gateway: Gateway, reference: str) -> None:
    await run(
        gateway,
        OWNERS,
        PETS.format(reference=reference),
        "CREATE UNIQUE INDEX one ON drift_owners (name)",
        "CREATE UNIQUE INDEX two ON drift_pets (name, owner_id)",
        "CREATE INDEX three ON drift_pets (age, chip)",
        "CREATE INDEX four ON drift_pets (name, age, id)",
        "CREATE INDEX drift_lower ON drift_pets (lower(name))",
        "CREATE UNIQUE INDEX drift_chip ON drift_pets (chip) WHERE chip IS NOT NULL",
    )


async def test_indexes_of_other_names_that_do_the_same_are_no_difference(gateway: Gateway):
    await made_by_hand(gateway, REFERENCE + " ON DELETE CASCADE")
    assert await verify(gateway, [Owners, Pets]) == []


@pytest.mark.parametrize(
    ("index", "problem"),
    [
        ("CREATE INDEX one ON drift_owners (name)", "no unique constraint over 'name'"),
        ("CREATE UNIQUE INDEX one ON drift_owners (name) WHERE id > 3", "no unique constraint over 'name'"),
        ("CREATE UNIQUE INDEX one ON drift_owners (name, id)", "no unique constraint over 'name'"),
        ("CREATE UNIQUE INDEX one ON drift_owners (lower(name))", "no unique constraint over 'name'"),
    ],
)
async def test_index_that_does_less_is_not_taken_for_the_declared_one(gateway: Gateway, index: str, problem: str):
    await run(gateway, OWNERS, index)
    assert [each.problem for each in await verify(gateway, [Owners])] == [problem]


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("", "column 'owner_id' refers to nothing in the store, expected drift_owners.id"),
        (REFERENCE, "column 'owner_id' refers to drift_owners with 'no action' on delete, expected 'cascade'"),
        (
            REFERENCE + " ON DELETE CASCADE ON UPDATE CASCADE",
            "column 'owner_id' refers to drift_owners with 'cascade' on update, expected 'no action'",
        ),
    ],
)
async def test_reference_that_is_missing_or_otherwise_is_told(gateway: Gateway, reference: str, problem: str):
    await made_by_hand(gateway, reference)
    found = await verify(gateway, [Owners, Pets])
    assert [each.problem for each in found] == [problem]
    if gateway.name == "sqlite":
        assert "make the table anew" in found[0].mend
        return
    await mended(gateway, found)
    assert await verify(gateway, [Owners, Pets]) == []


async def test_schema_that_was_chosen_is_looked_at_alone(databases: Databases):
    url = await databases.create()
    async with PostgresGateway(url) as gateway:
        await Home(gateway).push_schema()
        second: Any = gateway.in_schema("second")
        await Home(second).push_schema()
        await run(gateway, "ALTER TABLE second.drift_pets DROP CONSTRAINT fk_drift_pets_owner_id")
        await Home(gateway).verify_schema()
        (found,) = await verify(second, [Owners, Pets])
        assert "refers to nothing" in found.problem
        await mended(gateway, [found])
        await Home(second).verify_schema()
    await databases.drop(url)
