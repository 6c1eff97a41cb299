"""peewee, with its own asynchronous databases. A task keeps its connection to its end."""

import asyncio
from urllib.parse import unquote, urlsplit

from peewee import BigAutoField, BigIntegerField, DoubleField, TextField
from playhouse.pwasyncio import AsyncModel, AsyncPostgresqlDatabase, AsyncSqliteDatabase

from tests.benchmarks.subject import BY_AUTHOR, COLUMNS, entry_values
from tests.benchmarks.workloads import insert_many, insert_one, read_list, read_one


class Columns(AsyncModel):
    id = BigAutoField()
    title = TextField()
    body = TextField()
    author = BigIntegerField()
    visits = BigIntegerField()
    score = DoubleField()
    slug = TextField()


class Post(Columns):
    class Meta:
        table_name = "posts"


class Entry(Columns):
    class Meta:
        table_name = "entries"


def entry(number):
    return dict(zip(COLUMNS, entry_values(number), strict=True))


class Library:
    async def open(self, bench):
        if bench.database == "sqlite":
            self.database = AsyncSqliteDatabase(bench.url, pragmas={"journal_mode": "wal", "synchronous": "normal"})
        else:
            place = urlsplit(bench.url)
            self.database = AsyncPostgresqlDatabase(
                place.path.lstrip("/"),
                host=place.hostname,
                port=place.port,
                user=unquote(place.username or ""),
                password=unquote(place.password or "") or None,
                pool_size=read_one.CONNECTIONS,
            )
        self.database.bind([Post, Entry])

    async def close(self):
        await self.database.close_pool()

    async def read_one(self, bench, keys=read_one.KEYS):
        return [await Post.aget_by_id(key) for key in keys]

    async def read_one_by_tasks(self, bench):
        parts = await asyncio.gather(*[self.read_one(bench, keys) for keys in read_one.parts()])
        return [each for part in parts for each in part]

    async def read_list(self, bench):
        return [
            await self.database.list(Post.select().where(Post.author == author).order_by(Post.id).limit(BY_AUTHOR))
            for author in read_list.AUTHORS
        ]

    async def insert_one(self, bench):
        return [(await Entry.acreate(**entry(number))).id for number in insert_one.NUMBERS]

    async def insert_many(self, bench):
        """It tells no keys with SQLite."""
        new = [Entry(**entry(number)) for number in range(insert_many.SIZE)]
        async with self.database.atomic():
            await Entry.abulk_create(new, batch_size=1000)
        return [each.id for each in new]
