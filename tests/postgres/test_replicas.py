"""Reads go to a standby that has replayed what was written, and to the primary where none has."""

import asyncio
from collections.abc import AsyncIterator

import attrs
import pytest

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway, ReplicatedGateway
from mapper import Column, QueryError, RawSql, Relation, Repository, column, fn, select
from mapper.gateway import OperationEvent
from mapper.operations import QuerySql
from tests.servers import Postgres


@attrs.frozen
class Note:
    text: str


class Notes(Relation[Note], name="replicated_notes"):
    id: Column[int] = column(primary_key=True)
    text: Column[str]


class Book(Repository[Notes]): ...


class Pair:
    """A primary and its standby behind one gateway, and what each of them was asked."""

    def __init__(self, primary: PostgresGateway, standby: PostgresGateway) -> None:
        self.primary, self.standby = primary, standby
        self.gateway = ReplicatedGateway(primary, [standby])
        self.book = Book(self.gateway)
        self.read_there: list[str] = []
        self.read_here: list[str] = []
        standby.subscribe(lambda event: _note(self.read_there, event))
        primary.subscribe(lambda event: _note(self.read_here, event))

    async def add(self, text: str) -> None:
        changes = Book.change()
        changes.inserts(Notes).push(Note(text))
        await changes.commit(self.book)

    async def caught_up(self) -> None:
        """Wait until the standby has replayed what the primary wrote."""
        position = await self.gateway.position()
        for _ in range(500):
            row = await self.standby.execute(RawSql("SELECT (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint"))
            if row.rows[0][0] >= position.bytes:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the standby does not follow")

    async def pause(self) -> None:
        await self.standby.execute(RawSql("SELECT pg_wal_replay_pause()"))
        for _ in range(500):
            if (await self.standby.execute(RawSql("SELECT pg_get_wal_replay_pause_state()"))).rows[0][0] == "paused":
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the standby does not pause")

    async def resume(self) -> None:
        await self.standby.execute(RawSql("SELECT pg_wal_replay_resume()"))

    def forget(self) -> None:
        self.read_here.clear()
        self.read_there.clear()


def _note(log: list[str], event: OperationEvent) -> None:
    if isinstance(event.operation, QuerySql):
        log.append(event.operation.sql)


TEXTS = select(Notes.text).order_by(Notes.id)


@pytest.fixture
async def pair(own_postgres: Postgres, standby_postgres: Postgres) -> AsyncIterator[Pair]:
    async with (
        PostgresGateway(own_postgres.url, max_connections=4) as primary,
        PostgresGateway(standby_postgres.url, max_connections=4, connect_timeout=2) as standby,
    ):
        pair = Pair(primary, standby)
        await pair.book.reset_schema()
        await pair.book.push_schema()
        await pair.caught_up()
        pair.forget()
        yield pair
        await pair.resume()
        await pair.book.reset_schema()


@pytest.mark.feature("N9")
async def test_read_goes_to_a_standby_that_has_followed(pair: Pair):
    await pair.add("one")
    await pair.caught_up()
    pair.forget()
    assert await TEXTS.all(pair.book) == ["one"]
    assert [text async for text in TEXTS.execute(pair.book)] == ["one"]
    assert await TEXTS.count(pair.book) == 1
    assert len(pair.read_there) == 3
    assert pair.read_here == []


@pytest.mark.feature("N9")
async def test_read_behind_a_commit_goes_to_the_primary_while_the_standby_is_behind(pair: Pair):
    await pair.add("one")
    await pair.caught_up()
    await pair.pause()
    await pair.add("two")
    pair.forget()
    assert await TEXTS.all(pair.book) == ["one", "two"]
    assert len(pair.read_here) == 1
    await pair.resume()
    await pair.caught_up()
    pair.forget()
    assert await TEXTS.all(pair.book) == ["one", "two"]
    assert pair.read_here == []


@pytest.mark.feature("N9")
async def test_each_commit_is_seen_by_the_next_read(pair: Pair):
    for number in range(30):
        await pair.add(str(number))
        assert await TEXTS.count(pair.book) == number + 1


@pytest.mark.feature("N9")
async def test_position_of_another_gateway_is_followed(pair: Pair):
    await pair.pause()
    await pair.add("theirs")
    other = ReplicatedGateway(pair.primary, [pair.standby])
    assert await TEXTS.all(Book(other)) == []
    other.follow(await pair.gateway.position())
    assert await TEXTS.all(Book(other)) == ["theirs"]


@pytest.mark.feature("N9")
async def test_transactions_and_locks_go_to_the_primary(pair: Pair):
    await pair.add("one")
    await pair.caught_up()
    pair.forget()
    async with pair.book.transaction() as tx:
        assert await TEXTS.for_update().all(tx) == ["one"]
    assert await TEXTS.for_share().all(pair.book) == ["one"]
    assert pair.read_there == []


@pytest.mark.feature("N9")
async def test_standby_that_does_not_answer_is_left_alone(own_postgres: Postgres, pair: Pair):
    del own_postgres
    async with PostgresGateway("postgresql://app@127.0.0.1:1/postgres", connect_timeout=1) as nowhere:
        gateway = ReplicatedGateway(pair.primary, [nowhere, pair.standby])
        await pair.add("one")
        await pair.caught_up()
        gateway.follow(await pair.gateway.position())
        pair.forget()
        assert [await TEXTS.all(Book(gateway)) for _ in range(4)] == [["one"]] * 4
        assert len(pair.read_there) == 4
        assert nowhere.statistics().waiting == 0


async def test_standby_that_goes_away_is_replaced_by_the_primary(pair: Pair, standby_postgres: Postgres):
    await pair.add("one")
    await pair.caught_up()
    assert await TEXTS.all(pair.book) == ["one"]
    standby_postgres.kill()
    try:
        pair.forget()
        assert await TEXTS.all(pair.book) == ["one"]
        assert await select(fn.count()).from_(Notes).one(pair.book) == 1
        assert len(pair.read_here) == 2
    finally:
        standby_postgres.start()


def test_replicas_of_other_stores_are_refused():
    with pytest.raises(QueryError, match="no gateway of PostgreSQL"):
        ReplicatedGateway(PostgresGateway("postgresql://localhost/x"), [MemoryGateway()])
    with pytest.raises(QueryError, match="without replicas"):
        ReplicatedGateway(PostgresGateway("postgresql://localhost/x"), [])
