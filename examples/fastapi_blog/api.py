"""The blog as JSON: `/api/posts` and what is below it."""

from dataclasses import dataclass
from typing import Annotated, Self

from fastapi import APIRouter, Response
from fastapi import Query as Parameter

from examples.fastapi_blog import writing
from examples.fastapi_blog.dependencies import After, Before, BlogOf, CacheOf, found
from examples.fastapi_blog.queries import AuthorPage, Headline, PostPage, author_page, headlines, post_page
from examples.fastapi_blog.writing import EditedPost, NewComment, NewPost
from mapper import Page

__all__ = ["router"]

router = APIRouter(tags=["blog"])


@dataclass(frozen=True, slots=True)
class Headlines:
    """A page of the list; `next` and `previous` are cursors for `after` and `before`."""

    items: list[Headline]
    next: str | None
    previous: str | None

    @classmethod
    def of(cls, page: Page[Headline]) -> Self:
        return cls(page.items, *[None if each is None else str(each) for each in (page.next, page.previous)])


@router.get("/posts")
async def list_posts(
    blog: BlogOf, after: After = None, before: Before = None, size: Annotated[int, Parameter(ge=1, le=100)] = 10
) -> Headlines:
    page = await headlines(blog, size=size, after=after, before=before)
    return Headlines.of(page)


@router.get("/posts/{slug}")
async def read_post(slug: str, blog: BlogOf) -> PostPage:
    return found(await post_page(slug).first(blog))


@router.get("/authors/{slug}")
async def read_author(slug: str, blog: BlogOf) -> AuthorPage:
    return found(await author_page(slug).first(blog))


@router.post("/posts", status_code=201)
async def create_post(form: NewPost, blog: BlogOf, response: Response) -> PostPage:
    await writing.add_post(blog, form)
    response.headers["Location"] = f"/api/posts/{form.slug}"
    return found(await post_page(form.slug).first(blog))


@router.put("/posts/{slug}")
async def edit_post(slug: str, form: EditedPost, blog: BlogOf) -> PostPage:
    await writing.edit_post(blog, slug, form)
    return found(await post_page(slug).first(blog))


@router.delete("/posts/{slug}", status_code=204)
async def delete_post(slug: str, blog: BlogOf) -> None:
    await writing.delete_post(blog, slug)


@router.post("/posts/{slug}/comments", status_code=201)
async def create_comment(slug: str, form: NewComment, blog: BlogOf) -> PostPage:
    await writing.add_comment(blog, slug, form)
    return found(await post_page(slug).first(blog))


@router.get("/cache")
async def read_counts(cache: CacheOf) -> dict[str, int]:
    return dict(cache.stats().counts)
