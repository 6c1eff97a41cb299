"""What only PostgreSQL has beside expressions: listening, notifying, locks, copies, plans."""

from typing import reveal_type

import attrs

from gateways.postgres import (
    PostgresGateway,
    advisory_lock,
    copy_from,
    copy_to,
    explain,
    listen,
    notify,
    try_advisory_lock,
)
from mapper import Column, RawSql, Relation, Repository, Stores, column, select


@attrs.frozen
class Post:
    title: str


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]


class Drafts(Relation[Post], name="drafts"):
    id: Column[int] = column(primary_key=True)
    title: Column[str]


class Blog(Repository[Posts]): ...


async def listens(gateway: PostgresGateway, blog: Blog) -> None:
    async for note in listen(gateway, "jobs", "news", buffer=5):
        reveal_type(note.payload)  # revealed: str | None
        reveal_type(note.channel)  # revealed: str
    async with listen(blog, "jobs") as notes:
        note = await anext(notes)
        if note.payload is not None:
            reveal_type(note)  # revealed: Note
        else:
            reveal_type(note.reason)  # revealed[mypy]: Literal['overflow'] | Literal['reconnected']  # revealed[pyright]: Literal['reconnected', 'overflow']
    listen(blog, 5)  # error


def notifies(blog: Blog) -> None:
    changes = Blog.change()
    ref = changes.inserts(Posts).push(Post("x"))
    changes.then(notify("jobs", ref), notify("jobs"), RawSql("SELECT 1"))
    changes.then("SELECT 1")  # error
    notify("jobs", 5)  # error


async def locks(blog: Blog) -> None:
    async with advisory_lock(blog, "report", shared=True, timeout=5):
        pass
    async with try_advisory_lock(blog, 7) as taken:
        reveal_type(taken)  # revealed: bool
    async with blog.transaction() as tx:
        reveal_type(await advisory_lock(tx, "x"))  # revealed: bool
    async with advisory_lock(blog, 1.5):  # error
        pass


async def copies(blog: Blog, gateway: PostgresGateway) -> None:
    reveal_type(await copy_from(blog, Posts, b"1,x", columns=[Posts.id, Posts.title], format="csv"))  # revealed: int
    await copy_from(gateway, Drafts, [b"1", b"2"])
    await copy_from(blog, Drafts, b"")  # error
    await copy_from(blog, Posts, b"", columns=[Drafts.title])  # error
    await copy_from(blog, Posts, b"", format="xml")  # error
    await copy_from(blog, Posts, ["text"])  # error
    async for piece in copy_to(blog, select(Posts.title)):
        reveal_type(piece)  # revealed: bytes
    reveal_type(await copy_to(blog, Posts).into("posts.csv"))  # revealed: int
    copy_to(blog, Drafts)  # error


async def plans(blog: Blog, stores: Stores[Drafts]) -> None:
    reveal_type(await select(Posts.title).explain(blog))  # revealed: Plan
    reveal_type(await select(Posts).find(1).explain(blog, analyze=True))  # revealed: Plan
    plan = await explain(select(Posts), blog, buffers=True)
    reveal_type(plan.children)  # revealed: tuple[Plan, ...]
    await explain(select(Posts), stores)  # error
    await select(Posts).explain(stores)  # error
