"""
A blog of three posts and nine comments: the example program of tbd.rs, line by line.

    python -m examples.blog             in memory
    python -m examples.blog blog.db     in a file of SQLite

A gateway goes in, what the blog contains is printed. The same code runs on every gateway: nothing below `main` knows
which one it is given.
"""

import asyncio
import sys

import attrs

from gateways.memory import MemoryGateway
from gateways.sqlite import SQLiteGateway
from mapper import Changeset, Column, Ref, Relation, Repository, Stores, column, select

# -- Models -----------------------------------------------------------------------------------------------------------
#
# What the program is about. These are plain classes: they import nothing of the mapper, do not know that they are
# stored, and have no id, because a post that nobody has stored yet has none.


@attrs.frozen
class Post:
    content: str


@attrs.frozen
class Comment:
    content: str


# -- Relations --------------------------------------------------------------------------------------------------------
#
# How a store keeps them: the table's name (`posts`, from the name of the class), its columns, its key. A column with
# the name of a model's field holds that field. The others are of the store alone: `id`, which the store makes up, and
# `post_id`, which says what a comment belongs to. Relations are never instantiated.


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    content: Column[str]


class Comments(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    content: Column[str]
    post_id: Column[int] = column(references=lambda: Posts.id, on_delete="cascade", index=True)


# -- The repository ---------------------------------------------------------------------------------------------------
#
# Which relations belong together. A type checker refuses a query of any other relation on it, and so does the
# repository itself before anything is sent to the store.


class BlogRepository(Repository[Posts | Comments]): ...


# -- Writing ----------------------------------------------------------------------------------------------------------


def first_content() -> "Changeset[Posts | Comments]":
    """Return the changes that fill an empty blog. This is data: nothing is stored before somebody commits it."""
    changes = BlogRepository.change()

    # `push` returns a reference to a key that does not exist yet ...
    posts: list[Ref[int]] = [changes.inserts(Posts).push(Post(f"Post number {number}")) for number in range(1, 4)]

    # ... and which the comments can name already. The store will have it when their turn comes.
    for number in range(1, 10):
        place = number % 3
        comment = Comment(f"Comment number {number} on post {place + 1}")
        changes.inserts(Comments).push(comment, Comments.post_id.to(posts[place]))
    return changes


# -- Reading ----------------------------------------------------------------------------------------------------------
#
# A function asks for what it needs and no more: this one takes any repository that stores posts and comments.


async def show(blog: Stores[Posts | Comments]) -> None:
    """Print every post and every comment, then one post that is there and one that is not."""
    # A query is a value. It does nothing by itself, and can be kept, shared and extended.
    posts = select(Post).from_(Posts).order_by(Posts.id)
    comments = select(Comment).from_(Comments).order_by(Comments.id)

    # `execute` gives the rows one by one while the store is still reading: a long table takes no more memory.
    async for post in posts.execute(blog):
        print(post)
    async for comment in comments.execute(blog):
        print(comment)

    # `find` is about one row at most, so it is awaited instead, and gives None where there is no such key.
    print(await select(Post).from_(Posts).find(1).execute(blog))
    print(await select(Post).from_(Posts).find(365).execute(blog))


# -- The program ------------------------------------------------------------------------------------------------------


async def run(blog: BlogRepository) -> None:
    """Make what is missing of the schema, fill the blog where it is empty, and show it."""
    await blog.push_schema()
    if not await select(Posts).exists(blog):
        # One transaction: all twelve rows are stored, or none. The three posts go to the store in one operation, the
        # nine comments in another.
        await first_content().commit(blog)
    await show(blog)


async def main(path: str | None = None) -> None:
    """Run the program on SQLite, in the file at `path`, or in memory where none is given."""
    async with MemoryGateway() if path is None else SQLiteGateway(path) as gateway:
        await run(BlogRepository(gateway))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2]))
