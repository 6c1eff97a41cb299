"""Caching: what `cached` keeps of a query's and a repository's types, and what a cache takes."""

from datetime import timedelta
from typing import reveal_type

import attrs

from cache_drivers.memory import MemoryDriver
from gateways.memory import MemoryGateway
from mapper import Cache, CachePolicy, Column, ReadThrough, Relation, Repository, column, select


@attrs.frozen
class Post:
    title: str


@attrs.frozen
class Comment:
    text: str


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]


class Comments(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    text: Column[str]


class Blog(Repository[Posts]): ...


class Both(Repository[Posts | Comments]): ...


async def queries(blog: Blog, both: Both) -> None:
    titles = select(Posts.title)
    reveal_type(titles.cached(ttl=5))  # revealed: Query[str, Posts]
    reveal_type(await titles.cached(mode="only").all(blog))  # revealed: list[str]
    reveal_type(await titles.cached(ttl=timedelta(minutes=1), tags=["front"]).first(blog))  # revealed: str | None
    titles.cached(mode="never")  # error
    titles.cached(tll=5)  # error
    titles.cached(ttl="5")  # error

    view = blog.cached(ttl=60)
    reveal_type(view)  # revealed: CachedView[Posts]
    reveal_type(await titles.all(view))  # revealed: list[str]
    reveal_type(await titles.count(both.cached()))  # revealed: int
    await select(Comments.text).all(view)  # error
    view.transaction()  # error
    view.load  # error
    view.run  # error
    view.push_schema  # error


async def caches(blog: Blog) -> None:
    cache = Cache(MemoryDriver(), namespace="shop", policies={Posts: CachePolicy(ttl=5), Comments: None})
    blog.using(cache.wrap(MemoryGateway()))
    await cache.invalidate(Posts, key=3)
    await cache.invalidate(tag="front")
    async with cache.changing(Posts, Comments):
        pass
    Cache(MemoryDriver())  # error
    Cache("redis://localhost", namespace="shop")  # error
    Cache(MemoryDriver(), namespace="shop", invalidation="sometimes")  # error
    Cache(MemoryDriver(), namespace="shop", on_invalidation_failure="ignore")  # error
    Cache(MemoryDriver(), namespace="shop", policy=60)  # error
    CachePolicy(60)
    CachePolicy(60, 5)  # error
    reveal_type(cache.stats().hit_ratio)  # revealed: float


async def load(key: int) -> Post | None:
    return Post(str(key))


async def sources(cache: Cache) -> None:
    posts = ReadThrough(cache, prefix="post", fetch=load)
    reveal_type(posts)  # revealed: ReadThrough[int, Post]
    reveal_type(await posts.get(1))  # revealed: Post | None
    reveal_type(await posts.get_many([1, 2]))  # revealed: list[Post | None]
    await posts.get("1")  # error
    await posts.invalidate(1, Post("2"))
    async with posts.changing(1):
        pass
