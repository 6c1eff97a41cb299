"""Random queries give the same rows on memory, SQLite and PostgreSQL, and what one of them lacks it refuses."""

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.alike.comparison import assert_alike
from tests.alike.data import CONTENTS, Content
from tests.alike.queries import Drawn, queries
from tests.alike.stores import Stores

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(0)]


@pytest.mark.feature("B11", "T1", "T17", "T18", "T20", "T35")
@given(CONTENTS, st.lists(queries(), min_size=1, max_size=4))
async def test_random_queries_give_the_same(stores: Stores, content: Content, drawn: list[Drawn]):
    await stores.fill(content)
    for each in drawn:
        for gateway, capability in (await assert_alike(stores, each)).items():
            event(f"{gateway} refuses for want of {capability}")
