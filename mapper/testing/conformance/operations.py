"""
Operations: what a gateway compiles without I/O, and that all work goes to the store as such.
"""

from typing import Any, Final

from mapper import functions as fn
from mapper.capabilities import Capabilities
from mapper.columns import Column
from mapper.errors import Unsupported
from mapper.gateway import Gateway
from mapper.operations import Operation
from mapper.query import Query
from mapper.relation import CommonTable
from mapper.selecting import select
from mapper.statements import Statement
from mapper.testing.conformance.relations import (
    Blog,
    Post,
    Posts,
    Suite,
    Tag,
    Tags,
    Users,
    blog,
    refused,
    rejected,
    write_posts,
)
from mapper.testing.recording import RecordingGateway

SUITE = Suite("operations")


class Numbers(CommonTable):
    """A common table."""

    number: Column[int]


NUMBERS: Final = select(Posts.visits)
MORE: Final = NUMBERS.union_all(select(Numbers.number + 1).where(Numbers.number < 3))

NEEDS: Final[dict[str, Query[Any, Any]]] = {
    "relational": select(Posts.title).join(Users, on=Users.id == Posts.author_id),
    "ilike": select(Posts.id).where(Posts.title.ilike("p%")),
    "windows": select(fn.row_number().over(order_by=[Posts.id])),
    "ctes": select(Numbers.number).with_(Numbers, NUMBERS),
    "recursive_ctes": select(Numbers.number).with_(Numbers, MORE, recursive=True),
    "right_join": select(Users.name).right_join(Users, on=Users.id == Posts.author_id).from_(Posts),
    "full_join_conditions": select(fn.count()).from_(Posts).full_join(Users, on=Users.id < Posts.author_id),
    "row_locks": select(Posts.id).for_update(),
    "skip_locked": select(Posts.id).for_update(skip_locked=True),
}
"""For each capability a query that needs it."""


@SUITE.case("compiling gives an immutable value and asks nothing of the store", "T1", "B9")
async def _(gateway: Gateway) -> None:
    query = select(Posts).where(Posts.visits > 3, Posts.body != None).limit(5)
    first, again = gateway.compile(query), gateway.compile(query)
    assert first == again
    assert repr(first) == repr(again)
    assert first != gateway.compile(query.limit(6))
    assert first.reads == {Posts}
    assert first.writes == frozenset()
    for wrong in ("reads", "columns", "something"):
        rejected(AttributeError, lambda name=wrong: setattr(first, name, ()))  # type: ignore[misc]  # the name of this turn
    rejected(AttributeError, lambda: setattr(gateway.capabilities, "windows", True))
    assert gateway.statistics().size == 0


@SUITE.case("all work is operations, which say what they read and write", "T1", "T36")
async def _(gateway: Gateway) -> None:
    async with blog(RecordingGateway(gateway)) as repository:
        recording: Any = repository._executor
        recording.clear()
        await write_posts(repository, 3)
        assert await select(Post).from_(Posts).where(Posts.visits > 0).count(repository) == 2
        changes = Blog.change()
        changes.updates(Posts).where(Posts.visits == 10).set(Posts.visits.to(11))
        changes.deletes(Posts).where(Posts.visits == 20)
        async with repository.transaction() as tx:
            await changes.commit(tx)
        operations: list[Operation] = recording.operations
        assert all(isinstance(each.reads, frozenset) and isinstance(each.writes, frozenset) for each in operations)
        assert {Posts} in [each.reads for each in operations]
        assert [each for each in operations if Posts in each.writes]
        assert all(event.error is None and event.query_seconds >= 0 for event in recording.events)


@SUITE.case("an operation is run again by hand, on the gateway or on one connection", "T1")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 4)
        read = gateway.compile(select(Posts.visits).where(Posts.public))
        answer = await gateway.execute(read)
        assert (len(answer.rows), answer.count) == (2, 2)
        async with gateway.connection() as connection:
            assert sorted((await connection.execute(read)).rows) == sorted(answer.rows)
            assert [row async for batch in connection.stream(read, 1) for row in batch]
            assert gateway.statistics().in_use == 1
        assert gateway.statistics().in_use == 0
        recording = RecordingGateway(gateway)
        changes = Blog.change()
        changes.inserts(Tags).push(Tag("a"))
        await changes.commit(Blog(recording))
        (insert,) = [each for each in recording.operations if Tags in each.writes]
        await _remove_tags(repository)
        assert (await gateway.execute(insert)).count == 1
        assert await select(Tags.name).all(repository) == ["a"]


async def _remove_tags(repository: Blog) -> None:
    changes = Blog.change()
    changes.deletes(Tags).everywhere()
    await changes.commit(repository)


@SUITE.case("what needs a capability that is lacking is refused before the store is asked", "T1")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await write_posts(repository, 3)
        for capability, query in NEEDS.items():
            statement: Statement = query
            if _has(gateway.capabilities, capability):
                async with repository.transaction() as tx:
                    await query.all(tx)
            else:
                error = rejected(Unsupported, lambda: gateway.compile(statement))  # noqa: B023  # called here and now
                assert error.gateway == gateway.name, capability
                assert not getattr(gateway.capabilities, error.capability), capability
                await refused(Unsupported, query.all(repository))
        assert gateway.statistics().in_use == 0


def _has(capabilities: Capabilities, capability: str) -> bool:
    """Whether a gateway has a capability, and those without which it would be of no use."""
    relational = capability == "ilike" or capabilities.relational
    locks = not capability.startswith("skip") or capabilities.row_locks
    joins = not capability.startswith("full") or capabilities.right_join
    return bool(getattr(capabilities, capability)) and relational and locks and joins
