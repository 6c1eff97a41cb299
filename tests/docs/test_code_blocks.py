"""
Every python block of README.md and of the pages in docs/ runs.

The blocks of one page share a namespace and run in order, in a temporary directory, inside an event loop. A block that
cannot run has `<!-- no-run: why -->` on the line before it. A page with `<!-- server: postgres -->` on a line of its own
runs with a database of its own, whose URL its blocks have as `url`; one with `<!-- server: redis -->` with a Redis.
"""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.docs.blocks import Block, NoReason, UnclosedBlock, blocks, run
from tests.servers.fixtures import Databases

ROOT = Path(__file__).parent.parent.parent
PAGES = [path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]]


POSTGRES = "\n<!-- server: postgres -->\n"
REDIS = "\n<!-- server: redis -->\n"


@pytest.fixture
async def server(page: str, request: pytest.FixtureRequest) -> AsyncIterator[dict[str, Any]]:
    """What a page that runs on a server finds in its namespace."""
    text = (ROOT / page).read_text("utf-8")
    if REDIS in text:
        yield {"url": request.getfixturevalue("redis_url")}
        return
    if POSTGRES not in text:
        yield {}
        return
    databases: Databases = request.getfixturevalue("databases")
    url = await databases.create()
    yield {"url": url}
    await databases.drop(url)


@pytest.mark.parametrize("page", PAGES)
async def test_code_blocks_of_page_run(
    page: str, server: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    text = (ROOT / page).read_text("utf-8")
    await run_page(text, str(ROOT / page), tmp_path, monkeypatch, **server)


async def run_page(
    text: str, filename: str, directory: Path, monkeypatch: pytest.MonkeyPatch, **names: Any
) -> ModuleType:
    """Run all blocks of a page in a module of its own, which classes made in it can find by its name."""
    module = ModuleType("page")
    vars(module).update(names)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(directory)
    for block in blocks(text):
        if block.no_run is None:
            await run(block, module, filename)
    return module


async def test_blocks_share_names_and_may_await(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = (
        "```python\nimport anyio\nx = 1\n```\ntext\n\n- item\n\n  ```python\n  await anyio.sleep(0)\n  x += 1\n  ```\n"
    )
    module = await run_page(text, "page.md", tmp_path, monkeypatch)
    assert vars(module)["x"] == 2


async def test_error_in_a_block_points_to_the_line_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ZeroDivisionError) as caught:
        await run_page("# Page\n\n```python\nx = 0\n1 / x\n```\n", "page.md", tmp_path, monkeypatch)
    assert (str(caught.traceback[-1].path).endswith("page.md"), caught.traceback[-1].lineno + 1) == (True, 5)


async def test_class_of_a_block_resolves_its_annotations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    code = "import attrs, typing\n@attrs.frozen\nclass A:\n    a: 'A | None'\nhints = typing.get_type_hints(A)"
    module = await run_page(f"```python\n{code}\n```\n", "page.md", tmp_path, monkeypatch)
    assert vars(module)["hints"] == {"a": vars(module)["A"] | None}


def test_blocks_of_other_languages_are_left_out():
    assert blocks("```sh\nls\n```\n```python\nx\n```\n````\n```python\ny\n```\n````\n") == [Block(5, "x\n")]


def test_block_not_to_be_run_says_why():
    assert blocks("<!-- no-run: needs a server -->\n```python\nx\n```\n") == [Block(3, "x\n", "needs a server")]


@pytest.mark.parametrize("mark", ["<!-- no-run -->", "<!-- no-run: -->"])
def test_block_not_to_be_run_without_reason_is_refused(mark: str):
    with pytest.raises(NoReason, match="needs a reason"):
        blocks(f"{mark}\n```python\nx\n```\n")


def test_block_never_closed_is_refused():
    with pytest.raises(UnclosedBlock, match="line 1"):
        blocks("```python\nx\n")
