"""
How cost grows with the work: `./run bench growth`. Costs are of the time of this process's processors.

A database goes in; `Grown` come out, each a row of costs that are to stay alike, or nearly: a row's in results and loads
of any length, a relation's in a changeset of many, a query's with a list of any length, an operation's with and without
somebody who listens.
"""

import gc
import time
import tracemalloc
import types
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import attrs

from gateways.memory import MemoryGateway
from mapper import Column, Relation, Repository, column, select
from mapper.gateway import Gateway
from tests.benchmarks.subject import Entries, Entry, Post, Posts, entry_values
from tests.benchmarks.workload import Bench
from tests.performance.measuring import Work, medians, taken

__all__ = ["Grown", "compiling", "listening", "relations", "rows", "table"]

SIZES: Final = (100, 1_000, 10_000, 100_000, 1_000_000)
LENGTHS: Final = (1, 10, 100, 1_000, 10_000)
COUNTS: Final = (1, 2, 4, 8, 16)
PUSHES: Final = 16
"""Rows of each relation of a changeset."""

SHARED: Final = 64
"""Rows of a changeset that all of its relations share."""

MANY: Final = 100_000
"""Above, a size is loaded once and not three times."""

FROM: Final = 1_000
"""Below, what an operation costs by itself outweighs its rows."""


@attrs.frozen(kw_only=True)
class Grown:
    """
    Costs by size.

    Attributes:
        unit: Of a cost, such as `µs a row`.
        costs: Pairs of a size and what it costs.
        bound: The largest cost is to be so many times the smallest, at most; of sizes from `since` on. None where the cost
            is to grow, and is shown as it is.
    """

    title: str
    unit: str
    costs: tuple[tuple[int, float], ...]
    bound: float | None
    since: int = 0

    @property
    def factor(self) -> float:
        """The largest cost over the smallest."""
        counted = [cost for size, cost in self.costs if size >= self.since]
        return max(counted) / min(counted)

    @property
    def met(self) -> bool:
        return self.bound is None or self.factor <= self.bound


def table(found: Sequence[Grown]) -> list[str]:
    """Return a line for each."""
    width = max([len(each.title) for each in found])
    return [f"{each.title.ljust(width)}  {_shown(each)}" for each in found]


def _shown(grown: Grown) -> str:
    costs = ", ".join([f"{size:,}: {cost:.2f}" for size, cost in grown.costs])
    goal = "" if grown.bound is None else f" of {grown.bound:.2f}: {'met' if grown.met else 'MISSED'}"
    return f"{costs} {grown.unit}; factor {grown.factor:.2f}{goal}"


# -- rows --------------------------------------------------------------------------------------------------------------


async def rows(bench: Bench, sizes: Sequence[int] = SIZES) -> list[Grown]:
    """Load and stream so many rows, and see how far memory grows while they are streamed."""
    loaded: list[tuple[int, float]] = []
    read: list[tuple[int, float]] = []
    grown: list[tuple[int, float]] = []
    for size in sizes:
        loaded.append((size, min([await _loaded(bench, size) for _ in range(3 if size <= MANY else 1)]) / size * 1e6))
        last = await select(Entries.id).order_by(Entries.id.desc()).first(bench.blog)
        stream = partial(_streamed, bench, last or 0, size)
        read.append((size, min([await stream() for _ in range(3)]) / size * 1e6))
        if size >= FROM:
            grown.append((size, await _peak(stream)))
    on = f"on {bench.database}"
    return [
        Grown(title=f"load {on}", unit="µs a row", costs=tuple(loaded), bound=2, since=FROM),
        Grown(title=f"stream {on}", unit="µs a row", costs=tuple(read), bound=2, since=FROM),
        Grown(title=f"memory of a stream {on}", unit="MiB", costs=tuple(grown), bound=2, since=10 * FROM),
    ]


async def _loaded(bench: Bench, size: int) -> float:
    """Return the seconds that it takes to load so many rows."""
    gc.collect()
    gc.freeze()  # what has been imported is not to be looked through by one size and not by the other
    try:
        begun = time.process_time()
        await bench.blog.load(Entries, (Entry(*entry_values(number)) for number in range(size)))
        return time.process_time() - begun
    finally:
        gc.unfreeze()


async def _streamed(bench: Bench, last: int, size: int) -> float:
    """Return the seconds that it takes to read the last rows as a stream."""
    query, count = select(Entry).from_(Entries).where(Entries.id > last - size), 0
    begun = time.process_time()
    async for _ in query.execute(bench.blog):
        count += 1
    taken_ = time.process_time() - begun
    assert count == size
    return taken_


async def _peak(stream: Work) -> float:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        await stream()
        return (tracemalloc.get_traced_memory()[1] - before) / 2**20
    finally:
        tracemalloc.stop()


# -- compiling ---------------------------------------------------------------------------------------------------------


def compiling(gateway: Gateway, lengths: Sequence[int] = LENGTHS) -> Grown:
    """
    Compile a query with a list of so many values, each of which is to be checked and bound.

    Raises:
        AssertionError: The text differs with the length.
    """
    costs, texts = [], set()
    for length in lengths:
        query = select(Post).from_(Posts).where(Posts.id.in_(list(range(length))))
        operation: Any = gateway.compile(query)
        texts.add(operation.sql)
        costs.append((length, min([_seconds(partial(gateway.compile, query)) for _ in range(50)]) * 1e6 / length))
    assert len(texts) == 1, texts
    name = gateway.capabilities.gateway
    return Grown(title=f"compile a list for {name}", unit="µs a value", costs=tuple(costs), bound=2, since=100)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    for _ in range(5):
        work()
    return (time.process_time() - begun) / 5


# -- relations ---------------------------------------------------------------------------------------------------------


@attrs.frozen
class Thing:
    name: str


def things(count: int) -> tuple[type[Any], tuple[type[Any], ...]]:
    """Return a repository of so many relations, and them."""
    made = tuple([types.new_class(f"Things{number}", (Relation[Thing],), {}, _body) for number in range(count)])
    union: Any = made[0]
    for each in made[1:]:
        union = union | each
    return types.new_class("Store", (Repository[union],)), made


def _body(space: dict[str, Any]) -> None:
    space["__module__"] = __name__
    space["__annotations__"] = {"id": Column[int], "name": Column[str]}
    space["id"] = column(primary_key=True)


async def relations(counts: Sequence[int] = COUNTS) -> list[Grown]:
    """
    Commit rows of so many relations in the memory of this process: as many rows of each, however many there are; one row
    of each; and as many in all, which cost more the more relations share them, since each of these is a statement.
    """
    of_each, one, shared = [list[tuple[int, float]]() for _ in range(3)]
    for count in counts:
        repository, made = things(count)
        store = repository(MemoryGateway())
        await store.push_schema()
        for found, rows in ((of_each, PUSHES * count), (one, count), (shared, max(count, SHARED))):
            best = min([await _committed(repository, store, made, rows) for _ in range(15)])
            found.append((count, best / rows * 1e6))
    return [
        Grown(title=f"push {PUSHES} rows to each of so many relations", unit="µs a row", costs=tuple(of_each), bound=2),
        Grown(title="push a row to each of so many relations", unit="µs a row", costs=tuple(one), bound=2, since=2),
        Grown(title=f"push {SHARED} rows to so many relations", unit="µs a row", costs=tuple(shared), bound=None),
    ]


async def _committed(repository: Any, store: Any, made: Sequence[Any], rows: int) -> float:
    begun = time.process_time()
    changes = repository.change()
    inserts = [changes.inserts(each) for each in made]
    for number in range(rows):
        inserts[number % len(made)].push(Thing("a name"))
    done = await changes.commit(store)
    assert done.inserted == rows
    return time.process_time() - begun


# -- listening ---------------------------------------------------------------------------------------------------------


async def listening(bench: Bench, rounds: int = 15) -> Grown:
    """Read by key, with somebody who listens to the gateway, and without."""

    async def read() -> None:
        for key in range(1, 101):
            assert await select(Post).from_(Posts).find(key).execute(bench.blog) is not None

    heard: list[object] = []

    async def read_heard() -> None:
        end = bench.gateway.subscribe(heard.append)
        try:
            await read()
        finally:
            end()

    spent = await taken({"unheard": read, "heard": read_heard}, rounds=rounds, servers=())
    assert heard
    costs = ((0, 1.0), (1, medians(spent["heard"], spent["unheard"])[0]))
    return Grown(title=f"read by key, with a listener, on {bench.database}", unit="of without", costs=costs, bound=1.5)
