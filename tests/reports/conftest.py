"""The old database on SQLite and PostgreSQL, made by its own script and filled with a few thousand rows."""

import random
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper import RawSql
from mapper.gateway import Gateway
from tests.reports.relations import Shop
from tests.servers.fixtures import Databases, databases

__all__ = ["databases", "shop"]

SCRIPT = Path(__file__).with_name("legacy.sql")
COUNTRIES = ["Norway", "Brazil", "Česko", "Côte d'Ivoire", None]
PRICES = ["0.99", "0.99", "0.99", "1.29", "1.99"]


def rows() -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """Give each table's rows, the same every time."""
    chance = random.Random(11)
    yield "Genre", [(number, f"genre {number}") for number in range(1, 9)]
    yield "Artist", [(number, None if number == 7 else f"artist {number}") for number in range(1, 41)]
    yield "Album", [(number, f"album {number}", chance.randint(1, 40)) for number in range(1, 121)]
    tracks = [
        (
            number,
            f"track {number}",
            None if number % 50 == 0 else chance.randint(1, 120),
            None if number % 97 == 0 else chance.randint(1, 8),
            chance.randint(60_000, 600_000),
            chance.choice(PRICES),
        )
        for number in range(1, 801)
    ]
    yield "Track", tracks
    heads = [None, 1, 1, 2, 2, 3, 4, 7]
    yield (
        "Employee",
        [(n, f"employee {n}", None, head, f"20{10 + n}-01-01 00:00:00") for n, head in enumerate(heads, 1)],
    )
    yield (
        "Customer",
        [
            (number, f"customer {number}", COUNTRIES[number % 5], chance.choice([None, 3, 4, 5]))
            for number in range(1, 61)
        ],
    )
    invoices, lines = _sales(chance, tracks)
    yield "Invoice", invoices
    yield "InvoiceLine", lines
    lists = [(1, "all"), (2, "few"), (3, "few again"), (4, None), (5, "empty"), (6, "few and one")]
    few = [3, 5, 8, 13]
    kept = {1: range(1, 801), 2: few, 3: few, 4: [1, 2], 6: [*few, 21]}
    yield "Playlist", lists
    yield "PlaylistTrack", [(playlist, track) for playlist, found in kept.items() for track in found]
    yield "LineReturn", [(1, 1, 1, "scratched"), (2, 1, 1, "again"), (3, 2, 1, "unwanted")]


def _sales(chance: random.Random, tracks: list[tuple[Any, ...]]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Make invoices over four years with their lines; every fortieth total is wrong, and one invoice has no lines."""
    invoices: list[tuple[Any, ...]] = []
    lines: list[tuple[Any, ...]] = []
    began = datetime(2021, 1, 3, 9, 30)
    for number in range(1, 641):
        customer = chance.randint(1, 60) if number % 3 else chance.randint(1, 6)
        when = began + timedelta(hours=54 * number, minutes=number)
        total = Decimal(0)
        for line in range(1, chance.randint(1, 6) + 1 if number != 333 else 1):
            track = tracks[chance.randint(0, 599)]
            quantity = chance.randint(1, 3)
            lines.append((number, line, track[0], track[5], quantity))
            total += Decimal(track[5]) * quantity
        if number % 40 == 0:
            total += Decimal("0.01")
        invoices.append((number, customer, f"{when:%Y-%m-%d %H:%M:%S}", COUNTRIES[customer % 5], str(total)))
    return invoices, lines


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    plain = text.replace(".", "", 1).isdigit()
    return text if plain else "'" + text.replace("'", "''").replace("?", "??") + "'"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "postgres"])
async def shop(request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    """The shop's database on each SQL gateway."""
    if request.param == "sqlite":
        async with SQLiteGateway(":memory:") as sqlite:
            await _fill(sqlite)
            yield Shop(sqlite)
        return
    own: Databases = request.getfixturevalue("databases")
    url = await own.create()
    async with PostgresGateway(url) as postgres:
        await _fill(postgres)
        yield Shop(postgres)
    await own.drop(url)


async def _fill(gateway: Gateway) -> None:
    """Make the tables by their own script, and insert the rows as text, without anything of the mapper's."""
    for statement in SCRIPT.read_text().split(";\n"):
        if statement.strip():
            await gateway.execute(RawSql(statement))
    for table, found in rows():
        for start in range(0, len(found), 400):
            values = ", ".join([f"({', '.join(map(_literal, row))})" for row in found[start : start + 400]])
            await gateway.execute(RawSql(f'INSERT INTO "{table}" VALUES {values}'))
