"""The server and its databases, for the tests of the Postgres gateway."""

from tests.servers.fixtures import databases, own_postgres, postgres_url, standby_postgres, system_postgres

__all__ = ["databases", "own_postgres", "postgres_url", "standby_postgres", "system_postgres"]
