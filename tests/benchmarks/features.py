"""
What features cost where they are off, or have nothing to do: a part of `./run bench growth`.

A database goes in; a `Counted` for each feature comes out: how many functions of ours an operation calls without it, and
how many beside it. Such counts are exact: the speed of the machine has no say in them.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import attrs

from cache_drivers.memory import MemoryDriver
from gateways.postgres import PostgresGateway
from mapper import Cache, CachePolicy, Column, Relation, Repository, column, select
from mapper.gateway import Gateway
from tests.benchmarks.subject import Blog, Entries, Entry, Post, Posts, entry_values
from tests.benchmarks.workload import Bench
from tests.performance.measuring import Work, calls

__all__ = ["Counted", "counted", "table"]

NONE: Final = 0

VERSION: Final = 2
"""Calls that an insert has more where a version is put beside what it was given."""

UNMERGED: Final = 4
"""Calls by which a read is found not to be one that can be merged."""

WRAPPED: Final = 10
"""Calls of a gateway around another one, which counts what it passes on; a tenth above what they were."""

MARKED: Final = 66
"""Calls by which a commit tells the cache what it changes, whoever keeps it; a tenth above, too."""

ASIDE: Final = 38
"""Calls of a read that says in its query that the cache is to be left aside, and is found to say so."""


@attrs.frozen(kw_only=True)
class Counted:
    """
    Calls of functions of ours.

    Attributes:
        without: What an operation calls where there is no such feature.
        beside: What it calls beside the feature.
        most: What it may call more.
    """

    title: str
    without: int
    beside: int
    most: int

    @property
    def more(self) -> int:
        return self.beside - self.without

    @property
    def met(self) -> bool:
        return self.more <= self.most


def table(found: Sequence[Counted]) -> list[str]:
    """Return a line for each."""
    width = max([len(each.title) for each in found])
    return [
        f"{each.title.ljust(width)}  {each.without} calls, {each.beside} beside it: {each.more} more (at most {each.most}):"
        f" {'met' if each.met else 'MISSED'}"
        for each in found
    ]


class Versions(Relation[Entry]):
    """As `Entries`, with a version of each row."""

    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str]
    author: Column[int]
    visits: Column[int]
    score: Column[float]
    slug: Column[str]
    version: Column[int] = column(version=True)


class Versioned(Repository[Versions]): ...


# -- operations --------------------------------------------------------------------------------------------------------


async def _read(blog: Blog) -> None:
    assert await select(Post).from_(Posts).find(1).execute(blog) is not None


async def _read_aside(blog: Blog) -> None:
    assert await select(Post).from_(Posts).find(1).cached(mode="off").execute(blog) is not None


async def _read_list(blog: Blog) -> None:
    assert await select(Post).from_(Posts).where(Posts.author == 0).limit(5).all(blog)


async def _commit(repository: Any, relation: Any = Entries) -> None:
    changes = type(repository).change()
    changes.inserts(relation).push(Entry(*entry_values(1)))
    assert (await changes.commit(repository)).inserted == 1


async def _find(repository: Any, relation: Any, key: Any) -> None:
    assert await select(Entry).from_(relation).find(key).execute(repository) is not None


# -- counting ----------------------------------------------------------------------------------------------------------


async def counted(bench: Bench) -> list[Counted]:
    """Count for each feature that the database has."""
    blog = bench.blog
    read, commit = await calls(partial(_read, blog)), await calls(partial(_commit, blog))
    end = bench.gateway.subscribe(lambda event: None)
    end()
    found = [
        await _of("read, somebody listened before", read, partial(_read, blog), NONE),
        await _of("commit, somebody listened before", commit, partial(_commit, blog), NONE),
    ]
    async with blog.sandbox() as inner:
        await _commit(inner)
    found.append(await _of("commit, there was a sandbox before", commit, partial(_commit, blog), NONE))
    found += await _of_versions(bench)
    found += await _of_caches(bench.gateway, read, commit)
    if bench.database == "postgres":
        found += await _of_settings(bench, read)
    return [attrs.evolve(each, title=f"{each.title}, on {bench.database}") for each in found]


async def _of(title: str, without: int, work: Work, most: int) -> Counted:
    return Counted(title=title, without=without, beside=await calls(work), most=most)


async def _of_versions(bench: Bench) -> list[Counted]:
    """A relation with versions, which are asked for by updates alone."""
    versioned = Versioned(bench.gateway)
    await versioned.push_schema()
    found = []
    commit = partial(_commit, versioned, Versions)
    plain = await calls(partial(_commit, bench.blog))
    found.append(await _of("commit of an insert, rows have versions", plain, commit, VERSION))
    ours = await select(Entries.id).order_by(Entries.id).first(bench.blog)
    theirs = await select(Versions.id).order_by(Versions.id).first(versioned)
    without = await calls(partial(_find, bench.blog, Entries, ours))
    found.append(await _of("read, rows have versions", without, partial(_find, versioned, Versions, theirs), NONE))
    return found


async def _of_caches(gateway: Gateway, read: int, commit: int) -> list[Counted]:
    """A cache that keeps nothing, and one that a query leaves aside."""
    idle = Blog(Cache(MemoryDriver(), namespace="idle", policy=None).wrap(gateway))
    keeping = Blog(Cache(MemoryDriver(), namespace="keeping", policy=CachePolicy(ttl=3600)).wrap(gateway))
    return [
        await _of("read, a cache that keeps nothing", read, partial(_read, idle), WRAPPED),
        await _of("commit, a cache that keeps nothing", commit, partial(_commit, idle), MARKED),
        await _of("read, a query that leaves the cache aside", read, partial(_read_aside, keeping), ASIDE),
    ]


async def _of_settings(bench: Bench, read: int) -> list[Counted]:
    """Settings of the connection, and merging where there is nothing to be merged."""
    found = []
    several = await calls(partial(_read_list, bench.blog))
    settings: list[tuple[str, dict[str, Any], Callable[[Blog], Any], int, int]] = [
        ("read, with a statement_timeout", {"statement_timeout": 30.0}, _read, read, NONE),
        ("read, with an application_name", {"application_name": "bench"}, _read, read, NONE),
        ("read, with a search_path", {"search_path": "public"}, _read, read, NONE),
        ("list, with merging of reads by key", {"merge_point_reads": True}, _read_list, several, UNMERGED),
    ]
    for title, given, work, without, most in settings:
        async with _opened(bench.url, given) as blog:
            found.append(await _of(title, without, partial(work, blog), most))
    return found


@asynccontextmanager
async def _opened(url: str, settings: dict[str, Any]) -> AsyncGenerator[Blog]:
    async with PostgresGateway(url, **settings) as gateway:
        yield Blog(gateway)
