"""No file names a place on somebody's machine, a package registry, or work left for later."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.sources import PRODUCTS, ROOT

DIRECTORIES = (*PRODUCTS, "tests", "examples", "docs", ".ci")
SUFFIXES = frozenset(
    {".py", ".md", ".toml", ".sh", ".cfg", ".yml", ".yaml", ".json", ".sql", ".css", ".html", ".txt", ".svg", ""}
)

# Each pattern is written so that it does not match itself.
FORBIDDEN = re.compile(
    r"(?<![\w.])/[w]ork/|(?<![\w.])/[r]oot/|(?<![\w.])/[h]ome/\w"
    r"|[p]ypi\.org|[p]ythonhosted\.org|[n]pmjs\.|[d]eb\.debian\.org|[c]rates\.io/api"
    r"|\b[T]ODO\b|\b[F]IXME\b|\b[X]XX\b"
)


def texts() -> Iterator[Path]:
    """The project's text files: those at the top, and those in its directories."""
    inner = [
        path for directory in DIRECTORIES for path in (ROOT / directory).rglob("*") if "__pycache__" not in path.parts
    ]
    yield from sorted(
        path for path in [*ROOT.iterdir(), *inner] if path.is_file() and path.suffix in SUFFIXES and path.name != ".git"
    )


def test_no_text_has_a_forbidden_word():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match.group()}"
        for path in texts()
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1)
        if (match := FORBIDDEN.search(line))
    ]
    assert found == []


@pytest.mark.parametrize(
    "word",
    ["in " + "/work" + "/x", "/ro" + "ot/x", "/ho" + "me/me", "https://py" + "pi.org/p", "# TO" + "DO: x", "XX" + "X"],
)
def test_forbidden_word_is_found(word: str):
    assert FORBIDDEN.search(word)


@pytest.mark.parametrize("word", ["docs/work/plan", "the root/leaf", "XXXX", "mastodon", "/etc/hosts"])
def test_other_word_is_not_found(word: str):
    assert not FORBIDDEN.search(word)
