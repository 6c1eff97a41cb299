"""psycopg, with its pool, and objects of its row factory. It is a driver of PostgreSQL."""

import asyncio

from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from tests.benchmarks.subject import BY_AUTHOR, Post, entry_values
from tests.benchmarks.workloads import insert_many, insert_one, read_list, read_one

ONE = "SELECT id, title, body, author, visits, score, slug FROM posts WHERE id = %s"
LIST = "SELECT id, title, body, author, visits, score, slug FROM posts WHERE author = %s ORDER BY id LIMIT %s"
NEW = "INSERT INTO entries (title, body, author, visits, score, slug) VALUES (%s, %s, %s, %s, %s, %s) RETURNING id"


class Library:
    databases = ("postgres",)

    async def open(self, bench):
        self.pool = AsyncConnectionPool(bench.url, min_size=1, max_size=read_one.CONNECTIONS, open=False)
        await self.pool.open()

    async def close(self):
        await self.pool.close()

    async def read_one(self, bench, keys=read_one.KEYS):
        found = []
        for key in keys:
            async with self.pool.connection() as connection, connection.cursor(row_factory=class_row(Post)) as cursor:
                await cursor.execute(ONE, (key,))
                found.append(await cursor.fetchone())
        return found

    async def read_one_by_tasks(self, bench):
        parts = await asyncio.gather(*[self.read_one(bench, keys) for keys in read_one.parts()])
        return [each for part in parts for each in part]

    async def read_list(self, bench):
        found = []
        for author in read_list.AUTHORS:
            async with self.pool.connection() as connection, connection.cursor(row_factory=class_row(Post)) as cursor:
                await cursor.execute(LIST, (author, BY_AUTHOR))
                found.append(await cursor.fetchall())
        return found

    async def insert_one(self, bench):
        keys = []
        for number in insert_one.NUMBERS:
            async with self.pool.connection() as connection:
                cursor = await connection.execute(NEW, entry_values(number))
                keys.append((await cursor.fetchone())[0])
        return keys

    async def insert_many(self, bench):
        rows, keys = [entry_values(number) for number in range(insert_many.SIZE)], []
        async with self.pool.connection() as connection, connection.cursor() as cursor:
            await cursor.executemany(NEW, rows, returning=True)
            while True:
                keys.append((await cursor.fetchone())[0])
                if not cursor.nextset():
                    return keys
