"""
Servers as pytest fixtures: one a process of tests, with a database a test.

A `conftest.py` imports those that its tests use.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.servers import NoServer, Postgres, Redis

__all__ = [
    "Databases", "databases", "emptied", "lasting_postgres", "own_postgres", "postgres_url", "redis_url", "standby_postgres",
    "system_postgres",
]  # fmt: skip

TEMPLATE: Final = "template0"
_numbers: Final = count(1)


def launched(launch: "Callable[[], Postgres]") -> Postgres:
    """Start a server, or skip with the line that mends its absence."""
    try:
        return launch()
    except NoServer as missing:
        pytest.skip(str(missing))


class Databases:
    """Databases on a server, each made for one test or module and dropped behind it."""

    def __init__(self, server: str) -> None:
        self.server = server

    async def create(self) -> str:
        """Make an empty database and return its URL."""
        name = f"mapper_{next(_numbers)}"
        await self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await self._run(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE}')
        return urlunsplit(urlsplit(self.server)._replace(path=f"/{name}"))

    async def drop(self, url: str) -> None:
        """Drop a database, whoever is connected to it."""
        name = urlsplit(url).path.lstrip("/")
        await self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _run(self, sql: str) -> None:
        connection = await asyncpg.connect(self.server)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """A server for databases of one test or module each."""
    given = Postgres.url_given()
    if given is not None:
        yield Databases(given)
        return
    server = launched(Postgres.launch)
    yield Databases(server.url)
    server.stop()


@pytest.fixture
async def postgres_url(databases: Databases) -> AsyncIterator[str]:
    """An empty database of the test's own."""
    url = await databases.create()
    yield url
    await databases.drop(url)


@pytest.fixture(scope="session")
def lasting_postgres() -> Iterator[Postgres]:
    """The server behind `own_postgres`, which is what a test asks for."""
    server = launched(Postgres.launch)
    yield server
    server.stop()


EMPTY: Final = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
    CREATE SCHEMA public;
END $$
"""


@pytest.fixture
async def own_postgres(lasting_postgres: Postgres) -> Postgres:
    """
    A server that tests may stop, kill and start, whose database is empty; never one from the environment.

    Whatever the tests before left is taken away: tables, connections, a server that is down.
    """
    await emptied(lasting_postgres)
    return lasting_postgres


async def emptied(server: Postgres) -> None:
    """Have a server run, with nothing in its first database and nobody connected to it."""
    if server.process is None:
        server.start()
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.execute(EMPTY)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def standby_postgres(lasting_postgres: Postgres) -> Iterator[Postgres]:
    """A standby of the server that tests may stop."""
    server = lasting_postgres.standby()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def system_postgres() -> Iterator[Postgres]:
    """The system's server, as a second version beside the wheel's."""
    server = launched(lambda: Postgres.launch("system"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis that nobody else uses; the one that the environment names, where it does."""
    given = Redis.url_given()
    if given is not None:
        yield given
        return
    try:
        server = Redis.launch()
    except NoServer as missing:
        pytest.skip(str(missing))
    yield server.url
    server.stop()
