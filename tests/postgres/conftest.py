"""The server and its databases, for the tests of the Postgres gateway."""

from tests.servers.fixtures import (
    databases,
    lasting_postgres,
    own_postgres,
    postgres_url,
    standby_postgres,
    system_postgres,
)

__all__ = ["databases", "lasting_postgres", "own_postgres", "postgres_url", "standby_postgres", "system_postgres"]
