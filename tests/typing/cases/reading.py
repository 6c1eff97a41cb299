"""Reading: what queries give, and which of them are refused."""

from typing import NamedTuple, reveal_type

import attrs
import msgspec

from mapper import (
    Column,
    Keyed,
    Query,
    Relation,
    Repository,
    Stores,
    Versioned,
    column,
    exists,
    fn,
    fragment,
    optional,
    outer,
    prepared,
    raw,
    scalar,
    select,
)


@attrs.frozen
class Post:
    title: str
    body: str | None = None


class Comment(msgspec.Struct, frozen=True):
    text: str


class Summary(NamedTuple):
    id: int
    title: str


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str | None]
    visits: Column[int] = column(default=0)
    public: Column[bool]


class Drafts(Relation[Post], name="drafts"):
    id: Column[int] = column(primary_key=True)
    title: Column[str]


class Comments(Relation[Comment]):
    id: Column[int] = column(primary_key=True)
    post_id: Column[int] = column(references=lambda: Posts.id)
    text: Column[str]


class Revisions(Relation[Post, int, Versioned[Keyed[Post, int]]]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    version: Column[int] = column(version=True)


class BlogRepository(Repository[Posts | Comments | Revisions]): ...


async def columns() -> None:
    reveal_type(Posts.title)  # revealed: Attribute[str, Posts]
    reveal_type(Posts.body)  # revealed: Attribute[str | None, Posts]
    reveal_type(Posts.title == "x")  # revealed: Expr[bool, Posts]
    reveal_type(Posts.id == Comments.post_id)  # revealed: Expr[bool, Posts | Comments]
    reveal_type((Posts.title == "x") | Posts.public)  # revealed: Expr[bool, Posts]
    reveal_type(Posts.visits + 1)  # revealed: Expr[int, Posts]
    reveal_type(optional(Comments.text))  # revealed: Expr[str | None, Comments]
    reveal_type(Posts.named("other"))  # revealed: type[Posts]


async def queries() -> None:
    posts = select(Post).from_(Posts)
    pair = select(Posts.id, Posts.title)
    other = Posts.named("other")
    reveal_type(posts)  # revealed: Query[Post, Posts]
    reveal_type(select(Posts))  # revealed: Query[Keyed[Post, int], Posts]
    reveal_type(select(Revisions))  # revealed: Query[Versioned[Keyed[Post, int]], Revisions]
    reveal_type(select(Posts.title))  # revealed: Query[str, Posts]
    reveal_type(pair)  # revealed: Query[tuple[int, str], Posts]
    reveal_type(pair.where((Posts.title == "x") | Posts.public, Posts.visits > 3).order_by(Posts.id.desc()).limit(5).offset(10))  # revealed: Query[tuple[int, str], Posts]
    reveal_type(pair.into(Summary))  # revealed: Query[Summary, Posts]
    reveal_type(select(Posts.title).map(len))  # revealed: Query[int, Posts]
    reveal_type(posts.find(3))  # revealed: One[Post, Posts]
    reveal_type(select(Posts.title, optional(Comments.text)).left_join(Comments, on=Comments.post_id == Posts.id))  # revealed: Query[tuple[str, str | None], Posts | Comments]
    reveal_type(select(Posts.title, fn.count(Comments.id)).join(Comments, on=Comments.post_id == Posts.id).group_by(Posts.title))  # revealed: Query[tuple[str, int], Posts | Comments]
    reveal_type(select(fn.count()).from_(Posts))  # revealed: Query[int, Posts]
    reveal_type(fn.count(filter=Posts.public))  # revealed: Aggregate[int, Posts]
    reveal_type((fn.count() - 1) * fn.max(Posts.visits))  # revealed: Expr[int | None, Posts]
    reveal_type(select(fragment(str, "lower(?)", Posts.title)))  # revealed: Query[str, Posts]
    reveal_type(posts.join(other, on=other.visits == Posts.visits))  # revealed: Query[Post, Posts]
    reveal_type(posts.where(Posts.id.in_([1, 2])))  # revealed: Query[Post, Posts]
    reveal_type(posts.where(Posts.id.in_(select(Comments.post_id))))  # revealed: Query[Post, Posts]
    reveal_type(posts.where(exists(select(Comments.id).where(Comments.post_id == outer(Posts.id)))))  # revealed: Query[Post, Posts]
    reveal_type(scalar(select(fn.max(Posts.visits))))  # revealed: Expr[int | None, Never]
    reveal_type(posts.where(Posts.body == None))  # revealed: Query[Post, Posts]
    reveal_type(posts.where(Posts.body.like("h%")))  # revealed: Query[Post, Posts]


async def terminals(blog: BlogRepository) -> None:
    posts = select(Post).from_(Posts)
    reveal_type(await posts.all(blog))  # revealed: list[Post]
    reveal_type(await posts.one(blog))  # revealed: Post
    reveal_type(await posts.first(blog))  # revealed: Post | None
    reveal_type(await posts.count(blog))  # revealed: int
    reveal_type(await posts.exists(blog))  # revealed: bool
    reveal_type(await posts.find(3).execute(blog))  # revealed: Post | None
    reveal_type(await select(fn.max(Posts.visits)).one(blog))  # revealed: int | None
    reveal_type(await raw(Post, "select title, body from posts").all(blog))  # revealed: list[Post]
    reveal_type(await by_title("x").one(blog))  # revealed: Post
    reveal_type(await recent(blog))  # revealed: list[Post]
    async for post in posts.execute(blog):
        reveal_type(post)  # revealed: Post
    async with posts.execute(blog) as rows:
        async for post in rows:
            reveal_type(post)  # revealed: Post
    async for page in posts.pages(blog, size=10):
        reveal_type(page)  # revealed: list[Post]
    reveal_type((await posts.page(blog, size=20)).items)  # revealed: list[Post]


@prepared
def by_title(title: str) -> Query[Post, Posts]:
    return select(Post).from_(Posts).where(Posts.title == title)


async def recent(repository: Stores[Posts | Comments]) -> list[Post]:
    query: Query[Post, Posts] = select(Post).from_(Posts)
    return await query.all(repository)


async def refused(blog: BlogRepository) -> None:
    posts = select(Post).from_(Posts)
    posts.where(Posts.title == 3)  # error: an operand of another type
    posts.where(Posts.visits > "3")  # error: an operand of another type
    posts.where(not Posts.public)  # error: `not` for `~`
    posts.where(Posts.titel == "x")  # error: no such column
    posts.where(Posts.visits)  # error: not a condition
    posts.where(Comments.text == "x")  # error: a relation that is not joined
    select(Post).from_(Comments)  # error: a relation of another model
    await select(Post).from_(Drafts).all(blog)  # error: a relation that the repository does not store
    select(Posts.id, Posts.title).into(Comment)  # error: a constructor that does not fit the row
    select(Posts.body, Posts.id).into(Summary)  # error: nullable into not nullable
    by_title(3)  # error: an argument of another type
    if Posts.title == "x":  # error[pyright]: the truth value of an expression
        pass
