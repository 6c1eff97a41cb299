"""What the pages refer to is there, and the pages that list things list all of them."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mapper import errors
from tests.docs.blocks import blocks

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


def broken_links() -> Iterator[str]:
    """Find the links to files that are not there."""
    for page in PAGES:
        for target in LINK.findall(page.read_text("utf-8")):
            if not (page.parent / target).exists():
                yield f"{page.relative_to(ROOT)}: {target}"


def test_links_between_pages_lead_somewhere():
    assert list(broken_links()) == []


def test_page_of_errors_has_every_error():
    page = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
    assert [name for name in errors.__all__ if f"`{name}`" not in page] == []


def test_every_page_can_be_reached_from_the_index():
    linked = set(LINK.findall((ROOT / "docs" / "index.md").read_text("utf-8")))
    tutorial = {
        f"tutorial/{each}" for each in LINK.findall((ROOT / "docs" / "tutorial" / "index.md").read_text("utf-8"))
    }
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert sorted(pages - linked - tutorial - {"index.md", "reference/features.md"}) == []


def test_program_of_the_readme_prints_what_it_says(tmp_path: Path):
    text = (ROOT / "README.md").read_text("utf-8")
    (tmp_path / "program.py").write_text(blocks(text)[0].code)
    command = [sys.executable, "-W", "error", "program.py"]
    printed = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=True)
    assert f"```text\n{printed.stdout.decode()}```\n" in text
