"""SQLAlchemy Core, with its asyncio extension."""

import asyncio

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import create_async_engine

from tests.benchmarks.subject import BY_AUTHOR, COLUMNS, entry_values
from tests.benchmarks.workloads import (
    insert_many,
    insert_one,
    read_list,
    read_one,
    read_related,
    update_many,
    update_one,
)

metadata = MetaData()


def table(name):
    return Table(
        name,
        metadata,
        Column("id", Integer, primary_key=True),
        Column("title", String),
        Column("body", String),
        Column("author", Integer),
        Column("visits", Integer),
        Column("score", Float),
        Column("slug", String),
    )


posts = table("posts")
entries = table("entries")
comments = Table(
    "comments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("post_id", ForeignKey("posts.id")),
    Column("text", String),
)


def engine_of(bench):
    """Return an engine with a pool that serves as many tasks as there are."""
    if bench.database == "sqlite":
        engine = create_async_engine(f"sqlite+aiosqlite:///{bench.url}", pool_size=5, max_overflow=0)
        event.listen(engine.sync_engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = NORMAL").close())
        return engine
    url = bench.url.replace("postgresql://", "postgresql+asyncpg://")
    return create_async_engine(url, pool_size=read_one.CONNECTIONS, max_overflow=0)


def entry(number):
    return dict(zip(COLUMNS, entry_values(number), strict=True))


class Library:
    async def open(self, bench):
        self.engine = engine_of(bench)

    async def close(self):
        await self.engine.dispose()

    async def read_one(self, bench, keys=read_one.KEYS):
        found = []
        for key in keys:
            async with self.engine.connect() as connection:
                found.append((await connection.execute(select(posts).where(posts.c.id == key))).one())
        return found

    async def read_one_by_tasks(self, bench):
        parts = await asyncio.gather(*[self.read_one(bench, keys) for keys in read_one.parts()])
        return [each for part in parts for each in part]

    async def read_list(self, bench):
        found = []
        for author in read_list.AUTHORS:
            query = select(posts).where(posts.c.author == author).order_by(posts.c.id).limit(BY_AUTHOR)
            async with self.engine.connect() as connection:
                found.append((await connection.execute(query)).all())
        return found

    async def stream(self, bench):
        total = 0
        async with self.engine.connect() as connection:
            async for row in await connection.stream(select(posts)):
                total += row.visits
        return total

    async def insert_one(self, bench):
        keys = []
        for number in insert_one.NUMBERS:
            async with self.engine.begin() as connection:
                keys.append((await connection.execute(insert(entries), entry(number))).inserted_primary_key[0])
        return keys

    async def insert_many(self, bench):
        rows = [entry(number) for number in range(insert_many.SIZE)]
        async with self.engine.begin() as connection:
            statement = insert(entries).returning(entries.c.id, sort_by_parameter_order=True)
            return list((await connection.execute(statement, rows)).scalars())

    async def update_one(self, bench):
        count = 0
        for key in update_one.KEYS:
            async with self.engine.begin() as connection:
                statement = update(posts).where(posts.c.id == key).values(visits=key - 1)
                count += (await connection.execute(statement)).rowcount
        return count

    async def update_many(self, bench):
        rows = [{"key": key, "new": key - 1} for key in update_many.KEYS]
        statement = update(posts).where(posts.c.id == bindparam("key")).values(visits=bindparam("new"))
        async with self.engine.begin() as connection:
            await connection.execute(statement, rows)
        return len(rows)

    async def read_related(self, bench):
        found = []
        for author in read_related.AUTHORS:
            async with self.engine.connect() as connection:
                query = select(posts).where(posts.c.author == author).order_by(posts.c.id)
                owners = (await connection.execute(query)).all()
                below = {owner.id: [] for owner in owners}
                query = select(comments).where(comments.c.post_id.in_(list(below))).order_by(comments.c.id)
                for row in await connection.execute(query):
                    below[row.post_id].append(row)
            found += [(owner, below[owner.id]) for owner in owners]
        return found
