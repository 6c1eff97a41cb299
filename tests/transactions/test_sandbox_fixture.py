"""The fixture for tests of users, in a small project of theirs."""

import subprocess
import sys

import pytest

from mapper.errors import QueryError
from mapper.testing.fixtures import sandbox_fixture
from tests.servers.fixtures import databases, postgres_url

__all__ = ["databases", "postgres_url"]

pytestmark = pytest.mark.feature("N6")

BLOG = """
import attrs

from mapper import Column, Relation, Repository, column


@attrs.frozen
class User:
    name: str


class Users(Relation[User]):
    id: Column[int] = column(primary_key=True)
    name: Column[str] = column(unique=True)


class Blog(Repository[Users]): ...


async def register(blog: Blog, *names: str) -> None:
    changes = Blog.change()
    changes.inserts(Users).extend([User(name) for name in names])
    await changes.commit(blog)
"""

TESTS = """
import asyncio

import pytest

from blog import Blog, Users, User, register
from mapper import UniqueViolation, select


@pytest.mark.parametrize("number", range(6))
async def test_user_is_the_only_one(test_blog, number):
    assert type(test_blog) is Blog
    await register(test_blog, "ann")
    with pytest.raises(UniqueViolation):
        await register(test_blog, "bob", "ann")
    async with test_blog.transaction() as tx:
        await register(tx, f"guest {number}")
    await asyncio.sleep(0.05)
    assert await select(Users.name).order_by(Users.id).all(test_blog) == ["ann", f"guest {number}"]


async def test_many_are_streamed_while_others_come(test_blog):
    await test_blog.load(Users, [User(f"u{number}") for number in range(1500)])
    seen = 0
    async for name in select(Users.name).order_by(Users.id).execute(test_blog):
        if seen % 500 == 0:
            await register(test_blog, f"while {seen}")
        seen += 1
    assert seen >= 1500


async def test_task_that_is_cancelled_leaves_the_sandbox_usable(test_blog):
    task = asyncio.ensure_future(register(test_blog, "gone", "too"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await register(test_blog, "stays")
    assert "stays" in await select(Users.name).all(test_blog)


async def test_nothing_is_left(test_blog):
    assert await select(Users.name).all(test_blog) == []
"""

MODULE = """
from blog import Blog
from gateways.sqlite import SQLiteGateway
from mapper.testing.fixtures import sandbox_fixture

blog = Blog(SQLiteGateway({path!r}))
made = False


async def with_tables():
    global made
    if not made:
        await blog.push_schema()
        made = True
    return blog


test_blog = sandbox_fixture(with_tables)
"""

BLOCK = """
from contextlib import asynccontextmanager

from blog import Blog
from gateways import open
from mapper.testing.fixtures import sandbox_fixture


@asynccontextmanager
async def blog():
    async with open({url!r}) as gateway:
        blog = Blog(gateway)
        await blog.push_schema()
        yield blog


{fixture}
"""


def project(pytester: pytest.Pytester, conftest: str) -> None:
    pytester.makepyfile(blog=BLOG, test_users=TESTS, conftest=conftest)
    pytester.makeini(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\npythonpath = .\n"
    )


ARGUMENTS = ("-p", "no:cacheprovider", "-p", "no:valkey", "-p", "no:xdist")


def run(pytester: pytest.Pytester) -> pytest.RunResult:
    return pytester.runpytest_inprocess(*ARGUMENTS)


def test_fixture_of_a_function_gives_each_test_an_empty_store(pytester: pytest.Pytester):
    project(pytester, MODULE.format(path=":memory:"))
    run(pytester).assert_outcomes(passed=9)


@pytest.mark.parametrize("url", ["sqlite:///{directory}/blog.db", "memory://"])
def test_fixture_of_a_block_gives_each_test_an_empty_store(pytester: pytest.Pytester, url: str):
    place = url.format(directory=pytester.path)
    project(pytester, BLOCK.format(url=place, fixture="test_blog = sandbox_fixture(blog)"))
    run(pytester).assert_outcomes(passed=9)


def test_two_processes_share_one_database(pytester: pytest.Pytester, postgres_url: str):
    project(pytester, BLOCK.format(url=postgres_url, fixture="test_blog = sandbox_fixture(blog)"))
    command = [sys.executable, "-m", "pytest", *ARGUMENTS]
    other = subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        run(pytester).assert_outcomes(passed=9)
    finally:
        told, _ = other.communicate(timeout=50)
    assert "9 passed" in told


def test_fixture_takes_a_name_and_another_maker_of_fixtures(pytester: pytest.Pytester):
    fixture = 'import pytest_asyncio\nmade = sandbox_fixture(blog, name="test_blog", decorator=pytest_asyncio.fixture)'
    project(pytester, BLOCK.format(url="memory://", fixture=fixture))
    pytester.makeini(
        "[pytest]\nasyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\npythonpath = .\n"
    )
    pytester.makepyfile(
        test_users=TESTS.replace("import pytest\n", "import pytest\n\npytestmark = pytest.mark.asyncio\n")
    )
    run(pytester).assert_outcomes(passed=9)


def test_failing_test_shows_its_own_error(pytester: pytest.Pytester):
    project(pytester, BLOCK.format(url="memory://", fixture="test_blog = sandbox_fixture(blog)"))
    pytester.makepyfile(test_users="async def test_wrong(test_blog):\n    assert type(test_blog).__name__ == 'Book'\n")
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert 'Blog' == 'Book'*"])


def test_what_is_no_repository_is_refused():
    with pytest.raises(QueryError, match="opened on a repository, not on 3"):
        sandbox_fixture(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wrong on purpose


def test_function_that_returns_no_repository_is_refused(pytester: pytest.Pytester):
    project(pytester, "from mapper.testing.fixtures import sandbox_fixture\ntest_blog = sandbox_fixture(lambda: None)")
    result = run(pytester)
    result.assert_outcomes(errors=9)
    result.stdout.fnmatch_lines(["*a sandbox is opened on a repository, not on None*"])
