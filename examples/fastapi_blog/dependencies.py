"""What routes ask for: `blog: BlogOf`; and what they answer where there is nothing."""

from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, HTTPException, Query, Request

from examples.fastapi_blog.relations import Blog
from examples.fastapi_blog.settings import Settings
from mapper import Cache

__all__ = ["After", "Before", "BlogOf", "CacheOf", "SettingsOf", "found"]

T = TypeVar("T")


async def _blog(request: Request) -> Blog:
    return cast("Any", request.state).blog  # type: ignore[no-any-return]  # see `app.State`


async def _cache(request: Request) -> Cache:
    return cast("Any", request.state).cache  # type: ignore[no-any-return]  # see `app.State`


async def _settings(request: Request) -> Settings:
    return cast("Any", request.state).settings  # type: ignore[no-any-return]  # see `app.State`


BlogOf = Annotated[Blog, Depends(_blog)]
CacheOf = Annotated[Cache, Depends(_cache)]
SettingsOf = Annotated[Settings, Depends(_settings)]
After = Annotated[str | None, Query(description="the cursor of the page before this one")]
Before = Annotated[str | None, Query(description="the cursor of the page behind this one")]


def found(value: T | None) -> T:
    """
    Return what was found.

    Raises:
        HTTPException: Nothing was: 404.
    """
    if value is None:
        raise HTTPException(404, "there is nothing here")
    return value
