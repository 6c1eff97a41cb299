"""What the tests of transactions on a gateway that logs have in common."""

from typing import Any

from mapper.gateway import Batches
from tests.changesets.blog import Blog, Post, Posts
from tests.fake_gateway import no_rows, query

__all__ = ["push", "read", "stream"]


async def read(tx: Blog, text: str = "select") -> None:
    """Send a read that the log knows by its text."""
    await tx._executor.fetch(query(text), no_rows)


async def stream(tx: Blog, text: str = "select") -> Batches[Any]:
    """Open a stream that the log knows by its text."""
    return await tx._executor.stream(query(text), no_rows)


def push(title: str = "a") -> Any:
    """Return a changeset of one post."""
    changes = Blog.change()
    changes.inserts(Posts).push(Post(title))
    return changes
