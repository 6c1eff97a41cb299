"""SQLAlchemy's ORM, with its asyncio extension and a session for each unit of work."""

import asyncio

from sqlalchemy import ForeignKey, select, update
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from tests.benchmarks.peers.sqlalchemy_core import engine_of, entry
from tests.benchmarks.subject import BY_AUTHOR
from tests.benchmarks.workloads import (
    insert_many,
    insert_one,
    read_list,
    read_one,
    read_related,
    update_many,
    update_one,
)


class Base(DeclarativeBase):
    pass


class Columns:
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    body: Mapped[str]
    author: Mapped[int]
    visits: Mapped[int]
    score: Mapped[float]
    slug: Mapped[str]


class Comment(Base):
    __tablename__ = "comments"
    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"))
    text: Mapped[str]


class Post(Columns, Base):
    __tablename__ = "posts"
    comments: Mapped[list[Comment]] = relationship(order_by=Comment.id)


class Entry(Columns, Base):
    __tablename__ = "entries"


class Library:
    async def open(self, bench):
        self.engine = engine_of(bench)
        self.session = async_sessionmaker(self.engine, expire_on_commit=False)

    async def close(self):
        await self.engine.dispose()

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
                found.append((await session.scalars(query)).all())
        return found

    async def stream(self, bench):
        total = 0
        async with self.session() as session:
            async for post in await session.stream_scalars(select(Post).execution_options(yield_per=1000)):
                total += post.visits
        return total

    async def insert_one(self, bench):
        keys = []
        for number in insert_one.NUMBERS:
            async with self.session.begin() as session:
                new = Entry(**entry(number))
                session.add(new)
                await session.flush()
                keys.append(new.id)
        return keys

    async def insert_many(self, bench):
        new = [Entry(**entry(number)) for number in range(insert_many.SIZE)]
        async with self.session.begin() as session:
            session.add_all(new)
        return [each.id for each in new]

    async def update_one(self, bench):
        count = 0
        for key in update_one.KEYS:
            async with self.session.begin() as session:
                statement = update(Post).where(Post.id == key).values(visits=key - 1)
                count += (await session.execute(statement)).rowcount
        return count

    async def update_many(self, bench):
        rows = [{"id": key, "visits": key - 1} for key in update_many.KEYS]
        async with self.session.begin() as session:
            await session.run_sync(lambda each: each.bulk_update_mappings(Post, rows))
        return len(rows)

    async def read_related(self, bench):
        found = []
        for author in read_related.AUTHORS:
            query = select(Post).where(Post.author == author).order_by(Post.id).options(selectinload(Post.comments))
            async with self.session() as session:
                found += [(post, post.comments) for post in await session.scalars(query)]
        return found
