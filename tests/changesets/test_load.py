"""Loading streams of rows."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from mapper.errors import NotStored, QueryError, UniqueViolation, Unsupported, ValueNotStorable
from mapper.selecting import select
from mapper.wrappers import Keyed
from tests.changesets.blog import (
    Bare,
    Blog,
    Comment,
    Comments,
    Elsewhere,
    Post,
    Posts,
    Tag,
    Tags,
    Token,
)
from tests.fake_gateway import FakeGateway, Gate

pytestmark = pytest.mark.feature("B15")


async def titles(blog: Blog) -> list[str]:
    return await select(Posts.title).order_by(Posts.id).all(blog)


async def test_iterable_is_stored(blog: Blog):
    assert await blog.load(Posts, (Post(f"t{number}") for number in range(25)), chunk=10) == 25
    assert await titles(blog) == [f"t{number}" for number in range(25)]


async def test_async_iterable_is_stored(blog: Blog):
    async def source() -> AsyncIterator[Post]:
        for number in range(3):
            await checkpoint()
            yield Post(f"t{number}")

    assert await blog.load(Posts, source()) == 3
    assert await titles(blog) == ["t0", "t1", "t2"]


async def test_nothing_is_stored_of_nothing(blog: Blog):
    assert await blog.load(Posts, []) == 0


async def test_models_wrappers_and_assignments_mix(blog: Blog):
    rows: Any = [
        Post("a"),
        Keyed(50, Post("b")),
        (Post("c"), Posts.visits.to(3)),
        (Keyed(60, Post("d")), Posts.body.to("x")),
    ]
    assert await blog.load(Posts, rows) == 4
    assert await select(Posts.title, Posts.body, Posts.visits).order_by(Posts.title).all(blog) == [
        ("a", None, 0),
        ("b", None, 0),
        ("c", None, 3),
        ("d", "x", 0),
    ]
    assert await select(Posts.id).where(Posts.title.in_(["b", "d"])).order_by(Posts.id).all(blog) == [50, 60]


async def test_load_on_a_transaction_is_a_part_of_it(blog: Blog):
    with pytest.raises(ZeroDivisionError):
        async with blog.transaction() as tx:
            await tx.load(Posts, [Post("a"), (Post("b"), Posts.visits.to(1))], chunk=1)
            assert await titles(tx) == ["a", "b"]
            raise ZeroDivisionError
    assert await titles(blog) == []


async def test_wrong_value_is_told_with_its_row(blog: Blog):
    source: Any = [*[Post(f"t{number}") for number in range(12)], Post(3), Post("x")]  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueNotStorable, match=r"^row 12 of the source: .*title"):
        await blog.load(Posts, source, chunk=10)
    assert len(await titles(blog)) == 10


async def test_wrong_model_is_told_with_its_row(blog: Blog):
    source: Any = [Post("a"), Token("b")]
    with pytest.raises(QueryError, match=r"^row 1 of the source: Posts stores Post"):
        await blog.load(Posts, source)
    assert await titles(blog) == []


async def test_missing_value_is_told_with_its_row(blog: Blog):
    source: Any = [(Comment("a"), Comments.post_id.to(1)), Comment("b")]
    with pytest.raises(QueryError, match=r"^row 1 of the source: Comments.post_id is given no value"):
        await blog.load(Comments, source)


async def test_chunk_that_is_refused_stores_nothing_and_those_before_stay(blog: Blog):
    source: Any = [Tag("a", "A"), Tag("b", "B"), (Tag("c", "C"), Tags.uses.to(1)), Tag("a", "D"), Tag("e", "E")]
    with pytest.raises(UniqueViolation) as caught:
        await blog.load(Tags, source, chunk=2)
    assert caught.value.__notes__ == ["of the source, rows 2 to 3 are not stored; the 2 before are"]
    assert await select(Tags.slug).order_by(Tags.slug).all(blog) == ["a", "b"]


async def test_ref_is_refused(blog: Blog):
    ref = Blog.change().inserts(Posts).push(Post("x"))
    with pytest.raises(QueryError, match="row 0 of the source: a ref stands for no value"):
        await blog.load(Posts, [(Post("a"), Posts.visits.to(ref))])


@pytest.mark.parametrize("chunk", [0, -1, 1.5, True])
async def test_wrong_chunk_is_refused(blog: Blog, chunk: Any):
    with pytest.raises(QueryError, match="chunk is"):
        await blog.load(Posts, [], chunk=chunk)


async def test_source_that_is_none_is_refused(blog: Blog):
    source: Any = 3
    with pytest.raises(QueryError, match="load takes an iterable"):
        await blog.load(Posts, source)


@pytest.mark.feature("B7")
async def test_relation_that_is_not_stored_is_refused(fake: FakeGateway):
    relation: Any = Elsewhere
    with pytest.raises(NotStored):
        await Blog(fake).load(relation, [])


@pytest.mark.feature("B12")
async def test_key_that_the_store_does_not_generate_is_refused(fake: FakeGateway):
    with pytest.raises(Unsupported):
        await Blog(fake).load(Bare, [Token("x")])
    assert fake.log == []


async def test_chunks_are_one_operation_each_and_ask_for_no_keys(fake: FakeGateway):
    seen: list[int] = []
    await Blog(fake).load(Posts, [Post("x")] * 25, chunk=10, on_progress=seen.append)
    assert fake.log == ["+", "insert Posts 10", "-", "+", "insert Posts 10", "-", "+", "insert Posts 5", "-"]
    assert [each.returning for each in fake.statements] == [(), (), ()]
    assert seen == [10, 20, 25]


async def test_chunk_of_two_shapes_is_one_transaction(fake: FakeGateway):
    await Blog(fake).load(Posts, [Post("x"), (Post("y"), Posts.author_id.to(1)), Post("z")])
    assert fake.log == ["+", "start", "insert Posts 2", "insert Posts 1", "commit", "-"]


async def test_progress_may_be_async(fake: FakeGateway):
    seen: list[int] = []

    async def progress(rows: int) -> None:
        await checkpoint()
        seen.append(rows)

    await Blog(fake).load(Posts, [Post("x")] * 3, chunk=2, on_progress=progress)
    assert seen == [2, 3]


async def test_source_is_at_most_one_chunk_ahead(fake: FakeGateway):
    taken: list[int] = []

    def source() -> Iterator[Post]:
        for number in range(100):
            taken.append(number)
            yield Post("x")

    gate = fake.gates["insert Posts 10"] = Gate()
    async with anyio.create_task_group() as group:
        group.start_soon(partial(Blog(fake).load, Posts, source(), chunk=10))
        await gate.reached.wait()
        assert len(taken) <= 20
        gate.opened.set()
    assert len(taken) == 100
