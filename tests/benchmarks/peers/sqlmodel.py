"""SQLModel, with its own asynchronous session for each unit of work."""

import asyncio

from sqlmodel import Field, SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from tests.benchmarks.peers.sqlalchemy_core import engine_of, entry
from tests.benchmarks.subject import BY_AUTHOR
from tests.benchmarks.workloads import insert_many, insert_one, read_list, read_one


class Columns(SQLModel):
    id: int | None = Field(default=None, primary_key=True)
    title: str
    body: str
    author: int
    visits: int
    score: float
    slug: str


class Post(Columns, table=True):
    __tablename__ = "posts"


class Entry(Columns, table=True):
    __tablename__ = "entries"


class Library:
    async def open(self, bench):
        self.engine = engine_of(bench)

    async def close(self):
        await self.engine.dispose()

    def session(self):
        return AsyncSession(self.engine, expire_on_commit=False)

    async def read_one(self, bench, keys=read_one.KEYS):
        found = []
        for key in keys:
            async with self.session() as session:
                found.append(await session.get(Post, key))
        return found

    async def read_one_by_tasks(self, bench):
        parts = await asyncio.gather(*[self.read_one(bench, keys) for keys in read_one.parts()])
        return [each for part in parts for each in part]

    async def read_list(self, bench):
        found = []
        for author in read_list.AUTHORS:
            query = select(Post).where(Post.author == author).order_by(Post.id).limit(BY_AUTHOR)
            async with self.session() as session:
                found.append((await session.exec(query)).all())
        return found

    async def insert_one(self, bench):
        keys = []
        for number in insert_one.NUMBERS:
            async with self.session() as session:
                new = Entry(**entry(number))
                session.add(new)
                await session.commit()
                keys.append(new.id)
        return keys

    async def insert_many(self, bench):
        new = [Entry(**entry(number)) for number in range(insert_many.SIZE)]
        async with self.session() as session:
            session.add_all(new)
            await session.commit()
        return [each.id for each in new]
