"""Values of every kind, at their edges, by every way in and out."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.postgres import PostgresGateway
from gateways.postgres.codecs import POSTGRES_CODECS
from gateways.postgres.columns import parameter_type
from gateways.postgres.enums import own_types
from mapper.operations import RawSql
from mapper.schema import verify
from mapper.selecting import select
from tests.postgres.kinds import KINDS, Holder, Kind, relation_of, repository_of
from tests.servers.fixtures import Databases

COPIED = 200
"""From so many rows on they are copied."""

each_kind = pytest.mark.parametrize("name", KINDS)


class Held:
    """A repository of a relation with a column of one kind."""

    def __init__(self, kind: Kind, gateway: PostgresGateway) -> None:
        self.kind = kind
        self.relation = relation_of(kind)
        self.changes = repository_of(self.relation)
        self.repository = self.changes(gateway)

    async def push(self, values: Any) -> list[int]:
        """Insert rows with these values, and return their keys."""
        changes = self.changes.change()
        refs = [
            changes.inserts(self.relation).push(Holder(each), self.relation.place.to(place))
            for place, each in enumerate(values)
        ]
        result = await changes.commit(self.repository)
        return [result[each] for each in refs]

    async def values(self, *conditions: Any) -> list[Any]:
        """Return the values of rows that fulfil conditions, by key."""
        query = select(self.relation.value).from_(self.relation).where(*conditions).order_by(self.relation.id)
        return await query.all(self.repository)


@pytest.fixture
async def gateway(postgres_url: str) -> AsyncIterator[PostgresGateway]:
    async with PostgresGateway(postgres_url, max_connections=2) as gateway:
        await gateway.execute(RawSql('CREATE SCHEMA "things"'))
        yield gateway


@pytest.fixture
async def held(name: str, gateway: PostgresGateway) -> Held:
    held = Held(KINDS[name], gateway)
    await held.repository.push_schema()
    return held


def alike(found: list[Any], expected: list[Any]) -> bool:
    """Whether values are equal, of the same class, and written alike: decimals have their digits."""
    return [(each, type(each), str(each)) for each in found] == [(each, type(each), str(each)) for each in expected]


@each_kind
@pytest.mark.feature("T2", "T8", "T9", "T10")
async def test_edges_come_back_as_they_went_in_row_by_row(name: str, held: Held):
    for each in held.kind.edges:
        await held.push([each])
        await held.repository._executor.execute(RawSql("UPDATE held SET place = -id"))
    assert alike(await held.values(), list(map(kept, [held.kind] * len(held.kind.edges), held.kind.edges)))


def kept(kind: Kind, value: Any) -> Any:
    """What a value reads back as."""
    return kind.storage.check(value) if isinstance(value, Decimal) and value.is_finite() else value


@each_kind
async def test_edges_come_back_from_an_insert_of_several_rows(name: str, held: Held):
    given = [*held.kind.edges, None, *held.kind.edges]
    await held.push(given)
    assert alike(await held.values(), [kept(held.kind, each) for each in given])


@each_kind
async def test_edges_come_back_from_a_copy(name: str, held: Held):
    edges = [each for each in held.kind.edges if len(str(each)) < 1000]
    given = [*edges, None] * (COPIED // len(edges) + 1)
    await held.push(given)
    assert alike(await held.values(), [kept(held.kind, each) for each in given])


@each_kind
async def test_edges_come_back_from_a_load(name: str, held: Held):
    rows = [(Holder(each), held.relation.place.to(place)) for place, each in enumerate(held.kind.edges)]
    await held.repository.load(held.relation, rows)
    assert alike(await held.values(), [kept(held.kind, each) for each in held.kind.edges])


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.compared])
@pytest.mark.feature("T17")
async def test_edges_are_found_by_comparison_and_in_lists(name: str, held: Held):
    edges, value = list(held.kind.edges), held.relation.value
    await held.push([*edges, None])
    for each in edges:
        assert each in await held.values(value == each)
        assert each in await held.values(value.in_([each]))
        assert each not in await held.values(value.not_in([each]))
        assert each not in await held.values(value != each)
    assert await held.values(value.in_(edges)) == await held.values(value.is_not_null())
    assert await held.values(value.in_([])) == []
    assert await held.values(value.in_([None])) == [None]
    assert await held.values(value.not_in(edges)) == [None]


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.compared])
@pytest.mark.feature("T19")
async def test_pages_go_over_edges_in_both_directions(name: str, held: Held):
    edges = [each for each in held.kind.edges if len(str(each)) < 1000]
    await held.push([*edges, None, *edges])
    value, key = held.relation.value, held.relation.id
    for query in (select(value, key).order_by(value), select(value, key).order_by(value.desc())):
        assert len(await _paged(query, held)) == 2 * len(edges) + 1


async def _paged(query: Any, held: Held) -> list[Any]:
    """Return the rows of all pages, which are those of the pages read backwards."""
    pages, page = [], await query.page(held.repository, size=2)
    while True:
        pages.append(page)
        if page.next is None:
            break
        page = await query.page(held.repository, size=2, after=page.next)
    backwards = [page]
    while page.previous is not None:
        page = await query.page(held.repository, size=2, before=page.previous)
        backwards.append(page)
    forth, back = [[each for page in some for each in page.items] for some in (pages, reversed(backwards))]
    assert forth == back
    assert len({key for _, key in forth}) == len(forth)
    return forth


@each_kind
async def test_edges_come_back_from_updates(name: str, held: Held):
    edges = list(held.kind.edges)
    keys = await held.push([None] * len(edges))
    changes = held.changes.change()
    rows = await select(held.relation).order_by(held.relation.id).all(held.repository)
    for row, value in zip(rows, edges, strict=True):
        changes.update(held.relation, row, held.relation.value.to(value))
    await changes.commit(held.repository)
    assert alike(await held.values(), [kept(held.kind, each) for each in edges])
    changes = held.changes.change()
    changes.updates(held.relation).where(held.relation.id == keys[0]).set(held.relation.value.to(edges[-1]))
    await changes.commit(held.repository)
    assert await held.values(held.relation.id == keys[0]) == [kept(held.kind, edges[-1])]


@each_kind
async def test_edges_come_back_from_upserts(name: str, held: Held):
    edges = list(held.kind.edges)
    await held.push([None] * len(edges))
    changes = held.changes.change()
    inserts = changes.inserts(held.relation).on_conflict(held.relation.place, update=[held.relation.value])
    for place, each in enumerate([*edges, edges[0]]):
        inserts.push(Holder(each), held.relation.place.to(place))
    result = await changes.commit(held.repository)
    assert (result.inserted, result.updated) == (1, len(edges))
    assert alike(await held.values(), [kept(held.kind, each) for each in [*edges, edges[0]]])


@each_kind
@pytest.mark.feature("T34")
async def test_column_that_was_made_is_no_difference(name: str, held: Held, gateway: PostgresGateway):
    assert await verify(gateway, [held.relation]) == []
    await held.repository.push_schema()
    assert await verify(gateway, [held.relation]) == []


@each_kind
@pytest.mark.feature("T31")
async def test_reset_drops_what_was_made_and_nothing_else(name: str, held: Held, gateway: PostgresGateway):
    def names() -> Any:
        return gateway.execute(
            RawSql("SELECT typname FROM pg_type WHERE typnamespace IN ('public'::regnamespace, 'things'::regnamespace)")
        )

    await gateway.execute(RawSql("CREATE TABLE other (id int)"))
    await gateway.execute(RawSql("CREATE TYPE another AS ENUM ('a')"))
    await held.repository.reset_schema()
    left = {each for (each,) in (await names()).rows}
    assert left >= {"another", "other"}
    assert not left & {"held", "mood", "t shirt", "e mail", "score"}
    await held.repository.push_schema()
    await held.push([held.kind.edges[0]])


# Any values, through the codecs alone


class Store:
    """A connection of a gateway, for tests that are no coroutines."""

    def __init__(self, databases: Databases) -> None:
        self.runner = asyncio.Runner()
        self.url = self.runner.run(databases.create())
        self.gateway = PostgresGateway(self.url, max_connections=1)
        self.run(RawSql('CREATE SCHEMA "things"'))
        for text in dict.fromkeys([each.create for kind in KINDS.values() for each in own_types(kind.storage)]):
            self.run(RawSql(text))

    def run(self, operation: RawSql) -> list[Any]:
        return list(self.runner.run(self.gateway.execute(operation)).rows)

    def close(self) -> None:
        self.runner.run(self.gateway.aclose())
        self.runner.close()


@pytest.fixture(scope="module")
def store(databases: Databases) -> Iterator[Store]:
    store = Store(databases)
    yield store
    store.close()


@each_kind
@settings(max_examples=40)
@given(data=st.data())
def test_any_value_comes_back_as_it_went_in(name: str, store: Store, data: st.DataObject):
    kind = KINDS[name]
    value = data.draw(kind.strategy)
    type_ = kind.storage
    encode, decode = POSTGRES_CODECS.encoder(type_), POSTGRES_CODECS.decoder(type_)
    ((sent,),) = store.run(RawSql(f"SELECT ?::{parameter_type(type_)}", (encode(value),)))
    found = sent if decode is None else decode(sent)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("last", [dt.date.max, dt.datetime.max, dt.datetime.max.replace(tzinfo=dt.UTC)])
def test_last_moment_of_python_is_not_infinity_in_the_store(last: Any, store: Store):
    name = "date" if type(last) is dt.date else "timestamp" if last.tzinfo is None else "timestamptz"
    assert store.run(RawSql(f"SELECT isfinite(?::{name}), extract(year FROM ?::{name})::int", (last, last))) == [
        (True, 9999)
    ]
