"""The conformance suite on the memory gateway, on trio."""

import pytest

from gateways.memory import MemoryGateway
from mapper.testing.conformance import Case, gateway_suite


@pytest.mark.feature("B17")
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in gateway_suite(MemoryGateway)])
async def test_memory_gateway_conforms_on_trio(case: Case):
    await case.run()
