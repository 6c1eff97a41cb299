"""The counter of keys follows keys that were given, when it is told to."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import attrs
import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway, resync_keys
from mapper import Column, Relation, Repository, column, select
from mapper.errors import NotStored, QueryError, UniqueViolation, Unsupported
from tests.postgres.relations import Book, Note, Notes, written


@attrs.frozen
class Word:
    text: str


class Words(Relation[Word, str]):
    text: Column[str] = column(primary_key=True)


class Lexicon(Repository[Words]): ...


@pytest.fixture
async def book(postgres_url: str) -> AsyncIterator[Book]:
    async with PostgresGateway(postgres_url) as gateway:
        await Book(gateway).push_schema()
        yield Book(gateway)


def given(*keys: int) -> Any:
    """Notes with keys of their own."""
    changes = Book.change()
    notes = changes.inserts(Notes)
    for key in keys:
        notes.push(Note(f"given {key}"), Notes.id.to(key))
    return changes


async def keys(source: Any) -> list[int]:
    return await select(Notes.id).order_by(Notes.id).all(source)


async def test_insert_behind_a_given_key_has_the_next_one(book: Book):
    await given(1, 2, 7).commit(book)
    with pytest.raises(UniqueViolation):
        await written("a").commit(book)
    assert await resync_keys(book, Notes) == 7
    await written("b", "c").commit(book)
    assert await keys(book) == [1, 2, 7, 8, 9]


async def test_counter_is_never_moved_back(book: Book):
    assert await resync_keys(book, Notes) is None
    await written("a", "b").commit(book)
    await given(-5).commit(book)
    changes = Book.change()
    changes.deletes(Notes).where(Notes.id > 0)
    await changes.commit(book)
    assert await resync_keys(book, Notes) is None
    await written("c").commit(book)
    assert await keys(book) == [-5, 3]


async def test_negative_keys_alone_leave_the_counter(book: Book):
    await given(-5).commit(book)
    assert await resync_keys(book, Notes) is None
    await written("a").commit(book)
    assert await keys(book) == [-5, 1]


async def test_key_given_in_a_transaction_counts_within_it(book: Book):
    async with book.transaction() as tx:
        await given(40).commit(tx)
        assert await resync_keys(tx, Notes) == 40
        await written("a").commit(tx)
    assert await keys(book) == [40, 41]


async def test_keys_of_transactions_under_way_are_waited_for(book: Book):
    found: list[int | None] = []

    async def resync() -> None:
        found.append(await resync_keys(book, Notes))

    async with anyio.create_task_group() as group, book.transaction() as tx:
        await given(12).commit(tx)
        group.start_soon(resync)
        await anyio.wait_all_tasks_blocked()
        assert found == []
    assert found == [12]


async def test_counter_of_a_chosen_schema_is_moved(book: Book):
    other = Book(book._executor.gateway.in_schema("other"))
    await other.push_schema()
    await given(5).commit(other)
    assert (await resync_keys(other, Notes), await resync_keys(book, Notes)) == (5, None)


async def test_keys_that_are_not_counted_are_refused(book: Book):
    gateway = book._executor.gateway
    with pytest.raises(QueryError, match="keys of Words are not counted"):
        await resync_keys(Lexicon(gateway), Words)
    with pytest.raises(NotStored):
        await resync_keys(Lexicon(gateway), Notes)


async def test_other_gateways_are_refused():
    async with MemoryGateway() as gateway:
        with pytest.raises(Unsupported, match="resync_keys"):
            await resync_keys(Book(gateway), Notes)
