"""The page of settings has them all, with their defaults."""

import inspect
import re
from pathlib import Path

from gateways.postgres import PostgresGateway
from gateways.postgres.settings import DRIVER_OPTIONS, PLACES, TEXTS, WORDS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "postgres-settings.md"


def rows() -> list[list[str]]:
    """Return the cells of the page's tables."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_keyword_is_there_with_its_default():
    parameters = inspect.signature(PostgresGateway).parameters.values()
    keywords = {f"`{each.name}`": f"`{each.default!r}`" for each in parameters if each.kind is each.KEYWORD_ONLY}
    assert {cells[0]: cells[1] for cells in rows() if len(cells) == 3} == keywords


def test_every_parameter_of_the_url_is_there():
    names = {name for cells in rows() for name in re.findall(r"`(\w+)`", cells[0])}
    assert {*DRIVER_OPTIONS, *PLACES, *TEXTS, *WORDS} <= names


def test_every_word_of_a_setting_is_there():
    page = PAGE.read_text("utf-8")
    assert [word for words in WORDS.values() for word in words if f"`{word}`" not in page] == []
