"""The blog program of tbd.rs: the same code in memory and on SQLite, and what it prints."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from examples import blog
from examples.blog import BlogRepository, Post, Posts
from gateways.memory import MemoryGateway
from gateways.sqlite import SQLiteGateway
from mapper import select
from mapper.gateway import Gateway
from mapper.operations import Insert
from mapper.testing import RecordingGateway

pytestmark = pytest.mark.feature("B20")

PRINTED = [
    "Post(content='Post number 1')",
    "Post(content='Post number 2')",
    "Post(content='Post number 3')",
    "Comment(content='Comment number 1 on post 2')",
    "Comment(content='Comment number 2 on post 3')",
    "Comment(content='Comment number 3 on post 1')",
    "Comment(content='Comment number 4 on post 2')",
    "Comment(content='Comment number 5 on post 3')",
    "Comment(content='Comment number 6 on post 1')",
    "Comment(content='Comment number 7 on post 2')",
    "Comment(content='Comment number 8 on post 3')",
    "Comment(content='Comment number 9 on post 1')",
    "Post(content='Post number 1')",
    "None",
]


@pytest.fixture(params=["memory", "sqlite"])
async def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with MemoryGateway() if request.param == "memory" else SQLiteGateway(tmp_path / "blog.db") as made:
        yield made


async def test_blog_prints_posts_comments_and_what_find_gives(gateway: Gateway, capsys: pytest.CaptureFixture[str]):
    await blog.run(BlogRepository(gateway))
    assert capsys.readouterr().out.splitlines() == PRINTED


async def test_blog_run_again_adds_nothing(gateway: Gateway, capsys: pytest.CaptureFixture[str]):
    await blog.run(BlogRepository(gateway))
    await blog.run(BlogRepository(gateway))
    assert capsys.readouterr().out.splitlines() == PRINTED * 2


async def test_blog_inserts_each_relation_in_one_operation(gateway: Gateway):
    recording = RecordingGateway(gateway)
    repository = BlogRepository(recording)
    await repository.push_schema()
    recording.clear()
    await blog.first_content().commit(repository)
    assert [len(each.rows) for each in recording.operations if isinstance(each, Insert)] == [3, 9]


async def test_comments_belong_to_the_posts_that_their_refs_name(gateway: Gateway):
    repository = BlogRepository(gateway)
    await repository.push_schema()
    await blog.first_content().commit(repository)
    query = (
        select(Posts.content, blog.Comments.content)
        .join(blog.Comments, on=blog.Comments.post_id == Posts.id)
        .order_by(blog.Comments.id)
    )
    pairs = await query.all(repository)
    assert [comment.endswith(post.removeprefix("Post number")) for post, comment in pairs] == [True] * 9


async def test_main_keeps_the_blog_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "blog.db"
    await blog.main(str(path))
    assert capsys.readouterr().out.splitlines() == PRINTED
    async with SQLiteGateway(path) as gateway:
        assert await select(Post).from_(Posts).find(3).execute(BlogRepository(gateway)) == Post("Post number 3")


async def test_main_without_a_path_runs_in_memory(capsys: pytest.CaptureFixture[str]):
    await blog.main()
    assert capsys.readouterr().out.splitlines() == PRINTED
