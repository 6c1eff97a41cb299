"""
How long the event loop stands still while SQLite is read and written: `./run bench stalls`.

A size goes in; a `Stall` for each way of reading and each kind of read comes out. A callback is to run every
millisecond; a stall is how much later it runs than it does on a loop that has nothing to do. Beside it, tasks read as
fast as they can, and another commits as fast as it can.

Where the loop stood still for several milliseconds, every callback that was due meanwhile counts: whatever came then had
to wait, too. A machine that does other work beside makes every loop late, which is not what the goal is for: what counts as
the process's own is at most what its processors have done meanwhile, and without the time in which the loop's thread was
ready and had no processor, as Linux tells it.
"""

import asyncio
import gc
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import aiosqlite
import attrs

from gateways.sqlite import SQLiteGateway
from mapper import select
from tests.benchmarks.subject import BY_AUTHOR, COLUMNS, Blog, Entries, Entry, Post, Posts, entry_values

__all__ = ["KINDS", "WAYS", "Stall", "Stalls", "built", "measured", "table"]

WAYS: Final = ("inline", "threads", "aiosqlite")
"""Ours with `inline_reads`, ours without, and aiosqlite by hand."""

KINDS: Final = ("nothing", "by key", "list of 50", "first of a stream", "2,000 rows", "huge values", "all of them")
"""What the tasks read; of huge values there is one in fifty reads by key, and of a stream the first fifty rows."""

GOAL: Final = 1.0
"""Milliseconds that one callback of a thousand may be late, with reads on the loop's own thread."""

PERIOD: Final = 0.001
BODY: Final = 900
"""Characters of a row's longest value, so that a row takes about a KiB."""

HUGE: Final = 2**20
"""Characters of a huge value."""

HUGES: Final = 8
EVERY: Final = 50
MANY: Final = 2_000
WRITTEN: Final = 10
"""Rows of a commit."""

SELECT: Final = f"SELECT id, {', '.join(COLUMNS)} FROM posts"

Read: TypeAlias = Callable[[int], Awaitable[Sequence[Any]]]
"""Reads what belongs to a number, and gives the rows."""


@attrs.frozen(kw_only=True)
class Stall:
    """
    What a loop showed.

    Attributes:
        late: Milliseconds by which callbacks were late, in order of length, over what is usual on an idle loop.
        own: What of this the process did itself.
        reads: How many reads were done in a second, and `commits` how many commits.
    """

    way: str
    kind: str
    late: tuple[float, ...]
    own: tuple[float, ...]
    reads: float
    commits: float

    @property
    def met(self) -> bool | None:
        """Whether it is as short as it is to be; None where nothing is read, or not on the loop's thread."""
        return share(self.own, 0.999) < GOAL if self.way == "inline" and self.reads else None


def share(late: Sequence[float], part: float) -> float:
    """Return what so large a part of the callbacks was not later than."""
    return late[min(len(late) - 1, int(len(late) * part))]


@attrs.frozen
class Stalls:
    """Where the table is, how many rows of about a KiB it has, and how many tasks read how long at a time."""

    path: Path
    rows: int
    tasks: int
    seconds: float


def table(found: Sequence[Stall]) -> list[str]:
    """Return a line for each."""
    head = ["reads", "", "p50", "p99", "p99.9", "longest", "own p99.9", "own longest", "reads/s", "commits/s", ""]
    rows = [head, *[_row(each) for each in found]]
    widths = [max([len(row[index]) for row in rows]) for index in range(len(head))]
    return [
        "  ".join([
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]).rstrip()
        for row in rows
    ]  # fmt: skip


def _row(stall: Stall) -> list[str]:
    late, own = stall.late, stall.own
    shown = [share(late, 0.5), share(late, 0.99), share(late, 0.999), late[-1], share(own, 0.999), own[-1]]
    verdict = {True: "met", False: "MISSED", None: ""}[stall.met]
    return [
        stall.kind,
        stall.way,
        *[f"{each:.2f} ms" for each in shown],
        f"{stall.reads:,.0f}",
        f"{stall.commits:,.0f}",
        verdict,
    ]


# -- the table that is read --------------------------------------------------------------------------------------------


@asynccontextmanager
async def built(mebibytes: int, *, tasks: int = 16, seconds: float = 3.0) -> AsyncGenerator[Stalls]:
    """Make a file of a table of about so many MiB, which is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="stalls-") as directory:
        path, rows = Path(directory) / "blog.db", mebibytes * 1024
        async with SQLiteGateway(path) as gateway:
            await Blog(gateway).push_schema()
        await asyncio.to_thread(_fill, path, rows)
        yield Stalls(path, rows, tasks, seconds)


def _fill(path: Path, rows: int) -> None:
    """Fill the table, without any index until all is there."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        indexes = connection.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name = 'posts' AND type = 'index'")
        known = [each for each in indexes if each[1]]
        for name, _ in known:
            connection.execute(f'DROP INDEX "{name}"')
        numbers = "WITH RECURSIVE numbers (n) AS (SELECT ? UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
        insert = f"INSERT INTO posts (id, {', '.join(COLUMNS)}) {numbers}"
        values = "SELECT n, 'title ' || n, replace(hex(zeroblob(? / 2)), '0', 'b'), n / ?, n, n / 7.0, 'slug-' || n FROM numbers"
        for length, first, last in ((BODY, 1, rows), (HUGE, rows + 1, rows + HUGES)):
            connection.execute(f"{insert} {values}", (first, last, length, BY_AUTHOR))
        for _, sql in known:
            connection.execute(sql)
        connection.execute("ANALYZE")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


# -- reading and writing -----------------------------------------------------------------------------------------------


@attrs.frozen
class Way:
    """How to read each kind, and how to write."""

    kinds: dict[str, Read]
    write: Callable[[int], Awaitable[None]]


@asynccontextmanager
async def ours(stalls: Stalls, *, inline: bool) -> AsyncGenerator[Way]:
    """With a gateway."""
    async with SQLiteGateway(stalls.path, inline_reads=inline) as gateway:
        blog = Blog(gateway)

        async def by_key(key: int) -> Sequence[Any]:
            return [await select(Post).from_(Posts).find(key).execute(blog)]

        async def listed(key: int) -> Sequence[Any]:
            of_author = select(Post).from_(Posts).where(Posts.author == key // BY_AUTHOR)
            return await of_author.order_by(Posts.id).limit(50).all(blog)

        async def many(key: int) -> Sequence[Any]:
            return await select(Post).from_(Posts).where(Posts.id > _below(stalls, key)).limit(MANY).all(blog)

        async def first(key: int) -> Sequence[Any]:
            rows: list[Any] = []
            async with select(Post).from_(Posts).where(Posts.id > _below(stalls, key)).execute(blog) as stream:
                async for each in stream:
                    rows.append(each)
                    if len(rows) == 50:
                        break
            return rows

        async def write(number: int) -> None:
            changes = Blog.change()
            changes.inserts(Entries).extend([Entry(*entry_values(number + each)) for each in range(WRITTEN)])
            await changes.commit(blog)

        yield Way(_kinds(stalls, by_key, listed, first, many), write)


@asynccontextmanager
async def by_hand(stalls: Stalls) -> AsyncGenerator[Way]:
    """With a connection of aiosqlite to read, and one to write."""
    places = ", ".join("?" * len(COLUMNS))
    async with aiosqlite.connect(stalls.path) as raw, aiosqlite.connect(stalls.path) as writing:
        await writing.execute("PRAGMA synchronous = NORMAL")

        async def rows(condition: str, *parameters: object) -> Sequence[Any]:
            async with raw.execute(f"{SELECT} WHERE {condition}", parameters) as cursor:
                return [Post(*row) for row in await cursor.fetchall()]

        async def by_key(key: int) -> Sequence[Any]:
            return await rows("id = ?", key)

        async def listed(key: int) -> Sequence[Any]:
            return await rows("author = ? ORDER BY id LIMIT 50", key // BY_AUTHOR)

        async def many(key: int) -> Sequence[Any]:
            return await rows("id > ? LIMIT ?", _below(stalls, key), MANY)

        async def first(key: int) -> Sequence[Any]:
            async with raw.execute(f"{SELECT} WHERE id > ?", (_below(stalls, key),)) as cursor:
                return [Post(*row) for row in await cursor.fetchmany(50)]

        async def write(number: int) -> None:
            values = [entry_values(number + each) for each in range(WRITTEN)]
            await writing.executemany(f"INSERT INTO entries ({', '.join(COLUMNS)}) VALUES ({places})", values)
            await writing.commit()

        yield Way(_kinds(stalls, by_key, listed, first, many), write)


def _below(stalls: Stalls, key: int) -> int:
    """Return a key with many rows of a KiB above it."""
    return min(key, stalls.rows - MANY)


def _kinds(stalls: Stalls, by_key: Read, listed: Read, first: Read, many: Read) -> dict[str, Read]:
    async def huge(key: int) -> Sequence[Any]:
        return await by_key(stalls.rows + 1 + key % HUGES if key % EVERY == 0 else key)

    reads = (by_key, listed, first, many, huge)

    async def mixed(key: int) -> Sequence[Any]:
        # Mostly short ones, as in a program: one of a thousand is long, and one of ten a list or a stream.
        return await (many if key % 1000 == 0 else first if key % 20 == 0 else listed if key % 10 == 0 else huge)(key)

    return dict(zip(KINDS[1:], (*reads, mixed), strict=True))


# -- measuring ---------------------------------------------------------------------------------------------------------


class _Ticks:
    """A callback that is due every `PERIOD`, and by how many seconds it was late each time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.late: list[float] = []
        self.own: list[float] = []
        try:
            self._schedule: int | None = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:
            self._schedule = None
        self._waited, self._worked = self._without_processor(), time.process_time()
        self._due = loop.time() + PERIOD
        self._handle = loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        now, waited, worked = self._loop.time(), self._without_processor(), time.process_time()
        late = now - self._due
        _add(self.late, late)
        _add(self.own, min(late - (waited - self._waited), worked - self._worked))
        self._due, self._waited, self._worked = now + PERIOD, waited, worked
        self._handle = self._loop.call_at(self._due, self._tick)

    def _without_processor(self) -> float:
        """Return the seconds for which the thread has been ready and had to wait; 0 where that is not told."""
        return 0.0 if self._schedule is None else int(os.pread(self._schedule, 100, 0).split()[1]) / 1e9

    def end(self) -> "_Ticks":
        self._handle.cancel()
        if self._schedule is not None:
            os.close(self._schedule)
            self._schedule = None
        return self


def _add(late: list[float], seconds: float) -> None:
    """Note that a callback was late, and those that were due while the loop stood still."""
    late.append(seconds)
    while seconds > PERIOD:
        seconds -= PERIOD
        late.append(seconds)


async def measured(
    stalls: Stalls, kinds: Sequence[str] = KINDS, ways: Sequence[str] = WAYS, *, rounds: int = 3
) -> list[Stall]:
    """
    Measure each kind of read by each way, by turns, and return the quietest round of each: what else the machine does
    only makes a loop later. The first is an idle loop.

    Raises:
        AssertionError: Something that is there is not found.
    """
    gc.collect()
    gc.freeze()  # what has been imported is not to be looked through by every other collection
    try:
        ticks = _Ticks(asyncio.get_running_loop())
        await asyncio.sleep(stalls.seconds)
        usual = statistics.median(ticks.end().late)
        found = [_told("", "an idle loop", ticks, usual, 0, 0, stalls.seconds)]
        opened: dict[str, Any] = {
            "inline": partial(ours, inline=True),
            "threads": partial(ours, inline=False),
            "aiosqlite": by_hand,
        }
        for kind in kinds:
            tried: dict[str, list[Stall]] = {name: [] for name in ways}
            for _ in range(rounds):
                for name in ways:
                    async with opened[name](stalls) as way:
                        tried[name].append(await _stalled(stalls, name, kind, way, usual))
            found += [min(each, key=lambda stall: share(stall.own, 0.999)) for each in tried.values()]
        return found
    finally:
        gc.unfreeze()


async def _stalled(stalls: Stalls, name: str, kind: str, way: Way, usual: float) -> Stall:
    """Read and write beside a callback, after some that do not count: whatever is learnt is known then."""
    loop = asyncio.get_running_loop()
    counted = {"reads": 0, "commits": 0}
    over = False

    async def read(number: int) -> None:
        chosen, work = random.Random(number), way.kinds[kind]
        while not over:
            assert await work(chosen.randrange(1, stalls.rows + 1))
            counted["reads"] += 1

    async def write() -> None:
        while not over:
            await way.write(counted["commits"] * WRITTEN)
            counted["commits"] += 1

    readers = range(stalls.tasks if kind in way.kinds else 0)
    tasks = [loop.create_task(each) for each in (write(), *[read(number) for number in readers])]
    await asyncio.sleep(min(0.5, stalls.seconds / 4))
    before, begun, ticks = dict(counted), loop.time(), _Ticks(loop)
    await asyncio.sleep(stalls.seconds)
    seconds = loop.time() - begun
    ticks.end()
    reads, commits = [counted[each] - before[each] for each in ("reads", "commits")]
    over = True
    await asyncio.gather(*tasks)
    return _told(name, kind, ticks, usual, reads, commits, seconds)


def _told(way: str, kind: str, ticks: _Ticks, usual: float, reads: int, commits: int, seconds: float) -> Stall:
    late, own = [tuple(sorted([max(0.0, each - usual) * 1000 for each in found])) for found in (ticks.late, ticks.own)]
    return Stall(way=way, kind=kind, late=late, own=own, reads=reads / seconds, commits=commits / seconds)
