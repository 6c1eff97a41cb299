"""
What reading many rows as objects costs over what is written by hand, as ratios of one interleaved run of the workloads
that `tests/benchmarks` has, and in calls of functions.

By hand is what makes objects too, but for the first row of a stream, of which one object is made. The bounds allow for
what else the machine does.
"""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final

import pytest

from mapper import select
from tests.benchmarks.databases import DATABASES, opened
from tests.benchmarks.subject import PostComments, Posts
from tests.benchmarks.workload import Bench, Database
from tests.benchmarks.workloads import WORKLOADS
from tests.performance.measuring import calls, ratio
from tests.servers import NoServer

SIZE: Final = 2500

BOUNDS: Final = {
    ("W2", "postgres"): 1.3,
    ("W2", "sqlite"): 0.9,
    ("W3-first", "postgres"): 0.6,
    ("W3-first", "sqlite"): 0.8,
    ("W8", "postgres"): 1.25,
    ("W8", "sqlite"): 1.4,
}
"""What ours takes at most of what is written by hand."""

CALLS: Final = {"postgres": {"children": 140, "first": 80}, "sqlite": {"children": 175, "first": 86}}
"""How many functions are called at most to read fifty owners with their children, and the first row of a stream."""


@pytest.fixture(params=DATABASES)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    database: Database = request.param
    try:
        async with opened(database, SIZE) as found:
            yield found
    except NoServer as missing:
        pytest.skip(str(missing))


async def test_reading_many_rows_is_near_what_is_written_by_hand(bench: Bench):
    for name in ("W2", "W3-first", "W8"):
        workload: Any = next(each for each in WORKLOADS if each.name == name)
        by_hand = workload.mapped.get(bench.database) or workload.raw[bench.database]
        bound = BOUNDS[name, bench.database]
        found = await ratio(partial(workload.ours, bench), partial(by_hand, bench), bound=bound, rounds=11, servers=())
        assert found <= bound, name


async def test_reading_many_rows_calls_few_functions(bench: Bench):
    children = select(Posts).where(Posts.author == 1).combine(PostComments)

    async def read() -> None:
        assert len(await children.all(bench.blog)) == 50

    async def begin() -> None:
        async with select(Posts).execute(bench.blog) as rows:
            async for _ in rows:
                break

    most = CALLS[bench.database]
    assert await calls(read) <= most["children"]
    assert await calls(begin) <= most["first"]
