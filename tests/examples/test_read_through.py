"""
`ReadThrough` over SQLAlchemy, over asyncpg, and over a service by HTTP: the same for all of them, with caches in memory and
with two caches (as two processes have them) over one Redis.
"""

import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Protocol

import anyio
import anyio.lowlevel
import asyncpg
import httpx
import pytest
from fastapi import FastAPI, HTTPException, Query
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

import cache_drivers
from examples.read_through import with_asyncpg, with_http, with_sqlalchemy
from examples.read_through.planet import PLANETS, Planet
from mapper import Cache, CachePolicy
from tests.servers import Redis

pytestmark = pytest.mark.feature("C1")

ROOT = Path(__file__).parent.parent.parent
PATIENCE = CachePolicy(lookup_timeout=5.0)
"""On a busy machine it is to be a hit all the same."""
EARTH, MARS = PLANETS[2], PLANETS[3]
PLUTO = Planet("Pluto", 1188.3, 5)


class Planets(Protocol):
    """What all of the examples have."""

    async def get(self, name: str) -> Planet | None: ...
    async def get_many(self, names: Iterable[str]) -> list[Planet | None]: ...
    async def put(self, planet: Planet) -> None: ...
    async def remove(self, name: str) -> None: ...


Make = Callable[[Cache], Planets]


def service() -> FastAPI:
    """Return the service behind the example for HTTP, with its planets in memory."""
    app = FastAPI()
    stored: dict[str, Planet] = {}

    @app.get("/planets/{name:path}")
    async def one(name: str) -> Planet:
        if name not in stored:
            raise HTTPException(404)
        return stored[name]

    @app.get("/planets")
    async def some(name: Annotated[list[str], Query()]) -> list[Planet]:
        return [stored[each] for each in name if each in stored]

    @app.put("/planets/{name:path}")
    async def put(name: str, planet: Planet) -> None:
        stored[name] = planet

    @app.delete("/planets/{name:path}")
    async def remove(name: str) -> None:
        stored.pop(name, None)

    return app


@pytest.fixture(params=["sqlalchemy", "asyncpg", "http"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the planets are."""
    if request.param == "asyncpg":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite+aiosqlite:///{tmp_path / 'sky.db'}" if request.param == "sqlalchemy" else "http://sky"


@asynccontextmanager
async def source(place: str) -> AsyncGenerator[Make]:
    """Open a source, and give what puts a cache in front of it."""
    if place.startswith("sqlite"):
        engine = create_async_engine(place)
        async with engine.begin() as connection:
            await connection.run_sync(with_sqlalchemy.Tables.metadata.create_all)
        sessions = async_sessionmaker(engine)
        yield lambda cache: with_sqlalchemy.Planets(sessions, cache)
        await engine.dispose()
    elif place.startswith("postgresql"):
        async with asyncpg.create_pool(place, min_size=1, max_size=5) as pool:
            await pool.execute(with_asyncpg.TABLE)
            yield lambda cache: with_asyncpg.Planets(pool, cache)
    else:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(service()), base_url=place) as client:
            yield lambda cache: with_http.Planets(client, cache)


@pytest.fixture
async def make(place: str) -> AsyncIterator[Make]:
    """The source, with all planets in it."""
    async with source(place) as made, Cache(cache_drivers.open("null://"), namespace="x") as nothing:
        for each in PLANETS:
            await made(nothing).put(each)
        yield made


@pytest.fixture(params=["memory", "redis"])
async def caches(request: pytest.FixtureRequest) -> AsyncIterator[list[Cache]]:
    """A cache in memory; or two caches over one Redis."""
    url, count = ("memory://", 1) if request.param == "memory" else (request.getfixturevalue("redis").url, 2)
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(Cache(cache_drivers.open(url), namespace="sky", policy=PATIENCE))
            for _ in range(count)
        ]


async def test_value_is_read_once_and_then_served_by_every_cache(make: Make, caches: list[Cache]):
    every = [make(each) for each in caches]
    assert [await each.get("Earth") for each in every] == [EARTH] * len(every)
    assert await every[-1].get("Earth") == EARTH
    assert sum(each.stats().misses for each in caches) == 1


async def test_many_are_given_in_order_and_only_what_is_missing_is_read(make: Make, caches: list[Cache]):
    planets, cache = make(caches[0]), caches[0]
    await planets.get("Mars")
    assert await planets.get_many(["Mars", "Pluto", "Earth", "Mars"]) == [MARS, None, EARTH, MARS]
    assert (cache.stats().hits, cache.stats().misses) == (1, 3)
    assert await make(caches[-1]).get_many(["Earth", "Mars", "Pluto"]) == [EARTH, MARS, None]
    assert sum(each.stats().misses for each in caches) == 3
    assert await planets.get_many([]) == []


async def test_write_shows_at_once_in_every_cache(make: Make, caches: list[Cache]):
    every = [make(each) for each in caches]
    for each in every:
        assert await each.get("Mars") == MARS
        assert await each.get("Pluto") is None
    changed = Planet("Mars", MARS.radius, 3)
    await every[0].put(changed)
    await every[0].put(PLUTO)
    await every[0].remove("Earth")
    for each in every:
        assert await each.get("Mars") == changed
        assert await each.get_many(["Earth", "Pluto"]) == [None, PLUTO]


async def test_names_of_all_kinds_are_apart(make: Make, caches: list[Cache]):
    planets = make(caches[0])
    named = [Planet(name, 1.0, number) for number, name in enumerate(["a:b", "a", "b c", "ä", "*", "a/b?", "%41"])]
    for each in named:
        await planets.put(each)
    for _ in range(2):
        assert [await planets.get(each.name) for each in named] == named
        assert await planets.get_many([each.name for each in named]) == named


async def test_read_after_an_acknowledged_write_is_never_older(make: Make, caches: list[Cache]):
    every = [make(each) for each in caches]
    acknowledged = 0
    done = False
    reads = 0

    async def write() -> None:
        nonlocal acknowledged, done
        for number in range(1, 61):
            await every[number % len(every)].put(Planet("Mars", 1.0, number))
            acknowledged = number
        done = True

    async def read(planets: Planets, many: bool) -> None:
        nonlocal reads
        while not done:
            least = acknowledged
            found = (await planets.get_many(["Earth", "Mars"]))[1] if many else await planets.get("Mars")
            assert found is not None
            assert least == 0 or found.moons >= least
            reads += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        for each in every:
            for many in (False, True, False):
                group.start_soon(read, each, many)
    assert reads > 60
    for each in every:
        assert await each.get("Mars") == Planet("Mars", 1.0, 60)


async def test_write_that_fails_leaves_what_the_source_has(make: Make, caches: list[Cache]):
    planets = make(caches[0])
    await planets.get("Mars")
    nothing: Any = None
    with pytest.raises((httpx.HTTPStatusError, asyncpg.NotNullViolationError, IntegrityError)):
        await planets.put(Planet("Mars", 1.0, moons=nothing))
    assert await planets.get("Mars") == MARS


async def test_reads_go_on_while_redis_is_away(make: Make, redis: Redis):
    async with Cache(cache_drivers.open(redis.url), namespace="sky", policy=PATIENCE) as cache:
        planets = make(cache)
        await planets.get("Mars")
        redis.kill()
        assert await planets.get("Mars") == MARS
        changed = Planet("Mars", MARS.radius, 3)
        await planets.put(changed)
        assert await planets.get("Mars") == changed
        assert await planets.get_many(["Mars", "Pluto"]) == [changed, None]
        redis.start()
        await cache.drain()
        assert cache.stats().pending == 0
        assert await planets.get("Mars") == changed


async def test_transaction_of_several_rows_shows_all_of_them(postgres_url: str):
    async with (
        asyncpg.create_pool(postgres_url, min_size=1, max_size=2) as pool,
        Cache(cache_drivers.open("memory://"), namespace="sky") as cache,
    ):
        await pool.execute(with_asyncpg.TABLE)
        planets = with_asyncpg.Planets(pool, cache)
        for each in (EARTH, MARS):
            await planets.put(each)
        await planets.get_many(["Earth", "Mars"])
        await planets.discover({"Earth": 1, "Mars": 2})
        assert [each and each.moons for each in await planets.get_many(["Earth", "Mars"])] == [2, 4]


@pytest.mark.feature("C8")
@pytest.mark.parametrize("failure", ["refused", "overloaded"])
async def test_service_that_is_away_is_tried_again_and_then_served_for(failure: str):
    answers: list[Callable[[], Awaitable[httpx.Response]]] = []
    now = 1000.0

    async def good() -> httpx.Response:
        return httpx.Response(200, json={"name": "Mars", "radius": 3396.2, "moons": 2})

    async def bad() -> httpx.Response:
        if failure == "refused":
            raise httpx.ConnectError("refused")
        return httpx.Response(503)

    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200) if request.method == "PUT" else await answers.pop(0)()

    cache = Cache(cache_drivers.open("memory://"), namespace="sky", now=lambda: now)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://sky") as client:
        planets = with_http.Planets(client, cache)
        answers += [bad, good]
        assert await planets.get("Mars") == MARS
        now += 60  # it is not fresh any more
        answers += [bad, bad]
        assert await planets.get("Mars") == MARS
        answers += [bad, bad]
        assert await planets.get_many(["Mars"]) == [MARS]
        await planets.put(MARS)  # what was changed is not served
        answers += [bad, bad]
        with pytest.raises((httpx.ConnectError, with_http.Overloaded)):
            await planets.get("Mars")
        assert answers == []


async def test_hook_of_the_service_has_values_read_anew():
    stored = MARS

    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"name": stored.name, "radius": stored.radius, "moons": stored.moons})

    cache = Cache(cache_drivers.open("memory://"), namespace="sky")
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://sky") as client:
        planets = with_http.Planets(client, cache)
        await planets.get("Mars")
        stored = Planet("Mars", 3396.2, 3)  # past the cache
        assert await planets.get("Mars") == MARS
        await planets.changed("Mars")
        assert await planets.get("Mars") == stored


def test_program_prints_what_it_reads():
    command = [sys.executable, "-W", "error", "-m", "examples.read_through"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.splitlines()
    old, new = ("Planet(name='Saturn', radius=60268.0, moons=146)", "Planet(name='Saturn', radius=60268.0, moons=274)")
    assert printed == [old, old, new, "1 hit, 2 misses"]
