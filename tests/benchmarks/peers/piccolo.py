"""Piccolo. With SQLite it opens a connection for each statement, on which no pragma can be set."""

import asyncio

from piccolo.columns import BigInt, DoublePrecision, Text
from piccolo.columns.column_types import Serial
from piccolo.engine.postgres import PostgresEngine
from piccolo.engine.sqlite import SQLiteEngine
from piccolo.table import Table

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


class Posts(Table, tablename="posts"):
    id = Serial(primary_key=True)
    title = Text()
    body = Text()
    author = BigInt()
    visits = BigInt()
    score = DoublePrecision()
    slug = Text()


class Comments(Table, tablename="comments"):
    id = Serial(primary_key=True)
    post_id = BigInt()
    text = Text()


class Entries(Table, tablename="entries"):
    id = Serial(primary_key=True)
    title = Text()
    body = Text()
    author = BigInt()
    visits = BigInt()
    score = DoublePrecision()
    slug = Text()


def entry(number):
    return Entries(**dict(zip(COLUMNS, entry_values(number), strict=True)))


class Library:
    async def open(self, bench):
        if bench.database == "sqlite":
            self.engine = SQLiteEngine(path=bench.url)
        else:
            self.engine = PostgresEngine(config={"dsn": bench.url}, extensions=())
            await self.engine.start_connection_pool(min_size=1, max_size=read_one.CONNECTIONS)
        for each in (Posts, Comments, Entries):
            each._meta._db = self.engine
        self.pooled = bench.database == "postgres"

    async def close(self):
        if self.pooled:
            await self.engine.close_connection_pool()

    async def read_one(self, bench, keys=read_one.KEYS):
        return [await Posts.objects().get(Posts.id == key) for key in keys]

    async def read_one_by_tasks(self, bench):
        parts = await asyncio.gather(*[self.read_one(bench, keys) for keys in read_one.parts()])
        return [each for part in parts for each in part]

    async def read_list(self, bench):
        return [
            await Posts.objects().where(Posts.author == each).order_by(Posts.id).limit(BY_AUTHOR)
            for each in read_list.AUTHORS
        ]

    async def stream(self, bench):
        total = 0
        async with await Posts.objects().batch(batch_size=1000) as batches:
            async for batch in batches:
                total += sum([post.visits for post in batch])
        return total

    async def insert_one(self, bench):
        keys = []
        for number in insert_one.NUMBERS:
            new = entry(number)
            await new.save()
            keys.append(new.id)
        return keys

    async def insert_many(self, bench):
        new, keys = [entry(number) for number in range(insert_many.SIZE)], []
        async with self.engine.transaction():
            for start in range(0, len(new), 1000):
                rows = await Entries.insert(*new[start : start + 1000])
                keys += [row["id"] for row in rows]
        return keys

    async def update_one(self, bench):
        count = 0
        for key in update_one.KEYS:
            await Posts.update({Posts.visits: key - 1}).where(Posts.id == key)
            count += 1
        return count

    async def update_many(self, bench):
        async with self.engine.transaction():
            for key in update_many.KEYS:
                await Posts.update({Posts.visits: key - 1}).where(Posts.id == key)
        return len(update_many.KEYS)

    async def read_related(self, bench):
        found = []
        for author in read_related.AUTHORS:
            owners = await Posts.objects().where(Posts.author == author).order_by(Posts.id)
            below = {owner.id: [] for owner in owners}
            for row in await Comments.objects().where(Comments.post_id.is_in(list(below))).order_by(Comments.id):
                below[row.post_id].append(row)
            found += [(owner, below[owner.id]) for owner in owners]
        return found
