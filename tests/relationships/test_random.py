"""Random rows, conditions, joins and paths mean on every store what the rows themselves say."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import attrs
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from gateways.memory import MemoryGateway
from gateways.postgres import PostgresGateway
from gateways.sqlite import SQLiteGateway
from mapper import any_, optional, select
from mapper.gateway import Gateway
from mapper.relation import info
from tests.relationships.graph import (
    CONTENTS,
    MEANINGS,
    Cell,
    Cells,
    Content,
    Graph,
    Group,
    Groups,
    Held,
    Mark,
    Marks,
    Node,
    Nodes,
    chained,
    conditions,
    count_of,
    counted,
    joined,
    paths,
)
from tests.servers.fixtures import Databases

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(0)]


@attrs.define
class Stores:
    """The stores, and the rows that all of them have."""

    graphs: list[Graph]
    content: Content | None = None

    async def fill(self, content: Content) -> None:
        """Give every store these rows and no others."""
        if self.content == content:
            return
        self.content = None
        for graph in self.graphs:
            changes = Graph.change()
            relations: list[Any] = [Marks, Nodes, Groups, Cells]
            for relation in relations:
                changes.deletes(relation).everywhere()
            await changes.commit(graph)
            changes = Graph.change()
            nodes, groups, marks = changes.inserts(Nodes), changes.inserts(Groups), changes.inserts(Marks)
            for key, *rest in content.nodes:
                nodes.push(Node(*rest), Nodes.id.to(key))
            for key, *rest in content.groups:
                groups.push(Group(*rest), Groups.id.to(key))
            for key, *rest in content.marks:
                marks.push(Mark(*rest), Marks.id.to(key))
            for number, *rest in content.cells:
                changes.inserts(Cells).push(Cell(number, *rest), Cells.odd.to(number % 2), Cells.number.to(number))
            await changes.commit(graph)
        self.content = content

    async def agree(self, query: Any, expected: Any) -> None:
        """Require that every store gives these rows, in any order."""
        for graph in self.graphs:
            found = await query.all(graph)
            gateway = graph._executor.gateway
            assert Counter(found) == Counter(expected), f"{gateway.name}: {gateway.compile(query)}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stores(databases: Databases) -> AsyncIterator[Stores]:
    url = await databases.create()
    gateways: list[Gateway] = [MemoryGateway(), SQLiteGateway(":memory:"), PostgresGateway(url)]
    async with AsyncExitStack() as stack:
        graphs = [Graph(await stack.enter_async_context(each)) for each in gateways]
        for graph in graphs:
            await graph.push_schema()
        yield Stores(graphs)
    await databases.drop(url)


def key(relation: Any) -> Any:
    return info(relation).attributes["id"]


@st.composite
def filters(draw: st.DrawFn) -> tuple[Any, Held]:
    relation = draw(st.sampled_from([Nodes, Groups, Cells]))
    return relation, draw(conditions(relation, 3))


@pytest.mark.feature("T13", "T14", "T17")
@given(CONTENTS, st.lists(filters(), min_size=1, max_size=4))
async def test_conditions_over_related_rows(stores: Stores, content: Content, drawn: list[tuple[Any, Held]]):
    await stores.fill(content)
    for relation, held in drawn:
        expected = [row[0] for row in content.of(relation) if held.holds(content, row) is True]
        await stores.agree(select(key(relation)).where(held.condition), expected)


@pytest.mark.feature("T13", "T14")
@given(CONTENTS, st.sampled_from([*MEANINGS]), st.booleans())
async def test_joins_along_relationships(stores: Stores, content: Content, relationship: Any, outer: bool):
    await stores.fill(content)
    end = relationship.to().named("end")
    query = select(key(relationship.of()), optional(key(end)))
    query = (query.left_join if outer else query.join)(relationship, to=end)
    await stores.agree(query, joined(content, relationship, outer=outer))


@pytest.mark.feature("T14")
@given(CONTENTS, st.sampled_from([*MEANINGS]))
async def test_counts_of_related_rows(stores: Stores, content: Content, relationship: Any):
    await stores.fill(content)
    source = relationship.of()
    expected = [(row[0], count_of(content, relationship, row)) for row in content.of(source)]
    await stores.agree(select(key(source), counted(relationship)), expected)


@st.composite
def walks(draw: st.DrawFn) -> tuple[Any, tuple[Any, ...], Held, int | None]:
    relation = draw(st.sampled_from([Nodes, Groups, Cells]))
    path = draw(paths(relation, 12))
    return relation, path, draw(conditions(relation, 1)), draw(st.none() | st.integers(0, 3))


@pytest.mark.feature("T14")
@given(CONTENTS, walks())
async def test_paths(stores: Stores, content: Content, walk: Any):
    relation, path, held, limit = walk
    await stores.fill(content)
    end = path[-1].to()
    start = select(key(end)).from_(relation).where(held.condition).order_by(key(relation))
    start = start if limit is None else start.limit(limit)
    rows = [row for row in content.of(relation) if held.holds(content, row) is True][:limit]
    follow = chained(*[MEANINGS[each] for each in path])
    await stores.agree(start.via(*path), {each[0] for row in rows for each in follow(content, row)})


@given(CONTENTS, walks())
async def test_recursive_paths(stores: Stores, content: Content, walk: Any):
    relation, path, held, _ = walk
    await stores.fill(content)
    if path[-1].to() is not relation:
        return
    follow = chained(*[MEANINGS[each] for each in path])
    reached: set[Any] = set()
    waiting = [row for row in content.of(relation) if held.holds(content, row) is True]
    while waiting:
        found = set(follow(content, waiting.pop())) - reached
        reached |= found
        waiting.extend(found)
    query = select(key(relation)).from_(relation).where(held.condition).via(*path, recursive=True)
    await stores.agree(query, {row[0] for row in reached})


NOTHING_BUT_NULLS = Content(
    nodes=((1, None, None, 3), (2, None, None, None)),
    groups=((1, None, True), (2, None, None)),
    marks=((1, None, None), (2, None, None)),
    cells=((1, None, 1), (2, None, None)),
)


@pytest.mark.parametrize("relationship", MEANINGS, ids=[each.__name__ for each in MEANINGS])
async def test_keys_that_are_null_on_both_sides_lead_nowhere(stores: Stores, relationship: Any):
    await stores.fill(NOTHING_BUT_NULLS)
    source, end = relationship.of(), relationship.to()
    assert joined(NOTHING_BUT_NULLS, relationship, outer=False) == []
    await stores.agree(select(key(end)).from_(source).via(relationship), [])
    await stores.agree(select(key(end)).from_(source).limit(9).via(relationship), [])
    await stores.agree(select(key(source)).where(any_(relationship)), [])
    await stores.agree(select(key(source), counted(relationship)), [(1, 0), (2, 0)])
    other = end.named("end")
    await stores.agree(select(key(source), key(other)).join(relationship, to=other), [])
