"""
Tests in this directory run on trio, in a pytest run of their own.

`./run test` gives that run `-o asyncio_mode=strict -o anyio_mode=auto`. In auto mode pytest-asyncio would run the tests
on asyncio, so there nothing of this directory is collected.
"""

from pathlib import Path

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the directory out of the asyncio run; `None` lets pytest decide."""
    in_here = collection_path.is_relative_to(Path(__file__).parent)
    return True if in_here and config.getini("asyncio_mode") == "auto" else None
