"""Writing: what changesets and transactions give, and which of them are refused."""

from typing import reveal_type

import attrs

from mapper import (
    BelongsTo,
    Column,
    CommonTable,
    HasMany,
    Keyed,
    Ref,
    Relation,
    Repository,
    Versioned,
    column,
    excluded,
    model_of,
    values,
)
from mapper.operations import Outcome


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


class PostComments(HasMany[Posts, Comments]):
    key = Comments.post_id


class CommentPost(BelongsTo[Comments, Posts]):
    key = Comments.post_id


class BlogRepository(Repository[Posts | Comments]): ...


class DraftRepository(Repository[Drafts]): ...


async def changes(blog: BlogRepository, kept: Versioned[Keyed[Post, int]]) -> None:
    changes = BlogRepository.change()
    posts = changes.inserts(Posts)
    ref = posts.push(Post("hello"), Posts.public.to(True))
    reveal_type(ref)  # revealed: Pushed[int, Posts]
    key: Ref[int] = ref
    reveal_type(posts.extend([Post("a"), Post("b")]))  # revealed: list[Pushed[int, Posts]]
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


def related(kept: Versioned[Keyed[Post, int]], comment: Keyed[Comment]) -> None:
    changes = BlogRepository.change()
    ref = changes.inserts(Posts).push(Post("hello"))
    reveal_type(
        ref.with_(PostComments, [Comment("a"), (Comment("b"), Comments.id.to(3))])
    )  # revealed: Pushed[int, Posts]
    reveal_type(changes.children(PostComments, ref))  # revealed: Children[Comment, Comments, int, Keyed[Comment, int]]
    reveal_type(changes.children(PostComments, kept).push(Comment("a")))  # revealed: Pushed[int, Comments]
    changes.children(PostComments, 7).extend([Comment("a"), comment])
    changes.link(PostComments, ref, comment)
    changes.link(CommentPost, comment, 7)
    changes.unlink(PostComments, kept, comment, 7)
    changes.replace(PostComments, kept, [comment, Comment("new"), (comment, Comments.text.to("x"))])
    changes.update(Posts, ref, Posts.title.to("x"))
    changes.update(Posts, 7, Posts.title.to("x"))
    changes.delete(Posts, 7)


def related_refused(kept: Versioned[Keyed[Post, int]], comment: Keyed[Comment]) -> None:
    changes = BlogRepository.change()
    drafts = DraftRepository.change()
    comment_ref = changes.inserts(Comments).push(Comment("x"))
    ref = changes.inserts(Posts).push(Post("hello"))
    ref.with_(PostComments, [Post("x")])  # error: a model of another relation
    comment_ref.with_(PostComments, [Comment("x")])  # error: a relationship of another relation
    changes.children(PostComments, kept).push(Post("x"))  # error: a model of another relation
    changes.children(PostComments, comment)  # error: an owner of another relation
    changes.link(PostComments, kept, "7")  # error: a key of another type
    changes.replace(PostComments, kept, [Post("x")])  # error: a model of another relation
    drafts.children(PostComments, 7)  # error: a relation that the repository does not store
    changes.update(Posts, "7", Posts.title.to("x"))  # error: a key of another type


async def given_back(blog: BlogRepository) -> None:
    changes = BlogRepository.change()
    posts = changes.inserts(Posts)
    made = posts.returning(Posts.id, Posts.body)
    reveal_type(made)  # revealed: Returned[tuple[int, str | None]]
    titles = changes.updates(Posts).everywhere().set(Posts.visits.to(0)).returning(Posts.title)
    reveal_type(titles)  # revealed: Returned[str]
    gone = changes.deletes(Posts).where(Posts.visits > 3).returning(Posts)
    reveal_type(gone)  # revealed: Returned[Versioned[Keyed[Post, int]]]
    models = changes.deletes(Posts).where(Posts.visits > 3).returning(model_of(Posts))
    result = await changes.commit(blog)
    reveal_type(result[made])  # revealed: list[tuple[int, str | None]]
    reveal_type(result[titles])  # revealed: list[str]
    reveal_type(result[gone])  # revealed: list[Versioned[Keyed[Post, int]]]
    reveal_type(result[models])  # revealed: list[Post]
    status: Outcome = result.status(posts.push(Post("x")))
    reveal_type(status == "updated")  # revealed: bool
    posts.returning(Comments.id)  # error: a column of another relation
    changes.updates(Posts).everywhere().returning(Posts.id, Comments)  # error: another relation
    changes.deletes(Posts).everywhere().returning()  # error: nothing


class New(CommonTable):
    id: Column[int]
    title: Column[str]


def from_other_rows() -> None:
    changes = BlogRepository.change()
    new = values(New, [(1, "a")])
    update = changes.updates(Posts).from_(new, on=New.id == Posts.id)
    reveal_type(update)  # revealed: Updates[Posts]
    update.set(Posts.title.to(New.title)).where(New.title != Posts.title)
    update.set(Posts.visits.to(New.title))  # error: a value of another type
    changes.updates(Posts).from_(new, on=New.id == Comments.id)  # error: a column of another relation
    changes.updates(Posts).from_(Comments, on=Comments.id == 3)  # error: no source of other rows


def in_schema(blog: BlogRepository) -> None:
    reveal_type(blog.in_schema("tenant_7"))  # revealed: BlogRepository
    blog.in_schema(7)  # error: no name


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
