"""Point reads of many tasks that go as one operation, and nobody can tell but by the time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.postgres import PostgresGateway
from mapper import Column, Relation, Repository, column, select
from mapper.errors import PoolTimeout, StatementError, StatementTimeout, StoreError, ValueNotStorable
from mapper.gateway import OperationEvent
from mapper.operations import QuerySql, RawSql
from tests.postgres.backends import NAME, settled, terminate
from tests.servers import Postgres
from tests.servers.fixtures import Databases

NUMBERS = range(1, 31)
TITLES = ["", "a", "A", "é", "e\u0301", "🔑", "two words"]
CODES = [UUID(int=each) for each in range(5)]


@attrs.frozen
class Note:
    text: str
    marks: list[int]


@attrs.frozen
class Title:
    title: str
    pages: int


@attrs.frozen
class Part:
    pages: int


class Notes(Relation[Note]):
    id: Column[int] = column(primary_key=True)
    text: Column[str]
    marks: Column[list[int]]


class Titles(Relation[Title, str]):
    title: Column[str] = column(primary_key=True)
    pages: Column[int]


class Codes(Relation[Part, UUID]):
    code: Column[UUID] = column(primary_key=True)
    pages: Column[int]


class Pairs(Relation[Part, tuple[int, int]]):
    first: Column[int] = column(primary_key=True)
    second: Column[int] = column(primary_key=True)
    pages: Column[int]


class Shelf(Repository[Notes | Titles | Codes | Pairs]): ...


async def fill(shelf: Shelf) -> None:
    await shelf.push_schema()
    changes = Shelf.change()
    for number in NUMBERS:
        changes.inserts(Notes).push(Note(f"note {number}", [number]))
    for number, title in enumerate(TITLES):
        changes.inserts(Titles).push(Title(title, number))
    for number, code in enumerate(CODES):
        changes.inserts(Codes).push(Part(number), Codes.code.to(code))
    changes.inserts(Pairs).push(Part(7), Pairs.first.to(1), Pairs.second.to(2))
    await changes.commit(shelf)


@pytest.fixture(scope="module")
def filled(databases: Databases) -> Iterator[str]:
    """A database that tests read."""

    async def made() -> str:
        url = await databases.create()
        async with PostgresGateway(url) as gateway:
            await fill(Shelf(gateway))
        return url

    url = asyncio.run(made())
    yield url
    asyncio.run(databases.drop(url))


def opened(url: str, **options: Any) -> PostgresGateway:
    return PostgresGateway(url, **{"merge_point_reads": True, "application_name": NAME, **options})


@pytest.fixture
async def gateway(filled: str) -> AsyncIterator[PostgresGateway]:
    async with opened(filled, max_connections=3) as gateway:
        yield gateway


@pytest.fixture
def shelf(gateway: PostgresGateway) -> Shelf:
    return Shelf(gateway)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the driver is asked to fetch from now on: the text and the parameters."""
    found: list[tuple[Any, ...]] = []
    fetch = asyncpg.Connection.fetch

    async def noted(self: Any, sql: str, *parameters: Any, **options: Any) -> Any:
        found.append((sql, *parameters))
        return await fetch(self, sql, *parameters, **options)

    monkeypatch.setattr(asyncpg.Connection, "fetch", noted)
    return found


def note(key: int) -> Any:
    return select(Note).from_(Notes).find(key)


async def together(*works: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*works, return_exceptions=True)


# -- one operation -----------------------------------------------------------------------------------------------------


async def test_reads_of_one_turn_are_one_operation(shelf: Shelf, sent: list[tuple[Any, ...]]):
    found = await together(*[note(key).execute(shelf) for key in (3, 1, 99, 3)])
    assert found == [Note("note 3", [3]), Note("note 1", [1]), None, Note("note 3", [3])]
    assert [parameters for _, *parameters in sent] == [[[3, 1, 99]], [3]]  # the second caller has a list of his own


async def test_callers_of_one_key_have_lists_of_their_own(shelf: Shelf):
    first, second = await together(note(3).execute(shelf), note(3).execute(shelf))
    first.marks.append(0)
    assert second.marks == [3]


async def test_callers_of_one_key_share_values_that_cannot_change(shelf: Shelf, sent: list[tuple[Any, ...]]):
    query = select(Notes.text).where(Notes.id == 3)
    assert await together(*[query.all(shelf) for _ in range(5)]) == [["note 3"]] * 5
    assert [parameters for _, *parameters in sent] == [[[3]]]


async def test_key_is_read_beside_columns_that_lack_it(shelf: Shelf, sent: list[tuple[Any, ...]]):
    found = await together(*[select(Notes.text, Notes.marks).where(Notes.id == key).all(shelf) for key in (5, 4)])
    assert found == [[("note 5", [5])], [("note 4", [4])]]
    assert len(sent) == 1


async def test_read_of_an_alias_is_merged(shelf: Shelf, sent: list[tuple[Any, ...]]):
    other = Notes.named("other")
    found = await together(*[select(other.text).where(other.id == key).all(shelf) for key in (5, 4)])
    assert (found, len(sent)) == ([["note 5"], ["note 4"]], 1)


async def test_forms_are_read_apart(shelf: Shelf, sent: list[tuple[Any, ...]]):
    keys = (1, 2)
    texts = [select(Notes.text).where(Notes.id == key).all(shelf) for key in keys]
    found = await together(*[note(key).execute(shelf) for key in keys], *texts)
    assert found == [Note("note 1", [1]), Note("note 2", [2]), ["note 1"], ["note 2"]]
    assert len(sent) == 2


async def test_later_turn_is_read_again(shelf: Shelf, sent: list[tuple[Any, ...]]):
    for _ in range(2):
        assert None not in await together(note(1).execute(shelf), note(2).execute(shelf))
    assert len(sent) == 2


async def test_many_keys_are_several_operations(shelf: Shelf, sent: list[tuple[Any, ...]]):
    found = await together(*[note(key).execute(shelf) for key in range(1, 1201)])
    assert [each is not None for each in found] == [key in NUMBERS for key in range(1, 1201)]
    assert sorted([len(keys) for _, keys in sent]) == [200, 500, 500]


async def test_one_caller_reads_as_without(shelf: Shelf, sent: list[tuple[Any, ...]]):
    assert await note(2).execute(shelf) == Note("note 2", [2])
    assert [parameters for _, *parameters in sent] == [[2]]


async def test_nothing_is_merged_unless_it_is_asked_for(filled: str, sent: list[tuple[Any, ...]]):
    async with PostgresGateway(filled) as gateway:
        assert None not in await together(*[note(key).execute(Shelf(gateway)) for key in (1, 2, 3)])
    assert len(sent) == 3


async def test_url_can_ask_for_it(filled: str, sent: list[tuple[Any, ...]]):
    async with PostgresGateway(f"{filled}{'&' if '?' in filled else '?'}merge_point_reads=true") as gateway:
        assert None not in await together(*[note(key).execute(Shelf(gateway)) for key in (1, 2, 3)])
    assert len(sent) == 1


# -- what is not merged ------------------------------------------------------------------------------------------------

APART: list[Callable[[Shelf], Awaitable[Any]]] = [
    lambda shelf: select(Note).from_(Notes).where(Notes.id == 1, Notes.text == "note 1").all(shelf),
    lambda shelf: select(Note).from_(Notes).where(Notes.id > 1).limit(3).all(shelf),
    lambda shelf: select(Note).from_(Notes).where(Notes.id == 1).limit(1).all(shelf),
    lambda shelf: select(Note).from_(Notes).where(Notes.id == 1).order_by(Notes.text).all(shelf),
    lambda shelf: select(Notes.text).distinct().where(Notes.id == 1).all(shelf),
    lambda shelf: select(Notes.text + "!").where(Notes.id == 1).all(shelf),
    lambda shelf: select(Notes).where(Notes.id == 1).count(shelf),
    lambda shelf: select(Note).from_(Notes).where(Notes.text == "note 1").all(shelf),
    lambda shelf: select(Note).from_(Notes).where(Notes.id.in_([1])).all(shelf),
    lambda shelf: select(Part).from_(Pairs).find((1, 2)).execute(shelf),
    lambda shelf: select(Part).from_(Pairs).where(Pairs.first == 1).all(shelf),
]


@pytest.mark.parametrize("number", range(len(APART)))
async def test_other_reads_are_not_merged(shelf: Shelf, sent: list[tuple[Any, ...]], number: int):
    first, second = await together(APART[number](shelf), APART[number](shelf))
    assert first == second
    assert not isinstance(first, BaseException)
    assert len(sent) == 2


async def test_reads_of_a_transaction_are_not_merged(shelf: Shelf, sent: list[tuple[Any, ...]]):
    async with shelf.transaction() as one, shelf.transaction() as other:
        await together(note(1).execute(one), note(2).execute(other))
    assert [parameters for _, *parameters in sent] == [[1], [2]]


async def test_reads_on_a_held_connection_are_not_merged(gateway: PostgresGateway, sent: list[tuple[Any, ...]]):
    operation: Any = gateway.compile(select(Notes.text).where(Notes.id == 1))
    async with gateway.connection() as one, gateway.connection() as other:
        found = await together(*[each.fetch(operation, lambda rows, _: list(rows)) for each in (one, other)])
    assert (found, len(sent)) == ([[("note 1",)]] * 2, 2)


# -- errors ------------------------------------------------------------------------------------------------------------


async def test_value_that_does_not_fit_concerns_its_caller_alone(shelf: Shelf, sent: list[tuple[Any, ...]]):
    async def read(key: Any) -> Any:
        return await note(key).execute(shelf)

    first, wrong, large, last = await together(read(1), read("one"), read(2**70), read(2))
    assert (first, last) == (Note("note 1", [1]), Note("note 2", [2]))
    assert (type(wrong), type(large)) == (ValueNotStorable, ValueNotStorable)
    assert len(sent) == 1


async def test_value_that_the_server_refuses_concerns_its_caller_alone(gateway: PostgresGateway):
    """It comes past the checks of a relation: an operation that somebody else has made."""
    one: Any = gateway.compile(select(Titles.pages).where(Titles.title == "a"))
    bad = attrs.evolve(one, parameters=("\x00",))
    fetch = [gateway.fetch(each, lambda rows, _: list(rows)) for each in (one, bad, one)]
    first, refused, last = await together(*fetch)
    assert first == last == [(1,)]
    with pytest.raises(StoreError) if isinstance(refused, StoreError) else pytest.raises(ValueNotStorable):
        raise refused


async def test_decode_of_each_caller_is_its_own(gateway: PostgresGateway):
    operations: list[Any] = [gateway.compile(select(Notes.text).where(Notes.id == key)) for key in (1, 2, 3)]

    def fails(rows: Sequence[Any], names: Sequence[str]) -> list[Any]:
        raise LookupError("it is not to be read")

    decodes = [lambda rows, _: [len(rows)], fails, lambda rows, names: [rows, names]]
    found = await together(*[gateway.fetch(*each) for each in zip(operations, decodes, strict=True)])
    assert (found[0], found[2]) == ([1], [[("note 3",)], ()])
    assert isinstance(found[1], LookupError)


async def test_error_of_the_statement_is_each_callers_own(postgres_url: str):
    async with opened(postgres_url) as gateway:
        found = await together(*[note(key).execute(Shelf(gateway)) for key in (1, 2)])
    assert [type(each) for each in found] == [StatementError] * 2
    assert [each.operation.parameters for each in found] == [(1,), (2,)]


async def test_pool_without_a_free_connection_is_each_callers_error(filled: str):
    async with opened(filled, max_connections=1, pool_timeout=0.05) as gateway:
        async with gateway.connection():
            found = await together(*[note(key).execute(Shelf(gateway)) for key in (1, 2, 1)])
        assert [type(each) for each in found] == [PoolTimeout] * 3
        assert len({id(each) for each in found}) == 3
        assert None not in await together(*[note(key).execute(Shelf(gateway)) for key in (1, 2)])


class Locked:
    """A table that nobody can read for a while."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __aenter__(self) -> "Locked":
        self._connection = await asyncpg.connect(self._url)
        await self._connection.execute("BEGIN; LOCK TABLE notes")
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._connection.close()

    async def waited_for(self, count: int) -> None:
        """Wait until so many statements wait for the table."""
        sql = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'notes'::regclass"
        async with asyncio.timeout(10):
            while await self._connection.fetchval(sql) != count:  # noqa: ASYNC110  # the server tells nobody who waits
                await asyncio.sleep(0.005)


async def test_statement_that_takes_too_long_is_each_callers_error(filled: str):
    async with Locked(filled), opened(filled, statement_timeout=0.05) as gateway:
        events: list[OperationEvent] = []
        gateway.subscribe(events.append)
        found = await together(*[note(key).execute(Shelf(gateway)) for key in (1, 2)])
    assert [(type(each), each.operation.parameters) for each in found] == [
        (StatementTimeout, (1,)),
        (StatementTimeout, (2,)),
    ]
    assert [each.error for each in events] == found
    assert all([each.__cause__ is not None for each in found])


async def test_connection_that_was_lost_before_is_not_noticed(filled: str, shelf: Shelf):
    async with asyncio.timeout(10):
        assert await note(1).execute(shelf) is not None
        await terminate(filled)
        assert None not in await together(*[note(key).execute(shelf) for key in (1, 2, 3)])


# -- cancelling --------------------------------------------------------------------------------------------------------


async def test_caller_that_is_cancelled_cancels_nobody_else(filled: str):
    async with opened(filled) as gateway:
        async with Locked(filled) as table:
            tasks = [asyncio.create_task(note(key).execute(Shelf(gateway))) for key in (1, 2, 3)]
            await table.waited_for(1)
            tasks[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await tasks[0]
        assert await together(*tasks[1:]) == [Note("note 2", [2]), Note("note 3", [3])]


async def test_caller_that_is_cancelled_before_the_read_is_left_out(shelf: Shelf, sent: list[tuple[Any, ...]]):
    tasks = [asyncio.create_task(note(key).execute(shelf)) for key in (1, 2, 3)]
    tasks[1].cancel()
    first, second, third = await together(*tasks)
    assert (first, third) == (Note("note 1", [1]), Note("note 3", [3]))
    assert isinstance(second, asyncio.CancelledError)
    assert [parameters for _, *parameters in sent] == [[[1, 3]]]


async def test_read_ends_at_the_server_when_its_last_caller_is_cancelled(filled: str):
    async with Locked(filled) as table, opened(filled, max_connections=1) as gateway:
        tasks = [asyncio.create_task(note(key).execute(Shelf(gateway))) for key in (1, 2)]
        await table.waited_for(1)
        for each in tasks:
            each.cancel()
        assert [type(each) for each in await together(*tasks)] == [asyncio.CancelledError] * 2
        await table.waited_for(0)
        async with asyncio.timeout(5):
            assert await select(Titles.pages).where(Titles.title == "a").all(Shelf(gateway)) == [1]


async def test_event_loop_that_ends_leaves_nothing_behind(filled: str):
    def run() -> list[Any]:
        gateway = opened(filled)
        shelf = Shelf(gateway)
        loop = asyncio.new_event_loop()
        task = loop.create_task(together(note(1).execute(shelf), note(2).execute(shelf)))
        loop.call_later(0, loop.call_soon, loop.stop)
        loop.run_forever()
        task.cancel()
        loop.run_until_complete(asyncio.wait((task,)))
        loop.close()

        async def again() -> list[Any]:
            async with gateway, asyncio.timeout(5):
                return await together(note(1).execute(shelf), note(2).execute(shelf))

        return asyncio.run(again())

    assert await asyncio.to_thread(run) == [Note("note 1", [1]), Note("note 2", [2])]


# -- equal keys --------------------------------------------------------------------------------------------------------


async def read_titles(url: str, declared: str, stored: Sequence[str], asked: Sequence[str]) -> list[list[int]]:
    """Read a table of titles with another type twice, merged and one by one, which is to be the same."""
    found = []
    async with opened(url) as gateway, opened(url, merge_point_reads=False) as plain:
        for each in (
            "DROP TABLE IF EXISTS titles",
            f"CREATE TABLE titles (title {declared} PRIMARY KEY, pages bigint)",
        ):
            await gateway.execute(RawSql(each))
        for number, title in enumerate(stored):
            await gateway.execute(RawSql("INSERT INTO titles VALUES (?, ?)", (title, number)))
        for shelf in (Shelf(gateway), Shelf(gateway), Shelf(plain)):
            reads = [select(Titles.pages).where(Titles.title == title).all(shelf) for title in asked]
            found.append(await together(*reads))
    assert found[0] == found[1] == found[2]
    return found[0]


async def test_key_without_the_blanks_of_its_column_finds_its_row(postgres_url: str):
    asked = ("abc", "abc  ", "abc ", "ABC", "x", "x", "five5")
    found = await read_titles(postgres_url, "char(5)", ("abc", "x", "five5"), asked)
    assert found == [[0], [], [], [], [1], [1], [2]]


async def test_key_that_only_the_server_finds_equal_finds_its_row(system_postgres: Postgres):
    collation = "CREATE COLLATION IF NOT EXISTS any_case (provider=icu, locale='und-u-ks-level2', deterministic=false)"
    async with opened(system_postgres.url) as gateway:
        await gateway.execute(RawSql(collation))
    asked = ("ADA", "Ada", "bob", "Cyd", "dan")
    found = await read_titles(system_postgres.url, "text COLLATE any_case", ("Ada", "Bob", "cyd"), asked)
    assert found == [[0], [0], [1], [2], []]


async def test_whole_key_of_a_column_of_floats_finds_what_the_server_finds_equal(postgres_url: str):
    keys, found = (2**53, 2**53 + 1, 7), []
    async with opened(postgres_url) as gateway, opened(postgres_url, merge_point_reads=False) as plain:
        await gateway.execute(RawSql("CREATE TABLE notes (id float8 PRIMARY KEY, text text)"))
        await gateway.execute(RawSql("INSERT INTO notes VALUES (9007199254740992, 'large'), (7, 'small')"))
        for shelf in (Shelf(gateway), Shelf(plain)):
            found.append(await together(*[select(Notes.text).where(Notes.id == key).all(shelf) for key in keys]))
    assert found[0] == found[1] == [["large"], ["large"], ["small"]]


async def test_schemas_are_read_apart(postgres_url: str):
    async with opened(postgres_url) as gateway:
        shelves = [Shelf(gateway).in_schema(name) for name in ("one", "two")]
        for number, shelf in enumerate(shelves):
            await shelf.push_schema()
            changes = Shelf.change()
            for key in (1, 2):
                changes.inserts(Notes).push(Note(f"{number} {key}", []))
            await changes.commit(shelf)
        found = await together(*[note(key).execute(shelf) for key in (1, 2) for shelf in shelves])
    assert [each.text for each in found] == ["0 1", "1 1", "0 2", "1 2"]


# -- events ------------------------------------------------------------------------------------------------------------


async def test_listener_hears_of_each_callers_operation(gateway: PostgresGateway):
    shelf = Shelf(gateway)
    events: list[OperationEvent] = []
    end = gateway.subscribe(events.append)
    await together(*[note(key).execute(shelf) for key in (1, 99, 2)])
    end()
    assert all(
        [isinstance(each.operation, QuerySql) and each.operation.sql.endswith("= $1::bigint") for each in events]
    )
    assert [(each.operation.parameters, each.rows, each.error) for each in events] == [  # type: ignore[union-attr]  # as above
        ((1,), 1, None),
        ((99,), 0, None),
        ((2,), 1, None),
    ]
    assert all([each.query_seconds > 0 and each.queue_seconds >= 0 for each in events])


# -- whatever is mixed -------------------------------------------------------------------------------------------------


async def cancelled(work: Awaitable[Any]) -> str:
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    return "cancelled"


async def later(turns: int, make: Callable[[], Awaitable[Any]]) -> Any:
    for _ in range(turns):
        await asyncio.sleep(0)
    return await make()


async def within(shelf: Shelf, key: int) -> Any:
    async with shelf.transaction(isolation="repeatable read") as inner:
        return await note(key).execute(inner)


async def unstorable(shelf: Shelf) -> Any:
    return await note("one" if shelf else 1).execute(shelf)  # type: ignore[arg-type]  # that is the point


Step = Callable[[Shelf], Awaitable[Any]]


def step(kind: str, key: int) -> Step:
    title, code = TITLES[key % len(TITLES)] * (1 + key // 20), UUID(int=key % 7)
    kinds: dict[str, Step] = {
        "note": lambda shelf: note(key).execute(shelf),
        "text": lambda shelf: select(Notes.text).where(Notes.id == key).all(shelf),
        "marks": lambda shelf: select(Notes.marks).where(Notes.id == key).first(shelf),
        "row": lambda shelf: select(Notes).where(Notes.id == key).all(shelf),
        "title": lambda shelf: select(Title).from_(Titles).find(title).execute(shelf),
        "pages": lambda shelf: select(Titles.pages).where(Titles.title == title).all(shelf),
        "code": lambda shelf: select(Part).from_(Codes).find(code).execute(shelf),
        "pair": lambda shelf: select(Part).from_(Pairs).find((1, key % 4)).execute(shelf),
        "list": lambda shelf: select(Notes.text).where(Notes.id.in_([key, 1])).order_by(Notes.id).all(shelf),
        "none": lambda shelf: select(Notes.text).where(Notes.id == None).all(shelf),
        "within": lambda shelf: within(shelf, key),
        "unstorable": unstorable,
        "cancelled": lambda shelf: cancelled(note(key).execute(shelf)),
    }
    return kinds[kind]


KINDS = [
    "note",
    "text",
    "marks",
    "row",
    "title",
    "pages",
    "code",
    "pair",
    "list",
    "none",
    "within",
    "unstorable",
    "cancelled",
]

steps = st.lists(
    st.tuples(st.sampled_from(["note", "text", *KINDS]), st.integers(0, 34), st.integers(0, 2)), min_size=1, max_size=40
)


def shown(found: Any) -> Any:
    return (type(found), str(found)) if isinstance(found, BaseException) else found


async def outcomes(gateway: PostgresGateway, given_: list[tuple[str, int, int]]) -> Any:
    events: list[OperationEvent] = []
    shelf = Shelf(gateway)
    end = gateway.subscribe(events.append)
    found = await together(*[later(turns, partial(step(kind, key), shelf)) for kind, key, turns in given_])
    end()
    heard = [
        (each.operation.sql, each.operation.parameters, each.rows)
        for each in events
        if isinstance(each.operation, QuerySql) and each.error is None
    ]
    return [shown(each) for each in found], sorted(heard, key=str)


@settings(deadline=None, max_examples=60)
@given(steps, st.sampled_from([1, 3]))
def test_whatever_is_read_together_is_as_if_it_were_read_alone(filled: str, given_: list[Any], connections: int):
    async def both() -> None:
        async with (
            opened(filled, merge_point_reads=False) as plain,
            opened(filled, max_connections=connections) as merged,
        ):
            async with asyncio.timeout(20):
                assert await outcomes(merged, given_) == await outcomes(plain, given_)
            assert merged.statistics().in_use == 0

    asyncio.run(both())


async def test_50_tasks_on_one_connection_leave_it_whole(filled: str):
    async with opened(filled, max_connections=1) as gateway:
        shelf = Shelf(gateway)

        async def work(seed: int) -> None:
            for turn in range(20):
                key = 1 + (seed * 7 + turn) % 30
                if (seed + turn) % 5 == 0:
                    await cancelled(note(key).execute(shelf))
                else:
                    assert await note(key).execute(shelf) == Note(f"note {key}", [key])

        async with asyncio.timeout(30):
            await asyncio.gather(*[work(seed) for seed in range(50)])
    await settled(filled, 1)
