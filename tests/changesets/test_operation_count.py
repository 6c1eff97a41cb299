"""How many operations a commit takes: a number that follows from relations and chunks, and not from rows."""

from collections import Counter
from typing import Any

import pytest

from mapper.operations import Insert, Transaction, Upsert
from mapper.selecting import select
from mapper.stages import CHUNK, chunk_size
from tests.changesets.forum import Forum, Label, Labels, Mark, Marks, Message, Messages, Thread, Threads


def pushed(count: int) -> Any:
    """Return a changeset of so many pushes over three related relations, a third of them each."""
    changes = Forum.change()
    threads, messages, marks = changes.inserts(Threads), changes.inserts(Messages), changes.inserts(Marks)
    label = "only"
    for index in range(count // 3):
        thread = threads.push(Thread(f"t{index}"))
        messages.push(Message(f"m{index}"), Messages.thread_id.to(thread))
        marks.push(Mark(index), Marks.thread_id.to(thread), Marks.label.to(label))
    return changes


async def operations(forum: Forum, changes: Any, **options: Any) -> tuple[Counter[str], Any]:
    """Commit, and return how many operations of which kind that took, with what it gave."""
    seen: Counter[str] = Counter()
    stop = forum._executor.gateway.subscribe(lambda event: seen.update([type(event.operation).__name__]))
    result = await changes.commit(forum, **options)
    stop()
    return seen, result


def chunks(forum: Forum, rows: int, width: int) -> int:
    """Return how many operations so many rows of so many columns take."""
    capabilities = forum._executor.gateway.capabilities
    return -(-rows // (CHUNK if capabilities.bulk_arrays else chunk_size(capabilities, width)))


@pytest.fixture
async def labelled(forum: Forum) -> Forum:
    """With one label."""
    changes = Forum.change()
    changes.inserts(Labels).push(Label("only"))
    await changes.commit(forum)
    return forum


@pytest.mark.feature("T22")
@pytest.mark.parametrize("count", [30, 999, 9_999])
async def test_pushes_over_three_relations_take_an_operation_for_each(labelled: Forum, count: int):
    seen, result = await operations(labelled, pushed(count))
    assert seen == {Insert.__name__: 3, Transaction.__name__: 2}
    assert result.inserted == count
    assert await select(Marks).count(labelled) == count // 3


@pytest.mark.feature("T22")
async def test_pushes_beyond_a_chunk_take_an_operation_for_each_chunk(labelled: Forum):
    rows = 11_000
    seen, result = await operations(labelled, pushed(3 * rows))
    widths = {Threads: 1, Messages: 3, Marks: 3}
    assert seen[Insert.__name__] == sum([chunks(labelled, rows, each) for each in widths.values()])
    assert (seen[Transaction.__name__], result.inserted) == (2, 3 * rows)


@pytest.mark.parametrize("count", [20, 2_000])
async def test_upserts_updates_and_slots_take_as_many_for_many_rows(labelled: Forum, count: int):
    changes = pushed(3 * count)
    labels = changes.inserts(Labels).on_conflict(Labels.name, update=[Labels.color])
    slot = labels.returning(Labels.name)
    labels.extend([Label(f"l{index}", "red") for index in range(count)])
    threads = changes.inserts(Threads)
    first = threads.push(Thread("first"))
    told = changes.inserts(Threads)
    titles = told.returning(Threads.id, Threads.title)
    refs = told.extend([Thread(f"u{index}") for index in range(count)])
    message = changes.inserts(Messages).push(Message("last"), Messages.thread_id.to(first))
    for each in refs:
        changes.update(Threads, each, Threads.latest_id.to(message))
    seen, result = await operations(labelled, changes, once=f"work {count}")
    updates = seen["UpdateSql"] + seen["UpdateByKey"]
    assert (seen[Insert.__name__], seen[Upsert.__name__], updates) == (4, 2, 2), seen
    assert (len(result[slot]), len(result[titles])) == (count, count)
    assert [key for key, _ in result[titles]] == [result[each] for each in refs]
