"""
The application: settings go in, an ASGI application comes out, which opens database and cache when it starts, and closes
them when it ends. It has no state beside itself; any number of them run side by side.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

import cache_drivers
import gateways
from examples.fastapi_blog import api, pages
from examples.fastapi_blog.documents import first_posts
from examples.fastapi_blog.relations import Blog, Posts
from examples.fastapi_blog.seen import CacheHeader, note
from examples.fastapi_blog.settings import Settings
from examples.fastapi_blog.writing import NoAuthor, NoPost
from mapper import (
    Cache,
    CachePolicy,
    ConstraintViolation,
    InvalidCursor,
    StaleRow,
    constraint_errors,
    select,
)

__all__ = ["State", "create_app"]


class State(TypedDict):
    """What requests have at `request.state`."""

    settings: Settings
    cache: Cache
    blog: Blog


def create_app(settings: Settings) -> FastAPI:
    """Make the application. Nothing is connected before it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[State]:
        del app
        policy = CachePolicy(ttl=settings.ttl, lookup_timeout=settings.lookup_timeout)
        opened = Cache(cache_drivers.open(settings.cache_url), namespace="blog", policy=policy)
        # The one line that knows of both: whatever is read and written through the wrapped gateway goes by the cache.
        async with opened as cache, cache.wrap(gateways.open(settings.database_url)) as gateway:
            stop = cache.subscribe(note)
            blog = Blog(gateway)
            await blog.push_schema()
            if not await select(Posts).exists(blog):
                # Two processes that start at once fill it once.
                await first_posts().commit(blog, once="first posts")
            yield {"settings": settings, "cache": cache, "blog": blog}
            stop()

    app = FastAPI(title="The documents of the Internet", lifespan=lifespan)
    app.add_middleware(CacheHeader)
    app.include_router(pages.router)
    app.include_router(api.router, prefix="/api")
    app.add_exception_handler(NoPost, _absent)
    app.add_exception_handler(NoAuthor, _unknown_author)
    app.add_exception_handler(StaleRow, _edited_meanwhile)
    app.add_exception_handler(ConstraintViolation, _refused)
    app.add_exception_handler(InvalidCursor, _no_page)
    return app


async def _absent(request: Request, error: Exception) -> JSONResponse:
    del request
    return JSONResponse({"detail": f"there is no {error}"}, 404)


async def _unknown_author(request: Request, error: Exception) -> JSONResponse:
    del request, error
    return JSONResponse({"errors": {"author": "does not exist"}}, 422)


async def _edited_meanwhile(request: Request, error: Exception) -> JSONResponse:
    del request, error
    return JSONResponse({"detail": "somebody has edited it meanwhile: read it again"}, 409)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    """Answer what a store refuses with a message for each field: `{"slug": "is taken"}`."""
    del request
    assert isinstance(error, ConstraintViolation)
    return JSONResponse({"errors": constraint_errors(error)}, 422)


async def _no_page(request: Request, error: Exception) -> JSONResponse:
    del request, error
    return JSONResponse({"detail": "no such page: the cursor is damaged"}, 400)
