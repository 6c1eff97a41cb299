"""Django, by the asynchronous methods of its query sets, which hand all work to one thread with one connection."""

import asyncio
from urllib.parse import unquote, urlsplit

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections, models

from tests.benchmarks.subject import BY_AUTHOR, COLUMNS, entry_values
from tests.benchmarks.workloads import insert_many, insert_one, read_list, read_one

if not settings.configured:
    settings.configure(USE_TZ=True)
    django.setup()


class Columns(models.Model):
    id = models.BigAutoField(primary_key=True)
    title = models.TextField()
    body = models.TextField()
    author = models.BigIntegerField()
    visits = models.BigIntegerField()
    score = models.FloatField()
    slug = models.TextField()

    class Meta:
        abstract = True
        app_label = "benchmarks"


class Post(Columns):
    class Meta(Columns.Meta):
        abstract = False
        db_table = "posts"


class Entry(Columns):
    class Meta(Columns.Meta):
        abstract = False
        db_table = "entries"


def place_of(bench):
    if bench.database == "sqlite":
        pragma = {"init_command": "PRAGMA synchronous = NORMAL"}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": bench.url, "OPTIONS": pragma}
    place = urlsplit(bench.url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": place.path.lstrip("/"),
        "HOST": place.hostname,
        "PORT": place.port,
        "USER": unquote(place.username or ""),
        "PASSWORD": unquote(place.password or ""),
    }


def entry(number):
    return dict(zip(COLUMNS, entry_values(number), strict=True))


class Library:
    async def open(self, bench):
        connections.settings = connections.configure_settings({"default": place_of(bench)})

    async def close(self):
        await sync_to_async(self._forget)()

    def _forget(self):
        connections["default"].close()
        del connections["default"]

    async def read_one(self, bench, keys=read_one.KEYS):
        return [await Post.objects.aget(pk=key) for key in keys]

    async def read_one_by_tasks(self, bench):
        parts = await asyncio.gather(*[self.read_one(bench, keys) for keys in read_one.parts()])
        return [each for part in parts for each in part]

    async def read_list(self, bench):
        return [
            [each async for each in Post.objects.filter(author=author).order_by("id")[:BY_AUTHOR]]
            for author in read_list.AUTHORS
        ]

    async def insert_one(self, bench):
        return [(await Entry.objects.acreate(**entry(number))).pk for number in insert_one.NUMBERS]

    async def insert_many(self, bench):
        new = [Entry(**entry(number)) for number in range(insert_many.SIZE)]
        return [each.pk for each in await Entry.objects.abulk_create(new)]
