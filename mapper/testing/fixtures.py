"""
A pytest fixture that gives each test a sandbox.

A repository goes in, or what makes one; a fixture comes out. pytest is imported when the fixture is made.
"""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

from typing_extensions import TypeVar

from mapper.errors import QueryError
from mapper.repository import Repository

__all__ = ["sandbox_fixture"]

S = TypeVar("S", bound=Repository[Any])

Source: TypeAlias = S | Callable[[], S | Awaitable[S] | AbstractAsyncContextManager[S]]
"""A repository; or a function that returns one, sync or async, or that gives one for the length of a block."""


def sandbox_fixture(
    repository: Source[S], *, name: str | None = None, decorator: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """
    Return a fixture that opens a sandbox for each test, and undoes it behind the test: `test_blog = sandbox_fixture(blog)`
    in a `conftest.py`, and `async def test_…(test_blog: Blog)`.

    Args:
        repository: What the sandbox is opened on: a repository; or a function without arguments, called for each test,
            that returns one, is async and returns one, or is an `asynccontextmanager`, whose block is left behind the
            test.
        name: What tests ask for it by; the name that the fixture is assigned to without one.
        decorator: What makes a fixture of an async generator: `pytest_asyncio.fixture` where that plugin is not in its
            mode `auto`. `pytest.fixture` without one.

    Raises:
        QueryError: What is given, or returned, is no repository. The latter is raised when a test begins.
    """
    if not isinstance(repository, Repository) and not callable(repository):
        raise _no_repository(repository)

    async def sandbox() -> AsyncGenerator[Any]:
        async with _given(repository) as given, given.sandbox() as box:
            yield box

    if decorator is None:
        import pytest

        decorator = pytest.fixture
    fixture: Callable[..., Any] = decorator(name=name)(sandbox)
    return fixture


@asynccontextmanager
async def _given(source: Source[S]) -> AsyncGenerator[S]:
    """Give the repository of a source."""
    if isinstance(source, Repository):
        yield _checked(source)
        return
    made = source()
    if isinstance(made, AbstractAsyncContextManager):
        async with made as repository:
            yield _checked(repository)
    else:
        yield _checked(await made if inspect.isawaitable(made) else made)


def _checked(given: Any) -> Any:
    if not isinstance(given, Repository):
        raise _no_repository(given)
    return given


def _no_repository(given: object) -> QueryError:
    return QueryError(
        f"a sandbox is opened on a repository, not on {given!r}", hint="give one, or a function that returns one"
    )
