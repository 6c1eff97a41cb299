from dataclasses import dataclass
from typing import reveal_type

from mapper import Column, CommonTable, Relation, Repository, column, literal, optional, select


@dataclass(frozen=True)
class Post:
    title: str
    body: str | None = None


class Posts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str | None]
    parent_id: Column[int | None]


class Drafts(Relation[Post]):
    id: Column[int] = column(primary_key=True)
    title: Column[str]
    body: Column[str | None]


class Chain(CommonTable):
    id: Column[int]
    depth: Column[int]


class Blog(Repository[Posts]): ...


async def reads(blog: Blog) -> None:
    titles = select(Posts.title)
    reveal_type(titles.union(select(Drafts.title)))  # revealed: Query[str, Posts | Drafts]
    reveal_type(titles.except_all(titles).order_by(Posts.title).limit(3))  # revealed: Query[str, Posts]
    reveal_type(Chain.depth)  # revealed: Attribute[int, Never]
    start = select(Posts.id, literal(0))
    step = select(Posts.id, Chain.depth + 1).from_(Posts).join(Chain, on=Posts.parent_id == Chain.id)
    chain = select(Posts.title, Chain.depth).from_(Posts).join(Chain, on=Posts.id == Chain.id)
    whole = chain.with_(Chain, start.union_all(step), recursive=True)
    reveal_type(await whole.all(blog))  # revealed: list[tuple[str, int]]
    other = Posts.named("other")
    reveal_type(select(optional(Posts.title), other.title).right_join(other, on=other.id == Posts.id))  # revealed: Query[tuple[str | None, str], Posts]
    reveal_type(titles.for_update(skip_locked=True))  # revealed: Query[str, Posts]
    titles.union(select(Drafts.id))  # error: rows of another type
    await titles.union(select(Drafts.title)).all(blog)  # error: the repository does not store Drafts
    titles.right_join(Drafts)  # error: a join needs a condition
