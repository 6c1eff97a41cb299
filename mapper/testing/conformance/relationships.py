"""
Relationships: joins along them, conditions and aggregates over related rows, and paths.
"""

from collections.abc import Sequence
from typing import Any

from mapper.errors import Unsupported
from mapper.functions import count
from mapper.functions import max as max_
from mapper.gateway import Gateway
from mapper.query import Query
from mapper.relating import aggregate, all_, any_, none_
from mapper.relationships import BelongsTo, HasMany, HasOne, ManyToMany, Through
from mapper.selecting import optional, select
from mapper.terms import outer
from mapper.testing.conformance.relations import (
    Blog,
    Comment,
    Comments,
    Link,
    Links,
    Post,
    Posts,
    Suite,
    Tag,
    Tags,
    User,
    Users,
    blog,
    refused,
)

SUITE = Suite("relationships")


class PostAuthor(BelongsTo[Posts, Users]):
    """Who wrote a post; nobody, of some."""

    key = Posts.author_id


class UserPosts(HasMany[Users, Posts]):
    """What somebody wrote."""

    key = Posts.author_id


class PublicPosts(UserPosts):
    """What of it is public."""

    where = Posts.public


class PostComments(HasMany[Posts, Comments]):
    """What is said of a post."""

    key = Comments.post_id


class LastComment(HasOne[Posts, Comments]):
    """The last of it."""

    key = Comments.post_id
    order = Comments.id.desc()


class Answers(HasMany[Comments, Comments]):
    """What is said of a comment."""

    key = Comments.parent_id


class Question(BelongsTo[Comments, Comments]):
    """What a comment is about, unless that is the post."""

    key = Comments.parent_id


class PostTags(ManyToMany[Posts, Tags, Links]):
    """Words that a post has, the heaviest first."""

    through = Links
    keys = (Links.post_id, Links.tag)
    order = Links.weight.desc()


class UserTags(Through[Users, Tags]):
    """Words that somebody used."""

    path = (UserPosts, PostTags)


async def fill(repository: Blog) -> None:
    """
    Write users 1 to 3, posts 1 to 4 (two of user 1, one of user 2, one of nobody), comments 1 to 5 (three of post 1, of
    which 2 answers 1 and 3 answers 2; two of post 2) and tags, of which one is unused.
    """
    changes = Blog.change()
    users, posts, comments = changes.inserts(Users), changes.inserts(Posts), changes.inserts(Comments)
    for key, name in enumerate(["ann", "bob", "eve"], 1):
        users.push(User(name), Users.id.to(key))
    for key, author in enumerate([1, 1, 2, None], 1):
        posts.push(Post(f"post {key}"), Posts.id.to(key), Posts.author_id.to(author), Posts.public.to(key == 2))
    for key, (post, parent) in enumerate([(1, None), (1, 1), (1, 2), (2, None), (2, 4)], 1):
        said = f"comment {key}"
        comments.push(Comment(said), Comments.id.to(key), Comments.post_id.to(post), Comments.parent_id.to(parent))
    changes.inserts(Tags).extend([Tag("art"), Tag("news"), Tag("unused")])
    for post, tag, weight in [(1, "art", 1), (1, "news", 2), (2, "art", 3), (3, "news", 1)]:
        changes.inserts(Links).push(Link(weight), Links.post_id.to(post), Links.tag.to(tag))
    await changes.commit(repository)


async def give(repository: Blog, queries: Sequence[tuple[Query[Any, Any], Sequence[Any]]]) -> None:
    """Require of each query that it gives these rows, or that it is refused where the gateway joins nothing."""
    await fill(repository)
    gateway = repository._executor.gateway
    for query, expected in queries:
        if gateway.capabilities.relational:
            assert await query.all(repository) == list(expected), query
        else:
            error = await refused(Unsupported, query.all(repository))
            assert error.capability == "relational"


@SUITE.case("a relationship is joined, with its conditions and the relations between", "B8", "T13", "T14")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await give(
            repository,
            [
                (select(Posts.id, Comments.id).join(PostComments).order_by(Comments.id).limit(2), [(1, 1), (1, 2)]),
                (
                    select(Posts.id, optional(Users.name)).left_join(PostAuthor).order_by(Posts.id),
                    [(1, "ann"), (2, "ann"), (3, "bob"), (4, None)],
                ),
                (
                    select(Users.id, count(Posts.id)).left_join(PublicPosts).group_by(Users.id).order_by(Users.id),
                    [(1, 1), (2, 0), (3, 0)],
                ),
                (
                    select(Posts.id, Tags.name).join(PostTags).order_by(Posts.id, Links.weight.desc()),
                    [(1, "news"), (1, "art"), (2, "art"), (3, "news")],
                ),
                (
                    select(Posts.id, optional(Comments.id)).left_join(LastComment).order_by(Posts.id),
                    [(1, 3), (2, 5), (3, None), (4, None)],
                ),
            ],
        )


@SUITE.case("a relation is joined with itself along a relationship", "T13")
async def _(gateway: Gateway) -> None:
    questions = Comments.named("question")
    async with blog(gateway) as repository:
        await give(
            repository,
            [
                (
                    select(Comments.id, optional(questions.id)).left_join(Question, to=questions).order_by(Comments.id),
                    [(1, None), (2, 1), (3, 2), (4, None), (5, 4)],
                )
            ],
        )


@SUITE.case("rows are kept by what belongs to them", "B8", "T13", "T14", "T17")
async def _(gateway: Gateway) -> None:
    posts, comments = select(Posts.id).order_by(Posts.id), select(Comments.id).order_by(Comments.id)
    async with blog(gateway) as repository:
        await give(
            repository,
            [
                (posts.where(any_(PostComments)), [1, 2]),
                (posts.where(any_(PostComments, Comments.text == "comment 4")), [2]),
                (posts.where(none_(PostComments)), [3, 4]),
                (posts.where(all_(PostComments, Comments.parent_id == None)), [3, 4]),
                (posts.where(all_(PostComments, Comments.parent_id > 0)), [3, 4]),
                (posts.where(any_(PostAuthor, any_(PublicPosts))), [1, 2]),
                (posts.where(any_(PostTags, Tags.name == "news", Links.weight > 1)), [1]),
                (posts.where(any_(LastComment, Comments.id == 2)), []),
                (comments.where(any_(Answers, any_(Answers))), [1]),
                (comments.where(any_(Answers, Comments.post_id == outer(Comments.post_id))), [1, 2, 4]),
            ],
        )


@SUITE.case("aggregates of related rows stand beside each row", "T14")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await give(
            repository,
            [
                (
                    select(Posts.id, aggregate(PostComments, count()), aggregate(PostComments, max_(Comments.id)))
                    .order_by(Posts.id)
                    .limit(3),
                    [(1, 3, 3), (2, 2, 5), (3, 0, None)],
                ),
                (select(Users.id, aggregate(UserTags, count())).order_by(Users.id), [(1, 2), (2, 1), (3, 0)]),
            ],
        )


@SUITE.case("a path leads to each row once", "B8", "T14")
async def _(gateway: Gateway) -> None:
    users = select(User).from_(Users)
    async with blog(gateway) as repository:
        await give(
            repository,
            [
                (users.via(UserPosts, PostTags).order_by(Tags.name), [Tag("art"), Tag("news")]),
                (users.where(Users.id == 2).via(UserTags), [Tag("news")]),
                (select(Users.name).from_(Posts).via(PostAuthor).order_by(Users.id), ["ann", "bob"]),
            ],
        )


@SUITE.case("a path that leads back is walked to any depth", "T13")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        below = select(Comments.id).where(Comments.id == 1).via(Answers, recursive=True).order_by(Comments.id)
        if gateway.capabilities.recursive_ctes or not gateway.capabilities.relational:
            await give(repository, [(below, [2, 3])])
        else:
            error = await refused(Unsupported, below.all(repository))
            assert error.capability == "recursive_ctes"


@SUITE.case("updates and deletes take conditions over related rows", "B8", "T17")
async def _(gateway: Gateway) -> None:
    async with blog(gateway) as repository:
        await fill(repository)
        changes = Blog.change()
        changes.updates(Posts).where(any_(PostComments)).set(Posts.title.to("discussed"))
        changes.deletes(Users).where(none_(UserPosts))
        if not gateway.capabilities.relational:
            await refused(Unsupported, changes.commit(repository))
            return
        result = await changes.commit(repository)
        assert (result.updated, result.deleted) == (2, 1)
        assert await select(Posts.id).where(Posts.title == "discussed").order_by(Posts.id).all(repository) == [1, 2]
