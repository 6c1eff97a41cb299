"""The blog over HTTP: on SQLite with a cache in memory, and on PostgreSQL with Redis."""

import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.types import Receive, Scope, Send

from examples.fastapi_blog.app import create_app
from examples.fastapi_blog.documents import DOCUMENTS
from examples.fastapi_blog.settings import Settings
from tests.servers import Redis
from tests.servers.process import environment, free_port

pytestmark = pytest.mark.feature("C9")

ROOT = Path(__file__).parent.parent.parent
READY_SECONDS = 20.0
PATIENCE = 5.0
"""Seconds that a read waits for the cache: on a busy machine it is to be a hit all the same."""
POST = {"slug": "on-caches", "title": "On caches", "body": "They tell the truth.", "author": "postel"}


@asynccontextmanager
async def serving(settings: Settings) -> AsyncGenerator[httpx.AsyncClient]:
    """Start the application in this process, and give a client for it."""
    app = create_app(settings)
    async with app.router.lifespan_context(app) as state:

        async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(asgi), base_url="http://blog") as client:
            yield client


@pytest.fixture(params=["sqlite, memory", "sqlite, redis", "postgres, redis"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    database, cache = request.param.split(", ")
    redis: Redis | None = request.getfixturevalue("redis") if cache == "redis" else None
    return Settings(
        request.getfixturevalue("postgres_url") if database == "postgres" else f"sqlite:///{tmp_path / 'blog.db'}",
        redis.url if redis else "memory://",
        lookup_timeout=PATIENCE,
    )


@pytest.fixture
def shared(redis: Redis, postgres_url: str) -> Settings:
    """PostgreSQL and a Redis that the test may kill."""
    return Settings(postgres_url, redis.url, lookup_timeout=PATIENCE)


@pytest.fixture
async def blog(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(settings) as client:
        yield client


async def read(client: httpx.AsyncClient, url: str) -> tuple[str, Any]:
    """Return the header, and the JSON or the text."""
    answer = await client.get(url)
    assert answer.status_code == 200, answer.text
    is_json = answer.headers["content-type"] == "application/json"
    return answer.headers["x-cache"], answer.json() if is_json else answer.text


async def warm(client: httpx.AsyncClient, url: str) -> Any:
    """Read a page until it comes from the cache, and return it: a result is kept behind the answer, or before it."""
    with anyio.fail_after(10):
        while True:
            word, page = await read(client, url)
            if word == "hit":
                return page


@pytest.mark.parametrize(
    "url", ["/", "/posts/rfc-793", "/authors/postel", "/api/posts", "/api/posts/rfc-793", "/api/authors/postel"]
)
async def test_page_read_again_is_a_hit_and_the_same(blog: httpx.AsyncClient, url: str):
    word, first = await read(blog, url)
    again = await warm(blog, url)
    assert word == "miss"
    if not url.startswith("/api"):
        assert ('class="miss">miss' in first, 'class="hit">hit' in again) == (True, True)
        first, again = first.partition("<footer>")[0], again.partition("<footer>")[0]
    assert again == first


async def test_list_goes_from_page_to_page_and_back(blog: httpx.AsyncClient):
    seen: list[str] = []
    url: str | None = "/api/posts?size=10"
    last: dict[str, Any] = {}
    while url is not None:
        _, last = await read(blog, url)
        seen += [each["slug"] for each in last["items"]]
        url = last["next"] and f"/api/posts?size=10&after={last['next']}"
    newest_first = sorted(DOCUMENTS, key=lambda each: (each.year, each.month), reverse=True)
    assert (len(seen), set(seen)) == (len(DOCUMENTS), {f"rfc-{each.number}" for each in DOCUMENTS})
    assert seen[-1] == f"rfc-{newest_first[-1].number}"
    _, before = await read(blog, f"/api/posts?size=10&before={last['previous']}")
    assert [each["slug"] for each in before["items"]] == seen[20:30]


async def test_cursor_that_is_damaged_is_refused(blog: httpx.AsyncClient):
    assert (await blog.get("/?after=nonsense")).status_code == 400


async def test_post_with_its_author_and_comments(blog: httpx.AsyncClient):
    _, page = await read(blog, "/api/posts/rfc-2068")
    assert page == {
        "post": {
            "slug": "rfc-2068",
            "title": "RFC 2068: Hypertext Transfer Protocol: HTTP/1.1",
            "body": "Hosts, chunks and ranges.",
            "published": "1997-01-01",
        },
        "version": 1,
        "author": {"slug": "fielding", "name": "R. Fielding"},
        "comments": [{"name": "the editor", "text": "RFC 2616 has taken its place."}],
    }


@pytest.mark.parametrize("url", ["/posts/none", "/authors/none", "/api/posts/none", "/api/authors/none"])
async def test_what_is_not_there_is_404_and_a_hit_the_second_time(blog: httpx.AsyncClient, url: str):
    first = await blog.get(url)
    second = await blog.get(url)
    assert (first.status_code, second.status_code) == (404, 404)
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("miss", "hit")


async def test_new_post_shows_on_every_page_that_was_cached(blog: httpx.AsyncClient):
    pages = ["/", "/authors/postel", "/api/posts", "/api/authors/postel"]
    for each in pages:
        await warm(blog, each)
    assert (await blog.get("/api/posts/on-caches")).status_code == 404
    answer = await blog.post("/api/posts", json=POST)
    assert (answer.status_code, answer.headers["location"]) == (201, "/api/posts/on-caches")
    for each in pages:
        assert "on-caches" in str((await read(blog, each))[1])
    assert (await read(blog, answer.headers["location"]))[1]["post"]["title"] == "On caches"


async def test_slug_that_is_taken_is_422_with_a_message_for_the_field(blog: httpx.AsyncClient):
    answer = await blog.post("/api/posts", json={**POST, "slug": "rfc-793"})
    assert (answer.status_code, answer.json()) == (422, {"errors": {"slug": "is taken"}})


async def test_author_that_is_not_there_is_422(blog: httpx.AsyncClient):
    answer = await blog.post("/api/posts", json={**POST, "author": "nobody"})
    assert (answer.status_code, answer.json()) == (422, {"errors": {"author": "does not exist"}})


async def test_new_comment_shows_at_once(blog: httpx.AsyncClient):
    await warm(blog, "/posts/rfc-768")
    comment = {"name": "<b>ann</b>", "text": "three pages & no more"}
    answer = await blog.post("/api/posts/rfc-768/comments", json=comment)
    assert answer.json()["comments"] == [comment]
    _, page = await read(blog, "/posts/rfc-768")
    assert "three pages &amp; no more" in page
    assert "<b>ann" not in page


async def test_comment_on_what_is_not_there_is_404(blog: httpx.AsyncClient):
    answer = await blog.post("/api/posts/none/comments", json={"name": "ann", "text": "hello"})
    assert answer.status_code == 404


async def test_edit_shows_at_once_and_a_second_of_the_same_version_is_409(blog: httpx.AsyncClient):
    version = (await warm(blog, "/api/posts/rfc-1149"))["version"]
    edited = {"title": "Pigeons", "body": "Faster than one thinks.", "version": version}
    first = await blog.put("/api/posts/rfc-1149", json=edited)
    second = await blog.put("/api/posts/rfc-1149", json={**edited, "title": "Doves"})
    assert (first.status_code, second.status_code) == (200, 409)
    _, page = await read(blog, "/api/posts/rfc-1149")
    assert (page["post"]["title"], page["version"]) == ("Pigeons", version + 1)
    assert "Pigeons" in (await read(blog, "/authors/waitzman"))[1]


async def test_deleted_post_is_gone_with_its_comments(blog: httpx.AsyncClient):
    await warm(blog, "/posts/rfc-793")
    assert (await blog.delete("/api/posts/rfc-793")).status_code == 204
    assert (await blog.get("/posts/rfc-793")).status_code == 404
    assert (await blog.delete("/api/posts/rfc-793")).status_code == 404


async def test_page_of_the_cache_has_the_counts(blog: httpx.AsyncClient):
    await warm(blog, "/posts/rfc-793")
    _, counts = await read(blog, "/api/cache")
    assert counts["hit"] >= 3
    assert counts["miss"] >= 3
    word, page = await read(blog, "/cache")
    assert (word, "of the reads were served from" in page) == ("none", True)


async def test_requests_at_once_have_counts_of_their_own(blog: httpx.AsyncClient):
    await warm(blog, "/posts/rfc-793")
    reads: dict[str, str] = {}

    async def ask(url: str) -> None:
        reads[url] = (await blog.get(url)).headers["x-cache-reads"]

    async with anyio.create_task_group() as group:
        for each in ("/posts/rfc-793", "/authors/fielding", "/cache"):
            group.start_soon(ask, each)
    assert reads == {
        "/posts/rfc-793": "hits=3, misses=0",
        "/authors/fielding": "hits=0, misses=2",
        "/cache": "hits=0, misses=0",
    }


async def test_write_shows_in_another_application_that_shares_the_cache(shared: Settings):
    async with serving(shared) as one, serving(shared) as other:
        for number in range(20):
            await warm(other, "/posts/rfc-768")
            await one.post("/api/posts/rfc-768/comments", json={"name": "ann", "text": f"comment {number}"})
            assert f"comment {number} " in (await read(other, "/posts/rfc-768"))[1]


async def test_page_read_by_one_application_is_a_hit_in_another(shared: Settings):
    async with serving(shared) as one, serving(shared) as other:
        await warm(one, "/posts/rfc-768")
        assert (await read(other, "/posts/rfc-768"))[0] == "hit"


async def test_pages_and_writes_work_while_redis_is_killed_and_back(shared: Settings, redis: Redis):
    async with serving(shared) as one, serving(shared) as other:
        await warm(one, "/posts/rfc-768")
        redis.kill()
        for number in range(3):
            word, _ = await read(one, "/posts/rfc-768")
            assert word == "miss"
            answer = await one.post("/api/posts/rfc-768/comments", json={"name": "ann", "text": f"down {number}"})
            assert answer.status_code == 201
            for each in (one, other):
                assert f"down {number} " in (await read(each, "/posts/rfc-768"))[1]
        redis.start()
        for each in (one, other):
            assert "down 2 " in await warm(each, "/posts/rfc-768")


# -- as a program ------------------------------------------------------------------------------------------------------


@contextmanager
def program(settings: Settings) -> Generator[str]:
    """Run the blog as a process, and give its URL."""
    port = free_port()
    more = {
        "BLOG_DATABASE_URL": settings.database_url,
        "BLOG_CACHE_URL": settings.cache_url,
        "PYTHONPATH": str(ROOT),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "examples.fastapi_blog", str(port)],
        env=environment(more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + READY_SECONDS
        while True:
            try:
                httpx.get(f"{url}/cache", timeout=1)
                break
            except httpx.TransportError:
                assert process.poll() is None, process.communicate()[0].decode()
                assert time.monotonic() < until, "it does not answer"
                time.sleep(0.05)
        yield url
        process.terminate()
        output = process.communicate(timeout=READY_SECONDS)[0].decode()
        assert "Traceback" not in output, output
    finally:
        process.kill()
        process.communicate()


def test_two_processes_show_the_writes_of_each_other(shared: Settings):
    with program(shared) as one, program(shared) as other, httpx.Client() as client:
        for url in (one, other):
            client.get(f"{url}/api/posts/rfc-768")
        assert "hit" in [client.get(f"{other}/api/posts/rfc-768").headers["x-cache"] for _ in range(3)]
        for number in range(10):
            writing, reading = (one, other) if number % 2 else (other, one)
            comment = {"name": "ann", "text": f"comment {number}"}
            assert client.post(f"{writing}/api/posts/rfc-768/comments", json=comment).status_code == 201
            assert client.get(f"{reading}/api/posts/rfc-768").json()["comments"][-1] == comment
        assert len(client.get(f"{one}/api/posts?size=100").json()["items"]) == len(DOCUMENTS)
