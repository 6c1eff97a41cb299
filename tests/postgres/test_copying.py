"""COPY on a real server: every source and sink, all or nothing, constant memory, and clean connections."""

import asyncio
import gc
import io
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import asyncpg
import attrs
import pytest

from gateways.postgres import PostgresGateway, copy_from, copy_to
from gateways.sqlite import SQLiteGateway
from mapper import Column, Numeric, Relation, Repository, column, fragment, raw, select
from mapper.errors import (
    CommitUnknown,
    ConnectionLost,
    NotStored,
    QueryError,
    RolledBack,
    StatementError,
    UniqueViolation,
    Unsupported,
)
from mapper.testing import RecordingGateway
from tests.postgres.relations import Book, Note, Notes, written
from tests.servers import Postgres, Proxy

ROWS = 300_000


@pytest.fixture
async def gateway(postgres_url: str) -> AsyncIterator[PostgresGateway]:
    async with PostgresGateway(postgres_url, max_connections=2, application_name="under test") as gateway:
        await Book(gateway).push_schema()
        yield gateway


@pytest.fixture
def book(gateway: PostgresGateway) -> Book:
    return Book(gateway)


async def texts(book: Book) -> list[str]:
    return await select(Notes.text).order_by(Notes.id).all(book)


async def busy(url: str) -> int:
    """Count connections of the gateway that are in a transaction or run something."""
    connection = await asyncpg.connect(url)
    try:
        return int(
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'under test' AND state <> 'idle'"
            )
        )
    finally:
        await connection.close()


async def quiet(url: str) -> None:
    for _ in range(500):
        if not await busy(url):
            return
        await asyncio.sleep(0.01)
    pytest.fail("the server has connections of the gateway that are busy")


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for each in given:
        await asyncio.sleep(0)
        yield each


class AsyncFile:
    """A file whose methods are async."""

    def __init__(self, data: bytes = b"") -> None:
        self._file = io.BytesIO(data)

    async def read(self, size: int, /) -> bytes:
        return self._file.read(size)

    async def write(self, data: bytes, /) -> int:
        return self._file.write(data)

    def value(self) -> bytes:
        return self._file.getvalue()


# -- into a relation ---------------------------------------------------------------------------------------------------

CSV = b'1,one\n2,"two, and\n""three"""\n'
EXPECTED = ["one", 'two, and\n"three"']


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda _: CSV, id="bytes"),
        pytest.param(lambda _: bytearray(CSV), id="bytearray"),
        pytest.param(lambda _: memoryview(CSV), id="memoryview"),
        pytest.param(lambda path: path, id="path"),
        pytest.param(str, id="path as text"),
        pytest.param(lambda _: io.BytesIO(CSV), id="file"),
        pytest.param(lambda _: AsyncFile(CSV), id="async file"),
        pytest.param(lambda _: [CSV[:7], b"", CSV[7:]], id="iterable"),
        pytest.param(lambda _: pieces(CSV[:7], CSV[7:]), id="async iterable"),
    ],
)
async def test_bytes_of_every_kind_of_source_are_copied(book: Book, tmp_path: Path, data):
    path = tmp_path / "notes.csv"
    path.write_bytes(CSV)
    assert await copy_from(book, Notes, data(path), format="csv") == 2
    assert await texts(book) == EXPECTED


async def test_text_of_postgres_is_the_default_format(book: Book):
    assert await copy_from(book, Notes, b"1\ttab\\t\n2\ta\\nb\n") == 2
    assert await texts(book) == ["tab\t", "a\nb"]


async def test_options_are_those_of_copy(book: Book):
    data = "id;text\n1;'eñe'\n".encode("latin-1")
    copied = copy_from(book, Notes, data, format="csv", header=True, delimiter=";", quote="'", encoding="LATIN1")
    assert await copied == 1
    assert await texts(book) == ["eñe"]


async def test_columns_are_named_by_their_attributes(book: Book):
    assert await copy_from(book, Notes, b"only text\n", columns=[Notes.text]) == 1
    assert await texts(book) == ["only text"]


async def test_binary_copy_goes_round(book: Book):
    await written("a", "ü", "c" * 5000).commit(book)
    data = b"".join([each async for each in copy_to(book, Notes, format="binary")])
    await book.reset_schema()
    await book.push_schema()
    assert await copy_from(book, Notes, data, format="binary") == 3
    assert await texts(book) == ["a", "ü", "c" * 5000]


async def test_no_bytes_are_no_rows(book: Book):
    assert await copy_from(book, Notes, b"") == 0
    assert await copy_from(book, Notes, []) == 0


async def test_copy_on_a_transaction_is_a_part_of_it(book: Book):
    with pytest.raises(ValueError, match="undo"):
        async with book.transaction() as tx:
            await copy_from(tx, Notes, b"1\ta\n")
            assert await texts(tx) == ["a"]
            raise ValueError("undo")
    assert await texts(book) == []


async def test_copy_is_an_operation_that_is_recorded(gateway: PostgresGateway):
    recording = RecordingGateway(gateway)
    await copy_from(Book(recording), Notes, b"1\ta\n")
    (event,) = recording.events
    assert (event.rows, event.operation.writes) == (1, frozenset[Any]({Notes}))


async def test_refused_row_leaves_nothing(book: Book, gateway: PostgresGateway):
    await written("there").commit(book)
    with pytest.raises(UniqueViolation) as caught:
        await copy_from(book, Notes, b"5\tnew\n6\tthere\n")
    assert caught.value.relation is Notes
    assert await texts(book) == ["there"]
    assert gateway.statistics().in_use == 0


async def test_data_that_cannot_be_read_is_an_error(book: Book):
    with pytest.raises(StatementError, match="bigint"):
        await copy_from(book, Notes, b"no number\ta\n")
    assert await texts(book) == []


async def test_refused_row_dooms_a_transaction(book: Book):
    with pytest.raises(RolledBack):
        async with book.transaction() as tx:
            with pytest.raises(StatementError):
                await copy_from(tx, Notes, b"no number\ta\n")


@pytest.mark.parametrize("within", [False, True], ids=["alone", "in a transaction"])
async def test_error_of_the_source_comes_out_as_it_is_and_nothing_is_stored(
    book: Book, gateway: PostgresGateway, within: bool
):
    async def source() -> AsyncIterator[bytes]:
        yield b"1\ta\n"
        raise OSError("the disk is broken")

    async with book.transaction() as tx:
        on = tx if within else book
        with pytest.raises(OSError, match="the disk is broken"):
            await copy_from(on, Notes, source())
        assert await texts(on) == []
        await written("after").commit(on)
    assert await texts(book) == ["after"]
    assert gateway.statistics().in_use == 0


async def test_file_that_is_not_there_is_an_error(book: Book, tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        await copy_from(book, Notes, tmp_path / "none.csv")


async def test_text_in_the_place_of_bytes_is_refused(book: Book):
    with pytest.raises(QueryError, match="expected bytes"):
        await copy_from(book, Notes, ["1\ta\n"])  # type: ignore[list-item]  # wrong on purpose


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"data": 5}, id="no source"),
        pytest.param({"data": b"", "format": "xml"}, id="no format"),
        pytest.param({"data": b"", "columns": []}, id="no columns"),
        pytest.param({"data": b"", "columns": ["text"]}, id="no attribute"),
    ],
)
async def test_wrong_argument_is_refused(book: Book, arguments):
    with pytest.raises(QueryError):
        await copy_from(book, Notes, **arguments)


async def test_relation_that_is_not_stored_is_refused(gateway: PostgresGateway):
    with pytest.raises(NotStored, match="Notes"):
        await copy_from(Shelf(gateway), Notes, b"")  # type: ignore[misc]  # wrong on purpose
    with pytest.raises(NotStored, match="Notes"):
        copy_to(Shelf(gateway), Notes)  # type: ignore[misc]  # wrong on purpose


async def test_other_gateway_is_refused():
    book = Book(SQLiteGateway(":memory:"))
    with pytest.raises(Unsupported, match="sqlite"):
        await copy_from(book, Notes, b"")
    with pytest.raises(Unsupported, match="sqlite"):
        copy_to(book, Notes)


async def test_cancelled_copy_stores_nothing_and_leaves_the_server_quiet(
    book: Book, gateway: PostgresGateway, postgres_url: str
):
    reached = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        number = 0
        while True:
            number += 1
            yield f"{number}\tn{number}\n".encode()
            if number > 1000:
                reached.set()
                await asyncio.sleep(3600)

    copying = asyncio.create_task(copy_from(book, Notes, endless()))
    await reached.wait()
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    await quiet(postgres_url)
    assert gateway.statistics().in_use == 0
    assert await texts(book) == []


async def test_connection_that_is_lost_in_the_middle_is_told(own_postgres: Postgres):
    async with Proxy(own_postgres.port) as proxy, PostgresGateway(proxy.url_of(own_postgres.url)) as gateway:
        book = Book(gateway)
        await book.reset_schema()
        await book.push_schema()

        async def source() -> AsyncIterator[bytes]:
            yield b"1\ta\n"
            await proxy.drop()
            for number in range(2, 50):
                await asyncio.sleep(0.01)
                yield f"{number}\tn{number}\n".encode()

        with pytest.raises(ConnectionLost):
            await copy_from(book, Notes, source())
        assert await texts(book) == []


async def test_connection_that_is_lost_at_the_commit_is_told_as_unknown(own_postgres: Postgres):
    async with Proxy(own_postgres.port) as proxy, PostgresGateway(proxy.url_of(own_postgres.url)) as gateway:
        book = Book(gateway)
        await book.reset_schema()
        await book.push_schema()
        proxy.drop_at(b"COMMIT\0")
        with pytest.raises(CommitUnknown):
            await copy_from(book, Notes, b"1\ta\n")


async def test_command_timeout_does_not_end_a_slow_source(postgres_url: str):
    async def slow() -> AsyncIterator[bytes]:
        for number in range(5):
            await asyncio.sleep(0.1)
            yield f"{number}\tn{number}\n".encode()

    async with PostgresGateway(postgres_url, command_timeout=0.2) as gateway:
        await Book(gateway).push_schema()
        assert await copy_from(Book(gateway), Notes, slow()) == 5


# -- out of a query ----------------------------------------------------------------------------------------------------


async def collected(copied) -> bytes:
    return b"".join([each async for each in copied])


async def test_query_is_copied_with_its_order_and_values(book: Book):
    await written("a", "b", "c").commit(book)
    query = (
        select(Notes.text, Notes.id).where(Notes.text.in_(["a", "c"]), Notes.id > 0).order_by(Notes.id.desc()).limit(2)
    )
    assert await collected(copy_to(book, query, format="csv", header=True)) == b"text,id\nc,3\na,1\n"


async def test_relation_is_copied_as_a_whole_or_in_columns(book: Book):
    await written("a").commit(book)
    assert await collected(copy_to(book, Notes)) == b"1\ta\n"
    assert await collected(copy_to(book, Notes, columns=[Notes.text, Notes.id])) == b"a\t1\n"


async def test_find_and_models_are_copied_by_their_columns(book: Book):
    await written("a", "b").commit(book)
    assert await collected(copy_to(book, select(Notes).find(2))) == b"2\tb\n"
    assert await collected(copy_to(book, select(Note).from_(Notes).order_by(Notes.id))) == b"a\nb\n"


async def test_empty_result_gives_no_bytes(book: Book):
    assert await collected(copy_to(book, Notes)) == b""


@attrs.frozen
class Thing:
    name: str
    price: Decimal
    weight: float
    at: datetime
    took: timedelta
    token: UUID
    blob: bytes
    tags: list[str]
    fresh: bool


class Things(Relation[Thing]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]
    price: Column[Decimal] = column(type=Numeric(12, 2))
    weight: Column[float]
    at: Column[datetime]
    took: Column[timedelta]
    token: Column[UUID]
    blob: Column[bytes]
    tags: Column[list[str]]
    fresh: Column[bool]


class Shelf(Repository[Things]): ...


THING = Thing(
    name='it\'s \\ a "thing" $1 ü',
    price=Decimal("12.30"),
    weight=0.1 + 0.2,
    at=datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC),
    took=timedelta(days=-3, microseconds=1),
    token=UUID(int=2**127 + 5),
    blob=b"\0\xff'\\",
    tags=["a,b", 'c"d', "{e}", "", "null"],
    fresh=True,
)


async def test_values_of_every_type_are_bound_exactly(gateway: PostgresGateway):
    shelf = Shelf(gateway)
    await shelf.push_schema()
    changes = Shelf.change()
    changes.inserts(Things).push(THING)
    await changes.commit(shelf)
    query = select(Things.id).where(
        Things.name == THING.name,
        Things.price == THING.price,
        Things.weight == THING.weight,
        Things.at == THING.at,
        Things.took == THING.took,
        Things.token == THING.token,
        Things.blob == THING.blob,
        Things.tags == THING.tags,
        Things.fresh == THING.fresh,
        Things.name.in_([THING.name, "other"]),
    )
    assert await query.all(shelf) == [1]
    assert await collected(copy_to(shelf, query)) == b"1\n"
    assert await collected(copy_to(shelf, query.where(Things.weight == 0.3))) == b""


async def test_values_beside_quoted_text_that_looks_like_placeholders(book: Book):
    query = raw(
        tuple[str, str, str, str],
        "SELECT '$1', E'\\'$2', $$ $1 $$, $tag$ $2 $tag$ /* $1 */ FROM notes WHERE text = ? -- $1\n AND id = ?",
        "a",
        1,
    )
    await written("a").commit(book)
    assert await query.all(book) == [("$1", "'$2", " $1 ", " $2 ")]
    assert await collected(copy_to(book, query, format="csv")) == b"$1,'$2, $1 , $2 \n"


async def test_value_that_is_none_stays_null(book: Book):
    query = select(fragment(str, "coalesce(?::text, 'null')", None)).from_(Notes)
    await written("a").commit(book)
    assert await collected(copy_to(book, query)) == b"null\n"


async def test_value_that_looks_like_sql_is_a_value(book: Book):
    await written("a").commit(book)
    query = select(Notes.id).where(Notes.text == "') TO STDOUT; DROP TABLE notes; --")
    assert await collected(copy_to(book, query)) == b""
    assert await texts(book) == ["a"]


@pytest.mark.parametrize("kind", ["path", "text", "file", "async file"])
async def test_copy_goes_into_files_of_every_kind(book: Book, tmp_path: Path, kind: str):
    await written("a", "b").commit(book)
    path, memory, own = tmp_path / "notes.csv", io.BytesIO(), AsyncFile()
    target: Any = {"path": path, "text": str(path), "file": memory, "async file": own}[kind]
    assert await copy_to(book, select(Notes.text).order_by(Notes.id), format="csv", header=True).into(target) == 2
    found = {"file": memory.getvalue, "async file": own.value}.get(kind, path.read_bytes)()
    assert found == b"text\na\nb\n"


async def test_copy_into_an_open_file_of_anyio(book: Book, tmp_path: Path):
    await written("a").commit(book)
    async with await anyio.open_file(tmp_path / "notes", "wb") as file:
        assert await copy_to(book, Notes).into(file) == 1
    async with await anyio.open_file(tmp_path / "notes", "rb") as file:
        await book.reset_schema()
        await book.push_schema()
        assert await copy_from(book, Notes, file) == 1
    assert await texts(book) == ["a"]


async def test_error_of_the_file_comes_out_as_it_is(book: Book, gateway: PostgresGateway):
    class Full:
        def write(self, data: bytes, /) -> int:
            raise OSError("no space")

    await written("a").commit(book)
    with pytest.raises(OSError, match="no space"):
        await copy_to(book, Notes).into(Full())
    assert gateway.statistics().in_use == 0


async def test_error_of_the_server_comes_out_of_the_iteration(book: Book):
    await written("a").commit(book)
    with pytest.raises(StatementError, match="invalid input"):
        await collected(copy_to(book, select(fragment(int, "text::int")).from_(Notes)))


NUMBERS = "SELECT n, repeat('x', 100) FROM generate_series(1, ?) AS n"


@pytest.mark.parametrize("rows", [10, 2000, 1_000_000])
async def test_iteration_that_is_left_gives_the_connection_back(
    book: Book, gateway: PostgresGateway, postgres_url: str, rows: int
):
    for _ in range(3):
        async with copy_to(book, raw(tuple[int, str], NUMBERS, rows)) as data:
            async for _ in data:
                break
        assert gateway.statistics().in_use == 0
    await quiet(postgres_url)
    assert await texts(book) == []


@pytest.mark.parametrize("rows", [10, 1_000_000])
async def test_iteration_that_is_left_leaves_a_transaction_alive(book: Book, rows: int):
    async with book.transaction() as tx:
        await written("before").commit(tx)
        async with copy_to(tx, raw(tuple[int, str], NUMBERS, rows)) as data:
            async for _ in data:
                break
        await written("after").commit(tx)
    assert await texts(book) == ["before", "after"]


async def test_iteration_that_is_dropped_gives_the_connection_back(
    book: Book, gateway: PostgresGateway, postgres_url: str
):
    async for _ in copy_to(book, raw(tuple[int, str], NUMBERS, 1_000_000)):
        break
    gc.collect()
    for _ in range(500):
        if gateway.statistics().in_use == 0:
            break
        await asyncio.sleep(0.01)
    assert gateway.statistics().in_use == 0
    await quiet(postgres_url)


async def test_cancelled_iteration_gives_the_connection_back(book: Book, gateway: PostgresGateway, postgres_url: str):
    begun = asyncio.Event()

    async def read() -> None:
        async with copy_to(book, raw(tuple[int, str], NUMBERS, 1_000_000)) as data:
            async for _ in data:
                begun.set()
                await asyncio.sleep(60)

    reading = asyncio.create_task(read())
    await begun.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert gateway.statistics().in_use == 0
    await quiet(postgres_url)


async def test_slow_statement_is_ended_when_the_iteration_is_left(
    book: Book, gateway: PostgresGateway, postgres_url: str
):
    async def read() -> None:
        async with copy_to(book, raw(tuple[int], "SELECT 1 FROM pg_sleep(60)")) as data:
            async for _ in data:
                pass

    reading = asyncio.create_task(read())
    for _ in range(500):
        if await busy(postgres_url):
            break
        await asyncio.sleep(0.01)
    reading.cancel()
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await reading
    await quiet(postgres_url)
    assert gateway.statistics().in_use == 0


async def test_bytes_are_taken_once(book: Book, tmp_path: Path):
    copied = copy_to(book, Notes)
    assert await collected(copied) == b""
    with pytest.raises(QueryError, match="second time"):
        aiter(copied)
    with pytest.raises(QueryError, match="second time"):
        await copied.into(tmp_path / "x")
    assert [each async for each in _again(copied)] == []


async def _again(copied) -> AsyncIterator[bytes]:
    try:
        while True:
            yield await anext(copied)
    except StopAsyncIteration:
        return


async def test_closed_before_it_began_gives_nothing(book: Book, gateway: PostgresGateway):
    copied = copy_to(book, Notes)
    await copied.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(copied)
    assert gateway.statistics().size <= 1


# -- much of it --------------------------------------------------------------------------------------------------------


class Lines(Relation[Note]):
    """Notes whose text need not be unique."""

    id: Column[int] = column(primary_key=True)
    text: Column[str]


class Pad(Repository[Lines]): ...


class Watch:
    """The most memory that was in use beyond the beginning, in bytes."""

    def __enter__(self) -> "Watch":
        gc.collect()
        tracemalloc.start()
        self._before = tracemalloc.get_traced_memory()[0]
        return self

    def __exit__(self, *error: object) -> None:
        self.most = tracemalloc.get_traced_memory()[1] - self._before
        tracemalloc.stop()


@pytest.mark.timeout(180)
@pytest.mark.feature("N7")
async def test_copies_are_made_in_constant_memory(gateway: PostgresGateway):
    pad = Pad(gateway)
    await pad.push_schema()

    def lines() -> Iterator[bytes]:
        for start in range(0, ROWS, 1000):
            yield b"".join([b"%d\tnumber %d %s\n" % (n, n, b"x" * 50) for n in range(start, start + 1000)])

    with Watch() as copying_in:
        assert await copy_from(pad, Lines, lines()) == ROWS
    size = 0
    with Watch() as copying_out:
        async for piece in copy_to(pad, Lines):
            size += len(piece)
    assert size > 20_000_000
    assert max(copying_in.most, copying_out.most) < 4 * 2**20


@pytest.mark.timeout(180)
@pytest.mark.feature("N7")
async def test_load_takes_an_async_iterator_in_constant_memory(gateway: PostgresGateway):
    pad = Pad(gateway)
    await pad.push_schema()

    async def source() -> AsyncIterator[Note]:
        for number in range(ROWS):
            yield Note(f"number {number}")

    with Watch() as loading:
        assert await pad.load(Lines, source(), chunk=5000) == ROWS
    assert await select(Lines).count(pad) == ROWS
    assert loading.most < 8 * 2**20


async def test_load_goes_by_copy(gateway: PostgresGateway, postgres_url: str):
    watcher = await asyncpg.connect(postgres_url)
    seen: set[str] = set()

    async def source() -> AsyncIterator[Note]:
        for number in range(20_000):
            yield Note(f"number {number}")

    async def watch(_: int) -> None:
        rows = await watcher.fetch("SELECT query FROM pg_stat_activity WHERE application_name = 'under test'")
        seen.update(row[0].partition(" ")[0] for row in rows)

    await Book(gateway).load(Notes, source(), chunk=5000, on_progress=watch)
    await watcher.close()
    assert "COPY" in seen
