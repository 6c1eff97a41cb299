"""The conformance suite, on PostgreSQL of the wheel and of the system."""

from collections.abc import AsyncIterator

import pytest

from gateways.postgres import PostgresGateway
from mapper.testing.conformance import Case, gateway_suite
from tests.servers import Postgres
from tests.servers.fixtures import Databases

pytestmark = pytest.mark.feature("T35")

SERVERS = ["wheel", "system"] if Postgres.is_in_system() else ["wheel"]


class Current:
    """Where the case at hand finds its database."""

    url = ""

    @classmethod
    def gateway(cls) -> PostgresGateway:
        return PostgresGateway(cls.url)


CASES = gateway_suite(Current.gateway)


@pytest.fixture(params=SERVERS)
async def current(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    if request.param == "wheel":
        databases: Databases = request.getfixturevalue("databases")
    else:
        databases = Databases(request.getfixturevalue("system_postgres").url)
    Current.url = await databases.create()
    yield
    await databases.drop(Current.url)


@pytest.mark.parametrize(
    "case", [pytest.param(each, id=each.name, marks=pytest.mark.feature(*each.features, "T35")) for each in CASES]
)
async def test_postgres_conforms(current: None, case: Case):
    await case.run()
