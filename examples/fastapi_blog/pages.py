"""The blog as HTML: the list, a post, an author, the counts of the cache."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from examples.fastapi_blog.dependencies import After, Before, BlogOf, CacheOf, SettingsOf, found
from examples.fastapi_blog.queries import author_page, headlines, post_page
from examples.fastapi_blog.seen import seen

__all__ = ["router"]

router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)
templates = Jinja2Templates(Path(__file__).parent / "templates")


def _page(request: Request, name: str, **values: Any) -> HTMLResponse:
    return templates.TemplateResponse(request, f"{name}.html", {**values, "seen": seen()})


@router.get("/")
async def list_page(
    request: Request, blog: BlogOf, settings: SettingsOf, after: After = None, before: Before = None
) -> HTMLResponse:
    page = await headlines(blog, size=settings.page_size, after=after, before=before)
    return _page(request, "list", page=page)


@router.get("/posts/{slug}")
async def one_page(request: Request, slug: str, blog: BlogOf) -> HTMLResponse:
    return _page(request, "post", page=found(await post_page(slug).first(blog)))


@router.get("/authors/{slug}")
async def posts_of_author(request: Request, slug: str, blog: BlogOf) -> HTMLResponse:
    return _page(request, "author", page=found(await author_page(slug).first(blog)))


@router.get("/cache")
async def counts_page(request: Request, cache: CacheOf) -> HTMLResponse:
    return _page(request, "cache", cache=cache, stats=cache.stats())
