"""
What the framework costs over hand-written aiosqlite, as ratios of one interleaved run, so that the speed of the machine
does not matter, and in calls of functions.
"""

import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiosqlite
import attrs
import pytest

from gateways.sqlite import SQLiteGateway
from mapper import Column, One, Relation, Repository, column, prepared, select
from mapper.testing import RecordingGateway
from tests.performance.measuring import calls, ratio, timed

ROWS = 100_000


@attrs.frozen
class Entry:
    """A row of seven columns."""

    id: int
    title: str
    body: str
    author: int
    visits: int
    score: float
    slug: str


class Entries(Relation[Entry]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str]
    author: Column[int]
    visits: Column[int]
    score: Column[float]
    slug: Column[str]


class Log(Repository[Entries]): ...


def entry(number: int) -> Entry:
    return Entry(number, f"title {number}", "body " * 4, number % 100, number, number / 7, f"slug-{number}")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("performance") / "entries.db"


async def filled(path: Path) -> None:
    async with SQLiteGateway(path) as gateway:
        log = Log(gateway)
        await log.push_schema()
        if not await select(Entries.id).exists(log):
            await log.load(Entries, (entry(number + 1) for number in range(ROWS)))


@pytest.mark.feature("N7")
@pytest.mark.timeout(180)
async def test_stream_of_100_000_rows_takes_no_more_than_handwritten_aiosqlite(path: Path):
    await filled(path)
    async with SQLiteGateway(path) as gateway, aiosqlite.connect(path) as raw:
        log = Log(gateway)

        async def ours() -> None:
            count = 0
            async for each in select(Entry).from_(Entries).execute(log):
                count += each.id > 0
            assert count == ROWS

        async def theirs() -> None:
            count = 0
            async with raw.execute("SELECT id, title, body, author, visits, score, slug FROM entries") as cursor:
                async for row in cursor:
                    count += Entry(*row).id > 0
            assert count == ROWS

        assert await ratio(ours, theirs, bound=1, rounds=5, servers=()) <= 1


@pytest.mark.feature("N7")
async def test_stream_of_100_000_rows_grows_by_less_than_8_mib(path: Path):
    await filled(path)
    async with SQLiteGateway(path) as gateway:
        log = Log(gateway)
        query = select(Entry).from_(Entries)
        await query.first(log)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        async for _ in query.execute(log):
            pass
        peak = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
    assert peak < 8 * 2**20


@pytest.mark.feature("N7")
async def test_pages_of_100_000_rows_grow_by_less_than_8_mib(path: Path):
    await filled(path)
    async with SQLiteGateway(path) as gateway:
        log = Log(gateway)
        query = select(Entry).from_(Entries)
        await query.page(log, size=1000)
        count = 0
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        async for page in query.pages(log, size=1000):
            count += len(page)
        peak = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
    assert count == ROWS
    assert peak < 8 * 2**20


@pytest.mark.feature("T22")
async def test_commit_of_10_000_pushes_is_a_handful_of_operations_and_ten_times_faster_than_a_commit_each(
    tmp_path: Path,
):
    async with RecordingGateway(SQLiteGateway(tmp_path / "log.db")) as gateway:
        log = Log(gateway)
        await log.push_schema()
        gateway.clear()
        changes = Log.change()
        changes.inserts(Entries).extend([entry(number + 1) for number in range(10_000)])
        together = await timed(lambda: changes.commit(log))
        assert len(gateway.operations) <= 5

        async def one_by_one() -> None:
            for number in range(500):
                single = Log.change()
                single.inserts(Entries).push(entry(20_000 + number))
                await single.commit(log)

        apart = await timed(one_by_one) * 20
    assert apart / together >= 10


# -- writing -----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Note:
    """What a row says, beside its key."""

    title: str
    body: str
    author: int
    visits: int
    score: float
    slug: str


class Notes(Relation[Note]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str]
    author: Column[int]
    visits: Column[int]
    score: Column[float]
    slug: Column[str]


class Book(Repository[Notes]): ...


def note(number: int) -> Note:
    return Note(f"title {number}", "body " * 4, number % 100, number, number / 7, f"slug-{number}")


def values_of(each: Note) -> tuple[Any, ...]:
    return each.title, each.body, each.author, each.visits, each.score, each.slug


@prepared
def by_key(key: int) -> One[Note, Notes]:
    return select(Note).from_(Notes).find(key)


@pytest.fixture
async def book(tmp_path: Path) -> AsyncIterator[Book]:
    async with SQLiteGateway(tmp_path / "book.db") as gateway:
        book = Book(gateway)
        await book.push_schema()
        yield book


@pytest.fixture
async def raw(book: Book, tmp_path: Path) -> AsyncIterator[aiosqlite.Connection]:
    async with aiosqlite.connect(tmp_path / "book.db") as connection:
        await connection.execute("PRAGMA synchronous = NORMAL")
        yield connection


async def test_10_000_pushes_with_keys_take_at_most_1_8_of_executemany_without_keys(
    book: Book, raw: aiosqlite.Connection
):
    size = 10_000
    sql = "INSERT INTO notes (title, body, author, visits, score, slug) VALUES (?, ?, ?, ?, ?, ?)"

    async def ours() -> None:
        changes = Book.change()
        refs = changes.inserts(Notes).extend([note(number) for number in range(size)])
        result = await changes.commit(book)
        assert len({result[each] for each in refs}) == size

    async def theirs() -> None:
        cursor = await raw.executemany(sql, [values_of(note(number)) for number in range(size)])
        assert cursor.rowcount == size
        await raw.commit()

    assert await ratio(ours, theirs, bound=1.8, rounds=7, servers=()) <= 1.8


async def test_updates_of_1000_rows_by_key_take_at_most_2_2_of_executemany(book: Book, raw: aiosqlite.Connection):
    await book.load(Notes, [note(number) for number in range(1000)])
    rows = await select(Notes).all(book)

    async def ours() -> None:
        changes = Book.change()
        for each in rows:
            changes.update(Notes, each, Notes.visits.to(each.model.visits + 1))
        assert (await changes.commit(book)).updated == len(rows)

    async def theirs() -> None:
        values = [(each.model.visits + 1, each.key) for each in rows]
        cursor = await raw.executemany("UPDATE notes SET visits = ? WHERE id = ?", values)
        assert cursor.rowcount == len(rows)
        await raw.commit()

    assert await ratio(ours, theirs, bound=2.2, servers=()) <= 2.2


# -- calls and compiling -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("work", "most"), [("prepared", 18), ("built", 22)])
async def test_inline_read_calls_few_functions(book: Book, work: str, most: int):
    await book.load(Notes, [note(1)])

    async def prepared_read() -> None:
        assert await by_key(1).execute(book) is not None

    async def built_read() -> None:
        assert await select(Note).from_(Notes).find(1).execute(book) is not None

    assert await calls({"prepared": prepared_read, "built": built_read}[work]) <= most


@pytest.mark.parametrize(("work", "most"), [("built and compiled", 16), ("bound and compiled", 6), ("compiled", 3)])
async def test_query_of_a_known_shape_calls_few_functions(work: str, most: int):
    gateway = SQLiteGateway(":memory:")
    query = by_key(1)

    async def built() -> None:
        gateway.compile(select(Note).from_(Notes).where(Notes.author == 3).limit(5))

    async def bound() -> None:
        gateway.compile(by_key(1))

    async def compiled() -> None:
        gateway.compile(query)

    assert await calls({"built and compiled": built, "bound and compiled": bound, "compiled": compiled}[work]) <= most


def best(work: Callable[[], object], times: int = 100) -> float:
    """Return the microseconds of one call: the best of many short runs, some of which nothing else disturbs."""
    runs = []
    for _ in range(300):
        begun = time.perf_counter()
        for _ in range(times):
            work()
        runs.append((time.perf_counter() - begun) / times)
    return min(runs) * 1e6


def test_query_of_a_known_shape_is_built_and_compiled_in_under_10_microseconds():
    gateway = SQLiteGateway(":memory:")
    assert best(lambda: gateway.compile(select(Entry).from_(Entries).where(Entries.id == 3).limit(5))) < 10


def test_lists_of_any_length_share_one_compiled_statement():
    gateway = SQLiteGateway(":memory:")
    few = gateway.compile(select(Entry).from_(Entries).where(Entries.id.in_([1, 2, 3])))
    many = gateway.compile(select(Entry).from_(Entries).where(Entries.id.in_(list(range(3000)))))
    assert few.sql == many.sql
    assert len(few.parameters) == len(many.parameters) == 1
