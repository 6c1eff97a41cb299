"""What the blog reads. Queries are values: written once, run for every request, and cached without a word of it here."""

from dataclasses import dataclass
from datetime import date
from typing import Self

from examples.fastapi_blog.relations import (
    Author,
    AuthorPosts,
    Authors,
    Blog,
    Comment,
    Comments,
    Post,
    PostAuthor,
    PostComments,
    Posts,
)
from mapper import Keyed, Page, Query, Versioned, prepared, select

__all__ = ["AuthorPage", "Headline", "PostPage", "author_page", "headlines", "post_page"]


@dataclass(frozen=True, slots=True)
class Headline:
    """A line of the list."""

    slug: str
    title: str
    published: date
    author_slug: str
    author: str


@dataclass(frozen=True, slots=True)
class PostPage:
    """A post with all that its page shows. Who edits it sends the version back."""

    post: Post
    version: int
    author: Author
    comments: list[Comment]

    @classmethod
    def of(cls, row: Versioned[Keyed[Post, int]], author: Author | None, comments: list[Comment]) -> Self:
        assert author is not None, "every post has an author: the column takes no NULL"
        return cls(row.model.model, row.version, author, comments)


@dataclass(frozen=True, slots=True)
class AuthorPage:
    author: Author
    posts: list[Post]


HEADLINES = (
    select(Posts.slug, Posts.title, Posts.published, Authors.slug, Authors.name)
    .join(PostAuthor)
    .order_by(Posts.published.desc(), Posts.id.desc())
    .into(Headline)
)
"""All posts, newest first."""


async def headlines(blog: Blog, *, size: int, after: str | None, before: str | None) -> Page[Headline]:
    """Return a page of the list. It goes by keys, so that nothing is skipped where somebody posts meanwhile."""
    return await HEADLINES.page(blog, size=size, after=after, before=before)


@prepared
def post_page(slug: str) -> Query[PostPage, Posts | Authors | Comments]:
    """Return the query of a post with its author and its comments."""
    return select(Posts).where(Posts.slug == slug).combine(PostAuthor).combine(PostComments).into(PostPage.of)


@prepared
def author_page(slug: str) -> Query[AuthorPage, Authors | Posts]:
    """Return the query of an author with all posts."""
    return (
        select(Author)
        .from_(Authors)
        .where(Authors.slug == slug)
        .combine(AuthorPosts, select(Post).from_(Posts))
        .into(AuthorPage)
    )
