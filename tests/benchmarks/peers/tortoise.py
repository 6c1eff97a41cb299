"""Tortoise ORM."""

import asyncio

from tortoise import Tortoise, fields
from tortoise.models import Model
from tortoise.transactions import in_transaction

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


class Post(Model):
    id = fields.IntField(primary_key=True)
    title = fields.TextField()
    body = fields.TextField()
    author = fields.IntField()
    visits = fields.IntField()
    score = fields.FloatField()
    slug = fields.TextField()
    comments: fields.ReverseRelation["Comment"]

    class Meta:
        table = "posts"


class Comment(Model):
    id = fields.IntField(primary_key=True)
    post = fields.ForeignKeyField("models.Post", related_name="comments")
    text = fields.TextField()

    class Meta:
        table = "comments"


class Entry(Model):
    id = fields.IntField(primary_key=True)
    title = fields.TextField()
    body = fields.TextField()
    author = fields.IntField()
    visits = fields.IntField()
    score = fields.FloatField()
    slug = fields.TextField()

    class Meta:
        table = "entries"


def entry(number):
    return Entry(**dict(zip(COLUMNS, entry_values(number), strict=True)))


class Library:
    async def open(self, bench):
        if bench.database == "sqlite":
            url = f"sqlite://{bench.url}?journal_mode=WAL&synchronous=NORMAL"
        else:
            url = bench.url.replace("postgresql://", "asyncpg://")
            url += f"{'&' if '?' in url else '?'}minsize=1&maxsize={read_one.CONNECTIONS}"
        await Tortoise.init(db_url=url, modules={"models": [__name__]})

    async def close(self):
        await Tortoise.close_connections()

    async def read_one(self, bench, keys=read_one.KEYS):
        return [await Post.get(id=key) for key in keys]

    async def read_one_by_tasks(self, bench):
        parts = await asyncio.gather(*[self.read_one(bench, keys) for keys in read_one.parts()])
        return [each for part in parts for each in part]

    async def read_list(self, bench):
        return [await Post.filter(author=each).order_by("id").limit(BY_AUTHOR) for each in read_list.AUTHORS]

    async def stream(self, bench):
        total = 0
        async for post in Post.all():
            total += post.visits
        return total

    async def insert_one(self, bench):
        keys = []
        for number in insert_one.NUMBERS:
            new = entry(number)
            await new.save()
            keys.append(new.id)
        return keys

    async def insert_many(self, bench):
        """It tells no keys."""
        new = [entry(number) for number in range(insert_many.SIZE)]
        async with in_transaction():
            await Entry.bulk_create(new)
        return [None] * len(new)

    async def update_one(self, bench):
        counts = [await Post.filter(id=key).update(visits=key - 1) for key in update_one.KEYS]
        return sum(counts)

    async def update_many(self, bench):
        rows = [Post(id=key, visits=key - 1) for key in update_many.KEYS]
        async with in_transaction():
            await Post.bulk_update(rows, fields=["visits"])
        return len(rows)

    async def read_related(self, bench):
        found = []
        for author in read_related.AUTHORS:
            owners = await Post.filter(author=author).order_by("id").prefetch_related("comments")
            found += [(post, list(post.comments)) for post in owners]
        return found
