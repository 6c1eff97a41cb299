"""The conformance suite on every gateway that needs no server, on asyncio."""

import pytest

from gateways.memory import MemoryGateway
from gateways.sqlite import SQLiteGateway
from mapper.gateway import Gateway
from mapper.testing.conformance import Case, gateway_suite


def made(name: str, factory: type[Gateway] | object, *own: str) -> list[object]:
    """Return the cases of a gateway as parameters, marked with the features that they show; `own` are the gateway's."""
    return [
        pytest.param(case, id=f"{name}: {case.name}", marks=[pytest.mark.feature(*case.features, *own)])
        for case in gateway_suite(factory)  # type: ignore[arg-type]  # a class is a factory
    ]


CASES = [*made("memory", MemoryGateway), *made("sqlite", lambda: SQLiteGateway(":memory:"), "T35")]


@pytest.mark.parametrize("case", CASES)
async def test_gateway_conforms(case: Case):
    await case.run()
