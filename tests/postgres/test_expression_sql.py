"""
The SQL of what only PostgreSQL has, as it is kept in `expressions.sql`: no server is asked.

`python -m tests.postgres.test_expression_sql` writes the file anew; what changes in it is to be read.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres.examples import EXAMPLES, Example, compiled

FILE = Path(__file__).with_name("expressions.sql")


def shown(example: Example) -> str:
    """The text of an example, and behind it the values of its parameters."""
    operation = compiled(example.make())
    lines = [operation.sql, *[f"--   ${number} {each!r}" for number, each in enumerate(operation.parameters, 1)]]
    return "\n".join(lines)


def kept() -> dict[str, str]:
    """What the file has, by the names of the examples."""
    return dict(sections(FILE.read_text("utf-8")))


def sections(text: str) -> Iterator[tuple[str, str]]:
    for section in text.removeprefix("-- ").split("\n\n-- "):
        name, _, rest = section.partition("\n")
        yield name, rest.rstrip("\n")


@pytest.mark.parametrize("example", [pytest.param(each, id=each.name) for each in EXAMPLES])
def test_text_of_an_example_is_the_one_that_is_kept(example: Example):
    assert shown(example) == kept()[example.name]


def test_every_text_that_is_kept_is_of_an_example():
    assert list(kept()) == [each.name for each in EXAMPLES]


if __name__ == "__main__":
    FILE.write_text("\n\n".join([f"-- {each.name}\n{shown(each)}" for each in EXAMPLES]) + "\n", "utf-8")
