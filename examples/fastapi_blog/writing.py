"""What the blog writes: forms go in, which FastAPI has checked; changes are committed."""

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from examples.fastapi_blog.relations import Authors, Blog, Comment, Comments, Post, Posts
from mapper import Keyed, Versioned, select

__all__ = [
    "EditedPost",
    "NewComment",
    "NewPost",
    "NoAuthor",
    "NoPost",
    "add_comment",
    "add_post",
    "delete_post",
    "edit_post",
]

Slug = Annotated[str, Field(pattern="^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Text = Annotated[str, Field(min_length=1, max_length=20_000)]


class NewPost(BaseModel):
    """A form for a post. The author is named by slug."""

    slug: Slug
    title: Text
    body: Text
    author: Slug


class EditedPost(BaseModel):
    """A form for a post that is there. The version is that of the page that was edited."""

    title: Text
    body: Text
    version: int


class NewComment(BaseModel):
    name: Text
    text: Text


class NoPost(Exception):
    """There is no post of that name."""


class NoAuthor(Exception):
    """There is no author of that name."""


async def add_post(blog: Blog, form: NewPost) -> None:
    """
    Store a post.

    Raises:
        NoAuthor: The author is not there.
        UniqueViolation: The slug is taken. Nobody looks first whether it is: only the store can know.
    """
    author = await select(Authors.id).where(Authors.slug == form.author).first(blog)
    if author is None:
        raise NoAuthor(form.author)
    changes = Blog.change()
    post = Post(form.slug, form.title, form.body, today())
    changes.inserts(Posts).push(post, Posts.author_id.to(author))
    await changes.commit(blog)


async def edit_post(blog: Blog, slug: str, form: EditedPost) -> None:
    """
    Store what was edited.

    Raises:
        NoPost: It is not there.
        StaleRow: Somebody has stored another version since the one that was edited.
    """
    row = await _post(blog, slug)
    changes = Blog.change()
    edited = Versioned(row.model, form.version)
    changes.update(Posts, edited, Posts.title.to(form.title), Posts.body.to(form.body))
    await changes.commit(blog)


async def delete_post(blog: Blog, slug: str) -> None:
    """
    Delete a post. The store deletes its comments with it, which the cache knows from their declaration.

    Raises:
        NoPost: It is not there.
    """
    changes = Blog.change()
    changes.deletes(Posts).where(Posts.slug == slug)
    if not (await changes.commit(blog)).deleted:
        raise NoPost(slug)


async def add_comment(blog: Blog, slug: str, form: NewComment) -> None:
    """
    Store a comment.

    Raises:
        NoPost: What it is about is not there.
        ForeignKeyViolation: … or not any more.
    """
    row = await _post(blog, slug)
    changes = Blog.change()
    changes.inserts(Comments).push(Comment(form.name, form.text), Comments.post_id.to(row.model.key))
    await changes.commit(blog)


async def _post(blog: Blog, slug: str) -> Versioned[Keyed[Post, int]]:
    row = await select(Posts).where(Posts.slug == slug).first(blog)
    if row is None:
        raise NoPost(slug)
    return row


def today() -> date:
    """Return the date by UTC."""
    return datetime.now(UTC).date()
