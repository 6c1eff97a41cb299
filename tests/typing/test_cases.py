"""
What users' code looks like to mypy and to pyright: the files in `cases/` say which types and errors both must see.

Each checker runs once over all the files; see `harness.py` for the comments.
"""

from pathlib import Path

import pytest

from tests.typing.harness import Finding, check, differences

CASES = sorted(Path(__file__).with_name("cases").glob("*.py"))

# The first test waits for both checkers, which take longer than a test may on a busy machine.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, list[Finding]]:
    return check(CASES, tmp_path_factory.mktemp("checkers"))


@pytest.mark.feature("N4")
@pytest.mark.parametrize("case", [pytest.param(path, id=path.stem) for path in CASES])
def test_case_has_the_types_and_errors_of_its_comments(case: Path, reported: dict[Path, list[Finding]]):
    found = differences(case.read_text("utf-8"), reported[case])
    assert not found, "\n".join([f"{case.name} differs from what its comments expect:", *found])
