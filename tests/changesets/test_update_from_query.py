"""Updates whose values come from other rows."""

import pytest

from mapper.functions import coalesce
from mapper.selecting import scalar, select
from mapper.terms import outer
from tests.changesets.forum import Forum, Message, Messages, Thread, ThreadMessages, Threads


@pytest.mark.feature("T24")
async def test_rows_are_updated_from_a_query_over_rows_of_theirs(forum: Forum):
    changes = Forum.change()
    threads = changes.inserts(Threads)
    threads.push(Thread("a")).with_(ThreadMessages, [Message("1"), Message("2")])
    threads.push(Thread("b"))
    await changes.commit(forum)
    changes = Forum.change()
    latest = select(Messages.id).where(Messages.thread_id == outer(Threads.id)).order_by(Messages.id.desc()).limit(1)
    changes.updates(Threads).everywhere().set(Threads.latest_id.to(scalar(latest)))
    result = await changes.commit(forum)
    last = await select(Messages.id).where(Messages.text == "2").one(forum)
    assert await select(Threads.title, Threads.latest_id).order_by(Threads.title).all(forum) == [
        ("a", last),
        ("b", None),
    ]
    assert result.updated == 2


async def test_update_from_a_query_follows_the_rows_that_it_reads(forum: Forum):
    changes = Forum.change()
    thread = changes.inserts(Threads).push(Thread("a"))
    text = select(Messages.text).limit(1)
    changes.inserts(Messages).push(Message("new title"), Messages.thread_id.to(thread))
    changes.updates(Threads).where(Threads.id == thread).set(Threads.title.to(coalesce(scalar(text), "")))
    await changes.commit(forum)
    assert await select(Threads.title).all(forum) == ["new title"]
