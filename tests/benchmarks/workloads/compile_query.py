"""W9: build, bind and compile a query whose shape is known, without I/O."""

import time
from collections.abc import Callable
from typing import Any, Final

from mapper import One, prepared, select
from tests.benchmarks.subject import Post, Posts
from tests.benchmarks.workload import Bench, Workload

__all__ = ["AGAIN", "BUILT", "PREPARED"]

RUNS: Final = 200
TIMES: Final = 100


@prepared
def by_key(key: int) -> One[Post, Posts]:
    return select(Post).from_(Posts).find(key)


def microseconds(work: Callable[[], object]) -> float:
    """Return the microseconds of one call: the best of many short runs, some of which nothing else disturbs."""
    best = float("inf")
    for _ in range(RUNS):
        begun = time.perf_counter()
        for _ in range(TIMES):
            work()
        best = min(best, (time.perf_counter() - begun) / TIMES)
    return best * 1e6


async def built(bench: Bench) -> float:
    compile_ = bench.gateway.compile
    assert "author" in str(compile_(select(Post).from_(Posts).where(Posts.author == 3).limit(5)))
    return microseconds(lambda: compile_(select(Post).from_(Posts).where(Posts.author == 3).limit(5)))


async def prepared_(bench: Bench) -> float:
    compile_, query = bench.gateway.compile, by_key(1)
    assert "id" in str(compile_(query))
    return microseconds(lambda: compile_(by_key(1)))


async def again(bench: Bench) -> float:
    compile_, query = bench.gateway.compile, by_key(1)
    assert "id" in str(compile_(query))
    return microseconds(lambda: compile_(query))


def check(bench: Bench, found: Any) -> None:
    del bench
    assert found > 0


BUILT: Final = Workload(
    name="W9",
    title="build and compile a query again",
    key="compile",
    goals={"postgres": 4, "sqlite": 4},
    unit="µs",
    weight=3,
    ours=built,
    check=check,
)

PREPARED: Final = Workload(
    name="W9-prepared",
    title="bind a prepared query",
    key="bind",
    goals={"postgres": 0.4, "sqlite": 0.4},
    unit="µs",
    weight=3,
    ours=prepared_,
    check=check,
)

AGAIN: Final = Workload(
    name="W9-built",
    title="compile a query that is built",
    key="compile_built",
    goals={"postgres": 0.4, "sqlite": 0.4},
    unit="µs",
    weight=3,
    ours=again,
    check=check,
)
