"""Relations whose rows are notifications: queries without an end, changesets that send."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from uuid import UUID

import asyncpg
import attrs
import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import Missed, PostgresChannels, PostgresGateway, notify
from mapper import Codec, Column, Keyed, Numeric, Relation, Repository, Varchar, column, fn, select
from mapper.errors import ConnectionLost, QueryError, StatementError, StoreError, Unsupported, ValueNotStorable
from mapper.testing import RecordingGateway
from mapper.types import Text
from tests.postgres.relations import Book, written


class Kind(Enum):
    MAIL = "mail"
    PRINT = "print"


@attrs.frozen
class Address:
    street: str
    number: int


ROOT = PurePosixPath("/")


@attrs.frozen
class Job:
    kind: Kind
    title: str
    price: Decimal | None = None
    at: datetime | None = None
    to: Address | None = None
    tags: list[str] | None = None
    token: UUID | None = None
    blob: bytes = b""
    path: PurePosixPath = ROOT


PATH = Codec(Text(), PurePosixPath, encode=str, decode=PurePosixPath)


class Jobs(Relation[Job], name="job feed"):
    kind: Column[Kind]
    title: Column[str] = column(name="Title", type=Varchar(20))
    price: Column[Decimal | None] = column(type=Numeric(8, 2))
    at: Column[datetime | None]
    to: Column[Address | None]
    tags: Column[list[str] | None]
    token: Column[UUID | None]
    blob: Column[bytes]
    path: Column[PurePosixPath] = column(type=PATH)


@attrs.frozen
class Event:
    name: str


class Events(Relation[Event, str]):
    id: Column[str] = column(primary_key=True)
    name: Column[str]


class Counted(Relation[Event]):
    id: Column[int] = column(primary_key=True)
    name: Column[str]


class Feed(Repository[Jobs | Events | Counted]): ...


FULL = Job(
    kind=Kind.PRINT,
    title="ü 'x' \"y\"",
    price=Decimal("12.30"),
    at=datetime(2024, 2, 29, 1, 2, 3, 456789, tzinfo=UTC),
    to=Address("Main Street", 5),
    tags=["a", "b,c"],
    token=UUID(int=7),
    blob=b"\0\xff",
    path=PurePosixPath("/a/b c"),
)
EMPTY = Job(Kind.MAIL, "")


@pytest.fixture
async def gateway(postgres_url: str) -> AsyncIterator[PostgresGateway]:
    async with PostgresGateway(postgres_url, max_connections=1, application_name="under test") as gateway:
        yield gateway


@pytest.fixture
def feed(gateway: PostgresGateway) -> Feed:
    return Feed(PostgresChannels(gateway))


async def sent(feed: Feed, *jobs: Job) -> None:
    changes = Feed.change()
    changes.inserts(Jobs).extend(jobs)
    await changes.commit(feed)


async def while_listening(
    gateway: PostgresGateway, reading: Awaitable[object], send: Callable[[], Awaitable[object]]
) -> object:
    """Send once somebody listens, and return what was read."""
    task = asyncio.ensure_future(reading)
    for _ in range(1000):
        if gateway.hearing._old or task.done():
            break
        await asyncio.sleep(0.005)
    await send()
    async with asyncio.timeout(20):
        return await task


@pytest.mark.feature("B19")
async def test_query_gives_what_is_sent_until_it_is_left(gateway: PostgresGateway, feed: Feed):
    async def read() -> list[Job]:
        found: list[Job] = []
        async for job in select(Job).from_(Jobs).execute(feed):
            found.append(job)
            if len(found) == 3:
                break
        return found

    assert await while_listening(gateway, read(), lambda: sent(feed, FULL, EMPTY, FULL)) == [FULL, EMPTY, FULL]
    gc.collect()
    for _ in range(500):
        if gateway.hearing._work is None:
            break
        await asyncio.sleep(0.01)
    assert gateway.hearing._work is None


@pytest.mark.feature("B19")
async def test_messages_wait_for_whoever_is_slow_up_to_the_buffer(gateway: PostgresGateway):
    missed: list[Missed] = []
    feed = Feed(PostgresChannels(gateway, buffer=10, on_missed=missed.append))

    async def read() -> list[str]:
        async with select(Jobs.title).execute(feed) as rows:
            titles = [await anext(rows)]
            await asyncio.sleep(0.3)
            return [*titles, *[await anext(rows) for _ in range(10)]]

    async def send() -> None:
        await sent(feed, *[Job(Kind.MAIL, str(number)) for number in range(5)])
        await asyncio.sleep(0.1)
        await sent(feed, *[Job(Kind.MAIL, str(number)) for number in range(5, 30)])

    titles = await while_listening(gateway, read(), send)
    assert titles == [str(number) for number in range(11)]
    assert gateway.statistics().in_use == 0


async def test_next_message_is_the_first_of_a_query(gateway: PostgresGateway, feed: Feed):
    next_title = select(Jobs.title, Jobs.kind).first(feed)
    assert await while_listening(gateway, next_title, lambda: sent(feed, FULL)) == (FULL.title, Kind.PRINT)


async def test_limit_ends_the_query(gateway: PostgresGateway, feed: Feed):
    jobs = select(Job).from_(Jobs).limit(2).all(feed)
    assert await while_listening(gateway, jobs, lambda: sent(feed, EMPTY, FULL, FULL)) == [EMPTY, FULL]
    assert await select(Job).from_(Jobs).limit(0).all(feed) == []


async def test_wrapper_has_the_key_that_was_sent(gateway: PostgresGateway, feed: Feed):
    changes = Feed.change()
    ref = changes.inserts(Events).push(Event("started"), Events.id.to("e1"))

    async def send() -> None:
        assert (await changes.commit(feed))[ref] == "e1"

    assert await while_listening(gateway, select(Events).first(feed), send) == Keyed("e1", Event("started"))


async def test_messages_of_a_transaction_come_at_its_end(gateway: PostgresGateway, feed: Feed):
    async def send() -> None:
        with pytest.raises(ValueError, match="undo"):
            async with feed.transaction() as tx:
                await sent(tx, FULL)
                raise ValueError("undo")
        async with feed.transaction() as tx:
            await sent(tx, EMPTY)

    assert await while_listening(gateway, select(Job).from_(Jobs).first(feed), send) == EMPTY


async def test_message_of_somebody_else_is_read_if_it_looks_like_one(gateway: PostgresGateway, feed: Feed):
    text = '{"further": [1], "Title": "theirs", "kind": "mail", "blob": "", "path": "/x", "tags": null}'
    found = await while_listening(
        gateway, select(Job).from_(Jobs).first(feed), lambda: gateway.execute(notify("job feed", text))
    )
    assert found == Job(Kind.MAIL, "theirs", path=PurePosixPath("/x"))


async def test_message_that_cannot_be_read_is_an_error_behind_those_before(gateway: PostgresGateway, feed: Feed):
    async def read() -> list[Job]:
        found: list[Job] = []
        with pytest.raises(StatementError, match="no JSON object"):
            async for job in select(Job).from_(Jobs).execute(feed):
                found.append(job)
        return found

    async def send() -> None:
        await sent(feed, EMPTY)
        await gateway.execute(notify("job feed", "hello"))

    assert await while_listening(gateway, read(), send) == [EMPTY]


async def test_lost_connection_is_an_error_that_says_so(gateway: PostgresGateway, feed: Feed, postgres_url: str):
    async def kill() -> None:
        connection = await asyncpg.connect(postgres_url)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'under test'"
        )
        await connection.close()

    with pytest.raises(ConnectionLost, match="may be missing") as caught:
        await while_listening(gateway, select(Job).from_(Jobs).first(feed), kill)
    assert caught.value.retryable


async def test_overflow_is_an_error_that_says_so(gateway: PostgresGateway):
    feed = Feed(PostgresChannels(gateway, buffer=2))

    async def read() -> list[str]:
        found: list[str] = []
        with pytest.raises(StoreError, match="missing: more came than were taken") as caught:
            async for title in select(Jobs.title).execute(feed):
                found.append(title)
                await asyncio.sleep(0.3)
        assert caught.value.retryable
        return found

    async def send() -> None:
        await sent(feed, Job(Kind.MAIL, "0"))
        await asyncio.sleep(0.1)
        await sent(feed, *[Job(Kind.MAIL, str(number)) for number in range(1, 9)])

    assert await while_listening(gateway, read(), send) == ["0", "1", "2"]


async def test_endless_query_is_not_collected(feed: Feed):
    with pytest.raises(Unsupported, match="no last one"):
        await select(Job).from_(Jobs).all(feed)
    with pytest.raises(Unsupported):
        await select(Job).from_(Jobs).count(feed)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(select(Jobs.title).where(Jobs.title == "x"), id="where"),
        pytest.param(select(Jobs.title).order_by(Jobs.title), id="order"),
        pytest.param(select(fn.count()).from_(Jobs), id="aggregate"),
        pytest.param(select(Jobs.title).distinct(), id="distinct"),
        pytest.param(select(Jobs.title).offset(1), id="offset"),
        pytest.param(select(Jobs.title).cross_join(Events), id="join"),
        pytest.param(select(Jobs.title).union(select(Events.name)), id="union"),
    ],
)
async def test_query_for_more_than_messages_is_refused(feed: Feed, query):
    with pytest.raises(Unsupported, match="messages"):
        query.execute(feed)


async def test_write_that_is_no_insert_is_refused(feed: Feed):
    changes = Feed.change()
    changes.deletes(Jobs).everywhere()
    with pytest.raises(Unsupported):
        await changes.commit(feed)


async def test_key_that_a_store_would_make_is_refused(feed: Feed):
    changes = Feed.change()
    changes.inserts(Counted).push(Event("x"))
    with pytest.raises(Unsupported, match="generates no keys"):
        await changes.commit(feed)


@pytest.mark.parametrize(
    ("job", "problem"),
    [
        (attrs.evolve(EMPTY, title="x" * 21), "title cannot be sent"),
        (attrs.evolve(EMPTY, blob=b"x" * 6000), "8"),
    ],
)
async def test_value_that_cannot_be_sent_is_refused_before_anything_is(
    gateway: PostgresGateway, job: Job, problem: str
):
    recording = RecordingGateway(gateway)
    with pytest.raises(ValueNotStorable, match=problem):
        await sent(Feed(PostgresChannels(recording)), EMPTY, job)
    assert recording.operations == []


async def test_messages_of_a_commit_are_one_operation(gateway: PostgresGateway):
    recording = RecordingGateway(gateway)
    await sent(Feed(PostgresChannels(recording)), *[EMPTY] * 100)
    assert len(recording.operations) == 1


async def test_schema_of_channels_is_nothing(gateway: PostgresGateway, feed: Feed):
    await feed.push_schema()
    await feed.reset_schema()
    assert gateway.statistics().size == 0


async def test_relation_of_a_table_has_no_part_in_it(gateway: PostgresGateway):
    book = Book(gateway)
    await book.push_schema()
    changes = written("a")
    changes.then(notify("job feed", "{}"))
    await changes.commit(book)


def test_other_gateway_is_refused():
    with pytest.raises(Unsupported, match="memory"):
        PostgresChannels(MemoryGateway())


async def test_query_of_messages_gives_no_connection_to_others(feed: Feed):
    channels = feed._executor
    operation = channels.gateway.compile(select(Job).from_(Jobs))
    batches = await channels.stream(operation, lambda rows, names: list(rows))
    assert not batches.holds
    with pytest.raises(QueryError):
        await batches.fetch(operation, lambda rows, names: list(rows))
    batches.abandon()


async def test_equal_messages_of_a_changeset_all_come(gateway: PostgresGateway, feed: Feed):
    jobs = select(Job).from_(Jobs).limit(4).all(feed)
    assert await while_listening(gateway, jobs, lambda: sent(feed, EMPTY, EMPTY, FULL, EMPTY)) == [
        EMPTY,
        EMPTY,
        FULL,
        EMPTY,
    ]
