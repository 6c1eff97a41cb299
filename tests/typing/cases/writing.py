"""Writing: what changesets and transactions give, and which of them are refused."""

from typing import reveal_type

import attrs

from mapper import Column, Keyed, Relation, Repository, Versioned, column, excluded


@attrs.frozen
class Post:
    title: str
    body: str | None = None


@attrs.frozen
class Comment:
    text: str


class Posts(Relation[Post, int, Versioned[Keyed[Post, int]]]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str | None]
    visits: Column[int] = column(default=0)
    public: Column[bool] = column(default=False)
    version: Column[int] = column(version=True)


class Comments(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    post_id: Column[int] = column(references=lambda: Posts.id)
    text: Column[str]


class Drafts(Relation[Post], name="drafts"):
    id: Column[int] = column(primary_key=True)
    title: Column[str]


class BlogRepository(Repository[Posts | Comments]): ...


class DraftRepository(Repository[Drafts]): ...


async def changes(blog: BlogRepository, kept: Versioned[Keyed[Post, int]]) -> None:
    changes = BlogRepository.change()
    posts = changes.inserts(Posts)
    ref = posts.push(Post("hello"), Posts.public.to(True))
    reveal_type(ref)  # revealed: Ref[int]
    reveal_type(posts.extend([Post("a"), Post("b")]))  # revealed: list[Ref[int]]
    changes.inserts(Comments).push(Comment("first"), Comments.post_id.to(ref))
    changes.updates(Posts).where(Posts.title.like("h%")).set(Posts.visits.to(Posts.visits + 1))
    changes.updates(Posts).where(Posts.id == ref).set(Posts.body.to(None))
    changes.update(Posts, kept, Posts.title.to("new"))
    changes.update(Posts, kept, Post("new"))
    changes.deletes(Comments).where(Comments.post_id == 3)
    changes.delete(Posts, kept)
    changes.inserts(Posts).on_conflict(Posts.id, update=[Posts.title], set_=[Posts.body.to(excluded(Posts.body))])
    result = await changes.commit(blog)
    reveal_type(result)  # revealed: Committed
    reveal_type(result[ref])  # revealed: int
    reveal_type(result.get(ref))  # revealed: int | None
    reveal_type(result.inserted)  # revealed: int


async def transactions(blog: BlogRepository) -> None:
    async with blog.transaction(isolation="serializable") as tx:
        reveal_type(tx)  # revealed: BlogRepository
        async with tx.transaction() as inner:
            reveal_type(inner)  # revealed: BlogRepository
    reveal_type(await blog.run(work))  # revealed: str


async def work(tx: BlogRepository) -> str:
    return "done"


async def refused(blog: BlogRepository, drafts: DraftRepository, kept: Versioned[Keyed[Post, int]]) -> None:
    changes = BlogRepository.change()
    changes.inserts(Posts).push(Comment("x"))  # error: a model of another class
    changes.inserts(Drafts)  # error: a relation that the repository does not store
    changes.inserts(Posts).push(Post("x"), Comments.text.to("x"))  # error: a column of another relation
    changes.updates(Posts).set(Comments.text.to("x"))  # error: a column of another relation
    changes.updates(Posts).where(Comments.text == "x")  # error: a column of another relation
    changes.update(Posts, kept, Comments.text.to("x"))  # error: a column of another relation
    Posts.title.to(3)  # error: a value of another type
    Posts.title.to(None)  # error: a column that takes no NULL
    await changes.commit(drafts)  # error: a repository that lacks the relations
    blog.transaction(isolation="strict")  # error: an isolation level that does not exist
