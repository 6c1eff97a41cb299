"""Notifications of a changeset: sent with the commit or not at all, in order, with keys that the commit makes."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import attrs
import pytest

from gateways.postgres import PostgresGateway, listen, notify
from gateways.postgres.listening import Notes as Stream
from mapper import Column, Relation, Repository, column
from mapper.errors import QueryError, UniqueViolation, ValueNotStorable
from mapper.testing import RecordingGateway
from tests.postgres.relations import Book, Note, Notes, written


@pytest.fixture
async def gateway(postgres_url: str) -> AsyncIterator[PostgresGateway]:
    async with PostgresGateway(postgres_url, max_connections=2) as gateway:
        await Book(gateway).push_schema()
        yield gateway


@pytest.fixture
async def notes(gateway: PostgresGateway) -> AsyncIterator[Stream]:
    async with listen(gateway, "jobs") as notes:
        yield notes


async def payloads(gateway: PostgresGateway, notes: Stream) -> list[str | None]:
    """Return what has come until now."""
    await gateway.execute(notify("jobs", "end"))
    found: list[str | None] = []
    async with asyncio.timeout(20):
        async for each in notes:
            if each.payload == "end":
                break
            found.append(each.payload)
    return found


async def test_notification_comes_with_the_commit(gateway: PostgresGateway, notes: Stream):
    changes = written("a")
    changes.then(notify("jobs", "one"), notify("jobs", "two"), notify("jobs"))
    await changes.commit(Book(gateway))
    assert await payloads(gateway, notes) == ["one", "two", ""]


async def test_key_that_the_commit_makes_is_the_payload(gateway: PostgresGateway, notes: Stream):
    changes = Book.change()
    refs = [changes.inserts(Notes).push(Note(str(each))) for each in range(3)]
    changes.then(*[notify("jobs", each) for each in reversed(refs)])
    result = await changes.commit(Book(gateway))
    assert await payloads(gateway, notes) == [str(result[each]) for each in reversed(refs)]


async def test_failed_commit_notifies_nobody(gateway: PostgresGateway, notes: Stream):
    await written("there").commit(Book(gateway))
    changes = written("there")
    changes.then(notify("jobs", "lost"))
    with pytest.raises(UniqueViolation):
        await changes.commit(Book(gateway))
    assert await payloads(gateway, notes) == []


async def test_transaction_that_is_rolled_back_notifies_nobody(gateway: PostgresGateway, notes: Stream):
    changes = written("undone")
    changes.then(notify("jobs", "lost"))
    with pytest.raises(ValueError, match="no"):
        async with Book(gateway).transaction() as tx:
            await changes.commit(tx)
            raise ValueError("no")
    assert await payloads(gateway, notes) == []


async def test_transaction_notifies_at_its_end(gateway: PostgresGateway, notes: Stream):
    changes = written("kept")
    changes.then(notify("jobs", "kept"))
    async with Book(gateway).transaction() as tx:
        await changes.commit(tx)
        assert await payloads(gateway, notes) == []
    assert await payloads(gateway, notes) == ["kept"]


async def test_notifications_are_one_operation(gateway: PostgresGateway):
    recording = RecordingGateway(gateway)
    changes = Book.change()
    changes.then(*[notify("jobs", str(each)) for each in range(1000)])
    await changes.commit(Book(recording))
    assert [type(each).__name__ for each in recording.operations] == ["Call"]


async def test_payloads_are_bound_and_never_spliced(gateway: PostgresGateway, notes: Stream):
    payload = "'); DROP TABLE notes; --\\ $1 %s {} \n ü 🐘"
    await gateway.execute(notify("jobs", payload))
    assert await payloads(gateway, notes) == [payload]


async def test_longest_payload_comes(gateway: PostgresGateway, notes: Stream):
    await gateway.execute(notify("jobs", "x" * 7999))
    assert await payloads(gateway, notes) == ["x" * 7999]


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        ("x" * 8000, "8000 bytes"),
        ("ü" * 4000, "8000 bytes"),
        ("a\0", "NUL"),
        ("\ud800", "encoded"),
        (5, "expected text"),
    ],
)
def test_payload_that_cannot_be_sent_is_refused(payload: str, problem: str):
    with pytest.raises(ValueNotStorable, match=problem):
        notify("jobs", payload)


@attrs.frozen
class Part:
    name: str


class Parts(Relation[Part, tuple[int, int]]):
    """A key of two columns."""

    a: Column[int] = column(primary_key=True)
    b: Column[int] = column(primary_key=True)
    name: Column[str]


class Things(Relation[Part, UUID]):
    """A key that the client makes."""

    id: Column[UUID] = column(primary_key=True, default=uuid4)
    name: Column[str]


class Shop(Repository[Parts | Things]): ...


def test_key_of_two_columns_is_no_payload():
    changes = Shop.change()
    ref = changes.inserts(Parts).push(Part("x"), Parts.a.to(1), Parts.b.to(2))
    with pytest.raises(QueryError, match="2 columns"):
        notify("jobs", ref)


async def test_key_of_another_type_is_sent_as_text(gateway: PostgresGateway, notes: Stream):
    await Shop(gateway).push_schema()
    changes = Shop.change()
    ref = changes.inserts(Things).push(Part("x"))
    changes.then(notify("jobs", ref))
    result = await changes.commit(Shop(gateway))
    assert await payloads(gateway, notes) == [str(result[ref])]
